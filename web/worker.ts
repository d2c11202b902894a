/** The worker's script of the page: the package's own. */
import "../src/worker/script.ts";

/** To be imported before scenarios that are to run over links which cut super-segments. */
import { useSuperSegments } from "./scenario.ts";

useSuperSegments();

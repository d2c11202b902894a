/** Makes a namespace, says its name and waits for ever. */
import process from "node:process";
import { Namespace } from "./namespace.ts";

const namespace = new Namespace();
namespace.start(["sleep", "infinity"]);
process.stdout.write(namespace.name);

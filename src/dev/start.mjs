/**
 * `start.mjs <command> …`: makes the clone ready, builds, and becomes `tidewire <command> …`.
 *
 * Only the command writes to stdout, so that its output can be read by a program.
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { fail, inRoot, IS_DENO, readText, run, scriptCommand } from "./common.mjs";

/** What a person or a supervisor sends to end us. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

const PROGRAM = "dist/tidewire.mjs";

for (const script of ["src/dev/setup.mjs", "src/dev/build.mjs"]) {
  const { code } = await run(scriptCommand(script), { stdout: "stderr" });
  if (code !== 0) process.exit(code);
}
if (readText(inRoot(PROGRAM)) === undefined) fail(`Cannot start: ${PROGRAM} was not built`);

const [program, ...args] = scriptCommand(PROGRAM, process.argv.slice(2));
if (IS_DENO) {
  // Deno.args can not be changed, so the program gets a process of its own, and our signals.
  const child = spawn(program, args, { stdio: "inherit" });
  for (const signal of SIGNALS) {
    // Not `child.kill()`: Deno then reports death by that signal, even if the program ended by itself with a code.
    process.on(signal, () => process.kill(child.pid, signal));
  }
  child.on("close", (code) => process.exit(code ?? 1));
} else {
  process.argv = [program, ...args];
  await import(new URL(`../../${PROGRAM}`, import.meta.url).href);
}

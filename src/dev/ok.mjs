/**
 * The only gate: generated files, format, lint, types, build and every test, in that order, up to the first failure.
 */
import process from "node:process";
import { note, run, scriptCommand } from "./common.mjs";

const STEPS = [
  { name: "gen:check", script: "src/dev/gen.mjs", args: ["--check"] },
  { name: "fmt:check", script: "src/dev/quality.mjs", args: ["fmt:check"] },
  { name: "lint", script: "src/dev/quality.mjs", args: ["lint"] },
  { name: "check", script: "src/dev/quality.mjs", args: ["check"] },
  { name: "build", script: "src/dev/build.mjs", args: ["--all"] },
];

for (const { name, script, args } of STEPS) {
  const startedMs = performance.now();
  const { code } = await run(scriptCommand(script, args), { stdout: "stderr" });
  if (code !== 0) {
    note(`ok: ${name} failed`);
    // The last line keeps its form, so that whoever reads only that one learns of the failure.
    process.stdout.write("0 passed, 1 failed\n");
    process.exit(1);
  }
  note(`ok: ${name} (${Math.round(performance.now() - startedMs)} ms)`);
}
const { code } = await run(scriptCommand("src/dev/test.mjs"));
process.exit(code);

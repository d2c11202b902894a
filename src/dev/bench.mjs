/**
 * `bench.mjs …`: makes the clone ready, builds, finds the runtimes and becomes the benchmark in `src/bench/main.ts`.
 *
 * Only results go to stdout, so that they can be read by a program.
 */
import { execFileSync } from "node:child_process";
import process from "node:process";
import {
  bunPath,
  denoPath,
  inRoot,
  IS_DENO,
  nodePath,
  ROOT,
  run,
  scriptCommand,
} from "./common.mjs";

for (const script of ["src/dev/setup.mjs", "src/dev/build.mjs"]) {
  const { code } = await run(scriptCommand(script), { stdout: "stderr" });
  if (code !== 0) process.exit(code);
}

/** What is measured; `+` says that the clone has changes that are not committed. */
function commit() {
  const git = (...args) => execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim();
  try {
    const isDirty = git("status", "--porcelain", "--untracked-files=no") !== "";
    return git("rev-parse", "--short", "HEAD") + (isDirty ? "+" : "");
  } catch {
    return "unknown";
  }
}

/** Program and arguments of each runtime that is here; each lets the benchmark ask for a collection of garbage. */
function commands() {
  const found = {};
  const add = (name, path, ...before) => {
    if (path !== undefined) found[name] = [path, ...before];
  };
  add("node", nodePath(), "--expose-gc");
  add("deno", denoPath(), "run", "-A", "--v8-flags=--expose-gc");
  add("bun", bunPath(), "run");
  return found;
}

const { main } = await import(new URL("../../dist/bench/main.mjs", import.meta.url).href);
const own = IS_DENO ? "deno" : "node";
const host = { dist: inRoot("dist"), commit: commit(), own, commands: commands() };
process.exit(await main(process.argv.slice(2), host));

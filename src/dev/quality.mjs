/**
 * Format, lint and types: `quality.mjs fmt | fmt:check | lint | check`. Deno does all three, from `deno.json`.
 */
import process from "node:process";
import {
  denoPath,
  fail,
  inRoot,
  listFolder,
  readText,
  run,
  scriptCommand,
  walk,
} from "./common.mjs";
import { ENTRIES } from "./entries.mjs";

/** Folders that have source; those that exist are looked at. */
const SOURCE_FOLDERS = ["as", "src", "web", "test", "docs"];

/** Where writing to the console is the purpose. */
const CONSOLE_FOLDERS = ["src/cli", "src/dev", "test"];

const CHECK_ROOTS = [...Object.values(ENTRIES), "src/cli/main.ts"];
const CHECK_FOLDERS = ["src/bench", "web", "test"];

const deno = denoPath();
if (deno === undefined) {
  fail("Cannot check the source: deno is not installed, run the script setup");
}

/** Source files below a folder. */
function sources(folder) {
  return walk(inRoot(folder)).filter((path) =>
    /\.(ts|mjs)$/.test(path) && !path.endsWith(".gen.ts")
  );
}

async function denoRun(args) {
  const { code } = await run([deno, ...args]);
  return code === 0;
}

function format(check) {
  const folders = SOURCE_FOLDERS.filter((folder) =>
    walk(inRoot(folder)).some((path) => /\.(ts|mjs|html|css|json)$/.test(path))
  );
  // Quiet, `--check` would not say which files.
  return denoRun(["fmt", ...(check ? ["--check"] : ["--quiet"]), ...folders]);
}

/** Lints in three groups, because Deno has one set of rules for all folders and we have three. */
async function lint() {
  const isLoud = (path) => CONSOLE_FOLDERS.some((folder) => path.startsWith(inRoot(folder) + "/"));
  const host = ["src", "web", "test"].flatMap(sources);
  const groups = [
    // The compiler of as/ knows no `import type`.
    { exclude: "verbatim-module-syntax,no-console", files: sources("as") },
    { exclude: "no-console", files: host.filter(isLoud) },
    { exclude: "", files: host.filter((path) => !isLoud(path)) },
  ];
  let clean = true;
  for (const { exclude, files } of groups) {
    if (files.length === 0) continue;
    const options = exclude === "" ? [] : [`--rules-exclude=${exclude}`];
    clean = await denoRun(["lint", "--quiet", "--compact", ...options, ...files]) && clean;
  }
  return clean;
}

async function check() {
  const embedded = [
    "src/core/core_wasm.gen.ts",
    "src/core/edge_wasm.gen.ts",
    "src/worker/worker_text.gen.ts",
  ];
  if (embedded.some((path) => readText(inRoot(path)) === undefined)) {
    const { code } = await run(scriptCommand("src/dev/build.mjs", ["--wasm"]));
    if (code !== 0) return false;
  }
  const files = [
    ...CHECK_ROOTS.map((path) => inRoot(path)),
    ...listFolder(inRoot("src/link")).map((name) => inRoot("src/link", name)),
    ...CHECK_FOLDERS.flatMap(sources),
  ].filter((path) => path.endsWith(".ts") && readText(path) !== undefined);
  return files.length === 0 || await denoRun(["check", "--quiet", ...files]);
}

const ACTIONS = {
  "fmt": () => format(false),
  "fmt:check": () => format(true),
  "lint": lint,
  "check": check,
};

const action = ACTIONS[process.argv[2]];
if (action === undefined) {
  fail(`Cannot run "${process.argv[2]}": expected one of ${Object.keys(ACTIONS).join(", ")}`);
}
process.exit(await action() ? 0 : 1);

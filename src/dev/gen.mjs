/**
 * Writes the generated files from `src/layout/generate.ts`, the tables of `docs/rfc.md` and the `exports` of both manifests;
 * with `--check` only tells which are stale.
 *
 * A generated file is committed, so that a reader sees it and a change of it is reviewed.
 */
import process from "node:process";
import { pathToFileURL } from "node:url";
import { denoPath, fail, inRoot, note, readText, replaceFile, run } from "./common.mjs";
import { manifests } from "./entries.mjs";
import { parserModule } from "./parser_module.mjs";
import { requirementsReport } from "./requirements.mjs";

const GENERATOR = "src/layout/generate.ts";

/** Bundles the generator in memory (Node can not import TypeScript) and calls it. */
async function generate() {
  const { build, stop } = await import("esbuild");
  const result = await build({
    entryPoints: [inRoot(GENERATOR)],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "es2022",
    logLevel: "error",
  });
  await stop();
  const code = Buffer.from(result.outputFiles[0].contents).toString("base64");
  const module = await import(`data:text/javascript;base64,${code}`);
  return module.generate();
}

/** Formats as `fmt` would, so that `fmt:check` agrees with what is written here. */
async function format({ path, text }) {
  if (!path.endsWith(".ts")) return text;
  const deno = denoPath();
  if (deno === undefined) fail("Cannot format generated code: deno is not installed");
  const command = [deno, "fmt", "--config", inRoot("deno.json"), "--ext", "ts", "-"];
  const { code, text: formatted } = await run(command, { stdout: "pipe", input: text });
  if (code !== 0) fail(`Cannot format "${path}": deno fmt ended with ${code}`);
  return formatted;
}

/**
 * Finds the files that are not what they should be.
 *
 * @param files What the generator makes, formatted.
 * @param read Gives the text that a path has now; undefined when there is none.
 */
export function findStale(files, read) {
  return files.filter(({ path, text }) => read(path) !== text);
}

/**
 * Compares or writes the generated files.
 *
 * @param check Whether only to compare.
 * @returns The paths that differ, or differed.
 */
export async function generateAll(check) {
  if (readText(inRoot(GENERATOR)) === undefined) {
    note(`gen: ${GENERATOR} does not exist, nothing to generate`);
    return [];
  }
  const files = [];
  for (const file of await generate()) files.push({ path: file.path, text: await format(file) });
  files.push(requirementsReport(), ...manifests(), ...parserModule());
  const stale = findStale(files, (path) => readText(inRoot(path)));
  if (!check) { for (const { path, text } of stale) replaceFile(inRoot(path), text); }
  return stale.map(({ path }) => path);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const check = process.argv.includes("--check");
  const stale = await generateAll(check);
  if (check && stale.length > 0) {
    fail(`Generated files are stale: ${stale.join(", ")}; run the script "gen"`);
  }
  for (const path of stale) note(`gen: wrote ${path}`);
}

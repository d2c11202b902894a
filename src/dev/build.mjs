/**
 * Builds `dist/`: the core by asc, the host, the command and the pages by esbuild.
 *
 * `--wasm` only the core and what else the source has inlined, `--web` only the pages, `--all` or nothing: everything. `--prepare` is npm's life cycle: silent
 * where there is nothing to build with. Files are replaced one by one and in one step, and two builds of one clone wait
 * for each other, so a reader of `dist/` never meets half a file.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import process from "node:process";
import {
  fail,
  inRoot,
  IS_CI,
  listFolder,
  note,
  readText,
  replaceFile,
  ROOT,
  run,
  scriptCommand,
  walk,
  withLock,
} from "./common.mjs";
import { ENTRIES, outputOf, WORKER } from "./entries.mjs";
import { licensesOf, SSH_FILES, SSH_LICENSES, sshPageBuild } from "./ssh_page.mjs";
import { rareFunctions, trainingFiles } from "./train.mjs";

/** The modules that asc makes. `kernels` is for tests and benchmarks and is never shipped. */
const WASM_TARGETS = [
  { target: "release", entry: "as/index.ts", outputs: ["core.wasm"] },
  { target: "debug", entry: "as/index.ts", outputs: ["core.debug.wasm", "core.debug.wasm.map"] },
  { target: "edge", entry: "as/edge/index.ts", outputs: ["edge.wasm"] },
  { target: "kernels", entry: "as/kernels.ts", outputs: ["kernels.wasm"] },
];

/** What asc may use beyond the first version of WebAssembly. */
const WASM_FEATURES = [
  "MutableGlobals",
  "SignExt",
  "NontrappingFPToInt",
  "BulkMemory",
  "BulkMemoryOpt",
  "SIMD128",
];

/** The one that is optimized here, by what a training says. */
const TRAINED = "core.wasm";

/** The library's entry points share their chunks, so that a class is the same one whichever way it was imported. */
const LIBRARY_ENTRIES = Object.fromEntries(
  Object.entries(ENTRIES).map(([name, source]) => [outputOf(name), source]),
);

const COMMAND_ENTRIES = { "tidewire": "src/cli/main.ts" };

/** The benchmark: what every runtime runs, and the command that starts them. Never shipped. */
const BENCH_ENTRIES = {
  "bench/cases": "src/bench/cases.ts",
  "bench/main": "src/bench/main.ts",
  "bench/servers": "src/bench/servers.ts",
};

const WEB_ENTRIES = {
  "main": "web/main.ts",
  "worker": "web/worker.ts",
  "bench/main": "web/bench/main.ts",
  "bench/worker": "web/bench/worker.ts",
};

/** What the page that measures loads by address: the cases as all runtimes run them, and the modules. */
const WEB_BENCH_FILES = ["bench/cases.mjs", "core.wasm", "kernels.wasm"];

/** What draws the charts, as one script within the file that the benchmark writes. */
const REPORT_ENTRIES = { "bench/report": "web/bench/report.ts" };

/** Writes declarations and nothing else; each file's own are told by it alone. */
const TYPE_COMPILER = "node_modules/typescript/bin/tsc";
const DECLARATIONS = { noEmit: false, declaration: true, emitDeclarationOnly: true };

/** Who has no library of a browser has no names for WebAssembly; with one, these are merged into its own. */
const WASM_NAMES = "wasm_names.d.ts";
const WASM_NAMES_TEXT = "declare namespace WebAssembly {\n" +
  "    interface Module {}\n    interface Memory {}\n}\n";

/** How the source names the worker's script, and the module that has it as text. */
const WORKER_ADDRESS = 'new URL("./script.ts", import.meta.url)';
const WORKER_TEXT = "src/worker/worker_text.gen.ts";

/** Of the library that draws the charts: what no bundle holds. Its licence goes where its code goes. */
const CHART_LICENSE = "node_modules/uplot/LICENSE";
const CHART_FILES = {
  "bench/uplot.css": "node_modules/uplot/dist/uPlot.min.css",
  "bench/uplot_license.txt": CHART_LICENSE,
};

/** Of the parser that `tidewire/deno` holds as text. */
const PARSER_LICENSE = "src/api/deno/llhttp_license.txt";

const SHEBANG = "#!/usr/bin/env node\n";

/** What is shipped as text in a module: it survives every bundler and needs no permission and no fetch. */
const EMBEDDED = [
  { wasm: "core.wasm", path: "src/core/core_wasm.gen.ts", name: "CORE_WASM_BASE64" },
  { wasm: "edge.wasm", path: "src/core/edge_wasm.gen.ts", name: "EDGE_WASM_BASE64" },
];

/** A chunk that no entry names any more may still be loading in another process; after this long, ms, it is not. */
const OLD_CHUNK_MS = 3_600_000;

/** Those entries whose file exists. While the tree grows a missing one is left out, and said so. */
function existing(entries) {
  const present = {};
  for (const [name, path] of Object.entries(entries)) {
    if (readText(inRoot(path)) !== undefined) present[name] = inRoot(path);
    else if (IS_CI) fail(`Cannot build: ${path} does not exist`);
    else note(`build: ${path} does not exist, left out`);
  }
  return present;
}

/** Whether every output is newer than all the inputs of the core. */
function isWasmFresh(targets) {
  const sources = [...walk(inRoot("as")), ...trainingFiles()];
  const inputs = [...sources, inRoot("asconfig.json"), inRoot("package-lock.json")];
  const newest = Math.max(...inputs.map((path) => statSync(path).mtimeMs));
  return targets.flatMap(({ outputs }) => outputs).every((name) => {
    const built = statSync(inRoot("dist", name), { throwIfNoEntry: false });
    return built !== undefined && built.mtimeMs > newest;
  });
}

/**
 * Optimizes a module that asc has not. The steps of a segment are many small functions, read one by one, and an engine does
 * not inline them; here those that are common are inlined, and those that are rare stay out of their way. Sizes are in
 * Binaryen's units, expressions.
 */
async function optimizeTrained(binaryen, bytes) {
  const features = WASM_FEATURES.reduce((bits, name) => bits | binaryen.Features[name], 0);
  const rare = await rareFunctions(binaryen, bytes, features);
  const module = binaryen.readBinary(bytes);
  try {
    module.setFeatures(features);
    for (const name of rare) {
      binaryen.setPassArgument("no-inline", name);
      module.runPasses(["no-inline"]);
    }
    binaryen.setDebugInfo(false);
    binaryen.setOptimizeLevel(3);
    binaryen.setShrinkLevel(0);
    binaryen.setAlwaysInlineMaxSize(200);
    binaryen.setFlexibleInlineMaxSize(2_000);
    binaryen.setOneCallerInlineMaxSize(20_000);
    module.optimize();
    module.optimize();
    if (!module.validate()) throw new Error("Cannot optimize the core: the result is not valid");
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

async function compile(asc, { target, entry, outputs }, folder) {
  let log = "";
  const sink = { write: (text) => (log += text) };
  const outFile = join(folder, outputs[0]);
  const args = [entry, "--target", target, "--outFile", relative(ROOT, outFile)];
  const { error } = await asc.main([...args, "--baseDir", ROOT], { stdout: sink, stderr: sink });
  if (log !== "") note(log.trimEnd());
  if (error) throw new Error(`Cannot compile ${entry} (${target}): ${error.message}`);
  if (/^\s*WARNING\b/m.test(log)) {
    throw new Error(`Cannot accept ${entry} (${target}): asc warns, see above`);
  }
  return outputs.map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

async function buildWasm() {
  const targets = WASM_TARGETS.filter(({ entry }) => readText(inRoot(entry)) !== undefined);
  if (targets.length === 0) {
    note("build: as/index.ts does not exist, left out");
    return;
  }
  if (!isWasmFresh(targets)) {
    // asc writes below its base directory only.
    const folder = mkdtempSync(inRoot("node_modules", ".tidewire_asc_"));
    try {
      const { default: asc } = await import("assemblyscript/asc");
      const built = [];
      // A half-written file among the inputs fails here, before any output is replaced.
      const started = Date.now();
      for (const target of targets) built.push(...await compile(asc, target, folder));
      const { default: binaryen } = await import("assemblyscript/binaryen");
      for (const module of built) {
        if (module.name === TRAINED) module.bytes = await optimizeTrained(binaryen, module.bytes);
      }
      for (const { name, bytes } of built) writeStamped(inRoot("dist", name), bytes, started);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  embed();
}

/** Replaces a file and dates it from the start of the compilation: what changed since then is not in it. */
function writeStamped(path, bytes, startedMs) {
  replaceFile(path, bytes);
  utimesSync(path, startedMs / 1000, startedMs / 1000);
}

function embed() {
  for (const { wasm, path, name } of EMBEDDED) {
    const built = inRoot("dist", wasm);
    if (statSync(built, { throwIfNoEntry: false }) === undefined) continue;
    const text = readFileSync(built).toString("base64");
    const doc = `/** \`dist/${wasm}\` in base64. Generated by the build; not committed. */\n`;
    replaceFile(inRoot(path), `${doc}export const ${name}: string = "${text}";\n`);
  }
}

/** What all bundles have in common. */
const COMMON = {
  bundle: true,
  write: false,
  format: "esm",
  target: "es2022",
  sourcemap: "linked",
  legalComments: "none",
  logLevel: "warning",
  absWorkingDir: ROOT,
  outdir: inRoot("dist"),
  tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
};

/** The page has the script as a file, and its policy would forbid the text. */
const WITHOUT_WORKER_TEXT = {
  name: "without-worker-text",
  setup(build) {
    build.onLoad({ filter: /worker_text\.gen\.ts$/ }, () => ({
      contents: 'export const WORKER_TEXT = "";',
    }));
  },
};

/** For every runtime: what is not ours is left to whoever runs or bundles it. */
const LIBRARY = {
  outExtension: { ".js": ".mjs" },
  platform: "neutral",
  mainFields: ["module", "main"],
  external: ["ws", "koffi", "node:*"],
};

function writeOutputs(result) {
  // Chunks first: an entry must not name one that is not there yet.
  const isEntry = (path) => !basename(path).startsWith("chunk-");
  const files = result.outputFiles.sort((a, b) =>
    Number(isEntry(a.path)) - Number(isEntry(b.path))
  );
  for (const { path, contents } of files) replaceFile(path, contents);
  return new Set(files.map(({ path }) => path));
}

function removeOldChunks(kept, oldMs) {
  for (const name of listFolder(inRoot("dist", "chunks"))) {
    const path = inRoot("dist", "chunks", name);
    const ageMs = Date.now() - statSync(path).mtimeMs;
    if (!kept.has(path) && ageMs >= oldMs) rmSync(path, { force: true });
  }
}

async function buildLibrary(esbuild, oldMs) {
  const entryPoints = existing(LIBRARY_ENTRIES);
  if (Object.keys(entryPoints).length === 0) return;
  const result = await esbuild.build({
    ...COMMON,
    entryPoints,
    ...LIBRARY,
    splitting: true,
    entryNames: "[dir]/[name]",
    chunkNames: "chunks/[name]-[hash]",
  });
  for (const file of result.outputFiles) nameWorker(file);
  removeOldChunks(writeOutputs(result), oldMs);
  replaceFile(inRoot("dist", basename(PARSER_LICENSE)), readFileSync(inRoot(PARSER_LICENSE)));
}

/** The source starts the script as it lies beside it; what was built has it in another place, under another name. */
function nameWorker(file) {
  const folder = dirname(file.path);
  const path = relative(folder, inRoot("dist", `${outputOf(WORKER.name)}.mjs`));
  const name = path.startsWith(".") ? path : `./${path}`;
  const text = file.text.replaceAll(WORKER_ADDRESS, `new URL("${name}", import.meta.url)`);
  if (file.path.endsWith(".mjs") && text !== file.text) file.contents = Buffer.from(text);
}

/** The worker's script as a file. */
async function buildWorker(esbuild) {
  const result = await esbuild.build({
    ...COMMON,
    ...LIBRARY,
    entryPoints: { [outputOf(WORKER.name)]: inRoot(WORKER.source) },
    // Nothing in it is imported or exported, and tools take it for CommonJS then.
    footer: { js: "export {};" },
  });
  writeOutputs(result);
}

/** The worker's script as text, without the core: whoever starts it puts that before it. */
async function embedWorker(esbuild) {
  const withoutCore = {
    name: "without-core",
    setup(build) {
      build.onLoad({ filter: /core_wasm\.gen\.ts$/ }, () => ({
        contents: "export const CORE_WASM_BASE64 = INLINED_CORE_WASM;",
      }));
    },
  };
  const result = await esbuild.build({
    ...COMMON,
    ...LIBRARY,
    entryPoints: { worker: inRoot(WORKER.source) },
    plugins: [withoutCore],
    minify: true,
    sourcemap: false,
  });
  const doc = `/** \`${WORKER.source}\` as one script. Generated by the build; not committed. */\n`;
  const text = JSON.stringify(result.outputFiles[0].text);
  replaceFile(inRoot(WORKER_TEXT), `${doc}export const WORKER_TEXT: string = ${text};\n`);
}

/**
 * Declarations, so that nobody's compiler checks our source by its own rules. They say the library that they need themselves,
 * because not everybody's `lib` has what is disposed of, and name files as they are called once compiled.
 */
async function buildTypes() {
  const folder = mkdtempSync(inRoot("node_modules", ".tidewire_types_"));
  try {
    const files = Object.values(ENTRIES).map((source) => inRoot(source));
    const config = join(folder, "tsconfig.json");
    const typeRoots = [inRoot("node_modules", "@types")];
    const compilerOptions = { ...DECLARATIONS, typeRoots, rootDir: inRoot("src"), outDir: folder };
    replaceFile(
      config,
      JSON.stringify({ extends: inRoot("tsconfig.json"), compilerOptions, files, include: [] }),
    );
    const { code } = await run(scriptCommand(TYPE_COMPILER, ["-p", config]), { stdout: "stderr" });
    if (code !== 0) throw new Error("Cannot write declarations, see above");
    const kept = new Set();
    for (const path of walk(folder).filter((path) => path.endsWith(".d.ts"))) {
      const target = inRoot("dist", "types", relative(folder, path));
      const up = "../".repeat(relative(folder, path).split(sep).length - 1);
      replaceFile(target, shippedDeclaration(readText(path), up === "" ? "./" : up));
      kept.add(target);
    }
    kept.add(inRoot("dist", "types", WASM_NAMES));
    replaceFile(inRoot("dist", "types", WASM_NAMES), WASM_NAMES_TEXT);
    for (const path of walk(inRoot("dist", "types"))) if (!kept.has(path)) rmSync(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function shippedDeclaration(text, up) {
  const renamed = text.replace(/((?:from|import\()\s*"\.[^"]*)\.ts"/g, '$1.js"');
  const needs = [];
  if (/\b(?:Async)?Disposable\b|Symbol\.(?:asyncD|d)ispose\b/.test(text)) {
    needs.push('/// <reference lib="esnext.disposable" />\n');
  }
  if (text.includes("WebAssembly.")) needs.push(`/// <reference path="${up}${WASM_NAMES}" />\n`);
  return needs.join("") + renamed;
}

async function buildCommand(esbuild) {
  const entryPoints = existing(COMMAND_ENTRIES);
  if (Object.keys(entryPoints).length === 0) return;
  const result = await esbuild.build({
    ...COMMON,
    entryPoints,
    outExtension: { ".js": ".mjs" },
    platform: "node",
    external: ["ws", "koffi"],
    sourcemap: false,
  });
  for (const { path, text } of result.outputFiles) {
    const code = text.startsWith("#!") ? text.slice(text.indexOf("\n") + 1) : text;
    replaceFile(path, SHEBANG + code, 0o755);
  }
}

async function buildBench(esbuild) {
  const entryPoints = existing(BENCH_ENTRIES);
  if (Object.keys(entryPoints).length === 0) return;
  const result = await esbuild.build({
    ...COMMON,
    entryPoints,
    outExtension: { ".js": ".mjs" },
    platform: "neutral",
    mainFields: ["module", "main"],
    external: ["ws", "koffi", "node:*"],
    sourcemap: false,
  });
  writeOutputs(result);
  for (const name of WEB_BENCH_FILES) {
    const path = inRoot("dist", name);
    if (readText(path) === undefined) continue;
    replaceFile(inRoot("dist", "web", "bench", basename(name)), readFileSync(path));
  }
}

async function buildReport(esbuild) {
  const entryPoints = existing(REPORT_ENTRIES);
  if (Object.keys(entryPoints).length === 0) return;
  const license = readText(inRoot(CHART_LICENSE));
  if (license === undefined) {
    throw new Error("Cannot draw charts: uplot is not installed, run the script setup");
  }
  const result = await esbuild.build({
    ...COMMON,
    entryPoints,
    platform: "browser",
    minify: true,
    sourcemap: false,
    banner: { js: `/*\nuPlot: ${license.trim()}\n*/` },
  });
  writeOutputs(result);
}

async function buildWeb(esbuild) {
  const entryPoints = existing(WEB_ENTRIES);
  if (Object.keys(entryPoints).length > 0) {
    // No externals: a page that would need a built-in of Node fails here and not in the browser.
    const result = await esbuild.build({
      ...COMMON,
      entryPoints,
      plugins: [WITHOUT_WORKER_TEXT],
      outdir: inRoot("dist", "web"),
      platform: "browser",
    });
    writeOutputs(result);
  }
  const ssh = await esbuild.build(sshPageBuild(COMMON, WITHOUT_WORKER_TEXT));
  writeOutputs(ssh);
  replaceFile(inRoot("dist", "web", SSH_LICENSES), licensesOf(ssh.metafile));
  for (const [name, path] of Object.entries({ ...CHART_FILES, ...SSH_FILES })) {
    replaceFile(inRoot("dist", "web", name), readFileSync(inRoot(path)));
  }
  for (const path of walk(inRoot("web"))) {
    if (/\.(html|css|svg|ico|png)$/.test(path)) {
      replaceFile(join(inRoot("dist", "web"), relative(inRoot("web"), path)), readFileSync(path));
    }
  }
}

async function main(args) {
  const onlyWasm = args.includes("--wasm");
  const onlyWeb = args.includes("--web");
  await buildWasm();
  const esbuild = await import("esbuild");
  try {
    await embedWorker(esbuild);
    if (onlyWasm) return;
    if (!onlyWeb) {
      // What is packed has no chunks of former builds.
      await buildLibrary(esbuild, args.includes("--prepare") ? 0 : OLD_CHUNK_MS);
      await buildWorker(esbuild);
      await buildTypes();
      await buildCommand(esbuild);
    }
    await buildBench(esbuild);
    await buildReport(esbuild);
    await buildWeb(esbuild);
  } finally {
    await esbuild.stop();
  }
}

/** Whether npm runs us where building is not wanted, or where the tools are not installed (`npm ci --omit=dev`). */
async function isPrepareNeedless() {
  if (process.env.TIDEWIRE_SETUP === "1") return true;
  try {
    await import("esbuild");
    await import("assemblyscript/asc");
    return false;
  } catch {
    note("build: the development packages are not installed, nothing is built");
    return true;
  }
}

const args = process.argv.slice(2);
// asc reads the process's own arguments when it is loaded, and takes our --wasm for the path of a compiler.
process.argv.length = 2;
if (!(args.includes("--prepare") && await isPrepareNeedless())) {
  try {
    await withLock("build", () => main(args));
  } catch (error) {
    fail(`build: ${error.message}`);
  }
}
// asc and esbuild leave handles open in some runtimes.
process.exit(0);

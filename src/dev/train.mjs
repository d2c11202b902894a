/**
 * Learns which functions of the core are common: it counts their calls while the benchmark's own cases run, so that the
 * build inlines those and leaves the rest where it is. The stack knows neither time nor chance, so the same sources are
 * always the same module.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { inRoot, walk } from "./common.mjs";

/** Folders of what a training runs, and what a build writes there. */
const FOLDERS = ["src/bench", "src/core", "src/runtime", "src/dev"];
const WRITTEN = /_wasm\.gen\.ts$/;

/** What is trained on: case, variant, scale. Churn runs until TIME-WAIT records are evicted. */
const WORK = [
  ["churn", "idle=0", 1 / 4],
  ["bulk", "clean", 1 / 32],
  ["bulk", "loss1", 1 / 32],
  ["bulk-super", "verified", 1 / 32],
  ["bulk-super", "partial", 1 / 32],
];
/** Called once for each frame that comes in. */
const PER_FRAME = "as/rx/ingest/ingestFrame";
/** Common is what one of the works calls at least once in so many frames. */
const FRAMES = 16;
/** A field's accessor, or a function of asc's own library: one instruction or two, which are always inlined. */
const TINY = /#[gs]et:|^~lib\//;
/** What counts are called in the module that counts. */
const COUNT = "calls_";

/** Makes every function of a module count its calls in an exported global. @returns The module's bytes, and the names. */
function withCounts(binaryen, bytes, features) {
  const module = binaryen.readBinary(bytes);
  try {
    module.setFeatures(features);
    const names = [];
    for (let i = 0; i < module.getNumFunctions(); i++) {
      const info = binaryen.getFunctionInfo(module.getFunctionByIndex(i));
      if (info.module !== "") continue;
      const global = `${COUNT}${names.length}`;
      const { i32 } = binaryen;
      module.addGlobal(global, i32, true, module.i32.const(0));
      module.addGlobalExport(global, global);
      const more = module.i32.add(module.global.get(global, i32), module.i32.const(1));
      const body = module.block(null, [module.global.set(global, more), info.body], info.results);
      binaryen.Function.setBody(module.getFunctionByIndex(i), body);
      names.push(info.name);
    }
    return { bytes: module.emitBinary(), names };
  } finally {
    module.dispose();
  }
}

/** The cases, as one module for this process. */
async function loadCases(folder) {
  const esbuild = await import("esbuild");
  const outfile = join(folder, "cases.mjs");
  await esbuild.build({
    stdin: {
      contents:
        `export * from "./src/bench/churn_case.ts"; export * from "./src/bench/bulk_case.ts";`,
      resolveDir: inRoot(),
    },
    bundle: true,
    format: "esm",
    platform: "node",
    outfile,
    logLevel: "error",
  });
  const { CHURN, BULK, BULK_SUPER } = await import(pathToFileURL(outfile).href);
  return new Map([CHURN, BULK, BULK_SUPER].map((one) => [one.name, one]));
}

/** Runs one variant; counts begin after its first run. @returns Calls of each function, by the order of `names`. */
async function callsOf(variant, size, compiled, names) {
  const instances = [];
  const { Instance } = WebAssembly;
  // The cases start their cores themselves, and a core shows its calls to nobody.
  WebAssembly.Instance = class extends Instance {
    constructor(module, imports) {
      super(module, imports);
      instances.push(this);
    }
  };
  try {
    const contestant = await variant.prepare({
      size,
      module: () => Promise.resolve(compiled),
      seconds: () => performance.now() / 1000,
      progress: () => {},
    });
    await contestant.sample();
    const counters = names.map((_, i) => instances.map(({ exports }) => exports[`${COUNT}${i}`]));
    for (const counter of counters.flat()) counter.value = 0;
    await contestant.sample();
    return counters.map((each) => each.reduce((sum, { value }) => sum + (value >>> 0), 0));
  } finally {
    WebAssembly.Instance = Instance;
  }
}

/** @returns Paths of all that a training's result follows from, beside the core's own source. */
export function trainingFiles() {
  return FOLDERS.flatMap((folder) => walk(inRoot(folder))).filter((path) => !WRITTEN.test(path));
}

/**
 * Finds the functions that are rarely called.
 *
 * @param binaryen The library.
 * @param bytes A module with names, in which nothing is inlined yet.
 * @param features What it uses, as bits.
 * @returns Names.
 */
export async function rareFunctions(binaryen, bytes, features) {
  const counting = withCounts(binaryen, bytes, features);
  const compiled = await WebAssembly.compile(counting.bytes);
  const folder = mkdtempSync(inRoot("node_modules", ".tidewire_train_"));
  try {
    const cases = await loadCases(folder);
    const common = new Set();
    for (const [name, variantName, size] of WORK) {
      const variant = cases.get(name)?.variants.find((one) => one.name === variantName);
      if (variant === undefined) {
        throw new Error(`Cannot train on ${name}/${variantName}: no such case`);
      }
      const calls = await callsOf(variant, size, compiled, counting.names);
      const frames = calls[counting.names.indexOf(PER_FRAME)] ?? 0;
      if (frames === 0) {
        throw new Error(`Cannot train: ${PER_FRAME} was not called, or is no function`);
      }
      counting.names.forEach((of, i) => {
        if (calls[i] * FRAMES >= frames) common.add(of);
      });
    }
    return counting.names.filter((of) => !common.has(of) && !TINY.test(of));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

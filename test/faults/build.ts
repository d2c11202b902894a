/**
 * Builds the core with every fault of the table in it, each behind a number that is read from linear memory: one
 * compilation gives one binary, and a copy of the binary with another number in its data is the core with another fault.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import type { Fault } from "./fault.ts";
import { FAULTS } from "./faults.ts";

/** What the number is in the binary, so that it can be found there. */
const MAGIC = 0xfa01_75ed;
const PLANTED = "as/planted.ts";
const OUTPUT = "planted.wasm";

/** Exists in the faulty core only. The number lies in memory, because the optimizer looks through constants. */
const PLANTED_SOURCE = `const AT: usize = memory.data<u32>([${MAGIC}]);
export function planted(): u32 {
  return load<u32>(AT);
}
`;

function timesIn(text: string, part: string): number {
  return text.split(part).length - 1;
}

/** The choice at run time, among expressions or among statements. @param faults Those of this very text, by number. */
function choice(
  find: string,
  faults: readonly (readonly [number: number, fault: Fault])[],
): string {
  const isStatement = /[;}]$/.test(find);
  return faults.reduce(
    (otherwise, [number, { replace }]) =>
      isStatement
        ? `if (planted() === ${number}) { ${replace} } else { ${otherwise} }`
        : `(planted() === ${number} ? (${replace}) : (${otherwise}))`,
    find,
  );
}

/**
 * One source with its faults.
 *
 * @throws {Error} If the text of a fault is not there exactly once: the source has changed, and the table must follow.
 */
function plantIn(path: string, source: string): string {
  const groups = new Map<string, (readonly [number, Fault])[]>();
  FAULTS.forEach((fault, index) => {
    if (fault.file !== path) return;
    const times = timesIn(source, fault.find);
    if (times !== 1) {
      throw new Error(
        `Cannot plant "${fault.name}": its text occurs ${times} times in ${path}, expected once: ${fault.find}`,
      );
    }
    groups.set(fault.find, [...groups.get(fault.find) ?? [], [index + 1, fault]]);
  });
  if (groups.size === 0) return source;
  let text = source;
  for (const [find, faults] of groups) {
    if (timesIn(text, find) !== 1) {
      throw new Error(`Cannot plant "${faults[0]?.[1].name}": its text overlaps another fault's`);
    }
    text = text.replace(find, () => choice(find, faults));
  }
  const up = "../".repeat(path.split("/").length - 2) || "./";
  return `import * as codes from "${up}layout.gen.ts";\nimport { planted } from "${up}planted.ts";\n${text}`;
}

function readSource(path: string): string | null {
  if (path === PLANTED) return PLANTED_SOURCE;
  try {
    const source = readFileSync(path, "utf8");
    return path.startsWith("as/") ? plantIn(path, source) : source;
  } catch (error) {
    // asc asks for files under several names.
    if ((error as { code?: string }).code === "ENOENT") return null;
    throw error;
  }
}

/** @returns The binary, in which the number is MAGIC. @throws {Error} With what asc says. */
async function compile(): Promise<Uint8Array> {
  // asc reads the process's own arguments when it is loaded.
  process.argv.length = 2;
  const { default: asc } = await import("assemblyscript/asc");
  let log = "";
  let binary: Uint8Array | null = null;
  const sink = { write: (text: string | Uint8Array) => void (log += String(text)) };
  const args = ["as/index.ts", "--target", "release", "--outFile", OUTPUT, "--optimizeLevel", "2"];
  const { error } = await asc.main([...args, "--noColors"], {
    stdout: sink,
    stderr: sink,
    readFile: readSource,
    writeFile: (name, contents) => {
      if (name === OUTPUT) binary = contents as Uint8Array;
    },
  });
  if (error !== null || binary === null) {
    throw new Error(`Cannot compile the faulty core: ${error?.message}\n${log.slice(0, 4000)}`);
  }
  return binary;
}

/** The core with a fault, or without any. */
export type FaultyCore = (fault: Fault | null) => WebAssembly.Module;

/** Compiles the core once. @returns What makes a module of it for each fault. */
export async function buildFaultyCore(): Promise<FaultyCore> {
  const binary = await compile();
  const view = new DataView(binary.buffer, binary.byteOffset, binary.length);
  const places: number[] = [];
  for (let at = 0; at + 4 <= binary.length; at++) {
    if (view.getUint32(at, true) === MAGIC) places.push(at);
  }
  const [place] = places;
  if (place === undefined || places.length > 1) {
    throw new Error(`Cannot find the number's place: ${places.length} candidates`);
  }
  return (fault) => {
    const copy = binary.slice();
    const number = fault === null ? 0 : FAULTS.indexOf(fault) + 1;
    new DataView(copy.buffer).setUint32(place, number, true);
    return new WebAssembly.Module(copy);
  };
}

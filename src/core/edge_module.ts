/**
 * The edge's module: segmentation and merging in software (`as/edge/`). It is small and inlined, and compiled once for all
 * who use it, in the call that first needs it; so a device can be made without waiting for anything.
 */
import { EDGE_WASM_BASE64 } from "./edge_wasm.gen.ts";
import { assertSimd, compileError } from "./wasm_source.ts";

/** The edge's exports as they cross the border. */
export interface EdgeExports {
  readonly memory: WebAssembly.Memory;
  /** Where a batch is put, BATCH_BYTES. */
  input(): number;
  /** Where a batch is taken from, BATCH_BYTES. */
  output(): number;
  /** What was done: EDGE_COUNTS numbers of u32. */
  counts(): number;
  /** Where a failed assertion says what failed. */
  fault(): number;
  /** Combines bytes with a key of four, little-endian, in place; whole multiples of 64 bytes. RFC 6455 section 5.3. */
  mask(ptr: number, bytes: number, key: number): void;
  /** Sets the OFFLOAD bits of those who send the records and of those who get them. */
  agree(from: number, to: number): void;
  /** Begins to split the batch at `input()`. */
  begin(bytes: number): void;
  /** Bytes of it that are not out yet. */
  left(): number;
  /** Writes records to `output()`, at most `limit` bytes. */
  next(limit: number): number;
  /** Merges the batch at `input()`. Returns bytes at `output()`. */
  merge(bytes: number): number;
}

/** What the edge counts, in the order of `counts()`. */
export const EDGE_COUNTS = [
  "dropped",
  "split",
  "segments",
  "completed",
  "merged",
  "joined",
] as const;

/** What it is called in an error. */
const WHAT = "the module that segments and merges";

let compiled: WebAssembly.Module | undefined;

/**
 * Compiles the edge's module, once, outside of a call that must not wait. Chromium refuses to compile more than 4 KiB at
 * once in a page's main thread up to version 114: there it is to be waited for before a device is made.
 *
 * @returns When it is there.
 * @throws {TypeError} If this runtime has no WebAssembly SIMD, or a page's policy forbids WebAssembly.
 */
export async function prepareEdge(): Promise<void> {
  assertSimd();
  try {
    compiled ??= await WebAssembly.compile(bytesOfModule());
  } catch (error) {
    throw compileError(WHAT, error);
  }
}

/**
 * Makes an instance with a memory of its own, 384 KiB.
 *
 * @throws {TypeError} If this runtime has no WebAssembly SIMD, or a page's policy forbids WebAssembly.
 */
export function startEdge(): EdgeExports {
  if (compiled === undefined) {
    assertSimd();
    try {
      compiled = new WebAssembly.Module(bytesOfModule());
    } catch (error) {
      throw compileError(WHAT, error);
    }
  }
  const { exports } = new WebAssembly.Instance(compiled, {});
  // The shape of the exports is the one thing that the compiler can not know.
  return exports as unknown as EdgeExports;
}

function bytesOfModule(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(EDGE_WASM_BASE64), (letter) => letter.charCodeAt(0));
}

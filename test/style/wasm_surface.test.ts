import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readOne, ROOT } from "./source_files.ts";

/** Budget of the core, bytes. Changed only in a commit that says why. */
const MAX_CORE_BYTES = 144 * 1024;

/** Budget of the edge's module, bytes: it is inlined in what a page loads. */
const MAX_EDGE_BYTES = 12 * 1024;

const CORE = join(ROOT, "dist", "core.wasm");
const EDGE = join(ROOT, "dist", "edge.wasm");
const ABI = "src/layout/abi.ts";

/** What a host sees of a module. */
interface Surface {
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  readonly bytes: number;
}

async function surfaceOf(bytes: Uint8Array<ArrayBuffer>): Promise<Surface> {
  const module = await WebAssembly.compile(bytes);
  return {
    imports: WebAssembly.Module.imports(module).map(({ module, name }) => `${module}.${name}`),
    exports: WebAssembly.Module.exports(module).map(({ name }) => name).sort(),
    bytes: bytes.length,
  };
}

function problems(surface: Surface, abi: readonly string[]): string[] {
  const { imports, exports, bytes } = surface;
  return [
    ...imports.map((name) => `imports ${name}`),
    ...exports.filter((name) => !abi.includes(name)).map((name) => `exports ${name}, not listed`),
    ...abi.filter((name) => !exports.includes(name)).map((name) => `does not export ${name}`),
    ...(bytes > MAX_CORE_BYTES ? [`has ${bytes} bytes, budget ${MAX_CORE_BYTES}`] : []),
  ];
}

async function abiExports(): Promise<readonly string[]> {
  const { ABI_EXPORTS } = await import("../../src/layout/abi.ts");
  return ABI_EXPORTS;
}

/** Imports the function `e.f` and exports it as `x`: magic, version, types, imports, exports. */
const IMPORTING = new Uint8Array([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 4, 1, 0x60, 0, 0],
  ...[2, 7, 1, 1, 0x65, 1, 0x66, 0, 0],
  ...[7, 5, 1, 1, 0x78, 0, 0],
]);

describe("surface of the core", () => {
  test("it imports nothing, exports the list and keeps its budget", async () => {
    if (readOne("as/index.ts") === undefined || readOne(ABI) === undefined) return; // Still growing.
    expect(existsSync(CORE), "dist/core.wasm is missing, run the script build:wasm").toBe(true);
    const surface = await surfaceOf(new Uint8Array(readFileSync(CORE)));
    expect(problems(surface, await abiExports())).toEqual([]);
  });

  test("the edge imports nothing and keeps its budget", async () => {
    const { imports, bytes } = await surfaceOf(new Uint8Array(readFileSync(EDGE)));
    expect([imports, bytes < MAX_EDGE_BYTES]).toEqual([[], true]);
  });

  test("an import, a stray and a missing export are found", async () => {
    const surface = await surfaceOf(IMPORTING);
    expect(problems(surface, ["ingest"])).toEqual([
      "imports e.f",
      "exports x, not listed",
      "does not export ingest",
    ]);
    expect(problems({ imports: [], exports: [], bytes: MAX_CORE_BYTES + 1 }, [])).toHaveLength(1);
  });
});

/** The compiled core that scenarios and matrices run against: the one in `dist/`, unless a test puts another in its place. */
import { readFileSync } from "node:fs";

let original: WebAssembly.Module | undefined;
let other: WebAssembly.Module | null = null;

/** The core to test. */
export function coreUnderTest(): WebAssembly.Module {
  if (other !== null) return other;
  const url = new URL("../dist/core.wasm", import.meta.url);
  original ??= new WebAssembly.Module(readFileSync(url));
  return original;
}

/** Worlds that are made from now on have another core. @param module Null = that of `dist/` again. */
export function replaceCore(module: WebAssembly.Module | null): void {
  other = module;
}

/**
 * The core on its way to the worker. What of a `WasmSource` is no message is made one on the page's side: an address becomes its
 * text, and of an answer that is being fetched the bytes go.
 */
import { assertSimd, coreModule, notACore, responseBytes } from "../core/wasm_source.ts";
import type { WasmSource } from "../options.ts";

/** A core as a message carries it; a text is an address, complete with its origin. */
export type SentCore = string | ArrayBuffer | WebAssembly.Module;

/**
 * Makes a core ready to be sent. Bytes are copied: what is done to the caller's meanwhile does not matter.
 *
 * @throws {TypeError} As `coreModule()`; what the worker alone can find out is told by it.
 */
export async function toSentCore(source: WasmSource): Promise<SentCore> {
  assertSimd();
  if (source instanceof WebAssembly.Module) return source;
  if (source instanceof URL) return source.href;
  if (typeof Response !== "undefined" && source instanceof Response) {
    return await responseBytes(source);
  }
  if (source instanceof ArrayBuffer) return source.slice();
  if (ArrayBuffer.isView(source)) {
    const { buffer, byteOffset, byteLength } = source;
    return buffer.slice(byteOffset, byteOffset + byteLength);
  }
  throw notACore();
}

/** Compiles the core that was sent. @throws {TypeError} As `coreModule()`. */
export function fromSentCore(core: SentCore): Promise<WebAssembly.Module> {
  return coreModule(typeof core === "string" ? new URL(core) : core);
}

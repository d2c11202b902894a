/**
 * Where the core's module comes from: inlined in the package by default, so that it needs no fetch and no permission, or
 * whatever the caller has. A compiled module is kept, so that many stacks share one.
 */

/** What a module can be made from. */
export type CoreSource =
  | URL
  | Response
  | ArrayBuffer
  | ArrayBufferView<ArrayBuffer>
  | WebAssembly.Module;

/** `(module (func (result v128) i32.const 0 i8x16.splat) )` in binary: valid only where SIMD is. */
// deno-fmt-ignore
const SIMD_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
]);

let inlined: Promise<WebAssembly.Module> | undefined;

/**
 * Compiles the core.
 *
 * @param source Where it comes from; absent = the inlined one, compiled once.
 * @returns The module, to be instantiated as often as wanted.
 * @throws {TypeError} If this runtime has no WebAssembly SIMD, or `source` is none of the accepted kinds or not a core.
 * @example
 * ```ts
 * const module = await coreModule(new URL("./core.wasm", import.meta.url));
 * ```
 */
export async function coreModule(source?: CoreSource): Promise<WebAssembly.Module> {
  assertSimd();
  if (source === undefined) return await (inlined ??= compileInlined());
  if (source instanceof WebAssembly.Module) return source;
  if (source instanceof URL) return await compile(await fetchBytes(source));
  if (typeof Response !== "undefined" && source instanceof Response) {
    return await compile(await responseBytes(source));
  }
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return await compile(source);
  throw notACore();
}

/** The error of what is none of the accepted kinds. */
export function notACore(): TypeError {
  return new TypeError(
    "Cannot load the core: expected a URL, a Response, bytes or a WebAssembly.Module",
  );
}

/**
 * Checks that this runtime can run the core.
 *
 * @throws {TypeError} If it has no WebAssembly SIMD.
 */
export function assertSimd(): void {
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(SIMD_PROBE)) {
    throw new TypeError(
      "Cannot start the stack: this runtime has no WebAssembly SIMD (needs Chromium 91, Firefox 89, Safari 16.4, " +
        "Node 16.4, Deno 1.9 or later)",
    );
  }
}

/**
 * The error of a module that does not compile.
 *
 * @param what Which module.
 * @param error What the runtime says. A page's policy refuses here too, in words of each browser's own.
 */
export function compileError(what: string, error: unknown): TypeError {
  const reason = messageOf(error);
  const isPolicy = /content.security.policy|\bCSP\b|unsafe-eval/i.test(reason);
  const said = isPolicy
    ? "this page's Content-Security-Policy forbids it, add 'wasm-unsafe-eval' to its script-src"
    : reason;
  return new TypeError(`Cannot compile ${what}: ${said}`, { cause: error });
}

async function compileInlined(): Promise<WebAssembly.Module> {
  const { CORE_WASM_BASE64 } = await import("./core_wasm.gen.ts");
  return await compile(fromBase64(CORE_WASM_BASE64));
}

async function compile(bytes: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    throw compileError("the core", error);
  }
}

async function fetchBytes(url: URL): Promise<BufferSource> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new TypeError(`Cannot fetch the core from "${url}": ${messageOf(error)}`, {
      cause: error,
    });
  }
  return await responseBytes(response);
}

/**
 * The bytes of a core that is being fetched.
 *
 * @throws {TypeError} If the answer is not one of success.
 */
export async function responseBytes(response: Response): Promise<ArrayBuffer> {
  if (!response.ok) {
    throw new TypeError(
      `Cannot fetch the core from "${response.url}": status ${response.status}, expected 200`,
    );
  }
  // Not compileStreaming: it demands a MIME type that static servers often do not send.
  return await response.arrayBuffer();
}

/** Bytes of a module that is inlined as text. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

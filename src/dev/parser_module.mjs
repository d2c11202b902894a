/**
 * The parser of HTTP/1.1 that `tidewire/deno` serves with: llhttp, which Node itself parses with, as the module that undici's
 * releases carry. It is taken from the package, which is installed for this alone, and committed as text: whoever builds
 * needs no compiler for C, and whoever reads sees when it changes. See docs/adr/0024.
 */
import { inRoot, readText } from "./common.mjs";

const PACKAGE = "node_modules/undici";

/** With SIMD, as the core needs it too. */
const MODULE = `${PACKAGE}/lib/llhttp/llhttp_simd-wasm.js`;

const OUTPUT = "src/api/deno/llhttp_wasm.gen.ts";

/** The generated file; nothing where the package is not installed. */
export function parserModule() {
  const text = readText(inRoot(MODULE));
  if (text === undefined) return [];
  const found = /^const wasmBase64 = '([A-Za-z0-9+/=]+)'$/m.exec(text);
  if (found === null) throw new Error(`Cannot take the parser from ${MODULE}: it looks otherwise`);
  const { version } = JSON.parse(readText(inRoot(PACKAGE, "package.json")));
  const doc =
    `llhttp, as undici ${version} carries it, in base64. Its licence is llhttp_license.txt. Generated.`;
  return [{
    path: OUTPUT,
    text: `/** ${doc} */\nexport const LLHTTP_WASM_BASE64: string =\n  "${found[1]}";\n`,
  }];
}

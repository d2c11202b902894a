/**
 * What the package offers by name, as one table: the build, `exports` of package.json and of deno.json, the declarations and
 * the tests are made of it. To add an entry, add its line here and run the script `gen`.
 */
import { inRoot, readText } from "./common.mjs";

/**
 * The name that people import, behind the package's own, and the source that it stands for.
 *
 * @type {Readonly<Record<string, string>>}
 */
export const ENTRIES = {
  ".": "src/mod.ts",
  "./deno": "src/api/deno/mod.ts",
  "./sockets": "src/api/sockets/mod.ts",
  "./direct": "src/api/direct/mod.ts",
  "./node": "src/api/node/mod.ts",
  "./node/net": "src/api/node/net.ts",
  "./node/dgram": "src/api/node/dgram.ts",
  "./node/dns": "src/api/node/dns.ts",
  "./node/dns/promises": "src/api/node/dns_promises.ts",
  "./node/tls": "src/api/node/tls.ts",
  "./links/tap": "src/link/tap.ts",
  "./links/websocket": "src/link/websocket.ts",
  "./links/pipe": "src/link/pipe.ts",
  "./links/impair": "src/link/impair.ts",
  "./links/offload": "src/link/offload.ts",
  "./links/pcapng": "src/link/pcapng.ts",
  "./relay": "src/relay/mod.ts",
};

/** The worker's script; bundlers give it to whoever starts it by an address, so it is one file that needs no other. */
export const WORKER = { name: "./worker", source: "src/worker/script.ts" };

/** Files that npm's package offers as they are. JSR's package has them inlined. */
const FILES = {
  "./wasm": "./dist/core.wasm",
  "./package.json": "./package.json",
};

/** Path of an entry below `dist/` and below `dist/types/`, without its suffix. */
export function outputOf(name) {
  return name === "." ? "mod" : name.slice(2);
}

/** `exports` of package.json: types first, because the first condition that holds is taken. */
export function npmExports() {
  const entries = Object.entries(ENTRIES).map(([name, source]) => [name, {
    types: `./dist/types/${source.slice("src/".length).replace(/\.ts$/, ".d.ts")}`,
    default: `./dist/${outputOf(name)}.mjs`,
  }]);
  const worker = { [WORKER.name]: `./dist/${outputOf(WORKER.name)}.mjs` };
  return { ...Object.fromEntries(entries), ...worker, ...FILES };
}

/** `exports` of deno.json: the source itself. */
export function denoExports() {
  const entries = [...Object.entries(ENTRIES), [WORKER.name, WORKER.source]];
  return Object.fromEntries(entries.map(([name, source]) => [name, `./${source}`]));
}

/** The section of a manifest; both are written with two spaces, so that its end stands by itself in a line. */
const SECTION = /^ {2}"exports": \{.*?^ {2}\}/ms;

/** package.json and deno.json as they should be: with the table's `exports`, everything else untouched. */
export function manifests() {
  return [["package.json", npmExports()], ["deno.json", denoExports()]].map(([path, exports]) => {
    const section = JSON.stringify(exports, null, 2).replace(/^(?!\{)/gm, "  ");
    const text = readText(inRoot(path)).replace(SECTION, () => `  "exports": ${section}`);
    return { path, text };
  });
}

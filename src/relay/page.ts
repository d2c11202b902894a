/** Serves the page's files: those of one folder, read when the relay starts, and nothing else. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, relative, sep } from "node:path";

/** MIME types; a file of another kind is not served. */
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".json": "application/json",
  ".map": "application/json",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
};

/** Bounds of what is kept in memory: files, bytes in all. What is beyond is not served. */
const FILES_MAX = 1_000;
const BYTES_MAX: number = 64 << 20;

/**
 * What the page may do. Compiling WebAssembly needs `wasm-unsafe-eval`. `'self'` does not mean ws: in every browser, so the
 * WebSocket's origin is named.
 */
function policy(webSocketOrigins: string): string {
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    `connect-src 'self' ${webSocketOrigins}`,
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Answers a request; false = there is no such file. */
export type PageServer = (
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
) => boolean;

/**
 * Makes a server of files. They are looked up in a table, so no path of a request ever reaches the file system.
 *
 * @param folder Where they are; if it is missing, `/` answers with a sentence.
 * @param others What the page may connect to beside its own server, as sources of a content security policy.
 */
export function servePage(folder: string, others = ""): PageServer {
  const files = new Map<string, { readonly type: string; readonly bytes: Uint8Array }>();
  let left = BYTES_MAX;
  for (const path of filesBelow(folder)) {
    const type = TYPES[extname(path).toLowerCase()];
    const bytes = readFileSync(path);
    if (type === undefined || bytes.length > left) continue;
    left -= bytes.length;
    files.set(`/${relative(folder, path).split(sep).join("/")}`, { type, bytes });
  }
  return (path, request, response) => {
    const file = files.get(path === "/" ? "/index.html" : path);
    if (file === undefined) return path === "/" && explain(response);
    const host = /^[\w.:[\]-]{1,255}$/.exec(request.headers.host ?? "")?.[0] ?? "127.0.0.1";
    response.setHeader("Content-Type", file.type);
    response.setHeader("Content-Length", file.bytes.length);
    response.setHeader("Content-Security-Policy", policy(`ws://${host} wss://${host} ${others}`));
    response.setHeader("Referrer-Policy", "no-referrer");
    response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
    // Built anew at any time, under the same names.
    response.setHeader("Cache-Control", "no-cache");
    response.end(request.method === "HEAD" ? undefined : file.bytes);
    return true;
  };
}

function explain(response: ServerResponse): true {
  const text = "The relay runs, but the page was not built: build it with the script build:web.\n";
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end(text);
  return true;
}

function filesBelow(folder: string): string[] {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (found.length >= FILES_MAX) break;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...filesBelow(path));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}

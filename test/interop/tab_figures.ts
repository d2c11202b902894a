/** Figures of a tab's tests: digests of what the page serves, and rates. */
import { createHash } from "node:crypto";
import { seededBytes } from "../../web/http_server.ts";

export { say } from "./transfer.ts";

/** What is downloaded and served, bytes. */
export const BYTES: number = 64 << 20;

const CHUNK_BYTES = 65_536;
const BYTES_PER_MB = 1_000_000;
const MS_PER_S = 1_000;

/** SHA-256 of the page's own `/bytes/BYTES?seed=SEED`. */
export function pageSha256(seed: number, bytes: number): string {
  const hash = createHash("sha256");
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let at = 0; at < bytes; at += CHUNK_BYTES) {
    const part = chunk.subarray(0, Math.min(CHUNK_BYTES, bytes - at));
    seededBytes(seed, at, part);
    hash.update(part);
  }
  return hash.digest("hex");
}

/** A rate in words. */
export function rate(bytes: number, ms: number): string {
  return `${(bytes / BYTES_PER_MB / (ms / MS_PER_S)).toFixed(1)} MB/s`;
}

/** A shell command that fetches and says SHA-256, and on stderr the seconds it took. */
export function curlToSha256(url: string): string {
  return `curl -sS --max-time 60 -w '%{stderr}%{time_total}' '${url}' | sha256sum`;
}

/** What that command has said. */
export function readCurl(
  { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
): { readonly sha256: string; readonly ms: number } {
  return { sha256: stdout.split(" ")[0] ?? "", ms: Number(stderr) * MS_PER_S };
}

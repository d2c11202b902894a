/** Bytes that a seed repeats, fast enough to be no part of what is measured, and their digest. Both ends make them. */
import { createHash } from "node:crypto";

/** Bytes of a chunk. */
const CHUNK_BYTES = 65_536;

/** Spreads small seeds over all bits; odd, so that no two seeds meet. Source: 2^32 divided by the golden ratio. */
const SPREAD = 0x9e37_79b9;

/**
 * Makes a stream of bytes.
 *
 * @param seed 1 to 2^32 - 1.
 * @param bytes How many.
 * @returns Fresh chunks of 64 KiB, the last one shorter. xorshift32 by Marsaglia, words in the machine's byte order.
 */
export function* seededChunks(seed: number, bytes: number): Generator<Uint8Array<ArrayBuffer>> {
  // The state of a xorshift must not be 0.
  let state = Math.imul(seed, SPREAD) || 1;
  for (let at = 0; at < bytes; at += CHUNK_BYTES) {
    const words = new Int32Array(CHUNK_BYTES / 4);
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[i] = state;
    }
    yield new Uint8Array(words.buffer, 0, Math.min(CHUNK_BYTES, bytes - at));
  }
}

/** @returns SHA-256 of the stream in hexadecimal. */
export function seededSha256(seed: number, bytes: number): string {
  const hash = createHash("sha256");
  for (const chunk of seededChunks(seed, bytes)) hash.update(chunk);
  return hash.digest("hex");
}

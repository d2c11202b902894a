/** The platform's cryptographic randomness. There is no weaker fallback. */
import type { Random } from "./random.ts";

/** Most bytes that one call gives. Source: Web Cryptography API, getRandomValues, QuotaExceededError. */
const QUOTA_BYTES = 65_536;

/** Numbers fetched at a time, so that `next()` does not cross into the platform for each. */
const POOL_WORDS = 128;

/**
 * Makes a source of cryptographic randomness.
 *
 * @returns A source over `crypto.getRandomValues`.
 * @throws TypeError if the runtime has no `crypto.getRandomValues`: predictable keys and sequence numbers are refused.
 * @example
 * ```ts
 * import { systemRandom } from "./system_random.ts";
 * const key = new Uint8Array(16);
 * systemRandom().fill(key);
 * ```
 */
export function systemRandom(): Random {
  const source: Crypto | undefined = globalThis.crypto;
  if (typeof source?.getRandomValues !== "function") {
    throw new TypeError("Cannot make keys: this runtime has no crypto.getRandomValues");
  }
  const pool = new Uint32Array(POOL_WORDS);
  let left = 0;
  return {
    fill(into: Uint8Array): void {
      for (let at = 0; at < into.length; at += QUOTA_BYTES) {
        const part = into.subarray(at, at + QUOTA_BYTES);
        // The Web's type excludes shared memory, and the platform itself refuses it.
        source.getRandomValues(part as Uint8Array<ArrayBuffer>);
      }
    },
    next(): number {
      if (left === 0) {
        source.getRandomValues(pool);
        left = POOL_WORDS;
      }
      left--;
      const word = pool[left] ?? 0;
      // What was given out does not stay behind in memory.
      pool[left] = 0;
      return word;
    },
  };
}

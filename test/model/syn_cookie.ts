/** Plain twin of as/conn/syn_cookie.ts: bytes one after the other, a table, and a stamp found by counting down. */
import { sipHash } from "./siphash.ts";

/** MSSs that a cookie can tell. */
export const COOKIE_MSS: readonly number[] = [64, 512, 536, 1024, 1220, 1380, 1440, 1460];

/** What a cookie is made from, as little-endian bytes. */
export function cookieMessage(halves: readonly bigint[], words: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  for (const half of halves) {
    for (let i = 0n; i < 8n; i++) bytes.push(Number((half >> (8n * i)) & 0xffn));
  }
  for (const word of words) {
    for (let i = 0; i < 4; i++) bytes.push(Math.floor(word / (256 ** i)) % 256);
  }
  return Uint8Array.from(bytes);
}

/** The 24 bits of hash. */
export function cookieHash(
  key: readonly [bigint, bigint],
  halves: readonly bigint[],
  words: readonly number[],
): number {
  return Number(sipHash(key[0], key[1], cookieMessage(halves, words), 2, 4) & 0xffffffn);
}

/** The largest stamp, not above another, whose low six bits are these. */
export function stampAtMost(stamp: number, bits: number): number {
  let found = stamp;
  while (found % 64 !== bits) found--;
  return found;
}

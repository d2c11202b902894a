/**
 * Payload that tells where it belongs: each byte follows from its place in its stream, so that none can be lost, doubled,
 * moved or come from the other direction unseen.
 */

/** Which way the bytes go: from the stack, or to it. */
export type Direction = "out" | "in";

/** 2^32 divided by the golden ratio, odd: neighbours become far apart. */
const SPREAD = 0x9e37_79b1;

const SALT = { out: 0x3c6e_f372, in: 0x5417_b1c3 } as const;

/**
 * Makes bytes.
 *
 * @param direction Which stream.
 * @param seq Relative sequence number of the first one; 1 is the first of a stream.
 * @param bytes How many.
 */
export function pattern(direction: Direction, seq: number, bytes: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) {
    const spread = Math.imul((seq + i) ^ SALT[direction], SPREAD);
    data[i] = Math.imul(spread ^ (spread >>> 15), SPREAD) >>> 24;
  }
  return data;
}

/**
 * Compares bytes with those that belong there.
 *
 * @returns Index of the first one that does not, or -1.
 */
export function firstWrong(direction: Direction, seq: number, data: Uint8Array): number {
  const wanted = pattern(direction, seq, data.length);
  return data.findIndex((byte, index) => byte !== wanted[index]);
}

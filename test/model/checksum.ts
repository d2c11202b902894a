/** Plain twin of as/checksum.ts: one word at a time, the carry brought around at once. RFC 1071 section 1. */

/** One's complement sum of two 16-bit numbers. */
function add(a: number, b: number): number {
  const total = a + b;
  return total > 0xffff ? total - 0xffff : total;
}

/** Folds a partial sum to 16 bits. */
export function fold(s: number): number {
  return add(Math.floor(s / 0x10000), s % 0x10000);
}

/** Adds a span to a partial sum; an odd last byte is padded with zero. */
export function sum(span: Uint8Array, initial: number): number {
  let total = fold(initial);
  for (let i = 0; i < span.length; i += 2) {
    total = add(total, (span[i] ?? 0) * 256 + (span[i + 1] ?? 0));
  }
  return total;
}

/** The checksum of a span. */
export function checksum(span: Uint8Array): number {
  return 0xffff - sum(span, 0);
}

/** The same, and copies. */
export function copySum(dst: Uint8Array, src: Uint8Array, initial: number): number {
  dst.set(src);
  return sum(src, initial);
}

/** A piece at an odd offset is one with a zero byte before it. */
export function copySumAt(
  dst: Uint8Array,
  src: Uint8Array,
  initial: number,
  offset: number,
): number {
  dst.set(src);
  return sum(offset % 2 === 0 ? src : Uint8Array.of(0, ...src), initial);
}

/** The pseudo header of IPv4, written out. RFC 9293 section 3.1. */
export function pseudoSum4(
  src: Uint8Array,
  dst: Uint8Array,
  protocol: number,
  bytes: number,
): number {
  return sum(Uint8Array.of(...src, ...dst, 0, protocol, bytes >> 8, bytes & 255), 0);
}

/** The pseudo header of IPv6, written out. RFC 8200 section 8.1. */
export function pseudoSum6(
  src: Uint8Array,
  dst: Uint8Array,
  nextHeader: number,
  bytes: number,
): number {
  const length = [bytes >>> 24, (bytes >>> 16) & 255, (bytes >>> 8) & 255, bytes & 255];
  return sum(Uint8Array.of(...src, ...dst, ...length, 0, 0, 0, nextHeader), 0);
}

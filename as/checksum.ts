/**
 * The Internet checksum: the one's complement sum of 16-bit words in network order. RFC 1071.
 *
 * The sum does not depend on byte order but for a swap of the result (RFC 1071 section 2B), so words are added as they
 * lie, several at a time, and only the folded result is swapped. A span is read exactly, never beyond its end. A sum is
 * 0 only if everything in it was 0; else it is 1 to 0xffff, and 0xffff stands for zero.
 */

/** From here on SIMD is faster, bytes: below about 60 it loses to scalar loads (measured 2026-11). */
const SIMD_MIN_BYTES: u32 = 64;
/** One turn of the SIMD loops, bytes. */
const TURN_BYTES: u32 = 64;
/**
 * Each turn adds at most 4 * 65535 to a lane of 32 bits, so 16384 turns fit; the lanes are emptied earlier.
 */
const LANES_BYTES: u32 = 4096 * TURN_BYTES;

/** Adds up the four lanes. */
function lanesOf(lanes: v128): u64 {
  return u64(u32(i32x4.extract_lane(lanes, 0))) + u64(u32(i32x4.extract_lane(lanes, 1))) +
    u64(u32(i32x4.extract_lane(lanes, 2))) + u64(u32(i32x4.extract_lane(lanes, 3)));
}

/** Folds 64 bits to 16. Any sum of 32-bit words is also a sum of 16-bit ones, since 2^16 is 1 modulo 2^16 - 1. */
function fold64(s: u64): u32 {
  s = (s & 0xffffffff) + (s >> 32);
  s = (s & 0xffff) + ((s >> 16) & 0xffff) + (s >> 32);
  return fold(u32(s));
}

function swap16(v: u32): u32 {
  return u32(bswap<u16>(u16(v)));
}

/** Adds words as they lie, for less than SIMD_MIN_BYTES or what SIMD left. The last odd byte is padded with zero. */
function sumShort(ptr: usize, bytes: u32): u64 {
  let total: u64 = 0;
  let at: u32 = 0;
  // Headers are written in words of 32 bits: loads of another size would wait until those stores are done.
  for (; at + 16 <= bytes; at += 16) {
    const word = ptr + at;
    total += u64(load<u32>(word)) + u64(load<u32>(word, 4)) + u64(load<u32>(word, 8)) +
      u64(load<u32>(word, 12));
  }
  for (; at + 4 <= bytes; at += 4) total += u64(load<u32>(ptr + at));
  if ((bytes & 2) !== 0) {
    total += u64(load<u16>(ptr + at));
    at += 2;
  }
  if ((bytes & 1) !== 0) total += u64(load<u8>(ptr + at));
  return total;
}

/** Adds words as they lie, a multiple of TURN_BYTES, at most LANES_BYTES. */
function sumTurns(ptr: usize, bytes: u32): u64 {
  let even = i32x4.splat(0);
  let odd = i32x4.splat(0);
  const end = ptr + bytes;
  for (; ptr < end; ptr += TURN_BYTES) {
    even = i32x4.add(even, i32x4.extadd_pairwise_i16x8_u(v128.load(ptr)));
    odd = i32x4.add(odd, i32x4.extadd_pairwise_i16x8_u(v128.load(ptr, 16)));
    even = i32x4.add(even, i32x4.extadd_pairwise_i16x8_u(v128.load(ptr, 32)));
    odd = i32x4.add(odd, i32x4.extadd_pairwise_i16x8_u(v128.load(ptr, 48)));
  }
  return lanesOf(even) + lanesOf(odd);
}

/** Adds words as they lie. */
function sumAsLies(ptr: usize, bytes: u32): u64 {
  if (bytes < SIMD_MIN_BYTES) return sumShort(ptr, bytes);
  let total: u64 = 0;
  while (bytes >= TURN_BYTES) {
    const whole = bytes & ~(TURN_BYTES - 1);
    const piece = whole < LANES_BYTES ? whole : LANES_BYTES;
    total += sumTurns(ptr, piece);
    ptr += piece;
    bytes -= piece;
  }
  return total + sumShort(ptr, bytes);
}

/** As sumShort, and copies. */
function copyShort(dst: usize, src: usize, bytes: u32): u64 {
  let total: u64 = 0;
  let at: u32 = 0;
  for (; at + 4 <= bytes; at += 4) {
    const words = load<u32>(src + at);
    store<u32>(dst + at, words);
    total += u64(words);
  }
  if ((bytes & 2) !== 0) {
    const word = load<u16>(src + at);
    store<u16>(dst + at, word);
    total += u64(word);
    at += 2;
  }
  if ((bytes & 1) !== 0) {
    const last = load<u8>(src + at);
    store<u8>(dst + at, last);
    total += u64(last);
  }
  return total;
}

/** As sumTurns, and copies. */
function copyTurns(dst: usize, src: usize, bytes: u32): u64 {
  let even = i32x4.splat(0);
  let odd = i32x4.splat(0);
  const end = src + bytes;
  for (; src < end; src += TURN_BYTES) {
    const a = v128.load(src);
    const b = v128.load(src, 16);
    const c = v128.load(src, 32);
    const d = v128.load(src, 48);
    v128.store(dst, a);
    v128.store(dst, b, 16);
    v128.store(dst, c, 32);
    v128.store(dst, d, 48);
    even = i32x4.add(even, i32x4.extadd_pairwise_i16x8_u(a));
    odd = i32x4.add(odd, i32x4.extadd_pairwise_i16x8_u(b));
    even = i32x4.add(even, i32x4.extadd_pairwise_i16x8_u(c));
    odd = i32x4.add(odd, i32x4.extadd_pairwise_i16x8_u(d));
    dst += TURN_BYTES;
  }
  return lanesOf(even) + lanesOf(odd);
}

/** As sumAsLies, and copies. */
function copyAsLies(dst: usize, src: usize, bytes: u32): u64 {
  if (bytes < SIMD_MIN_BYTES) return copyShort(dst, src, bytes);
  let total: u64 = 0;
  while (bytes >= TURN_BYTES) {
    const whole = bytes & ~(TURN_BYTES - 1);
    const piece = whole < LANES_BYTES ? whole : LANES_BYTES;
    total += copyTurns(dst, src, piece);
    dst += piece;
    src += piece;
    bytes -= piece;
  }
  return total + copyShort(dst, src, bytes);
}

/**
 * Folds a one's complement sum to 16 bits.
 *
 * @param s Any partial sum.
 * @returns The folded sum, host order, not complemented. Source: RFC 1071 section 4.1.
 */
export function fold(s: u32): u32 {
  s = (s & 0xffff) + (s >> 16);
  return (s & 0xffff) + (s >> 16);
}

/**
 * Adds a span to a partial sum.
 *
 * @param ptr Where it lies; any alignment.
 * @param bytes How long it is; an odd last byte is padded with zero (RFC 1071 section 1), so only the last may be odd.
 * @param initial Partial sum so far, or 0.
 * @returns The partial sum, at most 0xffff.
 */
export function sum(ptr: usize, bytes: u32, initial: u32): u32 {
  return fold(swap16(fold64(sumAsLies(ptr, bytes))) + fold(initial));
}

/** Whether a span holds its own right checksum: its sum is zero, written 0xffff. RFC 1071 section 1. */
export function isSumRight(ptr: usize, bytes: u32): bool {
  return fold64(sumAsLies(ptr, bytes)) === 0xffff;
}

/**
 * The checksum field, as it lies, of what was added up as it lies.
 *
 * @param asLies Sum of 32-bit words as they lie.
 */
export function checksumAsLies(asLies: u64): u16 {
  return u16(~fold64(asLies));
}

/** The sum, at most 0xffff, of what was added up as it lies: for the other functions to go on with. */
export function sumOfAsLies(asLies: u64): u32 {
  return swap16(fold64(asLies));
}

/**
 * The checksum of a span.
 *
 * @returns The complemented sum, host order; 0 for a span that holds its own right checksum.
 */
export function checksum(ptr: usize, bytes: u32): u32 {
  return ~sum(ptr, bytes, 0) & 0xffff;
}

/**
 * Copies a span and adds it to a partial sum, in one pass.
 *
 * @param dst Where to; the spans must not overlap.
 * @param src Where from.
 * @param bytes How long it is; an odd last byte is padded with zero in the sum.
 * @param initial Partial sum so far, or 0.
 * @returns The partial sum, at most 0xffff.
 */
export function copySum(dst: usize, src: usize, bytes: u32, initial: u32): u32 {
  return fold(swap16(fold64(copyAsLies(dst, src, bytes))) + fold(initial));
}

/**
 * Copies a piece of a longer text and adds it to the text's partial sum.
 *
 * @param dst Where to; the spans must not overlap.
 * @param src Where from.
 * @param bytes How long the piece is; odd is fine for any piece.
 * @param initial Partial sum so far, or 0.
 * @param offset Where the piece begins in the summed text, bytes: at an odd one its bytes change places in their
 * words, which is a swap of its sum. RFC 1071 section 2B.
 * @returns The partial sum, at most 0xffff.
 */
export function copySumAt(dst: usize, src: usize, bytes: u32, initial: u32, offset: u32): u32 {
  const piece = fold64(copyAsLies(dst, src, bytes));
  return fold(((offset & 1) !== 0 ? piece : swap16(piece)) + fold(initial));
}

/**
 * Changes one word under a checksum: HC' = ~(~HC + ~m + m'). RFC 1624 section 3, equation 3.
 *
 * @param check The checksum, host order.
 * @param oldWord Word it covers now, host order.
 * @param newWord Word that takes its place, host order.
 * @returns The new checksum, host order.
 */
export function update16(check: u32, oldWord: u32, newWord: u32): u32 {
  return ~fold((~check & 0xffff) + (~oldWord & 0xffff) + (newWord & 0xffff)) & 0xffff;
}

/** Pseudo header as `pseudoSum` adds it, as it lies. */
function pseudoAsLies(
  srcA: u64,
  srcB: u64,
  dstA: u64,
  dstB: u64,
  protocol: u32,
  bytes: u32,
): u64 {
  return u64(swap16(protocol) + swap16(fold(bytes))) +
    (srcA & 0xffffffff) + (srcA >> 32) + (srcB & 0xffffffff) + (srcB >> 32) +
    (dstA & 0xffffffff) + (dstA >> 32) + (dstB & 0xffffffff) + (dstB >> 32);
}

/**
 * A TCP header and the pseudo header of its segment, added up as they lie.
 *
 * @param ptr Where the header lies.
 * @param headerBytes How long it is.
 * @param bytes Header and text of the segment.
 */
export function headerAsLies(
  ptr: usize,
  headerBytes: u32,
  bytes: u32,
  srcA: u64,
  srcB: u64,
  dstA: u64,
  dstB: u64,
  protocol: u32,
): u64 {
  return sumShort(ptr, headerBytes) + pseudoAsLies(srcA, srcB, dstA, dstB, protocol, bytes);
}

/**
 * Sum of a segment and its pseudo header at once, as `pseudoSum` and `sum` would make it one after the other.
 *
 * @param ptr Where the segment lies.
 * @param bytes Header and text of it.
 * @returns The sum, at most 0xffff.
 */
export function segmentSum(
  ptr: usize,
  bytes: u32,
  srcA: u64,
  srcB: u64,
  dstA: u64,
  dstB: u64,
  protocol: u32,
): u32 {
  return sumOfAsLies(
    sumAsLies(ptr, bytes) + pseudoAsLies(srcA, srcB, dstA, dstB, protocol, bytes),
  );
}

/**
 * Sum of the pseudo header, of IPv4 (RFC 9293 section 3.1) and of IPv6 (RFC 8200 section 8.1) alike: both add the
 * addresses, the protocol and the length, and differ only in zeros. Of a mapped IPv4 address the prefix ::ffff adds
 * 0xffff, which is zero in one's complement; the protocol keeps the whole from being zero, so not a bit differs.
 *
 * @param srcA First half of the source address, loaded as it lies.
 * @param srcB Second half of it.
 * @param dstA First half of the destination address.
 * @param dstB Second half of it.
 * @param protocol Protocol or next header, not 0.
 * @param bytes Header and text of the upper layer, bytes.
 * @returns A partial sum for `sum` to go on with.
 */
export function pseudoSum(
  srcA: u64,
  srcB: u64,
  dstA: u64,
  dstB: u64,
  protocol: u32,
  bytes: u32,
): u32 {
  return sumOfAsLies(pseudoAsLies(srcA, srcB, dstA, dstB, protocol, bytes));
}

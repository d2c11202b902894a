/**
 * SipHash, a keyed hash: who does not know the key can not choose inputs that collide, nor guess outputs. SipHash-2-4
 * makes cookies; SipHash-1-3 makes ISNs and spreads tuples over the demultiplexer's table.
 *
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", section 2. The four rounds of finalization are
 * written as compression of zero words, which is the same, because a zero word changes nothing when it is mixed in.
 */

/** Constants of the initial state, "somepseudorandomlygeneratedbytes". */
const INIT_0: u64 = 0x736f6d6570736575;
const INIT_1: u64 = 0x646f72616e646f6d;
const INIT_2: u64 = 0x6c7967656e657261;
const INIT_3: u64 = 0x7465646279746573;
/** Mixed in before finalization. */
const FINAL: u64 = 0xff;
/** Five words, as the last word of a message tells its length in its top byte. */
const FIVE_WORDS: u64 = 40 << 56;
/** The same of a word and a half. */
const WORD_AND_HALF: u64 = 12 << 56;

/** The last word: up to seven bytes that are left, and the length modulo 256 in the top byte. */
function lastWord(ptr: usize, bytes: u32): u64 {
  let word: u64 = u64(bytes) << 56;
  const left = bytes & 7;
  const at = ptr + (bytes - left);
  for (let i: u32 = 0; i < left; i++) word |= u64(load<u8>(at + i)) << (u64(i) << 3);
  return word;
}

/**
 * SipHash-2-4.
 *
 * @param keyA First half of the key, little-endian.
 * @param keyB Second half of it.
 * @param ptr The message.
 * @param bytes How long it is; any length, multiples of 8 are the fastest.
 * @returns The hash.
 */
export function sipHash(keyA: u64, keyB: u64, ptr: usize, bytes: u32): u64 {
  let v0 = keyA ^ INIT_0;
  let v1 = keyB ^ INIT_1;
  let v2 = keyA ^ INIT_2;
  let v3 = keyB ^ INIT_3;
  const words = bytes >> 3;
  // Each turn takes a word in two rounds: the whole words, the last one, and two turns of finalization.
  for (let turn: u32 = 0; turn < words + 3; turn++) {
    let word: u64 = 0;
    if (turn < words) word = load<u64>(ptr + (usize(turn) << 3));
    else if (turn === words) word = lastWord(ptr, bytes);
    else if (turn === words + 1) v2 ^= FINAL;
    v3 ^= word;
    for (let round = 0; round < 2; round++) {
      v0 += v1;
      v2 += v3;
      v1 = rotl<u64>(v1, 13) ^ v0;
      v3 = rotl<u64>(v3, 16) ^ v2;
      v0 = rotl<u64>(v0, 32);
      v2 += v1;
      v0 += v3;
      v1 = rotl<u64>(v1, 17) ^ v2;
      v3 = rotl<u64>(v3, 21) ^ v0;
      v2 = rotl<u64>(v2, 32);
    }
    v0 ^= word;
  }
  return v0 ^ v1 ^ v2 ^ v3;
}

/**
 * SipHash-1-3 of five words: the demultiplexer's hash of two addresses and two ports. Equal to SipHash-1-3 of the 40
 * bytes that they are in memory.
 *
 * @param keyA First half of the key, little-endian.
 * @param keyB Second half of it.
 * @returns The hash.
 */
export function sipHash5(keyA: u64, keyB: u64, w0: u64, w1: u64, w2: u64, w3: u64, w4: u64): u64 {
  let v0 = keyA ^ INIT_0;
  let v1 = keyB ^ INIT_1;
  let v2 = keyA ^ INIT_2;
  let v3 = keyB ^ INIT_3;
  // Five words, the length, three turns of finalization; a round each.
  for (let turn = 0; turn < 9; turn++) {
    let word: u64 = 0;
    if (turn === 0) word = w0;
    else if (turn === 1) word = w1;
    else if (turn === 2) word = w2;
    else if (turn === 3) word = w3;
    else if (turn === 4) word = w4;
    else if (turn === 5) word = FIVE_WORDS;
    else if (turn === 6) v2 ^= FINAL;
    v3 ^= word;
    v0 += v1;
    v2 += v3;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 = rotl<u64>(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 = rotl<u64>(v2, 32);
    v0 ^= word;
  }
  return v0 ^ v1 ^ v2 ^ v3;
}

/**
 * SipHash-1-3 of a word and a half: two IPv4 addresses and two ports. Written out, because every received segment needs
 * it. Equal to SipHash-1-3 of the 12 bytes that they are in memory.
 *
 * @param keyA First half of the key, little-endian.
 * @param keyB Second half of it.
 * @param w0 The first eight bytes.
 * @param half The other four.
 * @returns The hash.
 */
export function sipHash12(keyA: u64, keyB: u64, w0: u64, half: u32): u64 {
  const last: u64 = WORD_AND_HALF | u64(half);
  let v0 = keyA ^ INIT_0;
  let v1 = keyB ^ INIT_1;
  let v2 = keyA ^ INIT_2;
  let v3 = keyB ^ INIT_3 ^ w0;
  v0 += v1;
  v2 += v3;
  v1 = rotl<u64>(v1, 13) ^ v0;
  v3 = rotl<u64>(v3, 16) ^ v2;
  v0 = rotl<u64>(v0, 32);
  v2 += v1;
  v0 += v3;
  v1 = rotl<u64>(v1, 17) ^ v2;
  v3 = rotl<u64>(v3, 21) ^ v0;
  v2 = rotl<u64>(v2, 32);
  v0 ^= w0;
  v3 ^= last;
  v0 += v1;
  v2 += v3;
  v1 = rotl<u64>(v1, 13) ^ v0;
  v3 = rotl<u64>(v3, 16) ^ v2;
  v0 = rotl<u64>(v0, 32);
  v2 += v1;
  v0 += v3;
  v1 = rotl<u64>(v1, 17) ^ v2;
  v3 = rotl<u64>(v3, 21) ^ v0;
  v2 = rotl<u64>(v2, 32);
  v0 ^= last;
  v2 ^= FINAL;
  for (let turn = 0; turn < 3; turn++) {
    v0 += v1;
    v2 += v3;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 = rotl<u64>(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 = rotl<u64>(v2, 32);
  }
  return v0 ^ v1 ^ v2 ^ v3;
}

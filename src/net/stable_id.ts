/**
 * Interface identifiers that are stable in a network, tell nothing of the hardware, and differ from network to network. Source: RFC
 * 7217 section 5. The pseudorandom function is SipHash-2-4 with a key of 128 bits: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast
 * short-input PRF" (2012).
 */
import { ipv6Bytes } from "../wire/address_bytes.ts";

/** Bytes of the secret. RFC 7217 section 5: at least 128 bits. */
export const ADDRESS_KEY_BYTES = 16;

const WORD_BYTES = 8;
const WORD_BITS = 64;
const ROUNDS_PER_WORD = 2;
const ROUNDS_AT_END = 4;
/** "somepseudorandomlygeneratedbytes", the initial state of SipHash. */
const INITIAL = [
  0x736f6d6570736575n,
  0x646f72616e646f6dn,
  0x6c7967656e657261n,
  0x7465646279746573n,
] as const;
/** Identifiers of anycast groups and of Proxy Mobile IPv6. RFC 5453 section 3, and IANA's registry. */
const RESERVED: readonly (readonly [first: bigint, last: bigint])[] = [
  [0n, 0n],
  [0x0200_5eff_fe00_0000n, 0x0200_5eff_fe00_5213n],
  [0xfdff_ffff_ffff_ff80n, 0xfdff_ffff_ffff_ffffn],
];

/** What an identifier is made of, beside the key. */
export interface StableIdParts {
  /** Prefix of 64 bits; what is behind it counts for nothing. */
  readonly prefix: bigint;
  /** Names the interface: its MAC address. */
  readonly mac: Uint8Array;
  /** How many addresses of this prefix were found to be in use. */
  readonly dadCounter: number;
}

/** @param key {@linkcode ADDRESS_KEY_BYTES}. @returns 64 bits. */
export function stableInterfaceId(key: Uint8Array, parts: StableIdParts): bigint {
  const prefix = ipv6Bytes(parts.prefix).subarray(0, WORD_BYTES);
  const message = Uint8Array.of(...prefix, ...parts.mac, parts.dadCounter);
  return sipHash(key, message);
}

/** @returns True if no host may have it. */
export function isReservedId(id: bigint): boolean {
  return RESERVED.some(([first, last]) => id >= first && id <= last);
}

/** SipHash-2-4. @param key 16 bytes. */
export function sipHash(key: Uint8Array, message: Uint8Array): bigint {
  const view = new DataView(key.buffer, key.byteOffset, ADDRESS_KEY_BYTES);
  const [k0, k1] = [view.getBigUint64(0, true), view.getBigUint64(WORD_BYTES, true)];
  const v: State = [INITIAL[0] ^ k0, INITIAL[1] ^ k1, INITIAL[2] ^ k0, INITIAL[3] ^ k1];
  const padded = new Uint8Array((Math.floor(message.length / WORD_BYTES) + 1) * WORD_BYTES);
  padded.set(message);
  // The last byte of the last word is the number of bytes.
  padded[padded.length - 1] = message.length;
  const words = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += WORD_BYTES) {
    const word = words.getBigUint64(at, true);
    v[3] ^= word;
    rounds(v, ROUNDS_PER_WORD);
    v[0] ^= word;
  }
  v[2] ^= 0xffn;
  rounds(v, ROUNDS_AT_END);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

type State = [v0: bigint, v1: bigint, v2: bigint, v3: bigint];

function rounds(v: State, count: number): void {
  for (let i = 0; i < count; i++) {
    v[0] = add(v[0], v[1]);
    v[1] = rotate(v[1], 13n) ^ v[0];
    v[0] = rotate(v[0], 32n);
    v[2] = add(v[2], v[3]);
    v[3] = rotate(v[3], 16n) ^ v[2];
    v[0] = add(v[0], v[3]);
    v[3] = rotate(v[3], 21n) ^ v[0];
    v[2] = add(v[2], v[1]);
    v[1] = rotate(v[1], 17n) ^ v[2];
    v[2] = rotate(v[2], 32n);
  }
}

function add(a: bigint, b: bigint): bigint {
  return BigInt.asUintN(WORD_BITS, a + b);
}

function rotate(word: bigint, bits: bigint): bigint {
  return BigInt.asUintN(WORD_BITS, word << bits) | (word >> (64n - bits));
}

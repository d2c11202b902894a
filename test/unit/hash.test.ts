import { beforeAll, describe, expect, test } from "vitest";
import { bytesOf, type Kernels, loadKernels } from "../kernels.ts";
import { sipHash } from "../model/siphash.ts";
import { withSeed } from "../random.ts";

/** Key 00 01 … 0f, as in the paper's appendix A and in the reference implementation's vectors. */
const KEY_A = 0x0706050403020100n;
const KEY_B = 0x0f0e0d0c0b0a0908n;

/** SipHash-2-4 of 00 01 02 …, by length. Source: vectors_sip64 of the reference implementation. */
const VECTORS: readonly (readonly [bytes: number, hash: bigint])[] = [
  [0, 0x726fdb47dd0e0e31n],
  [1, 0x74f839c593dc67fdn],
  [2, 0x0d6c8009d9a94f5an],
  [7, 0xab0200f58b01d137n],
  [8, 0x93f5f5799a932462n],
  // Source: the paper, appendix A.
  [15, 0xa129ca6149be45e5n],
];

let kernels: Kernels;
let memory: Uint8Array;
let at: number;

beforeAll(() => {
  kernels = loadKernels();
  memory = bytesOf(kernels);
  at = kernels.scratch();
});

function put(bytes: Uint8Array): number {
  memory.set(bytes, at);
  return at;
}

describe("SipHash", () => {
  test.each(VECTORS)("sipHash() gives the published hash, for %d bytes", (bytes, hash) => {
    const message = Uint8Array.from({ length: bytes }, (_, i) => i);
    expect(BigInt.asUintN(64, kernels.sipHash(KEY_A, KEY_B, put(message), bytes))).toBe(hash);
    expect(sipHash(KEY_A, KEY_B, message, 2, 4)).toBe(hash);
  });

  test("sipHash() agrees with its twin, for every length to 100 and random keys", () => {
    withSeed(71, (random) => {
      for (let bytes = 0; bytes <= 100; bytes++) {
        const message = Uint8Array.from({ length: bytes }, () => random.below(256));
        const keyA = (BigInt(random.next()) << 32n) | BigInt(random.next());
        const keyB = (BigInt(random.next()) << 32n) | BigInt(random.next());
        const hash = BigInt.asUintN(64, kernels.sipHash(keyA, keyB, put(message), bytes));
        expect(hash).toBe(sipHash(keyA, keyB, message, 2, 4));
      }
    });
  });

  test("sipHash12() is SipHash-1-3 of the words as bytes", () => {
    withSeed(73, (random) => {
      for (let turn = 0; turn < 100; turn++) {
        const word = (): bigint => (BigInt(random.next()) << 32n) | BigInt(random.next());
        const [keyA, keyB, w0, half] = [word(), word(), word(), random.next()];
        const bytes = new Uint8Array(12);
        new DataView(bytes.buffer).setBigUint64(0, w0, true);
        new DataView(bytes.buffer).setUint32(8, half, true);
        const hash = BigInt.asUintN(64, kernels.sipHash12(keyA, keyB, w0, half));
        expect(hash).toBe(sipHash(keyA, keyB, bytes, 1, 3));
      }
    });
  });

  test("sipHash5() is SipHash-1-3 of the words as bytes", () => {
    withSeed(72, (random) => {
      for (let turn = 0; turn < 100; turn++) {
        const word = (): bigint => (BigInt(random.next()) << 32n) | BigInt(random.next());
        const [keyA, keyB, w0, w1, w2, w3, w4] = [
          word(),
          word(),
          word(),
          word(),
          word(),
          word(),
          word(),
        ];
        const bytes = new Uint8Array(new BigUint64Array([w0, w1, w2, w3, w4]).buffer);
        const hash = BigInt.asUintN(64, kernels.sipHash5(keyA, keyB, w0, w1, w2, w3, w4));
        expect(hash).toBe(sipHash(keyA, keyB, bytes, 1, 3));
      }
    });
  });
});

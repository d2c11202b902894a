import { describe, expect, it } from "vitest";
import { below, chance, seededRandom } from "../../src/runtime/seeded_random.ts";
import { systemRandom } from "../../src/runtime/system_random.ts";

describe("seededRandom()", () => {
  it("gives the numbers of xoshiro128** from splitmix32, on every engine", () => {
    const random = seededRandom(1);
    const first = Array.from({ length: 4 }, () => random.next());
    expect(first).toEqual(model(1, 4));
    const other = seededRandom(0xdead_beef);
    expect(Array.from({ length: 1_000 }, () => other.next())).toEqual(model(0xdead_beef, 1_000));
  });

  it("gives equal numbers for equal seeds, other ones for others", () => {
    const draw = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 8 }, () => random.next());
    };
    expect(draw(8123)).toEqual(draw(8123));
    expect(draw(8123)).not.toEqual(draw(8124));
    expect(draw(0)).not.toEqual(new Array(8).fill(0));
  });

  it("fills bytes as little-endian words, any length", () => {
    const numbers = seededRandom(3);
    const bytes = new Uint8Array(7);
    seededRandom(3).fill(bytes);
    const first = numbers.next();
    const second = numbers.next();
    const word = (at: number, count: number): number =>
      Array.from({ length: count }, (_, i) => (bytes[at + i] ?? 0) * (256 ** i))
        .reduce((a, b) => a + b, 0);
    expect(word(0, 4)).toBe(first);
    expect(word(4, 3)).toBe(second & 0xff_ffff);
  });

  it("below() is even: 60,000 throws of a die are within 5 sigma", () => {
    const random = seededRandom(11);
    const counts = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < 60_000; i++) {
      const face = random.below(6);
      counts[face] = (counts[face] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(5 * 91.3);
  });

  it("below() rejects what would make small numbers likelier", () => {
    const drawn = [0xffff_ffff, 0xffff_fffe, 5];
    const random = { next: () => drawn.shift() ?? 0, fill: () => {} };
    // 2^32 mod 3 = 1: only 0xffffffff is rejected.
    expect(below(random, 3)).toBe(0xffff_fffe % 3);
    expect(drawn).toEqual([5]);
    for (const n of [0, -1, 1.5, NaN, 2 ** 32 + 1]) {
      expect(() => below(random, n), `${n}`).toThrow(RangeError);
    }
  });

  it("chance() is exact at both ends", () => {
    const of = (next: number) => ({ next: () => next, fill: () => {} });
    expect(chance(of(0), 0)).toBe(false);
    expect(chance(of(0xffff_ffff), 1)).toBe(true);
    expect(chance(of(0x7fff_ffff), 0.5)).toBe(true);
    expect(chance(of(0x8000_0000), 0.5)).toBe(false);
  });
});

describe("systemRandom()", () => {
  it("fills more than the platform gives at a time", () => {
    const bytes = new Uint8Array(200_000);
    systemRandom().fill(bytes);
    for (const at of [0, 65_536, 131_072, 196_608]) {
      expect(bytes.subarray(at, at + 64).some((byte) => byte !== 0), `at ${at}`).toBe(true);
    }
  });

  it("gives 32-bit numbers that differ", () => {
    const random = systemRandom();
    const drawn = Array.from({ length: 300 }, () => random.next());
    expect(drawn.every((n) => Number.isInteger(n) && n >= 0 && n <= 0xffff_ffff)).toBe(true);
    expect(new Set(drawn).size).toBeGreaterThan(295);
  });

  it("refuses to start without the platform's", () => {
    const crypto = Object.getOwnPropertyDescriptor(globalThis, "crypto");
    Object.defineProperty(globalThis, "crypto", { value: undefined, configurable: true });
    try {
      expect(() => systemRandom()).toThrow(TypeError);
    } finally {
      if (crypto !== undefined) Object.defineProperty(globalThis, "crypto", crypto);
    }
  });
});

/** The same generators with BigInt, from the authors' description. */
function model(seed: number, count: number): number[] {
  const mask = 0xffff_ffffn;
  const rotl = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (32n - k))) & mask;
  let mix = BigInt(seed);
  const state = Array.from({ length: 4 }, () => {
    mix = (mix + 0x9e37_79b9n) & mask;
    let z = mix;
    z = ((z ^ (z >> 16n)) * 0x21f0_aaadn) & mask;
    z = ((z ^ (z >> 15n)) * 0x735a_2d97n) & mask;
    return z ^ (z >> 15n);
  });
  let [s0 = 0n, s1 = 0n, s2 = 0n, s3 = 0n] = state;
  return Array.from({ length: count }, () => {
    const result = (rotl((s1 * 5n) & mask, 7n) * 9n) & mask;
    const t = (s1 << 9n) & mask;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = rotl(s3, 11n);
    return Number(result);
  });
}

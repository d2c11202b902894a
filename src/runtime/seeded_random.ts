/**
 * Randomness that a seed repeats: for tests, simulations and impaired links; never for keys.
 *
 * xoshiro128** by Blackman and Vigna (public domain), its state filled by splitmix32. Integers only, so every engine
 * draws the same numbers.
 */
import type { Random } from "./random.ts";

/** Numbers of 32 bits. */
const RANGE = 0x1_0000_0000;

/** Increment of splitmix32: 2^32 divided by the golden ratio, odd. */
const GOLDEN = 0x9e37_79b9;

/** A draw is rejected with a chance below 1/2, so this many in a row do not happen; the loop still has an end. */
const REJECTIONS_MAX = 64;

/** A source of randomness that can be repeated. */
export interface SeededRandom extends Random {
  /** What it was made from: print it when a test fails. */
  readonly seed: number;
  /** A number from 0 to n - 1, each equally likely. See {@linkcode below}. */
  below(n: number): number;
  /** True with a chance of p. See {@linkcode chance}. */
  chance(p: number): boolean;
}

/**
 * Makes randomness from a seed.
 *
 * @param seed Any integer; its low 32 bits count.
 * @returns Equal seeds give equal numbers, on every engine.
 * @example
 * ```ts
 * import { seededRandom } from "./seeded_random.ts";
 * const random = seededRandom(8123);
 * const port = 1024 + random.below(64_512);
 * ```
 */
export function seededRandom(seed: number): SeededRandom {
  let mix = seed >>> 0;
  const splitmix = (): number => {
    mix = (mix + GOLDEN) | 0;
    let z = mix ^ (mix >>> 16);
    z = Math.imul(z, 0x21f0_aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a_2d97);
    return z ^ (z >>> 15);
  };
  let s0 = splitmix();
  let s1 = splitmix();
  let s2 = splitmix();
  let s3 = splitmix();
  const next = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9);
    const shifted = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= shifted;
    s3 = rotateLeft(s3, 11);
    return result >>> 0;
  };
  const random: SeededRandom = {
    seed: seed >>> 0,
    next,
    fill: (into) => fillFrom(next, into),
    below: (n) => below(random, n),
    chance: (p) => chance(random, p),
  };
  return random;
}

/**
 * Draws a number below n without bias.
 *
 * @param random Where from.
 * @param n 1 to 2^32.
 * @returns 0 to n - 1.
 * @throws RangeError if n is out of range.
 */
export function below(random: Random, n: number): number {
  if (!Number.isInteger(n) || n < 1 || n > RANGE) {
    throw new RangeError(`Cannot draw below ${n}: expected 1 to 2^32`);
  }
  const limit = RANGE - (RANGE % n);
  let drawn = random.next();
  for (let i = 0; i < REJECTIONS_MAX && drawn >= limit; i++) drawn = random.next();
  return drawn % n;
}

/**
 * Draws yes or no.
 *
 * @param random Where from.
 * @param p Chance of yes, 0 to 1. Multiplying by 2^32 is exact, so engines agree.
 */
export function chance(random: Random, p: number): boolean {
  return random.next() < p * RANGE;
}

/** Bits that leave on the left come in on the right. */
function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

/** Little-endian on every machine. */
function fillFrom(next: () => number, into: Uint8Array): void {
  let word = 0;
  for (let i = 0; i < into.length; i++) {
    word = (i & 3) === 0 ? next() : word >>> 8;
    into[i] = word & 0xff;
  }
}

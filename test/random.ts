/** Randomness that a seed repeats: splitmix32 by Sebastiano Vigna's construction, integers only. */

/** A repeatable source of numbers. */
export interface TestRandom {
  /** What it was made from. */
  readonly seed: number;
  /** A number from 0 to 2^32 - 1. */
  next(): number;
  /** A number from 0 to n - 1; n is at most 2^32. */
  below(n: number): number;
}

const GOLDEN = 0x9e3779b9;
const RANGE = 0x100000000;

/** Makes a source from a seed. */
export function testRandom(seed: number): TestRandom {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + GOLDEN) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  return { seed: seed >>> 0, next, below: (n) => Math.floor((next() / RANGE) * n) };
}

/** Runs a property with a source of randomness; a failure tells the seed. */
export function withSeed(seed: number, property: (random: TestRandom) => void): void {
  try {
    property(testRandom(seed));
  } catch (error) {
    throw new Error(`Property failed with seed ${seed}`, { cause: error });
  }
}

/** Simulated worlds with super-segments: on the cables, or cut and joined at the edge of all stacks, or of one. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { drawPlan, withOffload } from "../../src/sim/plan.ts";
import { runWorld } from "../../src/sim/world.ts";

const module = new WebAssembly.Module(readFileSync("dist/core.wasm"));
const SEEDS = 400;
const SEEDS_PER_TEST = 50;
/** One of each kind of link. */
const NAMED = [8, 9, 10, 7];

describe("stacks with super-segments on bad cables", () => {
  for (let first = 0; first < SEEDS; first += SEEDS_PER_TEST) {
    const last = first + SEEDS_PER_TEST - 1;
    test(`obey every rule and leave nothing behind, seeds ${first} to ${last}`, () => {
      for (let seed = first; seed <= last; seed++) {
        const outcome = runWorld(module, withOffload(drawPlan(seed)));
        expect(outcome.virtualMs, `seed ${seed}`).toBeGreaterThan(0);
      }
    });
  }

  test("build them, and none without", () => {
    for (const seed of NAMED) {
      expect(runWorld(module, withOffload(drawPlan(seed))).joined, `seed ${seed}`)
        .toBeGreaterThan(0);
      expect(runWorld(module, drawPlan(seed)).joined, `seed ${seed}`).toBe(0);
    }
  });

  test.each(NAMED)("repeat a run bit by bit, seed %i", (seed) => {
    const plan = withOffload(drawPlan(seed));
    const first = runWorld(module, plan, { hashEvery: 100 });
    expect(runWorld(module, plan, { hashEvery: 100 })).toEqual(first);
    expect(first.hashes).not.toEqual(runWorld(module, drawPlan(seed), { hashEvery: 100 }).hashes);
  });
});

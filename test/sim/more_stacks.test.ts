/** The second half of the simulated worlds; a file of its own, so that two processors share them. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { drawPlan } from "../../src/sim/plan.ts";
import { runWorld } from "../../src/sim/world.ts";

const module = new WebAssembly.Module(readFileSync("dist/core.wasm"));
const FIRST = 1_000;
const SEEDS = 1_000;
const SEEDS_PER_TEST = 50;

describe("more stacks on bad cables", () => {
  for (let first = FIRST; first < FIRST + SEEDS; first += SEEDS_PER_TEST) {
    const last = first + SEEDS_PER_TEST - 1;
    test(`obey every rule and leave nothing behind, seeds ${first} to ${last}`, () => {
      for (let seed = first; seed <= last; seed++) {
        const outcome = runWorld(module, drawPlan(seed));
        expect(outcome.virtualMs, `seed ${seed}`).toBeGreaterThan(0);
      }
    });
  }
});

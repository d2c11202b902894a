/** Simulated worlds: whatever a seed draws, the rules hold after every step. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { drawPlan } from "../../src/sim/plan.ts";
import { runWorld } from "../../src/sim/world.ts";

const module = new WebAssembly.Module(readFileSync("dist/core.wasm"));
/** Seeds of this file; `more_stacks.test.ts` has the next as many, so that two processors share them. */
const SEEDS = 1_000;
const SEEDS_PER_TEST = 50;

describe("stacks on bad cables", () => {
  for (let first = 0; first < SEEDS; first += SEEDS_PER_TEST) {
    const last = first + SEEDS_PER_TEST - 1;
    test(`obey every rule and leave nothing behind, seeds ${first} to ${last}`, () => {
      for (let seed = first; seed <= last; seed++) {
        const outcome = runWorld(module, drawPlan(seed));
        expect(outcome.virtualMs, `seed ${seed}`).toBeGreaterThan(0);
      }
    });
  }

  test("meet every kind of fault, manner and misfortune somewhere among the seeds", () => {
    const seen: Record<string, number> = {};
    let complete = 0;
    for (let seed = 0; seed < SEEDS_PER_TEST; seed++) {
      const plan = drawPlan(seed);
      const outcome = runWorld(module, plan);
      complete += outcome.complete;
      for (const [name, count] of Object.entries(outcome.faults)) {
        seen[name] = (seen[name] ?? 0) + count;
      }
      for (const { manner } of plan.connections) seen[manner] = (seen[manner] ?? 0) + 1;
      for (const { kind } of plan.misfortunes) seen[kind] = (seen[kind] ?? 0) + 1;
    }
    const faults = ["lost", "duplicated", "corrupted", "held"];
    const manners = ["orderly", "half-close", "slow", "abort", "release"];
    const misfortunes = ["crash", "partition", "suspend", "clock-jump"];
    for (const kind of [...faults, ...manners, ...misfortunes]) {
      expect(seen[kind], kind).toBeGreaterThan(0);
    }
    // Most ends get all that they were to get.
    expect(complete).toBeGreaterThan(SEEDS_PER_TEST * 4);
  });

  test("repeat a run bit by bit, and differ between seeds", () => {
    const first = runWorld(module, drawPlan(7), { hashEvery: 100 });
    expect(runWorld(module, drawPlan(7), { hashEvery: 100 })).toEqual(first);
    const other = runWorld(module, drawPlan(8), { hashEvery: 100 });
    expect(other.hashes.at(-1)).not.toBe(first.hashes.at(-1));
  });
});

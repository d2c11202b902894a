import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { drawPlan, runWorld } from "./world.ts";

const module = new WebAssembly.Module(readFileSync("dist/core.wasm"));
/** Seeds of every run; a failing one becomes a named scenario. */
const SEEDS = 200;
const SEEDS_PER_TEST = 20;

describe("two stacks over a bad cable", () => {
  for (let first = 0; first < SEEDS; first += SEEDS_PER_TEST) {
    const last = first + SEEDS_PER_TEST - 1;
    test(`deliver every stream and leave nothing behind, seeds ${first} to ${last}`, () => {
      for (let seed = first; seed <= last; seed++) {
        const plan = drawPlan(seed);
        const outcome = runWorld(module, plan);
        expect(outcome.virtualMs, `seed ${seed}`).toBeGreaterThan(0);
        expect(outcome.bytes).toBe(plan.sizes.flat().reduce((sum, n) => sum + n, 0));
      }
    });
  }

  test("meet every kind of fault somewhere among the seeds", () => {
    const seen: Record<string, number> = {};
    for (let seed = 0; seed < SEEDS_PER_TEST; seed++) {
      for (const [name, count] of Object.entries(runWorld(module, drawPlan(seed)).faults)) {
        seen[name] = (seen[name] ?? 0) + count;
      }
    }
    for (const kind of ["lost", "duplicated", "corrupted", "held"]) {
      expect(seen[kind], kind).toBeGreaterThan(0);
    }
  });

  test("repeat a run bit by bit, and differ between seeds", () => {
    const first = runWorld(module, drawPlan(7), 100);
    expect(runWorld(module, drawPlan(7), 100)).toEqual(first);
    expect(runWorld(module, drawPlan(8), 100).hashes.at(-1)).not.toBe(first.hashes.at(-1));
  });
});

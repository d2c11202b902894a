import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HashReport } from "../sim/hashes_entry.ts";
import { Bundle, testInChromium, testInRuntimes } from "./in_runtimes.ts";

/** The named seeds: few and many connections, each fault alone and all together. */
const SEEDS = [3, 7, 14, 42, 57, 88, 105, 120, 142, 199];
/** Steps between two hashes. */
const HASH_EVERY = 100;

let bundle: Bundle;
const reports = new Map<string, HashReport>();

beforeAll(async () => {
  bundle = await Bundle.build("test/sim/hashes_entry.ts");
});

afterAll(() => bundle.delete());

describe("the same seed is the same memory, byte for byte", () => {
  testInRuntimes("in", async (runtime) => {
    const said = await bundle.run(runtime, [JSON.stringify(SEEDS), String(HASH_EVERY)]);
    const report = JSON.parse(said) as HashReport;
    expect(report.runtime).toBe(runtime.name);
    reports.set(runtime.name, report);
  });

  testInChromium("in", async (page) => {
    await bundle.load(page, "tidewireHashes");
    const call = `globalThis.tidewireHashes(${JSON.stringify(SEEDS)}, ${HASH_EVERY})`;
    const report = await page.evaluate(call) as HashReport;
    expect(report.runtime).toBe("browser");
    reports.set("browser", report);
  });

  test("and equal among them, at the end and every 100 steps", () => {
    const [first, ...others] = [...reports.values()];
    // Each runs without super-segments and with.
    const seeds = SEEDS.flatMap((seed) => [seed, seed]);
    expect(first?.outcomes.map(({ seed }) => seed)).toEqual(seeds);
    for (const { seed, steps, hashes } of first?.outcomes ?? []) {
      expect(hashes.length, `seed ${seed}`).toBe(Math.floor(steps / HASH_EVERY) + 1);
    }
    expect(others.length).toBeGreaterThanOrEqual(process.env["CI"] === undefined ? 1 : 3);
    for (const { runtime, outcomes } of others) expect(outcomes, runtime).toEqual(first?.outcomes);
  });
});

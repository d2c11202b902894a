/**
 * Runs named seeds, each without super-segments and with, and tells the hashes of all memory on the way. Bundled and run by each runtime: the answers must be the
 * same everywhere. In a page it is `globalThis.tidewireHashes`, elsewhere it prints one line.
 */
import { coreModule } from "../../src/core/wasm_source.ts";
import { prepareEdge } from "../../src/link/offload.ts";
import { drawPlan, withOffload } from "../../src/sim/plan.ts";
import { runWorld } from "../../src/sim/world.ts";

/** What one runtime answers. */
export interface HashReport {
  readonly runtime: string;
  readonly outcomes: readonly {
    readonly seed: number;
    readonly steps: number;
    readonly hashes: readonly string[];
  }[];
}

/** Which runtime this is, by what only it has. */
function runtimeName(): string {
  const scope = globalThis as { Bun?: unknown; Deno?: unknown; document?: unknown };
  if (scope.Bun !== undefined) return "bun";
  if (scope.Deno !== undefined) return "deno";
  return scope.document !== undefined ? "browser" : "node";
}

async function report(seeds: readonly number[], hashEvery: number): Promise<HashReport> {
  const module = await coreModule();
  // Chromium compiles nothing so large at once in a page's main thread.
  await prepareEdge();
  const plans = seeds.flatMap((seed) => [drawPlan(seed), withOffload(drawPlan(seed))]);
  const outcomes = plans.map((plan) => {
    const { steps, hashes } = runWorld(module, plan, { hashEvery });
    return { seed: plan.seed, steps, hashes };
  });
  return { runtime: runtimeName(), outcomes };
}

if (runtimeName() === "browser") {
  Object.assign(globalThis, { tidewireHashes: report });
} else {
  const [seeds = "[]", hashEvery = "100"] = process.argv.slice(2);
  console.log(JSON.stringify(await report(JSON.parse(seeds) as number[], Number(hashEvery))));
}

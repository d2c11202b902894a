/** Runs cases in one runtime, each in a process of its own, so that none inherits another's heap. */
import { type BenchCase, type Metric, type Result } from "./bench_case.ts";
import type { Request, Said } from "./cases.ts";
import { mergeResults } from "./harness.ts";
import type { Setting } from "./setting.ts";
import { type ProcessRuntime, runInRuntime } from "./run_process.ts";

/** What shall run of one case. */
export interface CaseRequest {
  readonly bench: BenchCase;
  /** Absent = all that are not on demand. */
  readonly variants?: readonly string[];
  readonly repeat: number;
  readonly size: number;
  /** The network that was made for it. */
  readonly setting?: Setting;
}

/**
 * Runs one case.
 *
 * @param bundle Path of `cases.mjs`.
 * @throws {Error} If a process fails.
 */
export async function runCase(
  bundle: string,
  { bench, variants, repeat, size, setting }: CaseRequest,
  runtime: ProcessRuntime,
): Promise<void> {
  const cases = [bench.name];
  if (bench.isAlone !== true) {
    const chosen = variants === undefined ? {} : { variants };
    const where = setting === undefined ? {} : { setting };
    await runInRuntime(bundle, { cases, ...chosen, ...where, repeat, size }, runtime);
    return;
  }
  for (const { name } of bench.variants) {
    if (variants !== undefined && !variants.includes(name)) continue;
    const request: Request = { cases, variants: [name], repeat: 1, size, isCold: true };
    await runAlone(bundle, request, repeat, runtime);
  }
}

/** Runs a request in so many processes, one after the other, and tells what they gave together. */
async function runAlone(
  bundle: string,
  request: Request,
  repeat: number,
  runtime: ProcessRuntime,
): Promise<void> {
  const results = new Map<Metric, [Result, ...Result[]]>();
  const missing = new Set<string>();
  const onSaid = (said: Said): void => {
    if ("missing" in said) return void missing.add(said.missing);
    const before = results.get(said.result.metric);
    if (before === undefined) results.set(said.result.metric, [said.result]);
    else before.push(said.result);
  };
  for (let i = 0; i < repeat; i++) await runInRuntime(bundle, request, { ...runtime, onSaid });
  for (const line of missing) runtime.onSaid({ missing: line });
  for (const several of results.values()) runtime.onSaid({ result: mergeResults(several) });
}

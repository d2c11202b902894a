/**
 * Runs variants in turn: A B A B and not A A B B, so that what disturbs the machine for a while disturbs all of them. Each
 * is checked once and warmed up, once if it does not say otherwise, before anything is measured.
 */
import {
  type BenchCase,
  type Contestant,
  type Environment,
  type Figures,
  type Metric,
  MORE_IS_BETTER,
  type Result,
  type RuntimeName,
  Unavailable,
  UNITS,
  type Variant,
} from "./bench_case.ts";
import { compareByPairs, median } from "./statistics.ts";

/** Runs of each variant unless told otherwise. */
export const REPEAT = 5;

/** What shall run. */
export interface Selection {
  /** Case names. */
  readonly cases: readonly string[];
  /** Variants, by name, of whichever case has them; absent = all that are not on demand. */
  readonly variants?: readonly string[];
  /** Runs of each. */
  readonly repeat: number;
  /** Whether the check and the warm-up are left out. Default false. */
  readonly isCold?: boolean;
}

/** A variant with the name of its case. */
interface Entrant {
  readonly id: string;
  readonly caseName: string;
  readonly variant: Variant;
}

/** An entrant at its start, and what it has measured. */
interface Runner extends Entrant {
  readonly contestant: Contestant;
  readonly samples: Figures[];
}

/**
 * Runs cases.
 *
 * @param suite All cases there are.
 * @param selection What shall run.
 * @param environment Where.
 * @param onResult Told each result as soon as its group has run.
 * @throws {RangeError} If there is no such case or variant.
 */
export async function runSelection(
  suite: readonly BenchCase[],
  selection: Selection,
  environment: Environment,
  onResult: (result: Result) => void,
): Promise<void> {
  for (const group of groupsOf(suite, selection, environment.runtime)) {
    for (const result of await runGroup(group, selection, environment)) onResult(result);
  }
}

/** The groups that a selection makes, each with what it is compared with. */
export function groupsOf(
  suite: readonly BenchCase[],
  selection: Selection,
  runtime: RuntimeName,
): Entrant[][] {
  const groups = new Map<string, Map<string, Entrant>>();
  for (const name of selection.cases) {
    const bench = suite.find((one) => one.name === name);
    if (bench === undefined) {
      const known = suite.map((one) => one.name).join(", ");
      throw new RangeError(`Cannot run the case "${name}": there are ${known}`);
    }
    const chosen = chosenOf(bench, selection.variants);
    for (const variant of chosen) {
      const key = `${bench.name}/${variant.group ?? ""}`;
      const group = groups.get(key) ?? new Map<string, Entrant>();
      groups.set(key, group);
      for (const id of rivalsOf(variant, runtime)) {
        if (!group.has(id)) group.set(id, entrantOf(suite, id));
      }
      const id = `${bench.name}/${variant.name}`;
      group.set(id, { id, caseName: bench.name, variant });
    }
  }
  return [...groups.values()].map((group) => [...group.values()]);
}

/** Ids of what a variant is compared with. */
function rivalsOf(
  { against = [], againstIn = {} }: Variant,
  runtime: RuntimeName,
): readonly string[] {
  return againstIn[runtime] ?? against;
}

function chosenOf(bench: BenchCase, names: readonly string[] | undefined): readonly Variant[] {
  if (names === undefined) return bench.variants.filter(({ onDemand }) => onDemand !== true);
  const chosen = bench.variants.filter(({ name }) => names.includes(name));
  if (chosen.length > 0) return chosen;
  const known = bench.variants.map(({ name }) => name).join(", ");
  throw new RangeError(`Cannot run "${names.join(", ")}" of ${bench.name}: it has ${known}`);
}

function entrantOf(suite: readonly BenchCase[], id: string): Entrant {
  const at = id.indexOf("/");
  const caseName = id.slice(0, at);
  const bench = suite.find(({ name }) => name === caseName);
  const variant = bench?.variants.find(({ name }) => name === id.slice(at + 1));
  if (variant === undefined) throw new RangeError(`Cannot compare with "${id}": there is none`);
  return { id, caseName, variant };
}

async function runGroup(
  entrants: readonly Entrant[],
  { repeat, isCold = false }: Selection,
  environment: Environment,
): Promise<Result[]> {
  const runners: Runner[] = [];
  try {
    for (const entrant of entrants) {
      environment.progress(`${entrant.id}: preparing`);
      const contestant = await prepareOne(entrant, environment);
      if (contestant === null) continue;
      runners.push({ ...entrant, contestant, samples: [] });
      if (isCold) continue;
      await contestant.check?.();
      for (let run = 0; run < (contestant.warmUps ?? 1); run++) await contestant.sample();
    }
    for (let round = 1; round <= repeat; round++) {
      for (const { id, contestant, samples } of runners) {
        environment.progress(`${id}: run ${round} of ${repeat}`);
        samples.push(await contestant.sample());
      }
    }
    return runners.flatMap((runner) => resultsOf(runner, runners, environment));
  } finally {
    for (const { contestant } of runners) await contestant.close?.();
  }
}

/** @returns Null if it can not run here; it was said why. */
async function prepareOne(
  { id, variant }: Entrant,
  environment: Environment,
): Promise<Contestant | null> {
  try {
    return await variant.prepare(environment);
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    environment.missing(`${id}: ${error.message}`);
    return null;
  }
}

function valuesOf({ samples }: Runner, metric: Metric): number[] {
  return samples.flatMap((figures) => figures[metric] ?? []);
}

/** Of those that a variant is compared with, the one with the best median. */
function bestOf(rivals: readonly Runner[], metric: Metric): Runner | undefined {
  const sign = MORE_IS_BETTER.has(metric) ? -1 : 1;
  const measured = rivals.filter((rival) => valuesOf(rival, metric).length > 0);
  const cost = (rival: Runner): number => sign * median(valuesOf(rival, metric));
  return measured.sort((a, b) => cost(a) - cost(b))[0];
}

function resultsOf(
  runner: Runner,
  runners: readonly Runner[],
  environment: Environment,
): Result[] {
  const metrics = Object.keys(runner.samples[0] ?? {}) as Metric[];
  const ids = rivalsOf(runner.variant, environment.runtime);
  const rivals = runners.filter(({ id }) => ids.includes(id));
  const { runtime, runtimeVersion, clock } = environment;
  return metrics.map((metric): Result => {
    const values = valuesOf(runner, metric);
    const rival = bestOf(rivals, metric);
    const compared = rival === undefined ? null : compareByPairs(values, valuesOf(rival, metric));
    return {
      case: runner.caseName,
      variant: runner.variant.name,
      runtime,
      metric,
      unit: UNITS[metric],
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      n: values.length,
      ratioTo: rival?.id ?? null,
      ratio: compared?.ratio ?? null,
      difference: compared?.difference ?? null,
      clock,
      runtimeVersion,
      note: runner.contestant.note?.() ?? "",
    };
  });
}

/**
 * Makes one result of those of several processes that ran the same.
 *
 * @param results At least one, of one variant and one metric.
 */
export function mergeResults(results: readonly [Result, ...Result[]]): Result {
  const values = results.map((result) => result.median);
  return {
    ...results[0],
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    n: values.length,
  };
}

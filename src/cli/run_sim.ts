/** `tidewire sim`: simulated worlds of two or more stacks, one a seed, each checked after every step. */
import process from "node:process";
import { parseArgs } from "node:util";
import { coreModule } from "../core/wasm_source.ts";
import { drawPlan, type Plan, withOffload } from "../sim/plan.ts";
import { type Outcome, runWorld, SimulationError } from "../sim/world.ts";
import { UsageError } from "./args.ts";

/** Seeds unless told otherwise. */
const SEEDS = 200;
const SEED_MAX = 0xffff_ffff;

/** What `tidewire sim --help` prints. */
export const SIM_HELP: string =
  `tidewire sim: stacks, bad cables and a clock that is only a number, drawn from a seed

Usage: tidewire sim [--seeds N] [--super] [--json]      runs seeds 0 to N-1 (default ${SEEDS})
       tidewire sim --seed S [--super] [--json]         runs one seed, and tells its plan

A seed draws two or three stacks and their options, a cable that loses, repeats, damages and reorders, connections that
end in order, half, late or not at all, crashes, partitions and suspensions. After each step it is checked that streams
arrive once and in order, numbers only grow, every rule of the wire holds, every connection ends, and nothing is left.

  --super   with super-segments, on the cables or cut and joined before them
  --json    one object a seed on stdout, and a last one: {"passed", "failed"}

It ends with 0 if all passed, 1 if one failed or the command line is wrong. A seed repeats itself, byte for byte.
`;

function number(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(
    `Cannot use "${text}" for --${flag}: expected a number of ${least} to ${most}`,
  );
}

// deno-lint-ignore explicit-function-return-type
function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seeds: { type: "string" },
        seed: { type: "string" },
        super: { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
      strict: true,
    }).values;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `${reason.split(/\.\s/)[0]?.replace(/\.$/, "")}, see "tidewire sim --help"`,
    );
  }
}

/** One seed's run, or why it failed. */
function attempt(module: WebAssembly.Module, plan: Plan): Outcome | SimulationError {
  try {
    return runWorld(module, plan);
  } catch (error) {
    if (error instanceof SimulationError) return error;
    throw error;
  }
}

function objectOf(seed: number, result: Outcome | SimulationError): object {
  if (result instanceof SimulationError) {
    return { seed, result: "fail", steps: result.steps, rule: result.rule, trace: result.trace };
  }
  const { steps, virtualMs, complete, failed, bytes, faults } = result;
  return { seed, result: "pass", steps, virtualMs, complete, failed, bytes, faults };
}

function lineOf(seed: number, result: Outcome | SimulationError): string {
  if (result instanceof SimulationError) return result.message;
  const { steps, virtualMs, complete, failed } = result;
  return `seed ${seed}: ${complete} ends complete, ${failed} failed as they may, ${steps} steps, ` +
    `${(virtualMs / 1000).toFixed(1)} s of its time`;
}

/**
 * Runs the command.
 *
 * @param args What stands after `sim`.
 * @returns The exit code.
 * @throws {UsageError} With a sentence for people.
 */
export async function runSim(args: readonly string[]): Promise<number> {
  const values = read(args);
  if (values.help === true) {
    process.stdout.write(SIM_HELP);
    return 0;
  }
  if (values.seed !== undefined && values.seeds !== undefined) {
    throw new UsageError(
      "Cannot use --seed and --seeds together: the one names a seed, the other counts them",
    );
  }
  const one = values.seed === undefined ? null : number("seed", values.seed, 0, SEED_MAX);
  const count = number("seeds", values.seeds ?? String(SEEDS), 1, SEED_MAX);
  const seeds = one === null ? Array.from({ length: count }, (_, i) => i) : [one];
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const module = await coreModule();
  const planOf = (seed: number): Plan =>
    values.super === true ? withOffload(drawPlan(seed)) : drawPlan(seed);
  if (one !== null && values.json !== true) say(JSON.stringify(planOf(one), null, 2));
  let failed = 0;
  for (const seed of seeds) {
    const result = attempt(module, planOf(seed));
    if (result instanceof SimulationError) failed++;
    if (values.json === true) say(JSON.stringify(objectOf(seed, result)));
    else if (one !== null || result instanceof SimulationError) say(lineOf(seed, result));
  }
  const passed = seeds.length - failed;
  say(
    values.json === true
      ? JSON.stringify({ passed, failed })
      : `${passed} passed, ${failed} failed`,
  );
  return failed === 0 ? 0 : 1;
}

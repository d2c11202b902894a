/** The command line of the benchmark. */
import { parseArgs } from "node:util";
import type { RuntimeName } from "./bench_case.ts";
import { REPEAT } from "./harness.ts";

/** Runtimes in the order in which they run. */
export const RUNTIMES: readonly RuntimeName[] = ["node", "deno", "bun", "chromium", "firefox"];

/** Most runs of a variant. */
const REPEAT_MAX = 1_000;

/** Largest and smallest scale of all amounts. */
const SIZE_MAX = 100;
const SIZE_MIN = 1e-6;

/** What a person asked for. */
export interface BenchArgs {
  readonly help: boolean;
  /** Names of cases, or `case/variant`; none = all. */
  readonly cases: readonly string[];
  /** None = the one that runs the command. */
  readonly runtimes: readonly RuntimeName[];
  readonly repeat: number;
  readonly size: number;
  readonly json: boolean;
  readonly table: boolean;
  readonly peers: boolean;
  /** Where a page with the results goes. */
  readonly html: string | null;
}

/** The command line is wrong; the message says what, why and what to do. */
export class BenchUsageError extends Error {}

/** What `--help` prints. @param about Names of the cases and what they measure. */
export function helpText(about: readonly (readonly [string, string])[]): string {
  const width = Math.max(...about.map(([name]) => name.length)) + 2;
  const lines = about.map(([name, text]) => `  ${name.padEnd(width)}${text}`);
  return `Measures the stack: medians of ${REPEAT} runs after a warm-up, what is compared runs in turn.

Usage: npm run -s bench -- [CASE[/VARIANT]...] [--runtime NAME] [--repeat N] [--json] [--html FILE]
       npm run -s bench -- --table

  --runtime NAME  ${RUNTIMES.join(", ")} or all; may be repeated; else the one that runs the command
  --repeat N      runs of each variant (default ${REPEAT})
  --size S        scale of all amounts (default 1; 0.01 shows within seconds whether a case works)
  --peers         also other stacks that this machine has
  --json          one object a line
  --html FILE     writes a page with the results and charts
  --table         the ten rows that the stack is held to, in Node and Deno

Cases:
${lines.join("\n")}
`;
}

/**
 * Reads the command line.
 *
 * @param args What stands after the script's name.
 * @param known Names of the cases, each with those of its variants.
 * @throws {BenchUsageError} With a sentence for people.
 */
export function readBenchArgs(
  args: readonly string[],
  known: ReadonlyMap<string, readonly string[]>,
): BenchArgs {
  const { values, positionals } = parse(args);
  for (const text of positionals) checkCase(text, known);
  return {
    help: values.help === true,
    cases: positionals,
    runtimes: readRuntimes(values.runtime ?? []),
    repeat: readNumber("repeat", values.repeat ?? String(REPEAT), 1, REPEAT_MAX, true),
    size: readNumber("size", values.size ?? "1", SIZE_MIN, SIZE_MAX, false),
    json: values.json === true,
    table: values.table === true,
    peers: values.peers === true,
    html: values.html ?? null,
  };
}

/** @throws {BenchUsageError} If there is no such `case` or `case/variant`. */
function checkCase(text: string, known: ReadonlyMap<string, readonly string[]>): void {
  const at = text.indexOf("/");
  const name = at < 0 ? text : text.slice(0, at);
  const variants = known.get(name);
  if (variants === undefined) {
    throw new BenchUsageError(
      `Cannot run the case "${name}": there is none of that name; take ${
        [...known.keys()].join(", ")
      }`,
    );
  }
  if (at < 0 || variants.includes(text.slice(at + 1))) return;
  throw new BenchUsageError(
    `Cannot run "${text}": ${name} has no such variant; take ${variants.join(", ")}`,
  );
}

// deno-lint-ignore explicit-function-return-type
function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        runtime: { type: "string", multiple: true },
        repeat: { type: "string" },
        size: { type: "string" },
        html: { type: "string" },
        json: { type: "boolean" },
        table: { type: "boolean" },
        peers: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BenchUsageError(`${reason.split(/\.\s/)[0]?.replace(/\.$/, "")}; see --help`);
  }
}

function readRuntimes(texts: readonly string[]): RuntimeName[] {
  const names = texts.flatMap((text) => text.split(","));
  if (names.includes("all")) return [...RUNTIMES];
  const stray = names.find((name) => !RUNTIMES.some((known) => known === name));
  if (stray !== undefined) {
    throw new BenchUsageError(
      `Cannot run in "${stray}": there is no such runtime; take ${RUNTIMES.join(", ")} or all`,
    );
  }
  return RUNTIMES.filter((name) => names.includes(name));
}

function readNumber(
  flag: string,
  text: string,
  least: number,
  most: number,
  isWhole: boolean,
): number {
  const value = Number(text);
  const isRight = text.trim() !== "" && value >= least && value <= most &&
    (!isWhole || Number.isInteger(value));
  if (isRight) return value;
  throw new BenchUsageError(
    `Cannot use "${text}" for --${flag}: expected a ${
      isWhole ? "whole " : ""
    }number of ${least} to ${most}`,
  );
}

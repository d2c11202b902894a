/**
 * What the stack is held to: for each row a bound that must be met and one that is aimed at, what was seen, and whether it
 * passes. All of it is one run, by medians and by ratios of pairs.
 */
import type { Metric, Result, RuntimeName } from "./bench_case.ts";
import { formatNumber } from "./report.ts";

/** Runtimes that the table is about. */
export const TABLE_RUNTIMES: readonly RuntimeName[] = ["node", "deno"];

/** Those in which something is run for it. */
export const TABLE_RUNS: readonly RuntimeName[] = [...TABLE_RUNTIMES, "chromium"];

/** A bound: at most or at least. */
interface Bound {
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** One thing that is held against a bound. */
export interface Check {
  /** What stands in the first column. */
  readonly row: string;
  /** Case and variant, or several of which the one with the smallest figure counts. */
  readonly of: string | readonly string[];
  readonly metric: Metric;
  /** What of the result is looked at. */
  readonly field: "median" | "ratio" | "difference";
  readonly unit: string;
  readonly must: Bound;
  readonly aim: Bound;
  /** Runtimes that are judged; in others it is only shown. Absent = both. */
  readonly judged?: readonly RuntimeName[];
  /** Runtimes in which it is looked for; absent = Node and Deno. */
  readonly runtimes?: readonly RuntimeName[];
}

const atMost = (value: number): Bound => ({ atMost: value });
const atLeast = (value: number): Bound => ({ atLeast: value });

/** Texts of at least 1 KiB. */
const LARGE: readonly number[] = [1024, 1460, 16_384, 65_536];

function tunnelChecks(): Check[] {
  return ["down", "up"].flatMap((way): Check[] => {
    const common = { of: `tunnel/${way}`, metric: "mb_per_s" } as const;
    return [
      {
        ...common,
        row: `tunnel to a kernel server, ${way}, against the plain ws pipe`,
        field: "ratio",
        unit: "×",
        must: atLeast(0.8),
        aim: atLeast(1),
      },
      {
        ...common,
        row: `tunnel to a kernel server, ${way}`,
        field: "median",
        unit: "MB/s",
        must: {},
        aim: atLeast(600),
      },
      {
        ...common,
        row: `tunnel from a Chromium tab, ${way}, against raw WebSocket`,
        field: "ratio",
        unit: "×",
        must: atLeast(0.8),
        aim: atLeast(0.95),
        runtimes: ["chromium"],
      },
    ];
  });
}

/** All checks, in the order of the table. */
export const CHECKS: readonly Check[] = [
  {
    row: "bulk clean",
    of: "bulk/clean",
    metric: "cpu_s_per_gb",
    field: "median",
    unit: "CPU s/GB",
    must: atMost(0.3),
    aim: {},
    judged: ["deno"],
  },
  {
    row: "bulk clean against pipeline",
    of: "bulk/clean",
    metric: "gbit_per_core",
    field: "ratio",
    unit: "×",
    must: atLeast(0.5),
    aim: atLeast(0.65),
    judged: ["deno"],
  },
  {
    row: "bulk-super verified",
    of: "bulk-super/verified",
    metric: "cpu_s_per_gb",
    field: "median",
    unit: "CPU s/GB",
    must: atMost(0.22),
    aim: {},
  },
  {
    row: "bulk-super verified against pipeline-super",
    of: "bulk-super/verified",
    metric: "gbit_per_core",
    field: "ratio",
    unit: "×",
    must: atLeast(0.6),
    aim: atLeast(0.8),
  },
  {
    row: "streams byob minus bulk, Deno",
    of: "streams/byob",
    metric: "cpu_s_per_gb",
    field: "difference",
    unit: "CPU s/GB",
    must: atMost(0.1),
    aim: atMost(0.05),
    runtimes: ["deno"],
  },
  {
    row: "streams byob minus bulk, Node",
    of: "streams/byob",
    metric: "cpu_s_per_gb",
    field: "difference",
    unit: "CPU s/GB",
    must: atMost(0.15),
    aim: atMost(0.075),
    runtimes: ["node"],
  },
  {
    row: "churn idle=0",
    of: "churn/idle=0",
    metric: "ops_per_cpu_s",
    field: "median",
    unit: "per CPU s",
    must: atLeast(500_000),
    aim: atLeast(1_000_000),
  },
  {
    row: "churn idle=1000000 against idle=0",
    of: "churn/idle=1000000",
    metric: "ops_per_cpu_s",
    field: "ratio",
    unit: "×",
    must: atLeast(0.8),
    aim: atLeast(0.95),
  },
  {
    row: "idle handles, per endpoint",
    of: "idle/handles",
    metric: "bytes_per_connection",
    field: "median",
    unit: "B",
    must: atMost(320),
    aim: atMost(256),
  },
  ...tunnelChecks(),
  {
    row: "tap with vnet headers, CPU per GB of our process against without",
    of: "tap/vnet",
    metric: "gbit_per_core",
    field: "ratio",
    unit: "×",
    must: atLeast(4),
    aim: atLeast(6),
  },
  {
    row: "kernels of 1 KiB and more against the fastest JS twin, the worst of them",
    of: ["checksum", "copy+checksum"].flatMap((kernel) =>
      LARGE.map((bytes) => `kernels/${kernel} ${bytes}`)
    ),
    metric: "ops_per_cpu_s",
    field: "ratio",
    unit: "×",
    must: atLeast(2),
    aim: atLeast(4),
  },
];

/** Cases and variants that the table needs to have run in a runtime. */
export function tableNeeds(runtime: RuntimeName): string[] {
  const needed = CHECKS.filter((check) => (check.runtimes ?? TABLE_RUNTIMES).includes(runtime));
  return [...new Set(needed.flatMap((check) => check.of))];
}

/** How a check went in one runtime. */
export type Verdict = "aim" | "must" | "fails" | "shown" | "not measured";

/** One line of the table. */
export interface Line {
  readonly row: string;
  readonly runtime: RuntimeName;
  readonly must: string;
  readonly aim: string;
  readonly seen: number | null;
  readonly unit: string;
  readonly verdict: Verdict;
}

function isWithin(bound: Bound, seen: number): boolean {
  return (bound.atMost === undefined || seen <= bound.atMost) &&
    (bound.atLeast === undefined || seen >= bound.atLeast);
}

function isNone({ atMost, atLeast }: Bound): boolean {
  return atMost === undefined && atLeast === undefined;
}

function boundText(bound: Bound): string {
  if (bound.atMost !== undefined) return `≤ ${formatNumber(bound.atMost)}`;
  return bound.atLeast === undefined ? "" : `≥ ${formatNumber(bound.atLeast)}`;
}

function verdictOf(check: Check, runtime: RuntimeName, seen: number | null): Verdict {
  if (seen === null) return "not measured";
  if (check.judged !== undefined && !check.judged.includes(runtime)) return "shown";
  if (!isWithin(check.must, seen)) return "fails";
  if (isNone(check.aim)) return isNone(check.must) ? "shown" : "must";
  if (isWithin(check.aim, seen)) return "aim";
  return isNone(check.must) ? "shown" : "must";
}

/** What was seen of one variant. The run counts in which it was compared with something, if there was one. */
function seenOf(
  check: Check,
  of: string,
  runtime: RuntimeName,
  results: readonly Result[],
): number | null {
  const found = results.filter((result) =>
    `${result.case}/${result.variant}` === of && result.runtime === runtime &&
    result.metric === check.metric
  );
  const compared = found.find(({ ratioTo }) => ratioTo !== null);
  return (compared ?? found[0])?.[check.field] ?? null;
}

/** The smallest of what was seen; null if something is missing. */
function worstOf(check: Check, runtime: RuntimeName, results: readonly Result[]): number | null {
  const all = [check.of].flat().map((of) => seenOf(check, of, runtime, results));
  const seen = all.filter((value) => value !== null);
  return seen.length === all.length ? Math.min(...seen) : null;
}

/**
 * Judges results.
 *
 * @param results Of all runtimes.
 * @returns One line for each check and runtime.
 */
export function judge(results: readonly Result[]): Line[] {
  return CHECKS.flatMap((check) =>
    (check.runtimes ?? TABLE_RUNTIMES).map((runtime): Line => {
      const seen = worstOf(check, runtime, results);
      return {
        row: check.row,
        runtime,
        must: boundText(check.must),
        aim: boundText(check.aim),
        seen,
        unit: check.unit,
        verdict: verdictOf(check, runtime, seen),
      };
    })
  );
}

/** What each verdict is in the table. */
const VERDICT_TEXT: Readonly<Record<Verdict, string>> = {
  "aim": "pass, aim met",
  "must": "pass",
  "fails": "FAIL",
  "shown": "-",
  "not measured": "not measured",
};

/** The table in Markdown. */
export function tableText(lines: readonly Line[]): string {
  const head = ["case", "runtime", "must", "aim", "seen", "verdict"];
  const rows = lines.map(({ row, runtime, must, aim, seen, unit, verdict }) => [
    row,
    runtime,
    must,
    aim,
    seen === null ? "" : `${formatNumber(seen)} ${unit}`,
    VERDICT_TEXT[verdict],
  ]);
  const widths = head.map((text, column) =>
    Math.max(text.length, ...rows.map((row) => row[column]?.length ?? 0))
  );
  const format = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [format(head), rule, ...rows.map(format)].join("\n");
}

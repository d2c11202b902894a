/** Results as lines for people and for programs. */
import type { Result } from "./bench_case.ts";

/** Where and of what results are. */
export interface Origin {
  /** Processor, how many of them, memory, system. */
  readonly machine: string;
  /** What was measured; `+` behind it says that the clone had changes. */
  readonly commit: string;
}

/** One line of `--json`. */
export function jsonLine(result: Result, origin: Origin): string {
  return JSON.stringify({ ...result, ...origin });
}

/** A number with three or four significant digits, in digits that people can read. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return size >= 1 ? value.toFixed(2) : value.toFixed(3);
}

/** Widths of the columns for people. */
const COLUMNS = { name: 44, runtime: 10, metric: 22, number: 11 } as const;

/** What stands above the lines. */
export function headLine(): string {
  const { name, runtime, metric, number } = COLUMNS;
  return "case/variant".padEnd(name) + "runtime".padEnd(runtime) + "metric".padEnd(metric) +
    "median".padStart(number) + "min".padStart(number) + "max".padStart(number) + "  n  ratio";
}

function comparison({ ratioTo, ratio, difference, unit }: Result): string {
  if (ratioTo === null || ratio === null || difference === null) return "";
  const sign = difference < 0 ? "" : "+";
  return `  ${ratio.toFixed(2)} × ${ratioTo} (${sign}${formatNumber(difference)} ${unit})`;
}

/** One result for people. */
export function textLine(result: Result): string {
  const { name, runtime, metric, number } = COLUMNS;
  const wall = result.clock === "wall" ? " (wall)" : "";
  const compared = comparison(result);
  const note = result.note === "" ? "" : `  [${result.note}]`;
  return `${result.case}/${result.variant}`.padEnd(name) + result.runtime.padEnd(runtime) +
    (result.metric + wall).padEnd(metric) + formatNumber(result.median).padStart(number) +
    formatNumber(result.min).padStart(number) + formatNumber(result.max).padStart(number) +
    String(result.n).padStart(3) + compared + note;
}

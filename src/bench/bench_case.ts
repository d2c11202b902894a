/**
 * What a case of the benchmark is: plain functions over an environment, so that a page, Node, Deno and Bun run the very
 * same code. A case knows neither a process nor a file; time, modules and memory come from its {@linkcode Environment}.
 */

import type { Setting, SettingName } from "./setting.ts";

/** What can be measured. Units stand in {@linkcode UNITS}. */
export type Metric =
  | "cpu_s_per_gb"
  | "gbit_per_core"
  | "ops_per_cpu_s"
  | "bytes_per_connection"
  | "mb_per_s"
  | "ns_per_op"
  | "us_p50"
  | "us_p99";

/** Unit of each metric. */
export const UNITS: Readonly<Record<Metric, string>> = {
  "cpu_s_per_gb": "s/GB",
  "gbit_per_core": "Gbit/s",
  "ops_per_cpu_s": "1/s",
  "bytes_per_connection": "B",
  "mb_per_s": "MB/s",
  "ns_per_op": "ns",
  "us_p50": "µs",
  "us_p99": "µs",
};

/** Metrics of which more is better; of the others less is. */
export const MORE_IS_BETTER: ReadonlySet<Metric> = new Set<Metric>([
  "gbit_per_core",
  "ops_per_cpu_s",
  "mb_per_s",
]);

/** Where cases run. */
export type RuntimeName = "node" | "deno" | "bun" | "chromium" | "firefox";

/** Everything that a case may know of the world. */
export interface Environment {
  readonly runtime: RuntimeName;
  /** Its version, as it calls it itself. */
  readonly runtimeVersion: string;
  /** Whether `seconds()` is computing time of the process or only time. */
  readonly clock: "cpu" | "wall";
  /** The network that was made for the case; null if there is none. */
  readonly setting: Setting | null;
  /** Scale of all amounts: 1 to measure, far less to see whether a case works at all. */
  readonly size: number;
  /** Seconds that the process has computed since some moment, by all its threads; of wall time, where it can not tell. */
  seconds(): number;
  /** Seconds of wall time since some moment. */
  wallSeconds(): number;
  /** Compiles a module of ours. */
  module(name: "core" | "kernels"): Promise<WebAssembly.Module>;
  /** Memory of the whole process, bytes, and how it was counted; null where nothing can be known. */
  memory(): { readonly bytes: number; readonly counted: string } | null;
  /** Collects what nobody needs any more, where the runtime lets us ask for it. */
  collect(): void;
  /** Tells a person how far it is. */
  progress(line: string): void;
  /** Tells a person what can not run here, why, and what would change that. */
  missing(line: string): void;
}

/** A variant can not run here; the message says why and what would change that. The others run. */
export class Unavailable extends Error {}

/** What one run of a variant measured. */
export type Figures = Readonly<Partial<Record<Metric, number>>>;

/** A variant that is ready to run. */
export interface Contestant {
  /** Runs once and measures. */
  sample(): Figures | Promise<Figures>;
  /** Runs that are not measured, before those that are; absent = 1. */
  readonly warmUps?: number;
  /** Runs once without measuring, and throws if what came out is not what went in. */
  check?(): void | Promise<void>;
  /** What else is worth knowing of the runs so far, in words. */
  note?(): string;
  /** Lets go of everything. */
  close?(): void | Promise<void>;
}

/** One way to run a case. */
export interface Variant {
  readonly name: string;
  /**
   * Variants that it is compared with, as `case/variant`; of several the fastest counts. They run in turn with it.
   */
  readonly against?: readonly string[];
  /** What it is compared with in some runtimes instead. */
  readonly againstIn?: Readonly<Partial<Record<RuntimeName, readonly string[]>>>;
  /** Variants of one group run in turn; absent = all of the case. */
  readonly group?: string;
  /** It runs only when it is named or compared with: `all` would take too long or too much memory. */
  readonly onDemand?: boolean;
  /** Makes it ready, untimed. */
  prepare(environment: Environment): Contestant | Promise<Contestant>;
}

/** A case. */
export interface BenchCase {
  readonly name: string;
  /** What it measures, one line. */
  readonly about: string;
  readonly variants: readonly Variant[];
  /**
   * Each run needs a process that has done nothing before, because what it measures is memory. A page has only one, and
   * runs it once.
   */
  readonly isAlone?: boolean;
  /** It measures a stack of others, and runs when it is named or with `--peers`. */
  readonly isPeer?: boolean;
  /** The network that must be made for it; absent = none. */
  readonly needs?: SettingName;
}

/** What the runs of one variant gave, for one metric: one line of `--json`. */
export interface Result {
  readonly case: string;
  readonly variant: string;
  /** `kernel` is a peer that is a program of its own. */
  readonly runtime: RuntimeName | "kernel";
  readonly metric: Metric;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Runs. */
  readonly n: number;
  /** What it is compared with, `case/variant`, or null. */
  readonly ratioTo: string | null;
  /** Median over the rounds of this variant's figure divided by that of `ratioTo` in the same round. */
  readonly ratio: number | null;
  /** Median over the rounds of this variant's figure less that of `ratioTo`. */
  readonly difference: number | null;
  readonly clock: "cpu" | "wall";
  readonly runtimeVersion: string;
  readonly note: string;
}

/** Bytes of a gigabyte, as networks count. */
export const GB = 1e9;

/** Bits of a byte over bits of a gigabit: s/GB and Gbit/s are each other's inverse times this. */
const GBIT_PER_GB = 8;

/** Nanoseconds of a second. */
const NS_PER_S = 1e9;

/** Figures of a bulk transfer. @param seconds Computing time. @param bytes Payload. */
export function bulkFigures(seconds: number, bytes: number): Figures {
  const perGb = seconds / (bytes / GB);
  return { cpu_s_per_gb: perGb, gbit_per_core: GBIT_PER_GB / perGb };
}

/** Figures of many equal operations. */
export function operationFigures(seconds: number, operations: number): Figures {
  return {
    ops_per_cpu_s: operations / seconds,
    ns_per_op: (seconds / operations) * NS_PER_S,
  };
}

/** An amount at this environment's scale, a multiple of `step` and at least one step. */
export function scaled(environment: Environment, amount: number, step = 1): number {
  return Math.max(1, Math.round((amount * environment.size) / step)) * step;
}

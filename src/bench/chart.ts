/** Results as charts, in numbers: which ones there are, and what each holds. `web/bench/charts.ts` draws them. */
import type { Metric, Result } from "./bench_case.ts";
import { formatNumber } from "./report.ts";

/** The metric that stands for a case, the first of these that it has. */
const CHARTED: readonly Metric[] = [
  "cpu_s_per_gb",
  "mb_per_s",
  "ops_per_cpu_s",
  "bytes_per_connection",
  "us_p50",
  "ns_per_op",
];

/** One bar, with a line from the smallest to the largest run. */
export interface Bar {
  /** Case, variant and runtime. */
  readonly label: string;
  /** The median, with its unit. */
  readonly value: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One chart; all its bars have one unit. */
export interface Chart {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
}

function barOf({ variant, runtime, unit, median, min, max, ...result }: Result): Bar {
  const label = `${result.case}/${variant}, ${runtime}`;
  return { label, value: `${formatNumber(median)} ${unit}`, median, min, max };
}

/** The metric by which a case is drawn. */
function chartedMetric(results: readonly Result[]): Metric | undefined {
  return CHARTED.find((metric) => results.some((result) => result.metric === metric));
}

/**
 * Makes one chart for each case. A result that a case was compared with stands in that case's chart too.
 *
 * @param results In the order in which they came.
 */
export function charts(results: readonly Result[]): Chart[] {
  const names = [...new Set(results.map((result) => result.case))];
  return names.flatMap((name) => {
    const own = results.filter((result) => result.case === name);
    const metric = chartedMetric(own);
    const charted = own.filter((result) => result.metric === metric);
    const unit = charted[0]?.unit;
    return unit === undefined
      ? []
      : [{ title: `${name}, ${metric}`, unit, bars: charted.map(barOf) }];
  });
}

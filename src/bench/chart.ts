/**
 * Results as bars: the median, and a line from the smallest to the largest run. Text in, text out, so that a page and a file
 * have the same charts.
 */
import type { Metric, Result } from "./bench_case.ts";
import { formatNumber } from "./report.ts";

/** Sizes of a chart, CSS pixels. */
const NAME_WIDTH = 330;
const BAR_WIDTH = 420;
const VALUE_WIDTH = 110;
const ROW_HEIGHT = 22;
const BAR_HEIGHT = 12;
const TOP = 30;

/** The metric that stands for a case, the first of these that it has. */
const CHARTED: readonly Metric[] = [
  "cpu_s_per_gb",
  "mb_per_s",
  "ops_per_cpu_s",
  "bytes_per_connection",
  "us_p50",
  "ns_per_op",
];

/** Makes text safe within markup. */
export function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function rowOf(result: Result, index: number, scale: number): string {
  const y = TOP + (index * ROW_HEIGHT);
  const middle = y + (BAR_HEIGHT / 2);
  const x = (value: number): string => (NAME_WIDTH + (Math.max(0, value) * scale)).toFixed(1);
  const width = (Math.max(0, result.median) * scale).toFixed(1);
  const name = escapeText(`${result.case}/${result.variant}, ${result.runtime}`);
  const value = `${formatNumber(result.median)} ${result.unit}`;
  return `<text x="${NAME_WIDTH - 8}" y="${middle + 4}" text-anchor="end">${name}</text>` +
    `<rect x="${NAME_WIDTH}" y="${y}" width="${width}" height="${BAR_HEIGHT}"></rect>` +
    `<line x1="${x(result.min)}" x2="${x(result.max)}" y1="${middle}" y2="${middle}"></line>` +
    `<text x="${NAME_WIDTH + BAR_WIDTH + 8}" y="${middle + 4}">${escapeText(value)}</text>`;
}

function chartOf(title: string, results: readonly Result[]): string {
  const most = Math.max(...results.map(({ max }) => max), Number.MIN_VALUE);
  const width = NAME_WIDTH + BAR_WIDTH + VALUE_WIDTH;
  const height = TOP + (results.length * ROW_HEIGHT);
  const rows = results.map((result, index) => rowOf(result, index, BAR_WIDTH / most));
  return `<svg class="chart" role="img" viewBox="0 0 ${width} ${height}" width="${width}">` +
    `<text class="title" x="0" y="16">${escapeText(title)}</text>${rows.join("")}</svg>`;
}

/** The metric by which a case is drawn. */
function chartedMetric(results: readonly Result[]): Metric | undefined {
  return CHARTED.find((metric) => results.some((result) => result.metric === metric));
}

/**
 * Draws one chart for each case. A result that a case was compared with stands in that case's chart too.
 *
 * @param results In the order in which they came.
 * @returns Markup.
 */
export function charts(results: readonly Result[]): string {
  const names = [...new Set(results.map((result) => result.case))];
  return names.map((name) => {
    const own = results.filter((result) => result.case === name);
    const metric = chartedMetric(own);
    if (metric === undefined) return "";
    return chartOf(`${name}, ${metric}`, own.filter((result) => result.metric === metric));
  }).join("\n");
}

/** Styles of the charts. */
export const CHART_STYLE: string = `.chart { display: block; max-width: 100%; margin: 1rem 0; }
.chart text { font: 12px system-ui, sans-serif; fill: currentColor; }
.chart .title { font-weight: 600; font-size: 14px; }
.chart rect { fill: #0b6e84; }
.chart line { stroke: currentColor; stroke-width: 1.5; }`;

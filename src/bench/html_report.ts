/** Results as one page without scripts: charts, and all numbers below. */
import type { Result } from "./bench_case.ts";
import { CHART_STYLE, charts, escapeText } from "./chart.ts";
import { formatNumber, type Origin } from "./report.ts";

const COLUMNS: readonly string[] = [
  "case",
  "variant",
  "runtime",
  "metric",
  "unit",
  "median",
  "min",
  "max",
  "runs",
  "compared with",
  "ratio",
  "note",
];

function cellsOf(result: Result): string[] {
  const { median, min, max, n, ratioTo, ratio, note, clock, runtime, runtimeVersion } = result;
  return [
    result.case,
    result.variant,
    `${runtime} ${runtimeVersion}`,
    clock === "wall" ? `${result.metric} (wall)` : result.metric,
    result.unit,
    ...[median, min, max].map(formatNumber),
    String(n),
    ratioTo ?? "",
    ratio === null ? "" : ratio.toFixed(2),
    note,
  ];
}

/** A table of all results, markup. */
export function resultTable(results: readonly Result[]): string {
  const row = (cells: readonly string[], tag: "td" | "th"): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join("")}</tr>`;
  const body = results.map((result) => row(cellsOf(result), "td")).join("\n");
  return `<table><thead>${row(COLUMNS, "th")}</thead><tbody>\n${body}\n</tbody></table>`;
}

/** The whole page. */
export function htmlReport(results: readonly Result[], { machine, commit }: Origin): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>tidewire: measured</title>
<style>
body { font: 14px system-ui, sans-serif; margin: 2rem; color-scheme: light dark; }
table { border-collapse: collapse; } td, th { padding: 2px 8px; text-align: left; }
${CHART_STYLE}
</style>
</head>
<body>
<h1>tidewire: measured</h1>
<p>${escapeText(machine)}; commit ${escapeText(commit)}</p>
${charts(results)}
${resultTable(results)}
</body>
</html>
`;
}

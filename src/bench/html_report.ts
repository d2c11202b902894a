/** Results as one file that needs no other and no network: charts, and all numbers below. */
import type { Result } from "./bench_case.ts";
import { charts } from "./chart.ts";
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

/** What draws the charts, as the build made it; it becomes part of the file. */
export interface ChartParts {
  readonly script: string;
  readonly style: string;
}

/** What a report may do: run what stands in it, and load nothing. */
const POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'";

/** Makes text safe within markup. */
function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** A value as JSON that can not end the element in which it stands. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

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
export function htmlReport(
  results: readonly Result[],
  { machine, commit }: Origin,
  { script, style }: ChartParts,
): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>tidewire: measured</title>
<style>
:root { color-scheme: light dark; }
body { font: 14px system-ui, sans-serif; margin: 2rem; }
#charts { max-width: 62rem; overflow-x: auto; } .uplot { margin-bottom: 2rem; }
table { border-collapse: collapse; } td, th { padding: 2px 8px; text-align: left; }
${style}
</style>
</head>
<body>
<h1>tidewire: measured</h1>
<p>${escapeText(machine)}; commit ${escapeText(commit)}</p>
<div id="charts"></div>
${resultTable(results)}
<script type="application/json" id="numbers">${scriptJson(charts(results))}</script>
<script type="module">
${script}
</script>
</body>
</html>
`;
}

/** Results as charts and as a page. */
import { describe, expect, test } from "vitest";
import type { Result } from "../../src/bench/bench_case.ts";
import { charts } from "../../src/bench/chart.ts";
import { htmlReport } from "../../src/bench/html_report.ts";
import { formatNumber } from "../../src/bench/report.ts";

const PARTS = { script: "draw();", style: ".chart { margin: 0; }" };

function result(given: Partial<Result>): Result {
  return {
    ...{ case: "bulk", variant: "clean", runtime: "node", metric: "cpu_s_per_gb", unit: "s/GB" },
    ...{ median: 0.3, min: 0.2, max: 0.4, n: 5, ratioTo: null, ratio: null, difference: null },
    ...{ clock: "cpu", runtimeVersion: "20", note: "" },
    ...given,
  };
}

describe("reports", () => {
  test("a case has one chart, by the metric that stands for it", () => {
    const made = charts([
      result({}),
      result({ metric: "gbit_per_core", unit: "Gbit/s", median: 26 }),
      result({ runtime: "deno", median: 0.35 }),
      result({ case: "churn", variant: "idle=0", metric: "ops_per_cpu_s", unit: "1/s" }),
      result({ case: "uncharted", metric: "bytes_per_s" as Result["metric"] }),
    ]);
    expect(made.map(({ title, unit }) => [title, unit])).toEqual([
      ["bulk, cpu_s_per_gb", "s/GB"],
      ["churn, ops_per_cpu_s", "1/s"],
    ]);
    expect(made[0]?.bars).toEqual([
      { label: "bulk/clean, node", value: "0.300 s/GB", median: 0.3, min: 0.2, max: 0.4 },
      { label: "bulk/clean, deno", value: "0.350 s/GB", median: 0.35, min: 0.2, max: 0.4 },
    ]);
  });

  test("nothing of a result is markup", () => {
    const bad = result({ variant: "<b>", note: '"&', unit: "</script>" as Result["unit"] });
    const page = htmlReport([bad], { machine: "a <machine>", commit: "abc" }, PARTS);
    expect(page).toContain("&lt;b&gt;");
    expect(page).toContain("&quot;&amp;");
    expect(page).toContain("a &lt;machine&gt;; commit abc");
    expect(page).not.toContain("<b>");
    expect(page.match(/<\/script>/g)).toHaveLength(2);
  });

  test("a report is one file: what draws is in it, and the numbers", () => {
    const page = htmlReport([result({})], { machine: "m", commit: "abc" }, PARTS);
    expect(page).toContain(PARTS.script);
    expect(page).toContain(PARTS.style);
    expect(page).not.toMatch(/\s(?:src|href)=|@import|url\(/);
    const numbers = /<script type="application\/json" id="numbers">(.*)<\/script>/.exec(page)?.[1];
    expect(JSON.parse(numbers ?? "")).toEqual(charts([result({})]));
  });

  test.each([[0.1234, "0.123"], [1.234, "1.23"], [12.34, "12.3"], [123.4, "123"], [
    1_234_567,
    "1,234,567",
  ]])("%d is written %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});

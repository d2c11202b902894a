/** Results as charts and as a page. */
import { describe, expect, test } from "vitest";
import type { Result } from "../../src/bench/bench_case.ts";
import { charts } from "../../src/bench/chart.ts";
import { htmlReport } from "../../src/bench/html_report.ts";
import { formatNumber } from "../../src/bench/report.ts";

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
    const markup = charts([
      result({}),
      result({ metric: "gbit_per_core", unit: "Gbit/s", median: 26 }),
      result({ runtime: "deno" }),
      result({ case: "churn", variant: "idle=0", metric: "ops_per_cpu_s" }),
    ]);
    expect(markup.match(/<svg/g)).toHaveLength(2);
    expect(markup.match(/<rect/g)).toHaveLength(3);
    expect(markup).toContain("bulk, cpu_s_per_gb");
    expect(markup).not.toContain("Gbit/s");
  });

  test("nothing of a result is markup", () => {
    const bad = result({ variant: "<b>", note: '"&' });
    const page = htmlReport([bad], { machine: "a <machine>", commit: "abc" });
    expect(page).toContain("&lt;b&gt;");
    expect(page).toContain("&quot;&amp;");
    expect(page).toContain("a &lt;machine&gt;; commit abc");
    expect(page).not.toContain("<b>");
  });

  test.each([[0.1234, "0.123"], [1.234, "1.23"], [12.34, "12.3"], [123.4, "123"], [
    1_234_567,
    "1,234,567",
  ]])("%d is written %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});

/** The table that the stack is held to: what passes, what fails, what was not measured. */
import { describe, expect, test } from "vitest";
import type { Metric, Result } from "../../src/bench/bench_case.ts";
import { CHECKS, judge, TABLE_RUNS, tableNeeds, tableText } from "../../src/bench/table.ts";

/** A result of which the table looks at these. */
function result(of: string, metric: Metric, given: Partial<Result>): Result {
  const at = of.indexOf("/");
  return {
    ...{ case: of.slice(0, at), variant: of.slice(at + 1), runtime: "deno", metric, unit: "" },
    ...{ median: 1, min: 1, max: 1, n: 5, ratioTo: null, ratio: null, difference: null },
    ...{ clock: "cpu", runtimeVersion: "1", note: "" },
    ...given,
  };
}

function verdict(row: string, results: readonly Result[], runtime = "deno"): string {
  const line = judge(results).find((one) => one.row === row && one.runtime === runtime);
  return line?.verdict ?? "no such row";
}

describe("the table", () => {
  test("tells a must from an aim, and both from a failure", () => {
    const ratio = (value: number) =>
      result("bulk/clean", "gbit_per_core", { ratio: value, ratioTo: "pipeline/1460" });
    const row = "bulk clean against pipeline";
    expect(verdict(row, [ratio(0.49)])).toBe("fails");
    expect(verdict(row, [ratio(0.5)])).toBe("must");
    expect(verdict(row, [ratio(0.65)])).toBe("aim");
    expect(verdict(row, [])).toBe("not measured");
    expect(verdict(row, [{ ...ratio(0.1), runtime: "node" }], "node")).toBe("shown");
  });

  test("takes the run that was compared, where a case ran as a reference too", () => {
    const plain = result("bulk/clean", "cpu_s_per_gb", { median: 0.9 });
    const compared = { ...plain, median: 0.2, ratioTo: "pipeline/1460", ratio: 2 };
    expect(verdict("bulk clean", [plain, compared])).toBe("must");
    const streams = result("streams/byob", "cpu_s_per_gb", { difference: 0.2, ratioTo: "x" });
    expect(verdict("streams byob minus bulk, Deno", [streams])).toBe("fails");
  });

  test("of several kernels the worst counts, and all must have run", () => {
    const kernels = tableNeeds("deno").filter((id) => id.startsWith("kernels/"));
    expect(kernels).toHaveLength(8);
    const ratio = (of: string, value: number) =>
      result(of, "ops_per_cpu_s", { ratio: value, ratioTo: "x" });
    const row = "kernels of 1 KiB and more against the fastest JS twin, the worst of them";
    const all = kernels.map((of, i) => ratio(of, i + 3));
    expect(verdict(row, all)).toBe("must");
    expect(verdict(row, all.with(7, ratio(kernels[7] ?? "", 1.9)))).toBe("fails");
    expect(verdict(row, all.slice(1))).toBe("not measured");
  });

  test("needs what it looks at, and prints a line for each", () => {
    expect(tableNeeds("node")).toContain("churn/idle=1000000");
    expect(tableNeeds("chromium")).toEqual(["tunnel/down", "tunnel/up"]);
    const lines = judge([]);
    expect(new Set(lines.map(({ row }) => row))).toEqual(new Set(CHECKS.map(({ row }) => row)));
    expect(lines.every(({ runtime }) => TABLE_RUNS.includes(runtime))).toBe(true);
    const text = tableText(lines).split("\n");
    expect(text).toHaveLength(lines.length + 2);
    expect(new Set(text.map((line) => line.length)).size).toBe(1);
  });
});

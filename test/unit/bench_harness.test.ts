/** The benchmark's harness: order, medians, ratios by pairs. */
import { describe, expect, test } from "vitest";
import {
  type BenchCase,
  type Contestant,
  type Environment,
  type Result,
  Unavailable,
} from "../../src/bench/bench_case.ts";
import { groupsOf, runSelection } from "../../src/bench/harness.ts";
import { compareByPairs, median, quantile } from "../../src/bench/statistics.ts";
import { tinyEnvironment } from "./bench_environment.ts";

/** A contestant with given figures, the first of them its warm-up; it writes down when it runs. */
function scripted(name: string, values: readonly number[], log: string[]): Contestant {
  let run = 0;
  return {
    check: () => void log.push(`check ${name}`),
    sample: () => {
      log.push(name);
      return { cpu_s_per_gb: values[run++] ?? NaN };
    },
    close: () => void log.push(`close ${name}`),
  };
}

/** Two cases of which one is compared with the other. */
function suiteOf(log: string[]): BenchCase[] {
  const one = {
    name: "one",
    prepare: () => scripted("A", [99, 1, 2, 10], log),
  };
  const other = {
    name: "other",
    against: ["first/one"],
    prepare: () => scripted("B", [99, 2, 3, 40], log),
  };
  return [
    { name: "first", about: "", variants: [one] },
    { name: "second", about: "", variants: [other] },
  ];
}

async function resultsOf(
  suite: readonly BenchCase[],
  cases: readonly string[],
  environment: Environment = tinyEnvironment(),
): Promise<Result[]> {
  const results: Result[] = [];
  await runSelection(suite, { cases, repeat: 3 }, environment, (result) => {
    results.push(result);
  });
  return results;
}

describe("statistics", () => {
  test("the median is the middle, or the mean of the middle two", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(() => median([])).toThrow("median of nothing");
  });

  test("a quantile is one of the values", () => {
    expect(quantile([5, 1, 4, 2, 3], 0.5)).toBe(3);
    expect(quantile([1, 2, 3], 0.99)).toBe(3);
  });

  test("ratios are taken by pairs and not of the medians", () => {
    // The medians alone would say 3 / 2.
    expect(compareByPairs([2, 3, 40], [1, 2, 10])).toEqual({ ratio: 2, difference: 1 });
    expect(() => compareByPairs([1], [1, 2])).toThrow("1 runs with 2");
  });
});

describe("the harness", () => {
  test("checks and warms up, then runs what is compared in turn", async () => {
    const log: string[] = [];
    const [, second] = await resultsOf(suiteOf(log), ["second"]);
    const expected = ["check A", "A", "check B", "B", "A", "B", "A", "B", "A", "B"];
    expect(log).toEqual([...expected, "close A", "close B"]);
    expect(second).toMatchObject({ case: "second", median: 3, min: 2, max: 40, n: 3 });
    expect(second).toMatchObject({ ratioTo: "first/one", ratio: 2, difference: 1 });
  });

  test("warms up as often as the contestant says", async () => {
    const log: string[] = [];
    const figures = [99, 98, 97, 1, 2, 3];
    const suite = [{
      name: "first",
      about: "",
      variants: [{ name: "one", prepare: () => ({ ...scripted("A", figures, log), warmUps: 3 }) }],
    }];
    const [result] = await resultsOf(suite, ["first"]);
    expect(log).toEqual(["check A", "A", "A", "A", "A", "A", "A", "close A"]);
    expect([result?.min, result?.max, result?.n]).toEqual([1, 3, 3]);
  });

  test("of several it compares with the fastest", async () => {
    const log: string[] = [];
    const [first, second] = suiteOf(log);
    const slow = { name: "slow", prepare: () => scripted("C", [99, 90, 91, 92], log) };
    const both = { ...second?.variants[0], against: ["first/slow", "first/one"] } as const;
    const suite: BenchCase[] = [
      { name: "first", about: "", variants: [...first?.variants ?? [], slow] },
      { name: "second", about: "", variants: [{ name: "x", prepare: slow.prepare, ...both }] },
    ];
    const results = await resultsOf(suite, ["second"]);
    expect(results.at(-1)?.ratioTo).toBe("first/one");
  });

  test("what can not run is said, and the others run", async () => {
    const lines: string[] = [];
    const suite = suiteOf([]);
    const absent = {
      name: "absent",
      prepare: (): Contestant => {
        throw new Unavailable("there is no cable");
      },
    };
    suite.push({ name: "third", about: "", variants: [absent] });
    const environment = tinyEnvironment((line) => lines.push(line));
    const results = await resultsOf(suite, ["first", "third"], environment);
    expect(results.map((result) => result.case)).toEqual(["first"]);
    expect(lines).toEqual(["third/absent: there is no cable"]);
  });

  test("what does not exist is refused with what does", () => {
    const suite = suiteOf([]);
    expect(() => groupsOf(suite, { cases: ["third"], repeat: 1 }, "node")).toThrow(
      'Cannot run the case "third": there are first, second',
    );
    expect(() => groupsOf(suite, { cases: ["first"], variants: ["two"], repeat: 1 }, "node"))
      .toThrow(
        'Cannot run "two" of first: it has one',
      );
  });
});

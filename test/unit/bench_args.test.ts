/** The benchmark's command line: what it reads, and what it answers to mistakes. */
import { describe, expect, test } from "vitest";
import { helpText, readBenchArgs, RUNTIMES } from "../../src/bench/bench_args.ts";

const KNOWN = new Map([["bulk", ["clean", "loss1"]], ["churn", ["idle=0"]]]);

function read(...args: string[]) {
  return readBenchArgs(args, KNOWN);
}

describe("the benchmark's command line", () => {
  test("chooses cases, variants and runtimes", () => {
    expect(read()).toMatchObject({ cases: [], runtimes: [], repeat: 5, size: 1, json: false });
    expect(read("bulk/clean", "churn", "--runtime", "bun,node", "--json", "--repeat", "7"))
      .toMatchObject({
        cases: ["bulk/clean", "churn"],
        runtimes: ["node", "bun"],
        json: true,
        repeat: 7,
      });
    expect(read("--runtime", "all").runtimes).toEqual(RUNTIMES);
  });

  test.each([
    [["bluk"], 'Cannot run the case "bluk": there is none of that name; take bulk, churn'],
    [["bulk/dirty"], 'Cannot run "bulk/dirty": bulk has no such variant; take clean, loss1'],
    [["--runtime", "lynx"], 'Cannot run in "lynx": there is no such runtime; take node, deno'],
    [["--repeat", "0"], 'Cannot use "0" for --repeat: expected a whole number of 1 to 1000'],
    [["--repeat", "2.5"], 'Cannot use "2.5" for --repeat'],
    [["--size", "huge"], 'Cannot use "huge" for --size: expected a number of'],
    [["--fast"], "--fast"],
  ])("says what is wrong with %j", (args, message) => {
    expect(() => read(...args)).toThrow(message);
  });

  test("names every case in its help", () => {
    const text = helpText([["bulk", "one connection"], ["churn", "many"]]);
    expect(text).toMatch(/\n {2}bulk {3}one connection\n {2}churn {2}many\n/);
  });
});

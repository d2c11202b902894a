/** The benchmark's bundle in each runtime: the same cases, and results line by line. No figure is looked at. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Said } from "../../src/bench/cases.ts";
import { runInRuntime } from "../../src/bench/run_process.ts";
import { inRoot, run, scriptCommand } from "../../src/dev/common.mjs";
import { testInRuntimes } from "./in_runtimes.ts";
import { runtimes } from "./runtimes.ts";

const BUNDLE = inRoot("dist", "bench", "cases.mjs");

/** So small that it takes no time. */
const SIZE = 0.0005;

async function saidBy(command: readonly string[], cases: readonly string[]): Promise<Said[]> {
  const said: Said[] = [];
  await runInRuntime(BUNDLE, { cases, repeat: 1, size: SIZE }, {
    command,
    onSaid: (one) => void said.push(one),
    onProgress: () => {},
  });
  return said;
}

describe("the benchmark", () => {
  beforeAll(async () => {
    const { code } = await run(scriptCommand("src/dev/build.mjs", []), { stdout: "stderr" });
    expect(code).toBe(0);
  });

  testInRuntimes("runs in", async ({ name, command }) => {
    const cases = ["pipeline", "bulk", "streams", "latency", "udp", "tap"];
    const said = await saidBy(command, cases);
    const results = said.flatMap((one) => "result" in one ? [one.result] : []);
    expect(new Set(results.map((one) => one.case))).toEqual(new Set(cases.slice(0, -1)));
    for (const result of results) {
      expect(result).toMatchObject({ runtime: name, clock: "cpu" });
      expect(result.median, JSON.stringify(result)).toBeGreaterThan(0);
    }
    const others = said.flatMap((one) => "missing" in one ? [one.missing] : []);
    expect(others).toHaveLength(2);
    expect(others[0]).toMatch(/^tap\/plain: Cannot run without TAPs/);
  });

  test("says what went wrong in a runtime", async () => {
    const [node] = runtimes();
    await expect(saidBy(node?.command ?? [], ["nothing"])).rejects.toThrow(
      /Cannot measure nothing: .* ended with 1[^]*Cannot run the case "nothing": there are/,
    );
  });
});

/** Each case of the benchmark, so small that only its figures' sanity can be told: nothing here asserts a time. */
import { describe, expect, test } from "vitest";
import type { BenchCase, Result } from "../../src/bench/bench_case.ts";
import { runSelection } from "../../src/bench/harness.ts";
import {
  ACCEPTANCE_TWINS,
  AFTER_TWINS,
  CHECKSUM_TWINS,
  REASSEMBLY_TWINS,
  spansOf,
} from "../../src/bench/js_twins.ts";
import { SUITE } from "../../src/bench/suite.ts";
import { assertSame, seededBytes } from "../../src/bench/payload.ts";
import { jsonLine, textLine } from "../../src/bench/report.ts";
import { bytesOf, loadKernels } from "../kernels.ts";
import { tinyEnvironment } from "./bench_environment.ts";

/** Fields of a line of `--json` that the form promises, in its order. */
const FIELDS = "case,variant,runtime,metric,unit,median,min,max,n,ratioTo,ratio".split(",");

async function run(bench: BenchCase, variants?: readonly string[]): Promise<Result[]> {
  const results: Result[] = [];
  const missing: string[] = [];
  const chosen = variants === undefined ? {} : { variants };
  const selection = { cases: [bench.name], repeat: 2, ...chosen };
  const environment = tinyEnvironment((line) => missing.push(line));
  await runSelection(SUITE, selection, environment, (result) => void results.push(result));
  if (missing.length === 0) expect(results.length).toBeGreaterThan(0);
  return results;
}

/** Variants that are enough to see that a case works. */
const FEW: Readonly<Record<string, readonly string[]>> = {
  kernels: ["checksum 1024", "copy+checksum 20", "sequence compare", "acceptance", "reassembly 64"],
};

describe("the cases of the benchmark", () => {
  test.each(SUITE.map((bench) => [bench.name, bench] as const))(
    "%s measures and finds its bytes again",
    async (name, bench) => {
      for (const result of await run(bench, FEW[name])) {
        expect(result.n).toBe(2);
        // So few connections are less than what the process gives back meanwhile.
        const least = result.metric === "bytes_per_connection" ? -Infinity : 0;
        expect(result.median, JSON.stringify(result)).toBeGreaterThan(least);
        expect(result.min).toBeLessThanOrEqual(result.median);
        expect(result.max).toBeGreaterThanOrEqual(result.median);
        if (result.ratioTo !== null) expect(result.ratio).toBeGreaterThan(0);
      }
    },
  );

  test("a line of --json has the fields that are promised, and where it was measured", async () => {
    const [pipeline] = SUITE.filter(({ name }) => name === "pipeline");
    const [result] = pipeline === undefined ? [] : await run(pipeline);
    if (result === undefined) throw new Error("The pipeline gave no result");
    const line = JSON.parse(jsonLine(result, { machine: "a machine", commit: "abc" }));
    expect(Object.keys(line).slice(0, FIELDS.length)).toEqual(FIELDS);
    expect(line).toMatchObject({ runtime: "node", machine: "a machine", commit: "abc" });
    expect(line.runtimeVersion).toBe(process.versions.node);
    expect(textLine(result)).toMatch(/^pipeline\/1460 +node +cpu_s_per_gb/);
  });

  test("payload that is not the same is not counted", async () => {
    const bytes = seededBytes(1000);
    await assertSame("it", bytes, seededBytes(1000));
    await expect(assertSame("it", bytes, seededBytes(1000, 2))).rejects.toThrow("Cannot count it");
  });
});

describe("the twins in JavaScript have the results of the kernels", () => {
  const kernels = loadKernels();
  const at = kernels.scratch();

  test.each([4, 20, 64, 1460, 65_536])("checksums of %i bytes", (bytes) => {
    const text = seededBytes(bytes);
    bytesOf(kernels).set(text, at);
    const right = kernels.sum(at, bytes, 0);
    for (const twin of CHECKSUM_TWINS) {
      const spans = spansOf(2 * 65_536);
      spans.bytes.set(text);
      expect(twin.sum(spans, 0, bytes), twin.name).toBe(right);
      expect(twin.copySum(spans, 65_536, 0, bytes), twin.name).toBe(right);
      expect(spans.bytes.subarray(65_536, 65_536 + bytes), twin.name).toEqual(text);
    }
  });

  test("comparisons and acceptance", () => {
    const seqs = [0, 1, 1448, 0x7fff_ffff, 0x8000_0001, 0xffff_0000, 0xffff_ffff];
    for (const a of seqs) {
      for (const b of seqs) {
        for (const { name, after } of AFTER_TWINS) {
          expect(Number(after(a, b)), `${name} ${a} ${b}`).toBe(kernels.after(a, b));
        }
        for (const window of [0, 1, 1448, 65_535]) {
          for (const length of [0, 1, 1448]) {
            const right = kernels.isAcceptable(a, length, b, window);
            for (const { name, isAcceptable } of ACCEPTANCE_TWINS) {
              const own = Number(isAcceptable(a, length, b, window));
              expect(own, `${name} ${a} ${length} ${b} ${window}`).toBe(right);
            }
          }
        }
      }
    }
  });

  test("reassembly of texts in any order", () => {
    const text = seededBytes(800);
    for (const { name, make } of REASSEMBLY_TWINS) {
      const ring = new Uint8Array(1024);
      const stream = make(ring);
      for (const index of [1, 3, 7, 5, 0, 2, 6]) {
        stream.place(index * 100, text.subarray(index * 100, (index + 1) * 100));
      }
      expect(stream.place(400, text.subarray(400, 500)), name).toBe(800);
      expect(ring.subarray(0, 800), name).toEqual(text);
    }
  });
});

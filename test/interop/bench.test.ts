/** The benchmark's cases that need a kernel beside them, so small that only their bytes can be told, by SHA-256. */
import process from "node:process";
import { beforeAll, describe, expect, it } from "vitest";
import type { Result } from "../../src/bench/bench_case.ts";
import type { Said } from "../../src/bench/cases.ts";
import { openSetting } from "../../src/bench/network_setting.ts";
import { runInRuntime } from "../../src/bench/run_process.ts";
import type { SettingName } from "../../src/bench/setting.ts";
import { inRoot } from "../../src/dev/common.mjs";
import { runtimes } from "../runtimes/runtimes.ts";
import { whatIsMissing } from "./namespace.ts";
import { buildProduct } from "./tab.ts";

const SIZE = 0.005;

const missing = whatIsMissing();

/** Runs a case in the first runtime of the list. */
async function resultsOf(name: SettingName): Promise<Result[]> {
  const command = runtimes().find((one) => one.missing === null)?.command ?? [];
  const dist = inRoot("dist");
  const parts = { dist, command, kernelCommand: command, origins: [] };
  const { setting, within, close } = await openSetting(name, parts);
  const said: Said[] = [];
  try {
    const request = { cases: [name], repeat: 1, size: SIZE, setting };
    await runInRuntime(`${dist}/bench/cases.mjs`, request, {
      command: [...within, ...command],
      onSaid: (one) => void said.push(one),
      onProgress: () => {},
    });
  } finally {
    await close();
  }
  return said.map((one) => "result" in one ? one.result : expect.fail(one.missing));
}

describe.skipIf(missing !== null)("the benchmark against the kernel", () => {
  beforeAll(buildProduct);

  it("moves bytes over a TAP with virtio-net headers and without", async () => {
    const results = await resultsOf("tap");
    expect(new Set(results.map(({ variant }) => variant))).toEqual(new Set(["plain", "vnet"]));
    for (const { median } of results) expect(median).toBeGreaterThan(0);
  });

  it("moves bytes through the tunnel, the plain pipe and a WebSocket alone", async () => {
    const results = await resultsOf("tunnel");
    const ways = ["down", "up", "latency"];
    const variants = ways.flatMap((way) => [`pipe ${way}`, `raw ${way}`, way]);
    expect(new Set(results.map(({ variant }) => variant))).toEqual(new Set(variants));
    expect(results.find(({ variant }) => variant === "up")?.ratioTo).toBe("tunnel/pipe up");
    for (const { median } of results) expect(median).toBeGreaterThan(0);
  });
});

if (missing !== null) {
  it("says why the benchmark's network is not tested here", () => {
    process.stdout.write(`The benchmark's network is not tested: ${missing}\n`);
    expect(process.env["CI"], missing).toBeUndefined();
  });
}

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HashReport } from "../sim/hashes_entry.ts";
import { chromiumPath, startBrowser } from "./browser.ts";
import { runtimes } from "./runtimes.ts";

const run = promisify(execFile);
/** The named seeds: few and many connections, each fault alone and all together. */
const SEEDS = [3, 7, 14, 42, 57, 88, 105, 120, 142, 199];
/** Steps between two hashes. */
const HASH_EVERY = 100;
/** The hashes of a run are some hundred lines. */
const OUTPUT_MAX_BYTES = 1 << 26;

let folder = "";
let bundle = "";
const reports = new Map<string, HashReport>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tidewire-hashes-"));
  bundle = join(folder, "hashes.mjs");
  const entry = "test/sim/hashes_entry.ts";
  await build({
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    outfile: bundle,
    logLevel: "error",
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the same seed is the same memory, byte for byte", () => {
  for (const { name, command, missing } of runtimes()) {
    test(`in ${name}`, async () => {
      if (missing !== null) {
        process.stdout.write(`${name} is not tested: ${missing}\n`);
        expect(process.env["CI"], missing).toBeUndefined();
        return;
      }
      const [program = "", ...before] = command;
      const args = [...before, bundle, JSON.stringify(SEEDS), String(HASH_EVERY)];
      const { stdout } = await run(program, args, { maxBuffer: OUTPUT_MAX_BYTES });
      const report = JSON.parse(stdout) as HashReport;
      expect(report.runtime).toBe(name);
      reports.set(name, report);
    });
  }

  test("in Chromium", async () => {
    if (chromiumPath() === null) {
      process.stdout.write(
        "Chromium is not tested: there is none; `npm run setup -- --tests` as root brings it\n",
      );
      expect(process.env["CI"]).toBeUndefined();
      return;
    }
    await using browser = await startBrowser();
    const page = await browser.context.newPage();
    await page.addScriptTag({ type: "module", content: readFileSync(bundle, "utf8") });
    await page.waitForFunction("globalThis.tidewireHashes !== undefined");
    const call = `globalThis.tidewireHashes(${JSON.stringify(SEEDS)}, ${HASH_EVERY})`;
    const report = await page.evaluate(call) as HashReport;
    expect(report.runtime).toBe("browser");
    reports.set("browser", report);
  });

  test("and equal among them, at the end and every 100 steps", () => {
    const [first, ...others] = [...reports.values()];
    // Each runs without super-segments and with.
    const seeds = SEEDS.flatMap((seed) => [seed, seed]);
    expect(first?.outcomes.map(({ seed }) => seed)).toEqual(seeds);
    for (const { seed, steps, hashes } of first?.outcomes ?? []) {
      expect(hashes.length, `seed ${seed}`).toBe(Math.floor(steps / HASH_EVERY) + 1);
    }
    expect(others.length).toBeGreaterThanOrEqual(process.env["CI"] === undefined ? 1 : 3);
    for (const { runtime, outcomes } of others) expect(outcomes, runtime).toEqual(first?.outcomes);
  });
});

/** The same cases over the real Deno and over ours: in Deno both, elsewhere ours alone. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DENO_CASES } from "../conformance/deno_cases.ts";
import { chromiumPath, startBrowser } from "./browser.ts";
import type { DenoReport, DenoReports } from "./deno_entry.ts";
import { runtimes } from "./runtimes.ts";

const run = promisify(execFile);

let folder = "";
let bundle = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tidewire-deno-"));
  bundle = join(folder, "deno_entry.mjs");
  await build({
    entryPoints: ["test/runtimes/deno_entry.ts"],
    bundle: true,
    format: "esm",
    target: "es2022",
    external: ["ws", "koffi", "node:*"],
    outfile: bundle,
    logLevel: "error",
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A page's `Response` drops what pages may not set: there servers set no cookies. */
const NOT_IN_PAGES: readonly string[] = ["serve: Set-Cookie goes as often as it is set"];

function expectAll(report: DenoReport | null, without: readonly string[] = []): void {
  const { failed = {}, passed } = report ?? {};
  expect(failed).toEqual(Object.fromEntries(without.map((name) => [name, failed[name]])));
  expect(passed).toEqual(Object.keys(DENO_CASES).filter((name) => !without.includes(name)));
}

describe("programs written for Deno find the same", () => {
  for (const { name, command, missing } of runtimes()) {
    test(`in ${name}`, async () => {
      if (missing !== null) {
        process.stdout.write(`${name} is not tested: ${missing}\n`);
        expect(process.env["CI"], missing).toBeUndefined();
        return;
      }
      // Datagrams are behind a flag there.
      const flags = name === "deno" ? ["--unstable-net"] : [];
      const [program = "", ...before] = [...command, ...flags];
      const { stdout } = await run(program, [...before, bundle]);
      const reports = JSON.parse(stdout) as DenoReports;
      expectAll(reports.ours);
      if (name === "deno") expectAll(reports.real);
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
    await page.waitForFunction("globalThis.tidewireDeno !== undefined", null, { timeout: 60_000 });
    expectAll((await page.evaluate("globalThis.tidewireDeno") as DenoReports).ours, NOT_IN_PAGES);
  });
});

/** The faces in each runtime; the cases of Deno over the real one too, where there is one. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DENO_CASES } from "../conformance/deno_cases.ts";
import { FACE_CASES } from "../conformance/face_cases.ts";
import { chromiumPath, startBrowser } from "./browser.ts";
import type { FaceReport, FaceReports } from "./face_entry.ts";
import { runtimes } from "./runtimes.ts";

const run = promisify(execFile);

let folder = "";
let bundle = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tidewire-faces-"));
  bundle = join(folder, "face_entry.mjs");
  await build({
    entryPoints: ["test/runtimes/face_entry.ts"],
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

function expectAll(
  report: FaceReport | null,
  cases: Readonly<Record<string, unknown>>,
  without: readonly string[] = [],
): void {
  const { failed = {}, passed } = report ?? {};
  expect(failed).toEqual(Object.fromEntries(without.map((name) => [name, failed[name]])));
  expect(passed).toEqual(Object.keys(cases).filter((name) => !without.includes(name)));
}

describe("faces do as they should", () => {
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
      const reports = JSON.parse(stdout) as FaceReports;
      expectAll(reports.ours, DENO_CASES);
      expectAll(reports.others, FACE_CASES);
      if (name === "deno") expectAll(reports.real, DENO_CASES);
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
    await page.waitForFunction("globalThis.tidewireFaces !== undefined", null, { timeout: 60_000 });
    const reports = await page.evaluate("globalThis.tidewireFaces") as FaceReports;
    expectAll(reports.ours, DENO_CASES, NOT_IN_PAGES);
    expectAll(reports.others, FACE_CASES);
  });
});

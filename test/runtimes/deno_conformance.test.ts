/** The same cases over the real Deno and over ours: in Deno both, in Node and Bun ours alone. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DENO_CASES } from "../conformance/deno_cases.ts";
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

function expectAll(report: DenoReport | null): void {
  expect(report?.failed).toEqual({});
  expect(report?.passed).toEqual(Object.keys(DENO_CASES));
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
});

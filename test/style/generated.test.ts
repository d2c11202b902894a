import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { findStale } from "../../src/dev/gen.mjs";
import { readOne, ROOT } from "./source_files.ts";

function runScript(script: string, args: readonly string[]): { code: number; log: string } {
  const runtime = "deno" in process.versions ? ["run", "-A"] : [];
  const result = spawnSync(process.execPath, [...runtime, join(ROOT, script), ...args], {
    cwd: ROOT,
    encoding: "utf8",
  });
  return { code: result.status ?? 1, log: result.stderr };
}

describe("generated files", () => {
  test("they are what the generator writes", () => {
    if (readOne("src/layout/generate.ts") === undefined) return; // The tree is still growing.
    const { code, log } = runScript("src/dev/gen.mjs", ["--check"]);
    expect(log).toBe("");
    expect(code).toBe(0);
  });

  test("a stale one is named, when it differs or is missing", () => {
    const files = [{ path: "a", text: "1" }, { path: "b", text: "2" }, { path: "c", text: "3" }];
    const read = (path: string): string | undefined => new Map([["a", "1"], ["b", "0"]]).get(path);
    expect(findStale(files, read)).toEqual(files.filter(({ path }) => path !== "a"));
  });
});

import { spawnSync } from "node:child_process";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { denoPath, inRoot } from "../../src/dev/common.mjs";
import { ENTRIES } from "../../src/dev/entries.mjs";

const deno = denoPath();
const sources: readonly string[] = Object.values<string>(ENTRIES);

/** @returns The lines of Deno's complaints. */
function complaints(args: readonly string[]): string[] {
  const { stderr } = spawnSync(deno ?? "deno", args, {
    cwd: inRoot(),
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return stderr.split("\n").filter((line) =>
    /^(error|warning)|-->|missing|private-type/.test(line)
  );
}

describe.skipIf(deno === undefined)("documentation", () => {
  test("everything that is exported is documented, and names nothing that is not", () => {
    expect(complaints(["doc", "--lint", ...sources])).toEqual([]);
  });

  test("a name without documentation is found, when a file exports it", () => {
    expect(complaints(["doc", "--lint", "test/style/source_files.ts"])).not.toEqual([]);
  });
});

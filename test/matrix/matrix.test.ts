/** Every row in every column and every runtime; `docs/sockets.md` is what came out. */
import process from "node:process";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { inRoot, replaceFile } from "../../src/dev/common.mjs";
import { chromiumPath } from "../runtimes/browser.ts";
import { runtimes } from "../runtimes/runtimes.ts";
import { OUR_COLUMNS, pageOf, problems } from "./page.ts";
import type { Outcomes } from "./program.ts";
import { ROWS } from "./rows.ts";
import { firefoxPath, runInChromium, runInFirefox, runInProgram, saveOutcomes } from "./runs.ts";

const PAGE = inRoot("docs", "sockets.md");

/** All runtimes one after the other, ms. */
const ALL_MS = 500_000;

/** Set to write the page instead of comparing it. */
const IS_WRITING = process.env["TIDEWIRE_WRITE"] === "1";

describe("the socket matrix", () => {
  const runs = new Map<string, Outcomes>();
  const absent: string[] = [];

  beforeAll(async () => {
    for (const runtime of runtimes()) {
      if (runtime.missing === null) runs.set(runtime.name, await runInProgram(runtime));
      else absent.push(runtime.missing);
    }
    if (chromiumPath() === null) absent.push("no Chromium");
    else runs.set("Chromium", await runInChromium());
    if (firefoxPath() === undefined) absent.push("no Firefox");
    else runs.set("Firefox", await runInFirefox());
    saveOutcomes(runs);
  }, ALL_MS);

  test("it has the rows that were promised, each once", () => {
    const names = ROWS.map(({ name }) => name);
    expect(names.length).toBeGreaterThanOrEqual(60);
    expect(new Set(names).size).toBe(names.length);
  });

  test("every cell of a face of ours is as expected, in every runtime", () => {
    expect(problems(runs)).toEqual([]);
    for (const outcomes of runs.values()) {
      for (const column of OUR_COLUMNS) {
        expect(Object.keys(outcomes[column] ?? {}).length).toBe(ROWS.length);
      }
    }
  });

  test("docs/sockets.md is what came out", () => {
    if (absent.length > 0) {
      process.stdout.write(`The page is not compared: ${absent.join(", ")}\n`);
      expect(process.env["CI"], absent.join(", ")).toBeUndefined();
      return;
    }
    const page = pageOf(runs);
    if (IS_WRITING) replaceFile(PAGE, page);
    expect(readFileSync(PAGE, "utf8"), "run it with TIDEWIRE_WRITE=1 to write the page").toBe(page);
  });

  test("a cell that is not as expected is told", () => {
    const [row] = ROWS;
    const wrong: Outcomes = { tidewire: { [row?.name ?? ""]: "something else" } };
    expect(problems(new Map([["node", wrong]]))).toHaveLength(1);
  });
});

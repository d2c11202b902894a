/** The checkers are checked: faults are planted in the core one at a time, and each is found by what is named beside it. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { buildFaultyCore, type FaultyCore } from "./build.ts";
import { type Finder, finderName } from "./fault.ts";
import { FAULTS } from "./faults.ts";
import { complaint } from "./finders.ts";

let core: FaultyCore;

beforeAll(async () => {
  core = await buildFaultyCore();
});

/** Rows of the table in README.md. */
function rowsOfReadme(): string[] {
  const text = readFileSync(new URL("README.md", import.meta.url), "utf8");
  return text.split("\n").filter((line) => line.startsWith("| ")).slice(1);
}

test("each fault has a name of its own, and somebody who finds it", () => {
  expect(new Set(FAULTS.map(({ name }) => name)).size).toBe(FAULTS.length);
  expect(FAULTS.filter(({ finders }) => finders.length === 0)).toEqual([]);
  expect(FAULTS.length).toBeGreaterThanOrEqual(25);
});

test("README.md says of each who finds it", () => {
  const rows = FAULTS.map(({ name, what, finders }) =>
    `| ${name} | ${what} | ${finders.map(finderName).join("; ")} |`
  );
  expect(rowsOfReadme()).toEqual(rows);
});

test("without a fault nobody finds anything", async () => {
  const finders = new Map<string, Finder>();
  for (const one of FAULTS.flatMap((fault) => fault.finders)) finders.set(finderName(one), one);
  const sound = core(null);
  const found: string[] = [];
  for (const [name, finder] of finders) {
    const wrong = await complaint(finder, sound);
    if (wrong !== null) found.push(`${name}: ${wrong}`);
  }
  expect(found).toEqual([]);
});

describe("a planted fault is found", () => {
  for (const fault of FAULTS) {
    test(`${fault.name}: ${fault.finders.map(({ by }) => by).join(", ")}`, async () => {
      const faulty = core(fault);
      for (const finder of fault.finders) {
        expect(await complaint(finder, faulty), finderName(finder)).not.toBeNull();
      }
    });
  }
});

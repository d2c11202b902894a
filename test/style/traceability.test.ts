import { describe, expect, test } from "vitest";
import { occurrences, readOne, readSources, type Source } from "./source_files.ts";

/** RFC 9293 numbers its requirements; code that obeys one names it. */
const REQUIREMENT = /\b(?:MUST|SHLD|MAY|REC)-\d+\b/g;

const TABLE = "docs/rfc.md";

/** Requirements that the code cites and the table does not have. */
function untraced(sources: readonly Source[], table: string): string[] {
  const known = new Set(table.match(REQUIREMENT) ?? []);
  return sources
    .flatMap((source) => occurrences(source, REQUIREMENT, false))
    .filter((place) => !known.has(place.slice(place.lastIndexOf(" ") + 1)));
}

/** Paths in backquotes that the table names and the tree does not have. */
function missingPaths(table: string, exists: (path: string) => boolean): string[] {
  const paths = table.match(/(?<=`)(?:as|src|test|web|docs)\/[\w./-]+\.\w+(?=`)/g) ?? [];
  return [...new Set(paths)].filter((path) => !exists(path));
}

const cited = [...readSources("as", /\.ts$/), ...readSources("src", /\.ts$/)];

describe("traceability", () => {
  test("every requirement that code cites stands in the table", () => {
    expect(untraced(cited, readOne(TABLE) ?? "")).toEqual([]);
  });

  test("a requirement is found, when the table does not have it", () => {
    const text = "// MUST-10 and SHLD-2\n/** MUST-1 */\n";
    expect(untraced([{ path: "as/a.ts", text }], "| MUST-1 | SHLD-20 |")).toEqual([
      "as/a.ts:1: MUST-10",
      "as/a.ts:1: SHLD-2",
    ]);
  });

  test("every path in the table exists", () => {
    expect(missingPaths(readOne(TABLE) ?? "", (path) => readOne(path) !== undefined)).toEqual([]);
  });

  test("a path is found, when nothing is there", () => {
    const table = "| `as/rx/ack.ts` | `test/unit/gone.test.ts` | as/prose.ts |";
    expect(missingPaths(table, (path) => path === "as/rx/ack.ts")).toEqual([
      "test/unit/gone.test.ts",
    ]);
  });
});

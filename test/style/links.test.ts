/** Pages lead to what is there: links to files of the repository, and files that are named between backticks. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSources, ROOT, type Source } from "./source_files.ts";

/** A link without a scheme, up to its fragment. */
const LINK = /\]\((?![a-z]+:|#)([^)#\s]+)(?:#[^)]*)?\)/g;

/** A file or folder of the repository, by its path from the top. */
const NAMED = /`((?:as|src|web|test|docs|\.ci)\/[\w./-]+)`/g;

/** What a page leads to and is not there, as `page: path`. */
function deadEnds({ path, text }: Source): string[] {
  const linked = [...text.matchAll(LINK)].map(([, to = ""]) => join(dirname(path), to));
  // A record of a decision names what was then, or will be.
  const isRecord = path.startsWith("docs/adr/");
  const named = isRecord ? [] : [...text.matchAll(NAMED)].map(([, to = ""]) => to);
  return [...linked, ...named].filter((to) => !existsSync(join(ROOT, to)))
    .map((to) => `${path}: ${to}`);
}

describe("links", () => {
  test("each leads to a file that is there", () => {
    const pages = readSources(".", /\.md$/);
    expect(pages.length).toBeGreaterThan(10);
    expect(pages.flatMap(deadEnds)).toEqual([]);
  });

  test("a dead one is found", () => {
    const text =
      "[a](no_such.md), [b](adr/no.md#top), `src/no_such.ts`, [c](https://host.example/)";
    expect(deadEnds({ path: "docs/page.md", text })).toEqual([
      "docs/page.md: docs/no_such.md",
      "docs/page.md: docs/adr/no.md",
      "docs/page.md: src/no_such.ts",
    ]);
  });
});

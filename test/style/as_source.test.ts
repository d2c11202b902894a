import { describe, expect, test } from "vitest";
import { isGenerated, occurrences, readSources, type Source } from "./source_files.ts";

/** A decorator with a function, a variable or an export of one behind it: the formatter deletes it without a word. */
const FREE_DECORATOR = /^@\w+(\([^)]*\))?\s+(export\s+)?(declare\s+)?(function|const|let|var)\b/gm;

const UNMANAGED = /@unmanaged\b/g;

const TYPE_IMPORT = /^\s*(import|export)\s+type\b/gm;

function decorated(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => occurrences(source, FREE_DECORATOR));
}

function unmanaged(sources: readonly Source[]): string[] {
  return sources.filter(({ path }) => !isGenerated(path))
    .flatMap((source) => occurrences(source, UNMANAGED));
}

function typeImports(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => occurrences(source, TYPE_IMPORT));
}

const core = readSources("as", /\.ts$/);

describe("source of the core", () => {
  test("no free function has a decorator", () => {
    expect(decorated(core)).toEqual([]);
  });

  test("a decorator is found, when it stands before a free function", () => {
    const text = "@inline\nfunction a(): void {}\n@inline export function b(): void {}\n" +
      '@external("env", "c")\ndeclare function c(): void;\n// @inline function d\n@lazy const e = 1;\n';
    expect(decorated([{ path: "as/a.ts", text }])).toHaveLength(4);
    expect(decorated([{ path: "as/a.ts", text: "@unmanaged\nclass A {}\n" }])).toEqual([]);
  });

  test("only generated mirrors are unmanaged", () => {
    expect(unmanaged(core)).toEqual([]);
  });

  test("an unmanaged class is found, when a person wrote it", () => {
    const text = "@unmanaged\nexport class A {}\n";
    expect(unmanaged([{ path: "as/a.ts", text }, { path: "as/layout.gen.ts", text }])).toHaveLength(
      1,
    );
  });

  test("no import is a type import, which asc does not know", () => {
    expect(typeImports(core)).toEqual([]);
  });

  test("a type import is found, when there is one", () => {
    const text = 'import type { A } from "./a";\n';
    expect(typeImports([{ path: "as/b.ts", text }])).toHaveLength(1);
  });
});

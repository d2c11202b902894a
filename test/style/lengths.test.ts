import { describe, expect, test } from "vitest";
import { allCode, functionsOf, isGenerated, type Source } from "./source_files.ts";

/** A file that is longer has two subjects. */
const MAX_FILE_LINES = 500;

/** A function fits a screen. */
const MAX_FUNCTION_LINES = 70;

function longFiles(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => !isGenerated(path))
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n").length }))
    .filter(({ lines }) => lines > MAX_FILE_LINES)
    .map(({ path, lines }) => `${path}: ${lines} lines`);
}

/** The callback of `describe` is a list of tests and not a function that is read at once. */
const LIST_OF_TESTS = /\bdescribe(\.\w+)*\(|\bsuite\(/;

function longFunctions(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => !isGenerated(path))
    .flatMap((source) =>
      functionsOf(source)
        .filter(({ lines, head }) => lines > MAX_FUNCTION_LINES && !LIST_OF_TESTS.test(head))
        .map(({ line, lines, head }) => `${source.path}:${line}: ${lines} lines: ${head}`)
    );
}

const LONG_BODY = "  work();\n".repeat(MAX_FUNCTION_LINES);

/** Functions as people write them; each has one line too many. */
const LONG_HEADS: readonly string[] = [
  "function a(b: number): void {",
  "const a = (b) => {",
  "class A {\n  private a<T>(b: T): Map<string, T> {",
  "export function a(): { b: number; c: string } {",
  "async a({ b, c }: D = {}): Promise<void> {",
  "function a(\n  b: u32,\n  c: u32,\n): bool {",
];

describe("lengths", () => {
  test("no file is longer than the limit", () => {
    expect(longFiles(allCode())).toEqual([]);
  });

  test("a long file is found, when it is not generated", () => {
    const text = "a;\n".repeat(MAX_FILE_LINES + 1);
    expect(longFiles([{ path: "as/a.ts", text }, { path: "as/a.gen.ts", text }])).toHaveLength(1);
  });

  test("no function is longer than the limit", () => {
    expect(longFunctions(allCode())).toEqual([]);
  });

  test.each(LONG_HEADS)("a long function is found, when it begins with %j", (head) => {
    expect(longFunctions([{ path: "src/a.ts", text: `${head}\n${LONG_BODY}}\n` }])).toHaveLength(1);
    const short = LONG_BODY.slice("  work();\n".length * 2);
    expect(longFunctions([{ path: "src/a.ts", text: `${head}\n${short}}\n` }])).toEqual([]);
  });

  test("braces in strings, templates and comments are not counted", () => {
    const text = `const a = () => {\n const s = "{"; const t = \`}\${f({ b: "}" })}{\`; // {\n` +
      ` const r = /[{"]/; /* { */\n};\n${LONG_BODY}if (a) {\n${LONG_BODY}}\n`;
    expect(longFunctions([{ path: "src/a.ts", text }])).toEqual([]);
  });
});

import { describe, expect, test } from "vitest";
import {
  codeSources,
  idsIn,
  namesIn,
  parseRequirements,
  renderTables,
  REPORT,
  requirementForm,
  REQUIREMENTS,
  STATUSES,
  testSources,
  trace,
  unproven,
  withTables,
} from "../../src/dev/requirements.mjs";
import { readOne, type Source } from "./source_files.ts";

/** A row of the table of requirements. */
interface Row {
  readonly id: string;
  readonly level: string;
  readonly rfc: string;
  readonly section: string;
  readonly what: string;
  readonly status: string;
  readonly where: readonly string[];
}

/** Source: RFC 9293 appendix B numbers its requirements without gaps. */
const MUSTS = 69;
const SHOULDS = 31;

const rows: readonly Row[] = parseRequirements(readOne(REQUIREMENTS) ?? "");
const traced = trace(rows, codeSources(), testSources());

/** A row of an example. */
function row(id: string, status = "done", where: readonly string[] = []): Row {
  return { id, level: "MUST", rfc: "9293", section: "3.4.1", what: "it", status, where };
}

/** Requirements that a text cites and no row has: `path: id`. */
function untraced(texts: readonly Source[], known: readonly Row[]): string[] {
  const ids = new Set(known.map(({ id }) => id));
  const isId = requirementForm(known);
  return texts.flatMap(({ path, text }) =>
    idsIn(text, isId).filter((id: string) => !ids.has(id)).map((id: string) => `${path}: ${id}`)
  );
}

/** Requirements of RFC 9293 that no row has. */
function missingRows(known: readonly Row[]): string[] {
  const ids = new Set(known.map(({ id }) => id));
  const numbered = (word: string, count: number): string[] =>
    Array.from({ length: count }, (_, at) => `${word}-${at + 1}`);
  return [...numbered("MUST", MUSTS), ...numbered("SHLD", SHOULDS)].filter((id) => !ids.has(id));
}

/** What is wrong with rows by themselves: a number twice, a status that means nothing, another path than the tree has. */
function malformed(known: readonly Row[], read: (path: string) => string | undefined): string[] {
  const seen = new Set<string>();
  return known.flatMap(({ id, rfc, status, where }) => {
    const isRepeated = seen.has(id);
    seen.add(id);
    const cites = (path: string): boolean => {
      const text = read(path) ?? "";
      return text.includes(id) || text.includes(`RFC ${rfc}`);
    };
    return [
      ...(isRepeated ? [`${id} is there twice`] : []),
      ...(STATUSES.includes(status) ? [] : [`${id} is "${status}"`]),
      ...where.filter((path) => read(path) === undefined).map((path) => `${id} names ${path}`),
      ...where.filter((path) => read(path) !== undefined && !cites(path))
        .map((path) => `${path} cites neither ${id} nor RFC ${rfc}`),
    ];
  });
}

/** Deviations for which the report gives no reason. */
function unexplained(known: readonly Row[], report: string): string[] {
  const isId = requirementForm(known);
  const explained = idsIn(report.slice(report.indexOf("## Deviations")), isId);
  return known.filter(({ id, status }) => status === "deviation" && !explained.includes(id))
    .map(({ id }) => id);
}

/** Paths in backquotes that the report names and the tree does not have. */
function missingPaths(report: string, exists: (path: string) => boolean): string[] {
  const paths = report.match(/(?<=`)(?:as|src|test|web|docs)\/[\w./-]+\.\w+(?=`)/g) ?? [];
  return [...new Set(paths)].filter((path) => !exists(path));
}

function testNames(): Source[] {
  return testSources().map((source: Source) => ({
    path: source.path,
    text: namesIn(source).join("\n"),
  }));
}

describe("rows", () => {
  test("every MUST and SHOULD of RFC 9293 has one", () => {
    expect(missingRows(rows)).toEqual([]);
  });

  test("one that is missing is found", () => {
    expect(missingRows(rows.filter(({ id }) => id !== "MUST-31" && id !== "SHLD-9"))).toEqual([
      "MUST-31",
      "SHLD-9",
    ]);
  });

  test("they are well formed, and name files that cite their RFC", () => {
    expect(malformed(rows, readOne)).toEqual([]);
  });

  test("what is wrong with one is found", () => {
    const bad = [
      row("MUST-1"),
      row("MUST-1", "maybe"),
      row("MUST-2", "done", ["as/a.ts", "as/b.ts"]),
    ];
    const read = (path: string): string | undefined =>
      path === "as/b.ts" ? "// nothing" : undefined;
    expect(malformed(bad, read)).toEqual([
      "MUST-1 is there twice",
      'MUST-1 is "maybe"',
      "MUST-2 names as/a.ts",
      "as/b.ts cites neither MUST-2 nor RFC 9293",
    ]);
  });
});

describe("traceability", () => {
  test("every requirement that is done has a file and a test", () => {
    expect(unproven(traced)).toEqual([]);
  });

  test("one without a file or a test is found", () => {
    const code = [{ path: "as/a.ts", text: "/** MUST-1, MUST-3 */ // RFC 9293 section 3.4" }];
    const tests = [
      { path: "test/a.test.ts", text: 'scenario("it is so (MUST-1)", (on) => {});\n// "MUST-3"' },
      { path: "test/b.pkt", text: "// Shows MUST-2.\n0 socket() = 3 // MUST-3\n" },
    ];
    const found = trace(
      [row("MUST-1"), row("MUST-2"), row("MUST-3"), row("MUST-4", "open")],
      code,
      tests,
    );
    expect(unproven(found)).toEqual(["MUST-2 has no file", "MUST-3 has no test"]);
  });

  test("a section is cited, when it or a part of it is named across a line", () => {
    const cites = (text: string): number =>
      trace([row("MUST-1")], [{ path: "as/a.ts", text }], [])[0].where.length;
    expect(cites("// RFC 9293 section 3.4.1")).toBe(1);
    expect(cites("/**\n * See RFC 9293\n * section 3.4.1.2.\n */")).toBe(1);
    expect(cites("// RFC 9293 section 3.4.10, RFC 9293 section 3.4, RFC 793 section 3.4.1")).toBe(
      0,
    );
  });

  test("every requirement that code or a test's name cites has a row", () => {
    expect(untraced([...codeSources(), ...testNames()], rows)).toEqual([]);
  });

  test("a number without a row is found, and a range of ports is none", () => {
    const text = "// MUST-10, 9293-RST-9, ports 1024-65535, SHLD-2\n/** MUST-1 */\n";
    expect(untraced([{ path: "as/a.ts", text }], [row("MUST-1"), row("SHLD-2")])).toEqual([
      "as/a.ts: MUST-10",
      "as/a.ts: 9293-RST-9",
    ]);
  });
});

describe("the report", () => {
  test("its tables are those of the tree", () => {
    const report = readOne(REPORT) ?? "";
    expect(withTables(report, renderTables(traced))).toBe(report);
  });

  test("a row that came or went is seen in them", () => {
    expect(renderTables(trace(rows.slice(1), codeSources(), testSources()))).not.toBe(
      renderTables(traced),
    );
  });

  test("every deviation has a reason", () => {
    expect(unexplained(rows, readOne(REPORT) ?? "")).toEqual([]);
  });

  test("a deviation without a reason is found", () => {
    const report = "| SHLD-4 |\n## Deviations\n| SHLD-1, SHLD-2 | so | why |";
    const known = [row("SHLD-2", "deviation"), row("SHLD-4", "deviation"), row("SHLD-5")];
    expect(unexplained(known, report)).toEqual(["SHLD-4"]);
  });

  test("every path in it exists", () => {
    expect(missingPaths(readOne(REPORT) ?? "", (path) => readOne(path) !== undefined)).toEqual([]);
  });

  test("a path is found, when nothing is there", () => {
    const table = "| `as/rx/ack.ts` | `test/unit/gone.test.ts` | as/prose.ts |";
    expect(missingPaths(table, (path) => path === "as/rx/ack.ts")).toEqual([
      "test/unit/gone.test.ts",
    ]);
  });
});

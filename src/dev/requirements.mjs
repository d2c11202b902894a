/**
 * Traces requirements: `docs/requirements.tsv` says which there are and what becomes of each, the tree says where each is
 * obeyed and which test shows it, and the tables in `docs/rfc.md` are made of both.
 *
 * A file obeys a requirement when it cites its number, or the section that the row names; a row may name files itself,
 * where that would say too much or too little. A test shows a requirement when the number stands in its name.
 */
import { relative, sep } from "node:path";
import { inRoot, readText, walk } from "./common.mjs";

/** The rows: id, level, RFC, section, what, status, files; tabs between them. */
export const REQUIREMENTS = "docs/requirements.tsv";

/** Holds the tables between {@link BEGIN} and {@link END}; the rest is written by hand. */
export const REPORT = "docs/rfc.md";

const BEGIN = "<!-- begin: generated from requirements.tsv -->";
const END = "<!-- end: generated -->";

/**
 * What becomes of a requirement.
 *
 * `done` has a file and a test. A `deviation` has its reason in the report. `waived` asks nothing of us, because it begins
 * with "if", and `optional` is a MAY that nobody took up. `document` speaks to who writes an application. `open` is owed.
 */
export const STATUSES = ["done", "deviation", "waived", "optional", "document", "open"];

const ID = /\b(?:MUST|SHLD|MAY|REC|\d{3,4})-(?:[A-Z]+-?)?\d+\b/g;

/** Rows with more files than this name the first ones; the number in a test's name finds them all. */
const FILES_SHOWN = 3;

/**
 * Reads the rows.
 *
 * @param text Lines of the table; the first one has the names of the columns.
 */
export function parseRequirements(text) {
  return text.trimEnd().split("\n").slice(1).map((line) => {
    const [id = "", level = "", rfc = "", section = "", what = "", status = "", where = ""] = line
      .split("\t");
    return { id, level, rfc, section, what, status, where: where.split(" ").filter(Boolean) };
  });
}

/** Every number of a requirement in a text, once; `ids` tells a requirement from a range of ports. */
export function idsIn(text, isId) {
  return [...new Set(text.match(ID) ?? [])].filter(isId);
}

/** Whether a word has the form of a requirement of RFC 9293, or of another RFC that the table has. */
export function requirementForm(rows) {
  const rfcs = new Set(rows.map(({ rfc }) => rfc));
  return (word) => /^[A-Z]/.test(word) || rfcs.has(word.slice(0, word.indexOf("-")));
}

/** What can be the name of a test: the strings of a file that is code, the head of a script. */
export function namesIn({ path, text }) {
  if (path.endsWith(".pkt")) {
    const head = text.split("\n").findIndex((line) => !/^(\/\/|#|$)/.test(line));
    return [path.slice(path.lastIndexOf("/") + 1), ...text.split("\n").slice(0, Math.max(head, 0))];
  }
  const code = text.replace(/^\s*(\/\/|\/\*|\*).*$/gm, "");
  return code.match(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\\n]|\\.)*`/g) ?? [];
}

/** Whether a text cites the section of an RFC, or a part of it. */
function citesSection(text, rfc, section) {
  const escaped = section.replaceAll(".", String.raw`\.`);
  return new RegExp(String.raw`RFC ${rfc},? (sections? )?${escaped}(?![\d])`).test(
    text.replace(/\n\s*(?:\*|\/\/)? ?/g, " "),
  );
}

/**
 * Finds the files and the tests of each row.
 *
 * @param code Files of the core and the host, with `path` and `text`.
 * @param tests Files of tests and scripts.
 * @returns The rows, with `where` and `tests` as paths.
 */
export function trace(rows, code, tests) {
  const isId = requirementForm(rows);
  const citing = code.map(({ path, text }) => ({ path, text, ids: new Set(idsIn(text, isId)) }));
  const showing = tests.map((file) => ({
    path: file.path,
    ids: new Set(namesIn(file).flatMap((name) => idsIn(name, isId))),
  }));
  return rows.map((row) => {
    const cited = citing.filter(({ ids }) => ids.has(row.id));
    const near = cited.length > 0
      ? cited
      : citing.filter(({ text }) => citesSection(text, row.rfc, row.section));
    const where = row.where.length > 0 ? row.where : near.map(({ path }) => path);
    return {
      ...row,
      where,
      tests: showing.filter(({ ids }) => ids.has(row.id)).map(({ path }) => path),
    };
  });
}

/** Names of what is wrong in traced rows: what is done needs a file and a test. */
export function unproven(traced) {
  return traced.filter(({ status }) => status === "done").flatMap(({ id, where, tests }) => [
    ...(where.length === 0 ? [`${id} has no file`] : []),
    ...(tests.length === 0 ? [`${id} has no test`] : []),
  ]);
}

function shownFiles(paths) {
  const shown = paths.slice(0, FILES_SHOWN).map((path) => `\`${path}\``).join(", ");
  const more = paths.length - FILES_SHOWN;
  return more > 0 ? `${shown} and ${more} more` : shown;
}

const REMARK = {
  done: "",
  deviation: "**deviation**: ",
  waived: "**waived**: ",
  optional: "**not taken up**: ",
  document: "**for applications**: ",
  open: "**open**: ",
};

function tableOf(rows) {
  const lines = rows.map(({ id, level, section, what, status, where, tests }) => {
    const files = status === "done" || status === "deviation" || status === "document" ? where : [];
    return `| ${id} | ${level} | ${section} | ${REMARK[status]}${what} | ${shownFiles(files)} | ${
      shownFiles(tests)
    } |`;
  });
  return [
    "| requirement | level | section | what | where | test |",
    "|---|---|---|---|---|---|",
    ...lines,
  ].join("\n");
}

/** The tables, one for each RFC in the order of the rows, with how many of each status there are. */
export function renderTables(traced) {
  const count = (status) => traced.filter((row) => row.status === status).length;
  const counts = STATUSES.filter((status) => count(status) > 0)
    .map((status) => `${count(status)} ${status}`).join(", ");
  const rfcs = [...new Set(traced.map(({ rfc }) => rfc))];
  return [
    `${traced.length} requirements: ${counts}.`,
    ...rfcs.map((rfc) => `### RFC ${rfc}\n\n${tableOf(traced.filter((row) => row.rfc === rfc))}`),
  ].join("\n\n");
}

/** Puts the tables between the marks. */
export function withTables(report, tables) {
  const begin = report.indexOf(BEGIN);
  const end = report.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`Cannot write ${REPORT}: its marks are missing`);
  return `${report.slice(0, begin)}${BEGIN}\n\n${tables}\n\n${report.slice(end)}`;
}

function sourcesOf(folder, pattern) {
  return walk(inRoot(folder))
    .filter((path) => pattern.test(path))
    .map((path) => ({
      path: relative(inRoot("."), path).split(sep).join("/"),
      text: readText(path) ?? "",
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The code that may obey: what people wrote, and not the numbers of the memory map. */
export function codeSources() {
  return [...sourcesOf("as", /\.ts$/), ...sourcesOf("src", /\.ts$/)]
    .filter(({ path }) => !path.endsWith(".gen.ts") && !path.startsWith("src/layout/"));
}

/** The tests that may show; those of the style speak about numbers, and show none. */
export function testSources() {
  return sourcesOf("test", /(\.test\.ts|\.pkt)$/)
    .filter(({ path }) => !path.startsWith("test/style/"));
}

/** The report as it should be. */
export function requirementsReport() {
  const rows = parseRequirements(readText(inRoot(REQUIREMENTS)) ?? "");
  const report = readText(inRoot(REPORT)) ?? "";
  return {
    path: REPORT,
    text: withTables(report, renderTables(trace(rows, codeSources(), testSources()))),
  };
}

/**
 * The repository's files as data, and a scanner that knows just enough of the language to check rules of style: where
 * comments and strings are, what a file imports, and how long its functions are.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository. */
export const ROOT: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A file as a checker sees it, so that a test can hand it one that does not exist. */
export interface Source {
  /** Relative to the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** Folders that hold other people's files or what the build made. */
const FOREIGN: ReadonlySet<string> = new Set(["node_modules", "dist", ".git", "test-results"]);

function walk(folder: string): string[] {
  const found: string[] = [];
  for (const name of readdirSync(folder).sort()) {
    if (FOREIGN.has(name)) continue;
    const path = join(folder, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue; // Gone since the listing: a temporary file.
    if (stat.isDirectory()) found.push(...walk(path));
    else if (stat.isFile()) found.push(path);
  }
  return found;
}

/**
 * Reads the files below a folder whose names match.
 *
 * @param folder Relative to the repository; one that does not exist has no files.
 */
export function readSources(folder: string, pattern: RegExp): Source[] {
  const start = join(ROOT, folder);
  if (!existsSync(start)) return [];
  return walk(start)
    .map((path) => relative(ROOT, path).split(sep).join("/"))
    .filter((path) => pattern.test(path))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

/** Reads one file; undefined when it does not exist. */
export function readOne(path: string): string | undefined {
  const full = join(ROOT, path);
  return existsSync(full) ? readFileSync(full, "utf8") : undefined;
}

/** Every file of code that people wrote, in either language. */
export function allCode(): Source[] {
  return ["as", "src", "web", "test"].flatMap((folder) => readSources(folder, /\.(ts|mjs)$/));
}

/** Whether a person did not write the file. */
export function isGenerated(path: string): boolean {
  return path.endsWith(".gen.ts");
}

const BLANK = /[^\n]/g;

/** A slash after one of these begins a regular expression and not a division. */
const BEFORE_REGEXP = /(^|[=(,:;!&|?{}[+\-*%<>~^]|\b(return|typeof|case|of|in|await|yield|throw))$/;

/** Source: ECMAScript, RegularExpressionLiteral; on one line, brackets may hold a bare slash. */
const REGEXP = /\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;

const LINE_COMMENT = /\/\/[^\n]*/y;
const BLOCK_COMMENT = /\/\*[^]*?(?:\*\/|$)/y;
const QUOTED = /"(?:\\[^]|[^"\\\n])*"?|'(?:\\[^]|[^'\\\n])*'?/y;
const TEMPLATE_PART = /(?:\\[^]|\$(?!\{)|[^`\\$])*(`|\$\{|$)/y;

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}

/**
 * Blanks comments, strings, regular expressions and the text of templates; what is inside `${…}` stays, and every offset
 * and line number stays too.
 *
 * @param keepStrings Whether to leave quoted strings, for those who look for the names in imports.
 */
export function maskSource(text: string, keepStrings = false): string {
  let out = "";
  let at = 0;
  // One entry for each template we are inside the `${…}` of: how many braces are open in it.
  const templates: number[] = [];
  const blank = (part: string): void => {
    out += part.replace(BLANK, " ");
    at += part.length;
  };
  while (at < text.length) {
    const char = text[at] ?? "";
    const two = text.slice(at, at + 2);
    const open = templates.length - 1;
    if (two === "//") blank(matchAt(LINE_COMMENT, text, at));
    else if (two === "/*") blank(matchAt(BLOCK_COMMENT, text, at));
    else if (char === '"' || char === "'") {
      const part = matchAt(QUOTED, text, at);
      if (!keepStrings) blank(part);
      else {
        out += part;
        at += part.length;
      }
    } else if (char === "/" && BEFORE_REGEXP.test(out.trimEnd())) {
      const part = matchAt(REGEXP, text, at);
      blank(part === "" ? char : part);
    } else if (char === "`" || (char === "}" && templates[open] === 0)) {
      if (char === "}") templates.pop();
      const part = char + matchAt(TEMPLATE_PART, text, at + 1);
      blank(part);
      if (part.endsWith("${")) templates.push(0);
    } else {
      if (open >= 0 && char === "{") templates[open] = (templates[open] ?? 0) + 1;
      if (open >= 0 && char === "}") templates[open] = (templates[open] ?? 0) - 1;
      out += char;
      at += 1;
    }
  }
  return out;
}

const IMPORT =
  /\b(?:import|export)\b[^;"'()]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g;

/** The paths that a file imports, as they are written. */
export function importsOf(source: Source): string[] {
  const text = maskSource(source.text, true);
  return [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? "");
}

/**
 * The path in the repository that an import names; undefined for a package.
 *
 * @param from Path of the file that imports.
 */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return posix.normalize(posix.join(posix.dirname(from), specifier));
}

/** A function found by {@link functionsOf}. */
export interface FunctionSpan {
  /** Line of its closing brace's opening partner, from 1. */
  readonly line: number;
  /** Lines from the opening brace to the closing one, both counted. */
  readonly lines: number;
  /** The code just before the brace, on one line. */
  readonly head: string;
}

const NOT_A_FUNCTION = /\b(if|for|while|switch|catch|with|else|do|try|finally)$/;

/** Start of the bracket that closes at `end`; 0 when it is not balanced. */
function openingOf(text: string, end: number): number {
  const close = text[end];
  const open = close === ")" ? "(" : "{";
  let depth = 0;
  for (let at = end; at >= 0; at--) {
    if (text[at] === close) depth += 1;
    else if (text[at] === open && --depth === 0) return at;
  }
  return 0;
}

/** Whether the brace after `head` opens the body of a function. */
function opensFunction(head: string): boolean {
  const text = head.trimEnd();
  if (text.endsWith("=>")) return true;
  const close = text.lastIndexOf(")");
  if (close < 0) return false;
  // Between the parameters and the brace there is nothing, or the type that is returned.
  const between = text.slice(close + 1).trim();
  if (between !== "" && !/^:[^;={}]*(\{[^;{}]*(;[^;{}]*)*\}[^;={}]*)?$/.test(between)) return false;
  const before = text.slice(0, openingOf(text, close)).trimEnd();
  return !NOT_A_FUNCTION.test(before) && /[\w$>\])]$/.test(before);
}

/** All functions, methods and arrows with a body. */
export function functionsOf(source: Source): FunctionSpan[] {
  const text = maskSource(source.text);
  const found: FunctionSpan[] = [];
  const stack: number[] = [];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "{") stack.push(at);
    if (text[at] !== "}") continue;
    const start = stack.pop();
    if (start === undefined) continue;
    const head = text.slice(Math.max(0, start - HEAD_CHARS), start);
    if (!opensFunction(head)) continue;
    const line = lineAt(text, start);
    const lastLine = source.text.slice(source.text.lastIndexOf("\n", start) + 1, start);
    found.push({ line, lines: lineAt(text, at) - line + 1, head: lastLine.trim() });
  }
  return found;
}

/** Parameters that take more room than this are another review's matter. */
const HEAD_CHARS = 2_000;

/** Line number of an offset, from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) {
    line += 1;
  }
  return line;
}

/** Every place in the code, comments and strings left out, where a pattern matches: `path:line: what`. */
export function occurrences(source: Source, pattern: RegExp, masked = true): string[] {
  const text = masked ? maskSource(source.text) : source.text;
  return [...text.matchAll(pattern)].map((match) =>
    `${source.path}:${lineAt(text, match.index)}: ${match[0].trim()}`
  );
}

/**
 * The lexer. White space, line breaks and comments part tokens and mean nothing else, except inside of `%{ … }%`.
 *
 * It refuses only what does not end: a character that nobody knows becomes a symbol, because comments in parentheses
 * behind results may hold anything, and because the parser can say what it wanted instead.
 */
import { SyntaxFault } from "./fault.ts";

/** What a token is. */
export type TokenKind =
  | "integer"
  | "float"
  | "word"
  | "string"
  | "command"
  | "code"
  | "option"
  | "symbol"
  | "end";

/** One token. */
export interface Token {
  readonly kind: TokenKind;
  /** As written; strings, commands and code without what encloses them, options without their hyphens. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
  /** Where it stands in the script; both ends. */
  readonly start: number;
  readonly end: number;
}

/** `-D NAME=value`: words that stand for others. */
export type Defines = ReadonlyMap<string, string>;

/** In the order in which they are tried. A word may begin with a digit, as cookies do. */
const RULES: readonly (readonly [kind: TokenKind | "blank", rule: RegExp])[] = [
  ["blank", /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|^#![^\n]*/y],
  ["string", /"((?:\\[\s\S]|[^"\\])*)"/y],
  ["command", /`((?:\\[\s\S]|[^`\\])*)`/y],
  ["code", /%\{([\s\S]*?)\}%/y],
  ["option", /--([A-Za-z][A-Za-z0-9_-]*)/y],
  ["integer", /(0[xX][0-9a-fA-F]+|\d+)(?![A-Za-z0-9_])(?!\.\d)/y],
  ["float", /(\d*\.\d+)(?![A-Za-z0-9_])/y],
  ["word", /([A-Za-z0-9_]+)/y],
  ["symbol", /(\.\.\.|[\s\S])/y],
];

/** What begins, and how it should have ended. */
const UNENDED: readonly (readonly [begin: string, what: string, end: string])[] = [
  ['"', "string", '"'],
  ["`", "command", "`"],
  ["%{", "code", "}%"],
  ["/*", "comment", "*/"],
];

/**
 * Cuts a script into tokens.
 *
 * @param text The script.
 * @param file Named in messages.
 * @param defines Words to be replaced, each by one token.
 * @returns Its tokens, an `end` token last.
 * @throws {SyntaxFault} If a string, a command, code or a comment does not end.
 */
export function tokenize(text: string, file: string, defines: Defines = new Map()): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  for (let at = 0; at < text.length;) {
    const [kind, match] = matchAt(text, at);
    const end = at + match[0].length;
    if (kind === "symbol") refuseUnended(text, at, file, line);
    if (kind !== "blank") {
      const token = { kind, text: match[1] ?? "", line, start: at, end };
      const value = kind === "word" ? defines.get(token.text) : undefined;
      tokens.push(value === undefined ? token : { ...token, ...defined(value) });
    }
    line += countLines(match[0]);
    at = end;
  }
  tokens.push({ kind: "end", text: "", line, start: text.length, end: text.length });
  return tokens;
}

function matchAt(text: string, at: number): [TokenKind | "blank", RegExpExecArray] {
  for (const [kind, rule] of RULES) {
    rule.lastIndex = at;
    const match = rule.exec(text);
    if (match !== null) return [kind, match];
  }
  throw new Error("unreachable: the last rule matches any character");
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}

function refuseUnended(text: string, at: number, file: string, line: number): void {
  for (const [begin, what, end] of UNENDED) {
    if (text.startsWith(begin, at)) {
      const problem = `expected ${end} at its end, got the end of the script`;
      throw new SyntaxFault(file, line, `Cannot parse the ${what}: ${problem}`);
    }
  }
}

/** A value in quotes is a string, in backticks a command; a number is a number, and all else is a word. */
function defined(value: string): Pick<Token, "kind" | "text"> {
  for (const [kind, rule] of RULES) {
    rule.lastIndex = 0;
    const match = rule.exec(value);
    const isWhole = match !== null && match[0].length === value.length;
    if (isWhole && kind !== "blank" && kind !== "symbol") return { kind, text: match[1] ?? "" };
  }
  return { kind: "word", text: value };
}

/** Escapes of one letter, and their bytes. */
const ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  e: 27,
};

/**
 * Reads C escapes.
 *
 * @param text Between the quotes.
 * @returns Its bytes: UTF-8, with `\n`, `\x00`, `\0` and the like replaced.
 */
export function unescape(text: string): Uint8Array {
  const encoder = new TextEncoder();
  const bytes: number[] = [];
  const rule = /\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|([\s\S]))|[^\\]+/gy;
  for (const [whole, hex, octal, letter] of text.matchAll(rule)) {
    if (hex !== undefined) bytes.push(parseInt(hex, 16));
    else if (octal !== undefined) bytes.push(parseInt(octal, 8) & 0xff);
    else if (letter === undefined) bytes.push(...encoder.encode(whole));
    else bytes.push(...escapeOf(letter, encoder));
  }
  return Uint8Array.from(bytes);
}

function escapeOf(letter: string, encoder: TextEncoder): Iterable<number> {
  const code = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
  return code === undefined ? encoder.encode(letter) : [code];
}

/**
 * The lexer. White space, line breaks, `// …` and `/* … *\/` part tokens and mean nothing else; each token knows its
 * line, because the words of the host end with theirs.
 */

/** What a token is. */
export type TokenKind = "number" | "word" | "address" | "string" | "symbol" | "end";

/** One token. */
export interface Token {
  readonly kind: TokenKind;
  /** As written, strings without their quotes. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

/** A script that is not one. */
export class SyntaxFault extends Error {
  override readonly name = "SyntaxFault";

  constructor(line: number, problem: string) {
    super(`Line ${line}: ${problem}`);
  }
}

/**
 * In the order in which they are tried. A word may have hyphens inside, for FIN-WAIT-1; a number may be negative, and a
 * lone hyphen (no flags at all) is a symbol.
 */
const RULES: readonly (readonly [kind: TokenKind | "blank", rule: RegExp])[] = [
  ["blank", /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\//y],
  ["string", /"([^"\n]*)"/y],
  ["address", /\d+\.\d+\.\d+\.\d+/y],
  ["number", /-?(?:0x[0-9a-fA-F]+|\d+\.\d+|\.\d+|\d+)(?![A-Za-z_])/y],
  ["word", /[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9]+)*/y],
  ["symbol", /\.\.\.|[<>:().,=+\-*~[\]{}]/y],
];

function matchAt(text: string, at: number, line: number): [TokenKind | "blank", RegExpExecArray] {
  for (const [kind, rule] of RULES) {
    rule.lastIndex = at;
    const match = rule.exec(text);
    if (match !== null) return [kind, match];
  }
  throw new SyntaxFault(line, `"${text[at] ?? ""}" begins nothing`);
}

/**
 * Cuts a script into tokens.
 *
 * @param text The script.
 * @returns Its tokens, an `end` token last.
 * @throws {SyntaxFault} At a character that begins nothing.
 */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  for (let at = 0; at < text.length;) {
    const [kind, match] = matchAt(text, at, line);
    const [whole, inner] = match;
    if (kind !== "blank") tokens.push({ kind, text: inner ?? whole, line });
    line += whole.split("\n").length - 1;
    at += whole.length;
  }
  tokens.push({ kind: "end", text: "end of script", line });
  return tokens;
}

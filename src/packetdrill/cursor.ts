/** A place in the tokens of a script, with the steps that all parsers share. */
import { SyntaxFault, Unsupported } from "./fault.ts";
import type { Token, TokenKind } from "./lexer.ts";

/** How a token is named in messages. */
export function showToken(token: Token): string {
  switch (token.kind) {
    case "end":
      return "the end of the script";
    case "string":
      return `"${token.text}"`;
    case "command":
      return `the command \`${token.text.trim()}\``;
    case "code":
      return "%{ code }%";
    case "option":
      return `--${token.text}`;
    default:
      return `"${token.text}"`;
  }
}

/** Walks tokens; what it refuses names file and line. */
export class Cursor {
  readonly file: string;
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #at = 0;

  /**
   * @param file Named in messages.
   * @param text The script.
   * @param tokens Of the script, an `end` token last.
   */
  constructor(file: string, text: string, tokens: readonly Token[]) {
    this.file = file;
    this.#text = text;
    this.#tokens = tokens;
  }

  /** @param ahead 0 = the next one. @returns A token; behind the last, the last. */
  peek(ahead = 0): Token {
    const token = this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)];
    if (token === undefined) throw new Error("unreachable: there is always an end token");
    return token;
  }

  /** Line of the next token. */
  get line(): number {
    return this.peek().line;
  }

  /** @returns The next token, which is passed. */
  next(): Token {
    const token = this.peek();
    if (this.#at < this.#tokens.length - 1) this.#at++;
    return token;
  }

  /** @returns True if the token is of this kind, and has one of these texts if there are any. */
  is(kind: TokenKind, ...texts: string[]): boolean {
    const token = this.peek();
    return token.kind === kind && (texts.length === 0 || texts.includes(token.text));
  }

  /** @returns True if the next token is this symbol. */
  isSymbol(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === "symbol" && token.text === text;
  }

  /** @returns True if the script has this text at the next token, before any word was replaced. */
  isWritten(text: string): boolean {
    return this.#text.startsWith(text, this.peek().start);
  }

  /** Passes a symbol if it is there. @returns Whether it was. */
  takeSymbol(text: string): boolean {
    if (!this.isSymbol(text)) return false;
    this.next();
    return true;
  }

  /** Passes a word if it is there. @returns Whether it was. */
  takeWord(text: string): boolean {
    if (!this.is("word", text)) return false;
    this.next();
    return true;
  }

  /** Passes a symbol that must be there. @param what What is being parsed. */
  expectSymbol(text: string, what: string): void {
    if (!this.takeSymbol(text)) this.fail(what, `"${text}"`);
  }

  /** Passes a word that must be there. @returns Its text. */
  expectWord(what: string, expected: string): string {
    if (!this.is("word")) this.fail(what, expected);
    return this.next().text;
  }

  /** Passes an unsigned number that must be there. @param max Largest that fits. */
  expectNumber(what: string, max: number): number {
    if (!this.is("integer")) this.fail(what, `a number from 0 to ${max}`);
    const value = Number(this.peek().text);
    if (value > max) this.fail(what, `a number from 0 to ${max}`);
    this.next();
    return value;
  }

  /**
   * Passes everything up to the next blank, whatever the lexer made of it: flags such as `P.5` and values of options are
   * not made of words and numbers.
   *
   * @returns What was passed; empty if a blank comes first.
   */
  takeRun(): string {
    const { start } = this.peek();
    const blank = this.#text.slice(start).search(/\s|$/);
    const end = start + blank;
    while (this.peek().kind !== "end" && this.peek().start < end) this.next();
    return this.#text.slice(start, end);
  }

  /** Passes a symbol, everything up to its partner, and that. @returns What stands between, as written. */
  takeEnclosed(open: string, close: string, what: string): string {
    const { end } = this.peek();
    this.expectSymbol(open, what);
    for (let depth = 1;; this.next()) {
      if (this.peek().kind === "end") this.fail(what, `"${close}"`);
      if (this.isSymbol(open)) depth++;
      if (this.isSymbol(close) && --depth === 0) break;
    }
    return this.#text.slice(end, this.next().start).trim();
  }

  /** Says what was wanted instead of the next token. */
  fail(what: string, expected: string, got: string = showToken(this.peek())): never {
    this.refuse(what, `expected ${expected}, got ${got}`);
  }

  /** Says what is wrong. @param line Default that of the next token. */
  refuse(what: string, problem: string, line: number = this.line): never {
    throw new SyntaxFault(this.file, line, `Cannot parse ${what}: ${problem}`);
  }

  /** Says what this interpreter does not have. */
  unsupported(what: string, why: string, line: number = this.line): never {
    throw new Unsupported(this.file, line, `Unsupported: ${what}: ${why}`);
  }
}

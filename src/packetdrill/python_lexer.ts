/** Python's tokens: lines and indentation mean something, except inside of brackets. */

/** One token. `newline` ends a statement; `indent` and `dedent` enclose a block. */
export interface PyToken {
  readonly kind:
    | "number"
    | "name"
    | "string"
    | "fstring"
    | "op"
    | "newline"
    | "indent"
    | "dedent"
    | "end";
  /** As written; strings without prefix and quotes. */
  readonly text: string;
  /** From 1, within the snippet. */
  readonly line: number;
  /** Where it stands in the snippet. */
  readonly start: number;
  readonly end: number;
}

/** Code that is not Python, or not the part of it that we know. */
export class PyFault extends Error {
  override readonly name = "PyFault";
  /** From 1, within the snippet. */
  readonly line: number;

  constructor(line: number, problem: string) {
    super(problem);
    this.line = line;
  }
}

const RULES:
  readonly (readonly [kind: "blank" | "number" | "string" | "name" | "op", rule: RegExp])[] = [
    ["blank", /[ \t\r]+|#[^\n]*|\\\r?\n/y],
    [
      "number",
      /0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?[lL]?/y,
    ],
    [
      "string",
      /([fFrRuUbB]{0,2})(?:"""([\s\S]*?)"""|'''([\s\S]*?)'''|"((?:\\[\s\S]|[^"\\\n])*)"|'((?:\\[\s\S]|[^'\\\n])*)')/y,
    ],
    ["name", /[A-Za-z_]\w*/y],
    ["op", /\*\*=|\/\/=|<<=|>>=|\*\*|\/\/|<<|>>|[<>=!+\-*/%&|^]=|[-+*/%&|^~<>=()[\]{},:;.]/y],
  ];

/**
 * Cuts a snippet into tokens.
 *
 * @param text The snippet.
 * @returns Its tokens, an `end` token last.
 * @throws {PyFault} At a character that begins nothing, or if indentation does not fit.
 */
export function pyTokenize(text: string): PyToken[] {
  return new PyLexer(text).run();
}

class PyLexer {
  readonly #text: string;
  readonly #tokens: PyToken[] = [];
  readonly #indents: number[] = [0];
  #at = 0;
  #line = 1;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): PyToken[] {
    this.#indentation();
    while (this.#at < this.#text.length) {
      if (this.#text[this.#at] !== "\n") this.#token();
      else this.#newline();
    }
    this.#push("newline", "", this.#at);
    while (this.#indents.length > 1) this.#dedent();
    this.#push("end", "", this.#at);
    return this.#tokens;
  }

  #push(kind: PyToken["kind"], text: string, end: number): void {
    this.#tokens.push({ kind, text, line: this.#line, start: this.#at, end });
  }

  #token(): void {
    for (const [kind, rule] of RULES) {
      rule.lastIndex = this.#at;
      const match = rule.exec(this.#text);
      if (match === null) continue;
      const [whole, prefix = "", ...bodies] = match;
      const end = this.#at + whole.length;
      if (kind === "string") {
        const body = bodies.find((each) => each !== undefined) ?? "";
        this.#push(/[fF]/.test(prefix) ? "fstring" : "string", body, end);
      } else if (kind !== "blank") this.#push(kind, whole, end);
      if (kind === "op" && /[([{]/.test(whole)) this.#depth++;
      if (kind === "op" && /[)\]}]/.test(whole)) this.#depth = Math.max(0, this.#depth - 1);
      this.#line += whole.split("\n").length - 1;
      this.#at = end;
      return;
    }
    throw new PyFault(this.#line, `"${this.#text[this.#at] ?? ""}" begins nothing`);
  }

  #newline(): void {
    if (this.#depth === 0) this.#push("newline", "", this.#at);
    this.#at++;
    this.#line++;
    if (this.#depth === 0) this.#indentation();
  }

  /** Lines without a statement have no indentation. */
  #indentation(): void {
    const blank = /[ \t]*/y;
    blank.lastIndex = this.#at;
    const width = blank.exec(this.#text)?.[0].replaceAll("\t", "        ").length ?? 0;
    if (/^[ \t\r]*(?:#[^\n]*)?(?:\n|$)/.test(this.#text.slice(this.#at))) return;
    if (width > (this.#indents.at(-1) ?? 0)) {
      this.#indents.push(width);
      this.#push("indent", "", this.#at);
    }
    while (width < (this.#indents.at(-1) ?? 0)) this.#dedent();
    if (width !== this.#indents.at(-1)) {
      throw new PyFault(this.#line, "the indentation fits no block above");
    }
  }

  #dedent(): void {
    this.#indents.pop();
    this.#push("dedent", "", this.#at);
  }
}

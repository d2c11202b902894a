/** Python from tokens: statements and expressions, in the order of its operators' strength. */
import { PyFault, type PyToken, pyTokenize } from "./python_lexer.ts";
import type { PyComparison, PyExpr, PyPlaceholder, PyStatement } from "./python_syntax.ts";

/** From weak to strong; operators of one level group from the left. */
const BINARY_LEVELS: readonly (readonly string[])[] = [
  ["|"],
  ["^"],
  ["&"],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "//", "%"],
];

const COMPARISONS: readonly string[] = ["==", "!=", "<", "<=", ">", ">="];

/** Words that name no value. */
const KEYWORDS: readonly string[] = [
  ..."and or not in is if elif else for while assert pass import from def class lambda".split(" "),
  ..."return break continue try except raise with global del yield".split(" "),
];

const NAMED: ReadonlyMap<string, boolean | null> = new Map<string, boolean | null>([
  ["True", true],
  ["False", false],
  ["None", null],
]);

/** Letters behind a backslash. */
const ESCAPES: ReadonlyMap<string, string> = new Map([["n", "\n"], ["t", "\t"], ["r", "\r"]]);

/**
 * Reads a snippet.
 *
 * @param text The snippet.
 * @returns Its statements.
 * @throws {PyFault} If it is not Python, or uses what is not here (functions, classes, while, dictionaries).
 */
export function parsePython(text: string): PyStatement[] {
  return new PyParser(text).program();
}

class PyParser {
  readonly #text: string;
  readonly #tokens: readonly PyToken[];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = pyTokenize(text);
  }

  program(): PyStatement[] {
    const statements: PyStatement[] = [];
    while (this.#peek().kind !== "end") this.#statement(statements);
    return statements;
  }

  /** The only expression of a placeholder. */
  whole(): PyExpr {
    const value = this.#tuple();
    if (this.#peek().kind !== "newline") this.#fail("the end of the expression");
    return value;
  }

  // ---- statements ----

  #statement(into: PyStatement[]): void {
    const { line, kind } = this.#peek();
    if (kind === "newline") this.#at++;
    else if (this.#takeName("if")) into.push(this.#if(line));
    else if (this.#takeName("for")) {
      const names = this.#names();
      this.#expectName("in");
      into.push({ kind: "for", line, names, of: this.#tuple(), body: this.#block() });
    } else this.#simpleLine(into);
  }

  #simpleLine(into: PyStatement[]): void {
    do {
      if (this.#peek().kind === "newline") break;
      this.#simple(into);
    } while (this.#takeOp(";"));
    if (this.#peek().kind !== "newline") this.#fail("the end of the statement");
    this.#at++;
  }

  #simple(into: PyStatement[]): void {
    const { line, kind, text } = this.#peek();
    if (this.#takeName("pass")) return;
    if (this.#takeName("assert")) return void into.push(this.#assert(line));
    if (kind === "name" && text === "import") return this.#import();
    const next = this.#tokens[this.#at + 1];
    // Python 2: print without parentheses.
    if (kind === "name" && text === "print" && next?.kind !== "op" && this.#takeName("print")) {
      const args = next?.kind === "newline" ? [] : [this.#tuple()];
      return void into.push({
        kind: "expression",
        line,
        value: { kind: "call", name: "print", args },
      });
    }
    into.push(this.#assignment(line));
  }

  /** Modules bring nothing that is used here. */
  #import(): void {
    while (this.#peek().kind !== "newline") this.#at++;
  }

  #assert(line: number): PyStatement {
    const { start } = this.#peek();
    const test = this.#expression();
    const text = this.#text.slice(start, this.#tokens[this.#at - 1]?.end);
    return {
      kind: "assert",
      line,
      test,
      text,
      message: this.#takeOp(",") ? this.#expression() : null,
    };
  }

  #assignment(line: number): PyStatement {
    const first = this.#tuple();
    const op = this.#peek();
    if (op.kind === "op" && /^(?:\*\*|\/\/|<<|>>|[-+*/%&|^])=$/.test(op.text)) {
      if (first.kind !== "name") this.#fail("a name before it");
      this.#at++;
      const binary = { kind: "binary", op: op.text.slice(0, -1), left: first } as const;
      const value = { ...binary, right: this.#tuple() };
      return { kind: "assign", line, targets: [[first.name]], value };
    }
    const targets: string[][] = [];
    let value = first;
    while (this.#isOp("=")) {
      targets.push(this.#targetOf(value));
      this.#at++;
      value = this.#tuple();
    }
    if (targets.length === 0) return { kind: "expression", line, value };
    return { kind: "assign", line, targets, value };
  }

  #targetOf(value: PyExpr): string[] {
    if (value.kind === "name") return [value.name];
    if (value.kind !== "list") return this.#fail("a name before it");
    return value.items.flatMap((item) => this.#targetOf(item));
  }

  #if(line: number): PyStatement {
    const test = this.#expression();
    const yes = this.#block();
    let no: PyStatement[] = [];
    const { line: elseLine } = this.#peek();
    if (this.#takeName("elif")) no = [this.#if(elseLine)];
    else if (this.#takeName("else")) no = this.#block();
    return { kind: "if", line, test, yes, no };
  }

  /** On the same line, or on indented lines below. */
  #block(): PyStatement[] {
    this.#expectOp(":");
    const body: PyStatement[] = [];
    if (this.#peek().kind !== "newline") {
      this.#simpleLine(body);
      return body;
    }
    while (this.#peek().kind === "newline") this.#at++;
    if (this.#peek().kind !== "indent") this.#fail("an indented block");
    this.#at++;
    while (this.#peek().kind !== "dedent") this.#statement(body);
    this.#at++;
    return body;
  }

  #names(): string[] {
    const names: string[] = [];
    do {
      const { kind, text } = this.#peek();
      if (kind !== "name") this.#fail("a name");
      names.push(text);
      this.#at++;
    } while (this.#takeOp(","));
    return names;
  }

  // ---- expressions ----

  #tuple(): PyExpr {
    const first = this.#expression();
    if (!this.#isOp(",")) return first;
    const items = [first];
    while (this.#takeOp(",") && this.#beginsExpression()) items.push(this.#expression());
    return { kind: "list", items };
  }

  #beginsExpression(): boolean {
    const { kind, text } = this.#peek();
    return kind === "op" ? /^[-+~([]$/.test(text) : /^(?:number|name|f?string)$/.test(kind);
  }

  #expression(): PyExpr {
    const yes = this.#or();
    if (!this.#takeName("if")) return yes;
    const test = this.#or();
    this.#expectName("else");
    return { kind: "choice", test, yes, no: this.#expression() };
  }

  #or(): PyExpr {
    let left = this.#and();
    while (this.#takeName("or")) left = { kind: "logic", op: "or", left, right: this.#and() };
    return left;
  }

  #and(): PyExpr {
    let left = this.#not();
    while (this.#takeName("and")) left = { kind: "logic", op: "and", left, right: this.#not() };
    return left;
  }

  #not(): PyExpr {
    if (this.#takeName("not")) return { kind: "unary", op: "not", of: this.#not() };
    const first = this.#binary(0);
    const rest: PyComparison[] = [];
    for (let op = this.#comparison(); op !== null; op = this.#comparison()) {
      rest.push({ op, of: this.#binary(0) });
    }
    return rest.length === 0 ? first : { kind: "compare", first, rest };
  }

  #comparison(): PyComparison["op"] | null {
    const { kind, text } = this.#peek();
    if (kind === "op" && COMPARISONS.includes(text)) {
      this.#at++;
      return text as PyComparison["op"];
    }
    if (this.#takeName("in")) return "in";
    if (this.#takeName("is")) return this.#takeName("not") ? "!=" : "==";
    if (!this.#takeName("not")) return null;
    this.#expectName("in");
    return "not in";
  }

  #binary(level: number): PyExpr {
    const ops = BINARY_LEVELS[level];
    if (ops === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    while (this.#peek().kind === "op" && ops.includes(this.#peek().text)) {
      const op = this.#peek().text;
      this.#at++;
      left = { kind: "binary", op, left, right: this.#binary(level + 1) };
    }
    return left;
  }

  /** A power is stronger than the sign before it and weaker than the one behind. */
  #unary(): PyExpr {
    for (const op of ["-", "+", "~"] as const) {
      if (this.#takeOp(op)) return { kind: "unary", op, of: this.#unary() };
    }
    const left = this.#postfix();
    return this.#takeOp("**") ? { kind: "binary", op: "**", left, right: this.#unary() } : left;
  }

  #postfix(): PyExpr {
    let of = this.#primary();
    while (this.#takeOp("[")) {
      of = { kind: "item", of, index: this.#tuple() };
      this.#expectOp("]");
    }
    return of;
  }

  #primary(): PyExpr {
    const { kind, text, line } = this.#peek();
    if (this.#takeOp("(")) return this.#parenthesized();
    if (this.#takeOp("[")) return { kind: "list", items: this.#itemsTo("]") };
    if (kind === "string" || kind === "fstring") return this.#strings();
    if (kind !== "number" && (kind !== "name" || KEYWORDS.includes(text))) this.#fail("a value");
    this.#at++;
    if (kind === "number") return { kind: "constant", value: numberOf(text) };
    const named = NAMED.get(text);
    if (named !== undefined) return { kind: "constant", value: named };
    if (this.#isOp(".")) {
      throw new PyFault(line, `expected no attribute of ${text}: there are none here`);
    }
    if (!this.#takeOp("(")) return { kind: "name", name: text };
    return { kind: "call", name: text, args: this.#itemsTo(")") };
  }

  #parenthesized(): PyExpr {
    if (this.#takeOp(")")) return { kind: "list", items: [] };
    const inner = this.#tuple();
    this.#expectOp(")");
    return inner;
  }

  #itemsTo(close: string): PyExpr[] {
    const items: PyExpr[] = [];
    while (!this.#takeOp(close)) {
      items.push(this.#expression());
      if (!this.#takeOp(",") && !this.#isOp(close)) this.#fail(`"," or "${close}"`);
    }
    return items;
  }

  /** Strings side by side are one. */
  #strings(): PyExpr {
    const parts: (string | PyPlaceholder)[] = [];
    for (let token = this.#peek(); /^f?string$/.test(token.kind); token = this.#peek()) {
      this.#at++;
      if (token.kind === "string") parts.push(unescaped(token.text));
      else parts.push(...placeholders(token));
    }
    if (parts.some((part) => typeof part !== "string")) return { kind: "format", parts };
    return { kind: "constant", value: parts.join("") };
  }

  // ---- tokens ----

  #peek(): PyToken {
    const token = this.#tokens[this.#at] ?? this.#tokens.at(-1);
    if (token === undefined) throw new Error("unreachable: there is always an end token");
    return token;
  }

  #isOp(text: string): boolean {
    const token = this.#peek();
    return token.kind === "op" && token.text === text;
  }

  #takeOp(text: string): boolean {
    if (!this.#isOp(text)) return false;
    this.#at++;
    return true;
  }

  #takeName(text: string): boolean {
    const token = this.#peek();
    if (token.kind !== "name" || token.text !== text) return false;
    this.#at++;
    return true;
  }

  #expectOp(text: string): void {
    if (!this.#takeOp(text)) this.#fail(`"${text}"`);
  }

  #expectName(text: string): void {
    if (!this.#takeName(text)) this.#fail(`"${text}"`);
  }

  #fail(expected: string): never {
    const { kind, text, line } = this.#peek();
    const got = text === ""
      ? (kind === "newline" ? "the end of the line" : `the ${kind}`)
      : `"${text}"`;
    throw new PyFault(line, `expected ${expected}, got ${got}`);
  }
}

function numberOf(text: string): bigint | number {
  const plain = text.replaceAll("_", "").replace(/[lL]$/, "");
  const isInteger = /^(?:0[xXoObB]|\d+$)/.test(plain);
  return isInteger ? BigInt(plain) : Number(plain);
}

function unescaped(text: string): string {
  return text.replace(/\\([\s\S])/g, (_, letter: string) => ESCAPES.get(letter) ?? letter);
}

/** `{{` and `}}` are braces. */
function placeholders(token: PyToken): (string | PyPlaceholder)[] {
  const parts: (string | PyPlaceholder)[] = [];
  const rule = /\{\{|\}\}|\{([^{}!:]+)(?:![rs])?(?::([^{}]*))?\}|[^{}]+|[{}]/g;
  for (const [whole, expression, spec = ""] of unescaped(token.text).matchAll(rule)) {
    if (expression !== undefined) {
      const text = expression.replace(/=\s*$/, "");
      if (text !== expression) parts.push(expression);
      parts.push({ of: new PyParser(text.trim()).whole(), spec });
    } else if (whole === "{" || whole === "}") {
      throw new PyFault(token.line, `expected a whole placeholder in f"${token.text}"`);
    } else parts.push(whole === "{{" || whole === "}}" ? whole.charAt(0) : whole);
  }
  return parts;
}

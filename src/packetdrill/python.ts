/**
 * Runs `%{ … }%`: the part of Python that scripts use, without an interpreter of it at hand.
 *
 * All snippets of a script share one scope. What the runtime knows at a time (`tcpi_cwnd` and the like) is put in before
 * each of them, over what stood there.
 */
import { SyntaxFault } from "./fault.ts";
import { PyFault } from "./python_lexer.ts";
import { parsePython } from "./python_parser.ts";
import type { PyExpr, PyStatement, PyValue } from "./python_syntax.ts";
import {
  binary,
  compare,
  format,
  FUNCTIONS,
  item,
  membersOf,
  PyTypeError,
  show,
  truth,
  unary,
} from "./python_values.ts";

/** More statements in one snippet are a loop without end. */
const STATEMENTS_MAX = 100_000;

/** An `assert` that did not hold. */
export class AssertFailure extends Error {
  override readonly name = "AssertFailure";
  /** Line in the script. */
  readonly line: number;
  /** The expression as written. */
  readonly test: string;
  /** Names in it with their values: `tcpi_cwnd = 5`. */
  readonly values: readonly string[];

  constructor(line: number, test: string, values: readonly string[], message: string | null) {
    const names = values.length === 0 ? "" : `, with ${values.join(", ")}`;
    super(`assert ${test}${names}${message === null ? "" : `: ${message}`}`);
    this.line = line;
    this.test = test;
    this.values = values;
  }
}

/** Values that the runtime gives; whole numbers become integers. */
export type GivenNames = ReadonlyMap<string, number | bigint | string>;

/** Where a snippet stands. */
export interface CodePlace {
  readonly file: string;
  /** Of its first character. */
  readonly line: number;
}

/** The global scope of a script. */
export class PythonScope {
  readonly #names = new Map<string, PyValue>();
  readonly #print: (text: string) => void;
  #statements = 0;

  /**
   * @param constants Names that are there from the beginning.
   * @param print Takes what `print()` shows, without a line break.
   */
  constructor(constants: GivenNames, print: (text: string) => void) {
    this.#print = print;
    this.give(constants);
  }

  /** Sets names, over what stood there. */
  give(names: GivenNames): void {
    for (const [name, value] of names) {
      const isWhole = typeof value === "number" && Number.isInteger(value);
      this.#names.set(name, isWhole ? BigInt(value) : value);
    }
  }

  /** @returns What a name holds; undefined if it holds nothing. */
  get(name: string): PyValue | undefined {
    return this.#names.get(name);
  }

  /**
   * Runs a snippet.
   *
   * @param text The snippet.
   * @param place Where it stands in its script.
   * @throws {AssertFailure} If an `assert` does not hold.
   * @throws {SyntaxFault} If it is not the Python that we know, or does what its values do not have.
   */
  run(text: string, place: CodePlace): void {
    this.#statements = 0;
    let line = 1;
    const base = place.line - 1;
    try {
      for (const statement of parsePython(text)) {
        line = statement.line;
        this.#run(statement, base);
      }
    } catch (error) {
      if (error instanceof PyFault) line = error.line;
      else if (!(error instanceof PyTypeError)) throw error;
      throw new SyntaxFault(place.file, base + line, `Cannot run the code: ${error.message}`);
    }
  }

  #run(statement: PyStatement, base: number): void {
    if (++this.#statements > STATEMENTS_MAX) {
      throw new PyTypeError(`it takes more than ${STATEMENTS_MAX} statements`);
    }
    switch (statement.kind) {
      case "assert":
        return this.#assert(statement, base);
      case "expression":
        return void this.#eval(statement.value);
      case "assign": {
        const value = this.#eval(statement.value);
        for (const target of statement.targets) this.#assign(target, value);
        return;
      }
      case "if":
        return this.#block(truth(this.#eval(statement.test)) ? statement.yes : statement.no, base);
      case "for":
        for (const value of membersOf(this.#eval(statement.of))) {
          this.#assign(statement.names, value);
          this.#block(statement.body, base);
        }
    }
  }

  #block(statements: readonly PyStatement[], base: number): void {
    for (const statement of statements) this.#run(statement, base);
  }

  #assert(statement: PyStatement & { readonly kind: "assert" }, base: number): void {
    if (truth(this.#eval(statement.test))) return;
    const names = new Set<string>();
    collectNames(statement.test, names);
    const values = [...names].flatMap((name) => {
      const value = this.#names.get(name);
      return value === undefined ? [] : [`${name} = ${show(value)}`];
    });
    const message = statement.message === null ? null : show(this.#eval(statement.message));
    throw new AssertFailure(base + statement.line, statement.text, values, message);
  }

  #assign(target: readonly string[], value: PyValue): void {
    const values = target.length === 1 ? [value] : membersOf(value);
    if (values.length !== target.length) {
      throw new PyTypeError(`expected ${target.length} values, got ${values.length}`);
    }
    target.forEach((name, index) => this.#names.set(name, values[index] ?? null));
  }

  #eval(expr: PyExpr): PyValue {
    switch (expr.kind) {
      case "constant":
        return expr.value;
      case "name":
        return this.#name(expr.name);
      case "list":
        return expr.items.map((each) => this.#eval(each));
      case "unary":
        return unary(expr.op, this.#eval(expr.of));
      case "binary":
        return binary(expr.op, this.#eval(expr.left), this.#eval(expr.right));
      case "compare":
        return this.#compare(expr);
      case "logic": {
        const left = this.#eval(expr.left);
        return truth(left) === (expr.op === "and") ? this.#eval(expr.right) : left;
      }
      case "choice":
        return this.#eval(truth(this.#eval(expr.test)) ? expr.yes : expr.no);
      case "item":
        return item(this.#eval(expr.of), this.#eval(expr.index));
      case "format":
        return expr.parts.map((part) =>
          typeof part === "string" ? part : format(this.#eval(part.of), part.spec)
        ).join("");
      case "call":
        return this.#call(expr.name, expr.args.map((each) => this.#eval(each)));
    }
  }

  #name(name: string): PyValue {
    const value = this.#names.get(name);
    if (value === undefined) throw new PyTypeError(`the name ${name} holds nothing`);
    return value;
  }

  #compare(expr: PyExpr & { readonly kind: "compare" }): boolean {
    let left = this.#eval(expr.first);
    for (const { op, of } of expr.rest) {
      const right = this.#eval(of);
      if (!compare(op, left, right)) return false;
      left = right;
    }
    return true;
  }

  #call(name: string, args: readonly PyValue[]): PyValue {
    if (name === "print") {
      this.#print(args.map(show).join(" "));
      return null;
    }
    const callee = FUNCTIONS.get(name);
    if (callee === undefined) throw new PyTypeError(`there is no function ${name}()`);
    return callee(args);
  }
}

/** Names in the order of the text. */
function collectNames(expr: PyExpr, into: Set<string>): void {
  switch (expr.kind) {
    case "name":
      into.add(expr.name);
      return;
    case "list":
      return expr.items.forEach((each) => collectNames(each, into));
    case "call":
      return expr.args.forEach((each) => collectNames(each, into));
    case "unary":
      return collectNames(expr.of, into);
    case "binary":
    case "logic":
      collectNames(expr.left, into);
      return collectNames(expr.right, into);
    case "compare":
      collectNames(expr.first, into);
      return expr.rest.forEach(({ of }) => collectNames(of, into));
    case "choice":
      collectNames(expr.test, into);
      collectNames(expr.yes, into);
      return collectNames(expr.no, into);
    case "item":
      collectNames(expr.of, into);
      return collectNames(expr.index, into);
    default:
      return;
  }
}

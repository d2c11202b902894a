/** Arguments of system calls as numbers, and the places where a script says `...`. */
import { constantOf } from "./constants.ts";
import { ScriptFault, Unsupported } from "./fault.ts";
import type { Expr, StructField } from "./syntax.ts";

/** Where an argument stands, for messages. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** Host order to network order and back: scripts give ports in host order, and so do we. */
const SAME_VALUE: ReadonlySet<string> = new Set(["htons", "htonl", "ntohs", "ntohl"]);

/** Reads the arguments of one call. */
export class Arguments implements Place {
  readonly file: string;
  readonly line: number;
  readonly #name: string;
  readonly #args: readonly Expr[];

  constructor(place: Place, name: string, args: readonly Expr[]) {
    this.file = place.file;
    this.line = place.line;
    this.#name = name;
    this.#args = args;
  }

  /** How many there are. */
  get count(): number {
    return this.#args.length;
  }

  /** One of them. @throws {ScriptFault} If the script has fewer. */
  at(index: number): Expr {
    const arg = this.#args[index];
    if (arg !== undefined) return arg;
    throw new ScriptFault(
      this.file,
      this.line,
      `${this.#name}() has ${this.#args.length} arguments, expected at least ${index + 1}`,
    );
  }

  /** One of them as a number. @throws {ScriptFault} If it is none. */
  number(index: number): number {
    return numberOf(this, this.at(index));
  }

  /** One of them as a number, or null where the script says `...` or nothing. */
  optional(index: number): number | null {
    const arg = this.#args[index];
    return arg === undefined || arg.kind === "any" ? null : numberOf(this, arg);
  }
}

/** The number of an expression. @throws {ScriptFault} If it has none. */
export function numberOf(place: Place, expr: Expr): number {
  const value = numberOrAny(place, expr);
  if (value !== null) return value;
  throw new ScriptFault(place.file, place.line, 'expected a number, got "..."');
}

/** The number of an expression, or null for `...`. @throws {ScriptFault} If it is neither. */
export function numberOrAny(place: Place, expr: Expr): number | null {
  switch (expr.kind) {
    case "any":
      return null;
    case "integer":
      return Number(expr.value);
    case "float":
      return expr.value;
    case "word":
      return wordValue(place, expr.name);
    case "or":
      return expr.parts.reduce((bits, part) => (bits | numberOf(place, part)) >>> 0, 0);
    case "not":
      return ~numberOf(place, expr.part);
    case "list": {
      const [only] = expr.items;
      if (only !== undefined && expr.items.length === 1) return numberOrAny(place, only);
      break;
    }
    case "apply": {
      const [only] = expr.args;
      if (only !== undefined && SAME_VALUE.has(expr.name)) return numberOrAny(place, only);
      break;
    }
    default:
  }
  throw new ScriptFault(place.file, place.line, `expected a number, got a ${expr.kind}`);
}

/** A constant that exists. */
export function known(name: string): number {
  const value = constantOf(name);
  if (value === undefined) throw new Error(`${name} is not in the table of constants`);
  return Number(value);
}

function wordValue(place: Place, name: string): number {
  const value = constantOf(name);
  if (value !== undefined) return Number(value);
  throw new Unsupported(place.file, place.line, `the name ${name} is not known here`);
}

/** The fields of a structure. @throws {ScriptFault} If it is none. */
export function fieldsOf(place: Place, expr: Expr): readonly StructField[] {
  if (expr.kind === "struct") return expr.fields;
  throw new ScriptFault(place.file, place.line, `expected a structure, got a ${expr.kind}`);
}

/** The elements of a list. @throws {ScriptFault} If it is none. */
export function itemsOf(place: Place, expr: Expr): readonly Expr[] {
  if (expr.kind === "list") return expr.items;
  throw new ScriptFault(place.file, place.line, `expected a list, got a ${expr.kind}`);
}

/** A field by its name, or undefined. */
export function field(fields: readonly StructField[], name: string): Expr | undefined {
  return fields.find((each) => each.name === name)?.value;
}

/** Bytes that the buffers of an iovec list have together. */
export function iovecBytes(place: Place, expr: Expr): number {
  return itemsOf(place, expr).reduce((bytes, item) => {
    const size = fieldsOf(place, item)[1];
    if (size === undefined) {
      throw new ScriptFault(place.file, place.line, "expected {buffer, size} in the iovec list");
    }
    return bytes + numberOf(place, size.value);
  }, 0);
}

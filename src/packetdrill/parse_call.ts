/** System calls: `accept(3, ..., ...) = 4`, `read(4, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)`. */
import type { Cursor } from "./cursor.ts";
import { unescape } from "./lexer.ts";
import type { Call, Expr, StructField } from "./syntax.ts";

/** Families of calls that are not here. */
const REFUSED_CALLS: readonly (readonly [begin: string, why: string])[] = [
  ["sctp_", "no SCTP"],
  ["io_uring_", "no io_uring"],
  ["psp_", "no PSP"],
];

/** @param cursor Before the name. @returns The call. */
export function parseCall(cursor: Cursor): Call {
  const { line, text: name } = cursor.next();
  const refused = REFUSED_CALLS.find(([begin]) => name.startsWith(begin));
  if (refused !== undefined) cursor.unsupported(`the call ${name}()`, refused[1], line);
  const args = parseArgs(cursor, `the call ${name}()`);
  const result = cursor.takeSymbol("=") ? parseResult(cursor, name) : null;
  const errno = parseErrno(cursor, name);
  const note = cursor.isSymbol("(") ? cursor.takeEnclosed("(", ")", "the note") : null;
  return { kind: "call", line, name, args, result, errno, note };
}

/** Results are not followed by arguments, because a note in parentheses may follow. */
function parseResult(cursor: Cursor, name: string): Expr {
  const what = `the result of ${name}()`;
  const parts = [parseResultPart(cursor, what)];
  while (cursor.takeSymbol("|")) parts.push(parseResultPart(cursor, what));
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind: "or", parts };
}

function parseResultPart(cursor: Cursor, what: string): Expr {
  if (cursor.is("word")) return { kind: "word", name: cursor.next().text };
  if (cursor.is("integer") || cursor.isSymbol("-") || cursor.isSymbol("...")) {
    return parsePrimary(cursor, what);
  }
  return cursor.fail(what, 'a number or "..."');
}

/** `EAGAIN` or `[EAGAIN]`. Nothing else that may follow a call begins with a word. */
function parseErrno(cursor: Cursor, name: string): string | null {
  const what = `the error of ${name}()`;
  const isBracketed = cursor.takeSymbol("[");
  if (!isBracketed && !cursor.is("word")) return null;
  const errno = cursor.expectWord(what, "a name such as EAGAIN");
  if (isBracketed) cursor.expectSymbol("]", what);
  return errno;
}

function parseArgs(cursor: Cursor, what: string): Expr[] {
  const args: Expr[] = [];
  cursor.expectSymbol("(", what);
  if (cursor.takeSymbol(")")) return args;
  do args.push(parseExpr(cursor, what)); while (cursor.takeSymbol(","));
  if (!cursor.takeSymbol(")")) cursor.fail(what, '"," or ")"');
  return args;
}

/** @param cursor Before an argument. @param what Named in messages. @returns The argument. */
export function parseExpr(cursor: Cursor, what: string): Expr {
  const parts = [parsePrimary(cursor, what)];
  while (cursor.takeSymbol("|")) parts.push(parsePrimary(cursor, what));
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind: "or", parts };
}

function parsePrimary(cursor: Cursor, what: string): Expr {
  if (cursor.takeSymbol("...")) return { kind: "any" };
  if (cursor.takeSymbol("~")) return { kind: "not", part: parsePrimary(cursor, what) };
  if (cursor.takeSymbol("-")) return negated(parseNumber(cursor, what));
  if (cursor.takeSymbol("(")) {
    const inner = parseExpr(cursor, what);
    cursor.expectSymbol(")", what);
    return inner;
  }
  if (cursor.isSymbol("[")) return { kind: "list", items: parseItems(cursor, what) };
  if (cursor.isSymbol("{")) return { kind: "struct", fields: parseFields(cursor) };
  if (cursor.is("string")) return parseStrings(cursor);
  if (!cursor.is("word")) return parseNumber(cursor, what);
  // `name = value` outside of braces is a structure of one field.
  if (cursor.isSymbol("=", 1)) return { kind: "struct", fields: [parseField(cursor)] };
  const name = cursor.next().text;
  if (!cursor.isSymbol("(")) return { kind: "word", name };
  return { kind: "apply", name, args: parseArgs(cursor, `${name}()`) };
}

function parseNumber(cursor: Cursor, what: string): Expr {
  if (cursor.is("integer")) return { kind: "integer", value: BigInt(cursor.next().text) };
  if (cursor.is("float")) return { kind: "float", value: Number(cursor.next().text) };
  return cursor.fail(what, "an argument");
}

function negated(number: Expr): Expr {
  if (number.kind === "integer") return { kind: "integer", value: -number.value };
  return number.kind === "float" ? { kind: "float", value: -number.value } : number;
}

/** Strings side by side are one, as in C. An ellipsis behind them says that more may follow, which nobody compares. */
function parseStrings(cursor: Cursor): Expr {
  const bytes: number[] = [];
  while (cursor.is("string")) bytes.push(...unescape(cursor.next().text));
  cursor.takeSymbol("...");
  return { kind: "string", bytes: Uint8Array.from(bytes) };
}

function parseItems(cursor: Cursor, what: string): Expr[] {
  const items: Expr[] = [];
  cursor.expectSymbol("[", what);
  if (cursor.takeSymbol("]")) return items;
  do items.push(parseExpr(cursor, what)); while (cursor.takeSymbol(","));
  if (!cursor.takeSymbol("]")) cursor.fail(what, '"," or "]"');
  return items;
}

function parseFields(cursor: Cursor): StructField[] {
  const what = "the structure";
  const fields: StructField[] = [];
  cursor.expectSymbol("{", what);
  if (cursor.takeSymbol("}")) return fields;
  do fields.push(parseField(cursor)); while (cursor.takeSymbol(","));
  if (!cursor.takeSymbol("}")) cursor.fail(what, '"," or "}"');
  return fields;
}

/** `sin_port = htons(8080)`, `msg_iov(1) = [...]`, or a value alone. */
function parseField(cursor: Cursor): StructField {
  const what = "the field";
  if (!cursor.is("word")) return { name: null, index: null, value: parseExpr(cursor, what) };
  const name = cursor.peek().text;
  if (cursor.isSymbol("=", 1)) {
    cursor.next();
    cursor.next();
    return { name, index: null, value: parseExpr(cursor, `the field ${name}`) };
  }
  const value = parseExpr(cursor, what);
  if (value.kind !== "apply" || !cursor.takeSymbol("=")) return { name: null, index: null, value };
  const [index = null] = value.args;
  return { name, index, value: parseExpr(cursor, `the field ${name}`) };
}

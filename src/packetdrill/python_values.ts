/** What Python's operators and functions do to values. Integers are exact; `/` gives a float. */
import type { PyComparison, PyRange, PyValue } from "./python_syntax.ts";

/** Larger shifts and powers are a mistake and would take all memory, bits. */
const INTEGER_MAX_BITS = 4096;
/** Longer lists are a mistake. */
const LIST_MAX = 100_000;

/** An operation that a value does not have. */
export class PyTypeError extends Error {}

type Numeric = bigint | number;

/** @returns The name of a value's type. */
export function typeName(value: PyValue): string {
  if (value === null) return "None";
  if (Array.isArray(value)) return "list";
  if (typeof value === "object") return "range";
  return {
    bigint: "int",
    number: "float",
    string: "str",
    boolean: "bool",
  }[typeof value as "bigint"];
}

/** Booleans count as 0 and 1. */
function numeric(value: PyValue, what: string): Numeric {
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "bigint" || typeof value === "number") return value;
  throw new PyTypeError(`${what} needs a number, got ${typeName(value)}`);
}

function integer(value: PyValue, what: string): bigint {
  const number = numeric(value, what);
  if (typeof number === "bigint") return number;
  throw new PyTypeError(`${what} needs an integer, got float`);
}

function isRange(value: PyValue): value is PyRange {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @returns Whether `if` takes it for true. */
export function truth(value: PyValue): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isRange(value)) return lengthOf(value) > 0;
  return Boolean(value);
}

/** @returns All members of a list, a range or a string. */
export function membersOf(value: PyValue): readonly PyValue[] {
  if (Array.isArray(value)) return value;
  if (typeof value === "string") return [...value];
  if (!isRange(value)) throw new PyTypeError(`${typeName(value)} has no members`);
  const count = lengthOf(value);
  if (count > LIST_MAX) throw new PyTypeError(`a range of ${count} members is too long`);
  return Array.from({ length: count }, (_, index) => value.start + value.step * BigInt(index));
}

function lengthOf(value: PyValue): number {
  if (Array.isArray(value) || typeof value === "string") return value.length;
  if (!isRange(value)) throw new PyTypeError(`${typeName(value)} has no length`);
  const { start, stop, step } = value;
  const span = step > 0n ? stop - start : start - stop;
  const size = step > 0n ? step : -step;
  return span <= 0n ? 0 : Number((span + size - 1n) / size);
}

/** @returns `left op right`. */
export function binary(op: string, left: PyValue, right: PyValue): PyValue {
  if (op === "%" && typeof left === "string") {
    return formatPercent(left, Array.isArray(right) ? right : [right]);
  }
  if (op === "+" && typeof left === "string" && typeof right === "string") return left + right;
  if (op === "+" && Array.isArray(left) && Array.isArray(right)) return [...left, ...right];
  const a = numeric(left, `"${op}"`);
  const b = numeric(right, `"${op}"`);
  if (/^(?:\||\^|&|<<|>>)$/.test(op)) {
    return bitwise(op, integer(a, `"${op}"`), integer(b, `"${op}"`));
  }
  if (/^(?:\/|\/\/|%)$/.test(op) && Number(b) === 0) throw new PyTypeError("division by zero");
  if (typeof a === "bigint" && typeof b === "bigint" && op !== "/") {
    if (op !== "**" || b >= 0n) return integers(op, a, b);
  }
  return floats(op, Number(a), Number(b));
}

function bitwise(op: string, a: bigint, b: bigint): bigint {
  if (op === "|") return a | b;
  if (op === "^") return a ^ b;
  if (op === "&") return a & b;
  if (b < 0n || b > INTEGER_MAX_BITS) throw new PyTypeError(`a shift by ${b} is out of range`);
  return op === "<<" ? a << b : a >> b;
}

/** Quotients are rounded down, and remainders have the sign of the divisor. */
function integers(op: string, a: bigint, b: bigint): bigint {
  const rest = op === "//" || op === "%" ? ((a % b) + b) % b : 0n;
  switch (op) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "//":
      return (a - rest) / b;
    case "%":
      return rest;
    default:
      if (BigInt(a.toString(2).length) * b > INTEGER_MAX_BITS) {
        throw new PyTypeError(`${a} ** ${b} is out of range`);
      }
      return a ** b;
  }
}

function floats(op: string, a: number, b: number): number {
  switch (op) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "//":
      return Math.floor(a / b);
    case "%":
      return a - Math.floor(a / b) * b;
    default:
      return a ** b;
  }
}

/** @returns `-of` and so on. */
export function unary(op: "-" | "+" | "~" | "not", of: PyValue): PyValue {
  if (op === "not") return !truth(of);
  if (op === "~") return ~integer(of, '"~"');
  const number = numeric(of, `"${op}"`);
  return op === "-" ? -number : number;
}

function equal(a: PyValue, b: PyValue): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((each, index) => equal(each, b[index] ?? null));
  }
  if (isRange(a) && isRange(b)) {
    return a.start === b.start && a.stop === b.stop && a.step === b.step;
  }
  const left = typeof a === "boolean" ? Number(a) : a;
  const right = typeof b === "boolean" ? Number(b) : b;
  if (typeof left === "string" || typeof right === "string") return left === right;
  // deno-lint-ignore eqeqeq -- an integer equals the float of its value, in Python as by == here
  return left == right;
}

/** @returns Whether `a op b`. */
export function compare(op: PyComparison["op"], a: PyValue, b: PyValue): boolean {
  if (op === "==") return equal(a, b);
  if (op === "!=") return !equal(a, b);
  if (op === "in") return contains(b, a);
  if (op === "not in") return !contains(b, a);
  if (Array.isArray(a) && Array.isArray(b)) return compareLists(op, a, b);
  if (typeof a === "string" && typeof b === "string") return ordered(op, a, b);
  return ordered(op, numeric(a, `"${op}"`), numeric(b, `"${op}"`));
}

function ordered(op: string, a: Numeric | string, b: Numeric | string): boolean {
  if (op === "<") return a < b;
  if (op === "<=") return a <= b;
  return op === ">" ? a > b : a >= b;
}

function compareLists(
  op: PyComparison["op"],
  a: readonly PyValue[],
  b: readonly PyValue[],
): boolean {
  const at = a.findIndex((each, index) => index >= b.length || !equal(each, b[index] ?? null));
  if (at < 0 || at >= b.length) return ordered(op, a.length, b.length);
  return compare(op, a[at] ?? null, b[at] ?? null);
}

function contains(of: PyValue, value: PyValue): boolean {
  if (typeof of === "string" && typeof value === "string") return of.includes(value);
  if (!isRange(of)) return membersOf(of).some((each) => equal(each, value));
  const number = numeric(value, '"in"');
  if (!Number.isInteger(Number(number))) return false;
  const offset = BigInt(number) - of.start;
  return offset % of.step === 0n && offset / of.step >= 0n && offset / of.step < lengthOf(of);
}

/** @returns `of[index]`. */
export function item(of: PyValue, index: PyValue): PyValue {
  const at = Number(integer(index, "an index"));
  const value = membersOf(of).at(at);
  if (value === undefined) throw new PyTypeError(`index ${at} is out of range`);
  return value;
}

// ---- text ----------------------------------------------------------------------------------------------------------

/** @returns What `print` shows. */
export function show(value: PyValue): string {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "True" : "False";
  if (value === null) return "None";
  if (typeof value === "number") return Number.isInteger(value) ? `${value}.0` : String(value);
  if (Array.isArray(value)) return `[${value.map(represent).join(", ")}]`;
  if (isRange(value)) return `range(${value.start}, ${value.stop})`;
  return String(value);
}

function represent(value: PyValue): string {
  return typeof value === "string" ? `'${value}'` : show(value);
}

/** @returns A value by a format such as `.2f`, `5d` or `x`; what is not known of it is left out. */
export function format(value: PyValue, spec: string): string {
  const match = /^(-|0)?(\d+)?,?(?:\.(\d+))?([dixXfFeEgGsr])?$/.exec(spec);
  if (match === null) return show(value);
  const [, fill = "", width = "0", digits, letter = ""] = match;
  let text = show(value);
  if (/[fFeEgG]/.test(letter)) {
    const number = Number(numeric(value, "a format"));
    const precision = Number(digits ?? 6);
    if (/[fF]/.test(letter)) text = number.toFixed(precision);
    else text = /[eE]/.test(letter) ? number.toExponential(precision) : String(number);
  } else if (/[di]/.test(letter)) text = String(toInteger(value));
  else if (/[xX]/.test(letter)) text = toInteger(value).toString(16);
  else if (letter === "r") text = represent(value);
  if (fill === "-") return text.padEnd(Number(width));
  return text.padStart(Number(width), fill === "0" ? "0" : " ");
}

function formatPercent(text: string, values: readonly PyValue[]): string {
  let at = 0;
  return text.replace(
    /%%|%([-0]?\d*(?:\.\d+)?[dixXfFeEgGsru])/g,
    (whole, spec: string | undefined) => {
      if (spec === undefined) return "%";
      const value = values[at++];
      return value === undefined ? whole : format(value, spec.replace(/u$/, "d"));
    },
  );
}

// ---- functions -----------------------------------------------------------------------------------------------------

function toInteger(value: PyValue): bigint {
  if (typeof value === "string") {
    if (!/^\s*[-+]?\d+\s*$/.test(value)) throw new PyTypeError(`"${value}" is no integer`);
    return BigInt(value.trim());
  }
  const number = numeric(value, "int()");
  if (typeof number === "bigint") return number;
  if (!Number.isFinite(number)) throw new PyTypeError(`${number} has no integer`);
  return BigInt(Math.trunc(number));
}

/** Halves go to the even neighbour. */
function round(value: PyValue, digits: PyValue | undefined): PyValue {
  const number = numeric(value, "round()");
  if (typeof number === "bigint") return number;
  if (digits !== undefined) return Number(number.toFixed(Number(integer(digits, "round()"))));
  const floor = Math.floor(number);
  const isUp = number - floor > 0.5 || (number - floor === 0.5 && floor % 2 !== 0);
  return BigInt(isUp ? floor + 1 : floor);
}

function range(args: readonly PyValue[]): PyRange {
  const numbers = args.map((each) => integer(each, "range()"));
  const [first = 0n, second, step = 1n] = numbers;
  if (step === 0n) throw new PyTypeError("a range needs a step other than 0");
  return second === undefined
    ? { start: 0n, stop: first, step }
    : { start: first, stop: second, step };
}

function extreme(op: "<" | ">", args: readonly PyValue[]): PyValue {
  const [first = null] = args;
  const of = args.length === 1 ? membersOf(first) : args;
  if (of.length === 0) throw new PyTypeError("expected something to choose from, got nothing");
  return of.reduce((best, each) => compare(op, each, best) ? each : best);
}

function absolute(value: PyValue): PyValue {
  const number = numeric(value, "abs()");
  return number < 0 ? -number : number;
}

/** Functions by name; each takes what it was called with. */
export const FUNCTIONS: ReadonlyMap<string, (args: readonly PyValue[]) => PyValue> = new Map<
  string,
  (args: readonly PyValue[]) => PyValue
>([
  ["abs", ([value = null]) => absolute(value)],
  ["min", (args) => extreme("<", args)],
  ["max", (args) => extreme(">", args)],
  ["int", ([value = 0n]) => toInteger(value)],
  ["long", ([value = 0n]) => toInteger(value)],
  [
    "float",
    ([value = 0]) => typeof value === "string" ? Number(value) : Number(numeric(value, "float()")),
  ],
  ["bool", ([value = false]) => truth(value)],
  ["str", ([value = ""]) => show(value)],
  ["repr", ([value = ""]) => represent(value)],
  ["hex", ([value = 0n]) => `0x${integer(value, "hex()").toString(16)}`],
  ["round", ([value = 0n, digits]) => round(value, digits)],
  ["len", ([value = null]) => BigInt(lengthOf(value))],
  ["range", range],
  ["xrange", range],
  ["list", ([value = []]) => membersOf(value)],
  ["tuple", ([value = []]) => membersOf(value)],
  ["sum", ([value = []]) => membersOf(value).reduce((sum, each) => binary("+", sum, each), 0n)],
  ["any", ([value = []]) => membersOf(value).some(truth)],
  ["all", ([value = []]) => membersOf(value).every(truth)],
]);

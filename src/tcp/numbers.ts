/** Refuses values that a caller can not mean: `TypeError` for another type, `RangeError` for one out of range. */

/**
 * Checks a number of the caller's.
 *
 * @throws {TypeError} If it is no number.
 * @throws {RangeError} If it is not an integer, or out of range.
 */
export function checkInteger(name: string, value: unknown, min: number, max: number): void {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot take ${name} "${String(value)}": expected a number`);
  }
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`Cannot take ${name} ${value}: expected an integer, ${min} to ${max}`);
  }
}

/**
 * Checks a switch of the caller's.
 *
 * @throws {TypeError} If it is not true or false.
 */
export function checkBoolean(name: string, value: unknown): void {
  if (typeof value === "boolean") return;
  throw new TypeError(`Cannot take ${name} "${String(value)}": expected true or false`);
}

/**
 * Checks a word of the caller's.
 *
 * @throws {TypeError} If it is no text.
 * @throws {RangeError} If it is none of those that are known.
 */
export function checkName(name: string, value: unknown, names: readonly string[]): void {
  const wanted = names.map((one) => `"${one}"`).join(", ");
  if (typeof value !== "string") {
    throw new TypeError(`Cannot take ${name} "${String(value)}": expected one of ${wanted}`);
  }
  if (!names.includes(value)) {
    throw new RangeError(`Cannot take ${name} "${value}": expected one of ${wanted}`);
  }
}

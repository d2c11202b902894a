/** Medians, and ratios by pairs: what was measured side by side is compared side by side. */

/**
 * The middle of numbers; of an even count the mean of the middle two.
 *
 * @throws {RangeError} If there are none.
 */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Cannot take the median of nothing");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/**
 * The value below which a part of the numbers lies.
 *
 * @param part 0 to 1.
 */
export function quantile(values: readonly number[] | Float64Array, part: number): number {
  const sorted = Float64Array.from(values).sort();
  const index = Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * part) - 1));
  return sorted[index] ?? NaN;
}

/**
 * Compares runs in pairs: the i-th of one with the i-th of the other, which ran beside it. A machine that slows down for a
 * while slows both of a pair, so their ratio stays.
 *
 * @returns Median of the ratios `own / other` and of the differences `own - other`.
 * @throws {RangeError} If they are not as many.
 */
export function compareByPairs(
  own: readonly number[],
  other: readonly number[],
): { readonly ratio: number; readonly difference: number } {
  if (own.length !== other.length || own.length === 0) {
    throw new RangeError(`Cannot compare ${own.length} runs with ${other.length} by pairs`);
  }
  const pairs = own.map((value, i) => [value, other[i] ?? NaN] as const);
  return {
    ratio: median(pairs.map(([a, b]) => a / b)),
    difference: median(pairs.map(([a, b]) => a - b)),
  };
}

/** Plain twin of as/seq.ts: sequence numbers as points on a circle. */

const CIRCLE = 2 ** 32;
const HALF = 2 ** 31;

/** How far it is from one number forward to another. */
export function distance(from: number, to: number): number {
  return (to - from + CIRCLE) % CIRCLE;
}

/** Is `a` less than half the circle ahead of `b`? */
export function after(a: number, b: number): boolean {
  const ahead = distance(b, a);
  return ahead > 0 && ahead < HALF;
}

/** The same seen from the other side. */
export function before(a: number, b: number): boolean {
  return after(b, a);
}

/** Later or equal; of antipodes neither. */
export function atOrAfter(a: number, b: number): boolean {
  return a === b || after(a, b);
}

/** Earlier or equal; of antipodes neither. */
export function atOrBefore(a: number, b: number): boolean {
  return a === b || before(a, b);
}

/** The later one; of antipodes the second. */
export function latest(a: number, b: number): number {
  return after(a, b) ? a : b;
}

/** The earlier one; of antipodes the first. */
export function earliest(a: number, b: number): number {
  return after(a, b) ? b : a;
}

/** Is it one of the `size` numbers from `start` on? */
export function inWindow(seq: number, start: number, size: number): boolean {
  return distance(start, seq) < size;
}

/**
 * Sequence numbers as whole numbers that never wrap: the model counts on, and only what is on the wire is taken modulo
 * 2^32. A number of the wire becomes the whole number that is nearest to one we know. RFC 9293 section 3.4.
 */

const CIRCLE = 2 ** 32;

/** The whole number with this value on the wire that is nearest to `near`. */
export function lift(wire: number, near: number): number {
  return wire + (Math.round((near - wire) / CIRCLE) * CIRCLE);
}

/** What is written on the wire. */
export function lower(number: number): number {
  return ((number % CIRCLE) + CIRCLE) % CIRCLE;
}

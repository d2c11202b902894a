/**
 * Sequence numbers: 32 bits that wrap, compared by the sign of their difference. RFC 9293 section 3.4.
 *
 * Two numbers that are exactly 2^31 apart (antipodes) have no order: neither is after the other, and every claim about
 * them here is false, `atOrAfter` and `atOrBefore` too. So a check that must be passed is not passed by a peer who aims
 * at the antipode. Hence `!after(a, b)` is not `atOrBefore(a, b)`: say the one that is meant. At any other distance
 * exactly one of `after`, `before` and `===` holds.
 */

/** A sequence number. */
type Seq = u32;

/**
 * Is `a` later than `b`?
 *
 * @returns True for distances 1 to 2^31 - 1 from b to a.
 */
export function after(a: Seq, b: Seq): bool {
  return i32(a - b) > 0;
}

/**
 * Is `a` earlier than `b`?
 *
 * @returns True for distances 1 to 2^31 - 1 from a to b.
 */
export function before(a: Seq, b: Seq): bool {
  return i32(b - a) > 0;
}

/**
 * Is `a` later than `b`, or equal?
 *
 * @returns True for distances 0 to 2^31 - 1 from b to a.
 */
export function atOrAfter(a: Seq, b: Seq): bool {
  return i32(a - b) >= 0;
}

/**
 * Is `a` earlier than `b`, or equal?
 *
 * @returns True for distances 0 to 2^31 - 1 from a to b.
 */
export function atOrBefore(a: Seq, b: Seq): bool {
  return i32(b - a) >= 0;
}

/**
 * How far it is from one number forward to another.
 *
 * @returns 0 to 2^32 - 1, modulo 2^32.
 */
export function distance(from: Seq, to: Seq): u32 {
  return to - from;
}

/**
 * The later of two numbers; of antipodes the second.
 *
 * @returns One of them; `earliest` returns the other.
 */
export function latest(a: Seq, b: Seq): Seq {
  return after(a, b) ? a : b;
}

/**
 * The earlier of two numbers; of antipodes the first.
 *
 * @returns One of them; `latest` returns the other.
 */
export function earliest(a: Seq, b: Seq): Seq {
  return after(a, b) ? b : a;
}

/**
 * Does start =< seq < start + size hold?
 *
 * @param size Size of the window; any u32, and 0 holds nothing.
 */
export function inWindow(seq: Seq, start: Seq, size: u32): bool {
  return seq - start < size;
}

export { Seq };

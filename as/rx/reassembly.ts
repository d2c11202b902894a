/**
 * Text that arrives out of order. A byte's place in the ring is its sequence number, so it is copied once, to where it
 * will be read; what is kept besides are the ranges that are filled. Knows no TCP but the order of sequence numbers.
 *
 * The ranges of a Flight block are sorted, disjoint and do not touch: between two lies at least one missing byte. Bytes
 * of a range are never written again, so the first bytes to arrive win, whatever a later segment claims.
 *
 * Every loop is bounded by RANGES_MAX.
 */
import { copyBytes } from "../bytes.ts";
import {
  FLIGHT_RANGE_COUNT,
  FLIGHT_RANGE_STAMP,
  FLIGHT_RANGES,
  Range,
  RANGE_SIZE,
  RANGES_MAX,
} from "../layout.gen.ts";
import { atOrBefore, before, distance, earliest, latest, Seq } from "../seq.ts";

/** The range table is full and the text touches no range: nothing was copied. */
export const PLACED_FULL: u32 = 0;
/** The text, or the part of it that was missing, is in the ring. */
export const PLACED: u32 = 1;
/** The text was there already. */
export const PLACED_DUPLICATE: u32 = 2;

/** A range by its place in the order of sequence numbers. @param flight Flight block. @param index Below the count. */
export function rangeAt(flight: usize, index: u32): Range {
  return changetype<Range>(flight + FLIGHT_RANGES + (usize(index) * RANGE_SIZE));
}

function setRangeCount(flight: usize, count: u32): void {
  store<u32>(flight, count, FLIGHT_RANGE_COUNT);
}

/** Moves the ranges from index `from` on to index `to`; both at most their count. */
function moveRanges(flight: usize, to: u32, from: u32): void {
  const first = changetype<usize>(rangeAt(flight, from));
  const end = changetype<usize>(rangeAt(flight, rangeCount(flight)));
  memory.copy(changetype<usize>(rangeAt(flight, to)), first, end - first);
}

function setRange(flight: usize, index: u32, start: Seq, end: Seq): void {
  const stamp = load<u32>(flight, FLIGHT_RANGE_STAMP) + 1;
  store<u32>(flight, stamp, FLIGHT_RANGE_STAMP);
  const range = rangeAt(flight, index);
  range.start = start;
  range.end = end;
  range.stamp = stamp;
}

/** Copies into the ring, around its end if need be. @param offset Where in the ring; at most `mask`. */
function copyIn(ring: usize, mask: u32, offset: u32, src: usize, bytes: u32): void {
  const room = mask + 1 - offset;
  const first = bytes < room ? bytes : room;
  copyBytes(ring + offset, src, first);
  if (first < bytes) copyBytes(ring, src + first, bytes - first);
}

/** Index of the first range that ends at or after `seq`, or the count. */
function firstReaching(flight: usize, seq: Seq): u32 {
  const count = rangeCount(flight);
  let index: u32 = 0;
  while (index < count && before(rangeAt(flight, index).end, seq)) index++;
  return index;
}

/** Index after the last range that starts at or before `end`, from index `from` on. */
function firstBeyond(flight: usize, from: u32, end: Seq): u32 {
  const count = rangeCount(flight);
  let index = from;
  while (index < count && atOrBefore(rangeAt(flight, index).start, end)) index++;
  return index;
}

/** Copies what of [seq, seq + bytes) the ranges [first, last) do not hold. @returns Bytes copied. */
function fillHoles(
  flight: usize,
  first: u32,
  last: u32,
  ring: usize,
  mask: u32,
  origin: Seq,
  seq: Seq,
  src: usize,
  bytes: u32,
): u32 {
  const end = seq + bytes;
  let at = seq;
  let copied: u32 = 0;
  for (let index = first; index < last; index++) {
    const range = rangeAt(flight, index);
    const holeEnd = earliest(range.start, end);
    if (before(at, holeEnd)) {
      const hole = distance(at, holeEnd);
      copyIn(ring, mask, distance(origin, at) & mask, src + distance(seq, at), hole);
      copied += hole;
    }
    // It ends at or after the text's first byte, and after the range before it.
    at = range.end;
  }
  if (before(at, end)) {
    const hole = distance(at, end);
    copyIn(ring, mask, distance(origin, at) & mask, src + distance(seq, at), hole);
    copied += hole;
  }
  return copied;
}

/**
 * Places text that begins beyond RCV.NXT.
 *
 * A text that was there already gives its range a new stamp too: the first SACK block is the one that holds the
 * segment which triggered the acknowledgment. RFC 2018 section 4.
 *
 * @param flight Flight block.
 * @param ring Ring's address.
 * @param mask Ring's size less one; the size is a power of two.
 * @param origin Sequence number of the ring's first byte.
 * @param seq Sequence number of the text's first byte, after RCV.NXT; all of the text must fit in the ring.
 * @param src Where the text lies.
 * @param bytes How long it is.
 * @returns PLACED, PLACED_DUPLICATE or PLACED_FULL.
 */
export function place(
  flight: usize,
  ring: usize,
  mask: u32,
  origin: Seq,
  seq: Seq,
  src: usize,
  bytes: u32,
): u32 {
  assert(flight !== 0, "out-of-order text needs a flight block");
  assert(bytes <= mask + 1, "text is longer than its ring");
  if (bytes === 0) return PLACED_DUPLICATE;
  const end = seq + bytes;
  const first = firstReaching(flight, seq);
  const last = firstBeyond(flight, first, end);
  const count = rangeCount(flight);
  if (first === last) {
    if (count >= u32(RANGES_MAX)) return PLACED_FULL;
    moveRanges(flight, first + 1, first);
    setRange(flight, first, seq, end);
    setRangeCount(flight, count + 1);
    copyIn(ring, mask, distance(origin, seq) & mask, src, bytes);
    return PLACED;
  }
  const copied = fillHoles(flight, first, last, ring, mask, origin, seq, src, bytes);
  const start = earliest(rangeAt(flight, first).start, seq);
  setRange(flight, first, start, latest(rangeAt(flight, last - 1).end, end));
  if (last - first > 1) {
    moveRanges(flight, first + 1, last);
    setRangeCount(flight, count - (last - first - 1));
  }
  return copied === 0 ? PLACED_DUPLICATE : PLACED;
}

/**
 * Places text that begins at RCV.NXT, and takes out every range that it reaches. Never refused.
 *
 * @param flight Flight block, or 0: there are no ranges.
 * @param ring Ring's address.
 * @param mask Ring's size less one; the size is a power of two.
 * @param origin Sequence number of the ring's first byte.
 * @param rcvNxt RCV.NXT; all of the text must fit in the ring.
 * @param src Where the text lies.
 * @param bytes How long it is.
 * @returns The new RCV.NXT.
 */
export function placeInOrder(
  flight: usize,
  ring: usize,
  mask: u32,
  origin: Seq,
  rcvNxt: Seq,
  src: usize,
  bytes: u32,
): Seq {
  assert(bytes <= mask + 1, "text is longer than its ring");
  const end = rcvNxt + bytes;
  const count = rangeCount(flight);
  if (count === 0) {
    copyIn(ring, mask, distance(origin, rcvNxt) & mask, src, bytes);
    return end;
  }
  const reached = firstBeyond(flight, 0, end);
  fillHoles(flight, 0, reached, ring, mask, origin, rcvNxt, src, bytes);
  return passRanges(flight, end);
}

/**
 * Removes the ranges that a number has reached.
 *
 * @param flight Flight block, or 0.
 * @param rcvNxt Up to where everything is there.
 * @returns Up to where everything is there with what waited behind it.
 */
export function passRanges(flight: usize, rcvNxt: Seq): Seq {
  const count = rangeCount(flight);
  const reached: u32 = count === 0 ? 0 : firstBeyond(flight, 0, rcvNxt);
  if (reached === 0) return rcvNxt;
  const next = latest(rcvNxt, rangeAt(flight, reached - 1).end);
  moveRanges(flight, 0, reached);
  setRangeCount(flight, count - reached);
  return next;
}

/**
 * Forgets every range, as a new Flight block has none.
 *
 * @param flight Flight block, or 0.
 */
export function dropRanges(flight: usize): void {
  if (flight === 0) return;
  setRangeCount(flight, 0);
  store<u32>(flight, 0, FLIGHT_RANGE_STAMP);
}

/**
 * How many ranges there are.
 *
 * @param flight Flight block, or 0.
 * @returns 0 to RANGES_MAX.
 */
export function rangeCount(flight: usize): u32 {
  if (flight === 0) return 0;
  const count = load<u32>(flight, FLIGHT_RANGE_COUNT);
  assert(count <= u32(RANGES_MAX), "more ranges than fit");
  return count;
}

/** The first range with bytes at or beyond `seq`: its address, or 0. @param flight Flight block. */
export function firstHeld(flight: usize, seq: Seq): usize {
  const count = rangeCount(flight);
  for (let index: u32 = 0; index < count; index++) {
    const range = rangeAt(flight, index);
    if (before(seq, range.end)) return changetype<usize>(range);
  }
  return 0;
}

/**
 * The n-th most recently changed range: the order of SACK blocks. RFC 2018 section 4.
 *
 * @param flight Flight block, or 0.
 * @param n From 0, below SACK_BLOCKS_MAX.
 * @returns Address of a Range, or 0 if there are not so many.
 */
export function sackBlock(flight: usize, n: u32): usize {
  const count = rangeCount(flight);
  if (n >= count) return 0;
  const newest = load<u32>(flight, FLIGHT_RANGE_STAMP);
  let found: usize = 0;
  // Ages are different, because each change takes a new stamp. Each turn finds the least age that is not below `least`.
  let least: u32 = 0;
  for (let turn: u32 = 0; turn <= n; turn++) {
    let best: u32 = u32.MAX_VALUE;
    for (let index: u32 = 0; index < count; index++) {
      const range = rangeAt(flight, index);
      const age = newest - range.stamp;
      if (age < least || age >= best) continue;
      best = age;
      found = changetype<usize>(range);
    }
    least = best + 1;
  }
  return found;
}

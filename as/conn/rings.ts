/**
 * Rings of one connection. A byte's place is its sequence number: `(seq - origin) & mask`, with origin ISS + 1 or
 * IRS + 1, so out-of-order text lands in its final place. A ring exists only while bytes are in it, and grows by
 * doubling: each byte moves to where the wider mask expects it.
 *
 * What a connection needed it will need again, so the word of a ring that was given back keeps its order for the next
 * one: a bulk transfer whose rings run empty every round would else grow them from the smallest each time, and copy
 * every byte twice on the way. An order that was not half used falls by one each time the ring goes back.
 */
import { boot, control } from "../config.ts";
import { NO_RING, NONE, RING_MIN_BYTES, RING_ORDERS, STAT_RING_MOVED, Tcb } from "../layout.gen.ts";
import { allocRing, freeRing, ringAddress, ringPagesLive } from "../ring_pool.ts";
import { countMany } from "../stats.ts";

const ORDER_SHIFT: u32 = 24;
const ORDER_MASK: u32 = 0xf;
/** More than half of the ring was needed since it was taken. */
const RING_FILLED: u32 = 0x10000000;
const PAGE_MASK: u32 = NO_RING;
/** One connection's ring holds at most this part of the pool, as a shift: 1/8. */
const POOL_SHARE_SHIFT: u32 = 3;
/** A ring larger than what it is to hold now is taken only while this part of the pool stays free, as a shift: 1/2. */
const ROOMY_SHIFT: u32 = 1;

/** The connection has this ring. */
export function hasRing(ring: u32): bool {
  return (ring & PAGE_MASK) !== NO_RING;
}

function orderOf(ring: u32): u32 {
  return (ring >> ORDER_SHIFT) & ORDER_MASK;
}

function orderBytes(order: u32): u32 {
  return (RING_MIN_BYTES as u32) << order;
}

/** Size of a ring, bytes; 0 if there is none. */
export function ringBytes(ring: u32): u32 {
  return hasRing(ring) ? orderBytes(orderOf(ring)) : 0;
}

/** Mask of a ring's offsets. */
export function ringMask(ring: u32): u32 {
  return ringBytes(ring) - 1;
}

/** Where a ring lies. */
export function ringPtr(ring: u32): usize {
  return ringAddress(ring & PAGE_MASK);
}

/** Largest order that a connection may have: the pool's share, at least one page. */
function largestOrder(): u32 {
  const order: u32 = 31 - clz((boot.ringPages >> POOL_SHARE_SHIFT) | 1);
  return order < RING_ORDERS ? order : RING_ORDERS - 1;
}

/** Largest ring a connection may have, bytes. */
export function ringLimit(): u32 {
  return orderBytes(largestOrder());
}

/** Gives a ring back to the pool. @returns The word that remembers how large it should be the next time. */
function giveRing(ring: u32): u32 {
  const order = orderOf(ring);
  freeRing(ring & PAGE_MASK, order);
  control.ringLive = ringPagesLive();
  const next: u32 = (ring & RING_FILLED) !== 0 || order === 0 ? order : order - 1;
  return NO_RING | (next << ORDER_SHIFT);
}

/** The pool has plenty left after a block of this order. */
function isRoomy(order: u32): bool {
  return ringPagesLive() + ((1 as u32) << order) <= (boot.ringPages >> ROOMY_SHIFT);
}

/** Takes a block for at least `bytes`; larger if `wanted` says so and the pool is roomy. @returns A ring's word, or NONE. */
function takeRing(wanted: u32, bytes: u32): u32 {
  let order: u32 = 0;
  while (order < RING_ORDERS && orderBytes(order) < bytes) order++;
  const most = largestOrder();
  if (order > most) return NONE;
  const larger = wanted < most ? wanted : most;
  if (larger > order && isRoomy(larger)) order = larger;
  const page = allocRing(order);
  if (page === NONE) return NONE;
  control.ringLive = ringPagesLive();
  return page | (order << ORDER_SHIFT);
}

/** Copies what [from, to), places in the stream, holds from one ring to a larger one. */
function moveText(old: u32, grown: u32, from: u32, to: u32): void {
  const oldMask = ringMask(old);
  const grownMask = ringMask(grown);
  const source = ringPtr(old);
  const target = ringPtr(grown);
  assert(to - from <= oldMask + 1, "a ring holds more than fits");
  countMany(STAT_RING_MOVED, to - from);
  // The larger ring ends where the smaller one does, too: at most two pieces.
  while (from !== to) {
    const offset = from & oldMask;
    const room = oldMask + 1 - offset;
    const piece = to - from < room ? to - from : room;
    memory.copy(target + (from & grownMask), source + offset, piece);
    from += piece;
  }
}

/** Notes that a ring is more than half used. @returns Its word. */
function markFilled(ring: u32, bytes: u32): u32 {
  return bytes > ringBytes(ring) >> 1 ? ring | RING_FILLED : ring;
}

/**
 * The ring for `bytes`, in place of `old`, of which the places [from, to) are in use.
 *
 * @returns Its word, or NONE: the pool or the share is used up, and the old one stays.
 */
function fitRing(old: u32, bytes: u32, from: u32, to: u32): u32 {
  if (!hasRing(old)) {
    const first = takeRing(orderOf(old), bytes);
    return first === NONE ? NONE : markFilled(first, bytes);
  }
  const grown = takeRing(0, bytes);
  if (grown === NONE) return NONE;
  moveText(old, grown, from, to);
  giveRing(old);
  return grown | RING_FILLED;
}

/** Makes the send ring hold `bytes` from the first unacknowledged one on. @returns False if the pool or the share is used up. */
export function fitSendRing(tcb: Tcb, bytes: u32): bool {
  if (ringBytes(tcb.sendRing) >= bytes) {
    tcb.sendRing = markFilled(tcb.sendRing, bytes);
    return true;
  }
  const first: u32 = tcb.sndUna === tcb.iss ? 0 : tcb.sndUna - (tcb.iss + 1);
  const end = tcb.sndEnd - (tcb.iss + 1);
  const ring = fitRing(tcb.sendRing, bytes, first, end);
  if (ring === NONE) return false;
  tcb.sendRing = ring;
  return true;
}

/** Makes the receive ring hold `bytes` from the next unread one on. @returns False if the pool or the share is used up. */
export function fitReceiveRing(tcb: Tcb, bytes: u32): bool {
  if (ringBytes(tcb.receiveRing) >= bytes) {
    tcb.receiveRing = markFilled(tcb.receiveRing, bytes);
    return true;
  }
  // Out-of-order text may stand anywhere behind what is unread, so with a flight block all of the ring moves.
  const first = tcb.rcvUser - (tcb.irs + 1);
  const held = tcb.flight === NONE ? tcb.rcvNxt - tcb.rcvUser : ringBytes(tcb.receiveRing);
  const ring = fitRing(tcb.receiveRing, bytes, first, first + held);
  if (ring === NONE) return false;
  tcb.receiveRing = ring;
  return true;
}

/** Notes that the receive ring holds `bytes` from the next unread one on; they fit. */
export function noteReceiveRing(tcb: Tcb, bytes: u32): void {
  tcb.receiveRing = markFilled(tcb.receiveRing, bytes);
}

/** Gives the send ring back. */
export function dropSendRing(tcb: Tcb): void {
  if (hasRing(tcb.sendRing)) tcb.sendRing = giveRing(tcb.sendRing);
}

/** Gives the receive ring back. */
export function dropReceiveRing(tcb: Tcb): void {
  if (hasRing(tcb.receiveRing)) tcb.receiveRing = giveRing(tcb.receiveRing);
}

/**
 * Rings of one connection. A byte's place is its sequence number: `(seq - origin) & mask`, with origin ISS + 1 or
 * IRS + 1, so out-of-order text lands in its final place. A ring exists only while bytes are in it, has the smallest
 * power of two that fits, and grows by doubling: the old ring is copied into both halves, which puts every byte where
 * the wider mask expects it whichever half that is.
 */
import { boot, control } from "../config.ts";
import { NONE, RING_MIN_BYTES, RING_ORDERS, Tcb } from "../layout.gen.ts";
import { allocRing, freeRing, ringAddress, ringPagesLive } from "../ring_pool.ts";

const ORDER_SHIFT: u32 = 24;
const PAGE_MASK: u32 = 0xffffff;
/** One connection's ring holds at most this part of the pool, as a shift: 1/8. */
const POOL_SHARE_SHIFT: u32 = 3;

function orderOf(ring: u32): u32 {
  return ring >> ORDER_SHIFT;
}

/** Size of a ring, bytes; 0 if there is none. */
export function ringBytes(ring: u32): u32 {
  return ring === NONE ? 0 : (RING_MIN_BYTES as u32) << orderOf(ring);
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
  let order: u32 = 0;
  while (order + 1 < RING_ORDERS && ((2 as u32) << order) <= (boot.ringPages >> POOL_SHARE_SHIFT)) {
    order++;
  }
  return order;
}

/** Largest ring a connection may have, bytes. */
export function ringLimit(): u32 {
  return (RING_MIN_BYTES as u32) << largestOrder();
}

/** Gives a ring back to the pool. */
function giveRing(ring: u32): void {
  freeRing(ring & PAGE_MASK, orderOf(ring));
  control.ringLive = ringPagesLive();
}

/** Allocates a ring of at least `bytes`, holding what `old` held. @returns The ring, or NONE: the old one stays. */
function growRing(old: u32, bytes: u32): u32 {
  let order: u32 = old === NONE ? 0 : orderOf(old);
  while (order < RING_ORDERS && ((RING_MIN_BYTES as u32) << order) < bytes) order++;
  if (order > largestOrder()) return NONE;
  const page = allocRing(order);
  if (page === NONE) return NONE;
  control.ringLive = ringPagesLive();
  const grown = page | (order << ORDER_SHIFT);
  if (old !== NONE) {
    const size = ringBytes(old);
    const from = ringPtr(old);
    const to = ringPtr(grown);
    for (let at: u32 = 0; at < ringBytes(grown); at += size) memory.copy(to + at, from, size);
    giveRing(old);
  }
  return grown;
}

/** Makes the send ring hold `bytes`. @returns False if the pool or the share is used up. */
export function fitSendRing(tcb: Tcb, bytes: u32): bool {
  if (tcb.sendRing !== NONE && ringBytes(tcb.sendRing) >= bytes) return true;
  const ring = growRing(tcb.sendRing, bytes);
  if (ring === NONE) return false;
  tcb.sendRing = ring;
  return true;
}

/** Makes the receive ring hold `bytes` from the next unread one on. @returns False if the pool or the share is used up. */
export function fitReceiveRing(tcb: Tcb, bytes: u32): bool {
  if (tcb.receiveRing !== NONE && ringBytes(tcb.receiveRing) >= bytes) return true;
  const ring = growRing(tcb.receiveRing, bytes);
  if (ring === NONE) return false;
  tcb.receiveRing = ring;
  return true;
}

/** Gives the send ring back. */
export function dropSendRing(tcb: Tcb): void {
  if (tcb.sendRing === NONE) return;
  giveRing(tcb.sendRing);
  tcb.sendRing = NONE;
}

/** Gives the receive ring back. */
export function dropReceiveRing(tcb: Tcb): void {
  if (tcb.receiveRing === NONE) return;
  giveRing(tcb.receiveRing);
  tcb.receiveRing = NONE;
}

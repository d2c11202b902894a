/**
 * The pool of rings: a buddy allocator over pages of RING_MIN_BYTES. A block of order n is 2^n pages and starts at a
 * multiple of its size. Superblocks, the largest blocks, are taken from a high-water mark only when no free block fits,
 * so what was never needed is never touched; free buddies join again, up to a superblock. What is left beyond the last
 * whole superblock is used too, as the smaller blocks it is made of.
 *
 * Blocks of one page are most of what comes and goes: a byte that waits for its reader has one. Some of them that were
 * given back are spare, out of the buddies' sight, and taken again at once; they join before untouched memory is used.
 *
 * Everything that changes lies in the table, in linear memory; the three addresses here are set once by `initRings`.
 * Of the table, too, only what describes superblocks in use is touched.
 *
 * Pool empty: `allocRing` returns NONE, and its caller drops, counts or waits.
 */
import { NONE, RING_MIN_BYTES, RING_ORDERS } from "./layout.gen.ts";

/** How many orders there are, the order of a superblock, and its size in pages. */
const ORDERS: u32 = RING_ORDERS;
const TOP_ORDER: u32 = ORDERS - 1;
const TOP_PAGES: u32 = 1 << TOP_ORDER;
/** Most spare pages: as many as one batch of tiny segments may need. */
const SPARE_MAX: u32 = 256;
/** The table: pages ever taken, pages in use, the first free block of each order, spare pages, then a link pair a page. */
const HIGH_AT: usize = 0;
const LIVE_AT: usize = 4;
const HEADS_AT: usize = 8;
const SPARE_AT: usize = HEADS_AT + (4 * ORDERS);
const SPARE_COUNT_AT: usize = SPARE_AT + 4;
const LINKS_AT: usize = 64;
const LINK_BYTES: usize = 8;
/** A link pair: next and previous free block of the same order. */
const PREV_AT: usize = 4;
/** What a page's byte of the table says: 0 inside a block; else order + 1, with this bit set while free. */
const FREE: u32 = 0x80;
/** The same of a spare page: neither free nor in use. */
const SPARE: u32 = 0x7f;

let ringBase: usize = 0;
let table: usize = 0;
let poolPages: u32 = 0;

function head(order: u32): u32 {
  return load<u32>(table + HEADS_AT + (usize(order) << 2));
}

function setHead(order: u32, page: u32): void {
  store<u32>(table + HEADS_AT + (usize(order) << 2), page);
}

function linkAt(page: u32): usize {
  return table + LINKS_AT + (usize(page) * LINK_BYTES);
}

function markAt(page: u32): usize {
  return table + LINKS_AT + (usize(poolPages) * LINK_BYTES) + page;
}

function freeMark(order: u32): u32 {
  return FREE | (order + 1);
}

/** Puts a block at the head of its order's list. */
function push(page: u32, order: u32): void {
  const next = head(order);
  store<u32>(linkAt(page), next);
  store<u32>(linkAt(page), NONE, PREV_AT);
  if (next !== NONE) store<u32>(linkAt(next), page, PREV_AT);
  setHead(order, page);
  store<u8>(markAt(page), u8(freeMark(order)));
}

/** Takes a block out of its order's list; it becomes the inside of something. */
function unlink(page: u32, order: u32): void {
  const next = load<u32>(linkAt(page));
  const prev = load<u32>(linkAt(page), PREV_AT);
  if (prev === NONE) setHead(order, next);
  else store<u32>(linkAt(prev), next);
  if (next !== NONE) store<u32>(linkAt(next), prev, PREV_AT);
  store<u8>(markAt(page), 0);
}

/** Takes the next superblock, or what is left of one, from the high-water mark and frees it as blocks. */
function raiseHighWater(): void {
  let page = load<u32>(table, HIGH_AT);
  const left = poolPages - page;
  const taken = left < TOP_PAGES ? left : TOP_PAGES;
  memory.fill(markAt(page), 0, taken);
  store<u32>(table, page + taken, HIGH_AT);
  // The binary digits of its size, the largest first, so that each block starts at a multiple of its own size.
  for (let order: i32 = TOP_ORDER; order >= 0; order--) {
    const size: u32 = 1 << order;
    if ((taken & size) === 0) continue;
    push(page, u32(order));
    page += size;
  }
}

/** Takes a spare page, or NONE; it becomes the inside of something. */
function takeSpare(): u32 {
  const page = load<u32>(table, SPARE_AT);
  if (page === NONE) return NONE;
  store<u32>(table, load<u32>(linkAt(page)), SPARE_AT);
  store<u32>(table, load<u32>(table, SPARE_COUNT_AT) - 1, SPARE_COUNT_AT);
  store<u8>(markAt(page), 0);
  return page;
}

/** Makes a page spare. @returns False if there are enough. */
function giveSpare(page: u32): bool {
  const spares = load<u32>(table, SPARE_COUNT_AT);
  if (spares >= SPARE_MAX) return false;
  store<u32>(linkAt(page), load<u32>(table, SPARE_AT));
  store<u32>(table, page, SPARE_AT);
  store<u32>(table, spares + 1, SPARE_COUNT_AT);
  store<u8>(markAt(page), u8(SPARE));
  return true;
}

/** Every spare page joins what is free around it. */
function joinSpares(): void {
  for (let page = takeSpare(); page !== NONE; page = takeSpare()) join(page, 0);
}

/** Least order that has a free block and is at least `order`, or RING_ORDERS. */
function orderWithFree(order: u32): u32 {
  let found = order;
  while (found < ORDERS && head(found) === NONE) found++;
  return found;
}

/**
 * How long the table is.
 *
 * @param pages Pages of the pool.
 * @returns Bytes, a multiple of 4.
 */
export function ringTableBytes(pages: u32): u32 {
  return (u32(LINKS_AT) + pages * u32(LINK_BYTES) + pages + 3) & ~3;
}

/**
 * Makes the pool. The pool's own memory is not touched.
 *
 * @param base Address of the first page, a multiple of RING_MIN_BYTES.
 * @param pages Pages of the pool.
 * @param tablePtr Room for `ringTableBytes(pages)`, a multiple of 8; what it holds does not matter.
 */
export function initRings(base: usize, pages: u32, tablePtr: usize): void {
  assert((base & (RING_MIN_BYTES - 1)) === 0, "the ring pool is not aligned");
  ringBase = base;
  poolPages = pages;
  table = tablePtr;
  store<u32>(table, 0, HIGH_AT);
  store<u32>(table, 0, LIVE_AT);
  for (let order: u32 = 0; order < ORDERS; order++) setHead(order, NONE);
  store<u32>(table, NONE, SPARE_AT);
  store<u32>(table, 0, SPARE_COUNT_AT);
}

/** Frees a block; it joins its buddy while that is free too. */
function join(page: u32, order: u32): void {
  while (order < TOP_ORDER) {
    const buddy = page ^ ((1 as u32) << order);
    if (buddy >= poolPages || u32(load<u8>(markAt(buddy))) !== freeMark(order)) break;
    unlink(buddy, order);
    page &= buddy;
    order++;
  }
  push(page, order);
}

/** A block is in use now. @returns Its page. */
function taken(page: u32, order: u32): u32 {
  store<u8>(markAt(page), u8(order + 1));
  store<u32>(table, ringPagesLive() + ((1 as u32) << order), LIVE_AT);
  return page;
}

/**
 * Takes a block. A free one is preferred to a superblock never used, and the smallest that fits to a larger one.
 *
 * @param order Its size is RING_MIN_BYTES << order; below RING_ORDERS.
 * @returns Its first page, or NONE if nothing fits. What it holds is whatever was there.
 */
export function allocRing(order: u32): u32 {
  assert(order < ORDERS, "no ring is so large");
  const spare = order === 0 ? takeSpare() : NONE;
  if (spare !== NONE) return taken(spare, 0);
  let from = orderWithFree(order);
  if (from === ORDERS && load<u32>(table, SPARE_COUNT_AT) > 0) {
    joinSpares();
    from = orderWithFree(order);
  }
  if (from === ORDERS) {
    // What is left has a block of this order if it is not smaller; then raising the mark frees one.
    if (poolPages - load<u32>(table, HIGH_AT) < (1 as u32) << order) return NONE;
    raiseHighWater();
    from = orderWithFree(order);
  }
  const page = head(from);
  unlink(page, from);
  while (from > order) {
    from--;
    push(page + ((1 as u32) << from), from);
  }
  return taken(page, order);
}

/**
 * Gives a block back.
 *
 * @param page What `allocRing` returned.
 * @param order What it was asked for.
 */
export function freeRing(page: u32, order: u32): void {
  assert(order < ORDERS && page < load<u32>(table, HIGH_AT), "not a ring of the pool");
  assert(u32(load<u8>(markAt(page))) === order + 1, "a ring is freed twice, or as another size");
  store<u32>(table, ringPagesLive() - ((1 as u32) << order), LIVE_AT);
  if (order === 0 && giveSpare(page)) return;
  store<u8>(markAt(page), 0);
  join(page, order);
}

/**
 * Where a block lies.
 *
 * @param page What `allocRing` returned.
 * @returns Its address.
 */
export function ringAddress(page: u32): usize {
  assert(page < poolPages, "not a page of the pool");
  return ringBase + (usize(page) * RING_MIN_BYTES);
}

/**
 * Pages of all blocks in use.
 *
 * @returns 0 to the pool's size.
 */
export function ringPagesLive(): u32 {
  return load<u32>(table, LIVE_AT);
}

/**
 * A hierarchical timing wheel: one entry per connection, its earliest deadline. Linking and unlinking take constant time
 * whatever the number of connections (Varghese and Lauck, SOSP 1987, scheme 7). Level 0 has a slot per ms, each further
 * level slots 64 times as wide; an entry moves down when the wheel reaches its slot.
 *
 * Each slot has a bound: none of its entries is earlier. It is exact but for entries that have left; then a short slot is
 * walked, and a long one is believed: the wheel is turned there too early once, and the entries move down.
 */
import { control, wheelBase, wheelBoundsBase } from "../config.ts";
import { FLAG_ON_WHEEL, NONE, Tcb, WHEEL_LEVELS, WHEEL_SLOTS } from "../layout.gen.ts";
import { slotOf, tcbAt } from "../pool.ts";
import { before, earliest } from "../seq.ts";
import { earliestDeadline } from "./kinds.ts";

/** log2(WHEEL_SLOTS). */
const SLOT_BITS: u32 = 6;
const SLOT_MASK: u32 = WHEEL_SLOTS - 1;
/** What the highest level can tell apart, ms; later deadlines wait in its last slot and are placed again. */
const REACH_MS: u32 = (1 << (SLOT_BITS * WHEEL_LEVELS)) - (1 << (SLOT_BITS * (WHEEL_LEVELS - 1)));

/** Most entries that are looked at to make a bound exact. */
const WALK_MAX: u32 = 32;
/** A slot's bound: the time, and whether it is exact. */
const BOUND_BYTES: usize = 8;
const IS_EXACT_AT: usize = 4;

function boundAt(index: u32): usize {
  return wheelBoundsBase + (usize(index) * BOUND_BYTES);
}

function setBound(index: u32, at: u32): void {
  store<u32>(boundAt(index), at);
  store<u32>(boundAt(index), 1, IS_EXACT_AT);
}

function headAt(index: u32): usize {
  return wheelBase + (usize(index) << 2);
}

/** Level * WHEEL_SLOTS + slot for a deadline, seen from the wheel's own time. */
function slotFor(at: u32): u32 {
  const now = control.wheelNow;
  let delta: u32 = before(at, now) ? 0 : at - now;
  if (delta > REACH_MS) delta = REACH_MS;
  const when = now + delta;
  // The number of its bits over those of a level, rounded down; REACH_MS bounds it.
  const level: u32 = (31 - clz(delta | 1)) / SLOT_BITS;
  return level * WHEEL_SLOTS + ((when >> (SLOT_BITS * level)) & SLOT_MASK);
}

/** Puts a connection into the slot of its earliest deadline. */
export function linkDeadline(tcb: Tcb): void {
  assert((tcb.flags & FLAG_ON_WHEEL) === 0, "a connection is linked into the wheel twice");
  link(tcb, earliestDeadline(tcb));
}

/** Puts a connection that may be on the wheel where its earliest deadline belongs. */
export function relinkDeadline(tcb: Tcb): void {
  const at = earliestDeadline(tcb);
  const isOn = (tcb.flags & FLAG_ON_WHEEL) !== 0;
  if (isOn && slotFor(at) === u32(tcb.wheelSlot)) {
    const bound = boundAt(tcb.wheelSlot);
    if (before(at, load<u32>(bound))) setBound(tcb.wheelSlot, at);
    else store<u32>(bound, 0, IS_EXACT_AT);
    return;
  }
  if (isOn) unlinkDeadline(tcb);
  link(tcb, at);
}

function link(tcb: Tcb, at: u32): void {
  // An empty wheel turns by itself, also to where the clock began; nothing is armed before the present.
  if (control.wheelCount === 0) control.wheelNow = control.nowMs;
  const index = slotFor(at);
  const head = headAt(index);
  const first = load<u32>(head);
  const slot = slotOf(tcb);
  tcb.wheelSlot = u8(index);
  tcb.wheelPrev = NONE;
  tcb.wheelNext = first;
  if (first !== NONE) tcbAt(first).wheelPrev = slot;
  if (first === NONE || before(at, load<u32>(boundAt(index)))) setBound(index, at);
  store<u32>(head, slot);
  tcb.flags |= FLAG_ON_WHEEL;
  control.wheelCount++;
}

/** Takes a connection out of the wheel. */
export function unlinkDeadline(tcb: Tcb): void {
  if ((tcb.flags & FLAG_ON_WHEEL) === 0) return;
  if (tcb.wheelPrev !== NONE) tcbAt(tcb.wheelPrev).wheelNext = tcb.wheelNext;
  else store<u32>(headAt(tcb.wheelSlot), tcb.wheelNext);
  if (tcb.wheelNext !== NONE) tcbAt(tcb.wheelNext).wheelPrev = tcb.wheelPrev;
  store<u32>(boundAt(tcb.wheelSlot), 0, IS_EXACT_AT);
  tcb.flags &= ~FLAG_ON_WHEEL;
  control.wheelCount--;
}

/**
 * The earliest deadline of a slot with entries, or, if it has many and some have left, a time before it.
 *
 * @param last The last ms of the slot: what lies beyond the wheel's reach is placed again then.
 */
function boundOf(index: u32, last: u32): u32 {
  return earliest(exactOf(index), last);
}

function exactOf(index: u32): u32 {
  const bound = boundAt(index);
  if (load<u32>(bound, IS_EXACT_AT) !== 0) return load<u32>(bound);
  let at = load<u32>(headAt(index));
  let best = earliestDeadline(tcbAt(at));
  for (let n: u32 = 0; n < WALK_MAX; n++) {
    at = tcbAt(at).wheelNext;
    if (at === NONE) {
      setBound(index, best);
      return best;
    }
    const other = earliestDeadline(tcbAt(at));
    if (before(other, best)) best = other;
  }
  return load<u32>(bound);
}

/** Whether there is any entry. */
export function hasDeadlines(): bool {
  return control.wheelCount !== 0;
}

/** The earliest deadline of all, or a time before it up to which the wheel may be turned. There must be one. */
export function earliestOfAll(): u32 {
  let best: u32 = 0;
  let any = false;
  for (let level: u32 = 0; level < WHEEL_LEVELS; level++) {
    const shift = SLOT_BITS * level;
    const now = control.wheelNow >> shift;
    // Level 0 begins with the present ms; above, the present slot has moved down, so what stands there is a turn away.
    const from: u32 = level === 0 ? 0 : 1;
    for (let step = from; step < WHEEL_SLOTS + from; step++) {
      const index = level * WHEEL_SLOTS + ((now + step) & SLOT_MASK);
      if (load<u32>(headAt(index)) === NONE) continue;
      // A slot that begins later need not be looked into.
      const first = (now + step) << shift;
      if (any && before(best, first)) break;
      const found = boundOf(index, first + (((1 as u32) << shift) - 1));
      if (!any || before(found, best)) best = found;
      any = true;
      break;
    }
  }
  assert(any, "the wheel counts entries that it does not have");
  return best;
}

/** The first connection that is due at the wheel's own time, or NONE. */
export function dueNow(): u32 {
  return load<u32>(headAt(control.wheelNow & SLOT_MASK));
}

/** Moves the entries of the slot that the wheel has just reached down. */
function cascade(index: u32): void {
  let at = load<u32>(headAt(index));
  store<u32>(headAt(index), NONE);
  while (at !== NONE) {
    const tcb = tcbAt(at);
    at = tcb.wheelNext;
    tcb.flags &= ~FLAG_ON_WHEEL;
    control.wheelCount--;
    linkDeadline(tcb);
  }
}

/** Turns the wheel to a time; no entry may be earlier than it. */
export function turnTo(ms: u32): void {
  const old = control.wheelNow;
  if (!before(old, ms)) return;
  control.wheelNow = ms;
  for (let level: u32 = WHEEL_LEVELS - 1; level > 0; level--) {
    const shift = SLOT_BITS * level;
    if ((old >> shift) !== (ms >> shift)) {
      cascade(level * WHEEL_SLOTS + ((ms >> shift) & SLOT_MASK));
    }
  }
}

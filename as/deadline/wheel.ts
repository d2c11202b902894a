/**
 * A hierarchical timing wheel: one entry per connection, its earliest deadline. Linking and unlinking take constant time
 * whatever the number of connections (Varghese and Lauck, SOSP 1987, scheme 7). Level 0 has a slot per ms, each further
 * level slots 64 times as wide; an entry moves down when the wheel reaches its slot.
 */
import { control, wheelBase } from "../config.ts";
import { FLAG_ON_WHEEL, NONE, Tcb, WHEEL_LEVELS, WHEEL_SLOTS } from "../layout.gen.ts";
import { slotOf, tcbAt } from "../pool.ts";
import { before, earliest } from "../seq.ts";
import { earliestDeadline } from "./kinds.ts";

/** log2(WHEEL_SLOTS). */
const SLOT_BITS: u32 = 6;
const SLOT_MASK: u32 = WHEEL_SLOTS - 1;
/** What the highest level can tell apart, ms; later deadlines wait in its last slot and are placed again. */
const REACH_MS: u32 = (1 << (SLOT_BITS * WHEEL_LEVELS)) - (1 << (SLOT_BITS * (WHEEL_LEVELS - 1)));

function headAt(index: u32): usize {
  return wheelBase + (usize(index) << 2);
}

/** Level * WHEEL_SLOTS + slot for a deadline, seen from the wheel's own time. */
function slotFor(at: u32): u32 {
  const now = control.wheelNow;
  let delta: u32 = before(at, now) ? 0 : at - now;
  if (delta > REACH_MS) delta = REACH_MS;
  const when = now + delta;
  let level: u32 = 0;
  while (level < WHEEL_LEVELS - 1 && delta >= ((1 as u32) << (SLOT_BITS * (level + 1)))) level++;
  return level * WHEEL_SLOTS + ((when >> (SLOT_BITS * level)) & SLOT_MASK);
}

/** Puts a connection into the slot of its earliest deadline. */
export function linkDeadline(tcb: Tcb): void {
  assert((tcb.flags & FLAG_ON_WHEEL) === 0, "a connection is linked into the wheel twice");
  const index = slotFor(earliestDeadline(tcb));
  const head = headAt(index);
  const first = load<u32>(head);
  const slot = slotOf(tcb);
  tcb.wheelSlot = u8(index);
  tcb.wheelPrev = NONE;
  tcb.wheelNext = first;
  if (first !== NONE) tcbAt(first).wheelPrev = slot;
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
  tcb.flags &= ~FLAG_ON_WHEEL;
  control.wheelCount--;
}

/** The earliest connection of one slot. The walk is as long as the slot is full, and only the nearest slot is walked. */
function earliestOfSlot(index: u32): u32 {
  let best = load<u32>(headAt(index));
  let at = best;
  while (at !== NONE) {
    const tcb = tcbAt(at);
    if (before(earliestDeadline(tcb), earliestDeadline(tcbAt(best)))) best = at;
    at = tcb.wheelNext;
  }
  return best;
}

/** The connection with the earliest deadline of all, or NONE. */
export function earliestConnection(): u32 {
  let best: u32 = NONE;
  if (control.wheelCount === 0) return best;
  for (let level: u32 = 0; level < WHEEL_LEVELS; level++) {
    const now = control.wheelNow >> (SLOT_BITS * level);
    // Level 0 begins with the present ms; above, the present slot has moved down, so what stands there is a turn away.
    const from: u32 = level === 0 ? 0 : 1;
    for (let step = from; step < WHEEL_SLOTS + from; step++) {
      const index = level * WHEEL_SLOTS + ((now + step) & SLOT_MASK);
      if (load<u32>(headAt(index)) === NONE) continue;
      const found = earliestOfSlot(index);
      if (best === NONE || before(earliestDeadline(tcbAt(found)), earliestDeadline(tcbAt(best)))) {
        best = found;
      }
      break;
    }
  }
  return best;
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

/** Turns the wheel towards a time but not beyond the earliest entry. */
export function turnTowards(ms: u32): void {
  const next = earliestConnection();
  turnTo(next === NONE ? ms : earliest(ms, earliestDeadline(tcbAt(next))));
}

/**
 * What connections owe the wire. A step that wants something sent marks it here; `flush()` walks the list in order and
 * pays. A connection stands on the list at most once, so it can not overflow.
 */
import { control } from "./config.ts";
import { FLAG_ON_OWED, NONE, Tcb } from "./layout.gen.ts";
import { slotOf, tcbAt } from "./pool.ts";

/** Marks what a connection owes. @param bits OWED bits. */
export function owe(tcb: Tcb, bits: u32): void {
  tcb.owed = u8(u32(tcb.owed) | bits);
  enlist(tcb);
}

/** Puts a connection at the end of the list, unless it stands there. */
export function enlist(tcb: Tcb): void {
  if ((tcb.flags & FLAG_ON_OWED) !== 0) return;
  const slot = slotOf(tcb);
  tcb.flags |= FLAG_ON_OWED;
  tcb.owedNext = NONE;
  tcb.owedPrev = control.owedTail;
  if (control.owedTail !== NONE) tcbAt(control.owedTail).owedNext = slot;
  else control.owedHead = slot;
  control.owedTail = slot;
  control.owedCount++;
}

/** Takes a connection off the list; what it owes stays marked. */
export function delist(tcb: Tcb): void {
  if ((tcb.flags & FLAG_ON_OWED) === 0) return;
  tcb.flags &= ~FLAG_ON_OWED;
  if (tcb.owedPrev !== NONE) tcbAt(tcb.owedPrev).owedNext = tcb.owedNext;
  else control.owedHead = tcb.owedNext;
  if (tcb.owedNext !== NONE) tcbAt(tcb.owedNext).owedPrev = tcb.owedPrev;
  else control.owedTail = tcb.owedPrev;
  control.owedCount--;
}

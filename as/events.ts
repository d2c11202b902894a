/**
 * What the host is to be told. Events are pending bits on the connection and one link; a connection stands on the list at
 * most once, so it can not overflow. A connection that nobody holds a handle of tells nothing.
 */
import { control, eventsBase } from "./config.ts";
import { Event, EVENT_SIZE, FLAG_ON_EVENTS, FLAG_RELEASED, NONE, Tcb } from "./layout.gen.ts";
import { slotOf, tcbAt } from "./pool.ts";

/** Adds event bits to a connection. @param bits EVENT bits. */
export function raise(tcb: Tcb, bits: u32): void {
  if ((tcb.flags & FLAG_RELEASED) !== 0) return;
  tcb.events = u16(u32(tcb.events) | bits);
  if ((tcb.flags & FLAG_ON_EVENTS) !== 0) return;
  const slot = slotOf(tcb);
  tcb.flags |= FLAG_ON_EVENTS;
  tcb.eventNext = NONE;
  if (control.eventsTail !== NONE) tcbAt(control.eventsTail).eventNext = slot;
  else control.eventsHead = slot;
  control.eventsTail = slot;
}

/**
 * Takes a connection that is going away off the list. The list is walked: this happens only to a handle that is released
 * with events untaken, and the host takes events after every call that makes some.
 */
export function silence(tcb: Tcb): void {
  tcb.events = 0;
  if ((tcb.flags & FLAG_ON_EVENTS) === 0) return;
  tcb.flags &= ~FLAG_ON_EVENTS;
  const slot = slotOf(tcb);
  let previous = NONE;
  let at = control.eventsHead;
  while (at !== slot) {
    assert(at !== NONE, "a connection marked ON_EVENTS is not on the list");
    previous = at;
    at = tcbAt(at).eventNext;
  }
  if (previous === NONE) control.eventsHead = tcb.eventNext;
  else tcbAt(previous).eventNext = tcb.eventNext;
  if (control.eventsTail === slot) control.eventsTail = previous;
}

/** Writes at most `max` events for the host, oldest first, and clears them. @returns How many. */
export function drainEvents(max: u32): u32 {
  let n: u32 = 0;
  while (n < max && control.eventsHead !== NONE) {
    const slot = control.eventsHead;
    const tcb = tcbAt(slot);
    const event = changetype<Event>(eventsBase + (usize(n) * EVENT_SIZE));
    event.slot = slot;
    event.generation = tcb.generation;
    event.bits = tcb.events;
    event.detail = u32(tcb.reason) | (u32(tcb.state) << 8) | (u32(tcb.listener) << 16);
    control.eventsHead = tcb.eventNext;
    if (control.eventsHead === NONE) control.eventsTail = NONE;
    tcb.events = 0;
    tcb.flags &= ~FLAG_ON_EVENTS;
    n++;
  }
  return n;
}

/** Which of its three meanings the one deadline of sending has: reordering, a probe, or the timeout behind both. */
import { control } from "../config.ts";
import {
  FLAG_TIMER_REORDER,
  FLAG_TIMER_RETRANSMIT,
  FLAG_TIMER_TAIL,
  Flight,
  Tcb,
} from "../layout.gen.ts";
import { armSend, disarmRetransmit } from "../deadline/deadline.ts";
import { before } from "../seq.ts";
import { mayProbe, probeAt } from "./tlp.ts";

const US_PER_MS: u32 = 1000;
const FLAGS_EARLY: u32 = FLAG_TIMER_TAIL | FLAG_TIMER_REORDER;

/** When the RTO falls due, ms. One of the three must be armed. */
function rtoDeadline(tcb: Tcb, flight: Flight): u32 {
  return (tcb.flags & FLAGS_EARLY) !== 0 ? flight.rtoAt : tcb.retransmitAt;
}

/** The timeout stands behind whatever the deadline means now. */
export function isRtoArmed(tcb: Tcb): bool {
  return (tcb.flags & (FLAG_TIMER_RETRANSMIT | FLAGS_EARLY)) !== 0;
}

function choose(tcb: Tcb, flight: Flight, rtoAt: u32, reorderUs: u32, isProbeDue: bool): void {
  let kind: u32 = FLAG_TIMER_RETRANSMIT;
  let at = rtoAt;
  if (reorderUs > 0) {
    const reorderAt = control.nowMs + (reorderUs + US_PER_MS - 1) / US_PER_MS;
    if (before(reorderAt, rtoAt)) {
      kind = FLAG_TIMER_REORDER;
      at = reorderAt;
    }
  } else if (isProbeDue) {
    // Where both fall together the probe goes first, and the RTO starts anew. RFC 8985 section 7.2.
    kind = FLAG_TIMER_TAIL;
    at = probeAt(tcb, rtoAt);
  }
  flight.rtoAt = rtoAt;
  armSend(tcb, kind, at);
}

/** SND.UNA advanced: the RTO starts anew (RFC 6298 section 5.3), or stops (5.2). @param reorderUs 0 or when more may be lost. */
export function restartRto(tcb: Tcb, flight: Flight, reorderUs: u32): void {
  if (tcb.sndUna === tcb.sndNxt) disarmRetransmit(tcb);
  else choose(tcb, flight, control.nowMs + tcb.rtoMs, reorderUs, mayProbe(tcb, flight));
}

/** An ACK without progress came, or the RTO must not start anew: it stays, what stands before it follows the news. */
export function keepRto(tcb: Tcb, flight: Flight, reorderUs: u32): void {
  if (!isRtoArmed(tcb)) return;
  if (reorderUs === 0 && (tcb.flags & FLAG_TIMER_TAIL) !== 0 && mayProbe(tcb, flight)) return;
  if (reorderUs === 0 && (tcb.flags & FLAGS_EARLY) === 0) return;
  choose(tcb, flight, rtoDeadline(tcb, flight), reorderUs, false);
}

/** Something was sent: the RTO runs from now if it did not (RFC 6298 section 5.1); new text puts the probe off. */
export function onSent(tcb: Tcb, flight: Flight, isNew: bool): void {
  if (!isRtoArmed(tcb)) {
    choose(tcb, flight, control.nowMs + tcb.rtoMs, 0, isNew && mayProbe(tcb, flight));
  } else if (isNew && (tcb.flags & FLAG_TIMER_REORDER) === 0 && mayProbe(tcb, flight)) {
    choose(tcb, flight, rtoDeadline(tcb, flight), 0, true);
  }
}

/** What stood before the RTO is over. */
export function backToRto(tcb: Tcb, flight: Flight): void {
  if ((tcb.flags & FLAGS_EARLY) !== 0) armSend(tcb, FLAG_TIMER_RETRANSMIT, flight.rtoAt);
}

/**
 * The deadlines of one connection: retransmission, probe, reordering or persist, delayed ACK, and life (connect timeout, FIN-WAIT-2,
 * TIME-WAIT, parking). A timer is a deadline in the TCB, not a callback.
 */
import {
  FLAG_TIMER_ACK,
  FLAG_TIMER_LIFE,
  FLAG_TIMER_PERSIST,
  FLAG_TIMER_REORDER,
  FLAG_TIMER_RETRANSMIT,
  FLAG_TIMER_TAIL,
  Tcb,
} from "../layout.gen.ts";
import { before } from "../seq.ts";

/** Any of the four meanings of retransmitAt. */
export const FLAGS_RETRANSMIT: u32 = FLAG_TIMER_RETRANSMIT | FLAG_TIMER_PERSIST | FLAG_TIMER_TAIL |
  FLAG_TIMER_REORDER;
/** All timers. */
export const FLAGS_TIMER: u32 = FLAGS_RETRANSMIT | FLAG_TIMER_ACK | FLAG_TIMER_LIFE;

/** The earliest armed deadline, ms. At least one must be armed. */
export function earliestDeadline(tcb: Tcb): u32 {
  const flags = tcb.flags;
  assert((flags & FLAGS_TIMER) !== 0, "no deadline is armed");
  let at: u32 = 0;
  let any = false;
  if ((flags & FLAGS_RETRANSMIT) !== 0) {
    at = tcb.retransmitAt;
    any = true;
  }
  if ((flags & FLAG_TIMER_ACK) !== 0 && (!any || before(tcb.ackAt, at))) {
    at = tcb.ackAt;
    any = true;
  }
  if ((flags & FLAG_TIMER_LIFE) !== 0 && (!any || before(tcb.lifeAt, at))) at = tcb.lifeAt;
  return at;
}

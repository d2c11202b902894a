/** Sixth: "check the URG bit". RFC 9293 section 3.10.7.4. Urgent data stays in line: RFC 6093 section 4. */
import {
  EVENT_URGENT,
  EXTRA_FLAG_RCV_UP,
  FLAG_READ_CLOSED,
  FLAG_RELEASED,
  Segment,
  STAT_URGENT_IN,
  Tcb,
} from "../layout.gen.ts";
import { canReceiveText } from "../conn/state.ts";
import { raise } from "../events.ts";
import { extraOf, needExtra } from "../pool.ts";
import { after } from "../seq.ts";
import { count } from "../stats.ts";
import { TCP_URG } from "../wire/tcp_header.ts";

/**
 * RCV.UP <- max(RCV.UP, SEG.UP), and the user is told when there was none, or it advances (MUST-32). A pointer that does
 * not lie beyond what the user has read says nothing: "a TCP receiver should be robust to invalid urgent pointer values".
 */
export function processUrgent(tcb: Tcb, seg: Segment): void {
  if ((seg.flags & TCP_URG) === 0 || !canReceiveText(tcb.state)) return;
  if ((tcb.flags & (FLAG_READ_CLOSED | FLAG_RELEASED)) !== 0) return;
  // It points after the urgent data. RFC 9293 section 3.8.5 (MUST-62).
  const up = seg.seq + seg.urgent;
  if (!after(up, tcb.rcvUser)) return;
  const extra = needExtra(tcb);
  if ((extra.flags & EXTRA_FLAG_RCV_UP) !== 0 && !after(up, extra.rcvUp)) return;
  extra.flags |= EXTRA_FLAG_RCV_UP;
  extra.rcvUp = up;
  count(STAT_URGENT_IN);
  raise(tcb, EVENT_URGENT);
}

/** No byte comes after the FIN: a pointer beyond it, which no sender can mean, does not keep the user waiting. */
export function endUrgent(tcb: Tcb, finSeq: u32): void {
  const extra = extraOf(tcb);
  if (extra === null || (extra.flags & EXTRA_FLAG_RCV_UP) === 0) return;
  if (!after(extra.rcvUp, finSeq)) return;
  extra.rcvUp = finSeq;
  if (!after(finSeq, tcb.rcvUser)) extra.flags &= ~EXTRA_FLAG_RCV_UP;
}

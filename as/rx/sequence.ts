/** First: "check sequence number". RFC 9293 section 3.10.7.4, and PAWS before it. RFC 7323 section 5. */
import {
  ANSWER_ACK,
  ANSWER_CHALLENGE,
  FLAG_TIMER_ACK,
  FLAG_TIMESTAMPS,
  OWED_ACK,
  Segment,
  SEGMENT_OPTION_TIMESTAMPS,
  STAT_DROP_PAWS,
  STAT_DROP_TIMESTAMP_MISSING,
  STAT_DROP_UNACCEPTABLE,
  STAT_DUPLICATES,
  STATE_TIME_WAIT,
  Tcb,
} from "../layout.gen.ts";
import { isRecentStale, setRecent } from "../conn/tcb.ts";
import { timeWaitMs } from "../conn/time_wait.ts";
import { armLife } from "../deadline/deadline.ts";
import { atOrBefore, before, earliest } from "../seq.ts";
import { count } from "../stats.ts";
import { receiveWindow } from "../tx/receive_window.ts";
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from "../wire/tcp_header.ts";
import { isAcceptable } from "./acceptance.ts";
import { noteDuplicate } from "./dsack.ts";
import { CONTINUE, DONE } from "./verdict.ts";

/**
 * Drops a segment whose timestamp is older than TS.Recent (RFC 7323 section 5.3 R1), and one without where they were agreed
 * (section 3.2: "silently drop the segment"). RST is exempt from both; a SYN from the latter, because a remote that has
 * lost its state must get its challenge ACK (RFC 5961 section 4.2).
 */
export function checkPaws(tcb: Tcb, seg: Segment): u32 {
  if ((tcb.flags & FLAG_TIMESTAMPS) === 0) return CONTINUE;
  if ((seg.options & SEGMENT_OPTION_TIMESTAMPS) === 0) {
    if ((seg.flags & (TCP_RST | TCP_SYN)) !== 0) return CONTINUE;
    count(STAT_DROP_TIMESTAMP_MISSING);
    return DONE;
  }
  if ((seg.flags & TCP_RST) !== 0 || !before(seg.tsVal, tcb.tsRecent)) return CONTINUE;
  if (isRecentStale(tcb)) return CONTINUE;
  count(STAT_DROP_PAWS);
  seg.answer = ANSWER_ACK;
  return DONE;
}

/**
 * TS.Recent follows the segment that moves the left edge of what we have not acknowledged. RFC 7323 section 4.3 (2):
 * SEG.SEQ =< Last.ACK.sent; while an acknowledgment is owed, Last.ACK.sent is below RCV.NXT and an earlier segment counts.
 */
function takeTimestamp(tcb: Tcb, seg: Segment): void {
  if ((tcb.flags & FLAG_TIMESTAMPS) === 0 || (seg.options & SEGMENT_OPTION_TIMESTAMPS) === 0) {
    return;
  }
  if (before(seg.tsVal, tcb.tsRecent) && !isRecentStale(tcb)) return;
  if (atOrBefore(seg.seq, tcb.rcvNxt)) takeRecent(tcb, seg.tsVal);
}

/** TS.Recent <- SEG.TSval of a segment at or before RCV.NXT, which is not older, unless an acknowledgment is owed. */
export function takeRecent(tcb: Tcb, tsVal: u32): void {
  if ((tcb.owed & OWED_ACK) !== 0 || (tcb.flags & FLAG_TIMER_ACK) !== 0) return;
  setRecent(tcb, tsVal);
}

/**
 * "If the RCV.WND is zero, no segments will be acceptable, but special allowance should be made to accept valid ACKs,
 * URGs, and RSTs." Without it two peers with closed windows would never hear each other's updates.
 */
function isProbeOfClosedWindow(tcb: Tcb, seg: Segment): bool {
  return receiveWindow(tcb) === 0 && seg.seq === tcb.rcvNxt && (seg.flags & TCP_SYN) === 0;
}

/**
 * "The only thing that can arrive in this state is a retransmission of the remote FIN. Acknowledge it, and restart the
 * 2 MSL timeout." RFC 9293 section 3.10.7.4, fifth; it is old, so it does not come so far. Every FIN comes with an ACK.
 */
export function isRepeatedFin(seg: Segment, rcvNxt: u32): bool {
  const flags = seg.flags & (TCP_FIN | TCP_ACK | TCP_SYN | TCP_RST);
  return flags === (TCP_FIN | TCP_ACK) && seg.seq + seg.len === rcvNxt;
}

/**
 * "If an incoming segment is not acceptable, an acknowledgment should be sent in reply (unless the RST bit is set)."
 * One without text or FIN gets the limited kind: two peers that disagree would answer each other for ever.
 */
export function checkSequence(tcb: Tcb, seg: Segment): u32 {
  if (isAcceptable(seg.seq, seg.len, tcb.rcvNxt, receiveWindow(tcb))) {
    takeTimestamp(tcb, seg);
    return CONTINUE;
  }
  if (isProbeOfClosedWindow(tcb, seg)) {
    seg.answer = ANSWER_ACK;
    // A FIN behind text that is cut off is cut off with it; one alone needs no room (docs/rfc.md, Deviations).
    if (seg.textBytes > 0) seg.flags &= ~TCP_FIN;
    seg.textBytes = 0;
    return CONTINUE;
  }
  const isPlain = (seg.flags & (TCP_SYN | TCP_RST)) === 0;
  if (isPlain && seg.textBytes > 0 && before(seg.seq, tcb.rcvNxt)) {
    noteDuplicate(tcb, seg.seq, earliest(seg.seq + seg.textBytes, tcb.rcvNxt));
  }
  if (tcb.state === STATE_TIME_WAIT && isRepeatedFin(seg, tcb.rcvNxt)) armLife(tcb, timeWaitMs());
  count(before(seg.seq, tcb.rcvNxt) ? STAT_DUPLICATES : STAT_DROP_UNACCEPTABLE);
  if ((seg.flags & TCP_RST) === 0) seg.answer = seg.len === 0 ? ANSWER_CHALLENGE : ANSWER_ACK;
  return DONE;
}

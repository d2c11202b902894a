/** Seventh: "process the segment text". RFC 9293 section 3.10.7.4. */
import { boot } from "../config.ts";
import {
  ANSWER_ACK,
  ANSWER_RST,
  CAUSE_ABORT,
  EVENT_READABLE,
  FLAG_FIN_RECEIVED,
  FLAG_READ_CLOSED,
  FLAG_RELEASED,
  FLAG_TIMER_ACK,
  NONE,
  OWED_ACK,
  REASON_ABORTED,
  Segment,
  STAT_BYTES_IN,
  STAT_DROP_AFTER_CLOSE,
  STAT_DROP_FLIGHT,
  STAT_DROP_RANGES,
  STAT_DROP_RING,
  STAT_DUPLICATES,
  STAT_OUT_OF_ORDER,
  Tcb,
} from "../layout.gen.ts";
import { fitReceiveRing, ringMask, ringPtr } from "../conn/rings.ts";
import { canReceiveText } from "../conn/state.ts";
import { endConnection } from "../conn/tcb.ts";
import { armAck } from "../deadline/deadline.ts";
import { raise } from "../events.ts";
import { needFlight } from "../loss/flights.ts";
import { owe } from "../owed.ts";
import { extraOf, flightAt } from "../pool.ts";
import { after } from "../seq.ts";
import { count, countMany } from "../stats.ts";
import { receiveWindow } from "../tx/receive_window.ts";
import { textBefore, textBeyond } from "./acceptance.ts";
import { noteDuplicate, noteHeld } from "./dsack.ts";
import { segmentsOf } from "./offload.ts";
import {
  passRanges,
  place,
  PLACED,
  PLACED_DUPLICATE,
  placeInOrder,
  rangeCount,
} from "./reassembly.ts";

/** Text of the conformance option `ackEvery: 2`. RFC 9293 section 3.8.6.3 (SHLD-19). */
export const EVERY_SECOND: u32 = 2;

/** An ACK for in-order text: the first waits, a second is owed at once; flush() sends one per connection and batch. */
function acknowledge(tcb: Tcb, seg: Segment): void {
  const extra = extraOf(tcb);
  const many = segmentsOf(seg);
  if (extra !== null) {
    const size: u32 = seg.gsoSize === 0 ? seg.textBytes : u32(seg.gsoSize);
    if (size > extra.rcvMss) extra.rcvMss = size;
    if (extra.quickAcks > 0) {
      // The remote's slow start needs them, or the user asked for them.
      extra.quickAcks -= extra.quickAcks < many ? extra.quickAcks : many;
      owe(tcb, OWED_ACK);
      return;
    }
  }
  // A super-segment of two and more is its own second segment.
  if (many === 1 && (tcb.flags & FLAG_TIMER_ACK) === 0 && (tcb.owed & OWED_ACK) === 0) {
    armAck(tcb, boot.delayedAckMs);
    return;
  }
  if (boot.ackEvery === EVERY_SECOND) seg.answer = ANSWER_ACK;
  else owe(tcb, OWED_ACK);
}

/** Text at RCV.NXT: into the ring, and with it what waited behind it. */
function takeInOrder(tcb: Tcb, seg: Segment, seq: u32, ptr: usize, bytes: u32): void {
  const flight: usize = tcb.flight === NONE ? 0 : changetype<usize>(flightAt(tcb.flight));
  const hadRanges = flight !== 0 && rangeCount(flight) > 0;
  const origin = tcb.irs + 1;
  const next = placeInOrder(
    flight,
    ringPtr(tcb.receiveRing),
    ringMask(tcb.receiveRing),
    origin,
    seq,
    ptr,
    bytes,
  );
  // RFC 5681 section 4.2: "an immediate ACK when the incoming segment fills in all or part of a gap".
  if (hadRanges) seg.answer = ANSWER_ACK;
  takeNext(tcb, seg, next);
}

/** Text up to `next` is in the ring: the user is told, and an ACK is due, unless one has been marked already. */
export function takeNext(tcb: Tcb, seg: Segment, next: u32): void {
  countMany(STAT_BYTES_IN, next - tcb.rcvNxt);
  if (next - tcb.irs < tcb.rcvNxt - tcb.irs) tcb.rcvWraps++;
  tcb.rcvNxt = next;
  raise(tcb, EVENT_READABLE);
  if (seg.answer !== ANSWER_ACK) acknowledge(tcb, seg);
}

/** Text beyond RCV.NXT: its place is known already. RFC 9293 SHLD-31; RFC 5681 section 4.2: acknowledged at once. */
function takeOutOfOrder(tcb: Tcb, seg: Segment, seq: u32, ptr: usize, bytes: u32): void {
  seg.answer = ANSWER_ACK;
  count(STAT_OUT_OF_ORDER);
  const block = needFlight(tcb);
  if (block === NONE) {
    count(STAT_DROP_FLIGHT);
    return;
  }
  const flight = changetype<usize>(flightAt(block));
  const origin = tcb.irs + 1;
  const placed = place(
    flight,
    ringPtr(tcb.receiveRing),
    ringMask(tcb.receiveRing),
    origin,
    seq,
    ptr,
    bytes,
  );
  if (placed === PLACED_DUPLICATE) count(STAT_DUPLICATES);
  else if (placed !== PLACED) count(STAT_DROP_RANGES);
}

/** The text of a SYN whose cookie is good, from its first byte on; what does not fit the remote sends again. RFC 7413. */
export function takeTextOfSyn(tcb: Tcb, seg: Segment): void {
  const bytes = seg.textBytes < tcb.rcvBuf ? seg.textBytes : tcb.rcvBuf;
  if (!fitReceiveRing(tcb, bytes)) {
    count(STAT_DROP_RING);
    return;
  }
  const ring = ringPtr(tcb.receiveRing);
  const mask = ringMask(tcb.receiveRing);
  tcb.rcvNxt = placeInOrder(0, ring, mask, tcb.rcvNxt, tcb.rcvNxt, seg.textPtr, bytes);
  tcb.rcvAdv = tcb.rcvNxt;
  countMany(STAT_BYTES_IN, bytes);
  raise(tcb, EVENT_READABLE);
}

/** The user reads no more: acknowledged and dropped, or refused once the whole connection was let go. */
function refuseText(tcb: Tcb, seg: Segment): bool {
  if ((tcb.flags & (FLAG_READ_CLOSED | FLAG_RELEASED)) === 0) return false;
  count(STAT_DROP_AFTER_CLOSE);
  if ((tcb.flags & FLAG_RELEASED) !== 0) {
    // RFC 9293 section 3.6.1 (SHLD-3): data after CLOSE draws a reset, so that the remote learns that it is lost.
    seg.answer = ANSWER_RST;
    endConnection(tcb, CAUSE_ABORT, REASON_ABORTED);
    return true;
  }
  return false;
}

/** Processes the text. */
export function processText(tcb: Tcb, seg: Segment): void {
  if (seg.textBytes === 0 || !canReceiveText(tcb.state)) return;
  const old = textBefore(seg.seq, tcb.rcvNxt, seg.textBytes);
  if (old === seg.textBytes) {
    // Nothing new: the remote did not get our ACK. RFC 9293 section 3.10.7.4, first.
    count(STAT_DUPLICATES);
    noteDuplicate(tcb, seg.seq, seg.seq + seg.textBytes);
    seg.answer = ANSWER_ACK;
    return;
  }
  if (refuseText(tcb, seg)) return;
  const seq = seg.seq + old;
  const beyond = textBeyond(seq, seg.textBytes - old, tcb.rcvNxt, receiveWindow(tcb));
  const bytes = seg.textBytes - old - beyond;
  if (bytes === 0) {
    // A probe of a closed window. RFC 9293 section 3.8.6.1 (MUST-36).
    seg.answer = ANSWER_ACK;
    return;
  }
  if ((tcb.flags & FLAG_READ_CLOSED) !== 0) {
    dropInOrder(tcb, seg, seq, bytes);
    return;
  }
  if (!fitReceiveRing(tcb, seq + bytes - tcb.rcvUser)) {
    // The pool is empty: as if it had been lost on the way.
    count(STAT_DROP_RING);
    seg.answer = ANSWER_ACK;
    return;
  }
  if (old > 0) noteDuplicate(tcb, seg.seq, seq);
  else noteHeld(tcb, seq, seq + bytes);
  if (after(seq, tcb.rcvNxt)) takeOutOfOrder(tcb, seg, seq, seg.textPtr + old, bytes);
  else takeInOrder(tcb, seg, seq, seg.textPtr + old, bytes);
}

/** After closeRead(): RCV.NXT moves, nothing is kept, and the window stays open so that the FIN can come. */
function dropInOrder(tcb: Tcb, seg: Segment, seq: u32, bytes: u32): void {
  if (after(seq, tcb.rcvNxt)) {
    seg.answer = ANSWER_ACK;
    return;
  }
  const flight: usize = tcb.flight === NONE ? 0 : changetype<usize>(flightAt(tcb.flight));
  const hadRanges = rangeCount(flight) > 0;
  // What came out of order before the user stopped reading was reported as held, and is acknowledged: RFC 2018 section 8.
  const next = passRanges(flight, seq + bytes);
  if (next - tcb.irs < tcb.rcvNxt - tcb.irs) tcb.rcvWraps++;
  tcb.rcvNxt = next;
  tcb.rcvUser = tcb.rcvNxt;
  if (hadRanges) seg.answer = ANSWER_ACK;
  else acknowledge(tcb, seg);
}

/** The FIN's number is next: every byte before it is here. */
export function isFinNext(tcb: Tcb, seg: Segment): bool {
  return (tcb.flags & FLAG_FIN_RECEIVED) === 0 && seg.seq + seg.textBytes === tcb.rcvNxt;
}

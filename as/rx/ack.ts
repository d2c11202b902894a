/** Fifth: "check the ACK field". RFC 9293 section 3.10.7.4. */
import { control } from "../config.ts";
import {
  ANSWER_CHALLENGE,
  ANSWER_RST,
  CAUSE_ACK_OF_FIN,
  CAUSE_SYN_ACK,
  EVENT_ACCEPTABLE,
  EVENT_OPENED,
  EVENT_WRITABLE,
  FLAG_ACTIVE,
  FLAG_ECN,
  FLAG_FAST_OPEN,
  FLAG_FIN_SENT,
  FLAG_READ_CLOSED,
  FLAG_RELEASED,
  FLAG_SACK,
  FLAG_TIMER_PERSIST,
  FLAG_TIMESTAMPS,
  FLAG_WANTS_SPACE,
  Flight,
  NONE,
  OWED_DATA,
  OWED_RETRANSMIT,
  REASON_NORMAL,
  RECOVERY_OPEN,
  Segment,
  SEGMENT_OPTION_TIMESTAMPS,
  STAT_DROP_ACK_UNSENT,
  STATE_CLOSING,
  STATE_ESTABLISHED,
  STATE_FIN_WAIT_1,
  STATE_FIN_WAIT_2,
  STATE_LAST_ACK,
  STATE_SYN_RECEIVED,
  STATE_TIME_WAIT,
  Tcb,
} from "../layout.gen.ts";
import { leaveHalfOpen } from "../conn/listener.ts";
import { dropSendRing } from "../conn/rings.ts";
import { beginIdle } from "../conn/idle.ts";
import { finWait2Of } from "../conn/options.ts";
import { transition } from "../conn/state.ts";
import {
  endConnection,
  noteWindow,
  releaseFlight,
  sendShift,
  stampNow,
  widestWindow,
} from "../conn/tcb.ts";
import { armLife, armRetransmit, disarmRetransmit } from "../deadline/deadline.ts";
import { raise } from "../events.ts";
import { onAcked, onRttSample } from "../loss/congestion.ts";
import { receiveEcho } from "../loss/ecn.ts";
import { settleProbe } from "../loss/path_mtu.ts";
import { inFlight, onAck } from "../loss/recovery.ts";
import { noteMinRtt } from "../loss/rack.ts";
import { computeRto, sampleRtt } from "../loss/rtt.ts";
import { runAt } from "../loss/runs.ts";
import {
  ackedAgain,
  ackedOnce,
  ackedSentUs,
  beginAck,
  countDsack,
  markFirstLost,
  removeAcked,
  resentUs,
  takeSackBlocks,
} from "../loss/scoreboard.ts";
import { owe } from "../owed.ts";
import { flightAt } from "../pool.ts";
import { after, atOrBefore, before } from "../seq.ts";
import { count } from "../stats.ts";
import { TCP_ECE } from "../wire/tcp_header.ts";
import { enterTimeWait } from "./fin.ts";
import { isAckAcceptable } from "./acceptance.ts";
import { deliverSynText } from "./syn_text.ts";
import { closeIfQueued, synAcknowledged } from "./on_syn_sent.ts";
import { CONTINUE, DONE } from "./verdict.ts";

const US_PER_MS: u32 = 1000;
/** An ACK this little behind SND.UNA is believed whatever windows were seen, bytes: one without scaling. */
const BELIEVED_MIN_BYTES: u32 = 65535;

/** SYN-RECEIVED: "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED", else a reset. */
function completeHandshake(tcb: Tcb, seg: Segment): u32 {
  if (!isAckAcceptable(seg.ack, tcb.sndUna, tcb.sndNxt)) {
    seg.answer = ANSWER_RST;
    return DONE;
  }
  synAcknowledged(tcb);
  leaveHalfOpen(tcb);
  noteWindow(tcb, seg.wnd);
  tcb.sndWnd = seg.wnd << sendShift(tcb);
  tcb.sndWl1 = seg.seq;
  tcb.sndWl2 = seg.ack;
  if ((tcb.flags & FLAG_ACTIVE) !== 0) {
    transition(tcb, STATE_ESTABLISHED, CAUSE_SYN_ACK);
    raise(tcb, EVENT_OPENED | EVENT_WRITABLE);
  } else {
    // From now on the host holds the handle, unless it parked the SYN or was told by Fast Open and holds it already.
    const isKnown = (tcb.flags & FLAG_FAST_OPEN) !== 0;
    if (!isKnown) tcb.flags &= ~FLAG_RELEASED;
    transition(tcb, STATE_ESTABLISHED, CAUSE_SYN_ACK);
    if (!isKnown) raise(tcb, EVENT_ACCEPTABLE | EVENT_WRITABLE);
  }
  closeIfQueued(tcb);
  deliverSynText(tcb);
  beginIdle(tcb);
  owe(tcb, OWED_DATA);
  return CONTINUE;
}

/** A segment is newer than the one that SND.WND was taken from. */
function isWindowNewer(tcb: Tcb, segSeq: u32, segAck: u32): bool {
  return before(tcb.sndWl1, segSeq) ||
    (tcb.sndWl1 === segSeq && atOrBefore(tcb.sndWl2, segAck));
}

/** SND.WND came again as it is, in a segment that has nothing else for the fifth step. */
export function noteUnchanged(tcb: Tcb, segSeq: u32, segAck: u32): void {
  if (!isWindowNewer(tcb, segSeq, segAck)) return;
  tcb.sndWl1 = segSeq;
  tcb.sndWl2 = segAck;
}

/** SND.WND, by the newer of segment and acknowledgment. RFC 9293 section 3.10.7.4, ESTABLISHED; an old segment must not shrink it (MUST-34 expects windows that do). */
function updateWindow(tcb: Tcb, seg: Segment): bool {
  if (!isWindowNewer(tcb, seg.seq, seg.ack)) return false;
  noteWindow(tcb, seg.wnd);
  const window = seg.wnd << sendShift(tcb);
  const changed = window !== tcb.sndWnd;
  tcb.sndWnd = window;
  tcb.sndWl1 = seg.seq;
  tcb.sndWl2 = seg.ack;
  if (changed) owe(tcb, OWED_DATA);
  return changed;
}

function takeSample(tcb: Tcb, flight: Flight, sampleUs: u32): void {
  sampleRtt(tcb, sampleUs);
  onRttSample(tcb, flight, sampleUs);
}

/**
 * One RTT sample per ACK, from what was sent once (Karn's algorithm, RFC 6298 section 3). An ACK that covers anything
 * sent again says nothing of what lay behind the hole either; then the timestamp's echo may (RFC 7323 section 4.1), if it
 * echoes the retransmission: an older echo counts the time until we sent it again, too.
 */
function sample(tcb: Tcb, flight: Flight, seg: Segment): void {
  if (!ackedAgain) {
    if (ackedOnce) takeSample(tcb, flight, control.nowUs - ackedSentUs);
    return;
  }
  const hasEcho = (tcb.flags & FLAG_TIMESTAMPS) !== 0 &&
    (seg.options & SEGMENT_OPTION_TIMESTAMPS) !== 0;
  if (!hasEcho || seg.tsEcr === 0) return;
  const ageUs = (stampNow(tcb) - seg.tsEcr) * US_PER_MS;
  // The echo is in whole ms: up to one more than the time since then.
  if (ageUs <= control.nowUs - resentUs + US_PER_MS) takeSample(tcb, flight, ageUs);
}

/** Bytes left the send ring: the user may write again, and an empty ring goes back. */
function relieveSendRing(tcb: Tcb): void {
  if (!before(tcb.sndUna, tcb.sndEnd)) dropSendRing(tcb);
  if ((tcb.flags & FLAG_WANTS_SPACE) === 0) return;
  tcb.flags &= ~FLAG_WANTS_SPACE;
  raise(tcb, EVENT_WRITABLE);
}

/**
 * SEG.ACK acknowledges all there is, sent once and at one time, and nothing was amiss: the flight block goes with it, and
 * what it knows need not be brought up to date first.
 */
function isPlainEnd(tcb: Tcb, flight: Flight, seg: Segment): bool {
  if (seg.ack !== tcb.sndNxt || flight.runCount !== 1 || seg.sackCount !== 0) return false;
  if (before(tcb.sndNxt, tcb.sndEnd) || runAt(flight, 0).flags !== 0) return false;
  if (flight.recovery !== RECOVERY_OPEN || flight.dupAcks !== 0) return false;
  if ((flight.tlpFlags | flight.undoFlags | flight.receiveFlags) !== 0) return false;
  return flight.rangeCount === 0 && flight.dsackStart === flight.dsackEnd;
}

/** Takes it: the RTT, the window's growth, and the timer's end (RFC 6298 section 5.2) are all that outlives the block. */
function takePlainEnd(tcb: Tcb, flight: Flight, acked: u32): void {
  const ageUs = control.nowUs - runAt(flight, 0).sentUs;
  tcb.sndUna = tcb.sndNxt;
  noteMinRtt(tcb, flight, ageUs === 0 ? 1 : ageUs);
  takeSample(tcb, flight, ageUs);
  onAcked(tcb, flight, acked, acked);
  disarmRetransmit(tcb);
  flight.runCount = 0;
}

/** SEG.ACK is new: SND.UNA moves. */
function takeNewAck(tcb: Tcb, seg: Segment): void {
  const acked = seg.ack - tcb.sndUna;
  if (seg.ack - tcb.iss < tcb.sndUna - tcb.iss) tcb.sndWraps++;
  tcb.retries = 0;
  if (tcb.flight !== NONE && isPlainEnd(tcb, flightAt(tcb.flight), seg)) {
    takePlainEnd(tcb, flightAt(tcb.flight), acked);
  } else if (tcb.flight !== NONE) {
    const flight = flightAt(tcb.flight);
    const pipe = inFlight(tcb, flight);
    const delivered = flight.delivered;
    beginAck();
    removeAcked(tcb, flight, seg.ack);
    tcb.sndUna = seg.ack;
    if ((tcb.flags & FLAG_SACK) !== 0) takeSackBlocks(tcb, flight);
    flight.firstSentMs = control.nowMs;
    sample(tcb, flight, seg);
    onAck(tcb, flight, seg, acked, false, flight.delivered - delivered, pipe);
  } else {
    // The SYN alone was outstanding, and data takes a flight block before it leaves.
    tcb.sndUna = seg.ack;
    if (tcb.sndUna === tcb.sndNxt) disarmRetransmit(tcb);
    else armRetransmit(tcb, tcb.rtoMs);
  }
  settleProbe(tcb);
  relieveSendRing(tcb);
  owe(tcb, OWED_DATA);
}

/**
 * "Duplicate": the same number again while data is outstanding, without text, FIN or a new window (RFC 5681 section 2); with
 * SACK a segment with news of what is held, whatever else it carries (RFC 6675 section 2).
 */
function isDuplicate(tcb: Tcb, seg: Segment, windowChanged: bool, sacked: u32): bool {
  if (tcb.sndNxt === tcb.sndUna) return false;
  if ((tcb.flags & FLAG_SACK) !== 0) return sacked > 0;
  return seg.ack === tcb.sndUna && seg.len === 0 && !windowChanged;
}

/** SEG.ACK is not new: it may be a duplicate, and carry SACK. */
function takeOldAck(tcb: Tcb, seg: Segment, windowChanged: bool): void {
  const hasSack = (tcb.flags & FLAG_SACK) !== 0;
  if (tcb.flight === NONE) {
    if (hasSack) countDsack(tcb);
    return;
  }
  const flight = flightAt(tcb.flight);
  if ((tcb.flags & FLAG_TIMER_PERSIST) !== 0) {
    // The peer answers our probes: R2 does not kill a connection with a closed window. RFC 9293 section 3.8.6.1.
    flight.firstSentMs = control.nowMs;
    tcb.retries = 0;
  }
  const pipe = inFlight(tcb, flight);
  beginAck();
  const sacked: u32 = hasSack ? takeSackBlocks(tcb, flight) : 0;
  const duplicate = isDuplicate(tcb, seg, windowChanged, sacked);
  // Besides duplicates, an old number says something of probes and of retransmissions that were not needed.
  if (duplicate || (hasSack && seg.len === 0)) onAck(tcb, flight, seg, 0, duplicate, sacked, pipe);
}

/** Our FIN, the last number we sent, is acknowledged. */
function isFinAcknowledged(tcb: Tcb): bool {
  return (tcb.flags & FLAG_FIN_SENT) !== 0 && tcb.sndUna === tcb.sndNxt;
}

/** What an acknowledged FIN does in the states that wait for it. */
function advanceByFin(tcb: Tcb): u32 {
  // "CLOSING: … otherwise, ignore the segment."
  if (!isFinAcknowledged(tcb)) return tcb.state === STATE_CLOSING ? DONE : CONTINUE;
  if (tcb.state === STATE_FIN_WAIT_1) {
    transition(tcb, STATE_FIN_WAIT_2, CAUSE_ACK_OF_FIN);
    // After a full close the remote's FIN is not waited for endlessly; after a half-close it is (seeds S39).
    if ((tcb.flags & (FLAG_RELEASED | FLAG_READ_CLOSED)) !== 0) armLife(tcb, finWait2Of(tcb));
  } else if (tcb.state === STATE_CLOSING) {
    const isHeld = (tcb.flags & FLAG_RELEASED) === 0;
    enterTimeWait(tcb, CAUSE_ACK_OF_FIN);
    // Of a connection that was let go only a record is left.
    return isHeld ? CONTINUE : DONE;
  } else if (tcb.state === STATE_LAST_ACK) {
    endConnection(tcb, CAUSE_ACK_OF_FIN, REASON_NORMAL);
    return DONE;
  }
  return CONTINUE;
}

/** The window in which an old ACK is believed at all: MAX.SND.WND. RFC 5961 section 5.2. */
function isAckBelievable(tcb: Tcb, seg: Segment): bool {
  const widest = widestWindow(tcb);
  const most: u32 = widest > BELIEVED_MIN_BYTES ? widest : BELIEVED_MIN_BYTES;
  return !before(seg.ack, tcb.sndUna - most);
}

/** Processes the ACK field. */
export function processAck(tcb: Tcb, seg: Segment): u32 {
  if (tcb.state === STATE_SYN_RECEIVED) {
    if (completeHandshake(tcb, seg) === DONE) return DONE;
  }
  // "If the ACK acks something not yet sent, then send an ACK, drop the segment, and return."
  if (after(seg.ack, tcb.sndNxt)) {
    count(STAT_DROP_ACK_UNSENT);
    seg.answer = ANSWER_CHALLENGE;
    return DONE;
  }
  if (!isAckBelievable(tcb, seg)) {
    seg.answer = ANSWER_CHALLENGE;
    return DONE;
  }
  if (tcb.state === STATE_TIME_WAIT) return CONTINUE;
  // "If SND.UNA =< SEG.ACK =< SND.NXT, the send window should be updated."
  const windowChanged = before(seg.ack, tcb.sndUna) ? false : updateWindow(tcb, seg);
  if ((tcb.flags & FLAG_ECN) !== 0 && (seg.flags & TCP_ECE) !== 0) receiveEcho(tcb, seg.ack);
  if (isAckAcceptable(seg.ack, tcb.sndUna, tcb.sndNxt)) takeNewAck(tcb, seg);
  else takeOldAck(tcb, seg, windowChanged);
  reopenWindow(tcb, windowChanged);
  if (advanceByFin(tcb) === DONE) return DONE;
  releaseFlight(tcb);
  return CONTINUE;
}

/** The window opened while we persisted: what is in flight or waiting goes on under the retransmission timer. */
function reopenWindow(tcb: Tcb, windowChanged: bool): void {
  if (!windowChanged || (tcb.flags & FLAG_TIMER_PERSIST) === 0 || tcb.sndWnd === 0) return;
  tcb.retries = 0;
  tcb.rtoMs = computeRto(tcb);
  if (tcb.sndNxt === tcb.sndUna || tcb.flight === NONE) {
    disarmRetransmit(tcb);
  } else {
    // The probe's byte met a closed window: it is missing, and nothing would say so before the timer.
    markFirstLost(flightAt(tcb.flight), tcb.mss);
    owe(tcb, OWED_RETRANSMIT);
    armRetransmit(tcb, tcb.rtoMs);
  }
  owe(tcb, OWED_DATA);
}

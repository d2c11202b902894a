/**
 * Loss recovery: what an ACK or a deadline says of loss, and what the window becomes. With SACK loss is found by RACK
 * (RFC 8985) or by RFC 6675, and PRR (RFC 9937) governs the window; without it RFC 6582 does both. `tx/` sends.
 */
import { boot } from "../config.ts";
import {
  FLAG_FIN_SENT,
  FLAG_SACK,
  Flight,
  OWED_DATA,
  OWED_RETRANSMIT,
  RECOVERY_CWR,
  RECOVERY_DISORDER,
  RECOVERY_FAST,
  RECOVERY_LOSS,
  RECOVERY_OPEN,
  Segment,
  STAT_FAST_RETRANSMITS,
  STAT_LIMITED_TRANSMITS,
  STAT_TAIL_RECOVERIES,
  Tcb,
} from "../layout.gen.ts";
import { owe } from "../owed.ts";
import { after, atOrAfter, before } from "../seq.ts";
import { count } from "../stats.ts";
import { onAcked, onEcn, onLoss, onRecoveryEnd, onRto } from "./congestion.ts";
import { repairsProbe } from "./path_mtu.ts";
import { beginPrr, onPrrAck } from "./prr.ts";
import { detectByTime, markLateLost, noteDsackRound, noteRecoveryEnd, usesRack } from "./rack.ts";
import {
  dropRenegedMarks,
  markAllLost,
  markFirstLost,
  markLostBelowSacked,
  sawDsack,
} from "./scoreboard.ts";
import { keepRto, restartRto } from "./timers.ts";
import { endsWithRepair, forgetProbe } from "./tlp.ts";
import {
  armUndo,
  beginFrto,
  endFrto,
  isFrtoSpurious,
  isFrtoWaiting,
  isSpurious,
  noteForUndo,
  revert,
} from "./undo.ts";

/** Bytes believed to be on the way: RFC 6675 section 4, "pipe". */
export function inFlight(tcb: Tcb, flight: Flight): u32 {
  return tcb.sndNxt - tcb.sndUna - flight.sackedBytes - flight.lostBytes;
}

function hasSack(tcb: Tcb): bool {
  return (tcb.flags & FLAG_SACK) !== 0;
}

/** FlightSize, less what limited transmit has sent. RFC 5681 section 3.1 equation 4, RFC 6675 section 5 step 4.2. */
function flightSize(tcb: Tcb, flight: Flight): u32 {
  const outstanding = tcb.sndNxt - tcb.sndUna;
  return outstanding > flight.limitedSent ? outstanding - flight.limitedSent : 0;
}

/** A flight block was just taken. RFC 6582 section 3.2: "recover" is such that the first recovery may begin. */
export function initRecovery(tcb: Tcb, flight: Flight): void {
  flight.recover = tcb.sndUna - 1;
}

/** New text or a FIN was sent; the scoreboard does not know it yet. */
export function noteNewSent(tcb: Tcb, flight: Flight, numbers: u32): void {
  if (flight.recovery === RECOVERY_OPEN) return;
  if (flight.recovery === RECOVERY_FAST || flight.recovery === RECOVERY_CWR) {
    flight.prrOut += numbers;
  } else if (flight.recovery === RECOVERY_DISORDER && flight.limitedSent < 2 * u32(tcb.mss)) {
    flight.limitedSent += numbers;
    count(STAT_LIMITED_TRANSMITS);
  }
}

/** A segment was sent again. */
export function noteSegmentResent(tcb: Tcb, flight: Flight, numbers: u32): void {
  tcb.retransmits++;
  flight.prrOut += numbers;
  noteForUndo(tcb, flight);
}

/** Begins fast recovery. @param delivered Bytes that the ACK at hand has delivered. */
function enterFast(tcb: Tcb, flight: Flight, delivered: u32): void {
  // A probe of the path MTU may be lost without any congestion.
  if (repairsProbe(tcb, flight)) return;
  count(STAT_FAST_RETRANSMITS);
  // A window that falls for ECE falls once for all of its flight. RFC 3168 section 6.1.2.
  if (flight.recovery !== RECOVERY_CWR) {
    const size = flightSize(tcb, flight);
    armUndo(tcb, flight, tcb.sndNxt - tcb.sndUna, false);
    onLoss(tcb, flight, size);
    beginPrr(tcb, flight, delivered);
  }
  flight.recovery = RECOVERY_FAST;
  flight.recover = tcb.sndNxt;
  flight.rescueEnd = tcb.sndUna - 1;
  flight.limitedSent = 0;
  flight.partialAcks = 0;
  forgetProbe(flight);
  // Without SACK only the duplicates tell that segments have left the network. RFC 5681 section 3.2 step 3.
  if (!hasSack(tcb)) tcb.cwnd = tcb.ssthresh + boot.dupThresh * u32(tcb.mss);
  owe(tcb, OWED_RETRANSMIT | OWED_DATA);
}

/** ECE came: the window falls to what congestion control says, by PRR. RFC 3168 section 6.1.2, RFC 9937. */
export function enterCwr(tcb: Tcb, flight: Flight): void {
  if (flight.recovery !== RECOVERY_OPEN && flight.recovery !== RECOVERY_DISORDER) return;
  onEcn(tcb, flight, tcb.sndNxt - tcb.sndUna);
  beginPrr(tcb, flight, 0);
  flight.recovery = RECOVERY_CWR;
  flight.recover = tcb.sndNxt;
}

/** The recovery point is acknowledged. RFC 6675 section 5 step A, RFC 6582 section 3.2 step 3, RFC 9937 section 6.2. */
function endRecovery(tcb: Tcb, flight: Flight): void {
  if (flight.recovery !== RECOVERY_LOSS) tcb.cwnd = tcb.ssthresh;
  if (flight.recovery !== RECOVERY_CWR) noteRecoveryEnd(flight);
  flight.recovery = RECOVERY_OPEN;
  onRecoveryEnd(tcb, flight);
}

function isRecovering(flight: Flight): bool {
  return flight.recovery !== RECOVERY_OPEN && flight.recovery !== RECOVERY_DISORDER;
}

/** Marks what is lost. @returns µs after which more may be; 0 if nothing waits. */
function findLost(tcb: Tcb, flight: Flight): u32 {
  if (usesRack(tcb)) {
    noteDsackRound(tcb, flight, sawDsack);
    return detectByTime(tcb, flight);
  }
  markLostBelowSacked(tcb, flight);
  // "If DupAcks >= DupThresh, go to step (4)." RFC 6675 section 5 step 1.
  if (!isRecovering(flight) && flight.dupAcks >= boot.dupThresh && flight.lostBytes === 0) {
    markFirstLost(flight, u32(tcb.mss));
  }
  return 0;
}

/** Nothing is being repaired: growth, and whether something is out of order. */
function settleOpen(tcb: Tcb, flight: Flight, acked: u32, pipeBefore: u32): void {
  if (acked > 0) onAcked(tcb, flight, acked, pipeBefore);
  flight.recovery = flight.sackedBytes > 0 || flight.dupAcks > 0
    ? RECOVERY_DISORDER
    : RECOVERY_OPEN;
  if (flight.recovery === RECOVERY_OPEN) flight.limitedSent = 0;
}

/** Slow start after a timeout, but while F-RTO has said how much may go. RFC 5682 section 2.1 step 2b. */
function growInLoss(tcb: Tcb, flight: Flight, acked: u32, pipeBefore: u32): void {
  if (acked > 0 && !isFrtoWaiting(flight)) onAcked(tcb, flight, acked, pipeBefore);
}

/** An ACK with SACK. @returns µs after which more may be lost; 0 if nothing waits. */
function onSackAck(
  tcb: Tcb,
  flight: Flight,
  acked: u32,
  delivered: u32,
  pipeBefore: u32,
  isReverted: bool,
): u32 {
  let isSettled = isReverted;
  if (acked > 0 && isRecovering(flight) && atOrAfter(tcb.sndUna, flight.recover)) {
    endRecovery(tcb, flight);
    isSettled = true;
  }
  const lostBefore = flight.lostBytes;
  const reorderUs = findLost(tcb, flight);
  // SafeACK: SND.UNA advances and no further loss is indicated. RFC 9937 section 6.2.
  const isSafe = acked > 0 && flight.lostBytes === lostBefore;
  if (flight.recovery === RECOVERY_LOSS) {
    growInLoss(tcb, flight, acked, pipeBefore);
  } else if (flight.recovery === RECOVERY_FAST) {
    onPrrAck(tcb, flight, delivered, isSafe, inFlight(tcb, flight));
  } else if (flight.lostBytes > 0) {
    enterFast(tcb, flight, delivered);
    if (flight.recovery === RECOVERY_FAST) {
      onPrrAck(tcb, flight, delivered, isSafe, inFlight(tcb, flight));
    }
  } else if (flight.recovery === RECOVERY_CWR) {
    onPrrAck(tcb, flight, delivered, isSafe, inFlight(tcb, flight));
  } else {
    settleOpen(tcb, flight, isSettled ? 0 : acked, pipeBefore);
  }
  return reorderUs;
}

/** Inflation never exceeds what is outstanding plus ssthresh: dup ACKs can be forged. */
function inflationCap(tcb: Tcb): u32 {
  return tcb.ssthresh + (tcb.sndNxt - tcb.sndUna);
}

/** A duplicate ACK without SACK. RFC 5681 section 3.2. */
function onPlainDuplicate(tcb: Tcb, flight: Flight): void {
  if (flight.recovery === RECOVERY_FAST) {
    // Each further one means that a segment has left the network. RFC 5681 section 3.2 step 4.
    if (tcb.cwnd < inflationCap(tcb)) tcb.cwnd += u32(tcb.mss);
    return;
  }
  if (flight.recovery === RECOVERY_LOSS) return;
  // RFC 6582 section 3.2 step 1: only beyond the last recovery, lest its own retransmissions start another.
  if (flight.dupAcks >= boot.dupThresh && after(tcb.sndUna, flight.recover)) {
    enterFast(tcb, flight, 0);
    markFirstLost(flight, u32(tcb.mss));
  } else if (flight.recovery === RECOVERY_OPEN) {
    flight.recovery = RECOVERY_DISORDER;
  }
}

/** Partial acknowledgment: the next hole is lost too, cwnd deflates. RFC 6582 section 3.2 step 3. */
function onPartialAck(tcb: Tcb, flight: Flight, acked: u32): void {
  const mss = u32(tcb.mss);
  flight.partialAcks++;
  markFirstLost(flight, mss);
  tcb.cwnd = tcb.cwnd > acked ? tcb.cwnd - acked : 0;
  if (acked >= mss) tcb.cwnd += mss;
  if (tcb.cwnd < mss) tcb.cwnd = mss;
  owe(tcb, OWED_RETRANSMIT);
}

/** An ACK without SACK that advances SND.UNA. */
function onPlainAck(
  tcb: Tcb,
  flight: Flight,
  acked: u32,
  pipeBefore: u32,
  isReverted: bool,
): void {
  if (isRecovering(flight) && atOrAfter(tcb.sndUna, flight.recover)) endRecovery(tcb, flight);
  else if (flight.recovery === RECOVERY_FAST) onPartialAck(tcb, flight, acked);
  else if (flight.recovery === RECOVERY_LOSS) growInLoss(tcb, flight, acked, pipeBefore);
  else if (flight.recovery === RECOVERY_CWR) {
    onPrrAck(tcb, flight, acked, true, inFlight(tcb, flight));
  } else settleOpen(tcb, flight, isReverted ? 0 : acked, pipeBefore);
}

/** A probe has repaired a loss: the window falls once, as after a fast recovery that is over. RFC 8985 section 7.4. */
function answerRepair(tcb: Tcb, flight: Flight, outstanding: u32): void {
  count(STAT_TAIL_RECOVERIES);
  if (isRecovering(flight)) return;
  onLoss(tcb, flight, outstanding);
  if (tcb.cwnd > tcb.ssthresh) tcb.cwnd = tcb.ssthresh;
  onRecoveryEnd(tcb, flight);
}

/** There is text that was never sent, and the remote's window takes some. */
function canSendNew(tcb: Tcb): bool {
  if ((tcb.flags & FLAG_FIN_SENT) !== 0) return false;
  return before(tcb.sndNxt, tcb.sndEnd) && before(tcb.sndNxt, tcb.sndUna + tcb.sndWnd);
}

/** Reverts a reduction that the ACK shows to be a mistake. @returns True if it was one: cwnd is not to change further. */
function takeBack(
  tcb: Tcb,
  flight: Flight,
  seg: Segment,
  acked: u32,
  isDuplicate: bool,
): bool {
  let isMistake = isSpurious(tcb, flight, seg, acked);
  if (!isMistake && flight.recovery === RECOVERY_LOSS) {
    const pipe = inFlight(tcb, flight);
    const canSend = canSendNew(tcb);
    isMistake = isFrtoSpurious(tcb, flight, acked, isDuplicate, hasSack(tcb), canSend, pipe);
  }
  if (isMistake) revert(tcb, flight, seg, acked);
  return isMistake;
}

/**
 * An ACK came; SND.UNA has moved and the scoreboard knows its blocks.
 *
 * @param acked Bytes by which SND.UNA advanced.
 * @param isDuplicate It is a duplicate ACK: RFC 5681 section 2, with SACK RFC 6675 section 2.
 * @param delivered Bytes that it newly reports as arrived.
 * @param pipeBefore Bytes in flight before it.
 */
export function onAck(
  tcb: Tcb,
  flight: Flight,
  seg: Segment,
  acked: u32,
  isDuplicate: bool,
  delivered: u32,
  pipeBefore: u32,
): void {
  const sack = hasSack(tcb);
  if (acked > 0) flight.dupAcks = 0;
  else if (isDuplicate) flight.dupAcks++;
  const isBare = acked === 0 && seg.len === 0 && seg.sackCount === 0;
  if (endsWithRepair(flight, seg.ack, isBare)) {
    answerRepair(tcb, flight, tcb.sndNxt - tcb.sndUna + acked);
  }
  const isReverted = takeBack(tcb, flight, seg, acked, isDuplicate);
  let reorderUs: u32 = 0;
  if (sack) reorderUs = onSackAck(tcb, flight, acked, delivered, pipeBefore, isReverted);
  else if (acked > 0) onPlainAck(tcb, flight, acked, pipeBefore, isReverted);
  else if (isDuplicate) onPlainDuplicate(tcb, flight);
  // RFC 6582 section 3.2 step 3: of a recovery without SACK only the first partial ACK restarts the timer ("impatient").
  const restarts = acked > 0 &&
    (sack || flight.recovery !== RECOVERY_FAST || flight.partialAcks <= 1);
  if (restarts) restartRto(tcb, flight, reorderUs);
  else keepRto(tcb, flight, reorderUs);
  owe(tcb, OWED_DATA);
}

/** The reordering window has passed. RFC 8985 section 6.3. The RTO is armed again. */
export function onReorderTimeout(tcb: Tcb, flight: Flight): void {
  const reorderUs = detectByTime(tcb, flight);
  if (flight.lostBytes > 0 && (!isRecovering(flight) || flight.recovery === RECOVERY_CWR)) {
    enterFast(tcb, flight, 0);
    // No ACK gives credit: the fast retransmit alone goes.
    if (flight.recovery === RECOVERY_FAST) tcb.cwnd = inFlight(tcb, flight) + u32(tcb.mss);
  }
  keepRto(tcb, flight, reorderUs);
  owe(tcb, OWED_DATA);
}

/** The retransmission timer expired. RFC 6298 section 5.4, RFC 5681 section 3.1, RFC 6582 section 4. */
export function onTimeout(tcb: Tcb, flight: Flight): void {
  const outstanding = tcb.sndNxt - tcb.sndUna;
  const isFirst = flight.recovery !== RECOVERY_LOSS;
  // "the given segment has already been retransmitted by way of the retransmission timer": ssthresh is held constant.
  if (isFirst) armUndo(tcb, flight, outstanding, true);
  if (tcb.retries <= 1) onRto(tcb, flight, flightSize(tcb, flight));
  flight.recovery = RECOVERY_LOSS;
  flight.recover = tcb.sndNxt;
  flight.dupAcks = 0;
  flight.limitedSent = 0;
  forgetProbe(flight);
  // LW = 1 segment. RFC 5681 section 3.1.
  tcb.cwnd = u32(tcb.mss);
  dropRenegedMarks(flight);
  if (markLateLost(tcb, flight)) markFirstLost(flight, u32(tcb.mss));
  else markAllLost(flight);
  if (isFirst) beginFrto(tcb, flight);
  else endFrto(flight);
  owe(tcb, OWED_RETRANSMIT);
}

/**
 * Loss recovery: fast retransmit and fast recovery (RFC 5681 section 3.2, RFC 6582), with SACK the holes that have
 * enough held bytes above them (RFC 6675), and the retransmission timeout. Here it is decided what is lost; `tx/` sends it.
 */
import {
  FLAG_SACK,
  Flight,
  OWED_DATA,
  OWED_RETRANSMIT,
  RECOVERY_FAST,
  RECOVERY_LOSS,
  RECOVERY_OPEN,
  STAT_FAST_RETRANSMITS,
  Tcb,
} from "../layout.gen.ts";
import { owe } from "../owed.ts";
import { after, atOrAfter } from "../seq.ts";
import { count } from "../stats.ts";
import { onAcked, onEcn, onLoss, onRecoveryEnd, onRto } from "./congestion.ts";
import { repairsProbe } from "./path_mtu.ts";
import { markAllLost, markFirstLost, markLostBelowSacked } from "./scoreboard.ts";

/** Duplicate ACKs that mean loss. RFC 5681 section 3.2. */
const DUP_ACK_THRESHOLD: u32 = 3;

/** Bytes believed to be on the way: RFC 6675 section 4, "pipe". */
export function inFlight(tcb: Tcb, flight: Flight): u32 {
  return tcb.sndNxt - tcb.sndUna - flight.sackedBytes - flight.lostBytes;
}

function enterFast(tcb: Tcb, flight: Flight): void {
  // A probe of the path MTU may be lost without any congestion.
  if (repairsProbe(tcb, flight)) return;
  count(STAT_FAST_RETRANSMITS);
  onLoss(tcb, flight, tcb.sndNxt - tcb.sndUna);
  flight.recovery = RECOVERY_FAST;
  flight.recover = tcb.sndNxt;
  tcb.cwnd = tcb.ssthresh;
  // Without SACK only the duplicates tell that segments have left the network. RFC 5681 section 3.2 step 3.
  if ((tcb.flags & FLAG_SACK) === 0) tcb.cwnd += DUP_ACK_THRESHOLD * u32(tcb.mss);
  markFirstLost(flight, tcb.mss);
  owe(tcb, OWED_RETRANSMIT);
}

/** With SACK, what lies far enough below held bytes is lost. RFC 6675 section 5 step 2, section 4 IsLost(). */
function markHoles(tcb: Tcb, flight: Flight): void {
  if ((tcb.flags & FLAG_SACK) === 0) return;
  markLostBelowSacked(flight, (DUP_ACK_THRESHOLD - 1) * u32(tcb.mss) + 1);
  if (flight.lostBytes > 0) owe(tcb, OWED_DATA);
}

/**
 * A duplicate ACK arrived: nothing new acknowledged, window unchanged, data outstanding. RFC 5681 section 2.
 *
 * @param sacked Bytes it newly reported as held. With SACK an ACK without news is no sign of loss (T21 of the battery).
 */
export function onDuplicateAck(tcb: Tcb, flight: Flight, sacked: u32): void {
  if ((tcb.flags & FLAG_SACK) !== 0 && sacked === 0) return;
  flight.dupAcks++;
  const inflates = flight.recovery === RECOVERY_FAST;
  if (flight.recovery === RECOVERY_OPEN) {
    const enough = (DUP_ACK_THRESHOLD - 1) * u32(tcb.mss) + 1;
    // RFC 6582 section 3.2 step 1: only beyond the last recovery, lest its own retransmissions start another.
    const beyond = flight.recover === 0 || after(tcb.sndUna, flight.recover) ||
      (tcb.flags & FLAG_SACK) !== 0;
    if (beyond && (flight.dupAcks >= DUP_ACK_THRESHOLD || flight.sackedBytes >= enough)) {
      enterFast(tcb, flight);
    }
  }
  if (flight.recovery !== RECOVERY_OPEN) {
    markHoles(tcb, flight);
    // Without SACK each duplicate means that a segment has left the network: cwnd inflates by it. RFC 5681 section 3.2 step 4.
    if ((tcb.flags & FLAG_SACK) === 0 && inflates && tcb.cwnd < flightCap(tcb)) {
      tcb.cwnd += u32(tcb.mss);
    }
  }
  // Limited transmit, RFC 3042, needs no code of its own: pipe shrinks with what SACK reports.
  owe(tcb, OWED_DATA);
}

/** Inflation never exceeds what is outstanding plus ssthresh: dup ACKs can be forged. */
function flightCap(tcb: Tcb): u32 {
  return tcb.ssthresh + (tcb.sndNxt - tcb.sndUna);
}

/**
 * New data was acknowledged; SND.UNA has moved.
 *
 * @param acked Bytes.
 * @param flightSize Bytes in flight before.
 */
export function onNewAck(tcb: Tcb, flight: Flight, acked: u32, flightSize: u32): void {
  flight.dupAcks = 0;
  if (flight.recovery === RECOVERY_OPEN) {
    onAcked(tcb, flight, acked, flightSize);
    return;
  }
  if (atOrAfter(tcb.sndUna, flight.recover)) {
    // Full acknowledgment: deflate. RFC 6582 section 3.2 step 3.
    if (flight.recovery === RECOVERY_FAST) tcb.cwnd = tcb.ssthresh;
    flight.recovery = RECOVERY_OPEN;
    onRecoveryEnd(tcb, flight);
    return;
  }
  if (flight.recovery === RECOVERY_LOSS) {
    onAcked(tcb, flight, acked, flightSize);
    owe(tcb, OWED_RETRANSMIT);
    return;
  }
  // Partial acknowledgment: the next hole is lost too. RFC 6582 section 3.2 step 3.
  if ((tcb.flags & FLAG_SACK) === 0) {
    markFirstLost(flight, tcb.mss);
    const mss = u32(tcb.mss);
    tcb.cwnd = (tcb.cwnd > acked ? tcb.cwnd - acked : 0) + mss;
    if (tcb.cwnd < mss) tcb.cwnd = mss;
  } else {
    markHoles(tcb, flight);
    // A hole right below held bytes is lost, however few they are. RFC 6675 section 5, NextSeg() rule 3.
    if (flight.lostBytes === 0 && flight.sackedBytes > 0) markLostBelowSacked(flight, 1);
  }
  owe(tcb, OWED_RETRANSMIT);
}

/** ECE came: the window falls though nothing is missing. RFC 3168 section 6.1.2. */
export function enterCwr(tcb: Tcb, flight: Flight): void {
  if (flight.recovery !== RECOVERY_OPEN) return;
  onEcn(tcb, flight, tcb.sndNxt - tcb.sndUna);
  tcb.cwnd = tcb.ssthresh;
}

/** The retransmission timer expired. RFC 6298 section 5.4, RFC 5681 section 3.1, RFC 6582 section 4. */
export function onTimeout(tcb: Tcb, flight: Flight): void {
  // ssthresh falls once per episode, not with each back-off. RFC 5681 section 3.1.
  if (flight.recovery !== RECOVERY_LOSS) onRto(tcb, flight, tcb.sndNxt - tcb.sndUna);
  flight.recovery = RECOVERY_LOSS;
  flight.recover = tcb.sndNxt;
  flight.dupAcks = 0;
  // LW = 1 segment. RFC 5681 section 3.1.
  tcb.cwnd = u32(tcb.mss);
  markAllLost(flight);
  owe(tcb, OWED_RETRANSMIT);
}

/**
 * Congestion control as loss recovery sees it: which algorithm a connection has, and what the algorithm does when data is
 * acknowledged, lost or marked. During recovery cwnd belongs to `recovery.ts`; here ssthresh is set and growth decided.
 * Slow start is the same for all; another algorithm is one more file and a case in each function that differs. RFC 9293
 * section 3.8.2 (MUST-19).
 */
import { boot, control } from "../config.ts";
import {
  CONGESTION_CUBIC,
  FEATURE_HYSTART,
  FEATURE_IDLE_RESTART,
  FLAG_ECN,
  FLAG_ECN_CWR,
  Flight,
  RECOVERY_LOSS,
  Tcb,
} from "../layout.gen.ts";
import { carriesSuper, firstSsthresh, initialWindow } from "../conn/tcb.ts";
import { congestionOf } from "../conn/options.ts";
import { extraOf, needExtra } from "../pool.ts";
import {
  endCubicStage,
  growCubic,
  pauseCubic,
  reduceCubic,
  restoreCubic,
  saveCubic,
  timeoutCubic,
} from "./cubic.ts";
import { after } from "../seq.ts";
import { hystartEnds, hystartGrowth, hystartSample } from "./hystart.ts";
import { growNewReno, halve } from "./new_reno.ts";

/** L: slow start counts at most this many segments per ACK. RFC 9406 section 4.3: 8, because ACKs coalesce. */
const SLOW_START_SEGMENTS: u32 = 8;
/**
 * L of a link that carries super-segments, bytes: an ACK answers a super-segment, and what may leave at once is no smaller. RFC 9406 section
 * 4.3 has no limit where pacing bounds bursts; here the link does.
 */
const SLOW_START_SUPER_BYTES: u32 = 65535;
/** L while what a timeout deemed lost is sent again: an ACK may cover what arrived long ago. RFC 3465 section 2.3. */
const SLOW_START_SEGMENTS_LOSS: u32 = 1;
/** Largest congestion window, bytes: RFC 7323's largest window. */
const CWND_MAX: u32 = 1 << 30;

/** Chooses the algorithm of a connection whose flight block was just taken, and what is known of its path. */
export function initCongestion(tcb: Tcb, flight: Flight): void {
  flight.congestion = congestionOf(tcb);
  flight.cwrEnd = tcb.sndUna;
  flight.peakEnd = tcb.sndUna;
  const extra = extraOf(tcb);
  if (extra === null) return;
  flight.cubicWMax = extra.cubicWMax;
  flight.cubicCwndPrior = extra.cubicCwndPrior;
}

function isCubic(flight: Flight): bool {
  return flight.congestion === CONGESTION_CUBIC;
}

/** The flight block goes when nothing is in flight; what the next stage needs of CUBIC stays. */
function keepCubic(tcb: Tcb, flight: Flight): void {
  const extra = needExtra(tcb);
  extra.cubicWMax = flight.cubicWMax;
  extra.cubicCwndPrior = flight.cubicCwndPrior;
}

/** Largest congestion window, bytes. */
function cwndMax(tcb: Tcb): u32 {
  const most = boot.cwndMax * u32(tcb.mss);
  return most === 0 || most > CWND_MAX ? CWND_MAX : most;
}

/** In the slow start that HyStart++ watches: ssthresh is as it was first. RFC 9406 section 4.3. */
function isWatched(tcb: Tcb): bool {
  return (boot.features & FEATURE_HYSTART) !== 0 && tcb.ssthresh === firstSsthresh();
}

/**
 * Slow start. RFC 5681 section 3.1 equation 2, RFC 9406 section 4.2.
 *
 * @returns Bytes of `acked` that are left for congestion avoidance.
 */
function growSlowly(tcb: Tcb, flight: Flight, acked: u32): u32 {
  const isLoss = flight.recovery === RECOVERY_LOSS;
  let most: u32 = (isLoss ? SLOW_START_SEGMENTS_LOSS : SLOW_START_SEGMENTS) * u32(tcb.mss);
  if (!isLoss && carriesSuper(tcb) && most < SLOW_START_SUPER_BYTES) {
    most = SLOW_START_SUPER_BYTES;
  }
  let growth = acked < most ? acked : most;
  if (isWatched(tcb)) growth = hystartGrowth(flight, growth);
  const room = tcb.ssthresh - tcb.cwnd;
  if (growth <= room) {
    tcb.cwnd += growth;
    return 0;
  }
  tcb.cwnd = tcb.ssthresh;
  return growth - room;
}

/**
 * The window is in use: half of it was in flight within the last round trip (RFC 7661 section 4.3). The flight of this
 * moment would say less: at the end of a burst little is left of it.
 */
function isUsed(tcb: Tcb, flight: Flight, inFlightBefore: u32): bool {
  const isOver = after(tcb.sndUna, flight.peakEnd);
  if (isOver || inFlightBefore > flight.peakBytes) {
    flight.peakBytes = inFlightBefore;
    flight.peakEnd = tcb.sndNxt;
  }
  return flight.peakBytes + u32(tcb.mss) >= tcb.cwnd / 2;
}

/**
 * New data was acknowledged outside of recovery, or in slow start after a timeout. RFC 5681 section 3.1.
 *
 * @param acked Bytes.
 * @param inFlightBefore Bytes in flight before the ACK: a window that was not used does not grow (RFC 7661 section 4.1).
 */
export function onAcked(tcb: Tcb, flight: Flight, acked: u32, inFlightBefore: u32): void {
  if (tcb.cwnd < tcb.ssthresh && isWatched(tcb) && hystartEnds(tcb, flight)) {
    tcb.ssthresh = tcb.cwnd;
    flight.cubicCwndPrior = tcb.cwnd;
  }
  const most = cwndMax(tcb);
  const used = isUsed(tcb, flight, inFlightBefore);
  if (tcb.cwnd >= most || !used) {
    if (isCubic(flight)) pauseCubic(flight, control.nowMs);
    return;
  }
  let rest = acked;
  if (tcb.cwnd < tcb.ssthresh) rest = growSlowly(tcb, flight, acked);
  if (rest > 0) {
    if (isCubic(flight)) growCubic(tcb, flight, rest, control.nowMs);
    else growNewReno(tcb, flight, rest);
  }
  if (tcb.cwnd > most) tcb.cwnd = most;
}

/** "Reduces its congestion window for any reason": the next new data says so to the remote. RFC 3168 section 6.1.2. */
function noteReduction(tcb: Tcb, flight: Flight): void {
  flight.ackedBytes = 0;
  flight.cwrEnd = tcb.sndNxt;
  if ((tcb.flags & FLAG_ECN) !== 0) tcb.flags |= FLAG_ECN_CWR;
}

/**
 * Loss was found and fast recovery begins: sets ssthresh, and leaves cwnd alone.
 *
 * @param flightSize Bytes outstanding. RFC 5681 section 2.
 */
export function onLoss(tcb: Tcb, flight: Flight, flightSize: u32): void {
  noteReduction(tcb, flight);
  if (!isCubic(flight)) {
    halve(tcb, flightSize);
    return;
  }
  reduceCubic(tcb, flight, flightSize);
  keepCubic(tcb, flight);
}

/** The retransmission timer expired: sets ssthresh, and leaves cwnd alone. @param flightSize Bytes outstanding. */
export function onRto(tcb: Tcb, flight: Flight, flightSize: u32): void {
  noteReduction(tcb, flight);
  if (!isCubic(flight)) {
    halve(tcb, flightSize);
    return;
  }
  timeoutCubic(tcb, flight, flightSize);
  keepCubic(tcb, flight);
}

/** ECE came: as loss, though nothing is missing. RFC 3168 section 6.1.2. @param flightSize Bytes outstanding. */
export function onEcn(tcb: Tcb, flight: Flight, flightSize: u32): void {
  onLoss(tcb, flight, flightSize);
}

/** Remembers what a reduction is about to change. */
export function saveForUndo(tcb: Tcb, flight: Flight): void {
  flight.priorCwnd = tcb.cwnd;
  flight.priorSsthresh = tcb.ssthresh;
  if (isCubic(flight)) saveCubic(flight);
}

/** The reduction was a mistake: what saveForUndo() remembered is so again, and never less than now. */
export function undo(tcb: Tcb, flight: Flight): void {
  if (flight.priorSsthresh > tcb.ssthresh) tcb.ssthresh = flight.priorSsthresh;
  // RFC 9438 section 4.9: only if the window has not grown beyond it meanwhile.
  if (flight.priorCwnd <= tcb.cwnd) return;
  tcb.cwnd = flight.priorCwnd;
  if (!isCubic(flight)) return;
  restoreCubic(flight);
  keepCubic(tcb, flight);
}

/** A round-trip sample was taken. @param rttUs µs. */
export function onRttSample(tcb: Tcb, flight: Flight, rttUs: u32): void {
  if (tcb.cwnd < tcb.ssthresh && isWatched(tcb)) hystartSample(tcb, flight, rttUs);
}

/** Recovery ended: cwnd is what it will go on from. */
export function onRecoveryEnd(_tcb: Tcb, flight: Flight): void {
  flight.ackedBytes = 0;
  endCubicStage(flight);
}

/** Restart after idle: RW = min(IW, cwnd) when nothing was sent for an RTO. RFC 5681 section 4.1. */
export function restartAfterIdle(tcb: Tcb, flight: Flight): void {
  if (isCubic(flight)) pauseCubic(flight, control.nowMs);
  if ((boot.features & FEATURE_IDLE_RESTART) === 0) return;
  const initial = initialWindow(u32(tcb.mss));
  if (tcb.cwnd <= initial || control.nowMs - tcb.lastSendMs <= tcb.rtoMs) return;
  tcb.cwnd = initial;
  endCubicStage(flight);
}

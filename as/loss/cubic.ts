/**
 * CUBIC. RFC 9438. Windows are segments as f64, as in its figures; `tcb.cwnd` stays bytes, and the part of a byte that
 * it can not hold waits in `cubicCount`. Slow start and what recovery does with cwnd are not here. RFC 9293 section 3.8.2
 * permits another algorithm than Reno's (MAY-18).
 */
import { CUBIC_FLAG_EPOCH, Flight, Tcb } from "../layout.gen.ts";

/** C, segments per second cubed. Section 5.1. */
const C: f64 = 0.4;
/** beta_cubic. Section 4.6. */
const BETA: f64 = 0.7;
/** alpha_cubic: additive increase that with BETA has Reno's average window. Section 4.3, figure 4. */
const ALPHA: f64 = 3 * (1 - BETA) / (1 + BETA);
/** The target is at most so many windows. Section 4.2. */
const TARGET_MAX: f64 = 1.5;
const MS_PER_S: f64 = 1000;
const US_PER_S: f64 = 1_000_000;

function segmentsOf(tcb: Tcb, bytes: f64): f64 {
  return bytes / f64(tcb.mss);
}

/** W_cubic(t) = C * (t - K)^3 + W_max. Section 4.2, figure 1. */
function window(flight: Flight, t: f64): f64 {
  const distance = t - flight.cubicK;
  return C * distance * distance * distance + flight.cubicWMax;
}

/** A congestion avoidance stage begins. Section 4.2, figure 2; without a W_max K is 0 (sections 4.8 and 4.10). */
function beginStage(tcb: Tcb, flight: Flight, nowMs: u32): void {
  const cwnd = segmentsOf(tcb, f64(tcb.cwnd));
  if (flight.cubicWMax === 0) flight.cubicWMax = cwnd;
  flight.cubicK = Math.cbrt((flight.cubicWMax - cwnd) / C);
  flight.cubicWEst = cwnd;
  flight.cubicCount = 0;
  flight.cubicEpochMs = nowMs;
  flight.cubicAckMs = nowMs;
  flight.cubicFlags |= CUBIC_FLAG_EPOCH;
}

/**
 * New data was acknowledged in congestion avoidance, and the window was in use. Sections 4.2 to 4.5.
 *
 * "For each received new ACK" means each segment acknowledged: an ACK for n segments counts n times, because ACKs coalesce.
 *
 * @param acked Bytes, at most what was in flight.
 */
export function growCubic(tcb: Tcb, flight: Flight, acked: u32, nowMs: u32): void {
  if ((flight.cubicFlags & CUBIC_FLAG_EPOCH) === 0) beginStage(tcb, flight, nowMs);
  flight.cubicAckMs = nowMs;
  const cwnd = segmentsOf(tcb, f64(tcb.cwnd) + flight.cubicCount);
  const segments = segmentsOf(tcb, f64(acked));
  const t = f64(nowMs - flight.cubicEpochMs) / MS_PER_S;
  // Once W_est has reached the window before the reduction it grows as fast as Reno. Section 4.3.
  const prior = segmentsOf(tcb, f64(flight.cubicCwndPrior));
  flight.cubicWEst += (flight.cubicWEst >= prior ? 1 : ALPHA) * segments / cwnd;
  let next = cwnd;
  if (window(flight, t) < flight.cubicWEst) {
    // Reno-friendly region. What the curve has given already is not taken back.
    if (flight.cubicWEst > next) next = flight.cubicWEst;
  } else {
    let target = window(flight, t + f64(tcb.srttUs) / US_PER_S);
    if (target < cwnd) target = cwnd;
    if (target > TARGET_MAX * cwnd) target = TARGET_MAX * cwnd;
    next = cwnd + (target - cwnd) / cwnd * segments;
    if (next > target) next = target;
  }
  const bytes = next * f64(tcb.mss);
  tcb.cwnd = u32(bytes);
  flight.cubicCount = bytes - f64(tcb.cwnd);
}

/** The window was not used: t does not count the time since the last ACK. Section 4.2, section 5.8. */
export function pauseCubic(flight: Flight, nowMs: u32): void {
  if ((flight.cubicFlags & CUBIC_FLAG_EPOCH) === 0) return;
  flight.cubicEpochMs += nowMs - flight.cubicAckMs;
  flight.cubicAckMs = nowMs;
}

/** The present stage ends; the next ACK in congestion avoidance begins another. */
export function endCubicStage(flight: Flight): void {
  flight.cubicFlags &= ~CUBIC_FLAG_EPOCH;
}

/** ssthresh = max(flight_size * beta_cubic, 2). Section 4.6. */
function reduceSsthresh(tcb: Tcb, flight: Flight, flightSize: u32): void {
  const reduced = u32(f64(flightSize) * BETA);
  const least: u32 = 2 * u32(tcb.mss);
  tcb.ssthresh = reduced > least ? reduced : least;
  flight.cubicCwndPrior = tcb.cwnd;
  endCubicStage(flight);
}

/** Loss or ECE: W_max, with fast convergence (section 4.7), and ssthresh. @param flightSize Bytes outstanding. */
export function reduceCubic(tcb: Tcb, flight: Flight, flightSize: u32): void {
  const cwnd = segmentsOf(tcb, f64(tcb.cwnd));
  // A flow whose window falls makes room for others by remembering less. 0, no W_max, is never above cwnd.
  flight.cubicWMax = cwnd < flight.cubicWMax ? cwnd * ((1 + BETA) / 2) : cwnd;
  reduceSsthresh(tcb, flight, flightSize);
}

/** Timeout: W_max will be the window at which congestion avoidance begins. Section 4.8. */
export function timeoutCubic(tcb: Tcb, flight: Flight, flightSize: u32): void {
  flight.cubicWMax = 0;
  reduceSsthresh(tcb, flight, flightSize);
}

/** Remembers what a reduction is about to change. Section 4.9. */
export function saveCubic(flight: Flight): void {
  const underWay = (flight.cubicFlags & CUBIC_FLAG_EPOCH) !== 0;
  flight.priorWMax = flight.cubicWMax;
  flight.priorK = flight.cubicK;
  flight.priorWEst = underWay ? flight.cubicWEst : 0;
  flight.priorEpochMs = flight.cubicEpochMs;
  flight.priorCwndPrior = flight.cubicCwndPrior;
}

/** The reduction was a mistake. Sections 4.9.1 and 4.9.2. */
export function restoreCubic(flight: Flight): void {
  flight.cubicWMax = flight.priorWMax;
  flight.cubicK = flight.priorK;
  flight.cubicWEst = flight.priorWEst;
  flight.cubicEpochMs = flight.priorEpochMs;
  flight.cubicCwndPrior = flight.priorCwndPrior;
  flight.cubicCount = 0;
  if (flight.priorWEst !== 0) flight.cubicFlags |= CUBIC_FLAG_EPOCH;
  else endCubicStage(flight);
}

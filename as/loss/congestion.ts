/**
 * Congestion control as loss recovery sees it: which algorithm a connection has, and what the algorithm does when data is
 * acknowledged, lost or marked. During recovery cwnd belongs to `recovery.ts`; here ssthresh is set and growth decided.
 */
import { boot, control } from "../config.ts";
import { FEATURE_IDLE_RESTART, Flight, Tcb } from "../layout.gen.ts";
import { extraOf } from "../pool.ts";
import { growNewReno, halve } from "./new_reno.ts";

/** Chooses the algorithm of a connection whose flight block was just taken. */
export function initCongestion(tcb: Tcb, flight: Flight): void {
  const extra = extraOf(tcb);
  const chosen: u32 = extra === null ? 0 : u32(extra.congestion);
  flight.congestion = chosen === 0 ? boot.congestionControl : chosen - 1;
}

/**
 * New data was acknowledged outside of recovery, or in slow start after a timeout. RFC 5681 section 3.1.
 *
 * @param acked Bytes.
 * @param inFlightBefore Bytes in flight before the ACK: a window that was not used does not grow (RFC 7661 section 4.1).
 */
export function onAcked(tcb: Tcb, flight: Flight, acked: u32, inFlightBefore: u32): void {
  growNewReno(tcb, flight, acked, inFlightBefore);
}

/**
 * Loss was found and fast recovery begins: sets ssthresh, and leaves cwnd alone.
 *
 * @param flightSize Bytes outstanding. RFC 5681 section 2.
 */
export function onLoss(tcb: Tcb, _flight: Flight, flightSize: u32): void {
  halve(tcb, flightSize);
}

/** The retransmission timer expired: sets ssthresh, and leaves cwnd alone. @param flightSize Bytes outstanding. */
export function onRto(tcb: Tcb, flight: Flight, flightSize: u32): void {
  halve(tcb, flightSize);
  flight.ackedBytes = 0;
}

/** ECE came: as loss, though nothing is missing. RFC 3168 section 6.1.2. @param flightSize Bytes outstanding. */
export function onEcn(tcb: Tcb, _flight: Flight, flightSize: u32): void {
  halve(tcb, flightSize);
}

/** Remembers what a reduction is about to change. */
export function saveForUndo(tcb: Tcb, flight: Flight): void {
  flight.priorCwnd = tcb.cwnd;
  flight.priorSsthresh = tcb.ssthresh;
}

/** The reduction was a mistake: what saveForUndo() remembered is so again, and never less than now. */
export function undo(tcb: Tcb, flight: Flight): void {
  if (flight.priorCwnd > tcb.cwnd) tcb.cwnd = flight.priorCwnd;
  if (flight.priorSsthresh > tcb.ssthresh) tcb.ssthresh = flight.priorSsthresh;
}

/** A round-trip sample was taken. @param rttUs µs. */
export function onRttSample(_tcb: Tcb, _flight: Flight, _rttUs: u32): void {
  // Only slow start by delay (RFC 9406) has a use for it.
}

/** Recovery ended: cwnd is what it will go on from. */
export function onRecoveryEnd(_tcb: Tcb, flight: Flight): void {
  flight.ackedBytes = 0;
}

/** Restart after idle: RW = min(IW, cwnd) when nothing was sent for an RTO. RFC 5681 section 4.1. */
export function restartAfterIdle(tcb: Tcb): void {
  if ((boot.features & FEATURE_IDLE_RESTART) === 0) return;
  const initial = boot.initialWindowSegments * u32(tcb.mss);
  if (tcb.cwnd > initial && control.nowMs - tcb.lastSendMs > tcb.rtoMs) tcb.cwnd = initial;
}

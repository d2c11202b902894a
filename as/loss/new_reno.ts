/** The window of RFC 5681. All windows are bytes. */
import { Flight, Tcb } from "../layout.gen.ts";

/** Slow start counts at most this many segments per ACK. RFC 9406 section 4.3: L = 8, because ACKs coalesce. */
const SLOW_START_SEGMENTS: u32 = 8;
/** Largest congestion window, bytes: RFC 7323's largest window. */
const CWND_MAX: u32 = 1 << 30;

/** ssthresh = max(FlightSize / 2, 2 * SMSS). RFC 5681 section 3.1 equation 4. */
export function halve(tcb: Tcb, flightSize: u32): void {
  const half = flightSize / 2;
  const least: u32 = 2 * u32(tcb.mss);
  tcb.ssthresh = half > least ? half : least;
}

/**
 * New data was acknowledged outside of recovery. RFC 5681 section 3.1.
 *
 * @param acked Bytes.
 * @param flightSize Bytes in flight before the ACK: a window that was not used does not grow (RFC 7661 section 4.1).
 */
export function growNewReno(tcb: Tcb, flight: Flight, acked: u32, flightSize: u32): void {
  if (tcb.cwnd >= CWND_MAX || flightSize + u32(tcb.mss) < tcb.cwnd / 2) return;
  if (tcb.cwnd < tcb.ssthresh) {
    const most = SLOW_START_SEGMENTS * u32(tcb.mss);
    tcb.cwnd += acked < most ? acked : most;
    return;
  }
  // Congestion avoidance: one SMSS per window of acknowledged bytes. RFC 3465 section 2.1.
  flight.ackedBytes += acked;
  if (flight.ackedBytes >= tcb.cwnd) {
    flight.ackedBytes -= tcb.cwnd;
    tcb.cwnd += u32(tcb.mss);
  }
}

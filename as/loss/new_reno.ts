/** Congestion control by RFC 5681: what differs from other algorithms. All windows are bytes. */
import { Flight, Tcb } from "../layout.gen.ts";

/** ssthresh = max(FlightSize / 2, 2 * SMSS). RFC 5681 section 3.1 equation 4. */
export function halve(tcb: Tcb, flightSize: u32): void {
  const half = flightSize / 2;
  const least: u32 = 2 * u32(tcb.mss);
  tcb.ssthresh = half > least ? half : least;
}

/** Congestion avoidance: one SMSS per window of acknowledged bytes. RFC 5681 section 3.1, RFC 3465 section 2.1. */
export function growNewReno(tcb: Tcb, flight: Flight, acked: u32): void {
  flight.ackedBytes += acked;
  if (flight.ackedBytes < tcb.cwnd) return;
  flight.ackedBytes -= tcb.cwnd;
  tcb.cwnd += u32(tcb.mss);
}

/** Proportional Rate Reduction: what may be sent during recovery follows what arrives. RFC 9937. All amounts are bytes. */
import { Flight, Tcb } from "../layout.gen.ts";

/**
 * Begins an episode. RFC 9937 section 6.1. SND.UNA and the scoreboard know the ACK that began it.
 *
 * @param delivered Bytes that this ACK has delivered.
 */
export function beginPrr(tcb: Tcb, flight: Flight, delivered: u32): void {
  flight.prrDelivered = 0;
  flight.prrOut = 0;
  // What was held before counts neither here nor as delivered.
  const size = tcb.sndNxt - tcb.sndUna - flight.sackedBytes + delivered;
  flight.recoverFs = size === 0 ? 1 : size;
}

/**
 * sndcnt. RFC 9937 section 6.2.
 *
 * @param prrDelivered prr_delivered, this ACK included.
 * @param prrOut prr_out.
 * @param recoverFs RecoverFS, not 0.
 * @param ssthresh ssthresh.
 * @param pipe inflight.
 * @param delivered DeliveredData of this ACK.
 * @param isSafe SafeACK: SND.UNA advanced and no further loss was found.
 * @param mss SMSS.
 */
export function prrCount(
  prrDelivered: u32,
  prrOut: u32,
  recoverFs: u32,
  ssthresh: u32,
  pipe: u32,
  delivered: u32,
  isSafe: bool,
  mss: u32,
): u32 {
  let sendable: u32 = 0;
  if (pipe > ssthresh) {
    const scaled = (u64(prrDelivered) * u64(ssthresh) + u64(recoverFs) - 1) / u64(recoverFs);
    if (scaled > u64(prrOut)) sendable = u32(scaled - u64(prrOut));
  } else {
    // PRR-CRB: no more than what arrived.
    sendable = prrDelivered > prrOut ? prrDelivered - prrOut : 0;
    if (delivered > sendable) sendable = delivered;
    // PRR-SSRB, only while recovery makes good progress.
    if (isSafe) sendable += mss;
    if (sendable > ssthresh - pipe) sendable = ssthresh - pipe;
  }
  // The fast retransmit itself goes in any case.
  return prrOut === 0 && sendable === 0 ? mss : sendable;
}

/** An ACK during recovery sets cwnd. One that delivers nothing changes nothing. @param pipe Bytes in flight. */
export function onPrrAck(tcb: Tcb, flight: Flight, delivered: u32, isSafe: bool, pipe: u32): void {
  if (delivered === 0) return;
  flight.prrDelivered += delivered;
  tcb.cwnd = pipe + prrCount(
    flight.prrDelivered,
    flight.prrOut,
    flight.recoverFs,
    tcb.ssthresh,
    pipe,
    delivered,
    isSafe,
    u32(tcb.mss),
  );
}

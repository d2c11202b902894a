/** How much may be sent now: the peer's window, the congestion window, Nagle and the silly window. RFC 9293 section 3.8.6.2.1. */
import {
  FLAG_FIN_QUEUED,
  FLAG_FIN_SENT,
  FLAG_NO_DELAY,
  FLAG_SACK,
  Flight,
  RECOVERY_DISORDER,
  Tcb,
} from "../layout.gen.ts";
import { isCorked, isCorkOver } from "../conn/idle.ts";
import { widestWindow } from "../conn/tcb.ts";
import { inFlight } from "../loss/recovery.ts";
import { before } from "../seq.ts";

/** Segments beyond cwnd that limited transmit allows. RFC 3042 section 2. */
export const LIMITED_SEGMENTS: u32 = 2;

/** Bytes the user has written that were never sent. */
export function unsentBytes(tcb: Tcb): u32 {
  // SND.NXT counts a FIN that was sent, sndEnd does not.
  return (tcb.flags & FLAG_FIN_SENT) !== 0 ? 0 : tcb.sndEnd - tcb.sndNxt;
}

/** U = SND.UNA + SND.WND - SND.NXT, 0 if the window has shrunk below what was sent. */
export function offeredWindow(tcb: Tcb): u32 {
  const edge = tcb.sndUna + tcb.sndWnd;
  return before(tcb.sndNxt, edge) ? edge - tcb.sndNxt : 0;
}

/**
 * Each of the first two duplicate ACKs lets a new segment out, so that a small flight finds its loss. RFC 3042 section 2.
 * With SACK nothing is to be added: what it reports as held has left the pipe already.
 */
function limitedTransmit(tcb: Tcb, flight: Flight): u32 {
  if (flight.recovery !== RECOVERY_DISORDER || (tcb.flags & FLAG_SACK) !== 0) return 0;
  const segments = flight.dupAcks < LIMITED_SEGMENTS ? flight.dupAcks : LIMITED_SEGMENTS;
  return segments * u32(tcb.mss);
}

/** What the congestion window leaves, bytes. */
export function congestionRoom(tcb: Tcb, flight: Flight): u32 {
  const pipe = inFlight(tcb, flight);
  const window = tcb.cwnd + limitedTransmit(tcb, flight);
  return pipe < window ? window - pipe : 0;
}

/**
 * Whether a segment of new text may go: RFC 9293 section 3.8.6.2.1, (1) full-sized, (2) all that is queued and nothing
 * outstanding or Nagle off, (3) half of the largest window.
 *
 * @param bytes What windows and queue allow for this segment.
 */
export function maySend(tcb: Tcb, bytes: u32): bool {
  if (bytes === 0) return false;
  if (bytes >= u32(tcb.mss)) return true;
  if (isCorked(tcb)) return isCorkOver(tcb);
  if (bytes === unsentBytes(tcb)) {
    if ((tcb.flags & (FLAG_NO_DELAY | FLAG_FIN_QUEUED)) !== 0) return true;
    return tcb.sndNxt === tcb.sndUna;
  }
  const widest = widestWindow(tcb);
  return bytes >= widest / 2 && widest > 0;
}

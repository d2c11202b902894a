/** How much may be sent now: the peer's window, the congestion window, Nagle and the silly window. RFC 9293 section 3.8.6.2.1. */
import { FLAG_FIN_QUEUED, FLAG_FIN_SENT, FLAG_NO_DELAY, Flight, Tcb } from "../layout.gen.ts";
import { isCorked, isCorkOver } from "../conn/idle.ts";
import { widestWindow } from "../conn/tcb.ts";
import { inFlight } from "../loss/recovery.ts";
import { before } from "../seq.ts";

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

/** What the congestion window leaves, bytes. */
export function congestionRoom(tcb: Tcb, flight: Flight): u32 {
  const pipe = inFlight(tcb, flight);
  return pipe < tcb.cwnd ? tcb.cwnd - pipe : 0;
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

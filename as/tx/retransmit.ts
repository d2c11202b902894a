/** Sending again: what is lost, holes below held bytes, and the tail. RFC 6675 section 4, RFC 8985 section 7.3. */
import {
  FLAG_FIN_SENT,
  FLAG_SACK,
  Flight,
  OWED_RETRANSMIT,
  RECOVERY_FAST,
  Run,
  STAT_RETRANSMITS,
  Tcb,
} from "../layout.gen.ts";
import { isResent, usesRack } from "../loss/rack.ts";
import { inFlight, noteSegmentResent } from "../loss/recovery.ts";
import { makeRoom, runAt } from "../loss/runs.ts";
import {
  firstLost,
  highestMissing,
  markNextHole,
  noteResent,
  noteTailResent,
} from "../loss/scoreboard.ts";
import { onSent } from "../loss/timers.ts";
import { atOrBefore } from "../seq.ts";
import { count } from "../stats.ts";
import { TCP_ACK, TCP_FIN, TCP_PSH } from "../wire/tcp_header.ts";
import { hasRoom, put } from "./batch.ts";
import { rareBytes } from "./build_segment.ts";
import { offeredWindow, unsentBytes } from "./usable_window.ts";

/** The run ends with our FIN, which takes a number but is no text. */
function hasFin(tcb: Tcb, run: Run): bool {
  return (tcb.flags & FLAG_FIN_SENT) !== 0 && run.end === tcb.sndNxt;
}

/**
 * Sends up to a segment of a run again from a number inside it, "without regard to the receiver window", in which it was
 * when it was sent first. RFC 7323 section 2.4, RFC 9293 section 3.8.6 (MAY-7). @returns Numbers sent; 0 for want of room.
 */
function resend(tcb: Tcb, flight: Flight, run: Run, seq: u32): u32 {
  const fin = hasFin(tcb, run);
  let bytes = (fin ? run.end - 1 : run.end) - seq;
  const most = u32(tcb.mss) - rareBytes(tcb);
  const whole = bytes <= most;
  if (!whole) bytes = most;
  if (!hasRoom(bytes)) return 0;
  // "The PSH bit in the last buffered segment": only that one ends what the user has queued. RFC 9293 section 3.9.1.2.
  const push: u32 = bytes > 0 && seq + bytes === tcb.sndEnd ? TCP_PSH : 0;
  put(tcb, seq, bytes, TCP_ACK | push | (fin && whole ? TCP_FIN : 0));
  count(STAT_RETRANSMITS);
  const numbers = bytes + (fin && whole ? 1 : 0);
  noteSegmentResent(tcb, flight, numbers);
  return numbers;
}

/** Sends what is lost again, first hole first, while the congestion window allows; OWED_RETRANSMIT pays for the first. */
export function payLost(tcb: Tcb, flight: Flight): void {
  while (flight.lostBytes > 0) {
    const isForced = (tcb.owed & OWED_RETRANSMIT) !== 0;
    // Without room to split a run what is sent again would not be known to be, and go a second time at once.
    makeRoom(flight);
    const index = firstLost(flight);
    const run = runAt(flight, index);
    // "cwnd - pipe >= 1 SMSS". RFC 6675 section 5 step C.
    if (!isForced && inFlight(tcb, flight) + u32(tcb.mss) > tcb.cwnd) return;
    const sent = resend(tcb, flight, run, run.seq);
    if (sent === 0) return;
    noteResent(flight, index, sent);
    onSent(tcb, flight, false);
    tcb.owed = u8(u32(tcb.owed) & ~OWED_RETRANSMIT);
  }
  tcb.owed = u8(u32(tcb.owed) & ~OWED_RETRANSMIT);
}

/**
 * NextSeg() rules 3 and 4: nothing is deemed lost and nothing new may go, so one segment below held bytes goes again, or,
 * once a recovery, the highest. RFC 6675 section 4. RACK needs neither: it finds what else is lost by time.
 */
export function payHoles(tcb: Tcb, flight: Flight): void {
  if (flight.recovery !== RECOVERY_FAST || flight.lostBytes > 0 || usesRack(tcb)) return;
  if ((tcb.flags & FLAG_SACK) === 0) return;
  if (unsentBytes(tcb) > 0 && offeredWindow(tcb) > 0) return;
  const mss = u32(tcb.mss);
  if (inFlight(tcb, flight) + mss > tcb.cwnd) return;
  if (markNextHole(flight, mss - rareBytes(tcb))) {
    payLost(tcb, flight);
  } else {
    // RescueRxt: only where HighACK is above it, and then it is the recovery point.
    if (atOrBefore(tcb.sndUna, flight.rescueEnd)) return;
    // What went again already in this recovery is no tail that nobody has asked for.
    const index = highestMissing(flight);
    if (index === flight.runCount || isResent(runAt(flight, index).flags)) return;
    if (!resendTail(tcb, flight)) return;
    flight.rescueEnd = flight.recover;
  }
  // The original may be on the way too: pipe counts both, and ours only one.
  tcb.cwnd -= mss;
}

/** Sends the highest segment that is not held again. @returns False if there was none, or no room. */
export function resendTail(tcb: Tcb, flight: Flight): bool {
  const index = highestMissing(flight);
  if (index === flight.runCount) return false;
  const run = runAt(flight, index);
  const most = u32(tcb.mss) - rareBytes(tcb);
  const textBytes = run.end - run.seq - (hasFin(tcb, run) ? 1 : 0);
  // Segments of a run are full but the last.
  const skipped = textBytes === 0 ? 0 : ((textBytes - 1) / most) * most;
  const from = run.seq + skipped;
  const sent = resend(tcb, flight, run, from);
  if (sent === 0) return false;
  noteTailResent(flight, index, from);
  return true;
}

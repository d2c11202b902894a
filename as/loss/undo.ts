/**
 * Reductions of the window that were a mistake: found by the echo of an earlier timestamp (RFC 3522), by the report of each
 * retransmission as a duplicate (RFC 3708) or by F-RTO (RFC 5682), and answered as RFC 4015 says.
 */
import { boot, control } from "../config.ts";
import {
  FEATURE_DSACK,
  FEATURE_FRTO,
  FLAG_ECN,
  FLAG_TIMESTAMPS,
  Flight,
  OWED_DATA,
  RECOVERY_OPEN,
  Segment,
  SEGMENT_OPTION_TIMESTAMPS,
  STAT_SPURIOUS_RECOVERIES,
  STAT_SPURIOUS_TIMEOUTS,
  Tcb,
  UNDO_FLAG_ARMED,
  UNDO_FLAG_FRTO,
  UNDO_FLAG_FRTO_SENT,
  UNDO_FLAG_LOSS,
  UNDO_FLAG_STAMPED,
} from "../layout.gen.ts";
import { initialWindow } from "../conn/tcb.ts";
import { owe } from "../owed.ts";
import { atOrAfter, before } from "../seq.ts";
import { count } from "../stats.ts";
import { TCP_ECE } from "../wire/tcp_header.ts";
import { saveForUndo, undo } from "./congestion.ts";
import { isResent } from "./rack.ts";
import { runAt } from "./runs.ts";
import { clearLost, deliveredOriginal, dsackEnd, dsackStart, sawDsack } from "./scoreboard.ts";

/** F-RTO sends so many new segments instead of old ones. RFC 5682 section 2.1 step 2b. */
const FRTO_SEGMENTS: u32 = 2;
/** cwnd, segments, when F-RTO finds the timeout genuine. RFC 5682 section 2.1 step 3a. */
const FRTO_REVERT_SEGMENTS: u32 = 3;

/**
 * Remembers the window before it is reduced. RFC 4015 section 3.1 step 0: ssthresh is to be no less than FlightSize.
 *
 * @param flightSize Bytes outstanding.
 * @param isTimeout The reduction comes of a timeout.
 */
export function armUndo(tcb: Tcb, flight: Flight, flightSize: u32, isTimeout: bool): void {
  saveForUndo(tcb, flight);
  if (flight.priorSsthresh < flightSize) flight.priorSsthresh = flightSize;
  flight.undoMarker = tcb.sndUna;
  flight.undoRetransmits = 0;
  flight.undoFlags = UNDO_FLAG_ARMED | (isTimeout ? UNDO_FLAG_LOSS : 0);
}

/** A segment was sent again: the first one of a recovery leaves its timestamp. RFC 3522 section 3.2 step 2. */
export function noteForUndo(tcb: Tcb, flight: Flight): void {
  if ((flight.undoFlags & UNDO_FLAG_ARMED) === 0) return;
  flight.undoRetransmits++;
  if ((tcb.flags & FLAG_TIMESTAMPS) === 0 || flight.undoRetransmits > 1) return;
  flight.retransmitStamp = control.nowMs + tcb.tsOffset;
  flight.undoFlags |= UNDO_FLAG_STAMPED;
}

/** The first acceptable ACK decides: does it echo a time before the retransmission? RFC 3522 section 3.2 steps 3 to 5. */
function isEchoEarlier(tcb: Tcb, flight: Flight, seg: Segment): bool {
  if ((flight.undoFlags & UNDO_FLAG_STAMPED) === 0) return false;
  flight.undoFlags &= ~UNDO_FLAG_STAMPED;
  if ((seg.options & SEGMENT_OPTION_TIMESTAMPS) === 0) return false;
  if (!before(seg.tsEcr, flight.retransmitStamp)) return false;
  // Step 5: an ACK of everything may answer the retransmission alone, when all ACKs before it were lost.
  return !sawDsack && seg.ack !== tcb.sndNxt;
}

/** Every retransmission was reported as a duplicate. RFC 3708 section 2. */
function isAllDuplicate(tcb: Tcb, flight: Flight): bool {
  if (!sawDsack || (boot.features & FEATURE_DSACK) === 0 || flight.undoRetransmits === 0) {
    return false;
  }
  if (before(dsackStart, flight.undoMarker)) return false;
  const segments = (dsackEnd - dsackStart + u32(tcb.mss) - 1) / u32(tcb.mss);
  flight.undoRetransmits -= segments < flight.undoRetransmits ? segments : flight.undoRetransmits;
  return flight.undoRetransmits === 0;
}

/** The ACK shows that the last reduction was a mistake. @param acked Bytes by which SND.UNA advanced. */
export function isSpurious(tcb: Tcb, flight: Flight, seg: Segment, acked: u32): bool {
  if ((flight.undoFlags & UNDO_FLAG_ARMED) === 0) return false;
  if (acked > 0 && isEchoEarlier(tcb, flight, seg)) return true;
  return isAllDuplicate(tcb, flight);
}

/**
 * The Eifel response: nothing is lost, the window is what it was. cwnd lets no burst out. RFC 4015 section 3.1 steps 8, 9.
 *
 * @param acked Bytes by which SND.UNA advanced.
 */
export function revert(tcb: Tcb, flight: Flight, seg: Segment, acked: u32): void {
  const isTimeout = (flight.undoFlags & UNDO_FLAG_LOSS) !== 0;
  flight.undoFlags = 0;
  clearLost(flight);
  flight.recovery = RECOVERY_OPEN;
  flight.dupAcks = 0;
  // RFC 6582 section 3.2 step 1 speaks of recoveries that took place.
  flight.recover = tcb.sndUna - 1;
  count(isTimeout ? STAT_SPURIOUS_TIMEOUTS : STAT_SPURIOUS_RECOVERIES);
  owe(tcb, OWED_DATA);
  // "If the acceptable ACK has the ECN-Echo flag set, then proceed to step (DONE)."
  if ((tcb.flags & FLAG_ECN) !== 0 && (seg.flags & TCP_ECE) !== 0) return;
  undo(tcb, flight);
  if (tcb.ssthresh < flight.priorSsthresh) tcb.ssthresh = flight.priorSsthresh;
  const initial = initialWindow(u32(tcb.mss));
  const most = tcb.sndNxt - tcb.sndUna - flight.sackedBytes + (acked < initial ? acked : initial);
  if (tcb.cwnd > most) tcb.cwnd = most;
  if (tcb.cwnd < u32(tcb.mss)) tcb.cwnd = u32(tcb.mss);
}

/** A timeout that is the first of its episode is looked at by F-RTO. RFC 5682 section 2.1 step 1. */
export function beginFrto(tcb: Tcb, flight: Flight): void {
  flight.frtoEnd = tcb.sndNxt;
  flight.undoFlags &= ~(UNDO_FLAG_FRTO | UNDO_FLAG_FRTO_SENT);
  if ((boot.features & FEATURE_FRTO) !== 0) flight.undoFlags |= UNDO_FLAG_FRTO;
}

/** Only new text goes until the next ACK. RFC 5682 section 2.1 step 2b. */
export function isFrtoWaiting(flight: Flight): bool {
  return (flight.undoFlags & UNDO_FLAG_FRTO_SENT) !== 0;
}

/** Conventional recovery goes on. */
export function endFrto(flight: Flight): void {
  flight.undoFlags &= ~(UNDO_FLAG_FRTO | UNDO_FLAG_FRTO_SENT);
}

/** Step 2: the retransmission was acknowledged, and not everything: new text will tell, if there is any. */
function sendNewText(tcb: Tcb, flight: Flight, canSendNew: bool, pipe: u32): void {
  if (atOrAfter(tcb.sndUna, flight.frtoEnd) || !canSendNew) {
    endFrto(flight);
    return;
  }
  flight.undoFlags = (flight.undoFlags & ~UNDO_FLAG_FRTO) | UNDO_FLAG_FRTO_SENT;
  tcb.cwnd = pipe + FRTO_SEGMENTS * u32(tcb.mss);
}

/**
 * One ACK after a timeout. RFC 5682 sections 2.1 and 3.1.
 *
 * @param acked Bytes by which SND.UNA advanced.
 * @param isDuplicate It is a duplicate ACK.
 * @param hasSack SACK is on: only what was sent once and is reported now tells.
 * @param canSendNew There is new text, and a window for it.
 * @param pipe Bytes in flight.
 * @returns True if the timeout was spurious.
 */
export function isFrtoSpurious(
  tcb: Tcb,
  flight: Flight,
  acked: u32,
  isDuplicate: bool,
  hasSack: bool,
  canSendNew: bool,
  pipe: u32,
): bool {
  if ((flight.undoFlags & UNDO_FLAG_FRTO) !== 0) {
    if (acked > 0) {
      // "If the acknowledgment does not acknowledge all of the data that was retransmitted in step 1": not yet the answer.
      if (flight.runCount > 0 && isResent(runAt(flight, 0).flags)) endFrto(flight);
      else sendNewText(tcb, flight, canSendNew, pipe);
    } else if (isDuplicate && !hasSack) {
      endFrto(flight);
    }
    return false;
  }
  if ((flight.undoFlags & UNDO_FLAG_FRTO_SENT) === 0) return false;
  if (hasSack ? deliveredOriginal : acked > 0) return true;
  if (acked === 0 && !isDuplicate) return false;
  endFrto(flight);
  tcb.cwnd = FRTO_REVERT_SEGMENTS * u32(tcb.mss);
  return false;
}

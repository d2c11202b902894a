/**
 * RACK: a segment is lost when one that was sent later has arrived, and the time in which the network may have changed
 * their order is over. RFC 8985 section 6. Counts of segments are bytes over SMSS, rounded up, because runs are bytes.
 */
import { boot, control, segment } from "../config.ts";
import {
  FEATURE_RACK,
  FLAG_SACK,
  FLAG_TIMESTAMPS,
  Flight,
  RACK_FLAG_DSACK,
  RACK_FLAG_FACK,
  RACK_FLAG_REORDERING,
  RACK_FLAG_VALID,
  RECOVERY_FAST,
  RECOVERY_LOSS,
  RUN_LOST,
  RUN_RETRANSMITTED,
  RUN_SACKED,
  SEGMENT_OPTION_TIMESTAMPS,
  Tcb,
} from "../layout.gen.ts";
import { after, atOrAfter, before } from "../seq.ts";
import { runAt, setFlags } from "./runs.ts";

const US_PER_MS: u32 = 1000;
/** How long a smallest RTT is believed, ms. RFC 8985 section 6.2 step 1: "5 minutes". */
const MIN_RTT_WINDOW_MS: u32 = 300_000;
/** Recoveries without D-SACK after which the window is small again. RFC 8985 section 6.2 step 4. */
const PERSIST_RECOVERIES: u32 = 16;
/** The multiplier stops here: SRTT bounds the window long before. */
const MULTIPLIER_MAX: u32 = 255;
/** An echo older than this can not be told in µs modulo 2^32, ms. */
const ECHO_MAX_MS: u32 = 3_600_000;

/** Loss of this connection is found by time. RFC 8985 section 4: SACK is a requirement. */
export function usesRack(tcb: Tcb): bool {
  return (tcb.flags & FLAG_SACK) !== 0 && (boot.features & FEATURE_RACK) !== 0;
}

/** RACK_sent_after(): of equal times the higher end is the later. */
function isSentAfter(us: u32, end: u32, otherUs: u32, otherEnd: u32): bool {
  return after(us, otherUs) || (us === otherUs && after(end, otherEnd));
}

/** RACK.min_RTT. RFC 8985 section 6.2 step 1. */
export function noteMinRtt(tcb: Tcb, flight: Flight, rttUs: u32): void {
  const isOld = control.nowMs - flight.minRttAtMs > MIN_RTT_WINDOW_MS;
  if (tcb.minRttUs !== 0 && rttUs > tcb.minRttUs && !isOld) return;
  tcb.minRttUs = rttUs;
  flight.minRttAtMs = control.nowMs;
}

/** The timestamp echoed is of an earlier transmission than the one at `sentUs`. Echoes are whole ms, so one ms is nothing. */
function isEchoOlder(tcb: Tcb, sentUs: u32): bool {
  if ((tcb.flags & FLAG_TIMESTAMPS) === 0) return false;
  if ((segment.options & SEGMENT_OPTION_TIMESTAMPS) === 0) return false;
  const ageMs = control.nowMs - (segment.tsEcr - tcb.tsOffset);
  return ageMs > ECHO_MAX_MS || ageMs * US_PER_MS > control.nowUs - sentUs + US_PER_MS;
}

/**
 * Text was delivered that was not known to be: RFC 8985 section 6.2 steps 1 to 3.
 *
 * @param end Sequence number after it.
 * @param sentUs When it was last sent.
 * @param again It was sent more than once.
 */
export function noteDelivered(
  tcb: Tcb,
  flight: Flight,
  end: u32,
  sentUs: u32,
  again: bool,
): void {
  const age = control.nowUs - sentUs;
  const rttUs: u32 = age === 0 ? 1 : age;
  if (!again) noteMinRtt(tcb, flight, rttUs);
  if (!usesRack(tcb)) return;
  // An answer that comes too early, or echoes too early a time, is to the original: the retransmission was spurious.
  if (!again || (rttUs >= tcb.minRttUs && !isEchoOlder(tcb, sentUs))) {
    flight.rackRttUs = rttUs;
    const isValid = (flight.rackFlags & RACK_FLAG_VALID) !== 0;
    if (!isValid || isSentAfter(sentUs, end, flight.rackSentUs, flight.rackEnd)) {
      flight.rackSentUs = sentUs;
      flight.rackEnd = end;
      flight.rackFlags |= RACK_FLAG_VALID;
    }
  }
  // Step 3: what arrives below RACK.fack without having been sent again was overtaken.
  if ((flight.rackFlags & RACK_FLAG_FACK) === 0 || after(end, flight.rackFack)) {
    flight.rackFack = end;
    flight.rackFlags |= RACK_FLAG_FACK;
  } else if (!again && before(end, flight.rackFack)) {
    flight.rackFlags |= RACK_FLAG_REORDERING;
  }
}

/** The window grows once per round trip that reports duplicates. RFC 8985 section 6.2 step 4. */
export function noteDsackRound(tcb: Tcb, flight: Flight, isDsack: bool): void {
  if ((flight.rackFlags & RACK_FLAG_DSACK) !== 0 && atOrAfter(tcb.sndUna, flight.rackDsackRound)) {
    flight.rackFlags &= ~RACK_FLAG_DSACK;
  }
  if (!isDsack || (flight.rackFlags & RACK_FLAG_DSACK) !== 0) return;
  flight.rackFlags |= RACK_FLAG_DSACK;
  flight.rackDsackRound = tcb.sndNxt;
  const old: u32 = flight.rackMult === 0 ? 1 : flight.rackMult;
  flight.rackMult = old < MULTIPLIER_MAX ? old + 1 : old;
  flight.rackPersist = PERSIST_RECOVERIES;
}

/** A recovery ended. RFC 8985 section 6.2 step 4. */
export function noteRecoveryEnd(flight: Flight): void {
  if (flight.rackPersist > 0) flight.rackPersist--;
  if (flight.rackPersist === 0) flight.rackMult = 1;
}

/** RACK.reo_wnd, µs. RFC 8985 section 6.2 step 4. */
export function reorderingWindow(tcb: Tcb, flight: Flight): u32 {
  if ((flight.rackFlags & RACK_FLAG_REORDERING) === 0) {
    if (flight.recovery === RECOVERY_FAST || flight.recovery === RECOVERY_LOSS) return 0;
    // As many as ceil(sacked / SMSS) segments are held.
    if (flight.sackedBytes > (boot.dupThresh - 1) * u32(tcb.mss)) return 0;
  }
  const multiplier: u64 = flight.rackMult === 0 ? 1 : flight.rackMult;
  const window = (multiplier * u64(tcb.minRttUs)) / 4;
  return window < u64(tcb.srttUs) ? u32(window) : tcb.srttUs;
}

/**
 * RACK_detect_loss(): marks what is lost. RFC 8985 section 6.2 step 5. While all arrives in order this costs one look at
 * the first run.
 *
 * @returns µs after which more may be lost; 0 if nothing waits.
 */
export function detectByTime(tcb: Tcb, flight: Flight): u32 {
  if ((flight.rackFlags & RACK_FLAG_VALID) === 0 || flight.runCount === 0) return 0;
  const us = flight.rackSentUs;
  const end = flight.rackEnd;
  const first = runAt(flight, 0);
  const marked = flight.sackedBytes | flight.resentBytes | flight.lostBytes;
  if (marked === 0 && !isSentAfter(us, end, first.sentUs, first.end)) return 0;
  const allowedUs = flight.rackRttUs + reorderingWindow(tcb, flight);
  let timeout: u32 = 0;
  for (let i: u32 = 0; i < flight.runCount; i++) {
    const run = runAt(flight, i);
    if ((run.flags & (RUN_SACKED | RUN_LOST)) !== 0) continue;
    if (!isSentAfter(us, end, run.sentUs, run.end)) continue;
    const remaining = i32(run.sentUs + allowedUs - control.nowUs);
    if (remaining <= 0) setFlags(flight, run, run.flags | RUN_LOST);
    else if (u32(remaining) > timeout) timeout = u32(remaining);
  }
  return timeout;
}

/**
 * What a timeout marks besides the first segment: what has had its time. RFC 8985 section 6.3.
 *
 * @returns False if RACK knows no time yet, and nothing was marked.
 */
export function markLateLost(tcb: Tcb, flight: Flight): bool {
  if (!usesRack(tcb) || (flight.rackFlags & RACK_FLAG_VALID) === 0) return false;
  const allowedUs = flight.rackRttUs + reorderingWindow(tcb, flight);
  for (let i: u32 = 0; i < flight.runCount; i++) {
    const run = runAt(flight, i);
    if ((run.flags & RUN_SACKED) !== 0) continue;
    if (i32(run.sentUs + allowedUs - control.nowUs) > 0) continue;
    setFlags(flight, run, run.flags | RUN_LOST);
  }
  return true;
}

/** The run was sent more than once. */
export function isResent(flags: u32): bool {
  return (flags & RUN_RETRANSMITTED) !== 0;
}

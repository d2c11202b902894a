/**
 * What was sent and what became of it, as *runs*: [seq, end) sent at one time, in order, without gaps from SND.UNA to
 * SND.NXT. SACK splits runs at any byte. A full table merges neighbours and keeps the later time, so that nothing is
 * deemed lost earlier than it may be.
 */
import { control, segment } from "../config.ts";
import {
  Flight,
  FLIGHT_RUNS,
  Run,
  RUN_LOST,
  RUN_RETRANSMITTED,
  RUN_SACKED,
  RUN_SIZE,
  RUNS_MAX,
  SEGMENT_SACK0_START,
  Tcb,
} from "../layout.gen.ts";
import { after, atOrAfter, atOrBefore, before, earliest, latest } from "../seq.ts";

/** What one ACK removed from the front. */
export let ackedSentUs: u32 = 0;
/** It held bytes that were sent exactly once: ackedSentUs is when. */
export let ackedOnce: bool = false;
/** It held bytes that were sent more than once: resentUs is when last. */
export let ackedAgain: bool = false;
export let resentUs: u32 = 0;

/** The run of an index. */
export function runAt(flight: Flight, index: u32): Run {
  assert(index < RUNS_MAX, "a run's index is beyond the table");
  return changetype<Run>(changetype<usize>(flight) + FLIGHT_RUNS + (usize(index) * RUN_SIZE));
}

function moveRuns(flight: Flight, to: u32, from: u32): void {
  const base = changetype<usize>(flight) + FLIGHT_RUNS;
  const many = usize(flight.runCount - from) * RUN_SIZE;
  memory.copy(base + (usize(to) * RUN_SIZE), base + (usize(from) * RUN_SIZE), many);
}

function bytesOf(run: Run): u32 {
  return run.end - run.seq;
}

/** Adds to or takes from the sums of sacked and lost bytes. */
function account(flight: Flight, flags: u32, delta: u32): void {
  if ((flags & RUN_SACKED) !== 0) flight.sackedBytes += delta;
  if ((flags & RUN_LOST) !== 0) flight.lostBytes += delta;
}

function setFlags(flight: Flight, run: Run, flags: u32): void {
  account(flight, run.flags, 0 - bytesOf(run));
  run.flags = flags;
  account(flight, flags, bytesOf(run));
}

/** Merges the run of an index with the next one, to the careful side: not SACKED unless both are. */
function mergeWithNext(flight: Flight, index: u32): void {
  const run = runAt(flight, index);
  const next = runAt(flight, index + 1);
  const both = run.flags | next.flags;
  const flags = (both & (RUN_RETRANSMITTED | RUN_LOST)) | (run.flags & next.flags & RUN_SACKED);
  setFlags(flight, run, 0);
  setFlags(flight, next, 0);
  run.end = next.end;
  run.sentUs = latest(run.sentUs, next.sentUs);
  setFlags(flight, run, flags);
  moveRuns(flight, index + 1, index + 2);
  flight.runCount--;
}

/** Makes room for one more run: equal neighbours first, else the two oldest. */
function makeRoom(flight: Flight): void {
  if (flight.runCount < RUNS_MAX) return;
  let best: u32 = 0;
  for (let i: u32 = 0; i + 1 < flight.runCount; i++) {
    if (runAt(flight, i).flags === runAt(flight, i + 1).flags) {
      best = i;
      break;
    }
  }
  mergeWithNext(flight, best);
}

/** Notes that [seq, end) was sent now, for the first time. It follows what was sent before. */
export function noteSent(flight: Flight, seq: u32, end: u32): void {
  if (flight.runCount > 0) {
    const last = runAt(flight, flight.runCount - 1);
    assert(last.end === seq, "what is sent does not follow what was sent");
    if (last.sentUs === control.nowUs && last.flags === 0) {
      last.end = end;
      return;
    }
  }
  makeRoom(flight);
  const run = runAt(flight, flight.runCount++);
  run.seq = seq;
  run.end = end;
  run.sentUs = control.nowUs;
  run.flags = 0;
}

/** Splits the run of an index at a sequence number inside it. @returns False if the table is full. */
function split(flight: Flight, index: u32, at: u32): bool {
  if (flight.runCount >= RUNS_MAX) return false;
  const run = runAt(flight, index);
  assert(after(at, run.seq) && before(at, run.end), "a run is split outside of it");
  moveRuns(flight, index + 1, index);
  flight.runCount++;
  runAt(flight, index + 1).seq = at;
  run.end = at;
  return true;
}

/** Removes what a cumulative ACK covers and leaves what RTT sampling wants. */
export function removeAcked(flight: Flight, ack: u32): void {
  ackedOnce = false;
  ackedAgain = false;
  let gone: u32 = 0;
  while (gone < flight.runCount) {
    const run = runAt(flight, gone);
    if (atOrAfter(run.seq, ack)) break;
    if ((run.flags & (RUN_RETRANSMITTED | RUN_SACKED)) === 0) {
      ackedOnce = true;
      ackedSentUs = run.sentUs;
    }
    if ((run.flags & RUN_RETRANSMITTED) !== 0) {
      ackedAgain = true;
      resentUs = run.sentUs;
    }
    const upTo = earliest(run.end, ack);
    account(flight, run.flags, 0 - (upTo - run.seq));
    run.seq = upTo;
    if (run.end !== upTo) break;
    gone++;
  }
  if (gone > 0) {
    moveRuns(flight, 0, gone);
    flight.runCount -= gone;
  }
}

/** Marks [start, end) as held by the remote. @returns Bytes that were not known to be. */
function markSacked(flight: Flight, start: u32, end: u32): u32 {
  let fresh: u32 = 0;
  for (let i: u32 = 0; i < flight.runCount; i++) {
    const run = runAt(flight, i);
    if (atOrBefore(run.end, start) || (run.flags & RUN_SACKED) !== 0) continue;
    if (atOrAfter(run.seq, end)) break;
    // A table too full to split leaves the run unmarked: it may be sent again, which is only waste.
    if (before(run.seq, start)) {
      if (!split(flight, i, start)) return fresh;
      continue;
    }
    if (after(run.end, end) && !split(flight, i, end)) return fresh;
    fresh += bytesOf(run);
    setFlags(flight, run, (run.flags & ~RUN_LOST) | RUN_SACKED);
  }
  return fresh;
}

/**
 * Takes the SACK blocks of the segment. Blocks outside of what was sent are ignored; so is a D-SACK (RFC 2883).
 *
 * @returns Bytes newly known to be held by the remote.
 */
export function takeSackBlocks(tcb: Tcb, flight: Flight): u32 {
  let fresh: u32 = 0;
  for (let n: u32 = 0; n < segment.sackCount; n++) {
    const at = changetype<usize>(segment) + SEGMENT_SACK0_START + (usize(n) << 3);
    const start = load<u32>(at);
    const end = load<u32>(at, 4);
    if (!before(start, end) || atOrBefore(start, tcb.sndUna) || after(end, tcb.sndNxt)) continue;
    fresh += markSacked(flight, start, end);
  }
  return fresh;
}

/** Marks the first `bytes` of the first run that is neither sacked nor lost, beginning at SND.UNA, as lost. */
export function markFirstLost(flight: Flight, bytes: u32): void {
  if (flight.runCount === 0) return;
  const run = runAt(flight, 0);
  if ((run.flags & (RUN_SACKED | RUN_LOST)) !== 0) return;
  if (bytesOf(run) > bytes) split(flight, 0, run.seq + bytes);
  setFlags(flight, run, run.flags | RUN_LOST);
}

/**
 * IsLost(): marks what has at least `threshold` sacked bytes above it and was not sent again. RFC 6675 section 4.
 *
 * @param threshold Bytes: (DupThresh - 1) * SMSS + 1.
 */
export function markLostBelowSacked(flight: Flight, threshold: u32): void {
  let above = flight.sackedBytes;
  for (let i: u32 = 0; i < flight.runCount && above >= threshold; i++) {
    const run = runAt(flight, i);
    if ((run.flags & RUN_SACKED) !== 0) above -= bytesOf(run);
    else if ((run.flags & (RUN_LOST | RUN_RETRANSMITTED)) === 0) {
      setFlags(flight, run, run.flags | RUN_LOST);
    }
  }
}

/**
 * After a timeout everything not sacked is deemed lost. RFC 6675 section 5.1, RFC 5681 section 3.1. A held byte right at
 * SND.UNA would have been acknowledged: the remote has reneged, and no block is believed any more. RFC 2018 section 8.
 */
export function markAllLost(flight: Flight): void {
  const reneged = flight.runCount > 0 && (runAt(flight, 0).flags & RUN_SACKED) !== 0;
  for (let i: u32 = 0; i < flight.runCount; i++) {
    const run = runAt(flight, i);
    // RETRANSMITTED stays: an ACK that comes now is still ambiguous.
    if (reneged) setFlags(flight, run, (run.flags | RUN_LOST) & ~RUN_SACKED);
    else if ((run.flags & RUN_SACKED) === 0) setFlags(flight, run, run.flags | RUN_LOST);
  }
}

/** The first lost run's index, or runCount. */
export function firstLost(flight: Flight): u32 {
  let i: u32 = 0;
  while (i < flight.runCount && (runAt(flight, i).flags & RUN_LOST) === 0) i++;
  return i;
}

/** Notes that the first `bytes` of a lost run were sent again now. */
export function noteResent(flight: Flight, index: u32, bytes: u32): void {
  const run = runAt(flight, index);
  if (bytes < bytesOf(run) && !split(flight, index, run.seq + bytes)) {
    // No room to split: make some, and leave the run lost; it is sent again from its start, which is only waste.
    makeRoom(flight);
    return;
  }
  setFlags(flight, run, (run.flags & ~RUN_LOST) | RUN_RETRANSMITTED);
  run.sentUs = control.nowUs;
}

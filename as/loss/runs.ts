/**
 * The table of runs: [seq, end) sent at one time, in order, without gaps from SND.UNA to SND.NXT. SACK splits runs at any
 * byte. A full table merges neighbours and keeps the later time, so that nothing is deemed lost earlier than it may be.
 */
import {
  Flight,
  FLIGHT_RUNS,
  Run,
  RUN_LOST,
  RUN_RETRANSMITTED,
  RUN_SACKED,
  RUN_SIZE,
  RUNS_MAX,
} from "../layout.gen.ts";
import { after, before, latest } from "../seq.ts";

/** The run of an index. */
export function runAt(flight: Flight, index: u32): Run {
  assert(index < RUNS_MAX, "a run's index is beyond the table");
  return changetype<Run>(changetype<usize>(flight) + FLIGHT_RUNS + (usize(index) * RUN_SIZE));
}

/** Moves the runs from index `from` on to index `to`. */
export function moveRuns(flight: Flight, to: u32, from: u32): void {
  // Most often nothing is left to be moved, and to copy nothing costs a call, too.
  if (from === flight.runCount) return;
  const base = changetype<usize>(flight) + FLIGHT_RUNS;
  const many = usize(flight.runCount - from) * RUN_SIZE;
  memory.copy(base + (usize(to) * RUN_SIZE), base + (usize(from) * RUN_SIZE), many);
}

/** Bytes of a run. */
export function bytesOf(run: Run): u32 {
  return run.end - run.seq;
}

/** Adds to or takes from the sums of bytes by flags. */
export function account(flight: Flight, flags: u32, delta: u32): void {
  if (flags === 0) return;
  if ((flags & RUN_SACKED) !== 0) flight.sackedBytes += delta;
  if ((flags & RUN_LOST) !== 0) flight.lostBytes += delta;
  if (flags === RUN_RETRANSMITTED) flight.resentBytes += delta;
}

/** Gives a run other flags; the sums follow. */
export function setFlags(flight: Flight, run: Run, flags: u32): void {
  account(flight, run.flags, 0 - bytesOf(run));
  run.flags = flags;
  account(flight, flags, bytesOf(run));
}

/** Merges the run of an index with the next one, to the careful side: not SACKED unless both are. */
function mergeWithNext(flight: Flight, index: u32): void {
  const run = runAt(flight, index);
  const next = runAt(flight, index + 1);
  const both = run.flags | next.flags;
  const held = run.flags & next.flags & RUN_SACKED;
  // What is held is not lost, and what is only half lost is sent again whole, which is only waste.
  const flags = (both & RUN_RETRANSMITTED) | (held !== 0 ? held : both & RUN_LOST);
  setFlags(flight, run, 0);
  setFlags(flight, next, 0);
  run.end = next.end;
  run.sentUs = latest(run.sentUs, next.sentUs);
  setFlags(flight, run, flags);
  moveRuns(flight, index + 1, index + 2);
  flight.runCount--;
}

/** Merges the two smallest equal neighbours from an index on, lest one run take in all. @returns False if there are none. */
function mergeEqual(flight: Flight, from: u32): bool {
  let best = flight.runCount;
  let least: u32 = 0;
  for (let i = from; i + 1 < flight.runCount; i++) {
    const run = runAt(flight, i);
    const next = runAt(flight, i + 1);
    if (run.flags !== next.flags) continue;
    const bytes = next.end - run.seq;
    if (best !== flight.runCount && bytes >= least) continue;
    best = i;
    least = bytes;
  }
  if (best === flight.runCount) return false;
  mergeWithNext(flight, best);
  return true;
}

/** Makes room for one more run: equal neighbours first, else the two oldest. */
export function makeRoom(flight: Flight): void {
  if (flight.runCount < RUNS_MAX) return;
  if (!mergeEqual(flight, 0)) mergeWithNext(flight, 0);
}

/** Makes room for so many splits, as far as equal neighbours can be merged for it: news must not be lost for want of room. */
export function keepRoom(flight: Flight, splits: u32): void {
  while (flight.runCount + splits > RUNS_MAX) {
    if (!mergeEqual(flight, 0)) return;
  }
}

/**
 * Splits the run of an index at a sequence number inside it. A full table merges above it, so that indices stay.
 *
 * @returns False if the table is full.
 */
export function split(flight: Flight, index: u32, at: u32): bool {
  if (flight.runCount >= RUNS_MAX && !mergeEqual(flight, index + 1)) return false;
  const run = runAt(flight, index);
  assert(after(at, run.seq) && before(at, run.end), "a run is split outside of it");
  moveRuns(flight, index + 1, index);
  flight.runCount++;
  runAt(flight, index + 1).seq = at;
  run.end = at;
  return true;
}

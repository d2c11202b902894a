/**
 * What was sent and what became of it: what an ACK removes, what SACK reports, what is lost and what was sent again. The
 * table itself is in `runs.ts`.
 */
import { boot, control, segment } from "../config.ts";
import {
  Flight,
  RUN_LOST,
  RUN_RETRANSMITTED,
  RUN_SACKED,
  SEGMENT_SACK0_START,
  STAT_DSACKS_IN,
  STAT_SACK_RENEGED,
  Tcb,
} from "../layout.gen.ts";
import { after, atOrAfter, atOrBefore, before, earliest } from "../seq.ts";
import { count } from "../stats.ts";
import { isResent, noteDelivered } from "./rack.ts";
import { account, bytesOf, keepRoom, makeRoom, moveRuns, runAt, setFlags, split } from "./runs.ts";

/** What one ACK removed from the front. */
export let ackedSentUs: u32 = 0;
/** It held bytes that were sent exactly once: ackedSentUs is when. */
export let ackedOnce: bool = false;
/** It held bytes that were sent more than once: resentUs is when last. */
export let ackedAgain: bool = false;
export let resentUs: u32 = 0;
/** The ACK delivered, by number or by SACK, bytes that were sent once and below Flight.frtoEnd. RFC 5682 section 3. */
export let deliveredOriginal: bool = false;
/** The ACK reported [dsackStart, dsackEnd) as a duplicate. RFC 2883. */
export let sawDsack: bool = false;
export let dsackStart: u32 = 0;
export let dsackEnd: u32 = 0;

/** Forgets the news of the last ACK. */
export function beginAck(): void {
  ackedOnce = false;
  ackedAgain = false;
  deliveredOriginal = false;
  sawDsack = false;
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

/** Bytes up to `end` of a run that was not held before have arrived. */
function deliver(
  tcb: Tcb,
  flight: Flight,
  end: u32,
  bytes: u32,
  flags: u32,
  sentUs: u32,
): void {
  const again = isResent(flags);
  flight.delivered += bytes;
  if (!again && atOrBefore(end, flight.frtoEnd)) deliveredOriginal = true;
  noteDelivered(tcb, flight, end, sentUs, again);
}

/** Removes what a cumulative ACK covers and leaves what RTT sampling wants. */
export function removeAcked(tcb: Tcb, flight: Flight, ack: u32): void {
  let gone: u32 = 0;
  while (gone < flight.runCount) {
    const run = runAt(flight, gone);
    if (atOrAfter(run.seq, ack)) break;
    const upTo = earliest(run.end, ack);
    if ((run.flags & RUN_SACKED) === 0) {
      deliver(tcb, flight, upTo, upTo - run.seq, run.flags, run.sentUs);
      if ((run.flags & RUN_RETRANSMITTED) === 0) {
        ackedOnce = true;
        ackedSentUs = run.sentUs;
      }
    }
    if ((run.flags & RUN_RETRANSMITTED) !== 0) {
      ackedAgain = true;
      resentUs = run.sentUs;
    }
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
function markSacked(tcb: Tcb, flight: Flight, start: u32, end: u32): u32 {
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
    deliver(tcb, flight, run.end, bytesOf(run), run.flags, run.sentUs);
    setFlags(flight, run, (run.flags & ~RUN_LOST) | RUN_SACKED);
  }
  return fresh;
}

function startOf(n: u32): u32 {
  return load<u32>(changetype<usize>(segment) + SEGMENT_SACK0_START + (usize(n) << 3));
}

function endOf(n: u32): u32 {
  return load<u32>(changetype<usize>(segment) + SEGMENT_SACK0_START + (usize(n) << 3), 4);
}

/**
 * Whether the first block reports a duplicate: it lies below SEG.ACK, or inside of the second block. RFC 2883 section 4.
 * Nothing of it is news of what is held.
 */
function takeDsack(tcb: Tcb): bool {
  const start = startOf(0);
  const end = endOf(0);
  // What we never sent can not be a duplicate of ours.
  if (!before(start, end) || after(end, tcb.sndNxt)) return false;
  const isBelow = atOrBefore(end, segment.ack);
  const isInside = segment.sackCount > 1 && atOrAfter(start, startOf(1)) &&
    atOrBefore(end, endOf(1));
  if (!isBelow && !isInside) return false;
  count(STAT_DSACKS_IN);
  sawDsack = true;
  dsackStart = start;
  dsackEnd = end;
  return true;
}

/** A block that says something of what is outstanding. */
function isBlockSane(tcb: Tcb, n: u32): bool {
  return before(startOf(n), endOf(n)) && !atOrBefore(startOf(n), tcb.sndUna) &&
    !after(endOf(n), tcb.sndNxt);
}

/**
 * Takes the SACK blocks of the segment, lowest first, lest their order look like reordering. Blocks outside of what was
 * sent are ignored; a D-SACK is noted apart.
 *
 * @returns Bytes newly known to be held by the remote.
 */
export function takeSackBlocks(tcb: Tcb, flight: Flight): u32 {
  const many = segment.sackCount;
  if (many === 0) return 0;
  const first: u32 = takeDsack(tcb) ? 1 : 0;
  // Each block may split a run at both of its ends.
  keepRoom(flight, 2 * (many - first));
  let fresh: u32 = 0;
  let done: u32 = 0;
  for (let turn = first; turn < many; turn++) {
    let lowest: u32 = many;
    for (let n = first; n < many; n++) {
      if ((done & (1 << n)) !== 0 || !isBlockSane(tcb, n)) continue;
      if (lowest === many || before(startOf(n), startOf(lowest))) lowest = n;
    }
    if (lowest === many) break;
    done |= 1 << lowest;
    fresh += markSacked(tcb, flight, startOf(lowest), endOf(lowest));
  }
  return fresh;
}

/** A D-SACK that comes while nothing is in flight has nothing to be compared with, and is only counted. */
export function countDsack(tcb: Tcb): void {
  if (segment.sackCount > 0) takeDsack(tcb);
}

/** Marks the first `bytes` of the first run that is neither sacked nor lost, beginning at SND.UNA, as lost. */
export function markFirstLost(flight: Flight, bytes: u32): void {
  if (flight.runCount === 0) return;
  const run = runAt(flight, 0);
  if ((run.flags & (RUN_SACKED | RUN_LOST)) !== 0) return;
  if (bytesOf(run) > bytes) split(flight, 0, run.seq + bytes);
  setFlags(flight, run, run.flags | RUN_LOST);
}

/** How many discontiguous sequences are held. */
function countHeld(flight: Flight): u32 {
  let groups: u32 = 0;
  let wasHeld = false;
  for (let i: u32 = 0; i < flight.runCount; i++) {
    const isHeld = (runAt(flight, i).flags & RUN_SACKED) !== 0;
    if (isHeld && !wasHeld) groups++;
    wasHeld = isHeld;
  }
  return groups;
}

/**
 * IsLost(): marks what was not sent again and has above it DupThresh discontiguous held sequences, or more than
 * (DupThresh - 1) * SMSS held bytes. RFC 6675 section 4.
 */
export function markLostBelowSacked(tcb: Tcb, flight: Flight): void {
  if (flight.sackedBytes === 0) return;
  const most = (boot.dupThresh - 1) * u32(tcb.mss);
  let above = flight.sackedBytes;
  let groups = countHeld(flight);
  let wasHeld = false;
  for (let i: u32 = 0; i < flight.runCount; i++) {
    if (above <= most && groups < boot.dupThresh) return;
    const run = runAt(flight, i);
    const isHeld = (run.flags & RUN_SACKED) !== 0;
    if (isHeld) {
      above -= bytesOf(run);
      if (!wasHeld) groups--;
    } else if ((run.flags & (RUN_LOST | RUN_RETRANSMITTED)) === 0) {
      setFlags(flight, run, run.flags | RUN_LOST);
    }
    wasHeld = isHeld;
  }
}

/**
 * NextSeg() rule 3: marks up to `bytes` of the first run below held bytes that was not sent again as lost. RFC 6675
 * section 4. @returns False if there is none.
 */
export function markNextHole(flight: Flight, bytes: u32): bool {
  let above = flight.sackedBytes;
  for (let i: u32 = 0; i < flight.runCount && above > 0; i++) {
    const run = runAt(flight, i);
    if ((run.flags & RUN_SACKED) !== 0) {
      above -= bytesOf(run);
    } else if ((run.flags & (RUN_LOST | RUN_RETRANSMITTED)) === 0) {
      if (bytesOf(run) > bytes && !split(flight, i, run.seq + bytes)) return false;
      setFlags(flight, run, run.flags | RUN_LOST);
      return true;
    }
  }
  return false;
}

/** The index of the highest run that is not held, or runCount. */
export function highestMissing(flight: Flight): u32 {
  for (let i = flight.runCount; i > 0; i--) {
    if ((runAt(flight, i - 1).flags & RUN_SACKED) === 0) return i - 1;
  }
  return flight.runCount;
}

/**
 * A held byte right at SND.UNA would have been acknowledged: the remote has reneged, and no block is believed any more.
 * RFC 2018 section 8.
 */
export function dropRenegedMarks(flight: Flight): void {
  if (flight.runCount === 0 || (runAt(flight, 0).flags & RUN_SACKED) === 0) return;
  count(STAT_SACK_RENEGED);
  for (let i: u32 = 0; i < flight.runCount; i++) {
    const run = runAt(flight, i);
    if ((run.flags & RUN_SACKED) !== 0) setFlags(flight, run, (run.flags | RUN_LOST) & ~RUN_SACKED);
  }
}

/** After a timeout everything not held is deemed lost. RFC 6675 section 5.1, RFC 5681 section 3.1. */
export function markAllLost(flight: Flight): void {
  for (let i: u32 = 0; i < flight.runCount; i++) {
    const run = runAt(flight, i);
    // RETRANSMITTED stays: an ACK that comes now is still ambiguous.
    if ((run.flags & RUN_SACKED) === 0) setFlags(flight, run, run.flags | RUN_LOST);
  }
}

/** Nothing is lost after all: what was marked is in flight. RFC 4015 section 3.3. */
export function clearLost(flight: Flight): void {
  for (let i: u32 = 0; i < flight.runCount && flight.lostBytes > 0; i++) {
    const run = runAt(flight, i);
    setFlags(flight, run, run.flags & ~RUN_LOST);
  }
}

/** The first lost run's index, or runCount. */
export function firstLost(flight: Flight): u32 {
  let i: u32 = 0;
  while (i < flight.runCount && (runAt(flight, i).flags & RUN_LOST) === 0) i++;
  return i;
}

/** Notes that the first `bytes` of a run were sent again now. */
export function noteResent(flight: Flight, index: u32, bytes: u32): void {
  const run = runAt(flight, index);
  if (bytes < bytesOf(run) && !split(flight, index, run.seq + bytes)) {
    // No room to split: make some, and leave the run as it is; it may be sent again from its start, which is only waste.
    makeRoom(flight);
    return;
  }
  setFlags(flight, run, (run.flags & ~RUN_LOST) | RUN_RETRANSMITTED);
  run.sentUs = control.nowUs;
}

/** Notes that a run was sent again now from a number inside it to its end. */
export function noteTailResent(flight: Flight, index: u32, from: u32): void {
  const run = runAt(flight, index);
  if (from !== run.seq && split(flight, index, from)) {
    noteResent(flight, index + 1, bytesOf(runAt(flight, index + 1)));
    return;
  }
  // Without room to split all of it counts as sent now, which finds no loss too early.
  noteResent(flight, index, bytesOf(run));
}

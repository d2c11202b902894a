/**
 * TIME-WAIT. While the user holds the handle the TCB itself waits; once it has let go and read everything, 64 bytes in
 * the same demultiplexer do. All wait equally long, so a FIFO is their order of time. When the table is full the oldest
 * goes, counted: timestamps or the keyed, clock-driven ISN protect its tuple (RFC 6191, RFC 6528).
 */
import { boot, control } from "../config.ts";
import { FLAG_TIMESTAMPS, NONE, STAT_TIME_WAIT_EVICTED, Tcb, TimeWait } from "../layout.gen.ts";
import { giveTimeWait, slotOf, takeTimeWait, timeWaitAt } from "../pool.ts";
import { countMany } from "../stats.ts";
import { leaveTimeWait, replaceByTimeWait } from "./demux.ts";
import { vacate } from "./tcb.ts";

/** Records that are evicted at once: one of so many of the table, and at most these. */
const EVICTED_SHARE: u32 = 1024;
const EVICTED_MAX: u32 = 16;

/** 2 MSL, ms. RFC 9293 section 3.4.3 and MUST-13. */
export function timeWaitMs(): u32 {
  return boot.mslMs * 2;
}

function append(record: u32, until: u32): void {
  const entry = timeWaitAt(record);
  entry.until = until;
  entry.fifoNext = NONE;
  entry.fifoPrev = control.timeWaitTail;
  if (control.timeWaitTail !== NONE) timeWaitAt(control.timeWaitTail).fifoNext = record;
  else control.timeWaitHead = record;
  control.timeWaitTail = record;
}

function unlink(entry: TimeWait): void {
  if (entry.fifoPrev !== NONE) timeWaitAt(entry.fifoPrev).fifoNext = entry.fifoNext;
  else control.timeWaitHead = entry.fifoNext;
  if (entry.fifoNext !== NONE) timeWaitAt(entry.fifoNext).fifoPrev = entry.fifoPrev;
  else control.timeWaitTail = entry.fifoPrev;
}

/** Frees a record. */
export function endTimeWait(record: u32): void {
  unlink(timeWaitAt(record));
  leaveTimeWait(record);
  giveTimeWait(record);
}

/** Starts a record's 2 MSL anew: the remote's FIN was repeated. RFC 9293 section 3.10.7.4, eighth. */
export function restartTimeWait(record: u32): void {
  unlink(timeWaitAt(record));
  append(record, control.nowMs + timeWaitMs());
}

/** No record is free. */
function isFull(): bool {
  return control.timeWaitFree === NONE && control.timeWaitHigh >= boot.maxTimeWaits;
}

/** Frees the oldest records, a few at once: each stands in another line of the demultiplexer, and these are fetched side by side. */
function evict(): void {
  const share = boot.maxTimeWaits / EVICTED_SHARE + 1;
  const many: u32 = share < EVICTED_MAX ? share : EVICTED_MAX;
  for (let i: u32 = 0; i < many; i++) endTimeWait(control.timeWaitHead);
  countMany(STAT_TIME_WAIT_EVICTED, many);
}

/** Turns a TCB in TIME-WAIT into a record and frees the TCB. The 2 MSL begin anew, which keeps the FIFO in order. */
export function compactTimeWait(tcb: Tcb): void {
  if (isFull()) evict();
  const record = takeTimeWait();
  const entry = timeWaitAt(record);
  entry.localAddrA = tcb.localAddrA;
  entry.localAddrB = tcb.localAddrB;
  entry.remoteAddrA = tcb.remoteAddrA;
  entry.remoteAddrB = tcb.remoteAddrB;
  entry.localPort = tcb.localPort;
  entry.remotePort = tcb.remotePort;
  entry.rcvNxt = tcb.rcvNxt;
  entry.sndNxt = tcb.sndNxt;
  entry.tsRecent = (tcb.flags & FLAG_TIMESTAMPS) !== 0 ? tcb.tsRecent : 0;
  replaceByTimeWait(slotOf(tcb), record);
  vacate(tcb);
  append(record, control.nowMs + timeWaitMs());
}

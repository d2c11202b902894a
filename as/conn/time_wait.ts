/**
 * TIME-WAIT. While the user holds the handle the TCB itself waits; once it has let go and read everything, 64 bytes in
 * the same demultiplexer do. All wait equally long, so a FIFO is their order of time. When the table is full the oldest
 * goes, counted: timestamps or the keyed, clock-driven ISN protect its tuple (RFC 6191, RFC 6528).
 */
import { boot, control } from "../config.ts";
import { FLAG_TIMESTAMPS, NONE, STAT_TIME_WAIT_EVICTED, Tcb, TimeWait } from "../layout.gen.ts";
import { giveTimeWait, takeTimeWait, timeWaitAt } from "../pool.ts";
import { count } from "../stats.ts";
import { enterTimeWait, leaveTimeWait } from "./demux.ts";
import { vacate } from "./tcb.ts";

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

/** Turns a TCB in TIME-WAIT into a record and frees the TCB. The 2 MSL begin anew, which keeps the FIFO in order. */
export function compactTimeWait(tcb: Tcb): void {
  let record = takeTimeWait();
  if (record === NONE) {
    count(STAT_TIME_WAIT_EVICTED);
    endTimeWait(control.timeWaitHead);
    record = takeTimeWait();
  }
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
  vacate(tcb);
  append(record, control.nowMs + timeWaitMs());
  enterTimeWait(record);
}

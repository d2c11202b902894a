/**
 * The demultiplexer: a connection is found by all four values (RFC 9293 section 3.10.7, seeds S71), TIME-WAIT records in
 * the same table. The hash is keyed, so that a peer can not choose tuples that collide. Chains go through the entries.
 *
 * A reference is a slot, or a TIME-WAIT record's number with the top bit set; the table holds reference + 1, so that
 * zero means empty and untouched pages stay untouched.
 */
import { boot, bucketMask, bucketsBase } from "../config.ts";
import { NONE, Segment, Tcb, TimeWait } from "../layout.gen.ts";
import { sipHash5 } from "../hash.ts";
import { tcbAt, timeWaitAt } from "../pool.ts";

/** Set in references to TIME-WAIT records. */
export const REF_TIME_WAIT: u32 = 0x80000000;

function bucketOf(localA: u64, localB: u64, remoteA: u64, remoteB: u64, ports: u32): usize {
  const hash = sipHash5(
    boot.demuxKeyA,
    boot.demuxKeyB,
    localA,
    localB,
    remoteA,
    remoteB,
    u64(ports),
  );
  return bucketsBase + (usize(u32(hash) & bucketMask) << 2);
}

function portsOf(local: u32, remote: u32): u32 {
  return (local << 16) | remote;
}

function nextOf(ref: u32): u32 {
  return (ref & REF_TIME_WAIT) !== 0
    ? timeWaitAt(ref & ~REF_TIME_WAIT).hashNext
    : tcbAt(ref).hashNext;
}

function setNext(ref: u32, next: u32): void {
  if ((ref & REF_TIME_WAIT) !== 0) timeWaitAt(ref & ~REF_TIME_WAIT).hashNext = next;
  else tcbAt(ref).hashNext = next;
}

function isTcb(tcb: Tcb, lA: u64, lB: u64, rA: u64, rB: u64, local: u32, remote: u32): bool {
  return tcb.remoteAddrB === rB && tcb.localAddrB === lB && u32(tcb.localPort) === local &&
    u32(tcb.remotePort) === remote && tcb.remoteAddrA === rA && tcb.localAddrA === lA;
}

function isTimeWait(
  record: TimeWait,
  lA: u64,
  lB: u64,
  rA: u64,
  rB: u64,
  local: u32,
  remote: u32,
): bool {
  return record.remoteAddrB === rB && record.localAddrB === lB && u32(record.localPort) === local &&
    u32(record.remotePort) === remote && record.remoteAddrA === rA && record.localAddrA === lA;
}

/** Finds a connection or TIME-WAIT record by all four values. @returns A reference, or NONE. */
export function findTuple(lA: u64, lB: u64, rA: u64, rB: u64, local: u32, remote: u32): u32 {
  let link = load<u32>(bucketOf(lA, lB, rA, rB, portsOf(local, remote)));
  while (link !== 0) {
    const ref = link - 1;
    if ((ref & REF_TIME_WAIT) !== 0) {
      const record = timeWaitAt(ref & ~REF_TIME_WAIT);
      if (isTimeWait(record, lA, lB, rA, rB, local, remote)) return ref;
      link = record.hashNext;
    } else {
      const tcb = tcbAt(ref);
      if (isTcb(tcb, lA, lB, rA, rB, local, remote)) return ref;
      link = tcb.hashNext;
    }
  }
  return NONE;
}

/** Finds where a segment belongs. @returns A reference, or NONE. */
export function findSegment(seg: Segment): u32 {
  return findTuple(
    seg.localAddrA,
    seg.localAddrB,
    seg.remoteAddrA,
    seg.remoteAddrB,
    seg.localPort,
    seg.remotePort,
  );
}

function insertRef(bucket: usize, ref: u32): void {
  setNext(ref, load<u32>(bucket));
  store<u32>(bucket, ref + 1);
}

function removeRef(bucket: usize, ref: u32): void {
  let link = load<u32>(bucket);
  if (link === ref + 1) {
    store<u32>(bucket, nextOf(ref));
    return;
  }
  while (true) {
    assert(link !== 0, "an entry is not in its chain");
    const at = link - 1;
    link = nextOf(at);
    if (link === ref + 1) {
      setNext(at, nextOf(ref));
      return;
    }
  }
}

function bucketOfTcb(tcb: Tcb): usize {
  const ports = portsOf(tcb.localPort, tcb.remotePort);
  return bucketOf(tcb.localAddrA, tcb.localAddrB, tcb.remoteAddrA, tcb.remoteAddrB, ports);
}

function bucketOfTimeWait(record: TimeWait): usize {
  const ports = portsOf(record.localPort, record.remotePort);
  return bucketOf(
    record.localAddrA,
    record.localAddrB,
    record.remoteAddrA,
    record.remoteAddrB,
    ports,
  );
}

/** Enters a connection. @param slot Its slot; the tuple must be set and not be there. */
export function enterTcb(slot: u32): void {
  insertRef(bucketOfTcb(tcbAt(slot)), slot);
}

/** Removes a connection. */
export function leaveTcb(slot: u32): void {
  removeRef(bucketOfTcb(tcbAt(slot)), slot);
}

/** Enters a TIME-WAIT record. */
export function enterTimeWait(record: u32): void {
  insertRef(bucketOfTimeWait(timeWaitAt(record)), record | REF_TIME_WAIT);
}

/** Removes a TIME-WAIT record. */
export function leaveTimeWait(record: u32): void {
  removeRef(bucketOfTimeWait(timeWaitAt(record)), record | REF_TIME_WAIT);
}

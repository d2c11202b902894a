/**
 * The demultiplexer: a connection is found by all four values (RFC 9293 section 3.10.7, seeds S71), TIME-WAIT records in
 * the same table. The hash is keyed, so that a peer can not choose tuples that collide.
 *
 * The table is lines of one cache line each. A line has 15 entries and the head of a chain for what does not fit, through
 * the connections themselves. An entry is a reference and a tag, some more bits of the hash: a line is compared at once,
 * and of the connections that it names hardly any but the right one is touched (docs/adr/0018). Zero means empty, so that
 * untouched pages stay untouched.
 */
import { boot, lineMask, linesBase } from "../config.ts";
import {
  LINE_BYTES,
  LINE_ENTRIES,
  NONE,
  Segment,
  TCB_LOCAL_PORT,
  TCB_REMOTE_ADDR_A,
  TCB_REMOTE_PORT,
  TIME_WAIT_LOCAL_PORT,
  TIME_WAIT_REMOTE_ADDR_A,
  TIME_WAIT_REMOTE_PORT,
} from "../layout.gen.ts";
import { tcbAt, timeWaitAt } from "../pool.ts";
import { tupleHash } from "./tuple_hash.ts";

/** Set in references to TIME-WAIT records; what is below it is a slot, or the record's number. */
export const REF_TIME_WAIT: u32 = 1 << 23;

/** An entry: a reference below, the tag above. */
const TAG_SHIFT: u32 = 24;
const REF_MASK: u32 = (1 << TAG_SHIFT) - 1;
/** Where a line has the head of its chain: behind its entries. */
const CHAIN_AT: usize = LINE_BYTES - 4;
/** A bit for each entry, without the chain's. */
const ENTRIES_MASK: u32 = (1 << LINE_ENTRIES) - 1;
/** Connections and records alike begin with the four values. */
const REMOTE_ADDR_AT: usize = TCB_REMOTE_ADDR_A;
const PORTS_AT: usize = TCB_LOCAL_PORT;
if (TIME_WAIT_REMOTE_ADDR_A !== TCB_REMOTE_ADDR_A) ERROR("TCBs and records begin otherwise");
if (TIME_WAIT_LOCAL_PORT !== TCB_LOCAL_PORT) ERROR("TCBs and records begin otherwise");
if (TIME_WAIT_REMOTE_PORT !== TCB_REMOTE_PORT) ERROR("TCBs and records begin otherwise");

/** Both ports as they lie. */
function portsOf(local: u32, remote: u32): u32 {
  return local | (remote << 16);
}

function lineOf(hash: u64): usize {
  return linesBase + (usize(u32(hash) & lineMask) * LINE_BYTES);
}

/** Never 0, so that no entry is. */
function tagOf(hash: u64): u32 {
  const tag = u32(hash >> 56);
  return tag === 0 ? 1 : tag;
}

/** The connection or the record. */
function ptrOf(ref: u32): usize {
  return (ref & REF_TIME_WAIT) !== 0
    ? changetype<usize>(timeWaitAt(ref & ~REF_TIME_WAIT))
    : changetype<usize>(tcbAt(ref));
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

/** Entries of a line that are, shifted right, equal to a value: a bit each. */
function matches(line: usize, shift: i32, value: u32): u32 {
  const want = i32x4.splat(value);
  const a = i32x4.bitmask(i32x4.eq(i32x4.shr_u(v128.load(line), shift), want));
  const b = i32x4.bitmask(i32x4.eq(i32x4.shr_u(v128.load(line, 16), shift), want));
  const c = i32x4.bitmask(i32x4.eq(i32x4.shr_u(v128.load(line, 32), shift), want));
  const d = i32x4.bitmask(i32x4.eq(i32x4.shr_u(v128.load(line, 48), shift), want));
  return u32(a | (b << 4) | (c << 8) | (d << 12)) & ENTRIES_MASK;
}

function entryAt(line: usize, bits: u32): usize {
  return line + (usize(ctz(bits)) << 2);
}

function isTuple(ref: u32, lA: u64, lB: u64, rA: u64, rB: u64, ports: u32): bool {
  const at = ptrOf(ref);
  return load<u64>(at, REMOTE_ADDR_AT + 8) === rB && load<u32>(at, PORTS_AT) === ports &&
    load<u64>(at, 8) === lB && load<u64>(at, REMOTE_ADDR_AT) === rA && load<u64>(at) === lA;
}

/** The hash of a connection or a record. */
function hashOf(ref: u32): u64 {
  const at = ptrOf(ref);
  return tupleHash(
    boot.demuxKeyA,
    boot.demuxKeyB,
    load<u64>(at),
    load<u64>(at, 8),
    load<u64>(at, REMOTE_ADDR_AT),
    load<u64>(at, REMOTE_ADDR_AT + 8),
    load<u32>(at, PORTS_AT),
  );
}

/** The hash and the ports of the tuple that was looked up last: who is not there is often entered next. */
let askedHash: u64 = 0;
let askedPorts: u32 = 0;

/** Finds a connection or TIME-WAIT record by all four values. @returns A reference, or NONE. */
export function findTuple(lA: u64, lB: u64, rA: u64, rB: u64, local: u32, remote: u32): u32 {
  const ports = portsOf(local, remote);
  const hash = tupleHash(boot.demuxKeyA, boot.demuxKeyB, lA, lB, rA, rB, ports);
  askedHash = hash;
  askedPorts = ports;
  const line = lineOf(hash);
  const tag = tagOf(hash);
  let found = matches(line, TAG_SHIFT, tag);
  while (found !== 0) {
    const ref = load<u32>(entryAt(line, found)) & REF_MASK;
    if (isTuple(ref, lA, lB, rA, rB, ports)) return ref;
    found &= found - 1;
  }
  let link = load<u32>(line, CHAIN_AT);
  while (link !== 0) {
    const ref = link & REF_MASK;
    if ((link >>> TAG_SHIFT) === tag && isTuple(ref, lA, lB, rA, rB, ports)) return ref;
    link = nextOf(ref);
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

/** Takes an entry out of a line's chain. */
function unchain(line: usize, ref: u32): void {
  let link = load<u32>(line, CHAIN_AT);
  assert(link !== 0, "an entry is not in its line");
  if ((link & REF_MASK) === ref) {
    store<u32>(line, nextOf(ref), CHAIN_AT);
    return;
  }
  while (true) {
    const at = link & REF_MASK;
    link = nextOf(at);
    assert(link !== 0, "an entry is not in its line");
    if ((link & REF_MASK) === ref) {
      setNext(at, nextOf(ref));
      return;
    }
  }
}

function leave(ref: u32): void {
  const hash = hashOf(ref);
  const line = lineOf(hash);
  const found = matches(line, 0, (tagOf(hash) << TAG_SHIFT) | ref);
  if (found === 0) {
    unchain(line, ref);
    return;
  }
  // The first of the chain moves into the line, so that chains are no longer than they must be.
  const first = load<u32>(line, CHAIN_AT);
  if (first !== 0) store<u32>(line, nextOf(first & REF_MASK), CHAIN_AT);
  store<u32>(entryAt(line, found), first);
}

/** Enters a connection whose tuple is the one that was looked up last, and not there. @param slot Its slot; the tuple must be set. */
export function enterAsked(slot: u32): void {
  assert(
    load<u32>(ptrOf(slot), PORTS_AT) === askedPorts,
    "a tuple is entered that nobody asked for",
  );
  const line = lineOf(askedHash);
  const entry = (tagOf(askedHash) << TAG_SHIFT) | slot;
  const free = matches(line, 0, 0);
  if (free !== 0) {
    store<u32>(entryAt(line, free), entry);
    return;
  }
  setNext(slot, load<u32>(line, CHAIN_AT));
  store<u32>(line, entry, CHAIN_AT);
}

/** Removes a connection. */
export function leaveTcb(slot: u32): void {
  leave(slot);
}

/** Puts a TIME-WAIT record where its connection stands, which leaves. */
export function replaceByTimeWait(slot: u32, record: u32): void {
  const hash = hashOf(slot);
  const line = lineOf(hash);
  const tag = tagOf(hash) << TAG_SHIFT;
  const ref = record | REF_TIME_WAIT;
  const found = matches(line, 0, tag | slot);
  if (found !== 0) {
    store<u32>(entryAt(line, found), tag | ref);
    return;
  }
  unchain(line, slot);
  setNext(ref, load<u32>(line, CHAIN_AT));
  store<u32>(line, tag | ref, CHAIN_AT);
}

/** Removes a TIME-WAIT record. */
export function leaveTimeWait(record: u32): void {
  leave(record | REF_TIME_WAIT);
}

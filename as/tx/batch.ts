/** The Tx region while flush() fills it: where the next record goes, and whether one had no room. */
import { Tcb } from "../layout.gen.ts";
import { BARE_RECORD_MAX, buildSegment, forgetTemplate } from "./build_segment.ts";

/** Where the next record goes. */
let at: usize = 0;
/** First byte that this flush may not use. */
let end: usize = 0;
/** The connection being paid ran out of room. */
let stalled: bool = false;

/** Begins a batch in [first, beyond). */
export function beginBatch(first: usize, beyond: usize): void {
  at = first;
  end = beyond;
}

/** Where the next record goes. */
export function batchAt(): usize {
  return at;
}

/** Copies records into the batch. @returns False if they do not fit. */
export function putRecords(from: usize, bytes: usize): bool {
  if (at + bytes > end) return false;
  memory.copy(at, from, bytes);
  at += bytes;
  return true;
}

/** Another connection is paid. */
export function beginPayment(): void {
  stalled = false;
  forgetTemplate();
}

/** The connection being paid ran out of room. */
export function isStalled(): bool {
  return stalled;
}

/** Room for a segment with `text` bytes that may as well go later. */
export function hasSpace(text: u32): bool {
  return at + BARE_RECORD_MAX + text <= end;
}

/** Room for a segment with `text` bytes; notes when there is none. */
export function hasRoom(text: u32): bool {
  if (hasSpace(text)) return true;
  stalled = true;
  return false;
}

/** Most text that one more record could hold, bytes. */
export function spaceForText(): u32 {
  return at + BARE_RECORD_MAX < end ? u32(end - at) - BARE_RECORD_MAX : 0;
}

/** Builds a segment; hasRoom() has said that it fits. */
export function put(tcb: Tcb, seq: u32, bytes: u32, flags: u32): void {
  at += buildSegment(tcb, at, seq, bytes, flags, 0);
}

/** Builds a super-segment that fits. @param gsoSize Text of each segment but the last. */
export function putSuper(tcb: Tcb, seq: u32, bytes: u32, flags: u32, gsoSize: u32): void {
  at += buildSegment(tcb, at, seq, bytes, flags, gsoSize);
}

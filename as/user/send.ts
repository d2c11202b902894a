/** The SEND call. RFC 9293 section 3.10.2. The host copies into the spans of the ring itself: one copy, no border between. */
import { scratchBase, spans } from "../config.ts";
import {
  FEW_BYTES,
  FLAG_FIN_QUEUED,
  FLAG_WANTS_SPACE,
  OWED_DATA,
  STATE_CLOSE_WAIT,
  STATE_ESTABLISHED,
  STATE_SYN_RECEIVED,
  STATE_SYN_SENT,
  STATUS_BAD_ARGUMENT,
  STATUS_OK,
  STATUS_STALE_HANDLE,
  Tcb,
} from "../layout.gen.ts";
import { dropSendRing, fitSendRing, ringBytes, ringMask, ringPtr } from "../conn/rings.ts";
import { sendBufferOf } from "../conn/options.ts";
import { owe } from "../owed.ts";
import { resolve } from "./handle.ts";

/** The user may still write. */
export function canWrite(tcb: Tcb): bool {
  if ((tcb.flags & FLAG_FIN_QUEUED) !== 0) return false;
  const state = tcb.state;
  return state === STATE_ESTABLISHED || state === STATE_CLOSE_WAIT || state === STATE_SYN_SENT ||
    state === STATE_SYN_RECEIVED;
}

/** Bytes written and not acknowledged. The SYN's number is no byte. */
export function queuedBytes(tcb: Tcb): u32 {
  const first = tcb.sndUna === tcb.iss ? tcb.iss + 1 : tcb.sndUna;
  const queued = tcb.sndEnd - first;
  // An acknowledged FIN takes SND.UNA one beyond the last byte.
  return i32(queued) < 0 ? 0 : queued;
}

function setSpans(tcb: Tcb, bytes: u32): void {
  const mask = ringMask(tcb.sendRing);
  const ring = ringPtr(tcb.sendRing);
  const offset = (tcb.sndEnd - (tcb.iss + 1)) & mask;
  const first = mask + 1 - offset;
  spans.ptr0 = u32(ring) + offset;
  spans.bytes0 = bytes < first ? bytes : first;
  spans.ptr1 = u32(ring);
  spans.bytes1 = bytes > first ? bytes - first : 0;
}

/** Room for at most `want` bytes. What is not granted now is told by EVENT_WRITABLE when it is. @returns Bytes. */
export function reserve(slot: u32, generation: u32, want: u32): u32 {
  spans.bytes0 = 0;
  spans.bytes1 = 0;
  const tcb = resolve(slot, generation);
  if (tcb === null || want === 0 || !canWrite(tcb)) return 0;
  const queued = queuedBytes(tcb);
  const limit = sendBufferOf(tcb);
  let granted: u32 = queued < limit ? limit - queued : 0;
  if (want < granted) granted = want;
  if (granted > 0 && !fitSendRing(tcb, queued + granted)) {
    // The pool is used up: what the present ring still holds.
    const size = ringBytes(tcb.sendRing);
    granted = size > queued ? size - queued : 0;
  }
  if (granted < want) tcb.flags |= FLAG_WANTS_SPACE;
  if (granted > 0) setSpans(tcb, granted);
  return granted;
}

/** The first `bytes` of the granted spans hold data. */
export function noteWritten(slot: u32, generation: u32, bytes: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  const queued = queuedBytes(tcb);
  if (queued + bytes > ringBytes(tcb.sendRing)) return -STATUS_BAD_ARGUMENT;
  if (bytes === 0) {
    if (queued === 0) dropSendRing(tcb);
    return STATUS_OK;
  }
  tcb.sndEnd += bytes;
  owe(tcb, OWED_DATA);
  return STATUS_OK;
}

/** Sends what stands in the scratch behind Param: a few bytes in one call instead of two. @returns Bytes taken. */
export function sendScratch(slot: u32, generation: u32, bytes: u32): u32 {
  if (bytes > FEW_BYTES) return 0;
  const granted = reserve(slot, generation, bytes);
  if (granted === 0) return 0;
  for (let i: u32 = 0; i < granted; i++) {
    const at = i < spans.bytes0 ? spans.ptr0 + i : spans.ptr1 + i - spans.bytes0;
    store<u8>(at, load<u8>(scratchBase + i));
  }
  noteWritten(slot, generation, granted);
  return granted;
}

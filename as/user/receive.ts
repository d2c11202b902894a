/** The RECEIVE call. RFC 9293 section 3.10.3. The host copies from the spans of the ring itself. */
import { scratchBase, spans } from "../config.ts";
import {
  FEW_BYTES,
  FLAG_FAST_OPEN,
  FLAG_FIN_RECEIVED,
  FLAG_READ_CLOSED,
  NONE,
  OWED_ACK,
  STATE_CLOSED,
  STATE_FIN_WAIT_2,
  STATE_SYN_RECEIVED,
  STATUS_BAD_ARGUMENT,
  STATUS_OK,
  STATUS_STALE_HANDLE,
  Tcb,
} from "../layout.gen.ts";
import { dropReceiveRing, hasRing, ringMask, ringPtr } from "../conn/rings.ts";
import { armLingering } from "../conn/idle.ts";
import { finWait2Of } from "../conn/options.ts";
import { canReceiveText, isOpening } from "../conn/state.ts";
import { unreadBytes } from "../conn/tcb.ts";
import { armLife } from "../deadline/deadline.ts";
import { owe } from "../owed.ts";
import { flightAt } from "../pool.ts";
import { rangeCount } from "../rx/reassembly.ts";
import { tuneReceiveBuffer, wantsWindowUpdate } from "../tx/receive_window.ts";
import { resolve } from "./handle.ts";
import { noteRead } from "./urgent.ts";

/** Bytes waiting for the user. */
export function waitingBytes(tcb: Tcb): u32 {
  if (!hasRing(tcb.receiveRing)) return 0;
  // What came with the SYN waits for ESTABLISHED, unless a cookie of Fast Open vouches for the remote (seeds S12).
  if (tcb.state === STATE_SYN_RECEIVED && (tcb.flags & FLAG_FAST_OPEN) === 0) return 0;
  return unreadBytes(tcb, FLAG_FIN_RECEIVED);
}

/** Where the unread bytes are. @returns How many. */
export function unreadSpans(slot: u32, generation: u32): u32 {
  spans.bytes0 = 0;
  spans.bytes1 = 0;
  const tcb = resolve(slot, generation);
  if (tcb === null) return 0;
  const bytes = waitingBytes(tcb);
  if (bytes === 0) return 0;
  const mask = ringMask(tcb.receiveRing);
  const ring = ringPtr(tcb.receiveRing);
  const offset = (tcb.rcvUser - (tcb.irs + 1)) & mask;
  const first = mask + 1 - offset;
  spans.ptr0 = u32(ring) + offset;
  spans.bytes0 = bytes < first ? bytes : first;
  spans.ptr1 = u32(ring);
  spans.bytes1 = bytes > first ? bytes - first : 0;
  return bytes;
}

/** A ring is kept only while bytes are in it, out-of-order ones included. */
function dropRingIfEmpty(tcb: Tcb): void {
  if (waitingBytes(tcb) !== 0) return;
  if (tcb.flight !== NONE && rangeCount(changetype<usize>(flightAt(tcb.flight))) !== 0) return;
  dropReceiveRing(tcb);
}

/** The user has read `bytes`. */
export function noteConsumed(slot: u32, generation: u32, bytes: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  if (bytes > waitingBytes(tcb)) return -STATUS_BAD_ARGUMENT;
  tcb.rcvUser += bytes;
  noteRead(tcb);
  dropRingIfEmpty(tcb);
  if (!canReceiveText(tcb.state)) return STATUS_OK;
  tuneReceiveBuffer(tcb);
  if (wantsWindowUpdate(tcb)) owe(tcb, OWED_ACK);
  return STATUS_OK;
}

/**
 * Reads at most `most` bytes into the scratch behind Param, if they are few: in one call instead of two.
 *
 * @returns How many were read; or, if they are more than FEW_BYTES, how many are unread, negative: their spans are set.
 */
export function receiveScratch(slot: u32, generation: u32, most: u32): i32 {
  const unread = unreadSpans(slot, generation);
  const bytes: u32 = unread < most ? unread : most;
  if (bytes > FEW_BYTES) return -i32(unread);
  if (bytes === 0) return 0;
  for (let i: u32 = 0; i < bytes; i++) {
    const at = i < spans.bytes0 ? spans.ptr0 + i : spans.ptr1 + i - spans.bytes0;
    store<u8>(scratchBase + i, load<u8>(at));
  }
  noteConsumed(slot, generation, bytes);
  return i32(bytes);
}

/** The user reads no more: what waits is dropped, what comes is acknowledged and dropped. */
export function stopReading(slot: u32, generation: u32): i32 {
  const tcb = resolve(slot, generation);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  const wasClosed = (tcb.flags & FLAG_READ_CLOSED) !== 0;
  tcb.flags |= FLAG_READ_CLOSED;
  if (isOpening(tcb.state) && tcb.state !== STATE_CLOSED) return STATUS_OK;
  // Now it is a full close: the remote's FIN is not waited for endlessly.
  if (tcb.state === STATE_FIN_WAIT_2) armLife(tcb, finWait2Of(tcb));
  else if (!wasClosed) armLingering(tcb);
  const bytes = waitingBytes(tcb);
  return bytes === 0 ? STATUS_OK : noteConsumed(slot, generation, bytes);
}

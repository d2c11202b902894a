/**
 * A batch on its way to somebody who understands less: super-segments are taken apart, partial checksums completed; what
 * asks for nothing that was not agreed on passes unchanged. It stops where the room ends, and goes on from there.
 */
import { copySum } from "../checksum.ts";
import { store16 } from "../bytes.ts";
import {
  BATCH_BYTES,
  OFFLOAD_CHECKSUM,
  RECORD_HEADER_BYTES,
  VNET_FLAG_NEEDS_CSUM,
} from "../layout.gen.ts";
import { IP_AT } from "./frame.ts";
import {
  bitsNeeded,
  clearFlags,
  csumOffsetOf,
  csumStartOf,
  flagsOf,
  frameBytes,
  gsoTypeOf,
  writePlain,
} from "./record.ts";
import {
  COUNT_COMPLETED,
  COUNT_DROPPED,
  COUNT_SPLIT,
  fromBits,
  INPUT,
  OUTPUT,
  tally,
  toBits,
} from "./regions.ts";
import { forgetSegments, SEGMENTS_DONE, SEGMENTS_FULL, segmentSome, written } from "./segment.ts";

/** Where UDP has its checksum, in whose field 0 says that there is none. RFC 768. */
const UDP_CHECKSUM_AT: u32 = 6;

/** Where the next record begins in the input, and where the input ends. */
let at: u32 = 0;
let end: u32 = 0;

/** Begins with a batch at INPUT. What was left of the one before is forgotten. */
export function beginSplit(bytes: u32): void {
  assert(bytes <= BATCH_BYTES, "a batch is larger than the input");
  at = 0;
  end = bytes;
  forgetSegments();
}

/** Bytes of the input that are not out yet. */
export function splitLeft(): u32 {
  return end - at;
}

/**
 * Copies a record and completes its checksum.
 *
 * @returns False if the header says that it lies where it can not.
 */
function complete(record: usize, bytes: u32, out: usize): bool {
  const start = csumStartOf(record);
  const offset = csumOffsetOf(record);
  if (start < IP_AT || start + offset + 2 > bytes) return false;
  const frame = out + RECORD_HEADER_BYTES;
  memory.copy(out, record, RECORD_HEADER_BYTES + start);
  // The field holds the pseudo-header's sum, so it is part of what is added up. Virtio 1.2, section 5.1.6.2.
  const s = copySum(frame + start, record + RECORD_HEADER_BYTES + start, bytes - start, 0);
  const check = ~s & 0xffff;
  store16(frame + start + offset, check === 0 && offset === UDP_CHECKSUM_AT ? 0xffff : check);
  tally(COUNT_COMPLETED);
  return true;
}

/** Copies a record that needs no splitting. @returns Bytes written, 0 if it was dropped. */
function passOn(record: usize, bytes: u32, out: usize, missing: u32): u32 {
  const recordBytes = RECORD_HEADER_BYTES + bytes;
  const isPartial = (flagsOf(record) & VNET_FLAG_NEEDS_CSUM) !== 0;
  if ((missing & OFFLOAD_CHECKSUM) === 0 || !isPartial) memory.copy(out, record, recordBytes);
  else if (!complete(record, bytes, out)) {
    tally(COUNT_DROPPED);
    return 0;
  }
  if ((missing & OFFLOAD_CHECKSUM) !== 0) clearFlags(out);
  // Hints of a header that asks for nothing are nobody's business.
  if (gsoTypeOf(out) === 0 && flagsOf(out) === 0) writePlain(out, bytes, 0);
  return recordBytes;
}

/**
 * Writes as much as fits.
 *
 * @param limit Room at OUTPUT, bytes.
 * @returns Bytes of whole records; `splitLeft()` tells whether there is more.
 */
export function splitSome(limit: u32): u32 {
  const stop = OUTPUT + (limit < BATCH_BYTES ? limit : BATCH_BYTES);
  let out = OUTPUT;
  // Each turn takes a record from the input or ends the loop.
  while (at < end) {
    const record = INPUT + at;
    const found = frameBytes(record, end - at);
    if (found < 0) {
      tally(COUNT_DROPPED);
      at = end;
      break;
    }
    const bytes = u32(found);
    const needed = bitsNeeded(record);
    const missing = needed & ~toBits;
    if ((needed & ~fromBits) !== 0) {
      tally(COUNT_DROPPED);
    } else if ((missing & ~OFFLOAD_CHECKSUM) !== 0) {
      const verdict = segmentSome(record, bytes, out, stop);
      out = written;
      if (verdict === SEGMENTS_FULL) break;
      tally(verdict === SEGMENTS_DONE ? COUNT_SPLIT : COUNT_DROPPED);
    } else {
      if (RECORD_HEADER_BYTES + bytes > u32(stop - out)) break;
      out += passOn(record, bytes, out, missing);
    }
    // Also if what the other side understands has changed meanwhile, and the rest was not needed.
    forgetSegments();
    at += RECORD_HEADER_BYTES + bytes;
  }
  return u32(out - OUTPUT);
}

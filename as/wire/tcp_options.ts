/**
 * TCP options: read into the Segment record, and written one by one. RFC 9293 section 3.2.
 *
 * Writers return where the next option goes and pad nothing; the order on a SYN is that of Linux: MSS, SACK-permitted,
 * timestamps, NOP, window scale, which fills whole words.
 */
import { load16, load32, store16, store32 } from "../bytes.ts";
import {
  FAST_OPEN_COOKIE_MAX,
  Segment,
  SEGMENT_OPTION_FAST_OPEN,
  SEGMENT_OPTION_MSS,
  SEGMENT_OPTION_SACK,
  SEGMENT_OPTION_SACK_PERMITTED,
  SEGMENT_OPTION_TIMESTAMPS,
  SEGMENT_OPTION_USER_TIMEOUT,
  SEGMENT_OPTION_WINDOW_SCALE,
  SEGMENT_SACK0_START,
} from "../layout.gen.ts";

/** Kinds. RFC 9293 section 3.2, RFC 7323 sections 2.2 and 3.2, RFC 2018 sections 2 and 3. */
const KIND_END: u32 = 0;
const KIND_NOP: u32 = 1;
const KIND_MSS: u32 = 2;
const KIND_WINDOW_SCALE: u32 = 3;
const KIND_SACK_PERMITTED: u32 = 4;
const KIND_SACK: u32 = 5;
const KIND_TIMESTAMPS: u32 = 8;
/** User timeout. RFC 5482 section 3. */
const KIND_USER_TIMEOUT: u32 = 28;
/** TCP Fast Open. RFC 7413 section 4.1.1. */
const KIND_FAST_OPEN: u32 = 34;
const FAST_OPEN_COOKIE_MIN: u32 = 4;
/** Lengths of whole options, bytes. */
const MSS_BYTES: u32 = 4;
const WINDOW_SCALE_BYTES: u32 = 3;
const SACK_PERMITTED_BYTES: u32 = 2;
const TIMESTAMPS_BYTES: u32 = 10;
export const USER_TIMEOUT_BYTES: u32 = 4;
/** Kind and length; what a SACK option has before its blocks. */
const OPTION_HEADER_BYTES: u32 = 2;
const SACK_BLOCK_BYTES: u32 = 8;
const SACK_BYTES_MIN: u32 = OPTION_HEADER_BYTES + SACK_BLOCK_BYTES;
/** Larger shift counts mean 14. RFC 7323 section 2.3. */
const WINDOW_SCALE_MAX: u32 = 14;
/** NOP, NOP, kind 8, length 10: how nearly every segment with timestamps begins. RFC 7323 appendix A. */
const ALIGNED_TIMESTAMPS: u32 = 0x0101080a;
const ALIGNED_TIMESTAMPS_BYTES: u32 = 12;

function readTimestamps(at: usize, segment: Segment): void {
  segment.tsVal = load32(at + 2);
  segment.tsEcr = load32(at + 6);
  segment.options |= SEGMENT_OPTION_TIMESTAMPS;
}

/** Reads SACK blocks. @param length Of the option. @returns False if that is not one to four whole blocks. */
function readSack(at: usize, length: u32, segment: Segment): bool {
  if (length < SACK_BYTES_MIN || ((length - OPTION_HEADER_BYTES) & (SACK_BLOCK_BYTES - 1)) !== 0) {
    return false;
  }
  // Forty bytes of options hold no more than SACK_BLOCKS_MAX blocks. RFC 2018 section 3.
  const blocks = (length - OPTION_HEADER_BYTES) >> 3;
  const to = changetype<usize>(segment) + SEGMENT_SACK0_START;
  for (let edge: u32 = 0; edge < blocks << 1; edge++) {
    const offset = usize(edge) << 2;
    store<u32>(to + offset, load32(at + OPTION_HEADER_BYTES + offset));
  }
  segment.sackCount = blocks;
  segment.options |= SEGMENT_OPTION_SACK;
  return true;
}

/** Reads a Fast Open option; one whose length can not be "MUST be ignored". RFC 7413 section 4.1.1. */
function readFastOpen(at: usize, bytes: u32, segment: Segment): void {
  const isRight = bytes >= FAST_OPEN_COOKIE_MIN && bytes <= FAST_OPEN_COOKIE_MAX &&
    (bytes & 1) === 0;
  if (bytes !== 0 && !isRight) return;
  segment.fastOpenPtr = u32(at + OPTION_HEADER_BYTES);
  segment.fastOpenBytes = bytes;
  segment.options |= SEGMENT_OPTION_FAST_OPEN;
}

/** Reads one option that we know, or skips it. @returns False if its length is not the one its kind has. */
function readOption(at: usize, kind: u32, length: u32, segment: Segment): bool {
  switch (kind) {
    case KIND_MSS: {
      if (length !== MSS_BYTES) return false;
      segment.mss = load16(at + 2);
      segment.options |= SEGMENT_OPTION_MSS;
      return true;
    }
    case KIND_WINDOW_SCALE: {
      if (length !== WINDOW_SCALE_BYTES) return false;
      const shift = u32(load<u8>(at + 2));
      segment.windowScale = shift < WINDOW_SCALE_MAX ? shift : WINDOW_SCALE_MAX;
      segment.options |= SEGMENT_OPTION_WINDOW_SCALE;
      return true;
    }
    case KIND_SACK_PERMITTED: {
      if (length !== SACK_PERMITTED_BYTES) return false;
      segment.options |= SEGMENT_OPTION_SACK_PERMITTED;
      return true;
    }
    case KIND_SACK:
      return readSack(at, length, segment);
    case KIND_TIMESTAMPS: {
      if (length !== TIMESTAMPS_BYTES) return false;
      readTimestamps(at, segment);
      return true;
    }
    case KIND_FAST_OPEN: {
      readFastOpen(at, length - OPTION_HEADER_BYTES, segment);
      return true;
    }
    case KIND_USER_TIMEOUT: {
      // Advice, and one that can not be is none: it never costs the segment.
      if (length !== USER_TIMEOUT_BYTES) return true;
      segment.userTimeout = load16(at + 2);
      segment.options |= SEGMENT_OPTION_USER_TIMEOUT;
      return true;
    }
    // Unknown options are skipped by their length. RFC 9293 section 3.2, MUST-6.
    default:
      return true;
  }
}

/**
 * Reads the options of a segment; of a kind that comes twice the last counts.
 *
 * @param ptr Where they begin.
 * @param bytes How long they are, at most TCP_OPTIONS_MAX_BYTES.
 * @param segment Its option fields are set; those of absent options are 0, but the edges of absent SACK blocks stay.
 * @returns False if a length can not be: the segment is to be dropped. RFC 9293 section 3.2, MUST-7.
 */
export function parseTcpOptions(ptr: usize, bytes: u32, segment: Segment): bool {
  segment.options = 0;
  segment.mss = 0;
  segment.windowScale = 0;
  segment.tsVal = 0;
  segment.tsEcr = 0;
  segment.sackCount = 0;
  if (bytes === ALIGNED_TIMESTAMPS_BYTES && load32(ptr) === ALIGNED_TIMESTAMPS) {
    readTimestamps(ptr + OPTION_HEADER_BYTES, segment);
    return true;
  }
  const end = ptr + bytes;
  let at = ptr;
  while (at < end) {
    const kind = u32(load<u8>(at));
    if (kind === KIND_END) return true;
    if (kind === KIND_NOP) {
      at++;
      continue;
    }
    const room = u32(end - at);
    if (room < OPTION_HEADER_BYTES) return false;
    const length = u32(load<u8>(at + 1));
    if (length < OPTION_HEADER_BYTES || length > room) return false;
    if (!readOption(at, kind, length, segment)) return false;
    at += length;
  }
  return true;
}

function writeHeader(ptr: usize, kind: u32, length: u32): void {
  store16(ptr, (kind << 8) | length);
}

/** Writes an end of the option list, 1 byte. RFC 9293 section 3.2. @returns Where the next byte goes. */
export function writeEnd(ptr: usize): usize {
  store<u8>(ptr, u8(KIND_END));
  return ptr + 1;
}

/** Writes a NOP, 1 byte. @returns Where the next option goes. */
export function writeNop(ptr: usize): usize {
  store<u8>(ptr, u8(KIND_NOP));
  return ptr + 1;
}

/** Writes MSS, 4 bytes. @param mss At most 65535. @returns Where the next option goes. */
export function writeMss(ptr: usize, mss: u32): usize {
  writeHeader(ptr, KIND_MSS, MSS_BYTES);
  store16(ptr + 2, mss);
  return ptr + MSS_BYTES;
}

/** Writes a window scale, 3 bytes. @param shift At most 14. @returns Where the next option goes. */
export function writeWindowScale(ptr: usize, shift: u32): usize {
  writeHeader(ptr, KIND_WINDOW_SCALE, WINDOW_SCALE_BYTES);
  store<u8>(ptr, u8(shift), 2);
  return ptr + WINDOW_SCALE_BYTES;
}

/** Writes SACK-permitted, 2 bytes. @returns Where the next option goes. */
export function writeSackPermitted(ptr: usize): usize {
  writeHeader(ptr, KIND_SACK_PERMITTED, SACK_PERMITTED_BYTES);
  return ptr + SACK_PERMITTED_BYTES;
}

/** Writes timestamps, 10 bytes. @param val TSval. @param ecr TSecr. @returns Where the next option goes. */
export function writeTimestamps(ptr: usize, val: u32, ecr: u32): usize {
  writeHeader(ptr, KIND_TIMESTAMPS, TIMESTAMPS_BYTES);
  store32(ptr + 2, val);
  store32(ptr + 6, ecr);
  return ptr + TIMESTAMPS_BYTES;
}

/**
 * Writes timestamps behind two NOPs, 12 bytes in whole words: what every segment carries, and the checksum reads it back
 * at once. RFC 7323 appendix A.
 */
export function writeAlignedTimestamps(ptr: usize, val: u32, ecr: u32): usize {
  store32(ptr, ALIGNED_TIMESTAMPS);
  store32(ptr + 4, val);
  store32(ptr + 8, ecr);
  return ptr + ALIGNED_TIMESTAMPS_BYTES;
}

/** Writes a user timeout, 4 bytes. @param value Granularity bit and 15 bits. @returns Where the next option goes. */
export function writeUserTimeout(ptr: usize, value: u32): usize {
  writeHeader(ptr, KIND_USER_TIMEOUT, USER_TIMEOUT_BYTES);
  store16(ptr + 2, value);
  return ptr + USER_TIMEOUT_BYTES;
}

/** Writes a Fast Open option. @param a First half of the cookie. @param bytes Of it; 0 is a request. @returns Where the next option goes. */
export function writeFastOpen(ptr: usize, a: u64, b: u64, bytes: u32): usize {
  writeHeader(ptr, KIND_FAST_OPEN, OPTION_HEADER_BYTES + bytes);
  const cookie = ptr + OPTION_HEADER_BYTES;
  for (let i: u32 = 0; i < bytes; i++) {
    store<u8>(cookie + i, u8((i < 8 ? a : b) >> (u64(i & 7) << 3)));
  }
  return cookie + bytes;
}

/** Writes kind and length of SACK, 2 bytes. @param count Blocks that follow, 1 to 4. @returns Where the first goes. */
export function writeSackHeader(ptr: usize, count: u32): usize {
  writeHeader(ptr, KIND_SACK, OPTION_HEADER_BYTES + (count * SACK_BLOCK_BYTES));
  return ptr + OPTION_HEADER_BYTES;
}

/** Writes one SACK block, 8 bytes: [start, end). @returns Where the next one goes. */
export function writeSackBlock(ptr: usize, start: u32, end: u32): usize {
  store32(ptr, start);
  store32(ptr + 4, end);
  return ptr + SACK_BLOCK_BYTES;
}

/** TCP headers: checked before anything in them is believed, and written. RFC 9293 section 3.1. */
import { load16, load32, store32 } from "../bytes.ts";
import { segmentSum } from "../checksum.ts";
import {
  Segment,
  STAT_DROP_TCP_CHECKSUM,
  STAT_DROP_TCP_HEADER,
  STAT_DROP_TCP_OPTION,
  TCP_HEADER_BYTES,
} from "../layout.gen.ts";
import { parseTcpOptions } from "./tcp_options.ts";

/** A header without options, bytes. */
const HEADER_BYTES: u32 = TCP_HEADER_BYTES;
/** TCP's flags, as bits of the header's 14th byte. RFC 9293 section 3.1. */
export const TCP_FIN: u32 = 1;
export const TCP_SYN: u32 = 2;
export const TCP_RST: u32 = 4;
export const TCP_PSH: u32 = 8;
export const TCP_ACK: u32 = 16;
export const TCP_URG: u32 = 32;
/** ECN-Echo and Congestion Window Reduced. RFC 3168 section 6.1. */
export const TCP_ECE: u32 = 64;
export const TCP_CWR: u32 = 128;
/** Offsets of the header's fields, bytes. */
const DESTINATION_AT: usize = 2;
const SEQ_AT: usize = 4;
const ACK_AT: usize = 8;
const DATA_OFFSET_AT: usize = 12;
const FLAGS_AT: usize = 13;
const WINDOW_AT: usize = 14;
const CHECKSUM_AT: usize = 16;
const URGENT_AT: usize = 18;
const PROTOCOL_TCP: u32 = 6;
/** What a sum is that holds its own right checksum. RFC 1071 section 1. */
const SUM_OF_RIGHT: u32 = 0xffff;

/** A refusal, as the parsers return it. */
function drop(stat: i32): i32 {
  return -stat - 1;
}

/** Bytes of the header with options, as it says; at most 60, and below 20 it lies. */
function headerBytesOf(tcp: usize): u32 {
  return (u32(load<u8>(tcp + DATA_OFFSET_AT)) >> 4) << 2;
}

/** Is the checksum right? @param segment Its addresses are those of the packet. */
function isChecksumRight(tcp: usize, bytes: u32, segment: Segment): bool {
  return segmentSum(
    tcp,
    bytes,
    segment.remoteAddrA,
    segment.remoteAddrB,
    segment.localAddrA,
    segment.localAddrB,
    PROTOCOL_TCP,
  ) === SUM_OF_RIGHT;
}

/**
 * Checks a segment and takes all that is in it.
 *
 * @param tcp Where the header begins.
 * @param bytes Header and text, by the IP header's length.
 * @param segment Its addresses are set already; every TCP field is set, and no answer is marked.
 * @returns 0; or -STAT_DROP_… - 1, and then the TCP fields mean nothing.
 */
export function parseTcp(tcp: usize, bytes: u32, segment: Segment): i32 {
  if (bytes < HEADER_BYTES) return drop(STAT_DROP_TCP_HEADER);
  const headerBytes = headerBytesOf(tcp);
  if (headerBytes < HEADER_BYTES || headerBytes > bytes) return drop(STAT_DROP_TCP_HEADER);
  // RFC 9293 section 3.1, MUST-3: the receiver must check the checksum.
  if (!isChecksumRight(tcp, bytes, segment)) return drop(STAT_DROP_TCP_CHECKSUM);
  return takeTcp(tcp, bytes, segment);
}

/**
 * As `parseTcp`, for a segment whose checksum need not be checked: an offload link we trust says that it was, or that
 * it is still to be completed.
 *
 * @returns 0; or -STAT_DROP_… - 1, and then the TCP fields mean nothing.
 */
export function parseTcpUnchecked(tcp: usize, bytes: u32, segment: Segment): i32 {
  if (bytes < HEADER_BYTES) return drop(STAT_DROP_TCP_HEADER);
  const headerBytes = headerBytesOf(tcp);
  if (headerBytes < HEADER_BYTES || headerBytes > bytes) return drop(STAT_DROP_TCP_HEADER);
  return takeTcp(tcp, bytes, segment);
}

/** Takes what a header says whose length was checked. */
function takeTcp(tcp: usize, bytes: u32, segment: Segment): i32 {
  const headerBytes = headerBytesOf(tcp);
  const options = tcp + HEADER_BYTES;
  if (!parseTcpOptions(options, headerBytes - HEADER_BYTES, segment)) {
    return drop(STAT_DROP_TCP_OPTION);
  }
  const flags = u32(load<u8>(tcp + FLAGS_AT));
  const textBytes = bytes - headerBytes;
  segment.localPort = u16(load16(tcp + DESTINATION_AT));
  segment.remotePort = u16(load16(tcp));
  segment.seq = load32(tcp + SEQ_AT);
  segment.ack = load32(tcp + ACK_AT);
  segment.flags = flags;
  segment.wnd = load16(tcp + WINDOW_AT);
  segment.urgent = load16(tcp + URGENT_AT);
  segment.textPtr = u32(tcp + headerBytes);
  segment.textBytes = textBytes;
  // SEG.LEN counts SYN and FIN. RFC 9293 section 3.4.
  segment.len = textBytes + u32((flags & TCP_SYN) !== 0) + u32((flags & TCP_FIN) !== 0);
  segment.headerBytes = u16(headerBytes);
  segment.answer = 0;
  return 0;
}

/**
 * Writes a header; its checksum field is 0, for the caller to fill in when the text is summed.
 *
 * @param ptr Room for TCP_HEADER_BYTES.
 * @param sourcePort Host order.
 * @param destinationPort Host order.
 * @param seq SEG.SEQ.
 * @param ack SEG.ACK.
 * @param dataOffsetBytes Header with options, a multiple of 4, 20 to 60.
 * @param flags Flags byte.
 * @param wnd16 SEG.WND as on the wire.
 * @param urgent SEG.UP.
 */
export function writeTcp(
  ptr: usize,
  sourcePort: u32,
  destinationPort: u32,
  seq: u32,
  ack: u32,
  dataOffsetBytes: u32,
  flags: u32,
  wnd16: u32,
  urgent: u32,
): void {
  assert((dataOffsetBytes & 3) === 0 && dataOffsetBytes <= 60, "a TCP header is 20 to 60 bytes");
  // Whole words, because the checksum reads them back at once.
  store32(ptr, ((sourcePort & 0xffff) << 16) | (destinationPort & 0xffff));
  store32(ptr + SEQ_AT, seq);
  store32(ptr + ACK_AT, ack);
  store32(
    ptr + DATA_OFFSET_AT,
    (dataOffsetBytes << 26) | ((flags & 0xff) << 16) | (wnd16 & 0xffff),
  );
  store32(ptr + CHECKSUM_AT, urgent & 0xffff);
}

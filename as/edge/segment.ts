/**
 * Segmentation in software: a super-segment becomes the segments that it stands for, each with a checksum of its own. What
 * Linux calls GSO; RFC 9293 has no word for it, since on the wire nothing is to be seen of it.
 *
 * The headers are those of the super-segment but for what differs from segment to segment: lengths, IPv4's identification,
 * SEG.SEQ, PSH and FIN (the last one's), CWR (the first one's, RFC 3168 section 6.1.2), the urgent pointer, the checksums.
 */
import { load16, load32, store16, store32 } from "../bytes.ts";
import { checksum, copySum, fold, sum } from "../checksum.ts";
import {
  IPV6_HEADER_BYTES,
  OFFLOAD_CHECKSUM,
  RECORD_HEADER_BYTES,
  VNET_FLAG_NEEDS_CSUM,
  VNET_GSO_ECN,
  VNET_GSO_TCPV6,
} from "../layout.gen.ts";
import {
  findTcp,
  IP_AT,
  isV6,
  OFFSET_AND_FLAGS_AT,
  pseudoSumOf,
  tcpAt,
  textAt,
  textBytes,
} from "./frame.ts";
import {
  csumOffsetOf,
  csumStartOf,
  flagsOf,
  GSO_SIZE_MIN,
  gsoSizeOf,
  gsoTypeOf,
  TCP_CHECKSUM_AT,
  writePartial,
  writePlain,
} from "./record.ts";
import { COUNT_SEGMENTS, tally, toBits } from "./regions.ts";

/** Fields of the headers. RFC 791 section 3.1, RFC 8200 section 3, RFC 9293 section 3.1. */
const IPV4_TOTAL_AT: usize = 2;
const IPV4_IDENTIFICATION_AT: usize = 4;
const IPV4_CHECKSUM_AT: usize = 10;
const IPV6_PAYLOAD_AT: usize = 4;
const SEQ_AT: usize = 4;
const URGENT_AT: usize = 18;
const FLAG_FIN: u32 = 0x01;
const FLAG_SYN: u32 = 0x02;
const FLAG_RST: u32 = 0x04;
const FLAG_PSH: u32 = 0x08;
const FLAG_URG: u32 = 0x20;
const FLAG_CWR: u32 = 0x80;

/** What `segmentSome` says when a segment does not fit: `written` has those that did. */
export const SEGMENTS_FULL: i32 = 0;
export const SEGMENTS_DONE: i32 = 1;
export const SEGMENTS_REFUSED: i32 = -1;

/** Text of the running super-segment that is out already, bytes. */
let textDone: u32 = 0;
/** Sum of what the segments' IPv4 headers have in common. */
let ipSum: u32 = 0;
/** Sum of what their TCP and pseudo headers have in common. */
let tcpSum: u32 = 0;

/** Forgets a super-segment that was begun. */
export function forgetSegments(): void {
  textDone = 0;
}

/** The sum without a word that it has: one's complement subtracts by adding the complement. RFC 1624 section 3. */
function without(s: u32, word: u32): u32 {
  return fold(s + (~word & 0xffff));
}

/**
 * Is it a super-segment that can be taken apart? A wrong checksum must not become many right ones, so a complete one is
 * verified first.
 */
function isWhole(record: usize, frame: usize, bytes: u32): bool {
  if (!findTcp(frame, bytes)) return false;
  if (isV6 !== ((gsoTypeOf(record) & ~VNET_GSO_ECN) === VNET_GSO_TCPV6)) return false;
  const gsoSize = gsoSizeOf(record);
  if (gsoSize < GSO_SIZE_MIN || gsoSize > textBytes) return false;
  const flags = load16(frame + tcpAt + OFFSET_AND_FLAGS_AT);
  if ((flags & (FLAG_SYN | FLAG_RST)) !== 0) return false;
  if ((flagsOf(record) & VNET_FLAG_NEEDS_CSUM) !== 0) {
    return csumStartOf(record) === tcpAt && csumOffsetOf(record) === TCP_CHECKSUM_AT;
  }
  if (flagsOf(record) !== 0 || textDone > 0) return true;
  const segmentBytes = textAt - tcpAt + textBytes;
  return sum(frame + tcpAt, segmentBytes, pseudoSumOf(frame, segmentBytes)) === 0xffff;
}

/** Adds up what does not change from segment to segment. */
function prepareSums(frame: usize): void {
  const tcp = frame + tcpAt;
  let s = sum(tcp, textAt - tcpAt, pseudoSumOf(frame, 0));
  s = without(s, load16(tcp + SEQ_AT));
  s = without(s, load16(tcp + SEQ_AT + 2));
  s = without(s, load16(tcp + OFFSET_AND_FLAGS_AT));
  s = without(s, load16(tcp + TCP_CHECKSUM_AT));
  tcpSum = without(s, load16(tcp + URGENT_AT));
  if (isV6) return;
  const packet = frame + IP_AT;
  s = ~checksum(packet, tcpAt - IP_AT) & 0xffff;
  s = without(s, load16(packet + IPV4_TOTAL_AT));
  s = without(s, load16(packet + IPV4_IDENTIFICATION_AT));
  ipSum = without(s, load16(packet + IPV4_CHECKSUM_AT));
}

/** Writes what differs in the IP header. @param index Which segment, from 0. */
function writeIp(from: usize, packet: usize, bytes: u32, index: u32): void {
  if (isV6) {
    store16(packet + IPV6_PAYLOAD_AT, bytes - IPV6_HEADER_BYTES);
    return;
  }
  const identification = (load16(from + IPV4_IDENTIFICATION_AT) + index) & 0xffff;
  store16(packet + IPV4_TOTAL_AT, bytes);
  store16(packet + IPV4_IDENTIFICATION_AT, identification);
  store16(packet + IPV4_CHECKSUM_AT, ~fold(ipSum + bytes + identification) & 0xffff);
}

/** Flags of a segment whose text begins at `textDone` and is `pieceBytes` long. */
function flagsOfPiece(word: u32, pieceBytes: u32): u32 {
  if (textDone + pieceBytes < textBytes) word &= ~(FLAG_FIN | FLAG_PSH);
  if (textDone > 0) word &= ~FLAG_CWR;
  return word;
}

/** Writes one segment. @param frame The super-segment. @param record Where its record goes. */
function writeSegment(
  frame: usize,
  record: usize,
  pieceBytes: u32,
  index: u32,
  partial: bool,
): void {
  const out = record + RECORD_HEADER_BYTES;
  writePlain(record, textAt + pieceBytes, 0);
  memory.copy(out, frame, textAt);
  writeIp(frame + IP_AT, out + IP_AT, textAt - IP_AT + pieceBytes, index);
  const tcp = out + tcpAt;
  const seq = load32(frame + tcpAt + SEQ_AT) + textDone;
  let word = flagsOfPiece(load16(frame + tcpAt + OFFSET_AND_FLAGS_AT), pieceBytes);
  let urgent = load16(frame + tcpAt + URGENT_AT);
  // The pointer counts from SEG.SEQ, and what it points to may lie before. RFC 9293 section 3.8.5.
  if ((word & FLAG_URG) !== 0 && textDone > 0) {
    if (urgent <= textDone) word &= ~FLAG_URG;
    urgent = urgent <= textDone ? 0 : urgent - textDone;
  }
  store32(tcp + SEQ_AT, seq);
  store16(tcp + OFFSET_AND_FLAGS_AT, word);
  store16(tcp + URGENT_AT, urgent);
  const segmentBytes = textAt - tcpAt + pieceBytes;
  const text = frame + textAt + textDone;
  if (partial) {
    memory.copy(out + textAt, text, pieceBytes);
    store16(tcp + TCP_CHECKSUM_AT, pseudoSumOf(frame, segmentBytes));
    writePartial(record, tcpAt);
    return;
  }
  const s = tcpSum + (seq >> 16) + (seq & 0xffff) + word + urgent + segmentBytes;
  store16(tcp + TCP_CHECKSUM_AT, ~copySum(out + textAt, text, pieceBytes, s) & 0xffff);
}

/** Where the last call of `segmentSome` stopped writing. */
export let written: usize = 0;

/**
 * Writes segments of a super-segment from where the last call stopped.
 *
 * @param record Its record.
 * @param bytes Of its frame.
 * @param out Where the next record goes.
 * @param end Where the room ends.
 * @returns One of SEGMENTS; `written` is where the next record goes.
 */
export function segmentSome(record: usize, bytes: u32, out: usize, end: usize): i32 {
  const frame = record + RECORD_HEADER_BYTES;
  written = out;
  if (!isWhole(record, frame, bytes)) return SEGMENTS_REFUSED;
  prepareSums(frame);
  const gsoSize = gsoSizeOf(record);
  const partial = (flagsOf(record) & VNET_FLAG_NEEDS_CSUM & toBits & OFFLOAD_CHECKSUM) !== 0;
  let index = textDone / gsoSize;
  while (textDone < textBytes) {
    const rest = textBytes - textDone;
    const piece = rest < gsoSize ? rest : gsoSize;
    const recordBytes = RECORD_HEADER_BYTES + textAt + piece;
    if (recordBytes > u32(end - written)) return SEGMENTS_FULL;
    writeSegment(frame, written, piece, index++, partial);
    written += recordBytes;
    textDone += piece;
    tally(COUNT_SEGMENTS);
  }
  return SEGMENTS_DONE;
}

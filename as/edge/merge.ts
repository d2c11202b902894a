/**
 * Merging: segments of one flow that follow each other in a batch become one super-segment. What Linux calls GRO. Nothing
 * is merged that could not be taken apart again into just what came: only ACK and PSH, equal headers, text without a gap,
 * equal sizes but for a smaller last one. All other frames pass unchanged, and the order within a flow stays.
 *
 * A batch is walked twice: first each record is put down as it is, or joins a run; then the records are written, each run
 * where its first segment stood. So flows whose segments alternate merge too, and every text is copied once.
 */
import { load16, load32, store16 } from "../bytes.ts";
import { checksum, copySumAt, sum, update16 } from "../checksum.ts";
import {
  BATCH_BYTES,
  IPV4_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  OFFLOAD_CHECKSUM,
  OFFLOAD_TCP4,
  OFFLOAD_TCP6,
  RECORD_HEADER_BYTES,
  VNET_FLAG_NEEDS_CSUM,
  VNET_GSO_TCPV4,
  VNET_GSO_TCPV6,
} from "../layout.gen.ts";
import {
  findTcp,
  IP_AT,
  IPV4_SOURCE_AT,
  IPV6_SOURCE_AT,
  isV6,
  OFFSET_AND_FLAGS_AT,
  pseudoSumOf,
  tcpAt,
  textAt,
  textBytes,
} from "./frame.ts";
import {
  bitsNeeded,
  csumOffsetOf,
  csumStartOf,
  flagsOf,
  frameBytes,
  GSO_SIZE_MIN,
  gsoTypeOf,
  setVerified,
  TCP_CHECKSUM_AT,
  writeGso,
  writePartial,
  writePlain,
} from "./record.ts";
import {
  COUNT_DROPPED,
  COUNT_JOINED,
  COUNT_MERGED,
  fromBits,
  INPUT,
  OUTPUT,
  tally,
  toBits,
} from "./regions.ts";

/** Fields of the headers. RFC 791 section 3.1, RFC 8200 section 3, RFC 9293 section 3.1. */
const IPV4_TOTAL_AT: usize = 2;
const IPV4_IDENTIFICATION_AT: usize = 4;
const IPV4_FRAGMENT_AT: usize = 6;
const IPV4_TTL_AT: usize = 8;
const IPV4_CHECKSUM_AT: usize = 10;
const IPV6_PAYLOAD_AT: usize = 4;
const IPV6_HOP_LIMIT_AT: usize = 7;
const SEQ_AT: usize = 4;
const ACK_AT: usize = 8;
const WINDOW_AT: usize = 14;
const URGENT_AT: usize = 18;
const OPTIONS_AT: usize = 20;
/** Second byte of the IPv4 header. */
const TOS_AT: usize = 1;
/** Don't Fragment. */
const FLAG_DF: u32 = 0x4000;
const FLAG_ACK: u32 = 0x10;
const FLAG_PSH: u32 = 0x08;
/** Everything beside the length in those 16 bits, reserved bits too. */
const FLAGS_MASK: u32 = 0xfff;
/** Largest IP packet, bytes: what a length field of 16 bits can say. */
const PACKET_MAX_BYTES: u32 = 65535;
/** Without options and extension headers TCP stands here, bytes of the frame. */
const TCP_AT_V4: u32 = IP_AT + IPV4_HEADER_BYTES;
const TCP_AT_V6: u32 = IP_AT + IPV6_HEADER_BYTES;

/** Records of a batch that are looked at together; a batch has more only if they are tiny. */
const ENTRIES_MAX: u32 = 2048;
/** Bytes of an entry, and its fields. */
const ENTRY_BYTES: u32 = 32;
const ENTRIES: usize = memory.data(65536, 16);
/** Where its record begins in the input. */
const AT: usize = 0;
/** One of KIND. */
const KIND: usize = 4;
/** Whether its checksum was verified here. */
const VERIFIED: usize = 5;
/** Of a run's entries: the one behind it, plus 1; 0 = the last. */
const NEXT: usize = 8;
/** Of a run's first entry: the last one. */
const TAIL: usize = 12;
/** Its text, bytes; of a run's first entry that of the whole run. */
const TEXT: usize = 16;
/** Of a run's first entry: its own text. */
const SIZE: usize = 20;
/** Of a run's first entry: how many there are. */
const SEGMENTS: usize = 24;
/** Where its text begins, bytes of the frame. */
const TEXT_AT: usize = 28;

/** Unless it is one of these, an entry is written where it stands. It stands in the run of another entry. */
const KIND_JOINED: u32 = 1;
/** It asks for what was not agreed on. */
const KIND_REFUSED: u32 = 2;

/** Runs that may still grow, by their flow's hash: entry plus 1; 0 = none. Two flows of one hash end each other's runs. */
const FLOWS: u32 = 64;
const FLOW_SHIFT: u32 = 26;
const FLOW_TABLE: usize = memory.data(256, 16);
/** Knuth's multiplicative hashing: 2^32 divided by the golden ratio. */
const GOLDEN: u32 = 0x9e3779b9;

function entryAt(index: u32): usize {
  return ENTRIES + usize(index * ENTRY_BYTES);
}

function frameOf(entry: usize): usize {
  return INPUT + usize(load<u32>(entry, AT)) + RECORD_HEADER_BYTES;
}

/** Where in the table the flow of the frame that was found stands. */
function flowPlace(frame: usize): usize {
  // The last words of both addresses, and both ports.
  const last = isV6 ? frame + TCP_AT_V6 - 4 : frame + IP_AT + IPV4_SOURCE_AT;
  const first = isV6 ? last - 16 : last + 4;
  const mixed = (load<u32>(last) ^ (load<u32>(first) << 1) ^ load<u32>(frame + tcpAt)) * GOLDEN;
  return FLOW_TABLE + (usize(mixed >> FLOW_SHIFT) << 2);
}

/** Has the frame that was found the addresses and ports of a run's first frame? */
function isSameFlow(head: usize, frame: usize): bool {
  // Destination and source MAC and the EtherType: 14 bytes in two words that overlap.
  if (load<u64>(head) !== load<u64>(frame) || load<u64>(head, 6) !== load<u64>(frame, 6)) {
    return false;
  }
  const a = head + IP_AT;
  const b = frame + IP_AT;
  if (!isV6) {
    return load<u64>(a, IPV4_SOURCE_AT) === load<u64>(b, IPV4_SOURCE_AT) &&
      load<u32>(head + TCP_AT_V4) === load<u32>(frame + tcpAt);
  }
  return v128.all_true<i8>(i8x16.eq(v128.load(a, IPV6_SOURCE_AT), v128.load(b, IPV6_SOURCE_AT))) &&
    v128.all_true<i8>(
      i8x16.eq(v128.load(a, IPV6_SOURCE_AT + 16), v128.load(b, IPV6_SOURCE_AT + 16)),
    ) && load<u32>(head + TCP_AT_V6) === load<u32>(frame + tcpAt);
}

/** Could the frame that was found stand in a run at all? */
function isCandidate(record: usize, frame: usize): bool {
  if (gsoTypeOf(record) !== 0 || textBytes === 0) return false;
  if (isV6) {
    if (tcpAt !== TCP_AT_V6 || (toBits & OFFLOAD_TCP6) === 0) return false;
  } else {
    if (tcpAt !== TCP_AT_V4 || (toBits & OFFLOAD_TCP4) === 0) return false;
    if (checksum(frame + IP_AT, IPV4_HEADER_BYTES) !== 0) return false;
  }
  const flags = load16(frame + tcpAt + OFFSET_AND_FLAGS_AT) & FLAGS_MASK;
  return (flags & ~FLAG_PSH) === FLAG_ACK;
}

/** Is the checksum right, or vouched for by a link that may do so? */
function isVerified(record: usize, frame: usize, entry: usize): bool {
  const vouched = flagsOf(record);
  if ((vouched & VNET_FLAG_NEEDS_CSUM) !== 0) {
    return csumStartOf(record) === tcpAt && csumOffsetOf(record) === TCP_CHECKSUM_AT;
  }
  if (vouched !== 0) return true;
  const bytes = textAt - tcpAt + textBytes;
  if (sum(frame + tcpAt, bytes, pseudoSumOf(frame, bytes)) !== 0xffff) return false;
  store<u8>(entry, 1, VERIFIED);
  return true;
}

/** Do the IP headers differ in nothing but lengths and what counts the packets? @param segments Of the run so far. */
function areIpAlike(head: usize, frame: usize, segments: u32): bool {
  const a = head + IP_AT;
  const b = frame + IP_AT;
  if (isV6) {
    return load<u32>(a) === load<u32>(b) &&
      load<u8>(a, IPV6_HOP_LIMIT_AT) === load<u8>(b, IPV6_HOP_LIMIT_AT);
  }
  if (load<u8>(a, TOS_AT) !== load<u8>(b, TOS_AT)) return false;
  if (load<u16>(a, IPV4_FRAGMENT_AT) !== load<u16>(b, IPV4_FRAGMENT_AT)) return false;
  if (load<u8>(a, IPV4_TTL_AT) !== load<u8>(b, IPV4_TTL_AT)) return false;
  // The identification of an atomic packet says nothing. RFC 6864 section 4.1.
  if ((load16(a + IPV4_FRAGMENT_AT) & FLAG_DF) !== 0) return true;
  const expected = load16(a + IPV4_IDENTIFICATION_AT) + segments;
  return load16(b + IPV4_IDENTIFICATION_AT) === (expected & 0xffff);
}

/** Do the TCP headers differ in nothing but SEG.SEQ and PSH? @param headerBytes Of both. */
function areTcpAlike(a: usize, b: usize, headerBytes: u32): bool {
  if (load<u32>(a, ACK_AT) !== load<u32>(b, ACK_AT)) return false;
  if (load<u16>(a, WINDOW_AT) !== load<u16>(b, WINDOW_AT)) return false;
  if (load<u16>(a, URGENT_AT) !== load<u16>(b, URGENT_AT)) return false;
  for (let at = OPTIONS_AT; at < headerBytes; at += 4) {
    if (load<u32>(a + at) !== load<u32>(b + at)) return false;
  }
  return true;
}

/** Does the frame that was found go on where a run ends? */
function continues(head: usize, frame: usize): bool {
  const headFrame = frameOf(head);
  const text = load<u32>(head, TEXT);
  if (load<u32>(head, TEXT_AT) !== textAt || textBytes > load<u32>(head, SIZE)) return false;
  if (textAt - IP_AT + text + textBytes > PACKET_MAX_BYTES) return false;
  const a = headFrame + tcpAt;
  const b = frame + tcpAt;
  if (load32(b + SEQ_AT) !== load32(a + SEQ_AT) + text) return false;
  return areIpAlike(headFrame, frame, load<u32>(head, SEGMENTS)) &&
    areTcpAlike(a, b, textAt - tcpAt);
}

/** Puts an entry at the end of a run. */
function join(head: usize, entry: usize, index: u32): void {
  const tail = load<u32>(head, SEGMENTS) === 1 ? head : entryAt(load<u32>(head, TAIL));
  store<u32>(tail, index + 1, NEXT);
  store<u32>(head, index, TAIL);
  store<u32>(head, load<u32>(head, TEXT) + textBytes, TEXT);
  store<u32>(head, load<u32>(head, SEGMENTS) + 1, SEGMENTS);
  store<u8>(entry, u8(KIND_JOINED), KIND);
  tally(COUNT_JOINED);
}

/** Puts a record down: refused, joined, or alone; and whether it begins a run. */
function note(index: u32, record: usize, bytes: u32): void {
  const entry = entryAt(index);
  const frame = record + RECORD_HEADER_BYTES;
  store<u32>(entry, u32(record - INPUT), AT);
  // All that it has of its own kind, and NEXT.
  store<u64>(entry, 0, KIND);
  if ((bitsNeeded(record) & ~fromBits) !== 0) {
    store<u8>(entry, u8(KIND_REFUSED), KIND);
    return;
  }
  if (!findTcp(frame, bytes)) return;
  const place = flowPlace(frame);
  const open = load<u32>(place);
  const head = entryAt(open === 0 ? 0 : open - 1);
  const isSame = open !== 0 && isSameFlow(frameOf(head), frame);
  // Whatever else of the flow comes ends its run, so that nothing overtakes it.
  if (!isCandidate(record, frame) || !isVerified(record, frame, entry)) {
    if (isSame) store<u32>(place, 0);
    return;
  }
  const isPushed = (load16(frame + tcpAt + OFFSET_AND_FLAGS_AT) & FLAG_PSH) !== 0;
  store<u32>(entry, textBytes, TEXT);
  if (isSame && continues(head, frame)) {
    join(head, entry, index);
    if (isPushed || textBytes < load<u32>(head, SIZE)) store<u32>(place, 0);
    return;
  }
  store<u32>(entry, textBytes, SIZE);
  store<u32>(entry, 1, SEGMENTS);
  store<u32>(entry, textAt, TEXT_AT);
  const canGrow = !isPushed && textBytes >= GSO_SIZE_MIN;
  if (canGrow) store<u32>(place, index + 1);
  else if (isSame) store<u32>(place, 0);
}

/** Copies the texts of a run, one behind the other. @returns Their sum, if it is wanted. */
function copyTexts(head: usize, out: usize, isSummed: bool, initial: u32): u32 {
  const at = usize(load<u32>(head, TEXT_AT));
  let total = initial;
  let done: u32 = 0;
  let entry = head;
  let bytes = load<u32>(head, SIZE);
  for (let left = load<u32>(head, SEGMENTS); left > 0; left--) {
    const text = frameOf(entry) + at;
    if (isSummed) total = copySumAt(out + done, text, bytes, total, done);
    else memory.copy(out + done, text, bytes);
    done += bytes;
    if (left === 1) break;
    entry = entryAt(load<u32>(entry, NEXT) - 1);
    bytes = load<u32>(entry, TEXT);
  }
  return total;
}

/** Writes a run as one super-segment. @returns Bytes of its record. */
function writeRun(head: usize, out: usize): u32 {
  const at = load<u32>(head, TEXT_AT);
  const text = load<u32>(head, TEXT);
  const from = frameOf(head);
  const frame = out + RECORD_HEADER_BYTES;
  const isPartial = (toBits & OFFLOAD_CHECKSUM) !== 0;
  // The variables are those of another frame by now.
  findTcp(from, at + load<u32>(head, SIZE));
  memory.copy(frame, from, at);
  writePlain(out, at + text, 0);
  writeGso(out, isV6 ? VNET_GSO_TCPV6 : VNET_GSO_TCPV4, at, load<u32>(head, SIZE));
  const packet = frame + IP_AT;
  if (isV6) store16(packet + IPV6_PAYLOAD_AT, at - TCP_AT_V6 + text);
  else {
    const total = at - IP_AT + text;
    const check = update16(
      load16(packet + IPV4_CHECKSUM_AT),
      load16(packet + IPV4_TOTAL_AT),
      total,
    );
    store16(packet + IPV4_CHECKSUM_AT, check);
    store16(packet + IPV4_TOTAL_AT, total);
  }
  const tcp = frame + tcpAt;
  const last = frameOf(entryAt(load<u32>(head, TAIL))) + tcpAt;
  store<u16>(tcp, load<u16>(last, OFFSET_AND_FLAGS_AT), OFFSET_AND_FLAGS_AT);
  const pseudo = pseudoSumOf(frame, at - tcpAt + text);
  store16(tcp + TCP_CHECKSUM_AT, isPartial ? pseudo : 0);
  const s = isPartial ? 0 : sum(tcp, at - tcpAt, pseudo);
  const check = ~copyTexts(head, frame + at, !isPartial, s) & 0xffff;
  if (isPartial) writePartial(out, tcpAt);
  else store16(tcp + TCP_CHECKSUM_AT, check);
  tally(COUNT_MERGED);
  return RECORD_HEADER_BYTES + at + text;
}

/** Writes an entry, unless another one has it. @returns Bytes written. */
function writeEntry(entry: usize, out: usize): u32 {
  const kind = u32(load<u8>(entry, KIND));
  if (kind === KIND_JOINED) return 0;
  if (kind === KIND_REFUSED) {
    tally(COUNT_DROPPED);
    return 0;
  }
  const record = INPUT + usize(load<u32>(entry, AT));
  if (load<u32>(entry, NEXT) !== 0) return writeRun(entry, out);
  const recordBytes = 4 + load<u32>(record);
  memory.copy(out, record, recordBytes);
  const isNew = load<u8>(entry, VERIFIED) !== 0 && (toBits & OFFLOAD_CHECKSUM) !== 0;
  if (isNew) setVerified(out);
  return recordBytes;
}

/**
 * Merges a batch at INPUT.
 *
 * @param bytes Of its records.
 * @returns Bytes of the records at OUTPUT, never more than came.
 */
export function mergeBatch(bytes: u32): u32 {
  assert(bytes <= BATCH_BYTES, "a batch is larger than the input");
  let at: u32 = 0;
  let out = OUTPUT;
  // Each turn takes at least one record or ends the loop.
  while (at < bytes) {
    memory.fill(FLOW_TABLE, 0, FLOWS << 2);
    let count: u32 = 0;
    for (; count < ENTRIES_MAX && at < bytes; count++) {
      const found = frameBytes(INPUT + at, bytes - at);
      if (found < 0) {
        tally(COUNT_DROPPED);
        at = bytes;
        break;
      }
      note(count, INPUT + at, u32(found));
      at += RECORD_HEADER_BYTES + u32(found);
    }
    for (let i: u32 = 0; i < count; i++) out += writeEntry(entryAt(i), out);
  }
  return u32(out - OUTPUT);
}

/** Builds one segment of a connection as a record: headers, options, and text copied and summed in one pass. */
import { boot, control, hopsBase } from "../config.ts";
import {
  ETHERNET_HEADER_BYTES,
  EXTRA_FLAG_SND_UP,
  FEATURE_SCALE_FIRST,
  FLAG_ECN_ECHO,
  FLAG_EXTRA,
  FLAG_SACK,
  FLAG_TIMER_ACK,
  FLAG_TIMER_PERSIST,
  FLAG_TIMESTAMPS,
  FLAG_WINDOW_SCALE,
  Hop,
  HOP_SIZE,
  IPV6_HEADER_BYTES,
  NONE,
  OFFLOAD_CHECKSUM,
  OWED_ACK,
  Range,
  RECORD_HEADER_BYTES,
  SACK_BLOCKS_MAX,
  STAT_DSACKS_OUT,
  STAT_FRAMES_OUT,
  STAT_SEGMENTS_OUT,
  STATE_SYN_SENT,
  Tcb,
  TCP_HEADER_BYTES,
  TCP_OPTIONS_MAX_BYTES,
  VNET_HEADER_BYTES,
} from "../layout.gen.ts";
import {
  checksumAsLies,
  copySumAt,
  fold,
  headerAsLies,
  pseudoSum,
  sumOfAsLies,
} from "../checksum.ts";
import { cookieToSend } from "../conn/fast_open.ts";
import {
  advertisedUserTimeout,
  owesUserTimeout,
  tellsUserTimeout,
  userTimeoutTold,
} from "../conn/user_timeout.ts";
import { offeredFlags, offeredMss, receiveShift, stampNow } from "../conn/tcb.ts";
import { ignoresPathMtu } from "../loss/path_mtu.ts";
import { ringMask, ringPtr } from "../conn/rings.ts";
import { disarmAck } from "../deadline/deadline.ts";
import { ecnBits } from "../loss/ecn.ts";
import { extraOf, flightAt, needExtra } from "../pool.ts";
import { rangeCount, sackBlock } from "../rx/reassembly.ts";
import { after } from "../seq.ts";
import { count, countMany } from "../stats.ts";
import { store16, store32 } from "../bytes.ts";
import { writeEthernet } from "../wire/ethernet.ts";
import { defaultTtl, etherTypeOf, ipHeaderBytes, isIpv4, writeIp } from "../wire/ip.ts";
import { allowFragments } from "../wire/ipv4.ts";
import {
  TCP_ACK,
  TCP_CWR,
  TCP_ECE,
  TCP_RST,
  TCP_SYN,
  TCP_URG,
  writeTcp,
} from "../wire/tcp_header.ts";
import {
  USER_TIMEOUT_BYTES,
  writeAlignedTimestamps,
  writeEnd,
  writeFastOpen,
  writeMss,
  writeNop,
  writeSackBlock,
  writeSackHeader,
  writeSackPermitted,
  writeTimestamps,
  writeUserTimeout,
  writeWindowScale,
} from "../wire/tcp_options.ts";
import { writeVnet } from "../wire/vnet.ts";
import { advertise } from "./receive_window.ts";

/** IP protocol number of TCP. */
export const PROTOCOL_TCP: u32 = 6;
/** Where the checksum stands in a TCP header. */
const TCP_CHECKSUM_AT: usize = 16;
const TCP_SEQ_AT: usize = 4;
/** A segment with less text than this is written anew, bytes: what is copied of the headers may go so far beyond them. */
const TEMPLATE_MIN_BYTES: u32 = 8;
/** A SACK option's first two bytes and the two NOPs before it. RFC 2018 section 3. */
const SACK_HEADER_BYTES: u32 = 4;
const SACK_BLOCK_BYTES: u32 = 8;
/** Timestamps and the two NOPs before them. RFC 7323 appendix A. */
const TIMESTAMPS_PADDED_BYTES: u32 = 12;
/** Largest urgent pointer. RFC 9293 section 3.1. */
const URGENT_MAX: u32 = 0xffff;
/** Longest record of a segment without text, bytes: every header and 40 bytes of options. */
export const BARE_RECORD_MAX: u32 = 14 + 14 + 40 + 60;

/** The next hop of a slot. */
export function hopAt(slot: u32): Hop {
  return changetype<Hop>(hopsBase + (usize(slot) * HOP_SIZE));
}

/** The connection's next hop has a MAC. */
export function isHopResolved(tcb: Tcb): bool {
  return tcb.nextHop === 0 || hopAt(tcb.nextHop).resolved !== 0;
}

/** How many SACK blocks the next segment carries. RFC 2018 section 4. */
function sackBlocks(tcb: Tcb): u32 {
  if ((tcb.flags & FLAG_SACK) === 0 || tcb.flight === NONE) return 0;
  // With timestamps only three fit into 40 bytes. RFC 2018 section 3.
  const most: u32 = (tcb.flags & FLAG_TIMESTAMPS) !== 0 ? SACK_BLOCKS_MAX - 1 : SACK_BLOCKS_MAX;
  const flight = flightAt(tcb.flight);
  const duplicates: u32 = flight.dsackStart !== flight.dsackEnd ? 1 : 0;
  const blocks = rangeCount(changetype<usize>(flight)) + duplicates;
  return blocks < most ? blocks : most;
}

/** Bytes that SACK takes from the text of the next segment. */
function sackBytes(tcb: Tcb): u32 {
  const blocks = sackBlocks(tcb);
  return blocks === 0 ? 0 : SACK_HEADER_BYTES + blocks * SACK_BLOCK_BYTES;
}

/** The user timeout is owed, and there is room for it beside what matters more. RFC 5482 section 3.1. */
function carriesUserTimeout(tcb: Tcb, sack: u32): bool {
  if (!owesUserTimeout(tcb)) return false;
  const stamps: u32 = (tcb.flags & FLAG_TIMESTAMPS) !== 0 ? TIMESTAMPS_PADDED_BYTES : 0;
  return stamps + sack + USER_TIMEOUT_BYTES <= TCP_OPTIONS_MAX_BYTES;
}

/** Bytes that options which come and go take from the text of the next segment. */
export function rareBytes(tcb: Tcb): u32 {
  const sack = sackBytes(tcb);
  return carriesUserTimeout(tcb, sack) ? sack + USER_TIMEOUT_BYTES : sack;
}

/** The Fast Open option, padded to whole words. RFC 7413 section 4.1.1. */
function writeCookie(tcb: Tcb, at: usize, offering: bool): usize {
  const bytes = cookieToSend(tcb, offering);
  if (bytes === NONE) return at;
  const extra = needExtra(tcb);
  // What stands before it fills whole words, and its length is even.
  const end = writeFastOpen(at, extra.fastOpenA, extra.fastOpenB, bytes);
  return ((end - at) & 3) === 0 ? end : writeNop(writeNop(end));
}

/** What follows the MSS, in the order of Linux. */
function writeScaleLast(tcb: Tcb, at: usize, sack: bool, stamps: bool, scale: bool): usize {
  // What does not fill whole words by itself follows its padding, as RFC 7323 appendix A advises for timestamps.
  if (sack !== stamps) at = writeNop(writeNop(at));
  if (sack) at = writeSackPermitted(at);
  if (stamps) at = writeTimestamps(at, stampNow(tcb), tcb.tsRecent);
  if (scale) at = writeWindowScale(writeNop(at), receiveShift());
  return at;
}

/** The same in the order of FreeBSD, which ends the list where it is not full. */
function writeScaleFirst(tcb: Tcb, at: usize, sack: bool, stamps: bool, scale: bool): usize {
  if (scale) at = writeWindowScale(writeNop(at), receiveShift());
  if (sack) at = writeSackPermitted(at);
  else if (stamps) at = writeNop(writeNop(at));
  if (stamps) return writeTimestamps(at, stampNow(tcb), tcb.tsRecent);
  return sack ? writeEnd(writeEnd(at)) : at;
}

/** Options of a SYN: what we offer, or in a SYN,ACK what both want. RFC 7323 sections 2.2 and 3.2, RFC 2018 section 2. */
function writeSynOptions(tcb: Tcb, at: usize): usize {
  const first = at;
  const offering = tcb.state === STATE_SYN_SENT;
  const flags = offering ? offeredFlags(tcb) : tcb.flags;
  const sack = (flags & FLAG_SACK) !== 0;
  const stamps = (flags & FLAG_TIMESTAMPS) !== 0;
  const scale = (flags & FLAG_WINDOW_SCALE) !== 0;
  at = writeMss(at, offeredMss(tcb));
  at = (boot.features & FEATURE_SCALE_FIRST) !== 0
    ? writeScaleFirst(tcb, at, sack, stamps, scale)
    : writeScaleLast(tcb, at, sack, stamps, scale);
  at = writeCookie(tcb, at, offering);
  const isTold = tellsUserTimeout(tcb) &&
    at + USER_TIMEOUT_BYTES <= first + TCP_OPTIONS_MAX_BYTES;
  return isTold ? writeUserTimeout(at, advertisedUserTimeout(tcb)) : at;
}

function writeOptions(tcb: Tcb, at: usize): usize {
  if ((tcb.flags & FLAG_TIMESTAMPS) !== 0) {
    at = writeAlignedTimestamps(at, stampNow(tcb), tcb.tsRecent);
  }
  const blocks = sackBlocks(tcb);
  if ((tcb.flags & FLAG_EXTRA) !== 0 && carriesUserTimeout(tcb, sackBytes(tcb))) {
    at = writeUserTimeout(at, advertisedUserTimeout(tcb));
    userTimeoutTold(tcb);
  }
  if (blocks === 0) return at;
  const flight = flightAt(tcb.flight);
  at = writeSackHeader(writeNop(writeNop(at)), blocks);
  let left = blocks;
  if (flight.dsackStart !== flight.dsackEnd) {
    // The duplicate first, once; the block that holds it, the newest, follows. RFC 2883 section 4.
    at = writeSackBlock(at, flight.dsackStart, flight.dsackEnd);
    flight.dsackStart = flight.dsackEnd;
    count(STAT_DSACKS_OUT);
    left--;
  }
  for (let n: u32 = 0; n < left; n++) {
    const range = changetype<Range>(sackBlock(changetype<usize>(flight), n));
    at = writeSackBlock(at, range.start, range.end);
  }
  return at;
}

/** Copies text from the send ring and adds it to a sum. @param seq Of the first byte. */
function copyText(tcb: Tcb, dst: usize, seq: u32, bytes: u32, initial: u32): u32 {
  const mask = ringMask(tcb.sendRing);
  const ring = ringPtr(tcb.sendRing);
  const offset = (seq - (tcb.iss + 1)) & mask;
  const first = mask + 1 - offset;
  if (bytes <= first) return copySumAt(dst, ring + offset, bytes, initial, 0);
  const head = copySumAt(dst, ring + offset, first, initial, 0);
  return copySumAt(dst + first, ring, bytes - first, head, first);
}

/** Copies text from the send ring, for a link that sums it. @param seq Of the first byte. */
function copyBare(tcb: Tcb, dst: usize, seq: u32, bytes: u32): void {
  const mask = ringMask(tcb.sendRing);
  const ring = ringPtr(tcb.sendRing);
  const offset = (seq - (tcb.iss + 1)) & mask;
  const most = mask + 1 - offset;
  const first: u32 = bytes < most ? bytes : most;
  memory.copy(dst, ring + offset, first);
  memory.copy(dst + first, ring, bytes - first);
}

/**
 * SEG.SEQ of a segment without text: SND.NXT. While a probe is out into a closed window it is SND.UNA: the byte of the
 * probe lies beyond what the remote accepts, and so would the number after it.
 */
export function bareSequence(tcb: Tcb): u32 {
  return (tcb.flags & FLAG_TIMER_PERSIST) !== 0 && tcb.sndWnd === 0 ? tcb.sndUna : tcb.sndNxt;
}

/** Writes a record's length and an empty offload header. */
export function writeRecordHeader(at: usize, frameBytes: u32): void {
  store<u32>(at, VNET_HEADER_BYTES + frameBytes);
  store<u64>(at, 0, 4);
  store<u16>(at, 0, 12);
}

/** Bytes a record takes: the next one follows at once, wherever that is. */
export function recordBytes(frameBytes: u32): u32 {
  return RECORD_HEADER_BYTES + frameBytes;
}

/** What every segment with ACK settles. */
function settleAck(tcb: Tcb): void {
  tcb.owed = u8(u32(tcb.owed) & ~OWED_ACK);
  if ((tcb.flags & FLAG_TIMER_ACK) !== 0) disarmAck(tcb);
}

function writeLinkAndIp(tcb: Tcb, frame: usize, tcpBytes: u32, ecn: u32): void {
  const hop = hopAt(tcb.nextHop);
  const macA = tcb.nextHop === 0 ? tcb.remoteMacA : hop.macA;
  const macB = tcb.nextHop === 0 ? tcb.remoteMacB : hop.macB;
  const etherType = etherTypeOf(tcb.remoteAddrA, tcb.remoteAddrB);
  writeEthernet(frame, macA, macB, boot.macA, boot.macB, etherType);
  writeIp(
    frame + ETHERNET_HEADER_BYTES,
    tcpBytes,
    PROTOCOL_TCP,
    tcb.ttl === 0 ? defaultTtl(tcb.remoteAddrA, tcb.remoteAddrB) : u32(tcb.ttl),
    u32(tcb.tos) | ecn,
    tcb.localAddrA,
    tcb.localAddrB,
    tcb.remoteAddrA,
    tcb.remoteAddrB,
  );
  if (ignoresPathMtu(tcb) && isIpv4(tcb.remoteAddrA, tcb.remoteAddrB)) {
    allowFragments(frame + ETHERNET_HEADER_BYTES, tcb.segmentsOut + (tcb.iss >> 16));
  }
}

/**
 * SEG.UP of a segment, or 0: it has no URG. The pointer counts from SEG.SEQ and goes 65,535 far; while the urgent data
 * is longer it advances from segment to segment (MUST-31).
 */
function urgentPointer(tcb: Tcb, seq: u32, flags: u32): u32 {
  const extra = extraOf(tcb);
  if (extra === null || (extra.flags & EXTRA_FLAG_SND_UP) === 0) return 0;
  if ((flags & (TCP_SYN | TCP_RST)) !== 0) return 0;
  if (!after(extra.sndUp, tcb.sndUna)) {
    // "The absence of this flag indicates that there is no urgent data outstanding."
    extra.flags &= ~EXTRA_FLAG_SND_UP;
    return 0;
  }
  if (!after(extra.sndUp, seq)) return 0;
  const ahead = extra.sndUp - seq;
  return ahead < URGENT_MAX ? ahead : URGENT_MAX;
}

/** Sum of the pseudo header of a segment. @param tcpBytes Its header and text. */
function pseudoSumOf(tcb: Tcb, tcpBytes: u32): u32 {
  return pseudoSum(
    tcb.localAddrA,
    tcb.localAddrB,
    tcb.remoteAddrA,
    tcb.remoteAddrB,
    PROTOCOL_TCP,
    tcpBytes,
  );
}

/** Sum of a segment's header and pseudo header, as they lie. */
function headersOf(tcb: Tcb, tcp: usize, headerBytes: u32, tcpBytes: u32): u64 {
  return headerAsLies(
    tcp,
    headerBytes,
    tcpBytes,
    tcb.localAddrA,
    tcb.localAddrB,
    tcb.remoteAddrA,
    tcb.remoteAddrB,
    PROTOCOL_TCP,
  );
}

/** Copies the text and writes the checksum. @param asLies Sum of the headers. */
function writeSum(tcb: Tcb, tcp: usize, text: usize, seq: u32, bytes: u32, asLies: u64): void {
  if (bytes === 0) {
    store<u16>(tcp, checksumAsLies(asLies), TCP_CHECKSUM_AT);
    return;
  }
  const total = copyText(tcb, text, seq, bytes, sumOfAsLies(asLies));
  store16(tcp + TCP_CHECKSUM_AT, ~total & 0xffff);
}

/** Adds SEG.SEQ to a sum. */
function addSequence(total: u32, seq: u32): u32 {
  return total + (seq >> 16) + (seq & 0xffff);
}

/**
 * The segment that was built last, as the template of the next: in one payment nothing but SEG.SEQ and the text differ
 * between segments of equal length, flags and options, and options that come and go are in none of them. `forget()`
 * ends that.
 */
let templateAt: usize = 0;
let templateTcb: usize = 0;
let templateBytes: u32 = 0;
let templateFlags: u32 = 0;
/** Headers before the text, and the sum of the pseudo header and the TCP header but SEG.SEQ. */
let templateHeaders: u32 = 0;
let templateSum: u32 = 0;

/** What is built next has no template: time may have passed, or something may have come in. */
export function forgetTemplate(): void {
  templateTcb = 0;
}

/** SEG.UP depends on SEG.SEQ. */
function hasUrgentData(tcb: Tcb): bool {
  const extra = extraOf(tcb);
  return extra !== null && (extra.flags & EXTRA_FLAG_SND_UP) !== 0;
}

/** Keeps a segment as the template, if every header field would be the same in the next. @param asLies Its sum without SEG.SEQ and text. */
function keepTemplate(
  tcb: Tcb,
  at: usize,
  headerBytes: u32,
  bytes: u32,
  flags: u32,
  asLies: u64,
): void {
  templateTcb = 0;
  if (bytes < TEMPLATE_MIN_BYTES) return;
  const stamps: u32 = (tcb.flags & FLAG_TIMESTAMPS) !== 0 ? TIMESTAMPS_PADDED_BYTES : 0;
  const isPlain = (flags & (TCP_SYN | TCP_RST)) === 0 &&
    !hasUrgentData(tcb) &&
    headerBytes === u32(TCP_HEADER_BYTES) + stamps && !ignoresPathMtu(tcb);
  if (!isPlain) return;
  templateTcb = changetype<usize>(tcb);
  templateAt = at;
  templateBytes = bytes;
  templateFlags = flags;
  templateHeaders = RECORD_HEADER_BYTES + ETHERNET_HEADER_BYTES + headerBytes +
    ipHeaderBytes(tcb.remoteAddrA, tcb.remoteAddrB);
  templateSum = sumOfAsLies(asLies);
}

/** Does the segment differ from the template in nothing but SEG.SEQ and its text? */
function hasTemplate(tcb: Tcb, bytes: u32, flags: u32): bool {
  return templateTcb === changetype<usize>(tcb) && templateBytes === bytes &&
    templateFlags === flags;
}

/** Builds a segment from the template. @returns Bytes that the record takes. */
function repeatSegment(tcb: Tcb, at: usize, seq: u32, bytes: u32): u32 {
  // Up to seven bytes too many, which the text overwrites.
  for (let i: u32 = 0; i < templateHeaders; i += 8) store<u64>(at + i, load<u64>(templateAt + i));
  const text = at + templateHeaders;
  const stamps: u32 = (tcb.flags & FLAG_TIMESTAMPS) !== 0 ? TIMESTAMPS_PADDED_BYTES : 0;
  const tcp = text - stamps - TCP_HEADER_BYTES;
  store32(tcp + TCP_SEQ_AT, seq);
  const total = copyText(tcb, text, seq, bytes, addSequence(templateSum, seq));
  store16(tcp + TCP_CHECKSUM_AT, ~fold(total) & 0xffff);
  tcb.segmentsOut++;
  count(STAT_SEGMENTS_OUT);
  count(STAT_FRAMES_OUT);
  return templateHeaders + bytes;
}

/**
 * Builds a segment.
 *
 * @param at Where its record goes, with room for BARE_RECORD_MAX and the text.
 * @param seq SEG.SEQ.
 * @param bytes Text, from the send ring.
 * @param flags TCP_* flags.
 * @param gsoSize Of a super-segment: text of each segment but the last; 0 = one segment.
 * @returns Bytes that the record takes.
 */
export function buildSegment(
  tcb: Tcb,
  at: usize,
  seq: u32,
  bytes: u32,
  flags: u32,
  gsoSize: u32,
): u32 {
  if (gsoSize === 0 && hasTemplate(tcb, bytes, flags)) return repeatSegment(tcb, at, seq, bytes);
  const asked = flags;
  const frame = at + RECORD_HEADER_BYTES;
  const ipBytes = ipHeaderBytes(tcb.remoteAddrA, tcb.remoteAddrB);
  const tcp = frame + ETHERNET_HEADER_BYTES + ipBytes;
  const isSyn = (flags & TCP_SYN) !== 0;
  const options = tcp + TCP_HEADER_BYTES;
  const text = isSyn ? writeSynOptions(tcb, options) : writeOptions(tcb, options);
  const headerBytes = u32(text - tcp);
  assert((headerBytes & 3) === 0, "options are not a multiple of 4 bytes");
  const hasAck = (flags & TCP_ACK) !== 0;
  // "In every ACK until CWR". RFC 3168 section 6.1.3.
  if (hasAck && (tcb.flags & FLAG_ECN_ECHO) !== 0) flags |= TCP_ECE;
  const window = (flags & TCP_RST) !== 0 ? 0 : advertise(tcb, isSyn);
  const urgent = (tcb.flags & FLAG_EXTRA) !== 0 ? urgentPointer(tcb, seq, flags) : 0;
  if (urgent !== 0) flags |= TCP_URG;
  writeTcp(
    tcp,
    tcb.localPort,
    tcb.remotePort,
    0,
    hasAck ? tcb.rcvNxt : 0,
    headerBytes,
    flags,
    window,
    urgent,
  );
  const tcpBytes = headerBytes + bytes;
  // A segment without text is summed as fast as it is left to the link.
  const isPartial = bytes > 0 && (control.offload & OFFLOAD_CHECKSUM) !== 0;
  const first = isSyn ? seq + 1 : seq;
  if (isPartial) {
    copyBare(tcb, text, first, bytes);
    store16(tcp + TCP_CHECKSUM_AT, pseudoSumOf(tcb, tcpBytes));
    forgetTemplate();
  } else {
    const asLies = headersOf(tcb, tcp, headerBytes, tcpBytes);
    if (gsoSize === 0) keepTemplate(tcb, at, headerBytes, bytes, asked, asLies);
    writeSum(tcb, tcp, text, first, bytes, asLies + u64(bswap<u32>(seq)));
  }
  store32(tcp + TCP_SEQ_AT, seq);
  writeLinkAndIp(tcb, frame, tcpBytes, ecnBits(flags));
  const frameBytes = ETHERNET_HEADER_BYTES + ipBytes + tcpBytes;
  writeRecordHeader(at, frameBytes);
  if (isPartial || gsoSize !== 0) {
    const isV6 = ipBytes === IPV6_HEADER_BYTES;
    const hasCwr = (flags & TCP_CWR) !== 0;
    writeVnet(at, u32(tcp - frame), headerBytes, gsoSize, isV6, hasCwr, isPartial);
  }
  if (hasAck) settleAck(tcb);
  const many: u32 = gsoSize === 0 ? 1 : (bytes + gsoSize - 1) / gsoSize;
  tcb.segmentsOut += many;
  countMany(STAT_SEGMENTS_OUT, many);
  count(STAT_FRAMES_OUT);
  return recordBytes(frameBytes);
}

/**
 * Header prediction: in a bulk transfer nearly every segment is the one that was expected next, text at RCV.NXT of the
 * connection that the last one belonged to, and nothing else in it is new. Such a segment needs none of the questions of
 * `segment_arrives` that all others are asked: its headers are compared with what the TCB expects, and its text is summed
 * on the way into the ring, one pass instead of two. Source: Jacobson, "4BSD TCP header prediction", Computer Communication
 * Review 20(2), 1990.
 *
 * Nothing is decided here that the long way would decide differently: whatever is not exactly as expected goes there
 * untouched, and so does a segment whose checksum turns out wrong. All it has changed then are bytes of the ring beyond
 * RCV.NXT, which nobody reads before they are written again.
 */
import { load16, load32 } from "../bytes.ts";
import { control } from "../config.ts";
import { copySumAt, isSumRight, pseudoSum, sum } from "../checksum.ts";
import { setCurrentSlot } from "../assert.ts";
import { isLocalAddress } from "../conn/listener.ts";
import { hasRing, noteReceiveRing, ringBytes, ringMask, ringPtr } from "../conn/rings.ts";
import { sendShift } from "../conn/tcb.ts";
import {
  ANSWER_NONE,
  ETHERNET_HEADER_BYTES,
  FLAG_FIN_RECEIVED,
  FLAG_READ_CLOSED,
  FLAG_RELEASED,
  FLAG_TIMER_PERSIST,
  FLAG_TIMESTAMPS,
  IPV4_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  NONE,
  Segment,
  STAT_PREDICTED,
  STAT_SEGMENTS_IN,
  STATE_ESTABLISHED,
  Tcb,
  TCP_HEADER_BYTES,
} from "../layout.gen.ts";
import { CE, ECN_MASK } from "../loss/ecn.ts";
import { tcbAt } from "../pool.ts";
import { before } from "../seq.ts";
import { countMany } from "../stats.ts";
import { receiveWindow } from "../tx/receive_window.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../wire/ethernet.ts";
import { ipv4IsFragment, ipv4Protocol, ipv4TotalBytes, mappedB } from "../wire/ipv4.ts";
import { isIpv4 } from "../wire/ip.ts";
import { ipv6PayloadBytes } from "../wire/ipv6.ts";
import { TCP_ACK, TCP_PSH } from "../wire/tcp_header.ts";
import { noteUnchanged } from "./ack.ts";
import { isChecksumVouched, segmentsOf, takeOffload } from "./offload.ts";
import { answer } from "./segment_arrives.ts";
import { takeRecent } from "./sequence.ts";
import { takeNext } from "./text.ts";

const ETHER_TYPE_AT: usize = 12;
const PROTOCOL_TCP: u32 = 6;
/** Version 4 and five words of header: no options. RFC 791 section 3.1. */
const IPV4_PLAIN: u32 = 0x45;
const IPV4_TOS_AT: usize = 1;
const IPV4_SOURCE_AT: usize = 12;
const IPV4_DESTINATION_AT: usize = 16;
/** Version 6 in the top four bits of the first word, the traffic class in the next eight. RFC 8200 section 3. */
const IPV6_VERSION: u32 = 6;
const IPV6_NEXT_HEADER_AT: usize = 6;
const IPV6_SOURCE_AT: usize = 8;
const IPV6_DESTINATION_AT: usize = 24;
const IPV6_HALF: usize = 8;
/** Offsets in the TCP header. RFC 9293 section 3.1. */
const SEQ_AT: usize = 4;
const ACK_AT: usize = 8;
const DATA_OFFSET_AT: usize = 12;
const FLAGS_AT: usize = 13;
const WINDOW_AT: usize = 14;
/** NOP, NOP, timestamps of length 10, as they lie. RFC 7323 appendix A. */
const STAMPS_PADDED: u32 = 0x0a080101;
const STAMPS_BYTES: u32 = 12;
const TS_VAL_AT: usize = 4;
/** What a sum is that holds its own right checksum. RFC 1071 section 1. */
const SUM_OF_RIGHT: u32 = 0xffff;
/** A connection with one of these has something to decide. */
const NOT_PLAIN: u32 = FLAG_READ_CLOSED | FLAG_RELEASED | FLAG_TIMER_PERSIST | FLAG_FIN_RECEIVED;

/** Is this packet a whole one of the connection, without options? Its checksum is not looked at. @returns Bytes of its TCP header and text, or 0. */
function matchIpv4(tcb: Tcb, packet: usize, bytes: u32): u32 {
  if (bytes <= u32(IPV4_HEADER_BYTES) || u32(load<u8>(packet)) !== IPV4_PLAIN) return 0;
  if (tcb.remoteAddrB !== mappedB(load<u32>(packet + IPV4_SOURCE_AT))) return 0;
  if (tcb.localAddrB !== mappedB(load<u32>(packet + IPV4_DESTINATION_AT))) return 0;
  if ((tcb.remoteAddrA | tcb.localAddrA) !== 0) return 0;
  const total = ipv4TotalBytes(packet);
  if (total > bytes || total <= u32(IPV4_HEADER_BYTES)) return 0;
  if (ipv4IsFragment(packet) || ipv4Protocol(packet) !== PROTOCOL_TCP) return 0;
  if ((u32(load<u8>(packet + IPV4_TOS_AT)) & ECN_MASK) === CE) return 0;
  return total - IPV4_HEADER_BYTES;
}

/** The same of IPv6, without extension headers. */
function matchIpv6(tcb: Tcb, packet: usize, bytes: u32): u32 {
  if (bytes <= u32(IPV6_HEADER_BYTES) || isIpv4(tcb.remoteAddrA, tcb.remoteAddrB)) return 0;
  const first = load32(packet);
  if (first >> 28 !== IPV6_VERSION || ((first >> 20) & ECN_MASK) === CE) return 0;
  if (u32(load<u8>(packet + IPV6_NEXT_HEADER_AT)) !== PROTOCOL_TCP) return 0;
  if (tcb.remoteAddrA !== load<u64>(packet + IPV6_SOURCE_AT)) return 0;
  if (tcb.remoteAddrB !== load<u64>(packet + IPV6_SOURCE_AT + IPV6_HALF)) return 0;
  if (tcb.localAddrA !== load<u64>(packet + IPV6_DESTINATION_AT)) return 0;
  if (tcb.localAddrB !== load<u64>(packet + IPV6_DESTINATION_AT + IPV6_HALF)) return 0;
  const payload = ipv6PayloadBytes(packet);
  return payload <= bytes - IPV6_HEADER_BYTES ? payload : 0;
}

/** Are these the connection's ports? What lies there may be no TCP header at all, and beyond the frame. */
function hasPorts(tcb: Tcb, tcp: usize): bool {
  return load16(tcp) === u32(tcb.remotePort) && load16(tcp + 2) === u32(tcb.localPort);
}

/** Does the header hold nothing but what is expected? @returns Its length, or 0. */
function matchTcp(tcb: Tcb, tcp: usize, bytes: u32): u32 {
  const hasStamps = (tcb.flags & FLAG_TIMESTAMPS) !== 0;
  const headerBytes = u32(TCP_HEADER_BYTES) + (hasStamps ? STAMPS_BYTES : 0);
  if (bytes <= headerBytes || u32(load<u8>(tcp + DATA_OFFSET_AT)) !== headerBytes << 2) return 0;
  if ((u32(load<u8>(tcp + FLAGS_AT)) & ~TCP_PSH) !== TCP_ACK) return 0;
  if (!hasPorts(tcb, tcp)) return 0;
  if (load32(tcp + SEQ_AT) !== tcb.rcvNxt || load32(tcp + ACK_AT) !== tcb.sndUna) return 0;
  if (load16(tcp + WINDOW_AT) << sendShift(tcb) !== tcb.sndWnd) return 0;
  if (!hasStamps) return headerBytes;
  const stamps = tcp + TCP_HEADER_BYTES;
  // RFC 7323 section 5.3 R1: an older timestamp is the long way's to judge.
  const isFresh = load<u32>(stamps) === STAMPS_PADDED &&
    !before(load32(stamps + TS_VAL_AT), tcb.tsRecent);
  return isFresh ? headerBytes : 0;
}

/** Copies text to its place in the ring, around the end if need be. */
function copyIn(tcb: Tcb, text: usize, textBytes: u32): void {
  const mask = ringMask(tcb.receiveRing);
  const ring = ringPtr(tcb.receiveRing);
  const offset = (tcb.rcvNxt - (tcb.irs + 1)) & mask;
  const room = mask + 1 - offset;
  const first = textBytes < room ? textBytes : room;
  memory.copy(ring + offset, text, first);
  if (first < textBytes) memory.copy(ring, text + first, textBytes - first);
}

/** The same, and adds it to a sum. */
function copySumIn(tcb: Tcb, text: usize, textBytes: u32, initial: u32): u32 {
  const mask = ringMask(tcb.receiveRing);
  const ring = ringPtr(tcb.receiveRing);
  const offset = (tcb.rcvNxt - (tcb.irs + 1)) & mask;
  const room = mask + 1 - offset;
  if (textBytes <= room) return copySumAt(ring + offset, text, textBytes, initial, 0);
  const first = copySumAt(ring + offset, text, room, initial, 0);
  return copySumAt(ring, text + room, textBytes - room, first, room);
}

/** Moves the text into the ring at RCV.NXT. @returns Whether the checksum is right (MUST-3), or vouched for. */
function copyAndVerify(tcb: Tcb, tcp: usize, headerBytes: u32, textBytes: u32): bool {
  if (isChecksumVouched()) {
    copyIn(tcb, tcp + headerBytes, textBytes);
    return true;
  }
  const pseudo = pseudoSum(
    tcb.remoteAddrA,
    tcb.remoteAddrB,
    tcb.localAddrA,
    tcb.localAddrB,
    PROTOCOL_TCP,
    headerBytes + textBytes,
  );
  const header = sum(tcp, headerBytes, pseudo);
  return copySumIn(tcb, tcp + headerBytes, textBytes, header) === SUM_OF_RIGHT;
}

/** May the text of the next segment go straight into the ring? With a flight block there may be ranges behind it. */
function isPlain(tcb: Tcb, textBytes: u32): bool {
  if (tcb.state !== STATE_ESTABLISHED || (tcb.flags & NOT_PLAIN) !== 0) return false;
  if (tcb.flight !== NONE || !hasRing(tcb.receiveRing)) return false;
  return textBytes <= receiveWindow(tcb) &&
    tcb.rcvNxt + textBytes - tcb.rcvUser <= ringBytes(tcb.receiveRing);
}

/**
 * Takes a frame if it is the segment that is expected next. RFC 9293 section 3.10.7.4, all eight steps, of which only the
 * first, the window of the fifth, and the seventh have anything to do.
 *
 * @param frame Frame to our MAC, not to a group.
 * @param bytes How long it is, at least an Ethernet header.
 * @param seg Scratch for the answer that the text may draw.
 * @returns Whether the segment was taken; else nothing has changed.
 */
export function takePredicted(frame: usize, bytes: u32, seg: Segment): bool {
  if (control.isQuiet !== 0) return false;
  const tcb = tcbAt(control.expectedSlot);
  const packet = frame + ETHERNET_HEADER_BYTES;
  const etherType = load16(frame + ETHER_TYPE_AT);
  let tcp: usize = 0;
  let tcpBytes: u32 = 0;
  if (etherType === ETHERTYPE_IPV4) {
    tcp = packet + IPV4_HEADER_BYTES;
    // Between many connections most segments end here.
    if (!hasPorts(tcb, tcp)) return false;
    tcpBytes = matchIpv4(tcb, packet, bytes - ETHERNET_HEADER_BYTES);
  } else if (etherType === ETHERTYPE_IPV6) {
    tcp = packet + IPV6_HEADER_BYTES;
    tcpBytes = matchIpv6(tcb, packet, bytes - ETHERNET_HEADER_BYTES);
  }
  const headerBytes: u32 = tcpBytes === 0 ? 0 : matchTcp(tcb, tcp, tcpBytes);
  if (headerBytes === 0) return false;
  // After the ports: segments of other connections between the same hosts are not summed twice.
  if (etherType === ETHERTYPE_IPV4 && !isSumRight(packet, IPV4_HEADER_BYTES)) return false;
  const textBytes = tcpBytes - headerBytes;
  // An address that was taken from us since is not ours.
  if (!isPlain(tcb, textBytes) || !isLocalAddress(tcb.localAddrA, tcb.localAddrB)) return false;
  seg.isV6 = etherType === ETHERTYPE_IPV6 ? 1 : 0;
  seg.flags = TCP_ACK;
  seg.textBytes = textBytes;
  if (!takeOffload(frame, tcp, seg) || !copyAndVerify(tcb, tcp, headerBytes, textBytes)) {
    return false;
  }
  setCurrentSlot(control.expectedSlot);
  const segments = segmentsOf(seg);
  countMany(STAT_SEGMENTS_IN, segments);
  countMany(STAT_PREDICTED, segments);
  tcb.segmentsIn += segments;
  tcb.lastHeardMs = control.nowMs;
  if (headerBytes !== u32(TCP_HEADER_BYTES)) {
    takeRecent(tcb, load32(tcp + TCP_HEADER_BYTES + TS_VAL_AT));
  }
  noteUnchanged(tcb, tcb.rcvNxt, tcb.sndUna);
  noteReceiveRing(tcb, tcb.rcvNxt + textBytes - tcb.rcvUser);
  seg.answer = ANSWER_NONE;
  takeNext(tcb, seg, tcb.rcvNxt + textBytes);
  answer(tcb, seg);
  setCurrentSlot(NONE);
  return true;
}

/**
 * A received segment's walk, first room: a batch of records comes in here. From here: `wire/*` validates the frame into
 * the Segment record → `conn/demux` finds its connection → `segment_arrives` (RFC 9293 section 3.10.7) → `acceptance` →
 * `rst_syn` → `ack` → `text` → `reassembly` → `fin` → what it wants sent is marked (`owed`) or answered at once
 * (`tx/reply`), what the user should know is raised (`events`).
 */
import { boot, control, puntsBase, rxBase, segment } from "../config.ts";
import {
  BATCH_BYTES,
  ETHERNET_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  Punt,
  PUNT_ARP,
  PUNT_FRAGMENT,
  PUNT_ICMP,
  PUNT_IPV6,
  PUNT_SIZE,
  PUNT_UDP,
  PUNTS_MAX,
  RECORD_HEADER_BYTES,
  RECORD_MAX_LENGTH,
  STAT_DROP_ETHERTYPE,
  STAT_DROP_FRAME_SHORT,
  STAT_DROP_IP_ADDRESS,
  STAT_DROP_IP_PROTOCOL,
  STAT_DROP_IPV6_HEADER,
  STAT_DROP_NOT_OUR_IP,
  STAT_DROP_NOT_OUR_MAC,
  STAT_DROP_OFFLOAD,
  STAT_DROP_PUNT_FULL,
  STAT_DROP_RECORD,
  STAT_DROP_TCP_ADDRESS,
  STAT_FRAMES_IN,
  STAT_SEGMENTS_IN,
  VNET_HEADER_BYTES,
} from "../layout.gen.ts";
import { load16 } from "../bytes.ts";
import { isDirectedBroadcast, isLocalAddress } from "../conn/listener.ts";
import { count, countMany } from "../stats.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../wire/ethernet.ts";
import { ipv4IsFragment, ipv4Protocol, ipv4TotalBytes, parseIpv4 } from "../wire/ipv4.ts";
import {
  findUpperLayer,
  ipv6PayloadBytes,
  isIpv6Multicast,
  parseIpv6,
  upperAt,
  upperProtocol,
  WALK_DROP,
  WALK_FOUND,
} from "../wire/ipv6.ts";
import { parseTcp, parseTcpUnchecked } from "../wire/tcp_header.ts";
import {
  beginRecord,
  completeForHost,
  isChecksumVouched,
  segmentsOf,
  takeOffload,
} from "./offload.ts";
import { takePredicted } from "./predicted.ts";
import { segmentArrives } from "./segment_arrives.ts";

const PROTOCOL_ICMP: u32 = 1;
const PROTOCOL_IGMP: u32 = 2;
const PROTOCOL_TCP: u32 = 6;
const PROTOCOL_UDP: u32 = 17;
/** Where an IPv4 header has its destination address. RFC 791 section 3.1. */
const IPV4_DESTINATION_AT: usize = 16;
const BROADCAST: u32 = 0xffffffff;
/** The group bit of a MAC address, in its first byte. */
const MAC_GROUP_BIT: u32 = 1;
/** First four bits of an IPv4 multicast address, in its first byte. */
const MULTICAST_TOP: u32 = 0xe0;
const TOP_MASK: u32 = 0xf0;

/** Hands a frame to the host. */
function punt(frame: usize, bytes: u32, kind: u32): void {
  if (!completeForHost(frame, bytes)) {
    count(STAT_DROP_OFFLOAD);
    return;
  }
  if (control.puntCount >= PUNTS_MAX) {
    count(STAT_DROP_PUNT_FULL);
    return;
  }
  const entry = changetype<Punt>(puntsBase + (usize(control.puntCount) * PUNT_SIZE));
  entry.ptr = u32(frame);
  entry.bytes = bytes;
  entry.kind = kind;
  control.puntCount++;
}

/** The frame is for us: our MAC, or a group. */
function isForUs(frame: usize): bool {
  if ((load<u8>(frame) & MAC_GROUP_BIT) !== 0) return true;
  return load<u32>(frame) === boot.macA && load<u16>(frame, 4) === boot.macB;
}

function isMulticast(ipv4: u32): bool {
  return (ipv4 & TOP_MASK) === MULTICAST_TOP;
}

/** A destination that TCP must not answer: MUST-57; others may be for the host's UDP. */
function isGroupAddress(ipv4: u32): bool {
  return ipv4 === BROADCAST || isMulticast(ipv4) || isDirectedBroadcast(ipv4);
}

function ingestTcp(frame: usize, tcp: usize, bytes: u32, isGroup: bool): void {
  // RFC 9293 section 3.9.2.3 (MUST-57): a segment to a broadcast or multicast address is silently discarded.
  if (isGroup || (load<u8>(frame) & MAC_GROUP_BIT) !== 0) {
    count(STAT_DROP_TCP_ADDRESS);
    return;
  }
  const problem = isChecksumVouched()
    ? parseTcpUnchecked(tcp, bytes, segment)
    : parseTcp(tcp, bytes, segment);
  if (problem < 0) {
    count(u32(-problem - 1));
    return;
  }
  if (!takeOffload(frame, tcp, segment)) {
    count(STAT_DROP_OFFLOAD);
    return;
  }
  countMany(STAT_SEGMENTS_IN, segmentsOf(segment));
  segment.framePtr = u32(frame);
  segment.remoteMacA = load<u32>(frame, 6);
  segment.remoteMacB = load<u16>(frame, 10);
  segmentArrives(segment);
}

function ingestIpv4(frame: usize, bytes: u32): void {
  const packet = frame + ETHERNET_HEADER_BYTES;
  segment.isV6 = 0;
  const headerBytes = parseIpv4(packet, bytes - ETHERNET_HEADER_BYTES, segment);
  if (headerBytes < 0) {
    count(u32(-headerBytes - 1));
    return;
  }
  const destination = load<u32>(packet, IPV4_DESTINATION_AT);
  const isGroup = isGroupAddress(destination);
  const protocol = ipv4Protocol(packet);
  // An address given by DHCP arrives before we have it. RFC 2131 section 4.1.
  if (
    !isGroup && protocol !== PROTOCOL_UDP && !isLocalAddress(segment.localAddrA, segment.localAddrB)
  ) {
    count(STAT_DROP_NOT_OUR_IP);
    return;
  }
  if (ipv4IsFragment(packet)) {
    punt(frame, bytes, PUNT_FRAGMENT);
    return;
  }
  const text = packet + usize(headerBytes);
  const textBytes = ipv4TotalBytes(packet) - u32(headerBytes);
  if (protocol === PROTOCOL_TCP) ingestTcp(frame, text, textBytes, isGroup);
  else if (protocol === PROTOCOL_UDP) punt(frame, bytes, PUNT_UDP);
  else if (protocol === PROTOCOL_ICMP || protocol === PROTOCOL_IGMP) punt(frame, bytes, PUNT_ICMP);
  else count(STAT_DROP_IP_PROTOCOL);
}

/** TCP comes here behind extension headers that can be skipped; all else is the host's. */
function ingestIpv6(frame: usize, bytes: u32): void {
  const packet = frame + ETHERNET_HEADER_BYTES;
  segment.isV6 = 1;
  const headerBytes = parseIpv6(packet, bytes - ETHERNET_HEADER_BYTES, segment);
  if (headerBytes < 0) {
    count(u32(-headerBytes - 1));
    return;
  }
  const isGroup = isIpv6Multicast(segment.localAddrA);
  if (!isGroup && !isLocalAddress(segment.localAddrA, segment.localAddrB)) {
    count(STAT_DROP_NOT_OUR_IP);
    return;
  }
  const verdict = findUpperLayer(packet);
  if (verdict === WALK_DROP) {
    count(STAT_DROP_IPV6_HEADER);
    return;
  }
  if (verdict !== WALK_FOUND || upperProtocol !== PROTOCOL_TCP) {
    punt(frame, bytes, PUNT_IPV6);
    return;
  }
  // RFC 4291 section 2.5.2: :: is nobody's; neighbor discovery alone may come from it.
  if ((segment.remoteAddrA | segment.remoteAddrB) === 0) {
    count(STAT_DROP_IP_ADDRESS);
    return;
  }
  const textBytes = IPV6_HEADER_BYTES + ipv6PayloadBytes(packet) - upperAt;
  ingestTcp(frame, packet + usize(upperAt), textBytes, isGroup);
}

function ingestFrame(frame: usize, bytes: u32): void {
  count(STAT_FRAMES_IN);
  if (bytes < ETHERNET_HEADER_BYTES) {
    count(STAT_DROP_FRAME_SHORT);
    return;
  }
  if (!isForUs(frame)) {
    count(STAT_DROP_NOT_OUR_MAC);
    return;
  }
  // A frame from a group address can not be answered, and answering it would be amplification.
  if ((load<u8>(frame, 6) & MAC_GROUP_BIT) !== 0) {
    count(STAT_DROP_IP_ADDRESS);
    return;
  }
  if ((load<u8>(frame) & MAC_GROUP_BIT) === 0 && takePredicted(frame, bytes, segment)) return;
  const etherType = load16(frame + 12);
  if (etherType === ETHERTYPE_IPV4) ingestIpv4(frame, bytes);
  else if (etherType === ETHERTYPE_ARP) punt(frame, bytes, PUNT_ARP);
  else if (etherType === ETHERTYPE_IPV6) ingestIpv6(frame, bytes);
  else count(STAT_DROP_ETHERTYPE);
}

/**
 * Processes a batch.
 *
 * @param bytes Of records at rxBase, end to end.
 * @returns Frames for the host.
 */
export function ingestBatch(bytes: u32): u32 {
  assert(bytes <= BATCH_BYTES, "a batch is larger than the Rx region");
  control.puntCount = 0;
  let offset: u32 = 0;
  // Each turn moves on by at least a record's header, so the loop ends.
  while (offset + RECORD_HEADER_BYTES <= bytes) {
    const record = rxBase + offset;
    const length = load<u32>(record);
    const frameBytes = length - VNET_HEADER_BYTES;
    if (length < VNET_HEADER_BYTES || length > RECORD_MAX_LENGTH || length + 4 > bytes - offset) {
      count(STAT_DROP_RECORD);
      return control.puntCount;
    }
    if (!beginRecord(record)) count(STAT_DROP_OFFLOAD);
    else ingestFrame(record + RECORD_HEADER_BYTES, frameBytes);
    offset += length + 4;
  }
  if (offset < bytes) count(STAT_DROP_RECORD);
  return control.puntCount;
}

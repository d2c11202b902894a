/** IPv4 headers: checked before anything in them is believed, and written. RFC 791 section 3.1. */
import { load16, store16 } from "../bytes.ts";
import { checksumAsLies, isSumRight, update16 } from "../checksum.ts";
import {
  IPV4_HEADER_BYTES,
  Segment,
  STAT_DROP_FRAME_SHORT,
  STAT_DROP_IP_ADDRESS,
  STAT_DROP_IP_CHECKSUM,
  STAT_DROP_IP_HEADER,
  STAT_DROP_IP_OPTION,
} from "../layout.gen.ts";
import { isLooped } from "./loopback.ts";

/** A header without options, bytes. */
const HEADER_BYTES: u32 = IPV4_HEADER_BYTES;
/** Offsets of the header's fields, bytes. */
const TOS_AT: usize = 1;
const TOTAL_AT: usize = 2;
const IDENTIFICATION_AT: usize = 4;
const FRAGMENT_AT: usize = 6;
const TTL_AT: usize = 8;
const PROTOCOL_AT: usize = 9;
const CHECKSUM_AT: usize = 10;
const SOURCE_AT: usize = 12;
const DESTINATION_AT: usize = 16;
/** Version 4 and five words of header, the first byte of what we write. */
const VERSION_IHL: u32 = 0x45;
/** Don't Fragment, and what tells a fragment: More Fragments or an offset. */
const FLAG_DF: u32 = 0x4000;
const FRAGMENT_MASK: u32 = 0x3fff;
/** Options, RFC 791 section 3.1. */
const OPTION_END: u32 = 0;
const OPTION_NOP: u32 = 1;
const OPTION_LSRR: u32 = 131;
const OPTION_SSRR: u32 = 137;
/** Bytes 8 to 11 of a mapped address, ::ffff:a.b.c.d, as they lie. RFC 4291 section 2.5.5.2. */
const MAPPED_PREFIX: u64 = 0xffff0000;
const PROTOCOL_UDP: u32 = 17;
/** First byte of 127/8, and of 224/4 and all above it. */
const NET_LOOPBACK: u32 = 127;
const NET_MULTICAST: u32 = 224;

/**
 * Second half of an IPv4-mapped address; the first half is 0.
 *
 * @param ipv4AsItLies The IPv4 address, loaded as it lies in network order.
 */
export function mappedB(ipv4AsItLies: u32): u64 {
  return (u64(ipv4AsItLies) << 32) | MAPPED_PREFIX;
}

/** The protocol of a parsed packet. */
export function ipv4Protocol(packet: usize): u32 {
  return u32(load<u8>(packet + PROTOCOL_AT));
}

/** Total length of a parsed packet, header and payload, bytes; what a frame has beyond it is padding. */
export function ipv4TotalBytes(packet: usize): u32 {
  return load16(packet + TOTAL_AT);
}

/** Is a parsed packet a fragment: are there more, or is its offset not 0? */
export function ipv4IsFragment(packet: usize): bool {
  return (load16(packet + FRAGMENT_AT) & FRAGMENT_MASK) !== 0;
}

/** A refusal, as the parsers return it. */
function drop(stat: i32): i32 {
  return -stat - 1;
}

/** Walks the options. @returns False for a source route (RFC 7126 section 4.3) or a length that can not be. */
function areOptionsFine(at: usize, end: usize): bool {
  while (at < end) {
    const kind = u32(load<u8>(at));
    if (kind === OPTION_END) return true;
    if (kind === OPTION_LSRR || kind === OPTION_SSRR) return false;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    const room = u32(end - at);
    if (room < 2) return false;
    const length = u32(load<u8>(at + 1));
    if (length < 2 || length > room) return false;
    at += length;
  }
  return true;
}

/**
 * Can this be the source of a packet on a wire? RFC 1122 section 3.2.1.3: no loopback, no multicast, no broadcast, no
 * class E; "this host" (0/8) only while it is being configured, which is UDP's business.
 */
function isSource(packet: usize): bool {
  const net = u32(load<u8>(packet + SOURCE_AT));
  if (net === 0) return ipv4Protocol(packet) === PROTOCOL_UDP;
  return net < NET_MULTICAST && (net !== NET_LOOPBACK || isLooped);
}

/** Can this be the destination of a packet on a wire? Not "this host", not loopback: RFC 1122 section 3.2.1.3. */
function isDestination(packet: usize): bool {
  const net = u32(load<u8>(packet + DESTINATION_AT));
  return net !== 0 && (net !== NET_LOOPBACK || isLooped);
}

/**
 * Checks a packet's header and takes its addresses, its Differentiated Services byte and its time to live.
 *
 * @param packet Where the header begins.
 * @param bytes What the frame has from there on.
 * @param segment Its addresses are set, also if the packet is no TCP.
 * @returns Bytes of the header, at least 20; or -STAT_DROP_… - 1.
 */
export function parseIpv4(packet: usize, bytes: u32, segment: Segment): i32 {
  if (bytes < HEADER_BYTES) return drop(STAT_DROP_FRAME_SHORT);
  const versionIhl = u32(load<u8>(packet));
  const headerBytes = (versionIhl & 0xf) << 2;
  // RFC 1122 section 3.2.1.1: MUST silently discard what is not version 4.
  if ((versionIhl >> 4) !== 4 || headerBytes < HEADER_BYTES) return drop(STAT_DROP_IP_HEADER);
  const total = ipv4TotalBytes(packet);
  if (total < headerBytes || total > bytes) return drop(STAT_DROP_IP_HEADER);
  // RFC 1122 section 3.2.1.2: MUST verify the checksum and silently discard.
  if (!isSumRight(packet, headerBytes)) return drop(STAT_DROP_IP_CHECKSUM);
  if (headerBytes > HEADER_BYTES && !areOptionsFine(packet + HEADER_BYTES, packet + headerBytes)) {
    return drop(STAT_DROP_IP_OPTION);
  }
  if (!isSource(packet) || !isDestination(packet)) return drop(STAT_DROP_IP_ADDRESS);
  segment.tos = load<u8>(packet + TOS_AT);
  segment.ttl = load<u8>(packet + TTL_AT);
  segment.localAddrA = 0;
  segment.localAddrB = mappedB(load<u32>(packet + DESTINATION_AT));
  segment.remoteAddrA = 0;
  segment.remoteAddrB = mappedB(load<u32>(packet + SOURCE_AT));
  return i32(headerBytes);
}

/**
 * Lets routers fragment a packet that was just written. It is not atomic any more, and so has an identification. RFC 6864
 * section 4.2.
 */
export function allowFragments(ptr: usize, identification: u32): void {
  const check = update16(load16(ptr + CHECKSUM_AT), FLAG_DF, 0);
  store16(ptr + CHECKSUM_AT, update16(check, 0, identification & 0xffff));
  store16(ptr + IDENTIFICATION_AT, identification & 0xffff);
  store<u16>(ptr + FRAGMENT_AT, 0);
}

/**
 * Writes a header without options, checksum included. It says Don't Fragment, so the packet is atomic and its
 * identification may be 0. RFC 6864 section 4.1.
 *
 * @param ptr Room for IPV4_HEADER_BYTES.
 * @param totalBytes Header and payload, at most 65535.
 * @param protocol Protocol of the payload.
 * @param ttl Time to live, 1 to 255.
 * @param tos Differentiated Services byte, ECN in the low two bits. RFC 3168 section 5.
 * @param sourceB Second half of the mapped source address.
 * @param destinationB Second half of the mapped destination address.
 */
export function writeIpv4(
  ptr: usize,
  totalBytes: u32,
  protocol: u32,
  ttl: u32,
  tos: u32,
  sourceB: u64,
  destinationB: u64,
): void {
  assert(totalBytes <= 0xffff, "an IPv4 packet is longer than its length field");
  const first = bswap<u32>((VERSION_IHL << 24) | ((tos & 0xff) << 16) | totalBytes);
  const second = bswap<u32>(FLAG_DF);
  const third = bswap<u32>(((ttl & 0xff) << 24) | ((protocol & 0xff) << 16));
  const source = u32(sourceB >> 32);
  const destination = u32(destinationB >> 32);
  store<u32>(ptr, first);
  store<u32>(ptr, second, IDENTIFICATION_AT);
  store<u32>(ptr, third, TTL_AT);
  store<u32>(ptr, source, SOURCE_AT);
  store<u32>(ptr, destination, DESTINATION_AT);
  const asLies = u64(first) + u64(second) + u64(third) + u64(source) + u64(destination);
  store<u16>(ptr, checksumAsLies(asLies), CHECKSUM_AT);
}

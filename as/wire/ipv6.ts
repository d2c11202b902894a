/** IPv6 headers, checked before anything in them is believed, and written; extension headers are skipped where they can be. RFC 8200. */
import { load16, load32, store16, store32 } from "../bytes.ts";
import {
  IPV6_HEADER_BYTES,
  Segment,
  STAT_DROP_FRAME_SHORT,
  STAT_DROP_IP_ADDRESS,
  STAT_DROP_IPV6_HEADER,
} from "../layout.gen.ts";
import { isLooped } from "./loopback.ts";

/** The header, bytes. */
const HEADER_BYTES: u32 = IPV6_HEADER_BYTES;
/** Offsets of the header's fields, bytes. */
const PAYLOAD_AT: usize = 4;
const NEXT_HEADER_AT: usize = 6;
const HOP_LIMIT_AT: usize = 7;
const SOURCE_AT: usize = 8;
const DESTINATION_AT: usize = 24;
/** Second half of an address. */
const SECOND_HALF: usize = 8;
const VERSION: u32 = 6;
/** Version 6 with no traffic class and no flow label; the class stands 20 bits from the right. */
const VERSION_WORD: u32 = 0x60000000;
const TRAFFIC_CLASS_SHIFT: u32 = 20;
/** First byte of multicast addresses. RFC 4291 section 2.7. */
const MULTICAST: u32 = 0xff;
/** Second half of ::1, as it lies. */
const LOOPBACK_B: u64 = 1 << 56;
/** Low half of the second half of a mapped address, as it lies. RFC 4291 section 2.5.5.2. */
const MAPPED_PREFIX: u32 = 0xffff0000;
/** Next headers that are skipped. RFC 8200 sections 4.3, 4.4 and 4.6. */
const NEXT_HOP_BY_HOP: u32 = 0;
const NEXT_ROUTING: u32 = 43;
const NEXT_DESTINATION_OPTIONS: u32 = 60;
/** Extension headers count their length in units of this, bytes, the first one not. RFC 8200 section 4. */
const EXTENSION_UNIT_BYTES: u32 = 8;
/** Segments Left of a routing header. RFC 8200 section 4.4. */
const SEGMENTS_LEFT_AT: usize = 3;
/** Options. RFC 8200 section 4.2. */
const OPTION_PAD1: u32 = 0;
const OPTION_ACTION_SHIFT: u32 = 6;
const OPTION_ACTION_SKIP: u32 = 0;
const OPTION_ACTION_DROP: u32 = 1;

/** The next header of a parsed packet. */
export function ipv6NextHeader(packet: usize): u32 {
  return u32(load<u8>(packet + NEXT_HEADER_AT));
}

/** Is it a multicast address? RFC 4291 section 2.7. @param a First half, as it lies. */
export function isIpv6Multicast(a: u64): bool {
  return (u32(a) & MULTICAST) === MULTICAST;
}

/** Payload of a parsed packet, bytes; what a frame has beyond it is padding. */
export function ipv6PayloadBytes(packet: usize): u32 {
  return load16(packet + PAYLOAD_AT);
}

/**
 * Checks a packet's header and takes its addresses, its traffic class and its hop limit.
 *
 * @param packet Where the header begins.
 * @param bytes What the frame has from there on.
 * @param segment Its addresses are set; a mapped one on the wire, which would pass for IPv4, is refused.
 * @returns IPV6_HEADER_BYTES; or -STAT_DROP_… - 1.
 */
export function parseIpv6(packet: usize, bytes: u32, segment: Segment): i32 {
  if (bytes < HEADER_BYTES) return -STAT_DROP_FRAME_SHORT - 1;
  if ((u32(load<u8>(packet)) >> 4) !== VERSION) return -STAT_DROP_IPV6_HEADER - 1;
  if (ipv6PayloadBytes(packet) > bytes - HEADER_BYTES) return -STAT_DROP_IPV6_HEADER - 1;
  const sourceA = load<u64>(packet + SOURCE_AT);
  const destinationA = load<u64>(packet + DESTINATION_AT);
  if (!isSource(packet + SOURCE_AT) || !isDestination(packet + DESTINATION_AT)) {
    return -STAT_DROP_IP_ADDRESS - 1;
  }
  segment.tos = u8(load32(packet) >> TRAFFIC_CLASS_SHIFT);
  segment.ttl = load<u8>(packet + HOP_LIMIT_AT);
  segment.localAddrA = destinationA;
  segment.localAddrB = load<u64>(packet + DESTINATION_AT + SECOND_HALF);
  segment.remoteAddrA = sourceA;
  segment.remoteAddrB = load<u64>(packet + SOURCE_AT + SECOND_HALF);
  return i32(HEADER_BYTES);
}

/**
 * Is it an address of the first 32 bits of zero that no packet on a wire has: ::1 (RFC 4291 section 2.5.3), or
 * ::ffff:a.b.c.d, which stands for IPv4 in here and would pass for it?
 */
function isLoopbackOrMapped(address: usize): bool {
  if (load<u64>(address) !== 0) return false;
  const second = load<u64>(address + SECOND_HALF);
  return (second === LOOPBACK_B && !isLooped) || u32(second) === MAPPED_PREFIX;
}

/** RFC 4291 section 2.7: a multicast address must not be a source. :: may be one, of neighbor discovery alone. */
function isSource(address: usize): bool {
  return u32(load<u8>(address)) !== MULTICAST && !isLoopbackOrMapped(address);
}

/** RFC 4291 section 2.5.2: :: must not be a destination. */
function isDestination(address: usize): bool {
  if ((load<u64>(address) | load<u64>(address + SECOND_HALF)) === 0) return false;
  return !isLoopbackOrMapped(address);
}

/** What `findUpperLayer()` answers. */
export const WALK_FOUND: i32 = 0;
/** A header that the host must look at: a fragment, a routing header with segments left, one that is unknown. */
export const WALK_HOST: i32 = 1;
/** A header or option that can not be, or an option that says so. */
export const WALK_DROP: i32 = 2;

/** The upper layer of the packet that `findUpperLayer()` walked last: its protocol, and where it begins in the packet. */
export let upperProtocol: u32 = 0;
export let upperAt: u32 = 0;

/**
 * Walks the options of a hop-by-hop or destination options header. RFC 8200 section 4.2: the two high bits of an unknown
 * option say what is to be done; skip, drop, or drop with an ICMP message, which is the host's work.
 */
function walkOptions(at: usize, end: usize): i32 {
  while (at < end) {
    const kind = u32(load<u8>(at));
    if (kind === OPTION_PAD1) {
      at++;
      continue;
    }
    const room = u32(end - at);
    if (room < 2) return WALK_DROP;
    const length = u32(load<u8>(at + 1)) + 2;
    if (length > room) return WALK_DROP;
    const action = kind >> OPTION_ACTION_SHIFT;
    if (action === OPTION_ACTION_DROP) return WALK_DROP;
    if (action !== OPTION_ACTION_SKIP) return WALK_HOST;
    at += length;
  }
  return WALK_FOUND;
}

/**
 * Finds the upper layer behind the extension headers. RFC 8200 section 4: hop-by-hop options only right behind the IPv6
 * header, the others in any order; a routing header without segments left is skipped (section 4.4).
 *
 * @param packet A parsed packet.
 * @returns WALK_…; of WALK_FOUND `upperProtocol` and `upperAt` tell.
 */
export function findUpperLayer(packet: usize): i32 {
  const end = HEADER_BYTES + ipv6PayloadBytes(packet);
  let next = ipv6NextHeader(packet);
  let at: u32 = HEADER_BYTES;
  // Each turn moves on by at least 8 bytes, so the loop ends.
  while (true) {
    const isRouting = next === NEXT_ROUTING;
    const isOptions = next === NEXT_DESTINATION_OPTIONS ||
      (next === NEXT_HOP_BY_HOP && at === HEADER_BYTES);
    if (!isRouting && !isOptions) break;
    if (end - at < EXTENSION_UNIT_BYTES) return WALK_DROP;
    const header = packet + at;
    const bytes = (u32(load<u8>(header + 1)) + 1) * EXTENSION_UNIT_BYTES;
    if (bytes > end - at) return WALK_DROP;
    if (isRouting) {
      if (load<u8>(header + SEGMENTS_LEFT_AT) !== 0) return WALK_HOST;
    } else {
      const verdict = walkOptions(header + 2, header + bytes);
      if (verdict !== WALK_FOUND) return verdict;
    }
    next = u32(load<u8>(header));
    at += bytes;
  }
  upperProtocol = next;
  upperAt = at;
  return WALK_FOUND;
}

/**
 * Writes a header.
 *
 * @param ptr Room for IPV6_HEADER_BYTES.
 * @param payloadBytes What follows, at most 65535.
 * @param nextHeader Protocol of it.
 * @param hopLimit 1 to 255.
 * @param trafficClass Differentiated Services and ECN. RFC 3168 section 5.
 * @param sourceA First half of the source address, as it lies.
 * @param sourceB Second half of it.
 * @param destinationA First half of the destination address.
 * @param destinationB Second half of it.
 */
export function writeIpv6(
  ptr: usize,
  payloadBytes: u32,
  nextHeader: u32,
  hopLimit: u32,
  trafficClass: u32,
  sourceA: u64,
  sourceB: u64,
  destinationA: u64,
  destinationB: u64,
): void {
  assert(payloadBytes <= 0xffff, "an IPv6 payload is longer than its length field");
  store32(ptr, VERSION_WORD | (trafficClass << TRAFFIC_CLASS_SHIFT));
  store16(ptr + PAYLOAD_AT, payloadBytes);
  store<u8>(ptr + NEXT_HEADER_AT, u8(nextHeader));
  store<u8>(ptr + HOP_LIMIT_AT, u8(hopLimit));
  store<u64>(ptr + SOURCE_AT, sourceA);
  store<u64>(ptr + SOURCE_AT + SECOND_HALF, sourceB);
  store<u64>(ptr + DESTINATION_AT, destinationA);
  store<u64>(ptr + DESTINATION_AT + SECOND_HALF, destinationB);
}

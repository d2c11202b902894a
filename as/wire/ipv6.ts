/** IPv6 headers. RFC 8200 section 3. Extension headers are the host's: whatever is not TCP at once is not parsed here. */
import { load16, load32, store16, store32 } from "../bytes.ts";
import {
  IPV6_HEADER_BYTES,
  Segment,
  STAT_DROP_FRAME_SHORT,
  STAT_DROP_IP_ADDRESS,
  STAT_DROP_IP_HEADER,
} from "../layout.gen.ts";

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

/** The next header of a parsed packet. */
export function ipv6NextHeader(packet: usize): u32 {
  return u32(load<u8>(packet + NEXT_HEADER_AT));
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
 * @param segment Its addresses are set.
 * @returns IPV6_HEADER_BYTES; or -STAT_DROP_… - 1.
 */
export function parseIpv6(packet: usize, bytes: u32, segment: Segment): i32 {
  if (bytes < HEADER_BYTES) return -STAT_DROP_FRAME_SHORT - 1;
  if ((u32(load<u8>(packet)) >> 4) !== VERSION) return -STAT_DROP_IP_HEADER - 1;
  if (ipv6PayloadBytes(packet) > bytes - HEADER_BYTES) return -STAT_DROP_IP_HEADER - 1;
  // RFC 4291 section 2.7: a multicast address must not be a source. A mapped one on the wire would pass for IPv4.
  const sourceA = load<u64>(packet + SOURCE_AT);
  const destinationA = load<u64>(packet + DESTINATION_AT);
  if (u32(load<u8>(packet + SOURCE_AT)) === MULTICAST) return -STAT_DROP_IP_ADDRESS - 1;
  if (isMapped(packet + SOURCE_AT) || isMapped(packet + DESTINATION_AT)) {
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

/** Is it ::ffff:a.b.c.d, which stands for IPv4 in here? */
function isMapped(address: usize): bool {
  return load<u64>(address) === 0 && load<u32>(address + SECOND_HALF) === 0xffff0000;
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

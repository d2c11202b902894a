/** Finds TCP in a frame: every length is compared before it is believed. What is found lies in the variables below. */
import { load16 } from "../bytes.ts";
import { pseudoSum } from "../checksum.ts";
import { ETHERNET_HEADER_BYTES, IPV4_HEADER_BYTES, IPV6_HEADER_BYTES } from "../layout.gen.ts";
import { etherType, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../wire/ethernet.ts";
import { ipv4IsFragment, ipv4Protocol, ipv4TotalBytes } from "../wire/ipv4.ts";
import { ipv6NextHeader, ipv6PayloadBytes } from "../wire/ipv6.ts";

/** Where the IP header begins. */
export const IP_AT: u32 = ETHERNET_HEADER_BYTES;
const PROTOCOL_TCP: u32 = 6;
const TCP_BYTES: u32 = 20;
/** Where the TCP header has its length and its flags, in 16 bits. RFC 9293 section 3.1. */
export const OFFSET_AND_FLAGS_AT: u32 = 12;
const OFFSET_SHIFT: u32 = 12;
/** Addresses in the two headers. RFC 791 section 3.1, RFC 8200 section 3. */
export const IPV4_SOURCE_AT: usize = 12;
export const IPV4_DESTINATION_AT: usize = 16;
export const IPV6_SOURCE_AT: usize = 8;
export const IPV6_DESTINATION_AT: usize = 24;
/** Extension headers that may stand before TCP. RFC 8200 sections 4.3, 4.4 and 4.6. */
const NEXT_HOP_BY_HOP: u32 = 0;
const NEXT_ROUTING: u32 = 43;
const NEXT_DESTINATION_OPTIONS: u32 = 60;
/** They count their length in units of this, bytes, the first one not. RFC 8200 section 4. */
const EXTENSION_UNIT_BYTES: u32 = 8;
const SEGMENTS_LEFT_AT: usize = 3;
/** Headers of one frame that are walked, and how far from the front: a writer of headers has room for that. */
const EXTENSIONS_MAX: u32 = 8;
const HEADERS_MAX_BYTES: u32 = 512;

/** IPv6? */
export let isV6: bool = false;
/** Where the TCP header begins, bytes of the frame. */
export let tcpAt: u32 = 0;
/** Where the text begins, bytes of the frame. */
export let textAt: u32 = 0;
/** How long the text is; what the frame has beyond it is padding. */
export let textBytes: u32 = 0;

/** Walks the extension headers. @returns Bytes before TCP, from the IP header on; 0 if it is not there. */
function walkIpv6(packet: usize, bytes: u32): u32 {
  let next = ipv6NextHeader(packet);
  let at = IPV6_HEADER_BYTES;
  for (let i: u32 = 0; i < EXTENSIONS_MAX; i++) {
    if (next === PROTOCOL_TCP) return at;
    const isOptions = next === NEXT_HOP_BY_HOP || next === NEXT_DESTINATION_OPTIONS;
    if (!isOptions && next !== NEXT_ROUTING) return 0;
    if (at + EXTENSION_UNIT_BYTES > bytes) return 0;
    // The pseudo-header has the last destination, which a routing header that is not done yet holds. RFC 8200 section 8.1.
    if (next === NEXT_ROUTING && load<u8>(packet + at + SEGMENTS_LEFT_AT) !== 0) return 0;
    next = u32(load<u8>(packet + at));
    at += (u32(load<u8>(packet + at + 1)) + 1) * EXTENSION_UNIT_BYTES;
    if (at > bytes || at > HEADERS_MAX_BYTES) return 0;
  }
  return 0;
}

/**
 * Finds TCP behind IP.
 *
 * @param frame From the destination MAC on.
 * @param bytes How long it is.
 * @returns False if it is no TCP, a fragment, or not whole; the variables mean nothing then.
 */
export function findTcp(frame: usize, bytes: u32): bool {
  if (bytes < IP_AT + IPV4_HEADER_BYTES) return false;
  const type = etherType(frame);
  const packet = frame + IP_AT;
  const room = bytes - IP_AT;
  let before: u32 = 0;
  let total: u32 = 0;
  isV6 = type === ETHERTYPE_IPV6;
  if (type === ETHERTYPE_IPV4) {
    before = (u32(load<u8>(packet)) & 0xf) << 2;
    total = ipv4TotalBytes(packet);
    if ((load<u8>(packet) >> 4) !== 4 || before < IPV4_HEADER_BYTES || before > total) return false;
    if (ipv4Protocol(packet) !== PROTOCOL_TCP || ipv4IsFragment(packet)) return false;
  } else {
    if (!isV6 || room < IPV6_HEADER_BYTES || (load<u8>(packet) >> 4) !== 6) return false;
    total = IPV6_HEADER_BYTES + ipv6PayloadBytes(packet);
    if (total > room) return false;
    before = walkIpv6(packet, total);
    if (before === 0) return false;
  }
  if (total > room || total - before < TCP_BYTES) return false;
  tcpAt = IP_AT + before;
  const headerBytes = (load16(frame + tcpAt + OFFSET_AND_FLAGS_AT) >> OFFSET_SHIFT) << 2;
  if (headerBytes < TCP_BYTES || headerBytes > total - before) return false;
  textAt = tcpAt + headerBytes;
  textBytes = total - before - headerBytes;
  return true;
}

/** Sum of the pseudo-header of a frame in which TCP was found. @param bytes TCP header and text. */
export function pseudoSumOf(frame: usize, bytes: u32): u32 {
  const packet = frame + IP_AT;
  if (!isV6) {
    const source = u64(load<u32>(packet + IPV4_SOURCE_AT));
    const destination = u64(load<u32>(packet + IPV4_DESTINATION_AT));
    return pseudoSum(0, source, 0, destination, PROTOCOL_TCP, bytes);
  }
  return pseudoSum(
    load<u64>(packet + IPV6_SOURCE_AT),
    load<u64>(packet + IPV6_SOURCE_AT, 8),
    load<u64>(packet + IPV6_DESTINATION_AT),
    load<u64>(packet + IPV6_DESTINATION_AT, 8),
    PROTOCOL_TCP,
    bytes,
  );
}

/**
 * What IPv4 and IPv6 share. An address is 16 bytes in two halves, loaded as they lie; IPv4 is the mapped kind, so the
 * address alone tells the family, and everything above IP is written once.
 */
import { boot } from "../config.ts";
import { IPV4_HEADER_BYTES, IPV6_HEADER_BYTES } from "../layout.gen.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "./ethernet.ts";
import { writeIpv4 } from "./ipv4.ts";
import { writeIpv6 } from "./ipv6.ts";

/** Low half of the second half of a mapped address, ::ffff:a.b.c.d, as it lies. RFC 4291 section 2.5.5.2. */
const MAPPED_PREFIX: u32 = 0xffff0000;

/** Is it an IPv4 address, which is mapped in here? @param a First half. @param b Second half. */
export function isIpv4(a: u64, b: u64): bool {
  return a === 0 && u32(b) === MAPPED_PREFIX;
}

/** Bytes of the IP header that goes before a segment to or from an address. */
export function ipHeaderBytes(a: u64, b: u64): u32 {
  return isIpv4(a, b) ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
}

/** EtherType of a packet to or from an address. */
export function etherTypeOf(a: u64, b: u64): u32 {
  return isIpv4(a, b) ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
}

/** Time to live or hop limit where a connection has none of its own. RFC 9293 section 3.9.2 (MUST-49). */
export function defaultTtl(a: u64, b: u64): u32 {
  return isIpv4(a, b) ? u32(boot.ttl) : boot.ttlV6;
}

/**
 * Writes the header of either family.
 *
 * @param ptr Room for what `ipHeaderBytes` says of the addresses.
 * @param upperBytes What follows, bytes.
 * @param protocol Protocol or next header of it.
 * @param ttl Time to live or hop limit, 1 to 255.
 * @param tos Differentiated Services byte or traffic class, ECN in the low two bits. RFC 3168 section 5.
 */
export function writeIp(
  ptr: usize,
  upperBytes: u32,
  protocol: u32,
  ttl: u32,
  tos: u32,
  sourceA: u64,
  sourceB: u64,
  destinationA: u64,
  destinationB: u64,
): void {
  if (isIpv4(sourceA, sourceB)) {
    writeIpv4(ptr, IPV4_HEADER_BYTES + upperBytes, protocol, ttl, tos, sourceB, destinationB);
    return;
  }
  writeIpv6(
    ptr,
    upperBytes,
    protocol,
    ttl,
    tos,
    sourceA,
    sourceB,
    destinationA,
    destinationB,
  );
}

/** Packets cut into fragments, and put together again, of both families. Source: RFC 791 section 3.2, RFC 8200 section 4.5. */
import { IPV6_HEADER_BYTES } from "../layout/layout.gen.ts";
import { write16, write32 } from "./bytes.ts";
import { internetChecksum } from "./checksum.ts";

/** Offsets of fragments count in units of so many bytes. */
export const FRAGMENT_UNIT_BYTES = 8;
/** Next header of IPv6's fragment header. RFC 8200 section 4.5. */
export const PROTOCOL_FRAGMENT = 44;
/** The fragment header of IPv6, bytes. */
export const FRAGMENT_HEADER_BYTES = 8;

const FLAG_MORE_FRAGMENTS = 0x2000;
/** The two low bits of the traffic class or Differentiated Services byte. RFC 3168 section 5. */
const ECN_MASK = 0x03;
const IPV6_NEXT_HEADER_AT = 6;
const EXTENSION_UNIT_BYTES = 8;

/**
 * Cuts an IPv4 packet.
 *
 * @param packet Without options; its flags and identification are replaced.
 * @param mtu At least 28 bytes.
 * @param identification u16, none that is on its way between these hosts. RFC 6864 section 4.3.
 * @returns Fragments in order.
 */
export function splitIpv4(packet: Uint8Array, mtu: number, identification: number): Uint8Array[] {
  const headerBytes = ((packet[0] ?? 0) & 0xf) * 4;
  const stepBytes = roomFor(mtu - headerBytes);
  const fragments: Uint8Array[] = [];
  for (let at = headerBytes; at < packet.length; at += stepBytes) {
    const end = Math.min(packet.length, at + stepBytes);
    const fragment = new Uint8Array(headerBytes + end - at);
    fragment.set(packet.subarray(0, headerBytes));
    fragment.set(packet.subarray(at, end), headerBytes);
    const more = end < packet.length ? FLAG_MORE_FRAGMENTS : 0;
    write16(fragment, 2, fragment.length);
    write16(fragment, 4, identification);
    write16(fragment, 6, more | ((at - headerBytes) / FRAGMENT_UNIT_BYTES));
    finishIpv4(fragment, headerBytes);
    fragments.push(fragment);
  }
  return fragments;
}

/**
 * Cuts an IPv6 packet without extension headers.
 *
 * @param mtu At least 1,280 bytes.
 * @param identification u32, hard to guess. RFC 7739 section 5.
 * @returns Fragments in order.
 */
export function splitIpv6(packet: Uint8Array, mtu: number, identification: number): Uint8Array[] {
  const headerBytes = IPV6_HEADER_BYTES + FRAGMENT_HEADER_BYTES;
  const stepBytes = roomFor(mtu - headerBytes);
  const fragments: Uint8Array[] = [];
  for (let at = IPV6_HEADER_BYTES; at < packet.length; at += stepBytes) {
    const end = Math.min(packet.length, at + stepBytes);
    const fragment = new Uint8Array(headerBytes + end - at);
    fragment.set(packet.subarray(0, IPV6_HEADER_BYTES));
    fragment.set(packet.subarray(at, end), headerBytes);
    write16(fragment, 4, fragment.length - IPV6_HEADER_BYTES);
    fragment[IPV6_NEXT_HEADER_AT] = PROTOCOL_FRAGMENT;
    fragment[IPV6_HEADER_BYTES] = packet[IPV6_NEXT_HEADER_AT] ?? 0;
    const more = end < packet.length ? 1 : 0;
    // The offset stands in the upper 13 bits, so bytes are it already: their lower three bits are 0.
    write16(fragment, IPV6_HEADER_BYTES + 2, (at - IPV6_HEADER_BYTES) | more);
    write32(fragment, IPV6_HEADER_BYTES + 4, identification);
    fragments.push(fragment);
  }
  return fragments;
}

/**
 * Puts an IPv4 packet together.
 *
 * @param first The first fragment's packet; its options are the whole's.
 * @param payload All of it.
 * @param ecn ECN bits of the whole. RFC 3168 section 5.3.
 * @returns The packet, or null if it would be longer than a packet may be.
 */
export function joinIpv4(first: Uint8Array, payload: Uint8Array, ecn: number): Uint8Array | null {
  const headerBytes = ((first[0] ?? 0) & 0xf) * 4;
  const totalBytes = headerBytes + payload.length;
  if (totalBytes > 0xffff) return null;
  const packet = new Uint8Array(totalBytes);
  packet.set(first.subarray(0, headerBytes));
  packet.set(payload, headerBytes);
  packet[1] = ((packet[1] ?? 0) & ~ECN_MASK) | ecn;
  write16(packet, 2, totalBytes);
  write16(packet, 6, 0);
  finishIpv4(packet, headerBytes);
  return packet;
}

/**
 * Puts an IPv6 packet together: what stood before the fragment header of the first fragment goes before the payload.
 *
 * @param first The first fragment's packet, its headers checked.
 * @param headerBytes Headers of it, the fragment header included.
 * @param payload All of it.
 * @param ecn ECN bits of the whole.
 * @returns The packet, or null if it would be longer than a packet may be.
 */
export function joinIpv6(
  first: Uint8Array,
  headerBytes: number,
  payload: Uint8Array,
  ecn: number,
): Uint8Array | null {
  const keptBytes = headerBytes - FRAGMENT_HEADER_BYTES;
  const payloadBytes = keptBytes - IPV6_HEADER_BYTES + payload.length;
  if (payloadBytes > 0xffff) return null;
  const packet = new Uint8Array(keptBytes + payload.length);
  packet.set(first.subarray(0, keptBytes));
  packet.set(payload, keptBytes);
  packet[lastNextHeaderAt(first, keptBytes)] = first[keptBytes] ?? 0;
  packet[1] = ((packet[1] ?? 0) & ~(ECN_MASK << 4)) | (ecn << 4);
  write16(packet, 4, payloadBytes);
  return packet;
}

/** ECN bits of a packet of either family. */
export function ecnOf(packet: Uint8Array): number {
  const isIpv4 = ((packet[0] ?? 0) >> 4) === 4;
  return isIpv4 ? (packet[1] ?? 0) & ECN_MASK : ((packet[1] ?? 0) >> 4) & ECN_MASK;
}

/** Payload of all fragments but the last one, bytes. */
function roomFor(bytes: number): number {
  return Math.floor(bytes / FRAGMENT_UNIT_BYTES) * FRAGMENT_UNIT_BYTES;
}

/** Where the header before the fragment header names it. Each turn moves on by at least 8 bytes. */
function lastNextHeaderAt(packet: Uint8Array, fragmentAt: number): number {
  let nameAt = IPV6_NEXT_HEADER_AT;
  let at = IPV6_HEADER_BYTES;
  while (at < fragmentAt) {
    nameAt = at;
    at += ((packet[at + 1] ?? 0) + 1) * EXTENSION_UNIT_BYTES;
  }
  return nameAt;
}

/** Sets the checksum. */
function finishIpv4(packet: Uint8Array, headerBytes: number): void {
  write16(packet, 10, 0);
  write16(packet, 10, internetChecksum(packet.subarray(0, headerBytes)));
}

/** IPv4 headers. Source: RFC 791 section 3.1. */
import { read16, read32, read8, write16, write32 } from "./bytes.ts";
import { internetChecksum } from "./checksum.ts";

/** Header without options, bytes. */
export const IPV4_BYTES = 20;
/** Protocol number of ICMP. */
export const PROTOCOL_ICMP = 1;
/** Protocol number of TCP. */
export const PROTOCOL_TCP = 6;
/** Protocol number of UDP. */
export const PROTOCOL_UDP = 17;
/** Default time to live. RFC 1700. */
export const TTL_DEFAULT = 64;

const VERSION = 4;
const FLAG_DONT_FRAGMENT = 0x4000;
const FLAG_MORE_FRAGMENTS = 0x2000;
const OFFSET_MASK = 0x1fff;
const PACKET_MAX_BYTES = 65_535;
const VERSION_AND_LENGTH = (VERSION << 4) | (IPV4_BYTES / 4);

/** A parsed packet; its views are into what was parsed. */
export interface Ipv4Packet {
  /** u32. */
  readonly source: number;
  /** u32. */
  readonly destination: number;
  readonly protocol: number;
  readonly ttl: number;
  /** Header with its options, bytes. */
  readonly headerBytes: number;
  /** Total length as the header tells, bytes. */
  readonly totalBytes: number;
  /** True for any fragment, first and last ones included. */
  readonly isFragment: boolean;
  /** Place of a fragment, in units of 8 bytes. */
  readonly fragmentOffset: number;
  /** More fragments follow. */
  readonly moreFragments: boolean;
  /** Identification of a fragment. */
  readonly identification: number;
  /** What follows the header, without link padding. */
  readonly payload: Uint8Array;
  /** Header and payload. */
  readonly packet: Uint8Array;
}

/** Why an IPv4 packet is dropped. */
export type Ipv4Drop = "IP_SHORT" | "IP_HEADER" | "IP_CHECKSUM";

/** @param view From the IPv4 header on; padding behind the packet is ignored. */
export function parseIpv4Packet(view: Uint8Array): Ipv4Packet | Ipv4Drop {
  const packet = parseQuotedIpv4(view);
  if (typeof packet === "string") return packet;
  if (packet.totalBytes > view.length) return "IP_SHORT";
  if (internetChecksum(view.subarray(0, packet.headerBytes)) !== 0) return "IP_CHECKSUM";
  return packet;
}

/**
 * Parses the packet that an ICMP error quotes: it may be cut, and routers may have touched its checksum.
 *
 * @param view From the quoted IPv4 header on.
 */
export function parseQuotedIpv4(view: Uint8Array): Ipv4Packet | Ipv4Drop {
  if (view.length < IPV4_BYTES) return "IP_SHORT";
  const headerBytes = (read8(view, 0) & 0xf) * 4;
  const totalBytes = read16(view, 2);
  if ((read8(view, 0) >> 4) !== VERSION) return "IP_HEADER";
  if (headerBytes < IPV4_BYTES || totalBytes < headerBytes) return "IP_HEADER";
  if (headerBytes > view.length) return "IP_SHORT";
  const fragment = read16(view, 6);
  const packet = view.subarray(0, Math.min(totalBytes, view.length));
  return {
    source: read32(view, 12),
    destination: read32(view, 16),
    protocol: read8(view, 9),
    ttl: read8(view, 8),
    headerBytes,
    totalBytes,
    isFragment: (fragment & (FLAG_MORE_FRAGMENTS | OFFSET_MASK)) !== 0,
    fragmentOffset: fragment & OFFSET_MASK,
    moreFragments: (fragment & FLAG_MORE_FRAGMENTS) !== 0,
    identification: read16(view, 4),
    payload: packet.subarray(headerBytes),
    packet,
  };
}

/** What {@linkcode buildIpv4Packet} needs. */
export interface Ipv4Fields {
  /** u32. */
  readonly source: number;
  /** u32. */
  readonly destination: number;
  readonly protocol: number;
  /** 1 to 255. Default 64. */
  readonly ttl?: number;
}

/**
 * Builds an atomic packet: DF set, identification 0, no options. Source: RFC 6864 section 4.1.
 *
 * @param payload At most 65,515 bytes.
 * @throws RangeError if the payload is larger.
 */
export function buildIpv4Packet(fields: Ipv4Fields, payload: Uint8Array): Uint8Array {
  const totalBytes = IPV4_BYTES + payload.length;
  if (totalBytes > PACKET_MAX_BYTES) {
    throw new RangeError(`Cannot build a packet of ${totalBytes} bytes: expected at most 65535`);
  }
  const packet = new Uint8Array(totalBytes);
  packet[0] = VERSION_AND_LENGTH;
  write16(packet, 2, totalBytes);
  write16(packet, 6, FLAG_DONT_FRAGMENT);
  packet[8] = fields.ttl ?? TTL_DEFAULT;
  packet[9] = fields.protocol;
  write32(packet, 12, fields.source);
  write32(packet, 16, fields.destination);
  write16(packet, 10, internetChecksum(packet.subarray(0, IPV4_BYTES)));
  packet.set(payload, IPV4_BYTES);
  return packet;
}

/**
 * Finds the headers of a packet for those who print it: IPv4 or IPv6, and TCP, UDP or ICMP behind it. Any bytes may come
 * in; what is cut or impossible is told by a name, never by an exception.
 */
import { formatIpv4, formatIpv6 } from "../wire/address_text.ts";
import { read16, read32, read8 } from "../wire/bytes.ts";
import { internetChecksum, sumWords } from "../wire/checksum.ts";
import { IPV4_BYTES, parseQuotedIpv4, PROTOCOL_TCP } from "../wire/ipv4.ts";

/** Protocol number of ICMP for IPv6. RFC 4443 section 1. */
export const PROTOCOL_ICMPV6 = 58;

const IPV6_BYTES = 40;
const IPV6_VERSION = 6;
const ADDRESS_BYTES = 16;
/** Extension headers that may stand before the payload. RFC 8200 section 4. */
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;
const FRAGMENT_BYTES = 8;
/** More of them are not a packet that anybody sends. */
const EXTENSIONS_MAX = 8;
const TCP_BYTES = 20;
const NOTHING = new Uint8Array(0);

/** A packet of either version. */
export interface IpView {
  readonly version: 4 | 6;
  /** As text. */
  readonly source: string;
  readonly destination: string;
  /** Of what follows all headers of IP. */
  readonly protocol: number;
  /** Type of service or traffic class, ECN included. */
  readonly tos: number;
  /** Time to live or hop limit. */
  readonly ttl: number;
  /** Bytes of the original packet that this fragment holds the place of; null if it is none. */
  readonly fragment: { readonly offset: number; readonly isLast: boolean } | null;
  readonly payload: Uint8Array;
  /** True if bytes are missing that the header tells of, as in quoted packets. */
  readonly isCut: boolean;
  /** False only if a header has a checksum and it is wrong. */
  readonly isHeaderGood: boolean;
  /** Sum of the pseudo-header for upper layers, not folded. */
  readonly pseudoSum: number;
}

/** A TCP segment. */
export interface TcpView {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  /** The 9 low bits of the 13th and 14th byte. */
  readonly flags: number;
  readonly win: number;
  readonly urg: number;
  readonly options: Uint8Array;
  readonly dataBytes: number;
}

/** @param packet From the IP header on. @returns Its parts, or what is wrong with it. */
export function viewPacket(packet: Uint8Array): IpView | string {
  if (packet.length === 0) return "empty";
  return (read8(packet, 0) >> 4) === IPV6_VERSION ? viewIpv6(packet) : viewIpv4(packet);
}

function viewIpv4(packet: Uint8Array): IpView | string {
  const parsed = parseQuotedIpv4(packet);
  if (typeof parsed === "string") return packet.length < IPV4_BYTES ? "truncated-ip" : "bad-ip";
  const { headerBytes, totalBytes, payload, protocol } = parsed;
  const bytes = totalBytes - headerBytes;
  const pseudoSum = sumWords(packet.subarray(12, IPV4_BYTES)) + protocol + bytes;
  const isLast = (read16(packet, 6) & 0x2000) === 0;
  return {
    version: 4,
    source: formatIpv4(parsed.source),
    destination: formatIpv4(parsed.destination),
    protocol,
    tos: read8(packet, 1),
    ttl: parsed.ttl,
    fragment: parsed.isFragment ? { offset: parsed.fragmentOffset * 8, isLast } : null,
    payload,
    isCut: payload.length < bytes,
    isHeaderGood: internetChecksum(packet.subarray(0, headerBytes)) === 0,
    pseudoSum,
  };
}

function viewIpv6(packet: Uint8Array): IpView | string {
  if (packet.length < IPV6_BYTES) return "truncated-ip6";
  const bytes = read16(packet, 4);
  const all = packet.subarray(IPV6_BYTES, IPV6_BYTES + bytes);
  const extensions = skipExtensions(all, read8(packet, 6));
  if (typeof extensions === "string") return extensions;
  const { protocol, at, fragment } = extensions;
  return {
    version: 6,
    source: formatIpv6(packet.subarray(8, 8 + ADDRESS_BYTES)),
    destination: formatIpv6(packet.subarray(24, 24 + ADDRESS_BYTES)),
    protocol,
    tos: (read16(packet, 0) >> 4) & 0xff,
    ttl: read8(packet, 7),
    fragment,
    payload: all.subarray(at),
    isCut: all.length < bytes,
    isHeaderGood: true,
    pseudoSum: sumWords(packet.subarray(8, IPV6_BYTES)) + protocol + bytes - at,
  };
}

function skipExtensions(
  all: Uint8Array,
  first: number,
): Pick<IpView, "protocol" | "fragment"> & { readonly at: number } | string {
  let protocol = first;
  let at = 0;
  let fragment: IpView["fragment"] = null;
  for (let count = 0; count < EXTENSIONS_MAX; count++) {
    const isOptions = protocol === HOP_BY_HOP || protocol === DESTINATION_OPTIONS;
    if (!isOptions && protocol !== ROUTING && protocol !== FRAGMENT) {
      return { protocol, at, fragment };
    }
    if (at + FRAGMENT_BYTES > all.length) return "truncated-ip6";
    if (protocol === FRAGMENT) {
      const word = read16(all, at + 2);
      fragment = { offset: word & 0xfff8, isLast: (word & 1) === 0 };
    }
    const units = protocol === FRAGMENT ? 0 : read8(all, at + 1);
    protocol = read8(all, at);
    at += (units + 1) * 8;
    // What follows a later fragment's header is not a header.
    if (fragment !== null && fragment.offset !== 0) return { protocol, at, fragment };
  }
  return "bad-ip6";
}

/** @param payload From the TCP header on. @returns The segment, or what is wrong with it. */
export function viewTcp(payload: Uint8Array): TcpView | string {
  if (payload.length < TCP_BYTES) return "truncated-tcp";
  const headerBytes = (read8(payload, 12) >> 4) * 4;
  if (headerBytes < TCP_BYTES || headerBytes > payload.length) return "bad-tcp";
  return {
    sourcePort: read16(payload, 0),
    destinationPort: read16(payload, 2),
    seq: read32(payload, 4),
    ack: read32(payload, 8),
    flags: read16(payload, 12) & 0x1ff,
    win: read16(payload, 14),
    urg: read16(payload, 18),
    options: payload.subarray(TCP_BYTES, headerBytes),
    dataBytes: payload.length - headerBytes,
  };
}

/**
 * What is to be said of a checksum that is not right: one that holds the pseudo-header's sum is not wrong but left to be
 * completed, by a network card or by who takes the packet off a link with offload.
 *
 * @param view A packet whose upper layer has a checksum.
 * @param at Where it stands in the payload.
 * @returns Null if all is well.
 */
export function sumProblem(view: IpView, at: number): "bad" | "partial" | null {
  if (isSumGood(view)) return null;
  return read16(view.payload, at) === sumWords(NOTHING, view.pseudoSum) ? "partial" : "bad";
}

/** @returns True if the checksum of an upper layer is right, or can not be looked at because bytes are missing. */
export function isSumGood(view: IpView): boolean {
  if (view.isCut || view.fragment !== null) return true;
  // UDP over IPv4 may have none. RFC 768.
  if (view.protocol !== PROTOCOL_TCP && view.version === 4 && read16(view.payload, 6) === 0) {
    return true;
  }
  return internetChecksum(view.payload, view.pseudoSum) === 0;
}

/** IPv6 headers, and the extension headers that a host has to look at. Source: RFC 8200. */
import { readIpv6, writeIpv6 } from "./address_bytes.ts";
import { read16, read32, read8, write16, write32 } from "./bytes.ts";
import { sumWords } from "./checksum.ts";
import { IPV6_HEADER_BYTES } from "../layout/layout.gen.ts";

/** Smallest MTU of a link that carries IPv6, bytes. RFC 8200 section 5. */
export const IPV6_MTU_MIN_BYTES = 1_280;
/** Next header of ICMPv6. RFC 4443 section 1. */
export const PROTOCOL_ICMPV6 = 58;
/** No next header: nothing follows. RFC 8200 section 4.7. */
export const PROTOCOL_NONE = 59;
/** Default hop limit, as of IPv4's time to live. */
export const HOP_LIMIT_DEFAULT = 64;
/** Code of parameter problem: a field of a header is wrong. RFC 4443 section 3.4. */
export const PROBLEM_FIELD = 0;
/** Code of parameter problem: an unknown next header. */
export const PROBLEM_NEXT_HEADER = 1;
/** Code of parameter problem: an unknown option. */
export const PROBLEM_OPTION = 2;
/** Code of parameter problem: the first fragment lacks headers. RFC 7112 section 6. */
export const PROBLEM_HEADER_CHAIN = 3;

const VERSION = 6;
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;
const EXTENSION_UNIT_BYTES = 8;
const SOURCE_AT = 8;
const DESTINATION_AT = 24;
const NEXT_HEADER_AT = 6;
const OPTION_PAD1 = 0;
const PACKET_PAYLOAD_MAX_BYTES = 65_535;
/** Headers of the upper layers that we speak, without options, bytes: TCP, UDP and ICMPv6. */
const UPPER_HEADERS_BYTES: Readonly<Record<number, number>> = {
  6: 20,
  17: 8,
  [PROTOCOL_ICMPV6]: 8,
};
/** A header reaches beyond the packet. */
export const CUT = "cut";
/** A header or an option forbids to take the packet. */
export const REFUSED = "refused";
/** Addresses of the pseudo-header, bytes. RFC 8200 section 8.1. */
const ADDRESSES_BYTES = 32;
/** Hop-by-hop options with Router Alert for MLD, padded; the first byte is the next header. RFC 2711 section 2.1. */
const ROUTER_ALERT = [0, 0, 5, 2, 0, 0, 1, 0];

/** What has to be answered with a parameter problem. RFC 8200 section 4.2. */
export interface Ipv6Problem {
  /** PROBLEM_…. */
  readonly code: number;
  /** Which byte of the packet. */
  readonly pointer: number;
  /** It is answered even if the packet was sent to a group. */
  readonly evenToGroups: boolean;
}

/** A parsed packet; its views are into what was parsed. */
export interface Ipv6Packet {
  readonly source: bigint;
  readonly destination: bigint;
  /** Of what follows the extension headers. */
  readonly protocol: number;
  /** Hop limit. */
  readonly ttl: number;
  /** IPv6 header and extension headers, bytes. */
  readonly headerBytes: number;
  /** Total length as the header tells, bytes. */
  readonly totalBytes: number;
  /**
   * It has a fragment header; `protocol` and `payload` are those behind it. A fragment at 0 with none to follow is the whole: RFC
   * 6946.
   */
  readonly isFragment: boolean;
  /** Place of a fragment, in units of 8 bytes. */
  readonly fragmentOffset: number;
  /** More fragments follow. */
  readonly moreFragments: boolean;
  /** Identification of a fragment. */
  readonly identification: number;
  /** Where the next header stands that named `protocol`. */
  readonly protocolAt: number;
  /** A router was told to look at it: RFC 2711. */
  readonly hasRouterAlert: boolean;
  /** What forbids to take it, and is to be answered. */
  readonly problem: Ipv6Problem | null;
  /** What follows the headers, without link padding. */
  readonly payload: Uint8Array;
  /** Headers and payload. */
  readonly packet: Uint8Array;
}

/** Why an IPv6 packet is dropped. */
export type Ipv6Drop = "IP_SHORT" | "IP_HEADER" | "IP_EXTENSION";

/** What stands behind all extension headers. */
export type UpperLayer = Pick<Ipv6Packet, "protocol" | "payload">;

/** What the walk over the extension headers has found. */
interface Walk {
  protocol: number;
  protocolAt: number;
  at: number;
  isFragment: boolean;
  fragmentOffset: number;
  moreFragments: boolean;
  identification: number;
  hasRouterAlert: boolean;
  problem: Ipv6Problem | null;
}

/** @param view From the IPv6 header on; padding behind the packet is ignored. */
export function parseIpv6Packet(view: Uint8Array): Ipv6Packet | Ipv6Drop {
  const packet = parseQuotedIpv6(view);
  if (typeof packet === "string") return packet;
  return packet.totalBytes > view.length ? "IP_SHORT" : packet;
}

/**
 * Parses the packet that an ICMPv6 error quotes: it may be cut.
 *
 * @param view From the quoted IPv6 header on.
 */
export function parseQuotedIpv6(view: Uint8Array): Ipv6Packet | Ipv6Drop {
  if (view.length < IPV6_HEADER_BYTES) return "IP_SHORT";
  if ((read8(view, 0) >> 4) !== VERSION) return "IP_HEADER";
  const totalBytes = IPV6_HEADER_BYTES + read16(view, 4);
  const packet = view.subarray(0, Math.min(totalBytes, view.length));
  const walk = walkExtensions(packet, {
    protocol: read8(packet, NEXT_HEADER_AT),
    protocolAt: NEXT_HEADER_AT,
    at: IPV6_HEADER_BYTES,
  });
  if (walk === CUT || walk === REFUSED) return "IP_EXTENSION";
  const { at, ...found } = walk;
  return {
    ...found,
    source: readIpv6(view, SOURCE_AT),
    destination: readIpv6(view, DESTINATION_AT),
    ttl: read8(view, 7),
    headerBytes: at,
    totalBytes,
    payload: packet.subarray(at),
    packet,
  };
}

/**
 * Looks behind the fragment header of a first fragment, which has to hold all headers, that of the upper layer included: nobody on
 * the way could tell else what the packet is. RFC 7112 section 5.
 *
 * @param packet No later fragment.
 * @returns What the upper layer is and where it begins; why that can not be told: {@linkcode CUT}, {@linkcode REFUSED}.
 */
export function upperLayerOf(packet: Ipv6Packet): UpperLayer | typeof CUT | typeof REFUSED {
  const { protocol, protocolAt, headerBytes: at, packet: bytes } = packet;
  const walk = walkExtensions(bytes, { protocol, protocolAt, at });
  if (walk === CUT || walk === REFUSED) return walk;
  if (walk.problem !== null || walk.isFragment) return REFUSED;
  const payload = bytes.subarray(walk.at);
  if (payload.length < (UPPER_HEADERS_BYTES[walk.protocol] ?? 0)) return CUT;
  return { protocol: walk.protocol, payload };
}

/** @param from Where to begin. @returns The headers up to a fragment header or the upper layer, or why they can not be. */
function walkExtensions(
  packet: Uint8Array,
  from: Pick<Walk, "protocol" | "protocolAt" | "at">,
): Walk | typeof CUT | typeof REFUSED {
  const walk: Walk = {
    ...from,
    isFragment: false,
    fragmentOffset: 0,
    moreFragments: false,
    identification: 0,
    hasRouterAlert: false,
    problem: null,
  };
  // Each turn moves on by at least 8 bytes, so the loop ends.
  while (isExtension(walk) && walk.problem === null && !walk.isFragment) {
    if (packet.length - walk.at < EXTENSION_UNIT_BYTES) return CUT;
    const units = walk.protocol === FRAGMENT ? 1 : read8(packet, walk.at + 1) + 1;
    const end = walk.at + (units * EXTENSION_UNIT_BYTES);
    if (end > packet.length) return CUT;
    if (walk.protocol === FRAGMENT) readFragment(packet, walk);
    else if (walk.protocol === ROUTING) readRouting(packet, walk);
    else if (!readOptions(packet, walk, end)) return REFUSED;
    walk.protocolAt = walk.at;
    walk.protocol = read8(packet, walk.at);
    walk.at = end;
  }
  return walk;
}

/** RFC 8200 section 4.1: hop-by-hop options stand right behind the IPv6 header and nowhere else. */
function isExtension({ protocol, at }: Walk): boolean {
  if (protocol === HOP_BY_HOP) return at === IPV6_HEADER_BYTES;
  return protocol === ROUTING || protocol === FRAGMENT || protocol === DESTINATION_OPTIONS;
}

function readFragment(packet: Uint8Array, walk: Walk): void {
  const word = read16(packet, walk.at + 2);
  walk.fragmentOffset = word >>> 3;
  walk.moreFragments = (word & 1) !== 0;
  walk.identification = read32(packet, walk.at + 4);
  walk.isFragment = true;
}

/** RFC 8200 section 4.4: an unknown routing type is skipped without segments left, and is a problem with some. */
function readRouting(packet: Uint8Array, walk: Walk): void {
  if (read8(packet, walk.at + 3) === 0) return;
  walk.problem = { code: PROBLEM_FIELD, pointer: walk.at + 2, evenToGroups: false };
}

/** RFC 8200 section 4.2: the two high bits of an unknown option say what is to be done. @returns False to drop. */
function readOptions(packet: Uint8Array, walk: Walk, end: number): boolean {
  let at = walk.at + 2;
  while (at < end) {
    const kind = read8(packet, at);
    if (kind === OPTION_PAD1) {
      at++;
      continue;
    }
    if (at + 2 > end || at + 2 + read8(packet, at + 1) > end) return false;
    const action = kind >>> 6;
    if (action === 1) return false;
    if (action > 1) {
      walk.problem = { code: PROBLEM_OPTION, pointer: at, evenToGroups: action === 2 };
      return true;
    }
    if (kind === 5 && walk.protocol === HOP_BY_HOP) walk.hasRouterAlert = true;
    at += 2 + read8(packet, at + 1);
  }
  return true;
}

/** What {@linkcode buildIpv6Packet} needs. */
export interface Ipv6Fields {
  readonly source: bigint;
  readonly destination: bigint;
  readonly protocol: number;
  /** Hop limit, 1 to 255. Default 64. */
  readonly ttl?: number;
  /** Adds the hop-by-hop option that makes routers look. Default false. RFC 2711. */
  readonly routerAlert?: boolean;
}

/**
 * Builds a packet.
 *
 * @param payload At most 65,527 bytes.
 * @throws RangeError if the payload is larger.
 */
export function buildIpv6Packet(fields: Ipv6Fields, payload: Uint8Array): Uint8Array {
  const extension = fields.routerAlert === true ? Uint8Array.from(ROUTER_ALERT) : null;
  const payloadBytes = (extension?.length ?? 0) + payload.length;
  if (payloadBytes > PACKET_PAYLOAD_MAX_BYTES) {
    throw new RangeError(
      `Cannot build a packet with ${payloadBytes} bytes of payload: expected at most 65535`,
    );
  }
  const packet = new Uint8Array(IPV6_HEADER_BYTES + payloadBytes);
  packet[0] = VERSION << 4;
  write16(packet, 4, payloadBytes);
  packet[NEXT_HEADER_AT] = extension === null ? fields.protocol : HOP_BY_HOP;
  packet[7] = fields.ttl ?? HOP_LIMIT_DEFAULT;
  writeIpv6(packet, SOURCE_AT, fields.source);
  writeIpv6(packet, DESTINATION_AT, fields.destination);
  if (extension !== null) {
    extension[0] = fields.protocol;
    packet.set(extension, IPV6_HEADER_BYTES);
  }
  packet.set(payload, IPV6_HEADER_BYTES + (extension?.length ?? 0));
  return packet;
}

/**
 * Sum of the IPv6 pseudo-header of TCP, UDP and ICMPv6.
 *
 * @param protocol Of the upper layer, whatever extension headers stand before it.
 * @param sizeBytes Header and data of the upper layer, bytes.
 * @returns A sum for the `initial` of `internetChecksum()`. Source: RFC 8200 section 8.1.
 */
export function ipv6PseudoHeaderSum(
  source: bigint,
  destination: bigint,
  protocol: number,
  sizeBytes: number,
): number {
  const bytes = new Uint8Array(ADDRESSES_BYTES + 8);
  writeIpv6(bytes, 0, source);
  writeIpv6(bytes, ADDRESSES_BYTES / 2, destination);
  write32(bytes, ADDRESSES_BYTES, sizeBytes);
  write32(bytes, ADDRESSES_BYTES + 4, protocol);
  return sumWords(bytes);
}

/** @returns The MAC address of a group: 33:33 and its last four bytes. Source: RFC 2464 section 7. */
export function ipv6MulticastMac(group: bigint): Uint8Array {
  const mac = Uint8Array.of(0x33, 0x33, 0, 0, 0, 0);
  write32(mac, 2, Number(BigInt.asUintN(32, group)));
  return mac;
}

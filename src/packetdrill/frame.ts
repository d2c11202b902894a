/**
 * Frames of the scripted peer: built and taken apart here, apart from the codecs of the stack, so that a mistake in these is
 * seen. What every packet of ours must be, whatever a script says of it, is checked where it is taken apart.
 */
import { read16, read32, write16, write32 } from "../wire/bytes.ts";
import { internetChecksum } from "../wire/checksum.ts";
import { type Option, optionBytes, readOptions } from "./option_bytes.ts";

/** Bits of the flags, AE (RFC 9768) on top. */
export const FLAG_FIN = 0x01;
export const FLAG_SYN = 0x02;
export const FLAG_RST = 0x04;
export const FLAG_PSH = 0x08;
export const FLAG_ACK = 0x10;
export const FLAG_URG = 0x20;
export const FLAG_ECE = 0x40;
export const FLAG_CWR = 0x80;
export const FLAG_AE = 0x100;

/** Bits of the 13th and 14th byte of the header that are flags; those above are reserved, then the data offset. */
const FLAGS_MASK = 0x1ff;
const RESERVED_MASK = 0x0e00;

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const TCP_BYTES = 20;
const ICMP_BYTES = 8;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const DONT_FRAGMENT = 0x4000;
/** More fragments, and the offset. */
const FRAGMENT_MASK = 0x3fff;
const PROTOCOL_ICMP = 1;
const PROTOCOL_TCP = 6;
const PROTOCOL_ICMPV6 = 58;
/** What an ICMP error quotes of the upper layer, bytes: what every router must. RFC 792. */
const QUOTED_BYTES = 8;
const FLOW_LABEL_MASK = 0xf_ffff;
/** 64 bits of an IPv6 address at a time. */
const HALF_BITS = 32n;

/** Time to live of what the peer sends unless the script says another. */
export const PEER_TTL = 255;

/** MAC addresses of the peer and of the stack, locally administered. */
export const PEER_MAC: Uint8Array = new Uint8Array([2, 0, 0, 0, 0, 9]);
export const OUR_MAC: Uint8Array = new Uint8Array([2, 0, 0, 0, 0, 1]);

/** IPv4 as u32, IPv6 as 128 bits. */
export type Address = number | bigint;

/** An end of a connection. */
export interface End {
  readonly address: Address;
  readonly port: number;
}

/** What a script can say of the IP header. */
export interface IpFields {
  /** Traffic class or type of service, ECN bits included. */
  readonly tos: number;
  readonly ttl: number;
  readonly flowLabel: number;
}

/** A segment with the numbers that are on the wire. */
export interface Segment {
  readonly source: End;
  readonly destination: End;
  readonly ip: IpFields;
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
  readonly win: number;
  readonly urg: number;
  readonly options: readonly Option[];
  /** Bytes of payload. */
  readonly length: number;
}

/** An ICMP message with its quoted packet, if there is one. */
export interface IcmpMessage {
  readonly source: Address;
  readonly destination: Address;
  readonly ip: IpFields;
  readonly type: number;
  readonly code: number;
  /** The four bytes after the checksum. */
  readonly rest: number;
  readonly body: Uint8Array;
}

/** A frame of ours, taken apart. */
export type Received =
  | { readonly kind: "tcp"; readonly segment: Segment; readonly problems: readonly string[] }
  | { readonly kind: "icmp"; readonly message: IcmpMessage; readonly problems: readonly string[] }
  | { readonly kind: "other"; readonly what: string };

/** The bytes of an address, 4 or 16. */
export function addressBytes(address: Address): Uint8Array {
  if (typeof address === "number") {
    const bytes = new Uint8Array(4);
    write32(bytes, 0, address);
    return bytes;
  }
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 4; i++) {
    write32(bytes, 12 - (4 * i), Number((address >> (HALF_BITS * BigInt(i))) & 0xffff_ffffn));
  }
  return bytes;
}

function readAddress(bytes: Uint8Array): Address {
  if (bytes.length === 4) return read32(bytes, 0);
  let address = 0n;
  for (let at = 0; at < 16; at += 4) address = (address << HALF_BITS) | BigInt(read32(bytes, at));
  return address;
}

/** The pseudo-header of RFC 9293 section 3.1, or of RFC 8200 section 8.1. */
function pseudoHeader(source: Address, destination: Address, protocol: number, size: number) {
  const from = addressBytes(source);
  const bytes = new Uint8Array((2 * from.length) + (from.length === 4 ? 4 : 8));
  bytes.set(from, 0);
  bytes.set(addressBytes(destination), from.length);
  bytes[bytes.length - (from.length === 4 ? 3 : 1)] = protocol;
  if (from.length === 4) write16(bytes, bytes.length - 2, size);
  else write32(bytes, bytes.length - 8, size);
  return bytes;
}

function checksumOf(pseudo: Uint8Array, upper: Uint8Array): number {
  // The pseudo-header has an even number of bytes, so the complement of its own sum can be carried on.
  return internetChecksum(upper, ~internetChecksum(pseudo) & 0xffff);
}

// From the peer to the stack.

/** The IP packet's header, for a payload of so many bytes. */
function ipHeader(
  source: Address,
  destination: Address,
  ip: IpFields,
  protocol: number,
  payloadBytes: number,
): Uint8Array {
  if (typeof source === "number") {
    const header = new Uint8Array(IPV4_BYTES);
    header[0] = 0x45;
    header[1] = ip.tos;
    write16(header, 2, IPV4_BYTES + payloadBytes);
    write16(header, 6, DONT_FRAGMENT);
    header[8] = ip.ttl;
    header[9] = protocol;
    header.set(addressBytes(source), 12);
    header.set(addressBytes(destination), 16);
    write16(header, 10, internetChecksum(header));
    return header;
  }
  const header = new Uint8Array(IPV6_BYTES);
  write32(header, 0, ((6 << 28) | (ip.tos << 20) | (ip.flowLabel & FLOW_LABEL_MASK)) >>> 0);
  write16(header, 4, payloadBytes);
  header[6] = protocol;
  header[7] = ip.ttl;
  header.set(addressBytes(source), 8);
  header.set(addressBytes(destination), 24);
  return header;
}

function frameOf(header: Uint8Array, upper: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(ETHERNET_BYTES + header.length + upper.length);
  frame.set(OUR_MAC, 0);
  frame.set(PEER_MAC, 6);
  write16(frame, 12, header.length === IPV4_BYTES ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  frame.set(header, ETHERNET_BYTES);
  frame.set(upper, ETHERNET_BYTES + header.length);
  return frame;
}

/** A frame of the peer with a segment; its payload is zeros. */
export function buildSegmentFrame(segment: Segment): Uint8Array<ArrayBuffer> {
  const { source, destination, ip } = segment;
  const options = optionBytes(segment.options);
  const headerBytes = TCP_BYTES + options.length;
  const tcp = new Uint8Array(headerBytes + segment.length);
  write16(tcp, 0, source.port);
  write16(tcp, 2, destination.port);
  write32(tcp, 4, segment.seq);
  write32(tcp, 8, segment.ack);
  write16(tcp, 12, (headerBytes << 10) | segment.flags);
  write16(tcp, 14, segment.win);
  write16(tcp, 18, segment.urg);
  tcp.set(options, TCP_BYTES);
  const pseudo = pseudoHeader(source.address, destination.address, PROTOCOL_TCP, tcp.length);
  write16(tcp, 16, checksumOf(pseudo, tcp));
  const header = ipHeader(source.address, destination.address, ip, PROTOCOL_TCP, tcp.length);
  return frameOf(header, tcp);
}

/** A frame of the peer (or of a router in its place) with an ICMP message. */
export function buildIcmpFrame(message: IcmpMessage): Uint8Array<ArrayBuffer> {
  const { source, destination, ip } = message;
  const bytes = new Uint8Array(ICMP_BYTES + message.body.length);
  bytes[0] = message.type;
  bytes[1] = message.code;
  write32(bytes, 4, message.rest);
  bytes.set(message.body, ICMP_BYTES);
  const isV4 = typeof source === "number";
  const protocol = isV4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6;
  // ICMP has no pseudo-header; ICMPv6 has one. RFC 4443 section 2.3.
  const pseudo = isV4
    ? new Uint8Array(0)
    : pseudoHeader(source, destination, protocol, bytes.length);
  write16(bytes, 2, checksumOf(pseudo, bytes));
  return frameOf(ipHeader(source, destination, ip, protocol, bytes.length), bytes);
}

/**
 * What an ICMP error quotes: the IP header of a segment of ours and the first bytes behind it.
 *
 * @param seq As on the wire.
 * @param length Payload that the segment had, bytes.
 */
export function quoteSegment(
  source: End,
  destination: End,
  seq: number,
  length: number,
): Uint8Array {
  const ip: IpFields = { tos: 0, ttl: PEER_TTL, flowLabel: 0 };
  const size = TCP_BYTES + length;
  const header = ipHeader(source.address, destination.address, ip, PROTOCOL_TCP, size);
  const quoted = new Uint8Array(header.length + QUOTED_BYTES);
  quoted.set(header);
  write16(quoted, header.length, source.port);
  write16(quoted, header.length + 2, destination.port);
  write32(quoted, header.length + 4, seq);
  return quoted;
}

// From the stack to the peer.

/** The IP header of a packet of ours, taken apart. */
interface IpPacket {
  readonly source: Address;
  readonly destination: Address;
  readonly ip: IpFields;
  readonly protocol: number;
  readonly upper: Uint8Array;
}

/** What every IPv4 packet of ours must be. RFC 791 section 3.1. */
function readIpv4(packet: Uint8Array, problems: string[]): IpPacket {
  const headerBytes = ((packet[0] ?? 0) & 0xf) * 4;
  if (packet[0] !== 0x45) problems.push("the IP header has options or another version");
  if (read16(packet, 2) !== packet.length) problems.push("the IP total length is wrong");
  if ((read16(packet, 6) & FRAGMENT_MASK) !== 0) problems.push("the packet is a fragment");
  if (internetChecksum(packet.subarray(0, headerBytes)) !== 0) {
    problems.push("the IP header's checksum is wrong");
  }
  return {
    source: readAddress(packet.subarray(12, 16)),
    destination: readAddress(packet.subarray(16, 20)),
    ip: { tos: packet[1] ?? 0, ttl: packet[8] ?? 0, flowLabel: 0 },
    protocol: packet[9] ?? 0,
    upper: packet.subarray(headerBytes),
  };
}

/** What every IPv6 packet of ours must be. RFC 8200 section 3. */
function readIpv6(packet: Uint8Array, problems: string[]): IpPacket {
  const first = read32(packet, 0);
  if (first >>> 28 !== 6) problems.push("the IP version is not 6");
  if (read16(packet, 4) !== packet.length - IPV6_BYTES) {
    problems.push("the IPv6 payload length is wrong");
  }
  return {
    source: readAddress(packet.subarray(8, 24)),
    destination: readAddress(packet.subarray(24, 40)),
    ip: {
      tos: (first >>> 20) & 0xff,
      ttl: packet[7] ?? 0,
      flowLabel: first & FLOW_LABEL_MASK,
    },
    protocol: packet[6] ?? 0,
    upper: packet.subarray(IPV6_BYTES),
  };
}

function readTcp({ source, destination, ip, upper }: IpPacket, problems: string[]): Segment {
  const word = read16(upper, 12);
  const headerBytes = (word >>> 12) * 4;
  const pseudo = pseudoHeader(source, destination, PROTOCOL_TCP, upper.length);
  if (checksumOf(pseudo, upper) !== 0) problems.push("the TCP checksum is wrong");
  if ((word & RESERVED_MASK) !== 0) problems.push("a reserved bit is set");
  if (headerBytes < TCP_BYTES || headerBytes > upper.length) {
    problems.push("the data offset is wrong");
  }
  const payload = upper.subarray(headerBytes);
  if (payload.some((byte) => byte !== 0)) problems.push("the payload is not all zeros");
  return {
    source: { address: source, port: read16(upper, 0) },
    destination: { address: destination, port: read16(upper, 2) },
    ip,
    flags: word & FLAGS_MASK,
    seq: read32(upper, 4),
    ack: read32(upper, 8),
    win: read16(upper, 14),
    urg: read16(upper, 18),
    options: readOptions(upper.subarray(TCP_BYTES, headerBytes), problems),
    length: payload.length,
  };
}

function readIcmp(packet: IpPacket, problems: string[]): IcmpMessage {
  const { source, destination, ip, protocol, upper } = packet;
  const pseudo = protocol === PROTOCOL_ICMP
    ? new Uint8Array(0)
    : pseudoHeader(source, destination, protocol, upper.length);
  if (checksumOf(pseudo, upper) !== 0) problems.push("the ICMP checksum is wrong");
  return {
    source,
    destination,
    ip,
    type: upper[0] ?? 0,
    code: upper[1] ?? 0,
    rest: read32(upper, 4),
    body: upper.slice(ICMP_BYTES),
  };
}

/**
 * Takes a frame of ours apart.
 *
 * @param frame From the destination MAC on.
 * @returns What it is, and what is wrong with it that no script can allow.
 */
export function readFrame(frame: Uint8Array): Received {
  const problems: string[] = [];
  const etherType = read16(frame, 12);
  if (etherType !== ETHERTYPE_IPV4 && etherType !== ETHERTYPE_IPV6) {
    return { kind: "other", what: `EtherType ${etherType.toString(16)}` };
  }
  if (PEER_MAC.some((byte, i) => frame[i] !== byte)) {
    problems.push("the destination MAC is not the peer's");
  }
  if (OUR_MAC.some((byte, i) => frame[6 + i] !== byte)) problems.push("the source MAC is not ours");
  const read = etherType === ETHERTYPE_IPV4 ? readIpv4 : readIpv6;
  const packet = read(frame.subarray(ETHERNET_BYTES), problems);
  if (packet.protocol === PROTOCOL_TCP) {
    return { kind: "tcp", segment: readTcp(packet, problems), problems };
  }
  if (packet.protocol === PROTOCOL_ICMP || packet.protocol === PROTOCOL_ICMPV6) {
    return { kind: "icmp", message: readIcmp(packet, problems), problems };
  }
  return { kind: "other", what: `IP protocol ${packet.protocol}` };
}

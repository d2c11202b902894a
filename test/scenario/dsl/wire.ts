/**
 * Frames of the scripted peer: built and taken apart here, independently of the codecs under test. What every segment of
 * ours must be, whatever a script says of it, is checked where it is taken apart.
 */
import type { IpAddress } from "../../../src/core/info_view.ts";
import type { TcpOption } from "./syntax.ts";

/** Bits of the flags, AE (RFC 9768) on top. */
export const FLAG_FIN = 0x01;
export const FLAG_SYN = 0x02;
export const FLAG_RST = 0x04;
export const FLAG_PSH = 0x08;
export const FLAG_ACK = 0x10;
export const FLAG_URG = 0x20;

/** In the order of writing. */
export const FLAG_LETTERS: readonly (readonly [bit: number, letter: string])[] = [
  [FLAG_FIN, "F"],
  [FLAG_SYN, "S"],
  [FLAG_RST, "R"],
  [FLAG_PSH, "P"],
  [FLAG_URG, "U"],
  [0x40, "E"],
  [0x80, "W"],
  [0x100, "A"],
  [FLAG_ACK, "."],
];

/** Bits of the 13th and 14th byte of the header that are flags; those above are reserved, then the data offset. */
const FLAGS_MASK = 0x1ff;
const RESERVED_MASK = 0x0e00;

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const TCP_BYTES = 20;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** Version 6, no traffic class, no flow label. */
const IPV6_FIRST_WORD = 0x6000_0000;
const VERSION_AND_LENGTH = 0x45;
const DONT_FRAGMENT = 0x4000;
const PROTOCOL_TCP = 6;
/** Time to live of what the peer sends; any will do. */
const PEER_TTL = 57;
/** ECN's part of the Differentiated Services byte, and where that stands in IPv6's first word. */
const ECN_MASK = 3;
const TRAFFIC_CLASS_ONE = 0x10_0000;

/** MAC addresses of the peer and of the stack. */
export const PEER_MAC: Uint8Array = new Uint8Array([2, 0, 0, 0, 0, 9]);
export const OUR_MAC: Uint8Array = new Uint8Array([2, 0, 0, 0, 0, 1]);

/** An end of a connection. */
export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

/** A segment with the numbers that are on the wire. */
export interface WireSegment {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly flags: number;
  /** ECN bits of the IP header. */
  readonly ecn: number;
  readonly seq: number;
  readonly ack: number;
  readonly win: number;
  readonly urg: number;
  readonly options: readonly TcpOption[];
  readonly payload: Uint8Array;
}

/** The Internet checksum of RFC 1071, word by word with the carry brought around each time. */
export function independentChecksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) {
      sum += ((part[i] ?? 0) * 256) + (part[i + 1] ?? 0);
      if (sum > 0xffff) sum -= 0xffff;
    }
  }
  return 0xffff - sum;
}

/** 4 or 16 bytes. */
function bytesOfAddress(address: IpAddress): Uint8Array {
  const bytes = typeof address === "bigint" ? 16 : 4;
  const digits = address.toString(16).padStart(bytes * 2, "0");
  return Uint8Array.from(
    { length: bytes },
    (_, i) => parseInt(digits.slice(2 * i, (2 * i) + 2), 16),
  );
}

/** RFC 9293 section 3.1, RFC 8200 section 8.1. */
function pseudoHeader(source: IpAddress, destination: IpAddress, bytes: number): Uint8Array {
  const [from, to] = [bytesOfAddress(source), bytesOfAddress(destination)];
  const rest = typeof source === "bigint"
    ? [...u32(bytes), 0, 0, 0, PROTOCOL_TCP]
    : [0, PROTOCOL_TCP, ...u16(bytes)];
  return Uint8Array.from([...from, ...to, ...rest]);
}

// Options.

function u16(value: number): number[] {
  return [(value >>> 8) & 0xff, value & 0xff];
}

function u32(value: number): number[] {
  return [...u16(value >>> 16), ...u16(value)];
}

function bytesOfOption(option: TcpOption): number[] {
  switch (option.kind) {
    case "eol":
      return [0];
    case "nop":
      return [1];
    case "mss":
      return [2, 4, ...u16(option.value)];
    case "wscale":
      return [3, 3, option.value];
    case "sackOK":
      return [4, 2];
    case "sack":
      return [5, 2 + (8 * option.blocks.length), ...option.blocks.flat().flatMap(u32)];
    case "TS":
      return [8, 10, ...u32(option.val), ...u32(option.ecr)];
    case "other":
      return [option.number, 2 + option.data.length, ...option.data];
    case "raw":
      return [...option.data];
  }
}

/** The bytes of options, end to end. */
export function optionBytes(options: readonly TcpOption[]): Uint8Array {
  return Uint8Array.from(options.flatMap(bytesOfOption));
}

function readOption(kind: number, view: DataView): TcpOption {
  const bytes = view.byteLength;
  if (kind === 2 && bytes === 2) return { kind: "mss", value: view.getUint16(0) };
  if (kind === 3 && bytes === 1) return { kind: "wscale", value: view.getUint8(0) };
  if (kind === 4 && bytes === 0) return { kind: "sackOK" };
  if (kind === 8 && bytes === 8) {
    return { kind: "TS", val: view.getUint32(0), ecr: view.getUint32(4) };
  }
  if (kind === 5 && bytes > 0 && bytes % 8 === 0) {
    const blocks: [number, number][] = [];
    for (let at = 0; at < bytes; at += 8) blocks.push([view.getUint32(at), view.getUint32(at + 4)]);
    return { kind: "sack", blocks };
  }
  const data = new Uint8Array(view.buffer, view.byteOffset, bytes).slice();
  return { kind: "other", number: kind, data };
}

function readOptions(field: Uint8Array, problems: string[]): TcpOption[] {
  const options: TcpOption[] = [];
  for (let at = 0; at < field.length;) {
    const kind = field[at] ?? 0;
    if (kind < 2) {
      options.push({ kind: kind === 0 ? "eol" : "nop" });
      at++;
      continue;
    }
    const bytes = field[at + 1] ?? 0;
    if (bytes < 2 || at + bytes > field.length) {
      problems.push(`option ${kind} has length ${bytes}`);
      break;
    }
    const view = new DataView(field.buffer, field.byteOffset + at + 2, bytes - 2);
    options.push(readOption(kind, view));
    at += bytes;
  }
  return options;
}

// Frames.

function writeIpv6(frame: DataView, segment: WireSegment, tcpBytes: number): void {
  frame.setUint16(12, ETHERTYPE_IPV6);
  frame.setUint32(14, IPV6_FIRST_WORD + (segment.ecn * TRAFFIC_CLASS_ONE));
  frame.setUint16(18, tcpBytes);
  frame.setUint8(20, PROTOCOL_TCP);
  frame.setUint8(21, PEER_TTL);
  const bytes = new Uint8Array(frame.buffer);
  bytes.set(bytesOfAddress(segment.source.address), 22);
  bytes.set(bytesOfAddress(segment.destination.address), 38);
}

function writeIpv4(frame: DataView, segment: WireSegment, tcpBytes: number): void {
  frame.setUint16(12, ETHERTYPE_IPV4);
  frame.setUint8(14, VERSION_AND_LENGTH);
  frame.setUint8(15, segment.ecn);
  frame.setUint16(16, IPV4_BYTES + tcpBytes);
  frame.setUint16(20, DONT_FRAGMENT);
  frame.setUint8(22, PEER_TTL);
  frame.setUint8(23, PROTOCOL_TCP);
  new Uint8Array(frame.buffer).set(bytesOfAddress(segment.source.address), 26);
  new Uint8Array(frame.buffer).set(bytesOfAddress(segment.destination.address), 30);
  const header = new Uint8Array(frame.buffer, ETHERNET_BYTES, IPV4_BYTES);
  frame.setUint16(24, independentChecksum(header));
}

/**
 * Builds a frame of the peer.
 *
 * @param segment What it says.
 * @param isCorrupt With a wrong TCP checksum.
 */
export function buildFrame(segment: WireSegment, isCorrupt: boolean): Uint8Array<ArrayBuffer> {
  const options = optionBytes(segment.options);
  const tcpBytes = TCP_BYTES + options.length + segment.payload.length;
  const isV6 = typeof segment.source.address === "bigint";
  const at = ETHERNET_BYTES + (isV6 ? IPV6_BYTES : IPV4_BYTES);
  const bytes = new Uint8Array(at + tcpBytes);
  bytes.set(OUR_MAC, 0);
  bytes.set(PEER_MAC, 6);
  const frame = new DataView(bytes.buffer);
  if (isV6) writeIpv6(frame, segment, tcpBytes);
  else writeIpv4(frame, segment, tcpBytes);
  frame.setUint16(at, segment.source.port);
  frame.setUint16(at + 2, segment.destination.port);
  frame.setUint32(at + 4, segment.seq);
  frame.setUint32(at + 8, segment.ack);
  frame.setUint16(at + 12, ((TCP_BYTES + options.length) << 10) | segment.flags);
  frame.setUint16(at + 14, segment.win);
  frame.setUint16(at + 18, segment.urg);
  bytes.set(options, at + TCP_BYTES);
  bytes.set(segment.payload, at + TCP_BYTES + options.length);
  const pseudo = pseudoHeader(segment.source.address, segment.destination.address, tcpBytes);
  const sum = independentChecksum(pseudo, bytes.subarray(at));
  frame.setUint16(at + 16, isCorrupt ? sum ^ 1 : sum);
  return bytes;
}

/** What the IP header of every packet of ours says. */
export interface IpFields {
  readonly ttl: number;
  /** Differentiated Services byte. */
  readonly tos: number;
  /** Whether routers may fragment it: IPv4 alone. Default: they may not. */
  readonly mayFragment?: boolean;
}

/** What every IPv4 packet of ours must be. RFC 791 section 3.1, RFC 6864 section 4.1. */
function checkIpv4(bytes: Uint8Array, { ttl, tos, mayFragment = false }: IpFields): string[] {
  const frame = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const facts: [claim: boolean, problem: string][] = [
    [bytes[14] === VERSION_AND_LENGTH, "the IP header has options or another version"],
    [((bytes[15] ?? 0) & ~ECN_MASK) === tos, `the Differentiated Services byte is ${bytes[15]}`],
    [frame.getUint16(16) === bytes.length - ETHERNET_BYTES, "the total length is wrong"],
    [frame.getUint16(20) === (mayFragment ? 0 : DONT_FRAGMENT), "Don't Fragment is wrong"],
    // RFC 6864 section 4.1: only what may be fragmented needs an identification.
    [mayFragment || frame.getUint16(18) === 0, "an atomic packet has an identification"],
    [bytes[22] === ttl, `the TTL is ${bytes[22]}`],
    [bytes[23] === PROTOCOL_TCP, "the protocol is not TCP"],
    [independentChecksum(bytes.subarray(14, 34)) === 0, "the IP header's checksum is wrong"],
  ];
  return problemsOf(facts);
}

/** What every IPv6 packet of ours must be. RFC 8200 section 3. */
function checkIpv6(bytes: Uint8Array, { ttl: hopLimit, tos }: IpFields): string[] {
  const frame = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const payload = bytes.length - ETHERNET_BYTES - IPV6_BYTES;
  return problemsOf([
    [
      (frame.getUint32(14) & ~(ECN_MASK * TRAFFIC_CLASS_ONE)) >>> 0 ===
        IPV6_FIRST_WORD + (tos * TRAFFIC_CLASS_ONE),
      "version, traffic class or flow label is wrong",
    ],
    [frame.getUint16(18) === payload, "the payload length is wrong"],
    [bytes[20] === PROTOCOL_TCP, "the next header is not TCP"],
    [bytes[21] === hopLimit, `the hop limit is ${bytes[21]}`],
  ]);
}

function checkEthernet(bytes: Uint8Array): string[] {
  return problemsOf([
    [PEER_MAC.every((byte, i) => bytes[i] === byte), "the destination MAC is not the peer's"],
    [OUR_MAC.every((byte, i) => bytes[6 + i] === byte), "the source MAC is not ours"],
  ]);
}

function problemsOf(facts: readonly (readonly [claim: boolean, problem: string])[]): string[] {
  return facts.filter(([claim]) => !claim).map(([, problem]) => problem);
}

function addressAt(frame: DataView, at: number, isV6: boolean): IpAddress {
  if (!isV6) return frame.getUint32(at);
  return (frame.getBigUint64(at) << 64n) | frame.getBigUint64(at + 8);
}

/**
 * Takes a frame of ours apart.
 *
 * @param bytes From the destination MAC on.
 * @param ip What its IP header must say.
 * @returns The segment and what is wrong with it, which no script can allow.
 */
export function readFrame(
  bytes: Uint8Array,
  ip: IpFields,
): { segment: WireSegment; problems: string[] } {
  const frame = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isV6 = frame.getUint16(12) === ETHERTYPE_IPV6;
  const problems = checkEthernet(bytes);
  problems.push(...(isV6 ? checkIpv6(bytes, ip) : checkIpv4(bytes, ip)));
  const at = ETHERNET_BYTES + (isV6 ? IPV6_BYTES : IPV4_BYTES);
  const tcp = bytes.subarray(at);
  const word = frame.getUint16(at + 12);
  const headerBytes = (word >>> 12) * 4;
  const source = { address: addressAt(frame, isV6 ? 22 : 26, isV6), port: frame.getUint16(at) };
  const destination = {
    address: addressAt(frame, isV6 ? 38 : 30, isV6),
    port: frame.getUint16(at + 2),
  };
  const pseudo = pseudoHeader(source.address, destination.address, tcp.length);
  if (independentChecksum(pseudo, tcp) !== 0) problems.push("the TCP checksum is wrong");
  if ((word & RESERVED_MASK) !== 0) problems.push("a reserved bit is set");
  if (headerBytes < TCP_BYTES || headerBytes > tcp.length) {
    problems.push("the data offset is wrong");
  }
  const flags = word & FLAGS_MASK;
  const segment: WireSegment = {
    source,
    destination,
    flags,
    ecn: (isV6 ? frame.getUint32(14) / TRAFFIC_CLASS_ONE : frame.getUint8(15)) & ECN_MASK,
    seq: frame.getUint32(at + 4),
    ack: frame.getUint32(at + 8),
    win: frame.getUint16(at + 14),
    urg: frame.getUint16(at + 18),
    options: readOptions(tcp.subarray(TCP_BYTES, headerBytes), problems),
    payload: tcp.slice(headerBytes),
  };
  if ((flags & FLAG_ACK) === 0 && segment.ack !== 0) problems.push("it has no ACK but a number");
  return { segment, problems };
}

/**
 * One line of text for any frame, for traces and tests. Addresses and sequence numbers are absolute.
 *
 * The notation is that of packet scripts: `10.0.0.2:49152 > 10.0.0.1:80 P. 1:6(5) ack 1 win 65535 <nop,…>`.
 */
import { formatIpv4, formatMac } from "./address_text.ts";
import { ARP_REQUEST, parseArp } from "./arp.ts";
import { read16, read32, read8 } from "./bytes.ts";
import { internetChecksum, pseudoHeaderSum, sumWords } from "./checksum.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, parseEthernet } from "./ethernet.ts";
import { ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, isIcmpError, parseIcmp } from "./icmp.ts";
import {
  type Ipv4Packet,
  parseIpv4Packet,
  parseQuotedIpv4,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from "./ipv4.ts";
import { parseUdp } from "./udp.ts";

const TCP_BYTES = 20;
const TCP_PORTS_BYTES = 4;
const TCP_CHECKSUM_AT = 16;
const FLAG_FIN = 0x01;
const FLAG_SYN = 0x02;
const FLAG_ACK = 0x10;
const FLAG_URG = 0x20;
/** In the order of packet scripts; FIN, SYN, RST, PSH, URG, ECE, CWR, AE, then ACK as a dot. */
const FLAG_LETTERS: readonly (readonly [bit: number, letter: string])[] = [
  [FLAG_FIN, "F"],
  [FLAG_SYN, "S"],
  [0x04, "R"],
  [0x08, "P"],
  [FLAG_URG, "U"],
  [0x40, "E"],
  [0x80, "W"],
  [0x100, "A"],
  [FLAG_ACK, "."],
];

/**
 * Describes a frame.
 *
 * @param frame From the destination MAC on; any bytes at all.
 * @returns One line without a line break; what can not be parsed is named in brackets.
 */
export function decodeFrame(frame: Uint8Array): string {
  const ethernet = parseEthernet(frame);
  if (typeof ethernet === "string") return `[${ethernet}, ${frame.length} bytes]`;
  if (ethernet.etherType === ETHERTYPE_ARP) return decodeArp(ethernet.payload);
  if (ethernet.etherType === ETHERTYPE_IPV4) return decodeIpv4(ethernet.payload);
  const type = ethernet.etherType.toString(16).padStart(4, "0");
  const macs = `${formatMac(ethernet.source)} > ${formatMac(ethernet.destination)}`;
  return `${macs} ethertype 0x${type} length ${ethernet.payload.length}`;
}

function decodeArp(payload: Uint8Array): string {
  const arp = parseArp(payload);
  if (typeof arp === "string") return `ARP [${arp}]`;
  const sender = formatIpv4(arp.senderAddress);
  if (arp.operation === ARP_REQUEST) {
    return `ARP who-has ${formatIpv4(arp.targetAddress)} tell ${sender}`;
  }
  return `ARP ${sender} is-at ${formatMac(arp.senderMac)}`;
}

/**
 * Describes an IPv4 packet.
 *
 * @param view From the IPv4 header on; any bytes at all.
 * @returns One line, as {@linkcode decodeFrame}.
 */
export function decodeIpv4(view: Uint8Array): string {
  const packet = parseIpv4Packet(view);
  if (typeof packet === "string") return `IP [${packet}]`;
  const addresses = `${formatIpv4(packet.source)} > ${formatIpv4(packet.destination)}`;
  if (packet.isFragment) {
    const offset = packet.fragmentOffset * 8;
    return `${addresses} fragment of protocol ${packet.protocol} at ${offset} length ${packet.payload.length}`;
  }
  if (packet.protocol === PROTOCOL_TCP) return decodeTcp(packet);
  if (packet.protocol === PROTOCOL_UDP) return decodeUdp(packet);
  if (packet.protocol === PROTOCOL_ICMP) return `${addresses} ${decodeIcmp(packet.payload)}`;
  return `${addresses} protocol ${packet.protocol} length ${packet.payload.length}`;
}

function withPorts(packet: Ipv4Packet): string {
  const source = `${formatIpv4(packet.source)}:${read16(packet.payload, 0)}`;
  return `${source} > ${formatIpv4(packet.destination)}:${read16(packet.payload, 2)}`;
}

function decodeUdp(packet: Ipv4Packet): string {
  const datagram = parseUdp(packet.payload, packet.source, packet.destination);
  if (typeof datagram === "string") {
    return `${formatIpv4(packet.source)} > ${formatIpv4(packet.destination)} UDP [${datagram}]`;
  }
  return `${withPorts(packet)} UDP length ${datagram.payload.length}`;
}

function decodeIcmp(payload: Uint8Array): string {
  const message = parseIcmp(payload);
  if (typeof message === "string") return `ICMP [${message}]`;
  const { type, code, rest, body } = message;
  if (type === ICMP_ECHO_REQUEST || type === ICMP_ECHO_REPLY) {
    const name = type === ICMP_ECHO_REQUEST ? "echo request" : "echo reply";
    return `ICMP ${name} id ${rest >>> 16} seq ${rest & 0xffff} length ${body.length}`;
  }
  const head = `ICMP type ${type} code ${code}`;
  if (!isIcmpError(type)) return `${head} length ${body.length}`;
  const quoted = parseQuotedIpv4(body);
  if (typeof quoted === "string") return `${head} [quoted ${quoted}]`;
  const hasPorts = quoted.protocol === PROTOCOL_TCP || quoted.protocol === PROTOCOL_UDP;
  const addresses = hasPorts && quoted.payload.length >= TCP_PORTS_BYTES
    ? withPorts(quoted)
    : `${formatIpv4(quoted.source)} > ${formatIpv4(quoted.destination)}`;
  const detail = rest === 0 ? "" : ` rest ${rest}`;
  return `${head}${detail} for protocol ${quoted.protocol} ${addresses}`;
}

function decodeTcp(packet: Ipv4Packet): string {
  const segment = packet.payload;
  const headerBytes = (read8(segment, 12) >> 4) * 4;
  if (segment.length < TCP_BYTES || headerBytes < TCP_BYTES || headerBytes > segment.length) {
    return `${formatIpv4(packet.source)} > ${formatIpv4(packet.destination)} TCP [TCP_HEADER]`;
  }
  const flags = read16(segment, 12) & 0x1ff;
  const seq = read32(segment, 4);
  const dataBytes = segment.length - headerBytes;
  const parts = [withPorts(packet), flagLetters(flags)];
  parts.push(`${seq}:${(seq + dataBytes) >>> 0}(${dataBytes})`);
  if ((flags & FLAG_ACK) !== 0) parts.push(`ack ${read32(segment, 8)}`);
  parts.push(`win ${read16(segment, 14)}`);
  if ((flags & FLAG_URG) !== 0) parts.push(`urg ${read16(segment, 18)}`);
  const options = tcpOptions(segment.subarray(TCP_BYTES, headerBytes));
  if (options.length > 0) parts.push(`<${options.join(",")}>`);
  const sum = pseudoHeaderSum(packet.source, packet.destination, PROTOCOL_TCP, segment.length);
  if (internetChecksum(segment, sum) !== 0) {
    // Left to be completed, on a link with offload: the pseudo-header's sum stands in its place.
    const isPartial = read16(segment, TCP_CHECKSUM_AT) === sumWords(new Uint8Array(0), sum);
    parts.push(isPartial ? "[TCP_CHECKSUM_PARTIAL]" : "[TCP_CHECKSUM]");
  }
  return parts.join(" ");
}

function flagLetters(flags: number): string {
  const letters = FLAG_LETTERS.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter);
  return letters.length === 0 ? "-" : letters.join("");
}

/** Options one by one; a wrong length ends the list, as no later place is certain. */
function tcpOptions(field: Uint8Array): string[] {
  const names: string[] = [];
  let offset = 0;
  while (offset < field.length) {
    const kind = read8(field, offset);
    if (kind === 0) {
      names.push("eol");
      break;
    }
    if (kind === 1) {
      names.push("nop");
      offset++;
      continue;
    }
    const sizeBytes = read8(field, offset + 1);
    if (sizeBytes < 2 || offset + sizeBytes > field.length) {
      names.push(`[option ${kind} length ${sizeBytes}]`);
      break;
    }
    names.push(tcpOption(kind, field.subarray(offset + 2, offset + sizeBytes)));
    offset += sizeBytes;
  }
  return names;
}

function tcpOption(kind: number, value: Uint8Array): string {
  if (kind === 2 && value.length === 2) return `mss ${read16(value, 0)}`;
  if (kind === 3 && value.length === 1) return `wscale ${read8(value, 0)}`;
  if (kind === 4 && value.length === 0) return "sackOK";
  if (kind === 5 && value.length % 8 === 0) {
    const blocks: string[] = [];
    for (let offset = 0; offset < value.length; offset += 8) {
      blocks.push(`${read32(value, offset)}:${read32(value, offset + 4)}`);
    }
    return `sack ${blocks.join(" ")}`;
  }
  if (kind === 8 && value.length === 8) return `TS val ${read32(value, 0)} ecr ${read32(value, 4)}`;
  return `option ${kind} length ${value.length + 2}`;
}

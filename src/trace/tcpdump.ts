/**
 * Packets as tcpdump's classic form shows them, one line each:
 *
 * `4 4.155441 (4.1482) 192.0.2.1.1037 > 192.0.2.2.9: F 1:1(0) ack 1 win 4096`
 *
 * Numbers count from those of a connection's SYN,ACK on, because nobody compares numbers of ten digits: a segment with ACK
 * whose connection is not known yet, or that has SYN, shows its numbers as they are and makes them known. A segment
 * without ACK always shows them as they are.
 */
import { formatIpv4, formatMac } from "../wire/address_text.ts";
import { ARP_REQUEST, parseArp } from "../wire/arp.ts";
import { read16, read32, read8 } from "../wire/bytes.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, parseEthernet } from "../wire/ethernet.ts";
import { PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { formatIcmp } from "./icmp_text.ts";
import {
  type IpView,
  PROTOCOL_ICMPV6,
  sumProblem,
  type TcpView,
  viewPacket,
  viewTcp,
} from "./packet_view.ts";

const FLAG_FIN = 0x01;
const FLAG_SYN = 0x02;
const FLAG_RST = 0x04;
const FLAG_ACK = 0x10;
const FLAG_URG = 0x20;
/** ACK and URG are shown by their numbers. */
const FLAG_LETTERS: readonly (readonly [bit: number, letter: string])[] = [
  [FLAG_SYN, "S"],
  [FLAG_FIN, "F"],
  [FLAG_RST, "R"],
  [0x08, "P"],
  [0x80, "W"],
  [0x40, "E"],
  [0x100, "A"],
];

const ECN_NAMES: readonly string[] = ["", ",ECT(1)", ",ECT(0)", ",CE"];
const UDP_BYTES = 8;
/** Where TCP and UDP have their checksums. RFC 9293 section 3.1, RFC 768. */
const TCP_CHECKSUM_AT = 16;
const UDP_CHECKSUM_AT = 6;
const MS_PER_S = 1000;
/** Connections whose numbers are remembered, unless told otherwise; older ones give way. */
const FLOWS_MAX = 1024;

/** How lines are written. */
export interface TraceOptions {
  /** Sequence numbers are shown as they are, tcpdump's -S. Default false. */
  readonly isAbsolute?: boolean;
  /** Lines begin with their number. Default false. */
  readonly isNumbered?: boolean;
  /** When time begins, ms; by default at the first line. */
  readonly originMs?: number;
  /** Connections whose numbers are remembered. Default 1024. */
  readonly flowsMax?: number;
}

/** Where a connection's numbers begin: those of its end that comes first in the key, and those of the other. */
interface Flow {
  readonly first: number;
  readonly second: number;
}

/** Writes lines; remembers a bounded number of connections. */
export class TraceFormatter {
  readonly #isAbsolute: boolean;
  readonly #isNumbered: boolean;
  readonly #flowsMax: number;
  readonly #flows = new Map<string, Flow>();
  #originMs: number | null;
  #lastMs: number | null = null;
  #lines = 0;

  constructor(options: TraceOptions = {}) {
    this.#isAbsolute = options.isAbsolute ?? false;
    this.#isNumbered = options.isNumbered ?? false;
    this.#flowsMax = options.flowsMax ?? FLOWS_MAX;
    this.#originMs = options.originMs ?? null;
  }

  /**
   * A frame with its time, and with the time since the line before in parentheses.
   *
   * @param atMs When it passed.
   * @param frame From the destination MAC on; any bytes at all.
   * @returns One line without a line break.
   */
  line(atMs: number, frame: Uint8Array): string {
    return this.#timed(atMs, this.frame(frame));
  }

  /** As {@linkcode line}, for a packet without a frame. @param packet From the IP header on. */
  packetLine(atMs: number, packet: Uint8Array): string {
    return this.#timed(atMs, this.packet(packet));
  }

  /** A frame without its time. */
  frame(frame: Uint8Array): string {
    const ethernet = parseEthernet(frame);
    if (typeof ethernet === "string") return `[truncated-ethernet, ${frame.length} bytes]`;
    const { etherType, payload } = ethernet;
    if (etherType === ETHERTYPE_ARP) return formatArp(payload);
    if (etherType === ETHERTYPE_IPV4 || etherType === ETHERTYPE_IPV6) return this.packet(payload);
    const type = etherType.toString(16).padStart(4, "0");
    const macs = `${formatMac(ethernet.source)} > ${formatMac(ethernet.destination)}`;
    return `${macs}: ethertype 0x${type} ${payload.length}`;
  }

  /** A packet without its time. @param packet From the IP header on; padding behind it is ignored. */
  packet(packet: Uint8Array): string {
    const view = viewPacket(packet);
    if (typeof view === "string") return `[${view}, ${packet.length} bytes]`;
    return this.#body(view) + formatMarks(view);
  }

  #timed(atMs: number, text: string): string {
    this.#originMs ??= atMs;
    const time = seconds(atMs - this.#originMs, 6);
    const delta = this.#lastMs === null ? "" : ` (${seconds(atMs - this.#lastMs, 4)})`;
    const isStart = this.#lastMs === null && atMs === this.#originMs;
    this.#lastMs = atMs;
    this.#lines++;
    return `${this.#isNumbered ? `${this.#lines} ` : ""}${isStart ? "0.0" : time}${delta} ${text}`;
  }

  #body(view: IpView): string {
    const { source, destination, protocol, payload, fragment } = view;
    if (fragment !== null && fragment.offset !== 0) return `${source} > ${destination}:`;
    if (protocol === PROTOCOL_TCP) return this.#tcp(view);
    if (protocol === PROTOCOL_UDP) return formatUdp(view);
    if (protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6) {
      return `${source} > ${destination}: ${
        formatIcmp(protocol === PROTOCOL_ICMP ? 4 : 6, payload)
      }`;
    }
    return `${source} > ${destination}: ip-proto-${protocol} ${payload.length}`;
  }

  #tcp(view: IpView): string {
    const { source, destination } = view;
    const tcp = viewTcp(view.payload);
    if (typeof tcp === "string") return `${source} > ${destination}: [${tcp}]`;
    const { flags, win, urg, dataBytes } = tcp;
    const from = `${source}.${tcp.sourcePort}`;
    const to = `${destination}.${tcp.destinationPort}`;
    const base = this.#baseOf(from, to, tcp);
    const seq = (tcp.seq - base.seq) >>> 0;
    const parts = [`${from} > ${to}:`, formatFlags(flags)];
    // A segment that takes no sequence numbers has nothing to say of them.
    if (dataBytes > 0 || (flags & (FLAG_SYN | FLAG_FIN | FLAG_RST)) !== 0) {
      parts.push(`${seq}:${(seq + dataBytes) >>> 0}(${dataBytes})`);
    }
    if ((flags & FLAG_ACK) !== 0) parts.push(`ack ${(tcp.ack - base.ack) >>> 0}`);
    parts.push(`win ${win}`);
    if ((flags & FLAG_URG) !== 0) parts.push(`urg ${urg}`);
    const options = formatOptions(tcp.options, base.ack);
    if (options.length > 0) parts.push(`<${options.join(",")}>`);
    const problem = sumProblem(view, TCP_CHECKSUM_AT);
    if (problem !== null) parts.push(`[${problem} tcp cksum]`);
    return parts.join(" ");
  }

  /** What is subtracted from the numbers of a segment. */
  #baseOf(from: string, to: string, tcp: TcpView): { readonly seq: number; readonly ack: number } {
    if (this.#isAbsolute || (tcp.flags & FLAG_ACK) === 0) return { seq: 0, ack: 0 };
    const isFirst = from < to;
    const key = isFirst ? `${from} ${to}` : `${to} ${from}`;
    const flow = this.#flows.get(key);
    if (flow !== undefined && (tcp.flags & FLAG_SYN) === 0) {
      return isFirst
        ? { seq: flow.first, ack: flow.second }
        : { seq: flow.second, ack: flow.first };
    }
    const acked = (tcp.ack - 1) >>> 0;
    this.#flows.delete(key);
    const [oldest] = this.#flows.keys();
    if (oldest !== undefined && this.#flows.size >= this.#flowsMax) this.#flows.delete(oldest);
    this.#flows.set(
      key,
      isFirst ? { first: tcp.seq, second: acked } : { first: acked, second: tcp.seq },
    );
    return { seq: 0, ack: 0 };
  }
}

function seconds(ms: number, digits: number): string {
  return (ms / MS_PER_S).toFixed(digits);
}

function formatFlags(flags: number): string {
  const letters = FLAG_LETTERS.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter);
  return letters.length === 0 ? "." : letters.join("");
}

/** What stands behind everything else: marks of the IP header that are not those of every packet. */
function formatMarks({ tos, fragment, payload, isHeaderGood }: IpView): string {
  const marks: string[] = [];
  if (fragment !== null) {
    marks.push(`(frag ${payload.length}@${fragment.offset}${fragment.isLast ? "" : "+"})`);
  }
  if (tos !== 0) marks.push(`[tos 0x${tos.toString(16)}${ECN_NAMES[tos & 3] ?? ""}]`);
  if (!isHeaderGood) marks.push("[bad ip cksum]");
  return marks.map((mark) => ` ${mark}`).join("");
}

function formatUdp(view: IpView): string {
  const { source, destination, payload } = view;
  if (payload.length < UDP_BYTES) return `${source} > ${destination}: [truncated-udp]`;
  const ends = `${source}.${read16(payload, 0)} > ${destination}.${read16(payload, 2)}`;
  const bytes = Math.max(0, read16(payload, 4) - UDP_BYTES);
  const problem = sumProblem(view, UDP_CHECKSUM_AT);
  return `${ends}: udp ${bytes}${problem === null ? "" : ` [${problem} udp cksum]`}`;
}

function formatArp(payload: Uint8Array): string {
  const arp = parseArp(payload);
  if (typeof arp === "string") return `arp [${arp}]`;
  const sender = formatIpv4(arp.senderAddress);
  return arp.operation === ARP_REQUEST
    ? `arp who-has ${formatIpv4(arp.targetAddress)} tell ${sender}`
    : `arp reply ${sender} is-at ${formatMac(arp.senderMac)}`;
}

// ---- options -------------------------------------------------------------------------------------------------------

/** Options one by one; behind a wrong length nothing has a certain place. */
function formatOptions(field: Uint8Array, sackBase: number): string[] {
  const texts: string[] = [];
  for (let at = 0; at < field.length;) {
    const kind = read8(field, at);
    if (kind === 0) {
      texts.push("eol");
      break;
    }
    if (kind === 1) {
      texts.push("nop");
      at++;
      continue;
    }
    const bytes = read8(field, at + 1);
    if (bytes < 2 || at + bytes > field.length) {
      texts.push(`[bad opt ${kind}]`);
      break;
    }
    texts.push(formatOption(kind, field.subarray(at + 2, at + bytes), sackBase));
    at += bytes;
  }
  return texts;
}

function formatOption(kind: number, value: Uint8Array, sackBase: number): string {
  const { length } = value;
  if (kind === 2 && length === 2) return `mss ${read16(value, 0)}`;
  if (kind === 3 && length === 1) return `wscale ${read8(value, 0)}`;
  if (kind === 4 && length === 0) return "sackOK";
  if (kind === 5 && length % 8 === 0 && length > 0) return `sack ${formatBlocks(value, sackBase)}`;
  if (kind === 8 && length === 8) return `TS val ${read32(value, 0)} ecr ${read32(value, 4)}`;
  if (kind === 28 && length === 2) return `uto ${read16(value, 0)}`;
  if (kind === 34) return `FO${length === 0 ? "" : " "}${hex(value)}`;
  return `opt-${kind}${length === 0 ? "" : ":"}${hex(value)}`;
}

function formatBlocks(value: Uint8Array, base: number): string {
  const blocks: string[] = [];
  for (let at = 0; at < value.length; at += 8) {
    blocks.push(`${(read32(value, at) - base) >>> 0}:${(read32(value, at + 4) - base) >>> 0}`);
  }
  return blocks.join(" ");
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

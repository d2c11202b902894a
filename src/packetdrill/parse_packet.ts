/** Packets: `< [ect0] P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 1 ecr 2>`. */
import type { Cursor } from "./cursor.ts";
import { parseTcpOptions } from "./parse_tcp_options.ts";
import type {
  Direction,
  Ecn,
  IcmpPacket,
  IpInfo,
  Packet,
  PacketHead,
  Ports,
  QuotedPacket,
  TcpPacket,
  UdpPacket,
} from "./syntax.ts";

const U8_MAX = 0xff;
const U16_MAX = 0xffff;
const U32_MAX = 0xffff_ffff;
/** RFC 8200 section 3: the flow label has 20 bits. */
const FLOW_LABEL_MAX = 0xf_ffff;
/** RFC 2474 section 3: the codepoint has 6 bits, above the two of ECN. */
const DSCP_MAX = 0x3f;

/** Letters and their bits in the 13th and 14th byte of the header. RFC 9293 section 3.1; AE: RFC 9768 section 3.1. */
const FLAG_BITS: Readonly<Record<string, number>> = {
  F: 0x01,
  S: 0x02,
  R: 0x04,
  P: 0x08,
  ".": 0x10,
  U: 0x20,
  E: 0x40,
  W: 0x80,
  C: 0x80,
  A: 0x100,
};

/** The lowest bit of the ACE field is ECE, then come CWR and AE. RFC 9768 section 3.2.2.1. */
const ACE_SHIFT = 6;

const ECNS: readonly string[] = ["noecn", "ect0", "ect1", "ce", "ect01"];

/** Headers of which we have none, with what they are. */
const REFUSED_HEADERS: ReadonlyMap<string, string> = new Map([
  ["ipv4", "no tunnels"],
  ["ipv6", "no tunnels"],
  ["gre", "no tunnels"],
  ["mpls", "no tunnels"],
  ["encap", "no tunnels"],
  ["sctp", "no SCTP"],
  ["udplite", "no UDP-Lite"],
]);

/** @param cursor Before `<` or `>`. @returns The packet. */
export function parsePacket(cursor: Cursor): Packet {
  const { line } = cursor;
  const direction: Direction = cursor.next().text === "<" ? "in" : "out";
  refuseHeader(cursor);
  const ip = parseIpInfo(cursor, direction);
  refuseHeader(cursor);
  const head = { kind: "packet", line, direction, ip } as const;
  if (cursor.takeWord("udp")) return parseUdp(cursor, head);
  if (cursor.takeWord("icmp")) return parseIcmp(cursor, { ...head, ports: null });
  const ports = parsePorts(cursor);
  if (cursor.takeWord("udp")) return parseUdpRest(cursor, { ...head, ports });
  return parseTcp(cursor, { ...head, ports });
}

function refuseHeader(cursor: Cursor): void {
  const { kind, text } = cursor.peek();
  const why = kind === "word" ? REFUSED_HEADERS.get(text) : undefined;
  if (why !== undefined) cursor.unsupported(`a packet that begins with "${text}"`, why);
}

/** A number followed by `>` is a port; the flags of the original never are digits alone before that. */
function parsePorts(cursor: Cursor): Ports | null {
  if (!cursor.is("integer") || !cursor.isSymbol(">", 1)) return null;
  const source = cursor.expectNumber("the source port", U16_MAX);
  cursor.expectSymbol(">", "the ports");
  return { source, destination: cursor.expectNumber("the destination port", U16_MAX) };
}

// ---- the IP header -------------------------------------------------------------------------------------------------

function parseIpInfo(cursor: Cursor, direction: Direction): IpInfo {
  const none = { ecn: null, tos: null, ttl: null, flowLabel: null };
  const isSquare = cursor.isSymbol("[");
  if (!isSquare && !cursor.isSymbol("(")) return none;
  cursor.next();
  let info: IpInfo = none;
  do info = parseIpField(cursor, info, direction); while (cursor.takeSymbol(","));
  cursor.expectSymbol(isSquare ? "]" : ")", "the IP header");
  return info;
}

function parseIpField(cursor: Cursor, info: IpInfo, direction: Direction): IpInfo {
  const { text } = cursor.peek();
  if (cursor.is("word", ...ECNS)) {
    if (text === "ect01" && direction === "in") {
      cursor.fail("the IP header", "one ECN codepoint of an injected packet");
    }
    cursor.next();
    return { ...info, ecn: text as Ecn };
  }
  const expected = "noecn, ect0, ect1, ect01, ce, tos, dscp, ttl or flowlabel";
  switch (cursor.expectWord("the IP header", expected)) {
    case "tos":
      return { ...info, tos: cursor.expectNumber("tos", U8_MAX) };
    case "dscp":
      return { ...info, tos: cursor.expectNumber("dscp", DSCP_MAX) << 2 };
    case "ttl":
      return { ...info, ttl: cursor.expectNumber("ttl", U8_MAX) };
    case "flowlabel":
      return { ...info, flowLabel: cursor.expectNumber("flowlabel", FLOW_LABEL_MAX) };
    default:
      return cursor.fail("the IP header", expected, `"${text}"`);
  }
}

// ---- TCP -----------------------------------------------------------------------------------------------------------

function parseTcp(cursor: Cursor, head: PacketHead): TcpPacket {
  const flags = parseFlags(cursor);
  const { seq, end, length } = parseRange(cursor);
  if (head.direction === "in" && length > U16_MAX) {
    cursor.refuse("the packet", `${length} bytes do not fit in an injected packet`);
  }
  const ack = cursor.takeWord("ack") ? cursor.expectNumber("ack", U32_MAX) : 0;
  const win = cursor.takeWord("win") ? cursor.expectNumber("win", U16_MAX) : null;
  const urg = cursor.takeWord("urg") ? cursor.expectNumber("urg", U16_MAX) : 0;
  if (win === null && head.direction === "in") {
    cursor.fail("the packet", "the window (win N) of an injected packet");
  }
  const options = cursor.isSymbol("<") ? parseTcpOptions(cursor, head.direction) : [];
  if (cursor.isSymbol("{")) {
    cursor.unsupported("a packet that is changed at random", "no mutations");
  }
  return { ...head, protocol: "tcp", ...flags, seq, end, length, ack, win, urg, options };
}

function parseFlags(cursor: Cursor): Pick<TcpPacket, "flags" | "flagBits" | "ace"> {
  const { line } = cursor;
  const expected = 'flags such as "S.", "." or "-"';
  if (cursor.is("end") || cursor.isSymbol("<")) cursor.fail("the packet", expected);
  const run = cursor.takeRun();
  if (run === "-") return { flags: run, flagBits: 0, ace: null };
  if (!/^[FSRP.UEWCA]*[0-7]?[FSRP.UEWCA]*$/.test(run)) {
    cursor.refuse("the packet", `expected ${expected}, got "${run}"`, line);
  }
  const letters = run.replace(/[0-7]/, "");
  const digit = /[0-7]/.exec(run);
  const ace = digit === null ? null : Number(digit[0]);
  let flagBits = ace === null ? 0 : ace << ACE_SHIFT;
  for (const letter of letters) {
    const bit = FLAG_BITS[letter] ?? 0;
    if ((flagBits & bit) !== 0) cursor.refuse("the flags", `"${letter}" stands there twice`, line);
    flagBits |= bit;
  }
  return { flags: letters === "" ? "-" : letters, flagBits, ace };
}

/** `1:1001(1000)`. Numbers wrap at 2^32. */
function parseRange(cursor: Cursor): Pick<TcpPacket, "seq" | "end" | "length"> {
  const seq = cursor.expectNumber("the sequence range", U32_MAX);
  cursor.expectSymbol(":", "the sequence range");
  const end = cursor.expectNumber("the sequence range", U32_MAX);
  // More than a packet holds: an expected range may be met by several segments.
  const length = parseLength(cursor, "the sequence range", U32_MAX);
  if ((seq + length) % 2 ** 32 !== end) {
    const problem = `${seq} and ${length} bytes end at ${(seq + length) % 2 ** 32}, got ${end}`;
    cursor.refuse("the sequence range", problem);
  }
  return { seq, end, length };
}

function parseLength(cursor: Cursor, what: string, max: number = U16_MAX): number {
  cursor.expectSymbol("(", what);
  const length = cursor.expectNumber(what, max);
  cursor.expectSymbol(")", what);
  return length;
}

// ---- UDP and ICMP --------------------------------------------------------------------------------------------------

function parseUdp(cursor: Cursor, head: Omit<PacketHead, "ports">): UdpPacket {
  return parseUdpRest(cursor, { ...head, ports: parsePorts(cursor) });
}

function parseUdpRest(cursor: Cursor, head: PacketHead): UdpPacket {
  return { ...head, protocol: "udp", length: parseLength(cursor, "the UDP datagram") };
}

function parseIcmp(cursor: Cursor, head: PacketHead): IcmpPacket {
  if (!cursor.is("word") && !cursor.is("integer")) {
    cursor.fail("the ICMP message", 'a type such as "unreachable"');
  }
  const type = cursor.next().text;
  const hasCode = (cursor.is("word") && !cursor.is("word", "mtu", "id")) ||
    // A number could as well begin the next event; its code stands on the line of the type.
    (cursor.is("integer") && cursor.line === head.line);
  const code = hasCode ? cursor.next().text : null;
  const mtu = cursor.takeWord("mtu") ? cursor.expectNumber("mtu", U32_MAX) : null;
  const id = cursor.takeWord("id") ? cursor.expectNumber("id", U16_MAX) : null;
  const quoted = cursor.isSymbol("[") ? parseQuoted(cursor) : null;
  return { ...head, protocol: "icmp", type, code, mtu, id, quoted };
}

function parseQuoted(cursor: Cursor): QuotedPacket {
  const what = "the quoted packet";
  cursor.expectSymbol("[", what);
  const quoted = parseQuotedBody(cursor, what);
  cursor.expectSymbol("]", what);
  return quoted;
}

function parseQuotedBody(cursor: Cursor, what: string): QuotedPacket {
  if (cursor.takeWord("udp")) return { kind: "udp", length: parseLength(cursor, what) };
  if (cursor.takeWord("raw")) return { kind: "raw", length: parseLength(cursor, what) };
  refuseHeader(cursor);
  cursor.takeWord("tcp");
  if (!cursor.is("integer")) cursor.fail(what, "a sequence number, udp (N) or raw (N)");
  if (!cursor.isSymbol(":", 1)) {
    return { kind: "tcp", seq: cursor.expectNumber(what, U32_MAX), length: 0 };
  }
  const { seq, length } = parseRange(cursor);
  return { kind: "tcp", seq, length };
}

/** Segments and times as tcpdump shows them, with the numbers of the script. */
import {
  FLAG_ACK,
  FLAG_AE,
  FLAG_CWR,
  FLAG_ECE,
  FLAG_FIN,
  FLAG_PSH,
  FLAG_RST,
  FLAG_SYN,
  FLAG_URG,
  type IpFields,
  type Segment,
} from "./frame.ts";
import type { Option } from "./option_bytes.ts";
import type { Ecn, IpInfo, TcpPacket } from "./syntax.ts";

const MS_PER_S = 1000;

/** Bits and letters, in the order of writing. */
const FLAG_LETTERS: readonly (readonly [bit: number, letter: string])[] = [
  [FLAG_FIN, "F"],
  [FLAG_SYN, "S"],
  [FLAG_RST, "R"],
  [FLAG_PSH, "P"],
  [FLAG_URG, "U"],
  [FLAG_ECE, "E"],
  [FLAG_CWR, "W"],
  [FLAG_AE, "A"],
  [FLAG_ACK, "."],
];

/** RFC 3168 section 5, by the two bits. */
const ECN_NAMES: readonly Ecn[] = ["noecn", "ect1", "ect0", "ce"];

/** The two bits of the IP header. */
export const ECN_MASK = 3;

/** @param ms Since the script began. @returns Seconds with six digits, as tcpdump prints them. */
export function formatTime(ms: number): string {
  return (ms / MS_PER_S).toFixed(6);
}

/** A moment or a window. */
export function showTime(fromMs: number, toMs: number): string {
  return fromMs === toMs ? formatTime(fromMs) : `${formatTime(fromMs)}~${formatTime(toMs)}`;
}

/** @returns Letters, or a hyphen. */
export function formatFlags(flags: number): string {
  const letters = FLAG_LETTERS.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter);
  return letters.length === 0 ? "-" : letters.join("");
}

/** ECN codepoint by name. @param tos The whole byte. */
export function ecnName(tos: number): Ecn {
  return ECN_NAMES[tos & ECN_MASK] ?? "noecn";
}

/** Bytes as two digits each. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Names of the AccECN counters in the order in which an option has them. */
const ACC_ECN_FIELDS: readonly (readonly string[])[] = [["e0b", "ceb", "e1b"], [
  "e1b",
  "ceb",
  "e0b",
]];

function formatAccEcn(order: 0 | 1, fields: readonly number[]): string {
  const names = ACC_ECN_FIELDS[order] ?? [];
  return ["ECN", ...fields.map((value, i) => `${names[i]} ${value}`)].join(" ");
}

/** One option, as a script writes it. */
export function formatOption(option: Option): string {
  switch (option.kind) {
    case "mss":
    case "wscale":
      return `${option.kind} ${option.value}`;
    case "sack":
      return ["sack", ...option.blocks.map(({ start, end }) => `${start}:${end}`)].join(" ");
    case "TS":
      return `TS val ${option.val} ecr ${option.ecr}`;
    case "FO":
    case "FOEXP":
      return option.cookie.length === 0 ? option.kind : `${option.kind} ${hexOf(option.cookie)}`;
    case "accEcn":
      return formatAccEcn(option.order, option.fields);
    case "other":
      return `kind ${option.number} ${hexOf(option.data)}`;
    default:
      return option.kind;
  }
}

/** Options in their brackets. */
export function formatOptions(options: readonly Option[] | "any"): string {
  return options === "any" ? "<...>" : `<${options.map(formatOption).join(",")}>`;
}

function formatHeader(
  flags: string,
  flagBits: number,
  packet: Pick<Segment, "seq" | "ack" | "urg" | "length"> & { readonly win: number | null },
  options: readonly Option[] | "any",
): string {
  const { seq, ack, urg, length, win } = packet;
  const parts = [flags, `${seq}:${(seq + length) % 0x1_0000_0000}(${length})`];
  if ((flagBits & FLAG_ACK) !== 0 || ack !== 0) parts.push(`ack ${ack}`);
  if (win !== null) parts.push(`win ${win}`);
  if ((flagBits & FLAG_URG) !== 0 || urg !== 0) parts.push(`urg ${urg}`);
  if (options === "any" || options.length > 0) parts.push(formatOptions(options));
  return parts.join(" ");
}

/** A segment with the numbers of the script. */
export function formatSegment(segment: Segment): string {
  const { flags, options } = segment;
  return formatHeader(formatFlags(flags), flags, segment, options);
}

/** What a script says of the IP header, in its brackets and with a blank; "" if it says nothing. */
export function formatIpInfo({ ecn, tos, ttl, flowLabel }: IpInfo): string {
  const parts: string[] = [];
  if (ecn !== null) parts.push(ecn);
  if (tos !== null) parts.push(`tos 0x${tos.toString(16)}`);
  if (flowLabel !== null) parts.push(`flowlabel 0x${flowLabel.toString(16)}`);
  if (ttl !== null) parts.push(`ttl ${ttl}`);
  return parts.length === 0 ? "" : `[${parts.join(", ")}] `;
}

/** Those fields of an IP header that a script speaks of. */
export function formatIpFields(info: IpInfo, ip: IpFields): string {
  return formatIpInfo({
    ecn: info.ecn === null ? null : ecnName(ip.tos),
    tos: info.tos === null ? null : ip.tos,
    ttl: info.ttl === null ? null : ip.ttl,
    flowLabel: info.flowLabel === null ? null : ip.flowLabel,
  });
}

/** A packet of a script, without its time. */
export function formatPacket(packet: TcpPacket): string {
  const { flags, flagBits, ace, options, ip } = packet;
  const shown = ace === null ? flags : `${flags}${ace}`;
  return formatIpInfo(ip) + formatHeader(shown, flagBits, packet, options);
}

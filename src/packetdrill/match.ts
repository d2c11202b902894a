/** Whether a segment of ours is the one that the script expects; if not, in which fields. */
import { FLAG_ACK, FLAG_CWR, FLAG_FIN, FLAG_PSH, type Segment } from "./frame.ts";
import { ECN_MASK, ecnName, formatFlags, formatOption, formatOptions } from "./format.ts";
import type { Emission } from "./flow.ts";
import type { Option } from "./option_bytes.ts";
import type { Ecn, IpInfo, TcpOption, TcpPacket } from "./syntax.ts";

/** How strictly segments are compared. */
export interface Strictness {
  /** Option layout, our window and scale, PSH and the number of pure ACKs are not compared. */
  readonly isLenient: boolean;
  /** One expected packet is one segment. */
  readonly isStrictSegments: boolean;
}

/** What differs between the segments of a large packet, by their sending in parts. */
const MAY_DIFFER = FLAG_PSH | FLAG_FIN | FLAG_CWR;

/** Whether it carries nothing but an acknowledgment. */
export function isPureAck(packet: { flags: number; length: number }): boolean {
  return (packet.flags & ~FLAG_PSH) === FLAG_ACK && packet.length === 0;
}

function matchesEcn(expected: Ecn, tos: number): boolean {
  const actual = ecnName(tos);
  return expected === "ect01" ? actual === "ect0" || actual === "ect1" : actual === expected;
}

function ipDifferences({ ecn, tos, ttl, flowLabel }: IpInfo, actual: Segment): string[] {
  const { ip } = actual;
  const found: string[] = [];
  if (ecn !== null && !matchesEcn(ecn, ip.tos)) {
    found.push(`ECN: expected ${ecn}, got ${ecnName(ip.tos)}`);
  }
  // A script that names both means the upper six bits by the one and the lower two by the other.
  const mask = ecn === null ? 0xff : 0xff & ~ECN_MASK;
  if (tos !== null && (tos & mask) !== (ip.tos & mask)) {
    found.push(`tos: expected 0x${tos.toString(16)}, got 0x${ip.tos.toString(16)}`);
  }
  if (ttl !== null && ttl !== ip.ttl) found.push(`ttl: expected ${ttl}, got ${ip.ttl}`);
  if (flowLabel !== null && flowLabel !== ip.flowLabel) {
    found.push(
      `flow label: expected 0x${flowLabel.toString(16)}, got 0x${ip.flowLabel.toString(16)}`,
    );
  }
  return found;
}

/** Our timestamps run by our own clock. */
function withoutStamp(option: Option): Option {
  return option.kind === "TS" ? { ...option, val: 0 } : option;
}

/** An own window scale says how large a buffer is, and the layout of options is taste. */
function normalized(options: readonly Option[]): string {
  return options.filter(({ kind }) => kind !== "nop" && kind !== "eol" && kind !== "wscale")
    .map((option) => formatOption(withoutStamp(option))).sort().join(",");
}

function sameOptions(
  expected: readonly TcpOption[],
  actual: readonly Option[],
  isLenient: boolean,
): boolean {
  if (isLenient) return normalized(expected) === normalized(actual);
  const text = (options: readonly Option[]): string => formatOptions(options.map(withoutStamp));
  return text(expected) === text(actual);
}

/**
 * Compares field by field.
 *
 * @param expected What the script says.
 * @param actual A segment with the numbers of the script.
 * @returns What differs, empty if nothing does.
 */
export function differences(
  expected: TcpPacket,
  actual: Segment,
  { isLenient }: Strictness,
  ignoredFlags = 0,
): string[] {
  const found: string[] = [];
  const compare = (name: string, wanted: number, got: number): void => {
    if (wanted !== got) found.push(`${name}: expected ${wanted}, got ${got}`);
  };
  const mask = ~(ignoredFlags | (isLenient ? FLAG_PSH : 0));
  if ((expected.flagBits & mask) !== (actual.flags & mask)) {
    found.push(
      `flags: expected ${formatFlags(expected.flagBits)}, got ${formatFlags(actual.flags)}`,
    );
  }
  compare("seq", expected.seq, actual.seq);
  compare("length", expected.length, actual.length);
  compare("ack", expected.ack, actual.ack);
  if (expected.win !== null && !isLenient) compare("win", expected.win, actual.win);
  compare("urg", expected.urg, actual.urg);
  if (expected.options !== "any" && !sameOptions(expected.options, actual.options, isLenient)) {
    const wanted = formatOptions(expected.options);
    found.push(`options: expected ${wanted}, got ${formatOptions(actual.options)}`);
  }
  return [...ipDifferences(expected.ip, actual), ...found];
}

function sameOfParts(first: Segment, next: Segment): boolean {
  return (first.flags & ~MAY_DIFFER) === (next.flags & ~MAY_DIFFER) && first.ack === next.ack &&
    first.win === next.win && first.urg === next.urg && first.ip.tos === next.ip.tos &&
    first.ip.ttl === next.ip.ttl && first.ip.flowLabel === next.ip.flowLabel &&
    normalized(first.options) === normalized(next.options);
}

/** The parts in which a large packet was sent. */
export interface Gathered {
  /** How many emissions it took. */
  readonly count: number;
  /** The first was sent before. */
  readonly isAgain: boolean;
  /** All of them as one segment. */
  readonly segment: Segment;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

/**
 * Joins segments that together are what the script expects as one: contiguous, alike, and each but the last as large as the
 * one before.
 *
 * @param emitted Oldest first, not empty, with the numbers of the wire.
 * @param length Payload that is expected, bytes.
 * @returns The first segment alone, or the first and those that follow.
 */
export function gather(emitted: readonly Emission[], length: number): Gathered | null {
  const [head] = emitted;
  if (head === undefined) return null;
  const first = head.segment;
  let bytes = first.length;
  let last = head;
  let count = 1;
  while (bytes > 0 && bytes < length) {
    const next = emitted[count];
    if (next === undefined) break;
    const isNext = next.segment.seq === ((first.seq + bytes) >>> 0) &&
      last.segment.length === first.length && next.segment.length <= first.length &&
      next.segment.length > 0 && sameOfParts(first, next.segment);
    if (!isNext) break;
    bytes += next.segment.length;
    last = next;
    count++;
  }
  // PSH and FIN close a packet: they are the last part's.
  const segment = { ...first, flags: last.segment.flags, length: bytes };
  return { count, isAgain: head.isAgain, segment, firstAtMs: head.atMs, lastAtMs: last.atMs };
}

/**
 * Flags that parts of one packet need not agree in with it. RFC 9293 says when new text has PSH (MUST-61), and leaves it open for
 * text that goes again.
 */
export function flagsIgnored({ count, isAgain }: Gathered): number {
  if (count > 1) return MAY_DIFFER & ~FLAG_FIN;
  return isAgain ? FLAG_PSH : 0;
}

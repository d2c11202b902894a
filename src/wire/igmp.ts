/** IGMP messages. Source: RFC 3376 section 4, RFC 2236 section 2. */
import { read32, read8, write16, write32 } from "./bytes.ts";
import { internetChecksum } from "./checksum.ts";

/** IP protocol number of IGMP. */
export const PROTOCOL_IGMP = 2;
/** Types of messages. RFC 3376 section 4. */
export const IGMP_QUERY = 0x11;
export const IGMP_V1_REPORT = 0x12;
export const IGMP_V2_REPORT = 0x16;
export const IGMP_V2_LEAVE = 0x17;
export const IGMP_V3_REPORT = 0x22;
/** Types of group records. RFC 3376 section 4.2.12. */
export const MODE_IS_EXCLUDE = 2;
export const CHANGE_TO_INCLUDE = 3;
export const CHANGE_TO_EXCLUDE = 4;

/** A message of versions 1 and 2, and the begin of a query of version 3. */
const SHORT_BYTES = 8;
/** A query of version 3 without sources. */
const QUERY_V3_BYTES = 12;
const RECORD_BYTES = 8;
const IPV4_HEADER_BYTES = 24;
const VERSION_AND_LENGTH = 0x40 | (IPV4_HEADER_BYTES / 4);
/** RFC 3376 section 4: Internetwork Control. */
const TOS_INTERNETWORK_CONTROL = 0xc0;
const FLAG_DONT_FRAGMENT = 0x4000;
/** Router Alert. RFC 2113 section 2.1. */
const ROUTER_ALERT = 0x9404_0000;
/** Response times are counted in tenths of a second. */
const RESPONSE_UNIT_MS = 100;
/** What a query of version 1 means. RFC 2236 section 4. */
const V1_RESPONSE_MS = 10_000;
/** Codes from here on are floating-point numbers. RFC 3376 section 4.1.1. */
const CODE_FLOAT = 0x80;

/** What a router asks. */
export interface IgmpQuery {
  readonly version: 1 | 2 | 3;
  /** Longest delay of an answer, ms. */
  readonly responseMs: number;
  /** The group that it is about, u32; 0 = all. */
  readonly group: number;
}

/** A report of another host, of versions 1 and 2. */
export interface IgmpReport {
  readonly version: 0;
  /** u32. */
  readonly group: number;
}

/** Why a message is dropped. */
export type IgmpDrop = "IGMP_SHORT" | "IGMP_CHECKSUM" | "IGMP_TYPE";

/** A record of a report: type and group. */
export interface GroupRecord {
  readonly type: number;
  /** u32. */
  readonly group: number;
}

/** @param view Payload of the IP packet. @returns A query or another host's report, or why it is dropped. */
export function parseIgmp(view: Uint8Array): IgmpQuery | IgmpReport | IgmpDrop {
  if (view.length < SHORT_BYTES) return "IGMP_SHORT";
  if (internetChecksum(view) !== 0) return "IGMP_CHECKSUM";
  const type = read8(view, 0);
  const group = read32(view, 4);
  if (type === IGMP_V1_REPORT || type === IGMP_V2_REPORT) return { version: 0, group };
  if (type !== IGMP_QUERY) return "IGMP_TYPE";
  const code = read8(view, 1);
  // RFC 3376 section 7.1: the length and the code tell the version.
  if (view.length >= QUERY_V3_BYTES) {
    return { version: 3, responseMs: responseMsOf(code), group };
  }
  if (view.length !== SHORT_BYTES) return "IGMP_SHORT";
  if (code === 0) return { version: 1, responseMs: V1_RESPONSE_MS, group: 0 };
  return { version: 2, responseMs: code * RESPONSE_UNIT_MS, group };
}

function responseMsOf(code: number): number {
  if (code < CODE_FLOAT) return code * RESPONSE_UNIT_MS;
  const mantissa = (code & 0xf) | 0x10;
  const exponent = ((code >> 4) & 0x7) + 3;
  return mantissa * (2 ** exponent) * RESPONSE_UNIT_MS;
}

/** A message of versions 1 and 2. @param group u32. */
export function buildIgmp(type: number, group: number): Uint8Array {
  const bytes = new Uint8Array(SHORT_BYTES);
  bytes[0] = type;
  write32(bytes, 4, group);
  write16(bytes, 2, internetChecksum(bytes));
  return bytes;
}

/** A report of version 3; no record has sources. */
export function buildReport(records: readonly GroupRecord[]): Uint8Array {
  const bytes = new Uint8Array(SHORT_BYTES + (records.length * RECORD_BYTES));
  bytes[0] = IGMP_V3_REPORT;
  write16(bytes, 6, records.length);
  for (const [index, { type, group }] of records.entries()) {
    const at = SHORT_BYTES + (index * RECORD_BYTES);
    bytes[at] = type;
    write32(bytes, at + 4, group);
  }
  write16(bytes, 2, internetChecksum(bytes));
  return bytes;
}

/**
 * The packet of a message: time to live 1, Router Alert. RFC 3376 section 4.
 *
 * @param source u32; 0 = we have no address yet.
 * @param destination u32.
 */
export function buildIgmpPacket(
  source: number,
  destination: number,
  message: Uint8Array,
): Uint8Array {
  const packet = new Uint8Array(IPV4_HEADER_BYTES + message.length);
  packet[0] = VERSION_AND_LENGTH;
  packet[1] = TOS_INTERNETWORK_CONTROL;
  write16(packet, 2, packet.length);
  write16(packet, 6, FLAG_DONT_FRAGMENT);
  packet[8] = 1;
  packet[9] = PROTOCOL_IGMP;
  write32(packet, 12, source);
  write32(packet, 16, destination);
  write32(packet, 20, ROUTER_ALERT);
  write16(packet, 10, internetChecksum(packet.subarray(0, IPV4_HEADER_BYTES)));
  packet.set(message, IPV4_HEADER_BYTES);
  return packet;
}

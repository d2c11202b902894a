/** Questions to name servers, and their answers. Source: RFC 1035 section 4, RFC 6891. */
import { read16, read32, read8, write16 } from "./bytes.ts";
import { DNS_HEADER_BYTES, encodeName, type ParsedName, parseName } from "./dns_name.ts";
import {
  DNS_TYPES,
  type DnsTypeName,
  readRecordData,
  type RecordData,
  typeName,
} from "./dns_records.ts";

export { normalizeName } from "./dns_name.ts";
export * from "./dns_records.ts";

/** Port of name servers. */
export const DNS_PORT = 53;
/** Type A: an IPv4 address. */
export const DNS_TYPE_A: number = DNS_TYPES.A;
/** Class IN. */
export const DNS_CLASS_IN = 1;
export const RCODE_OK = 0;
export const RCODE_FORMAT = 1;
export const RCODE_SERVER_FAILURE = 2;
export const RCODE_NAME_ERROR = 3;
export const RCODE_NOT_IMPLEMENTED = 4;
export const RCODE_REFUSED = 5;
/** The server does not know our version of EDNS. RFC 6891 section 9. */
export const RCODE_BAD_VERSION = 16;
/**
 * What we say a datagram may hold, bytes: in the smallest MTU of IPv6 it needs no fragments, which is what the servers'
 * operators have agreed on.
 */
export const EDNS_PAYLOAD_BYTES = 1_232;
/** What a datagram may hold where nothing is said, bytes. RFC 1035 section 4.2.1. */
export const DNS_PAYLOAD_BYTES = 512;

const QUESTION_FIXED_BYTES = 4;
const RECORD_FIXED_BYTES = 10;
/** OPT: the root's name and what each record has. */
const OPT_BYTES: number = 1 + RECORD_FIXED_BYTES;
const DNS_TYPE_OPT = 41;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
const OPCODE_MASK = 0x7800;
const RCODE_MASK = 0xf;
const EXTENDED_RCODE_SHIFT = 4;
/** Records visited in one message; more are ignored, whatever the counts say. */
const RECORDS_MAX = 256;
/** Largest TTL. RFC 2181 section 8. */
const TTL_MAX = 0x7fffffff;

/** A record of the answer section. Names as {@linkcode normalizeName} gives them. */
export type DnsRecord = {
  [K in DnsTypeName]: {
    readonly name: string;
    readonly ttlSeconds: number;
    readonly type: K;
    readonly data: RecordData[K];
  };
}[DnsTypeName];

/** The zone that says that there is nothing. */
export interface DnsDenial {
  readonly zone: string;
  /** How long that holds, s. RFC 2308 section 5. */
  readonly ttlSeconds: number;
}

/** A parsed answer. */
export interface DnsResponse {
  readonly id: number;
  /** With the upper bits of EDNS. */
  readonly rcode: number;
  /** The answer did not fit in a datagram; then no records are given. */
  readonly truncated: boolean;
  /** The question as the server repeats it; null only in answers that it did not understand it. */
  readonly question: DnsQuestion | null;
  readonly answers: readonly DnsRecord[];
  /** Of the authority section. */
  readonly denial: DnsDenial | null;
}

/** A question as the server repeats it. */
export interface DnsQuestion {
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

/** Why an answer is dropped. */
export type DnsDrop = "DNS_SHORT" | "DNS_FORM" | "DNS_NAME" | "DNS_RECORD";

/** What is asked about a name. */
export interface DnsQueryOptions {
  /** Default A. */
  readonly type?: number;
  /** What an answer may hold, bytes; absent = no EDNS, so {@linkcode DNS_PAYLOAD_BYTES}. */
  readonly payloadBytes?: number;
}

/**
 * Builds a recursive query.
 *
 * @param id 0 to 65535.
 * @param name From {@linkcode normalizeName}.
 */
export function buildDnsQuery(
  id: number,
  name: string,
  options: DnsQueryOptions = {},
): Uint8Array {
  const { type = DNS_TYPE_A, payloadBytes } = options;
  const nameBytes = encodeName(name);
  const recordsStart = DNS_HEADER_BYTES + nameBytes.length + QUESTION_FIXED_BYTES;
  const bytes = new Uint8Array(recordsStart + (payloadBytes === undefined ? 0 : OPT_BYTES));
  write16(bytes, 0, id);
  write16(bytes, 2, FLAG_RECURSION_DESIRED);
  write16(bytes, 4, 1);
  bytes.set(nameBytes, DNS_HEADER_BYTES);
  write16(bytes, recordsStart - QUESTION_FIXED_BYTES, type);
  write16(bytes, recordsStart - 2, DNS_CLASS_IN);
  if (payloadBytes !== undefined) {
    // RFC 6891 section 6.1.2: the class is the size, version and flags stay 0, there are no options.
    write16(bytes, 10, 1);
    write16(bytes, recordsStart + 1, DNS_TYPE_OPT);
    write16(bytes, recordsStart + 3, payloadBytes);
  }
  return bytes;
}

/** @param view Payload of the datagram. @returns The answer, or why it is dropped. */
export function parseDnsResponse(view: Uint8Array): DnsResponse | DnsDrop {
  if (view.length < DNS_HEADER_BYTES) return "DNS_SHORT";
  const flags = read16(view, 2);
  if ((flags & FLAG_RESPONSE) === 0 || (flags & OPCODE_MASK) !== 0) return "DNS_FORM";
  const id = read16(view, 0);
  const rcode = flags & RCODE_MASK;
  const truncated = (flags & FLAG_TRUNCATED) !== 0;
  const questions = read16(view, 4);
  // Servers that can not read a question may leave it out: RFC 6891 section 6.2.2 has such in mind.
  if (questions === 0 && (rcode === RCODE_FORMAT || rcode === RCODE_NOT_IMPLEMENTED)) {
    return { id, rcode, truncated: false, question: null, answers: [], denial: null };
  }
  // Else exactly our one.
  if (questions !== 1) return "DNS_FORM";
  const name = parseName(view, DNS_HEADER_BYTES);
  if (name === null) return "DNS_NAME";
  const recordsStart = name.end + QUESTION_FIXED_BYTES;
  if (recordsStart > view.length) return "DNS_SHORT";
  const question = {
    name: name.name,
    type: read16(view, name.end),
    class: read16(view, name.end + 2),
  };
  // A truncated answer may end anywhere; its records are not used. RFC 2181 section 9.
  if (truncated) return { id, rcode, truncated, question, answers: [], denial: null };
  const records = parseRecords(view, recordsStart);
  if (typeof records === "string") return records;
  const { answers, denial, extendedRcode } = records;
  const fullRcode = rcode | (extendedRcode << EXTENDED_RCODE_SHIFT);
  return { id, rcode: fullRcode, truncated, question, answers, denial };
}

interface ParsedRecords {
  readonly answers: DnsRecord[];
  denial: DnsDenial | null;
  extendedRcode: number;
}

/**
 * Reads the answers; of the authority section the SOA, of the additional section OPT. Counts are upper bounds; the data's end
 * comes first.
 */
function parseRecords(view: Uint8Array, at: number): ParsedRecords | DnsDrop {
  const result: ParsedRecords = { answers: [], denial: null, extendedRcode: 0 };
  const answersEnd = read16(view, 6);
  const authorityEnd = answersEnd + read16(view, 8);
  const count = Math.min(RECORDS_MAX, authorityEnd + read16(view, 10));
  let offset = at;
  for (let index = 0; index < count && offset < view.length; index++) {
    const owner = parseName(view, offset);
    if (owner === null) return "DNS_NAME";
    const dataStart = owner.end + RECORD_FIXED_BYTES;
    if (dataStart > view.length) return "DNS_RECORD";
    const dataEnd = dataStart + read16(view, owner.end + 8);
    if (dataEnd > view.length) return "DNS_RECORD";
    let isSound = true;
    if (index < answersEnd) isSound = addAnswer(view, owner, dataEnd, result);
    else if (index < authorityEnd) isSound = addAuthority(view, owner, dataEnd, result);
    else addAdditional(view, owner, result);
    if (!isSound) return "DNS_RECORD";
    offset = dataEnd;
  }
  return result;
}

/** A TTL with its top bit set counts as 0. RFC 2181 section 8. */
function readTtlSeconds(view: Uint8Array, offset: number): number {
  const ttl = read32(view, offset);
  return ttl > TTL_MAX ? 0 : ttl;
}

/** @returns False if the record is not what its type says. Types that we do not read are left out. */
function addAnswer(
  view: Uint8Array,
  owner: ParsedName,
  dataEnd: number,
  into: ParsedRecords,
): boolean {
  const type = typeName(read16(view, owner.end));
  if (type === null || read16(view, owner.end + 2) !== DNS_CLASS_IN) return true;
  const data = readRecordData(type, view, owner.end + RECORD_FIXED_BYTES, dataEnd);
  if (data === null) return false;
  const ttlSeconds = readTtlSeconds(view, owner.end + 4);
  // The data is of the type whose reader has read it.
  into.answers.push({ name: owner.name, ttlSeconds, type, data } as DnsRecord);
  return true;
}

function addAuthority(
  view: Uint8Array,
  owner: ParsedName,
  dataEnd: number,
  into: ParsedRecords,
): boolean {
  if (read16(view, owner.end) !== DNS_TYPES.SOA) return true;
  if (read16(view, owner.end + 2) !== DNS_CLASS_IN) return true;
  const soa = readRecordData("SOA", view, owner.end + RECORD_FIXED_BYTES, dataEnd);
  if (soa === null) return false;
  // RFC 2308 section 5: the lesser of the record's own TTL and its last number.
  const minimumSeconds = soa.minimum > TTL_MAX ? 0 : soa.minimum;
  const ttlSeconds = Math.min(readTtlSeconds(view, owner.end + 4), minimumSeconds);
  into.denial = { zone: owner.name, ttlSeconds };
  return true;
}

/** RFC 6891 section 6.1.3: the first byte of the TTL is the upper part of the RCODE. */
function addAdditional(view: Uint8Array, owner: ParsedName, into: ParsedRecords): void {
  if (owner.name !== "" || read16(view, owner.end) !== DNS_TYPE_OPT) return;
  into.extendedRcode = read8(view, owner.end + 4);
}

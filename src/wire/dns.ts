/** DNS queries for A records, and their answers. Source: RFC 1035 section 4. */
import { read16, read32, read8, write16 } from "./bytes.ts";

/** Port of name servers. */
export const DNS_PORT = 53;
/** Type A: an IPv4 address. */
export const DNS_TYPE_A = 1;
/** Type CNAME: the name is an alias. */
export const DNS_TYPE_CNAME = 5;
/** Type SOA: start of a zone, tells how long a negative answer holds. RFC 2308 section 5. */
export const DNS_TYPE_SOA = 6;
/** Class IN. */
export const DNS_CLASS_IN = 1;
export const RCODE_OK = 0;
export const RCODE_FORMAT = 1;
export const RCODE_SERVER_FAILURE = 2;
export const RCODE_NAME_ERROR = 3;

const HEADER_BYTES = 12;
const QUESTION_FIXED_BYTES = 4;
const RECORD_FIXED_BYTES = 10;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
const OPCODE_MASK = 0x7800;
const RCODE_MASK = 0xf;
const POINTER = 0xc0;
const POINTER_MASK = 0x3fff;
/** RFC 1035 section 2.3.4. */
const LABEL_MAX_BYTES = 63;
const NAME_MAX_BYTES = 255;
/** Labels, pointers and the root visited per name; 127 labels and the root fit. */
const NAME_STEPS_MAX = 128;
/** Records visited in one message; more are ignored, whatever the counts say. */
const RECORDS_MAX = 64;
const ADDRESS_BYTES = 4;
const SOA_NUMBERS_BYTES = 20;

/** A record of the answer section. Names are in lower case, without the last dot. */
export interface DnsRecord {
  readonly name: string;
  readonly ttlSeconds: number;
  /** {@linkcode DNS_TYPE_A} or {@linkcode DNS_TYPE_CNAME}; others are left out. */
  readonly type: number;
  /** u32 of an A record, else 0. */
  readonly address: number;
  /** Target of a CNAME record, else empty. */
  readonly target: string;
}

/** A parsed answer. */
export interface DnsResponse {
  readonly id: number;
  readonly rcode: number;
  /** The answer did not fit in a datagram. */
  readonly truncated: boolean;
  /** The question as the server repeats it. */
  readonly question: { readonly name: string; readonly type: number; readonly class: number };
  readonly answers: readonly DnsRecord[];
  /** How long a negative answer holds by the zone's SOA record, s; null if there is none. RFC 2308 section 5. */
  readonly negativeTtlSeconds: number | null;
}

/** Why an answer is dropped. */
export type DnsDrop = "DNS_SHORT" | "DNS_FORM" | "DNS_NAME" | "DNS_RECORD";

/**
 * Brings a host name into the form in which names are compared: lower case, no last dot.
 *
 * @throws TypeError if it is not a string of ASCII, RangeError if it can not be a host name.
 */
export function normalizeName(name: string): string {
  if (typeof name !== "string") {
    throw new TypeError(`Cannot resolve a ${typeof name}: expected a host name`);
  }
  const normal = name.toLowerCase().replace(/\.$/, "");
  if (!/^[\x21-\x7e]+$/.test(normal)) {
    throw new TypeError(
      `Cannot resolve "${name}": expected ASCII; an international name is written in its xn-- form`,
    );
  }
  // One byte more per label for its length, and one for the root.
  if (normal.length + 2 > NAME_MAX_BYTES) {
    throw new RangeError(
      `Cannot resolve a name of ${normal.length} characters: expected at most 253`,
    );
  }
  for (const label of normal.split(".")) {
    if (label.length < 1 || label.length > LABEL_MAX_BYTES) {
      throw new RangeError(`Cannot resolve "${name}": expected labels of 1 to 63 characters`);
    }
  }
  return normal;
}

/** @param id 0 to 65535. @param name From {@linkcode normalizeName}. @returns A recursive query for A records. */
export function buildDnsQuery(id: number, name: string): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + name.length + 2 + QUESTION_FIXED_BYTES);
  write16(bytes, 0, id);
  write16(bytes, 2, FLAG_RECURSION_DESIRED);
  write16(bytes, 4, 1);
  const offset = putName(bytes, HEADER_BYTES, name);
  write16(bytes, offset, DNS_TYPE_A);
  write16(bytes, offset + 2, DNS_CLASS_IN);
  return bytes;
}

/** @returns The offset behind the name. */
function putName(bytes: Uint8Array, at: number, name: string): number {
  let offset = at;
  for (const label of name.split(".")) {
    bytes[offset++] = label.length;
    for (let index = 0; index < label.length; index++) bytes[offset++] = label.charCodeAt(index);
  }
  bytes[offset] = 0;
  return offset + 1;
}

/** A name and where the bytes after it begin. */
interface ParsedName {
  readonly name: string;
  readonly end: number;
}

/**
 * Reads a name. A pointer leads only to a lower offset than where its part of the name began, so no chain of them
 * can be a loop; labels and bytes are bounded besides. Source: RFC 1035 section 4.1.4.
 */
function parseName(view: Uint8Array, at: number): ParsedName | null {
  const labels: string[] = [];
  let offset = at;
  let partStart = at;
  let end = -1;
  let nameBytes = 1;
  // Each step adds a label of at least two bytes or follows a pointer to a lower offset.
  for (let steps = 0; steps < NAME_STEPS_MAX; steps++) {
    if (offset >= view.length) return null;
    const lead = read8(view, offset);
    if (lead === 0) return { name: labels.join("."), end: end < 0 ? offset + 1 : end };
    if (lead >= POINTER) {
      const target = read16(view, offset) & POINTER_MASK;
      if (offset + 2 > view.length || target >= partStart || target < HEADER_BYTES) return null;
      if (end < 0) end = offset + 2;
      offset = target;
      partStart = target;
      continue;
    }
    nameBytes += lead + 1;
    if (lead > LABEL_MAX_BYTES || nameBytes > NAME_MAX_BYTES) return null;
    const label = view.subarray(offset + 1, offset + 1 + lead);
    if (label.length < lead) return null;
    const text = String.fromCharCode(...label);
    // A dot inside a label would read like two labels.
    if (!/^[\x21-\x2d\x2f-\x7e]+$/.test(text)) return null;
    labels.push(text.toLowerCase());
    offset += lead + 1;
  }
  return null;
}

/** @param view Payload of the datagram. @returns The answer, or why it is dropped. */
export function parseDnsResponse(view: Uint8Array): DnsResponse | DnsDrop {
  if (view.length < HEADER_BYTES) return "DNS_SHORT";
  const flags = read16(view, 2);
  // Exactly our one question, in a response to a standard query.
  if ((flags & FLAG_RESPONSE) === 0 || (flags & OPCODE_MASK) !== 0 || read16(view, 4) !== 1) {
    return "DNS_FORM";
  }
  const question = parseName(view, HEADER_BYTES);
  if (question === null) return "DNS_NAME";
  const recordsStart = question.end + QUESTION_FIXED_BYTES;
  if (recordsStart > view.length) return "DNS_SHORT";
  const truncated = (flags & FLAG_TRUNCATED) !== 0;
  const records = parseRecords(view, recordsStart, read16(view, 6), read16(view, 8));
  // A truncated answer may end anywhere; its records are not used.
  if (typeof records === "string" && !truncated) return records;
  return {
    id: read16(view, 0),
    rcode: flags & RCODE_MASK,
    truncated,
    question: {
      name: question.name,
      type: read16(view, question.end),
      class: read16(view, question.end + 2),
    },
    answers: typeof records === "string" ? [] : records.answers,
    negativeTtlSeconds: typeof records === "string" ? null : records.negativeTtlSeconds,
  };
}

interface ParsedRecords {
  readonly answers: DnsRecord[];
  negativeTtlSeconds: number | null;
}

/** Reads answers and, of the authority section, the SOA. Counts are upper bounds; the data's end comes first. */
function parseRecords(
  view: Uint8Array,
  at: number,
  answerCount: number,
  authorityCount: number,
): ParsedRecords | DnsDrop {
  const result: ParsedRecords = { answers: [], negativeTtlSeconds: null };
  const count = Math.min(RECORDS_MAX, answerCount + authorityCount);
  let offset = at;
  for (let index = 0; index < count && offset < view.length; index++) {
    const owner = parseName(view, offset);
    if (owner === null) return "DNS_NAME";
    const dataStart = owner.end + RECORD_FIXED_BYTES;
    if (dataStart > view.length) return "DNS_RECORD";
    const dataEnd = dataStart + read16(view, owner.end + 8);
    if (dataEnd > view.length) return "DNS_RECORD";
    const drop = index < answerCount
      ? addAnswer(view, owner, dataEnd, result)
      : addAuthority(view, owner, dataEnd, result);
    if (drop !== null) return drop;
    offset = dataEnd;
  }
  return result;
}

/** A TTL with its top bit set counts as 0. RFC 2181 section 8. */
function readTtlSeconds(view: Uint8Array, offset: number): number {
  const ttl = read32(view, offset);
  return ttl > 0x7fffffff ? 0 : ttl;
}

function addAnswer(
  view: Uint8Array,
  owner: ParsedName,
  dataEnd: number,
  into: ParsedRecords,
): DnsDrop | null {
  const type = read16(view, owner.end);
  const dataStart = owner.end + RECORD_FIXED_BYTES;
  if (read16(view, owner.end + 2) !== DNS_CLASS_IN) return null;
  if (type !== DNS_TYPE_A && type !== DNS_TYPE_CNAME) return null;
  const ttlSeconds = readTtlSeconds(view, owner.end + 4);
  if (type === DNS_TYPE_A) {
    if (dataEnd - dataStart !== ADDRESS_BYTES) return "DNS_RECORD";
    const address = read32(view, dataStart);
    into.answers.push({ name: owner.name, ttlSeconds, type, address, target: "" });
    return null;
  }
  const target = parseName(view, dataStart);
  if (target === null || target.end !== dataEnd) return "DNS_NAME";
  into.answers.push({ name: owner.name, ttlSeconds, type, address: 0, target: target.name });
  return null;
}

function addAuthority(
  view: Uint8Array,
  owner: ParsedName,
  dataEnd: number,
  into: ParsedRecords,
): DnsDrop | null {
  if (read16(view, owner.end) !== DNS_TYPE_SOA) return null;
  const primary = parseName(view, owner.end + RECORD_FIXED_BYTES);
  const mailbox = primary === null ? null : parseName(view, primary.end);
  if (mailbox === null || mailbox.end + SOA_NUMBERS_BYTES !== dataEnd) return "DNS_RECORD";
  const minimumSeconds = readTtlSeconds(view, dataEnd - ADDRESS_BYTES);
  into.negativeTtlSeconds = Math.min(readTtlSeconds(view, owner.end + 4), minimumSeconds);
  return null;
}

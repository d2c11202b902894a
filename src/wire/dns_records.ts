/** What the records of the domain name system say, type by type. */
import { read16, read32, read8 } from "./bytes.ts";
import { parseName } from "./dns_name.ts";

/** Numbers of the types that we read. Source: IANA, "Resource Record (RR) TYPEs". */
export const DNS_TYPES = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  CAA: 257,
} as const;

/** Name of a type. */
export type DnsTypeName = keyof typeof DNS_TYPES;

/** Who may issue certificates for a name. RFC 8659 section 4. */
export interface CaaRecord {
  /** Who does not understand the tag must not issue. */
  readonly critical: boolean;
  /** `"issue"`, `"issuewild"`, `"iodef"` … */
  readonly tag: string;
  /** The text. */
  readonly value: string;
}

/** Who takes mail for a name. RFC 1035 section 3.3.9. */
export interface MxRecord {
  /** Lower ones are tried first. */
  readonly preference: number;
  /** Host name; empty = nobody takes mail (RFC 7505). */
  readonly exchange: string;
}

/** How a name is rewritten. RFC 3403 section 4.1. */
export interface NaptrRecord {
  /** Lower ones go first. */
  readonly order: number;
  /** Lower ones go first, within an order. */
  readonly preference: number;
  /** How to go on. */
  readonly flags: string;
  /** What is found there. */
  readonly services: string;
  /** How to rewrite the name. */
  readonly regexp: string;
  /** The next name. */
  readonly replacement: string;
}

/** The beginning of a zone. RFC 1035 section 3.3.13. Times are in seconds. */
export interface SoaRecord {
  /** The primary name server. */
  readonly mname: string;
  /** Mailbox of who is responsible; its first dot stands for an @. */
  readonly rname: string;
  /** Version of the zone. */
  readonly serial: number;
  /** How often a secondary looks, s. */
  readonly refresh: number;
  /** How soon it tries again, s. */
  readonly retry: number;
  /** When it gives up, s. */
  readonly expire: number;
  /** How long a negative answer holds, at most. RFC 2308 section 4. */
  readonly minimum: number;
}

/** Where a service is. RFC 2782. */
export interface SrvRecord {
  /** Lower ones are tried first. */
  readonly priority: number;
  /** Share among those of one priority. */
  readonly weight: number;
  /** Port of the service. */
  readonly port: number;
  /** Host name; empty = the service is not there. */
  readonly target: string;
}

/** Data by type. Addresses: u32 for A, u128 for AAAA. */
export interface RecordData {
  A: number;
  AAAA: bigint;
  CAA: CaaRecord;
  CNAME: string;
  MX: MxRecord;
  NAPTR: NaptrRecord;
  NS: string;
  PTR: string;
  SOA: SoaRecord;
  SRV: SrvRecord;
  /** The strings of one record. */
  TXT: readonly string[];
}

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
const SOA_NUMBERS_BYTES = 20;
const CAA_CRITICAL = 0x80;
/** Smallest CAA record: flags, length of the tag, a tag of one character. */
const CAA_MIN_BYTES = 3;

/** What is read of a message: the whole of it, because names may point backwards, and the record's own bytes. */
interface Span {
  readonly view: Uint8Array;
  readonly start: number;
  readonly end: number;
}

type Reader<K extends DnsTypeName> = (span: Span) => RecordData[K] | null;

const READERS: { readonly [K in DnsTypeName]: Reader<K> } = {
  A: readA,
  AAAA: readAaaa,
  CAA: readCaa,
  CNAME: readWholeName,
  MX: readMx,
  NAPTR: readNaptr,
  NS: readWholeName,
  PTR: readWholeName,
  SOA: readSoa,
  SRV: readSrv,
  TXT: readTxt,
};

const NAMES_BY_TYPE: ReadonlyMap<number, DnsTypeName> = new Map(
  Object.entries(DNS_TYPES).map(([name, type]) => [type, name as DnsTypeName]),
);

/** @returns Name of a type that we read, or null. */
export function typeName(type: number): DnsTypeName | null {
  return NAMES_BY_TYPE.get(type) ?? null;
}

/**
 * Reads the data of a record.
 *
 * @param view The message.
 * @param start Where the data begins.
 * @param end Where it ends; within the message.
 * @returns Null if it is not what its type says.
 */
export function readRecordData<K extends DnsTypeName>(
  type: K,
  view: Uint8Array,
  start: number,
  end: number,
): RecordData[K] | null {
  return READERS[type]({ view, start, end });
}

function readA({ view, start, end }: Span): number | null {
  return end - start === IPV4_BYTES ? read32(view, start) : null;
}

/** RFC 3596 section 2.2. */
function readAaaa({ view, start, end }: Span): bigint | null {
  if (end - start !== IPV6_BYTES) return null;
  let address = 0n;
  for (let offset = start; offset < end; offset += 4) {
    address = (address << 32n) | BigInt(read32(view, offset));
  }
  return address;
}

/** A name that fills what is left of the record. RFC 3597 section 4 asks for compression to be understood. */
function readNameTo({ view, end }: Span, at: number): string | null {
  const parsed = at < end ? parseName(view, at) : null;
  return parsed !== null && parsed.end === end ? parsed.name : null;
}

function readWholeName(span: Span): string | null {
  return readNameTo(span, span.start);
}

function readMx(span: Span): MxRecord | null {
  const exchange = readNameTo(span, span.start + 2);
  return exchange === null ? null : { preference: read16(span.view, span.start), exchange };
}

function readSrv(span: Span): SrvRecord | null {
  const { view, start } = span;
  const target = readNameTo(span, start + 6);
  if (target === null) return null;
  return {
    priority: read16(view, start),
    weight: read16(view, start + 2),
    port: read16(view, start + 4),
    target,
  };
}

function readSoa({ view, start, end }: Span): SoaRecord | null {
  const primary = parseName(view, start);
  const mailbox = primary === null || primary.end >= end ? null : parseName(view, primary.end);
  if (primary === null || mailbox === null) return null;
  const numbers = mailbox.end;
  if (numbers + SOA_NUMBERS_BYTES !== end) return null;
  return {
    mname: primary.name,
    rname: mailbox.name,
    serial: read32(view, numbers),
    refresh: read32(view, numbers + 4),
    retry: read32(view, numbers + 8),
    expire: read32(view, numbers + 12),
    minimum: read32(view, numbers + 16),
  };
}

/** At least one string. RFC 1035 section 3.3.14. */
function readTxt(span: Span): string[] | null {
  const strings: string[] = [];
  // Each step takes at least the byte of a length.
  for (let offset = span.start; offset < span.end;) {
    const string = readString(span, offset);
    if (string === null) return null;
    strings.push(string.text);
    offset = string.end;
  }
  return strings.length === 0 ? null : strings;
}

function readNaptr(span: Span): NaptrRecord | null {
  const { view, start } = span;
  const flags = readString(span, start + 4);
  const services = flags === null ? null : readString(span, flags.end);
  const regexp = services === null ? null : readString(span, services.end);
  const replacement = regexp === null ? null : readNameTo(span, regexp.end);
  if (flags === null || services === null || regexp === null || replacement === null) return null;
  return {
    order: read16(view, start),
    preference: read16(view, start + 2),
    flags: flags.text,
    services: services.text,
    regexp: regexp.text,
    replacement,
  };
}

function readCaa({ view, start, end }: Span): CaaRecord | null {
  if (end - start < CAA_MIN_BYTES) return null;
  const tagStart = start + 2;
  const tagEnd = tagStart + read8(view, start + 1);
  if (tagEnd > end) return null;
  const tag = String.fromCharCode(...view.subarray(tagStart, tagEnd));
  // RFC 8659 section 4.1: letters and digits, at least one.
  if (!/^[a-zA-Z0-9]+$/.test(tag)) return null;
  return {
    critical: (read8(view, start) & CAA_CRITICAL) !== 0,
    tag: tag.toLowerCase(),
    value: decodeText(view.subarray(tagEnd, end)),
  };
}

/** A character-string. RFC 1035 section 3.3. */
function readString({ view, end }: Span, at: number): { text: string; end: number } | null {
  if (at >= end) return null;
  const stringEnd = at + 1 + read8(view, at);
  if (stringEnd > end) return null;
  return { text: decodeText(view.subarray(at + 1, stringEnd)), end: stringEnd };
}

/** Records hold bytes; people put UTF-8 there. What is none becomes U+FFFD. */
function decodeText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

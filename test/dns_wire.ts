/** Writes DNS messages, plainly: the other side of `wire/dns.ts` for its tests, and what test servers answer with. */
import { parseIp } from "../src/net/addresses.ts";
import type {
  CaaRecord,
  MxRecord,
  NaptrRecord,
  SoaRecord,
  SrvRecord,
} from "../src/wire/dns_records.ts";
import { DNS_TYPES } from "../src/wire/dns_records.ts";

/** A record to be written: text for addresses and names, shapes of the API for the others, or bytes as they are. */
export interface WireRecord {
  readonly name: string;
  /** Name of a type, or its number with `data` as bytes. */
  readonly type: keyof typeof DNS_TYPES | number;
  readonly data: unknown;
  readonly ttl?: number;
  readonly class?: number;
}

/** What an answer says. */
export interface WireAnswer {
  readonly id?: number;
  readonly rcode?: number;
  readonly truncated?: boolean;
  /** Another question than was asked, by name; null = none at all. */
  readonly question?: string | null;
  readonly answers?: readonly WireRecord[];
  readonly authority?: readonly WireRecord[];
  readonly additional?: readonly WireRecord[];
  /** Names are written once and pointed to. Default false. */
  readonly compressed?: boolean;
}

const HEADER_BYTES = 12;
const POINTER_MAX = 0x3fff;

/** Collects a message. */
class Writer {
  readonly bytes: number[] = [];
  readonly #offsets = new Map<string, number>();
  readonly #compressed: boolean;

  constructor(compressed: boolean) {
    this.#compressed = compressed;
  }

  u8(value: number): void {
    this.bytes.push(value & 0xff);
  }

  u16(value: number): void {
    this.bytes.push((value >>> 8) & 0xff, value & 0xff);
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  string(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u8(bytes.length);
    this.bytes.push(...bytes);
  }

  /** @param name Labels joined by dots, escaped as in zone files. */
  name(name: string): void {
    const labels = labelsOf(name);
    for (let index = 0; index < labels.length; index++) {
      const rest = labels.slice(index).join(".");
      const known = this.#offsets.get(rest);
      if (known !== undefined && this.#compressed) return this.u16(0xc000 | known);
      if (this.bytes.length <= POINTER_MAX) this.#offsets.set(rest, this.bytes.length);
      const label = labels[index] ?? "";
      const bytes = unescape(label);
      this.u8(bytes.length);
      this.bytes.push(...bytes);
    }
    this.u8(0);
  }

  record(record: WireRecord): void {
    const type = typeof record.type === "number" ? record.type : DNS_TYPES[record.type];
    this.name(record.name);
    this.u16(type);
    this.u16(record.class ?? 1);
    this.u32(record.ttl ?? 60);
    const at = this.bytes.length;
    this.u16(0);
    if (record.data instanceof Uint8Array) this.bytes.push(...record.data);
    else this.#data(record.type, record.data);
    const length = this.bytes.length - at - 2;
    this.bytes[at] = length >>> 8;
    this.bytes[at + 1] = length & 0xff;
  }

  #data(type: WireRecord["type"], data: unknown): void {
    switch (type) {
      case "A":
      case "AAAA":
        return this.#address(parseIp(data as string));
      case "CNAME":
      case "NS":
      case "PTR":
        return this.name(data as string);
      case "TXT":
        return (data as readonly string[]).forEach((text) => this.string(text));
      case "CAA":
        return this.#caa(data as CaaRecord);
      case "MX":
        this.u16((data as MxRecord).preference);
        return this.name((data as MxRecord).exchange);
      case "SRV":
        return this.#srv(data as SrvRecord);
      case "NAPTR":
        return this.#naptr(data as NaptrRecord);
      case "SOA":
        return this.#soa(data as SoaRecord);
      default:
        throw new TypeError(`No writer for type ${type}`);
    }
  }

  #address(address: number | bigint): void {
    if (typeof address === "number") return this.u32(address);
    for (let shift = 96n; shift >= 0n; shift -= 32n) {
      this.u32(Number((address >> shift) & 0xffffffffn));
    }
  }

  #caa({ critical, tag, value }: CaaRecord): void {
    this.u8(critical ? 0x80 : 0);
    this.string(tag);
    this.bytes.push(...new TextEncoder().encode(value));
  }

  #srv({ priority, weight, port, target }: SrvRecord): void {
    for (const value of [priority, weight, port]) this.u16(value);
    this.name(target);
  }

  #naptr({ order, preference, flags, services, regexp, replacement }: NaptrRecord): void {
    this.u16(order);
    this.u16(preference);
    for (const text of [flags, services, regexp]) this.string(text);
    this.name(replacement);
  }

  #soa({ mname, rname, serial, refresh, retry, expire, minimum }: SoaRecord): void {
    this.name(mname);
    this.name(rname);
    for (const value of [serial, refresh, retry, expire, minimum]) this.u32(value);
  }
}

function labelsOf(name: string): string[] {
  return name === "" ? [] : name.match(/(?:\\\d{3}|\\.|[^.\\])+/g) ?? [];
}

function unescape(label: string): number[] {
  const parts = label.match(/\\\d{3}|\\.|[^\\]/g) ?? [];
  return parts.map((part) => {
    if (part.length === 4) return Number(part.slice(1));
    return part.charCodeAt(part.length - 1);
  });
}

/** A name on the wire, not compressed. */
export function wireName(name: string): number[] {
  const writer = new Writer(false);
  writer.name(name);
  return writer.bytes;
}

/** Builds the answer to a query that asks for one name without EDNS or with it. */
export function answerTo(query: Uint8Array, answer: WireAnswer): Uint8Array<ArrayBuffer> {
  const { answers = [], authority = [], additional = [] } = answer;
  const asked = questionOf(query);
  const writer = new Writer(answer.compressed ?? false);
  writer.u16(answer.id ?? (((query[0] ?? 0) << 8) | (query[1] ?? 0)));
  const rcode = answer.rcode ?? 0;
  writer.u16(0x8180 | (rcode & 0xf) | (answer.truncated === true ? 0x200 : 0));
  writer.u16(answer.question === null ? 0 : 1);
  writer.u16(answers.length);
  writer.u16(authority.length);
  writer.u16(additional.length);
  if (answer.question !== null) {
    writer.name(answer.question ?? asked.name);
    writer.u16(asked.type);
    writer.u16(1);
  }
  for (const record of [...answers, ...authority, ...additional]) writer.record(record);
  return Uint8Array.from(writer.bytes);
}

/** What a query asks. */
export interface Asked {
  readonly name: string;
  readonly type: number;
  /** What an answer may hold, bytes; null = the query has no OPT. */
  readonly payloadBytes: number | null;
}

/** Reads a query as our client writes it. */
export function questionOf(query: Uint8Array): Asked {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (; (query[at] ?? 0) !== 0; at += (query[at] ?? 0) + 1) {
    const label = query.subarray(at + 1, at + 1 + (query[at] ?? 0));
    labels.push(Array.from(label, escaped).join(""));
  }
  const u16 = (offset: number): number => ((query[offset] ?? 0) << 8) | (query[offset + 1] ?? 0);
  const hasOpt = u16(10) === 1 && u16(at + 6) === 41;
  return {
    name: labels.join("."),
    type: u16(at + 1),
    payloadBytes: hasOpt ? u16(at + 8) : null,
  };
}

function escaped(byte: number): string {
  if (byte === 0x2e || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
  if (byte > 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  return `\\${String(byte).padStart(3, "0")}`;
}

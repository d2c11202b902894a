/** DHCP messages. Source: RFC 2131 section 2, options RFC 2132. */
import { read16, read32, read8, write16, write32 } from "./bytes.ts";
import { parseName } from "./dns_name.ts";

/** Port of servers. */
export const DHCP_SERVER_PORT = 67;
/** Port of clients. */
export const DHCP_CLIENT_PORT = 68;

// Message types. RFC 2132 section 9.6.

export const DHCP_DISCOVER = 1;
export const DHCP_OFFER = 2;
export const DHCP_REQUEST = 3;
export const DHCP_DECLINE = 4;
export const DHCP_ACK = 5;
export const DHCP_NAK = 6;
export const DHCP_RELEASE = 7;
export const DHCP_INFORM = 8;

// Options. RFC 2132 sections 3 to 9.

export const OPTION_SUBNET_MASK = 1;
export const OPTION_ROUTER = 3;
export const OPTION_DNS = 6;
export const OPTION_HOST_NAME = 12;
export const OPTION_DOMAIN = 15;
export const OPTION_MTU = 26;
export const OPTION_BROADCAST = 28;
export const OPTION_REQUESTED_ADDRESS = 50;
export const OPTION_LEASE_SECONDS = 51;
export const OPTION_OVERLOAD = 52;
export const OPTION_MESSAGE_TYPE = 53;
export const OPTION_SERVER_ID = 54;
export const OPTION_PARAMETERS = 55;
export const OPTION_MESSAGE = 56;
export const OPTION_MAX_SIZE = 57;
export const OPTION_T1_SECONDS = 58;
export const OPTION_T2_SECONDS = 59;
export const OPTION_CLIENT_ID = 61;
/** Domains that complete short names. RFC 3397. */
export const OPTION_SEARCH = 119;
/** Classless routes. RFC 3442. */
export const OPTION_ROUTES = 121;

/** `op` of what clients send. */
export const BOOT_REQUEST = 1;
/** `op` of what servers send. */
export const BOOT_REPLY = 2;

const OPTION_PAD = 0;
const OPTION_END = 255;
const HARDWARE_ETHERNET = 1;
const MAC_BYTES = 6;
const ADDRESS_BYTES = 4;
const ADDRESS_BITS = 32;
const BYTE_BITS = 8;
const FLAG_BROADCAST = 0x8000;
const COOKIE = 0x63825363;
const SNAME_OFFSET = 44;
const FILE_OFFSET = 108;
const COOKIE_OFFSET = 236;
const OPTIONS_OFFSET = 240;
/** A BOOTP message has a fixed size; old servers and relays drop shorter ones. RFC 1542 section 2.1. */
const MESSAGE_MIN_BYTES = 300;
/** One option is at most 255 bytes, split ones are joined up to this many. RFC 3396; our bound. */
const OPTION_JOINED_MAX_BYTES = 1_024;
const OPTION_MAX_BYTES = 255;
/** Text options are cut here, characters. */
const TEXT_MAX_CHARACTERS = 255;
const OVERLOAD_FILE = 1;
const OVERLOAD_SNAME = 2;

/** A DHCP message. Addresses are u32. */
export interface DhcpMessage {
  /** {@linkcode BOOT_REQUEST} or {@linkcode BOOT_REPLY}. */
  readonly op: number;
  /** {@linkcode DHCP_DISCOVER} to {@linkcode DHCP_INFORM}. */
  readonly type: number;
  readonly xid: number;
  /** Since the client began, s. */
  readonly secs: number;
  /** The client can not receive unicast yet. */
  readonly broadcast: boolean;
  readonly ciaddr: number;
  readonly yiaddr: number;
  readonly giaddr: number;
  /** MAC of the client, 6 bytes. */
  readonly chaddr: Uint8Array;
  /** Options by number, split ones joined; without message type, overload, pad and end. */
  readonly options: ReadonlyMap<number, Uint8Array>;
}

/** Why a DHCP message is dropped. */
export type DhcpDrop = "DHCP_SHORT" | "DHCP_FORM" | "DHCP_COOKIE" | "DHCP_OPTION" | "DHCP_TYPE";

/** @param view Payload of the datagram. @returns The message with views into it, or why it is dropped. */
export function parseDhcp(view: Uint8Array): DhcpMessage | DhcpDrop {
  if (view.length < OPTIONS_OFFSET) return "DHCP_SHORT";
  const op = read8(view, 0);
  if (
    (op !== BOOT_REQUEST && op !== BOOT_REPLY) || read8(view, 1) !== HARDWARE_ETHERNET ||
    read8(view, 2) !== MAC_BYTES
  ) return "DHCP_FORM";
  if (read32(view, COOKIE_OFFSET) !== COOKIE) return "DHCP_COOKIE";
  const options = new Map<number, Uint8Array>();
  if (!collectOptions(view.subarray(OPTIONS_OFFSET), options)) return "DHCP_OPTION";
  // RFC 2131 section 4.1: `file` is read before `sname`, and neither can ask for more overloading.
  const overload = options.get(OPTION_OVERLOAD)?.[0] ?? 0;
  if ((overload & OVERLOAD_FILE) !== 0) {
    if (!collectOptions(view.subarray(FILE_OFFSET, COOKIE_OFFSET), options)) return "DHCP_OPTION";
  }
  if ((overload & OVERLOAD_SNAME) !== 0) {
    if (!collectOptions(view.subarray(SNAME_OFFSET, FILE_OFFSET), options)) return "DHCP_OPTION";
  }
  const type = options.get(OPTION_MESSAGE_TYPE);
  if (type === undefined || type.length !== 1) return "DHCP_TYPE";
  if (read8(type, 0) < DHCP_DISCOVER || read8(type, 0) > DHCP_INFORM) return "DHCP_TYPE";
  options.delete(OPTION_MESSAGE_TYPE);
  options.delete(OPTION_OVERLOAD);
  return {
    op,
    type: read8(type, 0),
    xid: read32(view, 4),
    secs: read16(view, 8),
    broadcast: (read16(view, 10) & FLAG_BROADCAST) !== 0,
    ciaddr: read32(view, 12),
    yiaddr: read32(view, 16),
    giaddr: read32(view, 24),
    chaddr: view.subarray(28, 28 + MAC_BYTES),
    options,
  };
}

/**
 * Reads options into a map, joining those that come in pieces (RFC 3396 section 5).
 *
 * @returns False if one reaches beyond the field, or a joined one is too long. A missing end mark is forgiven.
 */
function collectOptions(field: Uint8Array, into: Map<number, Uint8Array>): boolean {
  let offset = 0;
  while (offset < field.length) {
    const code = read8(field, offset);
    offset++;
    if (code === OPTION_PAD) continue;
    if (code === OPTION_END) return true;
    if (offset >= field.length) return false;
    const end = offset + 1 + read8(field, offset);
    if (end > field.length) return false;
    const piece = field.subarray(offset + 1, end);
    const before = into.get(code);
    const joinedBytes = (before?.length ?? 0) + piece.length;
    if (joinedBytes > OPTION_JOINED_MAX_BYTES) return false;
    into.set(code, before === undefined ? piece : joinBytes(before, piece));
    offset = end;
  }
  return true;
}

function joinBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a, 0);
  joined.set(b, a.length);
  return joined;
}

/** @returns The message's bytes, padded with zeros to 300. */
export function buildDhcp(message: DhcpMessage): Uint8Array {
  let optionsBytes = 3 + 1;
  for (const value of message.options.values()) {
    optionsBytes += value.length + (2 * Math.max(1, Math.ceil(value.length / OPTION_MAX_BYTES)));
  }
  const bytes = new Uint8Array(Math.max(MESSAGE_MIN_BYTES, OPTIONS_OFFSET + optionsBytes));
  bytes[0] = message.op;
  bytes[1] = HARDWARE_ETHERNET;
  bytes[2] = MAC_BYTES;
  write32(bytes, 4, message.xid);
  write16(bytes, 8, Math.min(message.secs, 0xffff));
  write16(bytes, 10, message.broadcast ? FLAG_BROADCAST : 0);
  write32(bytes, 12, message.ciaddr);
  write32(bytes, 16, message.yiaddr);
  write32(bytes, 24, message.giaddr);
  bytes.set(message.chaddr.subarray(0, MAC_BYTES), 28);
  write32(bytes, COOKIE_OFFSET, COOKIE);
  let offset = putOption(bytes, OPTIONS_OFFSET, OPTION_MESSAGE_TYPE, optionByte(message.type));
  for (const [code, value] of message.options) offset = putOption(bytes, offset, code, value);
  bytes[offset] = OPTION_END;
  return bytes;
}

/** Writes an option, in pieces where it is longer than 255 bytes. @returns The offset behind it. */
function putOption(bytes: Uint8Array, at: number, code: number, value: Uint8Array): number {
  let offset = at;
  let from = 0;
  do {
    const piece = value.subarray(from, from + OPTION_MAX_BYTES);
    bytes[offset] = code;
    bytes[offset + 1] = piece.length;
    bytes.set(piece, offset + 2);
    offset += 2 + piece.length;
    from += OPTION_MAX_BYTES;
  } while (from < value.length);
  return offset;
}

/** @returns An option of one byte. */
export function optionByte(value: number): Uint8Array {
  return Uint8Array.of(value);
}

/** @returns An option of 16 bits. */
export function option16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value & 0xff);
}

/** @returns An option of one or more u32: seconds, addresses. */
export function option32(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * ADDRESS_BYTES);
  values.forEach((value, index) => write32(bytes, index * ADDRESS_BYTES, value));
  return bytes;
}

/** @returns The 16-bit value of an option, or null if it is absent or of another size. */
export function read16Option(message: DhcpMessage, code: number): number | null {
  const value = message.options.get(code);
  return value === undefined || value.length !== 2 ? null : read16(value, 0);
}

/** @returns The u32 of an option, or null if it is absent or of another size. */
export function read32Option(message: DhcpMessage, code: number): number | null {
  const value = message.options.get(code);
  return value === undefined || value.length !== ADDRESS_BYTES ? null : read32(value, 0);
}

/** @returns The addresses of an option, u32, at most `maxCount`; what is left over of four bytes is ignored. */
export function addressesOption(message: DhcpMessage, code: number, maxCount: number): number[] {
  const value = message.options.get(code) ?? new Uint8Array(0);
  const count = Math.min(maxCount, Math.floor(value.length / ADDRESS_BYTES));
  return Array.from({ length: count }, (_, index) => read32(value, index * ADDRESS_BYTES));
}

/** @returns The text of an option if it is printable ASCII, cut to 255 characters; else null. */
export function textOption(message: DhcpMessage, code: number): string | null {
  const value = message.options.get(code)?.subarray(0, TEXT_MAX_CHARACTERS);
  if (value === undefined) return null;
  // Some servers send the terminating zero of their C string.
  const text = String.fromCharCode(...value).replace(/\0+$/, "");
  return /^[\x20-\x7e]+$/.test(text) ? text : null;
}

/**
 * @returns The names of an option that holds names, compressed within itself, as far as they can be read; else none.
 * Source: RFC 3397 section 2.
 */
export function namesOption(message: DhcpMessage, code: number, maxCount: number): string[] {
  const value = message.options.get(code) ?? new Uint8Array(0);
  const names: string[] = [];
  for (let offset = 0; offset < value.length && names.length < maxCount;) {
    const parsed = parseName(value, offset, 0);
    if (parsed === null) break;
    if (parsed.name !== "") names.push(parsed.name);
    offset = parsed.end;
  }
  return names;
}

/** A route of an option; addresses are u32. */
export interface RouteOption {
  readonly network: number;
  /** 0 to 32. */
  readonly prefixLength: number;
  /** 0 = the network is on the link. */
  readonly gateway: number;
}

/**
 * Reads classless routes. RFC 3442: the prefix's length, as many bytes of the network as have bits of it, the router.
 *
 * @returns At most `maxCount`; null if the option is absent or can not be read.
 */
export function routesOption(message: DhcpMessage, maxCount: number): RouteOption[] | null {
  const value = message.options.get(OPTION_ROUTES);
  if (value === undefined || value.length === 0) return null;
  const routes: RouteOption[] = [];
  // Each turn moves on by at least five bytes.
  for (let at = 0; at < value.length;) {
    const prefixLength = read8(value, at);
    const networkBytes = Math.ceil(prefixLength / BYTE_BITS);
    const end = at + 1 + networkBytes + ADDRESS_BYTES;
    if (prefixLength > ADDRESS_BITS || end > value.length) return null;
    const network = new Uint8Array(ADDRESS_BYTES);
    network.set(value.subarray(at + 1, at + 1 + networkBytes));
    const gateway = read32(value, end - ADDRESS_BYTES);
    if (routes.length < maxCount) {
      routes.push({ network: read32(network, 0), prefixLength, gateway });
    }
    at = end;
  }
  return routes;
}

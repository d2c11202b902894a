/** Messages and options of neighbor discovery. Source: RFC 4861 section 4, RFC 8106 section 5. */
import { IPV6_ADDRESS_BYTES, readIpv6, writeIpv6 } from "./address_bytes.ts";
import { read32, read8 } from "./bytes.ts";
import { isHostMac } from "./ethernet.ts";
import type { IcmpMessage } from "./icmp.ts";
import { NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION, ROUTER_SOLICITATION } from "./icmpv6.ts";

/** Of a neighbor advertisement: the sender is a router. RFC 4861 section 4.4. */
export const NA_ROUTER = 0x8000_0000;
/** Of a neighbor advertisement: it answers a question. */
export const NA_SOLICITED = 0x4000_0000;
/** Of a neighbor advertisement: it replaces what is known. */
export const NA_OVERRIDE = 0x2000_0000;

const OPTION_UNIT_BYTES = 8;
const OPTION_SOURCE_MAC = 1;
const OPTION_TARGET_MAC = 2;
const OPTION_PREFIX = 3;
const OPTION_MTU = 5;
const OPTION_RDNSS = 25;
const OPTION_DNSSL = 31;
const PREFIX_BYTES = 32;
const PREFIX_ON_LINK = 0x80;
const PREFIX_AUTONOMOUS = 0x40;
const MAC_BYTES = 6;
const PREFIX_LENGTH_MAX = 128;
/** Behind the four bytes that the ICMP header holds: reachable time, retransmission timer. */
const RA_BYTES = 8;
/** Options of one message that are read; more are ignored. */
const OPTIONS_MAX = 64;
const NAME_MAX = 253;
const LABEL_MAX = 63;
const LABEL_TEXT = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/i;

/** A prefix of a router. RFC 4861 section 4.6.2. */
export interface NdPrefix {
  readonly prefix: bigint;
  readonly prefixLength: number;
  /** Whoever is in it is a neighbour. */
  readonly isOnLink: boolean;
  /** Addresses may be made of it. RFC 4862. */
  readonly isAutonomous: boolean;
  /** Seconds; 2^32 - 1 = for ever. */
  readonly validSeconds: number;
  /** Seconds; 2^32 - 1 = for ever. */
  readonly preferredSeconds: number;
}

/** What is valid for some seconds. RFC 8106. */
export interface NdTimed<T> {
  /** Seconds; 0 = no longer, 2^32 - 1 = for ever. */
  readonly lifetimeSeconds: number;
  readonly values: readonly T[];
}

/** Options that are understood. Others "MUST be silently ignored". RFC 4861 section 4.6. */
export interface NdOptions {
  sourceMac: Uint8Array | null;
  targetMac: Uint8Array | null;
  mtu: number | null;
  readonly prefixes: NdPrefix[];
  readonly dns: NdTimed<bigint>[];
  readonly search: NdTimed<string>[];
}

/** A router advertisement. RFC 4861 section 4.2. */
export interface RouterAdvertisement {
  /** Seconds as a default router; 0 = it is none. */
  readonly lifetimeSeconds: number;
  /** Preference, RFC 4191 section 2.1: 1, 0 or -1. */
  readonly preference: number;
  /** Ms; 0 = not told. */
  readonly reachableMs: number;
  /** Ms; 0 = not told. */
  readonly retransMs: number;
  readonly options: NdOptions;
}

/** A neighbor solicitation or advertisement. RFC 4861 sections 4.3 and 4.4. */
export interface NeighborMessage {
  readonly target: bigint;
  /** NA_… bits of an advertisement. */
  readonly flags: number;
  readonly options: NdOptions;
}

/** Why a message is dropped. */
export type NdDrop = "ND_SHORT" | "ND_OPTION";

/**
 * Reads options; of each kind that stands alone the first one counts.
 *
 * @returns Null if one has no length or too much of it: RFC 4861 sections 6.1 and 7.1 discard the message. As with ARP, so does a MAC
 * that no host can have: what is for one neighbour would go to all.
 */
export function parseNdOptions(bytes: Uint8Array): NdOptions | null {
  const options: NdOptions = {
    sourceMac: null,
    targetMac: null,
    mtu: null,
    prefixes: [],
    dns: [],
    search: [],
  };
  let at = 0;
  for (let count = 0; at < bytes.length; count++) {
    const size = read8(bytes, at + 1) * OPTION_UNIT_BYTES;
    if (size === 0 || at + size > bytes.length) return null;
    const option = bytes.subarray(at, at + size);
    if (!isPossible(option)) return null;
    if (count < OPTIONS_MAX) readOption(option, options);
    at += size;
  }
  return options;
}

/** RFC 2464 section 6: of Ethernet an option with a MAC has 8 bytes. */
function isPossible(option: Uint8Array): boolean {
  const kind = read8(option, 0);
  const hasMac = kind === OPTION_SOURCE_MAC || kind === OPTION_TARGET_MAC;
  return !hasMac || option.length !== OPTION_UNIT_BYTES || isHostMac(macOf(option));
}

function macOf(option: Uint8Array): Uint8Array {
  return option.subarray(2, 2 + MAC_BYTES);
}

function readOption(option: Uint8Array, options: NdOptions): void {
  const kind = read8(option, 0);
  const isShort = option.length === OPTION_UNIT_BYTES;
  if (kind === OPTION_SOURCE_MAC && isShort) options.sourceMac ??= macOf(option);
  if (kind === OPTION_TARGET_MAC && isShort) options.targetMac ??= macOf(option);
  if (kind === OPTION_MTU && isShort) options.mtu ??= read32(option, 4);
  if (kind === OPTION_PREFIX && option.length === PREFIX_BYTES) readPrefix(option, options);
  if (kind === OPTION_RDNSS) readServers(option, options);
  if (kind === OPTION_DNSSL && option.length > OPTION_UNIT_BYTES) {
    const values = readNames(option.subarray(OPTION_UNIT_BYTES));
    options.search.push({ lifetimeSeconds: read32(option, 4), values });
  }
}

function readPrefix(option: Uint8Array, options: NdOptions): void {
  const prefixLength = read8(option, 2);
  if (prefixLength > PREFIX_LENGTH_MAX) return;
  const hostBits = BigInt(PREFIX_LENGTH_MAX - prefixLength);
  const flags = read8(option, 3);
  options.prefixes.push({
    prefix: (readIpv6(option, 16) >> hostBits) << hostBits,
    prefixLength,
    isOnLink: (flags & PREFIX_ON_LINK) !== 0,
    isAutonomous: (flags & PREFIX_AUTONOMOUS) !== 0,
    validSeconds: read32(option, 4),
    preferredSeconds: read32(option, 8),
  });
}

/** RFC 8106 section 5.1: an odd length of at least 3 units. */
function readServers(option: Uint8Array, options: NdOptions): void {
  const isWhole = (option.length - OPTION_UNIT_BYTES) % IPV6_ADDRESS_BYTES === 0;
  if (!isWhole || option.length === OPTION_UNIT_BYTES) return;
  const values: bigint[] = [];
  for (let at = OPTION_UNIT_BYTES; at < option.length; at += IPV6_ADDRESS_BYTES) {
    values.push(readIpv6(option, at));
  }
  options.dns.push({ lifetimeSeconds: read32(option, 4), values });
}

/** RFC 8106 section 5.2: names one after the other, uncompressed, padded with zeros. A wrong one ends the list. */
function readNames(bytes: Uint8Array): string[] {
  const names: string[] = [];
  let labels: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const size = read8(bytes, at);
    const label = String.fromCharCode(...bytes.subarray(at + 1, at + 1 + size));
    if (size > LABEL_MAX || at + 1 + size > bytes.length) break;
    at += 1 + size;
    if (size > 0) {
      if (!LABEL_TEXT.test(label)) break;
      labels.push(label.toLowerCase());
      continue;
    }
    const name = labels.join(".");
    if (name === "" || name.length > NAME_MAX) break;
    names.push(name);
    labels = [];
  }
  return names;
}

/** @param message A router advertisement. @returns Its parts, views into it; or why it is dropped. */
export function parseRouterAdvertisement(message: IcmpMessage): RouterAdvertisement | NdDrop {
  if (message.body.length < RA_BYTES) return "ND_SHORT";
  const options = parseNdOptions(message.body.subarray(RA_BYTES));
  if (options === null) return "ND_OPTION";
  const preference = (message.rest >>> 19) & 3;
  return {
    lifetimeSeconds: message.rest & 0xffff,
    // RFC 4191 section 2.2: the reserved value is treated as medium.
    preference: preference === 1 ? 1 : preference === 3 ? -1 : 0,
    reachableMs: read32(message.body, 0),
    retransMs: read32(message.body, 4),
    options,
  };
}

/** @param message A neighbor solicitation or advertisement. @returns Its parts; or why it is dropped. */
export function parseNeighborMessage(message: IcmpMessage): NeighborMessage | NdDrop {
  if (message.body.length < IPV6_ADDRESS_BYTES) return "ND_SHORT";
  const options = parseNdOptions(message.body.subarray(IPV6_ADDRESS_BYTES));
  if (options === null) return "ND_OPTION";
  return { target: readIpv6(message.body, 0), flags: message.rest, options };
}

function macOption(kind: number, mac: Uint8Array | null): Uint8Array {
  if (mac === null) return new Uint8Array(0);
  return Uint8Array.of(kind, 1, ...mac.subarray(0, MAC_BYTES));
}

function withTarget(target: bigint, option: Uint8Array): Uint8Array {
  const body = new Uint8Array(IPV6_ADDRESS_BYTES + option.length);
  writeIpv6(body, 0, target);
  body.set(option, IPV6_ADDRESS_BYTES);
  return body;
}

/** @param mac Ours; null if the source is unspecified. */
export function neighborSolicitation(target: bigint, mac: Uint8Array | null): IcmpMessage {
  const body = withTarget(target, macOption(OPTION_SOURCE_MAC, mac));
  return { type: NEIGHBOR_SOLICITATION, code: 0, rest: 0, body };
}

/** @param flags NA_… bits. */
export function neighborAdvertisement(
  target: bigint,
  flags: number,
  mac: Uint8Array,
): IcmpMessage {
  const body = withTarget(target, macOption(OPTION_TARGET_MAC, mac));
  return { type: NEIGHBOR_ADVERTISEMENT, code: 0, rest: flags, body };
}

/** @param mac Ours; null if the source is unspecified. */
export function routerSolicitation(mac: Uint8Array | null): IcmpMessage {
  return { type: ROUTER_SOLICITATION, code: 0, rest: 0, body: macOption(OPTION_SOURCE_MAC, mac) };
}

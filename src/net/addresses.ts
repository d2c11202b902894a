/**
 * Addresses: of IPv4 a u32 number, of IPv6 a 128-bit bigint, both in host order; a MAC address is 6 bytes. Text only at the
 * API. What is for both families says `Ip` in its name.
 */
import type { IpAddress } from "../core/info_view.ts";
import { ipv6Bytes } from "../wire/address_bytes.ts";
import { formatIpv4, formatIpv6 } from "../wire/address_text.ts";
export { formatIpv4, formatMac } from "../wire/address_text.ts";

/** An address of either family: `typeof` tells which, `===` compares, and it is a key of a Map as it is. */
export type Ip = IpAddress;

/** 0.0.0.0: no address yet, or any of ours. */
export const ADDRESS_ANY = 0;
/** 255.255.255.255. RFC 919 section 7. */
export const ADDRESS_BROADCAST = 0xffffffff;
/** `::`: no address yet, or any of ours. RFC 4291 section 2.5.2. */
export const ADDRESS_ANY_V6 = 0n;
/** Bits of an IPv4 address. */
export const ADDRESS_BITS = 32;
/** Bits of an IPv6 address. */
export const ADDRESS_BITS_V6 = 128;
/** Bytes of a MAC address. */
export const MAC_BYTES = 6;

const OCTETS = 4;
const DOTTED_QUAD = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
const PREFIX_TEXT = /^(0|[1-9]\d{0,2})$/;
const GROUPS = 8;
const GROUP_BITS = 16n;
const GROUP_TEXT = /^[0-9a-f]{1,4}$/i;
const HEX_RADIX = 16;
/** Upper 96 bits of an IPv4-mapped address, `::ffff:0:0/96`. RFC 4291 section 2.5.5.2. */
const MAPPED_PREFIX = 0xffffn;
const IPV4_BITS = 32n;
/** Longest text of an address: six groups and a dotted quad. */
const TEXT_MAX = 45;

/** An address and the length of its network's prefix. */
export interface Cidr {
  /** The address as written, u32; host bits are kept. */
  readonly address: number;
  /** 0 to 32. */
  readonly prefixLength: number;
}

/** The same for both families. */
export interface IpCidr {
  /** The address as written; host bits are kept. */
  readonly address: Ip;
  /** 0 to 32, or 0 to 128. */
  readonly prefixLength: number;
}

/** @returns The address's u32, or null if the text is not a strict dotted quad. */
function tryParseIpv4(text: string): number | null {
  const match = DOTTED_QUAD.exec(text);
  if (match === null) return null;
  let address = 0;
  for (let index = 1; index <= OCTETS; index++) {
    const octet = Number(match[index]);
    if (octet > 0xff) return null;
    address = ((address << 8) | octet) >>> 0;
  }
  return address;
}

/**
 * Reads an address in dotted-quad form: four decimal numbers without leading zeros, nothing else.
 *
 * @param text `"10.0.0.2"`.
 * @returns The address, u32: `0x0a000002`.
 * @throws TypeError if it is not a string, RangeError if it is not an IPv4 address.
 */
export function parseIpv4(text: string): number {
  if (typeof text !== "string") {
    throw new TypeError(`Cannot read an IPv4 address from a ${typeof text}: expected a string`);
  }
  const address = tryParseIpv4(text);
  if (address === null) {
    throw new RangeError(
      `Cannot read "${text}" as an IPv4 address: expected four numbers of 0 to 255, "10.0.0.2"`,
    );
  }
  return address;
}

/** @returns True if the text is an IPv4 address that {@linkcode parseIpv4} reads. */
export function isIpv4(text: string): boolean {
  return tryParseIpv4(text) !== null;
}

/** @returns The groups between colons, a dotted quad counting as two; null if one of them is wrong. */
function readGroups(text: string, mayEndInQuad: boolean): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    const quad = mayEndInQuad && index === parts.length - 1 ? tryParseIpv4(part) : null;
    if (quad !== null) groups.push(quad >>> 16, quad & 0xffff);
    else if (GROUP_TEXT.test(part)) groups.push(Number.parseInt(part, HEX_RADIX));
    else return null;
  }
  return groups;
}

/** Source: RFC 4291 section 2.2. @returns The address's 128 bits, or null if the text is none. */
function tryParseIpv6(text: string): bigint | null {
  const halves = text.length > TEXT_MAX ? [] : text.split("::");
  if (halves.length < 1 || halves.length > 2) return null;
  const isShortened = halves.length === 2;
  const head = readGroups(halves[0] ?? "", !isShortened);
  const tail = readGroups(halves[1] ?? "", true);
  if (head === null || tail === null) return null;
  const missing = GROUPS - head.length - tail.length;
  // "::" stands for one group of zeros or more.
  if (isShortened ? missing < 1 : missing !== 0) return null;
  let address = 0n;
  for (const group of [...head, ...new Array<number>(missing).fill(0), ...tail]) {
    address = (address << GROUP_BITS) | BigInt(group);
  }
  return address;
}

/**
 * Reads an address of either family.
 *
 * @param text Dotted quad, or IPv6 in any form of RFC 4291 section 2.2; no zone.
 * @returns The address, or null if the text is none. An IPv4-mapped one (`"::ffff:10.0.0.2"`) is that IPv4 address.
 */
export function tryParseIp(text: string): Ip | null {
  const ipv4 = tryParseIpv4(text);
  if (ipv4 !== null) return ipv4;
  const ipv6 = tryParseIpv6(text);
  if (ipv6 === null || (ipv6 >> IPV4_BITS) !== MAPPED_PREFIX) return ipv6;
  return Number(BigInt.asUintN(ADDRESS_BITS, ipv6));
}

/**
 * Reads an address of either family.
 *
 * @param text `"10.0.0.2"`, `"2001:db8::2"`; see {@linkcode tryParseIp}.
 * @returns The address: a number if it is IPv4, a bigint if it is IPv6.
 * @throws TypeError if it is not a string, RangeError if it is no address or names a zone.
 */
export function parseIp(text: string): Ip {
  if (typeof text !== "string") {
    throw new TypeError(`Cannot read an address from a ${typeof text}: expected a string`);
  }
  const address = tryParseIp(text);
  if (address !== null) return address;
  const zoneAt = text.indexOf("%");
  if (zoneAt >= 0 && tryParseIp(text.slice(0, zoneAt)) !== null) {
    throw new RangeError(
      `Cannot read "${text}" as an address: it names a zone, and a stack has one link alone`,
    );
  }
  throw new RangeError(
    `Cannot read "${text}" as an address: expected one such as "10.0.0.2" or "2001:db8::2"`,
  );
}

/** @returns 4 or 6 if {@linkcode parseIp} reads the text as an address of that family, otherwise 0. */
export function isIp(text: string): 0 | 4 | 6 {
  const address = tryParseIp(text);
  if (address === null) return 0;
  return isIpv4Number(address) ? 4 : 6;
}

/** @returns True if the address is an IPv4 one. */
export function isIpv4Number(address: Ip): address is number {
  return typeof address === "number";
}

/** @returns The address as text; IPv6 in the form of RFC 5952. */
export function formatIp(address: Ip): string {
  if (isIpv4Number(address)) return formatIpv4(address);
  if ((address >> IPV4_BITS) !== MAPPED_PREFIX) return formatIpv6(ipv6Bytes(address));
  // RFC 5952 section 5: the part that is an IPv4 address is written as one.
  return `::ffff:${formatIpv4(Number(BigInt.asUintN(ADDRESS_BITS, address)))}`;
}

/**
 * Reads an address with its prefix length.
 *
 * @param text `"10.0.0.2/24"`.
 * @throws TypeError if it is not a string, RangeError if a part of it is wrong.
 */
export function parseCidr(text: string): Cidr {
  const [addressText, prefixLength] = splitCidr(text);
  if (prefixLength > ADDRESS_BITS) throw cidrError(text);
  return { address: parseIpv4(addressText), prefixLength };
}

/**
 * Reads an address of either family with its prefix length.
 *
 * @param text `"10.0.0.2/24"`, `"2001:db8::2/64"`.
 * @throws TypeError if it is not a string, RangeError if a part of it is wrong.
 */
export function parseIpCidr(text: string): IpCidr {
  const [addressText, prefixLength] = splitCidr(text);
  const address = parseIp(addressText);
  if (prefixLength > addressBits(address)) throw cidrError(text);
  return { address, prefixLength };
}

function splitCidr(text: string): [addressText: string, prefixLength: number] {
  if (typeof text !== "string") {
    throw new TypeError(`Cannot read a network from a ${typeof text}: expected a string`);
  }
  const [addressText = "", prefixText = "", ...rest] = text.split("/");
  if (rest.length > 0 || !PREFIX_TEXT.test(prefixText)) throw cidrError(text);
  return [addressText, Number(prefixText)];
}

function cidrError(text: string): RangeError {
  const example = text.includes(":")
    ? `0 to ${ADDRESS_BITS_V6}, "2001:db8::2/64"`
    : `0 to ${ADDRESS_BITS}, "10.0.0.2/24"`;
  return new RangeError(
    `Cannot read "${text}" as a network: expected an address and a prefix of ${example}`,
  );
}

/** @returns How many bits the addresses of its family have. */
export function addressBits(address: Ip): number {
  return isIpv4Number(address) ? ADDRESS_BITS : ADDRESS_BITS_V6;
}

/** @returns The address with all bits behind the prefix set to 0. */
export function networkOf(address: Ip, prefixLength: number): Ip {
  if (isIpv4Number(address)) return (address & prefixMask(prefixLength)) >>> 0;
  const hostBits = BigInt(ADDRESS_BITS_V6 - prefixLength);
  return (address >> hostBits) << hostBits;
}

/** @returns True if both addresses are of one family and begin with the same prefix. */
export function haveSamePrefix(a: Ip, b: Ip, prefixLength: number): boolean {
  return typeof a === typeof b && networkOf(a, prefixLength) === networkOf(b, prefixLength);
}

/** @returns How many leading bits two addresses have in common; 0 if they are of two families. */
export function commonPrefixBits(a: Ip, b: Ip): number {
  if (isIpv4Number(a) || isIpv4Number(b)) {
    return isIpv4Number(a) && isIpv4Number(b) ? Math.clz32(a ^ b) : 0;
  }
  const different = a ^ b;
  return different === 0n ? ADDRESS_BITS_V6 : ADDRESS_BITS_V6 - different.toString(2).length;
}

/** @param prefixLength 0 to 32. @returns The network mask, u32. */
export function prefixMask(prefixLength: number): number {
  // A shift by 32 would be one by 0.
  return prefixLength === 0 ? 0 : (0xffffffff << (ADDRESS_BITS - prefixLength)) >>> 0;
}

/** @returns The prefix length of a mask, 0 to 32, or null if its ones are not contiguous. */
export function maskPrefix(mask: number): number | null {
  const prefixLength = Math.clz32(~mask);
  return prefixMask(prefixLength) === mask ? prefixLength : null;
}

/** @returns True if both addresses are in the same network. */
export function inSameNetwork(a: number, b: number, prefixLength: number): boolean {
  return ((a ^ b) & prefixMask(prefixLength)) === 0;
}

/** @returns The directed broadcast address, or 0 where there is none (RFC 3021: /31, and /32). */
export function broadcastOf(address: number, prefixLength: number): number {
  if (prefixLength > ADDRESS_BITS - 2) return 0;
  return (address | ~prefixMask(prefixLength)) >>> 0;
}

/** @returns True for 224.0.0.0/4. RFC 1112 section 4. */
export function isMulticast(address: number): boolean {
  return (address >>> 28) === 0xe;
}

/** @returns True for 127.0.0.0/8. RFC 1122 section 3.2.1.3 (g). */
export function isLoopback(address: number): boolean {
  return (address >>> 24) === 127;
}

/** @returns True if one host on a network may have it: not 0/8, 127/8, multicast, 240/4 nor broadcast. */
export function isUnicast(address: number): boolean {
  return (address >>> 24) !== 0 && !isLoopback(address) && (address >>> 28) < 0xe;
}

/**
 * Can it be a host's address in its own network?
 *
 * @returns False for the network's own and its broadcast address too, where these exist.
 */
export function isHostAddress(address: number, prefixLength: number): boolean {
  if (!isUnicast(address)) return false;
  if (prefixLength > ADDRESS_BITS - 2) return true;
  const hostBits = (address & ~prefixMask(prefixLength)) >>> 0;
  return hostBits !== 0 && address !== broadcastOf(address, prefixLength);
}

/** @returns True for 0.0.0.0 and `::`. */
export function isUnspecified(address: Ip): boolean {
  return address === ADDRESS_ANY || address === ADDRESS_ANY_V6;
}

/** @returns True for 224.0.0.0/4 and ff00::/8. RFC 4291 section 2.7. */
export function isMulticastIp(address: Ip): boolean {
  return isIpv4Number(address) ? isMulticast(address) : (address >> 120n) === 0xffn;
}

/** @returns True for 127.0.0.0/8 and ::1. RFC 4291 section 2.5.3. */
export function isLoopbackIp(address: Ip): boolean {
  return isIpv4Number(address) ? isLoopback(address) : address === 1n;
}

/** @returns True for 169.254.0.0/16 (RFC 3927) and fe80::/10 (RFC 4291 section 2.5.6). */
export function isLinkLocalIp(address: Ip): boolean {
  return isIpv4Number(address) ? (address >>> 16) === 0xa9fe : (address >> 118n) === 0x3fan;
}

/** @returns True if one host on a network may have it: not unspecified, loopback, multicast, IPv4-mapped, 0/8 nor 240/4. */
export function isUnicastIp(address: Ip): boolean {
  if (isIpv4Number(address)) return isUnicast(address);
  const isMapped = (address >> IPV4_BITS) === MAPPED_PREFIX;
  return !isUnspecified(address) && !isLoopbackIp(address) && !isMulticastIp(address) && !isMapped;
}

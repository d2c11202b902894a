/** IPv4 and MAC addresses: u32 numbers in host order and 6 bytes inside, text only at the API. */
export { formatIpv4, formatMac } from "../wire/address_text.ts";

/** 0.0.0.0: no address yet, or any of ours. */
export const ADDRESS_ANY = 0;
/** 255.255.255.255. RFC 919 section 7. */
export const ADDRESS_BROADCAST = 0xffffffff;
/** Bits of an IPv4 address. */
export const ADDRESS_BITS = 32;
/** Bytes of a MAC address. */
export const MAC_BYTES = 6;

const OCTETS = 4;
const DOTTED_QUAD = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
const PREFIX_TEXT = /^(0|[1-9]\d?)$/;

/** An address and the length of its network's prefix. */
export interface Cidr {
  /** The address as written, u32; host bits are kept. */
  readonly address: number;
  /** 0 to 32. */
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

/**
 * Reads an address with its prefix length.
 *
 * @param text `"10.0.0.2/24"`.
 * @throws TypeError if it is not a string, RangeError if a part of it is wrong.
 */
export function parseCidr(text: string): Cidr {
  if (typeof text !== "string") {
    throw new TypeError(`Cannot read a network from a ${typeof text}: expected a string`);
  }
  const [addressText = "", prefixText = "", ...rest] = text.split("/");
  const prefixLength = Number(prefixText);
  if (rest.length > 0 || !PREFIX_TEXT.test(prefixText) || prefixLength > ADDRESS_BITS) {
    throw new RangeError(
      `Cannot read "${text}" as a network: expected an address and a prefix of 0 to 32, "10.0.0.2/24"`,
    );
  }
  return { address: parseIpv4(addressText), prefixLength };
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

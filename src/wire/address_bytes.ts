/** IPv6 addresses between their 128-bit number and the 16 bytes of a packet. */

/** Bytes of an IPv6 address. RFC 4291 section 2. */
export const IPV6_ADDRESS_BYTES = 16;

const HALF_BITS = 64n;
const HALF_BYTES = 8;

/** @returns The address that lies in the 16 bytes from `at` on. */
export function readIpv6(bytes: Uint8Array, at: number): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, IPV6_ADDRESS_BYTES);
  return (view.getBigUint64(0) << HALF_BITS) | view.getBigUint64(HALF_BYTES);
}

/** Writes an address to the 16 bytes from `at` on. */
export function writeIpv6(bytes: Uint8Array, at: number, address: bigint): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, IPV6_ADDRESS_BYTES);
  view.setBigUint64(0, address >> HALF_BITS);
  view.setBigUint64(HALF_BYTES, BigInt.asUintN(64, address));
}

/** @returns The address as 16 new bytes, in network order. */
export function ipv6Bytes(address: bigint): Uint8Array {
  const bytes = new Uint8Array(IPV6_ADDRESS_BYTES);
  writeIpv6(bytes, 0, address);
  return bytes;
}

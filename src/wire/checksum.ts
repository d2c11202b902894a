/** The Internet checksum of the host's slow paths. The core has its own, fused into its copies. */
import { read16, read8 } from "./bytes.ts";

/**
 * Adds the 16-bit words of some bytes to a one's-complement sum; an odd last byte is padded with 0.
 *
 * @param bytes At most 65,535 bytes, so that the sum stays far below 2^53.
 * @param initial Sum so far, not complemented.
 * @returns The sum, folded to 16 bits, not complemented. Source: RFC 1071 section 4.1.
 */
export function sumWords(bytes: Uint8Array, initial: number = 0): number {
  let sum = initial;
  const even = bytes.length & ~1;
  for (let offset = 0; offset < even; offset += 2) sum += read16(bytes, offset);
  if (even < bytes.length) sum += read8(bytes, even) << 8;
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

/**
 * The Internet checksum. Over bytes that contain their right checksum it is 0.
 *
 * @param bytes What it covers, at most 65,535 bytes.
 * @param initial Sum of what stands before them, a pseudo-header for instance; not complemented.
 * @returns The 16 bits that go into the header, host order. Source: RFC 1071 section 1.
 */
export function internetChecksum(bytes: Uint8Array, initial: number = 0): number {
  return ~sumWords(bytes, initial) & 0xffff;
}

/**
 * Sum of the IPv4 pseudo-header of TCP and UDP.
 *
 * @param source Source address, u32.
 * @param destination Destination address, u32.
 * @param protocol IP protocol number.
 * @param sizeBytes Header and data of the upper layer, bytes.
 * @returns A sum for the `initial` of {@linkcode internetChecksum}. Source: RFC 768, RFC 9293 section 3.1.
 */
export function pseudoHeaderSum(
  source: number,
  destination: number,
  protocol: number,
  sizeBytes: number,
): number {
  return (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) +
    protocol + sizeBytes;
}

/** The keyed hash of a connection's four values, of either family. */
import { sipHash12, sipHash5 } from "../hash.ts";
import { isIpv4 } from "../wire/ip.ts";

/** Of an IPv4 address that is mapped, as it lies: the address alone. */
const ADDRESS_MASK: u64 = 0xffffffff00000000;

/**
 * Hashes two addresses and two ports. Of IPv4 only what differs is hashed, 12 bytes instead of 40; the lengths are part
 * of the hash, so that the families do not meet.
 *
 * @param keyA First half of the key.
 * @param keyB Second half of it.
 * @param ports Local port in the upper half, remote port in the lower.
 */
export function tupleHash(
  keyA: u64,
  keyB: u64,
  lA: u64,
  lB: u64,
  rA: u64,
  rB: u64,
  ports: u32,
): u64 {
  if (isIpv4(rA, rB) && isIpv4(lA, lB)) {
    return sipHash12(keyA, keyB, (lB >> 32) | (rB & ADDRESS_MASK), ports);
  }
  return sipHash5(keyA, keyB, lA, lB, rA, rB, u64(ports));
}

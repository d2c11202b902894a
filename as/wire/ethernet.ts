/** Ethernet headers: two MAC addresses and the EtherType. MAC addresses are held as they lie, in 4 and 2 bytes. */
import { load16, store16 } from "../bytes.ts";

/** Offsets of the header's fields, bytes. */
const SOURCE_AT: usize = 6;
const ETHERTYPE_AT: usize = 12;
/** EtherTypes. IEEE 802 numbers of IANA. */
export const ETHERTYPE_IPV4: u32 = 0x0800;
export const ETHERTYPE_ARP: u32 = 0x0806;
export const ETHERTYPE_IPV6: u32 = 0x86dd;
/** A MAC address's second part stands this far behind its first, bytes. */
const SECOND_PART: usize = 4;

/**
 * The EtherType of a frame.
 *
 * @param frame A frame of at least ETHERNET_HEADER_BYTES.
 * @returns It, in host order.
 */
export function etherType(frame: usize): u32 {
  return load16(frame + ETHERTYPE_AT);
}

/** First four bytes of the destination MAC, as they lie. */
export function destinationMacA(frame: usize): u32 {
  return load<u32>(frame);
}

/** Last two bytes of the destination MAC, as they lie. */
export function destinationMacB(frame: usize): u32 {
  return u32(load<u16>(frame + SECOND_PART));
}

/** First four bytes of the source MAC, as they lie. */
export function sourceMacA(frame: usize): u32 {
  return load<u32>(frame + SOURCE_AT);
}

/** Last two bytes of the source MAC, as they lie. */
export function sourceMacB(frame: usize): u32 {
  return u32(load<u16>(frame + SOURCE_AT + SECOND_PART));
}

/**
 * Writes a header.
 *
 * @param ptr Room for ETHERNET_HEADER_BYTES.
 * @param dstA First four bytes of the destination MAC, as they lie.
 * @param dstB Last two bytes of it.
 * @param srcA First four bytes of the source MAC.
 * @param srcB Last two bytes of it.
 * @param etherType In host order.
 */
export function writeEthernet(
  ptr: usize,
  dstA: u32,
  dstB: u32,
  srcA: u32,
  srcB: u32,
  etherType: u32,
): void {
  store<u32>(ptr, dstA);
  store<u16>(ptr + SECOND_PART, u16(dstB));
  store<u32>(ptr + SOURCE_AT, srcA);
  store<u16>(ptr + SOURCE_AT + SECOND_PART, u16(srcB));
  store16(ptr + ETHERTYPE_AT, etherType);
}

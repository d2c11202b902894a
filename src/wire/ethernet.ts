/** Ethernet II frames, without the checksum of the link. Source: RFC 894. */
import { read16, write16 } from "./bytes.ts";

/** Two MAC addresses and the EtherType, bytes. */
export const ETHERNET_BYTES = 14;
/** EtherType of IPv4. */
export const ETHERTYPE_IPV4 = 0x0800;
/** EtherType of ARP. */
export const ETHERTYPE_ARP = 0x0806;
/** EtherType of IPv6. */
export const ETHERTYPE_IPV6 = 0x86dd;

const MAC_BYTES = 6;
const TYPE_OFFSET = 12;

/** Everyone on the link. A fresh copy each time, as arrays can be written to. */
export function broadcastMac(): Uint8Array {
  return new Uint8Array(MAC_BYTES).fill(0xff);
}

/** A parsed frame; its views are into the frame. */
export interface EthernetFrame {
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
  readonly etherType: number;
  /** What follows the header, padding included. */
  readonly payload: Uint8Array;
}

/** @returns The parts of a frame, or why it is dropped. */
export function parseEthernet(frame: Uint8Array): EthernetFrame | "ETHERNET_SHORT" {
  if (frame.length < ETHERNET_BYTES) return "ETHERNET_SHORT";
  return {
    destination: frame.subarray(0, MAC_BYTES),
    source: frame.subarray(MAC_BYTES, TYPE_OFFSET),
    etherType: read16(frame, TYPE_OFFSET),
    payload: frame.subarray(ETHERNET_BYTES),
  };
}

/** @returns A frame; short ones are not padded, that is the link's task. */
export function buildEthernet(
  destination: Uint8Array,
  source: Uint8Array,
  etherType: number,
  payload: Uint8Array,
): Uint8Array {
  const frame = new Uint8Array(ETHERNET_BYTES + payload.length);
  frame.set(destination.subarray(0, MAC_BYTES), 0);
  frame.set(source.subarray(0, MAC_BYTES), MAC_BYTES);
  write16(frame, TYPE_OFFSET, etherType);
  frame.set(payload, ETHERNET_BYTES);
  return frame;
}

/** @returns True for a group address, the broadcast address included. */
export function isGroupMac(mac: Uint8Array): boolean {
  return ((mac[0] ?? 0) & 1) === 1;
}

/** @returns True if one host may have it: no group address, and not all zeros. */
export function isHostMac(mac: Uint8Array): boolean {
  return !isGroupMac(mac) && mac.some((byte) => byte !== 0);
}

/** @returns The MAC address of an IPv4 multicast group. Source: RFC 1112 section 6.4. */
export function multicastMac(group: number): Uint8Array {
  return Uint8Array.of(0x01, 0x00, 0x5e, (group >>> 16) & 0x7f, (group >>> 8) & 0xff, group & 0xff);
}

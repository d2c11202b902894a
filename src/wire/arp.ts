/** ARP for IPv4 over Ethernet. Source: RFC 826. */
import { read16, read32, read8, write16, write32 } from "./bytes.ts";
import { isHostMac } from "./ethernet.ts";

/** Size of an ARP packet for Ethernet and IPv4, bytes. */
export const ARP_BYTES = 28;
/** Operation: who has the target address? */
export const ARP_REQUEST = 1;
/** Operation: the sender has it. */
export const ARP_REPLY = 2;

const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;
const MAC_BYTES = 6;
const ADDRESS_BYTES = 4;

/** A parsed ARP packet; the MACs are views into it. */
export interface ArpPacket {
  /** {@linkcode ARP_REQUEST} or {@linkcode ARP_REPLY}. */
  readonly operation: number;
  readonly senderMac: Uint8Array;
  /** u32. */
  readonly senderAddress: number;
  readonly targetMac: Uint8Array;
  /** u32. */
  readonly targetAddress: number;
}

/** Why an ARP packet is dropped. */
export type ArpDrop = "ARP_SHORT" | "ARP_FORM" | "ARP_SENDER";

/** @param payload Of the frame; padding is ignored. @returns The packet, or why it is dropped. */
export function parseArp(payload: Uint8Array): ArpPacket | ArpDrop {
  if (payload.length < ARP_BYTES) return "ARP_SHORT";
  const operation = read16(payload, 6);
  if (
    read16(payload, 0) !== HARDWARE_ETHERNET || read16(payload, 2) !== PROTOCOL_IPV4 ||
    read8(payload, 4) !== MAC_BYTES || read8(payload, 5) !== ADDRESS_BYTES ||
    (operation !== ARP_REQUEST && operation !== ARP_REPLY)
  ) return "ARP_FORM";
  const senderMac = payload.subarray(8, 14);
  if (!isHostMac(senderMac)) return "ARP_SENDER";
  return {
    operation,
    senderMac,
    senderAddress: read32(payload, 14),
    targetMac: payload.subarray(18, 24),
    targetAddress: read32(payload, 24),
  };
}

/** @returns An ARP packet of 28 bytes. */
export function buildArp(packet: ArpPacket): Uint8Array {
  const bytes = new Uint8Array(ARP_BYTES);
  write16(bytes, 0, HARDWARE_ETHERNET);
  write16(bytes, 2, PROTOCOL_IPV4);
  bytes[4] = MAC_BYTES;
  bytes[5] = ADDRESS_BYTES;
  write16(bytes, 6, packet.operation);
  bytes.set(packet.senderMac.subarray(0, MAC_BYTES), 8);
  write32(bytes, 14, packet.senderAddress);
  bytes.set(packet.targetMac.subarray(0, MAC_BYTES), 18);
  write32(bytes, 24, packet.targetAddress);
  return bytes;
}

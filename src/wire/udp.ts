/** UDP datagrams. Source: RFC 768, over IPv6 RFC 8200 section 8.1. */
import { read16, write16 } from "./bytes.ts";
import { internetChecksum, pseudoHeaderSum } from "./checksum.ts";
import type { IpAddress } from "../core/info_view.ts";
import { PROTOCOL_UDP } from "./ipv4.ts";
import { ipv6PseudoHeaderSum } from "./ipv6.ts";

/** Header, bytes. */
export const UDP_BYTES = 8;
/** Largest payload in an IPv4 packet without options, bytes. */
export const UDP_PAYLOAD_MAX_BYTES = 65_507;

/** A parsed datagram; the payload is a view into it. */
export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** Why a datagram is dropped. */
export type UdpDrop = "UDP_SHORT" | "UDP_LENGTH" | "UDP_CHECKSUM";

/**
 * @param view Payload of the IP packet.
 * @param source Source address of the packet.
 * @param destination Destination address of the packet.
 * @returns The datagram, or why it is dropped.
 */
export function parseUdp(
  view: Uint8Array,
  source: IpAddress,
  destination: IpAddress,
): UdpDatagram | UdpDrop {
  if (view.length < UDP_BYTES) return "UDP_SHORT";
  const sizeBytes = read16(view, 4);
  if (sizeBytes < UDP_BYTES || sizeBytes > view.length) return "UDP_LENGTH";
  const datagram = view.subarray(0, sizeBytes);
  const hasChecksum = read16(view, 6) !== 0;
  // RFC 768: a checksum of zero means that the sender generated none. Over IPv6 that is forbidden, whatever the sum is.
  if (!hasChecksum && typeof source === "bigint") return "UDP_CHECKSUM";
  if (hasChecksum) {
    const sum = pseudoHeader(source, destination, sizeBytes);
    if (internetChecksum(datagram, sum) !== 0) return "UDP_CHECKSUM";
  }
  return {
    sourcePort: read16(view, 0),
    destinationPort: read16(view, 2),
    payload: datagram.subarray(UDP_BYTES),
  };
}

/**
 * @param datagram Ports and at most 65,507 bytes.
 * @param source Source address of the packet.
 * @param destination Destination address of the packet.
 * @returns Header with its checksum, and payload.
 */
export function buildUdp(
  datagram: UdpDatagram,
  source: IpAddress,
  destination: IpAddress,
): Uint8Array {
  const sizeBytes = UDP_BYTES + datagram.payload.length;
  if (datagram.payload.length > UDP_PAYLOAD_MAX_BYTES) {
    throw new RangeError(
      `Cannot build a datagram of ${datagram.payload.length} bytes: expected at most ${UDP_PAYLOAD_MAX_BYTES}`,
    );
  }
  const bytes = new Uint8Array(sizeBytes);
  write16(bytes, 0, datagram.sourcePort);
  write16(bytes, 2, datagram.destinationPort);
  write16(bytes, 4, sizeBytes);
  bytes.set(datagram.payload, UDP_BYTES);
  const sum = pseudoHeader(source, destination, sizeBytes);
  // RFC 768: a computed zero is sent as all ones, the same in one's complement.
  write16(bytes, 6, internetChecksum(bytes, sum) || 0xffff);
  return bytes;
}

/** Both addresses are of one family. */
function pseudoHeader(source: IpAddress, destination: IpAddress, sizeBytes: number): number {
  if (typeof source === "number" && typeof destination === "number") {
    return pseudoHeaderSum(source, destination, PROTOCOL_UDP, sizeBytes);
  }
  return ipv6PseudoHeaderSum(BigInt(source), BigInt(destination), PROTOCOL_UDP, sizeBytes);
}

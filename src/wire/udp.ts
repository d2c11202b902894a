/** UDP datagrams over IPv4. Source: RFC 768. */
import { read16, write16 } from "./bytes.ts";
import { internetChecksum, pseudoHeaderSum } from "./checksum.ts";
import { PROTOCOL_UDP } from "./ipv4.ts";

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
 * @param source Source address of the packet, u32.
 * @param destination Destination address of the packet, u32.
 * @returns The datagram, or why it is dropped.
 */
export function parseUdp(
  view: Uint8Array,
  source: number,
  destination: number,
): UdpDatagram | UdpDrop {
  if (view.length < UDP_BYTES) return "UDP_SHORT";
  const sizeBytes = read16(view, 4);
  if (sizeBytes < UDP_BYTES || sizeBytes > view.length) return "UDP_LENGTH";
  const datagram = view.subarray(0, sizeBytes);
  // RFC 768: a checksum of zero means that the sender generated none.
  if (read16(view, 6) !== 0) {
    const sum = pseudoHeaderSum(source, destination, PROTOCOL_UDP, sizeBytes);
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
 * @param source Source address of the packet, u32.
 * @param destination Destination address of the packet, u32.
 * @returns Header with its checksum, and payload.
 */
export function buildUdp(datagram: UdpDatagram, source: number, destination: number): Uint8Array {
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
  const sum = pseudoHeaderSum(source, destination, PROTOCOL_UDP, sizeBytes);
  // RFC 768: a computed zero is sent as all ones, the same in one's complement.
  write16(bytes, 6, internetChecksum(bytes, sum) || 0xffff);
  return bytes;
}

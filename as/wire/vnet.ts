/** The virtio-net header before each frame. Source: Virtual I/O Device 1.2, 5.1.6. */
import {
  Vnet,
  VNET_FLAG_NEEDS_CSUM,
  VNET_GSO_ECN,
  VNET_GSO_TCPV4,
  VNET_GSO_TCPV6,
} from "../layout.gen.ts";

/** Where a record's offload header stands, behind its length. */
const HEADER_AT: usize = 4;
/** Where the checksum stands in a TCP header. RFC 9293 section 3.1. */
export const TCP_CHECKSUM_AT: u32 = 16;

/** The offload header of a record. */
export function vnetOf(record: usize): Vnet {
  return changetype<Vnet>(record + HEADER_AT);
}

/** The header asks for something: any of its ten bytes is not zero. */
export function asksOffload(record: usize): bool {
  return (load<u64>(record, HEADER_AT) | u64(load<u16>(record, HEADER_AT + 8))) !== 0;
}

/**
 * Writes the offload header of a TCP segment.
 *
 * @param tcpAt Where its TCP header begins in the frame.
 * @param headerBytes The TCP header with its options.
 * @param gsoSize Text of each segment but the last; 0 = one segment.
 * @param isV6 Which of the two kinds of super-segments it is.
 * @param hasCwr CWR is set: it is the first segment's alone.
 * @param isPartial The checksum field holds the sum of the pseudo header.
 */
export function writeVnet(
  record: usize,
  tcpAt: u32,
  headerBytes: u32,
  gsoSize: u32,
  isV6: bool,
  hasCwr: bool,
  isPartial: bool,
): void {
  const vnet = vnetOf(record);
  if (gsoSize !== 0) {
    const kind: u32 = isV6 ? VNET_GSO_TCPV6 : VNET_GSO_TCPV4;
    vnet.gsoType = u8(hasCwr ? kind | VNET_GSO_ECN : kind);
    vnet.gsoSize = u16(gsoSize);
    vnet.hdrLen = u16(tcpAt + headerBytes);
  }
  if (!isPartial) return;
  vnet.flags = u8(VNET_FLAG_NEEDS_CSUM);
  vnet.csumStart = u16(tcpAt);
  vnet.csumOffset = u16(TCP_CHECKSUM_AT);
}

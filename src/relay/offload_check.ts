/**
 * Whether a client's virtio-net header asks for something that its frame can have and that was agreed on. The kernel acts on
 * these headers, and a client is a stranger: every field is compared with the frame as it was parsed here.
 */
import {
  IPV6_HEADER_BYTES,
  OFFLOAD_CHECKSUM,
  OFFLOAD_ECN,
  OFFLOAD_TCP4,
  OFFLOAD_TCP6,
  VNET_CSUM_OFFSET,
  VNET_CSUM_START,
  VNET_FLAG_DATA_VALID,
  VNET_FLAG_NEEDS_CSUM,
  VNET_FLAGS,
  VNET_GSO_ECN,
  VNET_GSO_SIZE,
  VNET_GSO_TCPV4,
  VNET_GSO_TCPV6,
  VNET_GSO_TYPE,
  VNET_HDR_LEN,
} from "../layout/layout.gen.ts";
import { ETHERNET_HEADER_BYTES, RECORD_HEADER_BYTES, VNET_HEADER_BYTES } from "../link/records.ts";
import { read16 } from "../wire/bytes.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../wire/ethernet.ts";
import { IPV4_BYTES, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";

/** Headers without options, and where their checksums are, bytes. RFC 9293 section 3.1, RFC 768. */
const TCP_BYTES = 20;
const TCP_CHECKSUM_OFFSET = 16;
const TCP_OFFSET_OFFSET = 12;
const UDP_BYTES = 8;
const UDP_CHECKSUM_OFFSET = 6;

/** Least text of a segment, bytes: a header that cuts finer only makes work. */
const GSO_SIZE_MIN = 48;

/** More fragments, or a fragment's offset. RFC 791 section 3.1. */
const FRAGMENT_BITS = 0x3fff;

/**
 * Whether a record has no header to speak of: a plain frame with complete checksums.
 *
 * @param at Where the record begins, bytes.
 */
export function isPlainRecord(batch: Uint8Array, at: number): boolean {
  const end = at + RECORD_HEADER_BYTES;
  for (let i = end - VNET_HEADER_BYTES; i < end; i++) if (batch[i] !== 0) return false;
  return true;
}

/** @returns Whether a record is a super-segment. @param at Where it begins, bytes. */
export function isSuperRecord(batch: Uint8Array, at: number): boolean {
  return batch[at + RECORD_HEADER_BYTES - VNET_HEADER_BYTES + VNET_GSO_TYPE] !== 0;
}

/**
 * Checks the header of a record that is not plain.
 *
 * @param at Where the record begins, bytes.
 * @param frameBytes At least an Ethernet header.
 * @param offload OFFLOAD bits that were agreed on.
 * @param mtu Largest IP packet of a segment, bytes.
 * @returns Whether it may go on.
 */
export function isOffloadAllowed(
  batch: Uint8Array,
  at: number,
  frameBytes: number,
  offload: number,
  mtu: number,
): boolean {
  // Super-segments are cut by who completes their checksums: without the one there is none of the other.
  if ((offload & OFFLOAD_CHECKSUM) === 0) return false;
  const vnet = at + RECORD_HEADER_BYTES - VNET_HEADER_BYTES;
  const gsoType = batch[vnet + VNET_GSO_TYPE] ?? 0;
  const gsoSize = little16(batch, vnet + VNET_GSO_SIZE);
  if (little16(batch, vnet + VNET_HDR_LEN) > frameBytes) return false;
  if (gsoType === 0 && gsoSize !== 0) return false;
  const flags = batch[vnet + VNET_FLAGS];
  if (flags === VNET_FLAG_DATA_VALID) return gsoType === 0;
  if (flags !== VNET_FLAG_NEEDS_CSUM) return false;
  const transportBytes = partialBytes(batch, at, frameBytes);
  if (transportBytes < 0) return false;
  if (gsoType === 0) return true;
  const isV6 = isIpv6(batch, at + RECORD_HEADER_BYTES + ETHERNET_HEADER_BYTES);
  const family = isV6 ? OFFLOAD_TCP6 : OFFLOAD_TCP4;
  const wanted = (gsoType & VNET_GSO_ECN) === 0 ? family : family | OFFLOAD_ECN;
  const isAgreed = (gsoType & ~VNET_GSO_ECN) === (isV6 ? VNET_GSO_TCPV6 : VNET_GSO_TCPV4) &&
    (offload & wanted) === wanted;
  return isAgreed && isCutRight(batch, at, frameBytes, transportBytes, gsoSize, mtu);
}

/**
 * Where the checksum is to be completed must be where the frame has one.
 *
 * @returns Bytes of TCP or UDP in the frame, header included; -1 if the header does not fit it.
 */
function partialBytes(batch: Uint8Array, at: number, frameBytes: number): number {
  const vnet = at + RECORD_HEADER_BYTES - VNET_HEADER_BYTES;
  const ip = at + RECORD_HEADER_BYTES + ETHERNET_HEADER_BYTES;
  const leftBytes = frameBytes - ETHERNET_HEADER_BYTES;
  const isV6 = isIpv6(batch, ip);
  if (leftBytes < (isV6 ? IPV6_HEADER_BYTES : IPV4_BYTES)) return -1;
  if (!isV6 && read16(batch, ip - 2) !== ETHERTYPE_IPV4) return -1;
  // Of IPv6 only what has no extension headers: our stack sends none before TCP and UDP.
  const headerBytes = isV6 ? IPV6_HEADER_BYTES : ((batch[ip] ?? 0) & 0x0f) * 4;
  const totalBytes = totalBytesOf(batch, ip);
  const isVersion = ((batch[ip] ?? 0) >> 4) === (isV6 ? 6 : 4);
  if (!isVersion || headerBytes < IPV4_BYTES || totalBytes > leftBytes) return -1;
  // A fragment does not have the whole of what is summed.
  if (!isV6 && (read16(batch, ip + 6) & FRAGMENT_BITS) !== 0) return -1;
  const protocol = protocolOf(batch, ip);
  const isTcp = protocol === PROTOCOL_TCP;
  if (!isTcp && protocol !== PROTOCOL_UDP) return -1;
  const isThere = totalBytes >= headerBytes + (isTcp ? TCP_BYTES : UDP_BYTES) &&
    little16(batch, vnet + VNET_CSUM_START) === ETHERNET_HEADER_BYTES + headerBytes &&
    little16(batch, vnet + VNET_CSUM_OFFSET) ===
      (isTcp ? TCP_CHECKSUM_OFFSET : UDP_CHECKSUM_OFFSET);
  return isThere ? totalBytes - headerBytes : -1;
}

/** Whether the segments of a super-segment of TCP are what the link carries. */
function isCutRight(
  batch: Uint8Array,
  at: number,
  frameBytes: number,
  transportBytes: number,
  gsoSize: number,
  mtu: number,
): boolean {
  const ip = at + RECORD_HEADER_BYTES + ETHERNET_HEADER_BYTES;
  const packetBytes = frameBytes - ETHERNET_HEADER_BYTES;
  // No padding: what is cut is the frame to its end.
  const isWhole = protocolOf(batch, ip) === PROTOCOL_TCP && totalBytesOf(batch, ip) === packetBytes;
  if (!isWhole) return false;
  const tcp = ip + packetBytes - transportBytes;
  const headerBytes = ((batch[tcp + TCP_OFFSET_OFFSET] ?? 0) >> 4) * 4;
  const textBytes = transportBytes - headerBytes;
  return headerBytes >= TCP_BYTES && gsoSize >= GSO_SIZE_MIN && gsoSize <= textBytes &&
    packetBytes - textBytes + gsoSize <= mtu;
}

function isIpv6(batch: Uint8Array, ip: number): boolean {
  return read16(batch, ip - 2) === ETHERTYPE_IPV6;
}

/** What the header says, of either family. */
function totalBytesOf(batch: Uint8Array, ip: number): number {
  return isIpv6(batch, ip) ? IPV6_HEADER_BYTES + read16(batch, ip + 4) : read16(batch, ip + 2);
}

function protocolOf(batch: Uint8Array, ip: number): number {
  return batch[ip + (isIpv6(batch, ip) ? 6 : 9)] ?? 0;
}

function little16(batch: Uint8Array, at: number): number {
  return (batch[at] ?? 0) | ((batch[at + 1] ?? 0) << 8);
}

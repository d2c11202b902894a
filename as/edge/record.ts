/**
 * What stands before a frame: the record's length, and the virtio-net header that says what is left to do with it.
 * Source: Virtual I/O Device 1.2, 5.1.6; `docs/adr/0012-one-record-format.md`.
 */
import {
  OFFLOAD_CHECKSUM,
  OFFLOAD_ECN,
  OFFLOAD_TCP4,
  OFFLOAD_TCP6,
  RECORD_HEADER_BYTES,
  RECORD_MAX_LENGTH,
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
  VNET_HEADER_BYTES,
} from "../layout.gen.ts";

/** The u32 in front, bytes; the virtio-net header follows it. */
const LENGTH_BYTES: u32 = 4;
const VNET: usize = LENGTH_BYTES;
/** Where a TCP header has its checksum. RFC 9293 section 3.1. */
export const TCP_CHECKSUM_AT: u32 = 16;
/** Smallest text of a segment of a super-segment that is believed, bytes: it bounds how much larger a batch can become. */
export const GSO_SIZE_MIN: u32 = 48;
/** What no link can agree on: a header that asks for it is refused. */
const NEVER: u32 = 0x80000000;

/** Bytes of the frame of the record at `record`, of which `room` bytes are there. @returns -1 if that can not be. */
export function frameBytes(record: usize, room: u32): i32 {
  if (room < RECORD_HEADER_BYTES) return -1;
  const length = load<u32>(record);
  if (length < VNET_HEADER_BYTES || length > RECORD_MAX_LENGTH) return -1;
  return length <= room - LENGTH_BYTES ? i32(length - VNET_HEADER_BYTES) : -1;
}

/** VNET_FLAG bits. */
export function flagsOf(record: usize): u32 {
  return u32(load<u8>(record + VNET + VNET_FLAGS));
}

/** VNET_GSO, and VNET_GSO_ECN. */
export function gsoTypeOf(record: usize): u32 {
  return u32(load<u8>(record + VNET + VNET_GSO_TYPE));
}

/** Text of each segment but the last, bytes. */
export function gsoSizeOf(record: usize): u32 {
  return u32(load<u16>(record + VNET + VNET_GSO_SIZE));
}

/** Where the sum to complete begins, bytes of the frame. */
export function csumStartOf(record: usize): u32 {
  return u32(load<u16>(record + VNET + VNET_CSUM_START));
}

/** Where the checksum is, from there. */
export function csumOffsetOf(record: usize): u32 {
  return u32(load<u16>(record + VNET + VNET_CSUM_OFFSET));
}

/** OFFLOAD bits that a receiver must have agreed on to be given this record; what is never allowed has one more. */
export function bitsNeeded(record: usize): u32 {
  const flags = flagsOf(record);
  const type = gsoTypeOf(record);
  let bits: u32 = flags === 0 ? 0 : OFFLOAD_CHECKSUM;
  if ((flags & ~(VNET_FLAG_NEEDS_CSUM | VNET_FLAG_DATA_VALID)) !== 0) bits |= NEVER;
  if (type === 0) return bits;
  const family = type & ~VNET_GSO_ECN;
  if (family !== type) bits |= OFFLOAD_ECN;
  if (family === VNET_GSO_TCPV4) return bits | OFFLOAD_TCP4;
  return family === VNET_GSO_TCPV6 ? bits | OFFLOAD_TCP6 : bits | NEVER;
}

/** Writes the header of a plain frame. */
export function writePlain(record: usize, bytes: u32, flags: u32): void {
  store<u32>(record, VNET_HEADER_BYTES + bytes);
  store<u64>(record, u64(flags), VNET);
  store<u16>(record, 0, RECORD_HEADER_BYTES - 2);
}

/** Says that the checksum of a TCP header at `tcpAt` is to be completed. */
export function writePartial(record: usize, tcpAt: u32): void {
  store<u8>(record + VNET + VNET_FLAGS, u8(VNET_FLAG_NEEDS_CSUM));
  store<u16>(record + VNET + VNET_CSUM_START, u16(tcpAt));
  store<u16>(record + VNET + VNET_CSUM_OFFSET, u16(TCP_CHECKSUM_AT));
}

/** Says that a frame stands for many. @param headerBytes Of each of them, Ethernet's included. */
export function writeGso(record: usize, type: u32, headerBytes: u32, gsoSize: u32): void {
  store<u8>(record + VNET + VNET_GSO_TYPE, u8(type));
  store<u16>(record + VNET + VNET_HDR_LEN, u16(headerBytes));
  store<u16>(record + VNET + VNET_GSO_SIZE, u16(gsoSize));
}

/** Takes the flags away and the checksum's place: there is nothing left to complete. */
export function clearFlags(record: usize): void {
  store<u8>(record + VNET + VNET_FLAGS, 0);
  store<u32>(record + VNET + VNET_CSUM_START, 0);
}

/** Says that the checksum was verified. */
export function setVerified(record: usize): void {
  store<u8>(record + VNET + VNET_FLAGS, u8(VNET_FLAG_DATA_VALID));
}

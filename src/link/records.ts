/**
 * Records on the wire: `u32 length` (little-endian), a 10-byte virtio-net header, the Ethernet frame; end to end,
 * without padding. Every length is checked before it is used.
 */
import {
  BATCH_BYTES,
  ETHERNET_HEADER_BYTES,
  OFFLOAD_CHECKSUM,
  OFFLOAD_ECN,
  OFFLOAD_TCP4,
  OFFLOAD_TCP6,
  RECORD_HEADER_BYTES,
  RECORD_MAX_LENGTH,
  VNET_HEADER_BYTES,
} from "../layout/layout.gen.ts";

export { BATCH_BYTES, ETHERNET_HEADER_BYTES, RECORD_HEADER_BYTES, VNET_HEADER_BYTES };

/** Largest frame of a record, bytes. */
export const FRAME_MAX_BYTES: number = RECORD_MAX_LENGTH - VNET_HEADER_BYTES;

/** All OFFLOAD bits: who carries records only and hands their headers on has them. */
export const OFFLOAD_ALL: number = OFFLOAD_CHECKSUM | OFFLOAD_TCP4 | OFFLOAD_TCP6 | OFFLOAD_ECN;

/** The u32 in front of a record, bytes. */
const LENGTH_BYTES = 4;

/**
 * Writes a record with an empty virtio-net header.
 *
 * @param into A batch.
 * @param at Where the record begins, bytes.
 * @param frame From the destination MAC on; copied.
 * @returns Where the next record begins, bytes.
 * @throws RangeError if the frame is too large or the batch has no room for it.
 */
export function writeRecord(into: Uint8Array, at: number, frame: Uint8Array): number {
  const end = at + RECORD_HEADER_BYTES + frame.length;
  if (frame.length > FRAME_MAX_BYTES || end > into.length) {
    throw new RangeError(
      `Cannot write a frame of ${frame.length} bytes at ${at} of ${into.length}`,
    );
  }
  writeRecordHeader(into, at, frame.length);
  into.set(frame, at + RECORD_HEADER_BYTES);
  return end;
}

/**
 * Writes the 14 bytes before a frame that is in its place already.
 *
 * @param into A batch.
 * @param at Where the record begins, bytes; 14 bytes are free there.
 * @param frameBytes Size of the frame.
 */
export function writeRecordHeader(into: Uint8Array, at: number, frameBytes: number): void {
  writeRecordLength(into, at, frameBytes);
  into.fill(0, at + LENGTH_BYTES, at + RECORD_HEADER_BYTES);
}

/**
 * Writes the length before a virtio-net header and a frame that are in their places already.
 *
 * @param into A batch.
 * @param at Where the record begins, bytes.
 * @param frameBytes Size of the frame.
 */
export function writeRecordLength(into: Uint8Array, at: number, frameBytes: number): void {
  const length = VNET_HEADER_BYTES + frameBytes;
  into[at] = length & 0xff;
  into[at + 1] = (length >>> 8) & 0xff;
  into[at + 2] = (length >>> 16) & 0xff;
  into[at + 3] = length >>> 24;
}

/**
 * Reads how large the frame of a record is. The frame begins at `at + RECORD_HEADER_BYTES`, the next record behind it.
 *
 * @param batch Records.
 * @param at Where the record begins, bytes.
 * @returns Bytes of the frame, or -1 if the length is out of bounds or reaches beyond the batch.
 */
export function frameBytesAt(batch: Uint8Array, at: number): number {
  if (batch.length - at < RECORD_HEADER_BYTES) return -1;
  const low = (batch[at] ?? 0) | ((batch[at + 1] ?? 0) << 8);
  const length = low + (((batch[at + 2] ?? 0) | ((batch[at + 3] ?? 0) << 8)) * 0x1_0000);
  if (length < VNET_HEADER_BYTES || length > RECORD_MAX_LENGTH) return -1;
  return length <= batch.length - at - LENGTH_BYTES ? length - VNET_HEADER_BYTES : -1;
}

/**
 * Calls back for each record of a batch, in order.
 *
 * @param batch Records.
 * @param callback Told where the frame begins in the batch and its size, bytes.
 * @returns False if a length is out of bounds: the records before it have been called back for, nothing behind it.
 */
export function forEachRecord(
  batch: Uint8Array,
  callback: (frameOffset: number, frameBytes: number) => void,
): boolean {
  let at = 0;
  while (at < batch.length) {
    const frameBytes = frameBytesAt(batch, at);
    if (frameBytes < 0) return false;
    callback(at + RECORD_HEADER_BYTES, frameBytes);
    at += RECORD_HEADER_BYTES + frameBytes;
  }
  return true;
}

/**
 * Counts the records of a batch.
 *
 * @param batch Records, from anywhere.
 * @returns How many, or -1 if it is larger than a batch may be or a length is out of bounds.
 */
export function countRecords(batch: Uint8Array): number {
  if (batch.length > BATCH_BYTES) return -1;
  let count = 0;
  let at = 0;
  while (at < batch.length) {
    const frameBytes = frameBytesAt(batch, at);
    if (frameBytes < 0) return -1;
    at += RECORD_HEADER_BYTES + frameBytes;
    count++;
  }
  return count;
}

/**
 * Finds how many bytes of whole records fit.
 *
 * @param batch Valid records.
 * @param limitBytes Room.
 * @returns The end of the last record that ends within the room.
 */
export function bytesThatFit(batch: Uint8Array, limitBytes: number): number {
  if (batch.length <= limitBytes) return batch.length;
  let at = 0;
  while (at < batch.length) {
    const frameBytes = frameBytesAt(batch, at);
    if (frameBytes < 0) return at;
    const end = at + RECORD_HEADER_BYTES + frameBytes;
    if (end > limitBytes) return at;
    at = end;
  }
  return at;
}

/**
 * Records between their two arrangements: end to end on the wire, each at a multiple of 4 in memory. Nothing here
 * allocates per record.
 */
import { BATCH_BYTES, RECORD_MAX_LENGTH, VNET_HEADER_BYTES } from "../layout/layout.gen.ts";

/** Bytes of a record's length field. */
const LENGTH_BYTES = 4;

/** A length that no record can have: the core counts it as DROP_RECORD and drops what follows. */
const IMPOSSIBLE_LENGTH = 0xffff_ffff;

/** Rounds up to a multiple of 4. */
function align4(bytes: number): number {
  return (bytes + 3) & ~3;
}

/** Whether `length`, of a record with `left` bytes after its length field, is one that a record can have. */
function isPossible(length: number, left: number): boolean {
  return length >= VNET_HEADER_BYTES && length <= RECORD_MAX_LENGTH && length <= left;
}

function lengthAt(batch: Uint8Array, at: number): number {
  return ((batch[at] ?? 0) | ((batch[at + 1] ?? 0) << 8) | ((batch[at + 2] ?? 0) << 16) |
    ((batch[at + 3] ?? 0) << 24)) >>> 0;
}

/** The Rx region: copies batches in. */
export class RxRegion {
  /** How many bytes of the region the last `load()` has filled. */
  bytes = 0;
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  readonly #base: number;

  /**
   * @param memory All of linear memory.
   * @param view The same.
   * @param base Boot.rxPtr.
   */
  constructor(memory: Uint8Array, view: DataView, base: number) {
    this.#memory = memory;
    this.#view = view;
    this.#base = base;
  }

  /**
   * Copies as many records as fit, each to a multiple of 4. An impossible length is passed on as one, so that the core
   * counts it, and ends the batch.
   *
   * @param batch Records end to end.
   * @param from Where the first one to copy begins, bytes.
   * @returns Where the first one that was not copied begins; `batch.length` if there is none.
   */
  load(batch: Uint8Array, from: number): number {
    let at = from;
    const end = batch.length;
    while (at < end) {
      const used = at - from;
      if ((used & 3) !== 0) return this.#loadApart(batch, from);
      const left = end - at - LENGTH_BYTES;
      const length = left < 0 ? IMPOSSIBLE_LENGTH : lengthAt(batch, at);
      if (!isPossible(length, left)) {
        this.#copy(batch, from, at, this.#base);
        return this.#endBatch(this.#base + used, at, end);
      }
      if (used + LENGTH_BYTES + length > BATCH_BYTES) break;
      at += LENGTH_BYTES + length;
    }
    this.#copy(batch, from, at, this.#base);
    this.bytes = at - from;
    return at;
  }

  /** The same when a record does not begin at a multiple of 4: one copy to the region's end, then each to its place. */
  #loadApart(batch: Uint8Array, from: number): number {
    const taken = Math.min(batch.length - from, BATCH_BYTES);
    const stop = this.#base + BATCH_BYTES;
    const source = stop - taken;
    this.#copy(batch, from, from + taken, source);
    let read = source;
    let write = this.#base;
    this.bytes = 0;
    // A record's place never lies behind its source, so that nothing unread is overwritten; the rest waits for the next call.
    while (read < stop && write <= read) {
      const at = from + (read - source);
      const left = batch.length - at - LENGTH_BYTES;
      const isCut = stop - read < LENGTH_BYTES && left >= 0;
      if (isCut) return at;
      const length = left < 0 ? IMPOSSIBLE_LENGTH : this.#view.getUint32(read, true);
      if (!isPossible(length, left)) return this.#endBatch(write, at, batch.length);
      const size = LENGTH_BYTES + length;
      if (size > stop - read) return at;
      this.#memory.copyWithin(write, read, read + size);
      this.bytes = write + size - this.#base;
      read += size;
      write += align4(size);
    }
    return from + (read - source);
  }

  /** Writes the impossible length, if there is room: else it is met again at the begin of the next call. */
  #endBatch(write: number, at: number, end: number): number {
    const used = write - this.#base;
    if (used + LENGTH_BYTES > BATCH_BYTES) {
      this.bytes = used;
      return at;
    }
    this.#view.setUint32(write, IMPOSSIBLE_LENGTH, true);
    this.bytes = used + LENGTH_BYTES;
    return end;
  }

  #copy(batch: Uint8Array, from: number, to: number, ptr: number): void {
    const isWhole = from === 0 && to === batch.length;
    this.#memory.set(isWhole ? batch : batch.subarray(from, to), ptr);
  }
}

/**
 * Moves the records of the Tx region together, so that they stand end to end.
 *
 * @param memory All of linear memory.
 * @param view The same.
 * @param base Boot.txPtr.
 * @param bytes What `flush()` wrote.
 * @returns Bytes of the batch as it goes on the wire.
 */
export function compactRecords(
  memory: Uint8Array,
  view: DataView,
  base: number,
  bytes: number,
): number {
  const end = base + bytes;
  let read = base;
  let write = base;
  while (read < end) {
    const size = LENGTH_BYTES + view.getUint32(read, true);
    if (read !== write) memory.copyWithin(write, read, read + size);
    write += size;
    read += align4(size);
  }
  return write - base;
}

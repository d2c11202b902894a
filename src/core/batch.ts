/** Batches of records on their way into the core: end to end, as on the wire and as the core itself writes them. */
import { BATCH_BYTES, RECORD_MAX_LENGTH, VNET_HEADER_BYTES } from "../layout/layout.gen.ts";

/** Bytes of a record's length field. */
const LENGTH_BYTES = 4;

/** A length that no record can have: where there is no room for a length. */
const IMPOSSIBLE_LENGTH = 0xffff_ffff;

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
  /** The region itself: what a link has put at its begin is not copied again. */
  readonly landing: Uint8Array;
  readonly #memory: Uint8Array;
  readonly #base: number;

  /**
   * @param memory All of linear memory.
   * @param base Boot.rxPtr.
   */
  constructor(memory: Uint8Array, base: number) {
    this.#memory = memory;
    this.#base = base;
    this.landing = memory.subarray(base, base + BATCH_BYTES);
  }

  /**
   * Copies as many records as fit. A batch that fits as a whole is not looked into: the core does that. An impossible length
   * in a longer one goes along, so that the core counts it, and ends the batch.
   *
   * @param batch Records end to end.
   * @param from Where the first one to copy begins, bytes.
   * @returns Where the first one that was not copied begins; `batch.length` if there is none.
   */
  load(batch: Uint8Array, from: number): number {
    const most = from + BATCH_BYTES;
    if (batch.length <= most) return this.#copy(batch, from, batch.length);
    let at = from;
    while (at < most) {
      const left = batch.length - at - LENGTH_BYTES;
      const length = left < 0 ? IMPOSSIBLE_LENGTH : lengthAt(batch, at);
      if (!isPossible(length, left)) {
        this.#copy(batch, from, most);
        return batch.length;
      }
      if (at + LENGTH_BYTES + length > most) break;
      at += LENGTH_BYTES + length;
    }
    return this.#copy(batch, from, at);
  }

  /** @returns `to`. */
  #copy(batch: Uint8Array, from: number, to: number): number {
    this.bytes = to - from;
    const isThere = batch.buffer === this.#memory.buffer && batch.byteOffset + from === this.#base;
    if (isThere) return to;
    const isWhole = from === 0 && to === batch.length;
    this.#memory.set(isWhole ? batch : batch.subarray(from, to), this.#base);
    return to;
  }
}

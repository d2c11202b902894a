/** Buffers that go back and forth between page and worker. */
import { BUFFER_BYTES, SMALL_BYTES } from "./protocol.ts";

/** Buffers kept for the next use, 512 KiB. Full = a buffer that comes back is left to the collector. */
const KEPT_MAX = 8;

/** Emptied buffers of one side. */
export class BufferPool {
  readonly #kept: ArrayBuffer[] = [];

  /**
   * Gives a buffer.
   *
   * @param bytes What it has to hold, 1 to BUFFER_BYTES.
   * @returns One of BUFFER_BYTES; one of just `bytes` if those are few.
   */
  take(bytes: number): ArrayBuffer {
    if (bytes <= SMALL_BYTES) return new ArrayBuffer(bytes);
    return this.#kept.pop() ?? new ArrayBuffer(BUFFER_BYTES);
  }

  /** Takes a buffer back; one that is small, or one too many, is forgotten. */
  give(buffer: ArrayBuffer): void {
    if (buffer.byteLength === BUFFER_BYTES && this.#kept.length < KEPT_MAX) this.#kept.push(buffer);
  }
}

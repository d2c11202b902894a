/**
 * The last frames of a link, kept in a bounded buffer until somebody saves them: the page's "save capture".
 *
 * It is a writer for {@linkcode pcapng}: give `write: (chunk) => buffer.write(chunk)`.
 */
import { BLOCK_PACKET, pcapngHeader, pcapngStatistics } from "./pcapng.ts";

/** Bytes kept unless said otherwise. */
const CAPACITY_BYTES = 8 << 20;

/** The smallest block that can be. */
const BLOCK_MIN_BYTES = 12;

/** Where a packet block has its timestamp's two words. */
const TIME_HIGH_OFFSET = 12;
const TIME_LOW_OFFSET = 16;

/** Options of {@linkcode CaptureBuffer}. */
export interface CaptureBufferOptions {
  /** Bytes of packet blocks kept, 4 KiB or more. Default 8 MiB. Full = the oldest frames go. */
  readonly capacityBytes?: number;
  /** Name of the interface. Default `"tidewire"`. */
  readonly name?: string;
}

/**
 * A ring of captured frames.
 *
 * @example
 * ```ts
 * import { CaptureBuffer } from "./capture_buffer.ts";
 * const buffer = new CaptureBuffer({ capacityBytes: 1 << 20 });
 * const file = new Blob([buffer.save()], { type: "application/x-pcapng" });
 * ```
 */
export class CaptureBuffer {
  readonly #capacity: number;
  readonly #name: string;
  readonly #ring: Uint8Array;
  readonly #view: DataView;
  #head = 0;
  #used = 0;
  #frames = 0;
  #droppedFrames = 0;
  #lastTimeMs = 0;

  /**
   * Makes an empty buffer.
   *
   * @param options Capacity and name.
   * @throws RangeError if the capacity is too small.
   */
  constructor(options: CaptureBufferOptions = {}) {
    const { capacityBytes = CAPACITY_BYTES, name = "tidewire" } = options;
    if (!(capacityBytes >= 4096)) {
      throw new RangeError(`Cannot keep ${capacityBytes} bytes of capture: expected 4096 or more`);
    }
    // Blocks are multiples of 4 bytes, so that a length is never split by the ring's end.
    this.#capacity = capacityBytes & ~3;
    this.#name = name;
    this.#ring = new Uint8Array(this.#capacity);
    this.#view = new DataView(this.#ring.buffer);
  }

  /** Frames in the buffer. */
  get frames(): number {
    return this.#frames;
  }

  /** Older frames that had to go, and frames larger than the buffer. */
  get droppedFrames(): number {
    return this.#droppedFrames;
  }

  /** Bytes of packet blocks in the buffer. */
  get bytes(): number {
    return this.#used;
  }

  /**
   * Takes blocks; all but packets are skipped, since `save()` makes them anew.
   *
   * @param chunk Whole blocks, as {@linkcode pcapng} writes them; copied.
   * @returns True: what is full makes room.
   */
  write(chunk: Uint8Array): boolean {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (chunk.length - at >= BLOCK_MIN_BYTES) {
      const bytes = view.getUint32(at + 4, true);
      if (bytes < BLOCK_MIN_BYTES || (bytes & 3) !== 0 || bytes > chunk.length - at) break;
      if (view.getUint32(at, true) === BLOCK_PACKET) {
        const high = view.getUint32(at + TIME_HIGH_OFFSET, true);
        const low = view.getUint32(at + TIME_LOW_OFFSET, true);
        this.#lastTimeMs = ((high * 0x1_0000_0000) + low) / 1e6;
        this.#keep(chunk.subarray(at, at + bytes));
      }
      at += bytes;
    }
    return true;
  }

  /**
   * Makes a file of what is kept; the buffer keeps it.
   *
   * @returns A complete capture: header, frames from the oldest on, and the count of those that are missing.
   */
  save(): Uint8Array<ArrayBuffer> {
    const header = pcapngHeader({ name: this.#name });
    const statistics = pcapngStatistics({
      atMs: this.#lastTimeMs,
      frames: this.#frames + this.#droppedFrames,
      dropped: this.#droppedFrames,
    });
    const file = new Uint8Array(header.length + this.#used + statistics.length);
    file.set(header, 0);
    const untilEnd = Math.min(this.#used, this.#capacity - this.#head);
    file.set(this.#ring.subarray(this.#head, this.#head + untilEnd), header.length);
    file.set(this.#ring.subarray(0, this.#used - untilEnd), header.length + untilEnd);
    file.set(statistics, header.length + this.#used);
    return file;
  }

  /** Forgets everything, the counters too. */
  clear(): void {
    this.#head = 0;
    this.#used = 0;
    this.#frames = 0;
    this.#droppedFrames = 0;
  }

  #keep(block: Uint8Array): void {
    if (block.length > this.#capacity) {
      this.#droppedFrames++;
      return;
    }
    while (this.#capacity - this.#used < block.length) this.#dropOldest();
    const tail = (this.#head + this.#used) % this.#capacity;
    const untilEnd = Math.min(block.length, this.#capacity - tail);
    this.#ring.set(block.subarray(0, untilEnd), tail);
    this.#ring.set(block.subarray(untilEnd), 0);
    this.#used += block.length;
    this.#frames++;
  }

  #dropOldest(): void {
    const bytes = this.#view.getUint32((this.#head + 4) % this.#capacity, true);
    this.#head = (this.#head + bytes) % this.#capacity;
    this.#used -= bytes;
    this.#frames--;
    this.#droppedFrames++;
  }
}

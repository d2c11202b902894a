/**
 * Splits and merges super-segments for a side that understands less than the other: a link without offload, a relay's client
 * that has not asked for it. Records in, records out; the work is done in WebAssembly (`as/edge/`).
 */
import { EDGE_COUNTS, type EdgeExports, startEdge } from "../core/edge_module.ts";
import { BATCH_BYTES, frameBytesAt, RECORD_HEADER_BYTES } from "./records.ts";

/** Where the type of a super-segment stands in a record; 0 = it is none. */
const GSO_TYPE_OFFSET = 5;

/** What was done, in records unless it says something else. */
export interface EdgeCounters {
  /** Dropped: damaged, or they asked for what was not agreed on. */
  readonly dropped: number;
  /** Super-segments that were split. */
  readonly split: number;
  /** Segments that became of them. */
  readonly segments: number;
  /** Frames whose partial checksum was completed. */
  readonly completed: number;
  /** Super-segments that were made. */
  readonly merged: number;
  /** Segments in them, beside the first of each. */
  readonly joined: number;
}

/** An instance of the edge's module, and its memory. */
class Edge {
  readonly calls: EdgeExports;
  readonly input: Uint8Array;
  readonly #output: Uint8Array;
  readonly #view: DataView;

  constructor() {
    this.calls = startEdge();
    const { buffer } = this.calls.memory;
    this.input = new Uint8Array(buffer, this.calls.input(), BATCH_BYTES);
    this.#output = new Uint8Array(buffer, this.calls.output(), BATCH_BYTES);
    this.#view = new DataView(buffer);
  }

  /** The first bytes of what came out. */
  output(bytes: number): Uint8Array {
    return this.#output.subarray(0, bytes);
  }

  counters(): EdgeCounters {
    const at = this.calls.counts();
    const numbers = EDGE_COUNTS.map((name, i) => [name, this.#view.getUint32(at + (i * 4), true)]);
    // The names are those of the interface, in the order of the module.
    return Object.fromEntries(numbers) as unknown as EdgeCounters;
  }
}

function checkBatch(bytes: number, what: string): void {
  if (!(bytes <= BATCH_BYTES)) {
    throw new RangeError(`Cannot ${what} ${bytes} bytes: expected ${BATCH_BYTES} or less`);
  }
}

/** Options of {@linkcode Splitter} and {@linkcode Merger}. */
export interface EdgeOptions {
  /** OFFLOAD bits of those who send the records; a record that asks for more is dropped. */
  readonly from: number;
  /** OFFLOAD bits of those who get them. */
  readonly to: number;
}

/**
 * Takes super-segments apart and completes checksums, for who gets the records; what he understands passes unchanged. A
 * batch may become larger by that, up to fourfold (text of 48 bytes a segment): so it comes out in pieces, as room is there.
 *
 * @example
 * ```ts
 * import { Splitter } from "./edge.ts";
 * const splitter = new Splitter({ from: 15, to: 0 });
 * splitter.load(new Uint8Array(0));
 * while (splitter.pending) {
 *   const records = splitter.next(65_536);
 *   if (records.length === 0) break; // More room is needed: later.
 * }
 * ```
 */
export class Splitter {
  readonly #edge = new Edge();

  /** Begins with nothing in it. @param options What both sides understand. */
  constructor(options: EdgeOptions) {
    this.agree(options);
  }

  /** Changes what both sides understand, from the next record on. */
  agree({ from, to }: EdgeOptions): void {
    this.#edge.calls.agree(from, to);
  }

  /** What was done so far; each number wraps at 2^32. */
  get counters(): EdgeCounters {
    return this.#edge.counters();
  }

  /** Whether there is more of the batch. */
  get pending(): boolean {
    return this.#edge.calls.left() !== 0;
  }

  /** Where a batch may be put by whoever has it not in a buffer yet, instead of `load()`; then call `begin()`. 128 KiB. */
  get input(): Uint8Array {
    return this.#edge.input;
  }

  /**
   * Begins with what is in `input`. What is left of the batch before is forgotten.
   *
   * @param bytes Of records.
   * @throws RangeError if it is more than 128 KiB.
   */
  begin(bytes: number): void {
    checkBatch(bytes, "split");
    this.#edge.calls.begin(bytes);
  }

  /**
   * Copies a batch and begins with it. What is left of the one before is forgotten.
   *
   * @param batch Records.
   * @throws RangeError if it is larger than 128 KiB.
   */
  load(batch: Uint8Array): void {
    checkBatch(batch.length, "split");
    this.#edge.input.set(batch);
    this.begin(batch.length);
  }

  /**
   * Goes on.
   *
   * @param roomBytes Room for records, bytes; more than 128 KiB is not used.
   * @returns Records, valid until the next call of anything here; none if `roomBytes` is too small for the next one, which
   * it never is from 64 KiB + 80 bytes on.
   */
  next(roomBytes: number): Uint8Array {
    return this.#edge.output(this.#edge.calls.next(Math.min(roomBytes, BATCH_BYTES)));
  }

  /**
   * Goes on, into a buffer of the caller's.
   *
   * @param buffer Where the records go.
   * @param at Where in it they begin, bytes.
   * @returns Bytes written; 0 if the next record does not fit.
   */
  copyNext(buffer: Uint8Array, at = 0): number {
    const records = this.next(buffer.length - at);
    buffer.set(records, at);
    return records.length;
  }
}

/**
 * Makes super-segments of segments that follow each other in a batch. Their checksums are verified; the result's is left
 * partial if `to` has CHECKSUM, and is complete otherwise. All other frames pass unchanged, in the order of their flow.
 *
 * @example
 * ```ts
 * import { Merger } from "./edge.ts";
 * const merger = new Merger({ from: 0, to: 15 });
 * const records = merger.merge(new Uint8Array(0));
 * ```
 */
export class Merger {
  readonly #edge = new Edge();

  /**
   * Begins with nothing in it.
   *
   * @param options What both sides understand.
   * @throws RangeError if `from` has bits that `to` has not: that needs a {@linkcode Splitter}.
   */
  constructor(options: EdgeOptions) {
    this.agree(options);
  }

  /**
   * Changes what both sides understand, from the next batch on.
   *
   * @throws RangeError if `from` has bits that `to` has not.
   */
  agree({ from, to }: EdgeOptions): void {
    if ((from & ~to) !== 0) {
      throw new RangeError(
        `Cannot merge from offload ${from} to ${to}: expected at least the same`,
      );
    }
    this.#edge.calls.agree(from, to);
  }

  /** What was done so far; each number wraps at 2^32. */
  get counters(): EdgeCounters {
    return this.#edge.counters();
  }

  /**
   * Merges a batch.
   *
   * @param batch Records; copied.
   * @returns Records, not more bytes than came; valid until the next call of anything here.
   * @throws RangeError if the batch is larger than 128 KiB.
   */
  merge(batch: Uint8Array): Uint8Array {
    checkBatch(batch.length, "merge");
    this.#edge.input.set(batch);
    return this.#edge.output(this.#edge.calls.merge(batch.length));
  }
}

/** Whether a super-segment is among the records. @param batch Records. */
export function hasSuper(batch: Uint8Array): boolean {
  let at = 0;
  while (at < batch.length) {
    const frameBytes = frameBytesAt(batch, at);
    if (frameBytes < 0) return false;
    if (batch[at + GSO_TYPE_OFFSET] !== 0) return true;
    at += RECORD_HEADER_BYTES + frameBytes;
  }
  return false;
}

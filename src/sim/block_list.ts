/** Ranges of sequence numbers: what one side has told to hold. */
import { ahead } from "./segment.ts";

/** Ranges beyond which the oldest is forgotten. */
const RANGES_MAX = 128;

/** A list of ranges that do not touch, in order. */
export class BlockList {
  readonly #ranges: { start: number; end: number }[] = [];

  /** Adds [start, end). */
  add(start: number, end: number): void {
    if (ahead(start, end) <= 0) return;
    const ranges = this.#ranges;
    let first = start;
    let last = end;
    let at = 0;
    while (at < ranges.length) {
      const range = ranges[at];
      if (range === undefined || ahead(last, range.start) > 0) break;
      if (ahead(range.end, first) > 0) {
        at++;
        continue;
      }
      if (ahead(range.start, first) > 0) first = range.start;
      if (ahead(last, range.end) > 0) last = range.end;
      ranges.splice(at, 1);
    }
    ranges.splice(at, 0, { start: first, end: last });
    if (ranges.length > RANGES_MAX) ranges.shift();
  }

  /** Whether one range holds all of [start, end). */
  holds(start: number, end: number): boolean {
    return this.#ranges.some((range) =>
      ahead(range.start, start) >= 0 && ahead(end, range.end) >= 0
    );
  }

  /** Forgets what lies before a number. */
  dropBefore(seq: number): void {
    const ranges = this.#ranges;
    while (ranges.length > 0) {
      const first = ranges[0];
      if (first === undefined || ahead(first.end, seq) < 0) return;
      ranges.shift();
    }
  }

  /**
   * Forgets what a cumulative ACK covers.
   *
   * @returns The range that the number splits, as text: what was held is not acknowledged with what is before it.
   */
  splitBy(ack: number): string | null {
    this.dropBefore(ack);
    const first = this.#ranges[0];
    if (first === undefined || ahead(first.start, ack) < 0) return null;
    return `${first.start}:${first.end}`;
  }
}

/** Time that moves only when it is told to: for tests, simulations and the page's step mode. */
import type { Clock, Timer } from "./clock.ts";

/** Timers that one `runUntil()` may run; more is taken for a loop that never ends. */
const STEPS_MAX = 1_000_000;

/** Options of {@linkcode VirtualClock}. */
export interface VirtualClockOptions {
  /** Where time starts, ms. Default 0. */
  readonly startMs?: number;
  /** Timers that one `runUntil()` or `advance()` may run before it throws. Default 1,000,000. */
  readonly maxSteps?: number;
}

/** A pending call and its place in the heap; -1 when it is in none. */
interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
  index: number;
}

/**
 * A clock for which time passes by calls. Timers of equal times run in the order they were asked for.
 *
 * @example
 * ```ts
 * import { VirtualClock } from "./virtual_clock.ts";
 * const clock = new VirtualClock();
 * clock.at(1_000, () => {});
 * clock.advance(999); // nothing
 * clock.advance(1); // now
 * ```
 */
export class VirtualClock implements Clock {
  readonly #heap: Entry[] = [];
  readonly #maxSteps: number;
  #nowMs: number;
  #order = 0;
  #running = false;

  /**
   * Makes a clock that stands still.
   *
   * @param options Start and bound.
   */
  constructor(options: VirtualClockOptions = {}) {
    this.#nowMs = options.startMs ?? 0;
    this.#maxSteps = options.maxSteps ?? STEPS_MAX;
  }

  /** Now, ms. */
  now(): number {
    return this.#nowMs;
  }

  /**
   * Calls back when time has come to a moment.
   *
   * @param atMs The moment, ms; a past one means now, at the next step; infinity means never.
   * @throws RangeError if it is not a number.
   */
  at(atMs: number, callback: () => void): Timer {
    if (Number.isNaN(atMs)) throw new RangeError("Cannot wait for NaN ms: expected a moment");
    const entry: Entry = {
      atMs: Math.max(atMs, this.#nowMs),
      order: this.#order++,
      callback,
      index: -1,
    };
    if (atMs !== Infinity) this.#insert(entry);
    return { cancel: () => this.#remove(entry) };
  }

  /** When the next timer is due, ms; Infinity when there is none. */
  nextAt(): number {
    return this.#heap[0]?.atMs ?? Infinity;
  }

  /** How many timers are pending. */
  get pending(): number {
    return this.#heap.length;
  }

  /**
   * Moves time to the next timer and runs that one.
   *
   * @returns False if there was none; time has not moved then.
   */
  runNext(): boolean {
    const entry = this.#heap[0];
    if (entry === undefined) return false;
    this.#remove(entry);
    this.#nowMs = entry.atMs;
    entry.callback();
    return true;
  }

  /**
   * Lets time pass, running what becomes due.
   *
   * @param ms How long, ms.
   * @throws RangeError if it is negative.
   */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`Cannot advance by ${ms} ms: time does not run backwards`);
    this.runUntil(this.#nowMs + ms);
  }

  /**
   * Moves time to a moment, running everything that is due up to and at it, also what that asks for.
   *
   * @param ms The moment, ms.
   * @throws RangeError if it has passed, or if more timers run than a program that ends would need.
   * @throws TypeError if a timer of this clock is running: time moves in one place.
   */
  runUntil(ms: number): void {
    if (!(ms >= this.#nowMs)) {
      throw new RangeError(`Cannot run until ${ms} ms: it is ${this.#nowMs} ms already`);
    }
    if (this.#running) throw new TypeError("Cannot move time from within a timer");
    this.#running = true;
    try {
      for (let steps = 0; this.pending > 0 && this.nextAt() <= ms; steps++) {
        if (steps >= this.#maxSteps) {
          throw new RangeError(
            `Cannot run until ${ms} ms: ${steps} timers ran, at ${this.#nowMs} ms`,
          );
        }
        this.runNext();
      }
      if (ms !== Infinity) this.#nowMs = ms;
    } finally {
      this.#running = false;
    }
  }

  #insert(entry: Entry): void {
    this.#heap.push(entry);
    this.#siftUp(entry, this.#heap.length - 1);
  }

  /** Takes an entry out, wherever it stands. Cancelled timers leave nothing behind. */
  #remove(entry: Entry): void {
    const index = entry.index;
    if (index < 0) return;
    entry.index = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#siftUp(last, index);
    this.#siftDown(last, last.index);
  }

  #siftUp(entry: Entry, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex];
      if (parent === undefined || !isBefore(entry, parent)) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(entry, index);
  }

  #siftDown(entry: Entry, from: number): void {
    let index = from;
    for (;;) {
      const leftIndex = (2 * index) + 1;
      const left = this.#heap[leftIndex];
      if (left === undefined) break;
      const right = this.#heap[leftIndex + 1];
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(child, entry)) break;
      const childIndex = child.index;
      this.#place(child, index);
      index = childIndex;
    }
    this.#place(entry, index);
  }

  #place(entry: Entry, index: number): void {
    this.#heap[index] = entry;
    entry.index = index;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

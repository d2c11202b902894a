/** What others tell us for some seconds: a table that forgets by itself and never grows beyond its limit. */
import type { Clock } from "../runtime/clock.ts";

/** A lifetime that never ends, seconds. RFC 4861 section 4.6.2. */
export const INFINITE_SECONDS = 0xffff_ffff;

const MS_PER_SECOND = 1_000;

interface Entry<V> {
  readonly value: V;
  readonly untilMs: number;
}

/** A map whose entries end. Full: new keys are refused, known ones are renewed. */
export class TimedMap<K, V> {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #entries: Map<K, Entry<V>> = new Map();

  /** @param max Entries at most. */
  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  /**
   * Sets or renews an entry.
   *
   * @param seconds How long; 0 = it goes at once, {@linkcode INFINITE_SECONDS} = it stays.
   * @returns False if there was no room.
   */
  set(key: K, value: V, seconds: number): boolean {
    if (seconds === 0) {
      this.#entries.delete(key);
      return true;
    }
    this.#prune();
    if (!this.#entries.has(key) && this.#entries.size >= this.#max) return false;
    this.#entries.set(key, { value, untilMs: endOf(this.#clock.now(), seconds) });
    return true;
  }

  /** @returns The value, unless it has ended. */
  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined || entry.untilMs <= this.#clock.now() ? undefined : entry.value;
  }

  /** Takes an entry away. */
  delete(key: K): void {
    this.#entries.delete(key);
  }

  /** Forgets all. */
  clear(): void {
    this.#entries.clear();
  }

  /** All that have not ended, the oldest first. */
  entries(): [key: K, value: V][] {
    this.#prune();
    return [...this.#entries].map(([key, { value }]) => [key, value]);
  }

  #prune(): void {
    const nowMs = this.#clock.now();
    for (const [key, { untilMs }] of this.#entries) if (untilMs <= nowMs) this.#entries.delete(key);
  }
}

/** @returns When a lifetime ends, ms of the clock. */
export function endOf(nowMs: number, seconds: number): number {
  return seconds >= INFINITE_SECONDS ? Infinity : nowMs + (seconds * MS_PER_SECOND);
}

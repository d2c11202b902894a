/** What name servers said, for as long as they said. Source: RFC 1035 section 7.4, RFC 2308. */
import type { Clock } from "../runtime/clock.ts";

/** Answers kept. Full: the one that was stored first goes. */
export const DNS_CACHE_MAX = 1_024;
/** Shortest time an answer is kept, s. */
export const TTL_MIN_SECONDS = 1;
/** Longest time an answer is kept, s. RFC 1035 allows more; a day is enough. */
export const TTL_MAX_SECONDS = 86_400;
/** Longest time a negative answer is kept, s. RFC 2308 section 5 allows up to three hours. */
export const NEGATIVE_TTL_MAX_SECONDS = 300;

const MS_PER_SECOND = 1_000;

/** Why there are no records: the name does not exist, or it has none of this type. */
export type DnsAbsence = "NO_NAME" | "NO_DATA" | "ALIASES";

/** What is known of a question: data of records, or none and why. */
export interface CachedAnswer {
  readonly data: readonly unknown[];
  /** Why there are none; null if there are some. */
  readonly absence: DnsAbsence | null;
}

/** The same, and until when it holds. */
export interface KeptAnswer extends CachedAnswer {
  /** Moment of the clock, ms. */
  readonly endMs: number;
}

/** A cache of answers. The key is the question. */
export class DnsCache {
  readonly #clock: Clock;
  readonly #entries: Map<string, KeptAnswer> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many answers are kept. */
  get size(): number {
    return this.#entries.size;
  }

  /** @returns What is known, or null; what has expired is never given. */
  get(key: string): KeptAnswer | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    if (entry.endMs > this.#clock.now()) return entry;
    this.#entries.delete(key);
    return null;
  }

  /** @param ttlSeconds As the server said; clamped. */
  set(key: string, known: CachedAnswer, ttlSeconds: number): void {
    const maxSeconds = known.absence === null ? TTL_MAX_SECONDS : NEGATIVE_TTL_MAX_SECONDS;
    const seconds = Math.min(maxSeconds, Math.max(TTL_MIN_SECONDS, ttlSeconds));
    this.#entries.delete(key);
    if (this.#entries.size >= DNS_CACHE_MAX) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    this.#entries.set(key, { ...known, endMs: this.#clock.now() + (seconds * MS_PER_SECOND) });
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear();
  }
}

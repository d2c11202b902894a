/** What name servers said, for as long as they said. Source: RFC 1035 section 7.4, RFC 2308. */
import type { Clock } from "../runtime/clock.ts";

/** Names kept. Full: the one that was stored first goes. */
export const DNS_CACHE_MAX = 1_024;
/** Shortest time an answer is kept, s. */
export const TTL_MIN_SECONDS = 1;
/** Longest time an answer is kept, s. RFC 1035 allows more; a day is enough. */
export const TTL_MAX_SECONDS = 86_400;
/** Longest time a negative answer is kept, s. RFC 2308 section 5 allows up to three hours. */
export const NEGATIVE_TTL_MAX_SECONDS = 300;

const MS_PER_SECOND = 1_000;

/** What is known of a name: addresses (u32), or none and why. */
export interface CachedName {
  readonly addresses: readonly number[];
  /** Why there are none; empty if there are some. */
  readonly reason: string;
}

interface Entry extends CachedName {
  readonly endMs: number;
}

/** A cache of names. */
export class DnsCache {
  readonly #clock: Clock;
  readonly #entries: Map<string, Entry> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many names are kept. */
  get size(): number {
    return this.#entries.size;
  }

  /** @returns What is known, or null; what has expired is never given. */
  get(name: string): CachedName | null {
    const entry = this.#entries.get(name);
    if (entry === undefined) return null;
    if (entry.endMs > this.#clock.now()) return entry;
    this.#entries.delete(name);
    return null;
  }

  /** @param ttlSeconds As the server said; clamped. */
  set(name: string, known: CachedName, ttlSeconds: number): void {
    const maxSeconds = known.addresses.length > 0 ? TTL_MAX_SECONDS : NEGATIVE_TTL_MAX_SECONDS;
    const seconds = Math.min(maxSeconds, Math.max(TTL_MIN_SECONDS, ttlSeconds));
    this.#entries.delete(name);
    if (this.#entries.size >= DNS_CACHE_MAX) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    this.#entries.set(name, { ...known, endMs: this.#clock.now() + (seconds * MS_PER_SECOND) });
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear();
  }
}

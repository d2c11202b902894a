/**
 * Connects to a name that has several addresses: they are tried one after the other, each a little later than the one before
 * and while that one may still succeed; the first that opens wins. Source: RFC 8305.
 *
 * Without promises, so that a race over a virtual clock repeats itself.
 */
import { combinedError, ConnectionAborted, NameNotFound, StackError } from "../errors.ts";
import { EVENT_CLOSED, EVENT_OPENED } from "../layout/layout.gen.ts";
import type { Ip } from "../net/addresses.ts";
import type { AddressSink, Family } from "../net/resolver.ts";
import { familyOf } from "../net/udp_socket.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import type { Connection } from "../tcp/connection.ts";

/** How long addresses of IPv4 wait for those of IPv6, ms. RFC 8305 section 8, "Resolution Delay". */
export const RESOLUTION_DELAY_MS = 50;
/** How long an attempt is alone before the next one begins, ms. RFC 8305 section 8, "Connection Attempt Delay". */
export const ATTEMPT_DELAY_MS = 250;
/** Addresses that are tried; a name with more of them is no way to make us knock everywhere. */
export const ATTEMPTS_MAX = 16;

/** What a race needs of a connection. */
export type Racer = Pick<Connection, "onEvent" | "error" | "abort" | "release">;

/** What a race stands on. */
export interface RaceParts<R extends Racer> {
  readonly clock: Clock;
  /** Where to, for messages. */
  readonly text: string;
  /** Families that are looked for. */
  readonly families: readonly Family[];
  /** An attempt may begin while another one goes on. Not so when all of them need the same port of ours. */
  readonly overlaps: boolean;
  /** Looks for addresses. @returns The way to forget it. */
  find(sink: AddressSink): () => void;
  /** Puts addresses in the order in which they are tried: RFC 6724 section 6. */
  order(addresses: readonly Ip[]): readonly Ip[];
  /** Begins an attempt. @throws StackError if that fails at once; anything else is the caller's mistake. */
  open(address: Ip): R;
}

/** One race. */
export class Race<R extends Racer> {
  readonly #parts: RaceParts<R>;
  readonly #settle: (winner: R | null, error: unknown) => void;
  /** Addresses that are known and were not tried. */
  #untried: Ip[] = [];
  readonly #tried: Set<Ip> = new Set();
  readonly #attempts: Set<R> = new Set();
  readonly #errors: StackError[] = [];
  readonly #unanswered: Set<Family>;
  #forget: () => void = () => {};
  #isSearching = true;
  #lookupError: StackError | null = null;
  /** That of the last attempt; null before the first one. */
  #family: Family | null = null;
  /** The resolution delay before the first attempt, the attempt delay afterwards. */
  #timer: Timer | null = null;
  #ended = false;

  /** @param settle Called once, maybe within `start()`: with the winner, or with null and the reason. Not after `cancel()`. */
  constructor(parts: RaceParts<R>, settle: (winner: R | null, error: unknown) => void) {
    this.#parts = parts;
    this.#settle = settle;
    this.#unanswered = new Set(parts.families);
  }

  /** What the attempts that are over have failed of. */
  get errors(): readonly StackError[] {
    return this.#errors;
  }

  /**
   * Looks for addresses, and begins with the first that may be tried.
   *
   * @throws TypeError, RangeError if the name can not be one.
   */
  start(): void {
    const forget = this.#parts.find({
      found: (family, addresses) => this.#found(family, addresses),
      done: (error) => this.#done(error),
    });
    if (this.#ended) forget();
    else this.#forget = forget;
  }

  /** Ends all of it; nothing stays behind. Idempotent. */
  cancel(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#disarm();
    this.#forget();
    for (const attempt of this.#attempts) {
      attempt.onEvent = null;
      attempt.abort();
      attempt.release();
    }
    this.#attempts.clear();
  }

  #found(family: Family, addresses: readonly Ip[]): void {
    if (this.#ended) return;
    this.#unanswered.delete(family);
    for (const address of addresses) {
      const isKnown = this.#tried.has(address) || this.#untried.includes(address);
      if (!isKnown) this.#untried.push(address);
    }
    if (this.#untried.length === 0) return;
    if (this.#tried.size > 0) return this.#goOn();
    // RFC 8305 section 3: IPv6 goes at once; IPv4 waits a little for the answer for IPv6, whatever that says.
    if (!this.#unanswered.has(6)) return this.#next();
    if (this.#timer === null) this.#arm(RESOLUTION_DELAY_MS);
  }

  #done(error: StackError | null): void {
    if (this.#ended) return;
    this.#isSearching = false;
    this.#lookupError = error;
    if (this.#tried.size === 0) this.#next();
    else this.#goOn();
  }

  /** More is known than before: whoever waits for nothing else goes on. */
  #goOn(): void {
    if (this.#attempts.size === 0) this.#next();
    else if (this.#timer === null && this.#parts.overlaps) this.#next();
  }

  /** Begins the next attempt. Each round takes an address, and there are at most ATTEMPTS_MAX of them. */
  #next(): void {
    this.#disarm();
    while (!this.#ended) {
      const address = this.#pick();
      if (address === null) {
        if (this.#attempts.size === 0 && !this.#isSearching) this.#fail();
        return;
      }
      try {
        this.#begin(this.#parts.open(address));
        return;
      } catch (error) {
        if (!(error instanceof StackError)) return this.#end(null, error);
        this.#errors.push(error);
      }
    }
  }

  /** RFC 8305 section 4: the best one, of the other family than the last one if there is any of it. */
  #pick(): Ip | null {
    if (this.#tried.size >= ATTEMPTS_MAX) return null;
    const ordered = this.#parts.order(this.#untried);
    const address = ordered.find((one) => familyOf(one) !== this.#family) ?? ordered[0];
    if (address === undefined) return null;
    this.#untried = this.#untried.filter((one) => one !== address);
    this.#tried.add(address);
    this.#family = familyOf(address);
    return address;
  }

  #begin(attempt: R): void {
    this.#attempts.add(attempt);
    attempt.onEvent = (bits) => {
      // A connection may open and end in one batch: then its streams tell.
      if ((bits & EVENT_OPENED) !== 0) this.#win(attempt);
      else if ((bits & EVENT_CLOSED) !== 0) this.#lose(attempt);
    };
    if (this.#parts.overlaps) this.#arm(ATTEMPT_DELAY_MS);
  }

  #win(attempt: R): void {
    attempt.onEvent = null;
    this.#attempts.delete(attempt);
    this.#end(attempt, null);
  }

  /** RFC 8305 section 5: who has failed need not be waited for. */
  #lose(attempt: R): void {
    attempt.onEvent = null;
    this.#attempts.delete(attempt);
    attempt.release();
    this.#errors.push(
      attempt.error ??
        new ConnectionAborted(`Cannot connect to ${this.#parts.text}: it was closed`),
    );
    this.#next();
  }

  #fail(): void {
    const doing = `Cannot connect to ${this.#parts.text}`;
    if (this.#errors.length > 0) return this.#end(null, combinedError(this.#errors, doing));
    this.#end(null, this.#lookupError ?? new NameNotFound(`${doing}: it has no address`));
  }

  #end(winner: R | null, error: unknown): void {
    if (this.#ended) return;
    this.cancel();
    this.#settle(winner, error);
  }

  #arm(ms: number): void {
    const { clock } = this.#parts;
    this.#timer = clock.at(clock.now() + ms, () => this.#next());
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}

/**
 * Our IPv6 addresses: each is tried on the link before it is used (duplicate address detection), has its lifetimes, and goes at the
 * end of them. Source: RFC 4862 sections 5.4 and 5.5.4.
 */
import type { Clock, Timer } from "../runtime/clock.ts";
import { isLinkLocalIp, isUnicastIp } from "./addresses.ts";

/** Addresses of one interface, tentative ones included. Full: no further one is taken. The core has room for as many. */
export const IPV6_ADDRESSES_MAX = 12;
/** Solicitations sent for a tentative address. RFC 4862 section 5.1: DupAddrDetectTransmits. */
export const DAD_TRANSMITS = 1;

/** Longest wait of a timer that is set for a lifetime, ms: half an hour. What ends later is looked at again. */
const TIMER_MAX_MS = 1_800_000;

/** Where an address comes from. */
export type AddressOrigin = "link-local" | "static" | "slaac";

/** An address of ours. */
export interface Ipv6Address {
  readonly address: bigint;
  /** Of its network, 0 to 128. */
  readonly prefixLength: number;
  readonly origin: AddressOrigin;
  /** Nobody has answered for it yet; it can not be used. */
  readonly isTentative: boolean;
  /** No new connections should be made from it. */
  readonly isDeprecated: boolean;
}

interface Entry {
  readonly address: bigint;
  readonly prefixLength: number;
  readonly origin: AddressOrigin;
  isTentative: boolean;
  solicitations: number;
  preferredUntilMs: number;
  validUntilMs: number;
  timer: Timer | null;
}

/** An address that is to be ours. */
export interface NewAddress {
  readonly address: bigint;
  readonly prefixLength: number;
  readonly origin: AddressOrigin;
  /** Ms of the clock; Infinity = for ever. */
  readonly preferredUntilMs: number;
  /** Ms of the clock; Infinity = for ever. */
  readonly validUntilMs: number;
}

/** What the addresses need, and whom they tell. */
export interface Ipv6AddressesOptions {
  readonly clock: Clock;
  /** How long an answer is waited for, ms. RFC 4862 section 5.4: RetransTimer. */
  readonly retransMs: () => number;
  /** Makes us hear what is asked of the address, or no longer. @returns False if that can not be. */
  readonly listen: (address: bigint, on: boolean) => boolean;
  /** Asks who has the address, from nobody. */
  readonly solicit: (address: bigint) => void;
  /** The address can be used. @returns False if there is no room for it. */
  readonly onReady: (address: bigint) => boolean;
  /** It can be used no longer. Not called for one that never was ready. */
  readonly onGone: (address: bigint) => void;
  /** Somebody else has the tentative address; it is gone. */
  readonly onDuplicate: (address: Ipv6Address) => void;
  readonly count: (reason: string) => void;
}

/** The addresses of one interface. */
export class Ipv6Addresses {
  readonly #options: Ipv6AddressesOptions;
  readonly #entries: Map<bigint, Entry> = new Map();

  constructor(options: Ipv6AddressesOptions) {
    this.#options = options;
  }

  /** All of them, in the order in which they came. */
  get all(): Ipv6Address[] {
    const nowMs = this.#options.clock.now();
    return [...this.#entries.values()].map((entry) => toAddress(entry, nowMs));
  }

  /** Those that can be used. */
  get ready(): Ipv6Address[] {
    return this.all.filter(({ isTentative }) => !isTentative);
  }

  /** Can it be used? */
  isReady(address: bigint): boolean {
    return this.#entries.get(address)?.isTentative === false;
  }

  /** Is it being tried? */
  isTentative(address: bigint): boolean {
    return this.#entries.get(address)?.isTentative === true;
  }

  /** Is it one of them, tried or ready? */
  has(address: bigint): boolean {
    return this.#entries.has(address);
  }

  /**
   * Begins to try an address. One that is there already gets the new lifetimes.
   *
   * @returns False if there is no room.
   */
  add(wanted: NewAddress): boolean {
    const known = this.#entries.get(wanted.address);
    if (known !== undefined) {
      known.preferredUntilMs = wanted.preferredUntilMs;
      known.validUntilMs = wanted.validUntilMs;
      if (!known.isTentative) this.#watch(known);
      return true;
    }
    if (this.#entries.size >= IPV6_ADDRESSES_MAX) {
      this.#options.count("IPV6_ADDRESSES_FULL");
      return false;
    }
    if (!this.#options.listen(wanted.address, true)) return false;
    const entry: Entry = { ...wanted, isTentative: true, solicitations: 0, timer: null };
    this.#entries.set(wanted.address, entry);
    this.#try(entry);
    return true;
  }

  /** Takes an address away. */
  remove(address: bigint): void {
    const entry = this.#entries.get(address);
    if (entry === undefined) return;
    entry.timer?.cancel();
    this.#entries.delete(address);
    this.#options.listen(address, false);
    if (!entry.isTentative) this.#options.onGone(address);
  }

  /** Takes all away. */
  clear(): void {
    for (const address of [...this.#entries.keys()]) this.remove(address);
  }

  /** Somebody said that a tentative address is its own, or tries it too. RFC 4862 sections 5.4.3 and 5.4.4. */
  conflict(address: bigint): void {
    const entry = this.#entries.get(address);
    if (entry === undefined) return;
    this.#options.count("ND_DUPLICATE");
    const gone = toAddress(entry, this.#options.clock.now());
    this.remove(address);
    this.#options.onDuplicate(gone);
  }

  #try(entry: Entry): void {
    const { clock } = this.#options;
    if (entry.solicitations >= DAD_TRANSMITS) return this.#accept(entry);
    entry.solicitations++;
    const atMs = clock.now() + this.#options.retransMs();
    // Armed before it is sent, so that even an answer within the call finds everything in place.
    entry.timer = clock.at(atMs, () => this.#try(entry));
    this.#options.solicit(entry.address);
  }

  #accept(entry: Entry): void {
    entry.isTentative = false;
    entry.timer = null;
    if (!this.#options.onReady(entry.address)) {
      entry.isTentative = true;
      this.#options.count("IPV6_ADDRESSES_FULL");
      return this.remove(entry.address);
    }
    // Whoever was told may have taken it away.
    if (this.#entries.get(entry.address) === entry) this.#watch(entry);
  }

  /** Waits for the end of its valid lifetime. RFC 4862 section 5.5.4. */
  #watch(entry: Entry): void {
    const { clock } = this.#options;
    entry.timer?.cancel();
    entry.timer = null;
    if (entry.validUntilMs === Infinity) return;
    const leftMs = entry.validUntilMs - clock.now();
    if (leftMs <= 0) return this.remove(entry.address);
    const waitMs = Math.min(leftMs, TIMER_MAX_MS);
    entry.timer = clock.at(clock.now() + waitMs, () => this.#watch(entry));
  }
}

function toAddress(entry: Entry, nowMs: number): Ipv6Address {
  const { address, prefixLength, origin, isTentative } = entry;
  const isDeprecated = entry.preferredUntilMs <= nowMs;
  return { address, prefixLength, origin, isTentative, isDeprecated };
}

/** @returns True if a host can be given the address by hand. RFC 4291 section 2.5; fec0::/10 is gone (RFC 3879). */
export function isPossibleAddress(address: bigint): boolean {
  return isUnicastIp(address) && address >> 125n !== 0n;
}

/** @returns True if the address means something beyond the link. */
export function isBeyondLink({ address }: Ipv6Address): boolean {
  return !isLinkLocalIp(address);
}

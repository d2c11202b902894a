/**
 * Makes addresses of the prefixes that routers announce, and the link-local one. Source: RFC 4862 sections 5.3 and 5.5.3, with the
 * identifiers of RFC 7217.
 */
import type { Clock, Timer } from "../runtime/clock.ts";
import type { NdPrefix } from "../wire/ndp.ts";
import type { Ipv6Address, Ipv6Addresses } from "./ipv6_addresses.ts";
import { isReservedId, stableInterfaceId } from "./stable_id.ts";
import { endOf } from "./timed_map.ts";

/** fe80::/64, of which every interface has an address. RFC 4291 section 2.5.6. */
export const LINK_LOCAL_PREFIX: bigint = 0xfe80n << 112n;
/** Bits of a prefix of which addresses are made. RFC 4291 section 2.5.1. */
export const SLAAC_PREFIX_BITS = 64;
/** Prefixes of which addresses are made, the link-local one beside. More are counted and ignored. */
export const SLAAC_PREFIXES_MAX = 8;
/** Addresses tried after one another was in use. RFC 7217 section 6: IDGEN_RETRIES. */
export const ADDRESS_RETRIES = 3;
/** Wait before the next one, ms. RFC 7217 section 6: IDGEN_DELAY. */
export const ADDRESS_RETRY_DELAY_MS = 1_000;
/** What is left of a lifetime can be shortened to this and not further by one message, seconds. RFC 4862 section 5.5.3 (e). */
export const TWO_HOURS_SECONDS = 7_200;

const MS_PER_SECOND = 1_000;

interface Prefix {
  readonly prefix: bigint;
  dadCounter: number;
  /** Null while an address in use is made up for. */
  address: bigint | null;
  preferredUntilMs: number;
  validUntilMs: number;
  timer: Timer | null;
}

/** What it stands on. */
export interface SlaacOptions {
  readonly clock: Clock;
  readonly addresses: Ipv6Addresses;
  /** Secret of the identifiers, 16 bytes. */
  readonly key: Uint8Array;
  readonly mac: Uint8Array;
  readonly count: (reason: string) => void;
}

/** Autoconfiguration of one interface. */
export class Slaac {
  readonly #options: SlaacOptions;
  readonly #prefixes: Map<bigint, Prefix> = new Map();

  constructor(options: SlaacOptions) {
    this.#options = options;
  }

  /** Begins with the link-local address. */
  start(): void {
    const prefix = this.#prefixes.get(LINK_LOCAL_PREFIX);
    if (prefix !== undefined) return;
    this.#make(LINK_LOCAL_PREFIX, Infinity, Infinity);
  }

  /** Takes a prefix of a router advertisement, of unicast addresses beyond the link. RFC 4862 section 5.5.3. */
  heard(heard: NdPrefix): void {
    const { prefix, validSeconds, preferredSeconds } = heard;
    if (!heard.isAutonomous) return;
    const isUsable = prefix !== 0n && heard.prefixLength === SLAAC_PREFIX_BITS &&
      preferredSeconds <= validSeconds;
    if (!isUsable) return this.#options.count("ND_PREFIX");
    const nowMs = this.#options.clock.now();
    const known = this.#prefixes.get(prefix);
    if (known !== undefined && known.validUntilMs > nowMs) return this.#renew(known, heard, nowMs);
    if (validSeconds === 0) return;
    if (known === undefined && this.#prefixes.size > SLAAC_PREFIXES_MAX) {
      this.#forgetEnded(nowMs);
      if (this.#prefixes.size > SLAAC_PREFIXES_MAX) return this.#options.count("ND_PREFIXES_FULL");
    }
    this.#make(prefix, endOf(nowMs, preferredSeconds), endOf(nowMs, validSeconds));
  }

  /** An address was in use: the next one is tried, up to {@linkcode ADDRESS_RETRIES} of them. RFC 7217 section 6. */
  duplicate({ address }: Ipv6Address): void {
    const { clock } = this.#options;
    for (const prefix of this.#prefixes.values()) {
      if (prefix.address !== address) continue;
      prefix.address = null;
      prefix.dadCounter++;
      if (prefix.dadCounter > ADDRESS_RETRIES) return this.#propose(prefix);
      const atMs = clock.now() + ADDRESS_RETRY_DELAY_MS;
      prefix.timer = clock.at(atMs, () => this.#propose(prefix));
    }
  }

  /** Forgets all prefixes; their addresses are not touched. */
  clear(): void {
    for (const { timer } of this.#prefixes.values()) timer?.cancel();
    this.#prefixes.clear();
  }

  #make(prefix: bigint, preferredUntilMs: number, validUntilMs: number): void {
    const before = this.#prefixes.get(prefix);
    before?.timer?.cancel();
    const dadCounter = before?.dadCounter ?? 0;
    const made: Prefix = {
      ...{ prefix, dadCounter, preferredUntilMs, validUntilMs },
      address: null,
      timer: null,
    };
    this.#prefixes.set(prefix, made);
    this.#propose(made);
  }

  /** RFC 7217 section 5: a reserved identifier counts as one in use. */
  #propose(made: Prefix): void {
    const { key, mac, count } = this.#options;
    const { prefix } = made;
    made.timer = null;
    for (; made.dadCounter <= ADDRESS_RETRIES; made.dadCounter++) {
      const id = stableInterfaceId(key, { prefix, mac, dadCounter: made.dadCounter });
      if (isReservedId(id)) continue;
      made.address = prefix | id;
      return this.#add(made);
    }
    // All of them are in use, also when the prefix comes back after it had ended.
    count("ND_DUPLICATES");
  }

  /** RFC 4862 section 5.5.3 (e): nobody can end an address soon by one forged message. */
  #renew(known: Prefix, heard: NdPrefix, nowMs: number): void {
    const { validSeconds } = heard;
    const leftSeconds = (known.validUntilMs - nowMs) / MS_PER_SECOND;
    if (validSeconds > TWO_HOURS_SECONDS || validSeconds > leftSeconds) {
      known.validUntilMs = endOf(nowMs, validSeconds);
    } else if (leftSeconds > TWO_HOURS_SECONDS) {
      known.validUntilMs = endOf(nowMs, TWO_HOURS_SECONDS);
    }
    known.preferredUntilMs = endOf(nowMs, heard.preferredSeconds);
    if (known.address !== null) this.#add(known);
  }

  #add({ prefix, address, preferredUntilMs, validUntilMs }: Prefix): void {
    if (address === null) return;
    const origin = prefix === LINK_LOCAL_PREFIX ? "link-local" : "slaac";
    const prefixLength = SLAAC_PREFIX_BITS;
    const wanted = { address, prefixLength, origin, preferredUntilMs, validUntilMs } as const;
    this.#options.addresses.add(wanted);
  }

  #forgetEnded(nowMs: number): void {
    for (const [key, { validUntilMs, timer }] of this.#prefixes) {
      if (validUntilMs > nowMs) continue;
      timer?.cancel();
      this.#prefixes.delete(key);
    }
  }
}

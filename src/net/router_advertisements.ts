/**
 * Asks for routers and heeds what they say: who leads out of the link, what is on it, its MTU, name servers. Source: RFC 4861 section
 * 6.3, RFC 4191 section 3, RFC 7559, RFC 8106.
 */
import type { Timer } from "../runtime/clock.ts";
import { IPV6_MTU_MIN_BYTES } from "../wire/ipv6.ts";
import type { NdPrefix, RouterAdvertisement } from "../wire/ndp.ts";
import { haveSamePrefix, isLinkLocalIp, isMulticastIp } from "./addresses.ts";
import type { FramePort } from "./frame_port.ts";
import { RateLimit } from "./ip_layer.ts";
import { INFINITE_SECONDS, TimedMap } from "./timed_map.ts";

/** Default routers. More are counted and ignored. RFC 4861 section 6.3.4 asks for two at least. */
export const ROUTERS_MAX = 8;
/** Prefixes on the link. More are counted and ignored. */
export const PREFIXES_MAX = 16;
/** Name servers, and search domains. More are counted and ignored. RFC 8106 section 5.3.1 asks for three. */
export const DNS_MAX = 8;
/** Advertisements heeded per second; more are dropped and counted. A router sends one in three seconds at most. */
export const ADVERTISEMENTS_PER_SECOND = 20;
/** First wait for an advertisement, ms. RFC 4861 section 10: RTR_SOLICITATION_INTERVAL; RFC 7559 section 2.1. */
export const SOLICITATION_FIRST_MS = 4_000;
/** Longest wait, ms. RFC 7559 section 2.1. */
export const SOLICITATION_MAX_MS = 3_600_000;
/** Solicitations after which no router is expected. RFC 4861 section 10: MAX_RTR_SOLICITATIONS. */
export const SOLICITATIONS_EXPECTED = 3;

/** Each wait is longer or shorter by at most this part of it. RFC 7559 section 2.1, RFC 8415 section 15. */
const JITTER = 0.1;
const RANDOM_RANGE = 0x1_0000_0000;
/** Reachable time, ms: default and the most that a router may say. RFC 4861 sections 10 and 6.2.1. */
const REACHABLE_DEFAULT_MS = 30_000;
const REACHABLE_MAX_MS = 3_600_000;
/** Time between solicitations, ms: default (RFC 4861 section 10), and what is believed of a router. */
const RETRANS_DEFAULT_MS = 1_000;
const RETRANS_MIN_MS = 100;
const RETRANS_MAX_MS = 10_000;

interface Router {
  /** 1, 0 or -1. RFC 4191 section 2.1. */
  readonly preference: number;
  /** Set by hand: no message takes it away. */
  readonly isGiven: boolean;
}

/** What it needs, and whom it tells. */
export interface RouterDiscoveryOptions {
  readonly port: FramePort;
  /** Sends a router solicitation. */
  readonly solicit: () => void;
  /** Whether a router is not known to be silent. */
  readonly isReachable: (router: bigint) => boolean;
  /** A prefix was announced; neither the link-local one nor one of groups. */
  readonly onPrefix: (prefix: NdPrefix) => void;
  /** Something changed; called once for each advertisement. */
  readonly onChange: () => void;
  readonly count: (reason: string) => void;
}

/** Router discovery of one interface. Static configuration is kept in the same tables. */
export class RouterDiscovery {
  readonly #options: RouterDiscoveryOptions;
  readonly #routers: TimedMap<bigint, Router>;
  readonly #prefixes: TimedMap<string, NdPrefix>;
  readonly #dns: TimedMap<bigint, true>;
  readonly #search: TimedMap<string, true>;
  readonly #limit: RateLimit = new RateLimit(ADVERTISEMENTS_PER_SECOND);
  #mtu: number | null = null;
  #reachableMs = REACHABLE_DEFAULT_MS;
  #retransMs = RETRANS_DEFAULT_MS;
  #timer: Timer | null = null;
  #waitMs = 0;
  #sent = 0;
  #heard = false;
  /** The router that was chosen last, so that silent ones are tried in turn. */
  #turn = 0;

  constructor(options: RouterDiscoveryOptions) {
    this.#options = options;
    const { clock } = options.port;
    this.#routers = new TimedMap(clock, ROUTERS_MAX);
    this.#prefixes = new TimedMap(clock, PREFIXES_MAX);
    this.#dns = new TimedMap(clock, DNS_MAX);
    this.#search = new TimedMap(clock, DNS_MAX);
  }

  /** Default routers, the preferred ones first. */
  get routers(): bigint[] {
    const all = this.#routers.entries();
    return all.sort(([, a], [, b]) => b.preference - a.preference).map(([address]) => address);
  }

  /** Name servers. */
  get dns(): bigint[] {
    return this.#dns.entries().map(([address]) => address);
  }

  /** Domains to search in. */
  get search(): string[] {
    return this.#search.entries().map(([name]) => name);
  }

  /** MTU that a router told, bytes, or null. */
  get mtu(): number | null {
    return this.#mtu;
  }

  /** How long a neighbour is taken to be reachable after it answered, ms. RFC 4861 section 6.3.2. */
  get reachableMs(): number {
    return this.#reachableMs;
  }

  /** Time between solicitations of a neighbour, ms. */
  get retransMs(): number {
    return this.#retransMs;
  }

  /** Whether no more routers are waited for: one was heard, or there seems to be none. */
  get isSettled(): boolean {
    return this.#heard || this.#sent > SOLICITATIONS_EXPECTED;
  }

  /** Begins to ask, or asks anew: the link came back. What was learned stays until it ends. */
  start(): void {
    this.#timer?.cancel();
    this.#heard = false;
    this.#sent = 0;
    this.#waitMs = 0;
    this.#solicit();
  }

  /** Ends asking, and forgets everything. */
  clear(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#heard = false;
    for (const table of [this.#routers, this.#prefixes, this.#dns, this.#search]) table.clear();
    this.#mtu = null;
    this.#reachableMs = REACHABLE_DEFAULT_MS;
    this.#retransMs = RETRANS_DEFAULT_MS;
  }

  /** Adds a router by hand. */
  addRouter(address: bigint): void {
    this.#routers.set(address, { preference: 0, isGiven: true }, INFINITE_SECONDS);
  }

  /** A router has become a host. RFC 4861 section 7.3.3. */
  removeRouter(address: bigint): void {
    if (this.#routers.get(address)?.isGiven !== false) return;
    this.#routers.delete(address);
    this.#options.onChange();
  }

  /** Adds name servers by hand. */
  addDns(servers: readonly bigint[]): void {
    for (const server of servers) this.#dns.set(server, true, INFINITE_SECONDS);
  }

  /** Takes an advertisement that was found to be valid: RFC 4861 section 6.1.2. @param source Link-local. */
  receive(advertisement: RouterAdvertisement, source: bigint): void {
    const { port, count } = this.#options;
    if (!this.#limit.take(port.clock.now())) return count("ND_ADVERTISEMENT_LIMIT");
    // RFC 7559 section 2.1: only one of a default router ends the asking.
    if (advertisement.lifetimeSeconds > 0) {
      this.#timer?.cancel();
      this.#timer = null;
    }
    this.#heard = true;
    const { preference, lifetimeSeconds } = advertisement;
    const router = { preference, isGiven: false };
    if (!this.#routers.set(source, router, lifetimeSeconds)) count("ND_ROUTERS_FULL");
    this.#takeTimes(advertisement);
    this.#takeMtu(advertisement.options.mtu);
    for (const prefix of advertisement.options.prefixes) this.#takePrefix(prefix);
    for (const { values, lifetimeSeconds: seconds } of advertisement.options.dns) {
      for (const server of values) this.#takeServer(server, seconds);
    }
    for (const { values, lifetimeSeconds: seconds } of advertisement.options.search) {
      for (const name of values) {
        if (!this.#search.set(name, true, seconds)) count("ND_SEARCH_FULL");
      }
    }
    this.#options.onChange();
  }

  /** Is an address on the link, by what routers say? Link-local ones always are. */
  isOnLink(address: bigint): boolean {
    if (isLinkLocalIp(address)) return true;
    return this.#prefixes.entries().some(([, { prefix, prefixLength }]) =>
      haveSamePrefix(address, prefix, prefixLength)
    );
  }

  /**
   * Chooses a default router: a reachable one, of these a preferred one; if all are silent, the next in turn. RFC 4861 section
   * 6.3.6, RFC 4191 section 3.2.
   *
   * @returns Null if there is none.
   */
  chooseRouter(): bigint | null {
    const { routers } = this;
    const reachable = routers.find((router) => this.#options.isReachable(router));
    if (reachable !== undefined) return reachable;
    if (routers.length === 0) return null;
    this.#turn = (this.#turn + 1) % routers.length;
    return routers[this.#turn] ?? null;
  }

  #solicit(): void {
    const { clock, random } = this.#options.port;
    this.#sent++;
    const jitter = 1 + (JITTER * (((random.next() / RANDOM_RANGE) * 2) - 1));
    const base = this.#waitMs === 0 ? SOLICITATION_FIRST_MS : 2 * this.#waitMs;
    this.#waitMs = Math.min(base, SOLICITATION_MAX_MS) * jitter;
    this.#timer = clock.at(clock.now() + this.#waitMs, () => this.#solicit());
    // Whoever waits for routers is told when none is expected any more.
    if (this.#sent > SOLICITATIONS_EXPECTED && !this.#heard) this.#options.onChange();
    this.#options.solicit();
  }

  #takeTimes({ reachableMs, retransMs }: RouterAdvertisement): void {
    const isReachable = reachableMs > 0 && reachableMs <= REACHABLE_MAX_MS;
    if (isReachable) this.#reachableMs = reachableMs;
    else if (reachableMs > 0) this.#options.count("ND_REACHABLE_TIME");
    const isRetrans = retransMs >= RETRANS_MIN_MS && retransMs <= RETRANS_MAX_MS;
    if (isRetrans) this.#retransMs = retransMs;
    else if (retransMs > 0) this.#options.count("ND_RETRANS_TIMER");
  }

  /** RFC 4861 section 6.3.4: not below the smallest MTU of IPv6, nor above the link's. */
  #takeMtu(mtu: number | null): void {
    if (mtu === null) return;
    if (mtu < IPV6_MTU_MIN_BYTES || mtu > this.#options.port.mtu) {
      return this.#options.count("ND_MTU");
    }
    this.#mtu = mtu;
  }

  #takePrefix(prefix: NdPrefix): void {
    // RFC 4861 section 6.3.4: the link-local prefix is silently ignored; so is what is no unicast prefix.
    if (isLinkLocalIp(prefix.prefix) || isMulticastIp(prefix.prefix)) return;
    if (prefix.isOnLink) {
      const key = `${prefix.prefix}/${prefix.prefixLength}`;
      const isKept = this.#prefixes.set(key, prefix, prefix.validSeconds);
      if (!isKept) this.#options.count("ND_PREFIXES_FULL");
    }
    this.#options.onPrefix(prefix);
  }

  #takeServer(server: bigint, seconds: number): void {
    if (isMulticastIp(server) || server === 0n) return this.#options.count("ND_DNS");
    if (!this.#dns.set(server, true, seconds)) this.#options.count("ND_DNS_FULL");
  }
}

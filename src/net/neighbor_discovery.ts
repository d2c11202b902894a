/**
 * Who has which IPv6 address on the link: neighbor discovery. Source: RFC 4861 section 7.
 *
 * An entry is learned from advertisements that we have solicited, and from solicitations aimed at us. An advertisement that nobody
 * asked for makes us ask the owner that we know, and nothing else: whoever can send a frame could take over our neighbours
 * otherwise. What is read here has passed the checks of RFC 4861 section 7.1: see `icmpv6.ts`.
 */
import type { IcmpMessage } from "../wire/icmp.ts";
import { sameBytes } from "../wire/bytes.ts";
import { ETHERTYPE_IPV6 } from "../wire/ethernet.ts";
import {
  NA_OVERRIDE,
  NA_ROUTER,
  NA_SOLICITED,
  neighborAdvertisement,
  type NeighborMessage,
  neighborSolicitation,
} from "../wire/ndp.ts";
import type { FramePort } from "./frame_port.ts";
import { LOOPBACK_HOP } from "./loopback.ts";
import { RateLimit } from "./ip_layer.ts";
import { NeighborCache, NEIGHBORS_MAX } from "./neighbor_cache.ts";

/** ff02::1, all nodes of the link. RFC 4291 section 2.7.1. */
export const ALL_NODES: bigint = (0xff02n << 112n) | 1n;
/** ff02::2, all routers of the link. */
export const ALL_ROUTERS: bigint = (0xff02n << 112n) | 2n;
/** Solicitations of strangers answered per second; more are dropped and counted. */
export const ADVERTISEMENTS_SENT_PER_SECOND = 200;
/** How long a stale entry is used before its owner is asked, ms. RFC 4861 section 10: DELAY_FIRST_PROBE_TIME. */
export const DELAY_FIRST_PROBE_MS = 5_000;

/** Our advertisements in defence of an address, at most one per this time, ms: as of IPv4, RFC 5227 section 2.4 (b). */
const DEFEND_INTERVAL_MS = 10_000;
const SOLICITED_NODE_PREFIX = (0xff02n << 112n) | (0x1_ffn << 24n);
const RANDOM_RANGE = 0x1_0000_0000;

/** The group in which the owner of an address is asked for. RFC 4291 section 2.7.1. */
export function solicitedNode(address: bigint): bigint {
  return SOLICITED_NODE_PREFIX | BigInt.asUintN(24, address);
}

/** What discovery needs of its interface. */
export interface NeighborDiscoveryOptions {
  readonly port: FramePort;
  /** Is an address a neighbour's? Nobody else's claims are believed. */
  readonly isOnLink: (address: bigint) => boolean;
  /** Which of our addresses asks for a neighbour; null if there is none yet. */
  readonly sourceFor: (target: bigint) => bigint | null;
  /** Time between solicitations, ms. RFC 4861 section 6.3.2: RetransTimer. */
  readonly retransMs: () => number;
  /** Base of the time for which an answer counts, ms: BaseReachableTime. */
  readonly reachableMs: () => number;
  /** A neighbour has answered as one that is no router. */
  readonly onHost: (address: bigint) => void;
  /** Sends a message with hop limit 255, to a known MAC or to that of the group. */
  readonly send: (
    message: IcmpMessage,
    source: bigint,
    destination: bigint,
    mac: Uint8Array | null,
  ) => void;
  readonly count: (reason: string) => void;
}

/** Neighbor discovery of one interface. */
export class NeighborDiscovery {
  readonly cache: NeighborCache<bigint>;
  readonly #options: NeighborDiscoveryOptions;
  #defendedMs = -DEFEND_INTERVAL_MS;
  readonly #limit: RateLimit = new RateLimit(ADVERTISEMENTS_SENT_PER_SECOND);

  constructor(options: NeighborDiscoveryOptions) {
    this.#options = options;
    const { port } = options;
    this.cache = new NeighborCache(port, {
      etherType: ETHERTYPE_IPV6,
      // The lower half of the core's slots is that of IPv4, the last one that of the loopback.
      slots: [NEIGHBORS_MAX, LOOPBACK_HOP],
      conflict: "ND_CONFLICT",
      intervalMs: options.retransMs,
      // RFC 4861 section 6.3.2: from half to one and a half of the base, so that hosts do not ask in step.
      staleMs: () => options.reachableMs() * (0.5 + (port.random.next() / RANDOM_RANGE)),
      delayMs: () => DELAY_FIRST_PROBE_MS,
      ask: (target, owner) => this.#ask(target, owner),
      count: options.count,
    });
  }

  /** Asks who has an address that we should like to have. RFC 4862 section 5.4.2: from the unspecified address. */
  solicitTentative(target: bigint): void {
    this.#options.send(neighborSolicitation(target, null), 0n, solicitedNode(target), null);
  }

  /** Says to everyone that an address is ours, with this MAC. RFC 4861 section 7.2.6. */
  announce(address: bigint): void {
    const message = neighborAdvertisement(address, NA_OVERRIDE, this.#options.port.mac);
    this.#options.send(message, address, ALL_NODES, null);
  }

  /** Somebody else claims an address of ours: the link hears us again, now and then. */
  defend(address: bigint): void {
    const nowMs = this.#options.port.clock.now();
    if (nowMs - this.#defendedMs < DEFEND_INTERVAL_MS) return;
    this.#defendedMs = nowMs;
    this.announce(address);
  }

  /** A solicitation for an address of ours that is ready. RFC 4861 section 7.2.3. @param from MAC of the sender. */
  onSolicitation({ target, options }: NeighborMessage, source: bigint, from: Uint8Array): void {
    const { port, count } = this.#options;
    // Whom we know is answered in any case: else a flood would make us vanish for the router.
    const isKnown = sameBytes(this.cache.macOf(source) ?? new Uint8Array(0), from);
    if (!isKnown && !this.#limit.take(port.clock.now())) return count("ND_SOLICITATION_LIMIT");
    const { mac } = port;
    // RFC 4861 section 7.2.4: whoever tries the address itself is answered by everyone's group.
    if (source === 0n) {
      return this.#options.send(
        neighborAdvertisement(target, NA_OVERRIDE, mac),
        target,
        ALL_NODES,
        null,
      );
    }
    if (options.sourceMac !== null && this.#options.isOnLink(source)) {
      this.cache.learn(source, options.sourceMac, false);
    }
    const flags = (NA_SOLICITED | NA_OVERRIDE) >>> 0;
    this.#options.send(neighborAdvertisement(target, flags, mac), target, source, from);
  }

  /** An advertisement for an address that is none of ours. RFC 4861 section 7.2.5. */
  onAdvertisement({ target, flags, options }: NeighborMessage): void {
    const { count } = this.#options;
    const { targetMac } = options;
    const isAnswer = (flags & NA_SOLICITED) !== 0 && this.cache.isAsked(target);
    if (!isAnswer) {
      count("ND_UNSOLICITED");
      return targetMac === null ? undefined : this.cache.claim(target, targetMac);
    }
    // Who is asked by unicast need not name its MAC, and Linux does not.
    if (targetMac === null) this.cache.confirm(target);
    else this.cache.learn(target, targetMac, true);
    if ((flags & NA_ROUTER) === 0) this.#options.onHost(target);
  }

  /** A router has told its MAC. RFC 4861 section 6.3.4. */
  onRouter(address: bigint, mac: Uint8Array): void {
    this.cache.learn(address, mac, false);
  }

  #ask(target: bigint, owner: Uint8Array | null): void {
    const { port, sourceFor, send } = this.#options;
    const source = sourceFor(target);
    // Without an address of ours there is nobody to answer to; the question is asked again.
    if (source === null) return;
    const message = neighborSolicitation(target, port.mac);
    send(message, source, owner === null ? solicitedNode(target) : target, owner);
  }
}

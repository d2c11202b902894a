/**
 * Who has which IPv4 address on the link: ARP. Source: RFC 826, RFC 1122 section 2.3.2, RFC 5227.
 *
 * An entry is learned from replies to a request of ours that is still open, and from requests aimed at us.
 */
import type { Timer } from "../runtime/clock.ts";
import { ARP_REPLY, ARP_REQUEST, type ArpPacket, buildArp, parseArp } from "../wire/arp.ts";
import { sameBytes } from "../wire/bytes.ts";
import {
  broadcastMac,
  buildEthernet,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  parseEthernet,
} from "../wire/ethernet.ts";
import { MAC_BYTES } from "./addresses.ts";
import { AddressProbes } from "./address_probes.ts";
import type { FramePort } from "./frame_port.ts";
import { NeighborCache, NEIGHBORS_MAX } from "./neighbor_cache.ts";
export {
  INCOMPLETE_MAX,
  NEGATIVE_MS,
  NEIGHBORS_MAX,
  QUEUE_MAX,
  REQUESTS_MAX,
} from "./neighbor_cache.ts";

/** Time between requests, ms. RFC 1122 section 2.3.2.1 allows one per second and destination. */
export const REQUEST_INTERVAL_MS = 1_000;
/** Age from which an entry that is looked up is asked again, ms. RFC 1122 section 2.3.2.1 suggests a minute. */
export const STALE_MS = 60_000;
/** Our announcements in defence of our address, at most one per this time, ms. RFC 5227 section 2.4 (b). */
const DEFEND_INTERVAL_MS = 10_000;

/** What the cache has to ask others. */
export interface NeighborsOptions {
  /** Is an address reachable without a router? Nobody else's claims are believed. */
  readonly isOnLink: (address: number) => boolean;
  /** Counts a drop or an event by name. */
  readonly count: (reason: string) => void;
}

/** The ARP cache of an interface. */
export class Neighbors {
  readonly #port: FramePort;
  readonly #options: NeighborsOptions;
  readonly #cache: NeighborCache<number>;
  readonly #addresses: Set<number> = new Set();
  readonly #proxy: Set<number> = new Set();
  readonly #probes: AddressProbes;
  #defendedMs = -DEFEND_INTERVAL_MS;

  /** Calls back when somebody else uses one of our addresses. */
  onConflict: ((address: number, mac: Uint8Array) => void) | null = null;

  constructor(port: FramePort, options: NeighborsOptions) {
    this.#port = port;
    this.#options = options;
    this.#cache = new NeighborCache(port, {
      etherType: ETHERTYPE_IPV4,
      // Slot 0 is nobody's; the upper half is that of IPv6.
      slots: [1, NEIGHBORS_MAX],
      conflict: "ARP_CONFLICT",
      intervalMs: () => REQUEST_INTERVAL_MS,
      staleMs: () => STALE_MS,
      delayMs: () => 0,
      ask: (address, owner) => this.#request(this.#sourceFor(), address, owner ?? broadcastMac()),
      count: options.count,
    });
    this.#probes = new AddressProbes(port.clock, (address) => {
      // RFC 5227 section 1.1: a probe has an all-zero sender address, so that it changes no cache.
      this.#request(0, address, broadcastMac());
    });
  }

  /** See {@linkcode NeighborCache.hop}. @param address On-link address, u32. */
  hop(address: number): number {
    return this.#cache.hop(address);
  }

  /** See {@linkcode NeighborCache.onFailed}. */
  onFailed(callback: (slot: number, address: number) => void): () => void {
    return this.#cache.onFailed(callback);
  }

  /** @returns The MAC, 6 bytes, if it is known; asks nobody. */
  macOf(address: number): Uint8Array | null {
    return this.#cache.macOf(address);
  }

  /** How many entries there are. */
  get size(): number {
    return this.#cache.size;
  }

  /** See {@linkcode NeighborCache.send}. @param address On-link address, u32. */
  send(address: number, packet: Uint8Array): boolean {
    return this.#cache.send(address, packet);
  }

  /** Makes an address ours: it is answered for, and announced to everyone. RFC 5227 section 2.3. */
  addAddress(address: number): void {
    this.#addresses.add(address);
    this.announce(address);
  }

  /** Stops answering for an address. */
  removeAddress(address: number): void {
    this.#addresses.delete(address);
  }

  /** Answers for an address that is another's behind us, without announcement: a gateway's. */
  addProxy(address: number): void {
    this.#proxy.add(address);
  }

  /** Stops answering for it. */
  removeProxy(address: number): void {
    this.#proxy.delete(address);
  }

  /** Tells everyone our MAC for an address. RFC 5227 section 3: the form of a request. */
  announce(address: number): void {
    this.#request(address, address, broadcastMac());
  }

  /**
   * Asks whether an address is in use. RFC 2131 section 2.2, RFC 5227 section 2.1.
   *
   * @param address u32.
   * @returns True if somebody has it.
   */
  probe(address: number): Promise<boolean> {
    return new Promise((resolve) => this.probeWith(address, resolve));
  }

  /** The same by callback, for those who may not depend on the order of promises. */
  probeWith(address: number, callback: (inUse: boolean) => void): Timer {
    return this.#probes.start(address, callback);
  }

  /** Forgets all neighbours; our addresses stay. See {@linkcode NeighborCache.clear}. */
  clear(): void {
    this.#cache.clear();
  }

  /** Ends all timers, those of probes included. */
  close(): void {
    this.clear();
    this.#probes.close();
    this.#addresses.clear();
    this.#proxy.clear();
  }

  /**
   * Takes an ARP frame.
   *
   * @param frame Valid only during the call.
   */
  receive(frame: Uint8Array): void {
    const ethernet = parseEthernet(frame);
    if (typeof ethernet === "string") return this.#options.count(ethernet);
    const arp = parseArp(ethernet.payload);
    if (typeof arp === "string") return this.#options.count(arp);
    // A sender that says it is somebody else: nothing of it is believed.
    if (!sameBytes(arp.senderMac, ethernet.source)) return this.#options.count("ARP_SOURCE");
    if (sameBytes(arp.senderMac, this.#port.mac)) return this.#options.count("ARP_OWN");
    this.#probes.heard(arp);
    if (this.#addresses.has(arp.senderAddress)) return this.#defend(arp);
    if (arp.operation === ARP_REPLY) return this.#onReply(arp);
    this.#onRequest(arp);
  }

  /** RFC 5227 section 2.4 (b): keep the address, defend it now and then. */
  #defend(arp: ArpPacket): void {
    const now = this.#port.clock.now();
    this.#options.count("ARP_CONFLICT");
    this.onConflict?.(arp.senderAddress, arp.senderMac.slice());
    if (now - this.#defendedMs < DEFEND_INTERVAL_MS) return;
    this.#defendedMs = now;
    this.announce(arp.senderAddress);
  }

  #onReply(arp: ArpPacket): void {
    // Only what we have asked for, and only if it is told to us.
    if (!this.#cache.isAsked(arp.senderAddress) || !sameBytes(arp.targetMac, this.#port.mac)) {
      return this.#options.count("ARP_UNSOLICITED");
    }
    this.#cache.learn(arp.senderAddress, arp.senderMac, true);
  }

  #onRequest(arp: ArpPacket): void {
    const isOurs = this.#addresses.has(arp.targetAddress);
    if (!isOurs && !this.#proxy.has(arp.targetAddress)) return;
    if (arp.senderAddress !== 0 && this.#options.isOnLink(arp.senderAddress)) {
      this.#cache.learn(arp.senderAddress, arp.senderMac, true);
    }
    // RFC 826, "Packet Reception": swap, fill in, send back.
    const reply = buildArp({
      operation: ARP_REPLY,
      senderMac: this.#port.mac,
      senderAddress: arp.targetAddress,
      targetMac: arp.senderMac,
      targetAddress: arp.senderAddress,
    });
    this.#sendArp(arp.senderMac, reply);
  }

  /** Any of our addresses; a request from 0.0.0.0 is a probe, which nobody has to learn from. */
  #sourceFor(): number {
    for (const address of this.#addresses) return address;
    return 0;
  }

  #request(senderAddress: number, targetAddress: number, destination: Uint8Array): void {
    const request = buildArp({
      operation: ARP_REQUEST,
      senderMac: this.#port.mac,
      senderAddress,
      targetMac: new Uint8Array(MAC_BYTES),
      targetAddress,
    });
    this.#sendArp(destination, request);
  }

  #sendArp(destination: Uint8Array, arp: Uint8Array): void {
    const frame = buildEthernet(destination, this.#port.mac, ETHERTYPE_ARP, arp);
    if (!this.#port.sendFrame(frame)) this.#options.count("SEND_FULL");
  }
}

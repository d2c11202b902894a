/**
 * Who has which address on the link: an ARP cache that believes only what it asked for. Source: RFC 826, RFC 1122
 * section 2.3.2.
 *
 * An entry is learned from replies to a request of ours that is still open, and from requests aimed at us. A known MAC
 * is replaced only after its owner has left a unicast question unanswered.
 */
import { HOPS_MAX } from "../layout/layout.gen.ts";
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

/** Entries. Full: the least recently used one without a slot goes; all have slots: `hop()` is 0, `send()` drops. */
export const NEIGHBORS_MAX = 512;
/** Entries that wait for their first answer. Full: `hop()` is 0, `send()` drops. */
export const INCOMPLETE_MAX = 64;
/**
 * Packets that wait in one entry: room for the fragments of one large datagram. Full: the oldest is dropped. RFC 1122
 * section 2.3.2.2 asks for the latest one.
 */
export const QUEUE_MAX = 64;
/** Requests sent before giving up. */
export const REQUESTS_MAX = 3;
/** Time between requests, ms. RFC 1122 section 2.3.2.1 allows one per second and destination. */
export const REQUEST_INTERVAL_MS = 1_000;
/** Age from which an entry that is looked up is asked again, ms. RFC 1122 section 2.3.2.1 suggests a minute. */
export const STALE_MS = 60_000;
/** How long after a failure no new request is made, ms. */
export const NEGATIVE_MS = 5_000;
/** How long after an answer no question is asked because of somebody else's claim, ms. */
const CONFLICT_QUIET_MS = 5_000;
/** Our announcements in defence of our address, at most one per this time, ms. RFC 5227 section 2.4 (b). */
const DEFEND_INTERVAL_MS = 10_000;

/** Waits for the first answer. */
const INCOMPLETE = 0;
/** Has a MAC. */
const REACHABLE = 1;
/** Has a MAC, and asks its owner whether that is still right. */
const PROBING_UNICAST = 2;
/** The owner was silent: has its old MAC, and takes any answer. */
const PROBING_BROADCAST = 3;
/** Nobody answered. */
const FAILED = 4;

type NeighborState =
  | typeof INCOMPLETE
  | typeof REACHABLE
  | typeof PROBING_UNICAST
  | typeof PROBING_BROADCAST
  | typeof FAILED;

interface Neighbor {
  readonly address: number;
  state: NeighborState;
  /** The core's name for it; 0 = the core does not know it. */
  slot: number;
  mac: Uint8Array | null;
  requests: number;
  /** Time of the last answer, or of the failure, ms. */
  sinceMs: number;
  timer: Timer | null;
  /** IP packets that wait for the MAC. */
  readonly queue: Uint8Array[];
}

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
  /** In order of use: the least recently used one first. */
  readonly #entries: Map<number, Neighbor> = new Map();
  readonly #addresses: Set<number> = new Set();
  readonly #proxy: Set<number> = new Set();
  readonly #failed: Set<(slot: number, address: number) => void> = new Set();
  readonly #probes: AddressProbes;
  #incomplete = 0;
  #nextSlot = 1;
  #defendedMs = -DEFEND_INTERVAL_MS;

  /** Calls back when somebody else uses one of our addresses. */
  onConflict: ((address: number, mac: Uint8Array) => void) | null = null;

  constructor(port: FramePort, options: NeighborsOptions) {
    this.#port = port;
    this.#options = options;
    this.#probes = new AddressProbes(port.clock, (address) => {
      // RFC 5227 section 1.1: a probe has an all-zero sender address, so that it changes no cache.
      this.#request(0, address, broadcastMac());
    });
  }

  /**
   * Names the next hop to the core, and starts to look for its MAC if needed.
   *
   * @param address On-link address, u32.
   * @returns Slot, 1 to HOPS_MAX - 1; 0 if the table is full. The slot is the address's until `clear()`. Failure
   * within {@linkcode NEGATIVE_MS} is told again through `onFailed`, after this call.
   */
  hop(address: number): number {
    const neighbor = this.#lookup(address);
    if (neighbor === null) return 0;
    if (neighbor.slot === 0) this.#giveSlot(neighbor);
    if (neighbor.slot !== 0 && neighbor.state === FAILED) this.#failAgain(neighbor);
    return neighbor.slot;
  }

  /**
   * Calls back when nobody answered for the address of a slot. The slot stays the address's; it works again as soon as
   * its owner asks for us, or after another `hop()`.
   *
   * @returns The way to stop.
   */
  onFailed(callback: (slot: number, address: number) => void): () => void {
    this.#failed.add(callback);
    return () => void this.#failed.delete(callback);
  }

  /** @returns The MAC, 6 bytes, if it is known; asks nobody. */
  macOf(address: number): Uint8Array | null {
    return this.#entries.get(address)?.mac ?? null;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Sends a packet of the host to a neighbour, now or when its MAC is known.
   *
   * @param address On-link address, u32.
   * @param packet IP packet, kept.
   * @returns False if it was dropped at once, counted.
   */
  send(address: number, packet: Uint8Array): boolean {
    const neighbor = this.#lookup(address);
    if (neighbor === null || neighbor.state === FAILED) {
      this.#options.count(neighbor === null ? "NEIGHBORS_FULL" : "NEIGHBOR_FAILED");
      return false;
    }
    if (neighbor.mac !== null) return this.#sendPacket(neighbor.mac, packet);
    if (neighbor.queue.length >= QUEUE_MAX) {
      neighbor.queue.shift();
      this.#options.count("NEIGHBOR_QUEUE");
    }
    neighbor.queue.push(packet);
    return true;
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

  /** Forgets all neighbours and tells the core so; our addresses stay. Waiting packets are dropped and counted. */
  clear(): void {
    for (const neighbor of this.#entries.values()) {
      neighbor.timer?.cancel();
      for (const _packet of neighbor.queue) this.#options.count("NEIGHBOR_QUEUE");
      if (neighbor.slot !== 0) this.#port.setNextHop(neighbor.slot, null);
    }
    this.#entries.clear();
    this.#incomplete = 0;
    this.#nextSlot = 1;
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
    const neighbor = this.#entries.get(arp.senderAddress);
    // Only what we have asked for, and only if it is told to us.
    const isOpen = neighbor !== undefined && neighbor.state !== REACHABLE &&
      neighbor.state !== FAILED;
    if (!isOpen || !sameBytes(arp.targetMac, this.#port.mac)) {
      return this.#options.count("ARP_UNSOLICITED");
    }
    this.#learn(neighbor, arp.senderMac);
  }

  #onRequest(arp: ArpPacket): void {
    const isOurs = this.#addresses.has(arp.targetAddress);
    if (!isOurs && !this.#proxy.has(arp.targetAddress)) return;
    if (arp.senderAddress !== 0 && this.#options.isOnLink(arp.senderAddress)) {
      const neighbor = this.#entries.get(arp.senderAddress) ?? this.#insert(arp.senderAddress);
      if (neighbor !== null) this.#learn(neighbor, arp.senderMac);
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

  /** Takes a MAC that we may believe; a known one stays until its owner has been asked. */
  #learn(neighbor: Neighbor, mac: Uint8Array): void {
    const isKnown = neighbor.mac !== null && sameBytes(neighbor.mac, mac);
    if (
      neighbor.mac !== null && !isKnown &&
      (neighbor.state === REACHABLE || neighbor.state === PROBING_UNICAST)
    ) {
      this.#options.count("ARP_CONFLICT");
      const ageMs = this.#port.clock.now() - neighbor.sinceMs;
      if (neighbor.state === REACHABLE && ageMs >= CONFLICT_QUIET_MS) this.#probeOwner(neighbor);
      return;
    }
    this.#enter(neighbor, REACHABLE);
    if (!isKnown) {
      neighbor.mac = mac.slice(0, MAC_BYTES);
      if (neighbor.slot !== 0) this.#port.setNextHop(neighbor.slot, neighbor.mac);
    }
    for (const packet of neighbor.queue.splice(0)) this.#sendPacket(mac, packet);
  }

  /** Finds or makes an entry, and asks what has to be asked. @returns Null if there is no room. */
  #lookup(address: number): Neighbor | null {
    const known = this.#entries.get(address);
    const neighbor = known ?? this.#insert(address);
    if (neighbor === null) return null;
    this.#entries.delete(address);
    this.#entries.set(address, neighbor);
    const ageMs = this.#port.clock.now() - neighbor.sinceMs;
    const isUnasked = known === undefined || (neighbor.state === FAILED && ageMs >= NEGATIVE_MS);
    if (isUnasked) {
      if (this.#incomplete >= INCOMPLETE_MAX) {
        if (known === undefined) this.#entries.delete(address);
        return null;
      }
      this.#enter(neighbor, INCOMPLETE);
      this.#ask(neighbor);
    } else if (neighbor.state === REACHABLE && ageMs >= STALE_MS) {
      this.#probeOwner(neighbor);
    }
    return neighbor;
  }

  #insert(address: number): Neighbor | null {
    if (this.#entries.size >= NEIGHBORS_MAX && !this.#evict()) return null;
    const neighbor: Neighbor = {
      address,
      state: FAILED,
      slot: 0,
      mac: null,
      requests: 0,
      sinceMs: 0,
      timer: null,
      queue: [],
    };
    this.#entries.set(address, neighbor);
    return neighbor;
  }

  /** Removes the least recently used entry that no connection can depend on. */
  #evict(): boolean {
    for (const neighbor of this.#entries.values()) {
      if (neighbor.slot !== 0 || neighbor.state === INCOMPLETE) continue;
      neighbor.timer?.cancel();
      this.#entries.delete(neighbor.address);
      return true;
    }
    return false;
  }

  #giveSlot(neighbor: Neighbor): void {
    if (this.#nextSlot >= HOPS_MAX) return;
    neighbor.slot = this.#nextSlot++;
    this.#port.setNextHop(neighbor.slot, neighbor.mac);
  }

  /** The only writer of `state`. Time counts from here, requests too. */
  #enter(neighbor: Neighbor, state: NeighborState): void {
    if (neighbor.state === INCOMPLETE) this.#incomplete--;
    if (state === INCOMPLETE) this.#incomplete++;
    neighbor.timer?.cancel();
    neighbor.timer = null;
    neighbor.state = state;
    neighbor.requests = 0;
    // While it is asked again, an entry is as old as its last answer.
    if (state === REACHABLE || state === FAILED) neighbor.sinceMs = this.#port.clock.now();
  }

  #probeOwner(neighbor: Neighbor): void {
    this.#enter(neighbor, PROBING_UNICAST);
    this.#ask(neighbor);
  }

  /** Sends the next request of a state, or goes to the next state. */
  #ask(neighbor: Neighbor): void {
    if (neighbor.requests >= REQUESTS_MAX) {
      if (neighbor.state !== PROBING_UNICAST) return this.#fail(neighbor);
      this.#enter(neighbor, PROBING_BROADCAST);
    }
    neighbor.requests++;
    const owner = neighbor.state === PROBING_UNICAST ? neighbor.mac : null;
    const atMs = this.#port.clock.now() + REQUEST_INTERVAL_MS;
    // Armed before it is sent, so that even an answer within the call finds everything in place.
    neighbor.timer = this.#port.clock.at(atMs, () => this.#ask(neighbor));
    this.#request(this.#sourceFor(), neighbor.address, owner ?? broadcastMac());
  }

  #fail(neighbor: Neighbor): void {
    this.#enter(neighbor, FAILED);
    this.#options.count("NEIGHBOR_UNREACHABLE");
    for (const _packet of neighbor.queue.splice(0)) this.#options.count("NEIGHBOR_FAILED");
    neighbor.mac = null;
    if (neighbor.slot === 0) return;
    this.#port.setNextHop(neighbor.slot, null);
    this.#tellFailed(neighbor);
  }

  /** Tells a caller of `hop()` what is known already, once it has the slot. */
  #failAgain(neighbor: Neighbor): void {
    if (neighbor.timer !== null) return;
    neighbor.timer = this.#port.clock.at(this.#port.clock.now(), () => {
      neighbor.timer = null;
      this.#tellFailed(neighbor);
    });
  }

  #tellFailed(neighbor: Neighbor): void {
    for (const callback of [...this.#failed]) callback(neighbor.slot, neighbor.address);
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

  #sendPacket(mac: Uint8Array, packet: Uint8Array): boolean {
    const isSent = this.#port.sendFrame(buildEthernet(mac, this.#port.mac, ETHERTYPE_IPV4, packet));
    if (!isSent) this.#options.count("SEND_FULL");
    return isSent;
  }
}

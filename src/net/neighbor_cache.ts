/**
 * Who has which address on the link, for ARP and for neighbor discovery alike: a cache that believes only what it asked for.
 * Source: RFC 1122 section 2.3.2, RFC 4861 section 7.3.
 *
 * A known MAC is replaced only after its owner has left a unicast question unanswered. The states are those of RFC 4861 section
 * 7.3.2: REACHABLE that has grown old is STALE; whoever looks a stale entry up has its owner asked, after a DELAY if the family
 * has one, which is PROBE.
 */
import type { Timer } from "../runtime/clock.ts";
import { sameBytes } from "../wire/bytes.ts";
import { buildEthernet } from "../wire/ethernet.ts";
import { type Ip, MAC_BYTES } from "./addresses.ts";
import type { FramePort } from "./frame_port.ts";

/**
 * Entries of a family. Full: the least recently used one without a slot goes; slots that no connection sends through are
 * taken back first. All are in use: `hop()` is 0, `send()` drops.
 */
export const NEIGHBORS_MAX = 512;
/** Entries that wait for their first answer. Full: `hop()` is 0, `send()` drops. */
export const INCOMPLETE_MAX = 64;
/**
 * Packets that wait in one entry: room for the fragments of one large datagram. Full: the oldest is dropped. RFC 1122
 * section 2.3.2.2, RFC 4861 section 7.2.2.
 */
export const QUEUE_MAX = 64;
/** Requests sent before giving up. RFC 4861 section 10: MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT. */
export const REQUESTS_MAX = 3;
/** How long after a failure no new request is made, ms. */
export const NEGATIVE_MS = 5_000;
/** How long after an answer no question is asked because of somebody else's claim, ms. */
const CONFLICT_QUIET_MS = 5_000;

/** A full table is not looked through again so soon, ms. */
const RECLAIM_INTERVAL_MS = 1_000;

/** Waits for the first answer. */
const INCOMPLETE = 0;
/** Has a MAC. */
const REACHABLE = 1;
/** Has a MAC, and asks its owner whether that is still right. */
const PROBING_UNICAST = 2;
/** The owner was silent: has its old MAC, and takes any answer. */
const PROBING_ALL = 3;
/** Nobody answered. */
const FAILED = 4;

type NeighborState =
  | typeof INCOMPLETE
  | typeof REACHABLE
  | typeof PROBING_UNICAST
  | typeof PROBING_ALL
  | typeof FAILED;

interface Neighbor<A extends Ip> {
  readonly address: A;
  state: NeighborState;
  /** The core's name for it; 0 = the core does not know it. */
  slot: number;
  mac: Uint8Array | null;
  requests: number;
  /** Time since which the state is what it is, or of the last answer, ms. */
  sinceMs: number;
  timer: Timer | null;
  /** IP packets that wait for the MAC. */
  readonly queue: Uint8Array[];
}

/** How a family asks, and what it is called. */
export interface NeighborFamily<A extends Ip> {
  /** Of its packets. */
  readonly etherType: number;
  /** The core's slots that are its own: the first, and the one behind the last. */
  readonly slots: readonly [first: number, end: number];
  /** What a claim against a known MAC is counted as. */
  readonly conflict: string;
  /** Time between requests, ms. */
  intervalMs(): number;
  /** Age from which an entry that is looked up is asked again, ms. */
  staleMs(): number;
  /** How long an owner may go on unasked after a stale entry was looked up, ms. */
  delayMs(): number;
  /** Asks for an address: its owner, or (with null) everyone. */
  ask(address: A, owner: Uint8Array | null): void;
  /** Counts a drop or an event by name. */
  count(reason: string): void;
}

/** The cache of one family on an interface. */
export class NeighborCache<A extends Ip> {
  readonly #port: FramePort;
  readonly #family: NeighborFamily<A>;
  /** In order of use: the least recently used one first. */
  readonly #entries: Map<A, Neighbor<A>> = new Map();
  readonly #failed: Set<(slot: number, address: A) => void> = new Set();
  #incomplete = 0;
  #nextSlot: number;
  /** Slots that were another's and are free again. */
  #freeSlots: number[] = [];
  /** Until when nothing is given back, ms: to look through all connections for nothing is not for every call. */
  #fullUntilMs = -Infinity;

  constructor(port: FramePort, family: NeighborFamily<A>) {
    this.#port = port;
    this.#family = family;
    this.#nextSlot = family.slots[0];
  }

  /**
   * Names the next hop to the core, and starts to look for its MAC if needed.
   *
   * @param address On-link address, u32.
   * @returns Slot, one of the family's; 0 if the table is full. The slot is the address's as long as a connection sends
   * through it: one has to be opened at once. Failure within {@linkcode NEGATIVE_MS} is told again through `onFailed`, after this call.
   */
  hop(address: A): number {
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
  onFailed(callback: (slot: number, address: A) => void): () => void {
    this.#failed.add(callback);
    return () => void this.#failed.delete(callback);
  }

  /** @returns The MAC, 6 bytes, if it is known; asks nobody. */
  macOf(address: A): Uint8Array | null {
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
  send(address: A, packet: Uint8Array): boolean {
    const neighbor = this.#lookup(address);
    if (neighbor === null || neighbor.state === FAILED) {
      this.#family.count(neighbor === null ? "NEIGHBORS_FULL" : "NEIGHBOR_FAILED");
      return false;
    }
    if (neighbor.mac !== null) return this.#sendPacket(neighbor.mac, packet);
    if (neighbor.queue.length >= QUEUE_MAX) {
      neighbor.queue.shift();
      this.#family.count("NEIGHBOR_QUEUE");
    }
    neighbor.queue.push(packet);
    return true;
  }

  /** Forgets all neighbours and tells the core so. Waiting packets are dropped and counted. */
  clear(): void {
    for (const neighbor of this.#entries.values()) {
      neighbor.timer?.cancel();
      for (const _packet of neighbor.queue) this.#family.count("NEIGHBOR_QUEUE");
      if (neighbor.slot !== 0) this.#port.setNextHop(neighbor.slot, null);
    }
    this.#entries.clear();
    this.#incomplete = 0;
    this.#nextSlot = this.#family.slots[0];
    this.#freeSlots = [];
    this.#fullUntilMs = -Infinity;
  }

  /** Whether an answer about an address is awaited. */
  isAsked(address: A): boolean {
    const state = this.#entries.get(address)?.state;
    return state !== undefined && state !== REACHABLE && state !== FAILED;
  }

  /** Whether nobody answered for an address lately. */
  hasFailed(address: A): boolean {
    return this.#entries.get(address)?.state === FAILED;
  }

  /**
   * Takes a MAC that we may believe; a known one stays until its owner has been asked.
   *
   * @param mac 6 bytes, copied.
   * @param isConfirmed Its owner has heard us. If not, a new entry is stale from the beginning: RFC 4861 section 7.2.3.
   */
  learn(address: A, mac: Uint8Array, isConfirmed: boolean): void {
    const known = this.#entries.get(address);
    if (!isConfirmed && known?.state === REACHABLE) return this.claim(address, mac);
    const neighbor = known ?? this.#insert(address);
    if (neighbor === null) return;
    this.#learn(neighbor, mac);
    // Older than any age from which it is asked: that age is of chance, and another one at each look.
    if (!isConfirmed) neighbor.sinceMs = -Infinity;
  }

  /** Its owner has answered and not named its MAC, as it may when it was asked by unicast. RFC 4861 section 7.2.4. */
  confirm(address: A): void {
    const neighbor = this.#entries.get(address);
    if (neighbor === undefined || neighbor.mac === null || !this.isAsked(address)) return;
    this.#enter(neighbor, REACHABLE);
  }

  /** Somebody claims an address unasked: if it is a known one's with another MAC, its owner is asked. */
  claim(address: A, mac: Uint8Array): void {
    const neighbor = this.#entries.get(address);
    if (neighbor === undefined || neighbor.mac === null || sameBytes(neighbor.mac, mac)) return;
    if (neighbor.state === REACHABLE) this.#dispute(neighbor);
  }

  #dispute(neighbor: Neighbor<A>): void {
    this.#family.count(this.#family.conflict);
    const ageMs = this.#port.clock.now() - neighbor.sinceMs;
    if (neighbor.state === REACHABLE && ageMs >= CONFLICT_QUIET_MS) this.#probeOwner(neighbor);
  }

  #learn(neighbor: Neighbor<A>, mac: Uint8Array): void {
    const isKnown = neighbor.mac !== null && sameBytes(neighbor.mac, mac);
    if (
      neighbor.mac !== null && !isKnown &&
      (neighbor.state === REACHABLE || neighbor.state === PROBING_UNICAST)
    ) {
      return this.#dispute(neighbor);
    }
    this.#enter(neighbor, REACHABLE);
    if (!isKnown) {
      neighbor.mac = mac.slice(0, MAC_BYTES);
      if (neighbor.slot !== 0) this.#port.setNextHop(neighbor.slot, neighbor.mac);
    }
    for (const packet of neighbor.queue.splice(0)) this.#sendPacket(mac, packet);
  }

  /** Finds or makes an entry, and asks what has to be asked. @returns Null if there is no room. */
  #lookup(address: A): Neighbor<A> | null {
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
    } else if (neighbor.state === REACHABLE && ageMs >= this.#family.staleMs()) {
      this.#suspect(neighbor);
    }
    return neighbor;
  }

  #insert(address: A): Neighbor<A> | null {
    const isFull = this.#entries.size >= NEIGHBORS_MAX;
    if (isFull && !this.#evict() && !(this.#reclaim() && this.#evict())) return null;
    const neighbor: Neighbor<A> = {
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

  #giveSlot(neighbor: Neighbor<A>): void {
    const isLeft = this.#nextSlot < this.#family.slots[1];
    if (!isLeft && this.#freeSlots.length === 0 && !this.#reclaim()) return;
    neighbor.slot = isLeft ? this.#nextSlot++ : this.#freeSlots.pop() ?? 0;
    this.#port.setNextHop(neighbor.slot, neighbor.mac);
  }

  /** Takes the slots back that no connection sends through. @returns False if there is none. */
  #reclaim(): boolean {
    const now = this.#port.clock.now();
    if (now < this.#fullUntilMs) return false;
    const used = this.#port.usedHops();
    for (const neighbor of this.#entries.values()) {
      if (neighbor.slot === 0 || used.has(neighbor.slot)) continue;
      this.#port.setNextHop(neighbor.slot, null);
      this.#freeSlots.push(neighbor.slot);
      neighbor.slot = 0;
    }
    if (this.#freeSlots.length > 0) return true;
    this.#fullUntilMs = now + RECLAIM_INTERVAL_MS;
    return false;
  }

  /** The only writer of `state`. Time counts from here, requests too. */
  #enter(neighbor: Neighbor<A>, state: NeighborState): void {
    if (neighbor.state === INCOMPLETE) this.#incomplete--;
    if (state === INCOMPLETE) this.#incomplete++;
    neighbor.timer?.cancel();
    neighbor.timer = null;
    neighbor.state = state;
    neighbor.requests = 0;
    neighbor.sinceMs = this.#port.clock.now();
  }

  /** A stale entry is in use. An answer within the delay ends it. */
  #suspect(neighbor: Neighbor<A>): void {
    const delayMs = this.#family.delayMs();
    if (delayMs === 0) return this.#probeOwner(neighbor);
    const atMs = this.#port.clock.now() + delayMs;
    neighbor.timer ??= this.#port.clock.at(atMs, () => this.#probeOwner(neighbor));
  }

  #probeOwner(neighbor: Neighbor<A>): void {
    this.#enter(neighbor, PROBING_UNICAST);
    this.#ask(neighbor);
  }

  /** Sends the next request of a state, or goes to the next state. */
  #ask(neighbor: Neighbor<A>): void {
    if (neighbor.requests >= REQUESTS_MAX) {
      if (neighbor.state !== PROBING_UNICAST) return this.#fail(neighbor);
      this.#enter(neighbor, PROBING_ALL);
    }
    neighbor.requests++;
    const owner = neighbor.state === PROBING_UNICAST ? neighbor.mac : null;
    const atMs = this.#port.clock.now() + this.#family.intervalMs();
    // Armed before it is sent, so that even an answer within the call finds everything in place.
    neighbor.timer = this.#port.clock.at(atMs, () => this.#ask(neighbor));
    this.#family.ask(neighbor.address, owner);
  }

  #fail(neighbor: Neighbor<A>): void {
    this.#enter(neighbor, FAILED);
    this.#family.count("NEIGHBOR_UNREACHABLE");
    for (const _packet of neighbor.queue.splice(0)) this.#family.count("NEIGHBOR_FAILED");
    neighbor.mac = null;
    if (neighbor.slot === 0) return;
    this.#port.setNextHop(neighbor.slot, null);
    this.#tellFailed(neighbor);
  }

  /** Tells a caller of `hop()` what is known already, once it has the slot. */
  #failAgain(neighbor: Neighbor<A>): void {
    if (neighbor.timer !== null) return;
    neighbor.timer = this.#port.clock.at(this.#port.clock.now(), () => {
      neighbor.timer = null;
      this.#tellFailed(neighbor);
    });
  }

  #tellFailed(neighbor: Neighbor<A>): void {
    for (const callback of [...this.#failed]) callback(neighbor.slot, neighbor.address);
  }

  #sendPacket(mac: Uint8Array, packet: Uint8Array): boolean {
    const frame = buildEthernet(mac, this.#port.mac, this.#family.etherType, packet);
    const isSent = this.#port.sendFrame(frame);
    if (!isSent) this.#family.count("SEND_FULL");
    return isSent;
  }
}

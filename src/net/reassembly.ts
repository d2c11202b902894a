/**
 * Fragments of both families, put together within hard limits. Source: RFC 791 section 3.2, RFC 815, RFC 8200 section 4.5.
 *
 * A packet whose fragments overlap is dropped as a whole, and so is what follows of it (RFC 5722; for IPv4 too, where nothing
 * honest overlaps either). What is unfinished costs its peer's own share first: a flood from one source ends its own packets.
 */
import type { Clock, Timer } from "../runtime/clock.ts";
import { sameBytes } from "../wire/bytes.ts";
import { ecnOf, FRAGMENT_UNIT_BYTES } from "../wire/fragments.ts";
import type { Ip } from "./addresses.ts";

/** How long fragments wait for the rest, ms. RFC 8200 section 4.5 and, as its lower bound, RFC 1122 section 3.3.2. */
export const REASSEMBLY_MS = 60_000;
/** Unfinished packets. Full: the oldest one is dropped. */
export const REASSEMBLY_PACKETS_MAX = 256;
/** Unfinished packets of one source. Full: its oldest one is dropped. */
export const REASSEMBLY_PER_SOURCE_MAX = 32;
/** Bytes that all fragments may hold. Full: the oldest packets are dropped. */
export const REASSEMBLY_BYTES_MAX = 4_194_304;
/** Fragments of one packet: 64 KiB over the smallest MTU of IPv4 hosts, 576 bytes. More: it is dropped. */
export const FRAGMENTS_MAX = 128;
/** What a fragment costs beyond its bytes. */
const FRAGMENT_COST_BYTES = 128;
/** Largest payload of a packet, bytes. */
const PAYLOAD_MAX_BYTES = 65_535;

const ECN_NOT_CAPABLE = 0;
const ECN_EXPERIENCED = 3;

/** A fragment as it was parsed, of either family; its views are copied. */
export interface Fragment {
  readonly source: Ip;
  readonly destination: Ip;
  readonly protocol: number;
  readonly identification: number;
  /** In units of 8 bytes. */
  readonly fragmentOffset: number;
  readonly moreFragments: boolean;
  readonly headerBytes: number;
  readonly payload: Uint8Array;
  readonly packet: Uint8Array;
}

/** All of a packet. */
export interface Whole {
  /** The first fragment's packet. */
  readonly first: Uint8Array;
  /** Headers of it, bytes. */
  readonly headerBytes: number;
  readonly payload: Uint8Array;
  readonly ecn: number;
}

/** A fragment that waits. */
interface Part {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** A packet that is not complete. */
interface Unfinished {
  readonly key: string;
  readonly source: Ip;
  /** In order, without overlap. */
  readonly parts: Part[];
  readonly timer: Timer;
  first: { readonly packet: Uint8Array; readonly headerBytes: number } | null;
  /** Known once the last fragment is there, bytes. */
  totalBytes: number | null;
  heldBytes: number;
  costBytes: number;
  /** Sets of ECN bits seen: bit n for value n. */
  ecnSeen: number;
  /** It overlapped: nothing of it is taken any more. */
  isDead: boolean;
}

/** What reassembly needs of its interface. */
export interface ReassemblyOptions {
  readonly clock: Clock;
  /** Counts a drop or an event by name. */
  readonly count: (reason: string) => void;
  /** Time is up for a packet whose first fragment is there: its sender may be told. RFC 792, RFC 4443 section 3.3. */
  readonly expired: (first: Uint8Array) => void;
}

/** Unfinished packets of one interface. */
export class Reassembly {
  readonly #options: ReassemblyOptions;
  /** The oldest one first. */
  readonly #packets: Map<string, Unfinished> = new Map();
  #costBytes = 0;

  constructor(options: ReassemblyOptions) {
    this.#options = options;
  }

  /** How many packets are unfinished. */
  get size(): number {
    return this.#packets.size;
  }

  /**
   * Takes a fragment.
   *
   * @returns The packet if that was the last piece of it, otherwise null.
   */
  take(fragment: Fragment): Whole | null {
    const { payload, moreFragments } = fragment;
    const at = fragment.fragmentOffset * FRAGMENT_UNIT_BYTES;
    const isOdd = moreFragments && payload.length % FRAGMENT_UNIT_BYTES !== 0;
    if (payload.length === 0 || isOdd || at + payload.length > PAYLOAD_MAX_BYTES) {
      this.#options.count("FRAGMENT_LENGTH");
      return null;
    }
    const unfinished = this.#find(fragment);
    if (unfinished.isDead) {
      this.#options.count("FRAGMENT_OVERLAP");
      return null;
    }
    if (!this.#add(unfinished, fragment, at)) return null;
    return unfinished.heldBytes === unfinished.totalBytes ? this.#finish(unfinished) : null;
  }

  /** Drops everything. */
  clear(): void {
    for (const unfinished of [...this.#packets.values()]) this.#drop(unfinished);
  }

  #find(fragment: Fragment): Unfinished {
    const { source, destination, protocol, identification } = fragment;
    // RFC 8200 section 4.5 leaves the protocol out: fragments but the first need not know it.
    const kind = typeof source === "number" ? protocol : "v6";
    const key = `${source} ${destination} ${kind} ${identification}`;
    const known = this.#packets.get(key);
    if (known !== undefined) return known;
    this.#makeRoom(source);
    const { clock } = this.#options;
    const unfinished: Unfinished = {
      key,
      source,
      parts: [],
      timer: clock.at(clock.now() + REASSEMBLY_MS, () => this.#expire(unfinished)),
      first: null,
      totalBytes: null,
      heldBytes: 0,
      costBytes: 0,
      ecnSeen: 0,
      isDead: false,
    };
    this.#packets.set(key, unfinished);
    return unfinished;
  }

  /** @returns False if nothing new can be done with the packet. */
  #add(unfinished: Unfinished, fragment: Fragment, at: number): boolean {
    const { payload, packet, headerBytes, moreFragments } = fragment;
    const end = at + payload.length;
    const { parts, totalBytes } = unfinished;
    const index = parts.findLastIndex((part) => part.at <= at) + 1;
    const before = parts[index - 1];
    if (before?.at === at && sameBytes(before.bytes, payload)) {
      this.#options.count("FRAGMENT_DUPLICATE");
      return false;
    }
    const next = parts[index];
    const isOverlap = (before !== undefined && before.at + before.bytes.length > at) ||
      (next !== undefined && next.at < end);
    const last = parts.at(-1);
    const isBeyond = moreFragments
      ? totalBytes !== null && end > totalBytes
      : totalBytes !== null || (last !== undefined && last.at + last.bytes.length > end);
    if (isOverlap || isBeyond || parts.length >= FRAGMENTS_MAX) {
      this.#kill(unfinished, isOverlap || isBeyond ? "FRAGMENT_OVERLAP" : "FRAGMENT_LIMIT");
      return false;
    }
    parts.splice(index, 0, { at, bytes: payload.slice() });
    unfinished.heldBytes += payload.length;
    unfinished.ecnSeen |= 1 << ecnOf(packet);
    if (!moreFragments) unfinished.totalBytes = end;
    if (at === 0) unfinished.first = { packet: packet.slice(), headerBytes };
    this.#charge(unfinished, payload.length + FRAGMENT_COST_BYTES);
    return true;
  }

  #charge(unfinished: Unfinished, bytes: number): void {
    unfinished.costBytes += bytes;
    this.#costBytes += bytes;
    for (const oldest of this.#packets.values()) {
      if (this.#costBytes <= REASSEMBLY_BYTES_MAX) return;
      // The one that was just added to may be the oldest; it goes then too.
      this.#options.count("FRAGMENT_LIMIT");
      this.#drop(oldest);
    }
  }

  #makeRoom(source: Ip): void {
    let ofSource = 0;
    let oldestOfSource: Unfinished | null = null;
    for (const unfinished of this.#packets.values()) {
      if (unfinished.source !== source) continue;
      ofSource++;
      oldestOfSource ??= unfinished;
    }
    const isFull = this.#packets.size >= REASSEMBLY_PACKETS_MAX;
    if (!isFull && ofSource < REASSEMBLY_PER_SOURCE_MAX) return;
    const [oldest] = this.#packets.values();
    const victim = ofSource >= REASSEMBLY_PER_SOURCE_MAX ? oldestOfSource : oldest;
    this.#options.count("FRAGMENT_LIMIT");
    if (victim !== null && victim !== undefined) this.#drop(victim);
  }

  #finish(unfinished: Unfinished): Whole | null {
    const { parts, first, heldBytes } = unfinished;
    this.#drop(unfinished);
    const ecn = joinedEcn(unfinished.ecnSeen);
    if (first === null || ecn === null) {
      this.#options.count("FRAGMENT_ECN");
      return null;
    }
    const payload = new Uint8Array(heldBytes);
    for (const part of parts) payload.set(part.bytes, part.at);
    this.#options.count("REASSEMBLED");
    return { first: first.packet, headerBytes: first.headerBytes, payload, ecn };
  }

  /** The rest of it is dropped as it comes, so it is remembered without its bytes. */
  #kill(unfinished: Unfinished, reason: string): void {
    this.#options.count(reason);
    unfinished.isDead = true;
    unfinished.parts.length = 0;
    unfinished.first = null;
    this.#costBytes -= unfinished.costBytes;
    unfinished.costBytes = 0;
  }

  #expire(unfinished: Unfinished): void {
    const { first, isDead } = unfinished;
    this.#drop(unfinished);
    if (isDead) return;
    this.#options.count("FRAGMENT_TIME");
    if (first !== null) this.#options.expired(first.packet);
  }

  #drop(unfinished: Unfinished): void {
    unfinished.timer.cancel();
    this.#packets.delete(unfinished.key);
    this.#costBytes -= unfinished.costBytes;
    unfinished.costBytes = 0;
  }
}

/** RFC 3168 section 5.3: CE of one is CE of all, but a packet is not both. @returns Null if it has to be dropped. */
function joinedEcn(seen: number): number | null {
  const hasExperienced = (seen & (1 << ECN_EXPERIENCED)) !== 0;
  const hasNotCapable = (seen & (1 << ECN_NOT_CAPABLE)) !== 0;
  if (hasExperienced) return hasNotCapable ? null : ECN_EXPERIENCED;
  if (hasNotCapable) return ECN_NOT_CAPABLE;
  return (seen & 0b0010) !== 0 ? 1 : 2;
}

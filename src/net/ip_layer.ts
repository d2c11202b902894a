/** What the interface gives to the services that stand on it: ICMP and UDP. */
import type { Random } from "../runtime/random.ts";
import type { Ip } from "./addresses.ts";
import type { FramePort } from "./frame_port.ts";

/** How a packet is sent. */
export interface SendOptions {
  /** Source address; 0.0.0.0 is one. Default: that of the route. */
  readonly source?: Ip;
  /** Time to live, 1 to 255. Default 64. */
  readonly ttl?: number;
  /** MAC of the next hop, 6 bytes, for a peer that can not answer ARP yet. Default: resolved. */
  readonly mac?: Uint8Array;
  /** Never fragmented; what is larger than the MTU is dropped. Default false. */
  readonly dontFragment?: boolean;
  /** What is sent to a group or broadcast address reaches our own sockets too. Default true. */
  readonly loopback?: boolean;
}

/** What is known of a packet of either family, whole. Its views are valid only during the call. */
export interface IpPacket {
  readonly source: Ip;
  readonly destination: Ip;
  /** Of the upper layer. */
  readonly protocol: number;
  /** Time to live, or hop limit. */
  readonly ttl: number;
  /** What follows all headers. */
  readonly payload: Uint8Array;
  /** Headers and payload. */
  readonly packet: Uint8Array;
}

/** Sending, and what is ours. */
export interface IpLayer {
  readonly port: FramePort;
  /** Largest packet, bytes. */
  readonly mtu: number;
  /**
   * Sends a packet of the destination's family.
   *
   * @returns False if it was dropped, counted under its reason.
   */
  send(destination: Ip, protocol: number, payload: Uint8Array, options?: SendOptions): boolean;
  /**
   * Sends a packet, with DF set.
   *
   * @param destination u32.
   * @returns False if it was dropped, counted under its reason.
   */
  sendIpv4(
    destination: number,
    protocol: number,
    payload: Uint8Array,
    options?: SendOptions,
  ): boolean;
  /** Why the last packet that could not be sent was dropped; empty = none ever was. */
  readonly lastDrop: string;
  /** Counts a packet that is not sent, and keeps its reason. @returns False. */
  dropSent(reason: string): false;
  /** Is it one of our addresses? */
  isLocal(address: Ip): boolean;
  /** Is it a broadcast or multicast address of this link? */
  isGroup(address: Ip): boolean;
  /** Counts a drop or another event by name. */
  count(reason: string): void;
}

/** Tokens that one thing takes at most, if that is left to chance. */
const COST_MAX = 3;

/** Lets so many things happen per second, and no more at once. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #random: Random | null;
  #tokens: number;
  #atMs = 0;

  /**
   * @param perSecond Allowed per second; also the largest burst.
   * @param random Makes each take one to three times its share: who watches what is left over of a limit that all have in common
   * can not tell whether one thing more has happened.
   */
  constructor(perSecond: number, random: Random | null = null) {
    this.#perSecond = perSecond;
    this.#random = random;
    this.#tokens = perSecond;
  }

  /** @param nowMs Time of the clock. @returns False if it has to be left undone. */
  take(nowMs: number): boolean {
    const refill = ((nowMs - this.#atMs) * this.#perSecond) / 1_000;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + refill);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    const cost = this.#random === null ? 1 : 1 + (this.#random.next() % COST_MAX);
    this.#tokens = Math.max(0, this.#tokens - cost);
    return true;
  }
}

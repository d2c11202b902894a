/** What ICMP has told of the MTUs of paths, for datagrams; TCP has its own in the core. Source: RFC 1191, RFC 8201. */
import type { Ip } from "./addresses.ts";

/** Destinations that are remembered. Full: the oldest one is forgotten. */
export const PATHS_MAX = 256;
/** How long a smaller MTU is believed, ms. RFC 1191 section 6.3; RFC 8201 section 5.2. */
export const PATH_MTU_MS = 600_000;
/** Smallest MTU that is believed of IPv4, bytes: less would let a forger cut everything to pieces. As Linux has it. */
export const PATH_MTU_MIN_BYTES = 552;
/** Smallest MTU of IPv6, bytes. RFC 8200 section 5. */
export const PATH_MTU_MIN_V6_BYTES = 1_280;
/** What is taken where a router does not tell its MTU, bytes. RFC 791: every host takes this. */
const UNTOLD_BYTES = 576;

interface Path {
  readonly mtu: number;
  readonly untilMs: number;
}

/** MTUs by destination, where they are smaller than the link's. */
export class PathMtus {
  /** The oldest one first. */
  readonly #paths: Map<Ip, Path> = new Map();

  /**
   * Heeds "too big".
   *
   * @param mtu What the router told, bytes; 0 = nothing.
   * @param nowMs Time of the clock.
   */
  lower(destination: Ip, mtu: number, nowMs: number): void {
    const least = typeof destination === "number" ? PATH_MTU_MIN_BYTES : PATH_MTU_MIN_V6_BYTES;
    const told = Math.max(least, mtu === 0 ? UNTOLD_BYTES : mtu);
    const known = this.of(destination, nowMs);
    if (known !== null && known <= told) return;
    this.#paths.delete(destination);
    const [oldest] = this.#paths.keys();
    if (this.#paths.size >= PATHS_MAX && oldest !== undefined) this.#paths.delete(oldest);
    this.#paths.set(destination, { mtu: told, untilMs: nowMs + PATH_MTU_MS });
  }

  /** @returns The path's MTU, bytes, or null if nothing is known of it. */
  of(destination: Ip, nowMs: number): number | null {
    const path = this.#paths.get(destination);
    if (path === undefined) return null;
    if (nowMs < path.untilMs) return path.mtu;
    this.#paths.delete(destination);
    return null;
  }

  /** Forgets everything: the link may be another network's now. */
  clear(): void {
    this.#paths.clear();
  }
}

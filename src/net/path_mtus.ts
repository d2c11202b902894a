/** What ICMP has told of the MTUs of paths, for datagrams; TCP has its own in the core. Source: RFC 1191, RFC 8201. */
import type { Ip } from "./addresses.ts";

/** Destinations that are remembered. Full: the oldest one is forgotten. */
export const PATHS_MAX = 256;
/** How long a smaller MTU is believed, ms. RFC 1191 section 6.3; RFC 8201 section 5.2. */
export const PATH_MTU_MS = 600_000;
/**
 * Smallest MTU that is cut to for IPv4, bytes: less would let a forger cut everything to pieces (RFC 5927 section 7). What says
 * that it is narrower still has its routers cut, see {@linkcode PathMtus.isNarrow}. As the core has it for TCP.
 */
export const PATH_MTU_MIN_BYTES = 552;
/** Smallest MTU of IPv6, bytes. RFC 8200 section 5. */
export const PATH_MTU_MIN_V6_BYTES = 1_280;
/** What is taken where a router does not tell its MTU, bytes. RFC 791: every host takes this. */
const UNTOLD_BYTES = 576;

interface Path {
  readonly mtu: number;
  /** Somebody said less than that. */
  readonly isNarrow: boolean;
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
    const isV4 = typeof destination === "number";
    const least = isV4 ? PATH_MTU_MIN_BYTES : PATH_MTU_MIN_V6_BYTES;
    const known = this.of(destination, nowMs);
    // Who does not tell it, and gets what every host takes, has less than that.
    const isUntold = mtu === 0 && (known === null || known > UNTOLD_BYTES);
    const told = isUntold ? UNTOLD_BYTES : Math.max(least, mtu);
    const isNarrow = isV4 && !isUntold && mtu < least;
    if (known !== null && known <= told && (!isNarrow || this.isNarrow(destination, nowMs))) return;
    this.#paths.delete(destination);
    const [oldest] = this.#paths.keys();
    if (this.#paths.size >= PATHS_MAX && oldest !== undefined) this.#paths.delete(oldest);
    this.#paths.set(destination, { mtu: told, isNarrow, untilMs: nowMs + PATH_MTU_MS });
  }

  /** @returns The path's MTU, bytes, or null if nothing is known of it. */
  of(destination: Ip, nowMs: number): number | null {
    return this.#find(destination, nowMs)?.mtu ?? null;
  }

  /** Whether a path is said to take less than we cut to: then nothing may go there with Don't Fragment set. */
  isNarrow(destination: Ip, nowMs: number): boolean {
    return this.#find(destination, nowMs)?.isNarrow === true;
  }

  #find(destination: Ip, nowMs: number): Path | null {
    const path = this.#paths.get(destination);
    if (path === undefined) return null;
    if (nowMs < path.untilMs) return path;
    this.#paths.delete(destination);
    return null;
  }

  /** Forgets everything: the link may be another network's now. */
  clear(): void {
    this.#paths.clear();
  }
}

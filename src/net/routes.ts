/** Where packets go: the network on the link, and one default gateway. Source: RFC 1122 section 3.3.1. */
import { broadcastOf, inSameNetwork, isUnicast } from "./addresses.ts";

/** The answer to a lookup. */
export interface Route {
  /** Our address to send from, u32. */
  readonly source: number;
  /** Whose MAC the frame gets, u32. */
  readonly nextHop: number;
}

/** The routing table of a host with one interface. */
export class Routes {
  #source = 0;
  #prefixLength = 0;
  #gateway: number | null = null;
  #configured = false;

  /**
   * Replaces everything.
   *
   * @param source Our address, u32.
   * @param prefixLength 0 to 32.
   * @param gateway Router for what is not on the link, u32; null = none. It is taken to be on the link.
   */
  configure(source: number, prefixLength: number, gateway: number | null): void {
    this.#source = source;
    this.#prefixLength = prefixLength;
    this.#gateway = gateway;
    this.#configured = true;
  }

  /** Forgets everything: no lookup finds a route until the next `configure()`. */
  clear(): void {
    this.#configured = false;
    this.#gateway = null;
  }

  /** The default gateway, u32, or null. */
  get gateway(): number | null {
    return this.#gateway;
  }

  /** Directed broadcast address of our network, u32; 0 if there is none. */
  get broadcast(): number {
    return this.#configured ? broadcastOf(this.#source, this.#prefixLength) : 0;
  }

  /** @returns True if the address can be reached without a router, or is the router's. */
  isOnLink(address: number): boolean {
    if (!this.#configured) return false;
    return address === this.#gateway || inSameNetwork(address, this.#source, this.#prefixLength);
  }

  /**
   * Finds the way to a host, and the address to send from. RFC 9293 section 3.9.1.1 (MUST-44; groups are none, MUST-46).
   *
   * @param remote u32; a unicast address.
   * @returns Null if there is no route, or if the address is our own, a group's or of a reserved kind.
   */
  lookup(remote: number): Route | null {
    if (!this.#configured || !isUnicast(remote) || remote === this.#source) return null;
    if (this.broadcast !== 0 && remote === this.broadcast) return null;
    if (this.isOnLink(remote)) return { source: this.#source, nextHop: remote };
    if (this.#gateway === null) return null;
    return { source: this.#source, nextHop: this.#gateway };
  }
}

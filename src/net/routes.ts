/** Where packets go: the networks on the link, and one default gateway. Source: RFC 1122 section 3.3.1. */
import { broadcastOf, inSameNetwork, isUnicast } from "./addresses.ts";
import type { StaticRoute } from "./interface_config.ts";

/** The answer to a lookup. */
export interface Route {
  /** Our address to send from, u32. */
  readonly source: number;
  /** Whose MAC the frame gets, u32. */
  readonly nextHop: number;
}

interface Network {
  /** Our address in it, u32. */
  readonly source: number;
  /** 0 to 32. */
  readonly prefixLength: number;
}

/** The routing table of a host with one interface. */
export class Routes {
  /** That of the configuration first. */
  #networks: Network[] = [];
  #gateway: number | null = null;
  #routes: readonly StaticRoute[] = [];

  /**
   * Sets the main network; it replaces the one before, with everything else if our address is another one.
   *
   * @param source Our address, u32.
   * @param prefixLength 0 to 32.
   * @param gateway Router for what is not on the link, u32; null = none. It is taken to be on the link.
   * @param routes Networks elsewhere. RFC 3442.
   */
  configure(
    source: number,
    prefixLength: number,
    gateway: number | null,
    routes: readonly StaticRoute[] = [],
  ): void {
    this.#routes = routes;
    const isSame = this.#networks[0]?.source === source;
    const others = isSame ? this.#networks.slice(1) : [];
    this.#networks = [{ source, prefixLength }, ...others];
    this.#gateway = gateway;
  }

  /** Adds another network on the link. @returns Its directed broadcast address, u32; 0 if there is none. */
  addNetwork(source: number, prefixLength: number): number {
    this.#networks.push({ source, prefixLength });
    return broadcastOf(source, prefixLength);
  }

  /** Takes a network away by our address in it. */
  removeNetwork(source: number): void {
    this.#networks = this.#networks.filter((network, index) => {
      return index === 0 || network.source !== source;
    });
  }

  /** Forgets everything: no lookup finds a route until the next `configure()`. */
  clear(): void {
    this.#networks = [];
    this.#gateway = null;
    this.#routes = [];
  }

  /** The default gateway, u32, or null. */
  get gateway(): number | null {
    return this.#gateway;
  }

  /** Directed broadcast address of our main network, u32; 0 if there is none. */
  get broadcast(): number {
    const [main] = this.#networks;
    return main === undefined ? 0 : broadcastOf(main.source, main.prefixLength);
  }

  /** Is it the directed broadcast address of one of our networks? */
  isBroadcast(address: number): boolean {
    if (address === 0) return false;
    return this.#networks.some(({ source, prefixLength }) =>
      broadcastOf(source, prefixLength) === address
    );
  }

  /** Length of the prefix of the network in which an address of ours is, or null. */
  prefixLengthOf(source: number): number | null {
    return this.#networks.find((network) => network.source === source)?.prefixLength ?? null;
  }

  /** @returns True if the address can be reached without a router, or is the router's. */
  isOnLink(address: number): boolean {
    if (this.#networks.length === 0) return false;
    if (address === this.#gateway || this.#routes.some(({ gateway }) => gateway === address)) {
      return true;
    }
    const network = this.#networkOf(address);
    const route = this.#routeOf(address);
    if (route === null) return network !== null;
    return route.gateway === 0 || (network !== null && network.prefixLength >= route.prefixLength);
  }

  /**
   * Finds the way to a host, and the address to send from: the one in its network, or in that of the gateway. RFC 9293 section
   * 3.9.1.1 (MUST-44; groups are none, MUST-46).
   *
   * @param remote u32; a unicast address.
   * @returns Null if there is no route, or if the address is our own, a group's or of a reserved kind.
   */
  lookup(remote: number): Route | null {
    const [main] = this.#networks;
    if (main === undefined || !isUnicast(remote) || this.isBroadcast(remote)) return null;
    if (this.#networks.some(({ source }) => source === remote)) return null;
    const network = this.#networkOf(remote);
    if (this.isOnLink(remote)) return { source: (network ?? main).source, nextHop: remote };
    const gateway = this.#routeOf(remote)?.gateway ?? this.#gateway;
    if (gateway === null) return null;
    return { source: (this.#networkOf(gateway) ?? main).source, nextHop: gateway };
  }

  /** The route with the longest prefix that an address is in. */
  #routeOf(address: number): StaticRoute | null {
    let best: StaticRoute | null = null;
    for (const route of this.#routes) {
      if (!inSameNetwork(address, route.network, route.prefixLength)) continue;
      if (best === null || route.prefixLength > best.prefixLength) best = route;
    }
    return best;
  }

  /** The network with the longest prefix that an address is in. */
  #networkOf(address: number): Network | null {
    let best: Network | null = null;
    for (const network of this.#networks) {
      if (!inSameNetwork(address, network.source, network.prefixLength)) continue;
      if (best === null || network.prefixLength > best.prefixLength) best = network;
    }
    return best;
  }
}

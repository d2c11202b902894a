/** How a stack gets its addresses, and what it has: options and shapes of the public API, without behaviour. */

/** Static configuration of the interface. */
export interface StaticAddress {
  /**
   * Our address with its prefix length, `"10.0.0.2/24"` or `"fd00::2/64"`; or several of them, of one family or of both. The
   * first of each family is its main one.
   */
  readonly cidr: string | readonly string[];
  /** Router for everything that is not on the link; one for each family. */
  readonly gateway?: string | readonly string[];
  /** Name servers of any family. */
  readonly dns?: readonly string[];
}

/**
 * How a stack gets its addresses. `"auto"`: both families, as far as the network has them: IPv4 by DHCP, IPv6 by router
 * advertisements (SLAAC). `"dhcp"`: IPv4 alone, by DHCP. `"slaac"`: IPv6 alone, by router advertisements. Or by hand; a family
 * without a static address is not spoken then.
 */
export type AddressChoice = "auto" | "dhcp" | "slaac" | StaticAddress;

/** One of our addresses. */
export interface InterfaceAddress {
  /** The address as text. */
  readonly address: string;
  /** Bits of it that name the network. */
  readonly prefixLength: number;
  /** Which IP it is of. */
  readonly family: 4 | 6;
  /** Where it is from. Every interface that speaks IPv6 has a link-local address. */
  readonly origin: "static" | "dhcp" | "slaac" | "link-local";
  /** It is not used for new connections if there is another one. RFC 4862 section 5.5.4. */
  readonly isDeprecated: boolean;
}

/** The interface's lease or static configuration. */
export interface AddressInfo {
  /** The main address: that of IPv4 if there is one, otherwise an IPv6 one. */
  readonly address: string;
  /** Of the main address's network. */
  readonly prefixLength: number;
  /** Router of the main address's family. */
  readonly gateway: string | null;
  /** Name servers of both families. */
  readonly dns: readonly string[];
  /** Our MAC address. */
  readonly mac: string;
  /** Largest packet of the main address's family, bytes. */
  readonly mtu: number;
  /** Seconds the lease of DHCP lasts; null if there is none. */
  readonly leaseSeconds: number | null;
  /** All addresses that can be used, of both families. */
  readonly addresses: readonly InterfaceAddress[];
  /** All routers, of both families. */
  readonly gateways: readonly string[];
}

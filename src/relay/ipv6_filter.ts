/**
 * What a client of the TAP mode may send by IPv6: from addresses that it has taken up first, and nothing that only a router or a
 * DHCPv6 server has to say. Source: RFC 6105 (RA guard), RFC 7113, RFC 6620 (first come, first served).
 */
import { IPV6_HEADER_BYTES } from "../layout/layout.gen.ts";
import { readIpv6 } from "../wire/address_bytes.ts";
import { read16, read32, read8, sameBytes } from "../wire/bytes.ts";
import {
  MLD_QUERY,
  MLD_V1_DONE,
  MLD_V1_REPORT,
  MLD_V2_REPORT,
  NEIGHBOR_ADVERTISEMENT,
  NEIGHBOR_SOLICITATION,
  REDIRECT,
  ROUTER_ADVERTISEMENT,
  ROUTER_SOLICITATION,
} from "../wire/icmpv6.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { type Ipv6Packet, parseIpv6Packet, PROTOCOL_ICMPV6, upperLayerOf } from "../wire/ipv6.ts";
import { parseNdOptions } from "../wire/ndp.ts";

/** Addresses that a client may send from. More: its packets are dropped and counted. */
export const IPV6_SOURCES_MAX = 16;

/** Port of DHCPv6 servers. RFC 8415 section 7.2. */
const DHCPV6_SERVER_PORT = 547;
const NEXT_HEADER_AT = 6;
const SOURCE_AT = 8;
const SOURCE_WORDS = 4;
const WORD_BYTES = 4;
/** Where options begin in a message behind its ICMP header. RFC 4861 section 4. */
const ICMP_BYTES = 8;
const ND_OPTIONS_AT: number = ICMP_BYTES + 16;
/** What is said from the unspecified address: RFC 4861, RFC 4862, RFC 3590. */
const FROM_NOBODY: readonly number[] = [
  ROUTER_SOLICITATION,
  NEIGHBOR_SOLICITATION,
  MLD_V1_REPORT,
  MLD_V1_DONE,
  MLD_V2_REPORT,
];

/** What routers alone say: RFC 4861 sections 4.2 and 4.5; whoever asks for listeners is taken for the link's one (RFC 3810 section 7.6.2). */
const ROUTERS: readonly number[] = [ROUTER_ADVERTISEMENT, REDIRECT, MLD_QUERY];

/** Why a packet is dropped. */
export type Ipv6FilterDrop =
  | "IP_FORM"
  | "SPOOFED_IP"
  | "SPOOFED_ND"
  | "ROGUE_ROUTER"
  | "DHCP_SERVER";

/** What it goes by. */
export interface Ipv6FilterOptions {
  /** MAC address of the client, 6 bytes. */
  readonly mac: Uint8Array;
  /** Takes up an address for the client. @returns False if it is another's, or can be nobody's. */
  readonly claim: (address: bigint) => boolean;
}

/** The filter of one client. */
export class Ipv6Filter {
  readonly #options: Ipv6FilterOptions;
  /** The source that was found to be its own last, as it lies. */
  readonly #last: Uint32Array = new Uint32Array(SOURCE_WORDS);

  constructor(options: Ipv6FilterOptions) {
    this.#options = options;
  }

  /**
   * Checks a packet.
   *
   * @param batch What it lies in.
   * @param at Where its header begins.
   * @param bytes What the frame has from there on.
   * @returns Why it is dropped, or null.
   */
  check(batch: Uint8Array, at: number, bytes: number): Ipv6FilterDrop | null {
    const isWhole = bytes >= IPV6_HEADER_BYTES && (read8(batch, at) >> 4) === 6 &&
      IPV6_HEADER_BYTES + read16(batch, at + 4) <= bytes;
    if (!isWhole) return "IP_FORM";
    const isUnspecified = this.#isUnspecified(batch, at + SOURCE_AT);
    if (!isUnspecified && !this.#isOwn(batch, at + SOURCE_AT)) return "SPOOFED_IP";
    const protocol = read8(batch, at + NEXT_HEADER_AT);
    if (protocol === PROTOCOL_TCP && !isUnspecified) return null;
    if (protocol === PROTOCOL_UDP && !isUnspecified) {
      return isDhcpServer(batch.subarray(at + IPV6_HEADER_BYTES, at + bytes));
    }
    const packet = parseIpv6Packet(batch.subarray(at, at + bytes));
    if (typeof packet === "string") return "IP_FORM";
    return this.#checkUpper(packet, isUnspecified);
  }

  /** RFC 7113: whatever stands before it, it is found; RFC 7112: it is in the first fragment. */
  #checkUpper(packet: Ipv6Packet, isUnspecified: boolean): Ipv6FilterDrop | null {
    if (packet.fragmentOffset !== 0) return isUnspecified ? "SPOOFED_IP" : null;
    const upper = packet.isFragment ? upperLayerOf(packet) : packet;
    if (typeof upper === "string") return "IP_FORM";
    const { protocol, payload } = upper;
    if (protocol === PROTOCOL_UDP && !isUnspecified) return isDhcpServer(payload);
    const type = protocol === PROTOCOL_ICMPV6 ? read8(payload, 0) : -1;
    if (isUnspecified && !FROM_NOBODY.includes(type)) return "SPOOFED_IP";
    if (ROUTERS.includes(type)) return "ROGUE_ROUTER";
    if (type === NEIGHBOR_SOLICITATION) return this.#isOwnMac(payload) ? null : "SPOOFED_ND";
    if (type !== NEIGHBOR_ADVERTISEMENT) return null;
    const isOwn = payload.length >= ND_OPTIONS_AT && this.#isOwnMac(payload) &&
      this.#options.claim(readIpv6(payload, ICMP_BYTES));
    return isOwn ? null : "SPOOFED_ND";
  }

  /** The MAC that a message tells is the client's. */
  #isOwnMac(payload: Uint8Array): boolean {
    const options = parseNdOptions(payload.subarray(Math.min(payload.length, ND_OPTIONS_AT)));
    if (options === null) return false;
    return [options.sourceMac, options.targetMac].every((mac) =>
      mac === null || sameBytes(mac, this.#options.mac)
    );
  }

  #isUnspecified(batch: Uint8Array, at: number): boolean {
    for (let i = 0; i < SOURCE_WORDS; i++) {
      if (read32(batch, at + (i * WORD_BYTES)) !== 0) return false;
    }
    return true;
  }

  /** Most packets come from the same address as the one before: for them nothing is made. */
  #isOwn(batch: Uint8Array, at: number): boolean {
    let isLast = true;
    for (let i = 0; i < SOURCE_WORDS; i++) {
      if (read32(batch, at + (i * WORD_BYTES)) !== this.#last[i]) isLast = false;
    }
    if (isLast) return true;
    if (!this.#options.claim(readIpv6(batch, at))) return false;
    for (let i = 0; i < SOURCE_WORDS; i++) this.#last[i] = read32(batch, at + (i * WORD_BYTES));
    return true;
  }
}

function isDhcpServer(datagram: Uint8Array): "DHCP_SERVER" | null {
  return read16(datagram, 0) === DHCPV6_SERVER_PORT ? "DHCP_SERVER" : null;
}

/** Who has which address on a network: whoever sent from it first, for as long as it is there. RFC 6620. */
export class Ipv6Owners<T> {
  readonly #owners: Map<bigint, T> = new Map();
  /** How many each has. */
  readonly #counts: Map<T, number> = new Map();
  readonly #isForeign: (address: bigint) => boolean;

  /** @param isForeign Whether an address can not be a client's: the host's own, a group's. */
  constructor(isForeign: (address: bigint) => boolean) {
    this.#isForeign = isForeign;
  }

  /** Takes an address up. @returns False if it is another's, or the owner has too many. */
  claim(address: bigint, owner: T): boolean {
    const known = this.#owners.get(address);
    if (known !== undefined) return known === owner;
    // Whoever sends from a new address with every frame is refused before anything dear is asked.
    const count = this.#counts.get(owner) ?? 0;
    if (count >= IPV6_SOURCES_MAX || this.#isForeign(address)) return false;
    this.#owners.set(address, owner);
    this.#counts.set(owner, count + 1);
    return true;
  }

  /** The owner has gone. */
  release(owner: T): void {
    this.#counts.delete(owner);
    for (const [address, other] of this.#owners) if (other === owner) this.#owners.delete(address);
  }
}

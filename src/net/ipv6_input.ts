/** What comes in by IPv6: checked, and handed to whom it is for. Source: RFC 8200, RFC 4443, RFC 4861 section 7.1. */
import { sameBytes } from "../wire/bytes.ts";
import {
  buildEthernet,
  type EthernetFrame,
  ETHERTYPE_IPV6,
  isGroupMac,
  parseEthernet,
} from "../wire/ethernet.ts";
import { ecnOf, joinIpv6 } from "../wire/fragments.ts";
import type { IcmpMessage } from "../wire/icmp.ts";
import {
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_PARAMETER_PROBLEM,
  isIcmpv6Error,
  MLD_QUERY,
  NEIGHBOR_ADVERTISEMENT,
  NEIGHBOR_SOLICITATION,
  parseIcmpv6,
  REDIRECT,
  ROUTER_ADVERTISEMENT,
  ROUTER_SOLICITATION,
} from "../wire/icmpv6.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import {
  CUT,
  type Ipv6Packet,
  type Ipv6Problem,
  parseIpv6Packet,
  PROBLEM_HEADER_CHAIN,
  PROBLEM_NEXT_HEADER,
  PROTOCOL_ICMPV6,
  PROTOCOL_NONE,
  upperLayerOf,
} from "../wire/ipv6.ts";
import {
  NA_SOLICITED,
  parseNeighborMessage,
  parseRouterAdvertisement,
  type RouterAdvertisement,
} from "../wire/ndp.ts";
import { isLinkLocalIp, isMulticastIp, isUnicastIp } from "./addresses.ts";
import type { Icmpv6 } from "./icmpv6.ts";
import type { Ipv6Addresses } from "./ipv6_addresses.ts";
import type { MulticastGroups } from "./multicast_groups.ts";
import type { Reassembly, Whole } from "./reassembly.ts";
import { type NeighborDiscovery, solicitedNode } from "./neighbor_discovery.ts";

/** Hop limit of neighbor discovery: no router lets through what has it. RFC 4861 section 3.1. */
export const ND_HOP_LIMIT = 255;
/** Hop limit of MLD. RFC 3810 section 5. */
export const MLD_HOP_LIMIT = 1;

/** To whom it is handed. */
export interface Ipv6InputOptions {
  /** Our MAC address, 6 bytes. */
  readonly mac: Uint8Array;
  readonly groups: MulticastGroups;
  readonly addresses: Ipv6Addresses;
  readonly neighbors: NeighborDiscovery;
  readonly icmp: Icmpv6;
  /** Takes a datagram. */
  readonly onUdp: (packet: Ipv6Packet) => void;
  readonly reassembly: Reassembly;
  /** Gives the core a segment that came in fragments. */
  readonly inject: (frame: Uint8Array) => void;
  /** Takes a query of MLD. */
  readonly onQuery: (message: IcmpMessage) => void;
  /** Takes what a router says. @param source Link-local. */
  readonly onAdvertisement: (advertisement: RouterAdvertisement, source: bigint) => void;
  readonly count: (reason: string) => void;
}

/** The way in. */
export class Ipv6Input {
  readonly #options: Ipv6InputOptions;

  constructor(options: Ipv6InputOptions) {
    this.#options = options;
  }

  /**
   * Takes a frame that the core handed to the host.
   *
   * @param frame From the destination MAC on; valid only during the call.
   */
  receive(frame: Uint8Array): void {
    const { count } = this.#options;
    const ethernet = parseEthernet(frame);
    if (typeof ethernet === "string") return count(ethernet);
    if (ethernet.etherType !== ETHERTYPE_IPV6) return count("ETHERTYPE");
    const packet = parseIpv6Packet(ethernet.payload);
    if (typeof packet === "string") return count(packet);
    const drop = this.#addressDrop(packet, ethernet);
    if (drop !== null) return count(drop);
    if (packet.problem !== null) return this.#tellProblem(packet, packet.problem);
    if (packet.isFragment) return this.#receiveFragment(packet, ethernet);
    this.deliver(packet, ethernet.source);
  }

  #tellProblem(packet: Ipv6Packet, { code, pointer }: Omit<Ipv6Problem, "evenToGroups">): void {
    this.#options.count("IP_PROBLEM");
    this.#options.icmp.sendError(ICMPV6_PARAMETER_PROBLEM, code, pointer, packet);
  }

  /** Takes a fragment; a segment that is whole then goes back to the core, all else to the services. */
  #receiveFragment(fragment: Ipv6Packet, { destination, source }: EthernetFrame): void {
    const { count, inject } = this.#options;
    const whole = this.#wholeOf(fragment);
    if (whole === null) return;
    const bytes = joinIpv6(whole.first, whole.headerBytes, whole.payload, whole.ecn);
    const packet = bytes === null ? "FRAGMENT_LENGTH" : parseIpv6Packet(bytes);
    if (typeof packet === "string") return count(packet);
    // What stood behind the fragment header was not looked at before.
    if (packet.problem !== null) return this.#tellProblem(packet, packet.problem);
    if (packet.isFragment) return count("FRAGMENT_NESTED");
    if (isDiscovery(packet)) return count("ND_FRAGMENT");
    if (packet.protocol !== PROTOCOL_TCP) return this.deliver(packet, source);
    inject(buildEthernet(destination, source, ETHERTYPE_IPV6, packet.packet));
  }

  /** @returns The packet that a fragment completes, or null. */
  #wholeOf(fragment: Ipv6Packet): Whole | null {
    const { packet: first, headerBytes, payload, moreFragments, fragmentOffset } = fragment;
    // RFC 6946 section 4: what is whole has nothing to do with fragments that wait.
    if (fragmentOffset === 0 && !moreFragments) {
      return { first, headerBytes, payload, ecn: ecnOf(first) };
    }
    if (fragmentOffset > 0 || upperLayerOf(fragment) !== CUT) {
      return this.#options.reassembly.take(fragment);
    }
    // RFC 8200 section 4.5: the first fragment alone tells what the packet is.
    this.#tellProblem(fragment, { code: PROBLEM_HEADER_CHAIN, pointer: 0 });
    return null;
  }

  /** Takes a whole packet. @param from MAC of the sender. */
  deliver(packet: Ipv6Packet, from: Uint8Array): void {
    const { count } = this.#options;
    if (packet.protocol === PROTOCOL_ICMPV6) return this.#receiveIcmp(packet, from);
    if (packet.protocol === PROTOCOL_UDP) {
      return packet.source === 0n ? count("IP_SOURCE") : this.#options.onUdp(packet);
    }
    count("IP_PROTOCOL");
    if (packet.protocol === PROTOCOL_NONE) return;
    // RFC 8200 section 4: an unknown next header is told to the sender.
    const pointer = packet.protocolAt;
    this.#options.icmp.sendError(ICMPV6_PARAMETER_PROBLEM, PROBLEM_NEXT_HEADER, pointer, packet);
  }

  /** @returns Why the packet's addresses forbid it, or null. */
  #addressDrop({ source, destination }: Ipv6Packet, ethernet: EthernetFrame): string | null {
    // What comes back from a switch that floods.
    if (sameBytes(ethernet.source, this.#options.mac)) return "IP_OWN";
    if ((source !== 0n && !isUnicastIp(source)) || this.#isLocal(source)) return "IP_SOURCE";
    if (isMulticastIp(destination)) {
      return this.#options.groups.has(destination) ? null : "IP_MULTICAST";
    }
    // As RFC 1122 section 3.3.6 has it of IPv4.
    if (isGroupMac(ethernet.destination)) return "IP_GROUP_FRAME";
    return this.#isLocal(destination) ? null : "IP_DESTINATION";
  }

  #receiveIcmp(packet: Ipv6Packet, from: Uint8Array): void {
    const { count } = this.#options;
    const message = parseIcmpv6(packet);
    if (typeof message === "string") return count(message);
    switch (message.type) {
      case ICMPV6_ECHO_REQUEST:
        return this.#options.icmp.answerEcho(message, packet);
      case ICMPV6_ECHO_REPLY:
        return this.#options.icmp.heardEcho(message, packet);
      case NEIGHBOR_SOLICITATION:
      case NEIGHBOR_ADVERTISEMENT:
      case ROUTER_ADVERTISEMENT:
        return this.#receiveNd(message, packet, from);
      case MLD_QUERY:
        return this.#receiveQuery(message, packet);
      case REDIRECT:
        // As of IPv4: it would let any neighbour take over our routes.
        return count("ND_REDIRECT");
      default:
    }
    if (!isIcmpv6Error(message.type)) return count("ICMPV6_TYPE");
    // RFC 4443 section 2.4 (e): no honest error is sent to a group.
    if (isMulticastIp(packet.destination)) return count("ICMPV6_GROUP");
    this.#options.icmp.passError(message, packet);
  }

  /** The checks that all messages of discovery share: RFC 4861 sections 6.1.2, 7.1.1 and 7.1.2. */
  #receiveNd(message: IcmpMessage, packet: Ipv6Packet, from: Uint8Array): void {
    const { count } = this.#options;
    const { source } = packet;
    if (packet.ttl !== ND_HOP_LIMIT) return count("ND_HOP_LIMIT");
    if (message.code !== 0) return count("ND_CODE");
    if (message.type === ROUTER_ADVERTISEMENT) {
      const advertisement = parseRouterAdvertisement(message);
      if (typeof advertisement === "string") return count(advertisement);
      if (!isLinkLocalIp(source)) return count("ND_SOURCE");
      return this.#options.onAdvertisement(advertisement, source);
    }
    const neighbor = parseNeighborMessage(message);
    if (typeof neighbor === "string") return count(neighbor);
    const { target, options } = neighbor;
    if (isMulticastIp(target)) return count("ND_TARGET");
    const isAsking = message.type === NEIGHBOR_SOLICITATION;
    const isForged = isAsking
      ? source === 0n &&
        (packet.destination !== solicitedNode(target) || options.sourceMac !== null)
      : isMulticastIp(packet.destination) && (neighbor.flags & NA_SOLICITED) !== 0;
    if (isForged) return count("ND_SOURCE");
    if (this.#options.addresses.isTentative(target)) {
      // RFC 4862 section 5.4.3: who asks from an address of its own is resolving, and is ignored.
      if (!isAsking || source === 0n) this.#options.addresses.conflict(target);
      return;
    }
    if (isAsking) {
      return this.#isLocal(target)
        ? this.#options.neighbors.onSolicitation(neighbor, source, from)
        : undefined;
    }
    if (this.#isLocal(target)) return this.#defend(target);
    this.#options.neighbors.onAdvertisement(neighbor);
  }

  /** Somebody claims an address that we use: it is counted, and the link hears us again. */
  #defend(address: bigint): void {
    this.#options.count("ND_CONFLICT");
    this.#options.neighbors.defend(address);
  }

  /** RFC 3810 section 6.2: from a link-local address, hop limit 1, Router Alert; all else is not heeded. */
  #receiveQuery(message: IcmpMessage, packet: Ipv6Packet): void {
    const isHonest = isLinkLocalIp(packet.source) && packet.ttl === MLD_HOP_LIMIT &&
      packet.hasRouterAlert;
    if (!isHonest) return this.#options.count("MLD_QUERY");
    this.#options.onQuery(message);
  }

  #isLocal(address: bigint): boolean {
    return this.#options.addresses.isReady(address);
  }
}

/** RFC 6980 section 5: what discovers neighbours never has a fragment header. */
function isDiscovery({ protocol, payload }: Ipv6Packet): boolean {
  const [type = 0] = payload;
  return protocol === PROTOCOL_ICMPV6 && type >= ROUTER_SOLICITATION && type <= REDIRECT;
}

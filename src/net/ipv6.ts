/**
 * IPv6 of an interface: its addresses, routes, neighbours and ICMPv6. TCP is in the core, and needs of all this only addresses and
 * next hops. Source: RFC 8200, RFC 8504 section 5.
 */
import { NoBuffers } from "../errors.ts";
import { buildEthernet, ETHERTYPE_IPV6 } from "../wire/ethernet.ts";
import { splitIpv6 } from "../wire/fragments.ts";
import { type IcmpMessage, TIME_EXCEEDED_REASSEMBLY } from "../wire/icmp.ts";
import {
  buildIcmpv6,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_PORT_UNREACHABLE,
  ICMPV6_TIME_EXCEEDED,
  ICMPV6_UNREACHABLE,
} from "../wire/icmpv6.ts";
import {
  buildIpv6Packet,
  IPV6_MTU_MIN_BYTES,
  ipv6MulticastMac,
  type Ipv6Packet,
  parseIpv6Packet,
  parseQuotedIpv6,
  PROTOCOL_ICMPV6,
} from "../wire/ipv6.ts";
import { routerSolicitation } from "../wire/ndp.ts";
import {
  haveSamePrefix,
  isLinkLocalIp,
  isLoopbackIp,
  isMulticastIp,
  isUnicastIp,
} from "./addresses.ts";
import type { EchoProbes } from "./echo_probes.ts";
import type { FramePort } from "./frame_port.ts";
import { Icmpv6, type QuotedHandler } from "./icmpv6.ts";
import type { SendOptions } from "./ip_layer.ts";
import { type Ipv6Address, Ipv6Addresses, isBeyondLink } from "./ipv6_addresses.ts";
import { Ipv6Input, MLD_HOP_LIMIT, ND_HOP_LIMIT } from "./ipv6_input.ts";
import { Mld } from "./mld.ts";
import type { Loopback } from "./loopback.ts";
import type { MulticastGroups } from "./multicast_groups.ts";
import { ALL_NODES, ALL_ROUTERS, NeighborDiscovery, solicitedNode } from "./neighbor_discovery.ts";
import type { PathMtus } from "./path_mtus.ts";
import type { Reassembly } from "./reassembly.ts";
import { RouterDiscovery } from "./router_advertisements.ts";
import { Slaac } from "./slaac.ts";
import { selectSource, type SourceCandidate } from "./source_selection.ts";

/** How an interface gets its IPv6 addresses. */
export interface Ipv6Config {
  /** Addresses by hand. */
  readonly addresses: readonly { readonly address: bigint; readonly prefixLength: number }[];
  /** Router by hand, or null. */
  readonly gateway: bigint | null;
  /** Name servers by hand. */
  readonly dns: readonly bigint[];
  /** Routers are asked and heeded. RFC 4862. */
  readonly autoconfigure: boolean;
  /** Secret of the identifiers, 16 bytes. RFC 7217. */
  readonly key: Uint8Array;
}

/** What IPv6 needs of its interface. */
export interface Ipv6Parts {
  readonly port: FramePort;
  readonly groups: MulticastGroups;
  /** Makes an address known to the core, or unknown. @returns False if there is no room. */
  readonly setAddress: (address: bigint, isOurs: boolean) => boolean;
  /** Takes a datagram. */
  readonly onUdp: (packet: Ipv6Packet) => void;
  readonly onUdpError: QuotedHandler;
  /** Our own echo requests. */
  readonly probes: EchoProbes;
  /** MTUs of paths, of both families. */
  readonly pathMtus: PathMtus;
  /** Largest packet of the link, as far as others than routers have told, bytes. */
  readonly linkMtu: () => number;
  /** What is from us to us. */
  readonly loopback: Loopback;
  /** Fragments of both families. */
  readonly reassembly: Reassembly;
  /** Counts a packet that is not sent. @returns False. */
  readonly dropSent: (reason: string) => false;
  readonly count: (reason: string) => void;
}

/** A way to a host. */
export interface Ipv6Route {
  /** Our address to send from. */
  readonly source: bigint;
  /** Whose MAC the frame gets. */
  readonly nextHop: bigint;
}

/** IPv6 of one interface. */
export class Ipv6 {
  readonly addresses: Ipv6Addresses;
  readonly neighbors: NeighborDiscovery;
  readonly routers: RouterDiscovery;
  readonly icmp: Icmpv6;
  /** What comes in. */
  readonly input: Ipv6Input;
  /** Something about addresses, routers or name servers has changed. */
  onChange: (() => void) | null = null;
  /** An address is ours no more. */
  onAddressLost: ((address: bigint) => void) | null = null;
  readonly #parts: Ipv6Parts;
  readonly #mld: Mld;
  #slaac: Slaac | null = null;
  #config: Ipv6Config | null = null;

  constructor(parts: Ipv6Parts) {
    this.#parts = parts;
    const { port, groups, count } = parts;
    this.routers = this.#makeRouters();
    this.neighbors = new NeighborDiscovery({
      port,
      isOnLink: (address) => this.isOnLink(address),
      sourceFor: (target) => this.#candidateFor(target)?.address ?? null,
      retransMs: () => this.routers.retransMs,
      reachableMs: () => this.routers.reachableMs,
      onHost: (address) => this.routers.removeRouter(address),
      send: (message, source, destination, mac) => {
        void this.#sendNd(message, source, destination, mac);
      },
      count,
    });
    this.addresses = this.#makeAddresses();
    this.#mld = new Mld({
      port,
      groups,
      send: (message, destination) => this.#sendMld(message, destination),
      count,
    });
    this.icmp = this.#makeIcmp();
    this.input = this.#makeInput();
  }

  #makeIcmp(): Icmpv6 {
    const { port, onUdpError, probes, pathMtus, count } = this.#parts;
    return new Icmpv6({
      port,
      isLocal: (address) => this.isLocal(address),
      send: (message, destination, source) => this.#sendIcmp(message, destination, source),
      onUdpError,
      probes,
      onTooBig: (destination, mtu) => pathMtus.lower(destination, mtu, port.clock.now()),
      count,
    });
  }

  /** Whether IPv6 is spoken at all. */
  get isStarted(): boolean {
    return this.#config !== null;
  }

  /** Whether there is an address that means something beyond the link. */
  get isConfigured(): boolean {
    return this.addresses.ready.some(isBeyondLink);
  }

  /** Whether what can be had is there: nothing is tried any more, and no router is waited for. */
  get isSettled(): boolean {
    if (this.#config === null) return true;
    if (this.addresses.all.some(({ isTentative }) => isTentative)) return false;
    return !this.#config.autoconfigure || this.routers.isSettled;
  }

  /** Whether the MAC of a router is known, or there is no router to know of. */
  get isGatewayKnown(): boolean {
    const { gateways } = this;
    if (gateways.length === 0) return true;
    return gateways.some((router) => this.neighbors.cache.macOf(router) !== null);
  }

  /** Default routers. */
  get gateways(): bigint[] {
    return this.routers.routers;
  }

  /** Largest packet, bytes. What says less than IPv6 needs was said of IPv4 alone: RFC 8200 section 5. */
  get mtu(): number {
    const { port, linkMtu } = this.#parts;
    const told = Math.min(this.routers.mtu ?? Infinity, linkMtu());
    return Math.min(port.mtu, Math.max(IPV6_MTU_MIN_BYTES, told));
  }

  /** Begins to speak IPv6; what was before is gone. */
  start(config: Ipv6Config): void {
    this.stop();
    this.#config = config;
    const { port, count } = this.#parts;
    const { clock, mac } = port;
    const { addresses } = this;
    this.#join(ALL_NODES);
    this.#slaac = new Slaac({ clock, addresses, key: config.key, mac, count });
    this.#slaac.start();
    if (config.gateway !== null) this.routers.addRouter(config.gateway);
    this.routers.addDns(config.dns);
    for (const { address, prefixLength } of config.addresses) {
      const forever = { preferredUntilMs: Infinity, validUntilMs: Infinity };
      addresses.add({ address, prefixLength, origin: "static", ...forever });
    }
    if (config.autoconfigure) this.routers.start();
  }

  /** Takes everything away. */
  stop(): void {
    if (this.#config === null) return;
    this.#config = null;
    this.#slaac?.clear();
    this.#slaac = null;
    this.addresses.clear();
    this.routers.clear();
    this.neighbors.cache.clear();
    this.#parts.groups.leave(ALL_NODES);
  }

  /** The link came back, maybe to another network: neighbours hear of us, routers are asked. */
  linkUp(): void {
    if (this.#config === null) return;
    this.#mld.linkUp();
    for (const { address } of this.addresses.ready) this.neighbors.announce(address);
    if (this.#config.autoconfigure) this.routers.start();
  }

  /** Ends all timers. */
  close(): void {
    this.stop();
    this.#mld.close();
  }

  /** Is it one of ours, and ready? */
  isLocal(address: bigint): boolean {
    return isLoopbackIp(address) || this.addresses.isReady(address);
  }

  /** Is it a neighbour's? */
  isOnLink(address: bigint): boolean {
    if (this.routers.isOnLink(address) || this.routers.routers.includes(address)) return true;
    // RFC 5942 section 4: of what others gave us, the prefix of an address says nothing of who is on the link.
    return this.addresses.all.some((ours) =>
      ours.origin === "static" && haveSamePrefix(address, ours.address, ours.prefixLength)
    );
  }

  /**
   * Finds the way to a host, and the address to send from. RFC 4861 section 5.2, RFC 6724.
   *
   * @param source One of our addresses, if it has to be that.
   * @returns Null if there is none.
   */
  lookup(remote: bigint, source?: bigint): Ipv6Route | null {
    if (!isUnicastIp(remote) || this.isLocal(remote)) return null;
    const from = source ?? this.#candidateFor(remote)?.address;
    if (from === undefined) return null;
    const nextHop = this.isOnLink(remote) ? remote : this.routers.chooseRouter();
    if (nextHop === null) return null;
    // RFC 4007 section 9: a link-local source goes nowhere but on the link.
    if (nextHop !== remote && isLinkLocalIp(from)) return null;
    return { source: from, nextHop };
  }

  /** The source for a destination, that of a group included, whether or not there is a way. */
  sourceFor(destination: bigint): bigint | null {
    if (this.isLocal(destination)) return destination;
    if (isMulticastIp(destination)) return this.#candidateFor(destination)?.address ?? null;
    return this.lookup(destination)?.source ?? null;
  }

  /** The candidate that would be the source, if there is a way; for the order of destinations. */
  candidateFor(destination: bigint): SourceCandidate<bigint> | null {
    return this.lookup(destination) === null ? null : this.#candidateFor(destination);
  }

  /** Largest packet on the way to a host, bytes. */
  pathMtu(destination: bigint): number {
    const { pathMtus, port } = this.#parts;
    return Math.min(this.mtu, pathMtus.of(destination, port.clock.now()) ?? Infinity);
  }

  /**
   * Sends a packet.
   *
   * @returns False if it was dropped, counted under its reason.
   */
  send(
    destination: bigint,
    protocol: number,
    payload: Uint8Array,
    options: SendOptions = {},
  ): boolean {
    const { dropSent } = this.#parts;
    const source = options.source ?? this.sourceFor(destination);
    if (typeof source !== "bigint") return dropSent("NO_ROUTE");
    const ttl = options.ttl === undefined ? {} : { ttl: options.ttl };
    const packet = buildIpv6Packet({ source, destination, protocol, ...ttl }, payload);
    if (this.isLocal(destination)) return this.#parts.loopback.take(packet);
    if (this.#parts.groups.has(destination) && options.loopback !== false) {
      this.#parts.loopback.take(packet);
    }
    const mtu = this.pathMtu(destination);
    const mac = options.mac ?? null;
    if (packet.length <= mtu) return this.sendPacket(destination, packet, mac, source);
    if (options.dontFragment === true) return dropSent("TOO_BIG");
    // RFC 8200 section 4.5, and RFC 7739 section 5.2: the identification can not be guessed.
    const fragments = splitIpv6(packet, mtu, this.#parts.port.random.next());
    return fragments.every((fragment) => this.sendPacket(destination, fragment, mac, source));
  }

  /** Sends what is built, to a MAC or to that of the next hop. */
  sendPacket(
    destination: bigint,
    packet: Uint8Array,
    mac: Uint8Array | null,
    source: bigint,
  ): boolean {
    const { port, dropSent } = this.#parts;
    const known = mac ?? (isMulticastIp(destination) ? ipv6MulticastMac(destination) : null);
    if (known !== null) {
      const frame = buildEthernet(known, port.mac, ETHERTYPE_IPV6, packet);
      return port.sendFrame(frame) || dropSent("SEND_FULL");
    }
    const route = this.lookup(destination, source);
    if (route === null) return dropSent("NO_ROUTE");
    return this.neighbors.cache.send(route.nextHop, packet);
  }

  /** Sends an echo request. @param rest Identifier and sequence number. */
  sendEcho(destination: bigint, rest: number, body: Uint8Array, options: SendOptions): boolean {
    const { dropSent } = this.#parts;
    const source = options.source ?? this.sourceFor(destination);
    if (typeof source !== "bigint") return dropSent("NO_ROUTE");
    const message = { type: ICMPV6_ECHO_REQUEST, code: 0, rest, body };
    const bytes = buildIcmpv6(message, source, destination);
    return this.send(destination, PROTOCOL_ICMPV6, bytes, { ...options, source });
  }

  /** Tells a sender that nobody listens on the port. */
  sendPortUnreachable(bytes: Uint8Array): void {
    const packet = parseIpv6Packet(bytes);
    if (typeof packet === "string") return;
    this.icmp.sendError(ICMPV6_UNREACHABLE, ICMPV6_PORT_UNREACHABLE, 0, packet);
  }

  /** Tells a sender that not all fragments of its packet have come in time. RFC 8200 section 4.5. */
  sendTimeExceeded(first: Uint8Array): void {
    const packet = parseQuotedIpv6(first);
    if (typeof packet === "string") return;
    this.icmp.sendError(ICMPV6_TIME_EXCEEDED, TIME_EXCEEDED_REASSEMBLY, 0, packet);
  }

  /** Takes a packet from us to us. */
  deliverLooped(bytes: Uint8Array): void {
    const packet = parseIpv6Packet(bytes);
    if (typeof packet === "string") this.#parts.count(packet);
    else this.input.deliver(packet, this.#parts.port.mac);
  }

  /** Takes a frame that the core handed to the host; it is valid only during the call. */
  receive(frame: Uint8Array): void {
    if (this.#config === null) return this.#parts.count("IPV6");
    this.input.receive(frame);
  }

  #candidateFor(destination: bigint): SourceCandidate<bigint> | null {
    return selectSource(destination, this.addresses.ready);
  }

  #sendIcmp(message: IcmpMessage, destination: bigint, source?: bigint): boolean {
    const from = source ?? this.sourceFor(destination);
    if (from === null) return this.#parts.dropSent("NO_ROUTE");
    const bytes = buildIcmpv6(message, from, destination);
    return this.send(destination, PROTOCOL_ICMPV6, bytes, { source: from });
  }

  #sendNd(
    message: IcmpMessage,
    source: bigint,
    destination: bigint,
    mac: Uint8Array | null,
  ): boolean {
    const bytes = buildIcmpv6(message, source, destination);
    const fields = { source, destination, protocol: PROTOCOL_ICMPV6, ttl: ND_HOP_LIMIT };
    return this.sendPacket(destination, buildIpv6Packet(fields, bytes), mac, source);
  }

  /** RFC 3590 section 4: from the unspecified address while there is no link-local one. */
  #sendMld(message: IcmpMessage, destination: bigint): void {
    const source = this.#linkLocal()?.address ?? 0n;
    const bytes = buildIcmpv6(message, source, destination);
    const packet = buildIpv6Packet({
      ...{ source, destination, protocol: PROTOCOL_ICMPV6 },
      ttl: MLD_HOP_LIMIT,
      routerAlert: true,
    }, bytes);
    this.sendPacket(destination, packet, null, source);
  }

  /** @returns False if the sockets have used up all groups. */
  #join(group: bigint): boolean {
    try {
      this.#parts.groups.join(group);
      return true;
    } catch (error) {
      if (!(error instanceof NoBuffers)) throw error;
      this.#parts.count("GROUPS_FULL");
      return false;
    }
  }

  #linkLocal(): Ipv6Address | undefined {
    return this.addresses.ready.find((ours) => !isBeyondLink(ours));
  }

  #makeRouters(): RouterDiscovery {
    return new RouterDiscovery({
      port: this.#parts.port,
      solicit: () => {
        // RFC 4861 section 6.3.7: without an address from the unspecified one, and then without our MAC.
        const source = this.#linkLocal()?.address ?? 0n;
        const mac = source === 0n ? null : this.#parts.port.mac;
        void this.#sendNd(routerSolicitation(mac), source, ALL_ROUTERS, null);
      },
      isReachable: (router) => !this.neighbors.cache.hasFailed(router),
      onPrefix: (prefix) => this.#slaac?.heard(prefix),
      onChange: () => this.onChange?.(),
      count: this.#parts.count,
    });
  }

  #makeInput(): Ipv6Input {
    const { port, groups, onUdp, reassembly, count } = this.#parts;
    return new Ipv6Input({
      mac: port.mac,
      groups,
      addresses: this.addresses,
      neighbors: this.neighbors,
      icmp: this.icmp,
      onUdp,
      reassembly,
      inject: (frame) => port.inject(frame),
      onQuery: (message) => this.#mld.receive(message),
      onAdvertisement: (advertisement, source) => {
        if (this.#config?.autoconfigure !== true) return count("ND_ADVERTISEMENT");
        const { sourceMac } = advertisement.options;
        if (sourceMac !== null && advertisement.lifetimeSeconds > 0) {
          this.neighbors.onRouter(source, sourceMac);
        }
        this.routers.receive(advertisement, source);
      },
      count,
    });
  }

  #makeAddresses(): Ipv6Addresses {
    const { port, groups, count, setAddress } = this.#parts;
    return new Ipv6Addresses({
      clock: port.clock,
      retransMs: () => this.routers.retransMs,
      listen: (address, on) => {
        if (on) return this.#join(solicitedNode(address));
        groups.leave(solicitedNode(address));
        return true;
      },
      solicit: (address) => this.neighbors.solicitTentative(address),
      onReady: (address) => {
        if (!setAddress(address, true)) return false;
        // The first slots are the routers': no scan of the link can fill the table before them.
        for (const router of this.gateways) this.neighbors.cache.hop(router);
        this.onChange?.();
        return true;
      },
      onGone: (address) => {
        setAddress(address, false);
        this.onAddressLost?.(address);
        this.onChange?.();
      },
      onDuplicate: (address) => {
        this.#slaac?.duplicate(address);
        this.onChange?.();
      },
      count,
    });
  }
}

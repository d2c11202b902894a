/**
 * The network services of one interface: ARP, routes, ICMP and UDP, and IPv6 with its own. TCP is in the core, and needs of
 * all this only addresses and next hops.
 */
import { NoBuffers } from "../errors.ts";
import {
  ADDRESSES_MAX,
  PUNT_ARP,
  PUNT_FRAGMENT,
  PUNT_ICMP,
  PUNT_IPV6,
  PUNT_UDP,
} from "../layout/layout.gen.ts";
import {
  broadcastMac,
  buildEthernet,
  type EthernetFrame,
  ETHERTYPE_IPV4,
  isGroupMac,
  multicastMac,
  parseEthernet,
} from "../wire/ethernet.ts";
import { UNREACHABLE_PORT } from "../wire/icmp.ts";
import {
  buildIpv4Packet,
  IPV4_BYTES,
  type Ipv4Packet,
  parseIpv4Packet,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from "../wire/ipv4.ts";
import {
  ADDRESS_ANY,
  ADDRESS_BROADCAST,
  formatIpv4,
  type Ip,
  isLoopback,
  isLoopbackIp,
  isMulticast,
  isMulticastIp,
  isUnicast,
  isUnspecified,
} from "./addresses.ts";
import type { FramePort } from "./frame_port.ts";
import { EchoProbes } from "./echo_probes.ts";
import { Icmp } from "./icmp.ts";
import { Identifications } from "./identifications.ts";
import { checkConfig, type InterfaceConfig } from "./interface_config.ts";
import { Loopback } from "./loopback.ts";
import { Igmp } from "./igmp.ts";
import type { IpLayer, IpPacket, SendOptions } from "./ip_layer.ts";
import { Ipv6 } from "./ipv6.ts";
import { joinIpv4, splitIpv4 } from "../wire/fragments.ts";
import { buildIcmp, ICMP_ECHO_REQUEST } from "../wire/icmp.ts";
import { PROTOCOL_IGMP } from "../wire/igmp.ts";
import { MulticastGroups } from "./multicast_groups.ts";
import { Neighbors } from "./neighbors.ts";
import { PathMtus } from "./path_mtus.ts";
import { Reassembly } from "./reassembly.ts";
import { Routes } from "./routes.ts";
import { sortDestinations } from "./source_selection.ts";
import { Udp } from "./udp.ts";

export { type InterfaceConfig, MTU_MIN_BYTES, type StaticRoute } from "./interface_config.ts";

/** Longest packet, bytes. RFC 791 section 3.1. */
const PACKET_MAX_BYTES = 65_535;

/** First four bits of an IPv6 packet. */
const VERSION_6 = 6;

/** What kind of interface it is. */
export interface InterfaceOptions {
  /** Every unicast destination address is ours: a gateway. Default false. */
  readonly anyAddress?: boolean;
}

/** One interface. */
export class NetworkInterface implements IpLayer {
  readonly port: FramePort;
  readonly neighbors: Neighbors;
  readonly routes: Routes = new Routes();
  readonly icmp: Icmp;
  readonly udp: Udp;
  /** Our own echo requests. */
  readonly probes: EchoProbes;
  /** Addresses, routes, neighbours and ICMP of IPv6. */
  readonly ipv6: Ipv6;
  /** Groups of both families. */
  readonly groups: MulticastGroups = new MulticastGroups();
  readonly #igmp: Igmp;
  /** What is from us to us. */
  readonly loopback: Loopback;
  /** Drops and events by name. */
  readonly counters: Record<string, number> = {};
  readonly #anyAddress: boolean;
  /** By the core's index; the first one is that of the configuration. */
  readonly #addresses: (Ip | null)[] = new Array<Ip | null>(ADDRESSES_MAX).fill(null);
  #config: InterfaceConfig | null = null;
  /** MTUs of paths, for datagrams. */
  readonly #pathMtus = new PathMtus();
  readonly #reassembly: Reassembly;
  readonly #identifications: Identifications;
  #lastDrop = "";

  /** @param port What the loop gives. */
  constructor(port: FramePort, options: InterfaceOptions = {}) {
    this.port = port;
    this.#anyAddress = options.anyAddress ?? false;
    this.neighbors = new Neighbors(port, {
      isOnLink: (address) => this.routes.isOnLink(address),
      count: (reason) => void this.dropSent(reason),
    });
    this.#identifications = new Identifications(port.random);
    this.loopback = new Loopback({
      port,
      deliver: (packet) => this.#deliverLooped(packet),
      dropSent: (reason) => this.dropSent(reason),
    });
    this.#reassembly = new Reassembly({
      clock: port.clock,
      count: (reason) => this.count(reason),
      expired: (packet) => this.#fragmentsExpired(packet),
    });
    const tooBig = (destination: Ip, mtu: number): void =>
      this.#pathMtus.lower(destination, mtu, port.clock.now());
    this.udp = new Udp(this, {
      sourceFor: (destination) => this.sourceFor(destination),
      unreachable: (packet) => this.#sendPortUnreachable(packet),
      tooBig,
      groups: this.groups,
    });
    const onUdpError = this.udp.receiveError.bind(this.udp);
    this.#igmp = new Igmp({
      port,
      groups: this.groups,
      source: () => this.#config?.address ?? ADDRESS_ANY,
      count: (reason) => this.count(reason),
    });
    this.probes = new EchoProbes({
      port,
      send: (address, rest, body, how) => this.#sendEcho(address, rest, body, how),
      count: (reason) => this.count(reason),
    });
    this.icmp = new Icmp(this, onUdpError, this.probes, tooBig, this.#anyAddress);
    this.ipv6 = new Ipv6({
      port,
      groups: this.groups,
      setAddress: (address, isOurs) => this.#setIpv6Address(address, isOurs),
      onUdp: (packet) => this.udp.receive(packet),
      onUdpError,
      probes: this.probes,
      loopback: this.loopback,
      linkMtu: () => this.mtu,
      pathMtus: this.#pathMtus,
      reassembly: this.#reassembly,
      dropSent: (reason) => this.dropSent(reason),
      count: (reason) => this.count(reason),
    });
  }

  /** The configuration, or null. */
  get config(): InterfaceConfig | null {
    return this.#config;
  }

  /** Whether it has an address of some family that means something beyond the link. */
  get isConfigured(): boolean {
    return this.#config !== null || this.ipv6.isConfigured;
  }

  /** Our addresses of both families that can be used, that of IPv4's configuration first. */
  get addresses(): readonly Ip[] {
    return this.#addresses.filter((address) => address !== null);
  }

  /** Those of IPv4, u32, that of the configuration first. */
  get ipv4Addresses(): readonly number[] {
    return this.#addresses.filter((address) => typeof address === "number");
  }

  /** Name servers of both families: those of IPv4 first, as they are nearer to what people configure. */
  get nameServers(): readonly Ip[] {
    return [...this.#config?.dns ?? [], ...this.ipv6.routers.dns];
  }

  /** Largest packet of IPv4, bytes. */
  get mtu(): number {
    return this.#config?.mtu ?? this.port.mtu;
  }

  /**
   * Sets or changes address, network, gateway and name servers. Another address makes the interface forget its
   * neighbours and added addresses; the same one keeps them.
   *
   * @throws RangeError if the values can not be a host's.
   */
  configure(config: InterfaceConfig): void {
    checkConfig(config, this.port.mtu);
    const isSame = this.#config?.address === config.address;
    if (!isSame) this.unconfigure();
    this.#config = config;
    this.routes.configure(config.address, config.prefixLength, config.gateway, config.routes);
    this.port.setMtu(this.mtu);
    this.port.setAddress(0, config.address, this.routes.broadcast);
    this.#addresses[0] = config.address;
    if (!isSame) {
      this.neighbors.addAddress(config.address);
      this.#igmp.announce();
    }
    // The first slots are the gateways': no scan of the link can fill the table before them.
    if (config.gateway !== null) this.neighbors.hop(config.gateway);
  }

  /** Takes all addresses away. Connections of theirs are the caller's concern. */
  unconfigure(): void {
    this.#addresses.forEach((address, index) => {
      if (typeof address !== "number") return;
      this.port.setAddress(index, null, 0);
      this.neighbors.removeAddress(address);
      this.#addresses[index] = null;
    });
    this.#config = null;
    this.routes.clear();
    this.port.setMtu(this.port.mtu);
    this.neighbors.clear();
    this.#pathMtus.clear();
    this.#reassembly.clear();
    this.loopback.clear();
  }

  /**
   * Adds an address next to the configured one: a gateway's name server, or one of another network on the same link.
   *
   * @param address u32.
   * @param prefixLength Of its network, 0 to 32; absent = it is in that of the configuration.
   * @throws NoBuffers if there are too many, RangeError if it is no host's address or there is no configuration.
   */
  addAddress(address: number, prefixLength?: number): void {
    if (this.isLocal(address)) return;
    if (this.#config === null || !isUnicast(address)) {
      const reason = this.#config === null
        ? "the interface has none yet"
        : "expected a unicast address";
      throw new RangeError(`Cannot add address ${formatIpv4(address)}: ${reason}`);
    }
    const index = this.#addresses.indexOf(null, 1);
    if (index < 0) {
      throw new NoBuffers(`Cannot add address ${formatIpv4(address)}: ${ADDRESSES_MAX} are in use`);
    }
    this.#addresses[index] = address;
    const broadcast = prefixLength === undefined
      ? this.routes.broadcast
      : this.routes.addNetwork(address, prefixLength);
    this.port.setAddress(index, address, broadcast);
    this.neighbors.addAddress(address);
  }

  /** Takes an added address away; the configured one goes with `unconfigure()`. */
  removeAddress(address: number): void {
    const index = this.#addresses.indexOf(address, 1);
    if (index < 0) return;
    this.#addresses[index] = null;
    this.port.setAddress(index, null, 0);
    this.routes.removeNetwork(address);
    this.neighbors.removeAddress(address);
  }

  /** Length of the prefix of one of our IPv4 addresses. */
  prefixLengthOf(address: number): number {
    return this.routes.prefixLengthOf(address) ?? this.#config?.prefixLength ?? 0;
  }

  /** Announces all addresses again: after the link came back, switches have to learn where we are. */
  announce(): void {
    for (const address of this.ipv4Addresses) this.neighbors.announce(address);
    this.#igmp.announce();
  }

  isLocal(address: Ip): boolean {
    if (isLoopbackIp(address)) return true;
    return !isUnspecified(address) && this.#addresses.includes(address);
  }

  isGroup(address: Ip): boolean {
    return isMulticastIp(address) || this.isBroadcast(address);
  }

  /** Is it a broadcast address of this link? */
  isBroadcast(address: Ip): boolean {
    if (typeof address === "bigint") return false;
    return address === ADDRESS_BROADCAST || this.routes.isBroadcast(address);
  }

  get lastDrop(): string {
    return this.#lastDrop;
  }

  count(reason: string): void {
    this.counters[reason] = (this.counters[reason] ?? 0) + 1;
  }

  /**
   * Takes a frame that the core handed to the host.
   *
   * @param frame From the destination MAC on, checksums complete; valid only during the call.
   * @param kind PUNT_ARP, PUNT_ICMP …
   */
  receive(frame: Uint8Array, kind: number): void {
    if (kind === PUNT_ARP) return this.neighbors.receive(frame);
    if (kind === PUNT_ICMP || kind === PUNT_UDP || kind === PUNT_FRAGMENT) {
      return this.#receiveIpv4(frame);
    }
    if (kind === PUNT_IPV6) return this.ipv6.receive(frame);
    this.count("PUNT_KIND");
  }

  #receiveIpv4(frame: Uint8Array): void {
    const ethernet = parseEthernet(frame);
    if (typeof ethernet === "string") return this.count(ethernet);
    if (ethernet.etherType !== ETHERTYPE_IPV4) return this.count("ETHERTYPE");
    const packet = parseIpv4Packet(ethernet.payload);
    if (typeof packet === "string") return this.count(packet);
    const drop = this.#addressDrop(packet, isGroupMac(ethernet.destination));
    if (drop !== null) return this.count(drop);
    if (packet.isFragment) this.#receiveFragment(packet, ethernet);
    else this.#deliver(packet);
  }

  /** Takes a fragment; a segment that is whole then goes back to the core, all else to the services. */
  #receiveFragment(fragment: Ipv4Packet, { destination, source }: EthernetFrame): void {
    const whole = this.#reassembly.take(fragment);
    if (whole === null) return;
    const bytes = joinIpv4(whole.first, whole.payload, whole.ecn);
    const packet = bytes === null ? "FRAGMENT_LENGTH" : parseIpv4Packet(bytes);
    if (typeof packet === "string") return this.count(packet);
    if (packet.protocol !== PROTOCOL_TCP) return this.#deliver(packet);
    this.port.inject(buildEthernet(destination, source, ETHERTYPE_IPV4, packet.packet));
  }

  /** From us to us: checked when it was built, and no address is wrong. */
  #deliverLooped(bytes: Uint8Array): void {
    if (((bytes[0] ?? 0) >> 4) === VERSION_6) return this.ipv6.deliverLooped(bytes);
    const packet = parseIpv4Packet(bytes);
    if (typeof packet === "string") this.count(packet);
    else this.#deliver(packet);
  }

  #deliver(packet: Ipv4Packet): void {
    if (packet.protocol === PROTOCOL_ICMP) return this.icmp.receive(packet);
    if (packet.protocol === PROTOCOL_UDP) return this.udp.receive(packet);
    if (packet.protocol === PROTOCOL_IGMP) return this.#igmp.receive(packet);
    this.count("IP_PROTOCOL");
  }

  /** Source: RFC 1122 section 3.2.1.3. @returns Why the packet's addresses forbid it, or null. */
  #addressDrop(packet: Ipv4Packet, isGroupFrame: boolean): string | null {
    const { source, destination } = packet;
    const isUnset = source === ADDRESS_ANY && destination === ADDRESS_BROADCAST;
    if (!isUnset && (!isUnicast(source) || this.isGroup(source) || this.isLocal(source))) {
      return "IP_SOURCE";
    }
    if (isLoopback(destination)) return "IP_DESTINATION";
    if (isMulticast(destination)) return this.groups.has(destination) ? null : "IP_MULTICAST";
    if (this.isGroup(destination)) return null;
    // RFC 1122 section 3.3.6: a packet for one host in a frame for all was made by mistake or with intent.
    if (isGroupFrame) return "IP_GROUP_FRAME";
    if (this.isLocal(destination)) return null;
    return this.#anyAddress && isUnicast(destination) ? null : "IP_DESTINATION";
  }

  send(destination: Ip, protocol: number, payload: Uint8Array, options: SendOptions = {}): boolean {
    if (typeof destination === "bigint") {
      return this.ipv6.send(destination, protocol, payload, options);
    }
    return this.sendIpv4(destination, protocol, payload, options);
  }

  sendIpv4(
    destination: number,
    protocol: number,
    payload: Uint8Array,
    options: SendOptions = {},
  ): boolean {
    const totalBytes = IPV4_BYTES + payload.length;
    const nowMs = this.port.clock.now();
    const mtu = Math.min(this.mtu, this.#pathMtus.of(destination, nowMs) ?? this.mtu);
    const isOurs = this.isLocal(destination);
    const isCut = totalBytes > mtu && !isOurs;
    if (totalBytes > PACKET_MAX_BYTES || (isCut && options.dontFragment === true)) {
      return this.dropSent("TOO_BIG");
    }
    const source = options.source ?? this.sourceFor(destination);
    if (typeof source !== "number") return this.dropSent("NO_ROUTE");
    const ttl = options.ttl === undefined ? {} : { ttl: options.ttl };
    const packet = buildIpv4Packet({ source, destination, protocol, ...ttl }, payload);
    if (isOurs) return this.loopback.take(packet);
    const isHeard = this.isBroadcast(destination) || this.groups.has(destination);
    if (isHeard && options.loopback !== false) this.loopback.take(packet);
    const mayBeCut = options.dontFragment !== true && this.#pathMtus.isNarrow(destination, nowMs);
    if (!isCut && !mayBeCut) return this.#sendPacket(destination, packet, options);
    // One that fits is a single piece: without Don't Fragment, and with an identification for the routers that cut it.
    const fragments = splitIpv4(packet, mtu, this.#identifications.next(destination));
    return fragments.every((fragment) => this.#sendPacket(destination, fragment, options));
  }

  #sendEcho(address: Ip, rest: number, body: Uint8Array, options: SendOptions): boolean {
    if (typeof address === "bigint") return this.ipv6.sendEcho(address, rest, body, options);
    const request = buildIcmp({ type: ICMP_ECHO_REQUEST, code: 0, rest, body });
    return this.sendIpv4(address, PROTOCOL_ICMP, request, options);
  }

  #sendPacket(destination: number, packet: Uint8Array, options: SendOptions): boolean {
    const mac = options.mac ?? this.#groupMac(destination);
    if (mac !== null) {
      const frame = buildEthernet(mac, this.port.mac, ETHERTYPE_IPV4, packet);
      return this.port.sendFrame(frame) || this.dropSent("SEND_FULL");
    }
    const route = this.routes.lookup(destination);
    if (route === null) return this.dropSent("NO_ROUTE");
    return this.neighbors.send(route.nextHop, packet);
  }

  dropSent(reason: string): false {
    this.#lastDrop = reason;
    this.count(reason);
    return false;
  }

  /** Our address for a destination, or null if there is no route. */
  sourceFor(destination: Ip): Ip | null {
    if (this.isLocal(destination)) return destination;
    if (typeof destination === "bigint") return this.ipv6.sourceFor(destination);
    if (this.#config === null) return null;
    if (this.isGroup(destination)) return this.#config.address;
    return this.routes.lookup(destination)?.source ?? null;
  }

  /**
   * Orders the addresses of a host, the one to be tried first at the front. RFC 6724 section 6.
   *
   * @param destinations In the order of the answer.
   */
  sortDestinations(destinations: readonly Ip[]): Ip[] {
    return sortDestinations(destinations, (destination) => {
      // What is this host itself is reached from itself, whatever the link has given us.
      if (isLoopbackIp(destination)) {
        return { address: destination, prefixLength: 0, isDeprecated: false };
      }
      if (typeof destination === "bigint") return this.ipv6.candidateFor(destination);
      const address = this.sourceFor(destination);
      if (address === null || this.#config === null) return null;
      return { address, prefixLength: this.#config.prefixLength, isDeprecated: false };
    });
  }

  /** An IPv6 address is ours, or no longer. */
  #setIpv6Address(address: bigint, isOurs: boolean): boolean {
    // Index 0 is that of the configuration.
    const index = this.#addresses.indexOf(isOurs ? null : address, 1);
    if (index < 0) return false;
    this.#addresses[index] = isOurs ? address : null;
    this.port.setAddress(index, isOurs ? address : null, 0);
    return true;
  }

  /** @param packet The first fragment. */
  #fragmentsExpired(packet: Uint8Array): void {
    if (((packet[0] ?? 0) >> 4) === VERSION_6) this.ipv6.sendTimeExceeded(packet);
    else this.icmp.sendTimeExceeded(packet);
  }

  #sendPortUnreachable(packet: IpPacket): void {
    const { destination } = packet;
    if (typeof destination === "bigint") return this.ipv6.sendPortUnreachable(packet.packet);
    this.icmp.sendUnreachable(UNREACHABLE_PORT, packet.packet, destination);
  }

  #groupMac(destination: number): Uint8Array | null {
    if (isMulticast(destination)) return multicastMac(destination);
    return this.isGroup(destination) ? broadcastMac() : null;
  }

  /** Ends all timers and closes all sockets. */
  close(): void {
    this.unconfigure();
    this.ipv6.close();
    this.udp.close();
    this.#igmp.close();
    this.probes.close();
    this.neighbors.close();
  }
}

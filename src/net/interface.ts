/**
 * The network services of one interface: ARP, routes, ICMP and UDP. TCP is in the core, and needs of all this only
 * addresses and next hops.
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
  isHostAddress,
  isMulticast,
  isMulticastIp,
  isUnicast,
} from "./addresses.ts";
import type { FramePort } from "./frame_port.ts";
import { EchoProbes } from "./echo_probes.ts";
import { Icmp } from "./icmp.ts";
import { Igmp } from "./igmp.ts";
import type { IpLayer, SendOptions } from "./ip_layer.ts";
import { joinIpv4, splitIpv4 } from "../wire/fragments.ts";
import { buildIcmp, ICMP_ECHO_REQUEST } from "../wire/icmp.ts";
import { PROTOCOL_IGMP } from "../wire/igmp.ts";
import { MulticastGroups } from "./multicast_groups.ts";
import { Neighbors } from "./neighbors.ts";
import { PathMtus } from "./path_mtus.ts";
import { Reassembly } from "./reassembly.ts";
import { Routes } from "./routes.ts";
import { Udp } from "./udp.ts";

/** Smallest MTU of IPv4, bytes. RFC 791 section 3.2. */
export const MTU_MIN_BYTES = 68;

/** Longest packet, bytes. RFC 791 section 3.1. */
const PACKET_MAX_BYTES = 65_535;
/** Identifications of packets that are cut differ by 1 to 8. */
const IDENTIFICATION_STEP_MASK = 7;

/** What makes an interface usable. Addresses are u32. */
export interface InterfaceConfig {
  /** Ours. */
  readonly address: number;
  /** 0 to 32. */
  readonly prefixLength: number;
  /** Null = nothing beyond the link. */
  readonly gateway: number | null;
  /** Name servers, in order. */
  readonly dns: readonly number[];
  /** Domains that complete short names, from `normalizeName()`. */
  readonly search?: readonly string[];
  /** Largest packet, 68 bytes to the link's. Default: the link's. */
  readonly mtu?: number;
}

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
  /** Groups of both families. */
  readonly groups: MulticastGroups = new MulticastGroups();
  readonly #igmp: Igmp;
  /** Drops and events by name. */
  readonly counters: Record<string, number> = {};
  readonly #anyAddress: boolean;
  /** By the core's index; the first one is that of the configuration. */
  readonly #addresses: (number | null)[] = new Array<number | null>(ADDRESSES_MAX).fill(null);
  #config: InterfaceConfig | null = null;
  /** MTUs of paths, for datagrams. */
  readonly #pathMtus = new PathMtus();
  readonly #reassembly: Reassembly;
  /** Identification of the last packet that was cut. */
  #identification: number;
  #lastDrop = "";

  /** @param port What the loop gives. */
  constructor(port: FramePort, options: InterfaceOptions = {}) {
    this.port = port;
    this.#anyAddress = options.anyAddress ?? false;
    this.neighbors = new Neighbors(port, {
      isOnLink: (address) => this.routes.isOnLink(address),
      count: (reason) => void this.dropSent(reason),
    });
    this.#identification = port.random.next();
    this.#reassembly = new Reassembly({
      clock: port.clock,
      count: (reason) => this.count(reason),
      expired: (packet) => void this.icmp.sendTimeExceeded(packet),
    });
    this.udp = new Udp(this, {
      sourceFor: (destination) => this.sourceFor(destination),
      unreachable: (code, packet, source) => void this.icmp.sendUnreachable(code, packet, source),
      tooBig: (destination, mtu) => this.#pathMtus.lower(destination, mtu, port.clock.now()),
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
    this.icmp = new Icmp(this, onUdpError, this.probes, this.#anyAddress);
  }

  /** The configuration, or null. */
  get config(): InterfaceConfig | null {
    return this.#config;
  }

  /** Whether it has an address. */
  get isConfigured(): boolean {
    return this.#config !== null;
  }

  /** Our addresses, u32, that of the configuration first. */
  get addresses(): readonly number[] {
    return this.#addresses.filter((address) => address !== null);
  }

  /** Largest packet, bytes. */
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
    this.routes.configure(config.address, config.prefixLength, config.gateway);
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
      if (address === null) return;
      this.port.setAddress(index, null, 0);
      this.neighbors.removeAddress(address);
      this.#addresses[index] = null;
    });
    this.#config = null;
    this.routes.clear();
    this.neighbors.clear();
    this.#pathMtus.clear();
    this.#reassembly.clear();
  }

  /**
   * Adds an address next to the configured one: a gateway's name server.
   *
   * @param address u32, on the link.
   * @throws NoBuffers if there are too many, RangeError if it is no host's address or there is no configuration.
   */
  addAddress(address: number): void {
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
    this.port.setAddress(index, address, this.routes.broadcast);
    this.neighbors.addAddress(address);
  }

  /** Takes an added address away; the configured one goes with `unconfigure()`. */
  removeAddress(address: number): void {
    const index = this.#addresses.indexOf(address, 1);
    if (index < 0) return;
    this.#addresses[index] = null;
    this.port.setAddress(index, null, 0);
    this.neighbors.removeAddress(address);
  }

  /** Announces all addresses again: after the link came back, switches have to learn where we are. */
  announce(): void {
    for (const address of this.addresses) this.neighbors.announce(address);
    this.#igmp.announce();
  }

  isLocal(address: Ip): boolean {
    if (typeof address !== "number") return false;
    return address !== ADDRESS_ANY && this.#addresses.includes(address);
  }

  isGroup(address: Ip): boolean {
    return isMulticastIp(address) || this.isBroadcast(address);
  }

  /** Is it a broadcast address of this link? */
  isBroadcast(address: Ip): boolean {
    return address === ADDRESS_BROADCAST || (address !== 0 && address === this.routes.broadcast);
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
    // IPv6 comes later.
    this.count(kind === PUNT_IPV6 ? "IPV6" : "PUNT_KIND");
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
    if (isMulticast(destination)) return this.groups.has(destination) ? null : "IP_MULTICAST";
    if (this.isGroup(destination)) return null;
    // RFC 1122 section 3.3.6: a packet for one host in a frame for all was made by mistake or with intent.
    if (isGroupFrame) return "IP_GROUP_FRAME";
    if (this.isLocal(destination)) return null;
    return this.#anyAddress && isUnicast(destination) ? null : "IP_DESTINATION";
  }

  sendIpv4(
    destination: number,
    protocol: number,
    payload: Uint8Array,
    options: SendOptions = {},
  ): boolean {
    const totalBytes = IPV4_BYTES + payload.length;
    const mtu = Math.min(
      this.mtu,
      this.#pathMtus.of(destination, this.port.clock.now()) ?? this.mtu,
    );
    const isCut = totalBytes > mtu;
    if (totalBytes > PACKET_MAX_BYTES || (isCut && options.dontFragment === true)) {
      return this.dropSent("TOO_BIG");
    }
    const source = options.source ?? this.sourceFor(destination);
    if (source === null) return this.dropSent("NO_ROUTE");
    const ttl = options.ttl === undefined ? {} : { ttl: options.ttl };
    const packet = buildIpv4Packet({ source, destination, protocol, ...ttl }, payload);
    if (!isCut) return this.#sendPacket(destination, packet, options);
    const fragments = splitIpv4(packet, mtu, this.#nextIdentification());
    return fragments.every((fragment) => this.#sendPacket(destination, fragment, options));
  }

  #sendEcho(address: Ip, rest: number, body: Uint8Array, options: SendOptions): boolean {
    if (typeof address !== "number") return this.dropSent("NO_ROUTE");
    const request = buildIcmp({ type: ICMP_ECHO_REQUEST, code: 0, rest, body });
    return this.sendIpv4(address, PROTOCOL_ICMP, request, options);
  }

  /** RFC 6864 section 4.3: none is used twice while its packet lives; the steps are of chance, so as not to be guessed. */
  #nextIdentification(): number {
    this.#identification += 1 + (this.port.random.next() & IDENTIFICATION_STEP_MASK);
    return this.#identification & 0xffff;
  }

  #sendPacket(destination: number, packet: Uint8Array, options: SendOptions): boolean {
    const mac = options.mac ?? this.#groupMac(destination);
    if (mac !== null) {
      const frame = buildEthernet(mac, this.port.mac, ETHERTYPE_IPV4, packet);
      return this.port.sendFrame(frame) || this.dropSent("SEND_FULL");
    }
    const route = this.isLocal(destination) ? null : this.routes.lookup(destination);
    if (route === null) return this.dropSent("NO_ROUTE");
    return this.neighbors.send(route.nextHop, packet);
  }

  dropSent(reason: string): false {
    this.#lastDrop = reason;
    this.count(reason);
    return false;
  }

  /** Our address for a destination, or null if there is no route. */
  sourceFor(destination: Ip): number | null {
    if (this.#config === null || typeof destination !== "number") return null;
    if (this.isGroup(destination)) return this.#config.address;
    return this.routes.lookup(destination)?.source ?? null;
  }

  #groupMac(destination: number): Uint8Array | null {
    if (isMulticast(destination)) return multicastMac(destination);
    return this.isGroup(destination) ? broadcastMac() : null;
  }

  /** Ends all timers and closes all sockets. */
  close(): void {
    this.unconfigure();
    this.udp.close();
    this.#igmp.close();
    this.probes.close();
    this.neighbors.close();
  }
}

function checkConfig(config: InterfaceConfig, linkMtu: number): void {
  const { address, prefixLength, gateway, mtu = linkMtu } = config;
  const text = `${formatIpv4(address)}/${prefixLength}`;
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > 32) {
    throw new RangeError(`Cannot configure ${text}: expected a prefix length of 0 to 32`);
  }
  if (!isHostAddress(address, prefixLength)) {
    throw new RangeError(`Cannot configure ${text}: it can not be the address of one host`);
  }
  if (gateway !== null && (!isUnicast(gateway) || gateway === address)) {
    throw new RangeError(
      `Cannot configure ${text}: gateway ${formatIpv4(gateway)} can not be another host`,
    );
  }
  if (!Number.isInteger(mtu) || mtu < MTU_MIN_BYTES || mtu > linkMtu) {
    throw new RangeError(`Cannot configure an MTU of ${mtu} bytes: expected 68 to ${linkMtu}`);
  }
}

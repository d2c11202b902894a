/** A small DHCP server for the relay's own network. Source: RFC 2131 section 4.3. */
import {
  BOOT_REPLY,
  BOOT_REQUEST,
  buildDhcp,
  DHCP_ACK,
  DHCP_CLIENT_PORT,
  DHCP_DECLINE,
  DHCP_DISCOVER,
  DHCP_INFORM,
  DHCP_NAK,
  DHCP_OFFER,
  DHCP_RELEASE,
  DHCP_REQUEST,
  DHCP_SERVER_PORT,
  type DhcpMessage,
  option16,
  option32,
  OPTION_BROADCAST,
  OPTION_CLIENT_ID,
  OPTION_DNS,
  OPTION_LEASE_SECONDS,
  OPTION_MTU,
  OPTION_REQUESTED_ADDRESS,
  OPTION_ROUTER,
  OPTION_SERVER_ID,
  OPTION_SUBNET_MASK,
  OPTION_T1_SECONDS,
  OPTION_T2_SECONDS,
  parseDhcp,
  read32Option,
} from "../wire/dhcp.ts";
import { isGroupMac } from "../wire/ethernet.ts";
import {
  ADDRESS_BROADCAST,
  broadcastOf,
  type Cidr,
  formatIpv4,
  formatMac,
  inSameNetwork,
  type Ip,
  isHostAddress,
  prefixMask,
} from "./addresses.ts";
import type { NetworkInterface } from "./interface.ts";
import type { UdpMessage, UdpSocket } from "./udp.ts";

/** Addresses that one server gives at most; a larger network's others stay unused. */
export const POOL_MAX = 4_096;
/** How long an offer is kept for its client, ms. */
export const OFFER_MS = 30_000;
/** How long a declined address is not given, ms. */
export const DECLINED_MS = 300_000;

const MS_PER_SECOND = 1_000;
const MAC_BYTES = 6;

/** What the server gives. Addresses are u32. */
export interface DhcpServerOptions {
  /** The network; only its prefix counts. */
  readonly cidr: Cidr;
  /** First address of the pool; it goes on to the end of the network, 4,096 at most. */
  readonly first: number;
  /** Last address of the pool. Default: the network's. */
  readonly last?: number;
  /** Told to clients as their router; null = none. */
  readonly gateway: number | null;
  readonly dns: readonly number[];
  /** 60 to 2^31. */
  readonly leaseSeconds: number;
  /** Told to clients, bytes. Default: not told. */
  readonly mtu?: number;
}

/** An address that is given, offered or set aside. */
interface Binding {
  readonly address: number;
  /** MAC as text; empty = declined, nobody's. */
  readonly client: string;
  readonly isOffer: boolean;
  readonly endMs: number;
}

/** The server of one interface, which must have an address: it is the server's identifier. */
export class DhcpServer {
  readonly #iface: NetworkInterface;
  readonly #options: DhcpServerOptions;
  readonly #last: number;
  /** By client; one lease each. Bounded by the pool, as each holds an address of it. */
  readonly #byClient: Map<string, Binding> = new Map();
  readonly #byAddress: Map<number, Binding> = new Map();
  #socket: UdpSocket | null = null;

  /** Calls back when a client's lease is confirmed or released; not when it ends by time, which `leaseOf()` knows. */
  onBinding: ((mac: string, address: number | null) => void) | null = null;

  /** @throws RangeError if the pool is not in the network, or the lease too short or long. */
  constructor(iface: NetworkInterface, options: DhcpServerOptions) {
    const { cidr, first, leaseSeconds } = options;
    const end = broadcastOf(cidr.address, cidr.prefixLength) - 1;
    this.#last = Math.min(options.last ?? end, end, first + POOL_MAX - 1);
    const isInside = inSameNetwork(first, cidr.address, cidr.prefixLength) &&
      isHostAddress(first, cidr.prefixLength) && first <= this.#last;
    if (!isInside) {
      throw new RangeError(
        `Cannot serve addresses from ${formatIpv4(first)}: expected a pool inside of ` +
          `${formatIpv4(cidr.address)}/${cidr.prefixLength}`,
      );
    }
    if (!(leaseSeconds >= 60 && leaseSeconds <= 0x8000_0000)) {
      throw new RangeError(`Cannot serve leases of ${leaseSeconds} s: expected 60 to 2^31`);
    }
    this.#iface = iface;
    this.#options = options;
  }

  /** Begins to answer. Idempotent. */
  start(): void {
    if (this.#socket !== null) return;
    this.#socket = this.#iface.udp.bind({ port: DHCP_SERVER_PORT });
    this.#socket.onMessage = (message) => this.#receive(message);
  }

  /** Stops answering; leases stay known. Idempotent. */
  stop(): void {
    this.#socket?.close();
    this.#socket = null;
  }

  /** @param mac 6 bytes. @returns The address that the client has leased, u32, or null. */
  leaseOf(mac: Uint8Array): number | null {
    const binding = this.#byClient.get(formatMac(mac));
    if (binding === undefined || binding.isOffer || binding.endMs <= this.#now()) return null;
    return binding.address;
  }

  #now(): number {
    return this.#iface.port.clock.now();
  }

  #drop(reason: string): void {
    this.#iface.count(reason);
  }

  #receive(datagram: UdpMessage): void {
    const message = parseDhcp(datagram.data);
    if (typeof message === "string") return this.#drop(message);
    if (message.op !== BOOT_REQUEST || isGroupMac(message.chaddr)) return this.#drop("DHCP_FORM");
    // Relay agents have no place on a network of one link.
    if (message.giaddr !== 0) return this.#drop("DHCP_RELAYED");
    const client = formatMac(message.chaddr);
    if (message.type === DHCP_DISCOVER) return this.#onDiscover(message, client);
    if (message.type === DHCP_REQUEST) return this.#onRequest(message, client);
    if (message.type === DHCP_DECLINE) return this.#onDecline(message, client);
    if (message.type === DHCP_RELEASE) return this.#onRelease(message, client, datagram.address);
    if (message.type === DHCP_INFORM) return this.#onInform(message, datagram.address);
    this.#drop("DHCP_TYPE");
  }

  /** RFC 2131 section 4.3.1. */
  #onDiscover(message: DhcpMessage, client: string): void {
    const address = this.#choose(client, read32Option(message, OPTION_REQUESTED_ADDRESS));
    if (address === null) return this.#drop("DHCP_POOL_EMPTY");
    const known = this.#byClient.get(client);
    // A new offer of an address that the client has leased does not end the lease.
    if (known === undefined || known.isOffer || known.address !== address) {
      this.#bind({ address, client, isOffer: true, endMs: this.#now() + OFFER_MS });
    }
    this.#reply(message, DHCP_OFFER, address);
  }

  /** RFC 2131 section 4.3.2: which state the client is in shows in what it fills in. */
  #onRequest(message: DhcpMessage, client: string): void {
    const server = read32Option(message, OPTION_SERVER_ID);
    const requested = read32Option(message, OPTION_REQUESTED_ADDRESS);
    if (server !== null && server !== this.#serverId()) return this.#onRefused(client);
    const wanted = requested ?? message.ciaddr;
    const held = this.#byClient.get(client)?.address ?? null;
    const isSelecting = server !== null;
    // Deviation: RFC 2131 section 4.3.2 has a server keep silent about clients in INIT-REBOOT and later of which it
    // has no record. This one rules its network alone, so after its restart it confirms what is free, as before.
    const isGood = isSelecting ? held === wanted : (held ?? wanted) === wanted;
    if (!isGood || !this.#isFree(wanted, client)) return this.#reply(message, DHCP_NAK, 0);
    const endMs = this.#now() + (this.#options.leaseSeconds * MS_PER_SECOND);
    this.#bind({ address: wanted, client, isOffer: false, endMs });
    this.onBinding?.(client, wanted);
    this.#reply(message, DHCP_ACK, wanted);
  }

  /** The client took another server's offer. */
  #onRefused(client: string): void {
    const known = this.#byClient.get(client);
    if (known?.isOffer === true) this.#unbind(known);
  }

  /** RFC 2131 section 4.3.3: somebody else uses it. Only what the client holds can be set aside by it. */
  #onDecline(message: DhcpMessage, client: string): void {
    const known = this.#byClient.get(client);
    const declined = read32Option(message, OPTION_REQUESTED_ADDRESS);
    const isForUs = read32Option(message, OPTION_SERVER_ID) === this.#serverId();
    if (!isForUs || known === undefined || known.address !== declined) {
      return this.#drop("DHCP_STATE");
    }
    this.#unbind(known);
    const endMs = this.#now() + DECLINED_MS;
    this.#byAddress.set(declined, { address: declined, client: "", isOffer: false, endMs });
    this.#drop("DHCP_DECLINED");
  }

  /** RFC 2131 section 4.3.4. The address becomes free, but is kept for this client while others are. */
  #onRelease(message: DhcpMessage, client: string, source: Ip): void {
    const known = this.#byClient.get(client);
    if (known === undefined || known.address !== message.ciaddr || source !== message.ciaddr) {
      return this.#drop("DHCP_STATE");
    }
    this.#bind({ ...known, isOffer: true, endMs: this.#now() });
    this.onBinding?.(client, null);
  }

  /** RFC 2131 section 4.3.5: configuration without a lease. */
  #onInform(message: DhcpMessage, source: Ip): void {
    if (message.ciaddr === 0 || message.ciaddr !== source) return this.#drop("DHCP_STATE");
    this.#reply(message, DHCP_ACK, 0);
  }

  /** RFC 2131 section 4.3.1: the client's own, what it asks for, a free one, the oldest that has ended. */
  #choose(client: string, requested: number | null): number | null {
    const held = this.#byClient.get(client);
    if (held !== undefined) return held.address;
    if (requested !== null && this.#isFree(requested, client)) return requested;
    for (let address = this.#options.first; address <= this.#last; address++) {
      if (!this.#byAddress.has(address) && this.#isFree(address, client)) return address;
    }
    let oldest: Binding | null = null;
    for (const binding of this.#byAddress.values()) {
      if (!this.#isFree(binding.address, client)) continue;
      if (oldest === null || binding.endMs < oldest.endMs) oldest = binding;
    }
    return oldest?.address ?? null;
  }

  /** Can the client have the address? Not the gateway's, ours, or one that another holds. */
  #isFree(address: number, client: string): boolean {
    if (address < this.#options.first || address > this.#last) return false;
    if (address === this.#options.gateway || this.#options.dns.includes(address)) return false;
    if (this.#iface.isLocal(address)) return false;
    const binding = this.#byAddress.get(address);
    return binding === undefined || binding.client === client || binding.endMs <= this.#now();
  }

  #bind(binding: Binding): void {
    const before = this.#byAddress.get(binding.address);
    if (before !== undefined) this.#unbind(before);
    const held = this.#byClient.get(binding.client);
    if (held !== undefined) this.#unbind(held);
    this.#byClient.set(binding.client, binding);
    this.#byAddress.set(binding.address, binding);
  }

  #unbind(binding: Binding): void {
    if (this.#byAddress.get(binding.address) === binding) this.#byAddress.delete(binding.address);
    if (this.#byClient.get(binding.client) === binding) this.#byClient.delete(binding.client);
  }

  #serverId(): number {
    return this.#iface.ipv4Addresses[0] ?? 0;
  }

  #reply(request: DhcpMessage, type: number, yiaddr: number): void {
    const options = new Map([[OPTION_SERVER_ID, option32(this.#serverId())]]);
    const clientId = request.options.get(OPTION_CLIENT_ID);
    // RFC 6842 section 3: a client that names itself finds its name in the answer.
    if (clientId !== undefined) options.set(OPTION_CLIENT_ID, clientId);
    if (type !== DHCP_NAK) this.#addParameters(options);
    if (yiaddr !== 0) this.#addTimes(options);
    const isNak = type === DHCP_NAK;
    const bytes = buildDhcp({
      op: BOOT_REPLY,
      type,
      xid: request.xid,
      secs: 0,
      broadcast: request.broadcast,
      ciaddr: isNak ? 0 : request.ciaddr,
      yiaddr,
      giaddr: 0,
      chaddr: request.chaddr,
      options,
    });
    // RFC 2131 section 4.1: a client that has no address yet can not be asked for its MAC, so it is told.
    const isUnicast = !isNak && (request.ciaddr !== 0 || !request.broadcast);
    const { address, prefixLength } = this.#options.cidr;
    const isNear = inSameNetwork(request.ciaddr, address, prefixLength);
    const unicast = request.ciaddr !== 0 && isNear ? request.ciaddr : yiaddr;
    const destination = isUnicast && unicast !== 0 ? unicast : ADDRESS_BROADCAST;
    const mac = request.chaddr.slice(0, MAC_BYTES);
    const how = destination === ADDRESS_BROADCAST ? {} : { mac };
    const source = this.#serverId();
    this.#socket?.send(bytes, destination, DHCP_CLIENT_PORT, { source, ...how });
  }

  #addParameters(options: Map<number, Uint8Array>): void {
    const { cidr, gateway, dns, mtu } = this.#options;
    options.set(OPTION_SUBNET_MASK, option32(prefixMask(cidr.prefixLength)));
    const broadcast = broadcastOf(cidr.address, cidr.prefixLength);
    if (broadcast !== 0) options.set(OPTION_BROADCAST, option32(broadcast));
    if (gateway !== null) options.set(OPTION_ROUTER, option32(gateway));
    if (dns.length > 0) options.set(OPTION_DNS, option32(...dns));
    if (mtu !== undefined) options.set(OPTION_MTU, option16(mtu));
  }

  /** RFC 2131 section 4.4.5: the defaults, written out. */
  #addTimes(options: Map<number, Uint8Array>): void {
    const { leaseSeconds } = this.#options;
    options.set(OPTION_LEASE_SECONDS, option32(leaseSeconds));
    options.set(OPTION_T1_SECONDS, option32(Math.floor(leaseSeconds / 2)));
    options.set(OPTION_T2_SECONDS, option32(Math.floor((leaseSeconds * 7) / 8)));
  }
}

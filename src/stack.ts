/**
 * A stack: one device, one core, one loop, and the services of its interface. Synchronous: nothing here waits for a promise,
 * so that a run over a virtual clock repeats itself. The face with promises is `api/network_stack.ts`.
 */
import { Core } from "./core/core.ts";
import { BadResource, type StackError } from "./errors.ts";
import type { Device } from "./link/device.ts";
import {
  formatIp,
  formatIpv4,
  formatMac,
  type Ip,
  isIpv4Number,
  MAC_BYTES,
} from "./net/addresses.ts";
import { DhcpClient } from "./net/dhcp_client.ts";
import type { Lease } from "./net/dhcp_lease.ts";
import { type InterfaceConfig, NetworkInterface } from "./net/interface.ts";
import type { Ipv6Config } from "./net/ipv6.ts";
import { isBeyondLink } from "./net/ipv6_addresses.ts";
import { ADDRESS_KEY_BYTES } from "./net/stable_id.ts";
import { readStatic } from "./net/static_config.ts";
import { readNameOptions } from "./net/name_settings.ts";
import { Resolver } from "./net/resolver.ts";
import type { NameOptions } from "./name_options.ts";
import type { AddressChoice, AddressInfo, InterfaceAddress, LinkState, Tuning } from "./options.ts";
import type { Clock, Timer } from "./runtime/clock.ts";
import type { Deferral } from "./runtime/deferral.ts";
import { Loop } from "./runtime/loop.ts";
import type { Random } from "./runtime/random.ts";
import { ConnectionManager, type Path } from "./tcp/manager.ts";
import { tunedConfig } from "./tcp/tuning.ts";

/** First byte of a MAC address: bit 0 marks groups, bit 1 those that nobody has registered. IEEE 802, section 8. */
const MAC_GROUP = 0x01;
const MAC_LOCAL = 0x02;

/** How long a key of Fast Open's cookies is used, ms: a day; a cookie is good for two. RFC 7413 leaves it open. */
const KEY_LIFE_MS = 86_400_000;
const KEY_BYTES = 16;

/** How long a connection waits for the family of its destination, if the other one is there already, ms. */
const FAMILY_WAIT_MS = 5_000;

/** IPv6 by what routers say alone. */
const AUTOMATIC = { addresses: [], gateway: null, dns: [], autoconfigure: true } as const;

/** Options of `openStack()`. */
export interface OpenStackOptions {
  /** The link, ready to be used; the stack owns it from here on and closes it. */
  readonly link: Device;
  /** How it gets its addresses; absent = none yet, see `stack.configure()`. */
  readonly address?: AddressChoice;
  /** Secret of IPv6 addresses, 16 bytes. Default: one of chance. */
  readonly addressKey?: Uint8Array;
  /** Time. */
  readonly clock: Clock;
  /** Source of keys, ports and identifiers. */
  readonly random: Random;
  /** How a turn is put off; default: the clock. See `LoopParts`. */
  readonly defer?: Deferral;
  /** Numbers. */
  readonly tuning?: Tuning;
  /** How names are resolved. Default: by the network's name servers. */
  readonly names?: NameOptions;
}

/** A stack without promises. */
export class Stack {
  /** Time. */
  readonly clock: Clock;
  /** Chance. */
  readonly random: Random;
  /**
   * TCP's core.
   *
   * @internal
   */
  readonly core: Core;
  /**
   * What drives it.
   *
   * @internal
   */
  readonly loop: Loop;
  /**
   * ARP, ICMP, UDP, routes.
   *
   * @internal
   */
  readonly interface: NetworkInterface;
  /**
   * TCP.
   *
   * @internal
   */
  readonly manager: ConnectionManager;
  /**
   * Names.
   *
   * @internal
   */
  readonly resolver: Resolver;
  /** Something was configured, or nothing is any more. */
  onAddress: (() => void) | null = null;
  /** The stack has ended: closed, or its core is dead. Called once. */
  onEnd: ((error: StackError) => void) | null = null;
  readonly #onLink = new Set<(state: LinkState) => void>();
  readonly #onPath = new Set<() => void>();
  #link: LinkState = { up: false, reason: "The link was not opened yet" };
  #wasUp = false;
  #dhcp: DhcpClient | null = null;
  readonly #addressKey: Uint8Array | null;
  /** Until when a family that was asked for may still come, ms. */
  #familiesUntilMs = 0;
  readonly #onFamily = new Set<() => void>();
  /** The next change of the key of Fast Open's cookies. */
  #rotation: Timer | null = null;
  #lease: Lease | null = null;
  #ended = false;

  /** See {@linkcode openStack}. */
  constructor(core: Core, options: OpenStackOptions) {
    this.clock = options.clock;
    this.random = options.random;
    this.core = core;
    const { link: device, clock, random, defer } = options;
    const deferred = defer === undefined ? {} : { defer };
    this.loop = new Loop({ core, device, clock, random, mac: core.config.mac, ...deferred });
    const anyAddress = options.tuning?.anyAddress ?? false;
    this.interface = new NetworkInterface(this.loop, { anyAddress });
    this.manager = new ConnectionManager({
      core,
      random,
      now: (canBeOld) => this.loop.now(canBeOld),
      wake: (canWait) => this.loop.wake(canWait),
      path: (remote, local) => this.#path(remote, local),
      isOurs: (address) => this.interface.isLocal(address),
    });
    this.resolver = new Resolver({
      iface: this.interface,
      settings: readNameOptions(options.names),
      dial: (remote, timeoutMs) => this.manager.connect({ remote, timeoutMs }),
    });
    this.#addressKey = options.addressKey ?? null;
    this.interface.neighbors.onFailed((slot) => this.manager.onHopFailed(slot));
    const { ipv6 } = this.interface;
    ipv6.neighbors.cache.onFailed((slot) => this.manager.onHopFailed(slot));
    ipv6.onAddressLost = (address) => this.manager.onAddressLost(address);
    ipv6.onChange = () => this.#tellAddress();
    this.loop.onEvent = (handle, bits, detail) => this.manager.onEvent(handle, bits, detail);
    this.loop.onPunt = (frame, kind) => this.#onPunt(frame, kind);
    this.loop.onLink = (up, reason) => this.#tellLink({ up, reason });
    this.loop.onFault = (fault) => this.#end(fault);
  }

  /** The interface's configuration, or null while there is none. */
  get address(): AddressInfo | null {
    return addressInfo(this.interface, this.#lease);
  }

  /** Whether the link works. */
  get link(): LinkState {
    return this.#link;
  }

  /** Whether the stack is closed or its core dead. */
  get isEnded(): boolean {
    return this.#ended;
  }

  /** Whether the gateway's MAC is known, or there is no gateway to know of. */
  get isGatewayKnown(): boolean {
    const { config, ipv6, neighbors } = this.interface;
    const gateway = config?.gateway ?? null;
    const isKnown = gateway === null || neighbors.macOf(gateway) !== null;
    // One family that works is enough.
    if (!ipv6.isConfigured) return isKnown;
    return (config !== null && isKnown) || ipv6.isGatewayKnown;
  }

  /**
   * Sets or changes the interface's address by hand. Connections of an address that is gone fail.
   *
   * @param config Address, network, gateway, name servers.
   * @throws {RangeError} If it can not be a host's.
   */
  configure(config: InterfaceConfig): void {
    const before = this.interface.config?.address;
    if (before !== undefined && before !== config.address) this.manager.onAddressLost(before);
    this.interface.configure(config);
    this.#tellAddress();
  }

  /** Begins to get addresses in one of the ways that the public API has. */
  startAddress(choice: AddressChoice): void {
    this.#familiesUntilMs = this.clock.now() + FAMILY_WAIT_MS;
    if (choice === "auto" || choice === "dhcp") this.startDhcp();
    if (choice === "auto" || choice === "slaac") this.#startIpv6(AUTOMATIC);
    if (typeof choice === "string") return;
    const { ipv4, more, ipv6 } = readStatic(choice);
    if (ipv4 !== null) this.configure(ipv4);
    for (const { address, prefixLength } of more) this.interface.addAddress(address, prefixLength);
    if (ipv6 !== null) this.#startIpv6(ipv6);
  }

  /** Begins to speak IPv6: with a link-local address, and those of the configuration. */
  #startIpv6(config: Omit<Ipv6Config, "key">): void {
    this.interface.ipv6.start({ ...config, key: this.#addressKey ?? randomKey(this.random) });
  }

  /**
   * Calls back once, as soon as a family has an address or none is expected any more, within this call or later.
   *
   * @returns The way to stop.
   */
  whenFamily(family: 4 | 6, callback: () => void): () => void {
    const { ipv6, config } = this.interface;
    const isDone = (): boolean => {
      if (this.clock.now() >= this.#familiesUntilMs || this.#ended) return true;
      return family === 6
        ? ipv6.isConfigured || ipv6.isSettled
        : config !== null || this.#dhcp === null;
    };
    if (isDone()) {
      callback();
      return () => {};
    }
    const stop = (): void => {
      timer.cancel();
      this.#onFamily.delete(look);
    };
    const look = (): void => {
      if (!isDone()) return;
      stop();
      callback();
    };
    const timer = this.clock.at(this.#familiesUntilMs, look);
    this.#onFamily.add(look);
    return stop;
  }

  /** Gets an address by DHCP and keeps it. Idempotent. */
  startDhcp(): void {
    if (this.#dhcp !== null) return;
    this.#dhcp = new DhcpClient(this.interface, {
      onLease: (lease) => this.#onLease(lease),
      onLost: () => this.#onLeaseLost(),
    });
    this.#dhcp.start();
  }

  /** Calls back on changes of the link. @returns The way to stop. */
  onLink(callback: (state: LinkState) => void): () => void {
    this.#onLink.add(callback);
    return () => void this.#onLink.delete(callback);
  }

  /**
   * Calls back once, as soon as `isGatewayKnown`, within this call or later.
   *
   * @returns The way to stop.
   */
  whenGatewayKnown(callback: () => void): () => void {
    if (this.isGatewayKnown) {
      callback();
      return () => {};
    }
    this.#onPath.add(callback);
    return () => void this.#onPath.delete(callback);
  }

  /** Counters of the core and the interface by name. */
  stats(): Record<string, number> {
    const stats = this.core.stats();
    for (const [name, value] of Object.entries(this.interface.counters)) {
      stats[`host_${name.toLowerCase()}`] = value;
    }
    return stats;
  }

  /** Aborts all connections (their RSTs are flushed), gives the lease back, closes the link. Idempotent. */
  close(): void {
    if (this.#ended) return;
    if (this.core.fault === null) {
      this.manager.closeAll();
      if (!this.loop.isBusy) this.loop.poll();
      this.#dhcp?.stop();
      if (!this.loop.isBusy) this.loop.poll();
    }
    this.#end(new BadResource("Cannot go on: the stack is closed"));
    this.loop.close();
  }

  /** Opens the link; called by `openStack()`. @param servesFast Listeners may serve Fast Open. */
  start(servesFast: boolean): void {
    this.loop.start();
    if (servesFast) this.#rotateLater();
  }

  /** Cookies are made with a secret that changes; those of the one before stay good. RFC 7413 section 4.1.2. */
  #rotateLater(): void {
    this.#rotation = this.clock.at(this.clock.now() + KEY_LIFE_MS, () => {
      const key = new Uint8Array(KEY_BYTES);
      this.random.fill(key);
      this.core.fastOpen.rotateKey(key);
      this.#rotateLater();
    });
  }

  #path(remote: Ip, local?: Ip): Path | null {
    const { ipv6 } = this.interface;
    if (this.interface.isLocal(remote)) {
      return { source: local ?? remote, hop: this.interface.loopback.hop() };
    }
    if (!isIpv4Number(remote)) {
      const wanted = local === undefined || isIpv4Number(local) ? undefined : local;
      const route = typeof local === "number" ? null : ipv6.lookup(remote, wanted);
      if (route === null) return null;
      return { source: route.source, hop: ipv6.neighbors.cache.hop(route.nextHop) };
    }
    const route = this.interface.routes.lookup(remote);
    if (route === null || typeof local === "bigint") return null;
    return { source: route.source, hop: this.interface.neighbors.hop(route.nextHop) };
  }

  #onPunt(frame: Uint8Array, kind: number): void {
    this.interface.receive(frame, kind);
    this.#tellPath();
  }

  /** Something about addresses has changed. */
  #tellAddress(): void {
    this.onAddress?.();
    for (const look of [...this.#onFamily]) look();
    this.#tellPath();
  }

  #tellPath(): void {
    if (this.#onPath.size === 0 || !this.isGatewayKnown) return;
    const callbacks = [...this.#onPath];
    this.#onPath.clear();
    for (const callback of callbacks) callback();
  }

  #tellLink(state: LinkState): void {
    this.#link = state;
    if (state.up && this.#wasUp) {
      // It may be another network, and switches have forgotten us.
      if (this.#dhcp === null) this.interface.announce();
      else this.#dhcp.linkUp();
      this.interface.ipv6.linkUp();
    }
    this.#wasUp ||= state.up;
    for (const callback of [...this.#onLink]) callback(state);
  }

  /** The client has configured the interface. */
  #onLease(lease: Lease): void {
    const before = this.#lease;
    if (before !== null && before.address !== lease.address) this.#onLeaseLost();
    this.#lease = lease;
    this.#tellAddress();
  }

  #onLeaseLost(): void {
    const before = this.#lease;
    if (before === null) return;
    this.#lease = null;
    this.resolver.clearCache();
    this.manager.onAddressLost(before.address);
    this.#tellAddress();
  }

  #end(error: StackError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#rotation?.cancel();
    this.#onPath.clear();
    for (const look of [...this.#onFamily]) look();
    this.manager.end(error);
    this.#dhcp?.stop();
    this.resolver.close();
    this.interface.close();
    this.onEnd?.(error);
  }
}

/**
 * Opens a stack.
 *
 * @param module The compiled core; see `core/wasm_source.ts`.
 * @param options Link, address, time, chance.
 * @returns A stack whose link is open and whose address, if a static one was given, is configured.
 * @throws {TypeError} If a value is not of its type, or the module is another version's.
 * @throws {RangeError} If a value is out of range, or the memory can not be had.
 * @example
 * ```ts
 * const clock = new VirtualClock();
 * const [left, right] = pipe({ clock });
 * const stack = openStack(module, {
 *   link: left,
 *   address: { cidr: "10.0.0.1/24" },
 *   clock,
 *   random: seededRandom(1),
 * });
 * ```
 */
export function openStack(module: WebAssembly.Module, options: OpenStackOptions): Stack {
  const { link, random, tuning = {} } = options;
  const { address } = options;
  // Before the core is made: a mistake in it should cost nothing.
  if (typeof address === "object") readStatic(address);
  const config = tunedConfig(tuning, link.mac ?? makeMac(random), link.mtu);
  const stack = new Stack(Core.start(module, config, random), options);
  stack.start(tuning.fastOpen === true);
  if (address !== undefined) stack.startAddress(address);
  return stack;
}

/** What of an interface the public API shows; null while there is no address. */
function addressInfo(iface: NetworkInterface, lease: Lease | null): AddressInfo | null {
  const { config, ipv6 } = iface;
  const ready = ipv6.addresses.ready;
  const main6 = ready.find(isBeyondLink);
  if (config === null && main6 === undefined) return null;
  const gateways4 = config === null || config.gateway === null ? [] : [config.gateway];
  const gateways6 = ipv6.gateways;
  const [gateway] = config === null ? gateways6 : gateways4;
  const addresses4 = iface.ipv4Addresses.map((address): InterfaceAddress => ({
    address: formatIpv4(address),
    prefixLength: iface.prefixLengthOf(address),
    family: 4,
    origin: lease?.address === address ? "dhcp" : "static",
    isDeprecated: false,
  }));
  const addresses6 = ready.map(({ address, prefixLength, origin, isDeprecated }) =>
    ({ address: formatIp(address), prefixLength, family: 6, origin, isDeprecated }) as const
  );
  return {
    address: formatIp(config?.address ?? main6?.address ?? 0),
    prefixLength: config?.prefixLength ?? main6?.prefixLength ?? 0,
    gateway: gateway === undefined ? null : formatIp(gateway),
    dns: iface.nameServers.map(formatIp),
    mac: formatMac(iface.port.mac),
    mtu: config === null ? ipv6.mtu : iface.mtu,
    leaseSeconds: lease?.leaseSeconds ?? null,
    addresses: [...addresses4, ...addresses6],
    gateways: [...gateways4, ...gateways6].map(formatIp),
  };
}

function randomKey(random: Random): Uint8Array {
  const key = new Uint8Array(ADDRESS_KEY_BYTES);
  random.fill(key);
  return key;
}

/** A MAC address that nobody has registered, for a link that assigns none. */
function makeMac(random: Random): Uint8Array {
  const mac = new Uint8Array(MAC_BYTES);
  random.fill(mac);
  mac[0] = ((mac[0] ?? 0) & ~MAC_GROUP) | MAC_LOCAL;
  return mac;
}

/**
 * TAP mode: one TAP device of the kernel, many clients. A frame goes where its destination MAC address says; what is for a
 * group goes to all, but never from one client to another. With DHCP, a stack of ours stands on the TAP beside the clients.
 */
import { getServers } from "node:dns";
import { networkInterfaces } from "node:os";
import type { Clock } from "../runtime/clock.ts";
import { REAL_TIME } from "../runtime/deferral.ts";
import type { Random } from "../runtime/random.ts";
import { coreModule } from "../core/wasm_source.ts";
import type { Device, DeviceSink } from "../link/device.ts";
import { Merger, Splitter } from "../link/edge.ts";
import { BATCH_BYTES, frameBytesAt, RECORD_HEADER_BYTES } from "../link/records.ts";
import {
  ADDRESS_BITS,
  type Cidr,
  formatIpv4,
  formatMac,
  inSameNetwork,
  type Ip,
  isIpv4,
  isLoopback,
  isUnicast,
  isUnicastIp,
  parseIpv4,
  prefixMask,
  tryParseIp,
} from "../net/addresses.ts";
import { DhcpServer } from "../net/dhcp_server.ts";
import { openStack, type Stack } from "../stack.ts";
import { read16, read32 } from "../wire/bytes.ts";
import { DHCP_ACK, DHCP_SERVER_PORT, parseDhcp } from "../wire/dhcp.ts";
import { ETHERTYPE_IPV4 } from "../wire/ethernet.ts";
import { PROTOCOL_UDP } from "../wire/ipv4.ts";
import { guardedClock } from "./guarded_clock.ts";
import { Ipv6Owners } from "./ipv6_filter.ts";
import type { Log } from "./log.ts";
import type { ControlMessage } from "./protocol.ts";
import { remembered } from "./remembered.ts";
import type { Member, RelayNetwork } from "./server.ts";
import { Session } from "./session.ts";

/** Addresses below this one of a network are left to people: routers, printers, the TAP itself. */
const FIRST_LEASE_OFFSET = 100;

const LEASE_SECONDS = 3_600;

/** Linear memory of the stack that serves DHCP, MiB. */
const MEMORY_MIB = 16;

/** How long the kernel's own IPv6 addresses are remembered, ms: to ask takes 70 µs, and clients decide how often. */
const KERNEL_IPV6_MS = 1_000;

const DNS_SERVERS_MAX = 3;
const ETHERNET_BYTES = 14;
const UDP_BYTES = 8;
const MAC_LOW_RANGE = 0x1_0000_0000;

/** Options of {@linkcode tapNetwork}. */
export interface TapNetworkOptions {
  /** The TAP, or what captures it; closed with the network. */
  readonly tap: Device;
  /** Name of the TAP, by which the kernel's address on it is found. */
  readonly name: string;
  /** Our address and network, if we serve DHCP. */
  readonly dhcp?: Cidr;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What is on one side of the bridge. */
type Origin = "tap" | "client" | "station";

/** Where a record goes; null = nowhere. */
type Place = Session | "tap" | "station" | "group" | null;

/**
 * Makes the network of the TAP mode.
 *
 * @returns Joins each client to the TAP.
 */
export async function tapNetwork(options: TapNetworkOptions): Promise<RelayNetwork> {
  const bridge = new Bridge(options);
  if (options.dhcp !== undefined) await bridge.serve(options.dhcp);
  return bridge;
}

/** The end of our own stack. */
class Station implements Device {
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly offload: number;
  sink: DeviceSink | null = null;
  readonly #bridge: Bridge;

  constructor(bridge: Bridge, mtu: number, mac: Uint8Array) {
    this.#bridge = bridge;
    this.mtu = mtu;
    this.mac = mac;
    this.offload = bridge.offload;
  }

  open(sink: DeviceSink): void {
    this.sink = sink;
    sink.up();
  }

  room(): number {
    return BATCH_BYTES;
  }

  send(batch: Uint8Array): void {
    this.#bridge.distribute(batch, "station");
  }

  close(): void {
    this.sink = null;
  }
}

class Bridge implements RelayNetwork {
  readonly mode = "tap";
  readonly mtu: number;
  readonly offload: number;
  /** Frames of one client for another. */
  blocked = 0;
  readonly #options: TapNetworkOptions;
  readonly #tap: Device;
  readonly #sessions = new Map<number, Session>();
  /** Addresses that a DHCP server has confirmed, by the client's MAC. Clients that are gone are taken out. */
  readonly #leases = new Map<string, number>();
  /** Whose IPv6 addresses are whose. */
  readonly #ipv6Owners = new Ipv6Owners<Session>((address) => {
    if (!isUnicastIp(address) || this.#kernelIpv6().has(address)) return true;
    // Before one is given away, which happens to a client a few times only: the kernel may have it since a moment ago.
    return kernelIpv6(this.#options.name).has(address);
  });
  /** The host's own IPv6 addresses on the TAP. */
  readonly #kernelIpv6: () => ReadonlySet<Ip>;
  readonly #touched = new Set<Session>();
  /** For clients that understand less than the TAP, by what they understand. */
  readonly #splitters = new Map<number, Splitter>();
  readonly #mergers = new Map<number, Merger>();
  #station: Station | null = null;
  #stationMac = -1;
  #stack: Stack | null = null;
  #dhcp: DhcpServer | null = null;

  constructor(options: TapNetworkOptions) {
    this.#options = options;
    this.#kernelIpv6 = remembered(options.clock, KERNEL_IPV6_MS, () => kernelIpv6(options.name));
    this.#tap = options.tap;
    this.mtu = options.tap.mtu;
    this.offload = options.tap.offload ?? 0;
    this.#tap.open({
      receive: (batch) => this.distribute(batch, "tap"),
      // A TAP always has room.
      ready: () => {},
      up: () => options.log("tap_up", { name: options.name }),
      down: (reason) => options.log("tap_down", { name: options.name, reason }),
    });
  }

  join(session: Session): Promise<Member> {
    const key = macKey(session.clientMac, 0);
    const text = formatMac(session.clientMac);
    this.#sessions.set(key, session);
    session.isOwnAddress = (address) => {
      const lease = this.#dhcp?.leaseOf(session.clientMac) ?? this.#leases.get(text) ?? null;
      // Without a lease the address is static, and nobody knows it.
      return lease === null ? isUnicast(address) : address === lease;
    };
    session.claimIpv6 = (address) => this.#ipv6Owners.claim(address, session);
    session.open({
      receive: (batch) => this.distribute(this.#merged(batch, session.offload), "client"),
      ready: () => {},
      up: () => {},
      down: () => {},
    });
    return Promise.resolve({
      control: (message) => refusePublish(session, message),
      stats: () => ({ blocked: this.blocked }),
      close: () => {
        this.#sessions.delete(key);
        this.#leases.delete(text);
        this.#ipv6Owners.release(session);
        session.close();
      },
    });
  }

  /** Puts a stack with a DHCP server on the TAP. */
  async serve(cidr: Cidr): Promise<void> {
    const { random, name, log } = this.#options;
    const clock = guardedClock(
      this.#options.clock,
      (error) => log("dhcp_failed", { reason: error instanceof Error ? error.message : "" }),
    );
    const mac = new Uint8Array(6);
    random.fill(mac);
    mac[0] = 0x02;
    const station = new Station(this, this.mtu, mac);
    this.#station = station;
    this.#stationMac = macKey(mac, 0);
    this.#stack = openStack(await coreModule(), {
      link: station,
      address: { cidr: `${formatIpv4(cidr.address)}/${cidr.prefixLength}` },
      clock,
      random,
      defer: REAL_TIME,
      tuning: { memoryMiB: MEMORY_MIB },
    });
    const hostBits = ADDRESS_BITS - cidr.prefixLength;
    const offset = hostBits > 7 ? FIRST_LEASE_OFFSET : 1;
    const network = (cidr.address & prefixMask(cidr.prefixLength)) >>> 0;
    this.#dhcp = new DhcpServer(this.#stack.interface, {
      cidr,
      first: network + offset,
      // Asked for each answer: an interface that was just attached runs a moment later only.
      get gateway(): number | null {
        return kernelAddress(name, cidr);
      },
      dns: reachableServers(),
      leaseSeconds: LEASE_SECONDS,
      mtu: this.mtu,
    });
    this.#dhcp.start();
  }

  close(): Promise<void> {
    this.#dhcp?.stop();
    this.#stack?.close();
    this.#tap.close();
    return Promise.resolve();
  }

  /**
   * Sends each record where its frame belongs: neighbours that go the same way go together.
   *
   * @param batch Whole, valid records.
   */
  distribute(batch: Uint8Array, origin: Origin): void {
    let run: Place = null;
    let runAt = 0;
    let at = 0;
    while (at < batch.length) {
      const frameBytes = frameBytesAt(batch, at);
      if (frameBytes < ETHERNET_BYTES) break;
      const end = at + RECORD_HEADER_BYTES + frameBytes;
      const place = this.#placeOf(batch, at, end, origin);
      if (place !== run || place === "group") {
        this.#hand(batch, runAt, at, run, origin);
        run = place;
        runAt = at;
      }
      at = end;
    }
    this.#hand(batch, runAt, at, run, origin);
    for (const session of this.#touched) session.flush();
    this.#touched.clear();
  }

  #placeOf(batch: Uint8Array, at: number, end: number, origin: Origin): Place {
    const frameAt = at + RECORD_HEADER_BYTES;
    if (origin === "tap") this.#snoop(batch, frameAt, end);
    if (((batch[frameAt] ?? 0) & 1) !== 0) return "group";
    const destination = macKey(batch, frameAt);
    if (destination === this.#stationMac) return origin === "station" ? null : "station";
    const session = this.#sessions.get(destination);
    if (session === undefined) return origin === "tap" ? null : "tap";
    if (origin !== "client") return session;
    this.blocked++;
    return null;
  }

  /** Gives a run of records to whom it is for. */
  #hand(batch: Uint8Array, start: number, end: number, place: Place, origin: Origin): void {
    if (place === null || start === end) return;
    if (place instanceof Session) return this.#toSession(place, batch, start, end);
    const isForTap = place === "tap" || (place === "group" && origin !== "tap");
    const isForStation = place === "station" || (place === "group" && origin !== "station");
    const records = batch.subarray(start, end);
    if (isForStation) this.#station?.sink?.receive(records);
    if (place === "group" && origin !== "client") {
      for (const session of this.#sessions.values()) this.#toSession(session, batch, start, end);
    }
    if (isForTap) this.#tap.send(records);
  }

  #toSession(session: Session, batch: Uint8Array, start: number, end: number): void {
    this.#touched.add(session);
    if (session.offload === this.offload) return session.queue(batch, start, end);
    const splitter = this.#splitterFor(session.offload);
    splitter.load(batch.subarray(start, end));
    while (splitter.pending) {
      const records = splitter.next(BATCH_BYTES);
      if (records.length === 0) return;
      session.queue(records, 0, records.length);
    }
  }

  #splitterFor(offload: number): Splitter {
    let splitter = this.#splitters.get(offload);
    if (splitter === undefined) {
      splitter = new Splitter({ from: this.offload, to: offload });
      this.#splitters.set(offload, splitter);
    }
    return splitter;
  }

  /** What a client sent segment by segment costs the kernel less as super-segments. */
  #merged(batch: Uint8Array, offload: number): Uint8Array {
    const isOne = RECORD_HEADER_BYTES + frameBytesAt(batch, 0) === batch.length;
    if (offload === this.offload || isOne) return batch;
    let merger = this.#mergers.get(offload);
    if (merger === undefined) {
      merger = new Merger({ from: offload, to: this.offload });
      this.#mergers.set(offload, merger);
    }
    return merger.merge(batch);
  }

  /** Learns from another DHCP server on the network which address a client has. */
  #snoop(batch: Uint8Array, frameAt: number, end: number): void {
    if (batch[frameAt + 23] !== PROTOCOL_UDP || read16(batch, frameAt + 12) !== ETHERTYPE_IPV4) {
      return;
    }
    const udpAt = frameAt + ETHERNET_BYTES + (((batch[frameAt + ETHERNET_BYTES] ?? 0) & 0x0f) * 4);
    if (read16(batch, udpAt) !== DHCP_SERVER_PORT || udpAt + UDP_BYTES > end) return;
    const message = parseDhcp(batch.subarray(udpAt + UDP_BYTES, end));
    if (typeof message === "string" || message.type !== DHCP_ACK || message.yiaddr === 0) return;
    const session = this.#sessions.get(macKey(message.chaddr, 0));
    if (session !== undefined) this.#leases.set(formatMac(session.clientMac), message.yiaddr);
  }
}

/** The host's own IPv6 addresses on the TAP. */
function kernelIpv6(name: string): ReadonlySet<Ip> {
  const own = networkInterfaces()[name] ?? [];
  const addresses = own.map(({ address }) => tryParseIp(address.split("%")[0] ?? ""));
  return new Set(addresses.filter((address) => address !== null));
}

/** In TAP mode the kernel reaches clients by their own addresses. */
function refusePublish(session: Session, message: ControlMessage): void {
  if (message["type"] !== "publish" && message["type"] !== "unpublish") return;
  session.sendControl({
    type: "error",
    code: "EACCES",
    message: "In TAP mode nothing is published: the client's own address can be reached",
    id: message["id"],
  });
}

/** A MAC address as one exact number. */
function macKey(bytes: Uint8Array, at: number): number {
  return (read16(bytes, at) * MAC_LOW_RANGE) + read32(bytes, at + 2);
}

/** The kernel's address on the TAP, which is the clients' router; null if it has none in the network. */
function kernelAddress(name: string, cidr: Cidr): number | null {
  for (const { address, family } of networkInterfaces()[name] ?? []) {
    if (family !== "IPv4") continue;
    const found = parseIpv4(address);
    const isInside = inSameNetwork(found, cidr.address, cidr.prefixLength);
    if (isInside && found !== cidr.address) return found;
  }
  return null;
}

/** Those of the host's name servers that clients could reach too. */
function reachableServers(): number[] {
  const servers = getServers().filter((server) => isIpv4(server)).map((server) =>
    parseIpv4(server)
  );
  return servers.filter((server) => !isLoopback(server)).slice(0, DNS_SERVERS_MAX);
}

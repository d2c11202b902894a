/**
 * User mode: each client has a network of its own, 10.0.2.0/24, with a gateway that is a stack of ours. It answers ARP, DHCP
 * and DNS, takes every SYN, dials an ordinary socket, and splices. Nothing here needs privileges.
 */
import { networkInterfaces } from "node:os";
import type { Clock } from "../runtime/clock.ts";
import { REAL_TIME } from "../runtime/deferral.ts";
import type { Random } from "../runtime/random.ts";
import { coreModule } from "../core/wasm_source.ts";
import type { Device } from "../link/device.ts";
import { frameBytesAt, OFFLOAD_ALL, RECORD_HEADER_BYTES } from "../link/records.ts";
import { inSameNetwork, parseIpv4 } from "../net/addresses.ts";
import { DhcpServer } from "../net/dhcp_server.ts";
import type { UnclaimedMessage } from "../net/udp.ts";
import { openStack, type Stack } from "../stack.ts";
import type { Connection } from "../tcp/connection.ts";
import type { AskedConnection } from "../tcp/listener.ts";
import { read16, read32 } from "../wire/bytes.ts";
import { DNS_PORT } from "../wire/dns.ts";
import { ETHERTYPE_IPV4 } from "../wire/ethernet.ts";
import { UNREACHABLE_PROHIBITED } from "../wire/icmp.ts";
import { IPV4_BYTES, PROTOCOL_TCP } from "../wire/ipv4.ts";
import { Dialer } from "./dialer.ts";
import { DnsProxy } from "./dns_proxy.ts";
import { DNS_ADDRESS, type EgressPolicy, GATEWAY_ADDRESS } from "./egress.ts";
import { guardedClock } from "./guarded_clock.ts";
import type { Log } from "./log.ts";
import type { ControlMessage } from "./protocol.ts";
import { Publisher, type PublishPolicy } from "./publish.ts";
import { remembered } from "./remembered.ts";
import type { Member, RelayNetwork } from "./server.ts";
import type { Session } from "./session.ts";

/** The network of every client. */
const NETWORK = { address: GATEWAY_ADDRESS, prefixLength: 24 } as const;

/** First address that is leased, and the only one in use. */
const FIRST_LEASE: number = parseIpv4("10.0.2.15");

/** Always the same, so that a client which still knows it after the relay was started again is answered with RST. */
const GATEWAY_MAC: readonly number[] = [0x52, 0x55, 0x0a, 0x00, 0x02, 0x02];

const LEASE_SECONDS = 86_400;

/** Largest IP packet, bytes. */
const MTU = 1500;

/** Linear memory of one gateway, MiB; pages that are not used cost nothing. */
const MEMORY_MIB = 32;

/** Connections that the client has not completed. The core's bound of parked SYNs is lower. */
const BACKLOG = 1_024;

/** How long the host's own addresses are remembered, ms. */
const OWN_ADDRESSES_MS = 5_000;

/** Fields of a TCP header. RFC 9293 section 3.1. */
const TCP_FLAGS_OFFSET = 13;
const TCP_FLAG_SYN = 0x02;
const ETHERNET_BYTES = 14;
/** Bytes behind the IP header that an ICMP error quotes. RFC 792. */
const QUOTED_BYTES = 8;

/** Options of {@linkcode userNetwork}. */
export interface UserNetworkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What may be reached; the host's own addresses are added. */
  readonly egress: Omit<EgressPolicy, "ownAddresses">;
  readonly publish: PublishPolicy;
  /** Puts something between each gateway and its client: a capture. */
  readonly decorate?: (device: Device) => Device;
  /** Largest IP packet, bytes. Default 1500. */
  readonly mtu?: number;
  /** Name servers, for tests. Default: the host's. */
  readonly nameServers?: readonly string[];
}

/**
 * Makes the network of the user mode.
 *
 * @returns Joins each client to a gateway of its own.
 */
export function userNetwork(options: UserNetworkOptions): RelayNetwork {
  const own = remembered(options.clock, OWN_ADDRESSES_MS, ownAddresses);
  const policy = (): EgressPolicy => ({ ...options.egress, ownAddresses: own() });
  return {
    mode: "user",
    mtu: options.mtu ?? MTU,
    offload: OFFLOAD_ALL,
    async join(session) {
      return new Gateway(await coreModule(), session, options, policy);
    },
    close: () => Promise.resolve(),
  };
}

/** One client's gateway. */
class Gateway implements Member {
  readonly #session: Session;
  readonly #stack: Stack;
  readonly #dhcp: DhcpServer;
  readonly #dns: DnsProxy;
  readonly #dialer: Dialer;
  readonly #publisher: Publisher;
  #lease: number | null = null;
  #closed = false;

  constructor(
    module: WebAssembly.Module,
    session: Session,
    options: UserNetworkOptions,
    policy: () => EgressPolicy,
  ) {
    this.#session = session;
    const clock = guardedClock(options.clock, (error) => this.#failed(error));
    const { random, log } = options;
    session.mac = Uint8Array.from(GATEWAY_MAC);
    session.isOwnAddress = (address) => this.#isClients(address);
    this.#stack = openStack(module, {
      link: options.decorate?.(session) ?? session,
      address: { cidr: "10.0.2.2/24" },
      clock,
      random,
      defer: REAL_TIME,
      tuning: { anyAddress: true, memoryMiB: MEMORY_MIB },
    });
    const { interface: services, manager } = this.#stack;
    this.#stack.onEnd = (error) => this.#failed(error);
    services.addAddress(DNS_ADDRESS);
    this.#dhcp = this.#serveDhcp();
    services.udp.onUnclaimed = (message) => this.#refuseDatagram(message);
    const socket = services.udp.bind({ port: DNS_PORT, address: DNS_ADDRESS });
    const payloadMax = session.mtu - IPV4_BYTES - QUOTED_BYTES;
    const servers = options.nameServers === undefined ? {} : { servers: options.nameServers };
    this.#dns = new DnsProxy({ socket, clock, random, payloadMax, ...servers });
    const listener = manager.listen({
      port: 0,
      anyPort: true,
      families: "ipv4",
      decide: "host",
      backlog: BACKLOG,
    });
    this.#dialer = new Dialer(listener, {
      policy,
      clock,
      log,
      client: session.id,
      quote: (asked) => quoteSyn(session.arrived, asked),
      unreachable: (code, quoted) => void services.icmp.sendUnreachable(code, quoted),
    });
    this.#publisher = new Publisher({
      policy: options.publish,
      log,
      client: session.id,
      reply: (message) => session.sendControl(message),
      connect: (port, timeoutMs) => this.#connect(port, timeoutMs),
      adopt: (splice) => this.#dialer.adopt(splice),
      drop: (splice) => this.#dialer.drop(splice),
    });
  }

  control(message: ControlMessage): void {
    this.#publisher.control(message);
  }

  stats(): Record<string, number> {
    const { counters, flows } = this.#dialer;
    return { flows, ...counters, ...this.#dns.counters, ...this.#stack.stats() };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#publisher.close();
    this.#dialer.close();
    this.#dns.close();
    this.#dhcp.stop();
    // Flushes the resets and closes the session's device.
    this.#stack.close();
  }

  #serveDhcp(): DhcpServer {
    const dhcp = new DhcpServer(this.#stack.interface, {
      cidr: NETWORK,
      first: FIRST_LEASE,
      gateway: GATEWAY_ADDRESS,
      dns: [DNS_ADDRESS],
      leaseSeconds: LEASE_SECONDS,
      mtu: this.#session.mtu,
    });
    // The filter has seen to it that clients ask for themselves alone.
    dhcp.onBinding = (_mac, address) => {
      this.#lease = address;
    };
    dhcp.start();
    return dhcp;
  }

  /** The lease; before there is one, as after the relay was started again, any address of the network but ours. */
  #isClients(address: number): boolean {
    if (this.#lease !== null) return address === this.#lease;
    return inSameNetwork(address, NETWORK.address, NETWORK.prefixLength) &&
      address >= FIRST_LEASE && (address & 0xff) !== 0xff;
  }

  #connect(port: number, timeoutMs: number): Connection | null {
    if (this.#closed) return null;
    // A client that was here before the relay was started again still has the only address that is ever leased.
    const remote = { address: this.#lease ?? FIRST_LEASE, port };
    return this.#stack.manager.connect({ remote, localAddress: GATEWAY_ADDRESS, timeoutMs });
  }

  /** UDP goes nowhere but to the name server. */
  #refuseDatagram(message: UnclaimedMessage): boolean {
    this.#stack.interface.icmp.sendUnreachable(UNREACHABLE_PROHIBITED, message.packet);
    return true;
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    this.#session.fail(error instanceof Error ? error.message.slice(0, 100) : "The gateway failed");
  }
}

/** The host's own IPv4 addresses. */
function ownAddresses(): ReadonlySet<number> {
  const lists = Object.values(networkInterfaces()).map((list) => list ?? []);
  const texts = lists.flat().filter(({ family }) => family === "IPv4");
  return new Set(texts.map(({ address }) => parseIpv4(address)));
}

/**
 * Finds the SYN of a parked connection in the batch that is being delivered.
 *
 * @param batch Records that have passed the filter, or null.
 * @returns A copy of its IP header and 8 bytes, or null: an ICMP error must quote the packet, sequence number included.
 */
export function quoteSyn(
  batch: Uint8Array | null,
  asked: Pick<AskedConnection, "local" | "remote">,
): Uint8Array | null {
  for (let at = 0; batch !== null && at < batch.length;) {
    const frameBytes = frameBytesAt(batch, at);
    if (frameBytes < 0) return null;
    const frame = batch.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + frameBytes);
    if (isSynOf(frame, asked)) {
      const headerBytes = ((frame[ETHERNET_BYTES] ?? 0) & 0x0f) * 4;
      return frame.slice(ETHERNET_BYTES, ETHERNET_BYTES + headerBytes + QUOTED_BYTES);
    }
    at += RECORD_HEADER_BYTES + frameBytes;
  }
  return null;
}

function isSynOf(frame: Uint8Array, asked: Pick<AskedConnection, "local" | "remote">): boolean {
  const ip = ETHERNET_BYTES;
  if (read16(frame, 12) !== ETHERTYPE_IPV4 || frame[ip + 9] !== PROTOCOL_TCP) return false;
  const tcp = ip + (((frame[ip] ?? 0) & 0x0f) * 4);
  const { local, remote } = asked;
  return read32(frame, ip + 12) === remote.address && read32(frame, ip + 16) === local.address &&
    read16(frame, tcp) === remote.port && read16(frame, tcp + 2) === local.port &&
    ((frame[tcp + TCP_FLAGS_OFFSET] ?? 0) & TCP_FLAG_SYN) !== 0;
}

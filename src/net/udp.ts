/** Sockets for datagrams: what DHCP, DNS and the gateway need. Source: RFC 768, RFC 1122 section 4.1. */
import {
  AddressInUse,
  AddressNotAvailable,
  BadResource,
  ConnectionRefused,
  NoBuffers,
} from "../errors.ts";
import { read16 } from "../wire/bytes.ts";
import { ICMP_UNREACHABLE, UNREACHABLE_PORT } from "../wire/icmp.ts";
import { type Ipv4Packet, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { buildUdp, parseUdp } from "../wire/udp.ts";
import { ADDRESS_ANY, formatIpv4, isUnicast } from "./addresses.ts";
import type { IcmpError } from "./icmp.ts";
import type { IpLayer, SendOptions } from "./ip_layer.ts";

/** Sockets of one interface. Full: `bind()` throws `ENOBUFS`. */
export const UDP_SOCKETS_MAX = 4_096;
/** First ephemeral port. RFC 6056 section 3.2; a power of two of them makes every port equally likely. */
export const EPHEMERAL_FIRST = 32_768;
/** How many ephemeral ports there are. */
export const EPHEMERAL_COUNT = 32_768;

const PORT_MAX = 65_535;
const PORTS = 65_536;

/** A datagram that arrived. */
export interface UdpMessage {
  /** Payload; valid only during the call, so copy what is kept. */
  readonly data: Uint8Array;
  /** Who sent it, u32. */
  readonly address: number;
  readonly port: number;
  /** To which address of ours it was sent, u32; may be a broadcast address. */
  readonly localAddress: number;
}

/** A datagram for which there is no socket. */
export interface UnclaimedMessage extends UdpMessage {
  readonly localPort: number;
  /** The packet from its IP header on, for `Icmp.sendUnreachable()`; valid only during the call. */
  readonly packet: Uint8Array;
}

/** An ICMP error about a datagram that a socket sent. */
export interface UdpError extends IcmpError {
  /** To whom it had been sent, u32. */
  readonly address: number;
  readonly port: number;
}

/** Where a socket is bound. */
export interface UdpBindOptions {
  /** 0 = a random ephemeral one (RFC 6056 section 3.3.1). */
  readonly port: number;
  /** u32; absent or 0 = any of ours. */
  readonly address?: number;
}

/** A bound port. It queues nothing: what arrives while `onMessage` is null is dropped and counted. */
export class UdpSocket {
  /** Local port. */
  readonly port: number;
  /** Local address, u32; 0 = any of ours. */
  readonly address: number;
  /** Called for each datagram. */
  onMessage: ((message: UdpMessage) => void) | null = null;
  /** Called for each ICMP error about a datagram of this socket; forged ones are possible. */
  onError: ((error: UdpError) => void) | null = null;
  readonly #udp: Udp;
  #peer: { readonly address: number; readonly port: number } | null = null;
  /** What the peer's host said of an earlier datagram and nobody was told yet. */
  #refused: ConnectionRefused | null = null;
  #closed = false;

  /** Made by {@linkcode Udp.bind}. */
  constructor(udp: Udp, port: number, address: number) {
    this.#udp = udp;
    this.port = port;
    this.address = address;
  }

  /**
   * Names the peer: datagrams of others are dropped and counted from now on, and a port unreachable of its host fails the
   * next `send()` to it. RFC 1122 section 4.1.3.3 wants such errors passed up.
   *
   * @param address u32.
   * @param port 1 to 65535.
   */
  connect(address: number, port: number): void {
    this.#peer = { address, port };
    this.#refused = null;
  }

  /**
   * Sends a datagram.
   *
   * @param data Payload; larger than the MTU allows = dropped and counted.
   * @param address u32; may be a broadcast address.
   * @param port 1 to 65535.
   * @returns False if it was dropped.
   * @throws BadResource if the socket is closed, ConnectionRefused (once) if the connected peer has refused an earlier
   * datagram.
   */
  send(data: Uint8Array, address: number, port: number, options: SendOptions = {}): boolean {
    if (this.#closed) throw new BadResource(`Cannot send from UDP port ${this.port}: closed`);
    const refused = this.#isPeer(address, port) ? this.#refused : null;
    this.#refused = null;
    if (refused !== null) throw refused;
    const bound = this.address === ADDRESS_ANY ? {} : { source: this.address };
    return this.#udp.send(data, { address, port, localPort: this.port }, { ...bound, ...options });
  }

  /** A datagram arrived; called by {@linkcode Udp} alone. @returns False if nobody wanted it. */
  deliver(message: UdpMessage): boolean {
    const isWanted = this.#peer === null || this.#isPeer(message.address, message.port);
    if (!isWanted || this.onMessage === null) return false;
    this.onMessage(message);
    return true;
  }

  /** An ICMP error arrived; called by {@linkcode Udp} alone. */
  fail(error: UdpError): void {
    const { address, port, type, code } = error;
    const isRefusal = type === ICMP_UNREACHABLE && code === UNREACHABLE_PORT;
    if (isRefusal && this.#isPeer(address, port)) {
      this.#refused = new ConnectionRefused(
        `Cannot send to UDP port ${port} of ${formatIpv4(address)}: nobody listens there`,
      );
    }
    this.onError?.(error);
  }

  #isPeer(address: number, port: number): boolean {
    return this.#peer?.address === address && this.#peer.port === port;
  }

  /** Frees the port. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.onMessage = null;
    this.onError = null;
    this.#udp.release(this);
  }
}

/** Where a datagram goes, and from which port. */
export interface UdpEndpoints {
  /** Destination, u32. */
  readonly address: number;
  readonly port: number;
  readonly localPort: number;
}

/** What UDP needs of its interface. */
export interface UdpOptions {
  /** Our address for a destination, or null if there is no route. */
  readonly sourceFor: (destination: number) => number | null;
  /** Answers a datagram for which there is no socket. */
  readonly unreachable: (code: number, packet: Uint8Array, source: number) => void;
}

/** UDP of an interface. */
export class Udp {
  readonly #ip: IpLayer;
  readonly #options: UdpOptions;
  readonly #sockets: Map<number, UdpSocket> = new Map();

  /**
   * Asked about each datagram that no socket takes, whatever its destination: the gateway's hook. True = taken. If it
   * is not, a datagram to an address of ours is answered with port unreachable.
   */
  onUnclaimed: ((message: UnclaimedMessage) => boolean) | null = null;

  constructor(ip: IpLayer, options: UdpOptions) {
    this.#ip = ip;
    this.#options = options;
  }

  /**
   * Takes a port.
   *
   * @throws RangeError if the port is out of range, AddressNotAvailable if the address is not ours, AddressInUse if
   * the port is taken, NoBuffers if there are too many sockets.
   */
  bind(options: UdpBindOptions): UdpSocket {
    const { port, address = ADDRESS_ANY } = options;
    if (!Number.isInteger(port) || port < 0 || port > PORT_MAX) {
      throw new RangeError(`Cannot bind UDP port ${port}: expected 0 to 65535`);
    }
    if (address !== ADDRESS_ANY && !this.#ip.isLocal(address)) {
      throw new AddressNotAvailable(
        `Cannot bind UDP port ${port} of ${formatIpv4(address)}: the address is not ours`,
      );
    }
    if (this.#sockets.size >= UDP_SOCKETS_MAX) {
      throw new NoBuffers(`Cannot bind UDP port ${port}: ${UDP_SOCKETS_MAX} sockets are open`);
    }
    const boundPort = port === 0 ? this.#ephemeralPort(address) : port;
    const key = socketKey(address, boundPort);
    if (this.#sockets.has(key)) {
      throw new AddressInUse(`Cannot bind UDP port ${boundPort}: it is taken`);
    }
    const socket = new UdpSocket(this, boundPort, address);
    this.#sockets.set(key, socket);
    return socket;
  }

  /** RFC 6056 section 3.3.1: a random port, then the next ones. There are fewer sockets than ports. */
  #ephemeralPort(address: number): number {
    const first = this.#ip.port.random.next() % EPHEMERAL_COUNT;
    for (let step = 0; step < EPHEMERAL_COUNT; step++) {
      const port = EPHEMERAL_FIRST + ((first + step) % EPHEMERAL_COUNT);
      const isFree = !this.#sockets.has(socketKey(address, port)) &&
        !this.#sockets.has(socketKey(ADDRESS_ANY, port));
      if (isFree) return port;
    }
    throw new AddressInUse("Cannot bind an ephemeral UDP port: all are taken");
  }

  /** Forgets a socket; `UdpSocket.close()` calls it. */
  release(socket: UdpSocket): void {
    const key = socketKey(socket.address, socket.port);
    if (this.#sockets.get(key) === socket) this.#sockets.delete(key);
  }

  /**
   * Sends a datagram from any port and, with `options.source`, from any address: the gateway answers in another's name.
   *
   * @returns False if it was dropped, counted.
   */
  send(data: Uint8Array, endpoints: UdpEndpoints, options: SendOptions = {}): boolean {
    const source = options.source ?? this.#options.sourceFor(endpoints.address);
    if (source === null) {
      this.#ip.count("NO_ROUTE");
      return false;
    }
    // Checked before it is built: a datagram that can not be sent costs nothing.
    if (data.length > this.#ip.mtu) {
      this.#ip.count("TOO_BIG");
      return false;
    }
    const datagram = {
      sourcePort: endpoints.localPort,
      destinationPort: endpoints.port,
      payload: data,
    };
    const bytes = buildUdp(datagram, source, endpoints.address);
    return this.#ip.sendIpv4(endpoints.address, PROTOCOL_UDP, bytes, { ...options, source });
  }

  /** Takes a packet whose addresses have been checked; its views are valid only during the call. */
  receive(packet: Ipv4Packet): void {
    const datagram = parseUdp(packet.payload, packet.source, packet.destination);
    if (typeof datagram === "string") return this.#ip.count(datagram);
    const message: UdpMessage = {
      data: datagram.payload,
      address: packet.source,
      port: datagram.sourcePort,
      localAddress: packet.destination,
    };
    const socket = this.#find(packet.destination, datagram.destinationPort);
    if (socket !== undefined) {
      if (!socket.deliver(message)) this.#ip.count("UDP_UNHEARD");
      return;
    }
    const unclaimed = {
      ...message,
      localPort: datagram.destinationPort,
      packet: packet.packet,
    };
    if (this.onUnclaimed?.(unclaimed) === true) return;
    this.#ip.count("UDP_PORT");
    // RFC 1122 section 4.1.3.1 (SHOULD), for what was meant for this host alone.
    if (this.#ip.isLocal(packet.destination)) {
      this.#options.unreachable(UNREACHABLE_PORT, packet.packet, packet.destination);
    }
  }

  /** Takes an ICMP error about a datagram. RFC 1122 section 4.1.3.3: it goes to the application. */
  receiveError(error: IcmpError, quoted: Ipv4Packet): void {
    const socket = this.#find(quoted.source, read16(quoted.payload, 0));
    if (socket === undefined || !isUnicast(quoted.destination)) {
      return this.#ip.count("ICMP_QUOTED");
    }
    socket.fail({ ...error, address: quoted.destination, port: read16(quoted.payload, 2) });
  }

  /** The socket of exactly this address first; one of any address takes only what is for us. */
  #find(address: number, port: number): UdpSocket | undefined {
    const exact = this.#sockets.get(socketKey(address, port));
    if (exact !== undefined) return exact;
    const isOurs = this.#ip.isLocal(address) || this.#ip.isGroup(address);
    return isOurs ? this.#sockets.get(socketKey(ADDRESS_ANY, port)) : undefined;
  }

  /** Closes all sockets. */
  close(): void {
    for (const socket of [...this.#sockets.values()]) socket.close();
    this.onUnclaimed = null;
  }
}

function socketKey(address: number, port: number): number {
  return (address * PORTS) + port;
}

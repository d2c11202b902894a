/** The datagram sockets of an interface: who has which port, and who gets what. Source: RFC 768, RFC 1122 section 4.1. */
import { AddressInUse, AddressNotAvailable, NoBuffers } from "../errors.ts";
import { read16 } from "../wire/bytes.ts";
import { PROTOCOL_UDP } from "../wire/ipv4.ts";
import { buildUdp, parseUdp, UDP_PAYLOAD_MAX_BYTES } from "../wire/udp.ts";
import {
  ADDRESS_ANY,
  formatIp,
  type Ip,
  isLoopbackIp,
  isMulticastIp,
  isUnicastIp,
  isUnspecified,
} from "./addresses.ts";
import type { IcmpError } from "./icmp.ts";
import { icmpReason } from "./icmp_reasons.ts";
import type { IpLayer, IpPacket, SendOptions } from "./ip_layer.ts";
import type { MulticastGroups } from "./multicast_groups.ts";
import {
  familyOf,
  type UdpBindOptions,
  type UdpMessage,
  type UdpPeer,
  UdpSocket,
  type UdpTable,
} from "./udp_socket.ts";

export { type UdpBindOptions, type UdpError, type UdpMessage, UdpSocket } from "./udp_socket.ts";

/** Sockets of one interface. Full: `bind()` throws `ENOBUFS`. */
export const UDP_SOCKETS_MAX = 4_096;
/** First ephemeral port. RFC 6056 section 3.2; a power of two of them makes every port equally likely. */
export const EPHEMERAL_FIRST = 32_768;
/** How many ephemeral ports there are. */
export const EPHEMERAL_COUNT = 32_768;

const PORT_MAX = 65_535;

/** A datagram for which there is no socket. */
export interface UnclaimedMessage extends UdpMessage {
  readonly localPort: number;
  /** The packet from its IP header on, for `Icmp.sendUnreachable()`; valid only during the call. */
  readonly packet: Uint8Array;
}

/** Where a datagram goes, and from which port. */
export interface UdpEndpoints extends UdpPeer {
  readonly localPort: number;
}

/** What UDP needs of its interface. */
export interface UdpOptions {
  /** Our address for a destination, or null if there is no route. */
  readonly sourceFor: (destination: Ip) => Ip | null;
  /** Answers a datagram for which there is no socket. */
  readonly unreachable: (packet: IpPacket) => void;
  /** A datagram was too large for its path. @param mtu What the router told, bytes; 0 = nothing. */
  readonly tooBig: (destination: Ip, mtu: number) => void;
  /** Groups of the interface. */
  readonly groups: MulticastGroups;
}

/** UDP of an interface. */
export class Udp implements UdpTable {
  readonly #ip: IpLayer;
  readonly #options: UdpOptions;
  /** By port, in the order in which they were bound. */
  readonly #sockets: Map<number, UdpSocket[]> = new Map();
  #count = 0;

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
   * Takes a port. Sockets whose addresses overlap share one only if all of them say so.
   *
   * @throws RangeError if the port is out of range, AddressNotAvailable if the address is not ours, AddressInUse if
   * the port is taken, NoBuffers if there are too many sockets.
   */
  bind(options: UdpBindOptions): UdpSocket {
    const { port, address = ADDRESS_ANY } = options;
    if (!Number.isInteger(port) || port < 0 || port > PORT_MAX) {
      throw new RangeError(`Cannot bind UDP port ${port}: expected 0 to 65535`);
    }
    if (!isUnspecified(address) && !this.#ip.isLocal(address) && !isMulticastIp(address)) {
      throw new AddressNotAvailable(
        `Cannot bind UDP port ${port} of ${formatIp(address)}: the address is not ours`,
      );
    }
    if (this.#count >= UDP_SOCKETS_MAX) {
      throw new NoBuffers(`Cannot bind UDP port ${port}: ${UDP_SOCKETS_MAX} sockets are open`);
    }
    const boundPort = port === 0 ? this.#ephemeralPort() : port;
    const socket = new UdpSocket(this, boundPort, options);
    if (this.#isTaken(socket)) {
      throw new AddressInUse(`Cannot bind UDP port ${boundPort}: it is taken`);
    }
    const others = this.#sockets.get(boundPort);
    if (others === undefined) this.#sockets.set(boundPort, [socket]);
    else others.push(socket);
    this.#count++;
    return socket;
  }

  /** Does an open socket stand in the way of a new one? */
  #isTaken(socket: UdpSocket): boolean {
    return (this.#sockets.get(socket.port) ?? []).some((other) => {
      const isOtherFamily = other.family !== 0 && socket.family !== 0 &&
        other.family !== socket.family;
      const isOverlap = other.address === socket.address || isUnspecified(other.address) ||
        isUnspecified(socket.address);
      return !isOtherFamily && isOverlap && !(other.isShared && socket.isShared);
    });
  }

  /** RFC 6056 section 3.3.1: a random port, then the next ones. There are fewer sockets than ports. */
  #ephemeralPort(): number {
    const first = this.#ip.port.random.next() % EPHEMERAL_COUNT;
    for (let step = 0; step < EPHEMERAL_COUNT; step++) {
      const port = EPHEMERAL_FIRST + ((first + step) % EPHEMERAL_COUNT);
      if (!this.#sockets.has(port)) return port;
    }
    throw new AddressInUse("Cannot bind an ephemeral UDP port: all are taken");
  }

  release(socket: UdpSocket): void {
    const left = (this.#sockets.get(socket.port) ?? []).filter((other) => other !== socket);
    if (left.length === 0) this.#sockets.delete(socket.port);
    else this.#sockets.set(socket.port, left);
    this.#count--;
    for (const group of [...socket.groups]) this.leave(socket, group);
  }

  join(socket: UdpSocket, group: Ip): boolean {
    if (socket.groups.has(group)) return false;
    this.#options.groups.join(group);
    socket.groups.add(group);
    return true;
  }

  leave(socket: UdpSocket, group: Ip): boolean {
    if (!socket.groups.delete(group)) return false;
    this.#options.groups.leave(group);
    return true;
  }

  sendFrom(socket: UdpSocket, data: Uint8Array, to: UdpPeer, options: SendOptions): boolean {
    const own = isMulticastIp(to.address) ? socket.groupOptions : socket.sendOptions;
    const isNamed = !isUnspecified(socket.address) && !isMulticastIp(socket.address);
    // The lease has ended, or a lifetime: the address may be another host's by now. RFC 4862 section 5.5.4.
    if (isNamed && !this.#ip.isLocal(socket.address)) return this.#ip.dropSent("ADDRESS_GONE");
    const bound = isNamed ? { source: socket.address } : {};
    const { address, port } = to;
    return this.send(data, { address, port, localPort: socket.port }, {
      ...bound,
      ...own,
      ...options,
    });
  }

  /**
   * Sends a datagram from any port and, with `options.source`, from any address: the gateway answers in another's name.
   *
   * @returns False if it was dropped, counted.
   */
  send(data: Uint8Array, endpoints: UdpEndpoints, options: SendOptions = {}): boolean {
    const { address } = endpoints;
    const source = options.source ?? this.#options.sourceFor(address);
    if (source === null || typeof source !== typeof address) return this.#ip.dropSent("NO_ROUTE");
    // Checked before it is built: a datagram that can not be sent costs nothing.
    if (data.length > UDP_PAYLOAD_MAX_BYTES) return this.#ip.dropSent("TOO_BIG");
    const datagram = {
      sourcePort: endpoints.localPort,
      destinationPort: endpoints.port,
      payload: data,
    };
    const bytes = buildUdp(datagram, source, address);
    return this.#ip.send(address, PROTOCOL_UDP, bytes, { ...options, source });
  }

  /** Takes a packet whose addresses have been checked; its views are valid only during the call. */
  receive(packet: IpPacket): void {
    const datagram = parseUdp(packet.payload, packet.source, packet.destination);
    if (typeof datagram === "string") return this.#ip.count(datagram);
    const message: UdpMessage = {
      data: datagram.payload,
      address: packet.source,
      port: datagram.sourcePort,
      localAddress: packet.destination,
    };
    if (this.#ip.isGroup(packet.destination)) {
      if (this.#deliverToAll(message, datagram.destinationPort)) return;
    } else {
      const from = { address: packet.source, port: datagram.sourcePort };
      const socket = this.#find(packet.destination, datagram.destinationPort, from);
      if (socket !== null) {
        if (!socket.deliver(message)) this.#ip.count("UDP_UNHEARD");
        return;
      }
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
      this.#options.unreachable(packet);
    }
  }

  /** Takes an ICMP error about a datagram. RFC 1122 section 4.1.3.3: it goes to the application. */
  receiveError(error: IcmpError, quoted: IpPacket): void {
    const to = { address: quoted.destination, port: read16(quoted.payload, 2) };
    const socket = this.#find(quoted.source, read16(quoted.payload, 0), to);
    // RFC 8201 section 5.3: what quotes no datagram of ours tells of no path.
    const isHost = isUnicastIp(quoted.destination) || isLoopbackIp(quoted.destination);
    if (socket === null || !isHost) {
      return this.#ip.count("ICMP_QUOTED");
    }
    if (icmpReason(familyOf(to.address), error.type, error.code) === "TOO_BIG") {
      this.#options.tooBig(to.address, error.mtu);
    }
    socket.fail({ ...error, ...to });
  }

  /** Every socket that hears a broadcast or a group gets it. @returns False if there is none. */
  #deliverToAll(message: UdpMessage, port: number): boolean {
    const { localAddress } = message;
    let isFound = false;
    // A callback may bind and close: the array is replaced then.
    for (const socket of this.#sockets.get(port)?.slice() ?? []) {
      const isBound = socket.address === localAddress;
      const isHeard = isBound ||
        (isUnspecified(socket.address) && hasFamily(socket, localAddress) &&
          (!isMulticastIp(localAddress) || socket.groups.has(localAddress)));
      if (!isHeard || socket.isClosed) continue;
      isFound = true;
      if (!socket.deliver(message)) this.#ip.count("UDP_UNHEARD");
    }
    return isFound;
  }

  /**
   * The socket that is connected to the other end first, then that of exactly this address; of equals the last one bound.
   * One of any address takes only what is for us.
   */
  #find(address: Ip, port: number, from: UdpPeer): UdpSocket | null {
    let best: UdpSocket | null = null;
    let bestRank = -1;
    const isOurs = this.#ip.isLocal(address);
    for (const socket of this.#sockets.get(port) ?? []) {
      const isExact = socket.address === address;
      if (!isExact && (!isOurs || !isUnspecified(socket.address))) continue;
      if (!hasFamily(socket, address)) continue;
      const rank = rankOf(socket, isExact, from);
      if (rank < 0 || rank < bestRank) continue;
      best = socket;
      bestRank = rank;
    }
    return best;
  }

  /** Closes all sockets. */
  close(): void {
    for (const sockets of [...this.#sockets.values()]) {
      for (const socket of sockets) socket.close();
    }
    this.onUnclaimed = null;
  }
}

/**
 * How well a socket fits: below 0 if it is connected to another end. Strangers find its port closed then, as any other: silence would
 * show them where to forge answers.
 */
function rankOf(socket: UdpSocket, isExact: boolean, from: UdpPeer): number {
  const exact = isExact ? 1 : 0;
  if (socket.peer === null) return exact;
  return socket.isPeer(from.address, from.port) ? 2 + exact : -1;
}

function hasFamily(socket: UdpSocket, address: Ip): boolean {
  return socket.family === 0 || socket.family === familyOf(address);
}

/** A socket for datagrams, without promises. Source: RFC 768, RFC 1122 section 4.1. */
import { BadResource, ConnectionRefused, type StackError } from "../errors.ts";
import { ADDRESS_ANY, formatIp, type Ip, isUnspecified } from "./addresses.ts";
import type { IcmpError } from "./icmp.ts";
import { icmpReason } from "./icmp_reasons.ts";
import type { SendOptions } from "./ip_layer.ts";

/** A datagram that arrived. */
export interface UdpMessage {
  /** Payload; valid only during the call, so copy what is kept. */
  readonly data: Uint8Array;
  /** Who sent it. */
  readonly address: Ip;
  readonly port: number;
  /** To which address of ours it was sent; may be a broadcast address or a group's. */
  readonly localAddress: Ip;
}

/** An ICMP error about a datagram that a socket sent. */
export interface UdpError extends IcmpError {
  /** To whom it had been sent. */
  readonly address: Ip;
  readonly port: number;
}

/** Where a socket is bound. */
export interface UdpBindOptions {
  /** 0 = a random ephemeral one (RFC 6056 section 3.3.1). */
  readonly port: number;
  /** Absent or 0 = any of ours; a group's address takes what is for that group. */
  readonly address?: Ip;
  /** Takes datagrams of one family alone. Default: that of the address, both if it is absent. */
  readonly family?: 4 | 6;
  /** Others that say so too may have the same port. Default false. */
  readonly isShared?: boolean;
}

/** What a socket needs of the table that it is in. */
export interface UdpTable {
  /** See {@linkcode UdpSocket.send}. */
  sendFrom(socket: UdpSocket, data: Uint8Array, to: UdpPeer, options: SendOptions): boolean;
  /** Frees the port and leaves the groups. */
  release(socket: UdpSocket): void;
  /** Joins a group for a socket. @returns False if it had joined before. */
  join(socket: UdpSocket, group: Ip): boolean;
  /** Leaves a group. @returns False if it had not joined. */
  leave(socket: UdpSocket, group: Ip): boolean;
}

/** The other end. */
export interface UdpPeer {
  readonly address: Ip;
  readonly port: number;
}

/** A bound port. It queues nothing: what arrives while `onMessage` is null is dropped and counted. */
export class UdpSocket {
  /** Local port. */
  readonly port: number;
  /** Local address; 0 = any of ours. */
  readonly address: Ip;
  /** The only family of it; 0 = both. */
  readonly family: 0 | 4 | 6;
  /** Others may have the same port. */
  readonly isShared: boolean;
  /** Groups that it has joined; the table's. */
  readonly groups: Set<Ip> = new Set();
  /** How its datagrams are sent, unless `send()` says otherwise. */
  sendOptions: SendOptions = {};
  /** The same for datagrams to groups. RFC 1112 section 6.1. */
  groupOptions: SendOptions = { ttl: 1 };
  /** Called for each datagram. */
  onMessage: ((message: UdpMessage) => void) | null = null;
  /** Called for each ICMP error about a datagram of this socket; forged ones are possible. */
  onError: ((error: UdpError) => void) | null = null;
  /** Called when the interface ends. */
  onClose: (() => void) | null = null;
  readonly #table: UdpTable;
  #peer: UdpPeer | null = null;
  /** What the peer's host said of an earlier datagram and nobody was told yet. */
  #refused: ConnectionRefused | null = null;
  #closed = false;

  /** Made by `Udp.bind()`. */
  constructor(table: UdpTable, port: number, options: UdpBindOptions) {
    this.#table = table;
    this.port = port;
    this.address = options.address ?? ADDRESS_ANY;
    const ofAddress = isUnspecified(this.address) ? 0 : familyOf(this.address);
    this.family = options.family ?? ofAddress;
    this.isShared = options.isShared ?? false;
  }

  /** Whether the port is free again. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** The peer it is connected to, or null. */
  get peer(): UdpPeer | null {
    return this.#peer;
  }

  /**
   * Names the peer: for others the port is closed from now on, and a port unreachable of its host fails the next `send()` to
   * it. RFC 1122 section 4.1.3.3 wants such errors passed up.
   *
   * @param port 1 to 65535.
   */
  connect(address: Ip, port: number): void {
    this.#peer = { address, port };
    this.#refused = null;
  }

  /** Takes datagrams of all again. */
  disconnect(): void {
    this.#peer = null;
    this.#refused = null;
  }

  /**
   * Sends a datagram.
   *
   * @param data Payload; larger than the MTU allows = dropped and counted.
   * @param address May be a broadcast address or a group's.
   * @param port 1 to 65535.
   * @returns False if it was dropped.
   * @throws BadResource if the socket is closed, ConnectionRefused (once) if the connected peer has refused an earlier
   * datagram.
   */
  send(data: Uint8Array, address: Ip, port: number, options: SendOptions = {}): boolean {
    if (this.#closed) throw new BadResource(`Cannot send from UDP port ${this.port}: closed`);
    const refused = this.isPeer(address, port) ? this.takeError() : null;
    if (refused !== null) throw refused;
    return this.#table.sendFrom(this, data, { address, port }, options);
  }

  /** What the connected peer's host said of an earlier datagram; told once. */
  takeError(): StackError | null {
    const error = this.#refused;
    this.#refused = null;
    return error;
  }

  /** Takes what is sent to a group. RFC 1112 section 6.1. @returns False if it does so already. */
  join(group: Ip): boolean {
    if (this.#closed) throw new BadResource(`Cannot join a group on port ${this.port}: closed`);
    return this.#table.join(this, group);
  }

  /** Leaves a group. @returns False if it had not joined. */
  leave(group: Ip): boolean {
    return this.#table.leave(this, group);
  }

  /** A datagram arrived; called by the table alone. @returns False if nobody wanted it. */
  deliver(message: UdpMessage): boolean {
    const isWanted = this.#peer === null || this.isPeer(message.address, message.port);
    if (!isWanted || this.onMessage === null) return false;
    this.onMessage(message);
    return true;
  }

  /** An ICMP error arrived; called by the table alone. */
  fail(error: UdpError): void {
    const { address, port } = error;
    const reason = icmpReason(familyOf(address), error.type, error.code);
    const isRefusal = reason === "PORT_UNREACHABLE" || reason === "PROTOCOL_UNREACHABLE";
    if (isRefusal && this.isPeer(address, port)) {
      this.#refused = new ConnectionRefused(
        `Cannot send to UDP port ${port} of ${formatIp(address)}: nobody listens there`,
      );
    }
    this.onError?.(error);
  }

  /** Is it the peer that the socket is connected to? */
  isPeer(address: Ip, port: number): boolean {
    return this.#peer?.address === address && this.#peer.port === port;
  }

  /** Frees the port. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const told = this.onClose;
    this.onMessage = null;
    this.onError = null;
    this.onClose = null;
    this.#table.release(this);
    told?.();
  }
}

/** @returns 4 or 6. */
export function familyOf(address: Ip): 4 | 6 {
  return typeof address === "number" ? 4 : 6;
}

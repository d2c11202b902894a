/** Options and shapes of datagram sockets, without behaviour: the in-process stack and the worker's client share them. */
import type { NetAddress } from "./net_address.ts";

/** Options of one datagram socket. What is absent stays as it is. */
export interface UdpOptions {
  /** Datagrams may be sent to broadcast addresses; otherwise that is refused with `EACCES`. Default false. */
  readonly broadcast?: boolean;
  /** Time to live or hop limit of datagrams to one host, 1 to 255. Default 64. */
  readonly ttl?: number;
  /** The same of datagrams to groups, 1 to 255. Default 1: they stay on the link. RFC 1112 section 6.1. */
  readonly multicastTtl?: number;
  /** Datagrams to a group are also heard by the sockets of this stack that have joined it. Default true. */
  readonly multicastLoopback?: boolean;
  /** Datagrams are never fragmented: what is larger than the path allows is refused with `EMSGSIZE`. Default false. */
  readonly dontFragment?: boolean;
  /** Room for datagrams that nobody has received yet, bytes, 256 to 16 MiB; each needs 256 more. Default 256 KiB. */
  readonly receiveBufferBytes?: number;
}

/** Options of `stack.bindUdp()`. */
export interface UdpBindOptions extends UdpOptions {
  /**
   * Local address: one of ours, `"0.0.0.0"` = any of IPv4, `"::"` = any of both families, or a group's, whose datagrams
   * alone are received then. Default: any of both families.
   */
  readonly hostname?: string;
  /** Local port, 0 to 65535; 0 or absent = an ephemeral one (RFC 6056). */
  readonly port?: number;
  /**
   * Several sockets may have the port, if all of them say so: datagrams to groups and broadcast addresses reach all of them,
   * others the one that was bound last. Default false.
   */
  readonly reuseAddress?: boolean;
  /** With hostname `"::"`: IPv6 alone. Default false. */
  readonly ipv6Only?: boolean;
  /** Closes the socket, or does not let it be bound. */
  readonly signal?: AbortSignal;
}

/** A datagram that was received. */
export interface UdpDatagram {
  /** The payload, as far as there was room for it. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Who sent it. */
  readonly address: NetAddress;
  /** To which address it was sent: one of ours, a broadcast address, or a group's. */
  readonly localHostname: string;
  /** How large the payload was, bytes: more than `data.length` if it was cut. */
  readonly bytes: number;
}

/** An ICMP error about a datagram of a socket; anybody on the way may have sent it. */
export interface UdpTrouble {
  /** `"PORT_UNREACHABLE"`, `"HOST_UNREACHABLE"`, `"NET_UNREACHABLE"`, `"PROHIBITED"`, `"TOO_BIG"` … */
  readonly reason: string;
  /** To whom the datagram had been sent. */
  readonly address: NetAddress;
}

/** Counters of one socket, since it was bound. */
export interface UdpInfo {
  /** Datagrams received. */
  readonly datagramsIn: number;
  /** Datagrams sent. */
  readonly datagramsOut: number;
  /** Datagrams that found no room in the queue. */
  readonly dropped: number;
  /** Datagrams that wait to be received. */
  readonly queued: number;
}

/** A datagram socket, an async iterable of what it receives. */
export interface UdpSocket extends AsyncIterable<UdpDatagram>, AsyncDisposable {
  /** Where it is bound; once it is connected, the address that it sends from. */
  readonly address: NetAddress;
  /** The peer that it is connected to, or null. */
  readonly remoteAddress: NetAddress | null;
  /** Called for each ICMP error about a datagram of this socket. Default null. */
  onTrouble: ((trouble: UdpTrouble) => void) | null;
  /**
   * The next datagram. Waiting calls are served in order; what finds neither one nor room in the queue is dropped and
   * counted. Rejects with `EBADF` once the socket is closed, and once with `ECONNREFUSED` if the host of a connected peer
   * says that nobody has the port.
   *
   * @param into Where the payload goes; what finds no room is lost, see `bytes`. Default: memory of its own.
   */
  receive(into?: Uint8Array<ArrayBuffer>): Promise<UdpDatagram>;
  /**
   * Sends one datagram, at most 65,507 bytes; larger than the MTU it goes in fragments. Settles when it is on its way or waits
   * for the next hop's address, and that says nothing about its arrival. Names are resolved.
   *
   * @param to Where to; default: the connected peer. Rejects with `EMSGSIZE`, `EACCES`, `ENETUNREACH`, `EHOSTUNREACH`,
   * `ENOBUFS`, `ENOTFOUND`, `EBADF`, or (once, connected) `ECONNREFUSED`.
   */
  send(data: Uint8Array, to?: NetAddress): Promise<void>;
  /** Receives from one peer alone from now on, and sends to it by default. Names are resolved. */
  connect(to: NetAddress): Promise<void>;
  /** Forgets the peer. */
  disconnect(): Promise<void>;
  /** Receives what is sent to a group, which routers are told of (IGMP, MLD). Rejects with `EADDRINUSE` if it does. */
  joinMulticast(group: string): Promise<void>;
  /** Leaves a group. Rejects with `EADDRNOTAVAIL` if it has not joined it. */
  leaveMulticast(group: string): Promise<void>;
  /** Changes options; settles once they are in force. */
  setOptions(options: UdpOptions): Promise<void>;
  /** The options in force. */
  getOptions(): Promise<Required<UdpOptions>>;
  /** Counters. */
  info(): Promise<UdpInfo>;
  /** Frees the port and leaves the groups; waiting calls reject with `EBADF`. Idempotent. */
  close(): void;
}

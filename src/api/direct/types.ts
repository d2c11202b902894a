/** Shapes of the Direct Sockets API. */

/** Which addresses of a name are wanted. */
export type SocketDnsQueryType = "ipv4" | "ipv6";

/** Sizes of buffers. */
export interface SocketOptions {
  /** Largest send queue, bytes, as far as the stack allows. */
  sendBufferSize?: number;
  /** Receive window, bytes, as far as the stack allows. */
  receiveBufferSize?: number;
}

/** Options of a {@linkcode TCPSocket}. */
export interface TCPSocketOptions extends SocketOptions {
  /** Small segments go at once. Default false. */
  noDelay?: boolean;
  /** Asks an idle peer after so long, ms, at least 1000, whether it is still there. Default: it does not ask. */
  keepAliveDelay?: number;
  /** Which addresses of a name are used. Default: both. */
  dnsQueryType?: SocketDnsQueryType;
}

/** What an open {@linkcode TCPSocket} has. */
export interface TCPSocketOpenInfo {
  /** Bytes that arrive; BYOB. Ends with the peer's direction. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** What is written here is sent; closing or aborting it ends our direction. */
  readonly writable: WritableStream<ArrayBuffer | ArrayBufferView>;
  /** Address of the peer. */
  readonly remoteAddress: string;
  /** Port of the peer. */
  readonly remotePort: number;
  /** Our address. */
  readonly localAddress: string;
  /** Our port. */
  readonly localPort: number;
}

/** A TCP connection. */
export interface TCPSocket {
  /** Settles when it is open, or could not be opened. */
  readonly opened: Promise<TCPSocketOpenInfo>;
  /** Settles when both streams have ended; rejects with what ended `writable`, or else with what ended `readable`. */
  readonly closed: Promise<void>;
  /** Ends both streams. Rejects with `InvalidStateError` before it is open and while a stream is locked. */
  close(): Promise<void>;
}

/** Options of a {@linkcode TCPServerSocket}. */
export interface TCPServerSocketOptions {
  /** Port, 1 to 65535. Default: an ephemeral one. */
  localPort?: number;
  /** Connections that may wait. */
  backlog?: number;
  /** Takes connections of IPv6 alone; for the address `"::"`. */
  ipv6Only?: boolean;
}

/** What an open {@linkcode TCPServerSocket} has. */
export interface TCPServerSocketOpenInfo {
  /** Connections, open ones. */
  readonly readable: ReadableStream<TCPSocket>;
  /** Where it listens. */
  readonly localAddress: string;
  /** Port that it listens on. */
  readonly localPort: number;
}

/** A listening port. */
export interface TCPServerSocket {
  /** Settles when it listens, or could not. */
  readonly opened: Promise<TCPServerSocketOpenInfo>;
  /** Settles when `readable` has ended. */
  readonly closed: Promise<void>;
  /** Stops listening. Rejects with `InvalidStateError` before it is open and while `readable` is locked. */
  close(): Promise<void>;
}

/** Options of a {@linkcode UDPSocket}: either where it sends to, or where it is bound. */
export interface UDPSocketOptions extends SocketOptions {
  /** The only peer; name or address. */
  remoteAddress?: string;
  /** Port of the peer. */
  remotePort?: number;
  /** Address that it is bound to. */
  localAddress?: string;
  /** Port that it is bound to, 1 to 65535. Default: an ephemeral one. */
  localPort?: number;
  /** Which addresses of the peer's name are used. Default: both. */
  dnsQueryType?: SocketDnsQueryType;
  /** Of IPv6 alone; for the address `"::"`. */
  ipv6Only?: boolean;
  /** Several sockets may have the port, if all of them say so. Default false. */
  multicastAllowAddressSharing?: boolean;
  /** Time to live of datagrams to groups, 1 to 255. Default 1. */
  multicastTimeToLive?: number;
  /** Datagrams to groups are heard here too. Default true. */
  multicastLoopback?: boolean;
}

/** The groups that a socket has joined. */
export interface MulticastController {
  /** Receives what is sent to a group. */
  joinGroup(ipAddress: string): Promise<void>;
  /** Leaves a group; closing the socket leaves all. */
  leaveGroup(ipAddress: string): Promise<void>;
  /** Those that it has joined. */
  readonly joinedGroups: readonly string[];
}

/** A datagram. */
export interface UDPMessage {
  /** The payload; what is received is a `Uint8Array`. */
  data: ArrayBuffer | ArrayBufferView;
  /** Who sent it, or who shall have it; null or absent where the socket has one peer. */
  remoteAddress?: string | null;
  /** Port of that. */
  remotePort?: number | null;
  /** Which addresses of a name are used. */
  dnsQueryType?: SocketDnsQueryType;
}

/** What an open {@linkcode UDPSocket} has. */
export interface UDPSocketOpenInfo {
  /** Datagrams that arrive. */
  readonly readable: ReadableStream<UDPMessage>;
  /** Datagrams to be sent. */
  readonly writable: WritableStream<UDPMessage>;
  /** Groups that it receives of. */
  readonly multicastController: MulticastController;
  /** The only peer, or null. */
  readonly remoteAddress: string | null;
  /** Its port, or null. */
  readonly remotePort: number | null;
  /** Where it is bound. */
  readonly localAddress: string;
  /** Its port. */
  readonly localPort: number;
}

/** A socket for datagrams. */
export interface UDPSocket {
  /** Settles when it is open, or could not be opened. */
  readonly opened: Promise<UDPSocketOpenInfo>;
  /** Settles when both streams have ended; rejects with what ended `writable`, or else with what ended `readable`. */
  readonly closed: Promise<void>;
  /** Ends both streams. Rejects with `InvalidStateError` before it is open and while a stream is locked. */
  close(): Promise<void>;
}

/** The classes over one stack. */
export interface DirectSockets {
  /** A TCP connection. */
  readonly TCPSocket: new (
    remoteAddress: string,
    remotePort: number,
    options?: TCPSocketOptions,
  ) => TCPSocket;
  /** A listening port. */
  readonly TCPServerSocket: new (
    localAddress: string,
    options?: TCPServerSocketOptions,
  ) => TCPServerSocket;
  /** A socket for datagrams. */
  readonly UDPSocket: new (options: UDPSocketOptions) => UDPSocket;
}

/** Where somebody wants to go, or to be reached. */
export interface DirectTarget {
  /** What somebody wants to be: a client, a server, or either by UDP. */
  readonly kind: "tcp" | "tcp-server" | "udp";
  /** Name or address. */
  readonly hostname: string;
  /** 0 = an ephemeral one. */
  readonly port: number;
}

/** Options of `directSocketsOf()`. */
export interface DirectSocketsOptions {
  /** The policy: false refuses with `NotAllowedError`, as a browser does. Default: everything is allowed. */
  readonly isAllowed?: (target: DirectTarget) => boolean;
}

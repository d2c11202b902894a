/** Shapes of Deno's network API, as `deno types` has them, so that they can be used where there is no Deno. */

/** One end. */
export interface NetAddr {
  /** The transport protocol. */
  readonly transport: "tcp" | "udp";
  /** The IP address. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
}

/** Options of `connect()`. */
export interface ConnectOptions {
  /** Port, 1 to 65535. */
  port: number;
  /** Name or address. Default `"127.0.0.1"`. */
  hostname?: string;
  /** The only one there is. */
  transport?: "tcp";
  /** Aborts the open. */
  signal?: AbortSignal;
}

/** Options of `listen()`. */
export interface ListenOptions {
  /** Port; 0 or absent = an ephemeral one. */
  port?: number;
  /** Address; default `"0.0.0.0"`: any. */
  hostname?: string;
  /** The only one there is. */
  transport?: "tcp";
  /** Has no effect: a port has one listener here. */
  reusePort?: boolean;
  /** Connections that may wait for `accept()`. */
  tcpBacklog?: number;
}

/** `Deno.TcpConn`. */
export interface TcpConn extends Disposable {
  /** Our end. */
  readonly localAddr: NetAddr;
  /** The peer's end. */
  readonly remoteAddr: NetAddr;
  /** Bytes that arrive; BYOB. Ends with the peer's direction alone: writing goes on. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** What is written here is sent; closing it ends our direction alone: reading goes on. */
  readonly writable: WritableStream<Uint8Array<ArrayBufferLike>>;
  /** Reads up to `p.length` bytes; null at the end. */
  read(p: Uint8Array): Promise<number | null>;
  /** Writes; gives how many bytes were taken. */
  write(p: Uint8Array): Promise<number>;
  /** Closes both directions. */
  close(): void;
  /** Sends FIN after what was written; reading goes on. */
  closeWrite(): Promise<void>;
  /** Has no effect: what keeps a process alive is the stack's link. */
  ref(): void;
  /** Has no effect. */
  unref(): void;
  /** Switches Nagle's algorithm off (true, the default) or on. */
  setNoDelay(noDelay?: boolean): void;
  /** Switches keepalives. */
  setKeepAlive(keepAlive?: boolean): void;
}

/** `Deno.TcpListener`. */
export interface TcpListener extends AsyncIterable<TcpConn>, Disposable {
  /** Where it listens. */
  readonly addr: NetAddr;
  /** The next connection. */
  accept(): Promise<TcpConn>;
  /** Stops listening. */
  close(): void;
  /** Has no effect. */
  ref(): void;
  /** Has no effect. */
  unref(): void;
  /** The connections, until it is closed. */
  [Symbol.asyncIterator](): AsyncIterableIterator<TcpConn>;
}

/** Options of `listenDatagram()`. */
export interface UdpListenOptions {
  /** Port; 0 or absent = an ephemeral one. */
  port?: number;
  /** Address; default `"0.0.0.0"`: any of IPv4. */
  hostname?: string;
  /** The only one there is. */
  transport: "udp";
  /** Several sockets may have the port, if all of them say so. Default false. */
  reuseAddress?: boolean;
  /** Datagrams to groups are heard here too. Default true. */
  loopback?: boolean;
}

/** A group of IPv6 that was joined. */
export interface MulticastV6Membership {
  /** Leaves the group. */
  leave(): Promise<void>;
  /** Whether datagrams to groups are heard here too. */
  setLoopback(loopback: boolean): Promise<void>;
}

/** A group of IPv4 that was joined. */
export interface MulticastV4Membership extends MulticastV6Membership {
  /** Time to live of datagrams to groups. */
  setTTL(ttl: number): Promise<void>;
}

/** `Deno.DatagramConn`. */
export interface DatagramConn extends AsyncIterable<[Uint8Array, NetAddr]> {
  /** Where it is bound. */
  readonly addr: NetAddr;
  /** The next datagram and who sent it; what does not fit into `p` is lost. */
  receive(p?: Uint8Array): Promise<[Uint8Array<ArrayBuffer>, NetAddr]>;
  /** Sends a datagram. @returns Its length, bytes. */
  send(p: Uint8Array, addr: NetAddr): Promise<number>;
  /** The same; what an address may leave out has a default. */
  send(p: Uint8Array, addr: DatagramTarget): Promise<number>;
  /** Receives what is sent to a group. */
  joinMulticastV4(address: string, networkInterface: string): Promise<MulticastV4Membership>;
  /** Receives what is sent to a group. */
  joinMulticastV6(address: string, networkInterface: number): Promise<MulticastV6Membership>;
  /** Frees the port. */
  close(): void;
  /** Has no effect. */
  ref(): void;
  /** Has no effect. */
  unref(): void;
  /** Gives datagrams until it is closed. */
  [Symbol.asyncIterator](): AsyncIterableIterator<[Uint8Array<ArrayBuffer>, NetAddr]>;
}

/** Where a datagram goes. */
export interface DatagramTarget {
  /** Looked at by nobody: it is UDP. */
  readonly transport?: "tcp" | "udp";
  /** Default `"127.0.0.1"`. */
  readonly hostname?: string;
  /** Port, 1 to 65535. */
  readonly port: number;
}

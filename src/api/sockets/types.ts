/** Shapes of WinterTC's Sockets API. */

/** Where to connect to. */
export interface SocketAddress {
  /** Name or address. */
  hostname: string;
  /** Port, 1 to 65535. */
  port: number;
}

/** How a socket is secured. */
export type SecureTransportKind = "off" | "on" | "starttls";

/** Options of `connect()`. */
export interface SocketOptions {
  /** Default `"off"`. TLS is not there yet: `"on"` throws, `"starttls"` is plain and its `startTls()` throws. */
  secureTransport?: SecureTransportKind;
  /** Whether writing may go on once the peer has ended its direction. Default false. */
  allowHalfOpen?: boolean;
  /** For TLS alone. */
  sni?: string | null;
  /** For TLS alone. */
  alpn?: readonly string[];
}

/** What is known of a socket that opened. */
export interface SocketInfo {
  /** `host:port`. */
  readonly remoteAddress: string | null;
  /** `host:port`. */
  readonly localAddress: string | null;
  /** Null: without TLS nothing is negotiated. */
  readonly alpn: string | null;
}

/** A socket. */
export interface Socket {
  /** What arrives, in chunks. Can be used at once. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** What is written here is sent. Can be used at once. */
  readonly writable: WritableStream<ArrayBuffer | ArrayBufferView | string>;
  /** Settles when the connection is open, or could not be opened. */
  readonly opened: Promise<SocketInfo>;
  /**
   * Fulfilled by `close()`, and without `allowHalfOpen` once the peer's end was read; rejected when the connection is lost. Ending
   * both streams alone does not settle it.
   */
  readonly closed: Promise<void>;
  /** Whether `startTls()` has taken the connection over. */
  readonly upgraded: boolean;
  /** As it was asked for. */
  readonly secureTransport: SecureTransportKind;
  /** Cancels `readable`, aborts `writable`, ends the connection; gives `closed`. */
  close(reason?: unknown): Promise<void>;
  /** Throws: TLS is not there yet. */
  startTls(): Socket;
}

/** What has a `connect()`. */
export interface Sockets {
  /**
   * Opens a connection; the socket can be used at once.
   *
   * @throws {TypeError} A `SocketError` if the address is none, or TLS is asked for.
   */
  connect(address: string | SocketAddress, options?: SocketOptions): Socket;
}

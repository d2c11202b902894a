/** Options and shapes of the public API, without behaviour: the in-process stack and the worker's client share them. */
import type { Clock } from "./runtime/clock.ts";
import type { Random } from "./runtime/random.ts";
import type { Device } from "./link/device.ts";

/** One end of a connection. */
export interface NetAddress {
  /** IP address in text form. */
  readonly hostname: string;
  /** Port, 0 to 65535. */
  readonly port: number;
}

/** Static configuration of the interface. */
export interface StaticAddress {
  /** Our address with its prefix length, `"10.0.0.2/24"`. */
  readonly cidr: string;
  /** Router for everything that is not on the link. */
  readonly gateway?: string;
  /** Name servers. */
  readonly dns?: readonly string[];
}

/** Where the WASM core comes from; by default it is inlined in the package. */
export type WasmSource = URL | Response | BufferSource | WebAssembly.Module;

/** Numbers a stack can be tuned with. */
export interface Tuning {
  /** Linear memory of the core, MiB. Default 64 in a page, 256 elsewhere. */
  readonly memoryMiB?: number;
  /** TCB slots. Default 65,536 per 256 MiB. */
  readonly maxConnections?: number;
  /** Largest receive window, bytes, up to 4 MiB. Default 1 MiB. */
  readonly receiveBufferBytes?: number;
  /** Largest send queue, bytes, up to 4 MiB. Default 1 MiB. */
  readonly sendBufferBytes?: number;
  /** Maximum segment lifetime, ms. Default 30,000. RFC 9293 section 3.4.3 says 2 minutes. */
  readonly mslMs?: number;
  /** Smallest RTO, ms. Default 200. RFC 6298 section 2.4 says 1,000. */
  readonly rtoMinMs?: number;
  /** 0 coalesces ACKs per batch (default); 2 follows RFC 9293 SHLD-19 to the letter. */
  readonly ackEvery?: number;
  /** Every unicast destination address is ours: a gateway. Default false. */
  readonly anyAddress?: boolean;
}

/** Options of `createStack()`. */
export interface StackOptions {
  /** The link; the stack owns it from here on and closes it. */
  readonly link: Device;
  /** `"dhcp"`, or a static address. */
  readonly address: "dhcp" | StaticAddress;
  /** Source of keys and identifiers. Default: the platform's cryptographic one. */
  readonly random?: Random;
  /** Time. Default: the platform's monotonic clock. */
  readonly clock?: Clock;
  /** Where the core comes from. Default: inlined. */
  readonly wasm?: WasmSource;
  /** Numbers. */
  readonly tuning?: Tuning;
}

/** Options of `stack.connect()`. */
export interface ConnectOptions {
  /** Name or address of the remote host. */
  readonly hostname: string;
  /** Remote port, 1 to 65535. */
  readonly port: number;
  /** Local port; 0 or absent = an ephemeral one (RFC 6056). */
  readonly localPort?: number;
  /** Local address; must be ours. */
  readonly localAddress?: string;
  /** How long the open may take, ms. Default R2 of RFC 9293: 180,000. */
  readonly connectTimeoutMs?: number;
  /** Aborts the open; once it is open, nothing. */
  readonly signal?: AbortSignal;
}

/** Options of `stack.listen()`. */
export interface ListenOptions {
  /** Local port, 1 to 65535; 0 = an ephemeral one. */
  readonly port: number;
  /** Local address; absent or `"0.0.0.0"` = any. */
  readonly hostname?: string;
  /** Connections that may wait for `accept`, 1 to 65535. Default 128. */
  readonly backlog?: number;
  /** Allows the port while connections of it rest in TIME-WAIT. Default false. */
  readonly reuseAddress?: boolean;
}

/** What `connection.info()` tells. */
export interface ConnectionInfo {
  /** State's name as RFC 9293 writes it: `"ESTABLISHED"`, `"FIN-WAIT-1"` … */
  readonly state: string;
  readonly localAddress: NetAddress;
  readonly remoteAddress: NetAddress;
  /** Bytes received and not read (Recv-Q). */
  readonly receiveQueuedBytes: number;
  /** Bytes written and not acknowledged (Send-Q). */
  readonly sendQueuedBytes: number;
  /** Bytes sent and not acknowledged. */
  readonly inFlightBytes: number;
  readonly sndWndBytes: number;
  readonly rcvWndBytes: number;
  readonly cwndBytes: number;
  readonly ssthreshBytes: number;
  readonly mssBytes: number;
  /** Smoothed round-trip time, ms; 0 before the first sample. */
  readonly srttMs: number;
  readonly rttvarMs: number;
  readonly rtoMs: number;
  readonly retries: number;
  readonly timestamps: boolean;
  readonly sack: boolean;
  readonly windowScale: { readonly snd: number; readonly rcv: number } | null;
}

/** A TCP connection. */
export interface TcpConnection extends AsyncDisposable {
  readonly localAddress: NetAddress;
  readonly remoteAddress: NetAddress;
  /** Byte stream of what arrives; BYOB; unread bytes stay in the ring and keep the window honest. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** What is written here is sent; a write settles when the bytes are in the ring. */
  readonly writable: WritableStream<Uint8Array>;
  /** Settles when the connection ended: fulfilled in order, rejected with the reason otherwise. */
  readonly closed: Promise<void>;
  /** Sends FIN after what is queued; reading goes on. */
  closeWrite(): Promise<void>;
  /** Closes both directions; settles when everything sent is acknowledged, or rejects. */
  close(): Promise<void>;
  /** Sends RST at once; queued data is lost. */
  abort(reason?: unknown): void;
  /** A snapshot of the connection. */
  info(): ConnectionInfo;
}

/** A listening port, an async iterable of connections. */
export interface TcpListener extends AsyncIterable<TcpConnection>, AsyncDisposable {
  readonly address: NetAddress;
  /** The next connection; rejects with `EBADF` once closed. */
  accept(): Promise<TcpConnection>;
  /** Stops listening; connections not accepted are reset, those accepted go on. */
  close(): void;
}

/** What `stack.listen()` answers: the listener to come, and an iterable of its connections already. */
export interface Listening extends Promise<TcpListener>, AsyncIterable<TcpConnection> {}

/** The interface's lease or static configuration. */
export interface AddressInfo {
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string | null;
  readonly dns: readonly string[];
  readonly mac: string;
  readonly mtu: number;
  /** Seconds the lease lasts; null when static. */
  readonly leaseSeconds: number | null;
}

/** Link state as people see it. */
export interface LinkState {
  readonly up: boolean;
  /** Why it is down, or an empty string. */
  readonly reason: string;
}

/** One row of `stack.connections()`. */
export interface ConnectionRow extends ConnectionInfo {
  /** The handle, unique while the stack lives. */
  readonly handle: number;
}

/** What a stack offers, in process or in a worker. */
export interface NetworkStack extends AsyncDisposable {
  /** Fulfilled once an address is configured (and, by DHCP, the gateway's MAC is known). */
  readonly ready: Promise<AddressInfo>;
  connect(options: ConnectOptions): Promise<TcpConnection>;
  /** Listens; `for await` over the answer gives the connections. */
  listen(options: ListenOptions): Listening;
  /** IPv4 addresses of a name. Rejects with `ENOTFOUND`. */
  resolve(hostname: string): Promise<string[]>;
  /** Counters by name, among them a drop counter per reason. */
  stats(): Promise<Record<string, number>>;
  /** All connections, for a table like netstat's. */
  connections(): Promise<ConnectionRow[]>;
  /** Calls back on changes of the link; returns the way to stop. */
  onLink(callback: (state: LinkState) => void): () => void;
  /** Aborts all connections, closes the link, frees everything. */
  close(): Promise<void>;
}

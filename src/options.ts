/** Options and shapes of the public API, without behaviour: the in-process stack and the worker's client share them. */
import type { Clock } from "./runtime/clock.ts";
import type { Random } from "./runtime/random.ts";
import type { Device } from "./link/device.ts";
import type { NameLookup, NameOptions } from "./name_options.ts";
import type { AddressChoice, AddressInfo } from "./address_options.ts";
import type { NetAddress } from "./net_address.ts";
import type {
  PingOptions,
  PingResult,
  TracerouteOptions,
  TracerouteResult,
} from "./probe_options.ts";
import type { UdpBindOptions, UdpSocket } from "./udp_options.ts";
export type {
  AddressChoice,
  AddressInfo,
  InterfaceAddress,
  StaticAddress,
} from "./address_options.ts";
export type { NetAddress } from "./net_address.ts";
export type {
  UdpBindOptions,
  UdpDatagram,
  UdpInfo,
  UdpOptions,
  UdpSocket,
  UdpTrouble,
} from "./udp_options.ts";
export type {
  CaaRecord,
  MxRecord,
  NameAnswer,
  NameLookup,
  NameOptions,
  NameRecords,
  NameServerAddress,
  NaptrRecord,
  RecordType,
  ResolveOptions,
  ResolveRecordsOptions,
  SoaRecord,
  SrvRecord,
} from "./name_options.ts";

/** Where the WASM core comes from; by default it is inlined in the package. */
export type WasmSource =
  | URL
  | Response
  | ArrayBuffer
  | ArrayBufferView<ArrayBuffer>
  | WebAssembly.Module;

/** Algorithms of congestion control: RFC 5681 with RFC 6582, and RFC 9438. */
export type CongestionControl = "newreno" | "cubic";

/**
 * Options of one connection, or of all that a listener gives. What is absent stays as it is, which for a new connection is
 * the stack's default. `maxSegmentBytes`, `timestamps`, `ecn` and `fastOpen` stand in the SYN, so they are for `connect()`
 * and `listen()` only.
 */
export interface TcpOptions {
  /** Small segments go at once: Nagle's algorithm is off. Default false. */
  readonly noDelay?: boolean;
  /** Only full segments go, others after 200 ms at the latest. Default false. */
  readonly cork?: boolean;
  /** Asks an idle peer whether it is still there. Default false. RFC 9293 section 3.8.4. */
  readonly keepAlive?: boolean;
  /** Silence before the first keepalive, ms. Default 7,200,000: two hours. */
  readonly keepIdleMs?: number;
  /** Between keepalives that are not answered, ms. Default 75,000. */
  readonly keepIntervalMs?: number;
  /** Keepalives without answer that end the connection, 1 to 255. Default 9. */
  readonly keepCount?: number;
  /** How long data may stay unacknowledged, ms; `Infinity` = for ever, 0 = the stack's `dataR2Ms`. RFC 9293 section 3.8.3. */
  readonly userTimeoutMs?: number;
  /** Tells the user timeout to the peer, and heeds its. Default false. RFC 5482. */
  readonly sendUserTimeout?: boolean;
  /** FIN-WAIT-2 after a full close, ms. Default 60,000. */
  readonly finWait2Ms?: number;
  /** How long what is queued may still be sent after `close()`, ms; then it is reset. Default `Infinity`. 0 = reset at once. */
  readonly lingerMs?: number;
  /** Differentiated Services byte, a multiple of 4. Default 0. */
  readonly tos?: number;
  /** Time to live or hop limit, 1 to 255. Default 64. */
  readonly ttl?: number;
  /** MSS that is offered and obeyed at most, bytes, 64 to 65,495. Default: what the link's MTU leaves. */
  readonly maxSegmentBytes?: number;
  /** Default: the stack's. */
  readonly congestionControl?: CongestionControl;
  /** True: the next ACKs go at once; false: ACKs may wait from the first segment on. */
  readonly quickAck?: boolean;
  /** Receive window, bytes; it does not grow by itself then. Default: from 65,535 to the stack's `receiveBufferBytes`. */
  readonly receiveBufferBytes?: number;
  /** Largest send queue, bytes. Default: the stack's `sendBufferBytes`. */
  readonly sendBufferBytes?: number;
  /** Largest window advertised, bytes; 0 = no limit, the default. */
  readonly windowClampBytes?: number;
  /** Bytes per second at most; above 0 it turns pacing on. Default 0: no limit. */
  readonly maxPacingRate?: number;
  /** Sends data with the SYN, or takes it. Default false. RFC 7413. */
  readonly fastOpen?: boolean;
  /** Asks for ECN. Default: as the stack's `ecn`. RFC 3168. */
  readonly ecn?: boolean;
  /** Offers timestamps, or agrees to them. Default true. RFC 7323. */
  readonly timestamps?: boolean;
  /** Soft ICMP errors are told in `info()`. Default true. RFC 9293 section 3.9.2.2. */
  readonly softErrors?: boolean;
  /** `"off"`: packets may be fragmented, ICMP is not believed; `"on"`: the default; `"probe"`: by probes too (RFC 8899). */
  readonly mtuDiscovery?: "off" | "on" | "probe";
}

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
  /** First RTO, ms. Default 1,000. RFC 6298 section 2.1. */
  readonly rtoInitialMs?: number;
  /** Largest RTO, ms, at least 60,000. Default 60,000. RFC 6298 section 2.5. */
  readonly rtoMaxMs?: number;
  /** How long an ACK may wait, ms, below 500. Default 40. RFC 9293 section 3.8.6.3. */
  readonly delayedAckMs?: number;
  /** R2 for a SYN, ms. Default 180,000. RFC 9293 section 3.8.3. */
  readonly synR2Ms?: number;
  /** R2 for data, ms. Default 120,000. RFC 9293 section 3.8.3. */
  readonly dataR2Ms?: number;
  /** R1: retransmissions after which a peer is said to be unresponsive. Default 3. RFC 9293 section 3.8.3. */
  readonly r1Retries?: number;
  /** FIN-WAIT-2 after a full close, ms. Default 60,000. */
  readonly finWait2Ms?: number;
  /** How often a SYN,ACK is repeated. Default 3. */
  readonly synAckRetries?: number;
  /** Initial window, segments. Default 10. RFC 6928. */
  readonly initialWindowSegments?: number;
  /** As in {@linkcode TcpOptions}. */
  readonly keepIdleMs?: number;
  /** As in {@linkcode TcpOptions}. */
  readonly keepIntervalMs?: number;
  /** As in {@linkcode TcpOptions}. */
  readonly keepCount?: number;
  /** Time to live of IPv4 packets, 1 to 255. Default 64. */
  readonly ttl?: number;
  /** Hop limit of IPv6 packets, 1 to 255. Default 64. */
  readonly hopLimit?: number;
  /** Differentiated Services byte, a multiple of 4. Default 0. */
  readonly tos?: number;
  /** Congestion control of new connections. */
  readonly congestionControl?: CongestionControl;
  /** `"off"`, `"accept"` when asked (default), or `"ask"` too. RFC 3168. */
  readonly ecn?: "off" | "accept" | "ask";
  /** When SYN cookies are sent: `"never"`, under `"pressure"` (default), or `"always"`. RFC 4987 section 3.6. */
  readonly synCookies?: "never" | "pressure" | "always";
  /** Fast Open may be asked for and served. Default false. RFC 7413. */
  readonly fastOpen?: boolean;
  /** Connections by Fast Open that may wait for their handshake. Default 256. */
  readonly fastOpenBacklog?: number;
  /** Silence after the start, ms; default 0: ISNs are keyed and driven by a clock. RFC 9293 section 3.4.3. */
  readonly quietMs?: number;
  /** ICMP lowers path MTUs. Default true. RFC 1191, RFC 8201. */
  readonly pmtuDiscovery?: boolean;
  /** When path MTUs are searched by probes: `"off"`, after a `"black-hole"` (default), or `"always"`. RFC 8899. */
  readonly mtuProbing?: "off" | "black-hole" | "always";
  /** Segments are spread over the round trip. Default false. */
  readonly pacing?: boolean;
  /** Slow start ends by delay. Default true. RFC 9406. */
  readonly hystart?: boolean;
  /** The congestion window restarts after idle time. Default true. RFC 5681 section 4.1. */
  readonly idleRestart?: boolean;
  /** Timestamps are offered. Default true. RFC 7323. */
  readonly timestamps?: boolean;
  /** SACK is offered. Default true. RFC 2018. */
  readonly sack?: boolean;
  /** Window scaling is offered. Default true. RFC 7323. */
  readonly windowScale?: boolean;
  /** Loss is found by time. Default true. RFC 8985. */
  readonly rack?: boolean;
  /** Tail loss probes. Default true. RFC 8985 section 7. */
  readonly tailLossProbe?: boolean;
  /** Spurious timeouts are found and undone. Default true. RFC 5682. */
  readonly frto?: boolean;
  /** Duplicates are reported. Default true. RFC 2883. */
  readonly dsack?: boolean;
  /** The receive window grows with use. Default true. */
  readonly receiveTuning?: boolean;
  /** The first segments of a connection are acknowledged at once. Default false. */
  readonly quickAck?: boolean;
  /** Challenge ACKs per second. Default 1,000. RFC 5961 section 10. */
  readonly challengeAcksPerSecond?: number;
  /** Resets to segments of no connection, per second. Default 1,000. */
  readonly resetsPerSecond?: number;
}

/** Options of `createStack()`. */
export interface StackOptions {
  /** The link; the stack owns it from here on and closes it. */
  readonly link: Device;
  /** How it gets its addresses. Default `"auto"`: both families, by DHCP and by router advertisements. */
  readonly address?: AddressChoice;
  /**
   * Secret of 16 bytes: with the same one, the same link's MAC and the same network, IPv6 addresses are the same the next time
   * (RFC 7217). Default: a new one for each stack.
   */
  readonly addressKey?: Uint8Array;
  /** Source of keys and identifiers. Default: the platform's cryptographic one. */
  readonly random?: Random;
  /** Time. Default: the platform's monotonic clock. */
  readonly clock?: Clock;
  /** How names are resolved. Default: by the network's name servers. */
  readonly names?: NameOptions;
  /** Where the core comes from. Default: inlined. */
  readonly wasm?: WasmSource;
  /** Numbers. */
  readonly tuning?: Tuning;
}

/** Options of `stack.connect()`. */
export interface ConnectOptions extends TcpOptions {
  /** Name or address of the remote host. */
  readonly hostname: string;
  /** Remote port, 1 to 65535. */
  readonly port: number;
  /** Local port; 0 or absent = an ephemeral one (RFC 6056). */
  readonly localPort?: number;
  /**
   * Allows a `localPort` whose connections are closing or rest in TIME-WAIT. Default false. The very same pair of endpoints is
   * refused all the same.
   */
  readonly reuseAddress?: boolean;
  /** Local address; must be ours. */
  readonly localAddress?: string;
  /**
   * Written at once: with `fastOpen` it may go with the SYN, and a server that has given a cookie gets it a round trip earlier;
   * otherwise it goes once the connection is open. At most what the send queue takes. Data that reaches the server twice
   * must do no harm (RFC 7413 section 6.1).
   */
  readonly earlyData?: Uint8Array;
  /** How long the open may take, ms. Default R2 of RFC 9293: 180,000. */
  readonly connectTimeoutMs?: number;
  /** Aborts the open; once it is open, nothing. */
  readonly signal?: AbortSignal;
}

/** Options of `stack.listen()`. */
export interface ListenOptions extends TcpOptions {
  /** Local port, 1 to 65535; 0 = an ephemeral one. */
  readonly port: number;
  /** Local address; absent or `"::"` = any of both families, `"0.0.0.0"` = any of IPv4. */
  readonly hostname?: string;
  /** With any address: takes no connections over IPv4. Default false. */
  readonly ipv6Only?: boolean;
  /** Connections that may wait for `accept`, 1 to 65535. Default 128. */
  readonly backlog?: number;
  /** Allows the port while connections of it rest in TIME-WAIT. Default false. */
  readonly reuseAddress?: boolean;
  /** Takes connections of this remote address only. */
  readonly remoteAddress?: string;
  /** Takes connections of this remote port only. */
  readonly remotePort?: number;
}

/** What `connection.info()` tells. */
export interface ConnectionInfo {
  /** State's name as RFC 9293 writes it: `"ESTABLISHED"`, `"FIN-WAIT-1"` … */
  readonly state: string;
  /** Our end. */
  readonly localAddress: NetAddress;
  /** The peer's end. */
  readonly remoteAddress: NetAddress;
  /** Bytes received and not read (Recv-Q). */
  readonly receiveQueuedBytes: number;
  /** Bytes written and not acknowledged (Send-Q). */
  readonly sendQueuedBytes: number;
  /** Bytes sent and not acknowledged. */
  readonly inFlightBytes: number;
  /** SND.WND: what the peer takes. */
  readonly sndWndBytes: number;
  /** RCV.WND: what we take. */
  readonly rcvWndBytes: number;
  /** Congestion window. RFC 5681 section 2. */
  readonly cwndBytes: number;
  /** Slow start threshold. RFC 5681 section 2. */
  readonly ssthreshBytes: number;
  /** Largest segment that is sent, options not counted. */
  readonly mssBytes: number;
  /** Smoothed round-trip time, ms; 0 before the first sample. */
  readonly srttMs: number;
  /** RTTVAR, ms. RFC 6298 section 2. */
  readonly rttvarMs: number;
  /** Retransmission timeout, ms. */
  readonly rtoMs: number;
  /** Timeouts in a row. */
  readonly retries: number;
  /** Why the state of loss recovery is what it is: Linux's tcpi_ca_state. */
  readonly congestionState: "open" | "disorder" | "cwr" | "recovery" | "loss";
  /** Its algorithm. */
  readonly congestionControl: CongestionControl;
  /** Smallest round-trip time of late, ms; 0 before the first sample. */
  readonly minRttMs: number;
  /** Bytes of ours that were acknowledged, and of theirs that came in order, since the beginning. */
  readonly ackedBytes: number;
  /** Bytes received in order. */
  readonly receivedBytes: number;
  /** Segments since the beginning, modulo 2^32. */
  readonly segmentsIn: number;
  /** Segments sent. */
  readonly segmentsOut: number;
  /** Segments sent again. */
  readonly retransmits: number;
  /** Segments sent and not acknowledged; of these held by the peer, deemed lost, and on their way again. */
  readonly unackedSegments: number;
  /** Segments in flight that the peer has, by SACK. */
  readonly sackedSegments: number;
  /** Segments in flight that are taken for lost. */
  readonly lostSegments: number;
  /** Segments in flight that were sent again. */
  readonly resentSegments: number;
  /** Zero-window probes and keepalives without answer. */
  readonly probes: number;
  /** Bytes written and never sent. */
  readonly notSentBytes: number;
  /** MSS that we announced, and largest text that came in one segment (0 = not known). */
  readonly advertisedMssBytes: number;
  /** MSS that the peer seems to use. */
  readonly receivedMssBytes: number;
  /** MTU of the path. */
  readonly pathMtuBytes: number;
  /** Bytes per second; 0 = no pacing. */
  readonly pacingRate: number;
  /** Since data was last sent, and since the peer was last heard, ms. */
  readonly lastDataSentMs: number;
  /** Since the last segment of the peer's, ms. */
  readonly lastHeardMs: number;
  /** Unread bytes up to the end of urgent data; 0 = none. */
  readonly urgentBytes: number;
  /** The last ICMP error that did not end the connection, as `"HOST_UNREACHABLE"`; null = none. */
  readonly softError: string | null;
  /** Whether both use timestamps. RFC 7323. */
  readonly timestamps: boolean;
  /** Whether both use SACK. RFC 2018. */
  readonly sack: boolean;
  /** Both ends do Explicit Congestion Notification. RFC 3168. */
  readonly ecn: boolean;
  /** Shifts of both windows; null without the option. RFC 7323. */
  readonly windowScale: { readonly snd: number; readonly rcv: number } | null;
}

/** What a connection has met and not died of. */
export interface Trouble {
  /**
   * `"unresponsive"`: the peer has not answered several retransmissions (RFC 9293 SHLD-9). `"soft-error"`: a router or the
   * peer's host sent an ICMP error that ends nothing (RFC 9293 MUST-47).
   */
  readonly kind: "unresponsive" | "soft-error";
  /** What the ICMP error said, as `info().softError`; null for `"unresponsive"`. */
  readonly reason: string | null;
}

/** A TCP connection. */
export interface TcpConnection extends AsyncDisposable {
  /** Our end. */
  readonly localAddress: NetAddress;
  /** The peer's end. */
  readonly remoteAddress: NetAddress;
  /** Byte stream of what arrives; BYOB; unread bytes stay in the ring and keep the window honest. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** What is written here is sent; a write settles when the bytes are in the ring. */
  readonly writable: WritableStream<Uint8Array>;
  /** Settles when the connection ended: fulfilled in order, rejected with the reason otherwise. */
  readonly closed: Promise<void>;
  /**
   * Sends bytes behind what was written before and tells the peer that everything up to their end is urgent; settles when
   * they are in the ring. `writable` must not be locked. New applications should not use it: what lies between two ends
   * may drop the pointer, and stacks disagree on what it means (RFC 9293 SHLD-13, RFC 6093).
   */
  writeUrgent(bytes: Uint8Array): Promise<void>;
  /** Called when the peer's urgent data begins or grows, with the unread bytes up to its end. They stay in line. */
  onUrgent: ((bytes: number) => void) | null;
  /** Called when the connection meets something that does not end it. */
  onTrouble: ((trouble: Trouble) => void) | null;
  /** Sends FIN after what is queued; reading goes on. */
  closeWrite(): Promise<void>;
  /** Closes both directions; settles when everything sent is acknowledged, or rejects. */
  close(): Promise<void>;
  /** Sends RST at once; queued data is lost. */
  abort(reason?: unknown): void;
  /** A snapshot of the connection. */
  info(): ConnectionInfo;
  /** Changes options; settles once they are in force. Rejects with a `TypeError` or `RangeError`, and then none is changed. */
  setOptions(options: TcpOptions): Promise<void>;
  /** The options in force. */
  getOptions(): Promise<Required<TcpOptions>>;
}

/** A listening port, an async iterable of connections. */
export interface TcpListener extends AsyncIterable<TcpConnection>, AsyncDisposable {
  /** Where it listens. */
  readonly address: NetAddress;
  /** The next connection; rejects with `EBADF` once closed. */
  accept(): Promise<TcpConnection>;
  /** Stops listening; connections not accepted are reset, those accepted go on. */
  close(): void;
}

/** What `stack.listen()` answers: the listener to come, and an iterable of its connections already. */
export interface Listening extends Promise<TcpListener>, AsyncIterable<TcpConnection> {}

/** Link state as people see it. */
export interface LinkState {
  /** Whether it works. */
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
export interface NetworkStack extends NameLookup, AsyncDisposable {
  /**
   * Fulfilled once an address of either family is configured (and, unless it is static, the gateway's MAC is known). Link-local
   * addresses do not count. The other family may follow: `connect()` waits a while for that of its destination.
   */
  readonly ready: Promise<AddressInfo>;
  /** Opens a connection. Rejects with a `StackError` that says why there is none. */
  connect(options: ConnectOptions): Promise<TcpConnection>;
  /** Listens; `for await` over the answer gives the connections. */
  listen(options: ListenOptions): Listening;
  /** As `listen()`, within the call; only where the stack runs in the caller's own thread. */
  listenNow?(options: ListenOptions): TcpListener;
  /** Opens a socket for datagrams. */
  bindUdp(options?: UdpBindOptions): Promise<UdpSocket>;
  /** As `bindUdp()`, within the call; only where the stack runs in the caller's own thread. */
  bindUdpNow?(options?: UdpBindOptions): UdpSocket;
  /** Asks a host whether it is there. Rejects if a request can not be sent; no reply is no error. */
  ping(hostname: string, options?: PingOptions): Promise<PingResult>;
  /** Finds the routers on the way to a host. */
  traceroute(hostname: string, options?: TracerouteOptions): Promise<TracerouteResult>;
  /** Counters by name, among them a drop counter per reason. */
  stats(): Promise<Record<string, number>>;
  /** All connections, for a table like netstat's. */
  connections(): Promise<ConnectionRow[]>;
  /** Calls back on changes of the link; returns the way to stop. */
  onLink(callback: (state: LinkState) => void): () => void;
  /** Aborts all connections, closes the link, frees everything. */
  close(): Promise<void>;
}

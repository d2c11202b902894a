/**
 * What a page and the worker that runs its stack say to each other.
 *
 * A *call* has an id and gets one answer. A *signal* gets none. Bytes travel in transferred ArrayBuffers, and only as far as
 * the other side has granted: the page grants the worker credit to read ahead, and owes it no more than a window of bytes
 * whose arrival in the ring was not acknowledged. No stream is transferred: a transferred byte stream loses BYOB.
 */
import { errorOf, StackError, type StackErrorCode } from "../errors.ts";
import type {
  AddressChoice,
  AddressInfo,
  ConnectionInfo,
  ConnectionRow,
  ConnectOptions,
  LinkState,
  ListenOptions,
  NameAnswer,
  NameOptions,
  NetAddress,
  RecordType,
  ResolveOptions,
  ResolveRecordsOptions,
  TcpOptions,
  Trouble,
  Tuning,
  UdpBindOptions,
  UdpDatagram,
  UdpInfo,
  UdpOptions,
  UdpTrouble,
  WasmSource,
} from "../options.ts";
import type {
  PingOptions,
  PingResult,
  TracerouteOptions,
  TracerouteResult,
} from "../probe_options.ts";
import type { SentCore } from "./sent_core.ts";

/** Path of the tunnel's WebSocket at a relay. */
export const TUNNEL_PATH = "/tunnel";

/** Bytes of a transferred buffer. Measured: more does not make a browser faster. */
export const BUFFER_BYTES = 65_536;

/**
 * Bytes of one connection that the page may hold unread. Before the first read it is nothing: everything stays in the ring. Used
 * up = the worker reads no more, the ring fills, the window closes.
 */
export const READ_WINDOW_BYTES: number = 4 * BUFFER_BYTES;

/** Bytes of one connection on their way from the page to the ring. Used up = the writer waits. */
export const WRITE_WINDOW_BYTES: number = 4 * BUFFER_BYTES;

/** Chunks below this travel in a buffer of their own size: a keystroke is not worth 64 KiB. */
export const SMALL_BYTES = 4_096;

/** A tunnel, described by what can be sent in a message. */
export interface WebsocketDescription {
  /** The only kind there is. */
  readonly kind: "websocket";
  /** `ws:` or `wss:` address of the relay, without the token. */
  readonly url: string;
  /** What the relay wants to see. */
  readonly token: string;
}

/** A stack, described by what can be sent in a message. */
export interface StackDescription {
  /** The link. */
  readonly link: WebsocketDescription;
  /** As in `StackOptions`. Default `"auto"`. */
  readonly address?: AddressChoice;
  /** The same. */
  readonly addressKey?: Uint8Array;
  /** Numbers. */
  readonly tuning?: Tuning;
  /** How names are resolved. Default: by the network's name servers. */
  readonly names?: NameOptions;
  /**
   * Where the core comes from. Default: inlined. A Module is compiled once for page and worker, the bytes of a Response are read
   * in the page, a URL is fetched by the worker.
   */
  readonly wasm?: WasmSource;
}

/** An error on its way. */
export interface WireError {
  /** Name of the class. */
  readonly class: string;
  /** StackError's code, or an empty string. */
  readonly code: string;
  readonly message: string;
  /** Errors of its `cause`, if that is an AggregateError: one for each address that was tried. */
  readonly errors?: readonly WireError[];
}

/** A connection that was opened or accepted. */
export interface OpenedConnection {
  /** Number of it in all messages. */
  readonly connection: number;
  readonly localAddress: NetAddress;
  readonly remoteAddress: NetAddress;
  readonly info: ConnectionInfo | null;
}

/** A listener. */
export interface OpenedListener {
  readonly listener: number;
  readonly address: NetAddress;
}

/** A port that listens here and is reachable at the relay's host. */
export interface PublishedPort {
  /** Port in this stack. */
  readonly port: number;
  /** Port of the relay's host. */
  readonly hostPort: number;
}

/** Calls by name: what goes there, what comes back. */
export interface Calls {
  start: { args: Omit<StackDescription, "wasm"> & { readonly wasm?: SentCore }; result: null };
  ready: { args: null; result: AddressInfo };
  connect: { args: Omit<ConnectOptions, "signal">; result: OpenedConnection };
  listen: { args: ListenOptions; result: OpenedListener };
  accept: { args: { listener: number }; result: OpenedConnection };
  closeWrite: { args: { connection: number }; result: null };
  /** `consumed`: bytes that the page's reader has had; what the worker sent beyond them is lost. */
  close: { args: { connection: number; consumed: number }; result: null };
  info: { args: { connection: number }; result: ConnectionInfo };
  setOptions: { args: { connection: number; options: TcpOptions }; result: null };
  getOptions: { args: { connection: number }; result: Required<TcpOptions> };
  resolve: {
    args: { hostname: string; options: Omit<ResolveOptions, "signal"> };
    result: string[];
  };
  resolveAnswer: {
    args: { name: string; type: RecordType; options: Omit<ResolveRecordsOptions, "signal"> };
    /** Of the type that was asked for. */
    result: NameAnswer;
  };
  stats: { args: null; result: Record<string, number> };
  connections: { args: null; result: ConnectionRow[] };
  ping: { args: { hostname: string; options: Omit<PingOptions, "signal"> }; result: PingResult };
  traceroute: {
    args: { hostname: string; options: Omit<TracerouteOptions, "signal"> };
    result: TracerouteResult;
  };
  bindUdp: {
    args: Omit<UdpBindOptions, "signal">;
    result: { readonly socket: number; readonly address: NetAddress };
  };
  /** Waits for a datagram; others that have come are with it. */
  receiveUdp: { args: { socket: number }; result: UdpDatagram[] };
  sendUdp: { args: { socket: number; data: Uint8Array; to?: NetAddress }; result: null };
  /** `to`: null = disconnect. */
  connectUdp: {
    args: { socket: number; to: NetAddress | null };
    result: { readonly address: NetAddress; readonly remoteAddress: NetAddress | null };
  };
  joinUdp: { args: { socket: number; group: string }; result: null };
  leaveUdp: { args: { socket: number; group: string }; result: null };
  setOptionsUdp: { args: { socket: number; options: UdpOptions }; result: null };
  getOptionsUdp: { args: { socket: number }; result: Required<UdpOptions> };
  infoUdp: { args: { socket: number }; result: UdpInfo };
  publish: { args: { port: number; hostPort?: number }; result: PublishedPort };
  unpublish: { args: { port: number }; result: null };
  startCapture: { args: null; result: null };
  stopCapture: { args: null; result: ArrayBuffer };
  stop: { args: null; result: null };
}

/** Name of a call. */
export type CallName = keyof Calls;

/** A call with its id. */
export type Call = {
  [K in CallName]: {
    readonly kind: "call";
    readonly id: number;
    readonly call: K;
    readonly args: Calls[K]["args"];
  };
}[CallName];

/** What the page says without wanting an answer. */
export type Signal =
  /** Forgets a call: its `connect` or its question for a name is aborted. */
  | { readonly kind: "cancel"; readonly id: number }
  | { readonly kind: "unlisten"; readonly listener: number }
  | { readonly kind: "closeUdp"; readonly socket: number }
  | {
    readonly kind: "credit";
    readonly connection: number;
    /** Bytes more that the worker may send. */
    readonly bytes: number;
    /** Buffers that the page has emptied, to be filled again. */
    readonly buffers: readonly ArrayBuffer[];
  }
  | {
    readonly kind: "write";
    readonly connection: number;
    readonly buffer: ArrayBuffer;
    /** Bytes of it from the front. */
    readonly bytes: number;
    /** Their end is urgent. */
    readonly isUrgent: boolean;
  }
  | { readonly kind: "cancelRead"; readonly connection: number }
  | { readonly kind: "abort"; readonly connection: number };

/** From the page. */
export type PageMessage = Call | Signal;

/** From the worker. */
export type WorkerMessage =
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "refusal"; readonly id: number; readonly error: WireError }
  | {
    readonly kind: "data";
    readonly connection: number;
    readonly buffer: ArrayBuffer;
    /** Bytes of it from the front. */
    readonly bytes: number;
  }
  /** Nothing more comes after the data before it: in order, or with an error. */
  | { readonly kind: "end"; readonly connection: number; readonly error: WireError | null }
  /** A buffer of the page's is in the ring; it comes back. */
  | {
    readonly kind: "wrote";
    readonly connection: number;
    readonly bytes: number;
    readonly buffer: ArrayBuffer;
  }
  /** Nothing more can be written; what was on its way is lost. */
  | { readonly kind: "unwritable"; readonly connection: number; readonly error: WireError }
  | { readonly kind: "closed"; readonly connection: number; readonly error: WireError | null }
  /** Urgent data began or grew: unread bytes up to its end. */
  | { readonly kind: "urgent"; readonly connection: number; readonly bytes: number }
  | { readonly kind: "trouble"; readonly connection: number; readonly trouble: Trouble }
  | { readonly kind: "udpTrouble"; readonly socket: number; readonly trouble: UdpTrouble }
  /** The worker has forgotten it. */
  | { readonly kind: "gone"; readonly connection: number }
  | { readonly kind: "link"; readonly state: LinkState }
  | { readonly kind: "lease"; readonly lease: AddressInfo | null };

/** One end of a channel: a Worker, the scope inside of it, or a MessagePort. */
export interface MessageEnd {
  /** Sends a message, and hands buffers over. */
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  /** Listens to `message`, `messageerror` and `error`. */
  addEventListener(type: string, listener: (event: Event) => void): void;
  /** Ports deliver nothing before it. */
  start?(): void;
}

/** The first word of our own script; no message, so that a page that does not wait for it takes no notice. */
export const RUNNING = "The worker of the stack runs";

/** Whether an event's data are that word. */
export function isRunning(data: unknown): boolean {
  return data === RUNNING;
}

/** What an event carries; both ends are ours, so its shape is known. */
export function messageOf<T extends PageMessage | WorkerMessage>(event: Event): T | null {
  return "data" in event && typeof event.data === "object" ? event.data as T : null;
}

/** Makes an error ready to be sent. */
export function toWireError(error: unknown): WireError {
  if (error instanceof StackError) {
    const { name, code, message, cause } = error;
    const errors = cause instanceof AggregateError ? { errors: cause.errors.map(toWireError) } : {};
    return { class: name, code, message, ...errors };
  }
  if (error instanceof DOMException || error instanceof Error) {
    return { class: error.name, code: "", message: error.message };
  }
  return { class: "Error", code: "", message: String(error) };
}

/** Makes the error that was sent: of its own class, with its code. */
export function fromWireError(error: WireError): Error {
  // The code was a StackError's on the other side of a channel that only we write to.
  if (error.code !== "") {
    const made = errorOf(error.code as StackErrorCode, error.message);
    const errors = error.errors?.map(fromWireError) ?? [];
    if (errors.length > 0) made.cause = new AggregateError(errors, error.message);
    return made;
  }
  switch (error.class) {
    case "TypeError":
      return new TypeError(error.message);
    case "RangeError":
      return new RangeError(error.message);
    case "AbortError":
      return new DOMException(error.message, "AbortError");
    default:
      return new Error(error.message);
  }
}

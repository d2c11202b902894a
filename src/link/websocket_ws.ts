/**
 * The client of the package ws, for Node, Bun and Deno: Node 20 has no WebSocket, and Deno's own waits 44 ms with every
 * message over 1,024 bytes (Nagle, measured with 2.9). A page's bundle gets the package's empty browser entry instead.
 */
import type { Duplex } from "node:stream";
import type { WebSocket as WsSocket } from "ws";
import { systemRandom } from "../runtime/system_random.ts";
import {
  type FrameReader,
  FrameWriter,
  hasByteSockets,
  readFrames,
  WS_LIMITS,
} from "./websocket_frames.ts";
import { BATCH_BYTES } from "./records.ts";
import { Stage } from "./websocket_stage.ts";

/** What the link needs of a WebSocket; the platform's and ws's have it. */
export interface WebSocketLike {
  /** Set before the first message: how binary ones arrive. */
  binaryType: string;
  /** The subprotocol that the server chose. */
  readonly protocol: string;
  /** 1 = open, 3 = closed. */
  readonly readyState: number;
  /** Bytes that wait to be sent. */
  readonly bufferedAmount: number;
  /** Queues a message; binary data is copied. */
  send(data: string | Uint8Array<ArrayBuffer>): void;
  /** Begins the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Set by the link: called when there may be room again. Where nobody calls it, the link looks from time to time. */
  onRoom?: (() => void) | null;
  /** ws: cuts the connection. */
  terminate?(): void;
  /** Listens to `open`, `message`, `close` and `error`. */
  addEventListener(type: string, listener: (event: Event) => void): void;
}

/** A WebSocket class. */
export type WebSocketConstructor = new (
  url: string,
  protocols?: string | string[],
) => WebSocketLike;

/** Opens a connection. */
export type SocketMaker = (url: string, protocol: string) => WebSocketLike;

/** WebSocket.OPEN. */
const READY_OPEN = 1;

/** Bytes of randomness fetched at a time for masks. */
const POOL_BYTES = 4096;

/** Time for TCP, TLS and the upgrade, ms. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** The class that was given, else the platform's where it is the best there is, else null: ws is loaded. */
export function makerOf(given: WebSocketConstructor | undefined): SocketMaker | null {
  const process: unknown = Reflect.get(globalThis, "process");
  const versions = typeof process === "object" && process !== null
    ? Reflect.get(process, "versions")
    : undefined;
  const isServerSide = typeof versions === "object" && versions !== null && "node" in versions;
  if (given === undefined && isServerSide) return null;
  const Class = given ?? (globalThis.WebSocket as unknown as WebSocketConstructor);
  return (url, protocol) => {
    const socket = new Class(url, protocol);
    socket.binaryType = "arraybuffer";
    // A class that was given is used as it is.
    return given === undefined ? new GatheringSocket(socket) : socket;
  };
}

/** The platform's WebSocket; what a turn of the event loop sends leaves it together. */
class GatheringSocket implements WebSocketLike {
  readonly #socket: WebSocketLike;
  readonly #buffer = new Uint8Array(BATCH_BYTES);
  readonly #stage: Stage;

  constructor(socket: WebSocketLike) {
    this.#socket = socket;
    this.#stage = new Stage(this.#buffer, (bytes) => {
      if (socket.readyState === READY_OPEN) socket.send(this.#buffer.subarray(0, bytes));
    });
    socket.addEventListener("message", (event) => {
      const data: unknown = Reflect.get(event, "data");
      if (data instanceof ArrayBuffer) this.#stage.heard(data.byteLength);
    });
  }

  get binaryType(): string {
    return this.#socket.binaryType;
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get readyState(): number {
    return this.#socket.readyState;
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount + this.#stage.bytes;
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (typeof data !== "string") return this.#stage.put(data);
    this.#stage.flush();
    this.#socket.send(data);
  }

  close(code?: number, reason?: string): void {
    this.#stage.flush();
    this.#socket.close(code, reason);
  }

  addEventListener(type: string, listener: (event: Event) => void): void {
    this.#socket.addEventListener(type, listener);
  }
}

/**
 * Loads ws.
 *
 * @param maxPayloadBytes A larger message closes the connection with 1009.
 * @returns What opens connections.
 * @throws Error if the package is not installed.
 */
export async function loadWs(maxPayloadBytes: number): Promise<SocketMaker> {
  const { WebSocket } = await import("ws");
  const options = {
    perMessageDeflate: false,
    maxPayload: maxPayloadBytes,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    followRedirects: false,
    ...WS_LIMITS,
    generateMask: maskMaker(),
  };
  return (url, protocol) => {
    const socket = new WebSocket(url, protocol, options);
    // A message as it lies in the receive buffer; an ArrayBuffer would be one more copy.
    socket.binaryType = "nodebuffer";
    if (!hasByteSockets()) return socket as unknown as WebSocketLike;
    return new DirectSocket(socket, options.generateMask);
  };
}

/**
 * Masks that are never zero. ws copies what it masks, but keeps a reference to what it need not mask, and the stack
 * writes over its batch as soon as `send()` has returned.
 */
function maskMaker(): (mask: Uint8Array) => void {
  const random = systemRandom();
  const pool = new Uint8Array(POOL_BYTES);
  let at = POOL_BYTES;
  return (mask) => {
    if (at === POOL_BYTES) {
      random.fill(pool);
      at = 0;
    }
    for (let i = 0; i < 4; i++) mask[i] = pool[at + i] ?? 0;
    at += 4;
    if ((mask[0] ?? 0) === 0) mask[0] = 1;
  };
}

/** A WebSocket of ws whose batches go past it, on the same connection. */
class DirectSocket implements WebSocketLike {
  onRoom: (() => void) | null = null;
  readonly #ws: WsSocket;
  readonly #fillKey: (key: Uint8Array) => void;
  #below: Duplex | null = null;
  #writer: FrameWriter | null = null;
  #reader: FrameReader | null = null;

  constructor(ws: WsSocket, fillKey: (key: Uint8Array) => void) {
    this.#ws = ws;
    this.#fillKey = fillKey;
    ws.on("upgrade", (response) => (this.#below = response.socket));
    ws.on("open", () => this.#takeOver());
    ws.on("error", () => this.#reader?.stop());
    ws.on("close", () => this.#writer?.close());
  }

  get binaryType(): string {
    return this.#ws.binaryType;
  }

  get protocol(): string {
    return this.#ws.protocol;
  }

  get readyState(): number {
    return this.#ws.readyState;
  }

  get bufferedAmount(): number {
    return this.#ws.bufferedAmount + (this.#writer?.stage.bytes ?? 0);
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    const writer = this.#writer;
    if (writer !== null && typeof data !== "string") return writer.stage.put(data);
    // Text must not overtake it.
    writer?.stage.flush();
    this.#ws.send(data);
  }

  close(code?: number, reason?: string): void {
    this.#writer?.stage.flush();
    this.#ws.close(code, reason);
  }

  terminate(): void {
    this.#ws.terminate();
  }

  addEventListener(type: string, listener: (event: Event) => void): void {
    // Its events have what a listener of ours reads.
    this.#ws.addEventListener(type as "message", listener as never);
  }

  #takeOver(): void {
    const ws = this.#ws;
    if (this.#below === null) return;
    const deliver = (batch: Uint8Array): void => {
      this.#writer?.stage.heard(batch.length);
      if (ws.readyState === ws.OPEN) ws.emit("message", batch, true);
    };
    this.#reader = readFrames(this.#below, { isMasked: false, deliver });
    if (this.#reader === null) return;
    this.#writer = new FrameWriter(this.#below, {
      fillKey: this.#fillKey,
      isOpen: () => ws.readyState === ws.OPEN,
      onSent: () => this.onRoom?.(),
    });
  }
}

/** Bytes both ways, by a connection of our stack or by a plain WebSocket: what the two are measured by is the same code. */
import type { TcpConnection } from "../options.ts";
import type { WebSocketLike } from "../link/websocket_ws.ts";

/** What is read at once from a connection, bytes. */
const READ_BYTES = 131_072;

/** Bytes that may wait in a WebSocket. */
const HIGH_BYTES = 4 << 20;

/** How often a WebSocket that is full is looked at, ms. */
const LOOK_MS = 1;

/** What it is called in the handshake; our link names one too. */
const SUBPROTOCOL = "bytes";

/** Bytes both ways. */
export interface ByteLine {
  /** Settles when there is room for more. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** What came, valid until the next call; null at the end. */
  read(): Promise<Uint8Array | null>;
  close(): Promise<void>;
}

/** A connection of a stack. */
export function connectionLine(connection: TcpConnection): ByteLine {
  const reader = connection.readable.getReader({ mode: "byob" });
  const writer = connection.writable.getWriter();
  let into = new Uint8Array(READ_BYTES);
  return {
    write: (bytes) => writer.write(bytes),
    async read(): Promise<Uint8Array | null> {
      const { done, value } = await reader.read(into);
      if (value !== undefined) into = new Uint8Array(value.buffer);
      return done || value === undefined ? null : value;
    },
    async close(): Promise<void> {
      await writer.close();
      reader.releaseLock();
      await connection.close();
    },
  };
}

/** What comes in faster than it is read waits here. */
class Inbox {
  readonly #waiting: Uint8Array[] = [];
  #reader: ((bytes: Uint8Array | null) => void) | null = null;
  #isOver = false;

  put(bytes: Uint8Array): void {
    const reader = this.#reader;
    this.#reader = null;
    if (reader === null) this.#waiting.push(bytes);
    else reader(bytes);
  }

  end(): void {
    this.#isOver = true;
    this.#reader?.(null);
  }

  take(): Promise<Uint8Array | null> {
    const bytes = this.#waiting.shift();
    if (bytes !== undefined) return Promise.resolve(bytes);
    if (this.#isOver) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#reader = resolve;
    });
  }
}

/** A plain WebSocket: the page's own, or that of the package ws, as a program would open it that has no stack. */
async function openSocket(url: string): Promise<WebSocketLike> {
  const { process } = globalThis as { process?: unknown };
  if (process === undefined) return new WebSocket(url, SUBPROTOCOL) as unknown as WebSocketLike;
  const ws = await import("ws");
  const socket = new ws.WebSocket(url, SUBPROTOCOL, { perMessageDeflate: false });
  return socket as unknown as WebSocketLike;
}

/** Opens a line over a plain WebSocket. */
export async function socketLine(url: string): Promise<ByteLine> {
  const socket = await openSocket(url);
  // ws: a message as it lies in the receive buffer; a page knows no such thing.
  socket.binaryType = "process" in globalThis ? "nodebuffer" : "arraybuffer";
  const inbox = new Inbox();
  socket.addEventListener("message", (event) => {
    const { data } = event as MessageEvent<ArrayBuffer | Uint8Array>;
    inbox.put(data instanceof ArrayBuffer ? new Uint8Array(data) : data);
  });
  socket.addEventListener("close", () => inbox.end());
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error(`Cannot open ${url}`)));
  });
  return {
    async write(bytes): Promise<void> {
      socket.send(bytes);
      while (socket.bufferedAmount > HIGH_BYTES) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    },
    read: () => inbox.take(),
    close: () => {
      socket.close();
      return Promise.resolve();
    },
  };
}

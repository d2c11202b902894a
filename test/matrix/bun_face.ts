/** The driver of Bun's own sockets, `Bun.connect()` and `Bun.listen()`: callbacks instead of streams. */
import type { Door, End, Face } from "./trial.ts";

/** What of Bun's socket is needed. */
interface BunSocket {
  readonly localPort: number;
  readonly remotePort: number;
  data: BunEnd;
  write(bytes: Uint8Array): number;
  end(): void;
  shutdown(halfClose?: boolean): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

/** What of Bun is needed. */
export interface BunLike {
  connect(options: object): Promise<BunSocket>;
  listen(options: object): { readonly port: number; stop(closeActive?: boolean): void };
}

/** One end by Bun's callbacks. */
class BunEnd implements End {
  localPort = 0;
  remotePort = 0;
  socket: BunSocket | null = null;
  readonly closed: Promise<unknown>;
  #settle: { resolve(value: unknown): void; reject(error: unknown): void } = {
    resolve() {},
    reject() {},
  };
  readonly #chunks: Uint8Array[] = [];
  #error: unknown = null;
  #ended = false;
  readonly #waiting = new Set<() => void>();

  constructor() {
    this.closed = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.closed.catch(() => {});
  }

  open(socket: BunSocket): void {
    this.socket = socket;
    this.localPort = socket.localPort;
    this.remotePort = socket.remotePort;
  }

  data(chunk: Uint8Array): void {
    this.#chunks.push(new Uint8Array(chunk));
    this.socket?.pause();
    this.wake();
  }

  over(error: unknown, isClosed: boolean): void {
    this.#error ??= error ?? null;
    this.#ended = true;
    if (isClosed && this.#error === null) this.#settle.resolve(undefined);
    else if (isClosed) this.#settle.reject(this.#error);
    this.wake();
  }

  wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        if (this.#chunks.length === 0) this.socket?.resume();
        return chunk;
      }
      if (this.#error !== null) throw this.#error;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const wrote = this.socket?.write(bytes.subarray(at)) ?? -1;
      if (wrote < 0) throw this.#error ?? new Error("Bun: the socket is closed");
      at += wrote;
      if (this.#error !== null) throw this.#error;
      if (at < bytes.length) await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  end(): Promise<void> {
    this.socket?.shutdown();
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.socket?.end();
    return Promise.resolve();
  }

  reset(): void {
    this.socket?.terminate();
  }
}

const HANDLERS = {
  data: (socket: BunSocket, chunk: Uint8Array) => socket.data.data(chunk),
  drain: (socket: BunSocket) => socket.data.wake(),
  end: (socket: BunSocket) => socket.data.over(null, false),
  close: (socket: BunSocket, error: unknown) => socket.data.over(error, true),
  error: (socket: BunSocket, error: unknown) => socket.data.over(error, false),
};

/** The driver. */
export function bunFace(bun: BunLike): Face {
  return {
    can: { reset: true, closed: true, readInto: false, each: false },
    takesSignal: false,
    async connect({ hostname, port, halfOpen = true }) {
      const data = new BunEnd();
      const socket = await bun.connect({
        hostname,
        port,
        data,
        allowHalfOpen: halfOpen,
        socket: { ...HANDLERS, open: (socket: BunSocket) => data.open(socket) },
      });
      data.open(socket);
      return data;
    },
    // deno-lint-ignore require-await -- what it throws is a rejection for the rows
    listen: async ({ port, hostname = "0.0.0.0" }) => {
      const queue: End[] = [];
      const waiting: ((end: End) => void)[] = [];
      const server = bun.listen({
        hostname,
        port,
        allowHalfOpen: true,
        socket: {
          ...HANDLERS,
          open(socket: BunSocket) {
            socket.data = new BunEnd();
            socket.data.open(socket);
            const first = waiting.shift();
            if (first === undefined) queue.push(socket.data);
            else first(socket.data);
          },
        },
      });
      const door: Door = {
        port: server.port,
        accept: () =>
          new Promise((resolve) => {
            const first = queue.shift();
            if (first === undefined) waiting.push(resolve);
            else resolve(first);
          }),
        close: () => server.stop(),
      };
      return door;
    },
    word(error) {
      const code: unknown = typeof error === "object" && error !== null
        ? Reflect.get(error, "code")
        : undefined;
      return typeof code === "string" ? code : error instanceof Error ? error.name : String(error);
    },
  };
}

/** The driver of `node:net`: our face of it, and Node's own, which Deno and Bun have too. */
import type { Door, End, Face } from "./trial.ts";

/** What of a socket is needed. */
export interface SocketLike {
  readonly localPort?: number | undefined;
  readonly remotePort?: number | undefined;
  on(event: string, listener: (...args: never[]) => void): unknown;
  once(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (...args: never[]) => void): unknown;
  read(): Uint8Array | null;
  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean;
  end(done: () => void): unknown;
  destroy(): unknown;
  resetAndDestroy(): unknown;
  destroySoon(): void;
  readonly destroyed: boolean;
  readonly readableEnded: boolean;
  readonly errored?: Error | null;
}

/** What of a server is needed. */
export interface ServerLike {
  listen(options: object): unknown;
  close(): unknown;
  address(): unknown;
  once(event: string, listener: (...args: never[]) => void): unknown;
  on(event: string, listener: (...args: never[]) => void): unknown;
}

/** What of the module is needed. */
export interface NetLike {
  connect(options: object): SocketLike;
  createServer(options: object): ServerLike;
}

function codeOf(error: unknown): string {
  const code: unknown = Reflect.get(Object(error), "code");
  if (typeof code === "string") return code;
  return error instanceof Error || error instanceof DOMException ? error.name : String(error);
}

/** One end, by its events: errors are kept until somebody does something. */
export class NodeEnd implements End {
  readonly localPort: number;
  readonly remotePort: number;
  readonly closed: Promise<unknown>;
  readonly #socket: SocketLike;
  #error: Error | null = null;
  #ended = false;
  #isClosed = false;
  readonly #waiting = new Set<() => void>();

  constructor(socket: SocketLike) {
    this.#socket = socket;
    this.localPort = socket.localPort ?? 0;
    this.remotePort = socket.remotePort ?? 0;
    const wake = (): void => this.#wake();
    socket.on("readable", wake);
    socket.on("end", () => {
      this.#ended = true;
      wake();
    });
    socket.on("error", (error: Error) => {
      this.#error = error;
      wake();
    });
    this.closed = new Promise((resolve, reject) => {
      socket.on("close", () => {
        this.#isClosed = true;
        wake();
        if (this.#error === null) resolve(undefined);
        else reject(this.#error);
      });
    });
    this.closed.catch(() => {});
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const chunk = this.#socket.read();
      if (chunk !== null) return new Uint8Array(chunk);
      if (this.#error !== null) throw this.#error;
      if (this.#ended) return null;
      if (this.#isClosed) throw new DOMException("The socket was closed", "CloseEvent");
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      // What ended the socket is told by its event, and later writes only say that it has ended.
      this.#socket.write(bytes, (error) => error ? reject(this.#error ?? error) : resolve());
    });
  }

  end(): Promise<void> {
    return new Promise((resolve) => void this.#socket.end(resolve));
  }

  // deno-lint-ignore require-await -- what it throws is a rejection for the rows
  async close(): Promise<void> {
    this.#socket.destroySoon();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}

/** The driver. */
export function nodeFace(net: NetLike): Face {
  return {
    can: { reset: true, closed: true, readInto: false, each: false },
    takesSignal: true,
    connect: ({ hostname, port, signal, halfOpen = true }) =>
      new Promise((resolve, reject) => {
        const options = {
          host: hostname,
          port,
          allowHalfOpen: halfOpen,
          ...(signal && { signal }),
        };
        const socket = net.connect(options);
        const fail = (error: Error): void => reject(error);
        socket.once("error", fail);
        socket.once("connect", () => {
          socket.off("error", fail);
          resolve(new NodeEnd(socket));
        });
      }),
    listen: ({ port, hostname = "0.0.0.0", backlog }) =>
      new Promise((resolve, reject) => {
        const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
        const queue: End[] = [];
        const waiting: ((end: End) => void)[] = [];
        server.on("connection", (socket: SocketLike) => {
          const end = new NodeEnd(socket);
          const first = waiting.shift();
          if (first === undefined) queue.push(end);
          else first(end);
        });
        server.once("error", (error: Error) => reject(error));
        server.once("listening", () => {
          const address = server.address();
          const door: Door = {
            port: typeof address === "object" && address !== null
              ? Number(Reflect.get(address, "port"))
              : 0,
            accept: () =>
              new Promise((resolve) => {
                const first = queue.shift();
                if (first === undefined) waiting.push(resolve);
                else resolve(first);
              }),
            close: () => void server.close(),
          };
          resolve(door);
        });
        server.listen({ port, host: hostname, ...(backlog && { backlog }) });
      }),
    word: codeOf,
  };
}

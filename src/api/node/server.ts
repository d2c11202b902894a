/** `net.Server` over a stack. */
import { EventEmitter } from "node:events";
import { BadResource } from "../../errors.ts";
import type { NetworkStack, TcpConnection, TcpListener } from "../../options.ts";
import type { BlockList } from "./block_list.ts";
import { type Listener, normalizeArgs } from "./connect_args.ts";
import { soon } from "./later.ts";
import { familyOfText, lookupAll } from "./lookup.ts";
import { defaultStack } from "./net_defaults.ts";
import {
  argumentType,
  argumentValue,
  checkPort,
  codedError,
  describedError,
} from "./node_error.ts";
import { Socket } from "./socket.ts";
import type { SocketAddressInfo } from "./socket_options.ts";

/** Connections that may wait, unless the caller says otherwise. As in Node. */
const BACKLOG = 511;

/** Most that may wait: what the stack takes. */
const BACKLOG_MAX = 65_535;

/** Options of `new Server()`. */
export interface ServerOptions {
  /** Whether our direction stays open when the peer's ends. Default false. */
  allowHalfOpen?: boolean | undefined;
  /** Nothing is read of a connection until `resume()`. */
  pauseOnConnect?: boolean | undefined;
  /** Bytes that are buffered before a writer or a reader has to wait. */
  highWaterMark?: number | undefined;
  /** Whether Nagle's algorithm is off. */
  noDelay?: boolean | undefined;
  /** Whether an idle peer is asked if it is still there. */
  keepAlive?: boolean | undefined;
  /** Ms. */
  keepAliveInitialDelay?: number | undefined;
  /** Whose connections are dropped. */
  blockList?: BlockList | undefined;
}

/** Where to listen. */
export interface NetListenOptions {
  /** The port. */
  port?: number | string | undefined;
  /** Name or address. */
  host?: string | undefined;
  /** Connections that may wait. */
  backlog?: number | undefined;
  /** Ends it when aborted. */
  signal?: AbortSignal | undefined;
  /** Path of a local socket; there are none. */
  path?: string | undefined;
}

/** What is listened on. */
interface Where {
  readonly port: number;
  readonly backlog: number;
  /** Absent = any. */
  readonly address?: string;
}

/** A listening port. */
export class Server extends EventEmitter {
  /** More connections than that are dropped; absent unless somebody sets it. */
  declare maxConnections: number;
  /** Whether dropped connections are closed; they always are. */
  dropMaxConnection: boolean = true;
  /** Never there: Node's declarations have kept it since Node has not. */
  declare readonly connections: number;
  readonly #options: ServerOptions;
  #listener: TcpListener | null = null;
  /** What `listen()` was called for, until it is closed. */
  #opening: object | null = null;
  #connections = 0;

  /** As in Node. */
  constructor(options?: ServerOptions | Listener, connectionListener?: Listener) {
    super();
    const isListener = typeof options === "function";
    if (options !== undefined && options !== null && !isListener && typeof options !== "object") {
      throw argumentType("options", "object", options);
    }
    this.#options = isListener || options === null ? {} : options ?? {};
    const listener = isListener ? options : connectionListener;
    if (listener !== undefined) this.on("connection", listener as Listener);
  }

  /** The stack that it listens on; that of {@linkcode setDefaultStack} unless a subclass knows another. */
  protected stackOf(): NetworkStack {
    return defaultStack();
  }

  /** Whether it listens. */
  get listening(): boolean {
    return this.#listener !== null;
  }

  /** Listens: `(port, host, backlog)`, `(options)`, each with a listener of "listening" behind it. */
  listen(...args: unknown[]): this {
    const [options, callback] = normalizeArgs<NetListenOptions>(listenArgs(args));
    if (this.#opening !== null) {
      const message = "Listen method has been called more than once without closing.";
      throw codedError(Error, "ERR_SERVER_ALREADY_LISTEN", message);
    }
    const port = listenPort(args, options);
    if (callback !== null) this.once("listening", callback);
    const opening = {};
    this.#opening = opening;
    if (options.signal !== undefined) this.#heed(options.signal);
    const backlog = Number(args.slice(1, 3).find((value) => typeof value === "number")) ||
      options.backlog || BACKLOG;
    this.#open(opening, options, { port, backlog: Math.min(Math.max(backlog, 1), BACKLOG_MAX) });
    return this;
  }

  /** Where it listens; null while it does not. */
  address(): SocketAddressInfo | null {
    const local = this.#listener?.address;
    if (local === undefined) return null;
    const family = familyOfText(local.hostname) === 6 ? "IPv6" : "IPv4";
    return { address: local.hostname, family, port: local.port };
  }

  /** Stops listening; "close" comes once its connections have ended too. */
  close(callback?: (error?: Error) => void): this {
    if (typeof callback === "function") {
      const isRunning = this.#opening !== null;
      this.once("close", () => {
        if (isRunning) callback();
        else callback(codedError(Error, "ERR_SERVER_NOT_RUNNING", "Server is not running."));
      });
    }
    this.#opening = null;
    this.#listener?.close();
    this.#listener = null;
    this.#closeIfDrained();
    return this;
  }

  /** How many connections it has, told to a callback. */
  getConnections(callback: (error: Error | null, count: number) => void): this {
    const count = this.#connections;
    soon(() => callback(null, count));
    return this;
  }

  /** Does nothing: what keeps the process alive is the link of the stack. */
  ref(): this {
    return this;
  }

  /** Does nothing, see `ref()`. */
  unref(): this {
    return this;
  }

  /** Closes, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#opening === null) return;
    await new Promise<void>((resolve, reject) => {
      this.close((error) => error === undefined ? resolve() : reject(error));
    });
  }

  /** Makes the socket of a connection; a subclass makes one of its own stack. */
  protected makeSocket(options: ServerOptions): Socket {
    return new Socket(options);
  }

  #heed(signal: AbortSignal): void {
    const abort = (): void => void this.close();
    if (signal.aborted) return soon(abort);
    signal.addEventListener("abort", abort, { once: true });
    this.once("close", () => signal.removeEventListener("abort", abort));
  }

  #open(opening: object, options: NetListenOptions, where: Where): void {
    const { path, host } = options;
    const failed = (error: unknown): void => this.#failed(opening, error);
    if (path !== undefined) {
      return failed(describedError("listen", "EAFNOSUPPORT", { address: path }));
    }
    if (host === undefined || host === "") return this.#listen(opening, where);
    if (familyOfText(host) !== 0) return this.#listen(opening, { ...where, address: host });
    lookupAll(this.stackOf(), host, {}).then(([found]) => {
      if (found !== undefined) this.#listen(opening, { ...where, address: found.address });
    }, failed);
  }

  /** Within the call where the stack is in this process, so that `address()` tells the port at once, as Node's does. */
  #listen(opening: object, { port, backlog, address }: Where): void {
    const stack = this.stackOf();
    const failed = (error: unknown): void => {
      const place = { address: address ?? "0.0.0.0", port };
      this.#failed(opening, describedError("listen", error, place));
    };
    const options = {
      port,
      backlog,
      // What Node sets on every listening socket.
      reuseAddress: true,
      ...(address === undefined || address === "::" ? {} : { hostname: address }),
    };
    try {
      const listener = stack.listenNow?.(options);
      if (listener !== undefined) return this.#listens(opening, listener);
    } catch (error) {
      return failed(error);
    }
    stack.listen(options).then((listener) => this.#listens(opening, listener), failed);
  }

  #listens(opening: object, listener: TcpListener): void {
    if (this.#opening !== opening) return listener.close();
    this.#listener = listener;
    void this.#accept(listener);
    soon(() => {
      if (this.#listener === listener) this.emit("listening");
    });
  }

  #failed(opening: object, error: unknown): void {
    if (this.#opening !== opening) return;
    this.#opening = null;
    soon(() => this.emit("error", error));
  }

  async #accept(listener: TcpListener): Promise<void> {
    for (;;) {
      let connection: TcpConnection;
      try {
        connection = await listener.accept();
      } catch (error) {
        // The stack has ended, unless we have closed it ourselves; who closed the stack needs no error to know.
        if (this.#listener !== listener) return;
        return soon(() => {
          if (!(error instanceof BadResource)) this.emit("error", describedError("accept", error));
          this.close();
        });
      }
      soon(() => this.#take(connection));
    }
  }

  #take(connection: TcpConnection): void {
    const { blockList } = this.#options;
    const { hostname } = connection.remoteAddress;
    const family = familyOfText(hostname) === 6 ? "ipv6" : "ipv4";
    const isFull = this.#connections >= (this.maxConnections ?? Infinity);
    if (isFull || blockList?.check(hostname, family) === true) return this.#drop(connection);
    const socket = this.makeSocket(this.#options);
    this.#connections++;
    socket.server = this;
    socket.adopt(connection, {
      pause: this.#options.pauseOnConnect === true,
      onGone: () => {
        this.#connections--;
        this.#closeIfDrained();
      },
    });
    this.emit("connection", socket);
  }

  #drop(connection: TcpConnection): void {
    const { localAddress: local, remoteAddress: remote } = connection;
    connection.close().catch(() => {});
    const familyOf = (text: string): string => familyOfText(text) === 6 ? "IPv6" : "IPv4";
    this.emit("drop", {
      localAddress: local.hostname,
      localPort: local.port,
      localFamily: familyOf(local.hostname),
      remoteAddress: remote.hostname,
      remotePort: remote.port,
      remoteFamily: familyOf(remote.hostname),
    });
  }

  #closeIfDrained(): void {
    if (this.#opening !== null || this.#connections > 0) return;
    soon(() => this.emit("close"));
  }
}

/** `listen()` and `listen(null)` mean any port, `listen(handle)` nothing of ours. */
function listenArgs(args: readonly unknown[]): readonly unknown[] {
  const [first, ...rest] = args;
  const isAbsent = args.length === 0 || first === undefined || first === null ||
    typeof first === "function";
  if (!isAbsent) return args;
  return typeof first === "function" ? [0, first] : [0, ...rest];
}

function listenPort(args: readonly unknown[], options: NetListenOptions): number {
  const { port, path } = options;
  if (typeof port === "number" || typeof port === "string") {
    return checkPort("options.port", port);
  }
  if (typeof path === "string") return 0;
  if (port === null || ("port" in options && port === undefined)) return 0;
  const isObject = typeof args[0] === "object" && !("port" in options) && !("path" in options);
  throw isObject
    ? argumentValue("options", options, 'must have the property "port" or "path"')
    : argumentValue("options", options);
}

/** `Deno.serve()` over a stack. */
import type { NetworkStack, TcpConnection, TcpListener } from "../../options.ts";
import { handledPromise } from "../faces/settling.ts";
import { noTls, toDenoError } from "./errors.ts";
import { HttpConnection, type HttpLimits, type HttpService } from "./http_connection.ts";
import { HttpParsers } from "./http_parser.ts";
import { type OpenedListener, openListener } from "./tcp_listener.ts";
import { toNetAddr } from "./tcp_conn.ts";
import type { HttpServer, ServeHandler, ServeOptions } from "./serve_types.ts";
import type { NetAddr } from "./types.ts";

/** Port of a server that was given none: Deno's. */
const DEFAULT_PORT = 8_000;

/** Limits that Deno's own server has in some form too: hyper's buffer is larger, its time for a head the same. */
const HEAD_MAX_BYTES = 65_536;
const HEAD_TIMEOUT_MS = 30_000;
/** As long as proxies commonly keep a connection that rests. */
const IDLE_TIMEOUT_MS = 120_000;

/**
 * Serves.
 *
 * @param first The handler or the options.
 * @param second The handler, if the options stand first.
 */
export function serve(stack: NetworkStack, first: unknown, second: unknown): HttpServer {
  if (first === undefined) {
    throw new TypeError(
      "Cannot serve HTTP requests: either a `handler` or `options` must be specified",
    );
  }
  const options: ServeOptions = typeof first === "object" && first !== null ? first : {};
  const handler = typeof first === "function" ? first : second ?? options.handler;
  if (typeof handler !== "function") {
    throw new TypeError(
      `Cannot serve HTTP requests: handler must be a function, received ${typeof handler}`,
    );
  }
  if ("cert" in options || "key" in options) throw noTls("serve");
  if ("path" in options) throw new TypeError("Unsupported transport: 'unix'");
  const limits = readLimits(options);
  const opened = openListener(stack, { ...options, port: options.port ?? DEFAULT_PORT });
  return new FaceHttpServer(opened, handler as ServeHandler, options, limits);
}

function readLimits(options: ServeOptions): HttpLimits {
  return {
    headBytesMax: readLimit("maxHeadBytes", options.maxHeadBytes, HEAD_MAX_BYTES),
    bodyBytesMax: readLimit("maxBodyBytes", options.maxBodyBytes, Infinity),
    headTimeoutMs: readLimit("headTimeoutMs", options.headTimeoutMs, HEAD_TIMEOUT_MS),
    idleTimeoutMs: readLimit("idleTimeoutMs", options.idleTimeoutMs, IDLE_TIMEOUT_MS),
  };
}

function readLimit(name: string, value: unknown, absent: number): number {
  if (value === undefined) return absent;
  if (typeof value !== "number") {
    throw new TypeError(`Cannot use ${name} "${String(value)}": expected a number`);
  }
  if (!(value >= 0)) throw new RangeError(`Cannot use ${name} ${value}: expected 0 or more`);
  return value;
}

class FaceHttpServer implements HttpServer {
  readonly #handler: ServeHandler;
  readonly #options: ServeOptions;
  readonly #limits: HttpLimits;
  readonly #finished = handledPromise<void>();
  readonly #connections = new Set<HttpConnection>();
  #listener: TcpListener | null = null;
  #addr: NetAddr;
  #isStopping = false;

  constructor(
    { listener, addr }: OpenedListener,
    handler: ServeHandler,
    options: ServeOptions,
    limits: HttpLimits,
  ) {
    this.#handler = handler;
    this.#options = options;
    this.#limits = limits;
    this.#addr = addr;
    if ("accept" in listener) this.#begin(listener);
    const failed = (error: unknown): void => this.#finished.reject(toDenoError(error));
    this.#run(Promise.resolve(listener)).then(this.#finished.resolve, failed);
    const { signal } = options;
    if (signal?.aborted === true) this.#abort(signal.reason);
    else signal?.addEventListener("abort", () => this.#abort(signal.reason), { once: true });
  }

  get addr(): NetAddr {
    return this.#addr;
  }

  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  shutdown(): Promise<void> {
    this.#stop();
    for (const connection of this.#connections) connection.stop();
    return this.finished;
  }

  ref(): void {}

  unref(): void {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  #begin(listener: TcpListener): void {
    this.#listener = listener;
    this.#addr = toNetAddr(listener.address);
    if (this.#isStopping) return listener.close();
    try {
      this.#options.onListen?.(this.#addr);
    } catch (error) {
      this.#stop();
      throw error;
    }
  }

  /** Settles when nothing is left. */
  async #run(coming: Promise<TcpListener>): Promise<void> {
    const listener = await coming;
    if (this.#listener === null) this.#begin(listener);
    const parsers = await HttpParsers.load();
    const running = new Set<Promise<void>>();
    for await (const connection of listener) {
      const run = this.#serve(connection, parsers);
      running.add(run);
      run.then(() => running.delete(run));
    }
    await Promise.all(running);
  }

  async #serve(connection: TcpConnection, parsers: HttpParsers): Promise<void> {
    const remoteAddr = toNetAddr(connection.remoteAddress);
    const isStopping = (): boolean => this.#isStopping;
    const service: HttpService = {
      parsers,
      limits: this.#limits,
      get isStopping() {
        return isStopping();
      },
      answer: (request, completed) => this.#answer(request, remoteAddr, completed),
    };
    const served = new HttpConnection(connection, service);
    this.#connections.add(served);
    await served.run();
    this.#connections.delete(served);
  }

  async #answer(
    request: Request,
    remoteAddr: NetAddr,
    completed: Promise<void>,
  ): Promise<Response> {
    try {
      return checked(await this.#handler(request, { remoteAddr, completed }));
    } catch (error) {
      try {
        const { onError = complain } = this.#options;
        return checked(await onError(error));
      } catch (second) {
        return complain(second);
      }
    }
  }

  #stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#listener?.close();
  }

  #abort(reason: unknown): void {
    this.#stop();
    for (const connection of this.#connections) connection.abort(reason, false);
  }
}

/** Refuses what can not be sent. */
function checked(response: unknown): Response {
  if (Object.prototype.toString.call(response) !== "[object Response]") {
    throw new TypeError(
      "Return value from serve handler must be a response or a promise resolving to a response",
    );
  }
  const known = response as Response;
  if (known.bodyUsed) {
    throw new TypeError(
      "The body of the Response returned from the serve handler has already been consumed",
    );
  }
  if (known.type === "error") {
    throw new TypeError("Return value from serve handler must not be an error response");
  }
  return known;
}

/** The error of a handler has no other place to go. */
function complain(error: unknown): Response {
  // deno-lint-ignore no-console
  console.error(error);
  return new Response("Internal Server Error", { status: 500 });
}

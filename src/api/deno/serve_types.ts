/** Shapes of `Deno.serve()`. */
import type { NetAddr } from "./types.ts";

/** What a handler is told beside the request. */
export interface ServeHandlerInfo {
  /** The client. */
  readonly remoteAddr: NetAddr;
  /** Settles when the response was written; rejects if it could not be. */
  readonly completed: Promise<void>;
}

/** Answers a request. */
export type ServeHandler = (
  request: Request,
  info: ServeHandlerInfo,
) => Response | Promise<Response>;

/** Where a server listens. */
export type ServeListenAddr = NetAddr;

/** Options of `serve()`: those of Deno, and the limits of a server that anybody can reach. */
export interface ServeOptions {
  /** Port; 0 = an ephemeral one. Default 8000. */
  port?: number;
  /** Address; default `"0.0.0.0"`: any. */
  hostname?: string;
  /** Ends the server at once, connections too. */
  signal?: AbortSignal;
  /** Has no effect: a port has one listener here. */
  reusePort?: boolean;
  /** Connections that may wait. */
  tcpBacklog?: number;
  /** Called when it listens. */
  onListen?: (addr: ServeListenAddr) => void;
  /** Answers when the handler fails. Default: status 500, and the error to the console. */
  onError?: (error: unknown) => Response | Promise<Response>;
  /** The handler, where it is not an argument of its own. */
  handler?: ServeHandler;
  /** Largest head of a request, bytes: the request line and the fields. More is answered with 431. Default 64 KiB. */
  maxHeadBytes?: number;
  /** Largest body of a request, bytes; more is answered with 413. Default: no limit, a body is read as the handler reads it. */
  maxBodyBytes?: number;
  /** How long the head of a request may take once it has begun, ms; default 30,000. */
  headTimeoutMs?: number;
  /** How long a connection may rest between requests, ms; default 120,000. */
  idleTimeoutMs?: number;
}

/** A server. */
export interface HttpServer extends AsyncDisposable {
  /** Where it listens. */
  readonly addr: NetAddr;
  /** Settles when it has ended: no listener, no connection. */
  readonly finished: Promise<void>;
  /** Ends it: requests that are under way are answered, nothing new is taken. */
  shutdown(): Promise<void>;
  /** Has no effect: what keeps a process alive is the stack's link. */
  ref(): void;
  /** Has no effect. */
  unref(): void;
}

/**
 * `node:net` over a stack. Its members use the stack of `setDefaultStack()`, so that a bundler's alias of `net` and
 * `node:net` is all that a program needs; `netOf(stack)` gives members of one stack.
 *
 * @module
 */
import type { NetworkStack } from "../../options.ts";
import { BlockList, SocketAddress } from "./block_list.ts";
import { type Listener, normalizeArgs } from "./connect_args.ts";
import { familyOfText } from "./lookup.ts";
import {
  getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  setDefaultAutoSelectFamily,
  setDefaultAutoSelectFamilyAttemptTimeout,
} from "./net_defaults.ts";
import { Server, type ServerOptions } from "./server.ts";
import { Socket } from "./socket.ts";
import type { NetConnectOptions, SocketOptions } from "./socket_options.ts";

export type { AddressFamily, SocketAddressOptions } from "./block_list.ts";
export type { Listener, SocketConnectOptions } from "./connect_args.ts";
export type { NetListenOptions, ServerOptions } from "./server.ts";
export type {
  NetConnectOptions,
  OnReadOptions,
  SocketAddressInfo,
  SocketOptions,
} from "./socket_options.ts";
export {
  BlockList,
  getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  Server,
  setDefaultAutoSelectFamily,
  setDefaultAutoSelectFamilyAttemptTimeout,
  Socket,
  SocketAddress,
};

/** The older name of {@linkcode Socket}. */
export const Stream: typeof Socket = Socket;

/** 4 or 6 if a text is an address, with or without a zone, else 0. */
export function isIP(input: unknown): 0 | 4 | 6 {
  return familyOfText(`${input}`);
}

/** Whether a text is an IPv4 address. */
export function isIPv4(input: unknown): boolean {
  return isIP(input) === 4;
}

/** Whether a text is an IPv6 address. */
export function isIPv6(input: unknown): boolean {
  return isIP(input) === 6;
}

/** What `node:net` has. */
export interface NetModule {
  /** `net.Socket`. */
  readonly Socket: typeof Socket;
  /** Another name of `Socket`. */
  readonly Stream: typeof Socket;
  /** `net.Server`. */
  readonly Server: typeof Server;
  /** `net.BlockList`. */
  readonly BlockList: typeof BlockList;
  /** `net.SocketAddress`. */
  readonly SocketAddress: typeof SocketAddress;
  /** Opens a connection. */
  connect(...args: unknown[]): Socket;
  /** Another name of `connect()`. */
  createConnection(...args: unknown[]): Socket;
  /** Makes a server. */
  createServer(options?: ServerOptions | Listener, listener?: Listener): Server;
  /** 4 or 6 for an address of that family, 0 for what is none. */
  isIP(input: unknown): 0 | 4 | 6;
  /** Whether it is an address of IPv4. */
  isIPv4(input: unknown): boolean;
  /** Whether it is an address of IPv6. */
  isIPv6(input: unknown): boolean;
  /** The default of `autoSelectFamily`. */
  getDefaultAutoSelectFamily(): boolean;
  /** Changes it. */
  setDefaultAutoSelectFamily(value: boolean): void;
  /** The default of `autoSelectFamilyAttemptTimeout`, ms. */
  getDefaultAutoSelectFamilyAttemptTimeout(): number;
  /** Changes it. */
  setDefaultAutoSelectFamilyAttemptTimeout(value: number): void;
}

/** Connects: `(options)`, `(port, host)`, each with a listener of "connect" behind it. */
export function connect(...args: unknown[]): Socket {
  return connectBy(Socket, args);
}

/** As {@linkcode connect}. */
export function createConnection(...args: unknown[]): Socket {
  return connectBy(Socket, args);
}

/** Makes a server; the listener gets its connections. */
export function createServer(options?: ServerOptions | Listener, listener?: Listener): Server {
  return new Server(options, listener);
}

/**
 * The module of one stack, whatever stack is set for others.
 *
 * @param stack What its sockets connect through and its servers listen on.
 * @example
 * ```ts ignore
 * const net = netOf(stack);
 * net.connect(5432, "10.0.0.1").on("connect", () => {});
 * ```
 */
export function netOf(stack: NetworkStack): NetModule {
  class StackSocket extends Socket {
    protected override stackOf(): NetworkStack {
      return stack;
    }
  }
  class StackServer extends Server {
    protected override stackOf(): NetworkStack {
      return stack;
    }
    protected override makeSocket(options: SocketOptions): Socket {
      return new StackSocket(options);
    }
  }
  // Who looks at names sees those of Node.
  Object.defineProperty(StackSocket, "name", { value: "Socket" });
  Object.defineProperty(StackServer, "name", { value: "Server" });
  return {
    ...SHARED,
    Socket: StackSocket,
    Stream: StackSocket,
    Server: StackServer,
    connect: (...args) => connectBy(StackSocket, args),
    createConnection: (...args) => connectBy(StackSocket, args),
    createServer: (options, listener) => new StackServer(options, listener),
  };
}

function connectBy(Class: typeof Socket, args: readonly unknown[]): Socket {
  const [options, callback] = normalizeArgs<NetConnectOptions>(args);
  const socket = new Class(options);
  if (options.timeout) socket.setTimeout(options.timeout);
  return callback === null ? socket.connect(options) : socket.connect(options, callback);
}

const SHARED = {
  BlockList,
  SocketAddress,
  isIP,
  isIPv4,
  isIPv6,
  getDefaultAutoSelectFamily,
  setDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  setDefaultAutoSelectFamilyAttemptTimeout,
};

/** The module, over the stack of `setDefaultStack()`. */
const net: NetModule = {
  ...SHARED,
  Socket,
  Stream,
  Server,
  connect,
  createConnection,
  createServer,
};

export default net;

/** Options of a socket. */
import type { SocketConnectOptions } from "./connect_args.ts";
import { argumentType, argumentValue } from "./node_error.ts";

/** A buffer that is read into again and again, instead of a chunk for each read. */
export interface OnReadOptions {
  /** Where to read to. */
  readonly buffer: Uint8Array | (() => Uint8Array);
  /** Returns false to pause. */
  callback(bytes: number, buffer: Uint8Array): unknown;
}

/** Options of `new Socket()`. */
export interface SocketOptions {
  /** False: it ends when the peer has ended. Default false. */
  allowHalfOpen?: boolean | undefined;
  /** Bytes that may wait in each direction. Default: that of the platform's streams. */
  highWaterMark?: number | undefined;
  /** Ends it when aborted. */
  signal?: AbortSignal | undefined;
  /** Reads into one buffer, without events. */
  onread?: OnReadOptions | undefined;
  /** Whether Nagle's algorithm is off. */
  noDelay?: boolean | undefined;
  /** Whether an idle peer is asked if it is still there. */
  keepAlive?: boolean | undefined;
  /** Ms. */
  keepAliveInitialDelay?: number | undefined;
}

/** Options of `net.connect()`. */
export interface NetConnectOptions extends SocketOptions, SocketConnectOptions {
  /** Inactivity after which "timeout" is emitted, ms. */
  timeout?: number | undefined;
}

/** An end of a connection as `address()` has it. */
export interface SocketAddressInfo {
  /** The IP address. */
  address: string;
  /** 4 or 6. */
  family: string;
  /** The port. */
  port: number;
}

/** Refuses options of `new Socket()` that can not be meant. */
export function checkSocketOptions(options: SocketOptions): void {
  if (typeof options !== "object" || options === null) {
    throw argumentType("options", "object", options);
  }
  for (const name of ["objectMode", "readableObjectMode", "writableObjectMode"]) {
    const value: unknown = Reflect.get(options, name);
    if (value) throw argumentValue(`options.${name}`, value, "is not supported");
  }
  const fd: unknown = Reflect.get(options, "fd");
  if (fd !== undefined) throw argumentValue("options.fd", fd, "is not supported");
}

/** Whether the program has a buffer of its own; what is half of one is ignored, as Node ignores it. */
export function isOnRead(onread: OnReadOptions | undefined): onread is OnReadOptions {
  if (typeof onread !== "object" || onread === null) return false;
  const { buffer, callback } = onread;
  const isPlace = buffer instanceof Uint8Array || typeof buffer === "function";
  return isPlace && typeof callback === "function";
}

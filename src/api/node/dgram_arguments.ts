/** Arguments of `dgram` sockets, which come in many orders. */
import { Buffer } from "node:buffer";
import { argumentType, codedError, describe, type NodeError, systemError } from "./node_error.ts";

const BYTES = "string or an instance of Buffer, TypedArray, or DataView";

/** What one `send()` means. */
export interface SendRequest {
  readonly data: Uint8Array;
  readonly port?: number;
  readonly address?: string;
  readonly callback?: (error: Error | null, bytes?: number) => void;
}

/**
 * Reads `(msg[, offset, length][, port][, address][, callback])`. What an argument is depends on those behind it, as in Node:
 * an offset and a length are there if something stands where port and address are then.
 *
 * @param isConnected Then there is neither port nor address.
 */
export function readSend(args: readonly unknown[], isConnected: boolean): SendRequest {
  const [message, first, second, third, fourth, fifth] = args;
  const isPlaced = Boolean(fourth) || (Boolean(third) && typeof third !== "function");
  if (isConnected) {
    const isSliced = typeof second === "number";
    const data = isSliced ? slicedOf(message, first, second) : null;
    if (isPlaced) throw stateError("ERR_SOCKET_DGRAM_IS_CONNECTED", "Already connected");
    return { data: data ?? bytesOf(message), ...callbackOf(isSliced ? third : first) };
  }
  const data = isPlaced ? slicedOf(message, first, second) : bytesOf(message);
  const port = checkRemotePort(isPlaced ? third : first);
  const address = isPlaced ? fourth : second;
  if (typeof address === "function") return { data, port, ...callbackOf(address) };
  const place = address === undefined || address === null ? "" : checkAddress(address);
  const callback = callbackOf(isPlaced ? fifth : third);
  return { data, port, ...(place === "" ? {} : { address: place }), ...callback };
}

/** A callback, if it is one: Node takes no notice of anything else in its place. */
function callbackOf(value: unknown): Pick<SendRequest, "callback"> {
  return typeof value === "function"
    ? { callback: value as NonNullable<SendRequest["callback"]> }
    : {};
}

/** Refuses what is no address in text. */
export function checkAddress(value: unknown): string {
  if (typeof value !== "string") throw argumentType("address", "string", value);
  return value;
}

/** Refuses what is no port to send to. */
export function checkRemotePort(value: unknown): number {
  const port = typeof value === "number" || typeof value === "string" ? Number(value) : NaN;
  if (Number.isInteger(port) && port > 0 && port <= 0xffff) return port;
  const message = `Port should be > 0 and < 65536. Received ${describe(value)}.`;
  throw codedError(RangeError, "ERR_SOCKET_BAD_PORT", message);
}

/** A number of hops, 1 to 255; others are refused by the system. */
export function checkHops(syscall: string, value: unknown, min: number): number {
  if (typeof value !== "number") throw argumentType("ttl", "number", value);
  if (value >= min && value <= 255) return value;
  throw systemError(syscall, "EINVAL");
}

/** An error of a state in which a call makes no sense. */
export function stateError(code: string, message: string): NodeError {
  return codedError(Error, code, message);
}

/** The size of a buffer. */
export function checkBufferSize(value: unknown): number {
  if (typeof value === "number" && value >>> 0 === value) return value;
  const message = "Buffer size must be a positive integer";
  throw codedError(TypeError, "ERR_SOCKET_BAD_BUFFER_SIZE", message);
}

/** A buffer's size that can not be had or set yet. @param which `uv_recv_buffer_size`. */
export function bufferSizeError(which: string): NodeError {
  const message = `Could not get or set buffer size: ${which} returned EBADF (bad file descriptor)`;
  const error = codedError(Error, "ERR_SOCKET_BUFFER_SIZE", message);
  Object.defineProperty(error, "name", { value: "SystemError", enumerable: false });
  const { errno, code } = systemError(which, "EBADF");
  const info = { errno, code, message: "bad file descriptor", syscall: which };
  return Object.assign(error, { info, errno, syscall: which });
}

/** Refuses what is no signal. */
export function checkSignal(value: unknown): void {
  if (typeof value === "object" && value !== null && "aborted" in value) return;
  throw argumentType("options.signal", "an instance of AbortSignal", value);
}

function bytesOf(message: unknown): Uint8Array {
  if (typeof message === "string") return Buffer.from(message);
  if (ArrayBuffer.isView(message)) return viewOf(message);
  if (!Array.isArray(message)) throw argumentType("buffer", BYTES, message);
  const parts = message.map((part) => {
    if (typeof part === "string") return Buffer.from(part);
    if (ArrayBuffer.isView(part)) return viewOf(part);
    throw argumentType("buffer list arguments", BYTES, message);
  });
  return Buffer.concat(parts);
}

function viewOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** A part of a message, which is no list then. Both numbers are taken as unsigned ones of 32 bits. */
function slicedOf(message: unknown, from: unknown, count: unknown): Uint8Array {
  if (Array.isArray(message)) throw argumentType("buffer", BYTES, message);
  const data = bytesOf(message);
  const offset = Number(from) >>> 0;
  const length = Number(count) >>> 0;
  if (offset > data.length) throw outOfBounds("offset");
  if (offset + length > data.length) throw outOfBounds("length");
  return data.subarray(offset, offset + length);
}

function outOfBounds(name: string): Error {
  const message = `"${name}" is outside of buffer bounds`;
  return codedError(RangeError, "ERR_BUFFER_OUT_OF_BOUNDS", message);
}

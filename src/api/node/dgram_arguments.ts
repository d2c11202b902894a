/** Arguments of `dgram` sockets, which come in many orders. */
import { Buffer } from "node:buffer";
import {
  argumentType,
  codedError,
  describe,
  type NodeError,
  outOfRange,
  systemError,
} from "./node_error.ts";

const BYTES = "string or an instance of Buffer, TypedArray, or DataView";

/** What one `send()` means. */
export interface SendRequest {
  readonly data: Uint8Array;
  readonly port?: number;
  readonly address?: string;
  readonly callback?: (error: Error | null, bytes?: number) => void;
}

/** Reads `(msg[, offset, length][, port][, address][, callback])`. @param isConnected Then there is neither port nor address. */
export function readSend(args: readonly unknown[], isConnected: boolean): SendRequest {
  const [message] = args;
  const rest = args.slice(1);
  const last = rest.at(-1);
  const callback = typeof last === "function" ? last as SendRequest["callback"] : undefined;
  if (callback !== undefined) rest.pop();
  while (rest.length > 0 && rest.at(-1) === undefined) rest.pop();
  let data = bytesOf(message);
  const placeCount = isConnected ? 0 : 1;
  const hasSlice = rest.length >= 2 + placeCount && typeof rest[1] === "number";
  if (hasSlice) {
    const [offset, length] = rest.splice(0, 2);
    data = sliced(data, Number(offset), Number(length));
  }
  const done = callback === undefined ? {} : { callback };
  if (isConnected) {
    if (rest.length > 0) {
      throw codedError(Error, "ERR_SOCKET_DGRAM_IS_CONNECTED", "Already connected");
    }
    return { data, ...done };
  }
  const [port, address] = rest;
  if (address !== undefined && address !== null && typeof address !== "string") {
    throw argumentType("address", "string", address);
  }
  return { data, port: checkRemotePort(port), ...(address ? { address } : {}), ...done };
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

function sliced(data: Uint8Array, offset: number, length: number): Uint8Array {
  if (offset > data.length) throw outOfBounds("offset");
  if (offset + length > data.length) throw outOfBounds("length");
  if (!(offset >= 0 && length >= 0)) throw outOfRange("offset", ">= 0", offset);
  return data.subarray(offset, offset + length);
}

function outOfBounds(name: string): Error {
  const message = `"${name}" is outside of buffer bounds`;
  return codedError(RangeError, "ERR_BUFFER_OUT_OF_BOUNDS", message);
}

/** Reads arguments as WebIDL does: what can be converted is, what is out of range is a `TypeError`. */
import type { ConnectOptions } from "../../options.ts";
import { PORT_MAX } from "../../tcp/ports.ts";
import type { SocketDnsQueryType, SocketOptions, TCPSocketOptions } from "./types.ts";

const UNSIGNED_LONG_MAX = 0xffff_ffff;

/** Shortest delay of keepalives, ms. */
const KEEP_ALIVE_DELAY_MIN_MS = 1_000;

/** What a stack takes, bytes; more or less than that is brought into it. */
const BUFFER_MIN_BYTES = 4_096;
const BUFFER_MAX_BYTES = 4_194_304;

const QUERY_TYPES: readonly SocketDnsQueryType[] = ["ipv4", "ipv6"];

/** `[EnforceRange] unsigned long` or `unsigned short`. @throws {TypeError} If it is out of range. */
export function readUnsigned(name: string, value: unknown, max: number): number {
  const number = Math.trunc(Number(value));
  if (Number.isFinite(number) && number >= 0 && number <= max) return number;
  throw new TypeError(`Cannot use ${name} ${String(value)}: expected 0 to ${max}`);
}

/** A port. @param min 0 where 0 means something. */
export function readPort(name: string, value: unknown, min: 0 | 1): number {
  const port = readUnsigned(name, value, PORT_MAX);
  if (port >= min) return port;
  throw new TypeError(`Cannot use ${name} ${port}: expected ${min} to ${PORT_MAX}`);
}

/** A string that says something. */
export function readAddress(name: string, value: unknown): string {
  if (value === undefined) throw new TypeError(`Cannot do without ${name}`);
  const text = String(value);
  if (text !== "") return text;
  throw new TypeError(`Cannot use ${name} "": expected a name or an address`);
}

/** Options, or none. @throws {TypeError} If they are no object. */
export function readObject<T extends object>(options: T | undefined | null): Partial<T> {
  if (options === undefined || options === null) return {};
  if (typeof options === "object") return options;
  throw new TypeError(`Cannot use options "${String(options)}": expected an object`);
}

/** Sizes of buffers that were asked for. */
export function readBuffers(
  options: SocketOptions,
): { receive: number | undefined; send: number | undefined } {
  return {
    receive: readBuffer("receiveBufferSize", options.receiveBufferSize),
    send: readBuffer("sendBufferSize", options.sendBufferSize),
  };
}

function readBuffer(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const bytes = readUnsigned(name, value, UNSIGNED_LONG_MAX);
  if (bytes === 0) throw new TypeError(`Cannot use ${name} 0: expected more`);
  return Math.min(Math.max(bytes, BUFFER_MIN_BYTES), BUFFER_MAX_BYTES);
}

/** A count that is not 0, if there is one. */
export function readCount(name: string, value: unknown, max: number): number | undefined {
  if (value === undefined) return undefined;
  const count = readUnsigned(name, value, UNSIGNED_LONG_MAX);
  if (count === 0) throw new TypeError(`Cannot use ${name} 0: expected more`);
  return Math.min(count, max);
}

/** Which addresses are wanted; null = all. */
export function readQueryType(value: unknown): SocketDnsQueryType | null {
  if (value === undefined) return null;
  const found = QUERY_TYPES.find((type) => type === String(value));
  if (found !== undefined) return found;
  throw new TypeError(
    `Cannot use dnsQueryType "${String(value)}": expected ${QUERY_TYPES.join(" or ")}`,
  );
}

/** What of the options of a TCP socket the stack is told. */
export function readTcpOptions(
  options: TCPSocketOptions,
): Omit<ConnectOptions, "hostname" | "port"> {
  const { receive, send } = readBuffers(options);
  const { noDelay, keepAliveDelay } = options;
  const keepIdleMs = keepAliveDelay === undefined
    ? undefined
    : readUnsigned("keepAliveDelay", keepAliveDelay, UNSIGNED_LONG_MAX);
  if (keepIdleMs !== undefined && keepIdleMs < KEEP_ALIVE_DELAY_MIN_MS) {
    throw new TypeError(
      `Cannot use keepAliveDelay ${keepIdleMs}: expected at least ${KEEP_ALIVE_DELAY_MIN_MS}`,
    );
  }
  return {
    noDelay: Boolean(noDelay),
    ...(receive === undefined ? {} : { receiveBufferBytes: receive }),
    ...(send === undefined ? {} : { sendBufferBytes: send }),
    ...(keepIdleMs === undefined ? {} : { keepAlive: true, keepIdleMs }),
  };
}

/**
 * Errors in the shape of Node's: those of the system with `errno`, `code` and `syscall`, and those of a caller's mistake
 * with an `ERR_` code. Programs compare codes, and some of them read messages.
 */
import { StackError } from "../../errors.ts";

/** Number and description of a code, as Linux has them; a name that does not resolve is libuv's own affair. */
const SYSTEM_CODES: Readonly<Record<string, readonly [errno: number, description: string]>> = {
  EIO: [-5, "i/o error"],
  EBADF: [-9, "bad file descriptor"],
  ENOMEM: [-12, "not enough memory"],
  EACCES: [-13, "permission denied"],
  EINVAL: [-22, "invalid argument"],
  EPIPE: [-32, "broken pipe"],
  EPROTO: [-71, "protocol error"],
  EMSGSIZE: [-90, "message too long"],
  ENOPROTOOPT: [-92, "protocol not available"],
  ENOTSUP: [-95, "operation not supported on socket"],
  EAFNOSUPPORT: [-97, "address family not supported"],
  EADDRINUSE: [-98, "address already in use"],
  EADDRNOTAVAIL: [-99, "address not available"],
  ENETDOWN: [-100, "network is down"],
  ENETUNREACH: [-101, "network is unreachable"],
  ECONNABORTED: [-103, "software caused connection abort"],
  ECONNRESET: [-104, "connection reset by peer"],
  ENOBUFS: [-105, "no buffer space available"],
  EISCONN: [-106, "socket is already connected"],
  ENOTCONN: [-107, "socket is not connected"],
  ETIMEDOUT: [-110, "connection timed out"],
  ECONNREFUSED: [-111, "connection refused"],
  EHOSTUNREACH: [-113, "host is unreachable"],
  EAI_AGAIN: [-3001, "temporary failure"],
  ENOTFOUND: [-3008, "unknown node or service"],
};

/** What an error of this face looks like. */
export interface NodeError extends Error {
  /** Name of the error. */
  code: string;
  /** Its number, negative. */
  errno?: number;
  /** What was not possible. */
  syscall?: string;
  /** The name that was looked up. */
  hostname?: string;
  /** The IP address. */
  address?: string;
  /** The port. */
  port?: number;
  /** Path of a local socket; there are none. */
  path?: string;
  /** What it was made of. */
  cause?: unknown;
}

/** Where a call that failed was going to. */
export interface ErrorPlace {
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  /** Our end, if the caller had chosen it. */
  readonly local?: string | undefined;
}

/** A code of Node's for what the stack said. What a system call can not say has no number: then it is an error of I/O. */
export function codeOf(error: unknown): string {
  if (!(error instanceof StackError)) return "EIO";
  return error.code in SYSTEM_CODES ? error.code : "EIO";
}

/** `connect ECONNREFUSED 10.0.0.1:80`, `read ECONNRESET`: an error as Node's streams tell it. */
export function systemError(
  syscall: string,
  reason: unknown,
  { address, port, local }: ErrorPlace = {},
): NodeError {
  const code = typeof reason === "string" ? reason : codeOf(reason);
  const place = placeText(address, port);
  const from = local === undefined ? "" : ` - Local (${local})`;
  const error = withCode(new Error(`${syscall} ${code}${place}${from}`), code, syscall);
  if (address !== undefined) error.address = address;
  if (port !== undefined && port > 0) error.port = port;
  return because(error, reason);
}

/** `listen EADDRINUSE: address already in use 10.0.0.1:80`: an error as Node tells it of a bind. */
export function describedError(
  syscall: string,
  reason: unknown,
  { address, port }: ErrorPlace = {},
): NodeError {
  const code = typeof reason === "string" ? reason : codeOf(reason);
  const [, description = "unknown error"] = SYSTEM_CODES[code] ?? [];
  const place = placeText(address, port);
  const error = withCode(new Error(`${syscall} ${code}: ${description}${place}`), code, syscall);
  if (address !== undefined) error.address = address;
  if (port !== undefined && port > 0) error.port = port;
  return because(error, reason);
}

/** `getaddrinfo ENOTFOUND example.com`, `queryMx ETIMEOUT example.com`. */
export function nameError(
  syscall: string,
  code: string,
  hostname: string,
  reason?: unknown,
): NodeError {
  const place = hostname === "" ? {} : { hostname };
  const text = hostname === "" ? "" : ` ${hostname}`;
  const fields = { errno: SYSTEM_CODES[code]?.[0], code, syscall, ...place };
  const error: NodeError = Object.assign(
    new Error(`${syscall} ${code}${text}`),
    fields,
  ) as NodeError;
  // What a server said has no number; what the system says of an argument has one.
  if (syscall !== "getaddrinfo" && code !== "EINVAL") delete error.errno;
  return because(error, reason);
}

function placeText(address: string | undefined, port: number | undefined): string {
  if (address === undefined || address === "") return "";
  return port !== undefined && port > 0 ? ` ${address}:${port}` : ` ${address}`;
}

function withCode(error: Error, code: string, syscall: string): NodeError {
  const errno = SYSTEM_CODES[code]?.[0] ?? 0;
  return Object.assign(error, { errno, code, syscall });
}

/** The stack's own words stay readable, where nobody who compares errors stumbles over them. */
function because(error: NodeError, reason: unknown): NodeError {
  if (reason instanceof Error) {
    Object.defineProperty(error, "cause", { value: reason, enumerable: false, writable: true });
  }
  return error;
}

/** An error with an `ERR_` code: `TypeError [ERR_MISSING_ARGS]: …`. */
export function codedError(
  Class: ErrorConstructor | TypeErrorConstructor | RangeErrorConstructor,
  code: string,
  message: string,
): NodeError {
  const error: NodeError = Object.assign(new Class(message), { code });
  const text = { value: () => `${error.name} [${code}]: ${error.message}`, enumerable: false };
  Object.defineProperty(error, "toString", { ...text, configurable: true, writable: true });
  return error;
}

/** A value of the wrong type. @param expected `number`, `of type number`, `one of type number or string`. */
export function argumentType(name: string, expected: string, value: unknown): NodeError {
  const what = name.includes(".") ? "property" : "argument";
  const must = expected.startsWith("one of") || expected.startsWith("an instance")
    ? expected
    : `of type ${expected}`;
  const message = `The "${name}" ${what} must be ${must}. Received ${describe(value)}`;
  return codedError(TypeError, "ERR_INVALID_ARG_TYPE", message);
}

/** A value that can not be meant. */
export function argumentValue(name: string, value: unknown, reason = "is invalid"): NodeError {
  const what = name.includes(".") ? "property" : "argument";
  const message = `The ${what} '${name}' ${reason}. Received ${inspect(value)}`;
  return codedError(TypeError, "ERR_INVALID_ARG_VALUE", message);
}

/** A number out of range. */
export function outOfRange(name: string, range: string, value: unknown): NodeError {
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${
    inspect(value)
  }`;
  return codedError(RangeError, "ERR_OUT_OF_RANGE", message);
}

/** Refuses what is no function. */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== "function") throw argumentType(name, "function", value);
}

/**
 * Reads a port, as a number or as its text.
 *
 * @throws `ERR_SOCKET_BAD_PORT` if it is none.
 */
export function checkPort(name: string, value: unknown): number {
  const isText = typeof value === "string" && value.trim() !== "";
  const port = typeof value === "number" || isText ? Number(value) : NaN;
  if (port === port >>> 0 && port <= 0xffff) return port;
  const message = `${name} should be >= 0 and < 65536. Received ${describe(value)}.`;
  throw codedError(RangeError, "ERR_SOCKET_BAD_PORT", message);
}

/** Refuses what is no integer of a range. @returns The value. */
export function checkIntegerRange(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number") throw argumentType(name, "number", value);
  if (!Number.isInteger(value)) throw outOfRange(name, "an integer", value);
  if (value >= min && value <= max) return value;
  throw outOfRange(name, `>= ${min} && <= ${max}`, value);
}

/** What a `signal` that was aborted ends things with. */
export function abortError(signal: AbortSignal): NodeError {
  const error = Object.assign(new Error("The operation was aborted"), { code: "ABORT_ERR" });
  error.name = "AbortError";
  return because(error, signal.reason);
}

/** A value and its type, as Node's messages have it. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "function") return `function ${value.name}`;
  if (typeof value === "object") {
    const name: unknown = value.constructor?.name;
    return typeof name === "string" && name !== "" ? `an instance of ${name}` : inspect(value);
  }
  return `type ${typeof value} (${inspect(value)})`;
}

/** Most characters of a text in a message; Node shows as many. */
const TEXT_MAX = 28;

function inspect(value: unknown): string {
  if (typeof value === "string") {
    return value.length > TEXT_MAX ? `'${value.slice(0, TEXT_MAX - 3)}'...` : `'${value}'`;
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return `[ ${value.map(inspect).join(", ")} ]`;
  const fields = Object.entries(value).map(([name, field]) => `${name}: ${inspect(field)}`);
  return fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`;
}

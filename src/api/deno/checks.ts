/** What Deno says to arguments that it can not use, in its words. */
import { PORT_MAX } from "../../tcp/ports.ts";

/**
 * Reads a port.
 *
 * @param port A number, or its digits.
 * @param min The smallest that makes sense: 0 means "any" to who listens.
 * @throws {TypeError} If it is no whole number.
 * @throws {RangeError} If it is no port.
 */
export function readPort(port: unknown, min: 0 | 1): number {
  if (typeof port !== "number" && typeof port !== "string") {
    throw new TypeError(`Invalid port (expected number): ${String(port)}`);
  }
  const value = Number(port);
  if (!Number.isInteger(value) || port === "") {
    throw new TypeError(`Invalid port: ${typeof port === "string" ? `'${port}'` : port}`);
  }
  if (value < min || value > PORT_MAX) throw new RangeError(`Invalid port (out of range): ${port}`);
  return value;
}

/**
 * Refuses what is no object, and transports of files and machines.
 *
 * @param call The function of Deno.
 * @param transport The one that it takes; also what an absent one means.
 */
export function checkTransport(
  call: string,
  options: unknown,
  transport: "tcp" | "udp",
): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${call}: expected an object with options`);
  }
  const asked = (options as { transport?: unknown }).transport ?? transport;
  if (asked !== transport) throw new TypeError(`Unsupported transport: '${String(asked)}'`);
}

/** A host's name in text; `absent` if there is none. */
export function readHostname(hostname: unknown, absent: string): string {
  if (hostname === undefined) return absent;
  const text = String(hostname);
  if (text === "") throw new URIError("invalid empty host: ''");
  return text;
}

/** An address to listen on; of names only that of this host is one. */
export function readListenHost(hostname: unknown): string {
  const text = readHostname(hostname, "0.0.0.0");
  return text === "localhost" ? "127.0.0.1" : text;
}

/** Refuses what is no buffer of bytes. */
export function assertBytes(value: unknown): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError("expected typed ArrayBufferView");
}

/** What Deno says to arguments that it can not use, in its words. */
import { isIp } from "../../net/addresses.ts";
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

/** Longest label and longest name of the DNS. RFC 1035 section 2.3.4. */
const LABEL_MAX = 63;
const NAME_MAX = 253;

/**
 * A host's name in text; `absent` if there is none. An IPv6 address may stand in brackets.
 *
 * @throws {URIError} If it can be no host's.
 */
export function readHostname(hostname: unknown, absent: string): string {
  if (hostname === undefined || hostname === null) return absent;
  const text = String(hostname);
  if (text === "") throw new URIError("invalid empty host: ''");
  if (text.startsWith("[") && text.endsWith("]")) {
    const inner = text.slice(1, -1);
    if (inner.includes(":") && isIp(inner) !== 0) return inner;
    throw new URIError(`invalid IPv6 address: '${text}'`);
  }
  if (isIp(text) !== 0) return text;
  if (!/^[A-Za-z0-9_.-]+$/.test(text)) {
    throw new URIError(`invalid host '${text}': invalid char found in FQDN`);
  }
  const labels = text.replace(/\.$/, "").split(".");
  if (labels.includes("")) {
    throw new URIError(`invalid host '${text}': empty label found in FQDN`);
  }
  if (text.length > NAME_MAX || labels.some(({ length }) => length > LABEL_MAX)) throw noSuchHost();
  return text;
}

/** An address to listen on; of names only that of this host is one. */
export function readListenHost(hostname: unknown): string {
  const text = readHostname(hostname, "0.0.0.0");
  if (text === "localhost") return "127.0.0.1";
  if (isIp(text) === 0) throw noSuchHost();
  return text;
}

/** What Deno says of a name that nobody has. */
function noSuchHost(): Error {
  return new Error("failed to lookup address information: Name or service not known");
}

/** Refuses what is no buffer of bytes. */
export function assertBytes(value: unknown): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError("expected typed ArrayBufferView");
}

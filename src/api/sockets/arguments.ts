/** Reads what `connect()` is given. */
import { PORT_MAX } from "../../tcp/ports.ts";
import { SocketError } from "./errors.ts";
import type { SecureTransportKind, SocketAddress, SocketOptions } from "./types.ts";

/** An IPv6 address in brackets, or anything without a colon; then the port. */
const ADDRESS = /^(?:\[([^[\]]+)\]|([^:[\]]+)):(\d{1,5})$/;

const KINDS: readonly SecureTransportKind[] = ["off", "on", "starttls"];

/** The options with their defaults. */
export interface KnownOptions {
  readonly secureTransport: "off" | "starttls";
  readonly allowHalfOpen: boolean;
}

/**
 * Reads an address.
 *
 * @throws {SocketError} If it is none.
 */
export function readAddress(address: unknown): SocketAddress {
  const { hostname, port } = typeof address === "string" ? split(address) : parts(address);
  if (!Number.isInteger(port) || port < 1 || port > PORT_MAX) {
    throw new SocketError(`the port is ${port}, expected 1 to ${PORT_MAX}`);
  }
  return { hostname, port };
}

function split(address: string): SocketAddress {
  const found = ADDRESS.exec(address);
  if (found === null) throw new SocketError(`the address is "${address}", expected host:port`);
  return { hostname: found[1] ?? found[2] ?? "", port: Number(found[3]) };
}

function parts(address: unknown): SocketAddress {
  const { hostname, port } = Object(address) as Partial<SocketAddress>;
  if (typeof hostname !== "string" || hostname === "") {
    throw new SocketError("the address has no hostname, expected host:port or { hostname, port }");
  }
  return { hostname: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

/**
 * Reads options.
 *
 * @throws {TypeError} If a value is none of those that there are.
 * @throws {SocketError} If they ask for TLS, or say something of TLS without asking for it.
 */
export function readOptions(options: SocketOptions = {}): KnownOptions {
  const { secureTransport = "off", allowHalfOpen = false, sni = null, alpn = [] } = options ?? {};
  if (!KINDS.includes(secureTransport)) {
    throw new TypeError(
      `Cannot use secureTransport "${String(secureTransport)}": expected ${KINDS.join(", ")}`,
    );
  }
  if (secureTransport === "on") {
    throw new SocketError('TLS is not there yet: secureTransport can not be "on"');
  }
  if (secureTransport === "off" && (sni !== null || alpn.length > 0)) {
    throw new SocketError('sni and alpn are for TLS, but secureTransport is "off"');
  }
  return { secureTransport, allowHalfOpen: Boolean(allowHalfOpen) };
}

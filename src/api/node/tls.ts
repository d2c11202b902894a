/**
 * `node:tls`, which is not there yet: every member says so when it is used, so that a client which imports it and does not
 * use it works.
 *
 * How it will come: `tls.connect({ socket })` takes a stream of this face, and `tls.connect({ host, port })` connects one
 * first; a TLS of the package does the records between the two. Until then Node, Deno and Bun have a TLS of their own, which
 * takes a stream: `tls.connect({ socket: net.connect(…) })` of the platform's `node:tls` runs over a stack today.
 *
 * @module
 */
import { codedError } from "./node_error.ts";
import { Server as PlainServer } from "./server.ts";
import { Socket } from "./socket.ts";

const WHY = "TLS is not there yet in tidewire/node: in Node, Deno and Bun give a socket of it to " +
  "tls.connect({ socket }) of the platform's own node:tls; in a page connect without TLS";

function refuse(what: string): never {
  const message = `Cannot use tls.${what}: ${WHY}`;
  throw codedError(Error, "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", message);
}

/** A socket with TLS; there is none. */
export class TLSSocket extends Socket {
  /** Always throws. */
  constructor(..._args: unknown[]) {
    refuse("TLSSocket");
    super();
  }
}

/** A server with TLS; there is none. */
export class Server extends PlainServer {
  /** Always throws. */
  constructor(..._args: unknown[]) {
    refuse("Server");
    super();
  }
}

/** Certificates and keys; there is no use for them. */
export class SecureContext {
  /** Always throws. */
  constructor(..._args: unknown[]) {
    refuse("SecureContext");
  }
}

/** Throws: see this module. */
export function connect(..._args: unknown[]): TLSSocket {
  return refuse("connect");
}

/** Throws: see this module. */
export function createServer(..._args: unknown[]): never {
  return refuse("createServer");
}

/** Throws: see this module. */
export function createSecureContext(..._args: unknown[]): never {
  return refuse("createSecureContext");
}

/** Throws: see this module. */
export function checkServerIdentity(..._args: unknown[]): never {
  return refuse("checkServerIdentity");
}

/** Throws: see this module. */
export function createSecurePair(..._args: unknown[]): never {
  return refuse("createSecurePair");
}

/** Throws: see this module. */
export function convertALPNProtocols(..._args: unknown[]): never {
  return refuse("convertALPNProtocols");
}

/** Renegotiations that a client may ask for in one window. As in Node. */
export const CLIENT_RENEG_LIMIT = 3;
/** The window, s. As in Node. */
export const CLIENT_RENEG_WINDOW = 600;
/** Curves of a key exchange. As in Node. */
export const DEFAULT_ECDH_CURVE = "auto";
/** The latest version of TLS that is offered. As in Node. */
export const DEFAULT_MAX_VERSION = "TLSv1.3";
/** The earliest one. As in Node. */
export const DEFAULT_MIN_VERSION = "TLSv1.2";
/** Ciphers that are offered: none. */
export const DEFAULT_CIPHERS = "";

/** Ciphers that there are: none. */
export function getCiphers(): string[] {
  return [];
}

/** Certificates that are trusted: none. */
export const rootCertificates: readonly string[] = [];

/** What `node:tls` has. */
export interface TlsModule {
  /** Class of connections by TLS. */
  readonly TLSSocket: typeof TLSSocket;
  /** Throws: TLS is not there yet. */
  readonly connect: typeof connect;
  /** Throws: TLS is not there yet. */
  readonly createServer: typeof createServer;
  /** Throws: TLS is not there yet. */
  readonly createSecureContext: typeof createSecureContext;
  /** Throws: TLS is not there yet. */
  readonly checkServerIdentity: typeof checkServerIdentity;
  /** Class of servers by TLS. */
  readonly Server: typeof Server;
  /** Class of certificates and keys. */
  readonly SecureContext: typeof SecureContext;
  /** Throws: TLS is not there yet. */
  readonly createSecurePair: typeof createSecurePair;
  /** Throws: TLS is not there yet. */
  readonly convertALPNProtocols: typeof convertALPNProtocols;
  /** Renegotiations in one window. */
  readonly CLIENT_RENEG_LIMIT: number;
  /** The window, s. */
  readonly CLIENT_RENEG_WINDOW: number;
  /** Curves. */
  readonly DEFAULT_ECDH_CURVE: string;
  /** The latest version. */
  readonly DEFAULT_MAX_VERSION: string;
  /** The earliest version. */
  readonly DEFAULT_MIN_VERSION: string;
  /** No ciphers. */
  readonly DEFAULT_CIPHERS: string;
  /** No ciphers. */
  readonly getCiphers: typeof getCiphers;
  /** No certificates. */
  readonly rootCertificates: readonly string[];
}

/** The module, over the stack of `setDefaultStack()`. */
const tls: TlsModule = {
  TLSSocket,
  connect,
  createServer,
  createSecureContext,
  checkServerIdentity,
  Server,
  SecureContext,
  createSecurePair,
  convertALPNProtocols,
  CLIENT_RENEG_LIMIT,
  CLIENT_RENEG_WINDOW,
  DEFAULT_ECDH_CURVE,
  DEFAULT_MAX_VERSION,
  DEFAULT_MIN_VERSION,
  DEFAULT_CIPHERS,
  getCiphers,
  rootCertificates,
};

export default tls;

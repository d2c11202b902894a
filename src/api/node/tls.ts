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
  constructor() {
    refuse("TLSSocket");
    super();
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
  getCiphers,
  rootCertificates,
};

export default tls;

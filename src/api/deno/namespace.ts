/** The object that stands where `Deno` stood. */
import type { NetworkStack } from "../../options.ts";
import { checkTransport, readHostname, readListenHost, readPort } from "./checks.ts";
import { DENO_ERRORS, type DenoErrors, noTls, toDenoError } from "./errors.ts";
import { FaceDatagramConn } from "./datagram_conn.ts";
import { FaceTcpConn } from "./tcp_conn.ts";
import { FaceTcpListener, openListener } from "./tcp_listener.ts";
import { type DnsRecords, resolveDns, type ResolveDnsOptions } from "./resolve_dns.ts";
import { serve } from "./serve.ts";
import type { HttpServer, ServeHandler, ServeOptions } from "./serve_types.ts";
import type {
  ConnectOptions,
  DatagramConn,
  ListenOptions,
  TcpConn,
  TcpListener,
  UdpListenOptions,
} from "./types.ts";

/** What of `Deno` is here. */
export interface DenoNamespace {
  /** Opens a connection. */
  connect(options: ConnectOptions): Promise<TcpConn>;
  /**
   * Listens. Where the stack is in a worker this can not be known within the call: then `addr.port` says 0 for an ephemeral
   * port until the worker has answered, and a clash of ports is told by `accept()`.
   */
  listen(options: ListenOptions): TcpListener;
  /** Opens a socket for datagrams. Of a worker's stack the same is true as of `listen()`. */
  listenDatagram(options: UdpListenOptions): DatagramConn;
  /** Asks for records of a name. */
  resolveDns<K extends keyof DnsRecords>(
    query: string,
    recordType: K,
    options?: ResolveDnsOptions,
  ): Promise<DnsRecords[K][]>;
  /**
   * Serves HTTP/1.1. Of a worker's stack the same is true as of `listen()`. Prints nothing by itself but errors. In a page a
   * `Response` has no `Set-Cookie`, whatever it was made with.
   */
  serve(handler: ServeHandler): HttpServer;
  /** With the handler among the options. */
  serve(options: ServeOptions & { handler: ServeHandler }): HttpServer;
  /** With options. */
  serve(options: ServeOptions, handler: ServeHandler): HttpServer;
  /** Rejects: TLS is not there yet. */
  connectTls(options: unknown): Promise<never>;
  /** Rejects: TLS is not there yet. */
  startTls(conn: TcpConn, options?: unknown): Promise<never>;
  /** Throws: TLS is not there yet. */
  listenTls(options: unknown): never;
  /** Classes of errors: Deno's own where it runs us. */
  readonly errors: DenoErrors;
}

/**
 * Deno's network functions over a stack.
 *
 * @param stack In this process or in a worker.
 * @returns An object to be used where `Deno` stood; the stack is still the caller's to close.
 */
export function denoNamespace(stack: NetworkStack): DenoNamespace {
  return {
    connect: (options) => connect(stack, options),
    listen: (options) => listen(stack, options),
    listenDatagram: (options) => listenDatagram(stack, options),
    resolveDns: (query, type, options) => resolveDns(stack, query, type, options),
    serve: (first: unknown, second?: unknown) => serve(stack, first, second),
    connectTls: () => Promise.reject(noTls("connectTls")),
    startTls: () => Promise.reject(noTls("startTls")),
    listenTls: () => {
      throw noTls("listenTls");
    },
    errors: DENO_ERRORS,
  };
}

async function connect(stack: NetworkStack, options: ConnectOptions): Promise<TcpConn> {
  checkTransport("connect", options, "tcp");
  const { signal } = options;
  const port = readPort(options.port, 1);
  const hostname = readHostname(options.hostname, "127.0.0.1");
  try {
    const wanted = { hostname, port, ...(signal === undefined ? {} : { signal }) };
    return new FaceTcpConn(await stack.connect(wanted));
  } catch (error) {
    throw toDenoError(error);
  }
}

function listen(stack: NetworkStack, options: ListenOptions): TcpListener {
  checkTransport("listen", options, "tcp");
  const { listener, addr } = openListener(stack, options);
  return new FaceTcpListener(listener, addr);
}

function listenDatagram(stack: NetworkStack, options: UdpListenOptions): DatagramConn {
  checkTransport("listenDatagram", options, "udp");
  const port = readPort(options.port ?? 0, 0);
  const hostname = readListenHost(options.hostname);
  const { reuseAddress, loopback } = options;
  const wanted = {
    hostname,
    port,
    reuseAddress: Boolean(reuseAddress),
    multicastLoopback: Boolean(loopback ?? true),
  };
  try {
    const socket = stack.bindUdpNow?.(wanted) ?? stack.bindUdp(wanted);
    return new FaceDatagramConn(socket, { transport: "udp", hostname, port });
  } catch (error) {
    throw toDenoError(error);
  }
}

/**
 * Modules of Node over a stack: programs written for `node:net` run over it, in a page too.
 *
 * Two ways: `nodeModules(stack)` gives modules of one stack, for clients that take a socket or a function that makes one;
 * `setDefaultStack(stack)` is for clients that import `net` themselves: a bundler's alias gives them `tidewire/node/net`.
 *
 * Streams, buffers and events are the platform's, imported as `node:stream`, `node:buffer` and `node:events`. Node, Deno and
 * Bun have them; for a page the bundler's aliases lead to `readable-stream`, `buffer` and `events`.
 *
 * @example
 * ```ts ignore
 * const { net } = nodeModules(stack);
 * net.connect(7, "10.0.0.1", function () {
 *   this.end("hello");
 * });
 * ```
 * @module
 */
import type { NetworkStack } from "../../options.ts";
import { type DgramModule, dgramOf } from "./dgram.ts";
import { type DnsModule, dnsOf } from "./dns.ts";
import { type NetModule, netOf } from "./net.ts";
import tls, { type TlsModule } from "./tls.ts";

export type { DgramModule } from "./dgram.ts";
export type { DnsModule } from "./dns.ts";
export type { NetModule } from "./net.ts";
export { defaultStack, setDefaultStack } from "./net_defaults.ts";
export type { NodeError } from "./node_error.ts";
export type { LookupFunction } from "./lookup.ts";
export { Server } from "./server.ts";
export { type Done, Socket } from "./socket.ts";
export type { SocketOptions } from "./socket_options.ts";
export type { TlsModule } from "./tls.ts";
export { socketFactory, toDuplex } from "./to_duplex.ts";

/** Modules of one stack. */
export interface NodeModules {
  /** `node:net`. */
  readonly net: NetModule;
  /** Sockets for datagrams. */
  readonly dgram: DgramModule;
  /** With `dns/promises` as its `promises`. */
  readonly dns: DnsModule;
  /** Not there yet: each member says so when it is used. */
  readonly tls: TlsModule;
}

/**
 * The modules of one stack, whatever stack is set for others.
 *
 * @param stack A stack in this process, or in a worker.
 */
export function nodeModules(stack: NetworkStack): NodeModules {
  return { net: netOf(stack), dgram: dgramOf(stack), dns: dnsOf(stack), tls };
}

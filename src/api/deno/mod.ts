/**
 * The network functions of Deno over a stack: a program that was written for `Deno.connect()` and its kin takes them from
 * here, and runs in a page, in Node and in Bun too.
 *
 * @example
 * ```ts ignore
 * import { createStack } from "@tidewire/tidewire";
 * import { denoNamespace } from "@tidewire/tidewire/deno";
 *
 * const Deno = denoNamespace(await createStack({ link, address: "dhcp" }));
 * using conn = await Deno.connect({ hostname: "example.com", port: 80 });
 * ```
 * @module
 */
export { type DenoNamespace, denoNamespace } from "./namespace.ts";
export {
  DENO_ERROR_NAMES,
  type DenoErrorClass,
  type DenoErrorName,
  type DenoErrors,
} from "./errors.ts";
export type { DnsRecords, ResolveDnsOptions } from "./resolve_dns.ts";
export type {
  HttpServer,
  ServeHandler,
  ServeHandlerInfo,
  ServeListenAddr,
  ServeOptions,
} from "./serve_types.ts";
export type {
  ConnectOptions,
  DatagramConn,
  DatagramTarget,
  ListenOptions,
  MulticastV4Membership,
  MulticastV6Membership,
  NetAddr,
  TcpConn,
  TcpListener,
  UdpListenOptions,
} from "./types.ts";

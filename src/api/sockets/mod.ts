/**
 * WinterTC's Sockets API over a stack: `connect()` as `cloudflare:sockets` has it.
 *
 * @example
 * ```ts ignore
 * import { createStack } from "@tidewire/tidewire";
 * import { socketsOf } from "@tidewire/tidewire/sockets";
 *
 * const { connect } = socketsOf(await createStack({ link, address: "dhcp" }));
 * const socket = connect("example.com:80");
 * await socket.writable.getWriter().write("GET / HTTP/1.0\r\n\r\n");
 * const text = await new Response(socket.readable).text();
 * ```
 * @module
 */
import type { NetworkStack } from "../../options.ts";
import { readAddress, readOptions } from "./arguments.ts";
import { FaceSocket } from "./socket.ts";
import type { Sockets } from "./types.ts";

export { SocketError } from "./errors.ts";
export type {
  SecureTransportKind,
  Socket,
  SocketAddress,
  SocketInfo,
  SocketOptions,
  Sockets,
} from "./types.ts";

/**
 * Sockets over a stack.
 *
 * @param stack In this process or in a worker; it is still the caller's to close.
 */
export function socketsOf(stack: NetworkStack): Sockets {
  return {
    connect: (address, options) => {
      const where = readAddress(address);
      return new FaceSocket(stack, where, readOptions(options));
    },
  };
}

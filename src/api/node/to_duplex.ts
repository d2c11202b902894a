/** A connection as a stream of Node's, for clients that take one. */
import type { NetworkStack, TcpConnection } from "../../options.ts";
import { defaultStack } from "./net_defaults.ts";
import { Socket } from "./socket.ts";
import type { SocketOptions } from "./socket_options.ts";

/**
 * Makes a `Duplex` (and `net.Socket`) of a connection that is open.
 *
 * @param connection A connection whose streams nobody has asked for; the stream owns it from here on and closes it.
 * @param options As for `new net.Socket()`; `allowHalfOpen` is false by default, as there.
 * @returns The stream; it has connected already, so "connect" does not come.
 * @example
 * ```ts ignore
 * const connection = await stack.connect({ hostname: "10.0.0.1", port: 22 });
 * new ssh2.Client().connect({ sock: toDuplex(connection), username: "me", privateKey });
 * ```
 */
export function toDuplex(connection: TcpConnection, options: SocketOptions = {}): Socket {
  return new Socket(options).adopt(connection);
}

/**
 * Makes sockets of one stack that are not connected yet, for clients that connect them themselves.
 *
 * @param stack What they connect through; absent = that of `setDefaultStack()`.
 * @param options As for `new net.Socket()`.
 * @returns A function that makes one, whatever it is called with: clients call it with options of their own.
 * @example
 * ```ts ignore
 * const client = new pg.Client({ host: "10.0.0.1", stream: socketFactory(stack) });
 * ```
 */
export function socketFactory(stack?: NetworkStack, options: SocketOptions = {}): () => Socket {
  class StackSocket extends Socket {
    protected override stackOf(): NetworkStack {
      return stack ?? defaultStack();
    }
  }
  return () => new StackSocket(options);
}

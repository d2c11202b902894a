/**
 * `node:dgram` over a stack; its members use the stack of `setDefaultStack()`, so that a bundler's alias is all that a
 * program needs.
 *
 * @module
 */
import type { NetworkStack } from "../../options.ts";
import { DatagramSocket } from "./dgram_socket.ts";
import type { DatagramSocketOptions, MessageListener } from "./dgram_types.ts";

export type {
  DatagramAddress,
  DatagramBindOptions,
  DatagramSocketOptions,
  MessageListener,
  RemoteInfo,
} from "./dgram_types.ts";
export { DatagramSocket as Socket };

/** What `node:dgram` has. */
export interface DgramModule {
  /** Its class. */
  readonly Socket: typeof DatagramSocket;
  /** Makes a socket; the listener gets its messages. */
  createSocket(
    options: "udp4" | "udp6" | DatagramSocketOptions,
    listener?: MessageListener,
  ): DatagramSocket;
}

/** Makes a socket; the listener gets its messages. */
export function createSocket(
  options: "udp4" | "udp6" | DatagramSocketOptions,
  listener?: MessageListener,
): DatagramSocket {
  return new DatagramSocket(options, listener);
}

/** The module of one stack, whatever stack is set for others. */
export function dgramOf(stack: NetworkStack): DgramModule {
  class StackSocket extends DatagramSocket {
    protected override stackOf(): NetworkStack {
      return stack;
    }
  }
  // Who looks at names sees those of Node.
  Object.defineProperty(StackSocket, "name", { value: "Socket" });
  return {
    Socket: StackSocket,
    createSocket: (options, listener) => new StackSocket(options, listener),
  };
}

/** The module as its default export. */
const dgram: DgramModule = { Socket: DatagramSocket, createSocket };

export default dgram;

/**
 * The Direct Sockets API over a stack: the classes that an isolated web app has in Chromium, wherever a stack runs.
 *
 * @example
 * ```ts ignore
 * import { createStack } from "@tidewire/tidewire";
 * import { directSocketsOf } from "@tidewire/tidewire/direct";
 *
 * const { TCPSocket } = directSocketsOf(await createStack({ link, address: "dhcp" }));
 * const socket = new TCPSocket("example.com", 80);
 * const { readable, writable } = await socket.opened;
 * ```
 * @module
 */
import type { NetworkStack, TcpConnection } from "../../options.ts";
import { FaceTcpServerSocket, listenOn } from "./tcp_server_socket.ts";
import { connectTo, type DirectGround, FaceTcpSocket } from "./tcp_socket.ts";
import type {
  DirectSockets,
  DirectSocketsOptions,
  TCPServerSocketOptions,
  TCPSocketOptions,
  UDPSocketOptions,
} from "./types.ts";
import { FaceUdpSocket } from "./udp_socket.ts";

export type {
  DirectSockets,
  DirectSocketsOptions,
  DirectTarget,
  MulticastController,
  SocketDnsQueryType,
  SocketOptions,
  TCPServerSocket,
  TCPServerSocketOpenInfo,
  TCPServerSocketOptions,
  TCPSocket,
  TCPSocketOpenInfo,
  TCPSocketOptions,
  UDPMessage,
  UDPSocket,
  UDPSocketOpenInfo,
  UDPSocketOptions,
} from "./types.ts";

/**
 * The classes of Direct Sockets over a stack.
 *
 * @param stack In this process or in a worker; it is still the caller's to close.
 * @param options The policy.
 */
export function directSocketsOf(
  stack: NetworkStack,
  options: DirectSocketsOptions = {},
): DirectSockets {
  const ground: DirectGround = { stack, isAllowed: options.isAllowed ?? (() => true) };
  /** Goes to the constructor instead of arguments: the connection of a socket that was accepted. */
  const accepted = new WeakSet<object>();

  class TCPSocket extends FaceTcpSocket {
    constructor(remoteAddress: string, remotePort: number, options?: TCPSocketOptions) {
      const given: unknown = remoteAddress;
      const isAccepted = typeof given === "object" && given !== null && accepted.has(given);
      super(
        isAccepted ? given as TcpConnection : connectTo(ground, remoteAddress, remotePort, options),
      );
    }
  }

  function adopt(connection: TcpConnection): TCPSocket {
    accepted.add(connection);
    const given: unknown = connection;
    return new TCPSocket(given as string, 0);
  }

  class TCPServerSocket extends FaceTcpServerSocket {
    constructor(localAddress: string, options?: TCPServerSocketOptions) {
      super(listenOn(ground, localAddress, options), adopt);
    }
  }

  class UDPSocket extends FaceUdpSocket {
    constructor(options: UDPSocketOptions) {
      super(ground, options);
    }
  }

  return { TCPSocket, TCPServerSocket, UDPSocket };
}

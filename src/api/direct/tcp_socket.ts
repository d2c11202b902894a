/** `TCPSocket` over a stack. */
import { NameNotFound } from "../../errors.ts";
import { isIp } from "../../net/addresses.ts";
import type { NetworkStack, TcpConnection } from "../../options.ts";
import { handledPromise } from "../faces/settling.ts";
import { readAddress, readObject, readPort, readQueryType, readTcpOptions } from "./arguments.ts";
import { directError, toOpenError } from "./errors.ts";
import { TcpStreams } from "./tcp_streams.ts";
import type {
  DirectTarget,
  SocketDnsQueryType,
  TCPSocket,
  TCPSocketOpenInfo,
  TCPSocketOptions,
} from "./types.ts";

/** What sockets stand on. */
export interface DirectGround {
  readonly stack: NetworkStack;
  readonly isAllowed: (target: DirectTarget) => boolean;
}

/** A socket whose connection exists or is to come. */
export class FaceTcpSocket implements TCPSocket {
  readonly #opened = handledPromise<TCPSocketOpenInfo>();
  readonly #closed = handledPromise<void>();
  #streams: TcpStreams | null = null;

  /** @param connection What `connectTo()` gives, or a connection that was accepted. */
  constructor(connection: TcpConnection | Promise<TcpConnection>) {
    if ("then" in connection) {
      connection.then((opened) => this.#begin(opened), (error) => {
        const made = toOpenError(error);
        this.#opened.reject(made);
        this.#closed.reject(made);
      });
    } else {
      this.#begin(connection);
    }
  }

  get opened(): Promise<TCPSocketOpenInfo> {
    return this.#opened.promise;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  // deno-lint-ignore require-await -- errors of an async function are rejections
  async close(): Promise<void> {
    const streams = this.#streams;
    if (streams === null) {
      throw directError("InvalidStateError", "Cannot close the socket: it is not open");
    }
    if (streams.isLocked) {
      throw directError("InvalidStateError", "Cannot close the socket: a stream of it is locked");
    }
    streams.close();
    return this.closed;
  }

  #begin(connection: TcpConnection): void {
    const streams = new TcpStreams(connection);
    const { localAddress, remoteAddress } = connection;
    this.#streams = streams;
    this.#opened.resolve({
      readable: streams.readable,
      writable: streams.writable,
      remoteAddress: remoteAddress.hostname,
      remotePort: remoteAddress.port,
      localAddress: localAddress.hostname,
      localPort: localAddress.port,
    });
    streams.closed.then(this.#closed.resolve, this.#closed.reject);
  }
}

/**
 * Opens the connection of a socket.
 *
 * @throws {TypeError} At once, if an argument is none.
 */
export function connectTo(
  ground: DirectGround,
  remoteAddress: unknown,
  remotePort: unknown,
  given: TCPSocketOptions | undefined,
): Promise<TcpConnection> {
  const hostname = readAddress("remoteAddress", remoteAddress);
  const port = readPort("remotePort", remotePort, 0);
  const options = readObject(given);
  const queryType = readQueryType(options.dnsQueryType);
  const wanted = readTcpOptions(options);
  const { stack, isAllowed } = ground;
  const open = async (): Promise<TcpConnection> => {
    if (!isAllowed({ kind: "tcp", hostname, port })) {
      throw directError("NotAllowedError", `Cannot connect to ${hostname}:${port}: not allowed`);
    }
    if (queryType === null || isIp(hostname) !== 0) {
      return await stack.connect({ ...wanted, hostname, port });
    }
    let failure: unknown = new NameNotFound(`Cannot connect to "${hostname}": it has no address`);
    for (const address of await addressesOf(stack, hostname, queryType)) {
      try {
        return await stack.connect({ ...wanted, hostname: address, port });
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  };
  return open();
}

/** Addresses of a name, of one family. */
export async function addressesOf(
  stack: NetworkStack,
  hostname: string,
  queryType: SocketDnsQueryType,
): Promise<string[]> {
  const family = queryType === "ipv4" ? 4 : 6;
  return (await stack.resolve(hostname)).filter((address) => isIp(address) === family);
}

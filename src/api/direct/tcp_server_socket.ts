/** `TCPServerSocket` over a stack. */
import { PORT_MAX } from "../../tcp/ports.ts";
import type { ListenOptions, TcpConnection, TcpListener } from "../../options.ts";
import { handledPromise } from "../faces/settling.ts";
import { readAddress, readCount, readObject, readPort } from "./arguments.ts";
import { directError, toDirectError, toOpenError } from "./errors.ts";
import type { DirectGround } from "./tcp_socket.ts";
import type {
  TCPServerSocket,
  TCPServerSocketOpenInfo,
  TCPServerSocketOptions,
  TCPSocket,
} from "./types.ts";

/** A listening port whose listener is to come. */
export class FaceTcpServerSocket implements TCPServerSocket {
  readonly #opened = handledPromise<TCPServerSocketOpenInfo>();
  readonly #closed = handledPromise<void>();
  readonly #adopt: (connection: TcpConnection) => TCPSocket;
  #readable: ReadableStream<TCPSocket> | null = null;

  /**
   * @param listener What `listenOn()` gives.
   * @param adopt Makes the socket of a connection.
   */
  constructor(listener: Promise<TcpListener>, adopt: (connection: TcpConnection) => TCPSocket) {
    this.#adopt = adopt;
    listener.then((opened) => this.#begin(opened), (error) => {
      const made = toOpenError(error);
      this.#opened.reject(made);
      this.#closed.reject(made);
    });
  }

  get opened(): Promise<TCPServerSocketOpenInfo> {
    return this.#opened.promise;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  async close(): Promise<void> {
    const readable = this.#readable;
    if (readable === null) {
      throw directError("InvalidStateError", "Cannot close the server socket: it is not open");
    }
    if (readable.locked) {
      throw directError("InvalidStateError", "Cannot close the server socket: readable is locked");
    }
    // It may have failed before; `closed` tells that.
    await readable.cancel().catch(() => {});
    return this.closed;
  }

  #begin(listener: TcpListener): void {
    const readable = new ReadableStream<TCPSocket>({
      pull: async (controller) => {
        try {
          controller.enqueue(this.#adopt(await listener.accept()));
        } catch (error) {
          const made = toDirectError(error);
          this.#closed.reject(made);
          throw made;
        }
      },
      cancel: () => {
        this.#closed.resolve();
        listener.close();
      },
      // Connections that nobody asked for wait in the backlog, which is counted.
    }, { highWaterMark: 0 });
    this.#readable = readable;
    const { hostname, port } = listener.address;
    this.#opened.resolve({ readable, localAddress: hostname, localPort: port });
  }
}

/**
 * Listens for a server socket.
 *
 * @throws {TypeError} At once, if an argument is none.
 */
export function listenOn(
  ground: DirectGround,
  localAddress: unknown,
  given: TCPServerSocketOptions | undefined,
): Promise<TcpListener> {
  const hostname = readAddress("localAddress", localAddress);
  const options = readObject(given);
  const { localPort, ipv6Only } = options;
  const port = localPort === undefined ? 0 : readPort("localPort", localPort, 1);
  const backlog = readCount("backlog", options.backlog, PORT_MAX);
  if (ipv6Only !== undefined && hostname !== "::") {
    throw new TypeError(`Cannot use ipv6Only with "${hostname}": it is for "::" alone`);
  }
  const { stack, isAllowed } = ground;
  const wanted: ListenOptions = {
    ...{ hostname, port },
    ...(backlog === undefined ? {} : { backlog }),
  };
  const listen = async (): Promise<TcpListener> => {
    if (!isAllowed({ kind: "tcp-server", hostname, port })) {
      throw directError("NotAllowedError", `Cannot listen on ${hostname}:${port}: not allowed`);
    }
    return await stack.listen(wanted);
  };
  return listen();
}

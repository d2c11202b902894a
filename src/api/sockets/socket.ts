/** A socket of WinterTC over a connection that is still to come. */
import type { NetworkStack, TcpConnection } from "../../options.ts";
import { endText, toBytes } from "../faces/bytes.ts";
import { Channel } from "../faces/channel.ts";
import { handledPromise } from "../faces/settling.ts";
import type { KnownOptions } from "./arguments.ts";
import { SocketError, toSocketError } from "./errors.ts";
import type { SecureTransportKind, Socket, SocketAddress, SocketInfo } from "./types.ts";

/** What `connect()` gives. */
export class FaceSocket implements Socket {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<ArrayBuffer | ArrayBufferView | string>;
  readonly upgraded = false;
  readonly secureTransport: SecureTransportKind;
  readonly #allowsHalfOpen: boolean;
  readonly #opened = handledPromise<SocketInfo>();
  readonly #closed = handledPromise<void>();
  readonly #channel: Promise<Channel>;
  /** Ends the open, if nobody wants the socket any more. */
  readonly #opening = new AbortController();
  #reading!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  #writing!: WritableStreamDefaultController;
  /** The write that is under way. */
  #write: Promise<void> | null = null;
  /** Nothing will come any more: the end was read, or the stream cancelled. */
  #isReadOver = false;
  #isOpen = false;
  #isOver = false;

  /**
   * @param stack Where the connection is opened.
   * @param address Where to.
   * @param options How.
   */
  constructor(stack: NetworkStack, address: SocketAddress, options: KnownOptions) {
    this.secureTransport = options.secureTransport;
    this.#allowsHalfOpen = options.allowHalfOpen;
    this.readable = this.#makeReadable();
    this.writable = this.#makeWritable();
    this.#channel = this.#open(stack, address);
    this.#channel.catch((error) => this.#fail(error));
  }

  get opened(): Promise<SocketInfo> {
    return this.#opened.promise;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  close(reason?: unknown): Promise<void> {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#opened.reject(reason ?? new SocketError("the socket was closed before it opened"));
      this.#endReading();
      this.#writing.error(reason ?? new SocketError("the socket is closed"));
      this.#opening.abort();
      this.#channel.then((channel) => channel.close(), () => {});
      this.#closed.resolve();
    }
    return this.closed;
  }

  startTls(): Socket {
    throw this.secureTransport === "starttls"
      ? new SocketError("TLS is not there yet: startTls() leaves the socket as it is")
      : new SocketError('startTls() needs a socket with secureTransport "starttls"');
  }

  async #open(stack: NetworkStack, address: SocketAddress): Promise<Channel> {
    const { signal } = this.#opening;
    const { hostname, port } = address;
    let connection: TcpConnection;
    try {
      connection = await stack.connect({ hostname, port, signal });
    } catch (error) {
      throw toSocketError(error);
    }
    this.#isOpen = true;
    this.#opened.resolve({
      remoteAddress: endText(connection.remoteAddress),
      localAddress: endText(connection.localAddress),
      alpn: null,
    });
    connection.closed.catch((error) => this.#fail(toSocketError(error)));
    return new Channel(connection, toSocketError);
  }

  #makeReadable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      start: (controller) => {
        this.#reading = controller;
      },
      pull: () => this.#pull(),
      cancel: async () => {
        this.#isReadOver = true;
        await (await this.#channel).cancelRead();
      },
      // The peer's end is noticed by who reads up to it, so nothing is read ahead.
    }, { highWaterMark: 0 });
  }

  #makeWritable(): WritableStream<ArrayBuffer | ArrayBufferView | string> {
    return new WritableStream<ArrayBuffer | ArrayBufferView | string>({
      start: (controller) => {
        this.#writing = controller;
      },
      write: async (chunk) => {
        const bytes = toBytes(chunk, true);
        this.#write = this.#channel.then((channel) => channel.write(bytes));
        try {
          await this.#write;
        } finally {
          this.#write = null;
        }
      },
      close: async () => await (await this.#channel).closeWrite(),
      // What was not sent is lost, and the peer has to know that.
      abort: () => {
        this.#opening.abort(new SocketError("writable was aborted before the socket opened"));
        return this.#channel.then(({ connection }) => connection.abort(), () => {});
      },
    });
  }

  async #pull(): Promise<void> {
    const chunk = await (await this.#channel).readChunk();
    if (this.#isReadOver) return;
    if (chunk !== null) return this.#reading.enqueue(chunk);
    this.#endReading();
    if (!this.#allowsHalfOpen) await this.#endWriting();
  }

  #endReading(): void {
    if (this.#isReadOver) return;
    this.#isReadOver = true;
    this.#reading.close();
  }

  /** The peer has ended, so we do: behind what is being written. */
  async #endWriting(): Promise<void> {
    while (this.#write !== null) {
      await this.#write.catch(() => {});
      // What waits in the stream is written in the same task.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    if (this.#isOver) return;
    this.#isOver = true;
    const channel = await this.#channel;
    // Who holds a writer of it may have closed it before.
    if (this.writable.locked) {
      this.#writing.error(new SocketError("the peer has ended the connection"));
    } else await this.writable.close().catch(() => {});
    channel.close();
    this.#closed.resolve();
  }

  /** It could not be opened, or was lost. */
  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#opened.reject(error);
    this.#closed.reject(error);
    this.#writing.error(error);
    // Of an open connection somebody may still read what arrived before a reset: that is told behind it.
    if (this.#isOpen || this.#isReadOver) return;
    this.#isReadOver = true;
    this.#reading.error(error);
  }
}

/** The two streams of a `TCPSocket`, and when both have ended. */
import type { TcpConnection } from "../../options.ts";
import { toBytes } from "../faces/bytes.ts";
import { type ByteControl, byteStream, Channel } from "../faces/channel.ts";
import { handledPromise } from "../faces/settling.ts";
import { StreamConnection } from "../tcp_connection.ts";
import { directError, toDirectError } from "./errors.ts";

/** How a stream ended: with an error, or null. */
interface End {
  readonly error: unknown;
}

/** The streams of one connection. */
export class TcpStreams {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<ArrayBuffer | ArrayBufferView>;
  readonly #channel: Channel;
  readonly #closed = handledPromise<void>();
  #reading!: ByteControl;
  #writing!: WritableStreamDefaultController;
  #readEnd: End | null = null;
  #writeEnd: End | null = null;
  /** What the connection was lost by. */
  #loss: End | null = null;

  /** @param connection An open connection; it belongs to this object from here on. */
  constructor(connection: TcpConnection) {
    this.#channel = new Channel(connection, toDirectError);
    this.readable = byteStream({
      start: (control) => {
        this.#reading = control;
      },
      readInto: (view) => this.#channel.readInto(view),
      ended: (error) => this.#endReading(error),
      cancel: async () => {
        this.#endReading(null);
        await this.#channel.cancelRead();
      },
    });
    this.writable = this.#makeWritable();
    connection.closed.then(
      () => this.#finish(connection),
      (error) => this.#lose(connection, toDirectError(error)),
    );
  }

  /** Settles when both streams have ended. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Whether somebody holds a reader or a writer. */
  get isLocked(): boolean {
    return this.readable.locked || this.writable.locked;
  }

  /** Ends both; neither is locked. */
  close(): void {
    const reason = directError("InvalidStateError", "The socket is closed");
    // What is unread is lost, and the peer has to know that: so the connection closes before its streams do.
    this.#channel.close();
    this.#endReading(null);
    this.#endWriting(null);
    this.readable.cancel(reason).catch(() => {});
    this.writable.abort(reason).catch(() => {});
  }

  #makeWritable(): WritableStream<ArrayBuffer | ArrayBufferView> {
    return new WritableStream<ArrayBuffer | ArrayBufferView>({
      start: (controller) => {
        this.#writing = controller;
        // The sink's own abort() would wait for the write that is under way.
        controller.signal.addEventListener("abort", () => this.#shutdown());
      },
      write: async (chunk) => {
        try {
          await this.#channel.write(toBytes(chunk));
        } catch (error) {
          this.#endWriting(error);
          throw error;
        }
      },
      close: async () => {
        try {
          await this.#channel.closeWrite();
          this.#endWriting(null);
        } catch (error) {
          this.#endWriting(error);
          throw error;
        }
      },
    });
  }

  /** An aborted stream ends our direction as a closed one does: the socket has no way to reset. */
  #shutdown(): void {
    this.#channel.closeWrite().catch(() => {});
    this.#endWriting(null);
  }

  /** Both directions have ended: who does not read learns it too. */
  #finish(connection: TcpConnection): void {
    if (this.#readEnd !== null || !isDrained(connection)) return;
    this.#reading.close();
    this.#endReading(null);
  }

  #lose(connection: TcpConnection, error: unknown): void {
    this.#loss = { error };
    if (this.#writeEnd === null) this.#writing.error(error);
    this.#endWriting(error);
    // What arrived before can still be read; the stream tells the loss behind it.
    if (this.#readEnd !== null || !isDrained(connection)) return;
    this.#reading.error(error);
    this.#endReading(error);
  }

  #endReading(error: unknown): void {
    this.#readEnd ??= { error: error ?? this.#loss?.error ?? null };
    this.#settle();
  }

  #endWriting(error: unknown): void {
    this.#writeEnd ??= { error };
    this.#settle();
  }

  #settle(): void {
    if (this.#readEnd === null || this.#writeEnd === null) return;
    this.#channel.close();
    const error = this.#writeEnd.error ?? this.#readEnd.error;
    if (error === null) this.#closed.resolve();
    else this.#closed.reject(error);
  }
}

/** Whether nothing is left to read, as far as can be told: of a worker's bytes some may be on their way. */
function isDrained(connection: TcpConnection): boolean {
  return connection instanceof StreamConnection && connection.connection.unreadBytes() === 0;
}

/**
 * A connection as faces use it: read into a buffer, write, end a half. Both streams of the connection stay locked in here,
 * so that a face can give streams of its own, with its own errors, and still read and write itself.
 */
import type { TcpConnection } from "../../options.ts";

/** What a face makes of an error of the stack. */
export type ErrorMapper = (error: unknown) => unknown;

/** Reads and writes of one connection, in the order in which they are asked for. */
export class Channel {
  /** The connection; its streams belong to the channel. */
  readonly connection: TcpConnection;
  readonly #map: ErrorMapper;
  #bytes: ReadableStreamBYOBReader | null = null;
  #chunks: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | null = null;
  #writer: WritableStreamDefaultWriter<Uint8Array> | null = null;

  /**
   * @param connection An open connection whose streams nobody has locked.
   * @param map What is thrown instead of an error of the stack.
   */
  constructor(connection: TcpConnection, map: ErrorMapper) {
    this.connection = connection;
    this.#map = map;
  }

  /**
   * Reads into a buffer. A channel that reads so does not read chunks.
   *
   * @param view Where to; its buffer is transferred, as by a BYOB reader.
   * @returns What was read, in the transferred buffer; of length 0 at the end. Null once reading was cancelled.
   */
  async readInto(view: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | null> {
    this.#bytes ??= this.connection.readable.getReader({ mode: "byob" });
    try {
      const { value } = await this.#bytes.read(view);
      return value ?? null;
    } catch (error) {
      throw this.#map(error);
    }
  }

  /** Reads what is there, in a buffer of its own. @returns Null at the end. */
  async readChunk(): Promise<Uint8Array<ArrayBuffer> | null> {
    this.#chunks ??= this.connection.readable.getReader();
    try {
      const { value } = await this.#chunks.read();
      return value ?? null;
    } catch (error) {
      throw this.#map(error);
    }
  }

  /** Nothing will be read any more: what waits is dropped, and so is what still comes. */
  async cancelRead(): Promise<void> {
    try {
      const reader = this.#bytes ?? this.#chunks ?? this.connection.readable;
      await reader.cancel();
    } catch {
      // It has failed before: there is nothing left to cancel.
    }
  }

  /** Writes all of it; settles when the connection has taken everything. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#writer ??= this.connection.writable.getWriter();
    try {
      await this.#writer.write(bytes);
    } catch (error) {
      throw this.#map(error);
    }
  }

  /** Sends FIN behind what was written. */
  async closeWrite(): Promise<void> {
    try {
      await this.connection.closeWrite();
    } catch (error) {
      throw this.#map(error);
    }
  }

  /** Closes both directions; what was written still goes. Nobody is told how that ends: see `connection.closed`. */
  close(): void {
    this.connection.close().catch(() => {});
  }
}

/** What ends a stream beside its reads. */
export interface ByteControl {
  /** Nothing will come any more, and nobody waits for it. */
  close(): void;
  /** The stream fails. */
  error(error: unknown): void;
}

/** What `byteStream()` reads from. */
export interface ByteSource {
  /** Gives what ends the stream beside its reads. */
  start?(control: ByteControl): void;
  /** As `Channel.readInto()`. */
  readInto(view: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | null>;
  /** The end was read, or reading failed. */
  ended?(error: unknown): void;
  /** The reader wants no more. */
  cancel(reason: unknown): void | Promise<void>;
}

/** Buffer for a read that brings none, bytes: as Deno's. */
const CHUNK_BYTES = 65_536;

/**
 * A byte stream over reads into buffers: BYOB readers get their bytes without a copy.
 *
 * @param source Where the bytes come from.
 */
export function byteStream(source: ByteSource): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: CHUNK_BYTES,
    start: (controller) =>
      source.start?.({
        // A read that waits finds the end itself.
        close: () => controller.byobRequest === null && controller.close(),
        error: (error) => controller.error(error),
      }),
    async pull(controller) {
      const request = controller.byobRequest;
      // A view of bytes, whatever the reader's own is of.
      const view = request?.view as Uint8Array<ArrayBuffer>;
      let filled: Uint8Array<ArrayBuffer> | null;
      try {
        filled = await source.readInto(view);
      } catch (error) {
        source.ended?.(error);
        throw error;
      }
      if (filled === null) return;
      if (filled.length === 0) {
        controller.close();
        source.ended?.(null);
      }
      request?.respondWithNewView(filled);
    },
    cancel: (reason) => source.cancel(reason),
  }, { highWaterMark: 0 });
}

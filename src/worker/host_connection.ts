/**
 * A connection as the worker serves it: bytes go from the ring to the page while the page grants credit, and from the page's
 * buffers to the ring as it has room. Everything else is the connection's own affair.
 */
import type { StreamConnection } from "../api/tcp_connection.ts";
import { ConnectionAborted, type StackError } from "../errors.ts";
import { EVENT_CLOSED, EVENT_WRITABLE } from "../layout/layout.gen.ts";
import { type Connection, EOF, WOULD_BLOCK } from "../tcp/connection.ts";
import { endpointText } from "../tcp/connection_info.ts";
import type { BufferPool } from "./buffers.ts";
import {
  BUFFER_BYTES,
  type Signal,
  toWireError,
  type WorkerMessage,
  WRITE_WINDOW_BYTES,
} from "./protocol.ts";

/** What a connection needs of the host. */
export interface ConnectionSurroundings {
  readonly pool: BufferPool;
  post(message: WorkerMessage, transfer: ArrayBuffer[]): void;
  /** The handle is let go and the page knows how it ended. */
  forget(id: number): void;
}

/** Bytes of the page that the ring has not taken whole. */
interface Chunk {
  readonly buffer: ArrayBuffer;
  readonly bytes: number;
  readonly isUrgent: boolean;
  at: number;
}

/** One connection. */
export class HostConnection {
  readonly #id: number;
  readonly #tcp: StreamConnection;
  readonly #connection: Connection;
  readonly #host: ConnectionSurroundings;
  readonly #probe = new Uint8Array(1);
  /** Bytes that the page still takes. */
  #credit = 0;
  /** Bytes sent to the page since the beginning. */
  #sentBytes = 0;
  #readDone = false;
  /** At most WRITE_WINDOW_BYTES. */
  readonly #chunks: Chunk[] = [];
  #queuedBytes = 0;
  #writeDone = false;
  #closedTold = false;
  #isGone = false;
  /** How it ended, when that differs from what the connection says. */
  #verdict: StackError | null | undefined;

  /**
   * @param id Its number in messages.
   * @param tcp An open connection whose streams nobody asks for: its bytes belong to this object from here on.
   * @param host The surroundings.
   */
  constructor(id: number, tcp: StreamConnection, host: ConnectionSurroundings) {
    this.#id = id;
    this.#tcp = tcp;
    this.#connection = tcp.connection;
    this.#host = host;
    const inner = this.#connection.onEvent;
    this.#connection.onEvent = (bits) => {
      this.#onEvent(bits);
      inner?.(bits);
      this.#tidy();
    };
    tcp.onUrgent = (bytes) => host.post({ kind: "urgent", connection: id, bytes }, []);
    tcp.onTrouble = (trouble) => host.post({ kind: "trouble", connection: id, trouble }, []);
    tcp.closed.then(() => this.#tellClosed(null), (error) => this.#tellClosed(error));
    // It may have ended, or got bytes, before anybody listened.
    this.#pumpReads();
  }

  /** The connection with promises. */
  get tcp(): StreamConnection {
    return this.#tcp;
  }

  /** The page takes more. */
  grant(bytes: number): void {
    this.#credit += bytes;
    this.#pumpReads();
    this.#tidy();
  }

  /** The page sends bytes. */
  write({ buffer, bytes, isUrgent }: Extract<Signal, { readonly kind: "write" }>): void {
    if (this.#writeDone) return;
    if (this.#queuedBytes + bytes > WRITE_WINDOW_BYTES) {
      this.#tcp.abort();
      return;
    }
    this.#queuedBytes += bytes;
    this.#chunks.push({ buffer, bytes, isUrgent, at: 0 });
    this.#pumpWrites();
  }

  /** The page reads no more. */
  cancelRead(): void {
    this.#readDone = true;
    this.#connection.shutdown("read");
    this.#tidy();
  }

  /** FIN after what is queued. */
  async closeWrite(): Promise<void> {
    await this.#tcp.closeWrite();
    // What was not in the ring before FIN can not follow it.
    this.#pumpWrites();
  }

  /**
   * Closes both directions.
   *
   * @param consumedBytes What the page's reader has had. Bytes that were sent to the page and not read are unread bytes, as
   * those in the ring are: the peer has to know that they are lost (RFC 2525 section 2.17).
   */
  async close(consumedBytes: number): Promise<void> {
    const isLossy = this.#sentBytes > consumedBytes && !this.#connection.isFinished;
    this.#readDone = true;
    this.#dropWrites();
    if (isLossy) this.#reset();
    try {
      if (this.#verdict === undefined) await this.#tcp.close();
      else if (this.#verdict !== null) throw this.#verdict;
    } finally {
      this.#tidy();
    }
  }

  /** RST. */
  abort(): void {
    this.#dropWrites();
    this.#tcp.abort();
    this.#tidy();
  }

  #reset(): void {
    const bytes = this.#connection.unacknowledgedBytes();
    const text = endpointText(this.#connection.remote);
    this.#verdict = bytes === 0 ? null : new ConnectionAborted(
      `Cannot close the connection to ${text} in order: unread bytes were lost, so it was reset with ` +
        `${bytes} bytes unacknowledged`,
    );
    this.#tcp.abort();
  }

  #onEvent(bits: number): void {
    if ((bits & (EVENT_WRITABLE | EVENT_CLOSED)) !== 0) this.#pumpWrites();
    const { error } = this.#connection;
    if ((bits & EVENT_CLOSED) !== 0 && error !== null) this.#failWrites(error);
    // A FIN or a reset is told at once too, when nothing is left to read before it.
    if (bits !== EVENT_WRITABLE) this.#pumpReads();
  }

  #pumpReads(): void {
    while (!this.#readDone) {
      const unreadBytes = this.#connection.unreadBytes();
      if (unreadBytes === 0) return this.#tellEnd();
      const wanted = Math.min(unreadBytes, this.#credit, BUFFER_BYTES);
      if (wanted === 0) return;
      const buffer = this.#host.pool.take(wanted);
      const bytes = this.#connection.readInto(new Uint8Array(buffer, 0, wanted));
      if (bytes <= 0) return;
      this.#credit -= bytes;
      this.#sentBytes += bytes;
      this.#host.post({ kind: "data", connection: this.#id, buffer, bytes }, [buffer]);
    }
  }

  /** Nothing waits; if nothing will come either, the page is told. */
  #tellEnd(): void {
    let error: unknown = null;
    try {
      const result = this.#connection.isReleased
        ? this.#resultAfterRelease()
        : this.#connection.readInto(this.#probe);
      if (result === WOULD_BLOCK) return;
    } catch (reason) {
      error = reason;
    }
    this.#readDone = true;
    const wire = error === null ? null : toWireError(error);
    this.#host.post({ kind: "end", connection: this.#id, error: wire }, []);
  }

  #resultAfterRelease(): number {
    if (this.#connection.error !== null) throw this.#connection.error;
    return EOF;
  }

  #pumpWrites(): void {
    for (;;) {
      const chunk = this.#chunks[0];
      if (chunk === undefined || this.#writeDone) return;
      const { buffer, bytes, isUrgent } = chunk;
      try {
        const rest = new Uint8Array(buffer, chunk.at, bytes - chunk.at);
        chunk.at += isUrgent ? this.#connection.writeUrgent(rest) : this.#connection.write(rest);
      } catch (error) {
        return this.#failWrites(error);
      }
      if (chunk.at < bytes) return;
      this.#chunks.shift();
      this.#queuedBytes -= bytes;
      this.#host.post({ kind: "wrote", connection: this.#id, bytes, buffer }, [buffer]);
    }
  }

  #failWrites(error: unknown): void {
    if (this.#writeDone) return;
    this.#dropWrites();
    const wire = toWireError(error);
    this.#host.post({ kind: "unwritable", connection: this.#id, error: wire }, []);
  }

  #dropWrites(): void {
    this.#writeDone = true;
    this.#chunks.length = 0;
    this.#queuedBytes = 0;
  }

  #tellClosed(error: unknown): void {
    const outcome = this.#verdict === undefined ? error : this.#verdict;
    this.#closedTold = true;
    const wire = outcome === null ? null : toWireError(outcome);
    this.#host.post({ kind: "closed", connection: this.#id, error: wire }, []);
    this.#tidy();
  }

  /** Lets the handle go once both directions ended and nothing is left to read. */
  #tidy(): void {
    const connection = this.#connection;
    if (!connection.isReleased && connection.isFinished && connection.unreadBytes() === 0) {
      connection.release();
    }
    if (this.#isGone || !connection.isReleased || !this.#closedTold) return;
    this.#isGone = true;
    this.#host.forget(this.#id);
    this.#host.post({ kind: "gone", connection: this.#id }, []);
  }
}

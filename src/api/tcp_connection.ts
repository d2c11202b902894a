/** A connection with promises and streams. Streams, promises and addresses are made when they are first asked for. */
import { BadResource, ConnectionAborted, type StackError } from "../errors.ts";
import { EVENT_SOFT_ERROR, EVENT_UNRESPONSIVE, EVENT_URGENT } from "../layout/layout.gen.ts";
import type { ConnectionInfo, NetAddress, TcpConnection, TcpOptions, Trouble } from "../options.ts";
import type { Connection } from "../tcp/connection.ts";
import { endpointText, toNetAddress } from "../tcp/connection_info.ts";
import { ReadSide, WriteSide } from "./streams.ts";

/** How a wait ends. */
interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The connection that `stack.connect()` and `listener.accept()` give. */
export class StreamConnection implements TcpConnection {
  onUrgent: ((bytes: number) => void) | null = null;
  onTrouble: ((trouble: Trouble) => void) | null = null;
  readonly #connection: Connection;
  #local: NetAddress | null = null;
  #remote: NetAddress | null = null;
  #read: ReadSide | null = null;
  #write: WriteSide | null = null;
  /** How it ended: an error, null for in order, undefined while it lives. */
  #outcome: StackError | null | undefined;
  #closed: Promise<void> | null = null;
  #closedWaiter: Waiter | null = null;
  #closing: Promise<void> | null = null;
  #closingWaiter: Waiter | null = null;

  /** @param connection An open connection; its `onEvent` belongs to this object from here on. */
  constructor(connection: Connection) {
    this.#connection = connection;
    connection.onEvent = (bits) => this.#onEvent(bits);
    if (connection.isFinished) this.#settle(connection.error);
  }

  /** The synchronous connection beneath; for tests and for faces that do without streams. */
  get connection(): Connection {
    return this.#connection;
  }

  get localAddress(): NetAddress {
    return this.#local ??= toNetAddress(this.#connection.local);
  }

  get remoteAddress(): NetAddress {
    return this.#remote ??= toNetAddress(this.#connection.remote);
  }

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    this.#read ??= new ReadSide(this.#connection, () => this.#releaseIfDone());
    return this.#read.stream;
  }

  get writable(): WritableStream<Uint8Array> {
    return this.#writeSide().stream;
  }

  // deno-lint-ignore require-await -- errors of an async function are rejections
  async writeUrgent(bytes: Uint8Array): Promise<void> {
    return this.#writeSide().writeUrgent(bytes);
  }

  get closed(): Promise<void> {
    if (this.#closed !== null) return this.#closed;
    this.#closed = this.#outcome === undefined
      ? new Promise((resolve, reject) => {
        this.#closedWaiter = { resolve, reject };
      })
      : settled(this.#outcome);
    // Whoever does not look at it is not to be disturbed by it.
    this.#closed.catch(() => {});
    return this.#closed;
  }

  closeWrite(): Promise<void> {
    const { error } = this.#connection;
    if (error !== null) return Promise.reject(error);
    this.#connection.shutdown("write");
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  abort(reason?: unknown): void {
    this.#connection.abort();
    const error = reason ?? this.#connection.error ?? this.#gone();
    this.#read?.fail(error);
    this.#write?.fail(error);
    this.#releaseIfDone();
  }

  info(): ConnectionInfo {
    return this.#connection.info();
  }

  // deno-lint-ignore require-await -- errors of an async function are rejections
  async setOptions(options: TcpOptions): Promise<void> {
    this.#connection.setOptions(options);
  }

  // deno-lint-ignore require-await
  async getOptions(): Promise<Required<TcpOptions>> {
    return this.#connection.getOptions();
  }

  /** As `close()`; an error that the streams have told before is not told again. */
  async [Symbol.asyncDispose](): Promise<void> {
    const isKnown = this.#connection.error !== null;
    try {
      await this.close();
    } catch (error) {
      if (!isKnown) throw error;
    }
  }

  #writeSide(): WriteSide {
    return this.#write ??= new WriteSide(this.#connection);
  }

  /** Tells what happened, after the event: what a callback throws is the caller's, and stops nothing here. */
  #tell(bits: number): void {
    const { onUrgent, onTrouble } = this;
    if ((bits & EVENT_URGENT) !== 0 && onUrgent !== null) {
      const bytes = this.#connection.urgentBytes();
      queueMicrotask(() => onUrgent(bytes));
    }
    if (onTrouble === null) return;
    if ((bits & EVENT_UNRESPONSIVE) !== 0) {
      queueMicrotask(() => onTrouble({ kind: "unresponsive", reason: null }));
    }
    if ((bits & EVENT_SOFT_ERROR) !== 0) {
      const reason = this.#connection.softError();
      queueMicrotask(() => onTrouble({ kind: "soft-error", reason }));
    }
  }

  #close(): Promise<void> {
    const connection = this.#connection;
    const unacknowledged = connection.unacknowledgedBytes();
    const isClean = connection.close();
    this.#read?.end();
    this.#write?.fail(this.#gone());
    if (connection.error !== null) return settled(connection.error);
    if (!isClean) {
      const outcome = unacknowledged === 0 ? null : new ConnectionAborted(
        `Cannot close the connection to ${
          endpointText(connection.remote)
        } in order: unread bytes ` +
          `were lost, so it was reset with ${unacknowledged} bytes unacknowledged`,
      );
      this.#settle(outcome);
      return settled(outcome);
    }
    if (connection.isFlushed || connection.isReleased) {
      this.#settle(null);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      this.#closingWaiter = { resolve, reject };
    });
  }

  #onEvent(bits: number): void {
    this.#tell(bits);
    this.#read?.onEvent(bits);
    this.#write?.onEvent(bits);
    const { error, isFinished, isFlushed } = this.#connection;
    if (isFinished) this.#settle(error);
    if (this.#closingWaiter !== null && isFlushed) {
      if (error === null) this.#closingWaiter.resolve();
      else this.#closingWaiter.reject(error);
      this.#closingWaiter = null;
      this.#settle(error);
    }
    this.#releaseIfDone();
  }

  /** Lets the handle go once both directions ended and nothing is left to read. */
  #releaseIfDone(): void {
    const connection = this.#connection;
    if (!connection.isFinished || connection.isReleased || connection.unreadBytes() > 0) return;
    connection.release();
  }

  #settle(error: StackError | null): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = error;
    if (error === null) this.#closedWaiter?.resolve();
    else this.#closedWaiter?.reject(error);
    this.#closedWaiter = null;
  }

  #gone(): BadResource {
    return new BadResource(
      `Cannot use the connection to ${endpointText(this.#connection.remote)}: it is closed`,
    );
  }
}

function settled(error: StackError | null): Promise<void> {
  return error === null ? Promise.resolve() : Promise.reject(error);
}

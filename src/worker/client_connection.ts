/** A connection of the worker's stack, as the page has it. */
import { BadResource, ConnectionAborted } from "../errors.ts";
import type { ConnectionInfo, NetAddress, TcpConnection, TcpOptions, Trouble } from "../options.ts";
import { pickTcpOptions } from "../tcp/tcp_options.ts";
import type { BufferPool } from "./buffers.ts";
import { ClientReadSide, ClientWriteSide, goneError } from "./client_streams.ts";
import {
  type CallName,
  type Calls,
  fromWireError,
  type OpenedConnection,
  type Signal,
  type WorkerMessage,
} from "./protocol.ts";

/** How old a snapshot may be before somebody who asks for it makes the page fetch another, ms. */
const INFO_AGE_MS = 250;

/** What a connection needs of the client. */
export interface ClientSurroundings {
  readonly pool: BufferPool;
  post(signal: Signal, transfer: ArrayBuffer[]): void;
  call<K extends CallName>(call: K, args: Calls[K]["args"]): Promise<Calls[K]["result"]>;
}

/** A message about one connection. */
export type ConnectionMessage = Extract<WorkerMessage, { readonly connection: number }>;

/** The connection that `connect()` and `accept()` of a worker's stack give. */
export class WorkerConnection implements TcpConnection {
  /** See {@linkcode TcpConnection}. */
  readonly localAddress: NetAddress;
  /** See {@linkcode TcpConnection}. */
  readonly remoteAddress: NetAddress;
  /** See {@linkcode TcpConnection}. */
  readonly closed: Promise<void>;
  /** See {@linkcode TcpConnection}. */
  onUrgent: ((bytes: number) => void) | null = null;
  /** See {@linkcode TcpConnection}. */
  onTrouble: ((trouble: Trouble) => void) | null = null;
  readonly #id: number;
  readonly #client: ClientSurroundings;
  readonly #read: ClientReadSide;
  readonly #write: ClientWriteSide;
  #settle: { resolve(): void; reject(error: unknown): void } = { resolve() {}, reject() {} };
  /** How it ended: an error, null for in order, undefined while it lives. */
  #outcome: unknown;
  #isGone = false;
  #closing: Promise<void> | null = null;
  #info: ConnectionInfo | null;
  #infoMs: number;
  #refreshing: Promise<ConnectionInfo> | null = null;

  /**
   * Made by its stack alone.
   *
   * @internal
   * @param opened What the worker said of it.
   * @param client The way to the worker.
   */
  constructor(opened: OpenedConnection, client: ClientSurroundings) {
    this.localAddress = opened.localAddress;
    this.remoteAddress = opened.remoteAddress;
    this.#id = opened.connection;
    this.#client = client;
    this.#info = opened.info;
    this.#infoMs = performance.now();
    const link = {
      id: this.#id,
      pool: client.pool,
      post: (signal: Signal, transfer: ArrayBuffer[]) => {
        if (!this.#isGone) client.post(signal, transfer);
      },
    };
    this.#read = new ClientReadSide(link);
    this.#write = new ClientWriteSide(link, {
      closeWrite: () => this.closeWrite(),
      abort: () => this.abort(),
    });
    this.closed = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever does not look at it is not to be disturbed by it.
    this.closed.catch(() => {});
  }

  /** See {@linkcode TcpConnection}. */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#read.stream;
  }

  /** See {@linkcode TcpConnection}. */
  get writable(): WritableStream<Uint8Array> {
    return this.#write.stream;
  }

  /** See {@linkcode TcpConnection}. */
  writeUrgent(bytes: Uint8Array): Promise<void> {
    return this.#write.writeUrgent(bytes);
  }

  /** See {@linkcode TcpConnection}. */
  async closeWrite(): Promise<void> {
    if (!this.#isGone) await this.#client.call("closeWrite", { connection: this.#id });
    if (this.#isGone) await this.#afterwards();
  }

  /** See {@linkcode TcpConnection}. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** See {@linkcode TcpConnection}. */
  abort(reason?: unknown): void {
    if (!this.#isGone) this.#client.post({ kind: "abort", connection: this.#id }, []);
    const { hostname, port } = this.remoteAddress;
    const own = this.#isGone
      ? this.#outcome ?? goneError(this.remoteAddress)
      : new ConnectionAborted(`Cannot go on with ${hostname}:${port}: it was aborted`);
    this.#read.fail(reason ?? own);
    this.#write.fail(reason ?? own);
  }

  /**
   * The last snapshot; whoever asks keeps it no older than 250 ms, one question late. See {@linkcode refresh}.
   *
   * @throws BadResource if the connection is over and forgotten.
   */
  info(): ConnectionInfo {
    if (this.#info === null || this.#isGone) {
      const { hostname, port } = this.remoteAddress;
      throw new BadResource(`Cannot show the connection to ${hostname}:${port}: it is closed`);
    }
    if (performance.now() - this.#infoMs >= INFO_AGE_MS) this.refresh().catch(() => {});
    return this.#info;
  }

  /** Fetches a snapshot of this moment. Rejects with `EBADF` if the connection is over and forgotten. */
  refresh(): Promise<ConnectionInfo> {
    return this.#refreshing ??= this.#refresh();
  }

  /** See {@linkcode TcpConnection}. */
  async setOptions(options: TcpOptions): Promise<void> {
    await this.#client.call("setOptions", {
      connection: this.#id,
      options: pickTcpOptions(options),
    });
  }

  /** See {@linkcode TcpConnection}. */
  getOptions(): Promise<Required<TcpOptions>> {
    return this.#client.call("getOptions", { connection: this.#id });
  }

  /** As `close()`; an error that the streams have told before is not told again. */
  async [Symbol.asyncDispose](): Promise<void> {
    const isKnown = this.#outcome !== undefined && this.#outcome !== null;
    try {
      await this.close();
    } catch (error) {
      if (!isKnown) throw error;
    }
  }

  /**
   * A message about this connection; called by the client alone.
   *
   * @internal
   */
  receive(message: ConnectionMessage): void {
    switch (message.kind) {
      case "data":
        return this.#read.receive(message.buffer, message.bytes);
      case "end":
        return this.#read.finish(message.error === null ? null : fromWireError(message.error));
      case "wrote":
        return this.#write.acknowledge(message.bytes, message.buffer);
      case "unwritable":
        return this.#write.fail(fromWireError(message.error));
      case "closed":
        return this.#finish(message.error === null ? null : fromWireError(message.error));
      case "urgent":
        this.onUrgent?.(message.bytes);
        return;
      case "trouble":
        this.onTrouble?.(message.trouble);
        return;
      case "gone":
        this.#isGone = true;
        return;
    }
  }

  /** The worker is dead or the stack closed: everything ends here and now; called by the client alone. */
  die(error: unknown): void {
    this.#isGone = true;
    this.#read.finish(error);
    this.#write.fail(error);
    this.#finish(error);
  }

  async #refresh(): Promise<ConnectionInfo> {
    try {
      const info = await this.#client.call("info", { connection: this.#id });
      this.#info = info;
      this.#infoMs = performance.now();
      return info;
    } finally {
      this.#refreshing = null;
    }
  }

  async #close(): Promise<void> {
    const { consumedBytes } = this.#read;
    this.#read.close();
    this.#write.fail(goneError(this.remoteAddress));
    if (!this.#isGone) {
      await this.#client.call("close", { connection: this.#id, consumed: consumedBytes });
    }
    // The worker may have forgotten it before it heard of this: then it does not know how it ended, but we do.
    if (this.#isGone) await this.#afterwards();
  }

  #finish(error: unknown): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = error;
    if (error === null) this.#settle.resolve();
    else this.#settle.reject(error);
  }

  /** What closing says once it is over. */
  #afterwards(): Promise<void> {
    const outcome = this.#outcome ?? null;
    return outcome === null ? Promise.resolve() : Promise.reject(outcome);
  }
}

/** `Deno.TcpConn` over a connection of the stack. */
import type { NetAddress, TcpConnection } from "../../options.ts";
import { byteStream, Channel } from "../faces/channel.ts";
import { assertBytes } from "./checks.ts";
import { badResource, DENO_ERRORS, interrupted, toDenoError } from "./errors.ts";
import type { NetAddr, TcpConn } from "./types.ts";

/** Longest read at a time, bytes: what it goes through is kept for the next one. */
const READ_MAX_BYTES = 262_144;

/** An end in Deno's shape. */
export function toNetAddr(
  { hostname, port }: NetAddress,
  transport: NetAddr["transport"] = "tcp",
): NetAddr {
  return { transport, hostname, port };
}

/** A connection with the methods and errors of Deno. */
export class FaceTcpConn implements TcpConn {
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
  readonly #channel: Channel;
  #isClosed = false;
  /** Closed by a stream, which Deno says in other words. */
  #isConsumed = false;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | null = null;
  #writable: WritableStream<Uint8Array> | null = null;
  /** Reads go through a buffer that is transferred: the caller's own must stay where it is. */
  #spare: ArrayBuffer | null = null;

  /** @param connection An open connection; it belongs to this object from here on. */
  constructor(connection: TcpConnection) {
    this.#channel = new Channel(connection, toDenoError);
    this.localAddr = toNetAddr(connection.localAddress);
    this.remoteAddr = toNetAddr(connection.remoteAddress);
  }

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= byteStream({
      readInto: (view) => this.#readInto(view),
      cancel: () => this.#consume(),
    });
  }

  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= new WritableStream<Uint8Array>({
      write: async (chunk) => {
        await this.write(chunk);
      },
      // Deno tears the whole connection down here (deno#27510); the peer may still have something to say.
      close: () => this.closeWrite(),
      abort: () => this.#consume(),
    });
  }

  async read(p: Uint8Array): Promise<number | null> {
    assertBytes(p);
    this.#assertOpen();
    if (p.length === 0) return 0;
    const length = Math.min(p.length, READ_MAX_BYTES);
    const spare = this.#spare;
    this.#spare = null;
    const buffer = spare !== null && spare.byteLength >= length ? spare : new ArrayBuffer(length);
    const filled = await this.#readInto(new Uint8Array(buffer, 0, length));
    if (filled === null) return null;
    p.set(filled);
    this.#spare = filled.buffer;
    return filled.length === 0 ? null : filled.length;
  }

  async write(p: Uint8Array): Promise<number> {
    assertBytes(p);
    this.#assertOpen();
    try {
      await this.#channel.write(p);
    } catch (error) {
      // The write was under way when somebody closed the connection.
      throw this.#isClosed ? interrupted() : error;
    }
    return p.length;
  }

  close(): void {
    this.#assertOpen();
    this.#isClosed = true;
    this.#channel.close();
  }

  async closeWrite(): Promise<void> {
    this.#assertOpen();
    await this.#channel.closeWrite();
  }

  ref(): void {}

  unref(): void {}

  setNoDelay(noDelay = true): void {
    this.#setOptions({ noDelay: Boolean(noDelay) });
  }

  setKeepAlive(keepAlive = true): void {
    this.#setOptions({ keepAlive: Boolean(keepAlive) });
  }

  [Symbol.dispose](): void {
    if (!this.#isClosed) this.close();
  }

  async #readInto(view: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | null> {
    this.#assertOpen();
    const filled = await this.#channel.readInto(view);
    // The read was under way when somebody closed the connection.
    if (this.#isClosed && (filled === null || filled.length === 0)) throw interrupted();
    return filled;
  }

  #setOptions(options: { noDelay: boolean } | { keepAlive: boolean }): void {
    this.#assertOpen();
    // It may have ended meanwhile: reads and writes tell that.
    this.#channel.connection.setOptions(options).catch(() => {});
  }

  /** One who cancels or aborts a stream wants nothing more of the connection. */
  #consume(): void {
    if (this.#isClosed) return;
    this.#isConsumed = true;
    this.close();
  }

  #assertOpen(): void {
    if (!this.#isClosed) return;
    throw this.#isConsumed
      ? new DENO_ERRORS.BadResource("The stream's underlying resource was closed or consumed")
      : badResource();
  }
}

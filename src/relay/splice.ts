/**
 * A TCP connection of a client and a socket of the operating system, joined: bytes, back-pressure, half-closes and resets go
 * through in both directions.
 *
 * Nothing is queued here beyond one chunk each way: the socket is not read while the core's ring is full, and the ring is not
 * read (its window closes) while the socket's queue is.
 */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { setImmediate } from "node:timers";
import { type Connection, EOF } from "../tcp/connection.ts";
import { EVENT_CLOSED, EVENT_END, EVENT_READABLE, EVENT_WRITABLE } from "../layout/layout.gen.ts";

/** Bytes in a socket's queue from which on the ring is not read. */
export const SOCKET_QUEUE_BYTES: number = 1 << 18;

/** Read from a ring at a time, bytes. */
const CHUNK_BYTES = 1 << 17;

/** Chunks up to this are copied to a buffer of their size, so that small ones do not hold large buffers, bytes. */
const COPY_MAX_BYTES = 1 << 15;

/** Chunks that are kept for later, by all splices together. */
const SPARE_CHUNKS = 64;

const EMPTY: Buffer = Buffer.alloc(0);

const spares: Buffer[] = [];

function takeChunk(): Buffer {
  return spares.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
}

function giveBack(chunk: Buffer): void {
  if (spares.length < SPARE_CHUNKS) spares.push(chunk);
}

/** A connection and a socket. Both are open; the socket allows half-open use and has not been read. */
export class Splice {
  readonly #connection: Connection;
  readonly #socket: Socket;
  readonly #onEnd: (splice: Splice) => void;
  /** What the ring did not take; the socket is paused as long. */
  #rest: Uint8Array | null = null;
  #isSocketFull = false;
  /** The client's FIN went on to the socket. */
  #isSocketEnded = false;
  /** The socket's end was seen. */
  #hasSocketEnd = false;
  #done = false;

  /** @param onEnd Both are closed, or go on closing by themselves. Called once. */
  constructor(connection: Connection, socket: Socket, onEnd: (splice: Splice) => void) {
    this.#connection = connection;
    this.#socket = socket;
    this.#onEnd = onEnd;
  }

  /** Begins to carry bytes. */
  start(): void {
    const connection = this.#connection;
    const socket = this.#socket;
    connection.onEvent = (bits) => this.#guard(() => this.#happened(bits));
    socket.removeAllListeners("error");
    socket.on("error", () => this.#guard(() => connection.abort()));
    socket.on("drain", () => {
      this.#isSocketFull = false;
      this.#guard(() => this.#toSocket());
    });
    socket.on("data", (chunk: Uint8Array) => this.#guard(() => this.#toConnection(chunk)));
    socket.on("end", () => this.#probeEnd());
    socket.on("close", () => this.#guard(() => this.#socketClosed()));
    this.#guard(() => {
      // It may have been closed between its connect event and this.
      if (socket.destroyed) this.#socketClosed();
      else this.#toSocket();
    });
  }

  /** Ends both at once: the client gets RST, and so does the other end. Idempotent. */
  destroy(): void {
    if (this.#done) return;
    this.#connection.abort();
    this.#finish();
  }

  /** Nothing that a core does when it fails may end the relay. */
  #guard(step: () => void): void {
    if (this.#done) return;
    try {
      step();
    } catch {
      // The connection's error, or the core's fault: for the other end both are a reset.
      this.#finish();
    }
  }

  #happened(bits: number): void {
    if ((bits & EVENT_CLOSED) !== 0 && this.#connection.error !== null) return this.#finish();
    if ((bits & (EVENT_READABLE | EVENT_END)) !== 0) this.#toSocket();
    if ((bits & EVENT_WRITABLE) !== 0) this.#continue();
  }

  #toSocket(): void {
    const connection = this.#connection;
    // Ends: the ring is finite, and its window opens only at the next flush.
    while (!this.#isSocketFull && !this.#isSocketEnded) {
      const chunk = takeChunk();
      const bytes = connection.readInto(chunk);
      if (bytes > 0) {
        this.#isSocketFull = !this.#writeSocket(chunk, bytes);
        continue;
      }
      giveBack(chunk);
      if (bytes !== EOF) return;
      this.#isSocketEnded = true;
      this.#socket.end();
      this.#closeIfDone();
    }
  }

  /**
   * The socket has nothing more to read. After a reset libuv says so too if there were bytes before it, and a body that was cut
   * off would look whole: but then the socket takes nothing any more either, not even an empty write.
   */
  #probeEnd(): void {
    const socket = this.#socket;
    const end = (): void => {
      this.#hasSocketEnd = true;
      this.#guard(() => this.#endConnection());
    };
    if (this.#isSocketEnded) return end();
    // What waits to be written fails in this turn of the loop by itself, and need not be written before the end goes on.
    if (socket.writableLength > 0) return void setImmediate(end);
    socket.write(EMPTY, (error) => {
      if (error === null || error === undefined) end();
    });
  }

  /** @returns False if the socket's queue is full. */
  #writeSocket(chunk: Buffer, bytes: number): boolean {
    const view = chunk.subarray(0, bytes);
    if (bytes > COPY_MAX_BYTES) return this.#socket.write(view, () => giveBack(chunk));
    const copy = Buffer.from(view);
    giveBack(chunk);
    return this.#socket.write(copy);
  }

  #toConnection(chunk: Uint8Array): void {
    if (this.#rest !== null) {
      // Bun delivers what it had read before the pause.
      this.#rest = Buffer.concat([this.#rest, chunk]);
      return;
    }
    const taken = this.#connection.write(chunk);
    if (taken === chunk.length) return;
    this.#rest = chunk.subarray(taken);
    this.#socket.pause();
  }

  /** The ring has room again. */
  #continue(): void {
    const rest = this.#rest;
    if (rest === null) return;
    const taken = this.#connection.write(rest);
    this.#rest = taken === rest.length ? null : rest.subarray(taken);
    if (this.#rest !== null) return;
    if (!this.#hasSocketEnd) return void this.#socket.resume();
    this.#endConnection();
    if (this.#socket.destroyed) this.#finish();
  }

  #endConnection(): void {
    if (this.#rest !== null) return;
    this.#connection.shutdown("write");
    this.#closeIfDone();
  }

  /** Both directions have ended: the core does the rest by itself. */
  #closeIfDone(): void {
    if (this.#isSocketEnded && this.#hasSocketEnd && this.#rest === null) this.#connection.close();
  }

  #socketClosed(): void {
    const isInOrder = this.#isSocketEnded && this.#hasSocketEnd;
    // Bun closes a socket whose last bytes we still hold; `#continue()` finishes then.
    if (isInOrder && this.#rest !== null) return;
    if (!isInOrder) this.#connection.abort();
    this.#finish();
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    const isInOrder = this.#isSocketEnded && this.#hasSocketEnd && this.#rest === null;
    this.#connection.onEvent = null;
    if (!isInOrder) this.#connection.release();
    if (!this.#socket.destroyed) reset(this.#socket);
    this.#rest = null;
    this.#onEnd(this);
  }
}

/** Ends a socket with RST where the runtime can. */
export function reset(socket: Socket): void {
  // Once it is not ours any more its errors are nobody's.
  if (socket.listenerCount("error") === 0) socket.on("error", () => {});
  if (socket.connecting || typeof socket.resetAndDestroy !== "function") socket.destroy();
  else socket.resetAndDestroy();
}

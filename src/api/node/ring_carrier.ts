/**
 * A connection of this process: one copy from the ring into the reader's chunk, one from the writer's chunk into the ring, no
 * promise and no stream of the platform in between.
 */
import {
  EVENT_CLOSED,
  EVENT_END,
  EVENT_READABLE,
  EVENT_WRITABLE,
} from "../../layout/layout.gen.ts";
import type { NetAddress, TcpOptions } from "../../options.ts";
import {
  type Connection,
  EOF,
  READY_CLOSED,
  READY_END,
  READY_READ,
  WOULD_BLOCK,
} from "../../tcp/connection.ts";
import type { StreamConnection } from "../tcp_connection.ts";
import type { Carrier, CarrierSink } from "./carrier.ts";
import { inTask, surface } from "./later.ts";

/** Events after which there may be something to read, or to say instead. */
const READ_EVENTS: number = EVENT_READABLE | EVENT_END | EVENT_CLOSED;
const WRITE_EVENTS: number = EVENT_WRITABLE | EVENT_CLOSED;

/** For reads that are to find nothing. */
const NOTHING = new Uint8Array(1);

/** Reads and writes the rings. */
export class RingCarrier implements Carrier {
  readonly #tcp: StreamConnection;
  readonly #connection: Connection;
  #sink: CarrierSink | null = null;
  #reading = false;
  #readComing = false;
  #chunks: readonly Uint8Array[] = [];
  /** The chunk that is being written, and how much of it the ring has. */
  #index = 0;
  #at = 0;
  #done: ((error: unknown) => void) | null = null;

  /** @param tcp An open connection whose streams nobody asks for: its bytes belong to this object from here on. */
  constructor(tcp: StreamConnection) {
    this.#tcp = tcp;
    this.#connection = tcp.connection;
    const inner = this.#connection.onEvent;
    this.#connection.onEvent = (bits) => {
      try {
        this.#onEvent(bits);
      } finally {
        // Whatever a listener of the program throws: the connection keeps its own books.
        inner?.(bits);
      }
    };
  }

  get local(): NetAddress {
    return this.#tcp.localAddress;
  }

  get remote(): NetAddress {
    return this.#tcp.remoteAddress;
  }

  get pendingBytes(): number {
    let bytes = 0 - this.#at;
    for (let i = this.#index; i < this.#chunks.length; i++) bytes += this.#chunks[i]?.length ?? 0;
    return bytes;
  }

  attach(sink: CarrierSink): void {
    this.#sink = sink;
  }

  readStart(): void {
    this.#reading = true;
    if (this.#readComing) return;
    // What waits already is told in a task of its own, as by a system's socket: nobody is called within his own call.
    if ((this.#connection.readiness() & (READY_READ | READY_END | READY_CLOSED)) === 0) return;
    this.#readComing = true;
    inTask(() => {
      this.#readComing = false;
      this.#pumpReads();
      this.#tidy();
    });
  }

  readStop(): void {
    this.#reading = false;
  }

  write(chunks: readonly Uint8Array[], done: (error: unknown) => void): void {
    this.#chunks = chunks;
    this.#index = 0;
    this.#at = 0;
    this.#done = done;
    this.#pumpWrites();
  }

  shutdown(done: () => void): void {
    this.#connection.shutdown("write");
    done();
  }

  reset(): void {
    this.#tcp.abort();
  }

  close(done: () => void): void {
    this.#sink = null;
    this.#reading = false;
    // How it ended was told, or nobody is there to be told.
    this.#tcp.close().catch(() => {});
    const written = this.#done;
    this.#forgetWrites();
    inTask(() => {
      written?.(null);
      done();
    });
  }

  setOptions(options: TcpOptions): void {
    if (this.#connection.isReleased) return;
    this.#connection.setOptions(options);
  }

  #onEvent(bits: number): void {
    if ((bits & READ_EVENTS) !== 0) this.#pumpReads();
    if ((bits & WRITE_EVENTS) !== 0 && this.#done !== null) this.#pumpWrites();
  }

  #pumpReads(): void {
    while (this.#reading && this.#sink !== null) {
      const connection = this.#connection;
      const waiting = connection.isReleased ? 0 : connection.unreadBytes();
      if (waiting === 0) return this.#tellEnd(this.#sink);
      const view = this.#sink.place(waiting);
      const bytes = connection.readInto(view);
      if (bytes <= 0) return;
      if (!this.#give(this.#sink, view, bytes)) this.#reading = false;
    }
  }

  /** What a listener of the program throws is the program's, and stops no bytes. */
  #give(sink: CarrierSink, view: Uint8Array, bytes: number): boolean {
    try {
      return sink.receive(view, bytes);
    } catch (error) {
      surface(error);
      return true;
    }
  }

  /** Nothing waits; if nothing will come either, the sink hears it. */
  #tellEnd(sink: CarrierSink): void {
    let result: number;
    try {
      result = this.#readNothing();
    } catch (error) {
      this.#reading = false;
      return sink.fail(error);
    }
    if (result === WOULD_BLOCK) return;
    this.#reading = false;
    sink.end();
  }

  /** As `readInto()`, also after the handle was let go because nothing was left. */
  #readNothing(): number {
    if (!this.#connection.isReleased) return this.#connection.readInto(NOTHING);
    if (this.#connection.error !== null) throw this.#connection.error;
    return EOF;
  }

  #pumpWrites(): void {
    const done = this.#done;
    if (done === null) return;
    let failure: unknown = null;
    try {
      if (!this.#put()) return;
    } catch (error) {
      failure = error;
    }
    this.#forgetWrites();
    done(failure);
  }

  /** @returns Whether the ring has all of it. */
  #put(): boolean {
    for (; this.#index < this.#chunks.length; this.#index++) {
      const chunk = this.#chunks[this.#index];
      if (chunk === undefined) continue;
      const rest = this.#at === 0 ? chunk : chunk.subarray(this.#at);
      this.#at += this.#connection.write(rest);
      if (this.#at < chunk.length) return false;
      this.#at = 0;
    }
    return true;
  }

  #forgetWrites(): void {
    this.#done = null;
    this.#chunks = [];
    this.#index = 0;
    this.#at = 0;
  }

  /** What was read last may have been all that the handle was kept for. */
  #tidy(): void {
    const connection = this.#connection;
    if (!connection.isFinished || connection.isReleased || connection.unreadBytes() > 0) return;
    connection.release();
  }
}

/**
 * The two streams of a connection. Neither holds bytes of its own: unread bytes stay in the ring and keep the window
 * honest, a write settles when the ring has taken everything.
 */
import { writeMarked } from "./marked.ts";
import { EVENT_CLOSED, EVENT_END, EVENT_READABLE, EVENT_WRITABLE } from "../layout/layout.gen.ts";
import { type Connection, EOF, WOULD_BLOCK } from "../tcp/connection.ts";

/** Largest chunk for a read that brings no buffer, bytes: what one message of a tunnel or one record of TLS fills. */
const CHUNK_BYTES = 65_536;

/** The readable half: a byte stream that pulls straight from the ring into the reader's buffer. */
export class ReadSide {
  /** What the user gets. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #connection: Connection;
  readonly #afterRead: () => void;
  #controller!: ReadableByteStreamController;
  /** Ends the pull that waits for bytes. */
  #resume: (() => void) | null = null;
  #done = false;

  /**
   * @param connection Whose bytes.
   * @param afterRead Called after each read, so that a connection with nothing left can be let go.
   */
  constructor(connection: Connection, afterRead: () => void) {
    this.#connection = connection;
    this.#afterRead = afterRead;
    this.stream = new ReadableStream({
      type: "bytes",
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#pull(),
      cancel: () => this.#cancel(),
    }, { highWaterMark: 0 });
  }

  /** Something happened to the connection. @param bits EVENT bits. */
  onEvent(bits: number): void {
    if (this.#done) return;
    const resume = this.#resume;
    if (resume !== null && (bits & (EVENT_READABLE | EVENT_END | EVENT_CLOSED)) !== 0) {
      if (!this.#fill()) return;
      this.#resume = null;
      resume();
    } else if ((bits & EVENT_CLOSED) !== 0) {
      // A reset is told at once, unless there is something to read before it.
      const { error } = this.#connection;
      if (error !== null && this.#connection.unreadBytes() === 0) this.fail(error);
    }
  }

  /** Nothing will be read any more: the stream ends here. */
  end(): void {
    if (this.#done) return;
    this.#done = true;
    this.#controller.close();
    // A reader that waits with its own buffer gets it back only by this.
    this.#controller.byobRequest?.respond(0);
    this.#settlePull();
  }

  /** The stream fails. */
  fail(error: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.#controller.error(error);
    this.#settlePull();
  }

  #pull(): Promise<void> | undefined {
    if (this.#fill()) return undefined;
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  /** Answers the read that waits. @returns False if there is nothing to answer it with yet. */
  #fill(): boolean {
    const request = this.#controller.byobRequest;
    // Who does not wait any more is not read for: bytes stay in the ring.
    if (request === null && !this.stream.locked) return true;
    try {
      // A controller gives a Uint8Array, whatever the reader's own view is of.
      const view = request === null ? this.#makeChunk() : request.view as Uint8Array<ArrayBuffer>;
      const bytes = this.#read(view);
      if (bytes === WOULD_BLOCK) return false;
      if (bytes === EOF) this.end();
      else if (request === null) this.#controller.enqueue(view);
      else request.respond(bytes);
    } catch (error) {
      this.fail(error);
    }
    this.#afterRead();
    return true;
  }

  /** For a read without a buffer: as large as what there is, so that who waits holds no memory and short messages little. */
  #makeChunk(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(Math.min(this.#connection.unreadBytes(), CHUNK_BYTES));
  }

  /** As `readInto()`, also after the handle was let go because nothing was left. */
  #read(view: Uint8Array): number {
    if (!this.#connection.isReleased) return this.#connection.readInto(view);
    if (this.#connection.error !== null) throw this.#connection.error;
    return EOF;
  }

  #cancel(): void {
    this.#done = true;
    this.#connection.shutdown("read");
    this.#settlePull();
    this.#afterRead();
  }

  #settlePull(): void {
    const resume = this.#resume;
    this.#resume = null;
    resume?.();
  }
}

/** A chunk that the ring has not taken whole yet. */
interface PendingWrite {
  readonly chunk: Uint8Array;
  readonly isUrgent: boolean;
  at: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The writable half. */
export class WriteSide {
  /** What the user gets. */
  readonly stream: WritableStream<Uint8Array>;
  readonly #connection: Connection;
  #controller!: WritableStreamDefaultController;
  /** Chunks on their way through the stream whose end is urgent. */
  readonly #urgent = new WeakSet<Uint8Array>();
  #pending: PendingWrite | null = null;
  #done = false;

  /** @param connection Where the bytes go. */
  constructor(connection: Connection) {
    this.#connection = connection;
    this.stream = new WritableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
        // The sink's own abort() is called only once a write that waits has settled.
        controller.signal.addEventListener("abort", () => this.#abort());
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.#close(),
    });
  }

  /** Writes through the stream, behind what waits there. Rejects with a `TypeError` if it is locked. */
  writeUrgent(bytes: Uint8Array): Promise<void> {
    return writeMarked(this.stream, this.#urgent, bytes);
  }

  /** Something happened to the connection. @param bits EVENT bits. */
  onEvent(bits: number): void {
    if (this.#done) return;
    if ((bits & (EVENT_WRITABLE | EVENT_CLOSED)) !== 0) this.#pump();
    const { error } = this.#connection;
    if ((bits & EVENT_CLOSED) !== 0 && error !== null) this.fail(error);
  }

  /** The stream fails, and the write that waits. */
  fail(error: unknown): void {
    if (this.#done) return;
    this.#done = true;
    const pending = this.#pending;
    this.#pending = null;
    pending?.reject(error);
    this.#controller.error(error);
  }

  #write(chunk: Uint8Array): Promise<void> | undefined {
    if (!(chunk instanceof Uint8Array)) {
      throw new TypeError(`Cannot write a ${typeof chunk}: expected a Uint8Array`);
    }
    const isUrgent = this.#urgent.has(chunk);
    const taken = this.#put(chunk, isUrgent);
    if (taken === chunk.length) return undefined;
    return new Promise((resolve, reject) => {
      this.#pending = { chunk, isUrgent, at: taken, resolve, reject };
    });
  }

  #put(bytes: Uint8Array, isUrgent: boolean): number {
    return isUrgent ? this.#connection.writeUrgent(bytes) : this.#connection.write(bytes);
  }

  #pump(): void {
    const pending = this.#pending;
    if (pending === null) return;
    try {
      pending.at += this.#put(pending.chunk.subarray(pending.at), pending.isUrgent);
      if (pending.at < pending.chunk.length) return;
      this.#pending = null;
      pending.resolve();
    } catch (error) {
      this.#pending = null;
      pending.reject(error);
    }
  }

  #close(): void {
    this.#done = true;
    if (this.#connection.error !== null) throw this.#connection.error;
    this.#connection.shutdown("write");
  }

  #abort(): void {
    if (this.#done) return;
    this.#done = true;
    const pending = this.#pending;
    this.#pending = null;
    pending?.resolve();
    this.#connection.abort();
  }
}

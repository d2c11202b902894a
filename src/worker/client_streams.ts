/**
 * The two streams of a connection on the page's side, rebuilt from messages. The page holds bytes only within the windows of
 * the protocol, and only while somebody reads or writes.
 */
import { writeMarked } from "../api/marked.ts";
import { BadResource } from "../errors.ts";
import type { BufferPool } from "./buffers.ts";
import { BUFFER_BYTES, READ_WINDOW_BYTES, type Signal, WRITE_WINDOW_BYTES } from "./protocol.ts";

/** How a stream reaches the worker. */
export interface StreamLink {
  /** Number of the connection in messages. */
  readonly id: number;
  readonly pool: BufferPool;
  post(signal: Signal, transfer: ArrayBuffer[]): void;
}

/** Bytes that came and were not read. */
interface Chunk {
  readonly buffer: ArrayBuffer;
  readonly bytes: number;
  at: number;
}

/** How reading ends: in order, or with an error. */
interface End {
  readonly error: unknown;
}

/** The readable half: a byte stream. */
export class ClientReadSide {
  readonly #link: StreamLink;
  /** At most READ_WINDOW_BYTES. */
  readonly #chunks: Chunk[] = [];
  /** Emptied buffers that go back with the next credit. */
  readonly #emptied: ArrayBuffer[] = [];
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | null = null;
  #controller: ReadableByteStreamController | null = null;
  #resume: (() => void) | null = null;
  /** Bytes that the worker may have sent in all. */
  #grantedBytes = 0;
  #consumedBytes = 0;
  #end: End | null = null;
  #done = false;

  /** @param link The way to the worker. */
  constructor(link: StreamLink) {
    this.#link = link;
  }

  /** What the user gets; made when it is first asked for. */
  get stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#stream ??= this.#open();
  }

  /** Bytes that the reader has had. */
  get consumedBytes(): number {
    return this.#consumedBytes;
  }

  /** Bytes came. */
  receive(buffer: ArrayBuffer, bytes: number): void {
    if (this.#done) return;
    this.#chunks.push({ buffer, bytes, at: 0 });
    this.#settlePull();
  }

  /** No more will come. @param error Why, or null for in order. */
  finish(error: unknown): void {
    if (this.#done || this.#end !== null) return;
    this.#end = { error };
    // A reset is told at once, unless there is something to read before it.
    if (this.#chunks.length === 0 && (error !== null || this.#resume !== null)) this.#conclude();
  }

  /** Nothing will be read any more: the stream ends here. */
  close(): void {
    this.#chunks.length = 0;
    this.#end = { error: null };
    this.#conclude();
  }

  /** The stream fails, whatever waits in it. */
  fail(error: unknown): void {
    this.#chunks.length = 0;
    this.#end = { error };
    this.#conclude();
  }

  #open(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      type: "bytes",
      start: (controller) => {
        // The type of the stream decides over the controller's; TypeScript's library does not say so.
        if ("byobRequest" in controller) this.#controller = controller;
      },
      pull: () => this.#pull(),
      cancel: () => this.#cancel(),
    }, { highWaterMark: 0 });
    // It may have ended before anybody asked for the stream.
    if (this.#done) this.#tellController();
    return stream;
  }

  #pull(): Promise<void> | undefined {
    if (this.#deliver()) return undefined;
    this.#grant();
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  /** Answers the read that waits. @returns False if there is nothing to answer it with yet. */
  #deliver(): boolean {
    if (this.#done) return true;
    if (this.#chunks.length === 0) {
      if (this.#end === null) return false;
      this.#conclude();
      return true;
    }
    const request = this.#controller?.byobRequest ?? null;
    if (request === null || request.view === null) this.#handOver();
    else {
      const { buffer, byteOffset, byteLength } = request.view;
      request.respond(this.#copyTo(new Uint8Array(buffer, byteOffset, byteLength)));
    }
    this.#grant();
    return true;
  }

  /** A reader without a buffer gets ours. */
  #handOver(): void {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return;
    const bytes = chunk.bytes - chunk.at;
    this.#consumedBytes += bytes;
    this.#controller?.enqueue(new Uint8Array(chunk.buffer, chunk.at, bytes));
  }

  #copyTo(view: Uint8Array): number {
    let copied = 0;
    for (;;) {
      const chunk = this.#chunks[0];
      if (chunk === undefined || copied === view.length) break;
      const bytes = Math.min(chunk.bytes - chunk.at, view.length - copied);
      view.set(new Uint8Array(chunk.buffer, chunk.at, bytes), copied);
      chunk.at += bytes;
      copied += bytes;
      if (chunk.at < chunk.bytes) break;
      this.#chunks.shift();
      if (chunk.buffer.byteLength === BUFFER_BYTES) this.#emptied.push(chunk.buffer);
    }
    this.#consumedBytes += copied;
    return copied;
  }

  /** Lets the worker send as much as the window has room for, in steps that are worth a message. */
  #grant(): void {
    if (this.#done || this.#end !== null) return;
    const bytes = READ_WINDOW_BYTES - (this.#grantedBytes - this.#consumedBytes);
    if (bytes < BUFFER_BYTES) return;
    this.#grantedBytes += bytes;
    const buffers = this.#emptied.splice(0);
    this.#link.post({ kind: "credit", connection: this.#link.id, bytes, buffers }, buffers);
  }

  #settlePull(): void {
    const resume = this.#resume;
    if (resume === null || !this.#deliver()) return;
    this.#resume = null;
    resume();
  }

  #cancel(): void {
    this.#done = true;
    this.#chunks.length = 0;
    this.#link.post({ kind: "cancelRead", connection: this.#link.id }, []);
    this.#release();
  }

  #conclude(): void {
    if (this.#done) return;
    this.#done = true;
    this.#tellController();
    this.#release();
  }

  #tellController(): void {
    const controller = this.#controller;
    const error = this.#end?.error ?? null;
    if (controller === null) return;
    if (error !== null) return controller.error(error);
    controller.close();
    // A reader that waits with its own buffer gets it back only by this.
    controller.byobRequest?.respond(0);
  }

  #release(): void {
    const resume = this.#resume;
    this.#resume = null;
    resume?.();
  }
}

/** A write that is not in the ring yet. */
interface PendingWrite {
  readonly chunk: Uint8Array;
  /** Bytes that were sent to the worker. */
  at: number;
  /** Bytes of it that the ring has. */
  written: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What the writable half needs of its connection. */
export interface WriteActions {
  /** FIN after what is queued. */
  closeWrite(): Promise<void>;
  /** RST. */
  abort(): void;
}

/** The writable half. */
export class ClientWriteSide {
  readonly #link: StreamLink;
  readonly #actions: WriteActions;
  /** Chunks on their way through the stream whose end is urgent. */
  readonly #urgent = new WeakSet<Uint8Array>();
  #stream: WritableStream<Uint8Array> | null = null;
  #controller: WritableStreamDefaultController | null = null;
  #pending: PendingWrite | null = null;
  /** Bytes that were sent to the worker and are not in the ring: at most WRITE_WINDOW_BYTES. */
  #unackedBytes = 0;
  #end: End | null = null;
  #done = false;

  /** @param link The way to the worker. @param actions What closing and aborting do. */
  constructor(link: StreamLink, actions: WriteActions) {
    this.#link = link;
    this.#actions = actions;
  }

  /** What the user gets; made when it is first asked for. */
  get stream(): WritableStream<Uint8Array> {
    return this.#stream ??= this.#open();
  }

  /** Writes through the stream, behind what waits there. Rejects with a `TypeError` if it is locked. */
  writeUrgent(bytes: Uint8Array): Promise<void> {
    return writeMarked(this.stream, this.#urgent, bytes);
  }

  /** Bytes are in the ring. */
  acknowledge(bytes: number, buffer: ArrayBuffer): void {
    this.#link.pool.give(buffer);
    this.#unackedBytes -= bytes;
    const pending = this.#pending;
    if (pending === null) return;
    pending.written += bytes;
    this.#pump();
    if (pending.written < pending.chunk.length) return;
    this.#pending = null;
    pending.resolve();
  }

  /** The stream fails, and the write that waits. */
  fail(error: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.#end = { error };
    const pending = this.#pending;
    this.#pending = null;
    pending?.reject(error);
    this.#controller?.error(error);
  }

  #open(): WritableStream<Uint8Array> {
    return new WritableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
        if (this.#end !== null) return controller.error(this.#end.error);
        // The sink's own abort() is called only once a write that waits has settled.
        controller.signal.addEventListener("abort", () => this.#abort());
      },
      write: (chunk) => this.#write(chunk),
      close: () => {
        this.#done = true;
        return this.#actions.closeWrite();
      },
    });
  }

  #write(chunk: Uint8Array): Promise<void> | undefined {
    if (!(chunk instanceof Uint8Array)) {
      throw new TypeError(`Cannot write a ${typeof chunk}: expected a Uint8Array`);
    }
    if (chunk.length === 0) return undefined;
    return new Promise((resolve, reject) => {
      this.#pending = { chunk, at: 0, written: 0, resolve, reject };
      this.#pump();
    });
  }

  /** Sends what the window has room for. The chunk is the user's, so its bytes are copied and never transferred. */
  #pump(): void {
    const pending = this.#pending;
    if (pending === null) return;
    const { chunk } = pending;
    const isUrgent = this.#urgent.has(chunk);
    while (pending.at < chunk.length && this.#unackedBytes < WRITE_WINDOW_BYTES) {
      const room = WRITE_WINDOW_BYTES - this.#unackedBytes;
      const bytes = Math.min(chunk.length - pending.at, room, BUFFER_BYTES);
      const buffer = this.#link.pool.take(bytes);
      new Uint8Array(buffer).set(chunk.subarray(pending.at, pending.at + bytes));
      pending.at += bytes;
      this.#unackedBytes += bytes;
      const { id } = this.#link;
      this.#link.post({ kind: "write", connection: id, buffer, bytes, isUrgent }, [buffer]);
    }
  }

  #abort(): void {
    if (this.#done) return;
    this.#done = true;
    const pending = this.#pending;
    this.#pending = null;
    pending?.resolve();
    this.#actions.abort();
  }
}

/** What using a closed connection fails with. */
export function goneError(
  remote: { readonly hostname: string; readonly port: number },
): BadResource {
  return new BadResource(
    `Cannot use the connection to ${remote.hostname}:${remote.port}: it is closed`,
  );
}

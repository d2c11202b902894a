/** A connection of a worker's stack, or any other that has streams: chunks are handed on as they come. */
import type { NetAddress, TcpConnection, TcpOptions } from "../../options.ts";
import type { Carrier, CarrierSink } from "./carrier.ts";
import { inTask, surface } from "./later.ts";

/** Writes of at most so many bytes are copied and reported as written at once, as a system's socket does. */
const SMALL_BYTES = 65_536;

/** As long as no more than so many bytes are on their way like that. */
const TAKEN_BYTES_MAX: number = 4 * SMALL_BYTES;

/** Reads and writes through streams. */
export class StreamCarrier implements Carrier {
  readonly local: NetAddress;
  readonly remote: NetAddress;
  readonly #tcp: TcpConnection;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #sink: CarrierSink | null = null;
  #reading = false;
  #isReading = false;
  /** What was read for somebody who did not want it any more. */
  #left: Uint8Array | null = null;
  #pendingBytes = 0;
  #done: ((error: unknown) => void) | null = null;
  /** What a write failed with that had been reported as written. */
  #failure: unknown = null;
  /** Settles when everything that was written so far is on its way. */
  #flushed: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  #isReset = false;

  /** @param tcp An open connection; its streams are locked from here on. */
  constructor(tcp: TcpConnection) {
    this.#tcp = tcp;
    this.local = tcp.localAddress;
    this.remote = tcp.remoteAddress;
    this.#reader = tcp.readable.getReader();
    this.#writer = tcp.writable.getWriter();
    // Failures are told by reads and writes.
    this.#reader.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
    this.#writer.ready.catch(() => {});
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  attach(sink: CarrierSink): void {
    this.#sink = sink;
  }

  readStart(): void {
    this.#reading = true;
    if (!this.#isReading) void this.#read();
  }

  readStop(): void {
    this.#reading = false;
  }

  write(chunks: readonly Uint8Array[], done: (error: unknown) => void): void {
    if (this.#failure !== null) return done(this.#failure);
    let bytes = 0;
    for (const { length } of chunks) bytes += length;
    this.#pendingBytes += bytes;
    if (bytes > SMALL_BYTES) {
      // All at once: the stream keeps their order, and nobody waits for a message per chunk.
      this.#flush(chunks.map((chunk) => this.#put(chunk)), done);
      return;
    }
    const written = this.#put(merge(chunks, bytes));
    if (this.#pendingBytes > TAKEN_BYTES_MAX) this.#flush([written], done);
    else {
      this.#flushed = written.catch((error) => (this.#failure ??= error));
      done(null);
    }
  }

  shutdown(done: () => void): void {
    this.#flushed = this.#writer.close().catch(() => {});
    done();
  }

  reset(): void {
    this.#isReset = true;
    this.#tcp.abort();
  }

  close(done: () => void): void {
    this.#isClosed = true;
    this.#sink = null;
    this.#reading = false;
    const written = this.#done;
    this.#done = null;
    const close = (): void => void this.#tcp.close().catch(() => {});
    // What was reported as written is sent, as a system's socket would send it; what was not is lost.
    if (written !== null || this.#isReset || this.#pendingBytes === 0) close();
    else void this.#flushed.then(close);
    inTask(() => {
      written?.(null);
      done();
    });
  }

  setOptions(options: TcpOptions): void {
    if (!this.#isClosed) this.#tcp.setOptions(options).catch(() => {});
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    // A task of its own: nobody is called within his own call.
    if (this.#left !== null) await new Promise<void>((resolve) => inTask(resolve));
    try {
      while (this.#reading) {
        const chunk = this.#left ?? (await this.#reader.read()).value;
        this.#left = null;
        if (chunk === undefined) {
          this.#reading = false;
          this.#tell((sink) => sink.end());
        } else if (this.#reading) this.#give(chunk);
        else this.#left = chunk;
      }
    } catch (error) {
      if (this.#reading) this.#tell((sink) => sink.fail(error));
      this.#reading = false;
    } finally {
      this.#isReading = false;
    }
  }

  #give(chunk: Uint8Array): void {
    this.#tell((sink) => {
      if (!sink.receive(chunk, chunk.length)) this.#reading = false;
    });
  }

  /** What a listener of the program throws is the program's, and stops no bytes. */
  #tell(news: (sink: CarrierSink) => void): void {
    if (this.#sink === null) return;
    try {
      news(this.#sink);
    } catch (error) {
      surface(error);
    }
  }

  async #put(chunk: Uint8Array): Promise<void> {
    await this.#writer.write(chunk);
    this.#pendingBytes -= chunk.length;
  }

  #flush(writes: readonly Promise<void>[], done: (error: unknown) => void): void {
    this.#done = done;
    const end = (failure: unknown): void => {
      const told = this.#done;
      this.#done = null;
      told?.(failure);
    };
    this.#flushed = Promise.all(writes).then(() => end(null), end);
  }
}

/** One chunk of several, in memory of its own: whoever wrote them may use theirs again. */
function merge(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const merged = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    merged.set(chunk, at);
    at += chunk.length;
  }
  return merged;
}

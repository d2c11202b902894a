/** `net.Socket` over a stack: Node's order of events, its back-pressure, its errors. */
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type { NetworkStack, TcpConnection } from "../../options.ts";
import type { Carrier, CarrierSink } from "./carrier.ts";
import { carrierOf } from "./carriers.ts";
import { checkConnectOptions, normalizeArgs, type SocketConnectOptions } from "./connect_args.ts";
import { Inactivity } from "./inactivity.ts";
import { soon } from "./later.ts";
import { familyOfText } from "./lookup.ts";
import { defaultStack } from "./net_defaults.ts";
import {
  abortError,
  argumentType,
  checkFunction,
  codedError,
  outOfRange,
  systemError,
} from "./node_error.ts";
import { Opening } from "./socket_opening.ts";
import {
  checkSocketOptions,
  isOnRead,
  type OnReadOptions,
  type SocketAddressInfo,
  type SocketOptions,
} from "./socket_options.ts";

/** Largest chunk of a read, bytes: what Node reads at once. */
const CHUNK_BYTES = 65_536;

/** Between keepalives, ms, and how many may stay without an answer: what libuv sets. */
const KEEP_INTERVAL_MS = 1000;
const KEEP_COUNT = 10;

/** Longest delay of a timer, ms: what Node makes of more. */
const TIMER_MAX_MS = 0x7fffffff;

/** What `_writev()` gets of each chunk. */
interface QueuedChunk {
  readonly chunk: Uint8Array;
}

/** Called back once, with an error or without. */
export type Done = (error?: Error | null) => void;

/** A TCP connection as a stream of Node's. */
export class Socket extends Duplex {
  /** Whether `connect()` was called and has not ended. */
  connecting: boolean = false;
  /** What `setTimeout()` was given, ms. */
  timeout: number | undefined = undefined;
  /** Addresses that were tried; only there if there were several, whatever Node's declarations say. */
  declare autoSelectFamilyAttemptedAddresses: string[];
  /** The server that accepted it. */
  declare server?: unknown;
  readonly #onread: OnReadOptions | null;
  readonly #inactivity: Inactivity;
  #opening: Opening | null = null;
  #carrier: Carrier | null = null;
  #reading = false;
  #bytesRead = 0;
  #bytesDispatched = 0;
  #bytesInFlight = 0;
  #lastPendingBytes = 0;
  #isLeaving = false;
  #isResetting = false;
  #peerEnded = false;
  #noDelay: boolean | null = null;
  #keepAlive: { on: boolean; delayMs: number } | null = null;
  #onGone: (() => void) | null = null;

  /** As in Node. */
  constructor(options: SocketOptions = {}) {
    checkSocketOptions(options);
    const { allowHalfOpen, highWaterMark, onread, signal } = options;
    super({
      allowHalfOpen: Boolean(allowHalfOpen),
      // Its own "close" tells whether there was an error.
      emitClose: false,
      autoDestroy: true,
      ...(highWaterMark === undefined ? {} : { highWaterMark }),
    });
    this.#onread = isOnRead(onread) ? onread : null;
    this.#inactivity = new Inactivity(() => this.#isWriting(), () => this.emit("timeout"));
    if (options.noDelay) this.#noDelay = true;
    if (options.keepAlive) {
      this.#keepAlive = { on: true, delayMs: options.keepAliveInitialDelay ?? 0 };
    }
    this.on("end", () => (this.#peerEnded = !this.allowHalfOpen));
    if (signal !== undefined) this.#heed(signal);
  }

  /** The stack that it connects through; that of {@linkcode setDefaultStack} unless a subclass knows another. */
  protected stackOf(): NetworkStack {
    return defaultStack();
  }

  /** Takes a connection over that is open already; its streams must not have been asked for. */
  adopt(connection: TcpConnection, options: { pause?: boolean; onGone?: () => void } = {}): this {
    this.#onGone = options.onGone ?? null;
    this.#carry(connection);
    if (options.pause === true) this.pause();
    else this.read(0);
    return this;
  }

  /** Connects: `(options)`, `(port, host)`, each with a listener of "connect" behind it. */
  connect(...args: unknown[]): this {
    const [options, callback] = normalizeArgs<SocketConnectOptions>(args);
    const port = checkConnectOptions(options);
    if (callback !== null) this.once("connect", callback);
    this.#renew();
    this.#inactivity.touch();
    this.connecting = true;
    const opening = new Opening(
      () => this.stackOf(),
      this,
      options,
      port,
      (connection) => this.#opened(connection),
    );
    this.#opening = opening;
    opening.start();
    return this;
  }

  /** Bytes that were received and given to the stream. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Bytes that were written, those that still wait included. */
  get bytesWritten(): number {
    return this.#bytesDispatched + this.writableLength - this.#bytesInFlight;
  }

  /** Whether there is no connection yet, or none any more. */
  get pending(): boolean {
    return this.#carrier === null;
  }

  /** `"opening"`, `"open"`, `"readOnly"`, `"writeOnly"` or `"closed"`. */
  get readyState(): "opening" | "open" | "readOnly" | "writeOnly" | "closed" {
    if (this.connecting) return "opening";
    if (this.readable && this.writable) return "open";
    if (this.readable) return "readOnly";
    return this.writable ? "writeOnly" : "closed";
  }

  /** Bytes that wait to be written. */
  get bufferSize(): number {
    return this.writableLength;
  }

  /** Our address. */
  get localAddress(): string | undefined {
    return this.#carrier?.local.hostname;
  }

  /** Our port. */
  get localPort(): number | undefined {
    return this.#carrier?.local.port;
  }

  /** Family of our address. */
  get localFamily(): string | undefined {
    return familyName(this.localAddress);
  }

  /** The peer's address. */
  get remoteAddress(): string | undefined {
    return this.#carrier?.remote.hostname;
  }

  /** The peer's port. */
  get remotePort(): number | undefined {
    return this.#carrier?.remote.port;
  }

  /** Family of the peer's address. */
  get remoteFamily(): string | undefined {
    return familyName(this.remoteAddress);
  }

  /** Our end; without members while there is no connection. */
  address(): SocketAddressInfo | Record<string, never> {
    const local = this.#carrier?.local;
    if (local === undefined) return {};
    return { address: local.hostname, family: familyName(local.hostname) ?? "", port: local.port };
  }

  /** Emits "timeout" when nothing has happened for so long, ms; 0 = never. It closes nothing. */
  setTimeout(msecs: number, callback?: () => void): this {
    if (this.destroyed) return this;
    if (typeof msecs !== "number") throw argumentType("msecs", "number", msecs);
    if (!(msecs >= 0 && Number.isFinite(msecs))) {
      throw outOfRange("msecs", "a non-negative finite number", msecs);
    }
    if (callback !== undefined) checkFunction("callback", callback);
    this.timeout = msecs;
    this.#inactivity.set(Math.min(Math.ceil(msecs), TIMER_MAX_MS));
    if (callback === undefined) return this;
    if (msecs === 0) this.off("timeout", callback);
    else this.once("timeout", callback);
    return this;
  }

  /** Switches Nagle's algorithm off, or with false on. */
  setNoDelay(enable: boolean = true): this {
    this.#noDelay = Boolean(enable);
    this.#carrier?.setOptions({ noDelay: this.#noDelay });
    return this;
  }

  /** Asks an idle peer whether it is still there. @param initialDelay Silence before the first question, ms; 0 = as it is. */
  setKeepAlive(enable: boolean = false, initialDelay: number = 0): this {
    this.#keepAlive = { on: Boolean(enable), delayMs: initialDelay };
    this.#applyKeepAlive();
    return this;
  }

  /** Does nothing: what keeps the process alive is the link of the stack. */
  ref(): this {
    return this;
  }

  /** Does nothing, see `ref()`. */
  unref(): this {
    return this;
  }

  /** Ends, and destroys once everything is written. */
  destroySoon(): void {
    this.#isLeaving = true;
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  /** Destroys, and the peer gets RST. */
  resetAndDestroy(): this {
    if (this.connecting) this.once("connect", () => this.#reset());
    else if (this.#carrier !== null) this.#reset();
    else this.destroy(socketClosed());
    return this;
  }

  /** Stops reading. */
  override pause(): this {
    if (this.#onread !== null && !this.connecting) this.#stopReading();
    return super.pause();
  }

  /** Reads on. */
  override resume(): this {
    if (this.#onread !== null && !this.connecting) this.#startReading();
    return super.resume();
  }

  /** Writes; false = wait for "drain". */
  // deno-lint-ignore no-explicit-any -- the stream's own signature
  override write(chunk: any, callback?: Done): boolean;
  /** Writes; false = wait for "drain". */
  // deno-lint-ignore no-explicit-any
  override write(chunk: any, encoding: BufferEncoding, callback?: Done): boolean;
  // deno-lint-ignore no-explicit-any
  override write(chunk: any, encoding?: any, callback?: any): boolean {
    if (!this.#peerEnded || !this.writableEnded) return super.write(chunk, encoding, callback);
    const done = typeof encoding === "function" ? encoding : callback;
    const message = "This socket has been ended by the other party";
    const error = Object.assign(new Error(message), { code: "EPIPE" });
    if (typeof done === "function") soon(() => done(error));
    this.destroy(error);
    return false;
  }

  // What streams call.

  /** @internal */
  override _read(size: number): void {
    if (this.#carrier !== null) this.#startReading();
    else if (!this.destroyed) this.once("connect", () => this._read(size));
  }

  /** @internal */
  override _write(chunk: Uint8Array, _encoding: string, done: Done): void {
    this.#write([chunk], done);
  }

  /** @internal */
  override _writev(queued: QueuedChunk[], done: Done): void {
    this.#write(queued.map(({ chunk }) => chunk), done);
  }

  /** @internal */
  override _final(done: Done): void {
    if (this.connecting) this.once("connect", () => this._final(done));
    // Who is destroyed next closes at once, both ways: whether unread data makes that a reset must not hang on when a FIN left.
    else if (this.#carrier === null || this.#isLeaving) done();
    else this.#carrier.shutdown(done);
  }

  /** @internal */
  override _destroy(error: Error | null, done: Done): void {
    this.connecting = false;
    this.#inactivity.stop();
    const opening = this.#opening;
    const carrier = this.#carrier;
    this.#opening = null;
    this.#carrier = null;
    this.#reading = false;
    opening?.cancel();
    const hadError = error !== null && error !== undefined;
    const closed = (): void => void this.emit("close", hadError);
    if (carrier !== null) {
      if (this.#isResetting) carrier.reset();
      this.#isResetting = false;
      carrier.close(closed);
    } else if (opening !== null) soon(() => soon(closed));
    done(error);
    if (carrier === null && opening === null) soon(() => this.emit("close"));
    const gone = this.#onGone;
    this.#onGone = null;
    gone?.();
  }

  #opened(connection: TcpConnection): void {
    this.#opening = null;
    this.connecting = false;
    this.#carry(connection);
    this.#inactivity.touch();
    this.emit("connect");
    this.emit("ready");
    if (this.readable && !this.isPaused()) this.#startReading();
  }

  #carry(connection: TcpConnection): void {
    const carrier = carrierOf(connection);
    this.#carrier = carrier;
    carrier.attach(this.#makeSink());
    if (this.#noDelay !== null) carrier.setOptions({ noDelay: this.#noDelay });
    this.#applyKeepAlive();
  }

  #makeSink(): CarrierSink {
    return {
      place: (wanted) => this.#place(wanted),
      receive: (view, bytes) => this.#receive(view, bytes),
      end: () => this.#ended(),
      fail: (error) => void this.destroy(systemError("read", error)),
    };
  }

  /** A socket that was destroyed can connect again. */
  #renew(): void {
    if (this.#carrier !== null || this.#opening !== null) return;
    this.#bytesRead = 0;
    this.#bytesDispatched = 0;
    this.#peerEnded = false;
    // Of streams since Node 8, and of what browsers have in their place; not in their types.
    const undestroy: unknown = Reflect.get(this, "_undestroy");
    if (typeof undestroy === "function") undestroy.call(this);
  }

  #applyKeepAlive(): void {
    if (this.#carrier === null || this.#keepAlive === null) return;
    const { on, delayMs } = this.#keepAlive;
    const seconds = Math.trunc(delayMs / 1000);
    this.#carrier.setOptions({
      keepAlive: on,
      ...(on && seconds > 0
        ? {
          keepIdleMs: seconds * 1000,
          keepIntervalMs: KEEP_INTERVAL_MS,
          keepCount: KEEP_COUNT,
        }
        : {}),
    });
  }

  #heed(signal: AbortSignal): void {
    const abort = (): void => void this.destroy(abortError(signal));
    if (signal.aborted) return soon(abort);
    signal.addEventListener("abort", abort, { once: true });
    this.once("close", () => signal.removeEventListener("abort", abort));
  }

  // Reading.

  #startReading(): void {
    if (this.#reading || this.#carrier === null) return;
    this.#reading = true;
    this.#carrier.readStart();
  }

  #stopReading(): void {
    this.#reading = false;
    this.#carrier?.readStop();
  }

  #place(wanted: number): Uint8Array {
    if (this.#onread === null) return Buffer.allocUnsafe(Math.min(wanted, CHUNK_BYTES));
    const { buffer } = this.#onread;
    const whole = typeof buffer === "function" ? buffer() : buffer;
    return whole.length <= wanted ? whole : whole.subarray(0, wanted);
  }

  #receive(view: Uint8Array, bytes: number): boolean {
    this.#bytesRead += bytes;
    this.#inactivity.touch();
    const wantsMore = this.#onread === null
      ? this.push(asBuffer(view, bytes))
      : this.#giveInto(this.#onread, view, bytes);
    if (!wantsMore) this.#stopReading();
    return wantsMore;
  }

  /** The program's own buffer: the bytes are in it, or a carrier had its own view and they are copied. */
  #giveInto(onread: OnReadOptions, view: Uint8Array, bytes: number): boolean {
    let wantsMore = true;
    for (let at = 0; at < bytes;) {
      const target = this.#place(bytes - at);
      const isThere = target.buffer === view.buffer && target.byteOffset === view.byteOffset;
      const size = Math.min(target.length, bytes - at);
      if (!isThere) target.set(view.subarray(at, at + size));
      at += size;
      if (onread.callback(size, target) === false) wantsMore = false;
    }
    return wantsMore;
  }

  #ended(): void {
    this.#reading = false;
    this.push(null);
    // With nothing left to read, "end" comes though nobody reads.
    this.read(0);
  }

  // Writing.

  #write(chunks: readonly Uint8Array[], done: Done): void {
    if (this.connecting) {
      const closed = (): void =>
        done(codedError(
          Error,
          "ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
          "Socket closed before the connection was established",
        ));
      this.once("connect", () => {
        this.off("close", closed);
        this.#write(chunks, done);
      });
      this.once("close", closed);
      return;
    }
    const carrier = this.#carrier;
    if (carrier === null) return done(socketClosed());
    this.#inactivity.touch();
    let bytes = 0;
    for (const { length } of chunks) bytes += length;
    this.#bytesDispatched += bytes;
    this.#bytesInFlight = bytes;
    carrier.write(chunks, (error) => {
      this.#bytesInFlight = 0;
      this.#inactivity.touch();
      done(error === null ? null : systemError("write", error));
    });
  }

  /** Whether a long write has advanced since this was last asked. */
  #isWriting(): boolean {
    const bytes = this.#carrier?.pendingBytes ?? 0;
    const advances = bytes > 0 && bytes !== this.#lastPendingBytes;
    this.#lastPendingBytes = bytes;
    return advances;
  }

  #reset(): void {
    this.#isResetting = true;
    this.destroy();
  }
}

function asBuffer(view: Uint8Array, bytes: number): Buffer {
  if (view instanceof Buffer && view.length === bytes) return view;
  return Buffer.from(view.buffer, view.byteOffset, bytes);
}

function familyName(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  return familyOfText(address) === 6 ? "IPv6" : "IPv4";
}

function socketClosed(): Error {
  return codedError(Error, "ERR_SOCKET_CLOSED", "Socket is closed");
}

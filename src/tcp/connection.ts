/**
 * A connection, synchronous and non-blocking. Streams, every face and the tests stand on it; no promise is made here.
 *
 * The object holds almost nothing: bytes lie in the core's rings, and a handle is all that the core knows of us.
 */
import type { Core } from "../core/core.ts";
import type { Endpoint } from "../core/info_view.ts";
import {
  BadResource,
  BrokenPipe,
  ConnectionAborted,
  CoreFault,
  type StackError,
} from "../errors.ts";
import {
  EVENT_CLOSED,
  EVENT_END,
  EVENT_OPENED,
  EVENT_WRITABLE,
  OPTION_LINGER,
  OPTION_NO_DELAY,
  REASON_NAMES,
  REASON_NORMAL,
  STATE_CLOSED,
  STATE_ESTABLISHED,
  STATE_FIN_WAIT_2,
  STATE_SYN_SENT,
  STATE_TIME_WAIT,
  STATUS_BAD_ARGUMENT,
} from "../layout/layout.gen.ts";
import type { ConnectionInfo, TcpOptions } from "../options.ts";
import { endpointText, toConnectionInfo } from "./connection_info.ts";
import { errorOfReason } from "./reasons.ts";
import { type CoreOption, lateOptions, readTcpOptions } from "./tcp_options.ts";

/** What `readInto()` answers when there is nothing to read yet. */
export const WOULD_BLOCK = -1;

/** What `readInto()` answers when nothing will come any more. */
export const EOF = -2;

/** Bits of `readiness()`. */
export const READY_READ = 1;
/** `write()` would take something. */
export const READY_WRITE = 2;
/** No more bytes will come than those that wait. */
export const READY_END = 4;
/** It has ended. */
export const READY_CLOSED = 8;

/** The calls of the core that a connection makes. */
export type ConnectionCore = Pick<
  Core,
  | "send"
  | "sendUrgent"
  | "receive"
  | "readable"
  | "closeWrite"
  | "closeRead"
  | "abort"
  | "release"
  | "setOption"
  | "getOption"
  | "info"
  | "isOwing"
>;

/** What a connection needs of its surroundings. */
export interface ConnectionHost {
  readonly core: ConnectionCore;
  /** Time for calls of the core, ms. @param canBeOld The call sets no timer; see `Loop`. */
  now(canBeOld?: boolean): number;
  /** Asks for a flush. @param canWait Nobody waits for it: with what else is said until the next task. */
  wake(canWait?: boolean): void;
  /** The connection has let go of its handle; the core may go on with it for `restMs`. */
  forget(connection: Connection, restMs: number): void;
  /** How long the core may go on with a connection that was released in this state, ms. */
  restMs(state: number): number;
}

/** A TCP connection by its handle. */
export class Connection {
  readonly handle: number;
  /** Our end. */
  readonly local: Endpoint;
  /** Their end. */
  readonly remote: Endpoint;
  /** Slot of the next hop while it opens actively, else 0. */
  readonly hop: number;
  /** Called with EVENT bits whenever something happened; it may call anything here. */
  onEvent: ((bits: number) => void) | null = null;
  readonly #host: ConnectionHost;
  #state: number;
  #error: StackError | null = null;
  #opened: boolean;
  #ended = false;
  #closed = false;
  #writeClosed = false;
  #readClosed = false;
  #blocked = false;
  #closing = false;
  #released = false;
  /** The core must not be called any more. */
  #dead = false;

  /** Made by the manager alone. */
  constructor(
    host: ConnectionHost,
    handle: number,
    local: Endpoint,
    remote: Endpoint,
    hop: number,
  ) {
    this.#host = host;
    this.handle = handle;
    this.local = local;
    this.remote = remote;
    this.hop = hop;
    const info = host.core.info(handle);
    this.#state = info?.state ?? STATE_CLOSED;
    this.#opened = this.#state >= STATE_ESTABLISHED;
    if (info === null) this.#closed = true;
    else {
      // What happened before anybody held the handle.
      this.#ended = info.isEnded;
      this.#writeClosed = info.isWriteClosed;
      if (info.state === STATE_CLOSED) this.#end(info.reason);
    }
  }

  /** STATE, as of the last event. */
  get state(): number {
    return this.#state;
  }

  /** Whether the handshake completed. */
  get isOpened(): boolean {
    return this.#opened;
  }

  /** Whether both directions ended: in order, or with `error`. TIME-WAIT counts as ended: only the tuple rests. */
  get isFinished(): boolean {
    return this.#closed || this.#state === STATE_TIME_WAIT;
  }

  /** Whether everything we sent, FIN included, was acknowledged. */
  get isFlushed(): boolean {
    return this.isFinished || this.#state === STATE_FIN_WAIT_2;
  }

  /** Whether the handle was let go. */
  get isReleased(): boolean {
    return this.#released;
  }

  /** Why it ended, or null while it lives or when it ended in order. */
  get error(): StackError | null {
    return this.#error;
  }

  /**
   * Reads what is there.
   *
   * @param view Where to; its length is the most that is read.
   * @returns Bytes read, or WOULD_BLOCK, or EOF.
   * @throws {StackError} Why the connection ended, once nothing is left to read.
   * @example
   * ```ts
   * const n = connection.readInto(buffer);
   * if (n === WOULD_BLOCK) return; // EVENT_READABLE follows
   * ```
   */
  readInto(view: Uint8Array): number {
    this.#assertHeld("read from");
    if (this.#readClosed) return EOF;
    const bytes = this.#dead ? 0 : this.#host.core.receive(this.handle, view, this.#host.now(true));
    if (bytes > 0) {
      // The window has opened: the peer may have to know.
      if (this.#host.core.isOwing) this.#host.wake(true);
      return bytes;
    }
    if (this.#error !== null) throw this.#error;
    return this.#ended || this.#closed ? EOF : WOULD_BLOCK;
  }

  /**
   * Queues bytes to be sent.
   *
   * @param view What to send.
   * @returns Bytes taken, maybe 0. If fewer than given, EVENT_WRITABLE follows once there is room.
   * @throws {BrokenPipe} After `shutdown("write")`, or when the connection ended in order.
   * @throws {StackError} Why the connection ended.
   */
  write(view: Uint8Array): number {
    if (this.#error !== null) throw this.#error;
    if (this.#writeClosed || this.#closed) {
      throw new BrokenPipe(
        `Cannot write to ${endpointText(this.remote)}: it is closed for writing`,
      );
    }
    this.#assertHeld("write to");
    if (view.length === 0) return 0;
    const taken = this.#host.core.send(this.handle, view, this.#host.now(true));
    this.#blocked = taken < view.length;
    if (taken > 0) this.#host.wake();
    return taken;
  }

  /**
   * Writes all of it before the SYN is sent, or lets the connection go.
   *
   * @throws {RangeError} If it is more than the send queue takes.
   */
  writeEarly(data: Uint8Array): void {
    if (this.write(data) === data.length) return;
    this.abort();
    this.release();
    throw new RangeError(
      `Cannot send ${data.length} bytes with the SYN: the send queue takes less, write them once it is open`,
    );
  }

  /**
   * Queues bytes and tells the peer that everything up to their end is urgent. New applications should not use it: what
   * lies between two ends may drop the pointer, and stacks disagree on what it means (RFC 9293 SHLD-13, RFC 6093).
   *
   * @param view What to send, in line behind what was written before.
   * @returns As `write()`; the end of what was taken is urgent, so the rest is to be given here too.
   */
  writeUrgent(view: Uint8Array): number {
    const taken = this.write(view);
    if (taken > 0) this.#act((core) => core.sendUrgent(this.handle, this.#host.now()));
    return taken;
  }

  /** Unread bytes up to the end of the peer's urgent data, as EVENT_URGENT tells; 0 = none. RFC 9293 section 3.8.5 (MUST-33). */
  urgentBytes(): number {
    if (this.#released || this.#dead) return 0;
    return this.#host.core.info(this.handle)?.urgentBytes ?? 0;
  }

  /** Name of the last REASON that an ICMP error gave without ending the connection, or null. RFC 9293 section 3.9.2.2. */
  softError(): string | null {
    if (this.#released || this.#dead) return null;
    const reason = this.#host.core.info(this.handle)?.softReason ?? 0;
    return reason === 0 ? null : REASON_NAMES[reason] ?? null;
  }

  /**
   * Ends one direction. Idempotent.
   *
   * @param how "write" sends FIN after what is queued; "read" drops what is unread and what still comes.
   */
  shutdown(how: "read" | "write"): void {
    if (this.#released || this.#closed) return;
    const now = this.#host.now();
    if (how === "write") {
      if (this.#writeClosed) return;
      this.#writeClosed = true;
      this.#act((core) => core.closeWrite(this.handle, now));
    } else {
      if (this.#readClosed) return;
      this.#readClosed = true;
      this.#act((core) => core.closeRead(this.handle, now));
    }
  }

  /** Sends RST; what is queued is lost. EVENT_CLOSED follows, with a `ConnectionAborted` as `error`. */
  abort(): void {
    if (this.#released || this.#closed) return;
    const doing = `Cannot go on with ${endpointText(this.remote)}`;
    this.fail(new ConnectionAborted(`${doing}: it was aborted`));
  }

  /** Aborts for a reason that the core does not know of. EVENT_CLOSED follows. */
  fail(error: StackError): void {
    if (this.#released || this.#closed) return;
    this.#error ??= error;
    this.#act((core) => core.abort(this.handle, this.#host.now()));
  }

  /**
   * Ends both directions; the handle is released by itself once everything sent is acknowledged. Unread bytes are lost, and
   * the peer has to know that: then it is released at once, with RST (RFC 9293 section 3.10.4, RFC 2525 section 2.17). So
   * it is when `lingerMs` is 0, as asked for; another `lingerMs` ends it so later, and EVENT_CLOSED follows.
   *
   * @returns False if it ended like that.
   */
  close(): boolean {
    if (this.#released || this.#closing) return true;
    const isLossy = !this.#closed && this.unreadBytes() > 0;
    if (isLossy || this.isFinished || this.#lingersNot()) {
      this.release();
      return !isLossy;
    }
    this.#closing = true;
    this.shutdown("write");
    this.shutdown("read");
    if (this.isFlushed) this.release();
    return true;
  }

  /** Nothing is to be sent after `close()`. */
  #lingersNot(): boolean {
    return !this.#dead && this.#host.core.getOption(this.handle, OPTION_LINGER) === 0;
  }

  /** Lets go of the handle at once: no more events. What is still open the core closes by itself. Idempotent. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    // TIME-WAIT was told as an end, but its port rests.
    const isOver = this.#closed && this.#state !== STATE_TIME_WAIT;
    const state = isOver ? STATE_CLOSED : this.#state;
    if (!this.#dead) this.#act((core) => core.release(this.handle, this.#host.now()));
    this.#host.forget(this, this.#host.restMs(state));
  }

  /** READY bits of this moment. */
  readiness(): number {
    if (this.#released) return READY_CLOSED;
    let bits = 0;
    if (this.unreadBytes() > 0) bits |= READY_READ;
    if (this.#ended || this.#readClosed) bits |= READY_END;
    if (this.#closed) return bits | READY_CLOSED;
    if (this.#opened && !this.#writeClosed && !this.#blocked) bits |= READY_WRITE;
    return bits;
  }

  /** Bytes that wait for `readInto()`. */
  unreadBytes(): number {
    if (this.#released || this.#readClosed || this.#dead) return 0;
    return this.#host.core.readable(this.handle);
  }

  /** Bytes written and not acknowledged. */
  unacknowledgedBytes(): number {
    if (this.#released || this.#closed) return 0;
    return this.#host.core.info(this.handle)?.sendQueued ?? 0;
  }

  /**
   * A snapshot.
   *
   * @throws {BadResource} If the handle was let go.
   */
  info(): ConnectionInfo {
    this.#assertHeld("show");
    const view = this.#host.core.info(this.handle);
    if (view === null) {
      throw new BadResource(
        `Cannot show the connection to ${endpointText(this.remote)}: it is gone`,
      );
    }
    return toConnectionInfo(view);
  }

  /** Switches Nagle's algorithm. @param on True sends small segments at once. */
  setNoDelay(on: boolean): void {
    if (this.#released || this.#closed) return;
    const value = on ? 1 : 0;
    this.#act((core) => core.setOption(this.handle, OPTION_NO_DELAY, value, this.#host.now()));
  }

  /**
   * Changes options.
   *
   * @param options Those to be changed.
   * @throws {TypeError} If a value is not of its type, or the option stands in the SYN.
   * @throws {RangeError} If a value is out of range.
   * @throws {BadResource} If the handle was let go.
   */
  setOptions(options: TcpOptions): void {
    const wanted = lateOptions(options);
    this.#assertHeld("set options of");
    if (this.#dead) return;
    for (const { name, option, value } of wanted) this.#setOption(name, option, value);
    this.#host.wake();
  }

  /**
   * The options in force.
   *
   * @throws {BadResource} If the handle was let go.
   */
  getOptions(): Required<TcpOptions> {
    this.#assertHeld("read options of");
    const { core } = this.#host;
    const found = this.#dead
      ? null
      : readTcpOptions((option) => core.getOption(this.handle, option));
    if (found !== null) return found;
    throw new BadResource(
      `Cannot read options of the connection to ${endpointText(this.remote)}: it is gone`,
    );
  }

  /** Sets what `connect()` was given; called by the manager alone, before the SYN leaves. */
  begin(options: readonly CoreOption[]): void {
    for (const { name, option, value } of options) this.#setOption(name, option, value);
  }

  #setOption(name: string, option: number, value: number): void {
    const status = this.#host.core.setOption(this.handle, option, value, this.#host.now());
    if (status !== -STATUS_BAD_ARGUMENT) return;
    throw new RangeError(
      `Cannot take ${name} ${value}: more than this stack's memory or tuning allows`,
    );
  }

  /** An event of the core; called by the manager alone. @param detail REASON in byte 0, STATE in byte 1. */
  deliver(bits: number, detail: number): void {
    if (this.#released) return;
    this.#state = (detail >>> 8) & 0xff;
    if ((bits & EVENT_OPENED) !== 0) this.#opened = true;
    if ((bits & EVENT_END) !== 0) this.#ended = true;
    if ((bits & EVENT_WRITABLE) !== 0) this.#blocked = false;
    if ((bits & EVENT_CLOSED) !== 0) this.#end(detail & 0xff);
    this.onEvent?.(bits);
    if (this.#closing && this.isFlushed) this.release();
  }

  /** The core is dead, or the stack is closed: everything ends here and now; called by the manager alone. */
  die(error: StackError): void {
    if (this.#released || this.#closed) return;
    this.#dead = true;
    this.#error ??= error;
    this.#closed = true;
    this.#state = STATE_CLOSED;
    this.onEvent?.(EVENT_CLOSED);
  }

  /** A call that answers nothing. If the core dies in it, we have been told by `die()`: nobody has to catch it here. */
  #act(call: (core: ConnectionCore) => void): void {
    try {
      call(this.#host.core);
      this.#host.wake();
    } catch (error) {
      if (!(error instanceof CoreFault)) throw error;
    }
  }

  #end(reason: number): void {
    this.#closed = true;
    if (reason === REASON_NORMAL) return;
    const isOpening = !this.#opened && this.#state <= STATE_SYN_SENT;
    const doing = isOpening ? "Cannot connect to" : "Lost the connection to";
    this.#error ??= errorOfReason(reason, `${doing} ${endpointText(this.remote)}`);
  }

  #assertHeld(doing: string): void {
    if (!this.#released) return;
    throw new BadResource(
      `Cannot ${doing} the connection to ${endpointText(this.remote)}: it is closed`,
    );
  }
}

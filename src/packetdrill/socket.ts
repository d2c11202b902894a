/**
 * One socket over the core's handles: what BSD keeps of a socket and the core does not. It knows no file descriptors and no
 * scripts.
 */
import {
  EVENT_CLOSED,
  EVENT_END,
  EVENT_OPENED,
  EVENT_SOFT_ERROR,
  EVENT_URGENT,
  INFO_SOFT_REASON,
  OPTION_CORK,
  OPTION_SOFT_ERRORS,
  REASON_ABORTED,
  REASON_HOST_UNREACHABLE,
  REASON_KEEPALIVE,
  REASON_NET_UNREACHABLE,
  REASON_NORMAL,
  REASON_PORT_UNREACHABLE,
  REASON_PROHIBITED,
  REASON_REFUSED,
  REASON_RESET,
  REASON_TIMED_OUT,
  REASON_UNLISTENED,
  REASON_USER_TIMEOUT,
  STATE_CLOSE_WAIT,
  STATE_CLOSED,
} from "../layout/layout.gen.ts";
import { ErrorQueue } from "./error_queue.ts";
import type { End } from "./frame.ts";
import type { World } from "./world.ts";

/** What a call is told. */
export interface Outcome {
  readonly value: number;
  /** `"EAGAIN"`, with a value of -1; else null. */
  readonly errno: string | null;
  /** What it wrote into memory of the caller differs from what the script says. */
  readonly mismatch?: Mismatch;
}

/** Memory of the caller: what the script says of it, and what was written. */
export interface Mismatch {
  readonly what: string;
  readonly expected: string;
  readonly got: string;
}

/** A call that answers, or null as long as it blocks; then it is tried again when something has happened. */
export type Attempt = () => Outcome | null;

/** It worked. */
export function done(value = 0, mismatch?: Mismatch): Outcome {
  return mismatch === undefined ? { value, errno: null } : { value, errno: null, mismatch };
}

/** It failed. */
export function failed(errno: string): Outcome {
  return { value: -1, errno };
}

/** An ended connection by its REASON, as Linux names it. */
const ERRNO_OF_REASON: Readonly<Record<number, string>> = {
  [REASON_RESET]: "ECONNRESET",
  [REASON_REFUSED]: "ECONNREFUSED",
  [REASON_TIMED_OUT]: "ETIMEDOUT",
  [REASON_ABORTED]: "ECONNABORTED",
  [REASON_HOST_UNREACHABLE]: "EHOSTUNREACH",
  [REASON_NET_UNREACHABLE]: "ENETUNREACH",
  [REASON_PORT_UNREACHABLE]: "ECONNREFUSED",
  [REASON_PROHIBITED]: "EHOSTUNREACH",
  [REASON_UNLISTENED]: "ECONNABORTED",
  [REASON_USER_TIMEOUT]: "ETIMEDOUT",
  [REASON_KEEPALIVE]: "ETIMEDOUT",
};

/** Where a socket stands; "deferred" is a connect() that goes with the first write. */
export type Phase = "new" | "listening" | "deferred" | "connecting" | "connected" | "failed";

/** `SO_LINGER`. */
export interface Linger {
  readonly isOn: boolean;
  readonly seconds: number;
}

/** A TCP socket. */
export class TcpSocket {
  readonly world: World;
  phase: Phase = "new";
  isNonBlocking = false;
  local: End | null = null;
  remote: End | null = null;
  /** The core's handle of a connection. */
  handle: number | null = null;
  /** The core's id of a listener. */
  listener: number | null = null;
  /** Connections that wait for accept(). */
  readonly queue: TcpSocket[] = [];
  /** `SO_ERROR`: told once. */
  error: string | null = null;
  /** A second connect() tells once that the first one worked. */
  isConnectTold = true;
  /** The remote's FIN was reached. */
  isEnded = false;
  /** Both directions ended. */
  isClosed = false;
  isReadShut = false;
  isWriteShut = false;
  isReusable = false;
  linger: Linger = { isOn: false, seconds: 0 };
  /** Its SYN asks for Fast Open. */
  isFastOpen = false;
  /** MSG_MORE holds data back. */
  isHeldBack = false;
  /** The urgent byte was read. */
  isUrgentRead = false;
  /** Options of the core that were set, by OPTION. */
  readonly options: Map<number, number> = new Map();
  /** Options of the socket layer that were set, by level and name. */
  readonly kept: Map<string, number> = new Map();
  /** What sends with MSG_ZEROCOPY and SO_TIMESTAMPING are told. */
  readonly errors: ErrorQueue;
  #state = STATE_CLOSED;
  #softError: string | null = null;

  constructor(world: World) {
    this.world = world;
    this.errors = new ErrorQueue(world.isIpv6);
  }

  /** Bytes of the stream that the remote has acknowledged. */
  acked(): number {
    const info = this.handle === null ? null : this.world.core.info(this.handle);
    return this.errors.written - (info?.sendQueued ?? 0);
  }

  /** Tells the error queue how far the stream has come. */
  noteProgress(): void {
    const info = this.handle === null ? null : this.world.core.info(this.handle);
    if (info === null || this.phase !== "connected") return;
    const sent = this.errors.written - Math.max(0, info.sendQueued - info.inFlight);
    this.errors.noteProgress(sent, this.acked(), this.world.elapsed);
  }

  /** An event of the core. @param detail REASON in byte 0, STATE in byte 1. */
  deliver(bits: number, detail: number): void {
    const before = this.#state;
    this.#state = (detail >>> 8) & 0xff;
    if ((bits & EVENT_OPENED) !== 0) this.phase = "connected";
    if ((bits & EVENT_END) !== 0) this.isEnded = true;
    if ((bits & EVENT_URGENT) !== 0) this.isUrgentRead = false;
    if ((bits & EVENT_SOFT_ERROR) !== 0) this.#noteSoftError();
    if ((bits & EVENT_CLOSED) !== 0) this.#end(detail & 0xff, before);
  }

  /** Only who asked for them by IP_RECVERR is told at once; to the others they explain a timeout. */
  #noteSoftError(): void {
    const info = this.handle === null ? null : this.world.core.info(this.handle);
    const errno = ERRNO_OF_REASON[info?.readU32(INFO_SOFT_REASON) ?? 0];
    if (errno === undefined) return;
    this.#softError = errno;
    if (this.options.get(OPTION_SOFT_ERRORS) === 1) this.error ??= errno;
  }

  #end(reason: number, before: number): void {
    this.isClosed = true;
    if (this.phase === "connecting") this.phase = "failed";
    if (reason === REASON_NORMAL) return;
    const errno = ERRNO_OF_REASON[reason] ?? "EPROTO";
    // Linux: a reset of a connection whose other direction is closed already is a broken pipe.
    const isPipe = reason === REASON_RESET && before === STATE_CLOSE_WAIT;
    const soft = reason === REASON_TIMED_OUT ? this.#softError : null;
    this.error ??= isPipe ? "EPIPE" : soft ?? errno;
  }

  /** Takes the pending error. @returns Its name, or null. */
  takeError(): string | null {
    const { error } = this;
    this.error = null;
    return error;
  }

  /** Whether the handshake is over. */
  get isOpen(): boolean {
    return this.phase === "connected" && !this.isClosed;
  }

  /** Unread bytes. */
  readable(): number {
    return this.handle === null ? 0 : this.world.core.readable(this.handle);
  }

  /** Sets an option of the core, now or when there is something to set it on. @returns False if the core refuses it. */
  setOption(option: number, value: number): boolean {
    this.options.set(option, value);
    const { core, now } = this.world;
    if (this.listener !== null) return core.setListenerOption(this.listener, option, value) >= 0;
    if (this.handle === null || this.isClosed) return true;
    return core.setOption(this.handle, option, value, now) >= 0;
  }

  /** Takes the options over that were set before there was a handle or a listener. */
  applyOptions(): void {
    for (const [option, value] of this.options) this.setOption(option, value);
  }

  /** Lets small segments go again after MSG_MORE. */
  endHold(): void {
    if (!this.isHeldBack) return;
    this.isHeldBack = false;
    this.setOption(OPTION_CORK, 0);
  }

  /** Keeps small segments back until the next write without MSG_MORE. */
  hold(): void {
    if (this.options.get(OPTION_CORK) === 1) return;
    this.isHeldBack = true;
    this.setOption(OPTION_CORK, 1);
  }

  /** close(). Unread connections of a listener are reset by the core. */
  close(): void {
    const { core, now } = this.world;
    if (this.listener !== null) {
      core.unlisten(this.listener, now);
      for (const waiting of this.queue.splice(0)) waiting.close();
      this.listener = null;
    }
    if (this.handle === null) return;
    if (this.linger.isOn && this.linger.seconds === 0) core.abort(this.handle, now);
    core.release(this.handle, now);
    this.handle = null;
  }
}

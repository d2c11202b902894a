/**
 * The error queue of a socket: what Linux tells of sends that were watched, by zero copy or by timestamps. Sources:
 * msg_zerocopy.rst and timestamping.rst of Linux's documentation.
 */
import { known } from "./values.ts";

/** A control message of recvmsg(); its data is a number, or a structure. */
export interface ControlMessage {
  readonly level: number;
  readonly type: number;
  readonly data: number | ReadonlyMap<string, number>;
}

/** What one read of the queue gives. */
export interface QueuedError {
  readonly control: readonly ControlMessage[];
  readonly flags: number;
}

/** Sends without a copy that are done, first and last; neighbours are told together. */
interface ZeroCopies {
  readonly first: number;
  last: number;
}

/** A write whose last byte is watched. */
interface Watched {
  /** Stream position behind the last byte. */
  readonly end: number;
  readonly key: number;
  readonly bits: number;
  isSent: boolean;
}

const MS_PER_S = 1000;
const NS_PER_MS = 1_000_000;

/** What is waiting to be told, and what is told. */
export class ErrorQueue {
  /** Bytes that the user has written so far. */
  written = 0;
  /** How often something was added: an edge for epoll. */
  edges = 0;
  readonly #level: number;
  readonly #type: number;
  /** Sends without a copy: the stream position behind each that is not acknowledged. */
  readonly #copies: number[] = [];
  #nextCopy = 0;
  readonly #watched: Watched[] = [];
  /** SOF_TIMESTAMPING bits, and the position from which keys count. */
  #stampBits = 0;
  #stampBase = 0;
  readonly #queue: (ZeroCopies | QueuedError)[] = [];

  constructor(isIpv6: boolean) {
    this.#level = known(isIpv6 ? "SOL_IPV6" : "SOL_IP");
    this.#type = known(isIpv6 ? "IPV6_RECVERR" : "IP_RECVERR");
  }

  /** Whether there is something to read. */
  get hasErrors(): boolean {
    return this.#queue.length > 0;
  }

  /** SO_TIMESTAMPING. @param acked Bytes of the stream that are acknowledged. */
  watchTimes(bits: number, acked: number): void {
    const isFromNow = (bits & known("SOF_TIMESTAMPING_OPT_ID_TCP")) !== 0;
    this.#stampBits = bits;
    this.#stampBase = isFromNow ? this.written : acked;
  }

  /** A call has written. */
  noteWrite(isZeroCopy: boolean): void {
    if (isZeroCopy) this.#copies.push(this.written);
    const bits = this.#stampBits;
    const transmits = known("SOF_TIMESTAMPING_TX_SCHED") | known("SOF_TIMESTAMPING_TX_SOFTWARE") |
      known("SOF_TIMESTAMPING_TX_ACK");
    if ((bits & transmits) === 0) return;
    const hasKey = (bits & known("SOF_TIMESTAMPING_OPT_ID")) !== 0;
    const key = hasKey ? this.written - this.#stampBase - 1 : 0;
    this.#watched.push({ end: this.written, key, bits, isSent: false });
  }

  /** How far the stream has come. */
  noteProgress(sent: number, acked: number, nowMs: number): void {
    while ((this.#copies[0] ?? Infinity) <= acked) {
      this.#copies.shift();
      this.#addCopy(this.#nextCopy++);
    }
    for (const each of this.#watched) {
      if (!each.isSent && each.end <= sent) {
        each.isSent = true;
        this.#addStamp(each, "SOF_TIMESTAMPING_TX_SCHED", "SCM_TSTAMP_SCHED", nowMs);
        this.#addStamp(each, "SOF_TIMESTAMPING_TX_SOFTWARE", "SCM_TSTAMP_SND", nowMs);
      }
      if (each.end <= acked) {
        this.#addStamp(each, "SOF_TIMESTAMPING_TX_ACK", "SCM_TSTAMP_ACK", nowMs);
      }
    }
    while ((this.#watched[0]?.end ?? Infinity) <= acked) this.#watched.shift();
  }

  #addCopy(id: number): void {
    this.edges++;
    const last = this.#queue.at(-1);
    if (last !== undefined && "last" in last && last.last === id - 1) last.last = id;
    else this.#queue.push({ first: id, last: id });
  }

  #addStamp({ bits, key }: Watched, asked: string, info: string, nowMs: number): void {
    if ((bits & known(asked)) === 0) return;
    this.edges++;
    const whenMs = Math.floor(nowMs);
    const time: ControlMessage = {
      level: known("SOL_SOCKET"),
      type: known("SCM_TIMESTAMPING"),
      data: new Map([
        ["scm_sec", Math.floor(whenMs / MS_PER_S)],
        ["scm_nsec", (whenMs % MS_PER_S) * NS_PER_MS],
      ]),
    };
    const isBare = (bits & known("SOF_TIMESTAMPING_OPT_TSONLY")) !== 0;
    // The text that comes with it does not fit into a buffer of no bytes.
    const flags = known("MSG_ERRQUEUE") | (isBare ? 0 : known("MSG_TRUNC"));
    const origin = known("SO_EE_ORIGIN_TIMESTAMPING");
    const error = this.#error(known("ENOMSG"), origin, 0, known(info), key);
    this.#queue.push({ control: [time, error], flags });
  }

  #error(errno: number, origin: number, code: number, info: number, data: number): ControlMessage {
    const fields = new Map([
      ["ee_errno", errno],
      ["ee_origin", origin],
      ["ee_type", 0],
      ["ee_code", code],
      ["ee_info", info],
      ["ee_data", data],
    ]);
    return { level: this.#level, type: this.#type, data: fields };
  }

  /** Takes the oldest. @returns Null if there is none. */
  take(): QueuedError | null {
    const head = this.#queue.shift();
    if (head === undefined) return null;
    if (!("last" in head)) return head;
    const origin = known("SO_EE_ORIGIN_ZEROCOPY");
    // Whatever was asked for, the bytes were copied into the ring.
    const code = known("SO_EE_CODE_ZEROCOPY_COPIED");
    const error = this.#error(0, origin, code, head.first, head.last);
    return { control: [error], flags: known("MSG_ERRQUEUE") };
  }
}

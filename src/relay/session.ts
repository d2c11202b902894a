/**
 * One client of the relay, as a device: what it sends arrives at the gateway or the TAP bridge once it has passed the filter,
 * and what they send leaves in messages of at most one batch.
 *
 * A session outlives its WebSocket for a while in user mode; while there is none the link is down.
 */
import type { Clock, Timer } from "../runtime/clock.ts";
import type { Device, DeviceSink } from "../link/device.ts";
import { Outbox } from "../link/outbox.ts";
import { BATCH_BYTES, bytesThatFit, countRecords } from "../link/records.ts";
import { FrameFilter } from "./frame_filter.ts";
import { CLOSE_INTERNAL, CLOSE_PROTOCOL, CLOSE_TIMEOUT, type ControlMessage } from "./protocol.ts";

/** Bytes that may wait for a client. Full: `room()` is 0 and TCP waits; what is sent all the same is dropped, newest first. */
export const QUEUE_BYTES: number = 1 << 20;

/** Bytes of control messages that may wait beside it: they are not dropped, because somebody waits for each. */
const CONTROLS_BYTES = 1 << 18;

/** How often a full queue is looked at, ms: there is no event for it everywhere. */
const POLL_MS = 4;

/** A client that takes nothing for so long is closed, ms. */
export const STUCK_MS = 10_000;

/** Batches with lengths out of bounds until the connection is closed: a client in order sends none. */
const MALFORMED_MAX = 10;

/** WebSocket.OPEN. */
const READY_OPEN = 1;

const BINARY = { binary: true, compress: false } as const;

/** What a session needs of a WebSocket of ws. */
export interface TunnelSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: string): void;
  send(data: Uint8Array, options: typeof BINARY, done?: (error?: Error) => void): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
}

/** What a session goes by. */
export interface SessionOptions {
  /** For logs: the how-manieth client it is. */
  readonly id: number;
  /** MAC address of the client, 6 bytes. */
  readonly clientMac: Uint8Array;
  /** Largest IP packet, bytes. */
  readonly mtu: number;
  readonly clock: Clock;
  /** The secret that brings it back. */
  readonly resume: string;
  /** The session can not go on; called once. */
  readonly onEnd: (session: Session, reason: string) => void;
}

/** What went by, in messages and bytes of records. */
export interface SessionCounters {
  messagesIn: number;
  messagesOut: number;
  bytesIn: number;
  bytesOut: number;
  /** Records that the client did not take in time, or that came while it was away. */
  queueDrops: number;
  malformed: number;
}

/** A client. */
export class Session implements Device {
  readonly id: number;
  readonly clientMac: Uint8Array;
  readonly mtu: number;
  readonly resume: string;
  /** OFFLOAD bits that were agreed on in the latest hello and welcome. */
  offload = 0;
  /** MAC address of the device's own end: the gateway's. */
  mac?: Uint8Array;
  /** Whether the client may send from an address, u32; the network that it joins says so. */
  isOwnAddress: (address: number) => boolean = () => true;
  /** Takes up an IPv6 address for the client; null while its network does not carry IPv6. */
  claimIpv6: ((address: bigint) => boolean) | null = null;
  /** What is being delivered: a batch, valid only within a call of the sink; null otherwise. */
  arrived: Uint8Array | null = null;
  readonly counters: SessionCounters = {
    messagesIn: 0,
    messagesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    queueDrops: 0,
    malformed: 0,
  };
  readonly filter: FrameFilter;
  readonly #clock: Clock;
  readonly #onEnd: SessionOptions["onEnd"];
  readonly #poll: () => void;
  #socket: TunnelSocket | null = null;
  #sink: DeviceSink | null = null;
  readonly #outbox = new Outbox();
  #closed = false;
  #polling: Timer | null = null;
  /** Bytes that had left the queue at the last look. */
  #leftBytes = 0;
  #progressMs = 0;

  /** @param options See {@linkcode SessionOptions}. */
  constructor(options: SessionOptions) {
    this.id = options.id;
    this.clientMac = options.clientMac;
    this.mtu = options.mtu;
    this.resume = options.resume;
    this.#clock = options.clock;
    this.#onEnd = options.onEnd;
    this.#poll = () => this.#pollQueue();
    this.filter = new FrameFilter({
      mac: options.clientMac,
      mtu: options.mtu,
      nowMs: () => this.#clock.now(),
      isOwnAddress: (address) => this.isOwnAddress(address),
      offload: () => this.offload,
      claimIpv6: () => this.claimIpv6,
    });
  }

  /** The WebSocket, or null while the client is away. */
  get socket(): TunnelSocket | null {
    return this.#socket;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  // The client's side.

  /** The client is here (again). The welcome has been sent. */
  attach(socket: TunnelSocket): void {
    this.#socket = socket;
    this.#sink?.up();
    this.#sink?.ready();
  }

  /** The WebSocket is gone; what waited in it is lost. */
  detach(): void {
    if (this.#socket === null) return;
    this.#socket = null;
    this.#stopPolling();
    this.#outbox.drop();
    this.#sink?.down("The client's connection broke");
  }

  /** A binary message arrived; `batch` may be changed in place. */
  receive(batch: Uint8Array): void {
    if (this.#closed) return;
    this.counters.messagesIn++;
    this.counters.bytesIn += batch.length;
    const admitted = this.filter.admit(batch);
    if (admitted === null) {
      if (++this.counters.malformed >= MALFORMED_MAX) this.fail("malformed", CLOSE_PROTOCOL);
      return;
    }
    if (admitted.length === 0 || this.#sink === null) return;
    this.arrived = admitted;
    try {
      this.#sink.receive(admitted);
    } finally {
      this.arrived = null;
    }
  }

  /** Sends a control message, if the client is here. Who asks and asks and never reads the answers is closed. */
  sendControl(message: ControlMessage): void {
    const socket = this.#socket;
    if (socket === null || socket.readyState !== READY_OPEN) return;
    if (socket.bufferedAmount > QUEUE_BYTES + CONTROLS_BYTES) {
      return this.fail("The client does not read", CLOSE_TIMEOUT);
    }
    socket.send(JSON.stringify(message));
  }

  /** Ends it: something went wrong with this client alone. */
  fail(reason: string, code: number = CLOSE_INTERNAL): void {
    if (this.#closed) return;
    const socket = this.#socket;
    socket?.close(code, reason);
    // Who does not read does not answer a close either.
    if (code === CLOSE_TIMEOUT) socket?.terminate();
    this.#onEnd(this, reason);
  }

  // The device's side.

  open(sink: DeviceSink): void {
    this.#sink = sink;
    if (this.#socket === null) sink.down("The client is not here");
    else sink.up();
  }

  room(): number {
    const socket = this.#socket;
    if (socket === null || socket.readyState !== READY_OPEN) return 0;
    const left = QUEUE_BYTES - socket.bufferedAmount - this.#outbox.bytes;
    if (left < BATCH_BYTES) this.#startPolling();
    return Math.max(0, Math.min(left, BATCH_BYTES));
  }

  send(batch: Uint8Array): void {
    this.queue(batch, 0, batch.length);
    this.flush();
  }

  /**
   * Adds records to the next message.
   *
   * @param batch Whole, valid records from `start` to `end`; copied.
   */
  queue(batch: Uint8Array, start: number, end: number): void {
    const records = start === 0 && end === batch.length ? batch : batch.subarray(start, end);
    let at = 0;
    while (at < records.length) {
      const rest = at === 0 ? records : records.subarray(at);
      const fitting = bytesThatFit(rest, BATCH_BYTES - this.#outbox.bytes);
      // A record alone always fits in an empty batch: so this ends.
      if (fitting === 0 && this.#outbox.bytes === 0) return;
      if (fitting > 0) this.#outbox.put(fitting === rest.length ? rest : rest.subarray(0, fitting));
      at += fitting;
      if (at < records.length) this.flush();
    }
  }

  /** Sends what was queued as one message. */
  flush(): void {
    const { bytes } = this.#outbox;
    if (bytes === 0) return;
    const socket = this.#socket;
    const isOpen = socket !== null && socket.readyState === READY_OPEN;
    if (!isOpen || socket.bufferedAmount + bytes > QUEUE_BYTES) {
      this.counters.queueDrops += countRecords(this.#outbox.peek());
      this.#outbox.drop();
      if (isOpen) this.#startPolling();
      return;
    }
    this.counters.messagesOut++;
    this.counters.bytesOut += bytes;
    this.#outbox.take((message, sent) => {
      socket.send(message, BINARY, () => {
        sent();
        if (this.#polling !== null) this.#checkRoom();
      });
    });
    if (QUEUE_BYTES - socket.bufferedAmount < BATCH_BYTES) this.#startPolling();
  }

  /** The gateway or the bridge is done with it. The WebSocket is the server's to close. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopPolling();
    this.#sink = null;
    this.#outbox.close();
    this.#socket = null;
  }

  // The queue.

  #startPolling(): void {
    if (this.#polling !== null || this.#closed) return;
    this.#leftBytes = -Infinity;
    this.#pollLater();
  }

  #stopPolling(): void {
    this.#polling?.cancel();
    this.#polling = null;
  }

  #pollLater(): void {
    this.#polling = this.#clock.at(this.#clock.now() + POLL_MS, this.#poll);
  }

  /** @returns True if there is enough room again; the sink has been told. */
  #checkRoom(): boolean {
    const socket = this.#socket;
    if (socket === null || QUEUE_BYTES - socket.bufferedAmount < BATCH_BYTES) return false;
    this.#stopPolling();
    this.#sink?.ready();
    return true;
  }

  #pollQueue(): void {
    this.#polling = null;
    const socket = this.#socket;
    if (this.#closed || socket === null || socket.readyState !== READY_OPEN) return;
    if (this.#checkRoom()) return;
    const nowMs = this.#clock.now();
    const leftBytes = this.counters.bytesOut - socket.bufferedAmount;
    if (leftBytes > this.#leftBytes) this.#progressMs = nowMs;
    this.#leftBytes = Math.max(leftBytes, this.#leftBytes);
    if (nowMs - this.#progressMs >= STUCK_MS) this.fail("The client does not read", CLOSE_TIMEOUT);
    else this.#pollLater();
  }
}

/**
 * A cable between two stacks of one program: loopback, tests, simulations.
 *
 * Nothing is delivered within `send()`: records are copied to a bounded queue and handed over by the clock, in order.
 */
import type { Clock, Timer } from "../runtime/clock.ts";
import type { Device, DeviceSink } from "./device.ts";
import {
  BATCH_BYTES,
  bytesThatFit,
  countRecords,
  ETHERNET_HEADER_BYTES,
  RECORD_HEADER_BYTES,
} from "./records.ts";

export type { Clock, Device, DeviceSink, Timer };

/** Bytes of records that one direction holds. Full = `room()` is 0; what is sent all the same is dropped and counted. */
const CAPACITY_BYTES = 1 << 20;

/** Largest IP packet of Ethernet, bytes. RFC 894. */
const MTU = 1500;

/** Entries that were handed over are removed from the list once there are so many of them. */
const COMPACT_AFTER = 256;

/** Options of {@linkcode pipe}. */
export interface PipeOptions {
  /** When things are delivered. */
  readonly clock: Clock;
  /** Largest IP packet, bytes. Default 1500. */
  readonly mtu?: number;
  /** How long each way takes, ms. Default 0, which still means: not within the call. */
  readonly delayMs?: number;
  /** Bytes of records on their way in one direction. Default 1 MiB. */
  readonly capacityBytes?: number;
  /** OFFLOAD bits of both ends: what they may leave to each other. Default 0: plain frames, checksums complete. */
  readonly offload?: number;
}

/** One end of a pipe. */
export interface PipeDevice extends Device {
  /** Records sent from this end that were lost: no room, not valid, or nobody at the other end. */
  readonly dropped: number;
  /** OFFLOAD bits, as the pipe was made. */
  readonly offload: number;
}

/**
 * Makes a pipe.
 *
 * @param options Clock, delay and capacity.
 * @returns Its two ends. Closing one takes the link of the other down once what was on its way has arrived.
 * @throws RangeError if a number is out of range.
 * @example
 * ```ts
 * import { pipe } from "./pipe.ts";
 * import { systemClock } from "../runtime/system_clock.ts";
 * const [left, right] = pipe({ clock: systemClock(), delayMs: 20 });
 * left.close();
 * right.close();
 * ```
 */
export function pipe(options: PipeOptions): [PipeDevice, PipeDevice] {
  const { clock, mtu = MTU, delayMs = 0, capacityBytes = CAPACITY_BYTES, offload = 0 } = options;
  if (!(delayMs >= 0)) throw new RangeError(`Cannot delay by ${delayMs} ms: expected 0 or more`);
  if (!Number.isInteger(capacityBytes) || capacityBytes < 1) {
    throw new RangeError(`Cannot hold ${capacityBytes} bytes: expected 1 or more`);
  }
  const there = new Wire(clock, delayMs, capacityBytes, mtu);
  const back = new Wire(clock, delayMs, capacityBytes, mtu);
  return [new PipeEnd(mtu, offload, there, back), new PipeEnd(mtu, offload, back, there)];
}

class PipeEnd implements PipeDevice {
  readonly mtu: number;
  readonly offload: number;
  readonly #out: Wire;
  readonly #in: Wire;
  #closed = false;

  constructor(mtu: number, offload: number, out: Wire, into: Wire) {
    this.mtu = mtu;
    this.offload = offload;
    this.#out = out;
    this.#in = into;
  }

  get dropped(): number {
    return this.#out.dropped;
  }

  open(sink: DeviceSink): void {
    if (this.#closed) throw new TypeError("Cannot open a pipe: this end is closed");
    this.#in.receiver = sink;
    this.#out.sender = sink;
    if (this.#in.ended) sink.down(OTHER_END_CLOSED);
    else sink.up();
  }

  room(): number {
    return this.#out.room();
  }

  send(batch: Uint8Array): void {
    if (!this.#closed) this.#out.send(batch);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#in.cut();
    this.#out.end();
  }
}

const OTHER_END_CLOSED = "The other end of the pipe was closed";

/** What one `send()` left, or several of one moment: whole records, or the news that the end is closed. */
interface Entry {
  readonly dueMs: number;
  /** At most one batch; 0 = the sending end is closed. */
  bytes: number;
}

/** A moment that is past on every clock: as soon as possible. */
const AT_ONCE_MS = 0;

/**
 * One direction: a ring of bytes, and where in it each delivery begins and ends. Without delay, what finds nothing on its
 * way goes straight to where the receiver will read it: one copy, from memory to memory.
 */
class Wire {
  receiver: DeviceSink | null = null;
  sender: DeviceSink | null = null;
  /** The sending end is closed and everything it sent has been delivered. */
  ended = false;
  dropped = 0;
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #capacity: number;
  /** `room()` below this is too small; `ready()` follows when it is reached again. */
  readonly #enough: number;
  readonly #deliver: () => void;
  /** Largest record, bytes. */
  readonly #largest: number;
  #ring: Uint8Array | null = null;
  /** Records that wrap around the ring's end are put together here. */
  #joined: Uint8Array | null = null;
  #head = 0;
  #used = 0;
  /** Bytes of the receiver's landing that wait to be handed over, ahead of the ring's. */
  #landed = 0;
  #isHandingLanded = false;
  #entries: Entry[] = [];
  #first = 0;
  #timer: Timer | null = null;
  #starved = false;
  #isCut = false;

  constructor(clock: Clock, delayMs: number, capacity: number, mtu: number) {
    this.#largest = RECORD_HEADER_BYTES + ETHERNET_HEADER_BYTES + mtu;
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#capacity = capacity;
    this.#enough = Math.min(BATCH_BYTES, Math.ceil(capacity / 2));
    this.#deliver = () => this.#deliverDue();
  }

  room(): number {
    const left = Math.min(this.#left(), this.#landingLeft());
    if (left < this.#enough) this.#starved = true;
    return left;
  }

  /**
   * What the landing still takes, if that is where the next batch goes: rather later than through the ring. Less than a
   * record is none, so that nobody tries.
   */
  #landingLeft(): number {
    const landing = this.receiver?.landing;
    if (landing === undefined || this.#delayMs > 0 || this.#entries.length > this.#first) {
      return Infinity;
    }
    const left = landing.length - this.#landed;
    return left < this.#largest ? 0 : left;
  }

  #left(): number {
    return this.#capacity - this.#used - this.#landed;
  }

  send(batch: Uint8Array): void {
    const records = countRecords(batch);
    if (records === 0) return;
    const bytes = records < 0 ? 0 : bytesThatFit(batch, this.#left());
    if (records < 0) this.dropped++;
    else if (this.#isCut) this.dropped += records;
    else if (bytes < batch.length) this.dropped += countRecords(batch.subarray(bytes));
    if (this.#isCut || bytes === 0) return;
    const whole = bytes === batch.length ? batch : batch.subarray(0, bytes);
    if (!this.#land(whole)) {
      this.#store(whole);
      this.#queue(bytes);
    }
    if (this.#left() < this.#enough) this.#starved = true;
  }

  /** The sending end is closed: the receiver is told after everything else. */
  end(): void {
    this.sender = null;
    if (!this.#isCut) this.#queue(0);
  }

  /** The receiving end is closed: what is on its way is lost, and so is what is sent later. */
  cut(): void {
    this.#isCut = true;
    this.receiver = null;
    this.#timer?.cancel();
    this.#timer = null;
    this.#entries = [];
    this.#used = 0;
    this.#landed = 0;
    this.#ring = null;
    this.#joined = null;
  }

  /** Puts records where the receiver reads, behind those that wait there. @returns False if that can not be. */
  #land(bytes: Uint8Array): boolean {
    const landing = this.receiver?.landing;
    if (landing === undefined || this.#delayMs > 0 || this.#isHandingLanded) return false;
    if (this.#entries.length > this.#first || this.#landed + bytes.length > landing.length) {
      return false;
    }
    landing.set(bytes, this.#landed);
    this.#landed += bytes.length;
    this.#timer ??= this.#clock.at(AT_ONCE_MS, this.#deliver);
    return true;
  }

  #store(bytes: Uint8Array): void {
    this.#ring ??= new Uint8Array(this.#capacity);
    const tail = (this.#head + this.#used) % this.#capacity;
    const untilEnd = this.#capacity - tail;
    if (bytes.length <= untilEnd) this.#ring.set(bytes, tail);
    else {
      this.#ring.set(bytes.subarray(0, untilEnd), tail);
      this.#ring.set(bytes.subarray(untilEnd), 0);
    }
    this.#used += bytes.length;
  }

  #queue(bytes: number): void {
    const dueMs = this.#delayMs === 0 ? AT_ONCE_MS : this.#clock.now() + this.#delayMs;
    const last = this.#entries.length > this.#first ? this.#entries.at(-1) : undefined;
    if (last?.dueMs === dueMs && bytes > 0 && last.bytes + bytes <= BATCH_BYTES) {
      last.bytes += bytes;
    } else {
      this.#entries.push({ dueMs, bytes });
    }
    this.#timer ??= this.#clock.at(dueMs, this.#deliver);
  }

  #deliverDue(): void {
    this.#timer = null;
    const nowMs = this.#delayMs === 0 ? AT_ONCE_MS : this.#clock.now();
    if (this.#landed > 0) this.#handLanded();
    if (this.#isCut) return;
    for (;;) {
      const entry = this.#entries[this.#first];
      if (entry === undefined || entry.dueMs > nowMs) break;
      this.#first++;
      if (entry.bytes > 0) {
        this.#hand(entry.bytes + this.#takeDue(nowMs, BATCH_BYTES - entry.bytes));
      } else this.#finish();
      // The receiver may have closed its end meanwhile.
      if (this.#isCut) return;
    }
    if (this.#first >= COMPACT_AFTER || this.#first === this.#entries.length) {
      this.#entries.splice(0, this.#first);
      this.#first = 0;
    }
    const next = this.#entries[this.#first];
    // A send within receive() may have armed the timer already.
    if (next !== undefined) this.#timer ??= this.#clock.at(next.dueMs, this.#deliver);
    if (this.#starved && this.#left() >= this.#enough) {
      this.#starved = false;
      this.sender?.ready();
    }
  }

  /** Takes what is due besides and fits into the same batch: one turn of the receiver is for all of it. @returns Bytes. */
  #takeDue(nowMs: number, room: number): number {
    let bytes = 0;
    for (;;) {
      const entry = this.#entries[this.#first];
      if (entry === undefined || entry.dueMs > nowMs || entry.bytes === 0) return bytes;
      if (bytes + entry.bytes > room) return bytes;
      bytes += entry.bytes;
      this.#first++;
    }
  }

  /** Hands over what lies where the receiver reads. It may not be touched meanwhile. */
  #handLanded(): void {
    const bytes = this.#landed;
    const landing = this.receiver?.landing;
    if (landing === undefined) return;
    this.#isHandingLanded = true;
    try {
      this.receiver?.receive(landing.subarray(0, bytes));
    } finally {
      this.#isHandingLanded = false;
      this.#landed = 0;
    }
  }

  /** Hands over the oldest bytes; their place is free afterwards. */
  #hand(bytes: number): void {
    const batch = this.#view(bytes);
    if (this.receiver === null) this.dropped += countRecords(batch);
    else this.receiver.receive(batch);
    if (this.#isCut) return;
    this.#used -= bytes;
    // An empty ring begins anew: the same memory is used again while it is in the processor's cache.
    this.#head = this.#used === 0 ? 0 : (this.#head + bytes) % this.#capacity;
  }

  #view(bytes: number): Uint8Array {
    const ring = this.#ring ?? new Uint8Array(0);
    const untilEnd = this.#capacity - this.#head;
    if (bytes <= untilEnd) return ring.subarray(this.#head, this.#head + bytes);
    this.#joined ??= new Uint8Array(BATCH_BYTES);
    this.#joined.set(ring.subarray(this.#head), 0);
    this.#joined.set(ring.subarray(0, bytes - untilEnd), untilEnd);
    return this.#joined.subarray(0, bytes);
  }

  #finish(): void {
    this.ended = true;
    this.receiver?.down(OTHER_END_CLOSED);
  }
}

/**
 * A link that behaves as badly as it is told to: loss, duplication, corruption, reordering, delay, a narrow rate.
 *
 * It stands between a stack and another device and decides for each record alone. A super-segment is split first, so that
 * what happens happens to segments, as on a path behind a network card; what still belongs together afterwards and leaves at
 * the same moment is merged again. With a seeded source of randomness and a virtual clock every run is the same.
 */
import { OFFLOAD_CHECKSUM } from "../layout/layout.gen.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { below, chance, seededRandom } from "../runtime/seeded_random.ts";
import type { Device, DeviceSink } from "./device.ts";
import { hasSuper, Merger, Splitter } from "./edge.ts";
import { BATCH_BYTES, frameBytesAt, OFFLOAD_ALL, RECORD_HEADER_BYTES } from "./records.ts";

export type { Clock, Device, DeviceSink, Random, Timer };

/** Bytes of records that one direction holds back. Full = drop and count as overflow. */
const HELD_MAX_BYTES = 16 << 20;

/** Queue before a narrow rate, bytes, unless given: about what a home router has. */
const QUEUE_BYTES = 256 << 10;

/** Buffers of one size are kept and used again; a larger frame gets one of its own. */
const BUFFER_BYTES = 2048;

/** Buffers kept for later. */
const BUFFERS_MAX = 1024;

/** Records handed over that may stay at the front of the list before it is cut. */
const COMPACT_AFTER = 256;

/** Where the flags of the virtio-net header stand in a record; NEEDS_CSUM is one of them. */
const FLAGS_OFFSET = 4;

/** What goes wrong. Chances are 0 to 1 and apply to each record alone; all are 0 unless given. */
export interface Faults {
  /** Chance that a record is lost. 1 = a partition. */
  readonly loss?: number;
  /**
   * Makes loss a pattern: whether the n-th record of a direction is lost follows from this seed, `loss` and n alone, so
   * that two runs that send differently lose by the same pattern. Default: the dice of {@linkcode ImpairOptions}.
   */
  readonly lossSeed?: number;
  /** Chance that a record arrives twice. */
  readonly duplicate?: number;
  /**
   * Chance that one random bit of the frame is flipped. A frame whose checksum is still partial is dropped instead, as
   * a receiver would drop it had it crossed a wire.
   */
  readonly corrupt?: number;
  /** Chance that a record is held back for longer than those behind it, and for how long, ms. */
  readonly reorder?: { readonly chance: number; readonly minMs: number; readonly maxMs: number };
  /** How long every record takes, ms. */
  readonly delayMs?: number;
  /** How fast records leave, bytes per ms. 125 = 1 Mbit/s; infinity = no limit. */
  readonly rateBytesPerMs?: number;
  /**
   * Bytes that may wait for the rate (default 256 KiB), or without a rate be held at all (default 16 MiB). A record
   * that does not fit is dropped, as the bottleneck of a path does, and counted as overflow.
   */
  readonly queueBytes?: number;
}

/** Options of {@linkcode impair}. */
export interface ImpairOptions extends Faults {
  /** Where the dice come from. */
  readonly random: Random;
  /** When held records are delivered. */
  readonly clock: Clock;
  /** What the stack sends, what it receives, or both (default), each direction with a queue of its own. */
  readonly direction?: "out" | "in" | "both";
}

/** What happened, in records, after super-segments were split; both directions together. */
export interface ImpairCounters {
  /** Handed on, duplicates included. */
  passed: number;
  /** Dropped by chance. */
  lost: number;
  /** Handed on twice. */
  duplicated: number;
  /** Handed on with a flipped bit, or dropped because the checksum was partial. */
  corrupted: number;
  /** Given to the clock to be handed on later. */
  held: number;
  /** Dropped because a queue was full, or the device had no room when a held record was due. */
  overflow: number;
}

/** An impaired device. */
export interface ImpairedDevice extends Device {
  /** What happened so far. */
  readonly counters: Readonly<ImpairCounters>;
  /** Fulfilled when the device beneath knows its MAC address and MTU; at once for most. */
  readonly opened: Promise<unknown>;
  /**
   * Changes what goes wrong from now on; what is held stays held.
   *
   * @param faults Replaces those it names.
   */
  adjust(faults: Faults): void;
}

/**
 * Impairs a device.
 *
 * @param device What the records go through; owned and closed by the result.
 * @param options What goes wrong, how often, and the source of chance.
 * @throws RangeError if a chance, a time or a rate is out of range.
 * @example
 * ```ts
 * import { impair } from "./impair.ts";
 * import { pipe } from "./pipe.ts";
 * import { seededRandom } from "../runtime/seeded_random.ts";
 * import { VirtualClock } from "../runtime/virtual_clock.ts";
 * const clock = new VirtualClock();
 * const [left, right] = pipe({ clock });
 * const bad = impair(left, { clock, random: seededRandom(1), loss: 0.01, delayMs: 10 });
 * ```
 */
export function impair(device: Device, options: ImpairOptions): ImpairedDevice {
  return new Impaired(device, options);
}

class Impaired implements ImpairedDevice, DeviceSink {
  readonly counters: ImpairCounters = {
    passed: 0,
    lost: 0,
    duplicated: 0,
    corrupted: 0,
    held: 0,
    overflow: 0,
  };
  readonly #device: Device;
  readonly #out: Lane | null;
  readonly #in: Lane | null;
  #sink: DeviceSink | null = null;
  #closed = false;

  constructor(device: Device, options: ImpairOptions) {
    const { random, clock, direction = "both", ...faults } = options;
    checkFaults(faults);
    this.#device = device;
    const lane = (emit: (batch: Uint8Array) => void, roomOf: () => number): Lane =>
      new Lane(random, clock, faults, this.counters, emit, roomOf, () => this.offload);
    this.#out = direction === "in"
      ? null
      : lane((batch) => device.send(batch), () => device.room());
    this.#in = direction === "out"
      ? null
      : lane((batch) => this.#sink?.receive(batch), () => Infinity);
  }

  get mtu(): number {
    return this.#device.mtu;
  }

  /** Absent as long as the device beneath has none; the type of an optional property can not say so of a getter. */
  get mac(): Uint8Array {
    return this.#device.mac as Uint8Array;
  }

  get offload(): number {
    return this.#device.offload ?? 0;
  }

  get opened(): Promise<unknown> {
    return Promise.resolve("opened" in this.#device ? this.#device.opened : undefined);
  }

  adjust(faults: Faults): void {
    checkFaults(faults);
    this.#out?.adjust(faults);
    this.#in?.adjust(faults);
  }

  open(sink: DeviceSink): void {
    this.#sink = sink;
    this.#device.open(this);
  }

  /** A path that delays takes everything and drops what it can not hold; one that does not has the device's room. */
  room(): number {
    return this.#out?.delays() === true ? BATCH_BYTES : this.#device.room();
  }

  send(batch: Uint8Array): void {
    if (this.#closed) return;
    if (this.#out === null) this.#device.send(batch);
    else this.#out.take(batch);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sink = null;
    this.#out?.clear();
    this.#in?.clear();
    this.#device.close();
  }

  receive(batch: Uint8Array): void {
    if (this.#in === null) this.#sink?.receive(batch);
    else this.#in.take(batch);
  }

  ready(): void {
    this.#sink?.ready();
  }

  up(): void {
    this.#sink?.up();
  }

  down(reason: string): void {
    this.#sink?.down(reason);
  }
}

/** A record held back. */
interface Held {
  readonly dueMs: number;
  readonly buffer: Uint8Array;
  readonly bytes: number;
}

/** One direction. */
class Lane {
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #counters: ImpairCounters;
  readonly #emit: (batch: Uint8Array) => void;
  readonly #roomOf: () => number;
  readonly #offloadOf: () => number;
  readonly #deliver: () => void;
  /** Made for the first super-segment: from then on what leaves is merged. */
  #splitter: Splitter | null = null;
  #merger: Merger | null = null;
  /** One draw for each record, in order; null without a pattern. */
  #pattern: Random | null = null;
  /** Records that leave together; handed on when full and at the end of each call. */
  readonly #batch = new Uint8Array(BATCH_BYTES);
  #batchBytes = 0;
  #faults: Faults;
  /** By due time, equal ones in order of arrival. */
  #held: Held[] = [];
  #first = 0;
  #heldBytes = 0;
  /** When the last record before the bottleneck will have left it, ms. */
  #freeAtMs = 0;
  #buffers: Uint8Array[] = [];
  #timer: Timer | null = null;
  #timerAtMs = Infinity;

  constructor(
    random: Random,
    clock: Clock,
    faults: Faults,
    counters: ImpairCounters,
    emit: (batch: Uint8Array) => void,
    roomOf: () => number,
    offloadOf: () => number,
  ) {
    this.#random = random;
    this.#clock = clock;
    this.#faults = faults;
    this.#seedPattern(faults);
    this.#counters = counters;
    this.#emit = emit;
    this.#roomOf = roomOf;
    this.#offloadOf = offloadOf;
    this.#deliver = () => this.#deliverDue();
  }

  delays(): boolean {
    return (this.#faults.delayMs ?? 0) > 0 || this.#rate() !== Infinity;
  }

  adjust(faults: Faults): void {
    this.#faults = { ...this.#faults, ...faults };
    this.#seedPattern(faults);
  }

  #seedPattern({ lossSeed }: Faults): void {
    if (lossSeed !== undefined) this.#pattern = seededRandom(lossSeed);
  }

  /** A pattern draws for each record, also while nothing is lost: its n-th draw is the n-th record's. */
  #isLost(loss: number): boolean {
    return this.#pattern === null ? this.#happens(loss) : chance(this.#pattern, loss);
  }

  take(batch: Uint8Array): void {
    if (hasSuper(batch)) this.#takeSplit(batch);
    else this.#takeRecords(batch);
    this.#flush();
  }

  /** Checksums stay partial on a link that may leave them so. */
  #takeSplit(batch: Uint8Array): void {
    const bits = this.#offloadOf();
    const splitter = this.#splitter ??= new Splitter({ from: OFFLOAD_ALL, to: 0 });
    splitter.agree({ from: OFFLOAD_ALL, to: bits & OFFLOAD_CHECKSUM });
    splitter.load(batch);
    while (splitter.pending) this.#takeRecords(splitter.next(BATCH_BYTES));
    this.#merger ??= new Merger({ from: 0, to: 0 });
    this.#merger.agree({ from: bits, to: bits });
  }

  #takeRecords(batch: Uint8Array): void {
    let at = 0;
    while (at < batch.length) {
      const frameBytes = frameBytesAt(batch, at);
      if (frameBytes < 0) break;
      const end = at + RECORD_HEADER_BYTES + frameBytes;
      this.#takeRecord(batch.subarray(at, end));
      at = end;
    }
  }

  #rate(): number {
    return this.#faults.rateBytesPerMs ?? Infinity;
  }

  clear(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#held = [];
    this.#buffers = [];
    this.#first = 0;
    this.#heldBytes = 0;
    this.#batchBytes = 0;
  }

  /** Draws what happens to a record. A fault that is off draws nothing. */
  #takeRecord(record: Uint8Array): void {
    const { loss = 0, corrupt = 0, duplicate = 0 } = this.#faults;
    if (this.#isLost(loss)) {
      this.#counters.lost++;
      return;
    }
    let flippedBit = -1;
    if (record.length > RECORD_HEADER_BYTES && this.#happens(corrupt)) {
      this.#counters.corrupted++;
      if (record[FLAGS_OFFSET] !== 0) return;
      flippedBit = below(this.#random, (record.length - RECORD_HEADER_BYTES) * 8);
    }
    const isTwice = this.#happens(duplicate);
    this.#schedule(record, flippedBit);
    if (!isTwice) return;
    this.#counters.duplicated++;
    this.#schedule(record, flippedBit);
  }

  #happens(p: number): boolean {
    return p > 0 && chance(this.#random, p);
  }

  /** Decides when a record arrives: the rate, then the delay, then perhaps a detour. */
  #schedule(record: Uint8Array, flippedBit: number): void {
    const { reorder, delayMs = 0, queueBytes } = this.#faults;
    const rate = this.#rate();
    const nowMs = this.#clock.now();
    let dueMs = nowMs;
    if (rate !== Infinity) {
      const startMs = Math.max(nowMs, this.#freeAtMs);
      const waitingBytes = (startMs - nowMs) * rate;
      if (waitingBytes + record.length > (queueBytes ?? QUEUE_BYTES)) {
        this.#counters.overflow++;
        return;
      }
      dueMs = startMs + (record.length / rate);
      this.#freeAtMs = dueMs;
    }
    dueMs += delayMs;
    if (reorder !== undefined && this.#happens(reorder.chance)) {
      const stepsMs = below(this.#random, Math.floor(reorder.maxMs - reorder.minMs) + 1);
      dueMs += reorder.minMs + stepsMs;
    }
    if (dueMs > nowMs) this.#hold(record, flippedBit, dueMs);
    else this.#put(record, flippedBit);
  }

  #hold(record: Uint8Array, flippedBit: number, dueMs: number): void {
    const { queueBytes = HELD_MAX_BYTES } = this.#faults;
    const limit = this.#rate() === Infinity ? Math.min(queueBytes, HELD_MAX_BYTES) : HELD_MAX_BYTES;
    if (this.#heldBytes + record.length > limit) {
      this.#counters.overflow++;
      return;
    }
    const buffer = record.length > BUFFER_BYTES
      ? new Uint8Array(record.length)
      : this.#buffers.pop() ?? new Uint8Array(BUFFER_BYTES);
    buffer.set(record);
    flip(buffer, 0, flippedBit);
    this.#counters.held++;
    this.#heldBytes += record.length;
    this.#insert({ dueMs, buffer, bytes: record.length });
    this.#arm();
  }

  /** Looks for the place from the end: only a detour is not the last one. */
  #insert(held: Held): void {
    let index = this.#held.length;
    while (index > this.#first && (this.#held[index - 1]?.dueMs ?? 0) > held.dueMs) index--;
    if (index === this.#held.length) this.#held.push(held);
    else this.#held.splice(index, 0, held);
  }

  #arm(): void {
    const next = this.#held[this.#first];
    if (next === undefined || (this.#timer !== null && this.#timerAtMs <= next.dueMs)) return;
    this.#timer?.cancel();
    this.#timerAtMs = next.dueMs;
    this.#timer = this.#clock.at(next.dueMs, this.#deliver);
  }

  #deliverDue(): void {
    this.#timer = null;
    const nowMs = this.#clock.now();
    for (;;) {
      const held = this.#held[this.#first];
      if (held === undefined || held.dueMs > nowMs) break;
      this.#first++;
      this.#heldBytes -= held.bytes;
      this.#put(held.buffer.subarray(0, held.bytes), -1);
      if (held.buffer.length === BUFFER_BYTES && this.#buffers.length < BUFFERS_MAX) {
        this.#buffers.push(held.buffer);
      }
    }
    if (this.#first >= COMPACT_AFTER || this.#first === this.#held.length) {
      this.#held.splice(0, this.#first);
      this.#first = 0;
    }
    this.#flush();
    this.#arm();
  }

  /** Adds a record to those that leave together. */
  #put(record: Uint8Array, flippedBit: number): void {
    if (this.#batchBytes + record.length > BATCH_BYTES) this.#flush();
    // What was merged takes less room than its segments did.
    if (this.#merger !== null && this.#batchBytes + record.length > this.#roomOf()) this.#flush();
    if (this.#batchBytes + record.length > this.#roomOf()) {
      this.#counters.overflow++;
      return;
    }
    this.#batch.set(record, this.#batchBytes);
    flip(this.#batch, this.#batchBytes, flippedBit);
    this.#batchBytes += record.length;
    this.#counters.passed++;
  }

  #flush(): void {
    const bytes = this.#batchBytes;
    if (bytes === 0) return;
    this.#batchBytes = 0;
    const batch = this.#batch.subarray(0, bytes);
    const merged = this.#merger?.merge(batch) ?? batch;
    if (merged.length > 0) this.#emit(merged);
  }
}

/** Flips a bit of a record's frame; -1 = none. */
function flip(bytes: Uint8Array, recordAt: number, bit: number): void {
  if (bit < 0) return;
  const at = recordAt + RECORD_HEADER_BYTES + (bit >>> 3);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
}

function checkFaults(faults: Faults): void {
  const { loss, duplicate, corrupt, reorder, delayMs, rateBytesPerMs, queueBytes } = faults;
  for (const p of [loss, duplicate, corrupt, reorder?.chance]) {
    if (p !== undefined && !(p >= 0 && p <= 1)) {
      throw new RangeError(`Cannot impair with a chance of ${p}: expected 0 to 1`);
    }
  }
  if (reorder !== undefined && !(reorder.minMs >= 0 && reorder.maxMs >= reorder.minMs)) {
    throw new RangeError(
      `Cannot hold back for ${reorder.minMs} to ${reorder.maxMs} ms: expected 0 or more, in order`,
    );
  }
  for (const number of [delayMs, queueBytes]) {
    if (number !== undefined && !(number >= 0)) {
      throw new RangeError(`Cannot impair with ${number}: expected 0 or more ms or bytes`);
    }
  }
  if (rateBytesPerMs !== undefined && !(rateBytesPerMs > 0)) {
    throw new RangeError(`Cannot send ${rateBytesPerMs} bytes per ms: expected more than 0`);
  }
}

/**
 * Offload for a link that has none: the stack may send and receive super-segments, which are split before the link and
 * merged behind it. What crosses the link is what would have crossed it without: segments of the size that was agreed on,
 * each with a complete checksum that is verified on arrival.
 */
import type { Device, DeviceSink } from "./device.ts";
import { type EdgeCounters, type EdgeOptions, Merger, Splitter } from "./edge.ts";
import { BATCH_BYTES, frameBytesAt, OFFLOAD_ALL, RECORD_HEADER_BYTES } from "./records.ts";

export type { Device, DeviceSink, EdgeCounters, EdgeOptions };
export { prepareEdge } from "../core/edge_module.ts";
export { Merger, OFFLOAD_ALL, Splitter };

/** Below this room of the link not even the smallest Ethernet frame fits, bytes. */
const SMALLEST_RECORD_BYTES: number = RECORD_HEADER_BYTES + 60;

/** Where the virtio-net header stands in a record. */
const VNET_OFFSET = 4;

/** Options of {@linkcode offload}. */
export interface OffloadOptions {
  /** OFFLOAD bits that the stack is offered, beside those of the link. Default all of them. */
  readonly offload?: number;
}

/** A device with offload. */
export interface OffloadDevice extends Device {
  /** OFFLOAD bits: those of the link and those that are done here. */
  readonly offload: number;
  /** What was done on the way out, or null before there was anything to do. */
  readonly sent: EdgeCounters | null;
  /** What was done on the way in, or null before there was anything to do. */
  readonly received: EdgeCounters | null;
  /** Fulfilled when the device beneath knows its MAC address and MTU; at once for most. */
  readonly opened: Promise<unknown>;
}

/**
 * Gives a device offload.
 *
 * Splitting begins when the stack first asks for it, and merging when two frames first arrive together: until then nothing
 * is allocated. Each takes 384 KiB then.
 *
 * @param device What the records go through; owned and closed by the result.
 * @param options What the stack is offered.
 * @example
 * ```ts
 * import { offload } from "./offload.ts";
 * import { pipe } from "./pipe.ts";
 * import { VirtualClock } from "../runtime/virtual_clock.ts";
 * const [left] = pipe({ clock: new VirtualClock() });
 * const link = offload(left);
 * ```
 */
export function offload(device: Device, options: OffloadOptions = {}): OffloadDevice {
  return new Offloaded(device, options.offload ?? OFFLOAD_ALL);
}

class Offloaded implements OffloadDevice, DeviceSink {
  readonly #device: Device;
  readonly #wanted: number;
  #splitter: Splitter | null = null;
  #merger: Merger | null = null;
  #sink: DeviceSink | null = null;
  #closed = false;

  constructor(device: Device, wanted: number) {
    this.#device = device;
    this.#wanted = wanted;
  }

  get mtu(): number {
    return this.#device.mtu;
  }

  /** Absent as long as the device beneath has none; the type of an optional property can not say so of a getter. */
  get mac(): Uint8Array {
    return this.#device.mac as Uint8Array;
  }

  get offload(): number {
    return this.#linkBits() | this.#wanted;
  }

  get opened(): Promise<unknown> {
    return Promise.resolve("opened" in this.#device ? this.#device.opened : undefined);
  }

  get sent(): EdgeCounters | null {
    return this.#splitter?.counters ?? null;
  }

  get received(): EdgeCounters | null {
    return this.#merger?.counters ?? null;
  }

  open(sink: DeviceSink): void {
    this.#sink = sink;
    this.#device.open(this);
  }

  /**
   * A batch is taken whole or not at all: what it becomes may not fit into the link at once, and waits here. So there is
   * room for one if none waits and the link takes anything.
   */
  room(): number {
    this.#pump();
    if (this.#isWaiting()) return 0;
    const room = this.#device.room();
    if (room < SMALLEST_RECORD_BYTES) return 0;
    return this.#splits() ? BATCH_BYTES : room;
  }

  send(batch: Uint8Array): void {
    if (this.#closed || this.#isWaiting()) return;
    if (!this.#splits() || (isPlain(batch) && batch.length <= this.#device.room())) {
      this.#device.send(batch);
      return;
    }
    this.#splitter ??= new Splitter(this.#ways());
    this.#splitter.load(batch);
    this.#pump();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sink = null;
    this.#device.close();
    this.#splitter?.begin(0);
  }

  receive(batch: Uint8Array): void {
    const sink = this.#sink;
    if (sink === null) return;
    if (!this.#splits() || isOnePlain(batch)) {
      sink.receive(batch);
      return;
    }
    this.#merger ??= new Merger({ from: this.#linkBits(), to: this.offload });
    sink.receive(this.#merger.merge(batch));
  }

  ready(): void {
    this.#pump();
    if (!this.#isWaiting()) this.#sink?.ready();
  }

  /** Whom the link joins us to may have changed, and what he understands. */
  up(): void {
    this.#splitter?.agree(this.#ways());
    this.#merger?.agree({ from: this.#linkBits(), to: this.offload });
    this.#sink?.up();
  }

  down(reason: string): void {
    this.#sink?.down(reason);
  }

  #linkBits(): number {
    return this.#device.offload ?? 0;
  }

  #ways(): EdgeOptions {
    return { from: this.offload, to: this.#linkBits() };
  }

  /** Whether there is anything that the link can not do and the stack is offered. */
  #splits(): boolean {
    return (this.#wanted & ~this.#linkBits()) !== 0;
  }

  #isWaiting(): boolean {
    return this.#splitter?.pending === true;
  }

  /** Sends what waits, as far as the link has room. */
  #pump(): void {
    const splitter = this.#splitter;
    while (splitter?.pending === true && !this.#closed) {
      const records = splitter.next(this.#device.room());
      if (records.length === 0) return;
      this.#device.send(records);
    }
  }
}

/** Whether no record asks for anything. A damaged batch is not plain: who looks closer drops what is wrong with it. */
function isPlain(batch: Uint8Array): boolean {
  let at = 0;
  while (at < batch.length) {
    const frameBytes = frameBytesAt(batch, at);
    if (frameBytes < 0 || asksAt(batch, at)) return false;
    at += RECORD_HEADER_BYTES + frameBytes;
  }
  return true;
}

/** Whether it is one record that asks for nothing: nothing to merge with, and nothing to refuse. */
function isOnePlain(batch: Uint8Array): boolean {
  const frameBytes = frameBytesAt(batch, 0);
  return frameBytes + RECORD_HEADER_BYTES === batch.length && !asksAt(batch, 0);
}

/** Flags or a type of segmentation. */
function asksAt(batch: Uint8Array, at: number): boolean {
  return ((batch[at + VNET_OFFSET] ?? 0) | (batch[at + VNET_OFFSET + 1] ?? 0)) !== 0;
}

/**
 * Writes what a link carries as pcapng, for Wireshark and tshark.
 *
 * The writer is lossy and never waits: what it does not take is counted, and the frames go on.
 * Source: draft-ietf-opsawg-pcapng (PCAP Next Generation Capture File Format).
 */
import type { Clock, Timer } from "../runtime/clock.ts";
import type { Device, DeviceSink } from "./device.ts";
import { frameBytesAt, RECORD_HEADER_BYTES } from "./records.ts";

export type { Clock, Device, DeviceSink, Timer };

/** Section Header Block, section 4.1. */
const BLOCK_SECTION = 0x0a0d_0d0a;
/** Interface Description Block, section 4.2. */
const BLOCK_INTERFACE = 1;
/** Interface Statistics Block, section 4.6. */
const BLOCK_STATISTICS = 5;
/** Enhanced Packet Block, section 4.3. */
export const BLOCK_PACKET = 6;

/** Tells the byte order; written in ours, little-endian. */
const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
/** LINKTYPE_ETHERNET. */
const LINKTYPE_ETHERNET = 1;

const OPTION_IF_NAME = 2;
const OPTION_IF_TSRESOL = 9;
const OPTION_EPB_FLAGS = 2;
const OPTION_ISB_IFRECV = 4;
const OPTION_ISB_IFDROP = 5;
/** Timestamps count 10^-9 s. */
const TSRESOL_NANOSECONDS = 9;

/** Block type, two lengths and the 20 bytes of an Enhanced Packet Block, then flags and the end of options. */
const PACKET_OVERHEAD_BYTES = 12 + 20 + 12;
const PACKET_DATA_OFFSET = 28;
/** Block with two timestamps words, two 64-bit counters and the end of options. */
const STATISTICS_BYTES = 12 + 12 + 12 + 12 + 4;

/** Chunks are this large at most, bytes; a batch of full-sized frames fits in one. */
const CHUNK_BYTES = 160 << 10;

/** Frames are kept at full length: more than the largest record. */
const SNAP_BYTES = 262_144;

/** if_name is cut to this, bytes. */
const NAME_MAX_BYTES = 255;

/** VIRTIO_NET_HDR_F_NEEDS_CSUM, and where flags, csum_start and csum_offset stand in a record. */
const NEEDS_CSUM = 1;
const FLAGS_OFFSET = 4;
const CSUM_START_OFFSET = 10;
const CSUM_OFFSET_OFFSET = 12;

/** Nanoseconds of a millisecond. */
const NS_PER_MS = 1e6;

/** epb_flags, bits 0 and 1. */
export type CaptureDirection = "in" | "out";

/** Takes a chunk of whole blocks; valid only during the call. False = not taken, it is lost and counted. */
export type CaptureWriter = (chunk: Uint8Array) => boolean | void;

/** Options of {@linkcode pcapng}. */
export interface PcapngOptions {
  /** Where to. If it throws, the capture ends; the link goes on. */
  readonly write: CaptureWriter;
  /** When frames passed. */
  readonly clock: Clock;
  /** Name of the interface. Default `"tidewire"`. */
  readonly name?: string;
  /** Bytes kept of a frame. Default all. */
  readonly snapBytes?: number;
  /** Wall-clock time at 0 ms of the clock, ms since 1970: `Date.now() - clock.now()`. Default 0. */
  readonly epochMs?: number;
}

/** A captured device. */
export interface PcapngDevice extends Device {
  /** Frames that passed. */
  readonly frames: number;
  /** Frames that the writer did not take. */
  readonly dropped: number;
  /** What the writer threw, after which nothing more is captured; undefined as long as all is well. */
  readonly error: unknown;
  /** Fulfilled when the device beneath knows its MAC address and MTU; at once for most. */
  readonly opened: Promise<unknown>;
}

/**
 * Captures a device.
 *
 * @param device What the frames go through; owned and closed by the result.
 * @param options Writer, clock and names. Nothing is written before the first frame; `close()` writes the counters.
 * @throws RangeError if `snapBytes` is not positive.
 * @example
 * ```ts
 * import { pcapng } from "./pcapng.ts";
 * import { pipe } from "./pipe.ts";
 * import { systemClock } from "../runtime/system_clock.ts";
 * const clock = systemClock();
 * const [left, right] = pipe({ clock });
 * let bytes = 0;
 * const seen = pcapng(left, { clock, write: (chunk) => { bytes += chunk.length; } });
 * seen.close();
 * right.close();
 * ```
 */
export function pcapng(device: Device, options: PcapngOptions): PcapngDevice {
  return new Captured(device, options);
}

/**
 * Makes the beginning of a capture: section and one interface.
 *
 * @param options `name` of the interface; `snapBytes` kept of a frame.
 * @returns Two blocks.
 */
export function pcapngHeader(options: { name?: string; snapBytes?: number } = {}): Uint8Array {
  const { name = "tidewire", snapBytes = SNAP_BYTES } = options;
  const nameBytes = new TextEncoder().encode(name).subarray(0, NAME_MAX_BYTES);
  const sectionBytes = 28;
  const interfaceBytes = 20 + 4 + padded(nameBytes.length) + 8 + 4;
  const bytes = new Uint8Array(sectionBytes + interfaceBytes);
  const view = viewOf(bytes);
  writeFrame(view, 0, BLOCK_SECTION, sectionBytes);
  view.setUint32(8, BYTE_ORDER_MAGIC, true);
  view.setUint16(12, 1, true); // Version 1.0.
  view.setUint32(16, 0xffff_ffff, true); // Section length: not known.
  view.setUint32(20, 0xffff_ffff, true);
  const at = sectionBytes;
  writeFrame(view, at, BLOCK_INTERFACE, interfaceBytes);
  view.setUint16(at + 8, LINKTYPE_ETHERNET, true);
  view.setUint32(at + 12, snapBytes, true);
  view.setUint16(at + 16, OPTION_IF_NAME, true);
  view.setUint16(at + 18, nameBytes.length, true);
  bytes.set(nameBytes, at + 20);
  const resolutionAt = at + 20 + padded(nameBytes.length);
  view.setUint16(resolutionAt, OPTION_IF_TSRESOL, true);
  view.setUint16(resolutionAt + 2, 1, true);
  view.setUint8(resolutionAt + 4, TSRESOL_NANOSECONDS);
  return bytes;
}

/**
 * Makes the block of one frame.
 *
 * @param frame From the destination MAC on.
 * @param options `atMs`: ms since 1970; `direction`; `snapBytes` kept of it, default all.
 * @returns One block.
 */
export function pcapngPacket(
  frame: Uint8Array,
  options: { atMs: number; direction: CaptureDirection; snapBytes?: number },
): Uint8Array {
  const keptBytes = Math.min(frame.length, options.snapBytes ?? SNAP_BYTES);
  const bytes = new Uint8Array(PACKET_OVERHEAD_BYTES + padded(keptBytes));
  const time = timestampOf(options.atMs, 0);
  bytes.set(frame.subarray(0, keptBytes), PACKET_DATA_OFFSET);
  writePacket(viewOf(bytes), 0, keptBytes, frame.length, time, options.direction);
  return bytes;
}

/**
 * Makes the end of a capture: how many frames passed and how many of them are missing.
 *
 * @param options `atMs`: ms since 1970; `frames` passed, missing ones included; `dropped`: missing.
 * @returns One block.
 */
export function pcapngStatistics(
  options: { atMs: number; frames: number; dropped: number },
): Uint8Array {
  const bytes = new Uint8Array(STATISTICS_BYTES);
  const view = viewOf(bytes);
  const time = timestampOf(options.atMs, 0);
  writeFrame(view, 0, BLOCK_STATISTICS, STATISTICS_BYTES);
  view.setUint32(12, time.high, true);
  view.setUint32(16, time.low, true);
  const counters = [[OPTION_ISB_IFRECV, options.frames], [OPTION_ISB_IFDROP, options.dropped]];
  let at = 20;
  for (const [option = 0, value = 0] of counters) {
    view.setUint16(at, option, true);
    view.setUint16(at + 2, 8, true);
    view.setBigUint64(at + 4, BigInt(value), true);
    at += 12;
  }
  return bytes;
}

/** A 64-bit timestamp as pcapng has it: high word first. */
interface Timestamp {
  readonly high: number;
  readonly low: number;
}

/** Two addends, because their sum in ms has no room for nanoseconds in a double. */
function timestampOf(epochMs: number, elapsedMs: number): Timestamp {
  const whole = Math.floor(epochMs);
  const restNs = Math.round((epochMs - whole + elapsedMs) * NS_PER_MS);
  const ns = BigInt(whole) * BigInt(NS_PER_MS) + BigInt(restNs);
  return { high: Number((ns >> 32n) & 0xffff_ffffn), low: Number(ns & 0xffff_ffffn) };
}

class Captured implements PcapngDevice, DeviceSink {
  frames = 0;
  dropped = 0;
  error: unknown = undefined;
  readonly #device: Device;
  readonly #write: CaptureWriter;
  readonly #clock: Clock;
  readonly #epochMs: number;
  readonly #snapBytes: number;
  #chunk = new Uint8Array(CHUNK_BYTES);
  #view: DataView = viewOf(this.#chunk);
  #chunkBytes = 0;
  #chunkFrames = 0;
  /** Still to be written before everything else. */
  #header: Uint8Array | null;
  #broken = false;
  #sink: DeviceSink | null = null;
  #closed = false;

  constructor(device: Device, options: PcapngOptions) {
    const { snapBytes = SNAP_BYTES } = options;
    if (!(snapBytes > 0)) {
      throw new RangeError(`Cannot keep ${snapBytes} bytes of a frame: expected 1 or more`);
    }
    this.#device = device;
    this.#write = options.write;
    this.#clock = options.clock;
    this.#epochMs = options.epochMs ?? 0;
    this.#snapBytes = Math.floor(snapBytes);
    this.#header = pcapngHeader({ name: options.name ?? "tidewire", snapBytes: this.#snapBytes });
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

  open(sink: DeviceSink): void {
    this.#sink = sink;
    this.#device.open(this);
  }

  room(): number {
    return this.#device.room();
  }

  send(batch: Uint8Array): void {
    if (this.#closed) return;
    this.#capture(batch, "out");
    this.#device.send(batch);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sink = null;
    this.#device.close();
    const atMs = this.#epochMs + this.#clock.now();
    this.#offer(pcapngStatistics({ atMs, frames: this.frames, dropped: this.dropped }), 0);
  }

  receive(batch: Uint8Array): void {
    this.#capture(batch, "in");
    this.#sink?.receive(batch);
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

  /** Writes a batch as blocks of one time. */
  #capture(batch: Uint8Array, direction: CaptureDirection): void {
    const time = timestampOf(this.#epochMs, this.#clock.now());
    let at = 0;
    while (at < batch.length) {
      const frameBytes = frameBytesAt(batch, at);
      if (frameBytes < 0) break;
      this.#captureFrame(batch, at, frameBytes, time, direction);
      at += RECORD_HEADER_BYTES + frameBytes;
    }
    this.#flush();
  }

  #captureFrame(
    batch: Uint8Array,
    recordAt: number,
    frameBytes: number,
    time: Timestamp,
    direction: CaptureDirection,
  ): void {
    const keptBytes = Math.min(frameBytes, this.#snapBytes);
    const blockBytes = PACKET_OVERHEAD_BYTES + padded(keptBytes);
    if (this.#chunkBytes + blockBytes > CHUNK_BYTES) this.#flush();
    const at = this.#chunkBytes;
    const frameAt = recordAt + RECORD_HEADER_BYTES;
    const dataAt = at + PACKET_DATA_OFFSET;
    this.#chunk.set(batch.subarray(frameAt, frameAt + keptBytes), dataAt);
    this.#chunk.fill(0, dataAt + keptBytes, dataAt + padded(keptBytes));
    writePacket(this.#view, at, keptBytes, frameBytes, time, direction);
    if (((batch[recordAt + FLAGS_OFFSET] ?? 0) & NEEDS_CSUM) !== 0 && keptBytes === frameBytes) {
      completeChecksum(batch, recordAt, this.#view, dataAt, frameBytes);
    }
    this.#chunkBytes += blockBytes;
    this.#chunkFrames++;
  }

  #flush(): void {
    const chunkBytes = this.#chunkBytes;
    const chunkFrames = this.#chunkFrames;
    if (chunkBytes === 0) return;
    this.#chunkBytes = 0;
    this.#chunkFrames = 0;
    this.frames += chunkFrames;
    this.#offer(this.#chunk.subarray(0, chunkBytes), chunkFrames);
  }

  /** A writer that throws (a full disk) may have taken half a block: nothing more can follow. */
  #offer(chunk: Uint8Array, frames: number): void {
    try {
      if (!this.#broken && this.#header !== null && this.#write(this.#header) !== false) {
        this.#header = null;
      }
      if (!this.#broken && this.#header === null && this.#write(chunk) !== false) return;
    } catch (error) {
      this.#broken = true;
      this.error = error;
    }
    this.dropped += frames;
  }
}

/** Adds up what the sender left to the hardware, as it would have. Virtio 1.2, section 5.1.6.2. */
function completeChecksum(
  batch: Uint8Array,
  recordAt: number,
  view: DataView,
  dataAt: number,
  frameBytes: number,
): void {
  const start = u16At(batch, recordAt + CSUM_START_OFFSET);
  const field = start + u16At(batch, recordAt + CSUM_OFFSET_OFFSET);
  if (field + 2 > frameBytes) return;
  let sum = 0;
  let at = start;
  for (; at + 1 < frameBytes; at += 2) sum += view.getUint16(dataAt + at);
  if (at < frameBytes) sum += view.getUint8(dataAt + at) << 8;
  // At most 32,795 words: the sum stays below 2^32, and two folds suffice. RFC 1071 section 4.1.
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(dataAt + field, ~sum & 0xffff);
}

function u16At(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

/** Type in front and length on both sides. */
function writeFrame(view: DataView, at: number, type: number, bytes: number): void {
  view.setUint32(at, type, true);
  view.setUint32(at + 4, bytes, true);
  view.setUint32(at + bytes - 4, bytes, true);
}

/** Everything of a packet block but its data, which stands at PACKET_DATA_OFFSET. */
function writePacket(
  view: DataView,
  at: number,
  keptBytes: number,
  frameBytes: number,
  time: Timestamp,
  direction: CaptureDirection,
): void {
  writeFrame(view, at, BLOCK_PACKET, PACKET_OVERHEAD_BYTES + padded(keptBytes));
  view.setUint32(at + 8, 0, true); // The only interface.
  view.setUint32(at + 12, time.high, true);
  view.setUint32(at + 16, time.low, true);
  view.setUint32(at + 20, keptBytes, true);
  view.setUint32(at + 24, frameBytes, true);
  const optionsAt = at + PACKET_DATA_OFFSET + padded(keptBytes);
  view.setUint16(optionsAt, OPTION_EPB_FLAGS, true);
  view.setUint16(optionsAt + 2, 4, true);
  view.setUint32(optionsAt + 4, direction === "in" ? 1 : 2, true);
  view.setUint32(optionsAt + 8, 0, true); // End of options.
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Everything in a block is padded to 32 bits. */
function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}

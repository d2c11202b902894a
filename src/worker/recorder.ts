/** A link whose frames can be recorded while it runs. While nobody records, frames pass untouched. */
import { CaptureBuffer } from "../link/capture_buffer.ts";
import type { Device, DeviceSink } from "../link/device.ts";
import { pcapng, type PcapngDevice } from "../link/pcapng.ts";
import type { LinkState } from "../options.ts";
import type { Clock } from "../runtime/clock.ts";

/** Options of a {@linkcode RecordedLink}. */
export interface RecorderOptions {
  readonly clock: Clock;
  /** Wall-clock time at 0 ms of the clock, ms since 1970. */
  readonly epochMs: number;
  /** Bytes that a recording keeps. Full = the oldest frames go, and are counted. Default 8 MiB. */
  readonly capacityBytes?: number;
  /** The link came up or went down, also before a stack is attached to it. */
  readonly onLink: (state: LinkState) => void;
}

/** A running recording. */
interface Recording {
  readonly buffer: CaptureBuffer;
  /** Formats what is given to it. */
  readonly writer: PcapngDevice;
  /** What the writer takes for a link; it leads nowhere. */
  readonly link: DeadEnd;
}

/** A device around another one. It opens that one at once, so that its state is known before there is a stack. */
export class RecordedLink implements Device, DeviceSink {
  /** Fulfilled when the link's MAC and MTU are known. */
  readonly opened: Promise<unknown>;
  readonly #inner: Device;
  readonly #options: RecorderOptions;
  #sink: DeviceSink | null = null;
  #state: LinkState = { up: false, reason: "The link was not opened yet" };
  #recording: Recording | null = null;

  /**
   * @param inner The link; owned and closed by this one.
   * @param options Clock and listener.
   */
  constructor(inner: Device, options: RecorderOptions) {
    this.#inner = inner;
    this.#options = options;
    this.opened = Promise.resolve("opened" in inner ? inner.opened : undefined);
    // Who waits for it hears of a failure; for the others there is `onLink`.
    this.opened.catch(() => {});
    inner.open(this);
  }

  get mtu(): number {
    return this.#inner.mtu;
  }

  /** Absent as long as the link has none; the type of an optional property can not say so of a getter. */
  get mac(): Uint8Array {
    return this.#inner.mac as Uint8Array;
  }

  get offload(): number {
    return this.#inner.offload ?? 0;
  }

  open(sink: DeviceSink): void {
    this.#sink = sink;
    if (this.#state.up) sink.up();
    else sink.down(this.#state.reason);
  }

  room(): number {
    return this.#inner.room();
  }

  send(batch: Uint8Array): void {
    this.#recording?.writer.send(batch);
    this.#inner.send(batch);
  }

  close(): void {
    this.#sink = null;
    this.#inner.close();
  }

  /** Begins a recording; one that runs is forgotten. */
  start(): void {
    const { clock, epochMs, capacityBytes } = this.#options;
    const capacity = capacityBytes === undefined ? {} : { capacityBytes };
    const buffer = new CaptureBuffer(capacity);
    const link = new DeadEnd(this.#inner.mtu);
    const writer = pcapng(link, { clock, epochMs, write: (chunk) => buffer.write(chunk) });
    writer.open(IGNORE);
    this.#recording = { buffer, writer, link };
  }

  /** Ends the recording. @returns A pcapng file: empty but for its header if nothing was recorded. */
  stop(): Uint8Array<ArrayBuffer> {
    const recording = this.#recording;
    this.#recording = null;
    recording?.writer.close();
    return (recording?.buffer ?? new CaptureBuffer()).save();
  }

  receive(batch: Uint8Array): void {
    this.#recording?.link.sink?.receive(batch);
    this.#sink?.receive(batch);
  }

  ready(): void {
    this.#sink?.ready();
  }

  up(): void {
    this.#tell({ up: true, reason: "" });
    this.#sink?.up();
  }

  down(reason: string): void {
    this.#tell({ up: false, reason });
    this.#sink?.down(reason);
  }

  #tell(state: LinkState): void {
    this.#state = state;
    this.#options.onLink(state);
  }
}

/** A link that swallows everything. */
class DeadEnd implements Device {
  readonly mtu: number;
  sink: DeviceSink | null = null;

  constructor(mtu: number) {
    this.mtu = mtu;
  }

  open(sink: DeviceSink): void {
    this.sink = sink;
  }

  room(): number {
    return Infinity;
  }

  send(): void {}

  close(): void {
    this.sink = null;
  }
}

const IGNORE: DeviceSink = { receive() {}, ready() {}, up() {}, down() {} };

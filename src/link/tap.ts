/**
 * A Linux TAP device: frames straight from and to a real kernel.
 *
 * Reads are synchronous until the queue is empty and build records in place; only then the event loop waits, in Deno and
 * Bun a thread in `poll()`. Writes are synchronous. The calls go through the optional package koffi, one code path for Node, Bun and Deno
 * (`--allow-ffi`). An open TAP keeps the process alive and occupies, outside of Node, one thread of the runtime's pool.
 */
import process from "node:process";
import { clearImmediate, setImmediate } from "node:timers";
import { StackError } from "../errors.ts";
import type { Device, DeviceSink } from "./device.ts";
import {
  OFFLOAD_CHECKSUM,
  VNET_FLAG_NEEDS_CSUM,
  VNET_FLAGS,
  VNET_GSO_TYPE,
} from "../layout/layout.gen.ts";
import {
  BATCH_BYTES,
  ETHERNET_HEADER_BYTES,
  FRAME_MAX_BYTES,
  frameBytesAt,
  OFFLOAD_ALL,
  RECORD_HEADER_BYTES,
  VNET_HEADER_BYTES,
  writeRecordHeader,
  writeRecordLength,
} from "./records.ts";
import {
  attach,
  type Attachment,
  EAGAIN,
  EINTR,
  EINVAL,
  EIO,
  ENOBUFS,
  IFNAME_MAX_BYTES,
  loadNative,
  mtuOf,
  type Native,
  type Watch,
} from "./tap_native.ts";

export type { Device, DeviceSink };

/** Flags of eventfd(2) and events of poll(2). */
const EVENT_FLAGS = 0o4000 | 0o2000000; // EFD_NONBLOCK, EFD_CLOEXEC
const POLLIN = 0x001;
const POLLOUT = 0x004;
const POLLERR = 0x008;

/** Largest IP packet that one read can bring, bytes: the kernel's TCP builds super-segments up to it. RFC 791. */
const SUPER_PACKET_MAX_BYTES = 65_535;

/** The u32 in front of a record, bytes. */
const LENGTH_BYTES: number = RECORD_HEADER_BYTES - VNET_HEADER_BYTES;

/** An 802.1Q tag that the kernel hands over within the frame. */
const VLAN_TAG_BYTES = 4;

/** Batches per turn of the event loop, so that timers and sockets get theirs. */
const BATCHES_PER_TURN = 4;

/** poll() returns at least this often, ms: the only way to see that an idle device was set down. */
const POLL_TIMEOUT_MS = 1_000;

/** How often a deleted device is looked for, ms. */
const RETRY_MS = 500;

/** Options of {@linkcode openTap}. */
export interface TapOptions {
  /** Name of the interface, 1 to 15 characters. */
  readonly name: string;
  /** Largest IP packet, bytes. Default: the interface's own. */
  readonly mtu?: number;
  /** Makes the interface if there is none; it goes away with the process. Needs CAP_NET_ADMIN. Default false. */
  readonly create?: boolean;
  /**
   * Whether the kernel may hand over and take super-segments and partial checksums (`IFF_VNET_HDR`), which costs a tenth of
   * the CPU per byte. Default true; what the kernel granted is in `offload` of the device, 0 where it has none.
   */
  readonly offload?: boolean;
}

/** What passed, in frames. */
export interface TapCounters {
  /** Handed to the stack. */
  framesIn: number;
  /** Taken by the kernel. */
  framesOut: number;
  /** Not taken by the kernel: its queue was full, the device down or gone. A TAP has no back-pressure. */
  writeDrops: number;
  /** Larger than MTU (of super-segments: 65,535 bytes), Ethernet header and VLAN tag. */
  readDrops: number;
}

/** An open TAP. It has no `mac`: our end's must differ from the kernel's, so the stack makes one up. */
export interface TapDevice extends Device {
  /** Name of the interface. */
  readonly name: string;
  /** OFFLOAD bits that the kernel granted; 0 = plain frames. */
  readonly offload: number;
  /** What passed, and what did not. */
  readonly counters: Readonly<TapCounters>;
}

/**
 * Opens a TAP device.
 *
 * @param options Name, MTU, and whether to make it.
 * @returns The device; frames flow once a stack opens it. `close()` lets the process end.
 * @throws StackError `ENOTFOUND` (no such interface, no `/dev/net/tun`, no koffi), `EACCES` (not permitted),
 * `EADDRINUSE` (another process has it), `EPROTO` (it is no such TAP).
 * @throws TypeError if this is not Linux. RangeError if the name or MTU is not valid.
 * @example
 * ```ts ignore
 * import { openTap } from "./tap.ts";
 * const tap = await openTap({ name: "tap0" });
 * ```
 */
export async function openTap(options: TapOptions): Promise<TapDevice> {
  const { name, create = false, offload = true } = options;
  if (process.platform !== "linux") {
    throw new TypeError(`Cannot open TAP "${name}": it takes Linux, this is ${process.platform}`);
  }
  if (!/^[^\s/]+$/.test(name) || new TextEncoder().encode(name).length > IFNAME_MAX_BYTES) {
    throw new RangeError(`Cannot open TAP "${name}": expected a name of 1 to 15 bytes`);
  }
  const native = await loadNative(name);
  const attached = attach(native, name, create, offload ? OFFLOAD_ALL : 0);
  try {
    const mtu = options.mtu ?? mtuOf(native, name);
    if (!Number.isInteger(mtu) || mtu < 68 || mtu > FRAME_MAX_BYTES - ETHERNET_HEADER_BYTES) {
      throw new RangeError(`Cannot open TAP "${name}" with an MTU of ${mtu}: expected 68 to 65575`);
    }
    return new Tap(native, name, mtu, create, attached);
  } catch (error) {
    native.close(attached.fd);
    throw error;
  }
}

/** An array of struct pollfd: `int fd; short events; short revents`, in the machine's byte order. */
class PollFds {
  readonly bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #halves: Int16Array;

  constructor(count: number) {
    this.bytes = new Uint8Array(8 * count);
    this.#words = new Int32Array(this.bytes.buffer);
    this.#halves = new Int16Array(this.bytes.buffer);
  }

  set(index: number, fd: number, events: number): void {
    this.#words[2 * index] = fd;
    this.#halves[(4 * index) + 2] = events;
    this.#halves[(4 * index) + 3] = 0;
  }

  revents(index: number): number {
    return this.#halves[(4 * index) + 3] ?? 0;
  }
}

class Tap implements TapDevice {
  readonly name: string;
  readonly mtu: number;
  offload: number;
  readonly counters: TapCounters = { framesIn: 0, framesOut: 0, writeDrops: 0, readDrops: 0 };
  readonly #native: Native;
  readonly #create: boolean;
  /** Whether we asked for offloads, and ask again when the device comes back. */
  readonly #wanted: number;
  /** Whether each frame has a virtio-net header before it, as a record has. */
  #hasVnetHeader: boolean;
  #frameMax = 0;
  /** Where batches are built: the stack's own region, if it says where that is. */
  #batch: Uint8Array = new Uint8Array(0);
  #batchAddress = 0;
  /** The TAP, and the event that ends the wait. */
  readonly #pollFds = new PollFds(2);
  /** To ask without waiting. */
  readonly #askFds = new PollFds(1);
  readonly #eventCount = new Uint8Array(8);
  readonly #turn: () => void;
  /** -1 while the device is gone. */
  #fd: number;
  #eventFd: number;
  #watch: Watch | null = null;
  /** Whether it waits for the device to come up, too; null = it is not started. */
  #watched: boolean | null = null;
  #lookAgain: ReturnType<typeof setInterval> | null = null;
  #sink: DeviceSink | null = null;
  #closed = false;
  #isUp = false;
  #isPolling = false;
  #isDrained = false;
  #immediate: ReturnType<typeof setImmediate> | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;

  constructor(
    native: Native,
    name: string,
    mtu: number,
    create: boolean,
    attached: Attachment,
  ) {
    this.#native = native;
    this.name = name;
    this.mtu = mtu;
    this.#create = create;
    this.#wanted = attached.offload;
    this.offload = 0;
    this.#hasVnetHeader = false;
    this.#fd = -1;
    this.#attached(attached);
    this.#eventFd = native.eventfd(0, EVENT_FLAGS);
    if (this.#eventFd < 0) {
      throw new StackError("ENOBUFS", `Cannot open TAP "${name}": no file descriptors left`);
    }
    this.#turn = () => this.#drain();
  }

  open(sink: DeviceSink): void {
    if (this.#closed) throw new TypeError(`Cannot open TAP "${this.name}": it is closed`);
    this.#sink = sink;
    this.#batch = sink.landing ?? new Uint8Array(BATCH_BYTES);
    this.#batchAddress = this.#native.addressOf(this.#batch);
    this.#checkUp();
    if (!this.#isUp && this.#fd >= 0) sink.down(this.#downReason());
    this.#nextTurn();
  }

  /** Always a batch: a TAP drops at its end and tells nobody. */
  room(): number {
    return BATCH_BYTES;
  }

  send(batch: Uint8Array): void {
    if (this.#closed || batch.length === 0) return;
    const address = this.#native.addressOf(batch);
    let at = 0;
    while (at < batch.length) {
      const frameBytes = frameBytesAt(batch, at);
      if (frameBytes < 0) break;
      if (this.#hasVnetHeader) {
        this.#write(address + at + LENGTH_BYTES, VNET_HEADER_BYTES + frameBytes);
      } else if (isPlain(batch, at)) {
        this.#write(address + at + RECORD_HEADER_BYTES, frameBytes);
      } else {
        this.counters.writeDrops++;
      }
      at += RECORD_HEADER_BYTES + frameBytes;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sink = null;
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    if (this.#retry !== null) clearTimeout(this.#retry);
    if (this.#lookAgain !== null) clearInterval(this.#lookAgain);
    // A thread may be waiting on the descriptors: they are closed when it is back.
    if (this.#isPolling) this.#wake();
    else this.#closeAll();
  }

  #attached({ fd, hasVnetHeader, offload }: Attachment): void {
    this.#fd = fd;
    this.#watch = this.#native.watch?.(fd) ?? null;
    this.#hasVnetHeader = hasVnetHeader;
    this.offload = offload;
    const packetMax = offload > OFFLOAD_CHECKSUM ? SUPER_PACKET_MAX_BYTES : this.mtu;
    this.#frameMax = packetMax + ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES;
  }

  /** Writes a frame, with its virtio-net header where the device has them. */
  #write(address: number, bytes: number): void {
    if (!this.#isUp || this.#fd < 0) {
      this.counters.writeDrops++;
      return;
    }
    let written = this.#native.write(this.#fd, address, bytes);
    if (written < 0 && this.#native.errno() === EINTR) {
      written = this.#native.write(this.#fd, address, bytes);
    }
    if (written >= 0) {
      this.counters.framesOut++;
      return;
    }
    this.counters.writeDrops++;
    const errno = this.#native.errno();
    // Full queues pass; the rest says that the device is down (EIO) or gone, which poll() tells too.
    if (errno !== EAGAIN && errno !== ENOBUFS && errno !== EINVAL) this.#wake();
    if (errno === EIO && !this.#isPolling) this.#nextTurn();
  }

  /** Reads what is there, a bounded number of batches a turn; waits when nothing came. */
  #drain(): void {
    this.#immediate = null;
    if (!this.#isUp) this.#checkUp();
    if (this.#closed || this.#fd < 0) return;
    let framesRead = 0;
    for (let batches = 0; batches < BATCHES_PER_TURN && !this.#closed; batches++) {
      const before = this.counters.framesIn;
      const bytes = this.#fill();
      framesRead += this.counters.framesIn - before;
      if (bytes > 0) this.#sink?.receive(this.#batch.subarray(0, bytes));
      if (this.#isDrained || this.#fd < 0) break;
    }
    if (this.#closed || this.#fd < 0) return;
    // A device that has frames is up.
    if (framesRead === 0) this.#checkUp();
    if (this.#closed || this.#fd < 0) return;
    // After frames more are likely: one more look costs less than a thread that waits.
    if (this.#watch === null && (framesRead > 0 || !this.#isDrained)) this.#nextTurn();
    else this.#wait();
  }

  /** Builds records in place: the kernel's header is the record's. @returns Bytes of the batch. */
  #fill(): number {
    const ahead = this.#hasVnetHeader ? LENGTH_BYTES : RECORD_HEADER_BYTES;
    const headerBytes = RECORD_HEADER_BYTES - ahead;
    let at = 0;
    this.#isDrained = false;
    // One byte more than a frame may have, so that a larger one shows.
    while (BATCH_BYTES - at > RECORD_HEADER_BYTES + this.#frameMax) {
      const bytes = this.#native.read(
        this.#fd,
        this.#batchAddress + at + ahead,
        Math.min(BATCH_BYTES - at - ahead, headerBytes + FRAME_MAX_BYTES),
      );
      if (bytes <= headerBytes) {
        const errno = bytes < 0 ? this.#native.errno() : EAGAIN;
        if (errno === EINTR) continue;
        this.#isDrained = true;
        if (errno !== EAGAIN) this.#lose();
        return at;
      }
      const frameBytes = bytes - headerBytes;
      if (frameBytes > this.#frameMax) {
        this.counters.readDrops++;
        continue;
      }
      if (this.#hasVnetHeader) writeRecordLength(this.#batch, at, frameBytes);
      else writeRecordHeader(this.#batch, at, frameBytes);
      this.counters.framesIn++;
      at += RECORD_HEADER_BYTES + frameBytes;
    }
    return at;
  }

  /** Waits for frames, for the device to come up, or for `#wake()`. */
  #wait(): void {
    if (this.#watch !== null) return this.#watchOn(this.#watch);
    if (this.#isPolling) return;
    this.#isPolling = true;
    this.#pollFds.set(0, this.#fd, this.#isUp ? POLLIN : POLLIN | POLLOUT);
    this.#pollFds.set(1, this.#eventFd, POLLIN);
    this.#native.pollLater(this.#pollFds.bytes, 2, POLL_TIMEOUT_MS, (error, ready) => {
      this.#isPolling = false;
      if (this.#closed) return this.#closeAll();
      this.#native.read(this.#eventFd, this.#eventCount, this.#eventCount.length);
      if (error === null && ready >= 0) this.#drain();
      else this.#retryLater();
    });
  }

  /** The event loop saw something, or it is time to look whether the device was set down. */
  readonly #looked = (): void => this.#drain();

  /** It goes on watching while frames are read: each turn of the event loop in which there are more calls back. */
  #watchOn(watch: Watch): void {
    const isForUp = !this.#isUp;
    if (this.#watched === isForUp) return;
    if (this.#watched !== null) watch.stop();
    watch.start({ readable: true, writable: isForUp }, this.#looked);
    this.#watched = isForUp;
    this.#lookAgain ??= setInterval(this.#looked, POLL_TIMEOUT_MS);
  }

  #endWatch(): void {
    this.#watch?.close();
    this.#watch = null;
    this.#watched = null;
  }

  /** Ends the wait. */
  #wake(): void {
    if (this.#watch !== null) return this.#nextTurn();
    new BigUint64Array(this.#eventCount.buffer)[0] = 1n;
    this.#native.write(this.#eventFd, this.#eventCount, this.#eventCount.length);
  }

  #nextTurn(): void {
    if (!this.#closed && this.#fd >= 0) this.#immediate ??= setImmediate(this.#turn);
  }

  /** A TAP is writable exactly when it is up, in whichever namespace it lives, and in error once it is deleted. */
  #checkUp(): void {
    this.#askFds.set(0, this.#fd, POLLOUT);
    this.#native.poll(this.#askFds.bytes, 1, 0);
    const revents = this.#askFds.revents(0);
    if ((revents & POLLERR) !== 0) return this.#lose();
    const isUp = (revents & POLLOUT) !== 0;
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    if (isUp) this.#sink?.up();
    else this.#sink?.down(this.#downReason());
  }

  #downReason(): string {
    return `TAP "${this.name}" is down, set it up with "ip link set ${this.name} up"`;
  }

  /** The interface was deleted: looks for it until it is back. */
  #lose(): void {
    this.#endWatch();
    this.#native.close(this.#fd);
    this.#fd = -1;
    this.#isUp = false;
    this.#sink?.down(`TAP "${this.name}" is gone`);
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.#reattach();
    }, RETRY_MS);
  }

  #reattach(): void {
    if (this.#fd < 0) {
      try {
        this.#attached(attach(this.#native, this.name, this.#create, this.#wanted));
      } catch {
        // Not there yet, or another process was faster.
        return this.#retryLater();
      }
    }
    this.#nextTurn();
  }

  #closeAll(): void {
    this.#endWatch();
    if (this.#fd >= 0) this.#native.close(this.#fd);
    if (this.#eventFd >= 0) this.#native.close(this.#eventFd);
    this.#fd = -1;
    this.#eventFd = -1;
  }
}

/** Whether a record asks for nothing: without the header there is nobody to do it. */
function isPlain(batch: Uint8Array, at: number): boolean {
  return ((batch[at + LENGTH_BYTES + VNET_FLAGS] ?? 0) & VNET_FLAG_NEEDS_CSUM) === 0 &&
    batch[at + LENGTH_BYTES + VNET_GSO_TYPE] === 0;
}

/**
 * A Linux TAP device: frames straight from and to a real kernel.
 *
 * Reads are synchronous until the queue is empty and build records in place; only then a thread waits in `poll()`.
 * Writes are synchronous. The calls go through the optional package koffi, one code path for Node, Bun and Deno
 * (`--allow-ffi`). An open TAP occupies one thread of the runtime's pool and keeps the process alive.
 */
import process from "node:process";
import { clearImmediate, setImmediate } from "node:timers";
import { StackError } from "../errors.ts";
import type { Device, DeviceSink } from "./device.ts";
import {
  BATCH_BYTES,
  ETHERNET_HEADER_BYTES,
  FRAME_MAX_BYTES,
  frameBytesAt,
  RECORD_HEADER_BYTES,
  writeRecordHeader,
} from "./records.ts";

export type { Device, DeviceSink };

/** Flags and requests of Linux: open(2), eventfd(2), linux/if_tun.h, linux/sockios.h. */
const OPEN_FLAGS = 0o2 | 0o4000 | 0o2000000; // O_RDWR, O_NONBLOCK, O_CLOEXEC
const EVENT_FLAGS = 0o4000 | 0o2000000;
const TUNSETIFF = 0x4004_54ca;
const TUNSETOFFLOAD = 0x4004_54d0;
const SIOCGIFMTU = 0x8921;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const AF_INET = 2;
const SOCK_DGRAM = 2;
const POLLIN = 0x001;
const POLLOUT = 0x004;
const POLLERR = 0x008;
const [EPERM, ENOENT, EINTR, EIO, ENXIO, EAGAIN] = [1, 2, 4, 5, 6, 11] as const;
const [EACCES, EBUSY, ENODEV, EINVAL, ENOBUFS] = [13, 16, 19, 22, 105] as const;

/** struct ifreq: 16 bytes of name, then a union. */
const IFREQ_BYTES = 40;
const IFNAME_MAX_BYTES = 15;

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
}

/** What passed, in frames. */
export interface TapCounters {
  /** Handed to the stack. */
  framesIn: number;
  /** Taken by the kernel. */
  framesOut: number;
  /** Not taken by the kernel: its queue was full, the device down or gone. A TAP has no back-pressure. */
  writeDrops: number;
  /** Larger than MTU, Ethernet header and VLAN tag. */
  readDrops: number;
}

/** An open TAP. It has no `mac`: our end's must differ from the kernel's, so the stack makes one up. */
export interface TapDevice extends Device {
  /** Name of the interface. */
  readonly name: string;
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
  const { name, create = false } = options;
  if (process.platform !== "linux") {
    throw new TypeError(`Cannot open TAP "${name}": it takes Linux, this is ${process.platform}`);
  }
  if (!/^[^\s/]+$/.test(name) || new TextEncoder().encode(name).length > IFNAME_MAX_BYTES) {
    throw new RangeError(`Cannot open TAP "${name}": expected a name of 1 to 15 bytes`);
  }
  const native = await loadNative(name);
  const fd = attach(native, name, create);
  try {
    const mtu = options.mtu ?? mtuOf(native, name);
    if (!Number.isInteger(mtu) || mtu < 68 || mtu > FRAME_MAX_BYTES - ETHERNET_HEADER_BYTES) {
      throw new RangeError(`Cannot open TAP "${name}" with an MTU of ${mtu}: expected 68 to 65575`);
    }
    return new Tap(native, name, mtu, create, fd);
  } catch (error) {
    native.close(fd);
    throw error;
  }
}

/** The calls of libc that we need. A pointer is a number: an address below 2^53. */
interface Native {
  open(path: string, flags: number): number;
  close(fd: number): number;
  read(fd: number, into: number | Uint8Array, bytes: number): number;
  write(fd: number, from: number | Uint8Array, bytes: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  ioctlValue(fd: number, request: number, argument: number): number;
  socket(domain: number, type: number, protocol: number): number;
  eventfd(count: number, flags: number): number;
  nameToIndex(name: string): number;
  poll(fds: Uint8Array, count: number, timeoutMs: number): number;
  pollLater(
    fds: Uint8Array,
    count: number,
    timeoutMs: number,
    done: (error: unknown, ready: number) => void,
  ): void;
  errno(): number;
  addressOf(bytes: Uint8Array): number;
}

let loading: Promise<Native> | undefined;

async function loadNative(name: string): Promise<Native> {
  loading ??= bindLibc();
  try {
    return await loading;
  } catch (error) {
    loading = undefined;
    const reason = error instanceof Error ? error.message : String(error);
    const isMissing = /cannot find|not found|not a dependency/i.test(reason);
    throw new StackError(
      isMissing ? "ENOTFOUND" : "EACCES",
      isMissing
        ? `Cannot open TAP "${name}": the optional package koffi is missing, install it with "npm install koffi"`
        : `Cannot open TAP "${name}": koffi does not load (${reason}), in Deno it takes --allow-ffi`,
    );
  }
}

async function bindLibc(): Promise<Native> {
  const { default: koffi } = await import("koffi");
  // The symbols of the process itself: works with every libc.
  const libc = koffi.load(null);
  const poll = libc.func("int poll(void *fds, unsigned long count, int timeout)");
  return {
    open: libc.func("int open(const char *path, int flags)"),
    close: libc.func("int close(int fd)"),
    read: libc.func("long read(int fd, void *into, unsigned long bytes)"),
    write: libc.func("long write(int fd, const void *from, unsigned long bytes)"),
    ioctl: libc.func("int ioctl(int fd, unsigned long request, void *argument)"),
    ioctlValue: libc.func("ioctl", "int", ["int", "unsigned long", "unsigned long"]),
    socket: libc.func("int socket(int domain, int type, int protocol)"),
    eventfd: libc.func("int eventfd(unsigned int count, int flags)"),
    nameToIndex: libc.func("unsigned int if_nametoindex(const char *name)"),
    poll,
    pollLater: poll.async,
    errno: () => koffi.errno(),
    addressOf: (bytes) => Number(koffi.address(bytes)),
  };
}

/** An ifreq with the name in its place and a 16-bit value behind it, in the machine's byte order. */
function ifreqOf(name: string, flags: number): Uint8Array {
  const bytes = new Uint8Array(IFREQ_BYTES);
  new TextEncoder().encodeInto(name, bytes);
  new Uint16Array(bytes.buffer)[8] = flags;
  return bytes;
}

/** Opens the clone device and attaches it to the interface. */
function attach(native: Native, name: string, create: boolean): number {
  // Asked of the kernel and not of /sys, which may show another network namespace.
  if (!create && native.nameToIndex(name) === 0) {
    throw new StackError(
      "ENOTFOUND",
      `Cannot open TAP "${name}": there is no such interface, make it with "ip tuntap add ${name} mode tap"`,
    );
  }
  const fd = native.open("/dev/net/tun", OPEN_FLAGS);
  if (fd < 0) throw attachError(name, native.errno(), true);
  // Plain frames: neither a packet information header nor a virtio-net header.
  if (native.ioctl(fd, TUNSETIFF, ifreqOf(name, IFF_TAP | IFF_NO_PI)) < 0) {
    const errno = native.errno();
    native.close(fd);
    throw attachError(name, errno, false);
  }
  // Offloads outlive the process that asked for them; without the header, checksums must be complete.
  native.ioctlValue(fd, TUNSETOFFLOAD, 0);
  return fd;
}

function attachError(name: string, errno: number, isCloneDevice: boolean): StackError {
  const what = `Cannot open TAP "${name}"`;
  if (isCloneDevice && (errno === ENOENT || errno === ENODEV || errno === ENXIO)) {
    return new StackError(
      "ENOTFOUND",
      `${what}: there is no /dev/net/tun, load the module "tun" or give the container --device /dev/net/tun`,
    );
  }
  switch (errno) {
    case EPERM:
    case EACCES:
      return new StackError(
        "EACCES",
        `${what}: not permitted, make it beforehand with "ip tuntap add ${name} mode tap user $USER" or run with CAP_NET_ADMIN`,
      );
    case EBUSY:
      return new StackError(
        "EADDRINUSE",
        `${what}: another process has it open, end that one or take another name`,
      );
    case EINVAL:
      return new StackError(
        "EPROTO",
        `${what}: the interface is no single-queue TAP, make one with "ip tuntap add NAME mode tap"`,
      );
    default:
      return new StackError("EPROTO", `${what}: errno ${errno}`);
  }
}

function mtuOf(native: Native, name: string): number {
  const socket = native.socket(AF_INET, SOCK_DGRAM, 0);
  const request = ifreqOf(name, 0);
  const failed = socket < 0 || native.ioctl(socket, SIOCGIFMTU, request) < 0;
  if (socket >= 0) native.close(socket);
  if (failed) throw new StackError("EPROTO", `Cannot read the MTU of TAP "${name}": pass "mtu"`);
  return new Int32Array(request.buffer)[4] ?? 0;
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
  readonly counters: TapCounters = { framesIn: 0, framesOut: 0, writeDrops: 0, readDrops: 0 };
  readonly #native: Native;
  readonly #create: boolean;
  readonly #frameMax: number;
  readonly #batch = new Uint8Array(BATCH_BYTES);
  readonly #batchAddress: number;
  /** The TAP, and the event that ends the wait. */
  readonly #pollFds = new PollFds(2);
  /** To ask without waiting. */
  readonly #askFds = new PollFds(1);
  readonly #eventCount = new Uint8Array(8);
  readonly #turn: () => void;
  /** -1 while the device is gone. */
  #fd: number;
  #eventFd: number;
  #sink: DeviceSink | null = null;
  #closed = false;
  #isUp = false;
  #isPolling = false;
  #isDrained = false;
  #immediate: ReturnType<typeof setImmediate> | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;

  constructor(native: Native, name: string, mtu: number, create: boolean, fd: number) {
    this.#native = native;
    this.name = name;
    this.mtu = mtu;
    this.#create = create;
    this.#frameMax = mtu + ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES;
    this.#batchAddress = native.addressOf(this.#batch);
    this.#fd = fd;
    this.#eventFd = native.eventfd(0, EVENT_FLAGS);
    if (this.#eventFd < 0) {
      throw new StackError("ENOBUFS", `Cannot open TAP "${name}": no file descriptors left`);
    }
    this.#turn = () => this.#drain();
  }

  open(sink: DeviceSink): void {
    if (this.#closed) throw new TypeError(`Cannot open TAP "${this.name}": it is closed`);
    this.#sink = sink;
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
      this.#write(address + at + RECORD_HEADER_BYTES, frameBytes);
      at += RECORD_HEADER_BYTES + frameBytes;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sink = null;
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    if (this.#retry !== null) clearTimeout(this.#retry);
    // A thread may be waiting on the descriptors: they are closed when it is back.
    if (this.#isPolling) this.#wake();
    else this.#closeAll();
  }

  #write(address: number, frameBytes: number): void {
    if (!this.#isUp || this.#fd < 0) {
      this.counters.writeDrops++;
      return;
    }
    let written = this.#native.write(this.#fd, address, frameBytes);
    if (written < 0 && this.#native.errno() === EINTR) {
      written = this.#native.write(this.#fd, address, frameBytes);
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
    this.#checkUp();
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
    // After frames more are likely: one more look costs less than a thread that waits.
    if (framesRead > 0 || !this.#isDrained) this.#nextTurn();
    else this.#wait();
  }

  /** Builds records in place. @returns Bytes of the batch. */
  #fill(): number {
    let at = 0;
    this.#isDrained = false;
    // One byte more than a frame may have, so that a larger one shows.
    while (BATCH_BYTES - at > RECORD_HEADER_BYTES + this.#frameMax) {
      const frameAt = at + RECORD_HEADER_BYTES;
      const frameBytes = this.#native.read(
        this.#fd,
        this.#batchAddress + frameAt,
        Math.min(BATCH_BYTES - frameAt, FRAME_MAX_BYTES),
      );
      if (frameBytes <= 0) {
        const errno = frameBytes < 0 ? this.#native.errno() : EAGAIN;
        if (errno === EINTR) continue;
        this.#isDrained = true;
        if (errno !== EAGAIN) this.#lose();
        return at;
      }
      if (frameBytes > this.#frameMax) {
        this.counters.readDrops++;
        continue;
      }
      writeRecordHeader(this.#batch, at, frameBytes);
      this.counters.framesIn++;
      at = frameAt + frameBytes;
    }
    return at;
  }

  /** Lets a thread wait for frames, for the device to come up, or for `#wake()`. */
  #wait(): void {
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

  /** Ends the wait of the thread. */
  #wake(): void {
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
        this.#fd = attach(this.#native, this.name, this.#create);
      } catch {
        // Not there yet, or another process was faster.
        return this.#retryLater();
      }
    }
    this.#nextTurn();
  }

  #closeAll(): void {
    if (this.#fd >= 0) this.#native.close(this.#fd);
    if (this.#eventFd >= 0) this.#native.close(this.#eventFd);
    this.#fd = -1;
    this.#eventFd = -1;
  }
}

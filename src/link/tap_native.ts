/**
 * What Linux offers for a TAP: the calls of libc through koffi, the requests of `linux/if_tun.h`, and how a descriptor is
 * attached to an interface. {@linkcode "./tap.ts"} is made of it.
 */
import process from "node:process";
import { StackError } from "../errors.ts";
import { OFFLOAD_CHECKSUM } from "../layout/layout.gen.ts";
import { VNET_HEADER_BYTES } from "./records.ts";

/** Flags and requests of Linux: open(2), linux/if_tun.h, linux/sockios.h. */
const OPEN_FLAGS = 0o2 | 0o4000 | 0o2000000; // O_RDWR, O_NONBLOCK, O_CLOEXEC
const TUNSETIFF = 0x4004_54ca;
const TUNSETOFFLOAD = 0x4004_54d0;
const TUNSETVNETHDRSZ = 0x4004_54d8;
const TUNSETVNETLE = 0x4004_54dc;
const SIOCGIFMTU = 0x8921;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const AF_INET = 2;
const SOCK_DGRAM = 2;

/** Longest name of an interface, bytes. */
export const IFNAME_MAX_BYTES = 15;

/** Errors of reads and writes that are told apart. Source: errno(3). */
export const EINTR = 4;
export const EIO = 5;
export const EAGAIN = 11;
export const EINVAL = 22;
export const ENOBUFS = 105;

/** Errors of attaching. */
const [EPERM, ENOENT, ENXIO, EACCES, EBUSY, ENODEV] = [1, 2, 6, 13, 16, 19] as const;

/** struct ifreq: 16 bytes of name, then a union. */
const IFREQ_BYTES = 40;

/** Waits for a descriptor in the event loop. */
export interface Watch {
  /** Calls back in each turn in which the descriptor is ready or in error, until `stop()`. */
  start(events: { readable: boolean; writable: boolean }, callback: () => void): void;
  stop(): void;
  /** Before the descriptor itself is closed. */
  close(): void;
}

/** The calls of libc that we need. A pointer is a number: an address below 2^53. */
export interface Native {
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
  /** Waits for a descriptor without a thread; null where the runtime has no such thing. */
  readonly watch: ((fd: number) => Watch) | null;
  errno(): number;
  addressOf(bytes: Uint8Array): number;
}

let loading: Promise<Native> | undefined;

/**
 * Binds libc.
 *
 * @param name Of the TAP, for the error.
 * @throws StackError `ENOTFOUND` without koffi, `EACCES` where it does not load.
 */
export async function loadNative(name: string): Promise<Native> {
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
    // Bun panics at it, and Deno does it once each time and no cheaper than a thread, which costs Node 14 µs of CPU and more.
    watch: isNode()
      ? (fd) => {
        const handle = koffi.node.poll(fd, () => {});
        handle.stop();
        return handle;
      }
      : null,
    errno: () => koffi.errno(),
    addressOf: (bytes) => Number(koffi.address(bytes)),
  };
}

function isNode(): boolean {
  return process.versions["deno"] === undefined && process.versions["bun"] === undefined;
}

/** An ifreq with the name in its place and a 16-bit value behind it, in the machine's byte order. */
function ifreqOf(name: string, flags: number): Uint8Array {
  const bytes = new Uint8Array(IFREQ_BYTES);
  new TextEncoder().encodeInto(name, bytes);
  new Uint16Array(bytes.buffer)[8] = flags;
  return bytes;
}

/** A descriptor that is attached to its interface. */
export interface Attachment {
  readonly fd: number;
  /** Whether each frame has a virtio-net header before it. */
  readonly hasVnetHeader: boolean;
  /** OFFLOAD bits: what the kernel may hand over and takes. */
  readonly offload: number;
}

/**
 * Opens the clone device and attaches it to the interface.
 *
 * @param create Whether the interface may be made.
 * @param offload OFFLOAD bits that are wanted; 0 = plain frames, without virtio-net header.
 * @throws StackError as `openTap()` does.
 */
export function attach(
  native: Native,
  name: string,
  create: boolean,
  offload: number,
): Attachment {
  // Asked of the kernel and not of /sys, which may show another network namespace.
  if (!create && native.nameToIndex(name) === 0) {
    throw new StackError(
      "ENOTFOUND",
      `Cannot open TAP "${name}": there is no such interface, make it with "ip tuntap add ${name} mode tap"`,
    );
  }
  if (offload !== 0) {
    const attached = attachWithHeader(native, name, offload);
    if (attached !== null) return attached;
  }
  const fd = openClone(native, name);
  setInterface(native, fd, name, IFF_TAP | IFF_NO_PI);
  // Offloads outlive the process that asked for them; without the header, checksums must be complete.
  native.ioctlValue(fd, TUNSETOFFLOAD, 0);
  return { fd, hasVnetHeader: false, offload: 0 };
}

function openClone(native: Native, name: string): number {
  const fd = native.open("/dev/net/tun", OPEN_FLAGS);
  if (fd < 0) throw attachError(name, native.errno(), true);
  return fd;
}

function setInterface(native: Native, fd: number, name: string, flags: number): void {
  if (native.ioctl(fd, TUNSETIFF, ifreqOf(name, flags)) >= 0) return;
  const errno = native.errno();
  native.close(fd);
  throw attachError(name, errno, false);
}

/**
 * With a virtio-net header of 10 bytes, little-endian. The bits of TUNSETOFFLOAD are those of OFFLOAD: TUN_F_CSUM, TSO4,
 * TSO6, TSO_ECN. A kernel that refuses all of them is asked for checksums alone.
 *
 * @returns Null if the kernel has no such header, or none that it could be asked to fill in.
 */
function attachWithHeader(native: Native, name: string, offload: number): Attachment | null {
  const fd = openClone(native, name);
  setInterface(native, fd, name, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
  // Both outlive the process that set them, as the offloads do.
  const isOurs = native.ioctl(fd, TUNSETVNETHDRSZ, int32Of(VNET_HEADER_BYTES)) >= 0 &&
    native.ioctl(fd, TUNSETVNETLE, int32Of(1)) >= 0;
  for (const bits of [offload, offload & OFFLOAD_CHECKSUM]) {
    if (isOurs && bits !== 0 && native.ioctlValue(fd, TUNSETOFFLOAD, bits) >= 0) {
      return { fd, hasVnetHeader: true, offload: bits };
    }
  }
  native.close(fd);
  return null;
}

/** The argument of a request that takes a pointer to an int. */
function int32Of(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
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

/** @returns The interface's MTU, bytes. */
export function mtuOf(native: Native, name: string): number {
  const socket = native.socket(AF_INET, SOCK_DGRAM, 0);
  const request = ifreqOf(name, 0);
  const failed = socket < 0 || native.ioctl(socket, SIOCGIFMTU, request) < 0;
  if (socket >= 0) native.close(socket);
  if (failed) throw new StackError("EPROTO", `Cannot read the MTU of TAP "${name}": pass "mtu"`);
  return new Int32Array(request.buffer)[4] ?? 0;
}

/**
 * Reads captures: pcapng, and the older pcap that tcpdump writes. Input is untrusted: every length is checked before it is
 * used, and a file that ends in the middle of a block gives what stands before.
 *
 * Source: draft-ietf-opsawg-pcapng-02 and draft-ietf-opsawg-pcap-04.
 */

/** A packet of a capture. */
export interface CapturedPacket {
  /** When, µs since 1970 or since whatever the capture counts from. */
  readonly timeUs: number;
  /** The frame as far as it was captured; a view, valid as long as the file's bytes are. */
  readonly frame: Uint8Array;
  /** How long it was on the wire, bytes. */
  readonly originalBytes: number;
  /** LINKTYPE of its interface: 1 = Ethernet, 101 = raw IP. */
  readonly linkType: number;
}

/** The link type of Ethernet. */
export const LINKTYPE_ETHERNET = 1;
/** The link type of packets that begin with their IP header. */
export const LINKTYPE_RAW = 101;

/** What can not be read. */
export class CaptureError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CaptureError";
  }
}

const BLOCK_SECTION = 0x0a0d_0d0a;
const BLOCK_INTERFACE = 1;
const BLOCK_SIMPLE_PACKET = 3;
const BLOCK_ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
/** Type, length, and length again. */
const BLOCK_OVERHEAD_BYTES = 12;
/** A block larger than that is an error, bytes: 16 MiB, as other readers have it. */
const BLOCK_MAX_BYTES: number = 16 << 20;
/** Interfaces of one section that are remembered; packets of others are skipped. */
const INTERFACES_MAX = 4096;
const OPTION_END = 0;
const OPTION_TSRESOL = 9;
/** Unless told otherwise a time counts µs. */
const TSRESOL_DEFAULT = 6;
/** In a resolution: it is a power of two, not of ten. */
const TSRESOL_BINARY = 0x80;
const US_PER_S = 1e6;
const TWO_TO_32 = 2 ** 32;

/** Magic numbers of pcap: µs and ns. */
const PCAP_US = 0xa1b2_c3d4;
const PCAP_NS = 0xa1b2_3c4d;
const PCAP_HEADER_BYTES = 24;
const PCAP_RECORD_BYTES = 16;
/** The upper bits of pcap's link type say something of checksums at the frame's end. */
const PCAP_LINKTYPE_MASK = 0x0fff_ffff;
const NS_PER_US = 1000;

/** An interface of a section. */
interface CaptureInterface {
  readonly linkType: number;
  /** Ticks of a second. */
  readonly ticksPerS: number;
  readonly snapBytes: number;
}

/**
 * Reads the packets of a capture, in the order of the file.
 *
 * @param bytes The whole file.
 * @throws {CaptureError} If it is no capture, or damaged; what was read before was given.
 * @example
 * ```ts
 * for (const { timeUs, frame } of readCapture(await Deno.readFile("trace.pcapng"))) {
 *   console.log(timeUs, frame.length);
 * }
 * ```
 */
export function* readCapture(bytes: Uint8Array): Generator<CapturedPacket> {
  if (bytes.length < 4) throw new CaptureError("Cannot read the capture: it is empty");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const magic = view.getUint32(0, true);
  if (magic === BLOCK_SECTION) {
    yield* readPcapng(bytes, view);
    return;
  }
  for (const isLittle of [true, false]) {
    const found = view.getUint32(0, isLittle);
    if (found !== PCAP_US && found !== PCAP_NS) continue;
    yield* readPcap(bytes, view, isLittle, found === PCAP_NS);
    return;
  }
  const text = magic.toString(16).padStart(8, "0");
  throw new CaptureError(
    `Cannot read the capture: it begins with 0x${text}, which neither pcapng nor pcap does`,
  );
}

function* readPcapng(bytes: Uint8Array, view: DataView): Generator<CapturedPacket> {
  let isLittle = true;
  let interfaces: CaptureInterface[] = [];
  let at = 0;
  while (at + BLOCK_OVERHEAD_BYTES <= bytes.length) {
    const isSection = view.getUint32(at, true) === BLOCK_SECTION;
    if (isSection) {
      isLittle = byteOrder(view, at);
      interfaces = [];
    }
    const length = view.getUint32(at + 4, isLittle);
    if (length < BLOCK_OVERHEAD_BYTES || length % 4 !== 0 || length > BLOCK_MAX_BYTES) {
      throw new CaptureError(
        `Cannot read the capture: the block at byte ${at} has length ${length}`,
      );
    }
    // Cut off while it was written: what stands before is good.
    if (at + length > bytes.length) return;
    const body = new DataView(
      bytes.buffer,
      bytes.byteOffset + at + 8,
      length - BLOCK_OVERHEAD_BYTES,
    );
    const type = view.getUint32(at, isLittle);
    if (type === BLOCK_INTERFACE && interfaces.length < INTERFACES_MAX) {
      interfaces.push(readInterface(body, isLittle));
    } else if (type === BLOCK_ENHANCED_PACKET) {
      const packet = readEnhanced(body, isLittle, interfaces);
      if (packet !== null) yield packet;
    } else if (type === BLOCK_SIMPLE_PACKET) {
      const packet = readSimple(body, isLittle, interfaces[0]);
      if (packet !== null) yield packet;
    }
    at += length;
  }
}

function byteOrder(view: DataView, at: number): boolean {
  if (at + 12 <= view.byteLength) {
    if (view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC) return true;
    if (view.getUint32(at + 8, false) === BYTE_ORDER_MAGIC) return false;
  }
  throw new CaptureError(`Cannot read the capture: the section at byte ${at} has no byte order`);
}

function readInterface(body: DataView, isLittle: boolean): CaptureInterface {
  if (body.byteLength < 8) {
    throw new CaptureError("Cannot read the capture: an interface is cut off");
  }
  let resolution = TSRESOL_DEFAULT;
  for (let at = 8; at + 4 <= body.byteLength;) {
    const code = body.getUint16(at, isLittle);
    const length = body.getUint16(at + 2, isLittle);
    if (code === OPTION_END) break;
    if (code === OPTION_TSRESOL && length >= 1 && at + 4 < body.byteLength) {
      resolution = body.getUint8(at + 4);
    }
    at += 4 + ((length + 3) & ~3);
  }
  const power = resolution & ~TSRESOL_BINARY;
  const snapBytes = body.getUint32(4, isLittle);
  return {
    linkType: body.getUint16(0, isLittle),
    ticksPerS: (resolution & TSRESOL_BINARY) === 0 ? 10 ** power : 2 ** power,
    snapBytes: snapBytes === 0 ? Infinity : snapBytes,
  };
}

function readEnhanced(
  body: DataView,
  isLittle: boolean,
  interfaces: readonly CaptureInterface[],
): CapturedPacket | null {
  if (body.byteLength < 20) return null;
  const found = interfaces[body.getUint32(0, isLittle)];
  const bytes = body.getUint32(12, isLittle);
  if (found === undefined || bytes > body.byteLength - 20) return null;
  const ticks = body.getUint32(4, isLittle) * TWO_TO_32 + body.getUint32(8, isLittle);
  return {
    timeUs: ticks / found.ticksPerS * US_PER_S,
    frame: new Uint8Array(body.buffer, body.byteOffset + 20, bytes),
    originalBytes: body.getUint32(16, isLittle),
    linkType: found.linkType,
  };
}

function readSimple(
  body: DataView,
  isLittle: boolean,
  found: CaptureInterface | undefined,
): CapturedPacket | null {
  if (body.byteLength < 4 || found === undefined) return null;
  const originalBytes = body.getUint32(0, isLittle);
  const bytes = Math.min(originalBytes, found.snapBytes, body.byteLength - 4);
  const frame = new Uint8Array(body.buffer, body.byteOffset + 4, bytes);
  return { timeUs: 0, frame, originalBytes, linkType: found.linkType };
}

function* readPcap(
  bytes: Uint8Array,
  view: DataView,
  isLittle: boolean,
  isNs: boolean,
): Generator<CapturedPacket> {
  if (bytes.length < PCAP_HEADER_BYTES) {
    throw new CaptureError("Cannot read the capture: its header is cut off");
  }
  const linkType = view.getUint32(20, isLittle) & PCAP_LINKTYPE_MASK;
  let at = PCAP_HEADER_BYTES;
  while (at + PCAP_RECORD_BYTES <= bytes.length) {
    const size = view.getUint32(at + 8, isLittle);
    if (size > BLOCK_MAX_BYTES) {
      throw new CaptureError(
        `Cannot read the capture: the packet at byte ${at} has length ${size}`,
      );
    }
    if (at + PCAP_RECORD_BYTES + size > bytes.length) return;
    const fraction = view.getUint32(at + 4, isLittle) / (isNs ? NS_PER_US : 1);
    yield {
      timeUs: view.getUint32(at, isLittle) * US_PER_S + fraction,
      frame: bytes.subarray(at + PCAP_RECORD_BYTES, at + PCAP_RECORD_BYTES + size),
      originalBytes: view.getUint32(at + 12, isLittle),
      linkType,
    };
    at += PCAP_RECORD_BYTES + size;
  }
}

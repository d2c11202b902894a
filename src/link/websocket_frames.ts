/**
 * Batches through a WebSocket of the package ws, past its own handling of messages: it makes a buffer for each, and masks
 * byte by byte. Binary messages of at most a batch are read and written here, on the same socket, also in fragments, as tabs
 * send them; everything else (handshake, text, control frames, what is too large or not allowed) is left to ws.
 */
import type { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { type EdgeExports, startEdge } from "../core/edge_module.ts";
import { Outbox } from "./outbox.ts";
import { BATCH_BYTES } from "./records.ts";
import { Stage } from "./websocket_stage.ts";

/** First byte of a whole binary message: FIN and opcode 2. RFC 6455 section 5.2. */
const BINARY_WHOLE = 0x82;
const FIN = 0x80;
const RESERVED_AND_OPCODE = 0x7f;
const OPCODE_CONTINUATION = 0;
const OPCODE_BINARY = 2;
const MASKED = 0x80;
const LENGTH_BITS = 0x7f;
/** Values of the 7-bit length that say that 2 or 8 bytes of length follow. */
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const LENGTH_32_RANGE = 0x1_0000_0000;
const KEY_BYTES = 4;
/** 2 bytes, 8 of length, 4 of mask. */
const HEADER_MAX_BYTES = 14;

/**
 * What is left to ws comes in few pieces: text of 4 KiB, control frames. ws holds each fragment, and with it all of what the
 * system has read at once, 64 KiB, of which the fragment may be a byte; with its own limits that is 1 GiB a connection.
 */
export const WS_LIMITS = { maxFragments: 64, maxBufferedChunks: 8_192 } as const;

/** @returns Whether sockets of ws are those of node:net here: Bun brings a WebSocket of its own under that name. */
export function hasByteSockets(): boolean {
  return !("Bun" in globalThis);
}

/** Memory in which masks are applied. */
class MaskRegion {
  readonly bytes: Uint8Array;
  readonly #calls: EdgeExports;
  readonly #ptr: number;

  constructor(calls: EdgeExports, ptr: number) {
    this.#calls = calls;
    this.#ptr = ptr;
    this.bytes = new Uint8Array(calls.memory.buffer, ptr, BATCH_BYTES);
  }

  /** What lies up to 63 bytes behind is changed too. */
  mask(at: number, bytes: number, key: number): void {
    this.#calls.mask(this.#ptr + at, bytes, key);
  }
}

/** Options of {@linkcode FrameReader}. */
export interface FrameReaderOptions {
  /** Whether the remote masks, as clients do. */
  readonly isMasked: boolean;
  /** Gets a binary message, valid during the call. */
  readonly deliver: (batch: Uint8Array) => void;
  /** Gets everything else, in order. */
  readonly pass: (bytes: Buffer) => void;
}

/** Takes binary messages out of what a socket reads. */
export class FrameReader {
  readonly #options: FrameReaderOptions;
  readonly #region: MaskRegion | null;
  readonly #buffer: Uint8Array;
  readonly #header = new Uint8Array(HEADER_MAX_BYTES);
  #headerBytes = 0;
  /** Of our frame: bytes that are there and bytes in all; 0 = none is being read. */
  #have = 0;
  #want = 0;
  #key = 0;
  #isLast = false;
  /** Of our message: bytes of frames before, and whether others follow. */
  #before = 0;
  #isOpen = false;
  /** Bytes of a frame that is not ours. */
  #passing = 0;
  /** A fragmented message of another kind is under way: its frames, and what must not come between, are not ours. */
  #isFragmented = false;
  #isStopped = false;

  /** @param options Where to. */
  constructor(options: FrameReaderOptions) {
    this.#options = options;
    const edge = options.isMasked ? startEdge() : null;
    this.#region = edge === null ? null : new MaskRegion(edge, edge.input());
    this.#buffer = this.#region?.bytes ?? new Uint8Array(BATCH_BYTES);
  }

  /** Ignores everything from now on. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Takes what was read. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#isStopped) {
      if (this.#want > 0) at = this.#read(chunk, at);
      else if (this.#passing > 0) {
        const end = Math.min(chunk.length, at + this.#passing);
        this.#passing -= end - at;
        this.#options.pass(chunk.subarray(at, end));
        at = end;
      } else at = this.#readHeader(chunk, at);
    }
  }

  /** A message that lies whole in what was read is delivered from there, unless it must be unmasked. */
  #read(chunk: Buffer, start: number): number {
    const end = Math.min(chunk.length, start + this.#want - this.#have);
    const isWhole = this.#isLast && this.#before === 0 && end - start === this.#want;
    const isThere = isWhole && this.#region === null;
    if (!isThere) this.#buffer.set(chunk.subarray(start, end), this.#before + this.#have);
    this.#have += end - start;
    if (this.#have < this.#want) return end;
    this.#region?.mask(this.#before, this.#want, this.#key);
    this.#before += this.#want;
    this.#have = 0;
    this.#want = 0;
    if (isThere) {
      this.#before = 0;
      this.#isOpen = false;
      this.#options.deliver(chunk.subarray(start, end));
    } else this.#endFrame();
    return end;
  }

  #endFrame(): void {
    this.#isOpen = !this.#isLast;
    if (this.#isOpen) return;
    const bytes = this.#before;
    this.#before = 0;
    this.#options.deliver(this.#buffer.subarray(0, bytes));
  }

  #readHeader(chunk: Buffer, start: number): number {
    const header = this.#header;
    let at = start;
    while (at < chunk.length) {
      header[this.#headerBytes++] = chunk[at++] ?? 0;
      if (this.#headerBytes >= 2 && this.#headerBytes === headerBytesOf(header[1] ?? 0)) {
        this.#begin(chunk);
        return at;
      }
    }
    return at;
  }

  #begin(chunk: Buffer): void {
    const header = this.#header;
    const headerBytes = this.#headerBytes;
    this.#headerBytes = 0;
    const [first = 0, second = 0] = header;
    const bytes = payloadBytesOf(header);
    const isMasked = (second & MASKED) !== 0;
    const opcode = first & RESERVED_AND_OPCODE;
    const isLast = (first & FIN) !== 0;
    const isData = opcode <= OPCODE_BINARY && isMasked === this.#options.isMasked;
    const isNext = isData && this.#isOpen && opcode === OPCODE_CONTINUATION;
    const isFirst = isData && !this.#isOpen && opcode === OPCODE_BINARY && !this.#isFragmented &&
      (bytes > 0 || !isLast);
    if ((isFirst || isNext) && this.#before + bytes <= BATCH_BYTES) {
      this.#isLast = isLast;
      this.#want = bytes;
      if (isMasked) this.#key = little32(header, headerBytes - KEY_BYTES);
      if (bytes === 0) this.#endFrame();
      return;
    }
    // ws has not seen how the message began: it is told what it refuses for the same reason.
    if (isNext) return this.#refuse(chunk, oversizedHeader(isMasked));
    if (isData && this.#isOpen) this.#options.pass(copyAs(chunk, openHeader(isMasked)));
    if (opcode <= OPCODE_BINARY && (opcode !== OPCODE_CONTINUATION || isLast)) {
      this.#isFragmented = !isLast;
    }
    this.#passing = bytes;
    // A copy of the chunk's own kind: ws reads numbers with methods of Buffer.
    this.#options.pass(copyAs(chunk, header.subarray(0, headerBytes)));
  }

  #refuse(chunk: Buffer, header: Uint8Array): void {
    this.#isStopped = true;
    this.#options.pass(copyAs(chunk, header));
  }
}

/** Begin of a message that is larger than a batch. */
function oversizedHeader(isMasked: boolean): Uint8Array {
  const header = new Uint8Array(isMasked ? HEADER_MAX_BYTES : HEADER_MAX_BYTES - KEY_BYTES);
  header[0] = BINARY_WHOLE;
  header[1] = LENGTH_64 | (isMasked ? MASKED : 0);
  new DataView(header.buffer).setUint32(6, BATCH_BYTES + 1);
  return header;
}

/** A first fragment of nothing, which others have to follow. */
function openHeader(isMasked: boolean): Uint8Array {
  const header = new Uint8Array(isMasked ? 2 + KEY_BYTES : 2);
  header[0] = OPCODE_BINARY;
  header[1] = isMasked ? MASKED : 0;
  return header;
}

function headerBytesOf(second: number): number {
  const length = second & LENGTH_BITS;
  const extra = length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0;
  return 2 + extra + ((second & MASKED) === 0 ? 0 : KEY_BYTES);
}

function payloadBytesOf(header: Uint8Array): number {
  const length = (header[1] ?? 0) & LENGTH_BITS;
  if (length < LENGTH_16) return length;
  const view = new DataView(header.buffer);
  if (length === LENGTH_16) return view.getUint16(2);
  return (view.getUint32(2) * LENGTH_32_RANGE) + view.getUint32(6);
}

function little32(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24);
}

function copyAs(kind: Buffer, bytes: Uint8Array): Buffer {
  return (kind.constructor as typeof Buffer).from(bytes);
}

/**
 * Reads binary messages of a socket that ws has just taken, before it has read anything.
 *
 * @param socket The socket beneath.
 * @param options Where messages go, and whether they are masked.
 * @returns What ends it once ws has given the connection up; null if that is not how ws reads here, and ws delivers all.
 */
export function readFrames(
  socket: Duplex,
  options: Omit<FrameReaderOptions, "pass">,
): FrameReader | null {
  const listeners = socket.listeners("data");
  const [before] = listeners;
  if (!hasByteSockets() || listeners.length !== 1 || before === undefined) return null;
  const reader = new FrameReader({ ...options, pass: (bytes) => before.call(socket, bytes) });
  socket.removeListener("data", before as (chunk: Buffer) => void);
  socket.on("data", (chunk) => reader.push(chunk));
  return reader;
}

/** Options of {@linkcode FrameWriter}. */
export interface FrameWriterOptions {
  /** Fills a key of 4 bytes that nobody can foresee. */
  readonly fillKey: (key: Uint8Array) => void;
  /** Whether no close was sent yet. */
  readonly isOpen: () => boolean;
  /** Called when the socket has sent a message: it may have room again. */
  readonly onSent: () => void;
}

/**
 * Writes masked binary messages, as a client: what one turn of the event loop sends leaves as one message, or as several
 * full ones.
 */
export class FrameWriter {
  /** What is about to be sent. */
  readonly stage: Stage;
  readonly #socket: Duplex;
  readonly #options: FrameWriterOptions;
  readonly #region: MaskRegion;
  readonly #key = new Uint8Array(KEY_BYTES);
  readonly #outbox = new Outbox();

  /** @param socket The socket beneath. @param options See {@linkcode FrameWriterOptions}. */
  constructor(socket: Duplex, options: FrameWriterOptions) {
    this.#socket = socket;
    this.#options = options;
    const edge = startEdge();
    this.#region = new MaskRegion(edge, edge.output());
    this.stage = new Stage(this.#region.bytes, (bytes) => this.#leave(bytes));
  }

  /** Nothing more is sent. */
  close(): void {
    this.stage.drop();
    this.#outbox.close();
  }

  #leave(bytes: number): void {
    // A close may wait in the socket since this was put. RFC 6455 section 5.5.1: nothing follows it.
    if (!this.#socket.writable || !this.#options.isOpen()) return;
    this.#options.fillKey(this.#key);
    this.#region.mask(0, bytes, little32(this.#key, 0));
    this.#putHeader(bytes);
    this.#outbox.put(this.#region.bytes.subarray(0, bytes));
    this.#outbox.take((message, sent) => {
      this.#socket.write(message, () => {
        sent();
        this.#options.onSent();
      });
    });
  }

  #putHeader(bytes: number): void {
    const outbox = this.#outbox;
    outbox.putByte(BINARY_WHOLE);
    if (bytes < LENGTH_16) outbox.putByte(MASKED | bytes);
    else if (bytes <= 0xffff) {
      outbox.putByte(MASKED | LENGTH_16);
      outbox.putByte(bytes >>> 8);
      outbox.putByte(bytes & 0xff);
    } else {
      outbox.putByte(MASKED | LENGTH_64);
      for (let i = 0; i < 4; i++) outbox.putByte(0);
      for (let shift = 24; shift >= 0; shift -= 8) outbox.putByte((bytes >>> shift) & 0xff);
    }
    outbox.put(this.#key);
  }
}

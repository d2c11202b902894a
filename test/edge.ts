/** The edge's module from `dist/`, and records for it: what goes in and comes out as objects. */
import { readFileSync } from "node:fs";
import { pseudoSum4, pseudoSum6, sum } from "./model/checksum.ts";
import type { EdgeRecord } from "./model/edge.ts";

const MODULE = new WebAssembly.Module(
  readFileSync(new URL("../dist/edge.wasm", import.meta.url)),
);

/** Bytes of a batch. */
export const BATCH_BYTES = 131_072;
/** OFFLOAD bits, all of them. */
export const ALL = 15;

interface Calls {
  readonly memory: WebAssembly.Memory;
  input(): number;
  output(): number;
  counts(): number;
  agree(from: number, to: number): void;
  begin(bytes: number): void;
  left(): number;
  next(limit: number): number;
  merge(bytes: number): number;
}

/** Records end to end. */
export function packRecords(records: readonly EdgeRecord[]): Uint8Array {
  const bytes = records.reduce((total, { frame }) => total + 14 + frame.length, 0);
  const batch = new Uint8Array(bytes);
  const view = new DataView(batch.buffer);
  let at = 0;
  for (const { flags, gsoType, hdrLen, gsoSize, csumStart, csumOffset, frame } of records) {
    view.setUint32(at, 10 + frame.length, true);
    view.setUint8(at + 4, flags);
    view.setUint8(at + 5, gsoType);
    [hdrLen, gsoSize, csumStart, csumOffset].forEach((v, i) =>
      view.setUint16(at + 6 + i * 2, v, true)
    );
    batch.set(frame, at + 14);
    at += 14 + frame.length;
  }
  return batch;
}

/** And back. */
export function unpackRecords(batch: Uint8Array): EdgeRecord[] {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
  const records: EdgeRecord[] = [];
  for (let at = 0; at < batch.length;) {
    const end = at + 4 + view.getUint32(at, true);
    const u16 = (offset: number): number => view.getUint16(at + offset, true);
    records.push({
      ...{ flags: view.getUint8(at + 4), gsoType: view.getUint8(at + 5), hdrLen: u16(6) },
      ...{ gsoSize: u16(8), csumStart: u16(10), csumOffset: u16(12) },
      frame: batch.slice(at + 14, end),
    });
    at = end;
  }
  return records;
}

/** An instance; one that has trapped is not to be used again. */
export class EdgeUnderTest {
  readonly calls: Calls;
  readonly memory: Uint8Array;

  constructor() {
    // The shape of the exports is the one thing that the compiler can not know.
    this.calls = new WebAssembly.Instance(MODULE, {}).exports as unknown as Calls;
    this.memory = new Uint8Array(this.calls.memory.buffer);
  }

  /** Splits a batch. @param room Of each piece, bytes. @returns What came out of the pieces, end to end. */
  split(batch: Uint8Array, from: number, to: number, room: () => number): Uint8Array {
    this.calls.agree(from, to);
    this.memory.set(batch, this.calls.input());
    this.calls.begin(batch.length);
    const pieces: Uint8Array[] = [];
    while (this.calls.left() > 0) pieces.push(this.take(this.calls.next(room())));
    return joinBytes(pieces);
  }

  /** Merges a batch. */
  merge(batch: Uint8Array, from: number, to: number): Uint8Array {
    this.calls.agree(from, to);
    this.memory.set(batch, this.calls.input());
    return this.take(this.calls.merge(batch.length));
  }

  /** A copy of the output's first bytes. */
  take(bytes: number): Uint8Array {
    return this.memory.slice(this.calls.output(), this.calls.output() + bytes);
  }

  /** The counters: dropped, split, segments, completed, merged, joined. */
  counts(): number[] {
    return [...new Uint32Array(this.calls.memory.buffer, this.calls.counts(), 6)];
  }
}

/** One after the other. */
export function joinBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** What a TCP frame is made of; everything has a usual value. */
export interface FrameParts {
  readonly version?: 4 | 6;
  /** Last byte of the addresses, and the ports. */
  readonly source?: number;
  readonly destination?: number;
  readonly ports?: readonly [source: number, destination: number];
  readonly seq?: number;
  readonly ack?: number;
  /** Reserved bits and flags, 12 bits. */
  readonly flags?: number;
  readonly win?: number;
  readonly urgent?: number;
  /** A multiple of 4 bytes. */
  readonly options?: readonly number[];
  readonly text?: Uint8Array;
  readonly tos?: number;
  readonly ttl?: number;
  readonly id?: number;
  /** Flags and offset of IPv4, 16 bits. */
  readonly fragment?: number;
  /** Extension headers of IPv6, each a multiple of 8 bytes, their first byte (the next header) to be set here. */
  readonly extensions?: readonly (readonly [type: number, bytes: readonly number[]])[];
  /** Whether the checksum is the pseudo header's sum only. */
  readonly isPartial?: boolean;
}

/** Makes a frame with right checksums. */
export function tcpFrame(parts: FrameParts): Uint8Array {
  const { version = 4, source = 1, destination = 2, options = [], extensions = [] } = parts;
  const { text = new Uint8Array(0), tos = 0, ttl = 64, isPartial = false } = parts;
  const extensionBytes = extensions.reduce((total, [, bytes]) => total + bytes.length, 0);
  const tcpAt = version === 4 ? 34 : 54 + extensionBytes;
  const textAt = tcpAt + 20 + options.length;
  const frame = new Uint8Array(textAt + text.length);
  const view = new DataView(frame.buffer);
  frame.set([2, 0, 0, 0, 0, destination, 2, 0, 0, 0, 0, source]);
  if (version === 4) {
    view.setUint16(12, 0x0800);
    frame.set([0x45, tos], 14);
    view.setUint16(16, frame.length - 14);
    view.setUint16(18, parts.id ?? 0);
    view.setUint16(20, parts.fragment ?? 0x4000);
    frame.set([ttl, 6], 22);
    frame.set([10, 0, 0, source, 10, 0, 0, destination], 26);
    view.setUint16(24, 0xffff - sum(frame.subarray(14, 34), 0));
  } else {
    view.setUint16(12, 0x86dd);
    frame.set([0x60 | (tos >> 4), (tos & 15) << 4], 14);
    view.setUint16(18, frame.length - 54);
    frame.set([extensions[0]?.[0] ?? 6, ttl], 20);
    frame.set([0xfd, 0], 22);
    frame.set([0xfd, 0], 38);
    frame[37] = source;
    frame[53] = destination;
    let at = 54;
    extensions.forEach(([, bytes], i) => {
      frame.set(bytes, at);
      frame[at] = extensions[i + 1]?.[0] ?? 6;
      at += bytes.length;
    });
  }
  view.setUint16(tcpAt, parts.ports?.[0] ?? 49_152);
  view.setUint16(tcpAt + 2, parts.ports?.[1] ?? 80);
  view.setUint32(tcpAt + 4, parts.seq ?? 1);
  view.setUint32(tcpAt + 8, parts.ack ?? 1);
  view.setUint16(tcpAt + 12, ((20 + options.length) << 10) | (parts.flags ?? 0x10));
  view.setUint16(tcpAt + 14, parts.win ?? 65_535);
  view.setUint16(tcpAt + 18, parts.urgent ?? 0);
  frame.set(options, tcpAt + 20);
  frame.set(text, textAt);
  const bytes = frame.length - tcpAt;
  const pseudo = version === 4
    ? pseudoSum4(frame.subarray(26, 30), frame.subarray(30, 34), 6, bytes)
    : pseudoSum6(frame.subarray(22, 38), frame.subarray(38, 54), 6, bytes);
  view.setUint16(tcpAt + 16, isPartial ? pseudo : 0xffff - sum(frame.subarray(tcpAt), pseudo));
  return frame;
}

/** A record that asks for nothing. */
export function plainRecord(frame: Uint8Array): EdgeRecord {
  return { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0, frame };
}

/** A super-segment of these parts. */
export function superRecord(gsoSize: number, parts: FrameParts): EdgeRecord {
  const frame = tcpFrame(parts);
  const { version = 4, options = [], extensions = [], isPartial = false } = parts;
  const extensionBytes = extensions.reduce((total, [, bytes]) => total + bytes.length, 0);
  const tcpAt = version === 4 ? 34 : 54 + extensionBytes;
  return {
    ...{ frame, gsoSize, flags: isPartial ? 1 : 0, gsoType: version === 4 ? 1 : 4 },
    hdrLen: tcpAt + 20 + options.length,
    ...{ csumStart: isPartial ? tcpAt : 0, csumOffset: isPartial ? 16 : 0 },
  };
}

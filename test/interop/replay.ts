/** A link that remembers segments we sent, so that one of them can be sent again, altered: what a late duplicate or a forger does. */
import type { Device, DeviceSink } from "../../src/link/device.ts";
import { forEachRecord, RECORD_HEADER_BYTES, writeRecord } from "../../src/link/records.ts";
import { internetChecksum, pseudoHeaderSum } from "../../src/wire/checksum.ts";

/** Where an IPv4 packet and its TCP header stand in a frame without VLAN tag and IP options. */
const IP_AT = 14;
const TCP_AT = 34;
const PROTOCOL_TCP = 6;
/** Offsets in the TCP header. RFC 9293 section 3.1. */
const SEQ_AT = TCP_AT + 4;
const OFFSET_AT = TCP_AT + 12;
const FLAGS_AT = TCP_AT + 13;
const CHECKSUM_AT = TCP_AT + 16;
/** Most segments that are remembered. */
const KEPT_MAX = 4096;

/** What is altered in a segment before it is sent again. */
export interface Alteration {
  /** TCP flags, instead of its own. */
  readonly flags?: number;
  /** Added to its sequence number. */
  readonly shift?: number;
  /** Without its text. */
  readonly bare?: boolean;
}

/** A device around another one. */
export class ReplayDevice implements Device {
  /** Frames with text that we sent, oldest first. */
  readonly sent: Uint8Array[] = [];
  readonly mtu: number;
  readonly #inner: Device;

  constructor(inner: Device) {
    this.#inner = inner;
    this.mtu = inner.mtu;
  }

  open(sink: DeviceSink): void {
    this.#inner.open(sink);
  }

  room(): number {
    return this.#inner.room();
  }

  send(batch: Uint8Array): void {
    forEachRecord(batch, (at, bytes) => {
      const frame = batch.slice(at, at + bytes);
      if (this.sent.length < KEPT_MAX && textBytes(frame) > 0) this.sent.push(frame);
    });
    this.#inner.send(batch);
  }

  /** Sends a remembered segment again. @param index Of `sent`; negative counts from its end. */
  replay(index: number, alteration: Alteration = {}): void {
    const original = this.sent.at(index);
    if (original === undefined) {
      throw new Error(`Cannot send segment ${index} again: there is none`);
    }
    const frame = alter(original, alteration);
    const record = new Uint8Array(RECORD_HEADER_BYTES + frame.length);
    writeRecord(record, 0, frame);
    this.#inner.send(record);
  }

  close(): void {
    this.#inner.close();
  }
}

function tcpHeaderBytes(frame: Uint8Array): number {
  return ((frame[OFFSET_AT] ?? 0) >> 4) * 4;
}

/** Text of a frame, bytes; 0 if it is no TCP over IPv4. */
function textBytes(frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (frame.length < TCP_AT + 20 || view.getUint16(12) !== 0x0800) return 0;
  if (view.getUint8(IP_AT + 9) !== PROTOCOL_TCP) return 0;
  return view.getUint16(IP_AT + 2) - 20 - tcpHeaderBytes(frame);
}

function alter(original: Uint8Array, { flags, shift = 0, bare = false }: Alteration): Uint8Array {
  const bytes = bare ? TCP_AT + tcpHeaderBytes(original) : original.length;
  const frame = original.slice(0, bytes);
  const view = new DataView(frame.buffer);
  view.setUint16(IP_AT + 2, frame.length - IP_AT);
  view.setUint16(IP_AT + 10, 0);
  view.setUint16(IP_AT + 10, internetChecksum(frame.subarray(IP_AT, TCP_AT)));
  view.setUint32(SEQ_AT, view.getUint32(SEQ_AT) + shift);
  if (flags !== undefined) view.setUint8(FLAGS_AT, flags);
  view.setUint16(CHECKSUM_AT, 0);
  const tcp = frame.subarray(TCP_AT);
  const pseudo = pseudoHeaderSum(
    view.getUint32(IP_AT + 12),
    view.getUint32(IP_AT + 16),
    PROTOCOL_TCP,
    tcp.length,
  );
  view.setUint16(CHECKSUM_AT, internetChecksum(tcp, pseudo));
  return frame;
}

/** A TCP segment as the rules read it: one object, filled anew for each frame, because a run passes many. */

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const TCP_BYTES = 20;
const PROTOCOL_TCP = 6;

/** Flags, as bits. RFC 9293 section 3.1. */
export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const ACK = 0x10;

/** SACK blocks that one segment has room for. */
const BLOCKS_MAX = 4;

/** One segment. */
export class SegmentView {
  sourceAddress = 0;
  destinationAddress = 0;
  sourcePort = 0;
  destinationPort = 0;
  seq = 0;
  ack = 0;
  flags = 0;
  win = 0;
  /** Bytes of text. */
  bytes = 0;
  optionBytes = 0;
  /** MSS option; 0 = none. */
  mss = 0;
  /** Window scale option; -1 = none. */
  scale = -1;
  hasTimestamps = false;
  hasSackPermitted = false;
  blocks = 0;
  readonly blockStart: Uint32Array = new Uint32Array(BLOCKS_MAX);
  readonly blockEnd: Uint32Array = new Uint32Array(BLOCKS_MAX);
  isSumGood = false;

  /** SEG.LEN, with SYN and FIN. */
  get length(): number {
    return this.bytes + ((this.flags & SYN) === 0 ? 0 : 1) + ((this.flags & FIN) === 0 ? 0 : 1);
  }

  /** @param frame From the destination MAC on. @returns False if it holds no whole TCP segment over IPv4. */
  read(frame: Uint8Array): boolean {
    if (frame.length < ETHERNET_BYTES + IPV4_BYTES + TCP_BYTES) return false;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    if (view.getUint16(12) !== 0x0800 || view.getUint8(14) !== 0x45) return false;
    if (view.getUint8(23) !== PROTOCOL_TCP) return false;
    const end = ETHERNET_BYTES + view.getUint16(16);
    const at = ETHERNET_BYTES + IPV4_BYTES;
    const headerBytes = (view.getUint8(at + 12) >>> 4) * 4;
    if (end > frame.length || headerBytes < TCP_BYTES || at + headerBytes > end) return false;
    this.sourceAddress = view.getUint32(26);
    this.destinationAddress = view.getUint32(30);
    this.sourcePort = view.getUint16(at);
    this.destinationPort = view.getUint16(at + 2);
    this.seq = view.getUint32(at + 4);
    this.ack = view.getUint32(at + 8);
    this.flags = view.getUint8(at + 13);
    this.win = view.getUint16(at + 14);
    this.bytes = end - at - headerBytes;
    this.optionBytes = headerBytes - TCP_BYTES;
    this.isSumGood = isIpSumGood(view) && isTcpSumGood(view, at, end);
    this.#readOptions(view, at + TCP_BYTES, at + headerBytes);
    return true;
  }

  #readOptions(view: DataView, from: number, end: number): void {
    this.mss = 0;
    this.scale = -1;
    this.hasTimestamps = false;
    this.hasSackPermitted = false;
    this.blocks = 0;
    for (let at = from; at < end;) {
      const kind = view.getUint8(at);
      if (kind === 0) return;
      if (kind === 1) {
        at++;
        continue;
      }
      const bytes = at + 1 < end ? view.getUint8(at + 1) : 0;
      if (bytes < 2 || at + bytes > end) return;
      if (kind === 2 && bytes === 4) this.mss = view.getUint16(at + 2);
      if (kind === 3 && bytes === 3) this.scale = Math.min(view.getUint8(at + 2), 14);
      if (kind === 4) this.hasSackPermitted = true;
      if (kind === 8) this.hasTimestamps = true;
      if (kind === 5) this.#readBlocks(view, at + 2, at + bytes);
      at += bytes;
    }
  }

  #readBlocks(view: DataView, from: number, end: number): void {
    for (let at = from; at + 8 <= end && this.blocks < BLOCKS_MAX; at += 8) {
      this.blockStart[this.blocks] = view.getUint32(at);
      this.blockEnd[this.blocks] = view.getUint32(at + 4);
      this.blocks++;
    }
  }
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x1_0000);
  return folded;
}

function isIpSumGood(view: DataView): boolean {
  let sum = 0;
  for (let at = ETHERNET_BYTES; at < ETHERNET_BYTES + IPV4_BYTES; at += 2) {
    sum += view.getUint16(at);
  }
  return fold(sum) === 0xffff;
}

/** RFC 9293 section 3.1, with the pseudo-header. */
function isTcpSumGood(view: DataView, at: number, end: number): boolean {
  let sum = PROTOCOL_TCP + end - at;
  for (let i = ETHERNET_BYTES + 12; i < ETHERNET_BYTES + IPV4_BYTES; i += 2) {
    sum += view.getUint16(i);
  }
  const even = end - ((end - at) & 1);
  for (let i = at; i < even; i += 2) sum += view.getUint16(i);
  if (even < end) sum += view.getUint8(even) << 8;
  return fold(sum) === 0xffff;
}

/** How far it is from one sequence number to another, -2^31 to 2^31 - 1. */
export function ahead(from: number, to: number): number {
  return (to - from) | 0;
}

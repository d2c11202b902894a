/**
 * Plain twin of as/edge/: super-segments taken apart and put together, one record after the other, each a new object, every
 * checksum added up anew.
 */
import { pseudoSum4, pseudoSum6, sum } from "./checksum.ts";

/** A record: what its virtio-net header says, and the frame. */
export interface EdgeRecord {
  readonly flags: number;
  readonly gsoType: number;
  readonly hdrLen: number;
  readonly gsoSize: number;
  readonly csumStart: number;
  readonly csumOffset: number;
  readonly frame: Uint8Array;
}

const CHECKSUM = 1;
const TCP4 = 2;
const TCP6 = 4;
const ECN = 8;
const NEEDS_CSUM = 1;

/** Where things are in a frame that is TCP and whole. */
interface Found {
  readonly isV6: boolean;
  readonly tcpAt: number;
  readonly textAt: number;
  readonly textBytes: number;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
}

function long(bytes: Uint8Array, at: number): number {
  return word(bytes, at) * 65_536 + word(bytes, at + 2);
}

function putWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = Math.floor(value / 256) % 256;
  bytes[at + 1] = value % 256;
}

function putLong(bytes: Uint8Array, at: number, value: number): void {
  putWord(bytes, at, Math.floor(value / 65_536) % 65_536);
  putWord(bytes, at + 2, value % 65_536);
}

/** Bytes from the IP header to TCP behind extension headers; 0 if it is not there. */
function beforeTcp6(packet: Uint8Array): number {
  let next = packet[6] ?? 0;
  let at = 40;
  for (let i = 0; i < 8; i++) {
    if (next === 6) return at;
    if (![0, 43, 60].includes(next) || at + 8 > packet.length) return 0;
    if (next === 43 && packet[at + 3] !== 0) return 0;
    next = packet[at] ?? 0;
    at += ((packet[at + 1] ?? 0) + 1) * 8;
    if (at > packet.length || at > 512) return 0;
  }
  return 0;
}

function find(frame: Uint8Array): Found | null {
  if (frame.length < 34) return null;
  const type = word(frame, 12);
  const version = (frame[14] ?? 0) >> 4;
  let total = 0;
  let before = 0;
  if (type === 0x0800 && version === 4) {
    before = ((frame[14] ?? 0) & 15) * 4;
    total = word(frame, 16);
    if (frame[23] !== 6 || (word(frame, 20) & 0x3fff) !== 0) return null;
    if (before < 20 || before > total || 14 + total > frame.length) return null;
  } else if (type === 0x86dd && version === 6 && frame.length >= 54) {
    total = 40 + word(frame, 18);
    if (14 + total > frame.length) return null;
    before = beforeTcp6(frame.subarray(14, 14 + total));
    if (before === 0) return null;
  } else return null;
  if (total - before < 20) return null;
  const tcpAt = 14 + before;
  const headerBytes = ((frame[tcpAt + 12] ?? 0) >> 4) * 4;
  if (headerBytes < 20 || headerBytes > total - before) return null;
  const textBytes = total - before - headerBytes;
  return { isV6: type === 0x86dd, tcpAt, textAt: tcpAt + headerBytes, textBytes };
}

function pseudo(frame: Uint8Array, isV6: boolean, bytes: number): number {
  return isV6
    ? pseudoSum6(frame.subarray(22, 38), frame.subarray(38, 54), 6, bytes)
    : pseudoSum4(frame.subarray(26, 30), frame.subarray(30, 34), 6, bytes);
}

/** Sets every checksum of a whole frame. @param isPartial The pseudo header's sum only, in TCP's. */
function seal(frame: Uint8Array, found: Found, isPartial: boolean): void {
  if (!found.isV6) {
    putWord(frame, 24, 0);
    putWord(frame, 24, 0xffff - sum(frame.subarray(14, found.tcpAt), 0));
  }
  const bytes = frame.length - found.tcpAt;
  const initial = pseudo(frame, found.isV6, bytes);
  putWord(frame, found.tcpAt + 16, 0);
  const check = 0xffff - sum(frame.subarray(found.tcpAt), initial);
  putWord(frame, found.tcpAt + 16, isPartial ? initial : check);
}

function needs({ flags, gsoType }: EdgeRecord): number {
  const family = gsoType & 0x7f;
  if (flags > 3 || (gsoType !== 0 && family !== 1 && family !== 4)) return 1 << 30;
  return (flags === 0 ? 0 : CHECKSUM) | (family === 1 ? TCP4 : 0) | (family === 4 ? TCP6 : 0) |
    (gsoType > 0x7f ? ECN : 0);
}

/** A record that asks for nothing. */
function plain(frame: Uint8Array): EdgeRecord {
  return { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0, frame };
}

function segments(record: EdgeRecord, isPartial: boolean): EdgeRecord[] {
  const { frame, gsoSize, gsoType, flags } = record;
  const found = find(frame);
  if (found === null || found.isV6 !== ((gsoType & 0x7f) === 4)) return [];
  const { tcpAt, textAt, textBytes } = found;
  if (gsoSize < 48 || gsoSize > textBytes || ((frame[tcpAt + 13] ?? 0) & 6) !== 0) return [];
  if ((flags & NEEDS_CSUM) !== 0) {
    if (record.csumStart !== tcpAt || record.csumOffset !== 16) return [];
  } else if (flags === 0) {
    const whole = frame.subarray(tcpAt, textAt + textBytes);
    if (sum(whole, pseudo(frame, found.isV6, whole.length)) !== 0xffff) return [];
  }
  const out: EdgeRecord[] = [];
  for (let done = 0; done < textBytes; done += gsoSize) {
    const text = frame.subarray(textAt + done, textAt + Math.min(done + gsoSize, textBytes));
    const segment = new Uint8Array(textAt + text.length);
    segment.set(frame.subarray(0, textAt));
    segment.set(text, textAt);
    if (found.isV6) putWord(segment, 18, segment.length - 54);
    else {
      putWord(segment, 16, segment.length - 14);
      putWord(segment, 18, word(frame, 18) + out.length);
    }
    putLong(segment, tcpAt + 4, (long(frame, tcpAt + 4) + done) % 0x1_0000_0000);
    let bits = frame[tcpAt + 13] ?? 0;
    if (done + gsoSize < textBytes) bits &= ~0x09;
    if (done > 0) bits &= ~0x80;
    if ((bits & 0x20) !== 0 && done > 0) {
      const urgent = Math.max(word(frame, tcpAt + 18) - done, 0);
      if (urgent === 0) bits &= ~0x20;
      putWord(segment, tcpAt + 18, urgent);
    }
    segment[tcpAt + 13] = bits;
    seal(segment, found, isPartial);
    const header = { flags: NEEDS_CSUM, csumStart: tcpAt, csumOffset: 16 };
    out.push({ ...plain(segment), ...(isPartial ? header : {}) });
  }
  return out;
}

function complete(record: EdgeRecord): EdgeRecord[] {
  const { csumStart, csumOffset } = record;
  const frame = record.frame.slice();
  if (csumStart < 14 || csumStart + csumOffset + 2 > frame.length) return [];
  const check = 0xffff - sum(frame.subarray(csumStart), 0);
  putWord(frame, csumStart + csumOffset, check === 0 && csumOffset === 6 ? 0xffff : check);
  return [{ ...record, flags: 0, csumStart: 0, csumOffset: 0, frame }];
}

function splitOne(record: EdgeRecord, from: number, to: number): EdgeRecord[] {
  const needed = needs(record);
  if ((needed & ~from) !== 0) return [];
  const missing = needed & ~to;
  const isPartial = (record.flags & NEEDS_CSUM) !== 0;
  if ((missing & ~CHECKSUM) !== 0) return segments(record, isPartial && (to & CHECKSUM) !== 0);
  if ((missing & CHECKSUM) === 0) return [record];
  return isPartial ? complete(record) : [{ ...record, flags: 0, csumStart: 0, csumOffset: 0 }];
}

/** Takes records apart for who understands less. @param from OFFLOAD bits of the records. @param to And his. */
export function split(records: readonly EdgeRecord[], from: number, to: number): EdgeRecord[] {
  return records.flatMap((record) => splitOne(record, from, to))
    .map((record) => record.flags === 0 && record.gsoType === 0 ? plain(record.frame) : record);
}

/** A run that may grow, or has grown. */
interface Run {
  readonly found: Found;
  readonly parts: EdgeRecord[];
  textBytes: number;
}

/** One of 64 places where a run is remembered: two flows of one place end each other's runs. */
function placeOf(frame: Uint8Array, { isV6, tcpAt }: Found): number {
  const lies = (at: number): number => {
    const [a = 0, b = 0, c = 0, d = 0] = frame.subarray(at, at + 4);
    return a | (b << 8) | (c << 16) | (d << 24);
  };
  const source = isV6 ? 34 : 30;
  const mixed = isV6
    ? lies(50) ^ (lies(source) << 1) ^ lies(tcpAt)
    : lies(26) ^ (lies(source) << 1) ^ lies(tcpAt);
  return Math.imul(mixed, 0x9e37_79b9) >>> 26;
}

function same(a: Uint8Array, b: Uint8Array, ...spans: [from: number, to: number][]): boolean {
  return spans.every(([from, to]) => {
    for (let i = from; i < to; i++) if (a[i] !== b[i]) return false;
    return true;
  });
}

function isSameFlow(run: Run, frame: Uint8Array, found: Found): boolean {
  const head = run.parts[0]?.frame ?? frame;
  if (run.found.isV6 !== found.isV6) return false;
  const addresses: [number, number] = found.isV6 ? [22, 54] : [26, 34];
  return same(head, frame, [0, 14], addresses) &&
    long(head, run.found.tcpAt) === long(frame, found.tcpAt);
}

function isCandidate(record: EdgeRecord, found: Found, to: number): boolean {
  const { frame, gsoType } = record;
  const { isV6, tcpAt, textBytes } = found;
  if (gsoType !== 0 || textBytes === 0 || tcpAt !== (isV6 ? 54 : 34)) return false;
  if ((to & (isV6 ? TCP6 : TCP4)) === 0) return false;
  if (!isV6 && sum(frame.subarray(14, 34), 0) !== 0xffff) return false;
  return (word(frame, tcpAt + 12) & 0xff7) === 0x10;
}

function isRight(record: EdgeRecord, { isV6, tcpAt, textAt, textBytes }: Found): boolean {
  const { flags, frame, csumStart, csumOffset } = record;
  if ((flags & NEEDS_CSUM) !== 0) return csumStart === tcpAt && csumOffset === 16;
  if (flags !== 0) return true;
  const whole = frame.subarray(tcpAt, textAt + textBytes);
  return sum(whole, pseudo(frame, isV6, whole.length)) === 0xffff;
}

function continues(run: Run, frame: Uint8Array, found: Found): boolean {
  const head = run.parts[0]?.frame ?? frame;
  const { isV6, tcpAt, textAt, textBytes } = found;
  if (run.found.textAt !== textAt || textBytes > run.found.textBytes) return false;
  if (textAt - 14 + run.textBytes + textBytes > 65_535) return false;
  if (long(frame, tcpAt + 4) !== (long(head, tcpAt + 4) + run.textBytes) % 0x1_0000_0000) {
    return false;
  }
  const ip: [number, number][] = isV6 ? [[14, 18], [21, 22]] : [[15, 16], [20, 23]];
  const tcp: [number, number][] = [[tcpAt + 8, tcpAt + 12], [tcpAt + 14, tcpAt + 16]];
  if (!same(head, frame, ...ip, ...tcp, [tcpAt + 18, textAt])) return false;
  const isAtomic = isV6 || (word(head, 20) & 0x4000) !== 0;
  return isAtomic || word(frame, 18) === (word(head, 18) + run.parts.length) % 65_536;
}

function superSegment(run: Run, to: number): EdgeRecord {
  const { isV6, tcpAt, textAt, textBytes: gsoSize } = run.found;
  const [head] = run.parts;
  const last = run.parts.at(-1);
  if (head === undefined || last === undefined) throw new Error("a run has no parts");
  const frame = new Uint8Array(textAt + run.textBytes);
  frame.set(head.frame.subarray(0, textAt));
  let at = textAt;
  for (const part of run.parts) {
    const { textBytes = 0 } = find(part.frame) ?? {};
    frame.set(part.frame.subarray(textAt, textAt + textBytes), at);
    at += textBytes;
  }
  putWord(frame, isV6 ? 18 : 16, frame.length - (isV6 ? 54 : 14));
  frame[tcpAt + 13] = last.frame[tcpAt + 13] ?? 0;
  const isPartial = (to & CHECKSUM) !== 0;
  seal(frame, run.found, isPartial);
  return {
    ...{ frame, gsoSize, flags: isPartial ? NEEDS_CSUM : 0, gsoType: isV6 ? 4 : 1 },
    ...{ hdrLen: textAt, csumStart: isPartial ? tcpAt : 0, csumOffset: isPartial ? 16 : 0 },
  };
}

/** Puts records of one batch together. @param from OFFLOAD bits of the records. @param to Those of who gets them. */
export function merge(records: readonly EdgeRecord[], from: number, to: number): EdgeRecord[] {
  const out: (EdgeRecord | Run)[] = [];
  const open = new Map<number, Run>();
  for (const record of records) {
    if ((needs(record) & ~from) !== 0) continue;
    const { frame } = record;
    const found = find(frame);
    if (found === null) {
      out.push(record);
      continue;
    }
    const place = placeOf(frame, found);
    const run = open.get(place);
    const isSame = run !== undefined && isSameFlow(run, frame, found);
    if (!isCandidate(record, found, to) || !isRight(record, found)) {
      if (isSame) open.delete(place);
      out.push(record);
      continue;
    }
    const isPushed = ((frame[found.tcpAt + 13] ?? 0) & 8) !== 0;
    if (isSame && run !== undefined && continues(run, frame, found)) {
      run.parts.push(record);
      run.textBytes += found.textBytes;
      if (isPushed || found.textBytes < run.found.textBytes) open.delete(place);
      continue;
    }
    const next: Run = { found, parts: [record], textBytes: found.textBytes };
    out.push(next);
    if (!isPushed && found.textBytes >= 48) open.set(place, next);
    else if (isSame) open.delete(place);
  }
  return out.map((item) => {
    if (!("parts" in item)) return item;
    const [only, second] = item.parts;
    if (only === undefined) throw new Error("a run has no parts");
    if (second !== undefined) return superSegment(item, to);
    return only.flags === 0 && (to & CHECKSUM) !== 0 ? { ...only, flags: 2 } : only;
  });
}

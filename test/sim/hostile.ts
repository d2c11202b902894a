/** A peer that sends whatever it likes: well-formed TCP segments of few tuples and near numbers, and plain rubbish. */
import type { TestRandom } from "../random.ts";

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const TCP_BYTES = 20;
/** Ports of ours that listen, are silent, and of theirs: few, so that segments meet connections. */
const OUR_PORTS = [80, 81, 5000];
const THEIR_PORTS = [1000, 1001, 1002, 1003];
/** Offsets to a known number that are worth trying: each boundary, one less and one more. */
const NEAR = [
  -70_000,
  -1449,
  -2,
  -1,
  0,
  1,
  2,
  1448,
  4096,
  65_534,
  65_536,
  0x7fff_ffff,
  0x8000_0000,
];
/** Offsets to a timestamp that was heard: seldom one that makes all others old. */
const STAMPS_NEAR = [0, 0, 0, 0, 1, 1, 2, 100, -1, 0x7fff_ffff, 0x8000_0000];
const TEXT_MAX_BYTES = 1460;
/** Flags worth more than chance: SYN, ACK, SYN+ACK, RST, FIN+ACK, PSH+ACK, all, none. */
const FLAGS = [0x02, 0x10, 0x10, 0x10, 0x12, 0x04, 0x14, 0x11, 0x18, 0xff, 0x00];

/** The numbers of one connection as far as a peer on the path could know them. */
export interface Numbers {
  seq: number;
  ack: number;
  /** TSecr, if timestamps were agreed, else null: without them nothing is heard. RFC 7323 section 3.2. */
  stamp: number | null;
}

function sum16(bytes: Uint8Array, from: number, to: number, initial: number): number {
  let total = initial;
  for (let i = from; i < to; i += 2) {
    total += ((bytes[i] ?? 0) << 8) | (i + 1 < to ? bytes[i + 1] ?? 0 : 0);
  }
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000);
  return total;
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = (value >>> 8) & 0xff;
  bytes[at + 1] = value & 0xff;
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  put16(bytes, at, value >>> 16);
  put16(bytes, at + 2, value & 0xffff);
}

function pick<T>(random: TestRandom, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

/** Timestamps near what was last heard: the same, later, a little old, or as old as can be. */
function drawStamps(random: TestRandom, heard: number): Uint8Array {
  const options = Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0);
  put32(options, 4, (heard + pick(random, STAMPS_NEAR)) >>> 0);
  return options;
}

/** Options: none, what a SYN has, or rubbish of any length. */
function drawOptions(random: TestRandom): Uint8Array {
  const kind = random.below(6);
  // Fast Open: a request, or a cookie that is none of ours.
  if (kind === 5) {
    const bytes = random.below(2) * 8;
    const cookie = Array.from({ length: bytes }, () => random.below(256));
    return Uint8Array.of(34, 2 + bytes, ...cookie, 1, 1);
  }
  if (kind === 0) {
    return Uint8Array.of(
      2,
      4,
      5,
      0xb4,
      4,
      2,
      8,
      10,
      0,
      0,
      0,
      random.below(256),
      0,
      0,
      0,
      0,
      1,
      3,
      3,
      7,
    );
  }
  if (kind === 1) return drawStamps(random, random.below(1024));
  if (kind === 2) return Uint8Array.from({ length: 4 * random.below(11) }, () => random.below(256));
  if (kind === 3) {
    return Uint8Array.of(
      1,
      1,
      5,
      10,
      ...Array.from({ length: 8 }, () => random.below(256)),
    );
  }
  return new Uint8Array(0);
}

/** Where a connection's numbers are kept. */
export function numbersKey(theirs: number, ours: number, isV6: boolean): number {
  return (theirs * 0x10000) + ours + (isV6 ? 2 ** 32 : 0);
}

/** Extension headers: none, some that are skipped, or rubbish. Their next headers lead to TCP, most of the time. */
function drawExtensions(random: TestRandom): Uint8Array {
  const kind = random.below(4);
  // Destination options: PadN of 4 bytes.
  if (kind === 0) return Uint8Array.of(6, 0, 1, 4, 0, 0, 0, 0);
  // Destination options of any kind and length.
  if (kind === 1) {
    const units = random.below(3);
    const rest = Array.from({ length: 6 + (8 * units) }, () => random.below(256));
    return Uint8Array.of(6, units, ...rest);
  }
  return new Uint8Array(0);
}

function writeIpv4(frame: Uint8Array, tcpBytes: number): void {
  put16(frame, 12, 0x0800);
  const ip = frame.subarray(ETHERNET_BYTES);
  ip.set([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1]);
  put16(ip, 2, IPV4_BYTES + tcpBytes);
  put16(ip, 10, ~sum16(ip, 0, IPV4_BYTES, 0) & 0xffff);
}

/** From 2001:db8::9 to 2001:db8::1. */
function writeIpv6(frame: Uint8Array, extensions: Uint8Array, tcpBytes: number): void {
  put16(frame, 12, 0x86dd);
  const ip = frame.subarray(ETHERNET_BYTES);
  ip[0] = 0x60;
  put16(ip, 4, extensions.length + tcpBytes);
  ip[6] = extensions.length === 0 ? 6 : 60;
  ip[7] = 64;
  ip.set([0x20, 0x01, 0x0d, 0xb8], 8);
  ip[23] = 9;
  ip.set([0x20, 0x01, 0x0d, 0xb8], 24);
  ip[39] = 1;
  ip.set(extensions, IPV6_BYTES);
}

/** Sum of the addresses, which the pseudo header begins with. */
function addressSum(ip: Uint8Array, isV6: boolean): number {
  return isV6 ? sum16(ip, 8, 40, 0) : sum16(ip, 12, 20, 0);
}

/** One record with a segment whose checksums are right and whose numbers are anything. */
export function hostileSegment(
  random: TestRandom,
  mac: Uint8Array,
  numbers: ReadonlyMap<number, Numbers>,
  textMax: number = TEXT_MAX_BYTES,
): Uint8Array {
  const isV6 = random.below(3) === 0;
  const theirs = pick(random, THEIR_PORTS);
  const ours = pick(random, OUR_PORTS);
  const known = numbers.get(numbersKey(theirs, ours, isV6)) ??
    { seq: random.next(), ack: random.next(), stamp: null };
  const { stamp } = known;
  const isHeard = stamp !== null && random.below(4) !== 0;
  const options = isHeard ? drawStamps(random, stamp) : drawOptions(random);
  const textBytes = random.below(3) === 0 ? random.below(textMax) : random.below(4);
  const tcpBytes = TCP_BYTES + options.length + textBytes;
  const extensions = isV6 ? drawExtensions(random) : new Uint8Array(0);
  const ipBytes = isV6 ? IPV6_BYTES + extensions.length : IPV4_BYTES;
  const frameBytes = ETHERNET_BYTES + ipBytes + tcpBytes;
  const record = new Uint8Array(14 + frameBytes);
  new DataView(record.buffer).setUint32(0, 10 + frameBytes, true);
  const frame = record.subarray(14);
  frame.set(mac, 0);
  frame.set([2, 0, 0, 0, 0, 9], 6);
  const ip = frame.subarray(ETHERNET_BYTES);
  if (isV6) writeIpv6(frame, extensions, tcpBytes);
  else writeIpv4(frame, tcpBytes);
  const tcp = ip.subarray(ipBytes);
  put16(tcp, 0, theirs);
  put16(tcp, 2, ours);
  put32(tcp, 4, (known.seq + pick(random, NEAR)) >>> 0);
  put32(tcp, 8, (known.ack + pick(random, NEAR)) >>> 0);
  tcp[12] = ((TCP_BYTES + options.length) / 4) << 4;
  tcp[13] = random.below(8) === 0 ? random.below(256) : pick(random, FLAGS);
  put16(tcp, 14, pick(random, [0, 1, 1447, 65_535, random.below(65_536)]));
  tcp.set(options, TCP_BYTES);
  for (let i = TCP_BYTES + options.length; i < tcpBytes; i++) tcp[i] = random.below(256);
  put16(tcp, 16, ~sum16(tcp, 0, tcpBytes, addressSum(ip, isV6) + 6 + tcpBytes) & 0xffff);
  return record;
}

/** Where a record's frame begins, and where its segment does if nothing stands between IP and TCP. */
const FRAME_AT = 14;
const SIZES = [0, 1, 47, 48, 49, 100, 536, 1448, 65_535];

/** Gives a record a header that asks for offload: one that may pass, or any. */
export function hostileVnet(random: TestRandom, record: Uint8Array): void {
  const view = new DataView(record.buffer);
  const isV6 = record[FRAME_AT + 12] === 0x86;
  const tcp = ETHERNET_BYTES + (isV6 ? IPV6_BYTES : IPV4_BYTES);
  if (record.length < FRAME_AT + tcp + TCP_BYTES || random.below(8) === 0) {
    for (let i = 4; i < Math.min(FRAME_AT, record.length); i++) record[i] = random.below(256);
    return;
  }
  const text = record.length - FRAME_AT - tcp - ((record[FRAME_AT + tcp + 12] ?? 0) >> 4) * 4;
  if (random.below(3) !== 0) {
    const mark = random.below(4) === 0 ? 0x80 : 0;
    view.setUint8(5, (random.below(8) === 0 ? random.below(6) : isV6 ? 4 : 1) | mark);
    const near = [text - 1, text, text + 1, text >> 1, 48, 100, pick(random, SIZES)];
    view.setUint16(8, pick(random, near) & 0xffff, true);
  }
  if (random.below(3) !== 0) return;
  view.setUint8(4, random.below(4));
  view.setUint16(10, tcp + (random.below(8) === 0 ? random.below(200) - 100 : 0), true);
  view.setUint16(12, random.below(8) === 0 ? random.below(70_000) & 0xffff : 16, true);
}

/** One record of rubbish: a good one with flipped bits, a wrong length, or random bytes throughout. */
export function rubbish(random: TestRandom, good: Uint8Array): Uint8Array {
  const record = random.below(4) === 0
    ? Uint8Array.from({ length: 14 + random.below(200) }, () => random.below(256))
    : good.slice();
  for (let flips = random.below(4); flips > 0; flips--) {
    const at = random.below(record.length);
    record[at] = (record[at] ?? 0) ^ (1 << random.below(8));
  }
  // The length is mostly right: otherwise nothing but the length would be tested.
  if (random.below(20) !== 0) new DataView(record.buffer).setUint32(0, record.length - 4, true);
  return record;
}

import { beforeAll, describe, expect, test } from "vitest";
import {
  SEGMENT_ACK,
  SEGMENT_FLAGS,
  SEGMENT_HEADER_BYTES,
  SEGMENT_LEN,
  SEGMENT_LOCAL_ADDR_A,
  SEGMENT_LOCAL_ADDR_B,
  SEGMENT_LOCAL_PORT,
  SEGMENT_REMOTE_ADDR_B,
  SEGMENT_REMOTE_PORT,
  SEGMENT_SEQ,
  SEGMENT_SIZE,
  SEGMENT_TEXT_BYTES,
  SEGMENT_TEXT_PTR,
  SEGMENT_TOS,
  SEGMENT_TTL,
  SEGMENT_URGENT,
  SEGMENT_WND,
  STAT_DROP_FRAME_SHORT,
  STAT_DROP_IP_ADDRESS,
  STAT_DROP_IP_CHECKSUM,
  STAT_DROP_IP_HEADER,
  STAT_DROP_IP_OPTION,
  STAT_DROP_IPV6_HEADER,
  STAT_DROP_TCP_CHECKSUM,
  STAT_DROP_TCP_HEADER,
  STAT_DROP_TCP_OPTION,
} from "../../src/layout/layout.gen.ts";
import { bytesOf, type Kernels, loadKernels } from "../kernels.ts";
import { checksum } from "../model/checksum.ts";
import { parseIpv4, type Refusal } from "../model/ipv4.ts";
import { type TestRandom, withSeed } from "../random.ts";

const STATS: Readonly<Record<Refusal, number>> = {
  short: STAT_DROP_FRAME_SHORT,
  header: STAT_DROP_IP_HEADER,
  checksum: STAT_DROP_IP_CHECKSUM,
  option: STAT_DROP_IP_OPTION,
  address: STAT_DROP_IP_ADDRESS,
};
/** First bytes of addresses that are told apart, and some that are not. */
const NETS = [0, 1, 10, 126, 127, 128, 192, 223, 224, 239, 240, 255];
const LOCAL = [10, 0, 0, 2];
const REMOTE = [192, 0, 2, 1];

let kernels: Kernels;
let memory: Uint8Array;
let words: DataView;
let segment: number;

beforeAll(() => {
  kernels = loadKernels();
  memory = bytesOf(kernels);
  words = new DataView(kernels.memory.buffer);
  segment = kernels.scratch();
});

/** Puts bytes at the very end of memory, where a read too far traps. */
function putAtEnd(bytes: readonly number[]): number {
  memory.set(bytes, memory.length - bytes.length);
  return memory.length - bytes.length;
}

function repair(packet: number[]): void {
  const headerBytes = Math.min(packet.length, ((packet[0] ?? 0) % 16) * 4);
  if (headerBytes < 20) return;
  packet[10] = 0;
  packet[11] = 0;
  const check = checksum(Uint8Array.from(packet.slice(0, headerBytes)));
  packet[10] = check >> 8;
  packet[11] = check & 255;
}

/** A packet that is right, but for what random options say. */
function randomPacket(random: TestRandom): number[] {
  const words = random.below(3) === 0 ? random.below(11) : 0;
  const payload = random.below(12);
  const total = 20 + (4 * words) + payload;
  const kinds = [0, 1, 7, 68, 131, 137, 148];
  const options = Array.from(
    { length: 4 * words },
    () =>
      random.below(3) === 0
        ? kinds[random.below(7)] ?? 0
        : random.below(2) === 0
        ? 1
        : random.below(9),
  );
  return [
    ...[0x45 + words, 0, 0, total, 0, 0, 64, 0, 64, random.below(3) === 0 ? 17 : 6, 0, 0],
    ...REMOTE,
    ...LOCAL,
    ...options,
    ...Array.from({ length: payload + random.below(4) }, () => random.below(256)),
  ];
}

/** Changes some bytes, or the length. */
function mutate(random: TestRandom, packet: number[]): void {
  for (let n = random.below(3); n > 0; n--) {
    packet[random.below(Math.min(packet.length, 24))] = random.below(256);
  }
  if (random.below(4) === 0) packet[12] = NETS[random.below(NETS.length)] ?? 0;
  if (random.below(6) === 0) packet[16] = NETS[random.below(NETS.length)] ?? 0;
  if (random.below(3) !== 0) repair(packet);
  if (random.below(6) === 0) packet.length = random.below(packet.length);
}

describe("parseIpv4() and its twin", () => {
  test("agree on mutated packets, and read nothing beyond them", () => {
    withSeed(791, (random) => {
      const seen = new Set<string>();
      for (let turn = 0; turn < 100_000; turn++) {
        const packet = randomPacket(random);
        mutate(random, packet);
        const right = parseIpv4(packet);
        const found = kernels.parseIpv4(putAtEnd(packet), packet.length, segment);
        const wanted = typeof right === "number" ? right : -STATS[right] - 1;
        if (found !== wanted) throw new Error(`[${packet.join(" ")}] is ${found}, not ${right}`);
        seen.add(typeof right === "number" ? "fine" : right);
      }
      expect([...seen].sort()).toEqual([...Object.keys(STATS), "fine"].sort());
    });
  });

  test("MUST-50 skips options that it does not know, of any whole length", () => {
    const known = [0x44, 4, 5, 0];
    for (const options of [[222, 2, 1, 0], [0x1e, 4, 0, 1], [...known, 1, 222, 3, 9]]) {
      const header = [
        0x45 + options.length / 4,
        0,
        0,
        20 + options.length,
        0,
        0,
        64,
        0,
        64,
        6,
        0,
        0,
      ];
      const packet = [...header, ...REMOTE, ...LOCAL, ...options];
      repair(packet);
      const found = kernels.parseIpv4(putAtEnd(packet), packet.length, segment);
      expect(found, options.join(" ")).toBe(20 + options.length);
    }
  });

  test("takes what writeIpv4() writes, addresses mapped", () => {
    const at = segment + SEGMENT_SIZE;
    const [source, destination] = [REMOTE, LOCAL].map((bytes) =>
      kernels.mappedB(new DataView(Uint8Array.from(bytes).buffer).getUint32(0, true))
    ) as [bigint, bigint];
    kernels.writeIpv4(at, 20, 6, 64, 0xba, source, destination);
    expect([...memory.slice(at, at + 12)]).toEqual([
      0x45,
      0xba,
      0,
      20,
      0,
      0,
      0x40,
      0,
      64,
      6,
      0x6e,
      0x27,
    ]);
    expect(kernels.parseIpv4(at, 20, segment)).toBe(20);
    expect(memory[segment + SEGMENT_TOS]).toBe(0xba);
    expect(memory[segment + SEGMENT_TTL]).toBe(64);
    const local = [...memory.slice(segment + SEGMENT_LOCAL_ADDR_A, segment + 16)];
    expect(local).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...LOCAL]);
    expect([...memory.slice(segment + SEGMENT_REMOTE_ADDR_B, segment + 32)])
      .toEqual([0, 0, 255, 255, ...REMOTE]);
    expect(kernels.ipv4Protocol(at)).toBe(6);
    expect(kernels.ipv4TotalBytes(at)).toBe(20);
  });

  test.each([[0x0000, 0], [0x4000, 0], [0x2000, 1], [0x0001, 1], [0x1fff, 1], [0x8000, 0]])(
    "ipv4IsFragment() reads flags %i as %i",
    (flags, isFragment) => {
      const at = segment + SEGMENT_SIZE;
      kernels.store16(at + 6, flags);
      expect(kernels.ipv4IsFragment(at)).toBe(isFragment);
    },
  );
});

describe("parseIpv6()", () => {
  test("takes what writeIpv6() writes, and refuses a mapped or multicast source", () => {
    const at = segment + SEGMENT_SIZE;
    const [a, b] = [0x0000_0000_b80d_0120n, 0x0100_0000_0000_0000n];
    kernels.writeIpv6(at, 8, 6, 64, 0xba, a, b, a, b + 1n);
    expect(kernels.parseIpv6(at, 48, segment)).toBe(40);
    expect(memory[segment + SEGMENT_TOS]).toBe(0xba);
    expect(memory[segment + SEGMENT_TTL]).toBe(64);
    expect(words.getBigUint64(segment + SEGMENT_LOCAL_ADDR_B, true)).toBe(b + 1n);
    expect(kernels.parseIpv6(at, 47, segment)).toBe(-STAT_DROP_IPV6_HEADER - 1);
    expect(kernels.parseIpv6(at, 39, segment)).toBe(-STAT_DROP_FRAME_SHORT - 1);
    kernels.writeIpv6(at, 8, 6, 64, 0, 0n, kernels.mappedB(1), a, b);
    expect(kernels.parseIpv6(at, 48, segment)).toBe(-STAT_DROP_IP_ADDRESS - 1);
    kernels.writeIpv6(at, 8, 6, 64, 0, 0x02ffn, b, a, b);
    expect(kernels.parseIpv6(at, 48, segment)).toBe(-STAT_DROP_IP_ADDRESS - 1);
  });
});

/** A segment with its checksum, whose addresses stand in the Segment record. */
function makeSegment(random: TestRandom, flags: number, textBytes: number): number[] {
  const at = segment + SEGMENT_SIZE;
  const options = random.below(2) === 0 ? [] : [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
  const headerBytes = 20 + options.length;
  kernels.writeTcp(at, 80, 40000, 0xfffffffe, 0x80000001, headerBytes, flags, 65535, 7);
  const text = Array.from({ length: textBytes }, () => random.below(256));
  const bytes = [...memory.slice(at, at + 20), ...options, ...text];
  const pseudo = [...REMOTE, ...LOCAL, 0, 6, bytes.length >> 8, bytes.length & 255];
  const check = checksum(Uint8Array.from([...pseudo, ...bytes]));
  bytes[16] = check >> 8;
  bytes[17] = check & 255;
  return bytes;
}

function setAddresses(): void {
  memory.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...LOCAL], segment);
  memory.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...REMOTE], segment + 16);
}

describe("parseTcp()", () => {
  test("MUST-2 takes what writeTcp() writes, and SEG.LEN counts SYN and FIN", () => {
    withSeed(9293, (random) => {
      for (let flags = 0; flags < 256; flags++) {
        setAddresses();
        const textBytes = random.below(200);
        const bytes = makeSegment(random, flags, textBytes);
        const at = putAtEnd(bytes);
        expect(kernels.parseTcp(at, bytes.length, segment)).toBe(0);
        const field = (offset: number): number => words.getUint32(segment + offset, true);
        expect(field(SEGMENT_SEQ)).toBe(0xfffffffe);
        expect(field(SEGMENT_ACK)).toBe(0x80000001);
        expect(field(SEGMENT_FLAGS)).toBe(flags);
        expect(field(SEGMENT_WND)).toBe(65535);
        expect(field(SEGMENT_URGENT)).toBe(7);
        expect(field(SEGMENT_TEXT_BYTES)).toBe(textBytes);
        expect(field(SEGMENT_TEXT_PTR)).toBe(memory.length - textBytes);
        expect(field(SEGMENT_LEN)).toBe(textBytes + (flags & 1) + ((flags >> 1) & 1));
        expect(words.getUint16(segment + SEGMENT_REMOTE_PORT, true)).toBe(80);
        expect(words.getUint16(segment + SEGMENT_LOCAL_PORT, true)).toBe(40000);
        expect(words.getUint16(segment + SEGMENT_HEADER_BYTES, true)).toBe(
          bytes.length - textBytes,
        );
      }
    });
  });

  test("MUST-3 refuses every change of one bit, by checksum or by header", () => {
    withSeed(793, (random) => {
      setAddresses();
      const bytes = makeSegment(random, 16, 30);
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        const changed = [...bytes];
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const verdict = kernels.parseTcp(putAtEnd(changed), changed.length, segment);
        expect([-STAT_DROP_TCP_CHECKSUM - 1, -STAT_DROP_TCP_HEADER - 1]).toContain(verdict);
      }
    });
  });

  test("refuses a header that is cut, or longer than the segment, checked or not", () => {
    withSeed(794, (random) => {
      setAddresses();
      const bytes = makeSegment(random, 16, 0);
      const refused = -STAT_DROP_TCP_HEADER - 1;
      for (let length = 0; length < bytes.length; length++) {
        const at = putAtEnd(bytes.slice(0, length));
        expect(kernels.parseTcp(at, length, segment)).toBe(refused);
        expect(kernels.parseTcpUnchecked(at, length, segment)).toBe(refused);
      }
      bytes[12] = 0x40;
      expect(kernels.parseTcpUnchecked(putAtEnd(bytes), bytes.length, segment)).toBe(refused);
    });
  });

  test("MUST-7 refuses an option whose length can not be", () => {
    const bytes = [
      0,
      80,
      0,
      90,
      ...new Array<number>(8).fill(0),
      0x60,
      16,
      ...new Array<number>(6).fill(0),
    ];
    const at = putAtEnd([...bytes, 2, 0, 0, 0]);
    expect(kernels.parseTcpUnchecked(at, 24, segment)).toBe(-STAT_DROP_TCP_OPTION - 1);
  });

  test("takes any bytes without a trap", () => {
    withSeed(795, (random) => {
      for (let turn = 0; turn < 50_000; turn++) {
        const bytes = Array.from({ length: random.below(80) }, () => random.below(256));
        if (bytes.length > 12) bytes[12] = (5 + random.below(11)) << 4;
        const verdict = kernels.parseTcpUnchecked(putAtEnd(bytes), bytes.length, segment);
        expect(verdict).toBeLessThanOrEqual(0);
      }
    });
  });
});

describe("writeEthernet()", () => {
  test("writes addresses as they lie and the type in network order", () => {
    const at = segment + SEGMENT_SIZE;
    kernels.writeEthernet(at, 0x04030201, 0x0605, 0x14131211, 0x1615, 0x0800);
    expect([...memory.slice(at, at + 14)])
      .toEqual([1, 2, 3, 4, 5, 6, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 8, 0]);
  });
});

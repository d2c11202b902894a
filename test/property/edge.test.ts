/** The edge and its twin: super-segments taken apart and put together, and what garbage does to it. */
import { describe, expect, test } from "vitest";
import {
  ALL,
  BATCH_BYTES,
  EdgeUnderTest,
  type FrameParts,
  joinBytes,
  packRecords,
  plainRecord,
  superRecord,
  tcpFrame,
  unpackRecords,
} from "../edge.ts";
import { type EdgeRecord, merge, split } from "../model/edge.ts";
import { type TestRandom, withSeed } from "../random.ts";

const ACK = 0x10;
const PSH = 0x08;
/** Timestamps behind two NOPs. */
const STAMPS = [1, 1, 8, 10, 0, 0, 1, 2, 0, 0, 3, 4];
const GSO_SIZES = [48, 49, 100, 535, 536, 1000, 1448, 1460, 8948];

function pick<T>(random: TestRandom, values: readonly T[]): T {
  const value = values[random.below(values.length)];
  if (value === undefined) throw new Error("nothing to pick from");
  return value;
}

function randomText(random: TestRandom, bytes: number): Uint8Array {
  const isConstant = random.below(8) === 0;
  const text = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i += 4) {
    const word = isConstant ? 0xffff_ffff : random.next();
    for (let k = 0; k < 4 && i + k < bytes; k++) text[i + k] = (word >>> (k * 8)) & 255;
  }
  return text;
}

/** Extension headers of IPv6: none mostly, else options, or a routing header that is done, or not. */
function randomExtensions(random: TestRandom): [type: number, bytes: number[]][] {
  const type = [undefined, undefined, 0, 60, 43, 44][random.below(6)];
  if (type === undefined) return [];
  const more = random.below(2);
  const bytes = new Array<number>(8 + more * 8).fill(0);
  bytes[1] = more;
  bytes[3] = random.below(8) === 0 ? 1 : 0;
  return random.below(2) === 0 ? [[type, bytes]] : [[type, bytes], [60, bytes]];
}

function randomSuper(random: TestRandom, most: number): EdgeRecord {
  const version = pick(random, [4, 6] as const);
  const gsoSize = pick(random, GSO_SIZES);
  const textBytes = Math.max(
    Math.min(gsoSize * (1 + random.below(60)), most) - random.below(99),
    48,
  );
  const parts: FrameParts = {
    ...{ version, text: randomText(random, Math.max(textBytes, gsoSize)), seq: random.next() },
    ...{ tos: random.below(256), ttl: 1 + random.below(255), id: random.below(65_536) },
    flags: pick(random, [
      ACK,
      ACK | PSH,
      ACK | PSH | 1,
      ACK | 0x80,
      ACK | 0xc0,
      ACK | 0x20,
      ACK | 2,
    ]),
    urgent: random.below(2) === 0 ? 0 : random.below(9999),
    fragment: pick(random, [0x4000, 0, 0x4000, 0x2000, 1]),
    options: pick(random, [[], STAMPS, [...STAMPS, ...STAMPS, 0, 0, 0, 0]]),
    extensions: version === 6 ? randomExtensions(random) : [],
    isPartial: random.below(2) === 0,
  };
  const record = superRecord(gsoSize, parts);
  if (random.below(4) === 0) return { ...record, gsoType: record.gsoType | 0x80 };
  return random.below(8) === 0 ? { ...record, flags: record.flags | 2 } : record;
}

/** A record that is not quite as it should be, or not at all. */
function damage(random: TestRandom, record: EdgeRecord): EdgeRecord {
  const frame = record.frame.slice();
  const what = random.below(7);
  if (what === 0) return { ...record, gsoSize: random.below(65_536), frame };
  if (what === 1) return { ...record, csumStart: random.below(99), csumOffset: random.below(40) };
  if (what === 2) return { ...record, gsoType: random.below(256), flags: random.below(8) };
  if (what === 3) return { ...record, frame: frame.subarray(0, random.below(frame.length + 1)) };
  const reach = what === 4 ? frame.length : Math.min(frame.length, 90);
  const at = random.below(reach);
  frame[at] = (frame[at] ?? 0) ^ (1 << random.below(8));
  return { ...record, frame };
}

/** Segments of a few flows, some in order, some not, some not mergeable, some damaged. */
function randomSegments(random: TestRandom, most: number, isDamaged: boolean): EdgeRecord[] {
  const flows = Array.from({ length: 1 + random.below(4) }, (_, i): FrameParts => ({
    ...{ version: pick(random, [4, 4, 6] as const), ports: [1000 + i, 80], seq: random.next() },
    ...{ options: pick(random, [[], STAMPS]), fragment: pick(random, [0x4000, 0]) },
    ...{ ack: random.next(), tos: random.below(2) * 2 },
  }));
  const next = flows.map(({ seq = 0 }) => ({ seq, id: random.below(65_536) }));
  const sizes = flows.map(() => pick(random, [1, 47, 48, 99, 536, 1000, 1448]));
  const records: EdgeRecord[] = [];
  let bytes = 0;
  for (let i = 0; i < 200; i++) {
    const flow = random.below(flows.length);
    const at = next[flow] ?? { seq: 0, id: 0 };
    const size = sizes[flow] ?? 1;
    const isShort = random.below(12) === 0;
    const text = randomText(random, isShort ? random.below(size + 1) : size);
    const odd = random.below(24);
    const isPartial = random.below(4) === 0;
    const parts: FrameParts = {
      ...{ ...flows[flow], ...at, text, isPartial },
      flags: odd === 0 ? ACK | 1 : odd < 3 ? ACK | PSH : odd === 3 ? ACK | 0x100 : ACK,
      ...(odd === 4 ? { win: 1 } : odd === 5 ? { ttl: 1 } : odd === 6 ? { tos: 3 } : {}),
      ...(odd === 7 ? { id: 7 } : odd === 8 ? { ack: 1 } : odd === 9 ? { urgent: 9 } : {}),
      ...(odd === 10 ? { seq: at.seq + 1 } : odd === 11 ? { fragment: 0x2000 } : {}),
    };
    const frame = tcpFrame(parts);
    const tcpAt = parts.version === 6 ? 54 : 34;
    const header = { flags: 1, csumStart: tcpAt, csumOffset: 16 };
    const record = { ...plainRecord(frame), ...(isPartial ? header : {}) };
    records.push(isDamaged && random.below(30) === 0 ? damage(random, record) : record);
    at.seq = (at.seq + text.length) >>> 0;
    at.id = (at.id + 1) & 0xffff;
    bytes += 14 + frame.length;
    if (bytes > most) break;
  }
  return records;
}

const WAYS: readonly (readonly [from: number, to: number])[] = [
  [ALL, 0],
  [ALL, 1],
  [ALL, 2],
  [ALL, 4],
  [ALL, 7],
  [ALL, ALL],
  [6, 0],
  [14, 1],
  [0, 0],
];

describe("the edge and its twin", () => {
  test("split() agrees, whatever both sides understand, in pieces of any size", () => {
    const edge = new EdgeUnderTest();
    withSeed(20_001, (random) => {
      for (let i = 0; i < 250; i++) {
        const records = Array.from({ length: 1 + random.below(3) }, () => {
          const record = randomSuper(random, 20_000);
          return random.below(5) === 0 ? damage(random, record) : record;
        });
        const [from, to] = pick(random, WAYS);
        const expected = packRecords(split(records, from, to));
        const most = Math.max(...records.map(({ frame }) => frame.length)) + 200;
        const room = random.below(2) === 0 ? () => BATCH_BYTES : () => most + random.below(3000);
        const out = edge.split(packRecords(records), from, to, room);
        expect(Buffer.compare(out, expected), `run ${i}, ${from} to ${to}`).toBe(0);
      }
      expect(edge.counts().slice(0, 4).every((count) => count > 10)).toBe(true);
    });
  });

  test("merge() agrees, whatever both sides understand", () => {
    const edge = new EdgeUnderTest();
    withSeed(20_002, (random) => {
      for (let i = 0; i < 250; i++) {
        const records = randomSegments(random, 60_000, true);
        const [from, to] = pick(
          random,
          [[0, ALL], [0, 6], [1, ALL], [1, 3], [0, 0], [1, 5]] as const,
        );
        const batch = packRecords(records);
        const out = edge.merge(batch, from, to);
        expect(out.length).toBeLessThanOrEqual(batch.length);
        const expected = packRecords(merge(records, from, to));
        expect(Buffer.compare(out, expected), `run ${i}, ${from} to ${to}`).toBe(0);
      }
      expect(edge.counts()[4]).toBeGreaterThan(800);
      expect(edge.counts()[5]).toBeGreaterThan(2500);
    });
  });

  test("splitting and merging again gives the same super-segment, up to the largest there is", () => {
    const edge = new EdgeUnderTest();
    withSeed(20_003, (random) => {
      for (const version of [4, 6] as const) {
        for (const gsoSize of [48, 536, 1447, 1460, 8948]) {
          const options = pick(random, [[], STAMPS]);
          const most = 65_535 - (version === 4 ? 20 : 40) - 20 - options.length;
          const text = randomText(random, gsoSize === 48 ? 20_000 : most);
          const seq = 0xffff_ff00;
          const flags = ACK | PSH;
          const record = superRecord(gsoSize, {
            version,
            options,
            text,
            seq,
            flags,
            isPartial: true,
          });
          const apart = edge.split(packRecords([record]), ALL, 0, () => BATCH_BYTES);
          expect(unpackRecords(apart)).toHaveLength(Math.ceil(text.length / gsoSize));
          const batch = apart.subarray(0, BATCH_BYTES);
          // IPv4 counts on in the identification, which an atomic packet need not have: RFC 6864 section 4.1.
          expect(Buffer.compare(edge.merge(batch, 0, ALL), packRecords([record]))).toBe(0);
        }
      }
    });
  });

  test("bytes of each stream come out once and in order, however often they are split and merged", () => {
    const edge = new EdgeUnderTest();
    withSeed(20_004, (random) => {
      for (let i = 0; i < 60; i++) {
        const records = randomSegments(random, 60_000, false).filter(({ flags }) => flags === 0);
        const merged = edge.merge(packRecords(records), 0, ALL);
        const apart = edge.split(merged, ALL, 0, () => BATCH_BYTES);
        const streams = (list: readonly EdgeRecord[]): string[] => {
          const byPorts = new Map<string, Uint8Array[]>();
          for (const { frame } of list) {
            const at = frame[12] === 8 ? 34 : 54;
            const key = `${frame[12]}:${frame[at]}:${frame[at + 1]}`;
            byPorts.set(key, [
              ...byPorts.get(key) ?? [],
              frame.subarray(at + ((frame[at + 12] ?? 0) >> 4) * 4),
            ]);
          }
          return [...byPorts].map(([key, texts]) =>
            `${key} ${Buffer.from(joinBytes(texts)).toString("base64")}`
          )
            .sort();
        };
        expect(streams(unpackRecords(apart))).toEqual(streams(records));
      }
    });
  });

  test("garbage never traps, nothing is written beyond the room, and nothing grows beyond its bound", () => {
    const edge = new EdgeUnderTest();
    withSeed(20_005, (random) => {
      for (let i = 0; i < 400; i++) {
        const batch = random.below(3) === 0 ? randomText(random, random.below(3000)) : packRecords(
          Array.from(
            { length: 1 + random.below(4) },
            () => damage(random, damage(random, randomSuper(random, 5000))),
          ),
        );
        const flipped = random.below(batch.length + 1);
        if (random.below(4) === 0) batch[flipped] = random.below(256);
        const limit = random.below(9000);
        const beyond = edge.calls.output() + limit;
        edge.memory.fill(0xa5, beyond, beyond + 2000);
        edge.calls.agree(ALL, random.below(16));
        edge.memory.set(batch, edge.calls.input());
        edge.calls.begin(batch.length);
        let bytes = 0;
        for (let turn = 0; turn < 1000 && edge.calls.left() > 0; turn++) {
          const some = edge.calls.next(limit);
          expect(some).toBeLessThanOrEqual(limit);
          bytes += some;
          if (some === 0 && edge.calls.left() > 0) break;
        }
        expect(edge.memory.subarray(beyond, beyond + 2000).every((byte) => byte === 0xa5)).toBe(
          true,
        );
        // Headers of 14 + 512 + 60 bytes before each 48 of text, and a record's header.
        expect(bytes).toBeLessThan((batch.length * (14 + 586 + 48) / 48) + 1000);
        edge.memory.set(batch, edge.calls.input());
        expect(edge.calls.merge(batch.length)).toBeLessThanOrEqual(batch.length);
      }
    });
  });

  test("more records than are looked at together merge all the same", () => {
    const edge = new EdgeUnderTest();
    const tiny = Array.from({ length: 5000 }, () => plainRecord(Uint8Array.of(1, 2)));
    const text = new Uint8Array(100);
    const two = [1, 101].map((seq) => plainRecord(tcpFrame({ seq, text })));
    const records = [...tiny, ...two];
    expect(unpackRecords(edge.merge(packRecords(records), 0, ALL))).toEqual([
      ...tiny,
      superRecord(100, { seq: 1, text: new Uint8Array(200), isPartial: true }),
    ]);
  });
});

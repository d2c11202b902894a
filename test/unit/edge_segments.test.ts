/** What becomes of a super-segment, field by field, and what a run of segments becomes. */
import { describe, expect, test } from "vitest";
import { isSumGood, viewPacket, viewTcp } from "../../src/trace/packet_view.ts";
import {
  ALL,
  BATCH_BYTES,
  EdgeUnderTest,
  type FrameParts,
  packRecords,
  plainRecord,
  superRecord,
  tcpFrame,
  unpackRecords,
} from "../edge.ts";
import type { EdgeRecord } from "../model/edge.ts";

const FIN = 0x01;
const PSH = 0x08;
const ACK = 0x10;
const URG = 0x20;
const ECE = 0x40;
const CWR = 0x80;
/** NOP, NOP, timestamps 258 and 772. */
const STAMPS = [1, 1, 8, 10, 0, 0, 1, 2, 0, 0, 3, 4];

/** Text that tells where it is. */
function textOf(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (i * 31 + (i >> 8)) & 255);
}

interface Seen {
  readonly seq: number;
  readonly flags: number;
  readonly urg: number;
  readonly text: number[];
  readonly options: number[];
  readonly id: number;
  readonly tos: number;
  readonly ttl: number;
}

/** Reads a frame whose checksums are right and which has no byte too many. */
function see({ frame, ...header }: EdgeRecord): Seen {
  const packet = viewPacket(frame.subarray(14));
  if (typeof packet === "string") throw new Error(packet);
  const tcp = viewTcp(packet.payload);
  if (typeof tcp === "string") throw new Error(tcp);
  expect([packet.isHeaderGood, isSumGood(packet), packet.isCut]).toEqual([true, true, false]);
  const ipBytes = packet.version === 4 ? 20 : 40;
  expect(14 + ipBytes + packet.payload.length).toBe(frame.length);
  expect({ ...header, frame }).toEqual(plainRecord(frame));
  return {
    ...{ seq: tcp.seq, flags: tcp.flags, urg: tcp.urg, options: [...tcp.options] },
    ...{ id: ((frame[18] ?? 0) << 8) | (frame[19] ?? 0), tos: packet.tos, ttl: packet.ttl },
    text: [...packet.payload.subarray(20 + tcp.options.length)],
  };
}

function splitAll(records: readonly EdgeRecord[], to = 0): EdgeRecord[] {
  const edge = new EdgeUnderTest();
  return unpackRecords(edge.split(packRecords(records), ALL, to, () => BATCH_BYTES));
}

function mergeAll(frames: readonly Uint8Array[], from = 0, to = ALL): EdgeRecord[] {
  const edge = new EdgeUnderTest();
  return unpackRecords(edge.merge(packRecords(frames.map(plainRecord)), from, to));
}

describe("splitting", () => {
  for (const version of [4, 6] as const) {
    test(`IPv${version}: sequence numbers go on over 2^32, PSH and FIN are the last one's, CWR the first one's`, () => {
      const flags = ACK | PSH | FIN | CWR | ECE;
      const parts = { version, flags, options: STAMPS, tos: 0x02, ttl: 61, id: 0xffff };
      const text = textOf(1201);
      const record = superRecord(500, { ...parts, seq: 0xffff_ffff, text, isPartial: true });
      const out = splitAll([{ ...record, gsoType: record.gsoType | 0x80 }]).map(see);
      const id = version === 4 ? [0xffff, 0, 1] : out.map(({ id }) => id);
      const common = { options: STAMPS, tos: 0x02, ttl: 61, urg: 0 };
      expect(out).toEqual([
        {
          ...common,
          seq: 0xffff_ffff,
          flags: ACK | CWR | ECE,
          text: [...text.subarray(0, 500)],
          id: id[0],
        },
        { ...common, seq: 499, flags: ACK | ECE, text: [...text.subarray(500, 1000)], id: id[1] },
        {
          ...common,
          seq: 999,
          flags: ACK | PSH | FIN | ECE,
          text: [...text.subarray(1000)],
          id: id[2],
        },
      ]);
    });
  }

  test("the urgent pointer counts from each segment's own beginning, and ends where it pointed", () => {
    const record = superRecord(100, {
      flags: ACK | URG,
      urgent: 150,
      text: textOf(300),
      isPartial: true,
    });
    const out = splitAll([record]).map(see);
    expect(out.map(({ flags, urg }) => [flags, urg])).toEqual([[ACK | URG, 150], [ACK | URG, 50], [
      ACK,
      0,
    ]]);
  });

  test("a segment stays partial for who completes checksums himself", () => {
    const [first, ...rest] = splitAll(
      [superRecord(100, { text: textOf(150), isPartial: true })],
      1,
    );
    expect([first?.flags, first?.csumStart, first?.csumOffset, first?.gsoType]).toEqual([
      1,
      34,
      16,
      0,
    ]);
    expect(first?.frame).toEqual(tcpFrame({ text: textOf(100), isPartial: true }));
    expect(rest).toHaveLength(1);
  });

  test("a super-segment stays one for who has no offload of checksums only", () => {
    const text = textOf(150);
    expect(splitAll([superRecord(100, { text, isPartial: true })], ALL & ~1)).toEqual([
      superRecord(100, { text }),
    ]);
  });

  test("a plain frame's checksum is completed, of UDP with 0xffff for 0", () => {
    const frame = tcpFrame({ text: textOf(7), isPartial: true });
    const tcp = { ...plainRecord(frame), flags: 1, csumStart: 34, csumOffset: 16 };
    const udp = new Uint8Array(60);
    // 0xfffe and a checksum's field of 1 add up to 0xffff: their complement would say that there is none.
    udp.set([0xff, 0xfe, 0, 0, 0, 0, 0, 1], 34);
    const out = splitAll([tcp, { ...plainRecord(udp), flags: 1, csumStart: 34, csumOffset: 6 }]);
    expect(out[0]).toEqual(plainRecord(tcpFrame({ text: textOf(7) })));
    expect([...out[1]?.frame.subarray(40, 42) ?? []]).toEqual([0xff, 0xff]);
  });

  test.each<[why: string, record: EdgeRecord]>([
    ["text of a segment below 48 bytes", superRecord(47, { text: textOf(300), isPartial: true })],
    ["text of a segment above all of it", superRecord(301, { text: textOf(300), isPartial: true })],
    ["a SYN", superRecord(100, { text: textOf(300), flags: ACK | 2, isPartial: true })],
    ["RST", superRecord(100, { text: textOf(300), flags: ACK | 4, isPartial: true })],
    ["a fragment", superRecord(100, { text: textOf(300), fragment: 0x2000, isPartial: true })],
    ["another family", { ...superRecord(100, { text: textOf(300), isPartial: true }), gsoType: 4 }],
    ["UDP's type", { ...superRecord(100, { text: textOf(300), isPartial: true }), gsoType: 3 }],
    ["an unknown flag", { ...superRecord(100, { text: textOf(300), isPartial: true }), flags: 5 }],
    ["a checksum elsewhere", {
      ...superRecord(100, { text: textOf(300), isPartial: true }),
      csumStart: 36,
    }],
    ["a wrong checksum", { ...superRecord(100, { text: textOf(300), isPartial: true }), flags: 0 }],
    ["a header beyond the frame", {
      ...superRecord(100, { text: textOf(300), isPartial: true }),
      frame: new Uint8Array(40),
    }],
    ["a sum beyond the frame", {
      ...plainRecord(new Uint8Array(60)),
      flags: 1,
      csumStart: 59,
      csumOffset: 0,
    }],
  ])("refused and counted: %s", (_, record) => {
    const edge = new EdgeUnderTest();
    const good = plainRecord(tcpFrame({ text: textOf(10) }));
    const out = edge.split(packRecords([record, good]), ALL, 0, () => BATCH_BYTES);
    expect(unpackRecords(out)).toEqual([good]);
    expect(edge.counts()[0]).toBe(1);
  });

  test("a segment fits into exactly its size, and not into a byte less", () => {
    const edge = new EdgeUnderTest();
    const batch = packRecords([superRecord(100, { text: textOf(200), isPartial: true })]);
    const bytes = 14 + 54 + 100;
    edge.calls.agree(ALL, 0);
    edge.memory.set(batch, edge.calls.input());
    edge.calls.begin(batch.length);
    expect([bytes - 1, bytes, bytes - 1, bytes].map((room) => edge.calls.next(room)))
      .toEqual([0, bytes, 0, bytes]);
    expect(edge.calls.left()).toBe(0);
  });

  test("headers that reach beyond their packet are no TCP, and a record beyond the largest ends the batch", () => {
    const edge = new EdgeUnderTest();
    const text = textOf(60);
    const offset = superRecord(48, { text: textOf(12), isPartial: true });
    offset.frame[46] = 0xf0;
    const extensions = [[60, [0, 0, 0, 0, 0, 0, 0, 0]]] as const;
    const walk = superRecord(48, { version: 6, extensions, text, isPartial: true });
    // 12 units of 8 bytes behind the first: TCP would begin behind the packet's end.
    walk.frame[55] = 20;
    const long = plainRecord(new Uint8Array(65_590));
    const good = plainRecord(tcpFrame({ text }));
    const batch = packRecords([offset, walk, good, long, good]);
    expect(unpackRecords(edge.split(batch, ALL, 0, () => BATCH_BYTES))).toEqual([good]);
    expect(edge.counts()[0]).toBe(3);
    const plain = [offset, walk].map(({ frame }) => plainRecord(frame));
    const merged = edge.merge(packRecords([...plain, good, long]), 0, ALL & ~1);
    expect(unpackRecords(merged)).toEqual([...plain, good]);
  });

  test.each([1, 13, 14, 15, 67])("a record cut off after %i bytes ends the batch", (bytes) => {
    const edge = new EdgeUnderTest();
    const good = plainRecord(tcpFrame({}));
    const batch = packRecords([good, good, good]).subarray(0, 2 * 68 + bytes);
    // What lies behind the batch is the rest of the record, from before.
    edge.merge(packRecords([good, good, good, good]), 0, ALL);
    expect(unpackRecords(edge.split(batch, ALL, 0, () => BATCH_BYTES))).toEqual([good, good]);
    expect(edge.calls.left()).toBe(0);
    expect(unpackRecords(edge.merge(batch, 0, ALL))).toEqual([good, good]);
    expect(edge.counts()[0]).toBe(2);
  });

  test("what was not agreed on is refused, whatever it is", () => {
    const edge = new EdgeUnderTest();
    const asks = [
      { ...plainRecord(tcpFrame({})), flags: 2 },
      { ...plainRecord(tcpFrame({})), flags: 1, csumStart: 34, csumOffset: 16 },
      superRecord(100, { text: textOf(300) }),
      superRecord(100, { text: textOf(300), version: 6 }),
    ];
    expect(edge.split(packRecords(asks), 0, ALL, () => BATCH_BYTES)).toHaveLength(0);
    expect(edge.merge(packRecords(asks), 0, ALL)).toHaveLength(0);
    expect(edge.counts()[0]).toBe(8);
  });
});

/** Two segments of 100 bytes, the second as told. */
function two(second: FrameParts, first: FrameParts = {}): Uint8Array[] {
  const text = textOf(200);
  return [
    tcpFrame({ seq: 1000, ...first, text: text.subarray(0, 100) }),
    tcpFrame({ seq: 1100, ...first, text: text.subarray(100), ...second }),
  ];
}

describe("merging", () => {
  for (const version of [4, 6] as const) {
    test(`IPv${version}: a run with a smaller last one, its checksum partial or complete`, () => {
      const text = textOf(250);
      const parts = { version, options: STAMPS, tos: 0x02, seq: 0xffff_ff9c };
      const frames = [0, 100, 200].map((at) => {
        const seq = (parts.seq + at) >>> 0;
        const flags = at === 200 ? ACK | PSH : ACK;
        return tcpFrame({ ...parts, seq, flags, text: text.subarray(at, at + 100) });
      });
      const whole = { ...parts, text, flags: ACK | PSH };
      expect(mergeAll(frames)).toEqual([superRecord(100, { ...whole, isPartial: true })]);
      expect(mergeAll(frames, 0, ALL & ~1)).toEqual([superRecord(100, whole)]);
    });
  }

  test("two flows whose segments alternate become two runs, each where it began", () => {
    const [a, b] = two({});
    const [c, d] = two({}, { ports: [49_153, 80] });
    const frames = [a, c, b, d].map((frame) => frame ?? new Uint8Array(0));
    const text = textOf(200);
    expect(mergeAll(frames)).toEqual([
      superRecord(100, { seq: 1000, text, isPartial: true }),
      superRecord(100, { seq: 1000, text, ports: [49_153, 80], isPartial: true }),
    ]);
  });

  test("what is not merged passes unchanged, but is said to be verified", () => {
    const frames = two({ seq: 1101 });
    expect(mergeAll(frames)).toEqual(frames.map((frame) => ({ ...plainRecord(frame), flags: 2 })));
    expect(mergeAll(frames, 0, ALL & ~1)).toEqual(frames.map(plainRecord));
  });

  test.each<[why: string, second: FrameParts, first?: FrameParts]>([
    ["a gap", { seq: 1101 }],
    ["an overlap", { seq: 1099 }],
    ["another acknowledgment", { ack: 2 }],
    ["another window", { win: 1 }],
    ["other options", { options: STAMPS.with(5, 9) }, { options: STAMPS }],
    ["more options", { options: [...STAMPS, 0, 0, 0, 0] }, { options: STAMPS }],
    ["another TOS", { tos: 3 }],
    ["another TTL", { ttl: 63 }],
    ["another DF", { fragment: 0 }],
    ["another IPv6 traffic class", { tos: 3, version: 6 }, { version: 6 }],
    ["another hop limit", { ttl: 63, version: 6 }, { version: 6 }],
    ["a fragment", { fragment: 0x2000 }],
    ["an identification that does not count on", { id: 9, fragment: 0 }, { id: 7, fragment: 0 }],
    ["a FIN", { flags: ACK | FIN }],
    ["CWR", { flags: ACK | CWR }],
    ["ECE", { flags: ACK | ECE }],
    ["URG", { flags: ACK | URG, urgent: 1 }],
    ["no ACK", { flags: PSH }],
    ["AE", { flags: ACK | 0x100 }],
    ["PSH of the one before", { flags: ACK }, { flags: ACK | PSH }],
    ["other ports", { ports: [49_152, 81] }],
    ["another source", { source: 3 }],
    ["extension headers", { version: 6, extensions: [[60, new Array(8).fill(0)]] }, { version: 6 }],
    ["more text than the first", { text: textOf(101) }],
    ["no text", { text: new Uint8Array(0) }],
  ])("not merged: %s", (_, second, first) => {
    const frames = two(second, first);
    expect(mergeAll(frames).map(({ gsoType }) => gsoType)).toEqual([0, 0]);
    expect(mergeAll(frames).map(({ frame }) => frame)).toEqual(frames);
  });

  test("identifications that count on merge without DF, and with DF they may be anything", () => {
    expect(mergeAll(two({ id: 0 }, { id: 0xffff, fragment: 0 }))).toHaveLength(1);
    expect(mergeAll(two({ id: 77 }, { id: 5 }))).toHaveLength(1);
  });

  test("a wrong checksum is not merged, and ends the run", () => {
    const frames = two({});
    const bad = frames[1] ?? new Uint8Array(0);
    bad[100] = (bad[100] ?? 0) ^ 1;
    expect(mergeAll(frames).map(({ flags }) => flags)).toEqual([2, 0]);
    const header = two({});
    const other = header[1] ?? new Uint8Array(0);
    other[24] = (other[24] ?? 0) ^ 1;
    expect(mergeAll(header).map(({ flags }) => flags)).toEqual([2, 0]);
  });

  test("a checksum that a link may leave partial is taken at its word, if it is TCP's", () => {
    const text = textOf(200);
    const of = (csumStart: number): EdgeRecord[] =>
      [0, 100].map((at) => ({
        ...plainRecord(
          tcpFrame({ seq: 1 + at, text: text.subarray(at, at + 100), isPartial: true }),
        ),
        ...{ flags: 1, csumStart, csumOffset: 16 },
      }));
    const edge = new EdgeUnderTest();
    const merged = edge.merge(packRecords(of(34)), 1, ALL);
    expect(unpackRecords(merged)).toEqual([superRecord(100, { text, isPartial: true })]);
    expect(unpackRecords(edge.merge(packRecords(of(36)), 1, ALL))).toEqual(of(36));
  });

  test("a pure ACK ends the run, so that nothing of a flow overtakes anything", () => {
    const text = textOf(300);
    const data = (at: number): Uint8Array =>
      tcpFrame({ seq: 1 + at, text: text.subarray(at, at + 100) });
    const frames = [data(0), tcpFrame({ seq: 101 }), data(100), data(200)];
    expect(mergeAll(frames).map(({ gsoType, frame }) => [gsoType, frame.length - 54])).toEqual([
      [0, 100],
      [0, 0],
      [1, 200],
    ]);
  });

  test("so does a segment that neither goes on nor may be gone on from", () => {
    const text = textOf(300);
    const data = (at: number, flags = ACK): Uint8Array =>
      tcpFrame({ seq: 1 + at, flags, text: text.subarray(at, at + 100) });
    const frames = [data(0), data(200, ACK | PSH), data(100)];
    expect(mergeAll(frames).map(({ frame }) => frame)).toEqual(frames);
  });

  test("nothing is remembered of the batch before", () => {
    const edge = new EdgeUnderTest();
    const [a, b] = two({}).map(plainRecord);
    const other = plainRecord(tcpFrame({ ports: [1, 2], text: textOf(100) }));
    if (a === undefined || b === undefined) throw new Error("no frames");
    edge.merge(packRecords([other, a]), 0, ALL & ~1);
    const swapped = packRecords([b, a]);
    expect(edge.merge(swapped, 0, ALL & ~1)).toEqual(swapped);
  });

  test("padding behind a short packet is left out", () => {
    const [a = new Uint8Array(0), b = new Uint8Array(0)] = two({ text: textOf(3) });
    const padded = new Uint8Array(60);
    padded.set(b);
    const out = mergeAll([a, padded]);
    expect(out.map(({ frame }) => frame.length)).toEqual([54 + 103]);
  });

  test("an IP packet does not grow beyond 65,535 bytes, and text below 48 bytes does not merge", () => {
    const sized = (bytes: number, count: number): Uint8Array[] =>
      Array.from(
        { length: count },
        (_, i) => tcpFrame({ seq: 1 + (i * bytes), text: textOf(bytes) }),
      );
    expect(mergeAll(sized(8948, 9)).map(({ frame }) => frame.length - 54)).toEqual([
      7 * 8948,
      2 * 8948,
    ]);
    expect(mergeAll(sized(13_099, 6)).map(({ frame }) => frame.length - 14)).toEqual([
      65_535,
      13_139,
    ]);
    expect(mergeAll(sized(13_100, 6)).map(({ frame }) => frame.length - 14)).toEqual([
      52_440,
      26_240,
    ]);
    expect(mergeAll(sized(8187, 8)).map(({ frame }) => frame.length - 54)).toEqual([
      7 * 8187,
      8187,
    ]);
    expect(mergeAll(sized(47, 3))).toHaveLength(3);
    expect(mergeAll(sized(48, 3))).toHaveLength(1);
  });
});

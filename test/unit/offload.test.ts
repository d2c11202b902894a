/** Offload around a device that has none: what crosses the link, what room there is, and what is copied. */
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Device, DeviceSink } from "../../src/link/device.ts";
import { type Faults, impair } from "../../src/link/impair.ts";
import { Merger, offload, OFFLOAD_ALL, prepareEdge, Splitter } from "../../src/link/offload.ts";
import { pipe } from "../../src/link/pipe.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { openStack } from "../../src/stack.ts";
import {
  ALL,
  BATCH_BYTES,
  joinBytes,
  packRecords,
  plainRecord,
  superRecord,
  tcpFrame,
  unpackRecords,
} from "../edge.ts";
import { pattern, RIGHT, testModule } from "./pair.ts";

/** A link that keeps what is sent, and has as much room as a test gives it. */
class Link implements Device {
  readonly mtu = 1500;
  offload = 0;
  left = BATCH_BYTES;
  sent: Uint8Array[] = [];
  given: Uint8Array[] = [];
  sink: DeviceSink | null = null;
  isClosed = false;

  open(sink: DeviceSink): void {
    this.sink = sink;
    sink.up();
  }

  room(): number {
    return this.left;
  }

  send(batch: Uint8Array): void {
    expect(batch.length).toBeLessThanOrEqual(this.left);
    this.left -= batch.length;
    this.given.push(batch);
    this.sent.push(batch.slice());
  }

  close(): void {
    this.isClosed = true;
  }
}

function setUp(options: { readonly offload?: number } = {}) {
  const link = new Link();
  const device = offload(link, options);
  const received: Uint8Array[] = [];
  const copies: Uint8Array[] = [];
  const news: string[] = [];
  device.open({
    receive: (batch) => {
      received.push(batch);
      copies.push(batch.slice());
    },
    ready: () => void news.push("ready"),
    up: () => void news.push("up"),
    down: (reason) => void news.push(reason),
  });
  return { link, device, received, copies, news };
}

const TEXT = pattern(64_000, 1);

function big(gsoSize = 1448): Uint8Array {
  return packRecords([superRecord(gsoSize, { text: TEXT, isPartial: true })]);
}

/** The segments of it, as a link without offload carries them. */
function segments(gsoSize = 1448): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < TEXT.length; at += gsoSize) {
    const text = TEXT.subarray(at, at + gsoSize);
    frames.push(tcpFrame({ seq: 1 + at, id: frames.length, text }));
  }
  return frames;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("offload()", () => {
  test("offers all bits, or those it is told beside the link's; passes the rest through", () => {
    const { link, device, news } = setUp();
    expect([device.offload, device.mtu, device.mac]).toEqual([OFFLOAD_ALL, 1500, undefined]);
    expect(setUp({ offload: 6 }).device.offload).toBe(6);
    link.offload = 1;
    expect(offload(link, { offload: 6 }).offload).toBe(7);
    link.sink?.down("rain");
    link.sink?.ready();
    expect(news).toEqual(["up", "rain", "ready"]);
    device.close();
    device.close();
    expect(link.isClosed).toBe(true);
    link.sink?.receive(packRecords([plainRecord(tcpFrame({}))]));
    device.send(big());
    expect(link.sent).toEqual([]);
  });

  test("plain frames go out, and one frame comes in, without a copy", () => {
    const { link, device, received } = setUp();
    const out = packRecords([plainRecord(tcpFrame({})), plainRecord(tcpFrame({ seq: 2 }))]);
    device.send(out);
    expect(link.given).toEqual([out]);
    expect(link.given[0]).toBe(out);
    const batch = packRecords([plainRecord(tcpFrame({}))]);
    link.sink?.receive(batch);
    expect(received[0]).toBe(batch);
    expect([device.sent, device.received]).toEqual([null, null]);
  });

  test("a super-segment crosses the link as its segments, with complete checksums", () => {
    const { link, device } = setUp();
    device.send(big());
    expect(unpackRecords(joinBytes(link.sent))).toEqual(segments().map(plainRecord));
    expect(device.sent).toEqual({
      ...{ dropped: 0, split: 1, segments: 45, completed: 0, merged: 0, joined: 0 },
    });
  });

  test("segments arrive as one, their checksum verified here and left partial", () => {
    const { link, device, copies } = setUp();
    link.sink?.receive(packRecords(segments().map(plainRecord)));
    expect(copies.map((batch) => Buffer.compare(batch, big()))).toEqual([0]);
    expect(device.received).toMatchObject({ merged: 1, joined: 44, dropped: 0 });
  });

  test("what the link asks for without having agreed on it is dropped, also when it comes alone", () => {
    const { link, device, copies } = setUp();
    const frame = tcpFrame({ text: TEXT.subarray(0, 100), isPartial: true });
    link.sink?.receive(packRecords([{ ...plainRecord(frame), flags: 2 }]));
    link.sink?.receive(big());
    expect(copies).toEqual([new Uint8Array(0), new Uint8Array(0)]);
    expect(device.received?.dropped).toBe(2);
  });

  test("a damaged batch is dropped from where the damage is, both ways", () => {
    const { link, device, copies } = setUp();
    const good = packRecords([plainRecord(tcpFrame({})), plainRecord(tcpFrame({ seq: 9 }))]);
    const cut = joinBytes([good, Uint8Array.of(9, 0, 0, 0, 1)]);
    device.send(cut);
    link.sink?.receive(cut);
    expect(link.sent).toEqual([good]);
    expect(unpackRecords(copies[0] ?? cut)).toHaveLength(2);
    expect([device.sent?.dropped, device.received?.dropped]).toEqual([1, 1]);
  });

  test.each([1600, 5000, 70_000])(
    "what does not fit into %i bytes of room waits, whole and in order",
    (room) => {
      const { link, device, news } = setUp();
      link.left = room;
      expect(device.room()).toBe(BATCH_BYTES);
      device.send(joinBytes([big(), big()]));
      expect(device.room()).toBe(0);
      // Who sends without room loses it, as everywhere.
      device.send(big());
      let turns = 0;
      while (device.room() === 0 && turns++ < 200) {
        link.left = room;
        link.sink?.ready();
      }
      expect(unpackRecords(joinBytes(link.sent))).toEqual(
        [...segments(), ...segments()].map(plainRecord),
      );
      expect(link.sent.every((batch) => batch.length <= room)).toBe(true);
      expect(news).toEqual(["up", "ready"]);
    },
  );

  test("room() is the link's when nothing is split, and 0 when the link is full", () => {
    const { link, device } = setUp();
    link.left = 50;
    expect(device.room()).toBe(0);
    link.left = 4000;
    expect(device.room()).toBe(BATCH_BYTES);
    link.offload = ALL;
    expect(device.room()).toBe(4000);
  });

  test("the link may change its mind at up(): what it understands then passes unchanged", () => {
    const { link, device, received } = setUp();
    device.send(big());
    link.sink?.receive(packRecords(segments().map(plainRecord)));
    link.offload = ALL;
    link.left = BATCH_BYTES;
    link.sink?.up();
    const batch = big();
    device.send(batch);
    expect(link.given.at(-1)).toBe(batch);
    link.sink?.receive(batch);
    expect(received.at(-1)).toBe(batch);
    link.offload = 0;
    link.left = BATCH_BYTES;
    link.sink?.up();
    device.send(batch);
    expect(unpackRecords(link.sent.at(-1) ?? batch)).toHaveLength(45);
  });

  test("copies each byte once on the way to WebAssembly, and makes one view for each batch", () => {
    const { link, device } = setUp();
    const batch = big();
    const merged = packRecords(segments().map(plainRecord));
    device.send(batch);
    link.sink?.receive(merged);
    const set = vi.spyOn(Uint8Array.prototype, "set");
    const subarray = vi.spyOn(Uint8Array.prototype, "subarray");
    link.left = BATCH_BYTES;
    device.send(batch);
    link.sink?.receive(merged);
    expect(set.mock.calls.map(([source]) => source.length)).toEqual([batch.length, merged.length]);
    expect(subarray).toHaveBeenCalledTimes(2);
  });
});

describe("Splitter and Merger", () => {
  test("a relay's way: into a buffer of its own, piece after piece", async () => {
    await prepareEdge();
    const splitter = new Splitter({ from: ALL, to: 0 });
    splitter.load(big());
    const buffer = new Uint8Array(10_000);
    const pieces: Uint8Array[] = [];
    while (splitter.pending) {
      const bytes = splitter.copyNext(buffer, 100);
      expect(bytes).toBeGreaterThan(0);
      pieces.push(buffer.slice(100, 100 + bytes));
    }
    expect(unpackRecords(joinBytes(pieces))).toEqual(segments().map(plainRecord));
    splitter.load(big());
    expect(splitter.copyNext(new Uint8Array(1000))).toBe(0);
    expect(splitter.pending).toBe(true);
    splitter.input.set(big());
    splitter.begin(big().length);
    expect(splitter.next(Infinity)).toHaveLength(joinBytes(pieces).length);
    expect(splitter.counters).toMatchObject({ split: 2, segments: 90 });
  });

  test("who begins to understand more while a batch waits gets its rest whole, and the next one whole", () => {
    const splitter = new Splitter({ from: ALL, to: 0 });
    splitter.load(joinBytes([big(), big()]).subarray(0, 2 * big().length));
    const some = splitter.next(5000);
    splitter.agree({ from: ALL, to: ALL });
    expect(unpackRecords(some)).toEqual(segments().map(plainRecord).splice(0, 3));
    expect(Buffer.compare(splitter.next(BATCH_BYTES), joinBytes([big(), big()]))).toBe(0);
    splitter.agree({ from: ALL, to: 0 });
    splitter.load(big());
    expect(unpackRecords(splitter.next(BATCH_BYTES))).toHaveLength(45);
  });

  test("too large a batch, and a merger that would have to split, are mistakes of the caller", () => {
    const large = new Uint8Array(BATCH_BYTES + 1);
    const splitter = new Splitter({ from: ALL, to: 0 });
    const merger = new Merger({ from: 0, to: ALL });
    expect(() => splitter.load(large)).toThrow(
      "Cannot split 131073 bytes: expected 131072 or less",
    );
    expect(() => splitter.begin(NaN)).toThrow(RangeError);
    expect(() => merger.merge(large)).toThrow("Cannot merge 131073 bytes: expected 131072 or less");
    expect(() => merger.agree({ from: 3, to: 2 })).toThrow(RangeError);
  });
});

/** Both stacks of a connection: what a stream brings must be what was written, whatever the link makes of it. */
function transfer(options: {
  readonly left: boolean;
  readonly right: boolean;
  readonly faults?: Faults;
  readonly mtu?: number;
  readonly timestamps?: boolean;
  readonly cable?: number;
}) {
  const { left, right, faults = {}, mtu = 1500, timestamps = true, cable = 0 } = options;
  const clock = new VirtualClock();
  const [a, b] = pipe({ clock, mtu, delayMs: 2, offload: cable });
  const bad = impair(a, { clock, random: seededRandom(5), ...faults });
  const links = [left ? offload(bad) : bad, right ? offload(b) : b] as const;
  const [client, server] = links.map((link, i) =>
    openStack(testModule(), {
      ...{ link, clock, random: seededRandom(i), address: { cidr: `10.0.0.${i + 1}/24` } },
      tuning: { memoryMiB: 16, maxConnections: 16, timestamps },
    })
  );
  if (client === undefined || server === undefined) throw new Error("no stacks");
  const listener = server.manager.listen({ port: 80 });
  const near = client.manager.connect({ remote: { address: RIGHT, port: 80 } });
  clock.advance(5_000);
  const far = listener.accept();
  if (far === null) throw new Error("no connection");
  const data = [pattern(700_001, 3), pattern(300_001, 4)] as const;
  const got: [Uint8Array[], Uint8Array[]] = [[], []];
  const ends = [near, far] as const;
  const written = [0, 0];
  const buffer = new Uint8Array(65_536);
  const bytesOf = (i: 0 | 1): number => got[i].reduce((sum, { length }) => sum + length, 0);
  for (let ms = 0; ms < 120_000; ms++) {
    for (const i of [0, 1] as const) {
      written[i] = (written[i] ?? 0) + ends[i].write(data[i].subarray(written[i]));
      for (;;) {
        const n = ends[i === 0 ? 1 : 0].readInto(buffer);
        if (n <= 0) break;
        got[i].push(buffer.slice(0, n));
      }
    }
    if (bytesOf(0) === data[0].length && bytesOf(1) === data[1].length) break;
    clock.advance(1);
  }
  for (const i of [0, 1] as const) {
    expect(Buffer.compare(joinBytes(got[i]), data[i])).toBe(0);
  }
  return { links, impaired: bad.counters };
}

describe("two stacks", () => {
  test.each<[left: boolean, right: boolean]>([[true, false], [false, true], [true, true]])(
    "offload at the left %s, at the right %s: the streams are whole, and records are large where it is",
    (left, right) => {
      const { links } = transfer({ left, right });
      for (const [i, has] of [left, right].entries()) {
        const link = links[i];
        if (!has || link === undefined || !("sent" in link)) continue;
        // Most of the 200 to 480 segments each way were part of something larger.
        expect(link.sent?.segments).toBeGreaterThan(150);
        expect(link.received?.joined).toBeGreaterThan(150);
        expect([link.sent?.dropped, link.received?.dropped]).toEqual([0, 0]);
      }
    },
  );

  test.each<[mtu: number, timestamps: boolean]>([[1500, true], [576, false], [1499, true]])(
    "one segment in twenty is lost at an MTU of %i, timestamps %s: the streams are whole all the same",
    (mtu, timestamps) => {
      transfer({ left: true, right: true, faults: { loss: 0.05 }, mtu, timestamps });
      transfer({ left: true, right: false, faults: { loss: 0.05 }, mtu, timestamps });
    },
  );

  test("a cable with offload that loses segments: what is lost is segments, and the streams are whole", () => {
    const clean = transfer({ left: false, right: false, cable: ALL });
    // 1 MB in segments of 1448 bytes, and their acknowledgments.
    expect(clean.impaired.passed).toBeGreaterThan(700);
    const { impaired } = transfer({
      left: false,
      right: false,
      cable: ALL,
      faults: { loss: 0.05 },
    });
    expect(impaired.lost).toBeGreaterThan(20);
    transfer({
      left: false,
      right: false,
      cable: ALL,
      faults: { loss: 0.05 },
      mtu: 576,
      timestamps: false,
    });
  });

  test("bits that flip on the wire are found before merging: nothing wrong is ever in a stream", () => {
    const faults = {
      corrupt: 0.03,
      duplicate: 0.03,
      reorder: { chance: 0.03, minMs: 0, maxMs: 9 },
    };
    const { links, impaired } = transfer({ left: true, right: true, faults });
    expect([impaired.corrupted > 10, impaired.duplicated > 10]).toEqual([true, true]);
    for (const link of links) {
      // A flipped bit may lie in the record's frame only, so no record is damaged.
      if ("received" in link) expect(link.received?.dropped).toBe(0);
    }
    transfer({ left: false, right: false, cable: ALL, faults });
  });
});

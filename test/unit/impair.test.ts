import { describe, expect, it } from "vitest";
import type { Device, DeviceSink } from "../../src/link/device.ts";
import { impair, type ImpairOptions } from "../../src/link/impair.ts";
import { pipe } from "../../src/link/pipe.ts";
import {
  BATCH_BYTES,
  forEachRecord,
  RECORD_HEADER_BYTES,
  writeRecord,
} from "../../src/link/records.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { joinBytes, packRecords, superRecord, unpackRecords } from "../edge.ts";

const SEED = 20_260;

/** A device that keeps what is sent, and hands in what a test gives it. */
class Recorder implements Device {
  readonly mtu = 1500;
  readonly sent: { atMs: number; bytes: number[] }[] = [];
  readonly batches: Uint8Array[] = [];
  offload = 0;
  roomBytes = BATCH_BYTES;
  sink: DeviceSink | null = null;
  closed = 0;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  open(sink: DeviceSink): void {
    this.sink = sink;
    sink.up();
  }

  room(): number {
    return this.roomBytes;
  }

  send(batch: Uint8Array): void {
    expect(batch.length).toBeLessThanOrEqual(BATCH_BYTES);
    this.batches.push(batch.slice());
    const ok = forEachRecord(batch, (at, bytes) => {
      this.sent.push({ atMs: this.#clock.now(), bytes: [...batch.subarray(at, at + bytes)] });
    });
    expect(ok).toBe(true);
  }

  close(): void {
    this.closed++;
  }
}

const SINK: DeviceSink = { receive: () => {}, ready: () => {}, up: () => {}, down: () => {} };

/** Frames of 60 bytes that begin with their number. */
function numbered(from: number, count: number): Uint8Array {
  const batch = new Uint8Array(count * (60 + RECORD_HEADER_BYTES));
  const frame = new Uint8Array(60);
  let at = 0;
  for (let i = from; i < from + count; i++) {
    new DataView(frame.buffer).setUint32(0, i);
    at = writeRecord(batch, at, frame);
  }
  return batch;
}

function numberOf(bytes: number[]): number {
  return new DataView(Uint8Array.from(bytes).buffer).getUint32(0);
}

function setUp(options: Omit<ImpairOptions, "random" | "clock">) {
  const clock = new VirtualClock();
  const inner = new Recorder(clock);
  const random = seededRandom(SEED);
  const device = impair(inner, { direction: "out", ...options, random, clock });
  device.open(SINK);
  return { clock, inner, device, numbers: () => inner.sent.map(({ bytes }) => numberOf(bytes)) };
}

describe("impair()", () => {
  it("is transparent without faults: same call, same records, the device's room", () => {
    const { inner, device, numbers, clock } = setUp({});
    inner.roomBytes = 12_345;
    expect(device.room()).toBe(12_345);
    device.send(numbered(0, 100));
    expect(numbers()).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(device.counters).toEqual(
      { passed: 100, lost: 0, duplicated: 0, corrupted: 0, held: 0, overflow: 0 },
    );
    expect(clock.pending).toBe(0);
  });

  it("loses the share it is told to, and all of it in a partition", () => {
    const { device, numbers } = setUp({ loss: 0.1 });
    for (let i = 0; i < 100; i++) device.send(numbered(i * 100, 100));
    expect(Math.abs(device.counters.lost - 1_000)).toBeLessThan(150);
    expect(numbers().length + device.counters.lost).toBe(10_000);
    device.adjust({ loss: 1 });
    device.send(numbered(0, 50));
    expect(numbers().length + device.counters.lost).toBe(10_050);
    device.adjust({ loss: 0 });
    const before = numbers().length;
    device.send(numbered(0, 50));
    expect(numbers().length).toBe(before + 50);
  });

  it("loses by one pattern, whatever else is drawn and however records are batched", () => {
    const patterns = [{}, { duplicate: 0.5, corrupt: 0.5 }, { delayMs: 1 }].map((faults, i) => {
      const { device } = setUp({ loss: 0.1, lossSeed: 77, ...faults });
      const lost: number[] = [];
      for (let n = 0; n < 1_000; n += i + 1) {
        const many = Math.min(i + 1, 1_000 - n);
        const before = device.counters.lost;
        device.send(numbered(n, many));
        if (device.counters.lost > before) lost.push(Math.floor(n / 6));
      }
      expect(device.counters.lost).toBeGreaterThan(50);
      return { total: device.counters.lost, blocks: [...new Set(lost)] };
    });
    expect(patterns[1]).toEqual(patterns[0]);
    expect(patterns[2]).toEqual(patterns[0]);
    const { device } = setUp({ loss: 0.1, lossSeed: 78 });
    device.send(numbered(0, 1_000));
    expect(device.counters.lost).not.toBe(patterns[0]?.total);
  });

  it("duplicates within the batch, also when the batch grows beyond 128 KiB", () => {
    const { inner, device, numbers } = setUp({ duplicate: 1 });
    inner.roomBytes = Infinity;
    device.send(numbered(0, 1_500));
    expect(numbers()).toEqual(Array.from({ length: 3_000 }, (_, i) => i >> 1));
    expect(device.counters.duplicated).toBe(1_500);
    inner.roomBytes = 3 * 74;
    device.send(numbered(0, 2));
    expect(numbers().length).toBe(3_003);
    expect(device.counters.overflow).toBe(1);
  });

  it("flips exactly one bit of the frame, anywhere in it, never of the header or the sender's copy", () => {
    const { inner, device } = setUp({ corrupt: 1 });
    const batch = numbered(0, 500).fill(0);
    for (let at = 0; at < batch.length; at += 74) batch[at] = 70;
    const copy = Uint8Array.from(batch);
    device.send(batch);
    expect(batch).toEqual(copy);
    const bits = inner.sent.map(({ bytes }) => {
      const at = bytes.findIndex((byte) => byte !== 0);
      expect(bytes.filter((byte) => byte !== 0).length).toBe(1);
      return (at * 8) + Math.log2(bytes[at] ?? 0);
    });
    expect(new Set(bits).size).toBeGreaterThan(250);
    expect(Math.min(...bits)).toBeLessThan(20);
    expect(Math.max(...bits)).toBeGreaterThan(460);
    expect(device.counters.corrupted).toBe(500);
  });

  it("drops instead of corrupting a frame whose checksum is partial", () => {
    const { inner, device } = setUp({ corrupt: 1 });
    const batch = numbered(0, 1);
    batch[4] = 1;
    device.send(batch);
    expect(inner.sent).toEqual([]);
    expect(device.counters.corrupted).toBe(1);
  });

  it("splits a super-segment and decides for each segment, then merges what is left", () => {
    const { inner, device } = setUp({ loss: 0.2 });
    const text = new Uint8Array(45 * 1448).map((_, i) => i >> 8);
    const record = superRecord(1448, { text, isPartial: true });
    inner.offload = 15;
    expect(device.offload).toBe(15);
    device.send(packRecords([record]));
    const { lost, passed } = device.counters;
    expect([lost + passed, lost > 3, lost < 20]).toEqual([45, true, true]);
    const out = unpackRecords(joinBytes(inner.batches));
    // Runs end where a segment was lost: fewer records than segments, none beyond a gap, all of the text that passed.
    expect(out.length).toBeLessThanOrEqual(lost + 1);
    expect(out.some(({ gsoType, gsoSize }) => gsoType === 1 && gsoSize === 1448)).toBe(true);
    expect(out.every(({ flags }) => flags === 1)).toBe(true);
    expect(out.reduce((sum, { frame }) => sum + frame.length - 54, 0)).toBe(passed * 1448);
    for (const { frame } of out) {
      const at = ((frame[38] ?? 0) << 24 | (frame[39] ?? 0) << 16 | (frame[40] ?? 0) << 8 |
        (frame[41] ?? 0)) - 1;
      expect(Buffer.compare(frame.subarray(54), text.subarray(at, at + frame.length - 54))).toBe(0);
    }
  });

  it("leaves a super-segment whole, as it was, when nothing is wrong with the path", () => {
    const { inner, device, clock } = setUp({ delayMs: 10 });
    const batch = packRecords([
      superRecord(1000, { text: new Uint8Array(3500), flags: 0x18, isPartial: true }),
      superRecord(48, { version: 6, text: new Uint8Array(3500), flags: 0x18, isPartial: true }),
    ]);
    inner.offload = 15;
    device.send(batch);
    clock.advance(10);
    expect(joinBytes(inner.batches)).toEqual(batch);
    expect(device.counters.held).toBe(4 + 73);
  });

  it("delays every record by as much, in order, and on the millisecond", () => {
    const { clock, inner, device, numbers } = setUp({ delayMs: 30 });
    inner.roomBytes = 0;
    expect(device.room()).toBe(BATCH_BYTES);
    inner.roomBytes = BATCH_BYTES;
    device.send(numbered(0, 3));
    clock.advance(10);
    device.send(numbered(3, 2));
    clock.advance(19);
    expect(numbers()).toEqual([]);
    clock.advance(1);
    expect(numbers()).toEqual([0, 1, 2]);
    clock.advance(10);
    expect(numbers()).toEqual([0, 1, 2, 3, 4]);
    expect(device.counters.held).toBe(5);
    expect(clock.pending).toBe(0);
  });

  it("holds some back so that later ones overtake, and loses none", () => {
    const { clock, device, numbers } = setUp({ reorder: { chance: 0.2, minMs: 5, maxMs: 25 } });
    for (let i = 0; i < 1_000; i++) {
      device.send(numbered(i, 1));
      clock.advance(1);
    }
    clock.advance(25);
    const arrived = numbers();
    expect(arrived.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
    const late =
      arrived.filter((n, i) => arrived.slice(0, i).some((earlier) => earlier > n)).length;
    expect(late).toBe(device.counters.held);
    expect(Math.abs(late - 200)).toBeLessThan(60);
  });

  it("sends at the rate, queues so much, and drops the rest", () => {
    const { clock, inner, device } = setUp({ rateBytesPerMs: 74, queueBytes: 740 });
    device.send(numbered(0, 20));
    expect(device.counters.overflow).toBe(10);
    clock.advance(100);
    expect(inner.sent.map(({ atMs }) => atMs)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    device.adjust({ rateBytesPerMs: Infinity });
    device.send(numbered(20, 1));
    expect(inner.sent.at(-1)?.atMs).toBe(100);
  });

  it("holds no more than it is told to without a rate", () => {
    const { clock, inner, device } = setUp({ delayMs: 1, queueBytes: 200 });
    device.send(numbered(0, 5));
    clock.advance(1);
    expect([inner.sent.length, device.counters.overflow]).toEqual([2, 3]);
  });

  it("counts what finds no room in the device when it is due", () => {
    const { clock, inner, device } = setUp({ delayMs: 1 });
    device.send(numbered(0, 5));
    inner.roomBytes = 2 * 74;
    clock.advance(1);
    expect([inner.sent.length, device.counters.overflow]).toEqual([2, 3]);
  });

  it("keeps super-segments whole", () => {
    const { clock, inner, device } = setUp({ delayMs: 1 });
    const batch = new Uint8Array(60_014);
    writeRecord(batch, 0, new Uint8Array(60_000).fill(5));
    device.send(batch);
    clock.advance(1);
    expect(inner.sent[0]?.bytes.length).toBe(60_000);
    expect(inner.sent[0]?.bytes.every((byte) => byte === 5)).toBe(true);
  });

  it("impairs what is asked for: out, in or both", () => {
    for (const direction of ["out", "in", "both"] as const) {
      const clock = new VirtualClock();
      const inner = new Recorder(clock);
      const device = impair(inner, { random: seededRandom(SEED), clock, loss: 1, direction });
      let received = 0;
      device.open({ ...SINK, receive: () => received++ });
      device.send(numbered(0, 1));
      inner.sink?.receive(numbered(0, 1));
      const expected = { out: [0, 1], in: [1, 0], both: [0, 0] }[direction];
      expect([inner.sent.length, received], direction).toEqual(expected);
    }
  });

  it("repeats itself exactly from the seed", () => {
    const run = (): string => {
      const clock = new VirtualClock();
      const [left, right] = pipe({ clock, delayMs: 1 });
      const reorder = { chance: 0.1, minMs: 1, maxMs: 30 };
      const faults = { loss: 0.1, duplicate: 0.1, corrupt: 0.1, delayMs: 2, reorder };
      const device = impair(left, { random: seededRandom(SEED), clock, ...faults });
      const log: unknown[] = [];
      device.open(SINK);
      right.open({ ...SINK, receive: (batch) => log.push([clock.now(), [...batch]]) });
      for (let i = 0; i < 200; i++) {
        device.send(numbered(i * 3, 3));
        clock.advance(1);
      }
      clock.advance(100);
      return JSON.stringify([log, device.counters]);
    };
    const first = run();
    expect(first.length).toBeGreaterThan(10_000);
    expect(run()).toBe(first);
  });

  it("close() ends what is held, and closes the device once", () => {
    const { clock, inner, device } = setUp({ delayMs: 5 });
    device.send(numbered(0, 3));
    device.close();
    device.close();
    device.send(numbered(3, 3));
    clock.advance(10);
    expect([inner.sent.length, inner.closed, clock.pending]).toEqual([0, 1, 0]);
  });

  it("refuses chances, times and rates out of range", () => {
    const clock = new VirtualClock();
    const inner = new Recorder(clock);
    const bad = [
      { loss: 1.1 },
      { duplicate: -0.1 },
      { corrupt: NaN },
      { reorder: { chance: 2, minMs: 0, maxMs: 1 } },
      { reorder: { chance: 0.5, minMs: 2, maxMs: 1 } },
      { delayMs: -1 },
      { rateBytesPerMs: 0 },
      { queueBytes: -1 },
    ];
    for (const faults of bad) {
      const options = { random: seededRandom(SEED), clock, ...faults };
      expect(() => impair(inner, options), JSON.stringify(faults)).toThrow(RangeError);
    }
  });
});

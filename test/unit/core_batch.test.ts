import { describe, expect, test } from "vitest";
import { compactRecords, RxRegion } from "../../src/core/batch.ts";
import { BATCH_BYTES } from "../../src/layout/layout.gen.ts";

const BASE = 64;

/** A record of `length` bytes after its length field, each of them `fill`. */
function record(length: number, fill: number): number[] {
  return [
    length & 0xff,
    (length >> 8) & 0xff,
    (length >> 16) & 0xff,
    0,
    ...new Array(length).fill(fill),
  ];
}

function batchOf(...records: number[][]): Uint8Array {
  return new Uint8Array(records.flat());
}

function region(): { rx: RxRegion; memory: Uint8Array; view: DataView } {
  const memory = new Uint8Array(BASE + BATCH_BYTES + BASE);
  memory.fill(0xee, BASE + BATCH_BYTES);
  const view = new DataView(memory.buffer);
  return { rx: new RxRegion(memory, view, BASE), memory, view };
}

/** The records of a region as `length:fill`, each at a multiple of 4. */
function recordsIn(memory: Uint8Array, view: DataView, bytes: number): string[] {
  const found: string[] = [];
  for (let at = BASE; at < BASE + bytes;) {
    const length = view.getUint32(at, true);
    if (length > BATCH_BYTES) {
      found.push("impossible");
      break;
    }
    const body = memory.subarray(at + 4, at + 4 + length);
    found.push(`${length}:${body.every((byte) => byte === body[0]) ? body[0] : "mixed"}`);
    at = (at + 4 + length + 3) & ~3;
  }
  return found;
}

/** Loads a batch to its end, as the loop does. */
function loadAll(batch: Uint8Array): string[] {
  const { rx, memory, view } = region();
  const found: string[] = [];
  let calls = 0;
  for (let at = 0; at < batch.length;) {
    at = rx.load(batch, at);
    expect(++calls).toBeLessThan(100);
    expect(rx.bytes).toBeLessThanOrEqual(BATCH_BYTES);
    found.push(...recordsIn(memory, view, rx.bytes));
  }
  expect(memory.subarray(BASE + BATCH_BYTES).every((byte) => byte === 0xee)).toBe(true);
  return found;
}

describe("RxRegion", () => {
  test("load() copies aligned records in one piece", () => {
    const { rx, memory } = region();
    const batch = batchOf(record(40, 1), record(64, 2));
    expect(rx.load(batch, 0)).toBe(batch.length);
    expect(rx.bytes).toBe(batch.length);
    expect(memory.subarray(BASE, BASE + batch.length)).toEqual(batch);
  });

  test("load() copies a single record of any length as it is", () => {
    expect(loadAll(batchOf(record(43, 7)))).toEqual(["43:7"]);
  });

  test("load() moves each record to a multiple of 4", () => {
    const batch = batchOf(
      record(41, 1),
      record(10, 2),
      record(43, 3),
      record(64, 4),
      record(99, 5),
    );
    expect(loadAll(batch)).toEqual(["41:1", "10:2", "43:3", "64:4", "99:5"]);
  });

  test("load() takes a full batch of odd records in as many calls as its padding needs", () => {
    const records: number[][] = [];
    const wanted: string[] = [];
    for (let i = 0; (i + 1) * 15 <= BATCH_BYTES; i++) {
      records.push(record(11, i & 0x7f));
      wanted.push(`11:${i & 0x7f}`);
    }
    expect(loadAll(batchOf(...records))).toEqual(wanted);
  });

  test("load() takes more than one batch", () => {
    const big = record(65_001, 9);
    const batch = batchOf(big, big, big, record(12, 1));
    expect(loadAll(batch)).toEqual(["65001:9", "65001:9", "65001:9", "12:1"]);
  });

  test.each([
    ["too short", [9, 0, 0, 0, 1, 2, 3]],
    ["longer than what is left", record(40, 1).slice(0, 30)],
    ["longer than a record may be", [0xff, 0xff, 0xff, 0xff, 1]],
    ["cut within the length", [40, 0]],
  ])("load() passes a length that is %s on as an impossible one and ends", (_, bad) => {
    expect(loadAll(batchOf(record(40, 1), bad))).toEqual(["40:1", "impossible"]);
    expect(loadAll(batchOf(record(41, 1), record(10, 3), bad))).toEqual([
      "41:1",
      "10:3",
      "impossible",
    ]);
    expect(loadAll(batchOf(bad))).toEqual(["impossible"]);
  });
});

describe("compactRecords()", () => {
  test("moves padded records together", () => {
    const { memory, view } = region();
    const lengths = [41, 10, 43, 64];
    let at = BASE;
    for (const [i, length] of lengths.entries()) {
      memory.set(record(length, i + 1), at);
      at = (at + 4 + length + 3) & ~3;
    }
    const bytes = compactRecords(memory, view, BASE, at - BASE);
    const wire = batchOf(record(41, 1), record(10, 2), record(43, 3), record(64, 4));
    expect(bytes).toBe(wire.length);
    expect(memory.subarray(BASE, BASE + bytes)).toEqual(wire);
  });

  test("leaves aligned records where they are", () => {
    const { memory, view } = region();
    const wire = batchOf(record(40, 1), record(64, 2));
    memory.set(wire, BASE);
    expect(compactRecords(memory, view, BASE, wire.length)).toBe(wire.length);
    expect(memory.subarray(BASE, BASE + wire.length)).toEqual(wire);
  });
});

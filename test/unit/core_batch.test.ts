import { describe, expect, test } from "vitest";
import { RxRegion } from "../../src/core/batch.ts";
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
  return { rx: new RxRegion(memory, BASE), memory, view };
}

/** The records of a region as `length:fill`, and how it ends when that is not a record. */
function recordsIn(memory: Uint8Array, view: DataView, bytes: number): string[] {
  const found: string[] = [];
  for (let at = BASE; at < BASE + bytes;) {
    const left = BASE + bytes - at - 4;
    const length = left < 0 ? BATCH_BYTES : view.getUint32(at, true);
    if (length < 10 || length > left) {
      found.push("impossible");
      break;
    }
    const body = memory.subarray(at + 4, at + 4 + length);
    found.push(`${length}:${body.every((byte) => byte === body[0]) ? body[0] : "mixed"}`);
    at += 4 + length;
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
  test("load() copies a batch in one piece", () => {
    const { rx, memory } = region();
    const batch = batchOf(record(41, 1), record(64, 2));
    expect(rx.load(batch, 0)).toBe(batch.length);
    expect(rx.bytes).toBe(batch.length);
    expect(memory.subarray(BASE, BASE + batch.length)).toEqual(batch);
  });

  test("load() copies a single record of any length as it is", () => {
    expect(loadAll(batchOf(record(43, 7)))).toEqual(["43:7"]);
  });

  test("load() copies records of any lengths", () => {
    const batch = batchOf(
      record(41, 1),
      record(10, 2),
      record(43, 3),
      record(64, 4),
      record(99, 5),
    );
    expect(loadAll(batch)).toEqual(["41:1", "10:2", "43:3", "64:4", "99:5"]);
  });

  test("load() takes a full batch of odd records", () => {
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

  test("load() copies nothing that is there already", () => {
    const { rx } = region();
    const batch = batchOf(record(41, 1), record(64, 2));
    rx.landing.set(batch);
    const landed = rx.landing.subarray(0, batch.length);
    expect(rx.load(landed, 0)).toBe(batch.length);
    expect(rx.bytes).toBe(batch.length);
    expect(landed).toEqual(batch);
    // What lies elsewhere in it goes to its begin.
    expect(rx.load(landed, 45)).toBe(batch.length);
    expect(rx.landing.subarray(0, 68)).toEqual(batch.subarray(45));
  });

  test("load() ends a batch of several regions at an impossible length", () => {
    const big = record(65_001, 9);
    const bad = [9, 0, 0, 0, 1, 2, 3];
    expect(loadAll(batchOf(big, bad, big, big))).toEqual(["65001:9", "impossible"]);
    // The region is full to its last byte where the impossible length follows.
    const half = record((BATCH_BYTES / 2) - 4, 8);
    expect(loadAll(batchOf(half, half, bad, big))).toEqual(["65532:8", "65532:8", "impossible"]);
  });
});

import { describe, expect, it } from "vitest";
import { BATCH_BYTES, RECORD_MAX_LENGTH } from "../../src/layout/layout.gen.ts";
import {
  bytesThatFit,
  countRecords,
  forEachRecord,
  FRAME_MAX_BYTES,
  frameBytesAt,
  RECORD_HEADER_BYTES,
  writeRecord,
} from "../../src/link/records.ts";

/** Records of the given sizes; every byte of a frame tells which frame it is. */
function batchOf(...sizes: number[]): Uint8Array {
  const batch = new Uint8Array(sizes.reduce((sum, size) => sum + size + RECORD_HEADER_BYTES, 0));
  let at = 0;
  sizes.forEach((size, i) => {
    at = writeRecord(batch, at, new Uint8Array(size).fill(i + 1));
  });
  return batch;
}

function visited(batch: Uint8Array): { ok: boolean; frames: [number, number][] } {
  const frames: [number, number][] = [];
  const ok = forEachRecord(batch, (offset, bytes) => frames.push([offset, bytes]));
  return { ok, frames };
}

describe("writeRecord()", () => {
  it("writes length, an empty virtio-net header and the frame, without padding", () => {
    const into = new Uint8Array(40).fill(0xff);
    expect(writeRecord(into, 1, Uint8Array.of(7, 8, 9))).toBe(18);
    expect([...into.subarray(0, 19)]).toEqual(
      [0xff, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 8, 9, 0xff],
    );
  });

  it("writes the largest frame and refuses one byte more", () => {
    const into = new Uint8Array(BATCH_BYTES);
    const end = writeRecord(into, 0, new Uint8Array(FRAME_MAX_BYTES));
    expect(end).toBe(4 + RECORD_MAX_LENGTH);
    expect(frameBytesAt(into, 0)).toBe(FRAME_MAX_BYTES);
    expect(() => writeRecord(into, 0, new Uint8Array(FRAME_MAX_BYTES + 1))).toThrow(RangeError);
  });

  it("refuses a frame that does not fit, and writes nothing", () => {
    const into = new Uint8Array(20);
    expect(() => writeRecord(into, 4, new Uint8Array(3))).toThrow(RangeError);
    expect(into.every((byte) => byte === 0)).toBe(true);
  });
});

describe("forEachRecord()", () => {
  it("visits every record in order, empty frames too", () => {
    expect(visited(batchOf(60, 0, 1514))).toEqual({
      ok: true,
      frames: [[14, 60], [88, 0], [102, 1514]],
    });
    expect(visited(new Uint8Array(0))).toEqual({ ok: true, frames: [] });
  });

  it("stops at a batch cut anywhere, and never reads beyond it", () => {
    const batch = batchOf(20, 30);
    for (let bytes = 0; bytes <= batch.length; bytes++) {
      const { ok, frames } = visited(batch.subarray(0, bytes));
      const whole = bytes < 34 ? 0 : bytes < 78 ? 1 : 2;
      expect(frames.length, `${bytes} bytes`).toBe(whole);
      expect(ok, `${bytes} bytes`).toBe(bytes === 0 || bytes === 34 || bytes === 78);
    }
  });

  it("refuses lengths below the header, above the maximum and beyond the batch", () => {
    for (const length of [0, 9, RECORD_MAX_LENGTH + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      const batch = new Uint8Array(BATCH_BYTES);
      new DataView(batch.buffer).setUint32(0, length, true);
      expect(visited(batch), `length ${length}`).toEqual({ ok: false, frames: [] });
      expect(countRecords(batch), `length ${length}`).toBe(-1);
    }
    const short = batchOf(20);
    new DataView(short.buffer).setUint32(0, 31, true);
    expect(visited(short).ok).toBe(false);
  });
});

describe("countRecords()", () => {
  it("counts, and refuses more than a batch", () => {
    expect(countRecords(batchOf(1, 2, 3))).toBe(3);
    expect(countRecords(new Uint8Array(0))).toBe(0);
    expect(countRecords(batchOf(60_000, 60_000, 10_000))).toBe(3);
    expect(countRecords(batchOf(60_000, 60_000, 12_000))).toBe(-1);
  });
});

describe("bytesThatFit()", () => {
  it("ends at the last record that fits", () => {
    const batch = batchOf(10, 20, 30);
    const ends = [0, 24, 58, 102];
    for (let room = 0; room <= 110; room++) {
      expect(bytesThatFit(batch, room), `room ${room}`).toBe(
        ends.filter((end) => end <= room).at(-1),
      );
    }
  });
});

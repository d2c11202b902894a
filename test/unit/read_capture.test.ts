/** Captures are read back: our own pcapng, pcap in both byte orders, and damaged files. */
import { describe, expect, test } from "vitest";
import { pcapng } from "../../src/link/pcapng.ts";
import { pipe } from "../../src/link/pipe.ts";
import { RECORD_HEADER_BYTES, writeRecord } from "../../src/link/records.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { CaptureError, LINKTYPE_ETHERNET, readCapture } from "../../src/trace/read_capture.ts";

const FRAME = Uint8Array.from({ length: 61 }, (_, i) => i);

/** A capture by our own writer, of frames sent at these times. */
function ourCapture(timesMs: readonly number[]): Uint8Array {
  const clock = new VirtualClock();
  const chunks: number[] = [];
  const [left, right] = pipe({ clock });
  right.open({ receive: () => {}, ready: () => {}, up: () => {}, down: () => {} });
  const device = pcapng(left, {
    clock,
    epochMs: 1_000_000,
    write: (chunk) => void chunks.push(...chunk),
  });
  device.open({ receive: () => {}, ready: () => {}, up: () => {}, down: () => {} });
  const record = new Uint8Array(RECORD_HEADER_BYTES + FRAME.length);
  writeRecord(record, 0, FRAME);
  for (const time of timesMs) {
    clock.runUntil(time);
    device.send(record);
  }
  device.close();
  return new Uint8Array(chunks);
}

function pcap(isLittle: boolean, magic: number, fraction: number): Uint8Array {
  const bytes = new Uint8Array(24 + 16 + FRAME.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, isLittle);
  view.setUint32(20, LINKTYPE_ETHERNET, isLittle);
  view.setUint32(24, 7, isLittle);
  view.setUint32(28, fraction, isLittle);
  view.setUint32(32, FRAME.length, isLittle);
  view.setUint32(36, 100, isLittle);
  bytes.set(FRAME, 40);
  return bytes;
}

describe("reading captures", () => {
  test("gives back what our own writer wrote, with its times", () => {
    const packets = [...readCapture(ourCapture([0, 1.5, 2_000]))];
    expect(packets.map(({ timeUs }) => Math.round(timeUs - 1e9))).toEqual([0, 1_500, 2_000_000]);
    for (const { frame, originalBytes, linkType } of packets) {
      expect(frame).toEqual(FRAME);
      expect(originalBytes).toBe(FRAME.length);
      expect(linkType).toBe(LINKTYPE_ETHERNET);
    }
  });

  for (const isLittle of [true, false]) {
    test(`reads pcap, ${isLittle ? "little" : "big"}-endian, µs and ns`, () => {
      const [micro] = readCapture(pcap(isLittle, 0xa1b2_c3d4, 250));
      expect(micro).toMatchObject({ timeUs: 7_000_250, originalBytes: 100, linkType: 1 });
      expect(micro?.frame).toEqual(FRAME);
      const [nano] = readCapture(pcap(isLittle, 0xa1b2_3c4d, 250_000));
      expect(nano?.timeUs).toBe(7_000_250);
    });
  }

  test("gives what stands before the cut of a file that was cut off", () => {
    const whole = ourCapture([0, 1, 2]);
    const counts = new Set<number>();
    for (let bytes = 60; bytes < whole.length; bytes++) {
      counts.add([...readCapture(whole.subarray(0, bytes))].length);
    }
    expect([...counts].sort()).toEqual([0, 1, 2, 3]);
  });

  test("says what is wrong with what is no capture", () => {
    const read = (bytes: Uint8Array): unknown[] => [...readCapture(bytes)];
    expect(() => read(new Uint8Array(0))).toThrow(CaptureError);
    expect(() => read(new TextEncoder().encode("hello"))).toThrow(/begins with 0x6c6c6568/);
    const damaged = ourCapture([0]);
    new DataView(damaged.buffer).setUint32(4, 13, true);
    expect(() => read(damaged)).toThrow("the block at byte 0 has length 13");
  });

  test("never throws anything else, whatever a byte is", () => {
    const whole = ourCapture([0, 1]);
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0, 0x7f, 0xff]) {
        const altered = whole.slice();
        altered[at] = value;
        try {
          for (const { frame } of readCapture(altered)) expect(frame.length).toBeLessThan(1_000);
        } catch (error) {
          expect(error).toBeInstanceOf(CaptureError);
        }
      }
    }
  });
});

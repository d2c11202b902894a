import { describe, expect, it } from "vitest";
import type { DeviceSink } from "../../src/link/device.ts";
import { pipe } from "../../src/link/pipe.ts";
import {
  BATCH_BYTES,
  forEachRecord,
  RECORD_HEADER_BYTES,
  writeRecord,
} from "../../src/link/records.ts";
import { virtualSwitch } from "../../src/link/switch.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { packRecords, superRecord } from "../edge.ts";

function batchOf(...frames: Uint8Array[]): Uint8Array {
  const bytes = frames.reduce((sum, frame) => sum + frame.length + RECORD_HEADER_BYTES, 0);
  const batch = new Uint8Array(bytes);
  let at = 0;
  for (const frame of frames) at = writeRecord(batch, at, frame);
  return batch;
}

interface Log extends DeviceSink {
  readonly frames: { atMs: number; bytes: number[] }[];
  readonly batches: number[];
  readonly news: string[];
}

function logOf(clock: VirtualClock): Log {
  const log: Log = {
    frames: [],
    batches: [],
    news: [],
    receive(batch) {
      log.batches.push(batch.length);
      const ok = forEachRecord(batch, (at, bytes) => {
        log.frames.push({ atMs: clock.now(), bytes: [...batch.subarray(at, at + bytes)] });
      });
      expect(ok).toBe(true);
    },
    ready: () => void log.news.push("ready"),
    up: () => void log.news.push("up"),
    down: (reason) => void log.news.push(`down: ${reason}`),
  };
  return log;
}

describe("pipe()", () => {
  it("has the offload bits that it is given at both ends, none by default", () => {
    const clock = new VirtualClock();
    expect(pipe({ clock }).map(({ offload }) => offload)).toEqual([0, 0]);
    expect(pipe({ clock, offload: 7 }).map(({ offload }) => offload)).toEqual([7, 7]);
    const ports = virtualSwitch({ clock, ports: 3, offload: 5 });
    expect(ports.map(({ offload }) => offload)).toEqual([5, 5, 5]);
  });

  it("carries the largest super-segment as it is, also through a switch", () => {
    const clock = new VirtualClock();
    const [left, right] = pipe({ clock, offload: 15 });
    const [one, two] = virtualSwitch({ clock, ports: 2, offload: 15 });
    if (one === undefined || two === undefined) throw new Error("no ports");
    const batch = packRecords([
      superRecord(1460, { text: new Uint8Array(65_495).fill(7), isPartial: true }),
    ]);
    for (const [from, to] of [[left, right], [one, two]] as const) {
      const seen: Uint8Array[] = [];
      from.open(logOf(clock));
      to.open({ ...logOf(clock), receive: (records) => void seen.push(records.slice()) });
      from.send(batch);
      clock.advance(1);
      expect(seen.map((records) => Buffer.compare(records, batch))).toEqual([0]);
    }
  });

  it("delivers after the delay, in order, never within send(), and has copied", () => {
    const clock = new VirtualClock();
    const [left, right] = pipe({ clock, delayMs: 20, mtu: 9000 });
    const log = logOf(clock);
    left.open(logOf(clock));
    right.open(log);
    expect([left.mtu, right.mtu, log.news]).toEqual([9000, 9000, ["up"]]);
    const batch = batchOf(Uint8Array.of(1), Uint8Array.of(2, 2));
    left.send(batch);
    batch.fill(0xff);
    clock.advance(5);
    left.send(batchOf(Uint8Array.of(3)));
    clock.advance(14);
    expect(log.frames).toEqual([]);
    clock.advance(100);
    expect(log.frames).toEqual([
      { atMs: 20, bytes: [1] },
      { atMs: 20, bytes: [2, 2] },
      { atMs: 25, bytes: [3] },
    ]);
  });

  it("delivers without delay by the clock, batches of one moment together, 128 KiB at most", () => {
    const clock = new VirtualClock();
    const [left, right] = pipe({ clock });
    const log = logOf(clock);
    right.open(log);
    for (let i = 0; i < 100; i++) left.send(batchOf(new Uint8Array(2_000).fill(i)));
    expect(log.frames).toEqual([]);
    clock.advance(0);
    expect(log.frames.map(({ bytes }) => bytes[0])).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    );
    expect(log.batches).toEqual([65 * 2_014, 35 * 2_014]);
    expect(Math.max(...log.batches)).toBeLessThanOrEqual(BATCH_BYTES);
  });

  it("hands over what is due together when the clock comes late, but not the news of its end before it", () => {
    const clock = new VirtualClock();
    let lateMs = 0;
    const late = { now: () => clock.now() + lateMs, at: clock.at.bind(clock) };
    const [left, right] = pipe({ clock: late, delayMs: 10 });
    const log = logOf(clock);
    right.open(log);
    for (let i = 0; i < 3; i++) {
      left.send(batchOf(new Uint8Array(86).fill(i)));
      clock.advance(1);
    }
    left.send(batchOf(new Uint8Array(60_000)));
    left.send(batchOf(new Uint8Array(60_000)));
    clock.advance(1);
    left.send(batchOf(new Uint8Array(60_000)));
    left.close();
    lateMs = 20;
    clock.advance(6);
    expect(log.batches).toEqual([300 + (2 * 60_014), 60_014]);
    expect(log.news).toEqual(["up", "down: The other end of the pipe was closed"]);
  });

  it("has no room when full, loses and counts the records that do not fit, and says when there is room", () => {
    const clock = new VirtualClock();
    const [left, right] = pipe({ clock, capacityBytes: 100, delayMs: 1 });
    const sender = logOf(clock);
    const log = logOf(clock);
    left.open(sender);
    right.open(log);
    expect(left.room()).toBe(100);
    left.send(batchOf(new Uint8Array(26), new Uint8Array(26), new Uint8Array(26)));
    expect(left.room()).toBe(20);
    expect(left.dropped).toBe(1);
    left.send(batchOf(new Uint8Array(6)));
    expect(left.room()).toBe(0);
    left.send(batchOf(new Uint8Array(0)));
    expect(left.dropped).toBe(2);
    expect(sender.news).toEqual(["up"]);
    clock.advance(1);
    expect(sender.news).toEqual(["up", "ready"]);
    expect(left.room()).toBe(100);
    expect(log.frames.length).toBe(3);
  });

  it("keeps every byte where the ring wraps", () => {
    const seed = 4711;
    const random = seededRandom(seed);
    const clock = new VirtualClock();
    const [left, right] = pipe({ clock, capacityBytes: 997, delayMs: 3 });
    const log = logOf(clock);
    right.open(log);
    const sent: number[][] = [];
    for (let i = 0; i < 3_000; i++) {
      const frame = new Uint8Array(random.below(120));
      random.fill(frame);
      const batch = batchOf(frame);
      if (batch.length <= left.room()) {
        left.send(batch);
        sent.push([...frame]);
      }
      clock.advance(random.below(3));
    }
    clock.advance(3);
    expect(sent.length).toBeGreaterThan(1_000);
    expect(left.dropped).toBe(0);
    expect(log.frames.map(({ bytes }) => bytes), `seed ${seed}`).toEqual(sent);
  });

  describe("to a receiver that says where it reads", () => {
    /** A receiver with a landing; `inPlace` counts the batches that it was given there. */
    function landingLog(clock: VirtualClock): Log & { landing: Uint8Array; inPlace: number } {
      const log = logOf(clock);
      const receive = log.receive;
      const landing = new Uint8Array(BATCH_BYTES);
      const own = { ...log, landing, inPlace: 0 };
      own.receive = (batch) => {
        if (batch.buffer === landing.buffer && batch.byteOffset === 0) own.inPlace++;
        receive(batch);
      };
      return own;
    }

    it("puts records there, and never delivers within send()", () => {
      const clock = new VirtualClock();
      const [left, right] = pipe({ clock });
      const log = landingLog(clock);
      left.open(logOf(clock));
      right.open(log);
      left.send(batchOf(Uint8Array.of(1), Uint8Array.of(2, 2)));
      left.send(batchOf(Uint8Array.of(3)));
      expect(log.frames).toEqual([]);
      clock.advance(0);
      expect(log.frames.map(({ bytes }) => bytes)).toEqual([[1], [2, 2], [3]]);
      expect([log.batches.length, log.inPlace]).toEqual([1, 1]);
    });

    it("has room for what fits there, none for less than a record, and says when it is free", () => {
      const clock = new VirtualClock();
      const [left, right] = pipe({ clock });
      const sender = logOf(clock);
      left.open(sender);
      right.open(landingLog(clock));
      expect(left.room()).toBe(BATCH_BYTES);
      left.send(batchOf(new Uint8Array(60_000), new Uint8Array(60_000)));
      expect(left.room()).toBe(BATCH_BYTES - (2 * 60_014));
      left.send(batchOf(new Uint8Array(10_000)));
      expect(left.room()).toBe(0);
      clock.advance(0);
      expect(sender.news).toEqual(["up", "ready"]);
      expect(left.room()).toBe(BATCH_BYTES);
      expect(left.dropped).toBe(0);
    });

    it("keeps the order when more is sent than it has room for, and copies what comes while it is read", () => {
      const seed = 815;
      const random = seededRandom(seed);
      const clock = new VirtualClock();
      const [left, right] = pipe({ clock });
      const log = landingLog(clock);
      const sent: number[] = [];
      const send = (): void => {
        const frame = new Uint8Array(1_000 + random.below(60_000)).fill(sent.length & 0xff);
        sent.push(sent.length & 0xff);
        left.send(batchOf(frame));
      };
      const receive = log.receive;
      log.receive = (batch) => {
        if (sent.length < 300 && random.below(2) === 0) send();
        receive(batch);
      };
      right.open(log);
      while (sent.length < 300) {
        for (let i = random.below(6); i > 0; i--) send();
        clock.advance(0);
      }
      expect(left.dropped).toBe(0);
      expect(log.frames.map(({ bytes }) => bytes[0]), `seed ${seed}`).toEqual(sent);
      expect(log.frames.every(({ bytes }) => bytes.every((byte) => byte === bytes[0]))).toBe(true);
      expect(log.inPlace).toBeGreaterThan(20);
      expect(log.batches.length).toBeGreaterThan(log.inPlace);
    });

    it("goes through the ring with a delay", () => {
      const clock = new VirtualClock();
      const [left, right] = pipe({ clock, delayMs: 1 });
      const log = landingLog(clock);
      right.open(log);
      left.send(batchOf(Uint8Array.of(1)));
      clock.advance(1);
      expect([log.frames.length, log.inPlace]).toEqual([1, 0]);
    });

    it("loses what lies there when the receiver closes, and tells of an end behind it", () => {
      const clock = new VirtualClock();
      const [left, right] = pipe({ clock });
      const log = landingLog(clock);
      left.open(logOf(clock));
      right.open(log);
      left.send(batchOf(Uint8Array.of(1)));
      left.close();
      clock.advance(0);
      expect([log.frames.length, log.news]).toEqual([1, [
        "up",
        "down: The other end of the pipe was closed",
      ]]);
      const [third, fourth] = pipe({ clock });
      const other = landingLog(clock);
      fourth.open(other);
      third.send(batchOf(Uint8Array.of(1)));
      fourth.close();
      clock.advance(0);
      expect(other.frames).toEqual([]);
    });
  });

  it("may be sent into from within receive()", () => {
    const clock = new VirtualClock();
    const [left, right] = pipe({ clock });
    const log = logOf(clock);
    left.open(log);
    right.open({ ...logOf(clock), receive: (batch) => right.send(batch) });
    left.send(batchOf(Uint8Array.of(9)));
    clock.advance(0);
    expect(log.frames).toEqual([{ atMs: 0, bytes: [9] }]);
  });

  it("refuses malformed batches", () => {
    const clock = new VirtualClock();
    const [left] = pipe({ clock });
    left.send(new Uint8Array(20));
    left.send(new Uint8Array(BATCH_BYTES + 1));
    expect(left.dropped).toBe(2);
    expect(clock.pending).toBe(0);
  });

  it("close() delivers what is on its way, then takes the other end down", () => {
    const clock = new VirtualClock();
    const [left, right] = pipe({ clock, delayMs: 10 });
    const leftLog = logOf(clock);
    const rightLog = logOf(clock);
    left.open(leftLog);
    right.open(rightLog);
    left.send(batchOf(Uint8Array.of(1)));
    right.send(batchOf(Uint8Array.of(2)));
    left.close();
    left.close();
    clock.advance(9);
    expect(rightLog.news).toEqual(["up"]);
    clock.advance(1);
    expect(rightLog.frames.length).toBe(1);
    expect(rightLog.news).toEqual(["up", "down: The other end of the pipe was closed"]);
    expect(leftLog.frames).toEqual([]);
    right.send(batchOf(Uint8Array.of(3)));
    expect(right.dropped).toBe(1);
    right.close();
    expect(clock.pending).toBe(0);
  });

  it("refuses options out of range", () => {
    const clock = new VirtualClock();
    expect(() => pipe({ clock, delayMs: -1 })).toThrow(RangeError);
    expect(() => pipe({ clock, capacityBytes: 0 })).toThrow(RangeError);
  });
});

describe("virtualSwitch()", () => {
  const mac = (n: number): number[] => [0x02, 0, 0, 0, 0, n];
  const frame = (to: number[], from: number[]): Uint8Array =>
    Uint8Array.of(...to, ...from, 8, 0, 42);
  const broadcast = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

  it("floods what it does not know and learns where senders are", () => {
    const clock = new VirtualClock();
    const ports = virtualSwitch({ clock, ports: 3, delayMs: 1 });
    const logs = ports.map((port) => {
      const log = logOf(clock);
      port.open(log);
      return log;
    });
    const counts = (): number[] => logs.map(({ frames }) => frames.length);
    ports[0]?.send(batchOf(frame(mac(2), mac(0))));
    clock.advance(2);
    expect(counts()).toEqual([0, 1, 1]);
    ports[2]?.send(batchOf(frame(mac(0), mac(2))));
    clock.advance(2);
    expect(counts()).toEqual([1, 1, 1]);
    ports[0]?.send(batchOf(frame(mac(2), mac(0)), frame(broadcast, mac(0))));
    clock.advance(2);
    expect(counts()).toEqual([1, 2, 3]);
    ports[2]?.close();
    clock.advance(1);
    ports[0]?.send(batchOf(frame(mac(2), mac(0))));
    clock.advance(2);
    expect(counts()).toEqual([1, 3, 3]);
  });
});

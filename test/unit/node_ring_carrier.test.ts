/** The carrier of connections of this process, over a connection that is the test itself. */
import { describe, expect, test } from "vitest";
import type { CarrierSink } from "../../src/api/node/carrier.ts";
import { RingCarrier } from "../../src/api/node/ring_carrier.ts";
import type { StreamConnection } from "../../src/api/tcp_connection.ts";
import { EVENT_WRITABLE } from "../../src/layout/layout.gen.ts";
import { EOF, READY_READ, WOULD_BLOCK } from "../../src/tcp/connection.ts";

/** A connection whose rings are two numbers. */
class FakeRings {
  onEvent: ((bits: number) => void) | null = null;
  error: Error | null = null;
  isReleased = false;
  isFinished = false;
  /** Bytes that wait to be read, and that have room to be written. */
  unread = 0;
  room = 0;
  readonly written: number[] = [];
  optionsSet = 0;

  unreadBytes(): number {
    return this.unread;
  }

  readiness(): number {
    return READY_READ;
  }

  readInto(view: Uint8Array): number {
    if (this.unread === 0) return this.isFinished ? EOF : WOULD_BLOCK;
    const bytes = Math.min(this.unread, view.length);
    this.unread -= bytes;
    return bytes;
  }

  write(rest: Uint8Array): number {
    const bytes = Math.min(this.room, rest.length);
    this.room -= bytes;
    this.written.push(...rest.subarray(0, bytes));
    return bytes;
  }

  setOptions(): void {
    this.optionsSet++;
  }

  release(): void {
    this.isReleased = true;
  }
}

function made(): { rings: FakeRings; carrier: RingCarrier } {
  const rings = new FakeRings();
  const tcp = { connection: rings, close: () => Promise.resolve(), abort: () => {} };
  return { rings, carrier: new RingCarrier(tcp as unknown as StreamConnection) };
}

/** Takes so many bytes at once, and wants more as long as it is told to. */
function sinkOf(chunkBytes: number, wantsMore: () => boolean): CarrierSink & { lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    place: (wanted) => new Uint8Array(Math.min(wanted, chunkBytes)),
    receive: (_, bytes) => {
      lines.push(`${bytes} bytes`);
      return wantsMore();
    },
    end: () => void lines.push("end"),
    fail: (error) => void lines.push(String(error)),
  };
}

describe("a write", () => {
  test("goes on where the ring was full, and tells how much is left", () => {
    const { rings, carrier } = made();
    let told: unknown = "nothing";
    rings.room = 2;
    carrier.write([Uint8Array.of(1, 2, 3), Uint8Array.of(4), Uint8Array.of(5, 6)], (error) => {
      told = error;
    });
    expect([carrier.pendingBytes, told]).toEqual([4, "nothing"]);
    rings.room = 3;
    rings.onEvent?.(EVENT_WRITABLE);
    expect([carrier.pendingBytes, told]).toEqual([1, "nothing"]);
    rings.room = 9;
    rings.onEvent?.(EVENT_WRITABLE);
    expect([carrier.pendingBytes, told]).toEqual([0, null]);
    expect(rings.written).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("that waits is called back when the carrier is closed, before that is said", async () => {
    const { carrier } = made();
    const lines: string[] = [];
    carrier.write([Uint8Array.of(1)], (error) => lines.push(`written ${String(error)}`));
    await new Promise<void>((resolve) =>
      carrier.close(() => {
        lines.push("closed");
        resolve();
      })
    );
    expect(lines).toEqual(["written null", "closed"]);
  });
});

describe("reading", () => {
  test("lets the handle go once all was read, and not before", async () => {
    const { rings, carrier } = made();
    let wantsMore = false;
    const sink = sinkOf(10, () => wantsMore);
    carrier.attach(sink);
    Object.assign(rings, { unread: 15, isFinished: true });
    carrier.readStart();
    await expect.poll(() => sink.lines).toEqual(["10 bytes"]);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(rings.isReleased).toBe(false);
    wantsMore = true;
    carrier.readStart();
    await expect.poll(() => sink.lines).toEqual(["10 bytes", "5 bytes", "end"]);
    await expect.poll(() => rings.isReleased).toBe(true);
  });

  test("of a handle that was let go tells its error, or the end", async () => {
    for (const error of [null, new Error("reset")]) {
      const { rings, carrier } = made();
      const sink = sinkOf(10, () => true);
      carrier.attach(sink);
      Object.assign(rings, { isReleased: true, isFinished: true, error });
      carrier.readStart();
      await expect.poll(() => sink.lines).toEqual([error === null ? "end" : "Error: reset"]);
    }
  });
});

test("options of a handle that was let go are nobody's", () => {
  const { rings, carrier } = made();
  carrier.setOptions({ noDelay: true });
  rings.isReleased = true;
  carrier.setOptions({ noDelay: false });
  expect(rings.optionsSet).toBe(1);
});

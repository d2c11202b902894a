/** Cases of `stack_conformance.ts` about options, lingering and urgent data. */
import { expect } from "vitest";
import {
  BIG_BYTES,
  codeOf,
  joined,
  type PairFactory,
  pattern,
  readAll,
  readExactly,
  send,
} from "./joined.ts";

/** Options of one connection, and what LINGER does at its end. */
export function optionCases(make: PairFactory): void {
  joined("setOptions() changes what getOptions() tells, when it is open", make, async (pair) => {
    const { near } = pair;
    expect(await near.getOptions()).toMatchObject({ noDelay: false, lingerMs: Infinity });
    await near.setOptions({ noDelay: true, userTimeoutMs: 5_000, lingerMs: 250 });
    const after = await near.getOptions();
    expect(after).toMatchObject({ noDelay: true, userTimeoutMs: 5_000, lingerMs: 250 });
    await near.setOptions({ userTimeoutMs: Infinity });
    expect((await near.getOptions()).userTimeoutMs).toBe(Infinity);
  });

  joined(
    "setOptions() refuses and changes nothing, when a value can not be",
    make,
    async (pair) => {
      const { near } = pair;
      await expect(near.setOptions({ noDelay: true, ttl: 0 })).rejects.toBeInstanceOf(RangeError);
      await expect(near.setOptions({ timestamps: false })).rejects.toBeInstanceOf(TypeError);
      expect((await near.getOptions()).noDelay).toBe(false);
    },
  );

  joined("S40 close() resets at once, when lingerMs is 0", make, async ({ near, far }) => {
    await near.setOptions({ lingerMs: 0 });
    await near.close();
    expect(await codeOf(readAll(far))).toBe("ECONNRESET");
    await near.closed;
  });

  joined("S40 close() gives up, when the queue was not sent in lingerMs", make, async (pair) => {
    const { near, far } = pair;
    // More than both rings hold, and nobody reads.
    const writing = codeOf(send(near, pattern(BIG_BYTES)));
    await expect.poll(() => far.info().rcvWndBytes).toBe(0);
    await near.setOptions({ lingerMs: 100 });
    expect(await codeOf(near.close())).toBe("ECONNABORTED");
    expect(await writing).toBe("EBADF");
    expect(await codeOf(far.closed)).toBe("ECONNRESET");
  });
}

/** Urgent data, both ways. RFC 9293 section 3.8.5. */
export function urgentCases(make: PairFactory): void {
  joined("MUST-32 onUrgent tells, when the peer's data is urgent", make, async ({ near, far }) => {
    const told: number[] = [];
    near.onUrgent = (bytes) => told.push(bytes);
    await send(far, pattern(5));
    await far.writeUrgent(pattern(3, 5));
    await expect.poll(() => told.length).toBeGreaterThan(0);
    expect(told[0]).toBe(8);
    expect(await readExactly(near, 8)).toEqual(pattern(8));
  });

  joined("MUST-62 writeUrgent() marks the bytes, in line", make, async ({ near, far }) => {
    const told: number[] = [];
    far.onUrgent = (bytes) => told.push(bytes);
    await near.writeUrgent(pattern(10));
    await expect.poll(() => told.length).toBeGreaterThan(0);
    expect(told[0]).toBe(10);
    await send(near, pattern(10, 10));
    expect(await readExactly(far, 20)).toEqual(pattern(20));
  });

  joined("writeUrgent() refuses, when writable is locked or it is closed", make, async (pair) => {
    const { near } = pair;
    const writer = near.writable.getWriter();
    await expect(near.writeUrgent(pattern(1))).rejects.toBeInstanceOf(TypeError);
    writer.releaseLock();
    await near.closeWrite();
    expect(await codeOf(near.writeUrgent(pattern(1)))).toBe("EPIPE");
  });
}

import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";

describe("VirtualClock", () => {
  it("runs nothing a millisecond early and everything on the millisecond", () => {
    const clock = new VirtualClock();
    const ran: number[] = [];
    clock.at(1000, () => ran.push(clock.now()));
    clock.advance(999);
    expect(ran).toEqual([]);
    expect(clock.nextAt()).toBe(1000);
    clock.advance(1);
    expect(ran).toEqual([1000]);
    expect(clock.nextAt()).toBe(Infinity);
  });

  it("runs equal times in the order they were asked for, after cancellations too", () => {
    const seed = 0x7ea7;
    const random = seededRandom(seed);
    const clock = new VirtualClock();
    const expected: { at: number; i: number }[] = [];
    const ran: number[] = [];
    for (let i = 0; i < 2_000; i++) {
      const at = random.below(50);
      const timer = clock.at(at, () => ran.push(i));
      if (random.chance(0.5)) timer.cancel();
      else expected.push({ at, i });
    }
    expect(clock.pending).toBe(expected.length);
    clock.advance(50);
    expected.sort((a, b) => a.at - b.at || a.i - b.i);
    expect(ran, `seed ${seed}`).toEqual(expected.map(({ i }) => i));
  });

  it("runs what a timer asks for at the same moment, and never within the call", () => {
    const clock = new VirtualClock({ startMs: 5 });
    const ran: string[] = [];
    clock.at(0, () => {
      clock.at(clock.now(), () => ran.push("inner"));
      ran.push("outer");
    });
    expect(ran).toEqual([]);
    clock.advance(0);
    expect(ran).toEqual(["outer", "inner"]);
    expect(clock.now()).toBe(5);
  });

  it("runNext() moves to the next timer and says whether there was one", () => {
    const clock = new VirtualClock();
    clock.at(7.5, () => {});
    expect(clock.runNext()).toBe(true);
    expect(clock.now()).toBe(7.5);
    expect(clock.runNext()).toBe(false);
  });

  it("cancel() is harmless twice and after the call", () => {
    const clock = new VirtualClock();
    let ran = 0;
    const timer = clock.at(1, () => ran++);
    clock.advance(1);
    timer.cancel();
    timer.cancel();
    expect(ran).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it("throws instead of running for ever", () => {
    const clock = new VirtualClock({ maxSteps: 100 });
    const again = (): void => void clock.at(clock.now(), again);
    again();
    expect(() => clock.advance(1)).toThrow("100 timers ran");
    expect(clock.now()).toBe(0);
  });

  it("refuses to run backwards, from within a timer, and what is no moment", () => {
    const clock = new VirtualClock({ startMs: 10 });
    expect(() => clock.runUntil(9)).toThrow(RangeError);
    expect(() => clock.advance(-1)).toThrow(RangeError);
    expect(() => clock.at(NaN, () => {})).toThrow(RangeError);
    let error: unknown;
    clock.at(11, () => {
      try {
        clock.advance(1);
      } catch (thrown) {
        error = thrown;
      }
    });
    clock.advance(1);
    expect(error).toBeInstanceOf(TypeError);
  });

  it("keeps no timer at infinity", () => {
    const clock = new VirtualClock();
    clock.at(Infinity, () => expect.unreachable()).cancel();
    expect(clock.pending).toBe(0);
    clock.runUntil(Infinity);
    expect(clock.now()).toBe(0);
  });
});

describe("systemClock()", () => {
  it("calls back not before the moment, and not within the call", async () => {
    const clock = systemClock();
    const at = clock.now() + 5;
    const firedMs = await new Promise<number>((resolve) => {
      let isWithin = true;
      clock.at(at, () => resolve(isWithin ? -1 : clock.now()));
      isWithin = false;
    });
    expect(firedMs).toBeGreaterThanOrEqual(at);
  });

  it("waits longer than setTimeout can, and cancels", async () => {
    const clock = systemClock({ keepAlive: false });
    let fired = false;
    const far = clock.at(2 ** 31 + 1_000, () => (fired = true));
    const near = clock.at(clock.now() + 1, () => (fired = true));
    near.cancel();
    clock.at(Infinity, () => (fired = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    far.cancel();
    expect(fired).toBe(false);
  });
});

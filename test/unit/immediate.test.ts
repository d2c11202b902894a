import { afterEach, describe, expect, test, vi } from "vitest";

/** The module as a runtime without (or with) `setImmediate` loads it. */
async function load(): Promise<(callback: () => void) => unknown> {
  vi.resetModules();
  return (await import("../../src/runtime/immediate.ts")).immediate;
}

afterEach(() => vi.unstubAllGlobals());

describe.each(["setImmediate", "MessageChannel", "setTimeout"])("immediate() by %s", (means) => {
  async function loadWithout(): Promise<(callback: () => void) => unknown> {
    if (means !== "setImmediate") vi.stubGlobal("setImmediate", undefined);
    if (means === "setTimeout") vi.stubGlobal("MessageChannel", undefined);
    return await load();
  }

  test("runs behind the microtasks of this task, in the order asked for", async () => {
    const immediate = await loadWithout();
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      immediate(() => void order.push("first"));
      immediate(() => {
        order.push("second");
        queueMicrotask(() => void order.push("microtask of the second"));
      });
      immediate(resolve);
      queueMicrotask(() => void order.push("microtask"));
      order.push("now");
    });
    expect(order).toEqual(["now", "microtask", "first", "second", "microtask of the second"]);
  });

  test("timers get their turn between tasks that ask for the next one without end", async () => {
    const immediate = await loadWithout();
    let stopped = false;
    let rounds = 0;
    const again = (): void => {
      rounds++;
      if (!stopped) immediate(again);
    };
    again();
    await new Promise((resolve) => setTimeout(resolve, 1));
    stopped = true;
    expect(rounds).toBeGreaterThan(0);
  });
});

describe("systemClock()", () => {
  test("calls back for a moment that is now by the next task, unless cancelled", async () => {
    const timeouts = vi.spyOn(globalThis, "setTimeout");
    vi.resetModules();
    const { systemClock } = await import("../../src/runtime/system_clock.ts");
    const clock = systemClock();
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      clock.at(clock.now(), () => void order.push("cancelled")).cancel();
      clock.at(-1, () => void order.push("past"));
      clock.at(clock.now(), () => {
        order.push("now");
        resolve();
      });
      queueMicrotask(() => void order.push("microtask"));
    });
    expect(order).toEqual(["microtask", "past", "now"]);
    expect(timeouts).not.toHaveBeenCalled();
    timeouts.mockRestore();
  });
});

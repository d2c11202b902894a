/** When Node would do it: behind the running call, or in a task of its own. */
import { immediate } from "../../runtime/immediate.ts";

type Tick = (callback: () => void) => void;

/** The queue that Node's own streams use, so that events come in the order they have there; elsewhere microtasks. */
const tick: Tick = findTick();

function findTick(): Tick {
  const platform: unknown = Reflect.get(globalThis, "process");
  if (typeof platform === "object" && platform !== null) {
    const nextTick: unknown = Reflect.get(platform, "nextTick");
    if (typeof nextTick === "function") return (callback) => void nextTick(callback);
  }
  return (callback) => queueMicrotask(callback);
}

/** Runs a function once the running call has ended, as `process.nextTick()` does. */
export function soon(callback: () => void): void {
  tick(callback);
}

/** Runs a function in a task of its own. */
export function inTask(callback: () => void): void {
  immediate(callback);
}

/** Throws an error where nobody calls: it surfaces as one of an event handler does. */
export function surface(error: unknown): void {
  inTask(() => {
    throw error;
  });
}

/** Lets a timer not keep the process alive, where that is possible. */
export function unref(timer: unknown): void {
  if (typeof timer !== "object" || timer === null || !("unref" in timer)) return;
  if (typeof timer.unref === "function") timer.unref();
}

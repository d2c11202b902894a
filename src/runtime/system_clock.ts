/** The platform's monotonic clock: one implementation for browsers, workers, Deno, Node and Bun. */
import type { Clock, Timer } from "./clock.ts";
import { immediate } from "./immediate.ts";

/** Longest delay of `setTimeout`, ms. A longer one would fire at once. Source: HTML, timers, a signed 32-bit integer. */
const TIMEOUT_MAX_MS = 0x7fff_ffff;

/** Options of {@linkcode systemClock}. */
export interface SystemClockOptions {
  /**
   * Whether a pending timer keeps a Deno, Node or Bun process alive. Default true. A stack whose link already does
   * passes false, so that the process can end with the link. Browsers do not heed it.
   */
  readonly keepAlive?: boolean;
}

/** What `setTimeout` returns in Node, Bun and newer Denos; a number elsewhere. */
interface Unrefable {
  unref(): void;
}

/**
 * Makes a clock over `performance.now()` and `setTimeout`.
 *
 * @param options Whether timers keep the process alive.
 * @returns A clock that starts at 0 ms now. Its step is the platform's: 1 ms in a page that is not cross-origin isolated.
 * @example
 * ```ts
 * import { systemClock } from "./system_clock.ts";
 * const clock = systemClock();
 * const timer = clock.at(clock.now() + 1_000, () => {});
 * timer.cancel();
 * ```
 */
export function systemClock(options: SystemClockOptions = {}): Clock {
  const originMs = performance.now();
  const keepAlive = options.keepAlive ?? true;
  const now = (): number => performance.now() - originMs;
  return {
    now,
    at: (atMs, callback) => new SystemTimer(now, atMs, callback, keepAlive),
  };
}

/** One pending call; armed again until its moment has really come. */
class SystemTimer implements Timer {
  readonly #now: () => number;
  readonly #atMs: number;
  readonly #callback: () => void;
  readonly #keepAlive: boolean;
  readonly #fire: () => void;
  #handle: ReturnType<typeof setTimeout> | undefined;
  #isDue = false;
  #isOver = false;

  constructor(now: () => number, atMs: number, callback: () => void, keepAlive: boolean) {
    if (Number.isNaN(atMs)) throw new RangeError("Cannot wait for NaN ms: expected a moment");
    this.#now = now;
    this.#atMs = atMs;
    this.#callback = callback;
    this.#keepAlive = keepAlive;
    this.#fire = () => {
      if (this.#isOver) return;
      // setTimeout may be early by up to a step of the clock, and a long wait is cut in pieces.
      if (!this.#isDue && this.#now() < this.#atMs) return this.#arm();
      this.#isOver = true;
      this.#callback();
    };
    // A deadline at infinity never comes: no timer, nothing to keep alive.
    if (atMs !== Infinity) this.#arm();
  }

  cancel(): void {
    this.#isOver = true;
    if (this.#handle !== undefined) clearTimeout(this.#handle);
    this.#handle = undefined;
  }

  #arm(): void {
    // Before the clock was made is past without looking at it.
    const waitMs = this.#atMs <= 0 ? 0 : Math.ceil(this.#atMs - this.#now());
    if (waitMs <= 0) {
      // It is time already: the next task will do.
      this.#isDue = true;
      const handle = immediate(this.#fire);
      if (!this.#keepAlive) unref(handle);
      return;
    }
    this.#handle = setTimeout(this.#fire, Math.min(waitMs, TIMEOUT_MAX_MS));
    if (!this.#keepAlive) unref(this.#handle);
  }
}

/** Lets the process end although the timer is pending, where the platform has such a notion. */
function unref(handle: unknown): void {
  if (typeof handle === "object" && handle !== null && "unref" in handle) {
    (handle as Unrefable).unref();
    return;
  }
  const deno: unknown = Reflect.get(globalThis, "Deno");
  if (typeof deno !== "object" || deno === null || typeof handle !== "number") return;
  const unrefTimer: unknown = Reflect.get(deno, "unrefTimer");
  if (typeof unrefTimer === "function") unrefTimer(handle);
}

/**
 * Time for the host. Everything above `runtime/` takes a `Clock`; nothing there names a timer of the platform.
 */

/** A pending call. */
export interface Timer {
  /** Forgets the call; harmless when it has already happened. */
  cancel(): void;
}

/** Milliseconds since the clock was made, and one way to wait for a moment. */
export interface Clock {
  /** Now, ms, with fractions; never runs backwards. */
  now(): number;
  /**
   * Calls back at a moment, never before it and never within this call.
   *
   * @param atMs The moment, ms on this clock; a past one means as soon as possible.
   */
  at(atMs: number, callback: () => void): Timer;
}

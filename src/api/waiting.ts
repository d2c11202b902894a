/** Waiting for a promise no longer than allowed. */
import type { StackError } from "../errors.ts";
import type { Clock } from "../runtime/clock.ts";

/** How long one may wait. */
export interface Patience {
  readonly clock: Clock;
  /** Until when, ms on that clock. */
  readonly untilMs: number;
  /** What it fails with then. */
  readonly late: () => StackError;
  /** Ends the wait with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits for a promise, a moment or a signal, whichever comes first.
 *
 * @param promise What to wait for; it goes on when the wait has ended otherwise.
 * @param patience How long.
 * @returns What the promise is fulfilled with.
 * @throws What it is rejected with, or `late()`, or the signal's reason.
 */
export function waitFor<T>(promise: Promise<T>, patience: Patience): Promise<T> {
  const { clock, untilMs, late, signal } = patience;
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      timer.cancel();
      signal?.removeEventListener("abort", abort);
    };
    const abort = (): void => {
      stop();
      reject(signal?.reason);
    };
    const timer = clock.at(untilMs, () => {
      stop();
      reject(late());
    });
    promise.then((value) => {
      stop();
      resolve(value);
    }, (error) => {
      stop();
      reject(error);
    });
    if (signal?.aborted === true) abort();
    else signal?.addEventListener("abort", abort);
  });
}

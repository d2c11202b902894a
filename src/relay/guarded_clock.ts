/** A clock whose callbacks can not end the process: what fails is one client's, and ends with it. */
import type { Clock } from "../runtime/clock.ts";

/**
 * Guards a clock.
 *
 * @param clock What keeps time.
 * @param onError Told what a callback threw.
 */
export function guardedClock(clock: Clock, onError: (error: unknown) => void): Clock {
  return {
    now: () => clock.now(),
    at: (atMs, callback) =>
      clock.at(atMs, () => {
        try {
          callback();
        } catch (error) {
          onError(error);
        }
      }),
  };
}

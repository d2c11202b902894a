/** What the system is asked for now and then only: a client decides how often we need it. */
import type { Clock } from "../runtime/clock.ts";

/**
 * Remembers an answer for a while.
 *
 * @param clock Tells how old it is.
 * @param forMs How long it is believed, ms.
 * @param ask Asks for it.
 * @returns The answer, asked for anew when it is older.
 */
export function remembered<T>(clock: Clock, forMs: number, ask: () => T): () => T {
  let known: { readonly answer: T; readonly untilMs: number } | null = null;
  return () => {
    const nowMs = clock.now();
    if (known === null || nowMs >= known.untilMs) known = { answer: ask(), untilMs: nowMs + forMs };
    return known.answer;
  };
}

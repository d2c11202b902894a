/** A listener to come that can be iterated at once. */
import type { Listening, TcpConnection, TcpListener } from "../options.ts";

/**
 * Lets `for await (const connection of stack.listen(…))` do without a second `await`.
 *
 * @param listener The listener to come.
 * @returns The same promise, also an iterable of the listener's connections.
 */
export function listening(listener: Promise<TcpListener>): Listening {
  async function* connections(): AsyncGenerator<TcpConnection, void, undefined> {
    yield* await listener;
  }
  return Object.assign(listener, { [Symbol.asyncIterator]: connections });
}

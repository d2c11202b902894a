/** What `for await` over a listener or a socket gives. */
import { BadResource } from "../errors.ts";

/**
 * Receives until the receiver is closed; ends then, without an error.
 *
 * @param receive Waits for the next one; rejects with `BadResource` once the receiver is closed.
 * @param isClosed Whether the receiver has been closed.
 */
export async function* untilClosed<T>(
  receive: () => Promise<T>,
  isClosed: () => boolean,
): AsyncGenerator<T, void, void> {
  while (!isClosed()) {
    try {
      yield await receive();
    } catch (error) {
      if (isClosed() && error instanceof BadResource) return;
      throw error;
    }
  }
}

/** Chunks of a stream that its sink is to treat in a way of their own; both faces use it. */

/**
 * Writes one marked chunk through a stream.
 *
 * @param stream Where to; not locked.
 * @param marked Where its sink looks the chunk up.
 */
export async function writeMarked(
  stream: WritableStream<Uint8Array>,
  marked: WeakSet<Uint8Array>,
  bytes: Uint8Array,
): Promise<void> {
  const writer = stream.getWriter();
  try {
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError(`Cannot write a ${typeof bytes}: expected a Uint8Array`);
    }
    // A view of its own: the caller may write the same object again, and not urgently.
    const chunk = bytes.subarray();
    marked.add(chunk);
    await writer.write(chunk);
  } finally {
    writer.releaseLock();
  }
}

/** One end of a connection whose directions are web streams. */
import type { End } from "./trial.ts";

/** What streams can do of an {@linkcode End}. */
export type StreamsEnd = Pick<End, "read" | "write" | "end" | "readInto"> & {
  /** Gives the locks back; what was pending ends with a TypeError. */
  unlock(): Promise<void>;
};

/** @param hasBytes Whether the readable is a byte stream. */
export function endOfStreams(
  readable: ReadableStream<Uint8Array>,
  // Every face takes views of bytes, whatever else it takes.
  writable: WritableStream<never>,
  hasBytes = true,
): StreamsEnd {
  let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  let writer: WritableStreamDefaultWriter<never> | null = null;
  const end: StreamsEnd = {
    async read() {
      reader ??= readable.getReader();
      const { done, value } = await reader.read();
      return done ? null : value;
    },
    async write(bytes) {
      writer ??= writable.getWriter();
      await writer.write(bytes as never);
    },
    async end() {
      writer ??= writable.getWriter();
      await writer.close();
    },
    unlock() {
      reader?.releaseLock();
      writer?.releaseLock();
      reader = null;
      writer = null;
      return Promise.resolve();
    },
  };
  if (!hasBytes) return end;
  return {
    ...end,
    async readInto(count) {
      reader?.releaseLock();
      reader = null;
      const byob = readable.getReader({ mode: "byob" });
      const { done, value } = await byob.read(new Uint8Array(count));
      byob.releaseLock();
      return done ? null : value ?? null;
    },
  };
}

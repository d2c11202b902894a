/** The bulk of `bulk_case.ts` once more, through the streams that a program sees and over the pipe between two stacks. */
import type { TcpConnection } from "../options.ts";
import {
  type BenchCase,
  bulkFigures,
  type Contestant,
  type Environment,
  scaled,
} from "./bench_case.ts";
import { assertSame, seededBytes } from "./payload.ts";
import { openTwoStacks } from "./two_stacks.ts";

/** What is written and read at once, bytes. */
const CHUNK_BYTES = 65_536;

/** Payload of one run, bytes. */
const RUN_BYTES = 256e6;

/** Payload of the run that is checked, bytes. */
const CHECK_BYTES = 16e6;

/**
 * Runs before anything is measured. Each is a connection of its own with streams of its own, and the runtimes compile
 * their streams anew until they have seen a few: after some 1.5 GB what a run costs does not fall any more.
 */
const WARM_UPS = 8;

/** How the reader reads. */
type Reading = "byob" | "default";

/** Writes so many bytes, piece by piece. */
async function writeAll(
  { writable }: TcpConnection,
  total: number,
  source: (offset: number) => Uint8Array,
): Promise<void> {
  const writer = writable.getWriter();
  for (let sent = 0; sent < total;) {
    const piece = source(sent);
    await writer.write(piece);
    sent += piece.length;
  }
  await writer.close();
}

/** Reads into a buffer of its own, again and again, until the end. */
async function readByob(
  { readable }: TcpConnection,
  onBytes: (bytes: Uint8Array) => void,
): Promise<void> {
  const reader = readable.getReader({ mode: "byob" });
  let into = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const { done, value } = await reader.read(into);
    if (value !== undefined && value.length > 0) onBytes(value);
    if (done) return;
    into = new Uint8Array(value.buffer);
  }
}

/** Reads what it is given until the end. */
async function readDefault(
  { readable }: TcpConnection,
  onBytes: (bytes: Uint8Array) => void,
): Promise<void> {
  const reader = readable.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onBytes(value);
  }
}

async function prepare(environment: Environment, reading: Reading): Promise<Contestant> {
  const stacks = await openTwoStacks(environment);
  const total = scaled(environment, RUN_BYTES, CHUNK_BYTES);
  const chunk = seededBytes(CHUNK_BYTES);
  const read = reading === "byob" ? readByob : readDefault;
  const transfer = async (
    bytes: number,
    source: (offset: number) => Uint8Array,
    onBytes: (bytes: Uint8Array) => void,
  ): Promise<number> => {
    const [here, there] = await stacks.connect();
    const before = environment.seconds();
    await Promise.all([writeAll(here, bytes, source), read(there, onBytes)]);
    const seconds = environment.seconds() - before;
    await Promise.all([there.close(), here.close()]);
    return seconds;
  };
  return {
    warmUps: WARM_UPS,
    async check(): Promise<void> {
      const sent = seededBytes(scaled(environment, CHECK_BYTES, CHUNK_BYTES), 2);
      const received = new Uint8Array(sent.length);
      let at = 0;
      await transfer(sent.length, (from) => sent.subarray(from, from + CHUNK_BYTES), (bytes) => {
        received.set(bytes, at);
        at += bytes.length;
      });
      await assertSame("the streams", sent, received);
    },
    async sample() {
      let received = 0;
      const seconds = await transfer(total, () => chunk, (bytes) => {
        received += bytes.length;
      });
      if (received !== total) throw new Error(`Cannot count ${received} of ${total} bytes`);
      return bulkFigures(seconds, total);
    },
    close: () => stacks.close(),
  };
}

/** Streams. */
export const STREAMS: BenchCase = {
  name: "streams",
  about: "bulk through ReadableStream and WritableStream of two stacks and the pipe between them",
  variants: (["byob", "default"] as const).map((reading) => ({
    name: reading,
    against: ["bulk/clean"],
    prepare: (environment: Environment) => prepare(environment, reading),
  })),
};

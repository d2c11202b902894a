/** Rows about bytes on their way. */
import {
  arrival,
  bytes,
  drain,
  echo,
  fate,
  fateWithin,
  later,
  pattern,
  pause,
  type Row,
  take,
  takePattern,
  text,
} from "./trial.ts";

/** More than all buffers between two ends hold together, bytes. */
const BIG = 16_000_000;

/** As much as takes many windows, bytes. */
const LARGE = 2_000_000;

/** How long something has to go on for being called waiting, ms. */
const WAITS_MS = 150;

/** A write that is answered by nobody, until the cable is cut or the peer resets. */
async function writeForEver(
  end: { write(bytes: Uint8Array): Promise<void> },
): Promise<void> {
  const chunk = pattern(65_536);
  for (let sent = 0; sent < BIG; sent += chunk.length) await end.write(chunk);
}

export const DATA_ROWS: readonly Row[] = [
  {
    name: "write, and read what comes back",
    expects: "hello",
    async run({ face, peer }) {
      const end = await face.connect({ hostname: peer.hostname, port: await peer.serve(echo) });
      await end.write(bytes("hello"));
      return text(await end.read());
    },
  },
  {
    name: "every byte value arrives as it was",
    expects: "251 bytes in order",
    async run({ face, peer }) {
      const end = await face.connect({ hostname: peer.hostname, port: await peer.serve(echo) });
      await end.write(pattern(251));
      return await takePattern(end, 251);
    },
  },
  {
    name: "write nothing, then something",
    expects: "ok, hello",
    async run({ face, peer }) {
      const end = await face.connect({ hostname: peer.hostname, port: await peer.serve(echo) });
      const empty = await fate(face, end.write(new Uint8Array()));
      await end.write(bytes("hello"));
      return `${empty}, ${text(await end.read())}`;
    },
  },
  {
    name: "a thousand writes of one byte",
    isHeavy: true,
    expects: "1000 bytes in order",
    async run({ face, peer }) {
      const result = later<string>();
      const port = await peer.serve(async (end) => result.resolve(await takePattern(end, 1_000)));
      const end = await face.connect({ hostname: peer.hostname, port });
      for (const byte of pattern(1_000)) await end.write(Uint8Array.of(byte));
      return await result.promise;
    },
  },
  {
    name: "a write may be changed once it has settled",
    expects: "hello",
    async run({ face, peer }) {
      const result = later<string>();
      const port = await peer.serve(async (end) => result.resolve(text(await take(end, 5))));
      const end = await face.connect({ hostname: peer.hostname, port });
      const chunk = bytes("hello");
      await end.write(chunk);
      chunk.fill(0);
      return await result.promise;
    },
  },
  {
    name: "2 MB to a peer that reads",
    isHeavy: true,
    expects: `${LARGE} bytes in order`,
    async run({ face, peer }) {
      const result = later<string>();
      const port = await peer.serve(async (end) => result.resolve(await takePattern(end, LARGE)));
      const end = await face.connect({ hostname: peer.hostname, port });
      await end.write(pattern(LARGE));
      return await result.promise;
    },
  },
  {
    name: "2 MB from the peer",
    isHeavy: true,
    expects: `${LARGE} bytes in order`,
    async run({ face, peer }) {
      const port = await peer.serve((end) => end.write(pattern(LARGE)));
      const end = await face.connect({ hostname: peer.hostname, port });
      return await takePattern(end, LARGE);
    },
  },
  {
    name: "2 MB both ways at once",
    isHeavy: true,
    expects: `${LARGE} bytes in order`,
    async run({ face, peer }) {
      const end = await face.connect({ hostname: peer.hostname, port: await peer.serve(echo) });
      const writing = end.write(pattern(LARGE));
      const result = await takePattern(end, LARGE);
      await writing;
      return result;
    },
  },
  {
    name: "a writer waits for a slow reader, and nothing is lost",
    isHeavy: true,
    expects: `waits, ${BIG} bytes, end`,
    async run({ face, peer }) {
      const go = later<void>();
      const result = later<string>();
      const port = await peer.serve(async (end) => {
        await go.promise;
        result.resolve(await drain(end, String));
      });
      const end = await face.connect({ hostname: peer.hostname, port });
      const writing = (async () => {
        for (let sent = 0; sent < BIG; sent += 64_000) await end.write(pattern(64_000));
        await end.end();
      })();
      const first = await fateWithin(face, writing, WAITS_MS, "written");
      go.resolve();
      const read = await result.promise;
      await writing;
      return `${first}, ${read}`;
    },
  },
  {
    name: "a peer that writes waits for our reader",
    isHeavy: true,
    expects: `waits, ${BIG} bytes, end`,
    async run({ face, peer }) {
      let isWritten = false;
      const port = await peer.serve(async (end) => {
        for (let sent = 0; sent < BIG; sent += 64_000) await end.write(pattern(64_000));
        isWritten = true;
        await end.end();
      });
      const end = await face.connect({ hostname: peer.hostname, port });
      await pause(WAITS_MS);
      const first = isWritten ? "written" : "waits";
      return `${first}, ${await drain(end, (error) => face.word(error))}`;
    },
  },
  {
    name: "read into a buffer of one byte",
    expects: "h, ello",
    needs: ["readInto"],
    async run({ face, peer }) {
      const port = await peer.serve(async (end) => {
        await end.write(bytes("hello"));
        await pause(1_000);
      });
      const end = await face.connect({ hostname: peer.hostname, port });
      const first = text(await end.readInto?.(1) ?? null);
      return `${first}, ${text(await take(end, 4))}`;
    },
  },
  {
    name: "the peer resets while we read",
    expects: "{reset}",
    async run({ face, peer }) {
      const port = await peer.serve(async (end) => {
        await pause(30);
        end.reset();
      });
      const end = await face.connect({ hostname: peer.hostname, port });
      return await fate(face, end.read(), "read");
    },
  },
  {
    name: "the peer resets while we write",
    isHeavy: true,
    expects: "{reset}",
    async run({ face, peer }) {
      const port = await peer.serve(async (end) => {
        await pause(100);
        end.reset();
      });
      const end = await face.connect({ hostname: peer.hostname, port });
      return await fate(face, writeForEver(end), "written");
    },
  },
  {
    name: "write after the peer has reset",
    expects: "{reset}",
    async run(trial) {
      const { face, peer } = trial;
      const wasReset = later<void>();
      const port = await peer.serve(async (end) => {
        await pause(30);
        end.reset();
        wasReset.resolve();
      });
      const end = await face.connect({ hostname: peer.hostname, port });
      await wasReset.promise;
      await arrival(trial);
      return await fate(face, end.write(bytes("late")), "written");
    },
  },
  {
    name: "read again after a reset",
    expects: "{reset}, {reset}",
    async run({ face, peer }) {
      const port = await peer.serve(async (end) => {
        await pause(30);
        end.reset();
      });
      const end = await face.connect({ hostname: peer.hostname, port });
      const first = await fate(face, end.read(), "read");
      return `${first}, ${await fate(face, end.read(), "read")}`;
    },
  },
  {
    name: "what was sent before a reset can be read after it",
    expects: "hello",
    async run(trial) {
      const { face, peer } = trial;
      const wasReset = later<void>();
      const port = await peer.serve(async (end) => {
        await end.write(bytes("hello"));
        await pause(50);
        end.reset();
        wasReset.resolve();
      });
      const end = await face.connect({ hostname: peer.hostname, port });
      await wasReset.promise;
      await arrival(trial);
      try {
        return text(await end.read());
      } catch (error) {
        return face.word(error);
      }
    },
  },
  {
    name: "the peer falls silent while we write",
    expects: "{timeout}",
    needs: ["cable"],
    async run({ face, peer, cut }) {
      const end = await face.connect({ hostname: peer.hostname, port: await peer.serve(echo) });
      await end.write(bytes("hello"));
      await end.read();
      cut?.();
      return await fate(face, writeForEver(end), "written");
    },
  },
  {
    name: "the peer falls silent while we read: nothing is known of it",
    expects: "waits",
    needs: ["cable"],
    async run({ face, peer, cut }) {
      const end = await face.connect({ hostname: peer.hostname, port: await peer.serve(echo) });
      cut?.();
      return await fateWithin(face, end.read(), 500, "read");
    },
  },
];

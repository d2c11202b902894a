/** Rows about ends: of a direction, of a connection. */
import {
  AT_ONCE_MS,
  bytes,
  drain,
  type End,
  fate,
  fateWithin,
  later,
  pattern,
  pause,
  type Row,
  take,
  text,
  type Trial,
} from "./trial.ts";

/** How long something has to go on for being called waiting, ms. */
const WAITS_MS = 150;

/** A connection, and what the peer's end says in the end. */
async function pair(
  { face, peer }: Trial,
  script: (end: Required<Pick<End, "reset">> & End) => Promise<string | void>,
  halfOpen = true,
): Promise<{ readonly end: End; readonly said: Promise<string> }> {
  const said = later<string>();
  const port = await peer.serve(async (end) => {
    try {
      said.resolve(await script(end) ?? "");
    } catch (error) {
      said.resolve(`peer: ${error instanceof Error ? Reflect.get(error, "code") : String(error)}`);
    }
  });
  const end = await face.connect({ hostname: peer.hostname, port, halfOpen });
  return { end, said: said.promise };
}

const RESET = (error: unknown): string =>
  error instanceof Error ? String(Reflect.get(error, "code")) : String(error);

export const END_ROWS: readonly Row[] = [
  {
    name: "the peer ends its direction",
    expects: "end",
    async run(trial) {
      const { end } = await pair(trial, (peer) => peer.end());
      return text(await end.read());
    },
  },
  {
    name: "the peer writes, then ends its direction",
    expects: "hello, end",
    async run(trial) {
      const { end } = await pair(trial, async (peer) => {
        await peer.write(bytes("hello"));
        await peer.end();
      });
      return `${text(await take(end, 5))}, ${text(await end.read())}`;
    },
  },
  {
    name: "read again after the end",
    expects: "end, end",
    async run(trial) {
      const { end } = await pair(trial, (peer) => peer.end());
      return `${text(await end.read())}, ${text(await end.read())}`;
    },
  },
  {
    name: "write after the peer has ended its direction",
    expects: "end, late",
    async run(trial) {
      const { end, said } = await pair(trial, async (peer) => {
        await peer.end();
        return text(await peer.read());
      });
      const first = text(await end.read());
      await end.write(bytes("late"));
      return `${first}, ${await said}`;
    },
  },
  {
    name: "the same, with the face's own default",
    expects: "end, late",
    differs: {
      sockets: {
        out: "end, end",
        why: "`allowHalfOpen` is false by default: the peer's end ends ours",
      },
      node: {
        out: "end, end",
        why: "`allowHalfOpen` is false by default: the peer's end ends ours",
      },
      Node: {
        out: "end, end",
        why: "`allowHalfOpen` is false by default: the peer's end ends ours",
      },
    },
    async run(trial) {
      const { end, said } = await pair(trial, async (peer) => {
        await peer.end();
        return text(await peer.read());
      }, false);
      const first = text(await end.read());
      await pause(50);
      end.write(bytes("late")).catch(() => {});
      return `${first}, ${await said}`;
    },
  },
  {
    name: "end our direction, and read on",
    expects: "end, answer",
    async run(trial) {
      const { end, said } = await pair(trial, async (peer) => {
        const first = text(await peer.read());
        await peer.write(bytes("answer"));
        return first;
      });
      await end.end();
      return `${await said}, ${text(await take(end, 6))}`;
    },
  },
  {
    name: "end our direction: what was written goes before it",
    isHeavy: true,
    expects: "1000000 bytes, end",
    async run(trial) {
      const { end, said } = await pair(trial, (peer) => drain(peer, RESET));
      await end.write(pattern(1_000_000));
      await end.end();
      return await said;
    },
  },
  {
    name: "both end their directions",
    expects: "end, end",
    async run(trial) {
      const { end, said } = await pair(trial, async (peer) => {
        await peer.end();
        return text(await peer.read());
      });
      await end.end();
      return `${text(await end.read())}, ${await said}`;
    },
  },
  {
    name: "both have ended: the connection is over in order",
    expects: "over",
    needs: ["closed"],
    differs: {
      sockets: {
        out: "waits",
        why: "by its text, ending both streams does not settle `closed`; `close()` does",
      },
    },
    async run(trial) {
      const { end } = await pair(trial, async (peer) => {
        await peer.end();
        await peer.read();
      });
      await end.end();
      await end.read();
      return await fateWithin(trial.face, end.closed ?? pause(0), AT_ONCE_MS, "over");
    },
  },
  {
    name: "the peer resets: the connection is over with its error",
    expects: "{reset}",
    needs: ["closed"],
    async run(trial) {
      const { end } = await pair(trial, async (peer) => {
        await pause(30);
        peer.reset();
      });
      end.read().catch(() => {});
      return await fateWithin(trial.face, end.closed ?? pause(0), AT_ONCE_MS, "over");
    },
  },
  {
    name: "write after the end of our direction",
    expects: "{writeAfterEnd}",
    async run(trial) {
      const { end } = await pair(trial, () => pause(1_000));
      await end.end();
      return await fate(trial.face, end.write(bytes("late")), "written");
    },
  },
  {
    name: "end our direction twice",
    expects: "{endTwice}",
    async run(trial) {
      const { end } = await pair(trial, () => pause(1_000));
      await end.end();
      return await fate(trial.face, end.end());
    },
  },
  {
    name: "close: what was written goes before it",
    expects: "100000 bytes, end",
    async run(trial) {
      const { end, said } = await pair(trial, (peer) => drain(peer, RESET));
      await end.write(pattern(100_000));
      end.close().catch(() => {});
      return await said;
    },
  },
  {
    name: "close with nothing unread: the peer reads the end",
    expects: "0 bytes, end",
    async run(trial) {
      const { end, said } = await pair(trial, (peer) => drain(peer, RESET));
      end.close().catch(() => {});
      return await said;
    },
  },
  {
    name: "close with unread data: the peer is reset (RFC 2525 section 2.17)",
    expects: "ECONNRESET",
    async run(trial) {
      // More than two windows: Node's streams read so far ahead of their user, and what they have is not unread any more.
      const { end, said } = await pair(trial, async (peer) => {
        peer.write(pattern(400_000)).catch(() => {});
        return (await drain(peer, RESET)).replace("0 bytes, ", "");
      });
      await pause(300);
      end.close().catch(() => {});
      return await said;
    },
  },
  {
    name: "close while we read",
    expects: "{closingRead}",
    async run(trial) {
      const { end } = await pair(trial, () => pause(1_000));
      const reading = fateWithin(trial.face, end.read().then(text), AT_ONCE_MS, "end");
      await pause(20);
      end.close().catch(() => {});
      return await reading;
    },
  },
  {
    name: "read after close",
    expects: "{closedReading}",
    async run(trial) {
      const { end } = await pair(trial, () => pause(1_000));
      end.close().catch(() => {});
      await pause(20);
      return await fateWithin(trial.face, end.read(), AT_ONCE_MS, "end");
    },
  },
  {
    name: "write after close",
    expects: "{writeAfterClose}",
    async run(trial) {
      const { end } = await pair(trial, () => pause(1_000));
      end.close().catch(() => {});
      await pause(20);
      return await fateWithin(trial.face, end.write(bytes("late")), AT_ONCE_MS, "written");
    },
  },
  {
    name: "close twice",
    expects: "{closeTwice}",
    async run(trial) {
      const { end } = await pair(trial, (peer) => peer.end());
      await end.read();
      await fateWithin(trial.face, end.close(), WAITS_MS);
      return await fateWithin(trial.face, end.close(), WAITS_MS);
    },
  },
  {
    name: "close after the peer's reset",
    expects: "{closeAfterReset}",
    async run(trial) {
      const { end } = await pair(trial, async (peer) => {
        await pause(30);
        peer.reset();
      });
      await end.read().catch(() => {});
      return await fateWithin(trial.face, end.close(), AT_ONCE_MS);
    },
  },
  {
    name: "reset it ourselves: the peer is told",
    expects: "ECONNRESET",
    needs: ["reset"],
    async run(trial) {
      const { end, said } = await pair(trial, async (peer) => {
        return (await drain(peer, RESET)).replace("0 bytes, ", "");
      });
      await pause(30);
      end.reset?.();
      return await said;
    },
  },
  {
    name: "reset it ourselves while we read",
    expects: "{resetReading}",
    needs: ["reset"],
    async run(trial) {
      const { end } = await pair(trial, () => pause(1_000));
      const reading = fateWithin(trial.face, end.read(), AT_ONCE_MS, "end");
      await pause(20);
      end.reset?.();
      return await reading;
    },
  },
];

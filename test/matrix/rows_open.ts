/** Rows about opening a connection. */
import { bytes, fate, fateWithin, later, pause, type Row, text, type Trial } from "./trial.ts";

/** A name that cannot exist. RFC 6761 section 6.4. */
const NO_NAME = "nobody.invalid";

/** How long something has to go on for being called waiting, ms. */
const WAITS_MS = 150;

/** As many connections as a page opens, and some more. */
const MANY = 50;

async function connectTo(trial: Trial, port: number, hostname?: string): Promise<string> {
  const { face, peer } = trial;
  return await fate(face, face.connect({ hostname: hostname ?? peer.hostname, port }), "open");
}

function badPort(port: number, differs: Row["differs"] = {}): Row {
  return {
    name: `connect to port ${port}`,
    expects: "{badPort}",
    differs,
    run: (trial) => connectTo(trial, port),
  };
}

export const OPEN_ROWS: readonly Row[] = [
  {
    name: "connect to a port that listens",
    expects: "open",
    run: async (trial) => connectTo(trial, await trial.peer.serve(() => pause(0))),
  },
  {
    name: "connect to a port on which nobody listens",
    expects: "{refused}",
    run: async (trial) => connectTo(trial, await trial.peer.deadPort()),
  },
  {
    name: "connect again, after a refusal",
    expects: "{refused}, open",
    async run(trial) {
      const first = await connectTo(trial, await trial.peer.deadPort());
      return `${first}, ${await connectTo(trial, await trial.peer.serve(() => pause(0)))}`;
    },
  },
  badPort(65_536),
  badPort(-1),
  badPort(1.5, {
    deno: { out: "TypeError", why: "as in Deno: what is no integer is of the wrong kind" },
    direct: { out: "{refused}", why: "WebIDL takes 1.5 for 1, where nobody listens" },
  }),
  {
    name: "connect to a name, without name servers",
    expects: "{notFound}",
    needs: ["cable"],
    run: (trial) => connectTo(trial, 7, NO_NAME),
  },
  {
    name: "connect, and the peer is silent",
    expects: "{timeout}",
    needs: ["cable"],
    async run(trial) {
      const port = await trial.peer.serve(() => pause(0));
      // It answers once, so that its MAC is known.
      await connectTo(trial, port);
      trial.cut?.();
      return await connectTo(trial, port);
    },
  },
  {
    name: "connect to a host of the link that is not there",
    expects: "{noHost}",
    needs: ["cable"],
    run: (trial) => connectTo(trial, 7, "10.0.0.99"),
  },
  {
    name: "connect beyond the link, without a router",
    expects: "{noRoute}",
    needs: ["cable"],
    run: (trial) => connectTo(trial, 7, "192.0.2.1"),
  },
  {
    name: "connect with a signal that was aborted before",
    expects: "{aborted}",
    needs: ["signal"],
    async run({ face, peer }) {
      const port = await peer.serve(() => pause(0));
      const signal = AbortSignal.abort();
      return await fate(face, face.connect({ hostname: peer.hostname, port, signal }), "open");
    },
  },
  {
    name: "abort while connecting",
    expects: "{aborted}",
    needs: ["signal", "cable"],
    async run({ face, peer, cut }) {
      const port = await peer.serve(() => pause(0));
      await face.connect({ hostname: peer.hostname, port });
      cut?.();
      const controller = new AbortController();
      const { signal } = controller;
      const opening = fate(face, face.connect({ hostname: peer.hostname, port, signal }), "open");
      await pause(50);
      controller.abort();
      return await opening;
    },
  },
  {
    name: "abort once it is open: nothing happens",
    expects: "hello",
    needs: ["signal", "cable"],
    differs: {
      node: { out: "{aborted}", why: "Node's signal destroys the socket, open or not" },
    },
    async run({ face, peer }) {
      const go = later<void>();
      const port = await peer.serve(async (end) => {
        await go.promise;
        await end.write(bytes("hello"));
      });
      const controller = new AbortController();
      const { signal } = controller;
      const end = await face.connect({ hostname: peer.hostname, port, signal });
      controller.abort();
      await pause(20);
      go.resolve();
      try {
        return text(await end.read());
      } catch (error) {
        return face.word(error);
      }
    },
  },
  {
    name: "both ends of a connection have the same ports",
    expects: "the same",
    async run({ face, peer }) {
      const seen = later<readonly [number, number]>();
      const port = await peer.serve((end) => {
        seen.resolve([end.localPort, end.remotePort]);
        return pause(0);
      });
      const end = await face.connect({ hostname: peer.hostname, port });
      const [local, remote] = await seen.promise;
      const isSame = local === end.remotePort && remote === end.localPort && local === port;
      return isSame ? "the same" : `${local}/${end.remotePort}, ${remote}/${end.localPort}`;
    },
  },
  {
    name: `${MANY} connections at once`,
    isHeavy: true,
    expects: `${MANY} open, each by a port of its own`,
    async run({ face, peer }) {
      const port = await peer.serve(() => pause(0));
      const ends = await Promise.all(
        Array.from({ length: MANY }, () => face.connect({ hostname: peer.hostname, port })),
      );
      const ports = new Set(ends.map((end) => end.localPort));
      return `${ports.size} open, each by a port of its own`;
    },
  },
  {
    name: "read before anything has come",
    expects: "waits, hello",
    async run({ face, peer }) {
      const go = later<void>();
      const port = await peer.serve(async (end) => {
        await go.promise;
        await end.write(bytes("hello"));
      });
      const end = await face.connect({ hostname: peer.hostname, port });
      const reading = end.read();
      const first = await fateWithin(face, reading, WAITS_MS, "read");
      go.resolve();
      return `${first}, ${text(await reading)}`;
    },
  },
];

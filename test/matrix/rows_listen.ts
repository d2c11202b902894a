/** Rows about listening and accepting. */
import {
  arrival,
  AT_ONCE_MS,
  bytes,
  type Door,
  drain,
  fate,
  fateWithin,
  pause,
  type Row,
  take,
  text,
  type Trial,
} from "./trial.ts";

const WAITS_MS = 150;

/** More than wait for `accept()` with a backlog of 1, in every system: Linux takes one more. */
const CROWD = 4;

async function doorOf({ face }: Trial, place = { port: 0 }): Promise<Door> {
  if (face.listen === undefined) throw new Error("Cannot listen: the row says that it needs it");
  return await face.listen({ hostname: "0.0.0.0", ...place });
}

async function listenOn(trial: Trial, port: number, hostname = "0.0.0.0"): Promise<string> {
  const { face } = trial;
  const place = { port, hostname };
  return await fate(face, face.listen?.(place) ?? Promise.resolve(), "listening");
}

const needs = ["listen"] as const;

export const LISTEN_ROWS: readonly Row[] = [
  {
    name: "listen on port 0",
    expects: "a port",
    needs,
    async run(trial) {
      const { port } = await doorOf(trial);
      return port >= 1_024 && port <= 65_535 ? "a port" : String(port);
    },
  },
  {
    name: "listen on a port that is taken",
    expects: "{inUse}",
    needs,
    run: async (trial) => listenOn(trial, (await doorOf(trial)).port),
  },
  {
    name: "listen on an address that is not ours",
    expects: "{notOurs}",
    needs,
    run: (trial) => listenOn(trial, 0, "198.51.100.1"),
  },
  {
    name: "listen on port 65536",
    expects: "{badPort}",
    needs,
    run: (trial) => listenOn(trial, 65_536),
  },
  {
    name: "accept waits for a connection",
    expects: "waits, accepted",
    needs,
    async run(trial) {
      const door = await doorOf(trial);
      const accepting = door.accept();
      const first = await fateWithin(trial.face, accepting, WAITS_MS, "accepted");
      await trial.peer.dial(door.port);
      return `${first}, ${await fate(trial.face, accepting, "accepted")}`;
    },
  },
  {
    name: "an accepted connection carries bytes both ways",
    expects: "hello, answer",
    needs,
    async run(trial) {
      const door = await doorOf(trial);
      const [accepted, peer] = await Promise.all([door.accept(), trial.peer.dial(door.port)]);
      await peer.write(bytes("hello"));
      const first = text(await take(accepted, 5));
      await accepted.write(bytes("answer"));
      return `${first}, ${text(await take(peer, 6))}`;
    },
  },
  {
    name: "an accepted connection knows both ends",
    expects: "the same",
    needs,
    async run(trial) {
      const door = await doorOf(trial);
      const [accepted, peer] = await Promise.all([door.accept(), trial.peer.dial(door.port)]);
      const isSame = accepted.localPort === door.port && accepted.remotePort === peer.localPort;
      return isSame ? "the same" : `${accepted.localPort} and ${accepted.remotePort}`;
    },
  },
  {
    name: "what came before accept is there",
    expects: "hello, end",
    needs,
    async run(trial) {
      const door = await doorOf(trial);
      const peer = await trial.peer.dial(door.port);
      await peer.write(bytes("hello"));
      await peer.end();
      await arrival(trial);
      const accepted = await door.accept();
      return `${text(await take(accepted, 5))}, ${text(await accepted.read())}`;
    },
  },
  {
    name: "the peer has reset before accept",
    expects: "nobody is accepted",
    needs,
    differs: {
      node: { out: "{reset}", why: "a server of Node accepts by itself, before it is asked" },
    },
    async run(trial) {
      const door = await doorOf(trial);
      const peer = await trial.peer.dial(door.port);
      await arrival(trial);
      peer.reset();
      await arrival(trial);
      const accepting = (async () => {
        const accepted = await door.accept();
        return text(await accepted.read());
      })();
      try {
        return await Promise.race([accepting, pause(300).then(() => "nobody is accepted")]);
      } catch (error) {
        return trial.face.word(error);
      }
    },
  },
  {
    name: "two accepts at once get two connections",
    expects: "first, second",
    needs,
    differs: {
      deno: { out: "first, Busy", why: "Deno allows one `accept()` at a time" },
    },
    async run(trial) {
      const door = await doorOf(trial);
      const accepting = [door.accept(), door.accept()];
      for (const accept of accepting) accept.catch(() => {});
      for (const word of ["first", "second"]) {
        await (await trial.peer.dial(door.port)).write(bytes(word));
      }
      const words = accepting.map(async (accept) => {
        try {
          return text(await (await accept).read());
        } catch (error) {
          return trial.face.word(error);
        }
      });
      return (await Promise.all(words)).join(", ");
    },
  },
  {
    name: "connections are accepted in the order in which they came",
    expects: "first, second, third",
    needs,
    async run(trial) {
      const door = await doorOf(trial);
      for (const word of ["first", "second", "third"]) {
        await (await trial.peer.dial(door.port)).write(bytes(word));
      }
      const words: string[] = [];
      for (let i = 0; i < 3; i++) words.push(text(await (await door.accept()).read()));
      return words.join(", ");
    },
  },
  {
    name: "more connections than the backlog: each is accepted in the end",
    expects: `${CROWD} accepted`,
    needs: ["listen", "cable"],
    async run(trial) {
      const { face } = trial;
      const door = await face.listen?.({ port: 0, hostname: "0.0.0.0", backlog: 1 });
      if (door === undefined) return "no listener";
      const dials = Array.from({ length: CROWD }, async () => {
        // Under SYN cookies a connection that finds no room comes with its first byte.
        await (await trial.peer.dial(door.port)).write(bytes("hello"));
      });
      await pause(WAITS_MS);
      let accepted = 0;
      const accepting = (async () => {
        for (; accepted < CROWD; accepted++) await door.accept();
      })();
      await Promise.race([accepting, pause(5_000)]);
      await Promise.allSettled(dials);
      return `${accepted} accepted`;
    },
  },
  {
    name: "close the listener while accept waits",
    expects: "{listenerClosed}",
    needs,
    async run(trial) {
      const door = await doorOf(trial);
      const accepting = fateWithin(trial.face, door.accept(), AT_ONCE_MS, "accepted");
      await pause(20);
      door.close();
      return await accepting;
    },
  },
  {
    name: "accept after close",
    expects: "{listenerClosed}",
    needs,
    async run(trial) {
      const door = await doorOf(trial);
      door.close();
      return await fateWithin(trial.face, door.accept(), AT_ONCE_MS, "accepted");
    },
  },
  {
    name: "close the listener twice",
    expects: "{listenerClosedTwice}",
    needs,
    async run(trial) {
      const door = await doorOf(trial);
      door.close();
      // deno-lint-ignore require-await -- what it throws is a rejection here
      return await fate(trial.face, (async () => door.close())());
    },
  },
  {
    name: "close the listener: accepted connections live on",
    expects: "hello",
    needs,
    async run(trial) {
      const door = await doorOf(trial);
      const [accepted, peer] = await Promise.all([door.accept(), trial.peer.dial(door.port)]);
      door.close();
      await peer.write(bytes("hello"));
      return text(await accepted.read());
    },
  },
  {
    name: "close the listener: connections that nobody accepted are reset",
    expects: "0 bytes, ECONNRESET",
    needs,
    differs: {
      node: { out: "lives", why: "a server of Node accepts by itself: nobody is left to be reset" },
    },
    async run(trial) {
      const door = await doorOf(trial);
      const peer = await trial.peer.dial(door.port);
      await pause(20);
      door.close();
      const ended = drain(peer, (error) => String(Reflect.get(error as object, "code")));
      return await Promise.race([ended, pause(AT_ONCE_MS).then(() => "lives")]);
    },
  },
  {
    name: "connect to a listener that was closed",
    expects: "ECONNREFUSED",
    needs,
    async run(trial) {
      const door = await doorOf(trial);
      door.close();
      await pause(20);
      try {
        await trial.peer.dial(door.port);
        return "open";
      } catch (error) {
        return String(Reflect.get(error as object, "code"));
      }
    },
  },
  {
    name: "listen again on the port of a listener that was closed",
    expects: "listening",
    needs,
    async run(trial) {
      const door = await doorOf(trial);
      door.close();
      await pause(20);
      return await listenOn(trial, door.port);
    },
  },
  {
    name: "listen again while a connection of the port lives on",
    expects: "{relisten}",
    needs,
    async run(trial) {
      const door = await doorOf(trial);
      await Promise.all([door.accept(), trial.peer.dial(door.port)]);
      door.close();
      await pause(20);
      return await listenOn(trial, door.port);
    },
  },
  {
    name: "iterate over connections until the listener is closed",
    expects: "first, second, over",
    needs: ["listen", "each"],
    async run(trial) {
      const door = await doorOf(trial);
      const seen: string[] = [];
      for (const word of ["first", "second"]) {
        await (await trial.peer.dial(door.port)).write(bytes(word));
      }
      for await (const end of door.each?.() ?? []) {
        seen.push(text(await end.read()));
        if (seen.length === 2) setTimeout(() => door.close(), 20);
      }
      return [...seen, "over"].join(", ");
    },
  },
];

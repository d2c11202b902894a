/** Cases of `node:net` about bytes, time and state. */
import { Buffer } from "node:buffer";
import type { Socket } from "../../src/api/node/socket.ts";
import {
  answer,
  clientCase,
  echo,
  ignore,
  named,
  type NetCase,
  once,
  quiet,
  QUIET_MS,
  serve,
  serverCase,
  spy,
} from "./net_world.ts";

/** More than both buffers of a connection take, bytes. */
const MUCH: number = 24 << 20;
const PATTERN = Buffer.alloc(MUCH, "0123456789abcdefghijklmnopqrstuvwxyz.");

const FLOWING: readonly NetCase[] = [
  serverCase("a write above the high-water mark says false, and drains", (socket) => {
    setTimeout(() => socket.resume(), QUIET_MS);
  }, async ({ world, port, lines, connect }) => {
    const socket = connect();
    await once(socket, "connect");
    spy(socket, lines, world, port);
    lines.push(`took ${socket.write(Buffer.alloc(10))} ${socket.writableNeedDrain}`);
    lines.push(`took ${socket.write(Buffer.alloc(MUCH))} ${socket.writableNeedDrain}`);
    lines.push(`written ${socket.bytesWritten}`);
    await once(socket, "drain");
    lines.push(`length ${socket.writableLength}`);
    socket.destroy();
    await once(socket, "close");
  }, { pauseOnConnect: true, allowHalfOpen: true }),
  serverCase("much data arrives whole", (socket) => void socket.end(PATTERN), async (served) => {
    const socket = served.connect();
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    await once(socket, "close");
    const isWhole = Buffer.concat(chunks).equals(PATTERN);
    served.lines.push(`${isWhole} ${socket.bytesRead} ${socket.bytesWritten}`);
  }),
  serverCase("much data is piped there and back", echo, async ({ lines, connect }) => {
    const data = PATTERN.subarray(0, MUCH >> 2);
    const socket = connect();
    const chunks: Buffer[] = [];
    socket.on("readable", () => {
      for (let chunk; (chunk = socket.read()) !== null;) chunks.push(chunk);
    });
    socket.end(data);
    await once(socket, "close");
    const isWhole = Buffer.concat(chunks).equals(data);
    lines.push(`${isWhole} ${socket.bytesRead} ${socket.bytesWritten}`);
  }, { allowHalfOpen: true }),
  serverCase("what is corked goes at once", (socket, lines) => {
    socket.on("data", (chunk) => lines.push(`got ${chunk}`));
    socket.on("end", () => lines.push("got the end"));
  }, async ({ lines, connect }) => {
    const socket = connect();
    await once(socket, "connect");
    socket.cork();
    for (const word of ["a", "b", "c"]) socket.write(word);
    lines.push(`waiting ${socket.writableLength} written ${socket.bytesWritten}`);
    socket.uncork();
    socket.end();
    await once(socket, "close");
  }),
  serverCase("text is written in its encoding, and read in one", echo, async (served) => {
    const socket = served.connect();
    socket.setEncoding("utf8");
    let heard = "";
    socket.on("data", (words) => (heard += words));
    socket.write("grüße ", "utf8");
    socket.write("68c3b6", "hex");
    socket.end(" ü", "latin1");
    await once(socket, "close");
    served.lines.push(heard, String(socket.bytesWritten));
  }),
  serverCase("pause() stops the data, resume() lets it come", (socket) => {
    socket.write("first");
    socket.on("data", () => socket.end("second"));
  }, async ({ world, port, lines, connect }) => {
    const socket = spy(connect(), lines, world, port);
    socket.once("data", async () => {
      socket.pause();
      socket.write("go on");
      await quiet();
      lines.push(`paused ${socket.isPaused()}`);
      socket.resume();
    });
    await once(socket, "close");
  }),
  clientCase("onread reads into one buffer", (socket) => {
    socket.end(Buffer.alloc(100, 7));
  }, (_, lines) => {
    onReadLines = lines;
  }, {
    client: {
      onread: {
        buffer: Buffer.alloc(64),
        callback: (bytes: number, buffer: Uint8Array) => {
          onReadLines.push(`${bytes} bytes of ${buffer.at(0)}`);
          return true;
        },
      },
    },
  }),
];

let onReadLines: string[] = [];

const TIMING: readonly NetCase[] = [
  clientCase("a timeout is told and closes nothing", echo, async (socket, lines) => {
    await once(socket, "connect");
    lines.push(`same ${socket.setTimeout(20, () => lines.push("called back")) === socket}`);
    lines.push(`timeout ${socket.timeout}`);
    await once(socket, "timeout");
    await quiet();
    lines.push(`${socket.destroyed} ${socket.readyState}`);
    socket.destroy();
  }),
  clientCase("activity puts a timeout off, 0 takes it back", echo, async (socket, lines) => {
    await once(socket, "connect");
    socket.setTimeout(1000, ignore);
    lines.push(`listeners ${socket.listenerCount("timeout")}`);
    socket.setTimeout(0, ignore);
    socket.write("x");
    await once(socket, "data");
    await quiet();
    socket.destroy();
  }),
  clientCase("options return the socket", echo, async (socket, lines) => {
    const all = [
      socket.setNoDelay(),
      socket.setNoDelay(true),
      socket.setKeepAlive(true, 5000),
      socket.setKeepAlive(),
      socket.ref(),
      socket.unref(),
      socket.ref(),
      socket.setTimeout(0),
      socket.pause(),
      socket.resume(),
    ];
    lines.push(String(all.every((one) => one === socket)));
    await once(socket, "connect");
    lines.push(String([socket.setNoDelay(false), socket.unref().ref()].every((s) => s === socket)));
    socket.end();
  }),
];

const STATES: readonly NetCase[] = [
  {
    name: "properties tell the state",
    run: async (world) => {
      const lines: string[] = [];
      const served: string[] = [];
      const tell = (socket: Socket): void => {
        const { connecting, pending, readyState, destroyed, bytesRead, bytesWritten } = socket;
        served.push(
          [connecting, pending, readyState, destroyed, bytesRead, bytesWritten].join(" "),
        );
        const { remoteAddress, remotePort = 0, remoteFamily, localFamily } = socket;
        const ends = [world.client.isIP(remoteAddress), remotePort > 0, remoteFamily, localFamily]
          .join(" ");
        served.push(named(ends, world, port), Object.keys(socket.address()).sort().join(" "));
      };
      const { port, close } = await serve(world, (socket) => {
        tell(socket);
        served.push(`port ${socket.localPort === port}`);
        socket.end("hello");
        socket.resume();
      }, { allowHalfOpen: true });
      const socket = world.client.connect({ port, host: world.host, allowHalfOpen: true });
      lines.push(`${socket.connecting} ${socket.pending} ${socket.readyState}`);
      await once(socket, "connect");
      lines.push(`${socket.connecting} ${socket.pending} ${socket.readyState}`);
      socket.resume();
      await once(socket, "end");
      lines.push(socket.readyState);
      socket.end("bye!");
      await once(socket, "close");
      const { connecting, pending, readyState, destroyed, bytesRead, bytesWritten } = socket;
      lines.push([connecting, pending, readyState, destroyed, bytesRead, bytesWritten].join(" "));
      lines.push(String(socket.localAddress), JSON.stringify(socket.address()));
      await close();
      return [...lines, ...served];
    },
  },
  serverCase("a socket connects again after it was destroyed", answer, async (served) => {
    const { world, port, lines } = served;
    const socket = spy(new world.client.Socket(), lines, world, port);
    for (let i = 0; i < 2; i++) {
      socket.connect(port, world.host, () => lines.push("callback"));
      socket.resume();
      await once(socket, "close");
      lines.push(`${socket.bytesRead} ${socket.destroyed}`);
    }
  }),
];

/** All of them. */
export const DATA_CASES: readonly NetCase[] = [...FLOWING, ...TIMING, ...STATES];

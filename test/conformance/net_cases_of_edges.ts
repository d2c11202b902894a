/** Cases of `node:net` at the edges of a socket's life: what is asked of it too early, too late, or a second time. */
import { Buffer } from "node:buffer";
import type { Socket } from "../../src/api/node/socket.ts";
import {
  answer,
  clientCase,
  echo,
  ignore,
  type NetCase,
  once,
  quiet,
  serverCase,
  spy,
  text,
  until,
} from "./net_world.ts";

/** More than both buffers of a connection take, bytes. */
const MUCH: number = 24 << 20;

/** Of what a program's own buffers are made: two halves of the same memory, bytes. */
const HALF_BYTES = 8;

let heard = "";
let pausing: Socket | null = null;

/** Gives the halves in turn. */
function halves(): () => Uint8Array {
  const whole = new Uint8Array(2 * HALF_BYTES);
  let turn = 0;
  return () => whole.subarray(HALF_BYTES * (turn % 2), HALF_BYTES * (turn++ % 2 + 1));
}

const AGAIN: readonly NetCase[] = [
  serverCase("a socket that has reset a connection ends its next one in order", (socket, lines) => {
    socket.resume().write("hello");
    socket.on("error", () => lines.push("the peer reset"));
    socket.on("end", () => lines.push("the peer ended"));
    socket.on("close", () => lines.push("closed"));
  }, async ({ world, port, lines }) => {
    const socket = new world.client.Socket();
    for (let i = 1; i <= 2; i++) {
      socket.connect(port, world.host);
      // By then the server has it.
      await once(socket, "data");
      if (i === 1) socket.resetAndDestroy();
      else socket.destroy();
      await until(() => lines.filter((line) => line === "closed").length === i);
    }
  }),
  serverCase(
    "what the peer's end has forbidden, the next connection allows",
    answer,
    async (served) => {
      const { world, port, lines } = served;
      const socket = new world.client.Socket().on("error", ignore);
      for (let i = 0; i < 2; i++) {
        socket.connect(port, world.host, () => {
          if (i === 0) return void socket.resume();
          socket.end();
          socket.write("late", (error) => lines.push(`written: ${text(error, world, port)}`));
        });
        await once(socket, "close");
      }
    },
  ),
  serverCase("a signal ends the first connection alone", echo, async (served) => {
    const { world, port, lines } = served;
    const controller = new AbortController();
    const socket = new world.client.Socket({ signal: controller.signal }).on("error", ignore);
    socket.connect(port, world.host).resume().end();
    await once(socket, "close");
    socket.connect(port, world.host);
    await once(socket, "connect");
    controller.abort();
    await quiet();
    lines.push(`destroyed ${socket.destroyed}`);
    socket.destroy();
  }),
];

const EARLY: readonly NetCase[] = [
  clientCase("resetAndDestroy() while connecting", echo, (socket) => {
    socket.resetAndDestroy();
  }),
  clientCase(
    "a write while connecting leaves no listener behind",
    answer,
    async (socket, lines) => {
      const before = socket.listenerCount("close");
      socket.write("x");
      await once(socket, "connect");
      await quiet();
      lines.push(`listeners ${socket.listenerCount("close") - before}`);
      socket.resume();
    },
    { except: ["finish", "end", "data"] },
  ),
  serverCase("what is written while the peer's end is told still goes", (socket, lines) => {
    socket.end("hello");
    socket.on("data", (chunk) => lines.push(`got ${chunk}`));
    socket.on("end", () => lines.push("got the end"));
  }, async ({ connect, lines }) => {
    const socket = connect().resume();
    socket.on("end", () => socket.write("one word more"));
    await once(socket, "close");
    await until(() => lines.includes("got the end"));
  }, { allowHalfOpen: true }),
];

const LATE: readonly NetCase[] = [
  clientCase("a timeout is not set once it is destroyed", echo, async (socket, lines) => {
    await once(socket, "connect");
    socket.destroy();
    lines.push(`same ${socket.setTimeout(1, () => lines.push("called back")) === socket}`);
    lines.push(`timeout ${socket.timeout}, ${socket.listenerCount("timeout")} listeners`);
  }),
  clientCase("a timeout of 0 keeps no listener", echo, async (socket, lines) => {
    await once(socket, "connect");
    socket.setTimeout(1_000, ignore);
    socket.setTimeout(0, ignore);
    lines.push(`${socket.timeout}, ${socket.listenerCount("timeout")} listeners`);
    socket.destroy();
  }),
  serverCase("a write that waits is called back, when it is destroyed", ignore, async (served) => {
    const { world, port, lines, connect } = served;
    const socket = spy(connect(), lines, world, port);
    await once(socket, "connect");
    socket.write(Buffer.alloc(MUCH), (error) => lines.push(`written: ${text(error, world, port)}`));
    await quiet();
    socket.destroy();
    await once(socket, "close");
    await quiet();
  }, { pauseOnConnect: true }),
];

const OWN_BUFFERS: readonly NetCase[] = [
  clientCase("onread takes another buffer each time", (socket) => {
    socket.end("0123456789abcdefghijklmnopqrstuvwxyz");
  }, async (socket, lines) => {
    heard = "";
    await once(socket, "close");
    lines.push(heard);
  }, {
    get client(): object {
      const callback = (bytes: number, buffer: Uint8Array): boolean => {
        heard += Buffer.from(buffer.subarray(0, bytes)).toString();
        return true;
      };
      return { onread: { buffer: halves(), callback } };
    },
  }),
  clientCase("pause() within onread stops the bytes, resume() lets them come", (socket) => {
    socket.write("first,");
    socket.on("data", () => socket.end("second"));
  }, async (socket, lines) => {
    heard = "";
    pausing = socket;
    await until(() => heard !== "");
    socket.write("go on");
    await quiet();
    lines.push(heard);
    pausing = null;
    socket.resume();
    await once(socket, "close");
    lines.push(heard);
  }, {
    client: {
      onread: {
        buffer: Buffer.alloc(HALF_BYTES),
        callback: (bytes: number, buffer: Uint8Array) => {
          heard += Buffer.from(buffer.subarray(0, bytes)).toString();
          pausing?.pause();
          return true;
        },
      },
    },
  }),
];

/** All of them. */
export const EDGE_CASES: readonly NetCase[] = [...AGAIN, ...EARLY, ...LATE, ...OWN_BUFFERS];

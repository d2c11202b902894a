import * as platform from "node:dgram";
import { describe, expect, test } from "vitest";
import { type DgramModule, dgramOf } from "../../src/api/node/dgram.ts";
import { checkDgramArguments, exchange } from "../conformance/dgram_conformance.ts";
import * as doors from "../conformance/dgram_doors.ts";
import { pause } from "../conformance/joined.ts";
import type { StackPair } from "../conformance/stack_conformance.ts";
import type { NetworkStack } from "../../src/options.ts";
import type { UdpSocket } from "../../src/udp_options.ts";
import { inProcessPair, workerPair } from "./stack_pairs.ts";

const real = platform as unknown as DgramModule;
const REAL = { client: real, server: real, host: "127.0.0.1" };

const PAIRS: readonly (readonly [string, () => Promise<StackPair>])[] = [
  ["in process", inProcessPair],
  ["in a worker", () => workerPair()],
];

async function withStacks(
  makePair: () => Promise<StackPair>,
  run: (pair: StackPair) => Promise<void>,
): Promise<void> {
  const pair = await makePair();
  try {
    await run(pair);
  } finally {
    await pair.left.close();
    await pair.right.close();
  }
}

describe.each(PAIRS)("dgram as node:dgram, %s", (_, makePair) => {
  test.each([
    ["messages go there and back", exchange],
    ["arguments that can not be meant are refused", checkDgramArguments],
  ])("%s", async (_, run) => {
    const wanted = await run(REAL);
    await withStacks(makePair, async ({ left, right, rightAddress }) => {
      const world = { client: dgramOf(left), server: dgramOf(right), host: rightAddress };
      expect(await run(world)).toEqual(wanted);
    });
  });

  test.each(Object.entries(doors))("what is refused, and in which words: %s", async (_, run) => {
    const wanted = await run(real, REAL.host);
    await withStacks(makePair, async ({ left, rightAddress }) => {
      expect(await run(dgramOf(left), rightAddress)).toEqual(wanted);
    });
  });

  test("bind() refuses ports that are none, of which the platform takes 16 bits", async () => {
    await withStacks(makePair, async ({ left }) => {
      const socket = dgramOf(left).createSocket("udp4");
      for (const port of [65_536, -1, 1.5, NaN, "x", {}]) {
        const refused = { name: "RangeError", code: "ERR_SOCKET_BAD_PORT" };
        expect(() => socket.bind({ port: port as number })).toThrow(
          expect.objectContaining(refused),
        );
      }
      await new Promise<void>((resolve) => socket.bind(7, resolve));
      expect(socket.address().port).toBe(7);
      await new Promise<void>((resolve) => socket.close(resolve));
    });
  });

  test("the queue of a socket is as large as was asked for, within what a stack gives", async () => {
    await withStacks(makePair, async ({ left }) => {
      const { createSocket } = dgramOf(left);
      expect(() => createSocket({ type: "udp4", recvBufferSize: 1.5 })).toThrow("Buffer size must");
      const socket = createSocket({ type: "udp4", recvBufferSize: 1, sendBufferSize: 2 });
      await new Promise<void>((resolve) => socket.bind(0, resolve));
      expect([socket.getRecvBufferSize(), socket.getSendBufferSize()]).toEqual([1, 2]);
      socket.setRecvBufferSize(10_000);
      expect(socket.getRecvBufferSize()).toBe(10_000);
      await new Promise<void>((resolve) => socket.close(resolve));
    });
  });

  test("a time to live of 0 for groups is taken for 1, which stays on the link too", async () => {
    await withStacks(makePair, async ({ left }) => {
      const socket = dgramOf(left).createSocket("udp4");
      const failed: unknown[] = [];
      socket.on("error", (error: unknown) => void failed.push(error));
      await new Promise<void>((resolve) => socket.bind(0, resolve));
      expect(socket.setMulticastTTL(0)).toBe(0);
      await pause(20);
      expect(failed).toEqual([]);
      await new Promise<void>((resolve) => socket.close(resolve));
    });
  });
});

test("a socket that is closed while it is bound frees the port that it gets", async () => {
  let bound: (socket: UdpSocket) => void = () => {};
  const stack: Pick<NetworkStack, "bindUdp"> = {
    bindUdp: () => new Promise((resolve) => (bound = resolve)),
  };
  const socket = dgramOf(stack as NetworkStack).createSocket("udp4");
  socket.bind(7);
  await new Promise<void>((resolve) => socket.close(resolve));
  const closed = new Promise<string>((resolve) => {
    const late: Pick<UdpSocket, "close"> = { close: () => resolve("closed") };
    bound(late as UdpSocket);
  });
  expect(await closed).toBe("closed");
});

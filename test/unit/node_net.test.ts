import * as platform from "node:net";
import { describe, expect, test } from "vitest";
import { type NetModule, netOf } from "../../src/api/node/net.ts";
import { NET_CASES } from "../conformance/net_conformance.ts";
import type { StackPair } from "../conformance/stack_conformance.ts";
import { inProcessPair, workerPair } from "./stack_pairs.ts";

/** Nobody listens there, on either side. */
const CLOSED_PORT = 1;

const PAIRS: readonly (readonly [string, () => Promise<StackPair>])[] = [
  ["in process", inProcessPair],
  ["in a worker", () => workerPair()],
];

describe.each(PAIRS)("net as node:net, %s", (_, makePair) => {
  test.each(NET_CASES)("$name", async ({ run }) => {
    const real = platform as unknown as NetModule;
    const wanted = await run({
      client: real,
      server: real,
      host: "127.0.0.1",
      closedPort: CLOSED_PORT,
    });
    const { left, right, rightAddress } = await makePair();
    try {
      const told = await run({
        client: netOf(left),
        server: netOf(right),
        host: rightAddress,
        closedPort: CLOSED_PORT,
      });
      expect(told).toEqual(wanted);
    } finally {
      await left.close();
      await right.close();
    }
  });
});

test("a server closes with its stack", async () => {
  const { left, right } = await inProcessPair();
  const lines: string[] = [];
  const server = netOf(right).createServer().listen(80);
  for (const event of ["close", "error"]) server.on(event, () => lines.push(event));
  expect(server.address()).toMatchObject({ port: 80 });
  const closed = new Promise((resolve) => server.once("close", resolve));
  await right.close();
  await closed;
  await left.close();
  expect(lines).toEqual(["close"]);
  expect(server.listening).toBe(false);
});

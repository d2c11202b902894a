import * as platform from "node:dgram";
import { describe, expect, test } from "vitest";
import { type DgramModule, dgramOf } from "../../src/api/node/dgram.ts";
import { checkDgramArguments, exchange } from "../conformance/dgram_conformance.ts";
import type { StackPair } from "../conformance/stack_conformance.ts";
import { inProcessPair, workerPair } from "./stack_pairs.ts";

const real = platform as unknown as DgramModule;
const REAL = { client: real, server: real, host: "127.0.0.1" };

const PAIRS: readonly (readonly [string, () => Promise<StackPair>])[] = [
  ["in process", inProcessPair],
  ["in a worker", () => workerPair()],
];

describe.each(PAIRS)("dgram as node:dgram, %s", (_, makePair) => {
  test.each([
    ["messages go there and back", exchange],
    ["arguments that can not be meant are refused", checkDgramArguments],
  ])("%s", async (_, run) => {
    const wanted = await run(REAL);
    const { left, right, rightAddress } = await makePair();
    try {
      const world = { client: dgramOf(left), server: dgramOf(right), host: rightAddress };
      expect(await run(world)).toEqual(wanted);
    } finally {
      await left.close();
      await right.close();
    }
  });
});

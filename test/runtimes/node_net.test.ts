/** `tidewire/node` stands on each runtime's own streams: what programs see over it is what Node's own `node:net` shows them. */
import * as platform from "node:net";
import { afterAll, beforeAll, describe, expect } from "vitest";
import type { NetModule } from "../../src/api/node/net.ts";
import { NET_CASES } from "../conformance/net_conformance.ts";
import { Bundle, testInRuntimes } from "./in_runtimes.ts";
import { runtimes } from "./runtimes.ts";

const real = platform as unknown as NetModule;
const REAL = { client: real, server: real, host: "127.0.0.1", closedPort: 1 };

describe("net as node:net, in other runtimes", () => {
  let bundle: Bundle;
  const wanted: Record<string, string[]> = {};

  beforeAll(async () => {
    bundle = await Bundle.build("test/runtimes/node_net_program.ts", {
      platform: "node",
      external: ["ws", "koffi"],
    });
    for (const { name, run } of NET_CASES) wanted[name] = await run(REAL);
  });

  afterAll(() => bundle.delete());

  // In Node this runs as a unit test, case by case.
  const others = runtimes().filter(({ name }) => name !== "node");
  testInRuntimes("what Node's own tells is told in", async (runtime) => {
    expect(JSON.parse(await bundle.run(runtime))).toEqual(wanted);
  }, others);
});

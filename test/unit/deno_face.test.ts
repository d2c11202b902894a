/** `tidewire/deno` over two stacks, in this process and behind a worker's protocol. */
import { describe, test } from "vitest";
import { denoNamespace } from "../../src/api/deno/mod.ts";
import { DENO_TCP_CASES } from "../conformance/deno_tcp.ts";
import { inProcessPair } from "./stack_pairs.ts";

describe("tidewire/deno in process does as Deno", () => {
  for (const [name, run] of Object.entries(DENO_TCP_CASES)) {
    test(name, async () => {
      const { left, right, rightAddress } = await inProcessPair();
      try {
        await run({
          client: denoNamespace(left),
          server: denoNamespace(right),
          hostname: rightAddress,
        });
      } finally {
        await left.close();
        await right.close();
      }
    });
  }
});

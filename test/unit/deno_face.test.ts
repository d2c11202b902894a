/** `tidewire/deno` over two stacks, in this process and behind a worker's protocol. */
import { describe, test } from "vitest";
import { denoNamespace } from "../../src/api/deno/mod.ts";
import { DENO_CASES } from "../conformance/deno_cases.ts";
import type { StackPair } from "../conformance/joined.ts";
import { inProcessPair, workerPair } from "./stack_pairs.ts";

function cases(make: () => Promise<StackPair>): void {
  for (const [name, run] of Object.entries(DENO_CASES)) {
    test(name, async () => {
      const { left, right, leftAddress, rightAddress } = await make();
      try {
        await run({
          client: denoNamespace(left),
          server: denoNamespace(right),
          hostname: rightAddress,
          clientHostname: leftAddress,
        });
      } finally {
        await left.close();
        await right.close();
      }
    });
  }
}

describe("tidewire/deno in process does as Deno", () => cases(inProcessPair));

describe("tidewire/deno in a worker does as Deno", () => cases(workerPair));

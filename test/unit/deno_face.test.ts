/** `tidewire/deno` over two stacks, in this process and behind a worker's protocol. */
import { describe, test } from "vitest";
import { denoNamespace } from "../../src/api/deno/mod.ts";
import { createStack } from "../../src/api/network_stack.ts";
import { pipe } from "../../src/link/pipe.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { DENO_CASES } from "../conformance/deno_cases.ts";
import type { StackPair } from "../conformance/joined.ts";
import { inProcessPair, workerPair } from "./stack_pairs.ts";

function cases(make: () => Promise<StackPair>, without: RegExp | null = null): void {
  for (const [name, run] of Object.entries(DENO_CASES)) {
    if (without?.test(name) === true) continue;
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

/** Both in process, by IPv6. */
async function ipv6Pair(): Promise<StackPair> {
  const [near, far] = pipe({ clock: systemClock() });
  const tuning = { memoryMiB: 8, maxConnections: 64, mslMs: 20 };
  const [leftAddress, rightAddress] = ["2001:db8::1", "2001:db8::2"];
  const left = await createStack({ link: near, address: { cidr: `${leftAddress}/64` }, tuning });
  const right = await createStack({ link: far, address: { cidr: `${rightAddress}/64` }, tuning });
  await Promise.all([left.ready, right.ready]);
  return { left, right, leftAddress, rightAddress, nobody: "2001:db8::77" };
}

// Name servers are asked by IPv4.
describe("tidewire/deno by IPv6 does as Deno", () => cases(ipv6Pair, /^dns: /));

describe("tidewire/deno in a worker does as Deno", () => cases(workerPair));

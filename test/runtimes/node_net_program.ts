/** Runs the cases of `node:net` over our stacks, in the runtime that it is started in, and prints what they told. */
import process from "node:process";
import { netOf } from "../../src/api/node/net.ts";
import { NET_CASES } from "../conformance/net_conformance.ts";
import { inProcessPair } from "../unit/stack_pairs.ts";

const told: Record<string, string[]> = {};
for (const { name, run } of NET_CASES) {
  const { left, right, rightAddress } = await inProcessPair();
  const world = { client: netOf(left), server: netOf(right), host: rightAddress, closedPort: 1 };
  told[name] = await run(world);
  await left.close();
  await right.close();
}
process.stdout.write(JSON.stringify(told), () => process.exit(0));

/** The runtimes that this machine has, and how a bundle is run in each. */
import { bunPath, denoPath, nodePath } from "../../src/dev/common.mjs";

/** One runtime. */
export interface Runtime {
  readonly name: "node" | "deno" | "bun";
  /** Program and arguments before the script's path. */
  readonly command: readonly string[];
  /** Why it can not be used and what would change that; null if it can. */
  readonly missing: string | null;
}

function runtime(
  name: Runtime["name"],
  path: string | undefined,
  before: readonly string[],
): Runtime {
  const missing = path === undefined
    ? `there is no ${name} here; \`npm ci\` in the clone brings it`
    : null;
  return { name, command: [path ?? name, ...before], missing };
}

/** Node, Deno and Bun. */
export function runtimes(): Runtime[] {
  return [
    runtime("node", nodePath(), []),
    runtime("deno", denoPath(), ["run", "-A"]),
    runtime("bun", bunPath(), ["run"]),
  ];
}

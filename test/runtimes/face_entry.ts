/**
 * Runs the cases of `test/conformance/deno_*.ts` in whatever runtime loads it: over the real Deno where there is one, and over
 * two stacks of ours on a pipe; over the latter those of the other faces too. Prints what failed, by name, as JSON, and leaves
 * it to whoever looks at the page.
 */
import { denoNamespace } from "../../src/api/deno/mod.ts";
import { createStack, type NetworkStack, pipe, systemClock } from "../../src/mod.ts";
import { DENO_CASES, type DenoNet } from "../conformance/deno_cases.ts";
import { FACE_CASES } from "../conformance/face_cases.ts";

/** What came out: the cases that passed, and why others did not. */
export interface FaceReport {
  readonly passed: readonly string[];
  readonly failed: Readonly<Record<string, string>>;
}

/** What came out over each; `real` is null where there is no Deno. */
export interface FaceReports {
  readonly real: FaceReport | null;
  readonly ours: FaceReport;
  readonly others: FaceReport;
}

/** A case that takes longer hangs, ms. */
const CASE_MS = 10_000;

const TUNING = { memoryMiB: 8, maxConnections: 64, mslMs: 20 };

async function runAll<T>(
  cases: Readonly<Record<string, (at: T) => Promise<void>>>,
  use: (run: (at: T) => Promise<void>) => Promise<void>,
): Promise<FaceReport> {
  const passed: string[] = [];
  const failed: Record<string, string> = {};
  for (const [name, run] of Object.entries(cases)) {
    try {
      await Promise.race([use(run), late()]);
      passed.push(name);
    } catch (error) {
      failed[name] = error instanceof Error ? error.stack ?? error.message : String(error);
    }
  }
  return { passed, failed };
}

async function late(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, CASE_MS));
  throw new Error(`not done within ${CASE_MS} ms`);
}

/** Two stacks for one case. */
async function withStacks(
  run: (left: NetworkStack, right: NetworkStack) => Promise<void>,
): Promise<void> {
  const clock = systemClock();
  const [a, b] = pipe({ clock });
  const make = (link: typeof a, host: number) =>
    createStack({ link, address: { cidr: `10.0.0.${host}/24` }, clock, tuning: TUNING });
  const [left, right] = [await make(a, 1), await make(b, 2)];
  try {
    await run(left, right);
  } finally {
    await left.close();
    await right.close();
  }
}

const LEFT = "10.0.0.1";
const RIGHT = "10.0.0.2";
const LOOPBACK = "127.0.0.1";

const { Deno: real } = globalThis as unknown as { Deno?: DenoNet & { exit(code: number): void } };
const reports: FaceReports = {
  real: real === undefined ? null : await runAll(
    DENO_CASES,
    (run) => run({ client: real, server: real, hostname: LOOPBACK, clientHostname: LOOPBACK }),
  ),
  ours: await runAll(DENO_CASES, (run) =>
    withStacks((left, right) =>
      run({
        client: denoNamespace(left),
        server: denoNamespace(right),
        hostname: RIGHT,
        clientHostname: LEFT,
      })
    )),
  others: await runAll(
    FACE_CASES,
    (run) => withStacks((left, right) => run({ left, right, rightAddress: RIGHT })),
  ),
};
Object.assign(globalThis, { tidewireFaces: reports });
console.log(JSON.stringify(reports));
// Cases that hung would keep the process alive.
const { process } = globalThis as unknown as { process?: { exit(code: number): void } };
(real ?? process)?.exit(0);

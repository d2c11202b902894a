/**
 * Runs the cases of `test/conformance/deno_*.ts` in whatever runtime loads it: over the real Deno where there is one, and over
 * two stacks of ours on a pipe. Prints what failed, by name, as JSON, and leaves it to whoever looks at the page.
 */
import { denoNamespace } from "../../src/api/deno/mod.ts";
import { createStack, pipe, systemClock } from "../../src/mod.ts";
import { DENO_CASES, type DenoNet, type DenoSetting } from "../conformance/deno_cases.ts";

/** What came out of one namespace: the cases that passed, and why others did not. */
export interface DenoReport {
  readonly passed: readonly string[];
  readonly failed: Readonly<Record<string, string>>;
}

/** Both namespaces; `real` is null where there is no Deno. */
export interface DenoReports {
  readonly real: DenoReport | null;
  readonly ours: DenoReport;
}

/** A case that takes longer hangs, ms. */
const CASE_MS = 10_000;

const TUNING = { memoryMiB: 8, maxConnections: 64, mslMs: 20 };

async function runAll(use: (run: (at: DenoSetting) => Promise<void>) => Promise<void>) {
  const passed: string[] = [];
  const failed: Record<string, string> = {};
  for (const [name, run] of Object.entries(DENO_CASES)) {
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

function runReal(real: DenoNet): Promise<DenoReport> {
  return runAll((run) =>
    run({ client: real, server: real, hostname: "127.0.0.1", clientHostname: "127.0.0.1" })
  );
}

function runOurs(): Promise<DenoReport> {
  return runAll(async (run) => {
    const clock = systemClock();
    const [a, b] = pipe({ clock });
    const make = (link: typeof a, host: number) =>
      createStack({ link, address: { cidr: `10.0.0.${host}/24` }, clock, tuning: TUNING });
    const [left, right] = [await make(a, 1), await make(b, 2)];
    try {
      await run({
        client: denoNamespace(left),
        server: denoNamespace(right),
        hostname: "10.0.0.2",
        clientHostname: "10.0.0.1",
      });
    } finally {
      await left.close();
      await right.close();
    }
  });
}

const { Deno: real } = globalThis as unknown as { Deno?: DenoNet & { exit(code: number): void } };
const reports: DenoReports = {
  real: real === undefined ? null : await runReal(real),
  ours: await runOurs(),
};
Object.assign(globalThis, { tidewireDeno: reports });
console.log(JSON.stringify(reports));
// Cases that hung would keep the process alive.
const { process } = globalThis as unknown as { process?: { exit(code: number): void } };
(real ?? process)?.exit(0);

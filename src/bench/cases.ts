/**
 * The bundle that every runtime runs. A page imports it and calls {@linkcode runCases}; Node, Deno and Bun start it with a
 * request as its only argument, and it prints one result a line.
 */
import type { Result } from "./bench_case.ts";
import { makeEnvironment, type Voices } from "./environment.ts";
import { runSelection, type Selection } from "./harness.ts";
import type { Setting } from "./setting.ts";
import { SUITE } from "./suite.ts";

export { SUITE };
export type { Result, Selection, Voices };

/** What shall run, as it is handed to a runtime. */
export interface Request extends Selection {
  /** Scale of all amounts. */
  readonly size: number;
  /** The network that was made for it. */
  readonly setting?: Setting;
}

/** What a runtime says, one object a line. */
export type Said = { readonly result: Result } | { readonly missing: string };

/**
 * Runs cases.
 *
 * @param request What shall run.
 * @param bytesOf Fetches `core.wasm` or `kernels.wasm`.
 * @param onResult Told each result.
 * @param voices How lines reach a person.
 */
export async function runCases(
  request: Request,
  bytesOf: (file: string) => Promise<BufferSource>,
  onResult: (result: Result) => void,
  voices: Voices,
): Promise<void> {
  const { size, setting = null } = request;
  const environment = makeEnvironment(bytesOf, size, voices, setting);
  await runSelection(SUITE, request, environment, onResult);
}

/** What is used of a process. */
interface ProcessLike {
  readonly argv: readonly string[];
  readonly stdout: { write(text: string, done?: () => void): unknown };
  readonly stderr: { write(text: string): unknown };
  exit(code: number): never;
}

/** Runs what the only argument asks for. */
async function runInProcess(process: ProcessLike, request: Request): Promise<void> {
  const { readFile } = await import("node:fs/promises");
  const say = (said: Said): void => void process.stdout.write(`${JSON.stringify(said)}\n`);
  const bytesOf = async (file: string): Promise<BufferSource> =>
    new Uint8Array(await readFile(new URL(`../${file}`, import.meta.url)));
  let code = 0;
  try {
    await runCases(request, bytesOf, (result) => say({ result }), {
      progress: (line) => void process.stderr.write(`${line}\n`),
      missing: (missing) => say({ missing }),
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    code = 1;
  }
  // Whatever still waits somewhere keeps no process alive.
  process.stdout.write("", () => process.exit(code));
}

/** Says that the argument is a request and no accident. */
export const REQUEST_FLAG = "--bench-request";

const { process: host } = globalThis as { process?: ProcessLike };
if (host?.argv[2] === REQUEST_FLAG) {
  await runInProcess(host, JSON.parse(host.argv[3] ?? "") as Request);
}

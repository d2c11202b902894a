/**
 * The environment of whatever runtime this is, found out by what only it has. Nothing is imported at the top: the same
 * bundle runs in a page.
 */
import type { Environment, RuntimeName } from "./bench_case.ts";
import type { Setting } from "./setting.ts";

/** What Node has, and Deno and Bun too; a page has none of it. */
interface ProcessLike {
  cpuUsage(): { user: number; system: number };
  memoryUsage(): { rss: number };
  readonly versions: Record<string, string | undefined>;
  readonly stderr: { write(text: string): unknown };
}

/** What only some runtimes have. */
interface Scope {
  readonly process?: ProcessLike;
  readonly Bun?: { gc(force: boolean): void };
  readonly Deno?: { readonly version: { readonly deno: string } };
  /** By `--expose-gc`. */
  readonly gc?: () => void;
}

/** Microseconds and milliseconds of a second. */
const US_PER_S = 1e6;
const MS_PER_S = 1e3;

function scopeOf(): Scope {
  return globalThis as Scope;
}

/** Which runtime this is, and its version. */
function identify(): { readonly name: RuntimeName; readonly version: string } {
  const { Bun, Deno, process } = scopeOf();
  if (process === undefined) return identifyPage(navigator.userAgent);
  if (Bun !== undefined) return { name: "bun", version: process.versions["bun"] ?? "" };
  if (Deno !== undefined) return { name: "deno", version: Deno.version.deno };
  return { name: "node", version: process.versions["node"] ?? "" };
}

function identifyPage(userAgent: string): { name: RuntimeName; version: string } {
  const firefox = /Firefox\/([\d.]+)/.exec(userAgent);
  if (firefox !== null) return { name: "firefox", version: firefox[1] ?? "" };
  return { name: "chromium", version: /Chrome\/([\d.]+)/.exec(userAgent)?.[1] ?? userAgent };
}

/** How lines reach a person. */
export interface Voices {
  progress(line: string): void;
  missing(line: string): void;
}

/**
 * Makes the environment.
 *
 * @param bytesOf Fetches `core.wasm` or `kernels.wasm`.
 * @param size Scale of all amounts.
 * @param voices How lines reach a person.
 * @param setting The network that was made for the case.
 */
export function makeEnvironment(
  bytesOf: (file: string) => Promise<BufferSource>,
  size: number,
  voices: Voices,
  setting: Setting | null = null,
): Environment {
  const { name, version } = identify();
  const { process, Bun, gc } = scopeOf();
  const hasCpu = process !== undefined && typeof process.cpuUsage === "function";
  const modules = new Map<string, Promise<WebAssembly.Module>>();
  const wallSeconds = (): number => performance.now() / MS_PER_S;
  return {
    runtime: name,
    runtimeVersion: version,
    clock: hasCpu ? "cpu" : "wall",
    size,
    setting,
    seconds(): number {
      if (!hasCpu) return wallSeconds();
      const { user, system } = process.cpuUsage();
      return (user + system) / US_PER_S;
    },
    wallSeconds,
    module(file): Promise<WebAssembly.Module> {
      const compiled = modules.get(file) ??
        bytesOf(`${file}.wasm`).then((bytes) => WebAssembly.compile(bytes));
      modules.set(file, compiled);
      return compiled;
    },
    memory() {
      return process === undefined ? null : { bytes: process.memoryUsage().rss, counted: "rss" };
    },
    collect(): void {
      if (Bun !== undefined) Bun.gc(true);
      else gc?.();
    },
    ...voices,
  };
}

/** Starts the peer in each runtime, and the kernel's programs. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build, type BuildOptions } from "esbuild";
import { bunPath, denoPath, nodePath } from "../../src/dev/common.mjs";
import type { Namespace, Running } from "./namespace.ts";
import { scriptRunner } from "./peer_program.ts";
import type { Report, RuntimeName, Settings } from "./peer_settings.ts";
import { HTTP_PORT, OUR_ADDRESS } from "./ports.ts";

/** The repository. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/** Something that should happen soon has not: half of what a test may take, as a runtime starts late on a busy machine. */
const SOON_MS = 60_000;

/** How often it is looked for. */
const LOOK_MS = 5;

export const RUNTIMES: readonly RuntimeName[] = ["deno", "node", "bun"];

/** Makes `Deno` exist before the peer's own modules run. */
const SHIMMED_ENTRY = `
import { Deno } from "@deno/shim-deno";
globalThis.Deno = Deno;
await import("./test/interop/peer.ts");
`;

/** Other peers, with the shim too. */
const PEERS = ["cover_peer", "provoke_peer", "bottleneck_peer"] as const;

/** What the kernel's sockets do, and no stack of ours is in. */
const KERNEL_SCRIPTS = ["kernel_server", "kernel_client", "kernel_stream"] as const;

/** The program of a runtime; undefined when it is not installed. */
export function runtimePath(runtime: RuntimeName): string | undefined {
  return { deno: denoPath, node: nodePath, bun: bunPath }[runtime]();
}

/** Waits for a condition, or fails. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const startMs = performance.now();
  while (!condition()) {
    if (performance.now() - startMs > SOON_MS) throw new Error(`Not within ${SOON_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** A peer that listens. */
export interface Peer {
  readonly mac: string;
  /** Asks it to stop, and waits for what it has to say. */
  stop(): Promise<Report>;
}

/** Those of this process. */
let workshops = 0;

/** A folder of bundles, captures and whatever a test writes; gone after `delete()`. */
export class Workshop {
  /** Below the repository, so that the runtimes find koffi in its node_modules. Made by `build()`. */
  readonly folder: string = join(ROOT, `node_modules/.interop-${process.pid}-${++workshops}`);
  #files = 0;

  /** Makes the folder and bundles the scripts into it. */
  async build(): Promise<void> {
    mkdirSync(this.folder, { recursive: true });
    const common: BuildOptions = {
      bundle: true,
      format: "esm",
      platform: "node",
      external: ["koffi", "ws"],
      logLevel: "error",
      // The shim is CommonJS and asks for Node's modules.
      banner: {
        js: 'import { createRequire } from "node:module";\n' +
          "const require = createRequire(import.meta.url);",
      },
    };
    const entry = (name: string): string => join(ROOT, "test/interop", name);
    await Promise.all([
      build({ ...common, entryPoints: [entry("peer.ts")], outfile: this.path("deno.mjs") }),
      build({
        ...common,
        stdin: { contents: SHIMMED_ENTRY, resolveDir: ROOT },
        outfile: this.path("shimmed.mjs"),
      }),
      ...PEERS.map((name) =>
        build({
          ...common,
          stdin: {
            contents: SHIMMED_ENTRY.replace("/peer.ts", `/${name}.ts`),
            resolveDir: ROOT,
          },
          outfile: this.path(`${name}.mjs`),
        })
      ),
      ...KERNEL_SCRIPTS.map((name) =>
        build({
          ...common,
          entryPoints: [entry(`${name}.ts`)],
          outfile: this.path(`${name}.mjs`),
        })
      ),
    ]);
  }

  /** A file in the folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /**
   * The command of a peer: Deno takes the source or the bundle, the others the bundle with the shim. With a folder in
   * TIDEWIRE_PROFILE, Node writes a CPU profile there.
   */
  #command(runtime: RuntimeName, isBundled: boolean): string[] {
    const program = runtimePath(runtime);
    if (program === undefined) throw new Error(`${runtime} is not installed`);
    if (runtime === "node" && process.env["TIDEWIRE_PROFILE"] !== undefined) {
      const flags = ["--cpu-prof", `--cpu-prof-dir=${process.env["TIDEWIRE_PROFILE"]}`];
      return [program, ...flags, this.path("shimmed.mjs")];
    }
    if (runtime !== "deno") return [program, this.path("shimmed.mjs")];
    const flags = ["--no-prompt", "--quiet", "--allow-ffi", "--allow-env", "--allow-read"];
    flags.push(
      "--allow-sys",
      "--allow-net=127.0.0.1",
      `--allow-write=${this.folder}`,
      "--node-modules-dir=manual",
    );
    flags.push(`--config=${join(ROOT, "deno.json")}`);
    const script = isBundled ? this.path("deno.mjs") : join(ROOT, "test/interop/peer.ts");
    return [program, "run", ...flags, script];
  }

  /** The command of a bundled script: in Node, or where Deno is alone, in Deno. */
  script(name: (typeof PEERS | typeof KERNEL_SCRIPTS)[number], ...args: string[]): string[] {
    return [...scriptRunner(), this.path(`${name}.mjs`), ...args];
  }

  /** Starts our side and waits until it listens. */
  async startPeer(
    namespace: Namespace,
    settings: Omit<Settings, "tap" | "readyPath">,
    isBundled = false,
  ): Promise<Peer> {
    const readyPath = this.path(`ready_${++this.#files}`);
    const full: Settings = { ...settings, tap: namespace.tap, readyPath };
    const command = this.#command(settings.runtime, isBundled);
    const peer = namespace.start([...command, JSON.stringify(full)]);
    let isOver = false;
    const ended = peer.ended.finally(() => (isOver = true));
    await until(() => isOver || existsSync(readyPath), "the peer listens");
    const mac = existsSync(readyPath) ? readFileSync(readyPath, "utf8") : "";
    if (isOver) throw new Error(`The peer ended: ${(await ended).stderr}`);
    return {
      mac,
      stop: async () => {
        const { address } = settings;
        const stopped = isOver ? null : await namespace.run(...curl("/stop", { address }));
        const { code, stdout, stderr } = await ended;
        if (code !== 0 || stopped?.code !== 0) {
          throw new Error(`The peer ended with ${code}: ${stderr}${stopped?.stderr ?? ""}`);
        }
        return JSON.parse(stdout);
      },
    };
  }

  /** Starts the kernel's server and waits until it listens. */
  async startKernelServer(namespace: Namespace): Promise<Running> {
    const server = namespace.start(this.script("kernel_server"));
    await until(() => server.stdout().includes("ready"), "the kernel's server listens");
    return server;
  }

  delete(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** How {@linkcode curl} fetches. */
export interface CurlOptions {
  /** Default: OUR_ADDRESS. */
  readonly address?: string | undefined;
  /** Flags of curl. */
  readonly flags?: readonly string[];
}

/** The command that fetches from our side. */
export function curl(
  path: string,
  { address = OUR_ADDRESS, flags = [] }: CurlOptions = {},
): string[] {
  return ["curl", "-sS", "--max-time", "110", ...flags, `http://${address}:${HTTP_PORT}${path}`];
}

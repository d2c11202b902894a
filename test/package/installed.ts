/** The package as somebody gets it: packed by npm, and installed by npm into an empty folder, without network. */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { inRoot, run, scriptCommand, which } from "../../src/dev/common.mjs";

const execute = promisify(execFile);

/** npm takes about a second. */
const NPM_MS = 60_000;

/** What the consumer's programs are. */
const PROGRAMS = inRoot("test", "package", "consumer");

/** Why nothing can be installed here, or null. */
export function whatInstallingMisses(): string | null {
  return which("npm") === undefined ? "no npm; Node brings it" : null;
}

/** A folder with the package in its `node_modules/`, and the consumer's programs. */
export class Consumer {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Builds, packs and installs. */
  static async make(): Promise<Consumer> {
    const { code } = await run(scriptCommand("src/dev/build.mjs", ["--all"]), { stdout: "stderr" });
    if (code !== 0) throw new Error("Cannot test: the build failed");
    // npm resolves links, and a temporary folder may be one.
    const consumer = new Consumer(mkdtempSync(join(tmpdir(), "tidewire_consumer_")));
    await npm(["pack", "--ignore-scripts", "--pack-destination", consumer.folder], inRoot());
    await npm(
      ["pack", "--ignore-scripts", "--pack-destination", consumer.folder],
      inRoot("node_modules", "ws"),
    );
    const archives = readdirSync(consumer.folder).filter((name) => name.endsWith(".tgz"));
    const flags = ["--offline", "--omit=optional", "--ignore-scripts", "--no-package-lock"];
    await npm(["install", ...flags, ...archives.map((name) => `./${name}`)], consumer.folder);
    for (const name of readdirSync(PROGRAMS)) {
      copyFileSync(join(PROGRAMS, name), consumer.path(name));
    }
    return consumer;
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  delete(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function npm(args: readonly string[], cwd: string): Promise<void> {
  await execute(which("npm") ?? "npm", [...args, "--no-audit", "--no-fund"], {
    cwd,
    timeout: NPM_MS,
  });
}

/** Types of the files that a page is made of. */
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

/** A server of a folder, as any host of static files is one. */
export interface StaticServer {
  /** `http://127.0.0.1:1234` */
  readonly origin: string;
  close(): Promise<void>;
}

/** Serves a folder. @param policy Content-Security-Policy of all answers, if there is one. */
export async function serveFolder(folder: string, policy?: string): Promise<StaticServer> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const name = pathname === "/" ? "index.html" : pathname.slice(1);
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(join(folder, name));
    } catch {
      response.writeHead(404).end();
      return;
    }
    response.setHeader("Content-Type", TYPES[extname(name)] ?? "application/octet-stream");
    if (policy !== undefined) response.setHeader("Content-Security-Policy", policy);
    response.end(bytes);
  });
  const port = await listenAnywhere(server);
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Listens on a port that is free. @returns The port. */
export async function listenAnywhere(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/**
 * Runs cases in a browser: a server of the page beside it, the browser without a window on that page, and what the page posts
 * back, line by line. No driver: whatever opens an address will do.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Request, Said } from "./cases.ts";

/** A browser on this machine. */
export type BrowserName = "chromium" | "firefox";

/** Names of the programs, the usual ones of distributions. */
const PROGRAMS: Readonly<Record<BrowserName, readonly string[]>> = {
  chromium: ["chromium", "chromium-browser", "google-chrome"],
  firefox: ["firefox", "firefox-esr"],
};

/** No sandbox: it may run as root. Nothing is looked up, updated or reported in the background. */
const CHROMIUM_FLAGS: readonly string[] = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A page that says nothing for so long is given up, ms. */
const SILENT_MS = 180_000;

/** @returns Path of the browser, or undefined if there is none in the PATH. */
export function browserPath(name: BrowserName): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const folder of folders) {
    for (const program of PROGRAMS[name]) {
      const path = join(folder, program);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch { /* The next one. */ }
    }
  }
  return undefined;
}

/** A server of the pages. */
export interface PageServer {
  readonly origin: string;
  /** Set while a browser runs. */
  onLine: (line: string) => void;
  close(): void;
}

/**
 * Starts it.
 *
 * @param command Program and arguments that run a script, in the network where the browser will run.
 * @param dist Path of `dist/`.
 */
export async function startPageServer(
  command: readonly string[],
  dist: string,
): Promise<PageServer> {
  const [program = "", ...args] = [...command, `${dist}/bench/servers.mjs`, "page", `${dist}/web`];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const port = await new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => reject(new Error(`The page's server ended with ${code}`)));
    lines.once("line", resolve);
  });
  const server: PageServer = {
    origin: `http://127.0.0.1:${port}`,
    onLine: () => {},
    close: () => void child.kill(),
  };
  lines.on("line", (line) => server.onLine(line));
  return server;
}

/** What the page posts. */
type News =
  | { readonly said: Said }
  | { readonly progress: string }
  | { readonly done: true }
  | { readonly failed: string };

/** How a browser is run. */
export interface BrowserRun {
  readonly name: BrowserName;
  /** What its command begins with, to run in a network of its own. */
  readonly within: readonly string[];
  readonly onSaid: (said: Said) => void;
  readonly onProgress: (line: string) => void;
}

function startBrowser({ name, within }: BrowserRun, profile: string, url: string): ChildProcess {
  const path = browserPath(name) ?? name;
  const flags = name === "chromium"
    ? [...CHROMIUM_FLAGS, `--user-data-dir=${profile}`]
    : ["--headless", "--no-remote", "--profile", profile];
  const [program = "", ...args] = [...within, path, ...flags, url];
  return spawn(program, args, { stdio: "ignore", detached: true });
}

/** Ends a browser and what it has started. */
function endBrowser({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch { /* It is gone already. */ }
}

/**
 * Runs a request in a browser of its own.
 *
 * @throws {Error} If the page fails, or says nothing for too long.
 */
export async function runInBrowser(
  server: PageServer,
  request: Request,
  run: BrowserRun,
): Promise<void> {
  const profile = mkdtempSync(join(tmpdir(), "tidewire_bench_"));
  const url = `${server.origin}/bench/index.html#request=` +
    encodeURIComponent(JSON.stringify(request));
  const browser = startBrowser(run, profile, url);
  const what = request.cases.join(", ");
  try {
    await new Promise<void>((resolve, reject) => {
      const silent = (): void =>
        reject(new Error(`Cannot measure ${what}: ${run.name} has said nothing for too long`));
      let timer = setTimeout(silent, SILENT_MS);
      browser.once("error", reject);
      server.onLine = (line) => {
        clearTimeout(timer);
        timer = setTimeout(silent, SILENT_MS);
        const news = JSON.parse(line) as News;
        if ("said" in news) run.onSaid(news.said);
        else if ("progress" in news) run.onProgress(news.progress);
        else {
          clearTimeout(timer);
          if ("done" in news) resolve();
          else reject(new Error(`Cannot measure ${what} in ${run.name}: ${news.failed}`));
        }
      };
    });
  } finally {
    server.onLine = () => {};
    endBrowser(browser);
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

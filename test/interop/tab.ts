/** The relay as people start it, and a tab of Chromium on it. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  cpSync,
  createReadStream,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Page } from "playwright-core";
import { inRoot, nodePath, run, scriptCommand, which } from "../../src/dev/common.mjs";
import { type Browser, chromiumPath } from "../runtimes/browser.ts";

/** The user that relays run as when the tests run as root: nobody, and the group of that name. */
const NOBODY = 65_534;

/** From the start to the line on stdout, ms. */
const START_MS = 20_000;

/** What is done in a tab takes no longer, ms. */
const TAB_MS = 60_000;

/** Bit of CAP_NET_ADMIN. Source: linux/capability.h. */
const CAP_NET_ADMIN = 12n;

/** Programs that a tab's tests need, and the packages that bring them. */
const PROGRAMS = { curl: "curl", tshark: "tshark" } as const;

/** Why there can be no tab here, or null. */
export function whatTabsMiss(): string | null {
  if (process.platform !== "linux") return "processes are looked at in /proc, which takes Linux";
  if (chromiumPath() === null) return "no Chromium; `apt-get install chromium` brings it";
  for (const [program, pkg] of Object.entries(PROGRAMS)) {
    if (which(program) === undefined) return `no ${program}; \`apt-get install ${pkg}\` brings it`;
  }
  return null;
}

/** Builds what is tested: the command and the page. */
export async function buildProduct(): Promise<void> {
  const { code } = await run(scriptCommand("src/dev/build.mjs", ["--all"]), { stdout: "stderr" });
  if (code !== 0) throw new Error("Cannot test: the build failed");
}

/** A folder that everybody can read, with a copy of the product in it; the clone may lie where only its owner can look. */
export class Installation {
  readonly folder: string;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "tidewire_installed_"));
    chmodSync(this.folder, 0o755);
    cpSync(inRoot("dist", "tidewire.mjs"), this.path("dist/tidewire.mjs"));
    cpSync(inRoot("dist", "web"), this.path("dist/web"), { recursive: true });
    // Deno wants to see that "ws" is a package.
    cpSync(inRoot("package.json"), this.path("package.json"));
    const ws = realpathSync(inRoot("node_modules", "ws"));
    cpSync(ws, this.path("node_modules/ws"), { recursive: true, dereference: true });
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** An empty file that the relay can write to, whoever it runs as. */
  writable(name: string): string {
    const folder = mkdtempSync(this.path("out_"));
    if (process.getuid?.() === 0) chownSync(folder, NOBODY, NOBODY);
    return join(folder, name);
  }

  delete(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** How a relay is started. */
export interface RelayOptions {
  /** Path of `tidewire.mjs`. */
  readonly program: string;
  /** Command and flags, without `--json`. */
  readonly args: readonly string[];
  /** Without root and without capabilities, whoever we are. */
  readonly isUnprivileged: boolean;
  /** Program and arguments to run it by. */
  readonly within?: readonly string[];
}

/** What `--json` prints. */
interface Line {
  readonly url: string;
  readonly relay: string;
  readonly token: string;
  readonly pid: number;
}

/** A running relay. */
export class RelayProcess implements AsyncDisposable {
  readonly line: Line;
  /** When it said that it is there, ms since 1970. */
  readonly startedMs: number = Date.now();
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #log: () => string;

  /** Made by {@linkcode startRelay} alone. */
  constructor(
    line: Line,
    child: ChildProcess,
    ended: Promise<number | null>,
    log: () => string,
  ) {
    this.line = line;
    this.#child = child;
    this.#ended = ended;
    this.#log = log;
  }

  get port(): number {
    return Number(new URL(this.line.url).port);
  }

  /** The page's address, token included. */
  get pageUrl(): string {
    return `${this.line.url.split("#")[0]}#token=${this.line.token}`;
  }

  /** Lines that it wrote to stderr. */
  get log(): string {
    return this.#log();
  }

  /** Ends it. @returns Its exit code; null if a signal did it. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<number | null> {
    end(this.#child, signal);
    return await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Sends a signal. With its own `kill()` of a child, Deno loses the exit code. */
function end({ pid, exitCode, signalCode }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(pid, signal);
}

/** Starts a relay and waits for its line on stdout. */
export async function startRelay(options: RelayOptions): Promise<RelayProcess> {
  const { program, args, isUnprivileged, within = [] } = options;
  const node = nodePath();
  const runtime = node === undefined ? [process.execPath, "run", "-A"] : [node];
  const [command = "", ...rest] = [...within, ...runtime, program, ...args, "--json"];
  const isRoot = process.getuid?.() === 0;
  const child = spawn(command, rest, {
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
    ...(isUnprivileged && isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    // Root's own cache is not for others.
    env: isUnprivileged
      ? { ...process.env, DENO_DIR: join(tmpdir(), "tidewire_deno_of_nobody") }
      : process.env,
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  let stdout = "";
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", (code) => {
      process.off("exit", kill);
      resolve(code);
    });
  });
  const line = await new Promise<Line>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`The relay ${why}: ${stderr}`));
    const timer = setTimeout(() => fail(`says nothing within ${START_MS} ms`), START_MS);
    child.once("error", reject);
    child.once("close", (code) => fail(`ended with ${code}`));
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
      if (!stdout.endsWith("\n")) return;
      clearTimeout(timer);
      resolve(JSON.parse(stdout));
    });
  });
  return new RelayProcess(line, child, ended, () => stderr);
}

/** Who a process is. */
export interface Privileges {
  /** Real, effective, saved and file system user. */
  readonly uids: readonly number[];
  /** All sets of capabilities together. */
  readonly capabilities: bigint;
  readonly hasNetAdmin: boolean;
}

/** Reads who a process is from /proc; the bounding set is what it could never have, and is not counted. */
export function privilegesOf(pid: number): Privileges {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const uids = (/^Uid:\s+(.*)$/m.exec(status)?.[1] ?? "0").split(/\s+/).map(Number);
  const sets = [...status.matchAll(/^Cap(?:Inh|Prm|Eff|Amb):\s+([0-9a-f]+)$/gm)];
  const capabilities = sets.reduce((all, [, set]) => all | BigInt(`0x${set}`), 0n);
  return { uids, capabilities, hasNetAdmin: ((capabilities >> CAP_NET_ADMIN) & 1n) === 1n };
}

/** A tab with our page. */
export interface Tab {
  readonly page: Page;
  /** Errors and warnings of the page, its worker and its console, which a test takes out if it expects them. */
  readonly complaints: string[];
}

/** Opens our page; its stack may still be on its way. */
export async function openTab(browser: Browser, url: string): Promise<Tab> {
  const page = await browser.context.newPage();
  page.setDefaultTimeout(TAB_MS);
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning", "assert"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("crash", () => complaints.push("The page crashed"));
  await page.goto(url);
  return { page, complaints };
}

/** Opens our page and waits for its lease. @returns The tab and its address. */
export async function openReadyTab(
  browser: Browser,
  url: string,
): Promise<Tab & { readonly address: string }> {
  const tab = await openTab(browser, url);
  await tab.page.waitForSelector("#lease[data-state=bound]");
  const address = await tab.page.evaluate(async () => {
    // Defined by the page's script.
    const { lab } = globalThis as unknown as { lab: { ready: Promise<{ address: string }> } };
    return (await lab.ready).address;
  });
  return { ...tab, address };
}

/** What a status line shows. */
export interface Status {
  readonly kind: string;
  readonly code: string;
  readonly text: string;
  readonly bytes: number;
}

/** Reads a status line. */
export function statusOf(page: Page, id: string): Promise<Status> {
  return page.locator(`#${id}`).evaluate((element) => {
    const { kind = "", code = "", bytes = "0" } = (element as HTMLElement).dataset;
    return { kind, code, bytes: Number(bytes), text: element.textContent ?? "" };
  });
}

/** Types an address into the page's form and waits until it is done with it. */
export async function fetchByForm(page: Page, url: string): Promise<Status & { ms: number }> {
  await page.fill("#fetch-url", url);
  const startMs = performance.now();
  await page.click("#fetch-start");
  await page.waitForSelector("#fetch-start:enabled");
  const ms = performance.now() - startMs;
  return { ...await statusOf(page, "fetch-status"), ms };
}

/** Makes the page listen. @returns What it says, and the port at the relay's host. */
export async function listenByForm(
  page: Page,
  port: number,
  options: { readonly isPublished: boolean; readonly hostPort?: number },
): Promise<Status & { readonly hostPort: number }> {
  await page.fill("#listen-port", String(port));
  await page.setChecked("#listen-publish", options.isPublished);
  if (options.isPublished) await page.fill("#listen-host-port", String(options.hostPort ?? ""));
  // The line may say the same as before.
  await page.locator("#listen-status").evaluate((element) => {
    element.textContent = "";
  });
  await page.click("#listen-start");
  await page.waitForFunction(() => {
    return (document.getElementById("listen-status")?.textContent ?? "") !== "";
  });
  const status = await statusOf(page, "listen-status");
  const item = page.locator(`#listeners li[data-port="${port}"]`);
  const isListed = status.kind === "good" && options.isPublished;
  const hostPort = isListed ? Number(await item.getAttribute("data-host-port")) : 0;
  return { ...status, hostPort };
}

/** SHA-256 of a file in hexadecimal. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

/** Runs the matrix in every runtime that is here: one bundle, which is run by programs and by pages. */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { inRoot, which } from "../../src/dev/common.mjs";
import { startBrowser } from "../runtimes/browser.ts";
import type { Runtime } from "../runtimes/runtimes.ts";
import type { Outcomes } from "./program.ts";

const execute = promisify(execFile);

/** A runtime takes half a minute. */
const RUN_MS = 120_000;

/** No greeting, no updates, no reports. */
const FIREFOX_PREFERENCES = [
  'user_pref("browser.shell.checkDefaultBrowser", false);',
  'user_pref("browser.startup.homepage_override.mstone", "ignore");',
  'user_pref("datareporting.policy.dataSubmissionEnabled", false);',
  'user_pref("toolkit.telemetry.enabled", false);',
  'user_pref("app.update.enabled", false);',
  'user_pref("network.captive-portal-service.enabled", false);',
].join("\n");

/** Firefox's program, or undefined. */
export function firefoxPath(): string | undefined {
  return which("firefox-esr") ?? which("firefox");
}

/** Bundles a program. @param isPage Whether Node's modules come from packages, as bundlers' aliases have it. */
async function bundle(contents: string, path: string, isPage: boolean): Promise<void> {
  await build({
    stdin: { contents, resolveDir: inRoot("test", "matrix") },
    bundle: true,
    format: "esm",
    outfile: path,
    platform: isPage ? "browser" : "neutral",
    ...(isPage ? {} : { mainFields: ["module", "main"] }),
    external: isPage ? [] : ["node:*", "ws", "koffi"],
    alias: isPage
      ? { "node:stream": "readable-stream", "node:buffer": "buffer", "node:events": "events" }
      : {},
    define: isPage ? { global: "globalThis" } : {},
    logLevel: "error",
  });
}

/** Runs it in Node, Deno or Bun. */
export async function runInProgram({ command }: Runtime): Promise<Outcomes> {
  const folder = mkdtempSync(inRoot("dist", ".matrix_"));
  const path = join(folder, "program.mjs");
  try {
    await bundle(
      `import net from "node:net";
       import { runMatrix } from "./program.ts";
       console.log(JSON.stringify(await runMatrix(net)));
       process.exit(0);`,
      path,
      false,
    );
    const [program = "", ...before] = command;
    const { stdout } = await execute(program, [...before, path], {
      timeout: RUN_MS,
      maxBuffer: 1 << 24,
    });
    return JSON.parse(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs it in a page, which posts what came out. @param open Opens an address; gives the way to close it. */
async function runInPage(open: (url: string) => Promise<() => Promise<void>>): Promise<Outcomes> {
  const folder = mkdtempSync(join(tmpdir(), "tidewire_matrix_"));
  await bundle(
    `import { runMatrix } from "./program.ts";
     const post = (text) => fetch("/result", { method: "POST", body: text });
     runMatrix(null).then((outcomes) => post(JSON.stringify(outcomes)), (error) => post(String(error)));`,
    join(folder, "program.js"),
    true,
  );
  let timer: ReturnType<typeof setTimeout> | undefined;
  const server = createServer();
  const posted = new Promise<string>((resolve, reject) => {
    timer = setTimeout(() => reject(new Error("The page did not end in time")), RUN_MS);
    server.on("request", (request, response) => {
      if (request.method === "POST") {
        let text = "";
        request.setEncoding("utf8").on("data", (part) => (text += part));
        request.on("end", () => resolve(text));
        response.end();
      } else if (request.url === "/program.js") {
        response.setHeader("Content-Type", "text/javascript");
        response.end(readFileSync(join(folder, "program.js")));
      } else {
        response.setHeader("Content-Type", "text/html");
        response.end(
          '<!doctype html><title>matrix</title><script type="module" src="/program.js"></script>',
        );
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const close = await open(`http://127.0.0.1:${port}/`);
  try {
    const text = await posted;
    if (!text.startsWith("{")) throw new Error(`The page failed: ${text}`);
    return JSON.parse(text);
  } finally {
    clearTimeout(timer);
    await close();
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Runs it in Chromium. */
export async function runInChromium(): Promise<Outcomes> {
  return await runInPage(async (url) => {
    const browser = await startBrowser();
    const page = await browser.context.newPage();
    await page.goto(url);
    return () => browser.close();
  });
}

/** Runs it in Firefox, which takes no more than an address. */
export async function runInFirefox(): Promise<Outcomes> {
  return await runInPage((url) => {
    const profile = mkdtempSync(join(tmpdir(), "tidewire_firefox_"));
    writeFileSync(join(profile, "user.js"), FIREFOX_PREFERENCES);
    const flags = ["--headless", "--no-remote", "--profile", profile, url];
    const child = spawn(firefoxPath() ?? "firefox", flags, { stdio: "ignore" });
    const close = async (): Promise<void> => {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    };
    return Promise.resolve(close);
  });
}

/** Where outcomes are kept for whoever looks at them. */
export function saveOutcomes(runs: ReadonlyMap<string, Outcomes>): void {
  mkdirSync(inRoot("test-results"), { recursive: true });
  const text = JSON.stringify(Object.fromEntries(runs), null, 2);
  writeFileSync(inRoot("test-results", "sockets.json"), `${text}\n`);
}

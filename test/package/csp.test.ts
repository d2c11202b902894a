/** Pages with a Content-Security-Policy: which one is enough, and what is said when it is not. */
import { copyFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inRoot } from "../../src/dev/common.mjs";
import { openRelay } from "../../src/relay/mod.ts";
import { type Browser, chromiumPath, startBrowser } from "../runtimes/browser.ts";
import { BUNDLERS } from "./bundlers.ts";
import { Consumer, listenAnywhere, serveFolder, whatInstallingMisses } from "./installed.ts";

const BODY = "Hello from the relay's host";

/** What docs/packaging.md tells people to send. */
const WASM = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'";
const RELAY = "connect-src ws://127.0.0.1:* http://127.0.0.1:*";

/** What worked, and the beginnings of what was said about what could not. */
const FORMS = "Response, bytes, buffer, Module, URL, " +
  'Cannot fetch the core from "", Cannot compile the core, Cannot load the core';

const missing = whatInstallingMisses() ?? (chromiumPath() === null ? "no Chromium" : null);

describe.skipIf(missing !== null)("a page's policy", () => {
  let consumer: Consumer;
  let browser: Browser;
  let host: Server;
  let port = 0;

  beforeAll(async () => {
    consumer = await Consumer.make();
    host = createServer((_, response) => response.end(BODY));
    port = await listenAnywhere(host);
    browser = await startBrowser();
    for (const name of ["Vite", "esbuild (modules)"]) {
      const bundler = BUNDLERS.find((bundler) => bundler.name === name);
      for (const app of ["pipe_app", "worker_app", "wasm_app", "worker_wasm_app"]) {
        await bundler?.bundle(consumer.folder, `${app}.mjs`, outOf(name, app));
      }
    }
    for (
      const out of [
        outOf("esbuild (modules)", "wasm_app"),
        outOf("esbuild (modules)", "worker_wasm_app"),
        outOf("Vite", "worker_wasm_app"),
      ]
    ) copyFileSync(inRoot("dist", "core.wasm"), `${out}/core.wasm`);
  });

  afterAll(async () => {
    await browser?.close();
    host?.close();
    consumer?.delete();
  });

  function outOf(bundler: string, app: string): string {
    return consumer.path("out", bundler.split(" ")[0] ?? "", app);
  }

  /** The result of a program that was built by a bundler, on a page with a policy. */
  async function resultOf(bundler: string, app: string, policy: string): Promise<string> {
    const server = await serveFolder(outOf(bundler, app), policy);
    await using relay = await openRelay({ origins: [server.origin], hostPorts: [port] });
    const settings = JSON.stringify({ url: relay.url, token: relay.token, port });
    const page = await browser.context.newPage();
    try {
      await page.goto(`${server.origin}/#${encodeURIComponent(settings)}`);
      // Playwright's own waiting evaluates strings, which a policy forbids.
      for (;;) {
        const state = await page.evaluate("globalThis.result === undefined");
        if (state === false) break;
      }
      return String(await page.evaluate("globalThis.result.catch((error) => String(error))"));
    } finally {
      await page.close();
      await server.close();
    }
  }

  test("with 'wasm-unsafe-eval' a stack runs", async () => {
    expect(await resultOf("esbuild (modules)", "pipe_app", WASM)).toBe("Hello over a pipe");
  });

  test("without it, the error says what is missing", async () => {
    const policy = "default-src 'none'; script-src 'self'";
    expect(await resultOf("esbuild (modules)", "pipe_app", policy)).toBe(
      "TypeError: Cannot compile the core: this page's Content-Security-Policy forbids it, " +
        "add 'wasm-unsafe-eval' to its script-src",
    );
  });

  test("a core that is fetched takes connect-src as well, and every form of it works", async () => {
    const result = await resultOf(
      "esbuild (modules)",
      "wasm_app",
      `${WASM}; connect-src 'self'`,
    );
    expect(result).toMatch(/^Response, bytes, buffer, Module, URL, Cannot fetch the core/);
  });

  test("a worker's file takes worker-src 'self'", async () => {
    const policy = `${WASM}; worker-src 'self'; ${RELAY}`;
    expect(await resultOf("Vite", "worker_app", policy)).toBe(BODY);
  });

  test("a worker's text takes worker-src blob:", async () => {
    const policy = `${WASM}; worker-src 'self' blob:; ${RELAY}`;
    expect(await resultOf("esbuild (modules)", "worker_app", policy)).toBe(BODY);
  });

  test.each([
    ["file", "Vite", "worker-src 'self'"],
    // The text has no core in it, when one is sent.
    ["text", "esbuild (modules)", "worker-src 'self' blob:"],
  ])("a worker from its %s takes every form of the core", async (_, bundler, workers) => {
    const policy = `${WASM}; ${workers}; ${RELAY} 'self'`;
    expect(await resultOf(bundler, "worker_wasm_app", policy)).toBe(FORMS);
  });

  test("without worker-src, the error says what is missing", async () => {
    const policy = `${WASM}; worker-src 'none'; ${RELAY}`;
    const result = await resultOf("esbuild (modules)", "worker_app", policy);
    expect(result).toMatch(/^CoreFault: Cannot start a worker for the stack: /);
    expect(result).toContain(`"worker-src 'self'" or "worker-src blob:"`);
  });
});

/** What `npm pack` makes, in projects where nothing is configured, in a real page. */
import { createServer, type Server } from "node:http";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { openRelay } from "../../src/relay/mod.ts";
import { type Browser, chromiumPath, startBrowser } from "../runtimes/browser.ts";
import { BUNDLERS, serveByVite } from "./bundlers.ts";
import { Consumer, listenAnywhere, serveFolder, whatInstallingMisses } from "./installed.ts";

const BODY = "Hello from the relay's host";

const missing = whatInstallingMisses() ?? (chromiumPath() === null ? "no Chromium" : null);

describe.skipIf(missing !== null)("the package in Chromium", () => {
  let consumer: Consumer;
  let browser: Browser;
  let host: Server;
  let port = 0;
  /** Addresses of the workers that were started. */
  const workers: string[] = [];

  beforeAll(async () => {
    consumer = await Consumer.make();
    host = createServer((_, response) => response.end(BODY));
    port = await listenAnywhere(host);
    browser = await startBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    host?.close();
    consumer?.delete();
  });

  /** Opens a page, and gives what its program results in. */
  async function resultAt(address: string): Promise<string> {
    const page = await browser.context.newPage();
    page.on("worker", (worker) => workers.push(worker.url()));
    try {
      await page.goto(address);
      return await resultOf(page);
    } finally {
      await page.close();
    }
  }

  /** Runs the program that has its stack in a worker, on a relay of its own. */
  async function workerResultAt(origin: string): Promise<string> {
    await using relay = await openRelay({ origins: [origin], hostPorts: [port] });
    const settings = JSON.stringify({ url: relay.url, token: relay.token, port });
    return await resultAt(`${origin}/#${encodeURIComponent(settings)}`);
  }

  for (const [index, { name, missing, bundle, worker }] of BUNDLERS.entries()) {
    const out = (program: string) => consumer.path("out", `${program}_${index}`);

    test(`built by ${name}, two stacks talk over a pipe`, async () => {
      if (isAbsent(name, missing)) return;
      await bundle(consumer.folder, "pipe_app.mjs", out("pipe"));
      const server = await serveFolder(out("pipe"));
      expect(await resultAt(server.origin)).toBe("Hello over a pipe");
      await server.close();
    });

    test(`built by ${name}, a stack in a worker finds its script and reaches a relay`, async () => {
      if (isAbsent(name, missing)) return;
      await bundle(consumer.folder, "worker_app.mjs", out("worker"));
      const server = await serveFolder(out("worker"));
      expect(await workerResultAt(server.origin)).toBe(BODY);
      expect(workers.pop()).toMatch(worker === "file" ? /^http:/ : /^blob:/);
      await server.close();
    });
  }

  test.each(["pipe_app.mjs", "worker_app.mjs"])(
    "Vite's development server serves %s",
    async (program) => {
      const server = await serveByVite(consumer.folder, program);
      const isPipe = program === "pipe_app.mjs";
      const result = isPipe ? await resultAt(server.origin) : await workerResultAt(server.origin);
      expect(result).toBe(isPipe ? "Hello over a pipe" : BODY);
      await server.close();
    },
  );
});

async function resultOf(page: Page): Promise<string> {
  await page.waitForFunction("globalThis.result !== undefined");
  return await page.evaluate("globalThis.result.catch((error) => String(error))");
}

function isAbsent(name: string, missing: string | null): boolean {
  if (missing === null) return false;
  process.stdout.write(`The package is not built by ${name}: ${missing}\n`);
  expect(process.env["CI"], missing).toBeUndefined();
  return true;
}

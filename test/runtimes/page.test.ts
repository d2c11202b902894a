import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { createInterface } from "node:readline";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scriptCommand } from "../../src/dev/common.mjs";
import { type Browser, chromiumPath, startBrowser } from "./browser.ts";

const TOKEN = "a-token-for-this-test-alone";

/** What the program prints. */
interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  readonly port: string;
}

async function startRelay(port: string, allowed: readonly number[]): Promise<Started> {
  const flags = ["start", "--json", "--port", port, "--token", TOKEN];
  const hosts = ["--allow-host", allowed.join(",")];
  const [program = "node", ...args] = scriptCommand("dist/tidewire.mjs", [...flags, ...hosts]);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`The relay ended with ${code}`)));
  });
  const { url } = JSON.parse(line) as { url: string };
  return { child, url, port: new URL(url).port };
}

async function stopRelay({ child }: Started): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** A port of this host on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function fetchInPage(page: Page, url: string): Promise<Record<string, string | undefined>> {
  await page.fill("#fetch-url", url);
  await page.click("#fetch-start");
  await page.waitForSelector("#fetch-start:not([disabled])");
  return await page.$eval("#fetch-status", (element) => ({
    text: element.textContent,
    code: element.getAttribute("data-code") ?? "",
    bytes: element.getAttribute("data-bytes") ?? "",
  }));
}

describe.skipIf(chromiumPath() === null)("the page in Chromium", () => {
  const problems: string[] = [];
  let files: Server;
  let closedPort = 0;
  let relay: Started;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    files = createServer((request, response) => {
      const bytes = Number(request.url?.slice(1));
      response.setHeader("Content-Type", bytes === 5 ? "text/plain" : "application/octet-stream");
      response.setHeader("Content-Length", bytes);
      response.end("x".repeat(bytes));
    });
    await new Promise<void>((resolve) => files.listen(0, "127.0.0.1", resolve));
    closedPort = await freePort();
    relay = await startRelay("0", [portOf(files), closedPort]);
    browser = await startBrowser();
    page = await browser.context.newPage();
    page.on("pageerror", ({ message }) => problems.push(message));
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(message.text());
    });
    await page.goto(relay.url);
  });

  afterAll(async () => {
    await browser?.close();
    if (relay !== undefined) await stopRelay(relay);
    files?.closeAllConnections();
    files?.close();
  });

  test("it has a link, a lease and no token in its address", async () => {
    await page.waitForSelector("#link[data-state=up]");
    await page.waitForSelector("#lease[data-state=bound]");
    expect(await page.textContent("[data-field=gateway]")).toBe("10.0.2.2");
    expect(page.url()).not.toContain("token");
    const ready = await page.evaluate("lab.ready");
    expect(ready).toMatchObject({ gateway: "10.0.2.2", prefixLength: 24 });
    expect(await page.evaluate("typeof tidewire.createStack")).toBe("function");
  });

  test("it fetches over the tab's own TCP", async () => {
    const base = `http://10.0.2.2:${portOf(files)}`;
    expect(await fetchInPage(page, `${base}/5`)).toMatchObject({ code: "", bytes: "5" });
    expect(await page.textContent("#fetch-preview")).toBe("xxxxx");
    const many = 20_000_000;
    expect(await fetchInPage(page, `${base}/${many}`)).toMatchObject({ bytes: String(many) });
  });

  test("it shows the code of what went wrong", async () => {
    const refused = await fetchInPage(page, `http://10.0.2.2:${closedPort}/`);
    expect(refused).toMatchObject({ code: "ECONNREFUSED" });
    expect(refused["text"]).toContain("ECONNREFUSED");
    const https = await fetchInPage(page, "https://10.0.2.2/");
    expect(https["text"]).toContain("No TLS yet");
    const code = page.evaluate(
      `lab.stack.connect({ hostname: "10.0.2.2", port: ${closedPort} }).catch((e) => e.code)`,
    );
    expect(await code).toBe("ECONNREFUSED");
  });

  test("it serves a port that is published at the relay's host, and says when it is taken", async () => {
    await page.fill("#listen-port", "8080");
    await page.click("#listen-start");
    const line = await page.waitForSelector("#listeners li[data-port='8080']");
    const hostPort = await line.getAttribute("data-host-port");
    const response = await fetch(`http://127.0.0.1:${hostPort}/bytes/3000000`);
    expect((await response.arrayBuffer()).byteLength).toBe(3_000_000);
    await page.click("#listen-start");
    await page.waitForSelector("#listen-status[data-code=EADDRINUSE]");
  });

  test("S83: it shows the state of a live connection in the diagram of all states", async () => {
    await page.evaluate(`lab.stack.connect({ hostname: "10.0.2.2", port: ${portOf(files)} })
      .then((connection) => void (globalThis.held = connection))`);
    await page.waitForSelector("#states[data-state=ESTABLISHED] rect.current", {
      state: "attached",
    });
    expect(await page.locator("#states rect.state").count()).toBe(12);
    await page.evaluate("held.closeWrite()");
    await page.waitForSelector("#states:not([data-state=ESTABLISHED])", {
      state: "attached",
    });
    await page.evaluate("held.abort()");
  });

  test("it saves a capture", async () => {
    await page.click("#capture");
    await page.waitForSelector("#capture[data-state=running]");
    await fetchInPage(page, `http://10.0.2.2:${portOf(files)}/5`);
    const downloading = page.waitForEvent("download");
    await page.click("#capture");
    expect((await downloading).suggestedFilename()).toMatch(/^tidewire_.*\.pcapng$/);
    const bytes = Number(await page.getAttribute("#capture-status", "data-bytes"));
    expect(bytes).toBeGreaterThan(500);
  });

  test("it goes on, when the relay was away", async () => {
    const hostPort = await page.getAttribute("#listeners li", "data-host-port");
    relay.child.kill("SIGKILL");
    await page.waitForSelector("#link[data-state=down]");
    expect(await page.textContent("#link-text")).toContain("The relay closed the connection");
    relay = await startRelay(relay.port, [portOf(files), closedPort]);
    await page.waitForSelector("#link[data-state=up]");
    const base = `http://10.0.2.2:${portOf(files)}`;
    expect(await fetchInPage(page, `${base}/5`)).toMatchObject({ code: "", bytes: "5" });
    const response = await fetch(`http://127.0.0.1:${hostPort}/bytes/10`);
    expect((await response.arrayBuffer()).byteLength).toBe(10);
  });

  test("it broke no rule of its content security policy", () => {
    expect(problems.filter((problem) => !problem.includes("WebSocket connection to"))).toEqual([]);
  });

  test("it asks for a token, when the token is wrong", async () => {
    const other = await browser.context.newPage();
    await other.goto(relay.url.replace(TOKEN, "not-the-token-of-this-relay"));
    await other.waitForSelector("#link-text[data-code=EACCES]");
    await other.waitForSelector("#token-form:not([hidden])");
    await other.fill("#token", TOKEN);
    await other.click("#token-form button");
    await other.waitForSelector("#link[data-state=up]");
    await other.close();
  });
});

/** A relay that is killed and started again below a tab: what was open is reset, and the page works on without a reload. */
import { connect, type Socket } from "node:net";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Browser, startBrowser } from "../runtimes/browser.ts";
import { HostServers } from "./host_servers.ts";
import { runHere } from "./namespace.ts";
import {
  buildProduct,
  fetchByForm,
  Installation,
  listenByForm,
  openReadyTab,
  type RelayProcess,
  startRelay,
  type Tab,
  whatTabsMiss,
} from "./tab.ts";
import {
  countDowns,
  type Ending,
  endings,
  openWatched,
  unpublish,
  watchAccepted,
} from "./tab_calls.ts";
import { BYTES, curlToSha256, pageSha256, rate, readCurl, say } from "./tab_figures.ts";

const HOST = "10.0.2.2";

/** Ports in the tab. */
const HTTP_PORT = 8080;
const WATCHED_PORT = 9000;

const SEED = 3;

/** From the moment the relay listens again, ms. */
const RESET_WITHIN_MS = 1_000;

/** Attempts to join that fail in the longer outage. */
const FAILED_ATTEMPTS = 6;

/** How often a relay on its way is tried, ms. */
const TRY_MS = 5;

const missing = whatTabsMiss();
if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`Tabs can not be tested: ${missing}`);
}

describe.skipIf(missing !== null)("a tab whose relay is killed", () => {
  const servers = new HostServers();
  let installation: Installation;
  let relay: RelayProcess;
  let browser: Browser;
  let tab: Tab;
  let publishedPort = 0;

  function start(port: number, flags: readonly string[]): Promise<RelayProcess> {
    return startRelay({
      program: installation.path("dist/tidewire.mjs"),
      args: ["start", "--port", String(port), "--allow-host", servers.allowed, ...flags],
      isUnprivileged: true,
    });
  }

  beforeAll(async () => {
    await buildProduct();
    await servers.start();
    installation = new Installation();
    relay = await start(0, []);
    browser = await startBrowser();
    tab = await openReadyTab(browser, relay.pageUrl);
    const status = await listenByForm(tab.page, HTTP_PORT, { isPublished: true });
    publishedPort = status.hostPort;
  });

  afterAll(async () => {
    await browser?.close();
    await relay?.stop();
    servers.close();
    installation?.delete();
  });

  /** Fetches through the page, and from it. */
  async function expectWorks(bytes: number): Promise<{ downMs: number; upMs: number }> {
    const url = `http://${HOST}:${servers.ports.http}/${SEED}/${bytes}`;
    const status = await fetchByForm(tab.page, url);
    expect(status).toMatchObject({ kind: "good", bytes });
    const path = `/bytes/${bytes}?seed=${SEED}`;
    const command = curlToSha256(`http://127.0.0.1:${publishedPort}${path}`);
    const { sha256, ms } = readCurl(await runHere("sh", ["-c", command]));
    expect(sha256).toBe(pageSha256(SEED, bytes));
    return { downMs: status.ms, upMs: ms };
  }

  it("carries 64 MiB each way before that", async () => {
    const { downMs, upMs } = await expectWorks(BYTES);
    say(`tab, user mode: down ${rate(BYTES, downMs)}, up ${rate(BYTES, upMs)}`);
  });

  /** Opens connections of every kind, kills the relay, starts it again, and waits for their ends. */
  async function killAndReturn(meanwhile: () => Promise<void>): Promise<void> {
    const { page } = tab;
    const { holds, writes, reads } = servers.ports;
    const ports = { hostname: HOST, idle: holds, reading: writes, writing: reads };
    await page.evaluate(openWatched, ports);
    const watchedHostPort = await page.evaluate(watchAccepted, WATCHED_PORT);
    const client = await connectAndRead(watchedHostPort);
    const { port, line } = relay;
    await relay.stop("SIGKILL");
    await meanwhile();
    const listening = untilListening(port);
    relay = await start(port, ["--token", line.token]);
    const returnMs = await listening;
    const ended: Ending[] = await page.evaluate(endings);
    const told = ended.map(({ name, code, atMs }) => `${name} ${code} ${atMs - returnMs} ms`);
    say(`after the relay's return: ${told.join(", ")}`);
    client.destroy();
    await page.evaluate(unpublish, WATCHED_PORT);
    expect(ended.map(({ name }) => name)).toEqual(["idle", "reading", "writing", "accepted"]);
    for (const { name, code, atMs } of ended) {
      expect(code, name).toBe("ECONNRESET");
      expect(atMs - returnMs, name).toBeLessThan(RESET_WITHIN_MS);
    }
  }

  it("resets what was open within a second of its return", async () => {
    await killAndReturn(() => Promise.resolve());
  });

  it("works on without a reload, on the port that was published before", async () => {
    await expectWorks(1 << 20);
    expect(await tab.page.textContent("#link-text")).toBe("Link up");
    expect(await tab.page.textContent("#connections-count")).toMatch(/None|open/);
  });

  it("does both after an outage in which joining failed again and again", async () => {
    await killAndReturn(() => tab.page.evaluate(countDowns, FAILED_ATTEMPTS));
    await expectWorks(1 << 20);
  });

  it("has complained of nothing but the outages", () => {
    const others = tab.complaints.filter((text) =>
      !/WebSocket connection to .* failed: .*ERR_CONNECTION_(REFUSED|RESET)/.test(text)
    );
    expect(others).toEqual([]);
  });
});

/** A program of the host's, once it has read the first byte. */
async function connectAndRead(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await new Promise((resolve, reject) => {
    socket.once("data", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => {});
  return socket;
}

/** @returns When a port of the host was first connected to, ms since 1970. */
async function untilListening(port: number): Promise<number> {
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
    if (isOpen) return Date.now();
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
}

if (missing !== null) {
  it("says why tabs are not tested here", () => {
    say(`A tab whose relay is killed is not tested: ${missing}`);
    expect(process.env["CI"], `with CI=true nothing may be left out: ${missing}`).toBeUndefined();
  });
}

/** A tab of Chromium on a relay that has no privileges: everything that the page promises, over the tab's own TCP. */
import { createServer } from "node:net";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Browser, startBrowser } from "../runtimes/browser.ts";
import { examine } from "./capture.ts";
import { HostServers, LAST_WORD, RESET_AFTER_BYTES } from "./host_servers.ts";
import { runHere } from "./namespace.ts";
import { seededSha256 } from "./seeded_bytes.ts";
import {
  buildProduct,
  fetchByForm,
  Installation,
  listenByForm,
  openReadyTab,
  openTab,
  privilegesOf,
  type RelayProcess,
  sha256OfFile,
  startRelay,
  statusOf,
  type Tab,
  whatTabsMiss,
} from "./tab.ts";
import { halfClose, readToReset, tryToConnect, watchSaving } from "./tab_calls.ts";
import { BYTES, curlToSha256, pageSha256, rate, readCurl, say } from "./tab_figures.ts";

/** The gateway: the loopback of the relay's host. */
const HOST = "10.0.2.2";

/** The only address that is leased in user mode. */
const ADDRESS = "10.0.2.15";

const DOWN_SEED = 1;
const UP_SEED = 2;

const HALF_CLOSE_BYTES = 3 << 20;

/** How long an open may take that must fail, ms. */
const TIMEOUT_MS = 3_000;

/** Fetches that are reset. */
const RESETS = 20;

/** Most that a page writes to a file at once: what one read from its stream gives. */
const PIECE_MAX_BYTES = 65_536;

const missing = whatTabsMiss();
if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`Tabs can not be tested: ${missing}`);
}

describe.skipIf(missing !== null)("a tab on a relay without privileges", () => {
  const servers = new HostServers();
  let installation: Installation;
  let capturePath = "";
  let relay: RelayProcess;
  let browser: Browser;
  let tab: Tab;

  beforeAll(async () => {
    await buildProduct();
    await servers.start();
    installation = new Installation();
    capturePath = installation.writable("relay.pcapng");
    const flags = ["--port", "0", "--allow-host", servers.allowed, "--capture", capturePath];
    relay = await startRelay({
      program: installation.path("dist/tidewire.mjs"),
      args: ["start", ...flags],
      isUnprivileged: true,
    });
    browser = await startBrowser();
    await browser.context.addInitScript(watchSaving);
    tab = await openReadyTab(browser, relay.pageUrl);
  });

  afterAll(async () => {
    await browser?.close();
    await relay?.stop();
    servers.close();
    installation?.delete();
  });

  const url = (path: string): string => `http://${HOST}:${servers.ports.http}${path}`;

  it("is served by a process that is not root and has no capability", () => {
    const { uids, capabilities, hasNetAdmin } = privilegesOf(relay.line.pid);
    say(`relay ${relay.line.pid}: uids ${uids.join(" ")}, capabilities ${capabilities}`);
    expect(uids).toHaveLength(4);
    expect(uids).not.toContain(0);
    expect(hasNetAdmin).toBe(false);
    expect(capabilities).toBe(0n);
  });

  it("downloads 64 MiB into a file, piece by piece", async () => {
    const { page } = tab;
    await page.check("#fetch-save");
    const download = page.waitForEvent("download");
    const status = await fetchByForm(page, url(`/${DOWN_SEED}/${BYTES}`));
    expect(status).toMatchObject({ kind: "good", bytes: BYTES });
    const path = await (await download).path();
    expect(await sha256OfFile(path)).toBe(seededSha256(DOWN_SEED, BYTES));
    const saved = await page.evaluate(() => Reflect.get(globalThis, "saved"));
    expect(saved.largest).toBeLessThanOrEqual(PIECE_MAX_BYTES);
    expect(saved.chunks).toBeGreaterThanOrEqual(BYTES / PIECE_MAX_BYTES);
    await page.uncheck("#fetch-save");
    say(`tab, user mode, captured: down ${rate(BYTES, status.ms)} into a file`);
  });

  it("serves 64 MiB to curl on the host", async () => {
    const { hostPort } = await listenByForm(tab.page, 8080, { isPublished: true });
    const command = curlToSha256(`http://127.0.0.1:${hostPort}/bytes/${BYTES}?seed=${UP_SEED}`);
    const { sha256, ms } = readCurl(await runHere("sh", ["-c", command]));
    expect(sha256).toBe(pageSha256(UP_SEED, BYTES));
    say(`tab, user mode, captured: up ${rate(BYTES, ms)}`);
  });

  it("is refused, reset, left waiting and denied with the codes that sockets have", async () => {
    const { page } = tab;
    const { full, refuses, resets } = servers.ports;
    const to = (port: number) => ({ hostname: HOST, port });
    expect(await page.evaluate(tryToConnect, to(refuses))).toBe("ConnectionRefused ECONNREFUSED");
    expect(await page.evaluate(readToReset, { ...to(resets), promised: RESET_AFTER_BYTES }))
      .toEqual({ bytes: RESET_AFTER_BYTES, read: "ECONNRESET", closed: "ECONNRESET" });
    const startMs = performance.now();
    expect(await page.evaluate(tryToConnect, { ...to(full), connectTimeoutMs: TIMEOUT_MS }))
      .toBe("TimedOut ETIMEDOUT");
    const ms = performance.now() - startMs;
    expect(ms).toBeGreaterThanOrEqual(TIMEOUT_MS);
    expect(ms).toBeLessThan(TIMEOUT_MS + 1_000);
    const denied = "HostUnreachable EHOSTUNREACH";
    // The relay's own port was not opened; 127.0.0.1 is the tab's own stack, which does not listen there.
    expect(await page.evaluate(tryToConnect, to(relay.port))).toBe(denied);
    expect(await page.evaluate(tryToConnect, { hostname: "127.0.0.1", port: relay.port }))
      .toBe("ConnectionRefused ECONNREFUSED");
    expect(await page.evaluate(tryToConnect, { hostname: "169.254.169.254", port: 80 })).toBe(
      denied,
    );
  });

  it("shows the same codes on the page", async () => {
    const { page } = tab;
    const { full, refuses } = servers.ports;
    const shown = async (where: string): Promise<string> => {
      const { kind, code, text } = await fetchByForm(page, where);
      expect(kind, text).toBe("bad");
      if (code !== "") expect(text.startsWith(`${code}: `), text).toBe(true);
      return code === "" ? text : code;
    };
    expect(await shown(`http://${HOST}:${refuses}/`)).toBe("ECONNREFUSED");
    // However much was on its way: a body that was cut off must never look whole.
    for (let i = 0; i < RESETS; i++) expect(await shown(url("/reset"))).toBe("ECONNRESET");
    expect(await shown(`http://${HOST}:${relay.port}/`)).toBe("EHOSTUNREACH");
    expect(await shown(`https://${HOST}:${servers.ports.http}/`)).toMatch(/no TLS yet/i);
    // The form gives up by itself.
    expect(await shown(`http://${HOST}:${full}/`)).toBe("ETIMEDOUT");
  });

  it("closes its half first, and goes on reading", async () => {
    const port = servers.ports.closesLast;
    const options = { hostname: HOST, port, first: "tab", bytes: HALF_CLOSE_BYTES } as const;
    const { text, sha256, state, closed } = await tab.page.evaluate(halfClose, options);
    expect(text).toBe(sha256);
    expect(state).toMatch(/^FIN-WAIT-[12]$|^TIME-WAIT$/);
    expect(closed).toBe("in order");
    const seen = await servers.next("closesLast");
    expect(seen).toMatchObject({ end: "FIN", bytes: HALF_CLOSE_BYTES, sha256 });
  });

  it("goes on writing after the server has closed its half", async () => {
    const port = servers.ports.closesFirst;
    const options = { hostname: HOST, port, first: "server", bytes: HALF_CLOSE_BYTES } as const;
    const { text, sha256, state, closed } = await tab.page.evaluate(halfClose, options);
    expect(text).toBe(LAST_WORD);
    expect(state).toBe("CLOSE-WAIT");
    expect(closed).toBe("in order");
    const seen = await servers.next("closesFirst");
    expect(seen).toMatchObject({ end: "FIN", bytes: HALF_CLOSE_BYTES, sha256 });
  });

  it("cancels a fetch, and the server sees it", async () => {
    const { page } = tab;
    await page.fill("#fetch-url", url("/endless"));
    await page.click("#fetch-start");
    await page.waitForFunction(() => {
      return document.getElementById("fetch-status")?.textContent?.includes("receiving") ?? false;
    });
    await page.click("#fetch-cancel");
    await page.waitForSelector("#fetch-start:enabled");
    expect(await statusOf(page, "fetch-status")).toMatchObject({ text: "Cancelled" });
    expect((await servers.next("http")).end).toBe("closed");
  });

  it("says that a port at the host is taken, and serves on another one", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const hostPort = typeof address === "object" && address !== null ? address.port : 0;
    try {
      const clash = await listenByForm(tab.page, 8081, { isPublished: true, hostPort });
      expect(clash).toMatchObject({ kind: "bad", code: "EADDRINUSE" });
      expect(clash.text).toContain(`Port ${hostPort} of the relay's host is taken`);
      const again = await listenByForm(tab.page, 8081, { isPublished: true });
      expect(again.kind, again.text).toBe("good");
      const { stdout } = await runHere("curl", ["-sS", `http://127.0.0.1:${again.hostPort}/`]);
      expect(stdout).toContain("Served by a browser tab");
    } finally {
      other.close();
    }
  });

  it("records its frames into a file that tshark reads", async () => {
    const { page } = tab;
    await page.click("#capture");
    await page.waitForSelector("#capture[data-state=running]");
    const bytes = 1 << 20;
    const status = await fetchByForm(page, url(`/${DOWN_SEED}/${bytes}`));
    expect(status).toMatchObject({ kind: "good", bytes });
    const download = page.waitForEvent("download");
    await page.click("#capture");
    const file = await download;
    expect(file.suggestedFilename()).toMatch(/^tidewire_.*\.pcapng$/);
    const findings = await examine(await file.path());
    expect(findings).toMatchObject({ badChecksums: 0, malformed: 0, ackedUnseen: 0 });
    // As far as they could be super-segments, they were.
    expect(findings.goodTcp).toBeGreaterThan(bytes / 65_535);
    say(`tab's own capture: ${findings.frames} frames`);
  });

  it("resets its connections when it is left, and when it is closed", async () => {
    const { reads } = servers.ports;
    for (const way of ["left", "closed"]) {
      const { page } = await openReadyTab(browser, relay.pageUrl);
      const opened = await page.evaluate(async (port) => {
        // Stays open: nobody closes it but the page that goes.
        const { lab } = globalThis as unknown as {
          lab: { stack: { connect(options: object): Promise<{ localAddress: object }> } };
        };
        return (await lab.stack.connect({ hostname: "10.0.2.2", port })).localAddress;
      }, reads);
      expect(opened).toMatchObject({ hostname: ADDRESS });
      const startMs = Date.now();
      if (way === "left") await page.goto("about:blank");
      else await page.close({ runBeforeUnload: true });
      const { end, atMs } = await servers.next("reads");
      say(`tab ${way}: the server's connection ended with ${end} after ${atMs - startMs} ms`);
      expect(end).toBe("ECONNRESET");
      if (way === "left") await page.close();
    }
  });

  it("says so when the token is wrong, and asks for the right one", async () => {
    const { page, complaints } = await openTab(browser, relay.pageUrl.replace(/.$/, "!"));
    await page.waitForSelector("#token-form:not([hidden])");
    expect(await statusOf(page, "link-text")).toMatchObject({ code: "EACCES" });
    expect((await statusOf(page, "link-text")).text).toContain("The token is wrong");
    // Nothing of it stays in the address.
    expect(page.url()).not.toContain("#");
    await page.fill("#token", relay.line.token);
    await Promise.all([
      page.waitForEvent("load"),
      page.click("#token-form button"),
    ]);
    await page.waitForSelector("#lease[data-state=bound]");
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("has complained of nothing, and neither has the relay", () => {
    expect(tab.complaints).toEqual([]);
    expect(relay.log).not.toMatch(/failed|"event":"client_ended"/);
    expect(relay.log).not.toContain(relay.line.token);
  });

  it("has sent and got frames alone in which tshark finds nothing wrong", async () => {
    await browser.close();
    expect(await relay.stop()).toBe(0);
    const startMs = performance.now();
    const findings = await examine(capturePath);
    const { frames, goodTcp } = findings;
    const tsharkS = ((performance.now() - startMs) / 1_000).toFixed(1);
    say(
      `user mode, the relay's capture: ${frames} frames, ${goodTcp} good TCP, tshark ${tsharkS} s`,
    );
    expect(findings).toMatchObject({ badChecksums: 0, malformed: 0, ackedUnseen: 0 });
    expect(goodTcp).toBeGreaterThan((2 * BYTES) / 65_535);
  });

  it("has sent the resets of the pages that went by itself", async () => {
    const filter =
      `tcp.flags.reset==1 && ip.src==${ADDRESS} && tcp.dstport==${servers.ports.reads}`;
    // What TCP carries is not looked into: it takes long, and says nothing here.
    const options = ["-o", "tcp.desegment_tcp_streams:FALSE", "-d", "tcp.port==1-65535,data"];
    const { stdout } = await runHere("tshark", ["-n", "-r", capturePath, ...options, "-Y", filter]);
    expect(stdout.trimEnd().split("\n")).toHaveLength(2);
  });
});

if (missing !== null) {
  it("says why tabs are not tested here", () => {
    say(`A tab in user mode is not tested: ${missing}`);
    expect(process.env["CI"], `with CI=true nothing may be left out: ${missing}`).toBeUndefined();
  });
}

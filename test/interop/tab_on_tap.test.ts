/** A tab of Chromium on a relay with a TAP: the kernel on the other side of it talks to the tab's own TCP. */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inRoot } from "../../src/dev/common.mjs";
import { type Browser, chromiumPath, startBrowser } from "../runtimes/browser.ts";
import { examine } from "./capture.ts";
import { Workshop } from "./launch.ts";
import { Namespace, whatIsMissing } from "./namespace.ts";
import {
  BLOCKED_PORT,
  CLOSED_PORT,
  HALF_CLOSED_BY_KERNEL_PORT,
  HALF_CLOSED_BY_US_PORT,
  HTTP_PORT,
  KERNEL_ADDRESS,
  OUR_ADDRESS,
  PREFIX_LENGTH,
} from "./ports.ts";
import { seededSha256 } from "./seeded_bytes.ts";
import {
  buildProduct,
  fetchByForm,
  listenByForm,
  openReadyTab,
  type RelayProcess,
  sha256OfFile,
  startRelay,
  type Tab,
  whatTabsMiss,
} from "./tab.ts";
import { halfClose, tryToConnect, watchSaving } from "./tab_calls.ts";
import { BYTES, curlToSha256, pageSha256, rate, readCurl, say } from "./tab_figures.ts";

const DOWN_SEED = 4;
const UP_SEED = 5;

const HALF_CLOSE_BYTES = 3 << 20;

/** How long an open may take that must fail, ms. */
const TIMEOUT_MS = 3_000;

/** A download is under way once so many bytes are there. */
const UNDER_WAY_BYTES = 8 << 20;

const missing = whatIsMissing() ?? whatTabsMiss();
if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`Tabs on a TAP can not be tested: ${missing}`);
}

describe.skipIf(missing !== null)("a tab on a relay with a TAP", () => {
  const workshop = new Workshop();
  const capturePath = workshop.path("tap.pcapng");
  let namespace: Namespace;
  let relay: RelayProcess;
  let browser: Browser;
  let tab: Tab & { readonly address: string };

  function start(port: number, flags: readonly string[]): Promise<RelayProcess> {
    const dhcp = `${OUR_ADDRESS}/${PREFIX_LENGTH}`;
    const network = ["--tap", namespace.tap, "--dhcp", dhcp, "--listen", `127.0.0.1:${port}`];
    return startRelay({
      program: inRoot("dist", "tidewire.mjs"),
      args: ["relay", ...network, ...flags],
      isUnprivileged: false,
      within: ["ip", "netns", "exec", namespace.name],
    });
  }

  beforeAll(async () => {
    await Promise.all([buildProduct(), workshop.build()]);
    namespace = new Namespace();
    await workshop.startKernelServer(namespace);
    relay = await start(0, ["--capture", capturePath]);
    // The relay listens on the loopback of the namespace, and nowhere else.
    const chromium = workshop.path("chromium");
    const command = `exec ip netns exec ${namespace.name} ${chromiumPath()} "$@"`;
    writeFileSync(chromium, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
    browser = await startBrowser([], chromium);
    await browser.context.addInitScript(watchSaving);
    tab = await openReadyTab(browser, relay.pageUrl);
  });

  afterAll(async () => {
    await browser?.close();
    await relay?.stop();
    await namespace?.[Symbol.asyncDispose]();
    workshop.delete();
  });

  const url = (path: string): string => `http://${KERNEL_ADDRESS}:${HTTP_PORT}${path}`;

  async function upload(bytes: number): Promise<{ sha256: string; ms: number }> {
    const where = `http://${tab.address}:${HTTP_PORT}/bytes/${bytes}?seed=${UP_SEED}`;
    return readCurl(await namespace.run("sh", "-c", curlToSha256(where)));
  }

  it("has a lease of the relay's, and the kernel as its router", async () => {
    const { page, address } = tab;
    expect(address).toMatch(/^10\.99\.0\.1\d\d$/);
    expect(await page.textContent("dd[data-field=gateway]")).toBe(KERNEL_ADDRESS);
    const ping = await namespace.run("ping", "-c", "3", "-i", "0.01", "-W", "2", address);
    expect(ping.stdout).toContain(" 0% packet loss");
  });

  it("downloads 64 MiB from the kernel into a file", async () => {
    const { page } = tab;
    await page.check("#fetch-save");
    const download = page.waitForEvent("download");
    const status = await fetchByForm(page, url(`/${DOWN_SEED}/${BYTES}`));
    expect(status).toMatchObject({ kind: "good", bytes: BYTES });
    const path = await (await download).path();
    expect(await sha256OfFile(path)).toBe(seededSha256(DOWN_SEED, BYTES));
    await page.uncheck("#fetch-save");
    say(`tab, TAP, captured: down ${rate(BYTES, status.ms)} into a file`);
  });

  it("serves 64 MiB to curl on the kernel", async () => {
    const status = await listenByForm(tab.page, HTTP_PORT, { isPublished: false });
    expect(status.kind, status.text).toBe("good");
    const { sha256, ms } = await upload(BYTES);
    expect(sha256).toBe(pageSha256(UP_SEED, BYTES));
    say(`tab, TAP, captured: up ${rate(BYTES, ms)}`);
  });

  it("is refused and left waiting by the kernel, and half-closes both ways", async () => {
    const { page } = tab;
    const to = (port: number) => ({ hostname: KERNEL_ADDRESS, port });
    expect(await page.evaluate(tryToConnect, to(CLOSED_PORT))).toBe(
      "ConnectionRefused ECONNREFUSED",
    );
    expect(await page.evaluate(tryToConnect, { ...to(BLOCKED_PORT), connectTimeoutMs: TIMEOUT_MS }))
      .toBe("TimedOut ETIMEDOUT");
    const bytes = HALF_CLOSE_BYTES;
    const last = { ...to(HALF_CLOSED_BY_US_PORT), first: "tab", bytes } as const;
    const answered = await page.evaluate(halfClose, last);
    expect(answered.text).toBe(answered.sha256);
    expect(answered.closed).toBe("in order");
    const first = { ...to(HALF_CLOSED_BY_KERNEL_PORT), first: "server", bytes } as const;
    const told = await page.evaluate(halfClose, first);
    expect(told).toMatchObject({
      text: "the kernel is done",
      state: "CLOSE-WAIT",
      closed: "in order",
    });
  });

  it("says that nothing is published on a TAP", async () => {
    const status = await listenByForm(tab.page, HTTP_PORT + 1, { isPublished: true });
    expect(status).toMatchObject({ kind: "bad", code: "EACCES" });
  });

  it("has sent and got frames alone in which tshark finds nothing wrong", async () => {
    const { port, line } = relay;
    expect(tab.complaints).toEqual([]);
    expect(await relay.stop()).toBe(0);
    relay = await start(port, ["--token", line.token]);
    const startMs = performance.now();
    const findings = await examine(capturePath);
    const { frames, goodTcp, mangledZeros } = findings;
    const tsharkS = ((performance.now() - startMs) / 1_000).toFixed(1);
    say(
      `TAP, the relay's capture: ${frames} frames, ${goodTcp} good TCP, ` +
        `${mangledZeros} zeros of the kernel's, tshark ${tsharkS} s`,
    );
    expect(findings).toMatchObject({ badChecksums: 0, malformed: 0, ackedUnseen: 0 });
    // As far as they could be super-segments, they were.
    expect(goodTcp).toBeGreaterThan((2 * BYTES) / 65_535);
  });

  it("goes on after the relay was started again, at its own address", async () => {
    await tab.page.waitForSelector("#link[data-state=up]");
    const status = await fetchByForm(tab.page, url(`/${DOWN_SEED}/${BYTES}`));
    expect(status).toMatchObject({ kind: "good", bytes: BYTES });
    const { sha256, ms } = await upload(BYTES);
    expect(sha256).toBe(pageSha256(UP_SEED, BYTES));
    say(`tab, TAP: down ${rate(BYTES, status.ms)}, up ${rate(BYTES, ms)}`);
  });

  it("loses nothing when the relay is killed during a download, and returns", async () => {
    const { page } = tab;
    const { port, line } = relay;
    await page.check("#fetch-save");
    const download = page.waitForEvent("download");
    const fetched = fetchByForm(page, url(`/${DOWN_SEED}/${BYTES}`));
    await page.waitForFunction((bytes) => {
      const bar = document.getElementById("fetch-progress") as HTMLProgressElement;
      return !bar.hidden && bar.value >= bytes && bar.value < bar.max;
    }, UNDER_WAY_BYTES);
    await relay.stop("SIGKILL");
    expect(await page.isDisabled("#fetch-start")).toBe(true);
    relay = await start(port, ["--token", line.token]);
    expect(await fetched).toMatchObject({ kind: "good", bytes: BYTES });
    const path = await (await download).path();
    expect(await sha256OfFile(path)).toBe(seededSha256(DOWN_SEED, BYTES));
    await page.uncheck("#fetch-save");
  });

  it("has complained of nothing but the outages", () => {
    const others = tab.complaints.filter((text) =>
      !/WebSocket connection to .* failed: .*ERR_CONNECTION_(REFUSED|RESET)/.test(text)
    );
    expect(others).toEqual([]);
  });
});

if (missing !== null) {
  it("says why tabs on a TAP are not tested here", () => {
    say(`A tab on a relay with a TAP is not tested: ${missing}`);
    expect(process.env["CI"], `with CI=true nothing may be left out: ${missing}`).toBeUndefined();
  });
}

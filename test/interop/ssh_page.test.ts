/** The page with a terminal, in Chromium over the relay's TAP: ssh2 and xterm.js against the system's own sshd. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inRoot } from "../../src/dev/common.mjs";
import { type Browser, chromiumPath, startBrowser } from "../runtimes/browser.ts";
import { Namespace, whatIsMissing } from "./namespace.ts";
import { CLOSED_PORT, KERNEL_ADDRESS, OUR_ADDRESS, PREFIX_LENGTH } from "./ports.ts";
import { SERVICE_PASSWORD, Sshd, whatServicesMiss } from "./services.ts";
import {
  buildProduct,
  openReadyTab,
  type RelayProcess,
  startRelay,
  statusOf,
  type Tab,
  whatTabsMiss,
} from "./tab.ts";

const missing = whatIsMissing() ?? whatTabsMiss() ?? whatServicesMiss();
if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`The page with a terminal can not be tested: ${missing}`);
}

/** What the test uses of xterm.js's terminal. */
interface SeenTerminal {
  readonly cols: number;
  readonly rows: number;
  readonly buffer: {
    readonly active: {
      readonly length: number;
      getLine(at: number): { translateToString(isTrimmed: boolean): string } | undefined;
    };
  };
}

/** What the page has for the console. */
interface Scope {
  readonly lab: { readonly terminal: SeenTerminal };
}

/** Waits until the terminal shows a text. */
async function shows(page: Page, text: string): Promise<void> {
  await page.waitForFunction((text) => {
    const { active } = (globalThis as unknown as Scope).lab.terminal.buffer;
    const lines = Array.from({ length: active.length }, (_, at) => {
      return active.getLine(at)?.translateToString(true) ?? "";
    });
    return lines.some((line) => line === text);
  }, text);
}

/** Rows and columns, as `stty size` writes them. */
function sizeOf(page: Page): Promise<string> {
  return page.evaluate(() => {
    const { rows, cols } = (globalThis as unknown as Scope).lab.terminal;
    return `${rows} ${cols}`;
  });
}

/** Waits for an end of what `#ssh-connect` has begun. */
async function over(page: Page): Promise<{ kind: string; code: string; text: string }> {
  await page.waitForSelector("#ssh-connect:enabled");
  return await statusOf(page, "ssh-status");
}

describe.skipIf(missing !== null)("the page with a terminal", () => {
  const folder = mkdtempSync(join(tmpdir(), "tidewire_ssh_page_"));
  let namespace: Namespace;
  let relay: RelayProcess;
  let browser: Browser;
  let sshd: Sshd;
  let tab: Tab;

  beforeAll(async () => {
    await buildProduct();
    namespace = new Namespace();
    sshd = new Sshd(namespace);
    await sshd.start();
    const dhcp = `${OUR_ADDRESS}/${PREFIX_LENGTH}`;
    relay = await startRelay({
      program: inRoot("dist", "tidewire.mjs"),
      args: ["relay", "--tap", namespace.tap, "--dhcp", dhcp, "--listen", "127.0.0.1:0"],
      isUnprivileged: false,
      within: ["ip", "netns", "exec", namespace.name],
    });
    const chromium = join(folder, "chromium");
    const command = `exec ip netns exec ${namespace.name} ${chromiumPath()} "$@"`;
    writeFileSync(chromium, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
    browser = await startBrowser([], chromium);
    tab = await openReadyTab(browser, relay.pageUrl);
  });

  afterAll(async () => {
    await browser?.close();
    await relay?.stop();
    await sshd?.[Symbol.asyncDispose]();
    await namespace?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it("is a page of its own: the first one loads nothing of it", async () => {
    const { page } = tab;
    const loaded = await page.evaluate(() => performance.getEntries().map(({ name }) => name));
    expect(loaded.some((name) => name.endsWith("/main.js"))).toBe(true);
    expect(loaded.filter((name) => name.includes("/ssh/"))).toEqual([]);
    await page.click("a[href='ssh/index.html']");
    await page.waitForSelector("#lease[data-state=bound]");
    expect(new URL(page.url()).pathname).toBe("/ssh/index.html");
  });

  it("says what is wrong with a host or a key", async () => {
    const { page } = tab;
    await page.fill("#ssh-host", KERNEL_ADDRESS);
    await page.fill("#ssh-user", "root");
    await page.fill("#ssh-port", String(CLOSED_PORT));
    await page.click("#ssh-connect");
    expect(await over(page)).toMatchObject({ kind: "bad", code: "ECONNREFUSED" });
    await page.fill("#ssh-port", "22");
    await page.click("summary");
    await page.fill("#ssh-key", "-----BEGIN NOTHING-----");
    await page.click("#ssh-connect");
    const { kind, text } = await over(page);
    expect({ kind, text }).toMatchObject({
      kind: "bad",
      text: expect.stringMatching(/^Cannot read the private key: /),
    });
  });

  it("asks about the key of a new host, and does not go on without an answer", async () => {
    const { page } = tab;
    await page.fill("#ssh-key", readFileSync(sshd.keyPath, "utf8"));
    await page.click("#ssh-connect");
    await page.waitForSelector("#host-key:visible");
    expect(await page.textContent("#host-key-fingerprint")).toBe(sshd.hostFingerprint);
    await page.click("#host-key-refuse");
    const { kind, text } = await over(page);
    expect({ kind, text }).toMatchObject({
      kind: "bad",
      text: expect.stringContaining("was not confirmed"),
    });
  });

  it("logs in by a key, and shows what a command writes", async () => {
    const { page } = tab;
    await page.click("#ssh-connect");
    await page.click("#host-key-accept");
    await page.waitForSelector("#terminal[data-state=open]");
    // Nothing was clicked: the terminal has the keyboard.
    await page.keyboard.type('echo "<$((6 * 7))>"\n');
    await shows(page, "<42>");
  });

  it("tells the server its size, and that it has changed", async () => {
    const { page } = tab;
    const before = await sizeOf(page);
    await page.keyboard.type('echo "<$(stty size)>"\n');
    await shows(page, `<${before}>`);
    await page.setViewportSize({ width: 700, height: 600 });
    await page.waitForFunction((before) => {
      const { rows, cols } = (globalThis as unknown as Scope).lab.terminal;
      return `${rows} ${cols}` !== before;
    }, before);
    const after = await sizeOf(page);
    await page.keyboard.type('echo "<$(stty size)>"\n');
    await shows(page, `<${after}>`);
  });

  it("shows a large output to its end", async () => {
    const { page } = tab;
    await page.keyboard.type('seq 200000 && echo "<$((40 + 4))>"\n');
    await shows(page, "<44>");
    await shows(page, "199999");
  });

  it("leaves the terminal by a key, and closes when the shell ends", async () => {
    const { page } = tab;
    await page.keyboard.press("Shift+Escape");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("ssh-disconnect");
    await page.click("#terminal");
    await page.keyboard.type("exit 3\n");
    await page.waitForSelector("#terminal[data-state=closed]");
    const { text } = await over(page);
    expect(text).toBe("The shell ended with 3");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("ssh-connect");
  });

  it("logs in by a password, without a question: the key is known", async () => {
    const { page } = tab;
    await page.fill("#ssh-key", "");
    await page.fill("#ssh-password", "wrong");
    await page.click("#ssh-connect");
    const refused = await over(page);
    expect(refused.text).toBe("The server does not let root in by this password");
    await page.fill("#ssh-password", SERVICE_PASSWORD);
    await page.click("#ssh-connect");
    await page.waitForSelector("#terminal[data-state=open]");
    await page.keyboard.type('echo "<$((7 * 7))>"\n');
    await shows(page, "<49>");
    await page.click("#ssh-disconnect");
    expect((await over(page)).kind).toBe("plain");
  });

  it("says that the connection was lost, and connects anew", async () => {
    const { page } = tab;
    await page.click("#ssh-connect");
    await page.waitForSelector("#terminal[data-state=open]");
    await page.keyboard.type("kill -9 $PPID\n");
    expect((await over(page)).kind).toBe("bad");
    await page.click("#ssh-connect");
    await page.waitForSelector("#terminal[data-state=open]");
    await page.keyboard.type('echo "<$((8 * 8))>"\n');
    await shows(page, "<64>");
    await page.click("#ssh-disconnect");
    expect(await over(page)).toMatchObject({ kind: "plain", text: "Disconnected" });
  });

  it("refuses a host whose key has changed, until that is forgotten", async () => {
    const { page } = tab;
    const before = sshd.hostFingerprint;
    sshd.renewHostKey();
    await sshd.restart();
    await page.click("#ssh-connect");
    const { kind, text } = await over(page);
    expect(kind).toBe("bad");
    expect(text).toContain("has changed");
    expect(text).toContain(before);
    expect(text).toContain(sshd.hostFingerprint);
    await page.click("#ssh-forget");
    await page.click("#ssh-connect");
    await page.waitForSelector("#host-key:visible");
    expect(await page.textContent("#host-key-fingerprint")).toBe(sshd.hostFingerprint);
    await page.click("#host-key-accept");
    await page.waitForSelector("#terminal[data-state=open]");
    await page.click("#ssh-disconnect");
    await over(page);
  });

  it("has complained of nothing: the policy forbids nothing that it needs", () => {
    expect(tab.complaints).toEqual([]);
  });
});

if (missing !== null) {
  it("says why the page with a terminal is not tested here", () => {
    expect(process.env["CI"], `with CI=true nothing may be left out: ${missing}`).toBeUndefined();
  });
}

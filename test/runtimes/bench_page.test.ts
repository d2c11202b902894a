/** The page that measures, in Chromium: it runs a case, shows it, and saves it. No figure is looked at but for its sanity. */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inRoot, run, scriptCommand } from "../../src/dev/common.mjs";
import { servePage } from "../../src/relay/page.ts";
import { type Browser, chromiumPath, startBrowser } from "./browser.ts";

/** Small, and large enough for the clock of a page, which has coarse steps. */
const REQUEST = { cases: ["bulk", "churn"], variants: ["clean", "idle=0"], repeat: 2, size: 0.05 };

describe.skipIf(chromiumPath() === null)("the page that measures", () => {
  let server: Server;
  let browser: Browser;
  let base = "";
  const posted: string[] = [];

  beforeAll(async () => {
    const { code } = await run(scriptCommand("src/dev/build.mjs", []), { stdout: "stderr" });
    expect(code).toBe(0);
    const serve = servePage(inRoot("dist", "web"));
    server = createServer((request, response) => {
      const path = new URL(request.url ?? "/", "http://page").pathname;
      if (request.method !== "POST") {
        if (!serve(path, request, response)) response.writeHead(404).end();
        return;
      }
      let body = "";
      request.setEncoding("utf8").on("data", (part) => (body += part));
      request.on("end", () => {
        posted.push(body);
        response.writeHead(204).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/bench/index.html`;
    browser = await startBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
  });

  test("it runs what its address asks for, tells the command, and saves it", async () => {
    const page = await browser.context.newPage();
    const problems: string[] = [];
    page.on("pageerror", ({ message }) => problems.push(message));
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(message.text());
    });
    await page.goto(`${base}#request=${encodeURIComponent(JSON.stringify(REQUEST))}`);
    await page.waitForSelector("#status[data-state=done]");
    expect(await page.locator("#results tbody tr").count()).toBeGreaterThanOrEqual(6);
    expect(await page.locator("#charts svg").count()).toBe(3);
    const downloading = page.waitForEvent("download");
    await page.click("#save");
    const path = await (await downloading).path();
    const lines = readFileSync(path, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
    expect(lines.map((line) => `${line.case}/${line.variant}`)).toContain("bulk/clean");
    for (const line of lines) {
      expect(line).toMatchObject({ runtime: "chromium", clock: "wall", n: 2 });
      expect(line.median).toBeGreaterThan(0);
    }
    const told = posted.map((body) => Object.keys(JSON.parse(body))[0]);
    expect(told.filter((kind) => kind === "said")).toHaveLength(lines.length);
    expect(told.at(-1)).toBe("done");
    expect(problems).toEqual([]);
  });

  test("it says what is wrong with what it is asked for", async () => {
    const page = await browser.context.newPage();
    const request = { ...REQUEST, cases: ["nothing"] };
    await page.goto(`${base}#request=${encodeURIComponent(JSON.stringify(request))}`);
    await page.waitForSelector("#status[data-state=failed]");
    expect(await page.textContent("#status")).toContain('Cannot run the case "nothing": there are');
  });
});

if (chromiumPath() === null) {
  test("the page that measures is not tested without Chromium, which CI has", () => {
    expect(process.env["CI"]).toBeUndefined();
  });
}

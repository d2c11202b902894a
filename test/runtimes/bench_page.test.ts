/** The page that measures, in Chromium: it runs a case, shows it, and saves it. No figure is looked at but for its sanity. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Result } from "../../src/bench/bench_case.ts";
import { htmlReport } from "../../src/bench/html_report.ts";
import { chartParts } from "../../src/bench/main.ts";
import { inRoot, run, scriptCommand } from "../../src/dev/common.mjs";
import { servePage } from "../../src/relay/page.ts";
import { type Browser, chromiumPath, startBrowser } from "./browser.ts";

/** Small, and large enough for the clock of a page, which has coarse steps. */
const REQUEST = { cases: ["bulk", "churn"], variants: ["clean", "idle=0"], repeat: 2, size: 0.05 };

/** One chart as it stands in a page. */
interface Seen {
  readonly title: string;
  /** Names of the series, from the legend. */
  readonly series: readonly string[];
  /** Pixels of the canvas in the colour of the bars, and in that of the page's text. */
  readonly bars: number;
  readonly text: number;
}

/** What uPlot has drawn. */
function seenCharts(page: Page): Promise<Seen[]> {
  return page.evaluate(() => {
    const pixels = (canvas: HTMLCanvasElement, color: string): number => {
      const context = canvas.getContext("2d")!;
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      const wanted = color.match(/\d+/g)!.map(Number);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] === 255 && wanted.every((part, i) => data[at + i] === part)) count++;
      }
      return count;
    };
    return [...document.querySelectorAll<HTMLElement>("#charts > .uplot")].map((chart) => {
      const canvas = chart.querySelector("canvas")!;
      const marker = chart.querySelector(".u-marker")!;
      return {
        title: chart.querySelector(".u-title")?.textContent ?? "",
        series: [...chart.querySelectorAll(".u-label")].map((label) => label.textContent ?? ""),
        bars: pixels(canvas, getComputedStyle(marker).backgroundColor),
        text: pixels(canvas, getComputedStyle(document.body).color),
      };
    });
  });
}

const SERIES: readonly string[] = ["median", "smallest to largest run"];

function result(given: Partial<Result>): Result {
  return {
    ...{ case: "bulk", variant: "clean", runtime: "node", metric: "cpu_s_per_gb", unit: "s/GB" },
    ...{ median: 0.3, min: 0.2, max: 0.4, n: 5, ratioTo: null, ratio: null, difference: null },
    ...{ clock: "cpu", runtimeVersion: "20", note: "" },
    ...given,
  };
}

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
    const charts = await seenCharts(page);
    expect(charts).toHaveLength(3);
    for (const { series, bars, text } of charts) {
      expect(series).toEqual(SERIES);
      expect(bars).toBeGreaterThan(0);
      expect(text).toBeGreaterThan(0);
    }
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

  test("a report draws the same charts from one file, without a network, light and dark", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tidewire_report_"));
    const path = join(folder, "report.html");
    const results = [
      result({}),
      result({ variant: "loss", runtime: "deno", median: 0.6, max: 0.9 }),
      result({ case: "churn", metric: "ops_per_cpu_s", unit: "1/s", min: 0.3, max: 0.3 }),
    ];
    const origin = { machine: "a machine", commit: "abc" };
    writeFileSync(path, htmlReport(results, origin, chartParts(inRoot("dist"))));
    const page = await browser.context.newPage();
    const asked: string[] = [];
    const problems: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    page.on("pageerror", ({ message }) => problems.push(message));
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(message.text());
    });
    const url = pathToFileURL(path).href;
    await page.goto(url);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      // The page is told of the other colours with the next frame, and draws before the one after it.
      await page.evaluate(() =>
        new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
      );
      const charts = await seenCharts(page);
      expect(charts.map(({ title }) => title)).toEqual([
        "bulk, cpu_s_per_gb",
        "churn, ops_per_cpu_s",
      ]);
      for (const { series, bars, text } of charts) {
        expect(series).toEqual(SERIES);
        expect(bars).toBeGreaterThan(0);
        expect(text, colorScheme).toBeGreaterThan(0);
      }
    }
    expect(asked).toEqual([url]);
    expect(problems).toEqual([]);
    rmSync(folder, { recursive: true, force: true });
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

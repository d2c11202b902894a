/**
 * The page that measures: one button, progress, charts, and all numbers as JSON. With a request in its address
 * (`#request=…`) it runs that at once and posts what it is told to where it came from: so `npm run bench` drives a browser.
 *
 * Ids, for tests: `#run`, `#save`, `#status` (`data-state` is `idle`, `running`, `done` or `failed`), `#progress`, `#charts`,
 * `#results`.
 */
import { charts } from "../../src/bench/chart.ts";
import { resultTable } from "../../src/bench/html_report.ts";
import { download } from "../save.ts";
import { drawCharts } from "./charts.ts";
import type { News, Order, Request, Said } from "./messages.ts";

/** Everything that needs no network beside the page. */
const CASES: readonly string[] = [
  "kernels",
  "pipeline",
  "pipeline-super",
  "bulk",
  "bulk-super",
  "streams",
  "churn",
  "idle",
  "latency",
  "many",
  "udp",
];

/** Of `churn`, what fits into a tab: a million idle connections do not. */
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  churn: ["idle=0", "idle=1000", "idle=10000", "idle=100000"],
};

/** Runs of each. */
const REPEAT = 5;

/** Scale of a run on the page: a person waits. */
const SIZE = 0.25;

const REQUEST_KEY = "#request=";

type Result = Extract<Said, { readonly result: unknown }>["result"];

function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`Cannot find #${id}`);
  return element;
}

const results: Result[] = [];
const missing: string[] = [];

function show(state: "running" | "done" | "failed", text: string): void {
  const status = byId("status");
  status.dataset["state"] = state;
  status.textContent = text;
  (byId("save") as HTMLButtonElement).disabled = state === "running";
}

function draw(): void {
  drawCharts(charts(results), byId("charts"));
  byId("results").innerHTML = resultTable(results);
}

/** Runs a request in a worker of its own. @param onNews Told everything. */
function runInWorker(request: Request, onNews: (news: News) => void): Promise<void> {
  const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      worker.terminate();
      settle();
    };
    worker.addEventListener("error", ({ message }) => end(() => reject(new Error(message))));
    worker.addEventListener("message", ({ data }: MessageEvent<News>) => {
      onNews(data);
      if ("done" in data) end(resolve);
      else if ("failed" in data) end(() => reject(new Error(data.failed)));
    });
    worker.postMessage({ request } satisfies Order);
  });
}

function take(news: News): void {
  if ("progress" in news) show("running", news.progress);
  if (!("said" in news)) return;
  if ("missing" in news.said) missing.push(news.said.missing);
  else results.push(news.said.result);
  draw();
}

async function runAll(): Promise<void> {
  const progress = byId("progress") as HTMLProgressElement;
  const run = byId("run") as HTMLButtonElement;
  run.disabled = true;
  progress.hidden = false;
  results.length = 0;
  missing.length = 0;
  try {
    for (const [index, name] of CASES.entries()) {
      progress.value = index / CASES.length;
      const variants = VARIANTS[name];
      const chosen = variants === undefined ? {} : { variants };
      await runInWorker({ cases: [name], ...chosen, repeat: REPEAT, size: SIZE }, take);
    }
    show("done", ["Done.", ...missing].join(" "));
  } catch (error) {
    show("failed", error instanceof Error ? error.message : String(error));
  }
  progress.hidden = true;
  run.disabled = false;
}

/** What `--json` prints, in one file. */
function save(): void {
  const machine = `${navigator.userAgent}, ${navigator.hardwareConcurrency} processors`;
  const lines = results.map((result) => JSON.stringify({ ...result, machine }));
  download(
    new Blob([`${lines.join("\n")}\n`], { type: "application/json" }),
    "tidewire_bench.json",
  );
}

/** Runs what the command asks for, and tells it. */
async function runForCommand(request: Request): Promise<void> {
  const post = (news: News): Promise<unknown> =>
    fetch("said", { method: "POST", body: JSON.stringify(news) });
  let posted: Promise<unknown> = Promise.resolve();
  const onNews = (news: News): void => {
    take(news);
    posted = posted.then(() => post(news));
  };
  try {
    await runInWorker(request, onNews);
    show("done", "Done.");
  } catch (error) {
    const failed = error instanceof Error ? error.message : String(error);
    posted = posted.then(() => post({ failed }));
    show("failed", failed);
  }
  await posted;
}

byId("run").addEventListener("click", () => void runAll());
byId("save").addEventListener("click", save);
if (location.hash.startsWith(REQUEST_KEY)) {
  const text = decodeURIComponent(location.hash.slice(REQUEST_KEY.length));
  await runForCommand(JSON.parse(text) as Request);
}

/**
 * The command: chooses cases and runtimes, runs each case in a process of its own, so that none inherits another's heap,
 * and prints what comes. `src/dev/bench.mjs` builds it, finds the runtimes and calls {@linkcode main}.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import process from "node:process";
import type { Result, RuntimeName } from "./bench_case.ts";
import { type BenchArgs, BenchUsageError, helpText, readBenchArgs } from "./bench_args.ts";
import { type Said, SUITE } from "./cases.ts";
import { headLine, jsonLine, type Origin, textLine } from "./report.ts";
import { type ChartParts, htmlReport } from "./html_report.ts";
import { Namespace } from "./namespace.ts";
import { openSetting, whyNoSetting } from "./network_setting.ts";
import { runPeers } from "./peers.ts";
import { type CaseRequest, runCase } from "./run_cases.ts";
import { type BrowserName, browserPath, runInBrowser, startPageServer } from "./run_browser.ts";
import { judge, TABLE_RUNS, tableNeeds, tableText } from "./table.ts";

/** What the script that started us knows. */
export interface Host {
  /** Path of `dist/`. */
  readonly dist: string;
  readonly commit: string;
  /** The runtime that runs us. */
  readonly own: RuntimeName;
  /** Program and arguments before a script; absent = not on this machine. */
  readonly commands: Readonly<Partial<Record<RuntimeName, readonly string[]>>>;
}

/** Bytes of a GiB. */
const GIB = 2 ** 30;

/** Processor, how many of them, memory, system. */
function machineName(): string {
  const all = cpus();
  const gib = Math.round(totalmem() / GIB);
  return `${all[0]?.model.trim() ?? process.arch}, ${all.length} processors, ${gib} GiB, ` +
    `${process.platform} ${release()}`;
}

/** How a runtime that is not here can be had. */
const REMEDIES: Readonly<Record<RuntimeName, string>> = {
  node: "Node 20 or newer on the PATH",
  deno: "`npm ci` in the clone",
  bun: "`npm ci` in the clone",
  chromium: "`npm run setup -- --tests` as root",
  firefox: "the system's package of Firefox",
};

function isBrowser(name: RuntimeName): name is BrowserName {
  return name === "chromium" || name === "firefox";
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Cases by name, each with the variants that were asked for; undefined = all of them. */
function chosenCases(
  cases: readonly string[],
  hasPeers: boolean,
): Map<string, string[] | undefined> {
  const chosen = new Map<string, string[] | undefined>();
  const peers = SUITE.filter(({ isPeer }) => isPeer === true).map(({ name }) => name);
  const own = SUITE.filter(({ isPeer }) => isPeer !== true).map(({ name }) => name);
  const wanted = cases.length > 0 ? cases : own;
  for (const text of hasPeers ? [...wanted, ...peers] : wanted) {
    const at = text.indexOf("/");
    if (at < 0) chosen.set(text, undefined);
    else {
      const name = text.slice(0, at);
      chosen.set(name, [...chosen.get(name) ?? [], text.slice(at + 1)]);
    }
  }
  return chosen;
}

/** Cases that could not be measured to their end. */
let failures = 0;

function hasFailed(): boolean {
  return failures > 0;
}

/** Where results and news go. */
interface Voices {
  readonly onSaid: (said: Said) => void;
  readonly onProgress: (line: string) => void;
}

/** Runs cases in one runtime, or says why not. */
async function runIn(
  name: RuntimeName,
  cases: readonly string[],
  { repeat, size, peers }: BenchArgs,
  host: Host,
  onSaid: (said: Said) => void,
): Promise<void> {
  const isHere = isBrowser(name)
    ? browserPath(name) !== undefined
    : host.commands[name] !== undefined;
  if (!isHere) {
    note(`bench: ${name} is not here, so nothing ran in it; ${REMEDIES[name]} brings it`);
    return;
  }
  const onProgress = (line: string): void => {
    if (process.stderr.isTTY) note(line);
  };
  for (const [caseName, variants] of chosenCases(cases, peers)) {
    const bench = SUITE.find((one) => one.name === caseName);
    if (bench === undefined) continue;
    const chosen = variants === undefined ? {} : { variants };
    try {
      await runOne(name, { bench, ...chosen, repeat, size }, host, { onSaid, onProgress });
    } catch (error) {
      // One case that fails takes none of the others with it.
      note(`bench: ${error instanceof Error ? error.message : String(error)}`);
      failures++;
    }
  }
}

/** Runs one case, in the network that it needs. */
async function runOne(
  name: RuntimeName,
  request: CaseRequest,
  host: Host,
  voices: Voices,
): Promise<void> {
  const { needs } = request.bench;
  const why = needs === undefined ? null : whyNoSetting();
  if (why !== null) {
    voices.onSaid({ missing: `${request.bench.name} did not run: ${why}` });
    return;
  }
  if (isBrowser(name)) return await runInTab(name, request, host, voices);
  const command = host.commands[name] ?? [];
  const bundle = `${host.dist}/bench/cases.mjs`;
  if (needs === undefined) return await runCase(bundle, request, { command, ...voices });
  const made = await openSetting(needs, { ...partsOf(host), command, origins: [] });
  try {
    const { setting, within } = made;
    await runCase(bundle, { ...request, setting }, {
      command: [...within, ...command],
      ...voices,
    });
  } finally {
    await made.close();
  }
}

/** What runs beside a case. */
function partsOf({ dist, commands }: Host): { dist: string; kernelCommand: readonly string[] } {
  return { dist, kernelCommand: commands.node ?? commands.deno ?? [] };
}

/** The same in a browser: the page's server stands in the same network, before the relay that must know its origin. */
async function runInTab(
  name: BrowserName,
  { bench, variants, repeat, size }: CaseRequest,
  host: Host,
  voices: Voices,
): Promise<void> {
  const { dist, kernelCommand } = partsOf(host);
  const namespace = bench.needs === undefined ? null : new Namespace();
  const within = namespace === null ? [] : ["ip", "netns", "exec", namespace.name];
  const server = await startPageServer([...within, ...kernelCommand], dist);
  try {
    const made = bench.needs === undefined || namespace === null ? null : await openSetting(
      bench.needs,
      { dist, kernelCommand, command: kernelCommand, origins: [server.origin] },
      namespace,
    );
    const chosen = variants === undefined ? {} : { variants };
    const where = made === null ? {} : { setting: made.setting };
    const request = { cases: [bench.name], ...chosen, ...where, repeat, size };
    await runInBrowser(server, request, { name, within, ...voices });
  } finally {
    server.close();
    await namespace?.[Symbol.asyncDispose]();
  }
}

/** Tells what is said: a result to whom it may concern, what is missing to a person. */
function listener(onResult: (result: Result) => void): (said: Said) => void {
  return (said) => {
    if ("missing" in said) note(`bench: ${said.missing}`);
    else onResult(said.result);
  };
}

/** What the build made for reports. @param dist Path of `dist/`. */
export function chartParts(dist: string): ChartParts {
  const read = (name: string): string => readFileSync(`${dist}/${name}`, "utf8");
  return { script: read("bench/report.js"), style: read("web/bench/uplot.css") };
}

async function runAll(args: BenchArgs, host: Host, origin: Origin): Promise<void> {
  if (!args.json) {
    say(`${origin.machine}; commit ${origin.commit}`);
    say(headLine());
  }
  const results: Result[] = [];
  const onSaid = listener((result) => {
    results.push(result);
    say(args.json ? jsonLine(result, origin) : textLine(result));
  });
  for (const runtime of args.runtimes.length > 0 ? args.runtimes : [host.own]) {
    await runIn(runtime, args.cases, args, host, onSaid);
  }
  if (args.peers) {
    const onMissing = (missing: string): void => onSaid({ missing });
    await runPeers(args.repeat, (result) => onSaid({ result }), onMissing);
  }
  if (args.html !== null) {
    writeFileSync(args.html, htmlReport(results, origin, chartParts(host.dist)));
  }
}

/** Runs what the table needs. @returns Whether nothing failed. */
async function runTable(args: BenchArgs, host: Host, origin: Origin): Promise<boolean> {
  const results: Result[] = [];
  const onSaid = listener((result) => {
    results.push(result);
    note(textLine(result));
  });
  const wanted = args.runtimes.length > 0 ? args.runtimes : TABLE_RUNS;
  for (const runtime of wanted) {
    await runIn(runtime, tableNeeds(runtime), args, host, onSaid);
  }
  const lines = judge(results).filter(({ runtime }) => wanted.includes(runtime));
  if (args.json) { for (const line of lines) say(JSON.stringify({ ...line, ...origin })); }
  else say(`${origin.machine}; commit ${origin.commit}\n\n${tableText(lines)}`);
  return lines.every(({ verdict }) => verdict !== "fails");
}

/**
 * Runs the command.
 *
 * @param words What stands after the script's name.
 * @param host What the script knows.
 * @returns The exit code.
 */
export async function main(words: readonly string[], host: Host): Promise<number> {
  try {
    const known = SUITE.map(({ name, variants }) =>
      [name, variants.map((one) => one.name)] as const
    );
    const args = readBenchArgs(words, new Map(known));
    const origin = { machine: machineName(), commit: host.commit };
    if (args.help) process.stdout.write(helpText(SUITE.map(({ name, about }) => [name, about])));
    else if (args.table) return await runTable(args, host, origin) && !hasFailed() ? 0 : 1;
    else await runAll(args, host, origin);
    return hasFailed() ? 1 : 0;
  } catch (error) {
    if (!(error instanceof BenchUsageError) && !(error instanceof Error)) throw error;
    note(`bench: ${error.message}`);
    return 1;
  }
}

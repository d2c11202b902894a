/** `tidewire relay` and `tidewire start`: makes everything, tells where it is, and ends it in order. */
import { get } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { systemClock } from "../runtime/system_clock.ts";
import { systemRandom } from "../runtime/system_random.ts";
import { assertSimd } from "../core/wasm_source.ts";
import { clampMss } from "../link/mss_clamp.ts";
import { offload } from "../link/offload.ts";
import { openTap } from "../link/tap.ts";
import { websocketLink } from "../link/websocket.ts";
import { type CaptureFile, openCapture } from "../relay/capture.ts";
import { userNetwork } from "../relay/gateway.ts";
import { type Log, rateLimitedLog } from "../relay/log.ts";
import { servePage } from "../relay/page.ts";
import { makeToken } from "../relay/protocol.ts";
import { type Relay, type RelayNetwork, startRelay } from "../relay/server.ts";
import { tapNetwork } from "../relay/tap_bridge.ts";
import type { Clock } from "../runtime/clock.ts";
import { type RelayCommand, UsageError } from "./args.ts";

/** From the signal to the end, ms, whatever hangs. */
const END_MS = 2_800;

/** How long the relay may take to answer itself, ms. */
const CHECK_MS = 10_000;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What is running. */
interface Running {
  readonly relay: Relay;
  readonly token: string;
  close(): Promise<void>;
}

/**
 * Runs a relay until a signal comes; then the process ends.
 *
 * @throws UsageError with a sentence if it can not start.
 */
export async function runRelay(command: RelayCommand): Promise<void> {
  checkWasm();
  const log = rateLimitedLog((line) => process.stderr.write(`${line}\n`), () => performance.now());
  const running = await start(command, log);
  let isEnding = false;
  const end = () => {
    if (isEnding) return;
    isEnding = true;
    // Whatever does not close by itself is closed with the process.
    setTimeout(() => process.exit(0), END_MS).unref();
    running.close().then(() => process.exit(0), () => process.exit(0));
  };
  for (const signal of SIGNALS) process.on(signal, end);
  // Someone who reads our line may have gone.
  process.stdout.on("error", () => {});
  if (command.json) await checkAnswers(running);
  if (isEnding) return;
  announce(command, running);
}

function checkWasm(): void {
  try {
    assertSimd();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function start(command: RelayCommand, log: Log): Promise<Running> {
  const clock = systemClock();
  const token = command.token ?? makeToken();
  const capture = command.capture === null ? null : await openFile(command.capture, clock, log);
  let network: RelayNetwork | null = null;
  try {
    network = await makeNetwork(command, clock, capture, log);
    const { hostname, port, origins } = command;
    const relay = await startRelay({
      hostname,
      port,
      token,
      origins,
      network,
      clock,
      log,
      // In every mode: a tab can not get to a TAP but by the page of the relay that has it.
      serve: servePage(pageFolder()),
    });
    const close = async (): Promise<void> => {
      await relay.close();
      await capture?.close();
    };
    return { relay, token, close };
  } catch (error) {
    await network?.close();
    await capture?.close();
    throw explain(error, command);
  }
}

async function makeNetwork(
  command: RelayCommand,
  clock: Clock,
  capture: CaptureFile | null,
  log: Log,
): Promise<RelayNetwork> {
  const random = systemRandom();
  const { rules, hostPorts, publish, tap: name, dhcp } = command;
  if (name === null) {
    const decorate = capture === null ? {} : { decorate: capture.decorate };
    return userNetwork({ clock, random, log, egress: { rules, hostPorts }, publish, ...decorate });
  }
  const opened = await openTap({ name });
  // Where the kernel grants none, clients send large records all the same; they are split before the TAP.
  const whole = opened.offload === 0 ? offload(opened) : opened;
  const device = command.mssClamp === null ? whole : clampMss(whole, command.mssClamp);
  const tap = capture?.decorate(device) ?? device;
  const served = dhcp === null ? {} : { dhcp };
  return await tapNetwork({ tap, name, clock, random, log, ...served });
}

async function openFile(path: string, clock: Clock, log: Log): Promise<CaptureFile> {
  try {
    return await openCapture(
      path,
      clock,
      (error) => log("capture_failed", { reason: error.message }),
    );
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `Cannot write the capture "${path}": ${reason}; choose another --capture file`,
    );
  }
}

/** `dist/web`, which stands next to the bundle. */
function pageFolder(): string {
  const here = fileURLToPath(new URL(".", import.meta.url));
  // The source itself runs in Deno and Bun.
  return /[\\/]src[\\/]cli[\\/]$/.test(here)
    ? join(here, "..", "..", "dist", "web")
    : join(here, "web");
}

/** Makes a sentence of what node:net says. */
function explain(error: unknown, { hostname, port }: RelayCommand): Error {
  const code = error instanceof Error && "code" in error ? error.code : "";
  const syscall = error instanceof Error && "syscall" in error ? error.syscall : "";
  const where = `Cannot listen on ${hostname}:${port}`;
  if (syscall === "listen" || syscall === "bind" || syscall === "getaddrinfo") {
    switch (code) {
      case "EADDRINUSE":
        return new UsageError(`${where}: the port is taken, choose another one or 0 for any`);
      case "EACCES":
        return new UsageError(`${where}: not permitted, choose a port of 1024 or more`);
      case "EADDRNOTAVAIL":
      case "ENOTFOUND":
        return new UsageError(`${where}: this host has no such address, choose 127.0.0.1`);
      default:
        return new UsageError(`${where}: ${String(code)}`);
    }
  }
  // Those of the TAP are sentences that say what to do.
  return error instanceof Error ? error : new Error(String(error));
}

/** Asks the page for its health, and joins and leaves as a client. */
async function checkAnswers({ relay, token }: Running): Promise<void> {
  await answers(`${relay.pageUrl}healthz`);
  await answers(relay.pageUrl);
  const link = websocketLink({ url: relay.url, token, clock: systemClock() });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("Cannot reach the relay itself")), CHECK_MS);
  });
  try {
    await Promise.race([link.opened, late]);
  } finally {
    clearTimeout(timer);
    link.close();
  }
}

function answers(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get(url, { timeout: CHECK_MS, agent: false }, (response) => {
      response.resume();
      const { statusCode } = response;
      if (statusCode === 200) response.once("end", () => resolve());
      else reject(new Error(`Cannot reach the page itself: status ${statusCode}`));
    });
    request.once("timeout", () => request.destroy(new Error("Cannot reach the page itself")));
    request.once("error", reject);
  });
}

function announce(command: RelayCommand, { relay, token }: Running): void {
  const isStart = command.command === "start";
  const url = isStart ? `${relay.pageUrl}#token=${token}` : relay.pageUrl;
  if (command.json) {
    const line = { url, relay: relay.url, token, pid: process.pid };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const lines = isStart
    ? [`Open ${url}`]
    : [`Relay: ${relay.url}`, `Token: ${token}`, `Page: ${relay.pageUrl}#token=${token}`];
  process.stdout.write(`${lines.join("\n")}\nCtrl-C ends it.\n`);
}

/** Runs in a network namespace, in each runtime: opens a TAP and talks to the kernel behind it. Prints one line of JSON. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { openTap, type TapDevice } from "../../src/link/tap.ts";
import { BATCH_BYTES, forEachRecord, writeRecord } from "../../src/link/records.ts";

const [runtime = "", name = ""] = process.argv.slice(2);

/** Echo requests in flight, below the TAP's queue of 1,000 frames. */
const WINDOW = 64;
const ECHOES = 40_000;

const OUR_MAC = [0x02, 0, 0, 0, 0, 0x99];
const OUR_IP = [10, 99, 0, 2];
const KERNEL_IP = [10, 99, 0, 1];

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

function runtimeName(): string {
  if ("Deno" in globalThis) return "deno";
  return "Bun" in globalThis ? "bun" : "node";
}

async function codeOf(attempt: Promise<TapDevice>): Promise<string> {
  try {
    (await attempt).close();
    return "opened";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  check(status === 0, `ip ${args.join(" ")}: ${stderr}`);
}

async function until(condition: () => boolean, what: string, ms = 5_000): Promise<number> {
  const startMs = performance.now();
  while (!condition()) {
    check(performance.now() - startMs < ms, `Not within ${ms} ms: ${what}`);
    await sleep(5);
  }
  return performance.now() - startMs;
}

function arpRequest(): Uint8Array {
  return Uint8Array.of(
    ...[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ...OUR_MAC, 0x08, 0x06],
    ...[0, 1, 8, 0, 6, 4, 0, 1, ...OUR_MAC, ...OUR_IP, 0, 0, 0, 0, 0, 0, ...KERNEL_IP],
  );
}

function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function echoRequest(kernelMac: Uint8Array, dataBytes: number): Uint8Array {
  const frame = new Uint8Array(14 + 20 + 8 + dataBytes);
  frame.set([...kernelMac, ...OUR_MAC, 0x08, 0x00]);
  const totalBytes = frame.length - 14;
  frame.set([0x45, 0, totalBytes >> 8, totalBytes & 0xff, 0, 0, 0x40, 0, 64, 1, 0, 0], 14);
  frame.set([...OUR_IP, ...KERNEL_IP], 26);
  frame.set([8, 0, 0, 0, 0x12, 0x34, 0, 1], 34);
  const view = new DataView(frame.buffer);
  view.setUint16(24, sumOf(frame.subarray(14, 34)));
  view.setUint16(36, sumOf(frame.subarray(34)));
  return frame;
}

/** What the sink saw. */
const seen = {
  ups: 0,
  downs: [] as string[],
  largestBatch: 0,
  malformed: 0,
  echoReplies: 0,
  kernelMac: null as Uint8Array | null,
};

function receive(batch: Uint8Array): void {
  seen.largestBatch = Math.max(seen.largestBatch, batch.length);
  const ok = forEachRecord(batch, (at, bytes) => {
    const type = ((batch[at + 12] ?? 0) << 8) | (batch[at + 13] ?? 0);
    if (type === 0x0806 && batch[at + 21] === 2) {
      seen.kernelMac = Uint8Array.from(batch.subarray(at + 22, at + 28));
    }
    if (type === 0x0800 && bytes >= 42 && batch[at + 23] === 1 && batch[at + 34] === 0) {
      seen.echoReplies++;
    }
  });
  if (!ok) seen.malformed++;
}

/** Between two ARP requests, ms. */
const ASK_AGAIN_MS = 100;

/** Bounces echo requests off the kernel and returns frames per second, both directions counted. */
async function flood(tap: TapDevice, kernelMac: Uint8Array): Promise<number> {
  const batch = new Uint8Array(BATCH_BYTES);
  const frame = echoRequest(kernelMac, 1358);
  let bytes = 0;
  for (let i = 0; i < WINDOW; i++) bytes = writeRecord(batch, bytes, frame);
  const startReplies = seen.echoReplies;
  const startMs = performance.now();
  for (let sent = 0; sent < ECHOES; sent += WINDOW) {
    tap.send(batch.subarray(0, bytes));
    const wanted = startReplies + sent + WINDOW;
    const turnMs = performance.now();
    while (seen.echoReplies < wanted) {
      check(performance.now() - turnMs < 5_000, `${seen.echoReplies} of ${wanted} replies`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return Math.round((2 * ECHOES * 1_000) / (performance.now() - startMs));
}

async function main(): Promise<void> {
  check(runtimeName() === runtime, `This is ${runtimeName()}, not ${runtime}`);
  check(await codeOf(openTap({ name: "nope0" })) === "ENOTFOUND", "no such interface");
  check(await codeOf(openTap({ name: "lo" })) === "EPROTO", "not a TAP");
  const tap = await openTap({ name });
  check(tap.mtu === 1400, `MTU ${tap.mtu}`);
  check(tap.mac === undefined, "the stack makes up a MAC");
  check(await codeOf(openTap({ name })) === "EADDRINUSE", "open twice");
  tap.open({
    receive,
    ready: () => {},
    up: () => void seen.ups++,
    down: (reason) => void seen.downs.push(reason),
  });
  check(seen.ups === 1, "up at once");

  const record = new Uint8Array(64);
  const send = (frame: Uint8Array): void => {
    const room = new Uint8Array(14 + frame.length);
    writeRecord(room, 0, frame);
    tap.send(room);
  };
  check(writeRecord(record, 0, arpRequest()) === 56, "an ARP record");
  // A frame may be lost until the kernel has seen the carrier: ask again, as a host does.
  const ask = async (what: string): Promise<void> => {
    const again = setInterval(() => send(arpRequest()), ASK_AGAIN_MS);
    send(arpRequest());
    await until(() => seen.kernelMac !== null, what).finally(() => clearInterval(again));
  };
  await ask("the kernel answers ARP");
  const kernelMac = seen.kernelMac ?? new Uint8Array(6);
  send(echoRequest(kernelMac, 32));
  await until(() => seen.echoReplies === 1, "the kernel answers an echo");
  const framesPerSecond = await flood(tap, kernelMac);

  ip("link", "set", name, "down");
  send(arpRequest());
  await until(() => seen.downs.length === 1, "down is seen");
  const dropsBefore = tap.counters.writeDrops;
  send(arpRequest());
  check(tap.counters.writeDrops === dropsBefore + 1, "lost and counted while down");
  ip("link", "set", name, "up");
  await until(() => seen.ups === 2, "up is seen");

  ip("link", "del", name);
  await until(() => seen.downs.length === 2, "gone is seen");
  ip("tuntap", "add", name, "mode", "tap");
  ip("link", "set", name, "mtu", "1400");
  ip("addr", "add", "10.99.0.1/24", "dev", name);
  ip("link", "set", name, "up");
  await until(() => seen.ups === 3, "back is seen");
  seen.kernelMac = null;
  await ask("the new interface answers ARP");

  const { counters } = tap;
  tap.close();
  tap.close();
  const { ups, downs, largestBatch, malformed, echoReplies } = seen;
  const result = { runtime, framesPerSecond, ups, downs, largestBatch, malformed, echoReplies };
  process.stdout.write(`${JSON.stringify({ ...result, counters })}\n`);
}

await main();

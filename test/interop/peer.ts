/**
 * Our side of the interop tests: a stack on a TAP that serves HTTP, downloads, and tries the kernel's habits.
 *
 * Written for Deno. It runs there as it is or bundled, and bundled in Node and Bun with `@deno/shim-deno` as `Deno`.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import process from "node:process";
import { createStack, impair, type InProcessStack, pcapng, seededRandom } from "../../src/mod.ts";
import { systemClock } from "../../src/mod.ts";
import type { Device, ImpairedDevice, PcapngDevice, TcpConnection } from "../../src/mod.ts";
import { openTap } from "../../src/link/tap.ts";
import { websocketLink } from "../../src/link/websocket.ts";
import type { ConnectionInfo } from "../../src/options.ts";
import type { Download, Report, RuntimeName, Settings } from "./peer_settings.ts";
import { tryHabits } from "./peer_habits.ts";
import { HTTP_PORT, KERNEL_ADDRESS, OUR_ADDRESS, PREFIX_LENGTH } from "./ports.ts";
import { seededChunks } from "./seeded_bytes.ts";

/** What a request may have before its empty line, bytes. */
const HEAD_MAX_BYTES = 16_384;

/** Whose globals these are: the shim makes `Deno` exist everywhere. */
function runtimeName(): RuntimeName {
  if (process.versions["deno"] !== undefined) return "deno";
  return process.versions["bun"] !== undefined ? "bun" : "node";
}

/** Reads to the empty line. @returns The head, and what came behind it. */
async function readHead(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<{ head: string; rest: Uint8Array }> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const end = bytes.indexOf("\r\n\r\n");
    if (end >= 0) {
      return { head: bytes.toString("latin1", 0, end), rest: bytes.subarray(end + 4) };
    }
    if (bytes.length > HEAD_MAX_BYTES) throw new Error("The head is too long");
    const { value, done } = await reader.read();
    if (done) throw new Error(`The head ends after "${bytes.toString("latin1")}"`);
    bytes = Buffer.concat([bytes, value]);
  }
}

/** The link and what was put around it. */
interface Link {
  readonly device: Device;
  /** Counters of the TAP or the tunnel. */
  readonly counters: object;
  readonly capture: PcapngDevice | null;
  readonly impaired: ImpairedDevice | null;
}

/** stack ↔ impairment ↔ capture ↔ TAP: the capture has what is on the wire, and nothing that never was. */
async function openLink({ capturePath, impairment, ...settings }: Settings): Promise<Link> {
  const clock = systemClock();
  const link = await openBare(settings);
  let device: Device = link;
  let capture: PcapngDevice | null = null;
  if (capturePath !== undefined) {
    const file = Deno.openSync(capturePath, { write: true, create: true, truncate: true });
    const write = (chunk: Uint8Array): void => {
      for (let at = 0; at < chunk.length;) at += file.writeSync(chunk.subarray(at));
    };
    device = capture = pcapng(device, { write, clock, epochMs: Date.now() - clock.now() });
  }
  let impaired: ImpairedDevice | null = null;
  if (impairment !== undefined) {
    const { seed, ...faults } = impairment;
    device = impaired = impair(device, { ...faults, clock, random: seededRandom(seed) });
  }
  return { device, counters: link.counters, capture, impaired };
}

async function openBare(
  { tap: name, tunnel, offload = false }: Pick<Settings, "tap" | "tunnel" | "offload">,
): Promise<Device & { readonly counters: object }> {
  if (tunnel === undefined) return await openTap({ name, offload });
  const link = websocketLink({ ...tunnel, offload });
  await link.opened;
  return link;
}

/** A server of `/SEED/BYTES` that ends with `/stop`. */
class Server {
  /** Of the connection that served most. */
  largest: ConnectionInfo | null = null;
  #largestBytes = -1;
  readonly #serving = new Set<Promise<void>>();

  /** Serves until it is told to stop. */
  async run(stack: InProcessStack): Promise<void> {
    const listener = await stack.listen({ port: HTTP_PORT });
    for await (const connection of listener) {
      const serving = this.#serve(connection, () => listener.close());
      this.#serving.add(serving);
      void serving.finally(() => this.#serving.delete(serving));
    }
    await Promise.all(this.#serving);
  }

  async #serve(connection: TcpConnection, stop: () => void): Promise<void> {
    const { head } = await readHead(connection.readable.getReader());
    const path = /^GET (\S+) HTTP/.exec(head)?.[1] ?? "";
    const [, seed = 1, bytes = 0] = path.split("/").map((part) => Number(part) || 0);
    const writer = connection.writable.getWriter();
    const headers = `HTTP/1.0 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`;
    await writer.write(new TextEncoder().encode(headers));
    // The widest window: at any one moment the kernel's reader may be behind.
    let sndWndBytes = 0;
    for (const chunk of seededChunks(seed, bytes)) {
      await writer.write(chunk);
      sndWndBytes = Math.max(sndWndBytes, connection.info().sndWndBytes);
    }
    if (bytes > this.#largestBytes) {
      this.#largestBytes = bytes;
      this.largest = { ...connection.info(), sndWndBytes };
    }
    await writer.close();
    await connection.close();
    if (path === "/stop") stop();
  }
}

/** Downloads seeded bytes from the kernel's server. */
async function download(
  stack: InProcessStack,
  seed: number,
  bytes: number,
): Promise<Download & { info: ConnectionInfo }> {
  const startMs = performance.now();
  const connection = await stack.connect({ hostname: KERNEL_ADDRESS, port: HTTP_PORT });
  const writer = connection.writable.getWriter();
  const request = `GET /${seed}/${bytes} HTTP/1.0\r\nHost: ${KERNEL_ADDRESS}\r\n\r\n`;
  await writer.write(new TextEncoder().encode(request));
  const reader = connection.readable.getReader();
  const { rest } = await readHead(reader);
  const hash = createHash("sha256").update(rest);
  let received = rest.length;
  let info = connection.info();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    hash.update(value);
    received += value.length;
    if (received === bytes) info = connection.info();
  }
  const ms = performance.now() - startMs;
  await connection.close();
  return { bytes: received, sha256: hash.digest("hex"), ms, info };
}

async function downloadAll(
  stack: InProcessStack,
  { downloads = 1, seed = 1, bytes = 0 }: Settings,
): Promise<(Download & { info: ConnectionInfo })[]> {
  const seeds = Array.from({ length: downloads }, (_, i) => seed + i);
  return await Promise.all(seeds.map((one) => download(stack, one, bytes)));
}

async function main(settings: Settings): Promise<Report> {
  const runtime = runtimeName();
  if (runtime !== settings.runtime) throw new Error(`This is ${runtime}, not ${settings.runtime}`);
  const { device, counters, capture, impaired } = await openLink(settings);
  const stack = await createStack({
    link: device,
    address: { cidr: `${settings.address ?? OUR_ADDRESS}/${PREFIX_LENGTH}` },
  });
  const { mac } = await stack.ready;
  const server = new Server();
  const serving = server.run(stack);
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  await Deno.writeTextFile(settings.readyPath, mac);
  const done = settings.work === "download" ? await downloadAll(stack, settings) : [];
  const downloadMs = performance.now() - startMs;
  const habits = settings.work === "habits" ? await tryHabits(stack) : {};
  await serving;
  const { user, system } = process.cpuUsage(cpu);
  const stats = await stack.stats();
  await stack.close();
  return {
    runtime,
    mac,
    offload: device.offload ?? 0,
    downloadMs,
    habits,
    stats,
    downloads: done.map(({ bytes, sha256, ms }) => ({ bytes, sha256, ms })),
    downloaded: done[0]?.info ?? null,
    served: server.largest,
    tap: { ...counters },
    impair: impaired === null ? null : { ...impaired.counters },
    captured: capture === null ? null : { frames: capture.frames, dropped: capture.dropped },
    cpuMs: (user + system) / 1_000,
  };
}

try {
  // It ends by itself after this: a closed stack keeps no process alive.
  console.log(JSON.stringify(await main(JSON.parse(Deno.args[0] ?? "{}"))));
} catch (error) {
  console.error(error);
  Deno.exit(1);
}

/**
 * Our side of what one provokes the kernel to: does the work its argument names, says lines of JSON. Bundled for Node, with
 * `@deno/shim-deno` as `Deno`.
 */
import process from "node:process";
import {
  createStack,
  impair,
  type InProcessStack,
  seededRandom,
  systemClock,
} from "../../src/mod.ts";
import type { TcpConnection, Tuning } from "../../src/mod.ts";
import { openTap } from "../../src/link/tap.ts";
import {
  HALF_CLOSED_BY_KERNEL_PORT,
  HALF_CLOSED_BY_US_PORT,
  HTTP_PORT,
  KERNEL_ADDRESS,
  OUR_ADDRESS,
  PREFIX_LENGTH,
  SIMULTANEOUS_PORT,
} from "./ports.ts";
import { ReplayDevice } from "./replay.ts";
import { seededChunks } from "./seeded_bytes.ts";

/** What is to be done. */
export interface Provocation {
  readonly work: "duplicates" | "closes" | "simultaneous open" | "serve fast" | "open fast";
  readonly tap: string;
  readonly tuning: Tuning;
  /** How often, or how many bytes. */
  readonly count: number;
}

/** TCP flags. RFC 9293 section 3.1. */
const SYN = 2;
const RST = 4;
const ACK = 16;
/** A wait that lets the kernel's clock of timestamps move on, ms. */
const LATER_MS = 100;
/** How long a frame takes each way where two SYNs are to cross, ms. */
const CROSSING_MS = 300;
/** Ports that are used again and again. */
const FIRST_PORT = 50_000;
const PORTS = 100;
/** Bytes of an answer. */
const WORD_BYTES = 5;
/** Bytes of a replayed upload. */
const UPLOAD_BYTES = 200_000;

function tell(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

function later(ms: number = LATER_MS): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function readAll(connection: TcpConnection): Promise<number> {
  let bytes = 0;
  for await (const chunk of connection.readable) bytes += chunk.length;
  return bytes;
}

/** Late duplicates, old timestamps and forged resets and SYNs, in the middle of a connection that lives through them. */
async function duplicates(stack: InProcessStack, link: ReplayDevice): Promise<void> {
  const connection = await stack.connect({
    hostname: KERNEL_ADDRESS,
    port: HALF_CLOSED_BY_US_PORT,
  });
  const writer = connection.writable.getWriter();
  for (const chunk of seededChunks(1, UPLOAD_BYTES)) await writer.write(chunk);
  await later();
  // The newest again: nothing new in it, and the kernel reports it as a duplicate.
  link.replay(-1);
  // The first again, with the timestamp it had: too old.
  await writer.write(new Uint8Array(1));
  await later();
  link.replay(0);
  // A SYN anywhere, and a RST in the window but not at its edge.
  link.replay(-1, { bare: true, flags: SYN });
  link.replay(-1, { bare: true, flags: RST | ACK, shift: 100 });
  await later();
  await writer.close();
  tell({ event: "answered", bytes: await readAll(connection) });
  await connection.close();
}

/** Each side closes first in turn; the kernel's ports are few, so tuples come again while they rest. */
async function closes(stack: InProcessStack, count: number): Promise<void> {
  const listener = await stack.listen({ port: HTTP_PORT, backlog: 1024 });
  tell({ event: "listening" });
  let served = 0;
  const waiting: Promise<unknown>[] = [];
  for await (const connection of listener) {
    const closesFirst = served % 2 === 0;
    waiting.push(serveOnce(connection, closesFirst));
    served++;
    if (served === count) break;
  }
  await Promise.all(waiting);
  for (let i = 0; i < count; i++) await openAndClose(stack, i);
  tell({ event: "closed", served, timeWaits: stack.core.timeWaits() });
}

async function serveOnce(connection: TcpConnection, closesFirst: boolean): Promise<void> {
  const writer = connection.writable.getWriter();
  await writer.write(new Uint8Array([closesFirst ? 1 : 0]));
  if (closesFirst) await connection.closeWrite();
  await readAll(connection);
  await connection.close();
}

/** The kernel's servers close first, or last, by the port. Where they do, our few ports come again while they rest. */
async function openAndClose(stack: InProcessStack, i: number): Promise<void> {
  const kernelFirst = i % 2 === 0;
  const port = kernelFirst ? HALF_CLOSED_BY_KERNEL_PORT : HALF_CLOSED_BY_US_PORT;
  const localPort = kernelFirst ? { localPort: FIRST_PORT + i % PORTS, reuseAddress: true } : {};
  const connection = await stack.connect({ hostname: KERNEL_ADDRESS, port, ...localPort });
  if (port === HALF_CLOSED_BY_US_PORT) await connection.closeWrite();
  await readAll(connection);
  await connection.close();
}

/** Both sides open at once: the link is slow, so the SYNs cross. */
async function simultaneousOpen(stack: InProcessStack): Promise<void> {
  tell({ event: "listening" });
  const connection = await stack.connect({
    hostname: KERNEL_ADDRESS,
    port: SIMULTANEOUS_PORT,
    localPort: SIMULTANEOUS_PORT,
  });
  await connection.writable.getWriter().write(new TextEncoder().encode("ours"));
  await connection.closeWrite();
  let text = "";
  for await (const chunk of connection.readable) text += new TextDecoder().decode(chunk);
  await connection.close();
  tell({ event: "opened", text });
}

/** Asks the kernel's server twice; the second request goes with the SYN. */
async function openFast(stack: InProcessStack): Promise<void> {
  const sizes: number[] = [];
  for (let i = 0; i < 2; i++) {
    const request = `GET /1/${WORD_BYTES} HTTP/1.0\r\n\r\n`;
    const connection = await stack.connect({
      hostname: KERNEL_ADDRESS,
      port: HTTP_PORT,
      fastOpen: true,
      earlyData: new TextEncoder().encode(request),
    });
    sizes.push(await readAll(connection));
    await connection.close();
  }
  tell({ event: "answered", sizes });
}

/** Serves a word on each connection until one says "stop". */
async function serve(stack: InProcessStack): Promise<void> {
  const listener = await stack.listen({ port: HTTP_PORT, fastOpen: true });
  tell({ event: "listening" });
  for await (const connection of listener) {
    const reader = connection.readable.getReader();
    const { value } = await reader.read();
    const request = new TextDecoder().decode(value);
    const writer = connection.writable.getWriter();
    const body = "hello";
    await writer.write(
      new TextEncoder().encode(`HTTP/1.0 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
    );
    await connection.closeWrite();
    reader.releaseLock();
    await readAll(connection);
    await connection.close();
    if (request.includes("/stop")) break;
  }
  listener.close();
}

async function main(provocation: Provocation): Promise<void> {
  const { work, tuning, count } = provocation;
  // Plain frames, one segment each: they are sent again, altered.
  const tap = await openTap({ name: provocation.tap, offload: false });
  const replay = new ReplayDevice(tap);
  const clock = systemClock();
  const link = work === "simultaneous open"
    ? impair(replay, { clock, random: seededRandom(1), delayMs: CROSSING_MS })
    : replay;
  const address = { cidr: `${OUR_ADDRESS}/${PREFIX_LENGTH}` };
  const stack = await createStack({ link, address, tuning });
  await stack.ready;
  if (work === "duplicates") await duplicates(stack, replay);
  else if (work === "open fast") await openFast(stack);
  else if (work === "closes") await closes(stack, count);
  else if (work === "serve fast") await serve(stack);
  else await simultaneousOpen(stack);
  tell({ event: "done", stats: await stack.stats() });
  await stack.close();
}

try {
  await main(JSON.parse(process.argv[2] ?? "{}"));
} catch (error) {
  console.error(error);
  process.exit(1);
}

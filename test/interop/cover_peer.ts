/**
 * Our side of many transfers, one after the other: reads one command a line from stdin, answers with lines of JSON. A
 * stack is made for each, so that the next may have another link. Bundled for Node, with `@deno/shim-deno` as `Deno`.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import process from "node:process";
import { createInterface } from "node:readline";
import {
  createStack,
  impair,
  type InProcessStack,
  seededRandom,
  systemClock,
} from "../../src/mod.ts";
import type { TcpConnection, Tuning } from "../../src/mod.ts";
import { openTap } from "../../src/link/tap.ts";
import type { ConnectionInfo } from "../../src/options.ts";
import type { Impairment } from "./peer_settings.ts";
import { HTTP_PORT, KERNEL_ADDRESS, OUR_ADDRESS, PREFIX_LENGTH } from "./ports.ts";
import { seededChunks } from "./seeded_bytes.ts";

/** One transfer. */
export interface Command {
  /** `up`: we serve `/SEED/BYTES` once. */
  readonly direction: "down" | "up";
  readonly tap: string;
  readonly seed: number;
  readonly bytes: number;
  readonly impairment: Impairment | null;
  readonly tuning: Tuning;
}

/** What is answered: first that we listen, then how it went. */
export interface Answer {
  readonly event: "listening" | "done" | "failed";
  readonly message?: string;
  /** Of what we received; of nothing where we sent. */
  readonly sha256?: string;
  readonly ms?: number;
  readonly info?: ConnectionInfo;
  readonly stats?: Readonly<Record<string, number>>;
}

function tell(answer: Answer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** What comes before the empty line, and what came behind it. */
async function readHead(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const end = bytes.indexOf("\r\n\r\n");
    if (end >= 0) return bytes.subarray(end + 4);
    const { value, done } = await reader.read();
    if (done) throw new Error(`The head ends after "${bytes.toString("latin1")}"`);
    bytes = Buffer.concat([bytes, value]);
  }
}

async function receive(stack: InProcessStack, command: Command): Promise<Answer> {
  const connection = await stack.connect({ hostname: KERNEL_ADDRESS, port: HTTP_PORT });
  const request = `GET /${command.seed}/${command.bytes} HTTP/1.0\r\n\r\n`;
  await connection.writable.getWriter().write(new TextEncoder().encode(request));
  const reader = connection.readable.getReader();
  const hash = createHash("sha256").update(await readHead(reader));
  let info = connection.info();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    hash.update(value);
    info = connection.info();
  }
  await connection.close();
  return { event: "done", sha256: hash.digest("hex"), info };
}

async function send(connection: TcpConnection, command: Command): Promise<Answer> {
  await readHead(connection.readable.getReader());
  const writer = connection.writable.getWriter();
  const head = `HTTP/1.0 200 OK\r\nContent-Length: ${command.bytes}\r\n\r\n`;
  await writer.write(new TextEncoder().encode(head));
  for (const chunk of seededChunks(command.seed, command.bytes)) await writer.write(chunk);
  const info = connection.info();
  await writer.close();
  await connection.close();
  return { event: "done", info };
}

async function run(command: Command): Promise<Answer> {
  const tap = await openTap({ name: command.tap, offload: false });
  const { impairment, tuning } = command;
  const clock = systemClock();
  const link = impairment === null
    ? tap
    : impair(tap, { ...impairment, clock, random: seededRandom(impairment.seed) });
  const address = { cidr: `${OUR_ADDRESS}/${PREFIX_LENGTH}` };
  const stack = await createStack({ link, address, tuning });
  await stack.ready;
  const startMs = performance.now();
  try {
    if (command.direction === "down") {
      return finish(await receive(stack, command), startMs, await stack.stats());
    }
    const listener = await stack.listen({ port: HTTP_PORT });
    tell({ event: "listening" });
    const answer = await send(await listener.accept(), command);
    return finish(answer, startMs, await stack.stats());
  } finally {
    await stack.close();
  }
}

function finish(answer: Answer, startMs: number, stats: Record<string, number>): Answer {
  return { ...answer, ms: performance.now() - startMs, stats };
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    tell(await run(JSON.parse(line)));
  } catch (error) {
    tell({
      event: "failed",
      message: error instanceof Error ? error.stack ?? error.message : String(error),
    });
  }
}

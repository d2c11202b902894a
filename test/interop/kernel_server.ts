/**
 * The kernel's side: an HTTP server of seeded bytes and sockets with one habit each. Runs in Node, in the namespace; says
 * what it saw as lines of JSON.
 */
import { createHash } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import process from "node:process";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import {
  BLOCKED_PORT,
  HALF_CLOSED_BY_KERNEL_PORT,
  HALF_CLOSED_BY_US_PORT,
  HTTP_PORT,
  RESET_BY_KERNEL_PORT,
  RESET_BY_US_PORT,
} from "./ports.ts";
import { seededChunks } from "./seeded_bytes.ts";

/** A connection that is not there by then never will be: the queue is full. */
const FILLER_TIMEOUT_MS = 300;

/** Connections that may be tried until the queue is full; `listen(2)` with 1 takes two. */
const FILLERS_MAX = 16;

function tell(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** Writes as fast as the reader takes it. */
async function pour(
  sink: { write(chunk: Uint8Array): boolean; once(name: "drain", callback: () => void): unknown },
  seed: number,
  bytes: number,
): Promise<void> {
  for (const chunk of seededChunks(seed, bytes)) {
    if (!sink.write(chunk)) await new Promise<void>((resolve) => sink.once("drain", resolve));
  }
}

/** `/SEED/BYTES` */
const http = createHttpServer(async (request, response) => {
  const [, seed, bytes] = (request.url ?? "").split("/").map(Number);
  response.writeHead(200, { "Content-Length": bytes ?? 0 });
  await pour(response, seed ?? 1, bytes ?? 0);
  response.end();
});

/** A listener for connections with one habit. */
function habit(port: number, serve: (socket: Socket) => void): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, serve);
  return new Promise((resolve) => server.listen(port, resolve));
}

/** Says its word, sends FIN, and reads on. */
function closeFirst(socket: Socket): void {
  const hash = createHash("sha256");
  let bytes = 0;
  socket.end("the kernel is done");
  socket.on("data", (chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  socket.on("end", () => tell({ event: "read after FIN", bytes, sha256: hash.digest("hex") }));
}

/** Reads to the FIN, then answers with what it has read. */
function closeLast(socket: Socket): void {
  const hash = createHash("sha256");
  socket.on("data", (chunk) => hash.update(chunk));
  socket.on("end", () => socket.end(hash.digest("hex")));
}

function reset(socket: Socket): void {
  socket.once("data", () => socket.resetAndDestroy());
}

/** Says that it has read: where a reset meets unread bytes, libuv takes it for an end. */
function beReset(socket: Socket): void {
  socket.on("data", () => socket.write("!"));
  socket.on("error", (error: NodeJS.ErrnoException) => tell({ event: "reset", code: error.code }));
}

/** In the worker: listens, and accepts nothing, because its thread stands still. */
function listenAndBlock(): void {
  createServer().listen({ port: BLOCKED_PORT, backlog: 1 }, () => {
    parentPort?.postMessage("listening");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
}

/** Connects to the listener that accepts nothing until its queue is full. */
async function fillBacklog(): Promise<void> {
  for (let i = 0; i < FILLERS_MAX; i++) {
    const isConnected = await new Promise<boolean>((resolve) => {
      const socket = connect(BLOCKED_PORT, "127.0.0.1");
      const timer = setTimeout(() => {
        socket.destroy();
        resolve(false);
      }, FILLER_TIMEOUT_MS);
      socket.on("connect", () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
    if (!isConnected) return;
  }
  throw new Error(`The backlog is not full after ${FILLERS_MAX} connections`);
}

async function main(): Promise<void> {
  await new Promise<void>((resolve) => http.listen(HTTP_PORT, resolve));
  await habit(HALF_CLOSED_BY_KERNEL_PORT, closeFirst);
  await habit(HALF_CLOSED_BY_US_PORT, closeLast);
  await habit(RESET_BY_KERNEL_PORT, reset);
  await habit(RESET_BY_US_PORT, beReset);
  const worker = new Worker(new URL(import.meta.url));
  await new Promise((resolve) => worker.once("message", resolve));
  await fillBacklog();
  tell({ event: "ready" });
}

if (isMainThread) await main();
else listenAndBlock();

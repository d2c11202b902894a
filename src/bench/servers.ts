/**
 * Programs that run beside a case: `bytes PORT`, the kernel's sockets as a source and a sink; `ws PORT`, a WebSocket that
 * is piped to it and one that answers by itself; `page FOLDER REQUEST`, the pages for a browser, which sends back what it
 * measured. Each prints its port as its first line.
 */
import { createHash } from "node:crypto";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import process from "node:process";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { servePage } from "../relay/page.ts";
import {
  ASK_DOWN,
  ASK_ECHO,
  ASK_HASH,
  DOWN_SEED,
  MESSAGE_BYTES,
  PATTERN_BYTES,
  QUESTION_BYTES,
  readQuestion,
} from "./byte_service.ts";
import { seededBytes } from "./payload.ts";

/** Bytes that may wait in a WebSocket before the other side is made to wait. */
const HIGH_BYTES = 1 << 20;

/** Largest line that a page may send. */
const LINE_MAX_BYTES = 1 << 20;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const pattern = seededBytes(PATTERN_BYTES, DOWN_SEED);

/** Two patterns, as one message of a WebSocket. */
const message = new Uint8Array(MESSAGE_BYTES);
for (let at = 0; at < MESSAGE_BYTES; at += PATTERN_BYTES) message.set(pattern, at);

/** How bytes leave a service; `send` calls back when there is room for more. */
interface Way {
  send(bytes: Uint8Array, more: () => void): void;
  end(): void;
}

/** One client of the byte service. @returns What takes its bytes. */
function serveBytes(way: Way, unit: Uint8Array): (bytes: Uint8Array) => void {
  let asked: { ask: number; bytes: number } | null = null;
  let head = new Uint8Array(0);
  let left = 0;
  const hash = createHash("sha256");
  const pour = (): void => {
    const bytes = Math.min(left, unit.length);
    left -= bytes;
    const piece = bytes === unit.length ? unit : unit.subarray(0, bytes);
    way.send(piece, () => left > 0 ? pour() : way.end());
  };
  const take = (bytes: Uint8Array): void => {
    if (asked === null) return begin(bytes);
    if (asked.ask === ASK_DOWN) return;
    if (asked.ask === ASK_ECHO) return way.send(bytes, () => {});
    if (asked.ask === ASK_HASH) hash.update(bytes);
    left -= bytes.length;
    if (left > 0) return;
    way.send(asked.ask === ASK_HASH ? hash.digest() : new Uint8Array(1), () => way.end());
  };
  const begin = (bytes: Uint8Array): void => {
    const all = new Uint8Array(head.length + bytes.length);
    all.set(head);
    all.set(bytes, head.length);
    head = all;
    if (all.length < QUESTION_BYTES) return;
    asked = readQuestion(all.subarray(0, QUESTION_BYTES));
    left = asked.bytes;
    if (asked.ask === ASK_DOWN) pour();
    else if (all.length > QUESTION_BYTES) take(all.subarray(QUESTION_BYTES));
  };
  return take;
}

function serveSocket(socket: Socket): void {
  socket.setNoDelay(true);
  const take = serveBytes({
    send: (bytes, more) =>
      void (socket.write(bytes) ? queueMicrotask(more) : socket.once("drain", more)),
    end: () => void socket.end(),
  }, pattern);
  socket.on("data", take);
  socket.on("error", () => socket.destroy());
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}

function serveRaw(socket: WebSocket): void {
  const take = serveBytes({
    send: (bytes, more) => {
      // A callback by message keeps some of them on their way.
      const isFull = socket.bufferedAmount > HIGH_BYTES;
      socket.send(bytes, isFull ? more : undefined);
      if (!isFull) queueMicrotask(more);
    },
    end: () => {},
  }, message);
  socket.on("message", (data) => take(bytesOf(data)));
}

/** Bytes from a WebSocket to a socket and back, and nothing else. */
function servePipe(socket: WebSocket, port: number): void {
  const peer = connect({ host: "127.0.0.1", port, noDelay: true });
  peer.on("data", (bytes) => {
    socket.send(bytes, () => {
      if (peer.isPaused() && socket.bufferedAmount < HIGH_BYTES) peer.resume();
    });
    if (socket.bufferedAmount > HIGH_BYTES) peer.pause();
  });
  peer.on("drain", () => socket.resume());
  peer.on("error", () => socket.terminate());
  socket.on("message", (data) => {
    if (!peer.write(bytesOf(data))) socket.pause();
  });
  socket.on("close", () => peer.destroy());
}

function serveWebSockets(bytesPort: number): void {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: false,
    maxPayload: HIGH_BYTES,
  });
  server.on("listening", () => say(String((server.address() as AddressInfo).port)));
  server.on("connection", (socket, request) => {
    socket.on("error", () => socket.terminate());
    if (request.url === "/raw") serveRaw(socket);
    else servePipe(socket, bytesPort);
  });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (bytes <= LINE_MAX_BYTES) parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** Serves the pages; what a page posts to `/bench/said` is printed. */
function servePages(folder: string): void {
  const serve = servePage(folder, "ws://127.0.0.1:*");
  const server = createHttpServer(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://page").pathname;
    // A page that is isolated from other origins has a finer clock, and may count its memory.
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    if (request.method === "POST" && path === "/bench/said") {
      say(await bodyOf(request));
      response.writeHead(204).end();
    } else if (!serve(path, request, response)) response.writeHead(404).end();
    else if (!response.writableEnded) response.end();
  });
  server.listen(0, "127.0.0.1", () => say(String((server.address() as AddressInfo).port)));
}

const [role = "", argument = ""] = process.argv.slice(2);
if (role === "bytes") {
  const server = createServer(serveSocket);
  server.listen(0, () => say(String((server.address() as AddressInfo).port)));
} else if (role === "ws") serveWebSockets(Number(argument));
else servePages(argument);

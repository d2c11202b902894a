/** A relay of a few lines for the tests of the WebSocket link, and what they share. */
import type { AddressInfo } from "node:net";
import { expect } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import type { DeviceSink } from "../../src/link/device.ts";
import { BATCH_BYTES, writeRecord } from "../../src/link/records.ts";
import {
  type WebsocketDevice,
  websocketLink,
  type WebsocketOptions,
} from "../../src/link/websocket.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";

export const TOKEN = "s3cret-token";
export const MAC = "02:00:00:00:00:07";

type Message = Record<string, unknown>;

/** A relay that does as the test says. */
export class FakeRelay {
  readonly server: WebSocketServer;
  readonly hellos: Message[] = [];
  readonly controls: Message[] = [];
  readonly batches: Buffer[] = [];
  clients: WebSocket[] = [];
  refusal: Message | null = null;
  welcome: Message = {};
  answer: (message: Message, socket: WebSocket) => void = () => {};

  constructor(port = 0) {
    const handleProtocols = (offered: Set<string>): string | false =>
      offered.has("tidewire.v1") ? "tidewire.v1" : false;
    this.server = new WebSocketServer({
      host: "127.0.0.1",
      port,
      handleProtocols,
      maxPayload: BATCH_BYTES,
      perMessageDeflate: false,
    });
    this.server.on("connection", (socket) => this.#serve(socket));
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get client(): WebSocket {
    return this.clients.at(-1) ?? expect.fail("nobody is connected");
  }

  say(message: Message): void {
    this.client.send(JSON.stringify(message));
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.terminate();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #serve(socket: WebSocket): void {
    this.clients.push(socket);
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) return void this.batches.push(data);
      const message = JSON.parse(data.toString()) as Message;
      if (message["type"] !== "hello") {
        this.controls.push(message);
        return this.answer(message, socket);
      }
      this.hellos.push(message);
      socket.send(JSON.stringify(this.refusal ?? this.#welcome(message)));
    });
  }

  #welcome(hello: Message): Message {
    const resumed = hello["resume"] === "session-1";
    const shape = { type: "welcome", version: 1, mac: MAC, mtu: 1400, offload: 0 };
    const rest = { maxBatch: BATCH_BYTES, resume: "session-1", resumed, mode: "user" };
    return { ...shape, ...rest, ...this.welcome };
  }
}

export interface Log extends DeviceSink {
  readonly batches: number[][];
  readonly news: string[];
}

export function logOf(): Log {
  const log: Log = {
    batches: [],
    news: [],
    receive: (batch) => void log.batches.push([...batch]),
    ready: () => void log.news.push("ready"),
    up: () => void log.news.push("up"),
    down: (reason) => void log.news.push(`down: ${reason}`),
  };
  return log;
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  const startMs = performance.now();
  while (!condition()) {
    if (performance.now() - startMs > 5_000) expect.fail(`Not within 5 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export function record(...frame: number[]): Uint8Array {
  const batch = new Uint8Array(14 + frame.length);
  writeRecord(batch, 0, Uint8Array.from(frame));
  return batch;
}

export const cleanUps: (() => void | Promise<void>)[] = [];

/** Ends what a test has opened, newest first; for `afterEach()`. */
export async function cleanUp(): Promise<void> {
  for (const end of cleanUps.splice(0).reverse()) await end();
}

export function relayOf(port?: number): Promise<FakeRelay> {
  const relay = new FakeRelay(port);
  cleanUps.push(() => relay.close());
  return new Promise((resolve, reject) => {
    relay.server.on("listening", () => resolve(relay)).on("error", reject);
  });
}

export function linkTo(
  relay: FakeRelay | string,
  options: Partial<WebsocketOptions> = {},
): WebsocketDevice {
  const url = typeof relay === "string" ? relay : relay.url;
  const reconnect = { minMs: 20, maxMs: 100 };
  const link = websocketLink({ url, token: TOKEN, clock: systemClock(), reconnect, ...options });
  cleanUps.push(() => link.close());
  return link;
}

/** A relay with a client that has its welcome. */
export async function joined(
  options: Partial<WebsocketOptions> = {},
): Promise<{ relay: FakeRelay; link: WebsocketDevice; log: Log }> {
  const relay = await relayOf();
  const link = linkTo(relay, options);
  const log = logOf();
  link.open(log);
  await link.opened;
  return { relay, link, log };
}

/** The code of a rejection. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  const error: unknown = await promise.then(() => expect.fail("fulfilled"), (reason) => reason);
  return error instanceof Error && "code" in error ? error.code : error;
}

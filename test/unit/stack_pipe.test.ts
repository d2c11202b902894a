import { describe, expect, test } from "vitest";
import { StackError } from "../../src/errors.ts";
import {
  STATE_CLOSED,
  STATE_ESTABLISHED,
  STATE_FIN_WAIT_2,
  STATE_TIME_WAIT,
} from "../../src/layout/layout.gen.ts";
import { type Connection, EOF, WOULD_BLOCK } from "../../src/tcp/connection.ts";
import type { AskedConnection } from "../../src/tcp/listener.ts";
import { makePair, openEnds, type Pair, pattern, RIGHT } from "./pair.ts";

const BUFFER = new Uint8Array(65_536);

/** Writes as long as the ring takes something, whenever it takes something; FIN at the end if wanted. */
function sendAll(connection: Connection, data: Uint8Array, fin: boolean): void {
  let at = 0;
  const go = () => {
    while (at < data.length) {
      const taken = connection.write(data.subarray(at));
      if (taken === 0) return;
      at += taken;
    }
    connection.onEvent = null;
    if (fin) connection.shutdown("write");
  };
  connection.onEvent = go;
  go();
}

/** Reads everything that is there. @returns How much, and whether the end was reached. */
function readAll(connection: Connection, into: number[][]): boolean {
  for (;;) {
    const n = connection.readInto(BUFFER);
    if (n < 0) return n === EOF;
    into.push([...BUFFER.subarray(0, n)]);
  }
}

/** Lets time pass until `done`, a millisecond at a time. */
function until(pair: Pair, done: () => boolean, limitMs = 60_000): void {
  for (let i = 0; i < limitMs && !done(); i++) pair.clock.advance(1);
  expect(done()).toBe(true);
}

/** Code of the error that a call throws. */
function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof StackError ? error.code : String(error);
  }
  return "none";
}

describe("two stacks on a pipe", () => {
  test("connect() opens both ends", () => {
    const pair = makePair();
    const { client, server } = openEnds(pair);
    expect(client.isOpened).toBe(true);
    expect(client.state).toBe(STATE_ESTABLISHED);
    expect(server.state).toBe(STATE_ESTABLISHED);
    expect(server.remote).toEqual(client.local);
    expect(server.local).toEqual(client.remote);
    const info = client.info();
    expect(info.state).toBe("ESTABLISHED");
    expect(info.timestamps && info.sack && info.windowScale !== null).toBe(true);
    expect(info.localAddress.hostname).toBe("10.0.0.1");
    expect(pair.left.manager.rows()).toHaveLength(1);
    expect(pair.left.stats()["active_opens"]).toBe(1);
  });

  test("carry bytes there and back", () => {
    const pair = makePair();
    const { client, server } = openEnds(pair);
    expect(server.readInto(BUFFER)).toBe(WOULD_BLOCK);
    expect(client.write(new TextEncoder().encode("ping"))).toBe(4);
    pair.clock.advance(10);
    expect(server.readInto(BUFFER)).toBe(4);
    server.write(BUFFER.subarray(0, 4));
    pair.clock.advance(10);
    expect(client.readInto(BUFFER)).toBe(4);
    expect(new TextDecoder().decode(BUFFER.subarray(0, 4))).toBe("ping");
  });

  test.each([0, 20])("carry 1 MB each way at once with %d ms of delay", (delayMs) => {
    const pair = makePair({ delayMs });
    const { client, server } = openEnds(pair);
    const there = pattern(1_000_000, 1);
    const back = pattern(1_000_000, 2);
    const atServer: number[][] = [];
    const atClient: number[][] = [];
    sendAll(client, there, true);
    sendAll(server, back, true);
    let ends = 0;
    until(pair, () => {
      ends = Number(readAll(server, atServer)) + Number(readAll(client, atClient));
      return ends === 2;
    });
    expect(Buffer.from(atServer.flat()).equals(Buffer.from(there))).toBe(true);
    expect(Buffer.from(atClient.flat()).equals(Buffer.from(back))).toBe(true);
  });

  test("half-close: one direction ends, the other goes on", () => {
    const pair = makePair();
    const { client, server } = openEnds(pair);
    client.shutdown("write");
    pair.clock.advance(10);
    expect(server.readInto(BUFFER)).toBe(EOF);
    expect(client.state).toBe(STATE_FIN_WAIT_2);
    server.write(new Uint8Array([1, 2, 3]));
    pair.clock.advance(10);
    expect(client.readInto(BUFFER)).toBe(3);
    expect(client.readInto(BUFFER)).toBe(WOULD_BLOCK);
    server.shutdown("write");
    pair.clock.advance(100);
    expect(client.readInto(BUFFER)).toBe(EOF);
    expect(client.state).toBe(STATE_TIME_WAIT);
    expect(server.state).toBe(STATE_CLOSED);
    expect(server.error).toBe(null);
    client.release();
    server.release();
    expect(pair.left.core.timeWaits()).toBe(1);
    pair.clock.advance(60_001);
    expect(pair.left.core.timeWaits()).toBe(0);
    expect(pair.left.manager.size + pair.right.manager.size).toBe(0);
  });

  test("a port that nobody listens on refuses", () => {
    const pair = makePair();
    const client = pair.left.manager.connect({ remote: { address: RIGHT, port: 81 } });
    pair.clock.advance(10);
    expect(client.error?.code).toBe("ECONNREFUSED");
  });

  test("an address that nobody has is unreachable after three questions", () => {
    const pair = makePair();
    const client = pair.left.manager.connect({ remote: { address: RIGHT + 7, port: 80 } });
    pair.clock.advance(2_999);
    expect(client.error).toBe(null);
    pair.clock.advance(1_001);
    expect(client.error?.code).toBe("EHOSTUNREACH");
  });

  test("a connect timeout holds", () => {
    const pair = makePair();
    pair.right.manager.listen({ port: 80, decide: "host" });
    const client = pair.left.manager.connect({
      remote: { address: RIGHT, port: 80 },
      timeoutMs: 5_000,
    });
    pair.clock.advance(4_990);
    expect(client.error).toBe(null);
    pair.clock.advance(100);
    expect(client.error?.code).toBe("ETIMEDOUT");
  });

  test("abort() resets the other end", () => {
    const pair = makePair();
    const { client, server } = openEnds(pair);
    client.abort();
    pair.clock.advance(10);
    expect(client.error?.code).toBe("ECONNABORTED");
    expect(codeOf(() => server.readInto(BUFFER))).toBe("ECONNRESET");
  });

  test("close() with unread bytes resets the other end", () => {
    const pair = makePair();
    const { client, server } = openEnds(pair);
    client.write(new Uint8Array(10));
    pair.clock.advance(10);
    expect(server.close()).toBe(false);
    pair.clock.advance(10);
    expect(client.error?.code).toBe("ECONNRESET");
  });

  test("a reader that does not read stops the writer, and nothing is lost", () => {
    const pair = makePair();
    const { client, server } = openEnds(pair);
    const data = pattern(4_000_000, 3);
    sendAll(client, data, true);
    pair.clock.advance(30_000);
    const { sendQueuedBytes } = client.info();
    const { receiveQueuedBytes } = server.info();
    expect(receiveQueuedBytes).toBeLessThanOrEqual(1_048_576);
    expect(sendQueuedBytes).toBeLessThanOrEqual(1_048_576 + 1);
    expect(sendQueuedBytes).toBeGreaterThan(0);
    const got: number[][] = [];
    until(pair, () => readAll(server, got));
    expect(Buffer.from(got.flat()).equals(Buffer.from(data))).toBe(true);
  });

  test("a narrow link holds the loop back, and ready() goes on", () => {
    const pair = makePair({ capacityBytes: 20_000, delayMs: 1 });
    const { client, server } = openEnds(pair);
    const data = pattern(300_000, 4);
    sendAll(client, data, true);
    const got: number[][] = [];
    until(pair, () => readAll(server, got));
    expect(Buffer.from(got.flat()).equals(Buffer.from(data))).toBe(true);
  });
});

describe("a listener whose host decides", () => {
  test("accepts, refuses, ignores", () => {
    const pair = makePair();
    const listener = pair.right.manager.listen({ port: 80, decide: "host" });
    const asked: AskedConnection[] = [];
    listener.onAsked = (request) => void asked.push(request);
    const clients = [0, 1, 2].map(() =>
      pair.left.manager.connect({ remote: { address: RIGHT, port: 80 }, timeoutMs: 3_000 })
    );
    pair.clock.advance(100);
    expect(asked.map(({ remote }) => remote)).toEqual(clients.map(({ local }) => local));
    expect(clients.every((client) => !client.isOpened && client.error === null)).toBe(true);
    expect(asked[0]?.accept()).toBe(true);
    expect(asked[1]?.refuse()).toBe(true);
    expect(asked[2]?.ignore()).toBe(true);
    pair.clock.advance(100);
    expect(clients[0]?.isOpened).toBe(true);
    expect(clients[1]?.error?.code).toBe("ECONNREFUSED");
    expect(listener.accept()?.handle).toBe(asked[0]?.handle);
    expect(asked[1]?.accept()).toBe(false);
  });
});

describe("Stack", () => {
  test("close() resets what is open, and everything is EBADF afterwards", () => {
    const pair = makePair();
    const { client, server } = openEnds(pair);
    pair.left.close();
    pair.left.close();
    expect(client.error?.code).toBe("ECONNABORTED");
    pair.clock.advance(10);
    expect(codeOf(() => server.readInto(BUFFER))).toBe("ECONNRESET");
    expect(pair.right.link.up).toBe(false);
    const remote = { address: RIGHT, port: 80 };
    expect(codeOf(() => pair.left.manager.connect({ remote }))).toBe("EBADF");
    expect(codeOf(() => pair.left.manager.listen({ port: 1 }))).toBe("EBADF");
  });

  test("two runs of one seed leave equal memory", () => {
    const run = (): bigint => {
      const pair = makePair({ delayMs: 3 });
      const { client, server } = openEnds(pair);
      sendAll(client, pattern(100_000, 9), true);
      until(pair, () => readAll(server, []));
      return pair.left.core.fullHash() ^ (pair.right.core.fullHash() << 64n);
    };
    expect(run()).toBe(run());
  });

  test("a changed address ends the connections of the old one", () => {
    const pair = makePair();
    const { client } = openEnds(pair);
    const config = { prefixLength: 24, gateway: null, dns: [] };
    pair.left.configure({ address: 0x0a00_0009, ...config });
    pair.clock.advance(10);
    expect(client.error?.code).toBe("EADDRNOTAVAIL");
    const again = pair.left.manager.connect({ remote: { address: RIGHT, port: 80 } });
    expect(again.local.address).toBe(0x0a00_0009);
    pair.clock.advance(100);
    expect(again.isOpened).toBe(true);
  });
});

/** Sockets of `node:net` over a connection that is the test itself: what they ask of it, and when. */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Socket } from "../../src/api/node/socket.ts";
import { toDuplex } from "../../src/api/node/to_duplex.ts";
import { ConnectionReset } from "../../src/errors.ts";
import type { TcpConnection, TcpOptions } from "../../src/options.ts";

/** Writes of more are not reported as written before they are, bytes: see `StreamCarrier`. */
const SMALL_BYTES = 65_536;

/** A connection whose writes wait until the test lets them go on. */
class FakeConnection {
  readonly localAddress = { hostname: "10.0.0.1", port: 50_000 };
  readonly remoteAddress = { hostname: "10.0.0.2", port: 7 };
  readonly closed = new Promise<void>(() => {});
  readonly calls: string[] = [];
  readonly options: TcpOptions[] = [];
  readonly writes: { done(): void; fail(error: Error): void }[] = [];
  isHeld = true;
  readonly readable: ReadableStream<Uint8Array> = new ReadableStream();
  readonly writable: WritableStream<Uint8Array> = new WritableStream({
    write: ({ length: bytes }) => {
      if (!this.isHeld) return void this.calls.push(`wrote ${bytes}`);
      return new Promise<void>((done, fail) => this.writes.push({ done, fail }));
    },
    close: () => void this.calls.push("FIN"),
  });

  async close(): Promise<void> {
    this.calls.push("close");
    await Promise.resolve();
  }

  abort(): void {
    this.calls.push("abort");
  }

  async setOptions(options: TcpOptions): Promise<void> {
    this.options.push(options);
    await Promise.resolve();
  }
}

function made(isHeld = true): { connection: FakeConnection; socket: Socket } {
  const connection = new FakeConnection();
  connection.isHeld = isHeld;
  const socket = toDuplex(connection as unknown as TcpConnection);
  socket.on("error", () => {});
  return { connection, socket };
}

/** Lets all that follows from what has happened happen. */
const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

const closed = (socket: Socket): Promise<unknown> =>
  new Promise((resolve) => socket.once("close", resolve));

describe("a socket's options", () => {
  test("reach the connection; a delay of less than a second leaves it as it is", () => {
    const { connection, socket } = made();
    socket.setKeepAlive(true);
    socket.setKeepAlive(true, 999);
    socket.setKeepAlive(true, 5_999);
    socket.setKeepAlive(false, 5_999);
    socket.setNoDelay(false);
    expect(connection.options).toEqual([
      { keepAlive: true },
      { keepAlive: true },
      { keepAlive: true, keepIdleMs: 5_000, keepIntervalMs: 1_000, keepCount: 10 },
      { keepAlive: false },
      { noDelay: false },
    ]);
  });

  test("reach nobody once it is destroyed", async () => {
    const { connection, socket } = made();
    socket.destroy();
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    await closed(socket);
    expect(connection.options).toEqual([]);
  });
});

describe("a socket that leaves", () => {
  test("by end() sends FIN first", async () => {
    const { connection, socket } = made(false);
    socket.end("x");
    await expect.poll(() => connection.calls).toEqual(["wrote 1", "FIN"]);
    socket.destroy();
  });

  test("by destroySoon() closes both ways at once, so that unread bytes are told by RST alone", async () => {
    const { connection, socket } = made(false);
    socket.write("x");
    socket.destroySoon();
    await closed(socket);
    await expect.poll(() => connection.calls).toEqual(["wrote 1", "close"]);
  });

  test("by destroy() sends what it has reported as written, and then closes", async () => {
    const { connection, socket } = made();
    await new Promise((resolve) => socket.write("x", resolve));
    socket.destroy();
    await closed(socket);
    expect(connection.calls).toEqual([]);
    connection.writes[0]?.done();
    await expect.poll(() => connection.calls).toEqual(["close"]);
  });

  test("by destroy() does not wait for a write that was not reported", async () => {
    const { connection, socket } = made();
    let isTold = false;
    socket.write(new Uint8Array(SMALL_BYTES + 1), () => (isTold = true));
    await expect.poll(() => connection.writes.length).toBe(1);
    expect(isTold).toBe(false);
    socket.destroy();
    await closed(socket);
    expect(connection.calls).toEqual(["close"]);
  });

  test("by resetAndDestroy() waits for nothing", async () => {
    const { connection, socket } = made();
    await new Promise((resolve) => socket.write("x", resolve));
    socket.resetAndDestroy();
    await closed(socket);
    expect(connection.calls).toEqual(["abort", "close"]);
  });
});

test("what comes for a socket that was paused meanwhile is kept, and told after resume()", async () => {
  const connection = new FakeConnection();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const heard: number[] = [];
  const onread = {
    buffer: new Uint8Array(8),
    callback: (bytes: number, buffer: Uint8Array) => heard.push(...buffer.subarray(0, bytes)) > 0,
  };
  const tcp = Object.assign(connection, { readable }) as unknown as TcpConnection;
  const socket = toDuplex(tcp, { onread });
  await quiet();
  socket.pause();
  await writer.write(Uint8Array.of(1, 2, 3));
  await quiet();
  expect(heard).toEqual([]);
  socket.resume();
  // Nobody is called within his own call.
  expect(heard).toEqual([]);
  await expect.poll(() => heard).toEqual([1, 2, 3]);
  socket.destroy();
});

describe("writes of a socket", () => {
  test("are reported at once while they are small, until 256 KiB are on their way", async () => {
    const { socket, connection } = made();
    let reported = 0;
    for (let i = 0; i < 6; i++) socket.write(new Uint8Array(SMALL_BYTES), () => reported++);
    await expect.poll(() => reported).toBe(4);
    while (reported < 6) {
      await expect.poll(() => connection.writes.length).toBeGreaterThan(0);
      connection.writes.shift()?.done();
      await quiet();
    }
    socket.destroy();
  });

  test("fail with what an earlier one has failed with that was reported already", async () => {
    const { socket, connection } = made();
    await new Promise((resolve) => socket.write("x", resolve));
    connection.writes[0]?.fail(new ConnectionReset("Cannot go on: reset by peer"));
    await quiet();
    const told = await new Promise((resolve) => socket.write("y", resolve));
    expect(told).toMatchObject({ code: "ECONNRESET", syscall: "write" });
    await expect.poll(() => connection.calls).toEqual(["close"]);
  });
});

describe("setTimeout() of a socket", () => {
  const TIMEOUT_MS = 100;

  test("is put off as long as a write advances, and told once that stands still", async () => {
    const { socket, connection } = made();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    onTestFinished(() => void vi.useRealTimers());
    let told = 0;
    socket.on("timeout", () => told++);
    socket.setTimeout(TIMEOUT_MS);
    socket.cork();
    for (let i = 0; i < 3; i++) socket.write(new Uint8Array(SMALL_BYTES));
    socket.uncork();
    for (let i = 0; i < 20; i++) await Promise.resolve();
    vi.advanceTimersByTime(TIMEOUT_MS);
    expect(told).toBe(0);
    connection.writes[0]?.done();
    for (let i = 0; i < 20; i++) await Promise.resolve();
    vi.advanceTimersByTime(TIMEOUT_MS);
    expect(told).toBe(0);
    vi.advanceTimersByTime(TIMEOUT_MS);
    expect(told).toBe(1);
    socket.destroy();
  });

  test("counts from the last thing that happened, and is told again only after another", () => {
    const { socket } = made();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    onTestFinished(() => void vi.useRealTimers());
    let told = 0;
    socket.on("timeout", () => told++);
    socket.setTimeout(TIMEOUT_MS);
    vi.advanceTimersByTime(TIMEOUT_MS - 1);
    socket.write("x");
    vi.advanceTimersByTime(TIMEOUT_MS - 1);
    expect(told).toBe(0);
    vi.advanceTimersByTime(TIMEOUT_MS * 3);
    expect(told).toBe(1);
    socket.write("y");
    vi.advanceTimersByTime(TIMEOUT_MS * 3);
    expect(told).toBe(2);
    // Nothing is told of what it was set to before, nor once it is destroyed.
    socket.setTimeout(TIMEOUT_MS);
    socket.setTimeout(TIMEOUT_MS * 10);
    vi.advanceTimersByTime(TIMEOUT_MS * 9);
    expect(told).toBe(2);
    socket.destroy();
    vi.advanceTimersByTime(TIMEOUT_MS * 20);
    expect(told).toBe(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("of more than a timer takes is the longest that it takes", () => {
    const { socket } = made();
    const TIMER_MAX_MS = 0x7fffffff;
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    onTestFinished(() => void vi.useRealTimers());
    let told = 0;
    socket.on("timeout", () => told++);
    socket.setTimeout(2 * TIMER_MAX_MS);
    vi.advanceTimersByTime(TIMER_MAX_MS - 1);
    expect(told).toBe(0);
    vi.advanceTimersByTime(1);
    expect(told).toBe(1);
    socket.destroy();
  });
});

/** What the page's half of a worker's stack says and hears: each test plays the worker. */
import { describe, expect, test } from "vitest";
import { BadResource, ConnectionReset, CoreFault } from "../../src/errors.ts";
import {
  BUFFER_BYTES,
  type PageMessage,
  READ_WINDOW_BYTES,
  toWireError,
  WRITE_WINDOW_BYTES,
} from "../../src/worker/protocol.ts";
import { fakeConnection, fakeStack, type FakeWorker, idOf } from "./fake_worker.ts";

const CONNECTION = 5;
const RESET = toWireError(new ConnectionReset("Cannot go on: reset by peer"));

function kinds(worker: FakeWorker): string[] {
  return worker.sent.map((message) => message.kind === "call" ? message.call : message.kind);
}

function count(worker: FakeWorker, kind: string): number {
  return kinds(worker).filter((one) => one === kind).length;
}

function say(worker: FakeWorker, kind: string, rest: object = {}): void {
  worker.say({ kind, connection: CONNECTION, ...rest });
}

/** The worker answers the last call of a name. */
function answer(worker: FakeWorker, call: string, value: unknown = null): void {
  worker.say({ kind: "answer", id: idOf(worker.sent, call), value });
}

function data(worker: FakeWorker, bytes: number, size = BUFFER_BYTES): void {
  say(worker, "data", { buffer: new ArrayBuffer(size), bytes });
}

function credits(worker: FakeWorker): Extract<PageMessage, { readonly kind: "credit" }>[] {
  return worker.sent.filter((message) => message.kind === "credit");
}

describe("a connection that the worker has forgotten", () => {
  test("is spoken of no more, and says how it ended", async () => {
    const { worker, connection } = await fakeConnection();
    const writer = connection.writable.getWriter();
    const reader = connection.readable.getReader();
    say(worker, "closed", { error: RESET });
    say(worker, "gone");
    const before = kinds(worker);
    void writer.write(new Uint8Array(3)).catch(() => {});
    const read = reader.read();
    await expect(connection.closeWrite()).rejects.toBeInstanceOf(ConnectionReset);
    connection.abort();
    await expect(read).rejects.toBeInstanceOf(ConnectionReset);
    await expect(writer.closed).rejects.toBeInstanceOf(ConnectionReset);
    await expect(connection.close()).rejects.toBeInstanceOf(ConnectionReset);
    expect(() => connection.info()).toThrow(BadResource);
    expect(kinds(worker)).toEqual(before);
  });

  test("is spoken of no more either, when it was the worker that died", async () => {
    const { worker, connection } = await fakeConnection();
    const { readable } = connection;
    const before = kinds(worker);
    worker.dispatchEvent(Object.assign(new Event("error"), { message: "out of memory" }));
    connection.abort();
    await expect(connection.close()).rejects.toBeInstanceOf(CoreFault);
    await expect(connection.closeWrite()).rejects.toBeInstanceOf(CoreFault);
    await expect(readable.getReader().read()).rejects.toBeInstanceOf(CoreFault);
    expect(() => connection.info()).toThrow(BadResource);
    expect(kinds(worker)).toEqual(before);
  });

  test("closes with what is known, when it was forgotten meanwhile", async () => {
    const { worker, connection } = await fakeConnection();
    const [ending, closing] = [connection.closeWrite(), connection.close()];
    say(worker, "closed", { error: RESET });
    say(worker, "gone");
    answer(worker, "closeWrite");
    answer(worker, "close");
    await expect(ending).rejects.toBeInstanceOf(ConnectionReset);
    await expect(closing).rejects.toBeInstanceOf(ConnectionReset);
  });

  test("is disposed without an error that was told before, and with one that was not", async () => {
    for (const isTold of [true, false]) {
      const { worker, connection } = await fakeConnection();
      if (isTold) say(worker, "closed", { error: RESET });
      const disposing = connection[Symbol.asyncDispose]();
      worker.say({ kind: "refusal", id: idOf(worker.sent, "close"), error: RESET });
      const outcome = disposing.then(() => "in order", () => "failed");
      expect(await outcome).toBe(isTold ? "in order" : "failed");
    }
  });
});

describe("a connection of the page", () => {
  test("is closed once, and can not be written from then on", async () => {
    const { worker, connection } = await fakeConnection();
    const writer = connection.writable.getWriter();
    const closing = connection.close();
    expect(connection.close()).toBe(closing);
    expect(count(worker, "close")).toBe(1);
    await expect(writer.write(new Uint8Array(1))).rejects.toBeInstanceOf(BadResource);
    answer(worker, "close");
    await closing;
  });

  test("fails with the reason that abort() was given", async () => {
    const { worker, connection } = await fakeConnection();
    const writer = connection.writable.getWriter();
    const read = connection.readable.getReader().read();
    connection.abort(new Error("enough"));
    await expect(read).rejects.toThrow("enough");
    await expect(writer.closed).rejects.toThrow("enough");
    expect(count(worker, "abort")).toBe(1);
  });

  test("is over once: what is said of its end later changes nothing", async () => {
    const { worker, connection } = await fakeConnection();
    say(worker, "closed", { error: null });
    say(worker, "closed", { error: RESET });
    say(worker, "gone");
    await connection.closed;
    await connection.close();
  });

  test("fetches one snapshot for all who ask, and a later one for who asks later", async () => {
    const { worker, connection } = await fakeConnection();
    const asked = Promise.all([connection.refresh(), connection.refresh()]);
    expect(count(worker, "info")).toBe(1);
    const snapshot = { state: "ESTABLISHED" };
    answer(worker, "info", snapshot);
    expect(await asked).toEqual([snapshot, snapshot]);
    // It is fresh still.
    expect(connection.info()).toEqual(snapshot);
    expect(count(worker, "info")).toBe(1);
    void connection.refresh();
    expect(count(worker, "info")).toBe(2);
  });
});

describe("the readable of the page", () => {
  test("gives what came before a reset, then the reset, though the worker says more of it", async () => {
    const { worker, connection } = await fakeConnection();
    data(worker, 3);
    say(worker, "end", { error: RESET });
    say(worker, "end", { error: null });
    const reader = connection.readable.getReader();
    expect((await reader.read()).value?.length).toBe(3);
    await expect(reader.read()).rejects.toBeInstanceOf(ConnectionReset);
    expect(credits(worker)).toEqual([]);
  });

  test("fails at once, if it ended in a reset before anybody asked for it", async () => {
    const { worker, connection } = await fakeConnection();
    say(worker, "end", { error: RESET });
    await expect(connection.readable.getReader().closed).rejects.toBeInstanceOf(ConnectionReset);
  });

  test("sends emptied buffers back, of the full size alone, in steps that are worth it", async () => {
    const { worker, connection } = await fakeConnection();
    const reader = connection.readable.getReader({ mode: "byob" });
    const first = reader.read(new Uint8Array(10));
    await expect.poll(() => credits(worker).length).toBe(1);
    expect(credits(worker)[0]?.bytes).toBe(READ_WINDOW_BYTES);
    data(worker, 100, 100);
    data(worker, BUFFER_BYTES);
    expect((await first).value?.length).toBe(10);
    for (let left = BUFFER_BYTES + 90; left > 0;) {
      left -= (await reader.read(new Uint8Array(60_000))).value?.length ?? left;
    }
    const [, ...later] = credits(worker);
    const sizes = later.flatMap(({ buffers }) => buffers.map(({ byteLength }) => byteLength));
    expect(sizes).toEqual([BUFFER_BYTES]);
    expect(later.every(({ bytes }) => bytes >= BUFFER_BYTES)).toBe(true);
  });

  test("tells how much was read of it, when it is closed", async () => {
    const { worker, connection } = await fakeConnection();
    data(worker, 10);
    data(worker, 20);
    const plain = connection.readable.getReader();
    await plain.read();
    plain.releaseLock();
    const reader = connection.readable.getReader({ mode: "byob" });
    await reader.read(new Uint8Array(5));
    void connection.close();
    expect(worker.sent.at(-1)).toMatchObject({ call: "close", args: { consumed: 15 } });
  });

  test("tells the worker that it was cancelled, once, and lets go of what waits", async () => {
    const { worker, connection } = await fakeConnection();
    const reader = connection.readable.getReader();
    const read = reader.read();
    await expect.poll(() => credits(worker).length).toBe(1);
    await reader.cancel();
    expect((await read).done).toBe(true);
    data(worker, 3);
    expect(count(worker, "cancelRead")).toBe(1);
    expect(credits(worker)).toHaveLength(1);
  });
});

describe("the writable of the page", () => {
  test("says nothing of an empty chunk", async () => {
    const { worker, connection } = await fakeConnection();
    await connection.writable.getWriter().write(new Uint8Array(0));
    expect(count(worker, "write")).toBe(0);
  });

  test("uses the buffers again that come back, and the room that they leave", async () => {
    const { worker, connection } = await fakeConnection();
    const writer = connection.writable.getWriter();
    for (let round = 0; round < 3; round++) {
      const seen = worker.sent.length;
      const writing = writer.write(new Uint8Array(WRITE_WINDOW_BYTES));
      await expect.poll(() => worker.sent.length).toBe(seen + 4);
      for (const message of worker.sent.slice(seen)) {
        if (message.kind !== "write") continue;
        const { bytes, buffer } = message;
        say(worker, "wrote", { bytes, buffer });
      }
      await writing;
    }
    const used = worker.sent.flatMap((one) => one.kind === "write" ? [one.buffer] : []);
    expect([used.length, new Set(used).size]).toEqual([12, 4]);
  });

  test("is broken already, if that was said before anybody asked for it", async () => {
    const { worker, connection } = await fakeConnection();
    say(worker, "unwritable", { error: RESET });
    await expect(connection.writable.getWriter().closed).rejects
      .toBeInstanceOf(ConnectionReset);
  });

  test("is aborted though a write waits, and sends RST once", async () => {
    const { worker, connection } = await fakeConnection();
    const writer = connection.writable.getWriter();
    const writing = writer.write(new Uint8Array(3));
    await expect.poll(() => count(worker, "write")).toBe(1);
    await writer.abort(new Error("enough"));
    await writing;
    expect(count(worker, "abort")).toBe(1);
  });

  test("sends no RST, when it is aborted after it failed", async () => {
    const { worker, connection } = await fakeConnection();
    const writer = connection.writable.getWriter();
    say(worker, "unwritable", { error: RESET });
    await writer.abort().catch(() => {});
    expect(count(worker, "abort")).toBe(0);
  });
});

describe("a listener of the page", () => {
  test("is closed once, and accepts nothing from then on", async () => {
    const { worker, stack } = await fakeStack();
    const listening = stack.listen({ port: 7 });
    const address = { hostname: "10.0.0.1", port: 7 };
    answer(worker, "listen", { listener: 9, address });
    const listener = await listening;
    listener.close();
    listener.close();
    expect(count(worker, "unlisten")).toBe(1);
    await expect(listener.accept()).rejects.toBeInstanceOf(BadResource);
    expect(count(worker, "accept")).toBe(0);
  });
});

describe("a datagram socket of the page", () => {
  const SOCKET = 3;
  const FROM = { hostname: "10.0.0.2", port: 9 };
  const address = { hostname: "10.0.0.1", port: 8 };
  const datagram = (byte: number): object => ({ data: Uint8Array.of(byte), from: FROM });

  test("asks once for all who wait, and counts what it has of the last batch", async () => {
    const { worker, stack } = await fakeStack();
    const binding = stack.bindUdp({ port: 8 });
    answer(worker, "bindUdp", { socket: SOCKET, address });
    const socket = await binding;
    const received = Promise.all([socket.receive(), socket.receive()]);
    expect(count(worker, "receiveUdp")).toBe(1);
    answer(worker, "receiveUdp", [1, 2, 3, 4].map(datagram));
    expect((await received).map(({ data: bytes }) => bytes[0])).toEqual([1, 2]);
    const asked = socket.info();
    answer(worker, "infoUdp", { datagramsIn: 9, datagramsOut: 0, dropped: 0, queued: 5 });
    expect((await asked).queued).toBe(7);
    expect((await socket.receive()).data[0]).toBe(3);
    const into = new Uint8Array(4);
    expect((await socket.receive(into)).data.buffer).toBe(into.buffer);
    // Nobody waits, and nobody is asked for more.
    await Promise.resolve();
    expect(count(worker, "receiveUdp")).toBe(1);
    void socket.receive().catch(() => {});
    expect(count(worker, "receiveUdp")).toBe(2);
    socket.close();
    socket.close();
    expect(count(worker, "closeUdp")).toBe(1);
    await expect(socket.send(Uint8Array.of(1), FROM)).rejects.toBeInstanceOf(BadResource);
  });

  test("is closed, when nobody wants it any more by the time that it is bound", async () => {
    const { worker, stack } = await fakeStack();
    const controller = new AbortController();
    const binding = stack.bindUdp({ port: 8, signal: controller.signal });
    controller.abort(new Error("late"));
    answer(worker, "bindUdp", { socket: SOCKET, address });
    await expect(binding).rejects.toThrow("late");
    expect(worker.sent.at(-1)).toEqual({ kind: "closeUdp", socket: SOCKET });
  });

  test("hears of no trouble once it is closed", async () => {
    const { worker, stack } = await fakeStack();
    const binding = stack.bindUdp({ port: 8 });
    answer(worker, "bindUdp", { socket: SOCKET, address });
    const socket = await binding;
    const heard: unknown[] = [];
    socket.onTrouble = (trouble) => heard.push(trouble);
    worker.say({ kind: "udpTrouble", socket: SOCKET, trouble: "first" });
    socket.close();
    worker.say({ kind: "udpTrouble", socket: SOCKET, trouble: "second" });
    expect(heard).toEqual(["first"]);
  });
});

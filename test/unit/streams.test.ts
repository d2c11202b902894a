import { beforeEach, describe, expect, test } from "vitest";
import { StreamConnection } from "../../src/api/tcp_connection.ts";
import { StreamListener } from "../../src/api/tcp_listener.ts";
import { EVENT_ACCEPTABLE, REASON_RESET, REASON_TIMED_OUT } from "../../src/layout/layout.gen.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { ConnectionManager } from "../../src/tcp/manager.ts";
import { BadResource } from "../../src/errors.ts";
import { type FakeConnection, FakeCore } from "./fake_core.ts";

const REMOTE = { address: 0x0a00_0001, port: 80 };

let core: FakeCore;
let manager: ConnectionManager;
let connection: StreamConnection;
let fake: FakeConnection;
let handle: number;

beforeEach(() => {
  core = new FakeCore();
  manager = new ConnectionManager({
    core,
    random: seededRandom(1),
    now: () => 0,
    wake: () => {},
    path: () => ({ source: 0x0a00_0002, hop: 1 }),
    isOurs: () => true,
  });
  core.onEvent = (h, bits, detail) => manager.onEvent(h, bits, detail);
  const raw = manager.connect({ remote: REMOTE });
  core.open(raw.handle);
  handle = raw.handle;
  fake = core.connections.get(handle) ?? expect.fail("no connection");
  connection = new StreamConnection(raw);
});

/** Code of what a promise is rejected with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** Whether a promise settles before a few turns of the microtask queue have passed. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => (settled = true), () => (settled = true));
  for (let i = 0; i < 20; i++) await Promise.resolve();
  return settled;
}

describe("readable", () => {
  test("gives what has arrived, and waits for what has not", async () => {
    core.arrive(handle, [1, 2, 3]);
    const reader = connection.readable.getReader();
    expect((await reader.read()).value).toEqual(new Uint8Array([1, 2, 3]));
    const next = reader.read();
    expect(await isSettled(next)).toBe(false);
    core.arrive(handle, [4]);
    expect((await next).value).toEqual(new Uint8Array([4]));
  });

  test("gives who brings no buffer a chunk as large as what there is, 64 KiB at most", async () => {
    const reader = connection.readable.getReader();
    const first = reader.read();
    core.arrive(handle, [1, 2, 3]);
    const { value } = await first;
    expect([...value ?? []]).toEqual([1, 2, 3]);
    expect(value?.buffer.byteLength).toBe(3);
    core.arrive(handle, new Uint8Array(70_000));
    expect((await reader.read()).value?.buffer.byteLength).toBe(65_536);
    expect((await reader.read()).value?.buffer.byteLength).toBe(70_000 - 65_536);
  });

  test("reads nothing for a reader that has gone", async () => {
    const reader = connection.readable.getReader();
    const first = reader.read();
    const isGone = expect(first).rejects.toThrow(TypeError);
    await Promise.resolve();
    reader.releaseLock();
    await isGone;
    core.arrive(handle, [1, 2, 3]);
    expect(fake.inbound).toEqual([1, 2, 3]);
    expect((await connection.readable.getReader().read()).value).toEqual(new Uint8Array([1, 2, 3]));
  });

  test("leaves unread bytes in the ring", async () => {
    const { readable } = connection;
    core.arrive(handle, new Array(1_000).fill(7));
    await Promise.resolve();
    expect(core.readable(handle)).toBe(1_000);
    await readable.cancel();
  });

  test("fills the reader's own buffer", async () => {
    core.arrive(handle, [1, 2, 3, 4, 5]);
    const reader = connection.readable.getReader({ mode: "byob" });
    const first = await reader.read(new Uint8Array(4));
    expect(first.value).toEqual(new Uint8Array([1, 2, 3, 4]));
    expect(first.value?.buffer.byteLength).toBe(4);
    const second = await reader.read(new Uint8Array(first.value?.buffer ?? new ArrayBuffer(4)));
    expect(second.value).toEqual(new Uint8Array([5]));
  });

  test.each(["default", "byob"])("ends at FIN for a %s reader that waits", async (mode) => {
    const reading = mode === "byob"
      ? connection.readable.getReader({ mode: "byob" }).read(new Uint8Array(4))
      : connection.readable.getReader().read();
    await isSettled(reading);
    core.finish(handle);
    expect((await reading).done).toBe(true);
  });

  test("MUST-12 ends at FIN after what came before it", async () => {
    core.arrive(handle, [1]);
    core.finish(handle);
    const reader = connection.readable.getReader();
    expect((await reader.read()).value).toEqual(new Uint8Array([1]));
    expect((await reader.read()).done).toBe(true);
  });

  test("MUST-12 fails at a reset with its reason", async () => {
    const reader = connection.readable.getReader();
    const reading = reader.read();
    core.end(handle, REASON_RESET);
    expect(await codeOf(reading)).toBe("ECONNRESET");
    expect(await codeOf(reader.closed)).toBe("ECONNRESET");
  });

  test("gives what came before a reset first", async () => {
    const { readable } = connection;
    core.arrive(handle, [1]);
    core.end(handle, REASON_RESET);
    const reader = readable.getReader();
    expect((await reader.read()).value).toEqual(new Uint8Array([1]));
    expect(await codeOf(reader.read())).toBe("ECONNRESET");
  });

  test("cancel() closes the reading direction alone", async () => {
    await connection.readable.cancel();
    expect(core.log).toContain(`closeRead ${handle}`);
    await connection.writable.getWriter().write(new Uint8Array([1]));
    expect(fake.outbound).toEqual([1]);
  });
});

describe("writable", () => {
  test("settles a write once the ring has all of it", async () => {
    fake.room = 3;
    const writer = connection.writable.getWriter();
    const writing = writer.write(new Uint8Array([1, 2, 3, 4, 5]));
    expect(await isSettled(writing)).toBe(false);
    core.makeRoom(handle, 1);
    expect(await isSettled(writing)).toBe(false);
    core.makeRoom(handle, 10);
    await writing;
    expect(fake.outbound).toEqual([1, 2, 3, 4, 5]);
  });

  test("close() sends FIN after what is queued", async () => {
    const writer = connection.writable.getWriter();
    void writer.write(new Uint8Array([1]));
    await writer.close();
    expect(core.log).toContain(`closeWrite ${handle}`);
    expect(fake.outbound).toEqual([1]);
  });

  test("abort() resets, also while a write waits", async () => {
    fake.room = 0;
    const writer = connection.writable.getWriter();
    const writing = writer.write(new Uint8Array(5));
    await isSettled(writing);
    const aborting = writer.abort(new Error("enough"));
    expect(core.log).toContain(`abort ${handle}`);
    core.settle();
    await aborting;
    expect(await isSettled(writing)).toBe(true);
  });

  test("fails a write that waits with the reason", async () => {
    fake.room = 0;
    const writer = connection.writable.getWriter();
    writer.closed.catch(() => {});
    const writing = writer.write(new Uint8Array(5));
    await isSettled(writing);
    core.end(handle, REASON_TIMED_OUT);
    expect(await codeOf(writing)).toBe("ETIMEDOUT");
  });

  test("is EPIPE after closeWrite(), and a TypeError for anything but bytes", async () => {
    await connection.closeWrite();
    const writer = connection.writable.getWriter();
    writer.closed.catch(() => {});
    expect(await codeOf(writer.write(new Uint8Array(1)))).toBe("EPIPE");
    const { writable } = new StreamConnection(manager.connect({ remote: REMOTE }));
    const other = writable.getWriter();
    other.closed.catch(() => {});
    await expect(other.write("text" as unknown as Uint8Array)).rejects.toThrow(TypeError);
  });
});

describe("close() and closed", () => {
  test("close() settles once everything is acknowledged", async () => {
    await connection.writable.getWriter().write(new Uint8Array(3));
    const closing = connection.close();
    expect(connection.close()).toBe(closing);
    expect(await isSettled(closing)).toBe(false);
    core.acknowledge(handle);
    await closing;
    await connection.closed;
    expect(fake.released).toBe(true);
  });

  test("close() rejects when it can not be done", async () => {
    const closing = connection.close();
    core.end(handle, REASON_TIMED_OUT);
    expect(await codeOf(closing)).toBe("ETIMEDOUT");
    expect(await codeOf(connection.closed)).toBe("ETIMEDOUT");
  });

  test("close() ends a reader that waits", async () => {
    const reading = connection.readable.getReader().read();
    await isSettled(reading);
    void connection.close();
    expect((await reading).done).toBe(true);
  });

  test("close() with unread bytes rejects only if sent ones are lost with them", async () => {
    core.arrive(handle, [1]);
    await connection.close();
    expect(fake.released).toBe(true);
    const raw = manager.connect({ remote: REMOTE });
    core.open(raw.handle);
    const other = new StreamConnection(raw);
    await other.writable.getWriter().write(new Uint8Array(4));
    core.arrive(raw.handle, [1]);
    expect(await codeOf(other.close())).toBe("ECONNABORTED");
  });

  test("closed is fulfilled when both directions ended in order", async () => {
    const { closed } = connection;
    core.finish(handle);
    expect(await isSettled(closed)).toBe(false);
    await connection.closeWrite();
    core.acknowledge(handle);
    await closed;
    expect(fake.released).toBe(true);
  });

  test("a handle with unread bytes is kept until they are read", async () => {
    core.arrive(handle, [1, 2]);
    core.finish(handle);
    await connection.closeWrite();
    core.acknowledge(handle);
    await connection.closed;
    expect(fake.released).toBe(false);
    const reader = connection.readable.getReader();
    expect((await reader.read()).value).toEqual(new Uint8Array([1, 2]));
    expect(fake.released).toBe(true);
    expect((await reader.read()).done).toBe(true);
  });

  test("abort() fails everything with the caller's reason", async () => {
    const reason = new Error("enough");
    const reading = connection.readable.getReader().read();
    connection.abort(reason);
    core.settle();
    await expect(reading).rejects.toBe(reason);
    expect(await codeOf(connection.closed)).toBe("ECONNABORTED");
    expect(fake.released).toBe(true);
  });
});

describe("StreamListener", () => {
  /** A connection completes at a listener. */
  const complete = (id: number) => {
    const passive = core.passive({ address: 0x0a00_0002, port: 80 }, REMOTE);
    manager.onEvent(passive.handle, EVENT_ACCEPTABLE, (id << 16) | (4 << 8));
  };

  test("accept() gives what waits and waits for what comes", async () => {
    const raw = manager.listen({ port: 80 });
    const listener = new StreamListener(raw);
    complete(raw.id);
    expect((await listener.accept()).remoteAddress).toEqual({ hostname: "10.0.0.1", port: 80 });
    const next = listener.accept();
    expect(await isSettled(next)).toBe(false);
    complete(raw.id);
    expect((await next).localAddress.port).toBe(80);
  });

  test("close() rejects accept() with EBADF and ends the iteration", async () => {
    const raw = manager.listen({ port: 80 });
    const listener = new StreamListener(raw);
    complete(raw.id);
    const seen: number[] = [];
    const iterating = (async () => {
      for await (const { localAddress } of listener) seen.push(localAddress.port);
    })();
    await isSettled(iterating);
    listener.close();
    await iterating;
    expect(seen).toEqual([80]);
    expect(await codeOf(listener.accept())).toBe("EBADF");
  });

  test("a fault rejects accept() and the iteration", async () => {
    const listener = new StreamListener(manager.listen({ port: 80 }));
    const accepting = listener.accept();
    manager.end(new BadResource("closed"));
    expect(await codeOf(accepting)).toBe("EBADF");
  });
});

import { describe, expect, onTestFinished, test } from "vitest";
import {
  AddressInUse,
  BadResource,
  CoreFault,
  errorOf,
  StackError,
  type StackErrorCode,
} from "../../src/errors.ts";
import type { AddressInfo, LinkState } from "../../src/options.ts";
import { BufferPool } from "../../src/worker/buffers.ts";
import type { ServedStack, StackBuilder } from "../../src/worker/build_stack.ts";
import { createWorkerStack } from "../../src/worker/client.ts";
import { serveWorker } from "../../src/worker/host.ts";
import {
  BUFFER_BYTES,
  fromWireError,
  READ_WINDOW_BYTES,
  toWireError,
  WRITE_WINDOW_BYTES,
} from "../../src/worker/protocol.ts";
import { fakeStack, idOf, OPENED } from "./fake_worker.ts";
import { type WorkerPair, workerPair } from "./stack_pairs.ts";

const PORT = 7;

async function pairOf(adapt?: (build: StackBuilder) => StackBuilder): Promise<WorkerPair> {
  const pair = await workerPair(adapt);
  onTestFinished(async () => {
    await pair.left.close();
    await pair.right.close();
  });
  return pair;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof StackError ? error.code : String(error);
  }
}

describe("errors", () => {
  const CODES: readonly StackErrorCode[] = ["ECONNREFUSED", "EADDRINUSE", "EPROTO", "CORE_FAULT"];

  test.each(CODES)("fromWireError() gives class, code and message, when it is %s", (code) => {
    const before = errorOf(code, "Cannot do it");
    const after = fromWireError(structuredClone(toWireError(before)));
    expect(after.constructor).toBe(before.constructor);
    expect(after).toMatchObject({ code, message: "Cannot do it", name: before.name });
  });

  test("fromWireError() gives the class, when it is a mistake or a cancellation", () => {
    expect(fromWireError(toWireError(new RangeError("a")))).toBeInstanceOf(RangeError);
    expect(fromWireError(toWireError(new TypeError("a")))).toBeInstanceOf(TypeError);
    const abort = fromWireError(toWireError(new DOMException("a", "AbortError")));
    expect(abort).toBeInstanceOf(DOMException);
    expect(abort.name).toBe("AbortError");
    expect(fromWireError(toWireError("text")).message).toBe("text");
  });
});

describe("BufferPool", () => {
  test("take() gives small buffers for small things, and 64 KiB for others", () => {
    const pool = new BufferPool();
    expect(pool.take(10).byteLength).toBe(10);
    const large = pool.take(10_000);
    expect(large.byteLength).toBe(BUFFER_BYTES);
    pool.give(large);
    expect(pool.take(10_000)).toBe(large);
  });

  test("give() forgets what is one too many, when it is full", () => {
    const pool = new BufferPool();
    const given = Array.from({ length: 20 }, () => new ArrayBuffer(BUFFER_BYTES));
    for (const buffer of given) pool.give(buffer);
    const taken = Array.from({ length: 20 }, () => pool.take(BUFFER_BYTES));
    expect(taken.filter((buffer) => given.includes(buffer))).toHaveLength(8);
  });
});

describe("the client", () => {
  test("everything is rejected once with CORE_FAULT, when the worker fails", async () => {
    const { worker, stack } = await fakeStack();
    const links: LinkState[] = [];
    stack.onLink((state) => links.push(state));
    const opening = stack.connect({ hostname: "10.0.0.2", port: PORT });
    worker.say({ kind: "answer", id: idOf(worker.sent, "connect"), value: OPENED });
    const connection = await opening;
    const read = connection.readable.getReader().read();
    const outcomes = Promise.all([
      codeOf(stack.ready),
      codeOf(read),
      codeOf(connection.closed),
      codeOf(connection.writable.getWriter().write(new Uint8Array(1))),
      codeOf(stack.stats()),
    ]);
    worker.dispatchEvent(Object.assign(new Event("error"), { message: "out of memory" }));
    worker.dispatchEvent(new Event("messageerror"));
    expect(await outcomes).toEqual(Array.from({ length: 5 }, () => "CORE_FAULT"));
    await expect(stack.connections()).rejects.toBeInstanceOf(CoreFault);
    await expect(stack.connections()).rejects.toThrow("out of memory");
    expect(links).toHaveLength(1);
    expect(links[0]?.up).toBe(false);
    await stack.close();
  });

  test("no credit is given before the first read, and then no more than the window", async () => {
    const { worker, stack } = await fakeStack();
    const opening = stack.connect({ hostname: "10.0.0.2", port: PORT });
    worker.say({ kind: "answer", id: idOf(worker.sent, "connect"), value: OPENED });
    const connection = await opening;
    const granted = (): number =>
      worker.sent.reduce(
        (sum, message) => message.kind === "credit" ? sum + message.bytes : sum,
        0,
      );
    const { readable } = connection;
    await Promise.resolve();
    expect(granted()).toBe(0);
    const reader = readable.getReader();
    const first = reader.read();
    expect(granted()).toBe(READ_WINDOW_BYTES);
    for (let i = 0; i < 4; i++) {
      const buffer = new ArrayBuffer(BUFFER_BYTES);
      worker.say({ kind: "data", connection: 5, buffer, bytes: BUFFER_BYTES });
    }
    expect((await first).value?.length).toBe(BUFFER_BYTES);
    expect(granted()).toBe(READ_WINDOW_BYTES + BUFFER_BYTES);
    await reader.read();
    expect(granted()).toBe(READ_WINDOW_BYTES + (2 * BUFFER_BYTES));
  });

  test("write() sends no more than the window, until bytes are acknowledged", async () => {
    const { worker, stack } = await fakeStack();
    const opening = stack.connect({ hostname: "10.0.0.2", port: PORT });
    worker.say({ kind: "answer", id: idOf(worker.sent, "connect"), value: OPENED });
    const writer = (await opening).writable.getWriter();
    let isWritten = false;
    const written = writer.write(new Uint8Array(WRITE_WINDOW_BYTES + 10)).then(() => {
      isWritten = true;
    });
    await Promise.resolve();
    const writes = () => worker.sent.filter((message) => message.kind === "write");
    await expect.poll(() => writes().length).toBe(4);
    for (const { bytes, buffer } of writes()) {
      worker.say({ kind: "wrote", connection: 5, bytes, buffer });
    }
    expect(writes()).toHaveLength(5);
    await Promise.resolve();
    expect(isWritten).toBe(false);
    worker.say({ kind: "wrote", connection: 5, bytes: 10, buffer: new ArrayBuffer(10) });
    await written;
  });

  test("a connection is aborted, when it opens after nobody wants it any more", async () => {
    const { worker, stack } = await fakeStack();
    const controller = new AbortController();
    const { signal } = controller;
    const opening = stack.connect({ hostname: "10.0.0.2", port: PORT, signal });
    controller.abort(new Error("late"));
    await expect(opening).rejects.toThrow("late");
    const id = idOf(worker.sent, "connect");
    expect(worker.sent).toContainEqual({ kind: "cancel", id });
    worker.say({ kind: "answer", id, value: OPENED });
    await expect.poll(() => worker.sent.at(-1)).toEqual({ kind: "abort", connection: 5 });
  });

  test("close() tells the worker within the call, because a page may be going", async () => {
    const { worker, stack } = await fakeStack();
    const closing = stack.close();
    expect(idOf(worker.sent, "stop")).toBeGreaterThan(0);
    worker.say({ kind: "answer", id: idOf(worker.sent, "stop"), value: null });
    await closing;
    await expect(stack.stats()).rejects.toBeInstanceOf(BadResource);
  });

  test("close() ends in time, when the worker does not answer", async () => {
    const { stack } = await fakeStack();
    const counting = codeOf(stack.stats());
    await stack.close();
    expect(await counting).toBe("EBADF");
  });

  test("connect() refuses, when its options can not be sent", async () => {
    const { left, rightAddress } = await pairOf();
    const bad: unknown = { hostname: rightAddress, port: 1, localAddress: () => {} };
    await expect(left.connect(bad as { hostname: string; port: number })).rejects
      .toBeInstanceOf(TypeError);
  });
});

describe("the host", () => {
  test("createWorkerStack() is rejected, when the description is not usable", async () => {
    const channel = new MessageChannel();
    onTestFinished(() => channel.port1.close());
    serveWorker(channel.port1);
    const link = { kind: "websocket", url: "http://relay.example/", token: "t" } as const;
    const starting = createWorkerStack({ worker: channel.port2, link, address: "dhcp" });
    await expect(starting).rejects.toBeInstanceOf(TypeError);
  });

  test("createWorkerStack() is rejected, when the address is none", async () => {
    const channel = new MessageChannel();
    onTestFinished(() => channel.port1.close());
    serveWorker(channel.port1);
    const starting = createWorkerStack({
      worker: channel.port2,
      link: { kind: "websocket", url: "ws://127.0.0.1:9/", token: "t" },
      address: { cidr: "10.0.0.300/24" },
    });
    await expect(starting).rejects.toBeInstanceOf(RangeError);
  });

  test("link and lease are told, when they change", async () => {
    let news: Parameters<StackBuilder>[1] | null = null;
    const { left } = await pairOf((build) => (description, given) => {
      news = given;
      return build(description, given);
    });
    const address = await left.ready;
    await expect.poll(() => left.link.up).toBe(true);
    expect(left.lease).toEqual(address);
    const links: LinkState[] = [];
    const leases: (AddressInfo | null)[] = [];
    left.onLink((state) => links.push(state));
    const stop = left.onLease((lease) => leases.push(lease));
    expect(news).not.toBeNull();
    const told = news as unknown as Parameters<StackBuilder>[1];
    told.link({ up: false, reason: "The relay is away" });
    told.lease(null);
    await expect.poll(() => leases.length).toBe(1);
    expect(links).toEqual([{ up: false, reason: "The relay is away" }]);
    expect(left.link.reason).toBe("The relay is away");
    expect(left.lease).toBeNull();
    stop();
  });

  test("publish() gives the relay's port or its error", async () => {
    const publish = (options: { port: number }): Promise<{ port: number; hostPort: number }> =>
      options.port === 80
        ? Promise.reject(new AddressInUse("It is taken"))
        : Promise.resolve({ port: options.port, hostPort: 1_234 });
    const { left } = await pairOf((build) => (description, news): ServedStack => ({
      ...build(description, news),
      publish,
    }));
    expect(await left.publish({ port: 8_080 })).toEqual({ port: 8_080, hostPort: 1_234 });
    await expect(left.publish({ port: 80 })).rejects.toBeInstanceOf(AddressInUse);
    await left.unpublish({ port: 8_080 });
  });

  test("stopCapture() gives a file with the frames that passed meanwhile", async () => {
    const { left, right, rightAddress } = await pairOf();
    await Promise.all([left.ready, right.ready]);
    await right.listen({ port: PORT });
    await left.startCapture();
    const connection = await left.connect({ hostname: rightAddress, port: PORT });
    const file = await left.stopCapture();
    await left.connect({ hostname: rightAddress, port: PORT });
    expect(file.type).toBe("application/x-pcapng");
    const blocks = blocksOf(await file.arrayBuffer());
    // Section, interface, ARP or not, SYN, SYN-ACK, ACK, statistics.
    expect(blocks.slice(0, 2)).toEqual([0x0a0d_0d0a, 1]);
    expect(blocks.filter((type) => type === 6).length).toBeGreaterThanOrEqual(3);
    expect(blocks.at(-1)).toBe(5);
    connection.abort();
    const empty = blocksOf(await (await left.stopCapture()).arrayBuffer());
    expect(empty.includes(6)).toBe(false);
  });

  test("refresh() fetches a snapshot, when the last one is old", async () => {
    const { left, right, rightAddress } = await pairOf();
    const listener = await right.listen({ port: PORT });
    const connection = await left.connect({ hostname: rightAddress, port: PORT });
    const far = await listener.accept();
    await far.writable.getWriter().write(new Uint8Array(1_000));
    expect(connection.info().receiveQueuedBytes).toBe(0);
    await expect.poll(async () => (await connection.refresh()).receiveQueuedBytes).toBe(1_000);
    expect(connection.info().receiveQueuedBytes).toBe(1_000);
  });

  test("bytes that the page has not read count as unread, when it closes", async () => {
    const { left, right, rightAddress } = await pairOf();
    const listener = await right.listen({ port: PORT });
    const connection = await left.connect({ hostname: rightAddress, port: PORT });
    const far = await listener.accept();
    const reader = connection.readable.getReader({ mode: "byob" });
    const first = reader.read(new Uint8Array(10));
    await far.writable.getWriter().write(new Uint8Array(1_000));
    expect((await first).value?.length).toBe(10);
    await expect.poll(() => far.info().sendQueuedBytes).toBe(0);
    await connection.close();
    expect(await codeOf(far.closed)).toBe("ECONNRESET");
  });
});

/** The types of a capture's blocks. */
function blocksOf(file: ArrayBuffer): number[] {
  const view = new DataView(file);
  const types: number[] = [];
  for (let at = 0; at < view.byteLength; at += view.getUint32(at + 4, true)) {
    types.push(view.getUint32(at, true));
  }
  return types;
}

/**
 * What every NetworkStack does, wherever it runs. One list of cases: the in-process stack and the one behind a worker's
 * protocol both have to pass it.
 */
import { expect } from "vitest";
import { StackError } from "../../src/errors.ts";
import type { TcpConnection } from "../../src/options.ts";
import {
  BIG_BYTES,
  codeOf,
  joined,
  paired,
  type PairFactory,
  pattern,
  pause,
  PORT,
  readAll,
  readExactly,
  send,
} from "./joined.ts";
import { optionCases, urgentCases } from "./option_conformance.ts";
import { probeCases } from "./probe_conformance.ts";
import { udpCases } from "./udp_conformance.ts";

export type { PairFactory, StackPair } from "./joined.ts";

/** More than all that may lie between a writer and a reader that does not read: two rings and the protocol's windows. */
const HELD_MAX_BYTES = (2 * 65_536) + (2 * 4 * 65_536) + 65_536;

/**
 * Declares the cases.
 *
 * @param make Makes the pairs.
 */
export function stackConformance(make: PairFactory): void {
  dataCases(make);
  endCases(make);
  closeCases(make);
  optionCases(make);
  urgentCases(make);
  flowCases(make);
  openCases(make);
  listenCases(make);
  listenLimitCases(make);
  nameCases(make);
  stackCases(make);
  udpCases(make);
  probeCases(make);
}

function dataCases(make: PairFactory): void {
  joined("readable and writable carry bytes, when they are echoed", make, async ({ near, far }) => {
    const echo = far.readable.pipeTo(far.writable);
    const sent = pattern(10_000);
    await send(near, sent);
    expect(await readExactly(near, sent.length)).toEqual(sent);
    await near.closeWrite();
    await echo;
    await near.closed;
  });

  joined("write() leaves the chunk to its owner, when it is large", make, async ({ near, far }) => {
    const chunk = pattern(100_000);
    const received = readExactly(far, chunk.length);
    await send(near, chunk);
    expect(chunk.length).toBe(100_000);
    expect(await received).toEqual(pattern(100_000));
  });

  joined("write() carries all bytes in order, when they are many", make, async ({ near, far }) => {
    const sent = pattern(BIG_BYTES);
    const received = readAll(far);
    await send(near, sent);
    await near.closeWrite();
    expect(Buffer.compare(await received, sent)).toBe(0);
  });

  joined("readable carries all bytes in order, when they are many", make, async (pair) => {
    const sent = pattern(BIG_BYTES);
    const received = readAll(pair.near);
    await send(pair.far, sent);
    await pair.far.closeWrite();
    expect(Buffer.compare(await received, sent)).toBe(0);
  });

  joined("read() fills the caller's buffer, when it is BYOB", make, async ({ near, far }) => {
    await send(far, pattern(5));
    const reader = near.readable.getReader({ mode: "byob" });
    const { buffer } = new Uint8Array(16);
    const first = await reader.read(new Uint8Array(buffer, 4, 3));
    expect([...first.value ?? []]).toEqual([...pattern(3)]);
    expect(first.value?.byteOffset).toBe(4);
    expect(first.value?.buffer.byteLength).toBe(16);
    const second = await reader.read(new Uint8Array(8));
    expect([...second.value ?? []]).toEqual([...pattern(2, 3)]);
    await far.closeWrite();
    const last = await reader.read(new Uint8Array(8));
    expect(last.done).toBe(true);
    // The buffer comes back with the end.
    expect(last.value?.length).toBe(0);
    reader.releaseLock();
  });

  joined("write() refuses, when the chunk is no Uint8Array", make, async ({ near }) => {
    const writer = near.writable.getWriter();
    const chunk: unknown = "text";
    // deno-lint-ignore no-explicit-any -- the mistake is the case
    await expect(writer.write(chunk as any)).rejects.toBeInstanceOf(TypeError);
  });
}

function endCases(make: PairFactory): void {
  joined("closeWrite() ends one direction, when the near end does it", make, async (pair) => {
    const { near, far } = pair;
    await send(near, pattern(10));
    await near.writable.close();
    expect(await readAll(far)).toEqual(pattern(10));
    await send(far, pattern(20));
    await far.closeWrite();
    expect(await readAll(near)).toEqual(pattern(20));
    await Promise.all([near.closed, far.closed]);
  });

  joined("closeWrite() ends one direction, when the far end does it", make, async (pair) => {
    const { near, far } = pair;
    await far.closeWrite();
    expect(await readAll(near)).toEqual(new Uint8Array(0));
    const received = readAll(far);
    await send(near, pattern(100_000));
    await near.closeWrite();
    expect(await received).toEqual(pattern(100_000));
    await Promise.all([near.closed, far.closed]);
  });

  joined("write() fails with EPIPE, when we have closed that direction", make, async ({ near }) => {
    await near.closeWrite();
    expect(await codeOf(send(near, pattern(1)))).toBe("EPIPE");
  });

  joined("everything fails with ECONNRESET, when the peer aborts", make, async ({ near, far }) => {
    const read = codeOf(readAll(near));
    far.abort();
    expect(await read).toBe("ECONNRESET");
    expect(await codeOf(near.closed)).toBe("ECONNRESET");
    expect(await codeOf(send(near, pattern(1)))).toBe("ECONNRESET");
    expect(await codeOf(near.close())).toBe("ECONNRESET");
  });
}

function closeCases(make: PairFactory): void {
  joined("abort() resets, when we do it", make, async ({ near, far }) => {
    const read = codeOf(readAll(near));
    near.abort();
    expect(await read).toBe("ECONNABORTED");
    expect(await codeOf(near.closed)).toBe("ECONNABORTED");
    expect(await codeOf(far.closed)).toBe("ECONNRESET");
  });

  joined("abort() tells the streams its reason, when it has one", make, async ({ near }) => {
    const reason = new RangeError("enough");
    const read = near.readable.getReader().read();
    near.abort(reason);
    await expect(read).rejects.toBe(reason);
  });

  joined("cancel() drops what comes, when we read no more", make, async ({ near, far }) => {
    await near.readable.cancel();
    await send(near, pattern(10));
    await near.closeWrite();
    expect(await readAll(far)).toEqual(pattern(10));
  });

  joined("close() ends both directions in order, when nothing is unread", make, async (pair) => {
    const { near, far } = pair;
    await send(near, pattern(100));
    const closing = near.close();
    expect(await readAll(far)).toEqual(pattern(100));
    await closing;
    await far.close();
    await far.closed;
    expect(near.close()).toBe(near.close());
  });

  joined("close() resets, when bytes are unread", make, async ({ near, far }) => {
    await send(far, pattern(1_000));
    await expect.poll(() => far.info().sendQueuedBytes).toBe(0);
    await near.close();
    expect(await codeOf(readAll(far))).toBe("ECONNRESET");
  });

  joined("info() throws, when the connection is over", make, async ({ near, far }) => {
    await Promise.all([near.close(), far.close()]);
    await expect.poll(() => {
      try {
        return near.info().state;
      } catch (error) {
        return error instanceof StackError ? error.code : "?";
      }
    }).toBe("EBADF");
  });
}

function flowCases(make: PairFactory): void {
  joined("write() waits, when the far reader does not read", make, async ({ near, far }) => {
    await slowReader(near, far);
  });

  joined("the peer's write() waits, when the near reader is slow", make, async ({ near, far }) => {
    await slowReader(far, near);
  });

  joined("unread bytes stay in the ring, when nobody has read yet", make, async (pair) => {
    const { near, far } = pair;
    void send(far, pattern(1_000_000)).catch(() => {});
    const { readable } = near;
    const queued = async (): Promise<number | undefined> =>
      (await pair.left.connections()).find((row) => row.localAddress.port !== PORT)
        ?.receiveQueuedBytes;
    await expect.poll(queued).toBeGreaterThan(30_000);
    await pause(300);
    expect(readable.locked).toBe(false);
    // Neither the stream nor what is beneath it takes anything before the first read.
    expect(await queued()).toBeGreaterThan(30_000);
    near.abort();
  });
}

/** Writes much to a reader that waits; what is held between them is bounded, and nothing is lost. */
async function slowReader(from: TcpConnection, to: TcpConnection): Promise<void> {
  const writer = from.writable.getWriter();
  const chunk = 16_384;
  let written = 0;
  const writing = (async () => {
    while (written < BIG_BYTES) {
      await writer.write(pattern(chunk, written));
      written += chunk;
    }
    await writer.close();
  })();
  const reader = to.readable.getReader({ mode: "byob" });
  const first = await reader.read(new Uint8Array(1));
  expect(first.value?.[0]).toBe(pattern(1)[0]);
  await expect.poll(() => written).toBeGreaterThan(0);
  await pause(500);
  expect(written).toBeLessThanOrEqual(HELD_MAX_BYTES);
  let at = 1;
  for (;;) {
    const { value, done } = await reader.read(new Uint8Array(50_000));
    if (done || value === undefined) break;
    expect(Buffer.compare(value, pattern(value.length, at))).toBe(0);
    at += value.length;
  }
  await writing;
  expect(at).toBe(written);
}

function openCases(make: PairFactory): void {
  paired("connect() fails with ECONNREFUSED, when nobody listens", make, async (pair) => {
    const { left, rightAddress } = pair;
    const opening = left.connect({ hostname: rightAddress, port: 99 });
    await expect(opening).rejects.toBeInstanceOf(StackError);
    expect(await codeOf(opening)).toBe("ECONNREFUSED");
  });

  paired("connect() fails in time, when nobody has the address", make, async (pair) => {
    const { left, nobody } = pair;
    const opening = left.connect({ hostname: nobody, port: 1, connectTimeoutMs: 200 });
    expect(await codeOf(opening)).toBe("ETIMEDOUT");
  });

  paired("connect() rejects with the reason, when its signal is aborted", make, async (pair) => {
    const { left, nobody } = pair;
    const controller = new AbortController();
    const opening = left.connect({ hostname: nobody, port: 1, signal: controller.signal });
    const reason = new Error("not now");
    controller.abort(reason);
    await expect(opening).rejects.toBe(reason);
    await expect(left.connect({ hostname: nobody, port: 1, signal: controller.signal })).rejects
      .toBe(reason);
  });

  paired("connect() refuses options, when they can not be meant", make, async ({ left }) => {
    const hostname = "10.0.0.9";
    await expect(left.connect({ hostname, port: 0 })).rejects.toBeInstanceOf(RangeError);
    await expect(left.connect({ hostname, port: 65_536 })).rejects.toBeInstanceOf(RangeError);
    await expect(left.connect({ hostname: "", port: 1 })).rejects.toBeInstanceOf(RangeError);
    await expect(left.connect({ hostname, port: NaN })).rejects.toBeInstanceOf(Error);
    await expect(left.listen({ port: -1 })).rejects.toBeInstanceOf(RangeError);
    await expect(left.listen({ port: 1, backlog: 0 })).rejects.toBeInstanceOf(RangeError);
  });

  joined("connections know both ends, when they are open", make, async (pair) => {
    const { near, far, leftAddress, rightAddress } = pair;
    expect(near.remoteAddress).toEqual({ hostname: rightAddress, port: PORT });
    expect(near.localAddress.hostname).toBe(leftAddress);
    expect(far.remoteAddress).toEqual(near.localAddress);
    await expect.poll(() => near.info().state).toBe("ESTABLISHED");
    expect(near.info().localAddress).toEqual(near.localAddress);
  });
}

function listenCases(make: PairFactory): void {
  paired("accept() keeps the order, when several wait", make, async (pair) => {
    const { left, right, leftAddress } = pair;
    const listener = await left.listen({ port: PORT });
    const early = listener.accept();
    const ports: number[] = [];
    for (let i = 0; i < 4; i++) {
      const connection = await right.connect({ hostname: leftAddress, port: PORT });
      ports.push(connection.localAddress.port);
    }
    const accepted = [await early, await listener.accept()];
    for await (const connection of listener) {
      accepted.push(connection);
      if (accepted.length === 4) break;
    }
    expect(accepted.map(({ remoteAddress }) => remoteAddress.port)).toEqual(ports);
  });

  paired("listen() is iterated itself, when nobody awaits it", make, async (pair) => {
    const { left, right, leftAddress } = pair;
    const listening = left.listen({ port: PORT });
    const ports: number[] = [];
    const served = (async () => {
      for await (const connection of listening) {
        ports.push(connection.remoteAddress.port);
        if (ports.length === 2) break;
      }
    })();
    await listening;
    const options = { hostname: leftAddress, port: PORT };
    const clients = [await right.connect(options), await right.connect(options)];
    await served;
    expect(ports).toEqual(clients.map(({ localAddress }) => localAddress.port));
  });
}

/** What listening refuses, and how it ends. */
function listenLimitCases(make: PairFactory): void {
  paired("listen() fails with EADDRINUSE, when the port is taken", make, async ({ left }) => {
    await left.listen({ port: PORT });
    expect(await codeOf(left.listen({ port: PORT }))).toBe("EADDRINUSE");
  });

  paired("listen() chooses a port, when it is asked for 0", make, async ({ left }) => {
    const listener = await left.listen({ port: 0 });
    expect(listener.address.port).toBeGreaterThan(1_023);
  });

  paired("close() of a listener ends its waits, and only them", make, async (pair) => {
    const { left, right, leftAddress } = pair;
    const listener = await left.listen({ port: PORT });
    const [kept, there] = await Promise.all([
      listener.accept(),
      right.connect({ hostname: leftAddress, port: PORT }),
    ]);
    const iteration = (async () => {
      for await (const _ of listener) throw new Error("nobody connects");
    })();
    const waiting = codeOf(listener.accept());
    listener.close();
    await iteration;
    expect(await waiting).toBe("EBADF");
    expect(await codeOf(listener.accept())).toBe("EBADF");
    await send(there, pattern(5));
    expect(await readExactly(kept, 5)).toEqual(pattern(5));
    const opening = right.connect({ hostname: leftAddress, port: PORT });
    expect(await codeOf(opening)).toBe("ECONNREFUSED");
    await (await left.listen({ port: PORT, reuseAddress: true }).catch(() => null))?.close();
  });
}

function nameCases(make: PairFactory): void {
  paired("resolve() gives an address back, when it is one", make, async ({ left }) => {
    expect(await left.resolve("192.0.2.1")).toEqual(["192.0.2.1"]);
  });

  paired("resolve() gives this host, when it is localhost", make, async ({ left }) => {
    expect((await left.resolve("localhost")).toSorted()).toEqual(["127.0.0.1", "::1"]);
    expect(await left.resolve("localhost", { family: 6 })).toEqual(["::1"]);
    expect(await left.resolveRecords("a.localhost", "A")).toEqual(["127.0.0.1"]);
    expect(await left.resolveAnswer("localhost", "AAAA")).toEqual({
      records: ["::1"],
      ttlSeconds: 0,
    });
  });

  paired("names are refused, when nobody can be asked", make, async ({ left }) => {
    expect(await codeOf(left.resolve("www.example"))).toBe("ENOTFOUND");
    expect(await codeOf(left.resolveRecords("www.example", "MX"))).toBe("ENOTFOUND");
    expect(await codeOf(left.resolveRecords("localhost", "MX"))).toBe("ENODATA");
    await expect(left.resolve("a b")).rejects.toBeInstanceOf(RangeError);
    await expect(left.resolveRecords("www.example", "X" as "A")).rejects.toBeInstanceOf(TypeError);
    await expect(left.resolve("a.b", { nameServer: { ipAddr: "ns" } }))
      .rejects.toBeInstanceOf(RangeError);
  });

  paired("a question ends with the signal's reason, when it is aborted", make, async (pair) => {
    const { left, rightAddress } = pair;
    const nameServer = { ipAddr: rightAddress, port: 5_353 };
    for (
      const ask of [
        (signal: AbortSignal) => left.resolve("www.example", { nameServer, signal }),
        (signal: AbortSignal) => left.resolveRecords("www.example", "TXT", { nameServer, signal }),
      ]
    ) {
      const controller = new AbortController();
      const question = ask(controller.signal);
      controller.abort("enough");
      await expect(question).rejects.toBe("enough");
      await expect(ask(controller.signal)).rejects.toBe("enough");
    }
  });
}

function stackCases(make: PairFactory): void {
  paired("ready tells the address, when it is static", make, async ({ left, leftAddress }) => {
    const lease = await left.ready;
    expect(lease).toMatchObject({ address: leftAddress, prefixLength: 24, leaseSeconds: null });
    expect(lease.mac).toMatch(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
  });

  joined("connections() and stats() show it, when there is one", make, async ({ left }) => {
    const rows = await left.connections();
    expect(rows.map(({ state, remoteAddress }) => [state, remoteAddress.port])).toEqual([
      ["ESTABLISHED", PORT],
    ]);
    expect(rows[0]?.handle).toBeTypeOf("number");
    expect(Object.values(await left.stats()).some((value) => value > 0)).toBe(true);
  });

  joined("close() ends everything, when the stack is closed", make, async (pair) => {
    const { left, near, far } = pair;
    const read = codeOf(readAll(near));
    const listener = await left.listen({ port: 8 });
    const waiting = codeOf(listener.accept());
    await left.close();
    expect(["ECONNABORTED", "EBADF"]).toContain(await read);
    expect(await waiting).toBe("EBADF");
    expect(["ECONNABORTED", "EBADF"]).toContain(await codeOf(near.closed));
    expect(await codeOf(far.closed)).toBe("ECONNRESET");
    expect(await codeOf(left.connect({ hostname: pair.rightAddress, port: PORT }))).toBe("EBADF");
    await left.close();
  });
}

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createStack, type InProcessStack } from "../../src/api/network_stack.ts";
import { TCB_STATE } from "../../src/layout/layout.gen.ts";
import { pipe } from "../../src/link/pipe.ts";
import type { TcpConnection, TcpListener } from "../../src/options.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { pattern } from "./pair.ts";

const MEBIBYTE = 1_048_576;

let left: InProcessStack;
let right: InProcessStack;
let listener: TcpListener;

beforeEach(async () => {
  const clock = systemClock();
  const [a, b] = pipe({ clock });
  const tuning = { memoryMiB: 32, maxConnections: 256, mslMs: 50 };
  left = await createStack({ link: a, address: { cidr: "10.0.0.1/24" }, clock, tuning });
  right = await createStack({ link: b, address: { cidr: "10.0.0.2/24" }, clock, tuning });
  listener = await right.listen({ port: 80 });
});

afterEach(async () => {
  await left.close();
  await right.close();
});

/** Both ends of one connection. */
async function openEnds(): Promise<[TcpConnection, TcpConnection]> {
  const connecting = left.connect({ hostname: "10.0.0.2", port: 80 });
  return [await connecting, await listener.accept()];
}

/** Writes everything and closes. */
async function sendAll(connection: TcpConnection, data: Uint8Array): Promise<void> {
  const writer = connection.writable.getWriter();
  for (let at = 0; at < data.length; at += 100_000) {
    await writer.write(data.subarray(at, at + 100_000));
  }
  await writer.close();
}

/** Reads to the end. */
async function readAll(connection: TcpConnection): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of connection.readable) parts.push(part);
  return Buffer.concat(parts);
}

describe("a connection with promises", () => {
  test("echoes 1 MiB through pipeTo, and ends in order on both ends", async () => {
    const [client, server] = await openEnds();
    const echoing = server.readable.pipeTo(server.writable);
    const data = pattern(MEBIBYTE, 1);
    const [echo] = await Promise.all([readAll(client), sendAll(client, data)]);
    expect(echo.equals(data)).toBe(true);
    await Promise.all([echoing, client.closed, server.closed]);
    expect(client.remoteAddress).toEqual({ hostname: "10.0.0.2", port: 80 });
    expect(server.remoteAddress).toEqual(client.localAddress);
  });

  test("reads into the reader's own buffer", async () => {
    const [client, server] = await openEnds();
    await client.writable.getWriter().write(new Uint8Array([1, 2, 3, 4, 5]));
    const reader = server.readable.getReader({ mode: "byob" });
    const first = await reader.read(new Uint8Array(3));
    expect(first.value).toEqual(new Uint8Array([1, 2, 3]));
    const waiting = reader.read(new Uint8Array(16), { min: 4 });
    await client.closeWrite();
    const last = await waiting;
    expect([...(last.value ?? [])]).toEqual([4, 5]);
  });

  test("half-close: closeWrite() ends the peer's reading, not its writing", async () => {
    const [client, server] = await openEnds();
    await client.closeWrite();
    expect(await readAll(server)).toHaveLength(0);
    const reading = readAll(client);
    await sendAll(server, pattern(200_000, 2));
    expect((await reading).equals(pattern(200_000, 2))).toBe(true);
    const writer = client.writable.getWriter();
    writer.closed.catch(() => {});
    await expect(writer.write(new Uint8Array(1))).rejects.toMatchObject({ code: "EPIPE" });
  });

  test("a reader that does not read holds the writer back", async () => {
    const [client, server] = await openEnds();
    const data = pattern(6 * MEBIBYTE, 3);
    let sent = false;
    const sending = sendAll(client, data).then(() => (sent = true));
    // Until the window is closed to any whole segment.
    const isOpen = (): boolean => client.info().sndWndBytes >= client.info().mssBytes;
    while (isOpen()) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(sent).toBe(false);
    expect(server.info().receiveQueuedBytes).toBeLessThanOrEqual(MEBIBYTE);
    expect((await readAll(server)).equals(data)).toBe(true);
    await sending;
  });

  test("close() settles when everything is acknowledged", async () => {
    const [client, server] = await openEnds();
    await client.writable.getWriter().write(pattern(300_000, 4));
    const [got] = await Promise.all([readAll(server), client.close()]);
    expect(got).toHaveLength(300_000);
    await client.closed;
    expect(() => client.info()).toThrow(/closed/);
    await server.close();
    await server.closed;
  });

  test("abort() is a reset for the peer", async () => {
    const [client, server] = await openEnds();
    const reading = server.readable.getReader().read();
    client.abort();
    await expect(reading).rejects.toMatchObject({ code: "ECONNRESET" });
    await expect(client.closed).rejects.toMatchObject({ code: "ECONNABORTED" });
    await expect(server.closed).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  test("await using closes", async () => {
    const [client, server] = await openEnds();
    await client[Symbol.asyncDispose]();
    expect(await readAll(server)).toHaveLength(0);
    await server[Symbol.asyncDispose]();
  });

  test("100 connections at once, each with its own bytes", async () => {
    const serving = (async () => {
      let served = 0;
      for await (const connection of listener) {
        void connection.readable.pipeTo(connection.writable);
        if (++served === 100) return;
      }
    })();
    const one = async (seed: number): Promise<void> => {
      const connection = await left.connect({ hostname: "10.0.0.2", port: 80 });
      const data = pattern(10_000, seed);
      const [echo] = await Promise.all([readAll(connection), sendAll(connection, data)]);
      expect(echo.equals(data)).toBe(true);
      await connection.close();
    };
    await Promise.all(Array.from({ length: 100 }, (_, i) => one(i)));
    await serving;
  });
});

describe("a stack with promises", () => {
  test("refused, shown, counted", async () => {
    await expect(left.connect({ hostname: "10.0.0.2", port: 81 }))
      .rejects.toMatchObject({ code: "ECONNREFUSED", name: "ConnectionRefused" });
    const [client] = await openEnds();
    const rows = await left.connections();
    expect(rows.filter(({ state }) => state === "ESTABLISHED")).toHaveLength(1);
    expect(rows[0]?.remoteAddress).toEqual(client.remoteAddress);
    expect((await left.stats())["resets_in"]).toBe(1);
    expect(await left.resolve("10.0.0.2")).toEqual(["10.0.0.2"]);
  });

  test("close() resets connections and takes the other link down", async () => {
    const [client, server] = await openEnds();
    const downs: boolean[] = [];
    right.onLink(({ up }) => void downs.push(up));
    await left.close();
    await expect(client.closed).rejects.toMatchObject({ code: "ECONNABORTED" });
    await expect(server.closed).rejects.toMatchObject({ code: "ECONNRESET" });
    await expect.poll(() => downs).toEqual([false]);
  });

  test("a fault of the core is CORE_FAULT everywhere, and another stack can be started", async () => {
    const [client] = await openEnds();
    const accepting = (await left.listen({ port: 90 })).accept();
    left.core.memory[left.core.tcbs.ptr(0) + TCB_STATE] = 99;
    const code = "CORE_FAULT";
    const { closed } = client;
    // Only a misuse traps; this one writes an impossible state first.
    expect(() => left.core.abort(0, left.loop.now())).toThrow("no such state");
    await expect(closed).rejects.toMatchObject({ code });
    client.abort();
    await expect(client.closed).rejects.toMatchObject({ code });
    await expect(accepting).rejects.toMatchObject({ code });
    await expect(left.connect({ hostname: "10.0.0.2", port: 80 })).rejects.toMatchObject({ code });
    await left.close();
    const [link] = pipe({ clock: systemClock() });
    const other = await createStack({ link, address: { cidr: "10.0.0.1/24" } });
    await other.close();
  });
});

/** Servers of `node:net` over a stack that is the test itself: what they listen with, and what becomes of late answers. */
import { describe, expect, test } from "vitest";
import { netOf } from "../../src/api/node/net.ts";
import type { Server } from "../../src/api/node/server.ts";
import { AddressInUse, BadResource } from "../../src/errors.ts";
import type { ListenOptions, NetworkStack, TcpListener } from "../../src/options.ts";

/** What is asked of the stack by one `listen()`. */
interface Asked {
  readonly options: ListenOptions;
  succeed(): { closes: number };
  fail(error: Error): void;
}

/** A server on a stack that answers when the test says so, as a worker's does. */
function serverOf(): { server: Server; asked: Asked[]; lines: string[] } {
  const asked: Asked[] = [];
  const stack = {
    listen: (options: ListenOptions) =>
      new Promise<TcpListener>((resolve, reject) => {
        const succeed = (): { closes: number } => {
          const listener = fakeListener();
          resolve(listener as unknown as TcpListener);
          return listener;
        };
        asked.push({ options, succeed, fail: reject });
      }),
  };
  const server = netOf(stack as unknown as NetworkStack).createServer();
  const lines: string[] = [];
  for (const event of ["listening", "close", "error"]) {
    server.on(event, (error?: Error) => {
      lines.push(error === undefined ? event : `${event} ${String(Reflect.get(error, "code"))}`);
    });
  }
  return { server, asked, lines };
}

function fakeListener(): { closes: number } {
  let stop = (_: Error): void => {};
  const listener = {
    address: { hostname: "0.0.0.0", port: 80 },
    closes: 0,
    accept: () => new Promise((_, reject) => (stop = reject)),
    close: (): void => {
      listener.closes++;
      stop(new BadResource("Cannot accept: the listener has been closed"));
    },
  };
  return listener;
}

/** Lets all that follows from what has happened happen. */
const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe("listen() of a server", () => {
  test.each([
    ["a backlog behind the port", [80, 7], 7],
    ["a backlog behind the host", [80, "10.0.0.1", 7], 7],
    ["a backlog of the options", [{ port: 80, backlog: 7 }], 7],
    ["Node's own, where none is said", [80], 511],
    ["Node's own for 0", [80, 0], 511],
    ["1 for less", [80, -5], 1],
    ["what the stack takes for more", [80, 1_000_000], 65_535],
  ])("asks for %s", (_, args, backlog) => {
    const { server, asked } = serverOf();
    server.listen(...args);
    expect(asked.map(({ options }) => options)).toMatchObject([
      { port: 80, backlog, reuseAddress: true },
    ]);
  });

  test.each([
    [undefined, undefined],
    ["", undefined],
    ["::", undefined],
    ["0.0.0.0", "0.0.0.0"],
    ["2001:db8::1", "2001:db8::1"],
  ])("on %j asks for the address %j", (host, hostname) => {
    const { server, asked } = serverOf();
    server.listen({ port: 80, host });
    expect(asked[0]?.options.hostname).toBe(hostname);
  });

  test("may be called again after it failed", async () => {
    const { server, asked, lines } = serverOf();
    server.listen(80);
    asked[0]?.fail(new AddressInUse("taken"));
    await quiet();
    server.listen(81);
    asked[1]?.succeed();
    await quiet();
    expect(lines).toEqual(["error EADDRINUSE", "listening"]);
    expect(server.listening).toBe(true);
    server.close();
  });
});

describe("a server that is closed before it listens", () => {
  test("closes the listener that comes all the same", async () => {
    const { server, asked, lines } = serverOf();
    server.listen(80);
    server.close();
    const listener = asked[0]?.succeed();
    await quiet();
    expect([listener?.closes, server.listening]).toEqual([1, false]);
    expect(lines).toEqual(["close"]);
  });

  test("tells no failure of it, which would end the next one", async () => {
    const { server, asked, lines } = serverOf();
    server.listen(80);
    server.close();
    server.listen(81);
    asked[0]?.fail(new AddressInUse("taken"));
    await quiet();
    asked[1]?.succeed();
    await quiet();
    expect(server.listening).toBe(true);
    expect(lines).toEqual(["close", "listening"]);
    server.close();
  });

  test("does not say that it listens, when it was closed within the answer", async () => {
    const { server, asked, lines } = serverOf();
    server.listen(80);
    asked[0]?.succeed();
    while (!server.listening) await Promise.resolve();
    server.close();
    await quiet();
    expect(lines).toEqual(["close"]);
  });

  test("is heedless of a signal of the time before", async () => {
    const { server, asked } = serverOf();
    const controller = new AbortController();
    server.listen({ port: 80, signal: controller.signal });
    server.close();
    await quiet();
    server.listen(81);
    asked[1]?.succeed();
    await quiet();
    controller.abort();
    expect(server.listening).toBe(true);
    server.close();
  });

  test("by a signal that was aborted already, closes", async () => {
    const { server, asked, lines } = serverOf();
    server.listen({ port: 80, signal: AbortSignal.abort() });
    asked[0]?.succeed();
    await quiet();
    expect(server.listening).toBe(false);
    expect(lines).toEqual(["close"]);
  });
});

test("a server is disposed of, whether it listens or not", async () => {
  const { server, asked, lines } = serverOf();
  await server[Symbol.asyncDispose]();
  server.listen(80);
  asked[0]?.succeed();
  await quiet();
  await server[Symbol.asyncDispose]();
  expect(lines).toEqual(["listening", "close"]);
});

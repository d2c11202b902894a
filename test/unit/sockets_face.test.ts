/** `tidewire/sockets` over two stacks: what WinterTC's text says of streams, `opened`, `closed` and errors. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Socket,
  SocketError,
  type SocketOptions,
  type Sockets,
  socketsOf,
} from "../../src/api/sockets/mod.ts";
import { toSocketError } from "../../src/api/sockets/errors.ts";
import { errorOf, type StackErrorCode } from "../../src/errors.ts";
import type {
  ConnectOptions,
  NetworkStack,
  TcpConnection,
  TcpListener,
} from "../../src/options.ts";
import { arrival } from "../conformance/checks.ts";
import { pattern, pause, readAll, send, type StackPair } from "../conformance/joined.ts";
import { inProcessPair } from "./stack_pairs.ts";

const PORT = 7;
const HOST = "10.0.0.2";

let pair: StackPair;
let listener: TcpListener;
let sockets: Sockets;

beforeEach(async () => {
  pair = await inProcessPair();
  listener = await pair.right.listen({ port: PORT });
  sockets = socketsOf(pair.left);
});

afterEach(async () => {
  await pair.left.close();
  await pair.right.close();
});

/** Both ends of a connection. */
async function open(options?: SocketOptions): Promise<[Socket, TcpConnection]> {
  const socket = sockets.connect({ hostname: HOST, port: PORT }, options);
  return [socket, await listener.accept()];
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(() => "it did not fail", (error) => error);
}

function thrown(call: () => unknown): unknown {
  try {
    return `it gave ${call()}`;
  } catch (error) {
    return error;
  }
}

/** What is known of a promise by now. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  const states = promise.then(() => "fulfilled", () => "rejected");
  return await Promise.race([states, pause(20).then(() => "pending")]);
}

/** Where a connection is asked for that never opens, and what it was asked with. */
function asking(): { sockets: Sockets; asked: ConnectOptions[] } {
  const asked: ConnectOptions[] = [];
  const stack: Pick<NetworkStack, "connect"> = {
    connect: (options) => {
      asked.push(options);
      return new Promise(() => {});
    },
  };
  return { sockets: socketsOf(stack as NetworkStack), asked };
}

describe("a socket of tidewire/sockets", () => {
  test("knows an address of IPv6 with brackets, in text and beside its port", () => {
    const { sockets, asked } = asking();
    sockets.connect("[fd00::1]:80");
    sockets.connect({ hostname: "[fd00::1]", port: 80 });
    sockets.connect({ hostname: "fd00::1", port: 80 });
    expect(asked.map(({ hostname, port }) => [hostname, port]))
      .toEqual(new Array(3).fill(["fd00::1", 80]));
  });

  test("whose readable is cancelled takes what still comes, so that the peer is not stopped", async () => {
    const [socket, far] = await open({ allowHalfOpen: true });
    await socket.readable.cancel();
    // More than all buffers hold.
    await send(far, pattern(4_000_000));
    await arrival(far);
    expect(far.info().sendQueuedBytes).toBe(0);
  });

  test("that is closed or aborted before it is open asks for nothing any more", async () => {
    const { sockets, asked } = asking();
    const [first, second] = [1, 2].map(() => sockets.connect({ hostname: HOST, port: PORT }));
    expect(asked.map(({ signal }) => signal?.aborted)).toEqual([false, false]);
    await first?.close();
    expect(asked.map(({ signal }) => signal?.aborted)).toEqual([true, false]);
    void second?.writable.abort();
    expect(asked.map(({ signal }) => signal?.aborted)).toEqual([true, true]);
  });

  test("can be used before it is open", async () => {
    const socket = sockets.connect(`${HOST}:${PORT}`);
    const writer = socket.writable.getWriter();
    const written = writer.write(new Uint8Array([1, 2, 3]));
    const read = socket.readable.getReader().read();
    const far = await listener.accept();
    await written;
    await send(far, new Uint8Array([4]));
    expect((await read).value).toEqual(new Uint8Array([4]));
    await writer.close();
    expect(await readAll(far)).toEqual(new Uint8Array([1, 2, 3]));
  });

  test("opened says both addresses in one string each", async () => {
    const [socket, far] = await open();
    const { hostname, port } = far.remoteAddress;
    expect(await socket.opened).toEqual({
      remoteAddress: `${HOST}:${PORT}`,
      localAddress: `${hostname}:${port}`,
      alpn: null,
    });
    expect([socket.upgraded, socket.secureTransport]).toEqual([false, "off"]);
  });

  test("readable is no byte stream, and reads nothing ahead", async () => {
    const [socket, far] = await open();
    await send(far, pattern(100));
    expect(() => socket.readable.getReader({ mode: "byob" })).toThrow(TypeError);
    await far.closeWrite();
    await pause(20);
    expect(await stateOf(socket.closed)).toBe("pending");
  });

  test("takes any buffer, and text as UTF-8, and nothing else", async () => {
    const [socket, far] = await open();
    const writer = socket.writable.getWriter();
    await writer.write(new Uint8Array([1]).buffer);
    await writer.write(new DataView(new Uint8Array([0, 2, 3, 0]).buffer, 1, 2));
    await writer.write("é");
    await writer.close();
    expect(await readAll(far)).toEqual(new Uint8Array([1, 2, 3, 0xc3, 0xa9]));
    const [other] = await open();
    const number: unknown = 7;
    expect(await failure(other.writable.getWriter().write(number as string)))
      .toBeInstanceOf(TypeError);
  });

  test("carries many bytes both ways, behind a slow reader", async () => {
    const [socket, far] = await open();
    const data = pattern(1_000_000);
    const writer = socket.writable.getWriter();
    const writing = writer.write(data).then(() => writer.close());
    await pause(20);
    expect(Buffer.compare(await readAll(far), data)).toBe(0);
    await writing;
    const back = send(far, data).then(() => far.closeWrite());
    const whole = new Uint8Array(await new Response(socket.readable).arrayBuffer());
    expect(Buffer.compare(whole, data)).toBe(0);
    await back;
  });
});

describe("the end of a socket", () => {
  test("is noticed without allowHalfOpen once the peer's end was read", async () => {
    const [socket, far] = await open();
    await far.closeWrite();
    expect(await stateOf(socket.closed)).toBe("pending");
    const reader = socket.readable.getReader();
    expect((await reader.read()).done).toBe(true);
    await socket.closed;
    expect(await readAll(far)).toHaveLength(0);
    // A TypeError by the text of streams; Node 20 finds an assertion of its own instead.
    const late = async () => await socket.writable.getWriter().write("late");
    expect(await failure(late())).toBeInstanceOf(Error);
  });

  test("waits for what is being written, also under a lock", async () => {
    const [socket, far] = await open();
    await socket.opened;
    const data = pattern(500_000);
    const writer = socket.writable.getWriter();
    const written = [writer.write(data), writer.write(data)];
    await far.closeWrite();
    const ended = socket.readable.getReader().read();
    await pause(20);
    expect((await readAll(far)).length).toBe(2 * data.length);
    await Promise.all([...written, ended, socket.closed]);
    expect(await failure(writer.write("late"))).toBeInstanceOf(SocketError);
  });

  test("is left to the caller with allowHalfOpen", async () => {
    const [socket, far] = await open({ allowHalfOpen: true });
    await far.closeWrite();
    expect((await socket.readable.getReader().read()).done).toBe(true);
    const writer = socket.writable.getWriter();
    await writer.write("still here");
    await writer.close();
    expect(await readAll(far)).toHaveLength(10);
    // Both streams ended, which alone does not settle it.
    expect(await stateOf(socket.closed)).toBe("pending");
    await socket.close();
  });

  test("is not settled by cancelling and closing both streams", async () => {
    const [socket] = await open();
    await socket.readable.cancel();
    await socket.writable.close();
    expect(await stateOf(socket.closed)).toBe("pending");
  });

  test("close() cancels readable, aborts writable with the reason, and gives closed", async () => {
    const [socket, far] = await open();
    await socket.opened;
    const reader = socket.readable.getReader();
    const writer = socket.writable.getWriter();
    const read = reader.read();
    const reason = new RangeError("enough");
    expect(socket.close(reason)).toBe(socket.closed);
    await socket.closed;
    expect((await read).done).toBe(true);
    expect(await failure(writer.write("x"))).toBe(reason);
    expect(await readAll(far)).toHaveLength(0);
    await socket.close();
  });

  test("close() sends what was written before", async () => {
    const [socket, far] = await open();
    const writer = socket.writable.getWriter();
    await writer.write(pattern(1_000));
    await socket.close();
    expect(await readAll(far)).toEqual(pattern(1_000));
  });

  test("close() before it is open rejects opened with the reason", async () => {
    const socket = sockets.connect({ hostname: pair.nobody, port: PORT });
    const reason = new RangeError("enough");
    const closed = socket.close(reason);
    expect(await failure(socket.opened)).toBe(reason);
    await closed;
    const other = sockets.connect({ hostname: pair.nobody, port: PORT });
    await other.close();
    expect(await failure(other.opened)).toBeInstanceOf(SocketError);
  });

  test("aborting writable resets, and aborts an open that is under way", async () => {
    const [socket, far] = await open();
    await socket.opened;
    await socket.writable.abort("no more");
    expect(await failure(far.closed)).toMatchObject({ code: "ECONNRESET" });
    expect(await failure(socket.closed)).toMatchObject({ code: "ECONNABORTED" });
    const other = sockets.connect({ hostname: pair.nobody, port: PORT });
    await other.writable.abort();
    expect(await failure(other.opened)).toBeInstanceOf(SocketError);
  });
});

describe("a socket that fails", () => {
  test("is refused: opened, closed and both streams say so", async () => {
    const socket = sockets.connect({ hostname: HOST, port: PORT + 1 });
    const error = await failure(socket.opened);
    expect(error).toBeInstanceOf(SocketError);
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
    expect((error as Error).message).toMatch(/^SocketError: Cannot connect to 10\.0\.0\.2:8/);
    expect(await failure(socket.closed)).toBe(error);
    expect(await failure(socket.readable.getReader().read())).toBe(error);
    expect(await failure(socket.writable.getWriter().write("x"))).toBe(error);
  });

  test("is refused while somebody reads and writes already", async () => {
    const socket = sockets.connect({ hostname: HOST, port: PORT + 1 });
    const read = failure(socket.readable.getReader().read());
    const written = failure(socket.writable.getWriter().write("x"));
    expect(await read).toMatchObject({ code: "ECONNREFUSED" });
    expect(await written).toMatchObject({ code: "ECONNREFUSED" });
  });

  test("is reset: what arrived before can be read, then streams fail and closed rejects", async () => {
    const [socket, far] = await open();
    await socket.opened;
    await send(far, pattern(10));
    await arrival(far);
    far.abort();
    expect(await failure(socket.closed)).toMatchObject({ code: "ECONNRESET" });
    expect(await failure(socket.closed)).toBeInstanceOf(SocketError);
    const reader = socket.readable.getReader();
    expect((await reader.read()).value).toHaveLength(10);
    expect(await failure(reader.read())).toMatchObject({ code: "ECONNRESET" });
    expect(await failure(socket.writable.getWriter().write("x")))
      .toMatchObject({ code: "ECONNRESET" });
  });

  test("disturbs nobody who does not look", async () => {
    // An unhandled rejection would fail the run.
    sockets.connect({ hostname: HOST, port: PORT + 1 });
    await pause(20);
  });

  const CODES: readonly StackErrorCode[] = [
    "ETIMEDOUT",
    "ENETUNREACH",
    "EHOSTUNREACH",
    "ENOTFOUND",
  ];
  test.each(CODES)("%s is a SocketError", (code) => {
    const error = toSocketError(errorOf(code, "because"));
    expect(error).toBeInstanceOf(SocketError);
    expect(error).toMatchObject({ code, message: "SocketError: because" });
  });

  test("EACCES says that the address is blocked; a caller's own reason stays", () => {
    expect(toSocketError(errorOf("EACCES", "because")))
      .toMatchObject({ message: "SocketError: address blocked: because" });
    expect(toSocketError("reason")).toBe("reason");
  });
});

describe("connect() of tidewire/sockets", () => {
  const BAD: readonly unknown[] = [
    "10.0.0.2",
    "10.0.0.2:",
    ":80",
    "10.0.0.2:0",
    "10.0.0.2:65536",
    "10.0.0.2:8x",
    "fe80::1:80",
    "",
    {},
    { hostname: "a" },
    { hostname: "", port: 80 },
    { hostname: "a", port: 1.5 },
    { hostname: "a", port: -1 },
    undefined,
    null,
    7,
  ];
  test.each(BAD)("refuses the address %j", (address) => {
    expect(thrown(() => sockets.connect(address as string))).toBeInstanceOf(SocketError);
  });

  test("reads an IPv6 address in brackets", async () => {
    const error = await failure(sockets.connect("[2001:db8::7]:80").opened);
    expect((error as Error).message).toMatch(/2001:db8::7/);
  });

  test("says that TLS is not there yet", async () => {
    const secure = { secureTransport: "on" } as const;
    expect(thrown(() => sockets.connect("a:1", secure))).toMatchObject({
      message: 'SocketError: TLS is not there yet: secureTransport can not be "on"',
    });
    const [socket, far] = await open({ secureTransport: "starttls" });
    expect(thrown(() => socket.startTls())).toBeInstanceOf(SocketError);
    // It is as it was.
    await socket.writable.getWriter().write("plain");
    await socket.close();
    expect(await readAll(far)).toHaveLength(5);
  });

  test("refuses startTls() without starttls, and what is for TLS alone", async () => {
    const [socket] = await open();
    expect(thrown(() => socket.startTls())).toMatchObject({
      message: 'SocketError: startTls() needs a socket with secureTransport "starttls"',
    });
    expect(thrown(() => sockets.connect("a:1", { sni: "a" }))).toBeInstanceOf(SocketError);
    expect(thrown(() => sockets.connect("a:1", { alpn: ["h2"] }))).toBeInstanceOf(SocketError);
    const bad: unknown = { secureTransport: "maybe" };
    expect(thrown(() => sockets.connect("a:1", bad as SocketOptions))).toBeInstanceOf(TypeError);
  });
});

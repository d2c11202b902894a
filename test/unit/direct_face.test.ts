/** `tidewire/direct` over two stacks: options, names of errors, locks, and when `closed` settles. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type DirectSockets,
  directSocketsOf,
  type TCPServerSocketOptions,
  type TCPSocket,
  type TCPSocketOpenInfo,
  type TCPSocketOptions,
} from "../../src/api/direct/mod.ts";
import { toDirectError } from "../../src/api/direct/errors.ts";
import { errorOf, type StackErrorCode } from "../../src/errors.ts";
import type { TcpConnection, TcpListener } from "../../src/options.ts";
import { arrival } from "../conformance/checks.ts";
import {
  pattern,
  pause,
  readAll,
  readExactly,
  send,
  type StackPair,
} from "../conformance/joined.ts";
import { inProcessPair } from "./stack_pairs.ts";

const PORT = 7;
const HOST = "10.0.0.2";

let pair: StackPair;
let listener: TcpListener;
let direct: DirectSockets;

beforeEach(async () => {
  pair = await inProcessPair();
  listener = await pair.right.listen({ port: PORT });
  direct = directSocketsOf(pair.left);
});

afterEach(async () => {
  await pair.left.close();
  await pair.right.close();
});

/** A socket, what it opened with, and the other end. */
async function open(
  options?: TCPSocketOptions,
): Promise<[TCPSocket, TCPSocketOpenInfo, TcpConnection]> {
  const socket = new direct.TCPSocket(HOST, PORT, options);
  const far = await listener.accept();
  return [socket, await socket.opened, far];
}

/** Name of what a promise fails with. */
async function nameOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "it did not fail";
  } catch (error) {
    return error instanceof DOMException || error instanceof Error ? error.name : String(error);
  }
}

async function stateOf(promise: Promise<unknown>): Promise<string> {
  const states = promise.then(() => "fulfilled", () => "rejected");
  return await Promise.race([states, pause(20).then(() => "pending")]);
}

describe("a TCPSocket", () => {
  test("opens with its addresses and streams", async () => {
    const [socket, info, far] = await open({ noDelay: true, keepAliveDelay: 1_000 });
    expect(info).toMatchObject({
      remoteAddress: HOST,
      remotePort: PORT,
      localAddress: far.remoteAddress.hostname,
      localPort: far.remoteAddress.port,
    });
    const writer = info.writable.getWriter();
    await writer.write(new Uint8Array([1, 2]).buffer);
    await writer.write(new DataView(new Uint8Array([0, 3]).buffer, 1));
    expect(await readExactly(far, 3)).toEqual(new Uint8Array([1, 2, 3]));
    writer.releaseLock();
    await socket.close();
  });

  test("passes its options on", async () => {
    const options = {
      noDelay: true,
      keepAliveDelay: 5_000,
      receiveBufferSize: 1,
      sendBufferSize: 9e9,
    };
    expect(() => new direct.TCPSocket(HOST, PORT, options)).toThrow(TypeError);
    const socket = new direct.TCPSocket(HOST, PORT, { ...options, sendBufferSize: 30_000 });
    await socket.opened;
    const [row] = await pair.left.connections();
    expect(row?.rcvWndBytes).toBe(4_096);
  });

  test("readable is a byte stream and fills the reader's buffer", async () => {
    const [, { readable }, far] = await open();
    const reader = readable.getReader({ mode: "byob" });
    const reading = reader.read(new Uint8Array(new ArrayBuffer(8), 2, 4));
    await send(far, pattern(3));
    const { value } = await reading;
    expect(value).toEqual(pattern(3));
    expect([value?.byteOffset, value?.buffer.byteLength]).toEqual([2, 8]);
    await far.closeWrite();
    expect(await reader.read(new Uint8Array(4))).toMatchObject({ done: true });
    await reader.closed;
  });

  test("carries many bytes, when the reader is slow", async () => {
    const [, { writable }, far] = await open();
    const data = pattern(500_000);
    const writer = writable.getWriter();
    const writing = writer.write(data).then(() => writer.close());
    await pause(20);
    expect(Buffer.compare(await readAll(far), data)).toBe(0);
    await writing;
  });

  test("stays half open as long as it is used: the peer's end closes readable alone", async () => {
    const [socket, { readable, writable }, far] = await open();
    await far.closeWrite();
    expect((await readable.getReader().read()).done).toBe(true);
    const writer = writable.getWriter();
    await writer.write(pattern(100));
    expect(await stateOf(socket.closed)).toBe("pending");
    await writer.close();
    expect(await readAll(far)).toHaveLength(100);
    await socket.closed;
  });

  test("writer.close() ends our direction alone", async () => {
    const [socket, { readable, writable }, far] = await open();
    await writable.close();
    expect(await readAll(far)).toHaveLength(0);
    await send(far, pattern(5));
    expect((await readable.getReader().read()).value).toHaveLength(5);
    expect(await stateOf(socket.closed)).toBe("pending");
  });

  test("aborting writable ends our direction too, and resets nothing", async () => {
    const [socket, { readable, writable }, far] = await open();
    await writable.abort("enough");
    expect(await readAll(far)).toHaveLength(0);
    await send(far, pattern(5));
    await far.closeWrite();
    expect(await new Response(readable).arrayBuffer()).toHaveProperty("byteLength", 5);
    await socket.closed;
  });

  test("is closed once both streams are: cancelled and closed", async () => {
    const [socket, { readable, writable }, far] = await open();
    await readable.cancel();
    expect(await stateOf(socket.closed)).toBe("pending");
    await writable.close();
    await socket.closed;
    expect(await readAll(far)).toHaveLength(0);
  });

  test("is closed without a reader, once both directions ended", async () => {
    const [socket, { readable, writable }, far] = await open();
    await writable.close();
    await far.close();
    await socket.closed;
    expect((await readable.getReader().read()).done).toBe(true);
  });

  test("close() ends both streams", async () => {
    const [socket, { readable, writable }, far] = await open();
    await socket.close();
    await socket.closed;
    expect((await readable.getReader().read()).done).toBe(true);
    expect(await nameOf((async () => await writable.getWriter().write(pattern(1)))()))
      .toBe("InvalidStateError");
    expect(await readAll(far)).toHaveLength(0);
    // A second time it finds the reader and the writer.
    expect(await nameOf(socket.close())).toBe("InvalidStateError");
  });

  test("close() refuses while a stream is locked, and before it is open", async () => {
    const socket = new direct.TCPSocket(HOST, PORT);
    expect(await nameOf(socket.close())).toBe("InvalidStateError");
    const { readable, writable } = await socket.opened;
    const reader = readable.getReader();
    expect(await nameOf(socket.close())).toBe("InvalidStateError");
    reader.releaseLock();
    const writer = writable.getWriter();
    expect(await nameOf(socket.close())).toBe("InvalidStateError");
    writer.releaseLock();
    await socket.close();
  });

  test("refuses chunks that are no bytes", async () => {
    const [socket, { writable, readable }] = await open();
    const text: unknown = "text";
    expect(await nameOf(writable.getWriter().write(text as BufferSource))).toBe("TypeError");
    await readable.cancel();
    // The error of writable is what ended it.
    expect(await nameOf(socket.closed)).toBe("TypeError");
  });
});

describe("a TCPSocket that fails", () => {
  test("is refused: opened and closed reject with NetworkError", async () => {
    const socket = new direct.TCPSocket(HOST, PORT + 1);
    expect(await nameOf(socket.opened)).toBe("NetworkError");
    expect(await nameOf(socket.closed)).toBe("NetworkError");
    expect(await nameOf(socket.close())).toBe("InvalidStateError");
  });

  test("is reset: streams fail, closed rejects", async () => {
    const [socket, { readable, writable }, far] = await open();
    const reading = nameOf(readable.getReader().read());
    far.abort();
    expect(await reading).toBe("NetworkError");
    expect(await nameOf(writable.getWriter().write(pattern(1)))).toBe("NetworkError");
    expect(await nameOf(socket.closed)).toBe("NetworkError");
  });

  test("is reset: what arrived before can still be read", async () => {
    const [socket, { readable }, far] = await open();
    await send(far, pattern(10));
    await arrival(far);
    far.abort();
    await expect.poll(() => pair.left.connections()).toMatchObject([{ state: "CLOSED" }]);
    const reader = readable.getReader();
    expect((await reader.read()).value).toHaveLength(10);
    expect(await nameOf(reader.read())).toBe("NetworkError");
    expect(await nameOf(socket.closed)).toBe("NetworkError");
  });

  test("is reset while nobody reads", async () => {
    const [socket, , far] = await open();
    far.abort();
    expect(await nameOf(socket.closed)).toBe("NetworkError");
  });

  test("is not allowed by the policy", async () => {
    const asked: unknown[] = [];
    const { TCPSocket, TCPServerSocket } = directSocketsOf(pair.left, {
      isAllowed: (target) => asked.push(target) < 0,
    });
    expect(await nameOf(new TCPSocket("a.example", 25).opened)).toBe("NotAllowedError");
    expect(await nameOf(new TCPServerSocket("0.0.0.0", { localPort: 80 }).opened))
      .toBe("NotAllowedError");
    expect(asked).toEqual([
      { kind: "tcp", hostname: "a.example", port: 25 },
      { kind: "tcp-server", hostname: "0.0.0.0", port: 80 },
    ]);
  });

  const CODES: readonly StackErrorCode[] = [
    ...["ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH"] as const,
    ...["EADDRINUSE", "EADDRNOTAVAIL", "ENOTFOUND"] as const,
  ];
  test.each(CODES)("%s is a NetworkError", (code) => {
    const cause = errorOf(code, "because");
    const error = toDirectError(cause) as DOMException & { cause: unknown };
    expect(error).toBeInstanceOf(DOMException);
    expect([error.name, error.message, error.cause]).toEqual(["NetworkError", "because", cause]);
  });

  test("EACCES is a NotAllowedError; what is no error of the stack stays", () => {
    expect(toDirectError(errorOf("EACCES", "because"))).toMatchObject({ name: "NotAllowedError" });
    expect(toDirectError(7)).toBe(7);
  });
});

describe("a TCPServerSocket", () => {
  test("gives open sockets, one after the other", async () => {
    const server = new direct.TCPServerSocket("0.0.0.0", { localPort: 80, backlog: 4 });
    const { readable, localAddress, localPort } = await server.opened;
    expect([localAddress, localPort]).toEqual(["0.0.0.0", 80]);
    const far = await pair.right.connect({ hostname: "10.0.0.1", port: 80 });
    const reader = readable.getReader();
    const { value: socket } = await reader.read();
    expect(socket).toBeInstanceOf(direct.TCPSocket);
    const info = await socket!.opened;
    expect([info.remoteAddress, info.localPort]).toEqual([HOST, 80]);
    await info.writable.getWriter().write(pattern(3));
    expect(await readExactly(far, 3)).toEqual(pattern(3));
    expect(await nameOf(server.close())).toBe("InvalidStateError");
    const waiting = reader.read();
    await reader.cancel();
    expect((await waiting).done).toBe(true);
    await server.closed;
    // What was accepted goes on.
    await send(far, pattern(2));
    expect((await info.readable.getReader().read()).value).toHaveLength(2);
  });

  test("chooses a port, and frees it by close()", async () => {
    const server = new direct.TCPServerSocket("10.0.0.1");
    expect(await nameOf(server.close())).toBe("InvalidStateError");
    const { localPort } = await server.opened;
    expect(localPort).toBeGreaterThan(0);
    const other = new direct.TCPServerSocket("10.0.0.1", { localPort });
    expect(await nameOf(other.opened)).toBe("NetworkError");
    expect(await nameOf(other.closed)).toBe("NetworkError");
    await server.close();
    await new direct.TCPServerSocket("10.0.0.1", { localPort }).opened;
  });

  test("fails on addresses that are not ours or none", async () => {
    expect(await nameOf(new direct.TCPServerSocket("9.9.9.9").opened)).toBe("NetworkError");
    expect(await nameOf(new direct.TCPServerSocket("a.example").opened)).toBe("NetworkError");
  });
});

describe("arguments of Direct Sockets", () => {
  const BAD_TCP: readonly (readonly unknown[])[] = [
    [],
    ["", 80],
    [HOST],
    [HOST, -1],
    [HOST, 65_536],
    [HOST, "x"],
    [HOST, 80, 7],
    [HOST, 80, { keepAliveDelay: 999 }],
    [HOST, 80, { keepAliveDelay: -1 }],
    [HOST, 80, { keepAliveDelay: "soon" }],
    [HOST, 80, { sendBufferSize: 0 }],
    [HOST, 80, { receiveBufferSize: 0 }],
    [HOST, 80, { receiveBufferSize: 2 ** 32 }],
    [HOST, 80, { dnsQueryType: "ipv5" }],
  ];
  test.each(BAD_TCP.map((list) => [list]))("new TCPSocket(...%j) throws a TypeError", (list) => {
    const make = direct.TCPSocket as new (...list: readonly unknown[]) => unknown;
    expect(() => new make(...list)).toThrow(TypeError);
  });

  const BAD_SERVER: readonly unknown[] = [
    { localPort: 0 },
    { localPort: 65_536 },
    { localPort: NaN },
    { backlog: 0 },
    { backlog: -1 },
    { ipv6Only: true },
    "options",
  ];
  test.each(BAD_SERVER)("new TCPServerSocket() with %j throws a TypeError", (options) => {
    expect(() => new direct.TCPServerSocket("0.0.0.0", options as TCPServerSocketOptions))
      .toThrow(TypeError);
  });

  test("dnsQueryType chooses among the addresses of a name", async () => {
    const stack = Object.create(pair.left, {
      resolve: { value: () => Promise.resolve(["2001:db8::1", HOST]) },
      connect: { value: pair.left.connect.bind(pair.left) },
    });
    const { TCPSocket } = directSocketsOf(stack);
    const socket = new TCPSocket("a.example", PORT, { dnsQueryType: "ipv4" });
    expect((await socket.opened).remoteAddress).toBe(HOST);
    const other = new TCPSocket("a.example", PORT, { dnsQueryType: "ipv6" });
    expect(await nameOf(other.opened)).toBe("NetworkError");
  });
});

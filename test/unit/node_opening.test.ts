/** How sockets of `node:net` come to their connection, over a stack that is the test itself: which address, when, and with what. */
import { describe, expect, test } from "vitest";
import type { LookupAddress } from "../../src/api/node/lookup.ts";
import type { Socket } from "../../src/api/node/socket.ts";
import { socketFactory } from "../../src/api/node/to_duplex.ts";
import { ConnectionRefused, TimedOut } from "../../src/errors.ts";
import type { ConnectOptions, NetworkStack, TcpConnection } from "../../src/options.ts";

const V4 = { address: "10.0.0.2", family: 4 };
const V4_LATER = { address: "10.0.0.3", family: 4 };
const V6 = { address: "2001:db8::2", family: 6 };
const V6_LATER = { address: "2001:db8::3", family: 6 };

/** Least time of an attempt, ms: what Node makes of less. */
const ATTEMPT_MS = 10;

/** One call of `connect()`. */
interface Attempt {
  readonly options: ConnectOptions;
  succeed(): TcpConnection & { closes: number };
  fail(error: Error): void;
}

class FakeStack {
  readonly attempts: Attempt[] = [];
  onAttempt: (attempt: Attempt) => void = () => {};

  connect(options: ConnectOptions): Promise<TcpConnection> {
    return new Promise((resolve, reject) => {
      const succeed = (): TcpConnection & { closes: number } => {
        const connection = fakeConnection();
        resolve(connection);
        return connection;
      };
      const attempt = { options, succeed, fail: reject };
      this.attempts.push(attempt);
      this.onAttempt(attempt);
      options.signal?.addEventListener("abort", () => reject(options.signal?.reason));
    });
  }

  get addresses(): string[] {
    return this.attempts.map(({ options }) => options.hostname);
  }
}

function fakeConnection(): TcpConnection & { closes: number } {
  const connection = {
    localAddress: { hostname: "10.0.0.1", port: 50_000 },
    remoteAddress: { hostname: "10.0.0.2", port: 7 },
    readable: new ReadableStream(),
    writable: new WritableStream(),
    closes: 0,
    close: (): Promise<void> => {
      connection.closes++;
      return Promise.resolve();
    },
  };
  return connection as unknown as TcpConnection & { closes: number };
}

const EVENTS: readonly string[] = [
  "lookup",
  "connectionAttempt",
  "connectionAttemptFailed",
  "connectionAttemptTimeout",
  "connect",
  "error",
  "close",
];

/** A socket, what it told, and its stack. */
function opening(
  found: readonly LookupAddress[],
  options: object = {},
): { stack: FakeStack; socket: Socket; lines: string[]; asked: unknown[] } {
  const stack = new FakeStack();
  const socket = socketFactory(stack as unknown as NetworkStack)();
  const lines: string[] = [];
  const asked: unknown[] = [];
  for (const event of EVENTS) {
    socket.on(event, (first?: unknown, second?: unknown) => {
      const what = first instanceof Error ? Reflect.get(first, "code") : first ?? second;
      lines.push(`${event} ${String(what)}`);
    });
  }
  // deno-lint-ignore no-explicit-any -- as Node's lookup, with answers of both forms
  const lookup = (_: string, wanted: any, callback: any): void => {
    asked.push(wanted);
    setTimeout(() => {
      if (wanted.all) callback(null, found);
      else callback(null, found[0]?.address, found[0]?.family);
    });
  };
  socket.connect({ port: 7, host: "a.example", lookup, ...options });
  return { stack, socket, lines, asked };
}

/** Lets all that follows from what has happened happen. */
const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

const closed = (socket: Socket): Promise<unknown> =>
  new Promise((resolve) => socket.once("close", resolve));

describe("a socket that connects to a name", () => {
  test("takes families in turn, that of the first address first. RFC 8305 section 4", async () => {
    const { stack, socket, lines } = opening([V6, V6_LATER, V4, V4_LATER]);
    for (let i = 0; i < 4; i++) {
      await expect.poll(() => stack.attempts.length).toBe(i + 1);
      stack.attempts[i]?.fail(i === 0 ? new TimedOut("no") : new ConnectionRefused("no"));
    }
    await closed(socket);
    const order = [V6, V4, V6_LATER, V4_LATER].map(({ address }) => address);
    expect(stack.addresses).toEqual(order);
    expect(socket.autoSelectFamilyAttemptedAddresses).toEqual(order.map((one) => `${one}:7`));
    // The first failure gives the code of all.
    expect(lines.slice(-2)).toEqual(["error ETIMEDOUT", "close true"]);
  });

  test("gives each address its time but the last one, which has as long as it takes", async () => {
    const { stack, socket, lines } = opening([V4, V6], {
      autoSelectFamilyAttemptTimeout: ATTEMPT_MS,
    });
    await expect.poll(() => stack.attempts.length).toBe(2);
    expect(stack.attempts[0]?.options.signal?.aborted).toBe(true);
    expect(lines.slice(2)).toEqual([
      `connectionAttempt ${V4.address}`,
      `connectionAttemptTimeout ${V4.address}`,
      `connectionAttempt ${V6.address}`,
    ]);
    await new Promise((resolve) => setTimeout(resolve, 3 * ATTEMPT_MS));
    expect(stack.attempts[1]?.options.signal?.aborted).toBe(false);
    stack.attempts[1]?.succeed();
    await expect.poll(() => lines.at(-1)).toBe("connect undefined");
    socket.destroy();
  });

  test("lets an attempt be, once it has succeeded: neither its time nor the socket's end aborts it", async () => {
    const { stack, socket, lines } = opening([V4, V6], {
      autoSelectFamilyAttemptTimeout: ATTEMPT_MS,
    });
    stack.onAttempt = (attempt) => void attempt.succeed();
    await expect.poll(() => lines.at(-1)).toBe("connect undefined");
    await new Promise((resolve) => setTimeout(resolve, 3 * ATTEMPT_MS));
    socket.destroy();
    await closed(socket);
    expect(stack.attempts[0]?.options.signal?.aborted).toBe(false);
    expect(stack.attempts).toHaveLength(1);
  });

  test("passes over what is no address, and fails if nothing is left", async () => {
    const some = opening([{ address: "x", family: 4 }, { address: V4.address, family: 5 }, V6]);
    await expect.poll(() => some.stack.addresses).toEqual([V6.address]);
    some.socket.destroy();
    const none = opening([{ address: "x", family: 4 }]);
    await closed(none.socket);
    expect(none.lines).toEqual(["error ERR_INVALID_IP_ADDRESS", "close true"]);
  });

  test("refuses one address that is none, or is of no family", async () => {
    for (
      const [found, code] of [
        [{ address: "x", family: 4 }, "ERR_INVALID_IP_ADDRESS"],
        [{ address: V4.address, family: 5 }, "ERR_INVALID_ADDRESS_FAMILY"],
      ] as const
    ) {
      const { socket, lines, stack } = opening([found], { autoSelectFamily: false });
      await closed(socket);
      expect(lines.slice(-2)).toEqual([`error ${code}`, "close true"]);
      expect(stack.attempts).toEqual([]);
    }
  });

  test("wants one address alone, if the own one or the family is given", async () => {
    const own = opening([V4, V6], { localAddress: "10.0.0.1", localPort: 9 });
    await expect.poll(() => own.stack.attempts.length).toBe(1);
    expect(own.asked).toEqual([{ hints: 0x20 }]);
    expect(own.stack.attempts[0]?.options).toMatchObject({
      localAddress: "10.0.0.1",
      localPort: 9,
    });
    own.socket.destroy();
    const family = opening([V6], { family: 6 });
    await expect.poll(() => family.stack.attempts.length).toBe(1);
    expect(family.asked).toEqual([{ family: 6, hints: 0 }]);
    family.socket.destroy();
    const both = opening([V4, V6]);
    expect(both.asked).toEqual([{ all: true, hints: 0x20 }]);
    both.socket.destroy();
  });
});

describe("a socket that is destroyed while it connects", () => {
  test("aborts the attempt, tells no failure of it and tries no other address", async () => {
    for (const found of [[V4], [V4, V6]]) {
      const { stack, socket, lines } = opening(found);
      await expect.poll(() => stack.attempts.length).toBe(1);
      socket.destroy();
      await closed(socket);
      await quiet();
      expect(stack.attempts.map(({ options }) => options.signal?.aborted)).toEqual([true]);
      expect(lines.slice(found.length)).toEqual([`connectionAttempt ${V4.address}`, "close false"]);
    }
  });

  test("closes a connection that comes all the same, and is none of its next one's", async () => {
    const { stack, socket, lines } = opening([V4]);
    await expect.poll(() => stack.attempts.length).toBe(1);
    const late = stack.attempts[0]?.succeed();
    socket.destroy();
    socket.connect(7, V6.address);
    await expect.poll(() => stack.attempts.length).toBe(2);
    await quiet();
    expect(late?.closes).toBe(1);
    expect(socket.connecting).toBe(true);
    stack.attempts[1]?.succeed();
    await expect.poll(() => lines.at(-1)).toBe("connect undefined");
    socket.destroy();
  });

  test("goes nowhere, when a listener destroys it before the attempt", async () => {
    for (const event of ["lookup", "connectionAttempt"]) {
      for (const found of [[V4], [V4, V6]]) {
        const { stack, socket } = opening(found);
        socket.on(event, () => socket.destroy());
        await closed(socket);
        await quiet();
        expect(stack.attempts).toEqual([]);
      }
    }
  });
});

test("port 0 is refused without asking the stack", async () => {
  const { stack, socket, lines } = opening([V4], { port: 0, host: V4.address });
  await closed(socket);
  expect(stack.attempts).toEqual([]);
  expect(lines.slice(-2)).toEqual(["error ECONNREFUSED", "close true"]);
});

test("a socket without a stack says so in the words of that", async () => {
  const socket = socketFactory()();
  socket.connect(7, V4.address);
  const error = await new Promise((resolve) => socket.once("error", resolve));
  expect(Reflect.get(Object(error), "code")).toMatch(/^ERR_/);
});

test("sockets of a factory have its options", () => {
  const stack = new FakeStack() as unknown as NetworkStack;
  const socket = socketFactory(stack, { allowHalfOpen: true })();
  expect(socket.allowHalfOpen).toBe(true);
  socket.destroy();
});

/** The one table of errors, row by row: the same happens on the wire, and each face says it in its own words. In virtual time. */
import { setImmediate } from "node:timers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { denoNamespace } from "../../src/api/deno/mod.ts";
import { directSocketsOf } from "../../src/api/direct/mod.ts";
import { createStack, type InProcessStack } from "../../src/api/network_stack.ts";
import { SocketError, socketsOf } from "../../src/api/sockets/mod.ts";
import { impair, type ImpairedDevice } from "../../src/link/impair.ts";
import { pipe } from "../../src/link/pipe.ts";
import type { TcpConnection, TcpListener } from "../../src/options.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";

const HOST = "10.0.0.2";
const PORT = 80;
/** An address on the link that nobody has, and one to which there is no way. */
const NOBODY = "10.0.0.77";
const ELSEWHERE = "192.0.2.1";

/** Virtual time between two looks, and until something has to have happened, ms: an hour. */
const STEP_MS = 250;
const LIMIT_MS = 3_600_000;

let clock: VirtualClock;
let link: ImpairedDevice;
let left: InProcessStack;
let right: InProcessStack;
let listener: TcpListener;

beforeEach(async () => {
  clock = new VirtualClock();
  const [a, b] = pipe({ clock });
  link = impair(a, { clock, random: seededRandom(1) });
  const tuning = { memoryMiB: 8, maxConnections: 64 };
  const make = (device: typeof a | ImpairedDevice, host: number) =>
    createStack({
      link: device,
      address: { cidr: `10.0.0.${host}/24` },
      clock,
      random: seededRandom(host),
      tuning,
    });
  left = await make(link, 1);
  right = await make(b, 2);
  listener = await right.listen({ port: PORT });
});

afterEach(async () => {
  await left.close();
  await right.close();
});

/** Lets time pass until a promise is settled. */
async function after<T>(promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settled = (): void => void (isSettled = true);
  promise.then(settled, settled);
  for (let ms = 0; !isSettled && ms < LIMIT_MS; ms += STEP_MS) {
    // All that promises have to do, they do before the next task.
    await new Promise((resolve) => setImmediate(resolve));
    if (!isSettled) clock.advance(STEP_MS);
  }
  return await promise;
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  return await after(promise.then(() => new Error("it did not fail"), (error) => error));
}

/** A connection of a face, as far as the rows need one. */
interface FaceConnection {
  read(): Promise<unknown>;
  write(bytes: number): Promise<unknown>;
  closeWrite(): Promise<unknown>;
  close(): unknown;
}

/** A face. */
interface Face {
  open(hostname: string, port: number): Promise<FaceConnection>;
  /** What its programs tell errors apart by. */
  label(error: Error): string;
}

function overDeno(): Face {
  const net = denoNamespace(left);
  return {
    open: async (hostname, port) => {
      const conn = await net.connect({ hostname, port });
      return {
        read: () => conn.read(new Uint8Array(8)),
        write: (bytes) => conn.write(new Uint8Array(bytes)),
        closeWrite: () => conn.closeWrite(),
        close: () => conn.close(),
      };
    },
    label: (error) => `${error.name} ${(error as { code?: string }).code ?? "-"}`,
  };
}

function overSockets(): Face {
  const { connect } = socketsOf(left);
  return {
    open: async (hostname, port) => {
      const socket = connect({ hostname, port });
      await socket.opened;
      const reader = socket.readable.getReader();
      const writer = socket.writable.getWriter();
      return {
        read: () => reader.read(),
        write: async (bytes) => await writer.write(new Uint8Array(bytes)),
        closeWrite: () => writer.close(),
        close: () => socket.close(),
      };
    },
    label: (error) =>
      error instanceof SocketError && error.message.startsWith("SocketError: ")
        ? `SocketError ${error.code ?? "-"}`
        : error.name,
  };
}

function overDirect(): Face {
  const { TCPSocket } = directSocketsOf(left);
  return {
    open: async (hostname, port) => {
      const socket = new TCPSocket(hostname, port);
      const { readable, writable } = await socket.opened;
      return {
        read: async () => {
          const reader = readable.getReader();
          try {
            return await reader.read();
          } finally {
            reader.releaseLock();
          }
        },
        write: async (bytes) => {
          const writer = writable.getWriter();
          try {
            return await writer.write(new Uint8Array(bytes));
          } finally {
            writer.releaseLock();
          }
        },
        closeWrite: () => writable.close(),
        close: () => socket.close(),
      };
    },
    label: (error) => error.name,
  };
}

const FACES: Readonly<Record<string, () => Face>> = {
  deno: overDeno,
  sockets: overSockets,
  direct: overDirect,
};

/** Both ends of a connection of a face. */
async function joined(face: Face): Promise<[FaceConnection, TcpConnection]> {
  return await after(Promise.all([face.open(HOST, PORT), listener.accept()]));
}

/** What a row does, and what it fails with, face by face. */
interface Row {
  readonly run: (face: Face) => Promise<Error>;
  readonly deno: string;
  readonly sockets: string;
  readonly direct: string;
}

const ROWS: Readonly<Record<string, Row>> = {
  "RST to SYN": {
    run: (face) => failure(face.open(HOST, PORT + 1)),
    deno: "ConnectionRefused ECONNREFUSED",
    sockets: "SocketError ECONNREFUSED",
    direct: "NetworkError",
  },
  "RST later, to a read": {
    run: async (face) => {
      const [near, far] = await joined(face);
      const reading = failure(near.read());
      far.abort();
      return reading;
    },
    deno: "ConnectionReset ECONNRESET",
    sockets: "SocketError ECONNRESET",
    direct: "NetworkError",
  },
  "RST later, to a write": {
    run: async (face) => {
      const [near, far] = await joined(face);
      far.abort();
      clock.advance(STEP_MS);
      return await failure(near.write(1));
    },
    deno: "ConnectionReset ECONNRESET",
    sockets: "SocketError ECONNRESET",
    direct: "NetworkError",
  },
  "nobody answers the SYN": {
    run: async (face) => {
      await joined(face);
      link.adjust({ loss: 1 });
      return await failure(face.open(HOST, PORT));
    },
    deno: "TimedOut ETIMEDOUT",
    sockets: "SocketError ETIMEDOUT",
    direct: "NetworkError",
  },
  "nobody acknowledges data": {
    run: async (face) => {
      const [near] = await joined(face);
      link.adjust({ loss: 1 });
      await after(near.write(1));
      return await failure(near.read());
    },
    deno: "TimedOut ETIMEDOUT",
    sockets: "SocketError ETIMEDOUT",
    direct: "NetworkError",
  },
  "there is no route": {
    run: (face) => failure(face.open(ELSEWHERE, PORT)),
    deno: "NetworkUnreachable ENETUNREACH",
    sockets: "SocketError ENETUNREACH",
    direct: "NetworkError",
  },
  "nobody on the link has the address": {
    run: (face) => failure(face.open(NOBODY, PORT)),
    deno: "Error EHOSTUNREACH",
    sockets: "SocketError EHOSTUNREACH",
    direct: "NetworkError",
  },
  "nobody knows the name": {
    run: (face) => failure(face.open("a.example", PORT)),
    deno: "Error -",
    sockets: "SocketError ENOTFOUND",
    direct: "NetworkError",
  },
  "the stack is closed": {
    run: async (face) => {
      await left.close();
      return await failure(face.open(HOST, PORT));
    },
    deno: "BadResource -",
    sockets: "SocketError EBADF",
    direct: "NetworkError",
  },
};

for (const [name, makeFace] of Object.entries(FACES)) {
  describe(`errors of tidewire/${name}`, () => {
    test.each(Object.entries(ROWS))("%s", async (_title, row) => {
      const face = makeFace();
      expect(face.label(await row.run(face))).toBe(row[name as "deno" | "sockets" | "direct"]);
    });
  });
}

describe("what the caller does wrong", () => {
  test("writing after the own FIN", async () => {
    const [deno] = await joined(overDeno());
    await after(deno.closeWrite());
    expect(await failure(deno.write(1))).toMatchObject({ name: "BrokenPipe", code: "EPIPE" });
    // The streams of the others are closed: a TypeError, or in Node 20 an assertion of its own.
    for (const face of [overSockets(), overDirect()]) {
      const [near] = await joined(face);
      await after(near.closeWrite());
      expect((await failure((async () => await near.write(1))())).message).toBeTruthy();
    }
  });

  test("using what was closed", async () => {
    const [deno] = await joined(overDeno());
    deno.close();
    expect(await failure(deno.read())).toMatchObject({ name: "BadResource" });
    const direct = overDirect();
    const [near] = await joined(direct);
    await after(Promise.resolve(near.close()));
    expect(await failure((async () => await near.write(1))())).toMatchObject({
      name: "InvalidStateError",
    });
  });

  test("aborting while it connects", async () => {
    const abort = new AbortController();
    const net = denoNamespace(left);
    const connecting = net.connect({ hostname: NOBODY, port: PORT, signal: abort.signal });
    const failing = failure(connecting);
    abort.abort();
    expect(await failing).toMatchObject({ name: "AbortError" });
  });

  test("listening where one can not", async () => {
    const net = denoNamespace(right);
    expect(() => net.listen({ port: PORT })).toThrow(net.errors.AddrInUse);
    expect(() => net.listen({ port: 0, hostname: NOBODY })).toThrow(net.errors.AddrNotAvailable);
    const { TCPServerSocket } = directSocketsOf(right);
    for (const [address, options] of [["0.0.0.0", { localPort: PORT }], [NOBODY, {}]] as const) {
      expect(await failure(new TCPServerSocket(address, options).opened))
        .toMatchObject({ name: "NetworkError" });
    }
  });
});

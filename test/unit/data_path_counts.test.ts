/**
 * What moving bytes between two stacks costs beside the bytes: calls across the border, bytes that the host copies, views
 * that it makes. These counts are the design. Tasks and time are in our hands, so that each count is exact.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { InProcessStack } from "../../src/api/network_stack.ts";
import { type Device, pipe } from "../../src/link/pipe.ts";
import type { TcpConnection } from "../../src/options.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { openStack } from "../../src/stack.ts";
import { testModule } from "./pair.ts";

const CHUNK_BYTES = 65_536;
/** What is moved while we count; as much before it opens the windows. */
const TOTAL_BYTES = 256 * CHUNK_BYTES;
const TOTAL_MIB = TOTAL_BYTES / 0x10_0000;
/** Virtual time of a task, ms. */
const TASK_MS = 0.01;

/** The runner reports while the test runs, and Node puts a length of 4 bytes before what it says: no copy of ours is so small. */
const REPORT_BYTES = 4;

/** Of a MiB: calls that move frames, calls that move the user's bytes, any others, views, and readings of the clock. */
const COST = { moving: 60.5, data: 74.56, others: [], views: 53.25, readings: 20.5 };

type Method = (this: unknown, ...args: unknown[]) => unknown;

const calls = new Map<string, number>();
let copied = 0;
let views = 0;
let wire = 0;
let readings = 0;
const undo: (() => void)[] = [];
let later: (() => void)[] = [];
let clock: VirtualClock;

/** Puts a method of our own in the place of another until the test ends. */
function patch(target: object, name: string, make: (plain: Method) => Method): void {
  const plain = Reflect.get(target, name) as Method;
  Reflect.set(target, name, make(plain));
  undo.push(() => void Reflect.set(target, name, plain));
}

beforeEach(() => {
  clock = new VirtualClock();
  patch(clock, "now", (plain) =>
    function (...args) {
      readings++;
      return Reflect.apply(plain, this, args);
    });
  later = [];
  patch(WebAssembly, "Instance", (plain) =>
    function (module) {
      const { exports } = Reflect.construct(plain, [module]) as WebAssembly.Instance;
      const counted = Object.entries(exports).map(([name, value]) => {
        if (typeof value !== "function") return [name, value];
        return [name, (...args: unknown[]) => {
          calls.set(name, (calls.get(name) ?? 0) + 1);
          return Reflect.apply(value, undefined, args) as unknown;
        }];
      });
      return { exports: Object.fromEntries(counted) as WebAssembly.Exports };
    });
  patch(Uint8Array.prototype, "set", (plain) =>
    function (...args) {
      const { length } = args[0] as Uint8Array;
      if (length > REPORT_BYTES) copied += length;
      return Reflect.apply(plain, this, args);
    });
  patch(Uint8Array.prototype, "subarray", (plain) =>
    function (...args) {
      views++;
      return Reflect.apply(plain, this, args);
    });
  patch(Uint8Array.prototype, "copyWithin", () => () => {
    throw new RangeError("Nothing is moved within a buffer");
  });
});

afterEach(() => {
  for (const one of undo.splice(0)) one();
});

/** Runs tasks until something is so. Between two of them all promises that can settle do. */
async function runUntil(isDone: () => boolean): Promise<void> {
  for (let tasks = 0; !isDone(); tasks++) {
    expect(tasks).toBeLessThan(10_000);
    await new Promise((resolve) => setTimeout(resolve, 0));
    for (const turn of later.splice(0)) turn();
    clock.advance(TASK_MS);
  }
}

function open(link: Device, host: number): InProcessStack {
  patch(link, "send", (plain) =>
    function (...args) {
      wire += (args[0] as Uint8Array).length;
      return Reflect.apply(plain, this, args);
    });
  return new InProcessStack(openStack(testModule(), {
    link,
    clock,
    random: seededRandom(host),
    address: { cidr: `10.0.0.${host}/24` },
    defer: { soon: queueMicrotask, later: (turn) => void later.push(turn) },
    tuning: { memoryMiB: 16 },
  }));
}

async function connected(): Promise<[TcpConnection, TcpConnection]> {
  const [a, b] = pipe({ clock });
  const [left, right] = [open(a, 1), open(b, 2)];
  const listener = await right.listen({ port: 80 });
  const ends: [TcpConnection?, TcpConnection?] = [];
  void left.connect({ hostname: "10.0.0.2", port: 80 }).then((one) => void (ends[0] = one));
  void listener.accept().then((one) => void (ends[1] = one));
  await runUntil(() => ends[0] !== undefined && ends[1] !== undefined);
  return ends as [TcpConnection, TcpConnection];
}

async function write(to: TcpConnection, bytes: number): Promise<void> {
  const writer = to.writable.getWriter();
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let left = bytes; left > 0; left -= CHUNK_BYTES) {
    await writer.ready;
    void writer.write(chunk);
  }
  writer.releaseLock();
}

/** Moves bytes and counts. @returns Per MiB, to two places. */
async function measure(bytes: number, read: () => Promise<void>, from: TcpConnection) {
  calls.clear();
  copied =
    views =
    wire =
    readings =
      0;
  let isRead = false;
  void write(from, bytes);
  void read().then(() => void (isRead = true));
  await runUntil(() => isRead);
  const perMib = (count: number): number => Math.round((100 * count) / TOTAL_MIB) / 100;
  const moving = ["ingest", "flush", "takeEvents", "nextDeadline"];
  const data = ["reserveSend", "written", "sendFew", "receiveSpans", "receiveFew", "consumed"];
  const sum = (names: string[]): number => {
    return perMib(names.reduce((total, name) => total + (calls.get(name) ?? 0), 0));
  };
  const others = [...calls.keys()].filter((name) => ![...moving, ...data].includes(name));
  return {
    moving: sum(moving),
    data: sum(data),
    others,
    views: perMib(views),
    readings: perMib(readings),
  };
}

describe("a MiB between two stacks", () => {
  test("by a reader with its own buffer", async () => {
    const [client, server] = await connected();
    const reader = server.readable.getReader({ mode: "byob" });
    let buffer = new Uint8Array(CHUNK_BYTES);
    const read = async (): Promise<void> => {
      for (let got = 0; got < TOTAL_BYTES;) {
        const { value } = await reader.read(buffer);
        got += value?.length ?? 0;
        buffer = new Uint8Array(value?.buffer ?? new ArrayBuffer(0));
      }
    };
    await measure(TOTAL_BYTES, read, client);
    expect(await measure(TOTAL_BYTES, read, client)).toEqual(COST);
    // One copy in, one from memory to memory, one out.
    expect(copied).toBe((2 * TOTAL_BYTES) + wire);
    expect(wire / TOTAL_BYTES).toBeLessThan(1.06);
  });

  test("by a reader without", async () => {
    const [client, server] = await connected();
    const reader = server.readable.getReader();
    const read = async (): Promise<void> => {
      for (let got = 0; got < TOTAL_BYTES;) got += (await reader.read()).value?.length ?? 0;
    };
    await measure(TOTAL_BYTES, read, client);
    expect(await measure(TOTAL_BYTES, read, client)).toEqual({
      ...COST,
      // Once more to learn how large the chunk is to be.
      data: 94.69,
    });
    expect(copied).toBe((2 * TOTAL_BYTES) + wire);
  });
});

/**
 * A small world: two stacks, a bad cable between them, a clock that is only a number. Everything follows from the seed,
 * so that a run can be repeated on any engine; it uses the synchronous layer only, because promises run in another order
 * elsewhere. It runs wherever it is bundled to and knows no test tool.
 */
import { type Faults, impair, type ImpairedDevice } from "../../src/link/impair.ts";
import { pipe } from "../../src/link/pipe.ts";
import type { Device } from "../../src/link/device.ts";
import { forEachRecord } from "../../src/link/records.ts";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { type SeededRandom, seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { openStack, type Stack } from "../../src/stack.ts";
import { decodeFrame } from "../../src/wire/decode.ts";
import { type Connection, EOF, WOULD_BLOCK } from "../../src/tcp/connection.ts";

/** Virtual time after which every connection must be gone, TIME-WAIT included, ms. */
const BOUND_MS = 1_200_000;
/** Steps after which a run is deemed to spin. */
const STEPS_MAX = 2_000_000;
const CONNECTIONS_MAX = 8;
const STREAM_MAX_BYTES = 1_000_000;
const SERVER_PORT = 80;
const FIRST_CLIENT_PORT = 10_000;
/** Largest piece that an application reads or writes at once, bytes. */
const PIECE_MAX_BYTES = 20_000;

/** What a run was asked to do. */
export interface Plan {
  readonly seed: number;
  readonly faults: Faults;
  /** Bytes of each connection, client to server and back. */
  readonly sizes: readonly (readonly [number, number])[];
  readonly receiveBufferBytes: number;
}

/** What came of it. */
export interface Outcome {
  readonly seed: number;
  readonly steps: number;
  readonly virtualMs: number;
  /** Hashes of all memory of both stacks, as hex: every `hashEvery` steps, and one at the end. */
  readonly hashes: readonly string[];
  /** Faults that really happened on the cable. */
  readonly faults: Readonly<Record<string, number>>;
  readonly bytes: number;
}

/** The byte at an offset of a stream: connection and direction differ in every bit. */
function patternByte(stream: number, offset: number): number {
  return (Math.imul(offset + 1, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 24;
}

function fillPattern(into: Uint8Array, stream: number, offset: number): void {
  for (let i = 0; i < into.length; i++) into[i] = patternByte(stream, offset + i);
}

/** Draws a size: mostly small, sometimes up to a megabyte. */
function drawSize(random: SeededRandom): number {
  const bits = 1 + random.below(20);
  return 1 + random.below(Math.min(2 ** bits, STREAM_MAX_BYTES));
}

/** Draws what a seed does. Each fault is in with an even chance, so that some runs have only one. */
export function drawPlan(seed: number): Plan {
  const random = seededRandom(seed);
  const percent = (most: number): number => random.chance(0.5) ? random.below(most + 1) / 100 : 0;
  const loss = percent(10);
  const duplicate = percent(10);
  const corrupt = percent(5);
  const late = percent(10);
  const delayMs = random.below(50);
  const reorder = { chance: late, minMs: 1, maxMs: 1 + random.below(60) };
  const count = 1 + random.below(CONNECTIONS_MAX);
  const sizes = Array.from({ length: count }, () => [drawSize(random), drawSize(random)] as const);
  const receiveBufferBytes = 4096 * 2 ** random.below(9);
  return {
    seed,
    faults: { loss, duplicate, corrupt, reorder, delayMs },
    sizes,
    receiveBufferBytes,
  };
}

/** One side of one connection: writes its stream, reads and checks the other's, closes when both are done. */
class Application {
  readonly #connection: Connection;
  readonly #random: SeededRandom;
  readonly #sendStream: number;
  readonly #sendBytes: number;
  readonly #receiveStream: number;
  readonly #receiveBytes: number;
  #sent = 0;
  #received = 0;
  #atEnd = false;
  #done = false;

  constructor(
    connection: Connection,
    random: SeededRandom,
    send: readonly [stream: number, bytes: number],
    receive: readonly [stream: number, bytes: number],
  ) {
    this.#connection = connection;
    this.#random = random;
    [this.#sendStream, this.#sendBytes] = send;
    [this.#receiveStream, this.#receiveBytes] = receive;
    connection.onEvent = () => this.pump();
  }

  get isDone(): boolean {
    return this.#done;
  }

  /** Moves what can be moved. */
  pump(): void {
    if (this.#done || !this.#connection.isOpened) return this.#failIfEnded();
    this.#read();
    this.#write();
    this.#failIfEnded();
    if (this.#atEnd && this.#connection.isFinished) this.#finish();
  }

  #read(): void {
    while (!this.#atEnd) {
      const view = new Uint8Array(1 + this.#random.below(PIECE_MAX_BYTES));
      const n = this.#connection.readInto(view);
      if (n === WOULD_BLOCK) return;
      if (n === EOF) {
        if (this.#received !== this.#receiveBytes) {
          throw new Error(
            `Stream ${this.#receiveStream} ended after ${this.#received} of ${this.#receiveBytes} bytes`,
          );
        }
        this.#atEnd = true;
        return;
      }
      for (let i = 0; i < n; i++) {
        if (view[i] !== patternByte(this.#receiveStream, this.#received + i)) {
          throw new Error(`Stream ${this.#receiveStream} differs at byte ${this.#received + i}`);
        }
      }
      this.#received += n;
    }
  }

  #write(): void {
    while (this.#sent < this.#sendBytes) {
      const want = Math.min(1 + this.#random.below(PIECE_MAX_BYTES), this.#sendBytes - this.#sent);
      const view = new Uint8Array(want);
      fillPattern(view, this.#sendStream, this.#sent);
      const taken = this.#connection.write(view);
      this.#sent += taken;
      if (taken < want) return;
    }
    this.#connection.shutdown("write");
  }

  #failIfEnded(): void {
    const { error } = this.#connection;
    if (error !== null) throw error;
  }

  #finish(): void {
    this.#done = true;
    this.#connection.release();
  }
}

/** Frames that a failing run shows, newest last. */
const TRACE_LINES = 60;

/** A link that writes down what leaves through it. */
function traced(device: Device, side: number, clock: VirtualClock, lines: string[]): Device {
  return {
    mtu: device.mtu,
    open: (sink) => device.open(sink),
    room: () => device.room(),
    send: (batch) => {
      forEachRecord(batch, (offset, bytes) => {
        const text = decodeFrame(batch.subarray(offset, offset + bytes));
        lines.push(`${clock.now().toFixed(3)} ${side === 0 ? ">" : "<"} ${text}`);
      });
      lines.splice(0, Math.max(0, lines.length - TRACE_LINES));
      device.send(batch);
    },
    close: () => device.close(),
  };
}

/** The world of one plan. */
class World {
  readonly clock = new VirtualClock({ maxSteps: STEPS_MAX });
  readonly cables: readonly ImpairedDevice[];
  readonly stacks: readonly Stack[];
  readonly #applications: Application[] = [];
  readonly #plan: Plan;
  readonly #random: SeededRandom;

  constructor(module: WebAssembly.Module, plan: Plan, trace?: string[]) {
    this.#plan = plan;
    this.#random = seededRandom(plan.seed ^ 0x5eed);
    const { clock } = this;
    const ends = pipe({ clock });
    this.cables = ends.map((end, i) => {
      const random = seededRandom(plan.seed * 2 + i);
      return impair(end, { clock, random, direction: "out", ...plan.faults });
    });
    this.stacks = this.cables.map((link, i) =>
      openStack(module, {
        link: trace === undefined ? link : traced(link, i, clock, trace),
        clock,
        random: seededRandom(plan.seed * 4 + i),
        address: { cidr: `10.0.0.${i + 1}/24` },
        tuning: { memoryMiB: 16, receiveBufferBytes: plan.receiveBufferBytes },
      })
    );
    this.#serve();
    plan.sizes.forEach((_, index) => this.#connect(index));
  }

  get isQuiet(): boolean {
    const { sizes } = this.#plan;
    if (this.#applications.length < 2 * sizes.length) return false;
    return this.#applications.every(({ isDone }) => isDone) && this.stacks.every(isEmpty);
  }

  #serve(): void {
    const listener = this.#stack(1).manager.listen({ port: SERVER_PORT });
    listener.onReady = () => {
      for (let c = listener.accept(); c !== null; c = listener.accept()) {
        const index = c.remote.port - FIRST_CLIENT_PORT;
        const [up, down] = this.#size(index);
        this.#start(c, [2 * index + 1, down], [2 * index, up]);
      }
    };
  }

  #connect(index: number): void {
    const [up, down] = this.#size(index);
    const remote = { address: parseIpv4("10.0.0.2"), port: SERVER_PORT };
    const c = this.#stack(0).manager.connect({ remote, localPort: FIRST_CLIENT_PORT + index });
    this.#start(c, [2 * index, up], [2 * index + 1, down]);
  }

  #start(c: Connection, send: readonly [number, number], receive: readonly [number, number]): void {
    const application = new Application(c, seededRandom(this.#random.next()), send, receive);
    this.#applications.push(application);
    application.pump();
  }

  #stack(index: number): Stack {
    const stack = this.stacks[index];
    if (stack === undefined) throw new RangeError(`Cannot find stack ${index}`);
    return stack;
  }

  #size(index: number): readonly [number, number] {
    const size = this.#plan.sizes[index];
    if (size === undefined) throw new RangeError(`Cannot find connection ${index}`);
    return size;
  }
}

/** Nothing is held any more: slots, flight blocks with their ranges, rings, TIME-WAIT records. */
function isEmpty(stack: Stack): boolean {
  const { connections, flights, ringPages, timeWaits } = stack.core.tcbs.live();
  return connections + flights + ringPages + timeWaits === 0;
}

function hashOf(world: World): string {
  return world.stacks.map(({ core }) => core.fullHash().toString(16).padStart(16, "0")).join(" ");
}

/**
 * Runs a plan to its end.
 *
 * @param hashEvery Steps between two hashes of all memory; 0 = none.
 * @throws {Error} With the seed, when a stream differs, a connection fails, or anything is left after the bound.
 */
export function runWorld(
  module: WebAssembly.Module,
  plan: Plan,
  hashEvery = 0,
  trace?: string[],
): Outcome {
  const hashes: string[] = [];
  let steps = 0;
  try {
    const world = new World(module, plan, trace);
    while (!world.isQuiet) {
      if (world.clock.now() > BOUND_MS) {
        const left = world.stacks.map(({ core }) => JSON.stringify(core.tcbs.live())).join(" ");
        throw new Error(`Not quiet after ${BOUND_MS} ms: ${left}`);
      }
      if (!world.clock.runNext()) throw new Error("Nothing is due, and connections are left");
      steps++;
      if (hashEvery > 0 && steps % hashEvery === 0) hashes.push(hashOf(world));
    }
    if (hashEvery > 0) hashes.push(hashOf(world));
    const faults: Record<string, number> = {};
    for (const { counters } of world.cables) {
      for (const [name, value] of Object.entries<number>({ ...counters })) {
        faults[name] = (faults[name] ?? 0) + value;
      }
    }
    const bytes = plan.sizes.reduce((sum, [up, down]) => sum + up + down, 0);
    return { seed: plan.seed, steps, virtualMs: world.clock.now(), hashes, faults, bytes };
  } catch (cause) {
    // The run repeats itself: the second time it writes down what was on the wire.
    if (trace === undefined) {
      const lines: string[] = [];
      try {
        runWorld(module, plan, 0, lines);
      } catch (error) {
        (error as Error).message += `\n${lines.join("\n")}`;
        throw error;
      }
    }
    throw new Error(`Seed ${plan.seed} failed after ${steps} steps: ${(cause as Error).message}`, {
      cause,
    });
  }
}

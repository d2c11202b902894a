/**
 * Connections opened and closed: SYN, one byte each way, FIN each way, over a virtual clock with the default MSL, beside so
 * many established idle ones on the same cores. What is measured is the stack: handles lie in arrays of numbers, and
 * nothing is allocated for a connection.
 */
import type { Core } from "../core/core.ts";
import { EVENT_ACCEPTABLE } from "../layout/layout.gen.ts";
import {
  type BenchCase,
  type Contestant,
  type Environment,
  operationFigures,
  scaled,
  Unavailable,
} from "./bench_case.ts";
import { ADDRESS_A, ADDRESS_B, type Given, HOP, TwoCores } from "./two_cores.ts";

/** Connections that are opened, used and closed side by side. */
const BATCH = 256;

/** Connections of one run. */
const RUN_CONNECTIONS = 262_144;

/** How long the life of a batch takes on the virtual clock, ms. */
const BATCH_MS = 1;

/** Local ports of A, the unprivileged ones. */
const PORT_MIN = 1_024;
const PORT_COUNT = 65_536 - PORT_MIN;

/** Ports of B at which idle connections end; those that come and go have the others. */
const IDLE_PORT_MIN = 1;
const CHURN_PORT_MIN = 1_000;
const CHURN_PORT_COUNT = 64;

/** TIME-WAIT records of each core, whatever the number of idle connections: as many as in 256 MiB by default. */
const TIME_WAITS = 65_536;

/** Linear memory is tried in these steps, MiB, until the tables fit in. */
const MEMORY_MIB: readonly number[] = [256, 512, 1024, 2048, 4096];

const MIB = 1 << 20;

/** The tables of 256 MiB by default, slots; with idle connections these are added. */
const CONNECTIONS = 65_536;
const FLIGHTS = 16_384;

/** Listener's backlog. */
const BACKLOG = 1_024;

/** Starts two cores in the least memory that holds the tables. */
export function startWithRoom(module: WebAssembly.Module, given: Given): TwoCores {
  for (const memoryMib of MEMORY_MIB) {
    try {
      return new TwoCores(module, { ...given, memoryBytes: memoryMib * MIB });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  throw new Unavailable(
    `Cannot have tables for ${given.maxConnections} connections: they do not fit into 4 GiB, or this machine has less`,
  );
}

/** The connections of one batch at both ends. */
export class Batch {
  readonly #cores: TwoCores;
  readonly #here = new Float64Array(BATCH);
  readonly #there = new Float64Array(BATCH);
  readonly #byte = new Uint8Array([0x2a]);
  readonly #into = new Uint8Array(16);
  #accepted = 0;
  #opened = 0;
  readonly #local = { address: ADDRESS_A, port: 0 };
  readonly #remote = { address: ADDRESS_B, port: 0 };

  /** @param cores B listens on every port. */
  constructor(cores: TwoCores) {
    this.#cores = cores;
  }

  /**
   * Opens connections to the end of the handshake.
   *
   * @param first Number of the first one; each number is a pair of ports.
   * @param count At most BATCH.
   * @param remotePortMin Where the remote ports begin.
   * @param remotePorts How many remote ports there are.
   */
  open(first: number, count: number, remotePortMin: number, remotePorts: number): void {
    const cores = this.#cores;
    const { a } = cores;
    for (let i = 0; i < count; i++) {
      const index = first + i;
      this.#local.port = PORT_MIN + (index % PORT_COUNT);
      this.#remote.port = remotePortMin + (Math.floor(index / PORT_COUNT) % remotePorts);
      const handle = a.connect(this.#local, this.#remote, HOP, cores.now);
      if (handle < 0) throw new Error(`Cannot open connection ${index}: status ${-handle}`);
      this.#here[i] = handle;
    }
    this.#opened = count;
    this.#accepted = 0;
    cores.toB();
    cores.toA();
  }

  /** Takes what B accepted. @throws {Error} If one is missing. */
  accept(): void {
    const { b } = this.#cores;
    this.#each(b, (bits, handle) => {
      if ((bits & EVENT_ACCEPTABLE) === 0) return;
      this.#there[this.#accepted++] = handle;
      b.accepted(handle);
    });
    if (this.#accepted === this.#opened) return;
    throw new Error(`Cannot go on: ${this.#accepted} of ${this.#opened} connections were accepted`);
  }

  /** Lets the handshakes end without a byte: what was opened is idle from here on. */
  settle(here?: Float64Array, there?: Float64Array, at = 0): void {
    this.#cores.toB();
    this.accept();
    this.#cores.toA();
    drop(this.#cores.a);
    here?.set(this.#here.subarray(0, this.#opened), at);
    there?.set(this.#there.subarray(0, this.#opened), at);
  }

  /** One byte each way, then both close in order, A first, and both let go. */
  useAndClose(): void {
    const cores = this.#cores;
    const { a, b, now } = cores;
    for (let i = 0; i < this.#opened; i++) a.send(this.#here[i] ?? 0, this.#byte, now);
    cores.toB();
    this.accept();
    this.#echo(b, this.#there);
    cores.toA();
    drop(a);
    for (let i = 0; i < this.#opened; i++) {
      const handle = this.#here[i] ?? 0;
      if (a.receive(handle, this.#into, now) !== 1) throw new Error("Cannot go on: no byte came");
      a.closeWrite(handle, now);
    }
    cores.toB();
    drop(b);
    for (let i = 0; i < this.#opened; i++) b.closeWrite(this.#there[i] ?? 0, now);
    cores.toA();
    cores.toB();
    drop(a);
    drop(b);
    for (let i = 0; i < this.#opened; i++) {
      a.release(this.#here[i] ?? 0, now);
      b.release(this.#there[i] ?? 0, now);
    }
  }

  #echo(core: Core, handles: Float64Array): void {
    const { now } = this.#cores;
    for (let i = 0; i < this.#opened; i++) {
      const handle = handles[i] ?? 0;
      if (core.receive(handle, this.#into, now) !== 1) {
        throw new Error("Cannot go on: no byte came");
      }
      core.send(handle, this.#byte, now);
    }
  }

  #each(core: Core, take: (bits: number, handle: number) => void): void {
    for (let count = core.takeEvents(); count > 0; count = core.takeEvents()) {
      for (let i = 0; i < count; i++) take(core.eventBits(i), core.eventHandle(i));
    }
  }
}

/** Takes events of which nothing needs to be known. */
function drop(core: Core): void {
  while (core.takeEvents() > 0) { /* The next ones. */ }
}

/** Opens so many connections and leaves them idle. */
export function openIdle(
  cores: TwoCores,
  count: number,
  environment: Environment,
  here?: Float64Array,
  there?: Float64Array,
): void {
  const batch = new Batch(cores);
  const ports = CHURN_PORT_MIN - IDLE_PORT_MIN;
  for (let opened = 0; opened < count; opened += BATCH) {
    batch.open(opened, Math.min(BATCH, count - opened), IDLE_PORT_MIN, ports);
    batch.settle(here, there, opened);
    cores.pass(BATCH_MS);
    if (opened % 65_536 === 0 && opened > 0) environment.progress(`${opened} idle connections`);
  }
}

/** Listens on every port of B. */
export function listenEverywhere(cores: TwoCores): void {
  const id = cores.b.listen({ address: 0, port: 0 }, BACKLOG, 0);
  if (id < 0) throw new Error(`Cannot listen: status ${-id}`);
}

/** Live and evicted TIME-WAITs of A, which closes first. */
function restOf({ a }: TwoCores): string {
  const evicted = a.stats()["time_wait_evicted"] ?? 0;
  return `TIME-WAIT: ${a.timeWaits()} live, ${evicted} evicted`;
}

async function prepare(environment: Environment, idle: number): Promise<Contestant> {
  const module = await environment.module("core");
  const count = idle === 0 ? 0 : scaled(environment, idle);
  const cores = startWithRoom(module, {
    maxConnections: CONNECTIONS + count,
    maxFlights: FLIGHTS,
    maxTimeWaits: TIME_WAITS,
  });
  listenEverywhere(cores);
  openIdle(cores, count, environment);
  const batch = new Batch(cores);
  const total = scaled(environment, RUN_CONNECTIONS, BATCH);
  let next = 0;
  return {
    sample() {
      const before = environment.seconds();
      for (let done = 0; done < total; done += BATCH) {
        batch.open(next, BATCH, CHURN_PORT_MIN, CHURN_PORT_COUNT);
        batch.useAndClose();
        cores.pass(BATCH_MS);
        next += BATCH;
      }
      return operationFigures(environment.seconds() - before, total);
    },
    note: () => restOf(cores),
  };
}

/** Idle connections beside those that come and go. */
const IDLE: readonly number[] = [0, 1_000, 10_000, 100_000, 1_000_000];

/** Connections that come and go. */
export const CHURN: BenchCase = {
  name: "churn",
  about:
    "connections opened, one byte each way, closed in order, beside idle ones on the same cores",
  variants: IDLE.map((idle) => ({
    name: `idle=${idle}`,
    ...(idle === 0 ? {} : { against: ["churn/idle=0"] }),
    prepare: (environment: Environment) => prepare(environment, idle),
  })),
};

/**
 * A simulated world: stacks, bad cables between them, a clock that is only a number. Everything follows from the seed, so that
 * a run can be repeated on any engine; it uses the synchronous layer only, because promises run in another order elsewhere.
 */
import { virtualSwitch } from "../link/switch.ts";
import { parseIpv4 } from "../net/addresses.ts";
import { type SeededRandom, seededRandom } from "../runtime/seeded_random.ts";
import { VirtualClock } from "../runtime/virtual_clock.ts";
import type { Connection } from "../tcp/connection.ts";
import { TraceFormatter } from "../trace/tcpdump.ts";
import { Application, type Role } from "./application.ts";
import { SimulatedHost } from "./host.ts";
import {
  mayOpensFail,
  mayVanish,
  type Misfortune,
  type Plan,
  type PlannedConnection,
} from "./plan.ts";

/** Virtual time after which every connection must be gone, TIME-WAIT included, ms. */
const BOUND_MS = 1_500_000;
/** Steps after which a run is deemed to spin. */
const STEPS_MAX = 2_000_000;
/** Steps between two looks at who owes an answer: that walks all connections. */
const IDLE_CHECK_STEPS = 16;
const SERVER_PORT = 80;
const FIRST_CLIENT_PORT = 10_000;
/** Frames that a failing run shows, newest last. */
const TRACE_LINES = 60;
const SWITCH_BYTES = 8 << 20;

/** What came of a run. */
export interface Outcome {
  readonly seed: number;
  readonly steps: number;
  readonly virtualMs: number;
  /** Hashes of all memory of all stacks, as hex: every `hashEvery` steps, and one at the end. */
  readonly hashes: readonly string[];
  /** Faults that really happened on the cables. */
  readonly faults: Readonly<Record<string, number>>;
  /** Connections whose streams both arrived whole. */
  readonly complete: number;
  /** Connections that failed, as they may when hosts crash or nearly all is lost. */
  readonly failed: number;
  readonly bytes: number;
  /** By how many segments were more than frames: those that left in super-segments, beside the first of each. */
  readonly joined: number;
}

/** How a run is looked at. */
export interface RunOptions {
  /** Steps between two hashes of all memory; 0 or absent = none. */
  readonly hashEvery?: number;
  /** Virtual time after which everything must be over, ms. Default 1,500,000. */
  readonly boundMs?: number;
}

class World {
  readonly clock = new VirtualClock({ maxSteps: STEPS_MAX });
  readonly hosts: readonly SimulatedHost[];
  complete = 0;
  failed = 0;
  readonly #plan: Plan;
  readonly #random: SeededRandom;
  readonly #applications: Application[] = [];
  readonly #mayFail: boolean;
  /** Ends ask each other whether they are still there: one may be gone without the other having heard of it. */
  readonly #keepAlive: boolean;
  /** What has not begun yet. */
  #pending = 0;
  #complaint: string | null = null;

  constructor(module: WebAssembly.Module, plan: Plan, trace: string[] | null) {
    this.#plan = plan;
    this.#mayFail = mayOpensFail(plan);
    this.#keepAlive = mayVanish(plan);
    this.#random = seededRandom(plan.seed ^ 0x5eed);
    const { clock } = this;
    const count = plan.stacks.length;
    const ports = virtualSwitch({
      clock,
      ports: count,
      mtu: plan.mtu,
      capacityBytes: SWITCH_BYTES,
      offload: plan.offload ?? 0,
    });
    const formatter = new TraceFormatter({ originMs: 0 });
    this.hosts = ports.map((port, index) =>
      new SimulatedHost({
        ...{ module, plan, index, port, clock },
        complain: (rule) => (this.#complaint ??= rule),
        onFrame: trace === null ? null : (host, _isSent, frame) => {
          trace.push(`${host} ${formatter.line(clock.now(), frame)}`);
          if (trace.length > TRACE_LINES) trace.shift();
        },
      })
    );
    this.hosts.forEach((host) => this.#serve(host));
    plan.connections.forEach((one, index) =>
      this.#later(one.startMs, () => this.#connect(one, index))
    );
    plan.misfortunes.forEach((one) => this.#later(one.atMs, () => this.#befall(one)));
  }

  get isQuiet(): boolean {
    return this.#pending === 0 && this.#applications.every(({ isDone }) => isDone) &&
      this.hosts.every(({ isEmpty }) => isEmpty);
  }

  /** @param isThorough Also whether somebody owes an answer. @throws {Error} If a rule is broken. */
  check(isThorough: boolean): void {
    for (const host of this.hosts) host.onStep();
    if (this.#complaint !== null) throw new Error(this.#complaint);
    if (!isThorough) return;
    this.hosts.forEach((host, i) => {
      const wrong = host.check();
      if (wrong !== null) throw new Error(`host ${i}: ${wrong}`);
    });
  }

  /** Everything has ended: as it may. @throws {Error} If a connection failed that should not. */
  conclude(): void {
    for (const application of this.#applications) {
      if (application.isComplete) this.complete++;
      if (application.error === null) continue;
      this.failed++;
      const isReset = /ECONNRESET|ECONNREFUSED|ECONNABORTED/.test(
        String((application.error as { code?: string }).code),
      );
      if (!this.#mayFail && !(isReset && this.#isLeft(application))) throw application.error;
    }
  }

  /** The other end left early: a reset is the word for it. */
  #isLeft({ connection }: Application): boolean {
    const port = connection.local.port === SERVER_PORT
      ? connection.remote.port
      : connection.local.port;
    const planned = this.#plan.connections[port - FIRST_CLIENT_PORT];
    return planned?.manner === "abort" || planned?.manner === "release";
  }

  #later(ms: number, act: () => void): void {
    this.#pending++;
    this.clock.at(ms, () => {
      this.#pending--;
      act();
    });
  }

  #serve(host: SimulatedHost): void {
    const listener = host.stack.manager.listen({ port: SERVER_PORT, reuseAddress: true });
    listener.onReady = () => {
      for (let c = listener.accept(); c !== null; c = listener.accept()) {
        const index = c.remote.port - FIRST_CLIENT_PORT;
        const planned = this.#plan.connections[index];
        if (planned === undefined) throw new Error(`A connection came from port ${c.remote.port}`);
        this.#start(host, c, planned, index, false);
      }
    };
  }

  #connect(planned: PlannedConnection, index: number): void {
    const client = this.#host(planned.client);
    const remote = { address: parseIpv4(this.#host(planned.server).address), port: SERVER_PORT };
    const options = { keepAlive: this.#keepAlive, noDelay: planned.noDelay };
    try {
      const localPort = FIRST_CLIENT_PORT + index;
      const c = client.stack.manager.connect({ remote, localPort, options });
      this.#start(client, c, planned, index, true);
    } catch (error) {
      this.failed++;
      if (!this.#mayFail) throw error;
    }
  }

  #start(
    host: SimulatedHost,
    c: Connection,
    { up, down, manner }: PlannedConnection,
    index: number,
    isClient: boolean,
  ): void {
    const toServer = { id: 2 * index, bytes: up };
    const toClient = { id: 2 * index + 1, bytes: down };
    const role: Role = isClient
      ? { send: toServer, receive: toClient, manner, isClient }
      : { send: toClient, receive: toServer, manner, isClient };
    if (!isClient && this.#keepAlive) c.setOptions({ keepAlive: true });
    const application = new Application(c, host.clock, seededRandom(this.#random.next()), role);
    this.#applications.push(application);
    host.applications.push(application);
    application.pump();
  }

  #befall({ kind, stack, forMs }: Misfortune): void {
    const host = this.#host(stack);
    if (kind === "crash") {
      for (const application of host.applications) {
        const at = this.#applications.indexOf(application);
        if (at >= 0) this.#applications.splice(at, 1);
      }
      host.crash();
      this.#serve(host);
    } else if (kind === "suspend") {
      host.suspend(this.clock.now() + forMs);
      this.#later(this.clock.now() + forMs, () => host.wake());
    } else if (kind === "partition") {
      host.cable.adjust({ loss: 1 });
      this.#later(
        this.clock.now() + forMs,
        () => host.cable.adjust({ loss: this.#plan.faults.loss ?? 0 }),
      );
    } else {
      // Time leaps for all of them: deadlines are met late.
      for (const one of this.hosts) one.suspend(this.clock.now() + forMs);
      this.#later(this.clock.now() + forMs, () => this.hosts.forEach((one) => one.wake()));
    }
  }

  #host(index: number): SimulatedHost {
    const host = this.hosts[index];
    if (host === undefined) throw new RangeError(`Cannot find host ${index}`);
    return host;
  }
}

function hashOf(world: World): string {
  return world.hosts.map(({ stack }) => stack.core.fullHash().toString(16).padStart(16, "0")).join(
    " ",
  );
}

/** Goes on to the end. @returns Steps, counted in `count` too, so that a failure knows them. */
function runToQuiet(
  world: World,
  { hashEvery = 0, boundMs = BOUND_MS }: RunOptions,
  hashes: string[],
  count: { steps: number },
): void {
  while (!world.isQuiet) {
    if (world.clock.now() > boundMs) {
      const left = world.hosts.map(({ stack }) => JSON.stringify(stack.core.tcbs.live())).join(" ");
      throw new Error(`Not quiet after ${boundMs} ms: ${left}`);
    }
    if (!world.clock.runNext()) throw new Error("Nothing is due, and connections are left");
    count.steps++;
    world.check(count.steps % IDLE_CHECK_STEPS === 0);
    if (hashEvery > 0 && count.steps % hashEvery === 0) hashes.push(hashOf(world));
  }
  world.conclude();
  if (hashEvery > 0) hashes.push(hashOf(world));
}

function countJoined(world: World): number {
  return world.hosts.reduce((sum, { stack }) => {
    const { segments_out: segments = 0, frames_out: frames = 0 } = stack.core.stats();
    return sum + Math.max(0, segments - frames);
  }, 0);
}

function countFaults(world: World): Record<string, number> {
  const faults: Record<string, number> = {};
  for (const { cable } of world.hosts) {
    for (const [name, value] of Object.entries<number>({ ...cable.counters })) {
      faults[name] = (faults[name] ?? 0) + value;
    }
  }
  return faults;
}

/** The last frames of a run that failed: it is run again, and repeats itself. */
function traceOf(module: WebAssembly.Module, plan: Plan, options: RunOptions): string[] {
  const lines: string[] = [];
  try {
    runToQuiet(new World(module, plan, lines), options, [], { steps: 0 });
  } catch {
    // It fails as it did before.
  }
  return lines;
}

/** A run that broke a rule. */
export class SimulationError extends Error {
  readonly seed: number;
  readonly steps: number;
  /** The rule, one sentence. */
  readonly rule: string;
  /** The last frames, as tcpdump shows them, each behind the number of its sender. */
  readonly trace: readonly string[];

  constructor(seed: number, steps: number, rule: string, trace: readonly string[], cause: unknown) {
    super(`Seed ${seed} failed after ${steps} steps: ${rule}\n${trace.join("\n")}`, { cause });
    this.name = "SimulationError";
    this.seed = seed;
    this.steps = steps;
    this.rule = rule;
    this.trace = trace;
  }
}

/**
 * Runs a plan to its end.
 *
 * @param module The compiled core.
 * @param plan What is done; see `drawPlan()`.
 * @throws {SimulationError} When a stream differs, a rule is broken, a connection fails that should not, or anything is left
 * after the bound.
 * @example
 * ```ts
 * runWorld(await coreModule(), drawPlan(7)).complete;
 * ```
 */
export function runWorld(
  module: WebAssembly.Module,
  plan: Plan,
  options: RunOptions = {},
): Outcome {
  const hashes: string[] = [];
  const count = { steps: 0 };
  try {
    const world = new World(module, plan, null);
    runToQuiet(world, options, hashes, count);
    const bytes = plan.connections.reduce((sum, { up, down }) => sum + up + down, 0);
    return {
      seed: plan.seed,
      steps: count.steps,
      virtualMs: world.clock.now(),
      hashes,
      faults: countFaults(world),
      complete: world.complete,
      failed: world.failed,
      bytes,
      joined: countJoined(world),
    };
  } catch (cause) {
    const rule = cause instanceof Error ? cause.message : String(cause);
    throw new SimulationError(plan.seed, count.steps, rule, traceOf(module, plan, options), cause);
  }
}

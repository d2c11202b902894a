/** A simulated machine: its cable, its stack while it is up, and what watches both. */
import type { Device, DeviceSink } from "../link/device.ts";
import { impair, type ImpairedDevice } from "../link/impair.ts";
import { offload, Splitter } from "../link/offload.ts";
import { BATCH_BYTES, forEachRecord, OFFLOAD_ALL } from "../link/records.ts";
import type { Tuning } from "../options.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import { seededRandom } from "../runtime/seeded_random.ts";
import { openStack, type Stack } from "../stack.ts";
import type { Application } from "./application.ts";
import { HostRules } from "./host_rules.ts";
import type { Plan } from "./plan.ts";
import { StateChecker } from "./state_checker.ts";
import { WireChecker } from "./wire_checker.ts";

/** Of all cards: locally administered. */
const MAC_PREFIX = [2, 0, 0, 0, 1];

/** A clock that can be stopped: who sleeps meets no deadline until it wakes. */
export class SleepyClock implements Clock {
  /** Something of the host is about to run. */
  onRun: (() => void) | null = null;
  readonly #clock: Clock;
  #awakeAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  /** Nothing happens before this moment. */
  sleepUntil(atMs: number): void {
    this.#awakeAtMs = Math.max(this.#awakeAtMs, atMs);
  }

  at(atMs: number, callback: () => void): Timer {
    let timer: Timer;
    const fire = (): void => {
      if (this.#clock.now() < this.#awakeAtMs) timer = this.#clock.at(this.#awakeAtMs, fire);
      else {
        this.onRun?.();
        callback();
      }
    };
    timer = this.#clock.at(atMs, fire);
    return { cancel: () => timer.cancel() };
  }
}

/** What a host is made of. */
export interface HostParts {
  readonly module: WebAssembly.Module;
  readonly plan: Plan;
  readonly index: number;
  readonly port: Device;
  readonly clock: Clock;
  /** A rule was broken. */
  readonly complain: (rule: string) => void;
  /** Frames on the cable, for a trace. */
  readonly onFrame: ((host: number, isSent: boolean, frame: Uint8Array) => void) | null;
}

/** A machine. */
export class SimulatedHost {
  readonly cable: ImpairedDevice;
  readonly clock: SleepyClock;
  readonly applications: Application[] = [];
  readonly wire: WireChecker;
  readonly #parts: HostParts;
  readonly #mac: Uint8Array;
  #stack: Stack;
  #state: StateChecker;
  #rules: HostRules;
  #sink: DeviceSink | null = null;
  #splitter: Splitter | null = null;
  #boots = 0;
  #isAsleep = false;

  constructor(parts: HostParts) {
    this.#parts = parts;
    const { plan, index, clock } = parts;
    this.clock = new SleepyClock(clock);
    this.#mac = new Uint8Array([...MAC_PREFIX, index]);
    this.wire = new WireChecker(plan.mtus[index] ?? plan.mtu, this.#mac, () => clock.now());
    const random = seededRandom(plan.seed * 8 + index);
    this.cable = impair(parts.port, { clock, random, direction: "out", ...plan.faults });
    this.cable.open({
      receive: (batch) => this.#receive(batch),
      ready: () => this.#sink?.ready(),
      up: () => this.#sink?.up(),
      down: (reason) => this.#sink?.down(reason),
    });
    this.#stack = this.#open();
    this.#state = new StateChecker(this.#stack.core);
    this.#rules = this.#makeRules();
    this.clock.onRun = () => this.#rules.touch();
  }

  /** What runs on it now. */
  get stack(): Stack {
    return this.#stack;
  }

  /** Its IPv4 address. */
  get address(): string {
    return `10.0.0.${this.#parts.index + 1}`;
  }

  /** Looks at everything. @returns What is wrong, or null. */
  check(): string | null {
    return this.#state.check() ?? (this.#isAsleep ? null : this.wire.idle());
  }

  /** Looks at what has changed in this step. */
  onStep(): void {
    this.#rules.onStep();
  }

  /** Loses all its state without a word, and starts again. */
  crash(): void {
    const old = this.#stack;
    this.#sink = null;
    for (const application of this.applications) application.die();
    this.applications.length = 0;
    // What it says on its way out goes nowhere.
    old.close();
    this.wire.forgive(true);
    this.#stack = this.#open();
    this.#state = new StateChecker(this.#stack.core);
    this.#rules = this.#makeRules();
  }

  /** Sleeps: neither time nor frames reach it. */
  suspend(untilMs: number): void {
    this.#isAsleep = true;
    this.clock.sleepUntil(untilMs);
    this.wire.forgive(false);
  }

  /** Is awake again. */
  wake(): void {
    this.#isAsleep = false;
    this.wire.forgive(false);
  }

  /** Nothing is held any more: slots, flight blocks with their ranges, rings, TIME-WAIT records. */
  get isEmpty(): boolean {
    const { connections, flights, ringPages, timeWaits } = this.#stack.core.tcbs.live();
    return connections + flights + ringPages + timeWaits === 0;
  }

  #makeRules(): HostRules {
    const { plan, index, complain, clock } = this.#parts;
    const kinds = plan.misfortunes.map(({ kind }) => kind);
    return new HostRules({
      core: this.#stack.core,
      mac: this.#stack.core.config.mac,
      isSteady: !kinds.includes("suspend") && !kinds.includes("clock-jump"),
      mayCutTimeWait: plan.isTiny || kinds.includes("crash"),
      pathMs: 2 * (plan.faults.delayMs ?? 0),
      now: () => clock.now(),
      complain: (rule) => complain(`host ${index}: ${rule}`),
    });
  }

  #open(): Stack {
    const { module, plan, index } = this.#parts;
    const tuning: Tuning = plan.stacks[index] ?? {};
    const sinkOf = (sink: DeviceSink): void => {
      this.#sink = sink;
      sink.up();
    };
    const cable = this.cable;
    let mine: DeviceSink | null = null;
    const card: Device = {
      mtu: plan.mtus[index] ?? plan.mtu,
      mac: this.#mac,
      offload: plan.offload ?? 0,
      open: (sink) => sinkOf(mine = sink),
      room: () => cable.room(),
      send: (batch) => {
        if (this.#sink !== mine) return;
        this.#watchSent(batch);
        cable.send(batch);
      },
      close: () => {},
    };
    return openStack(module, {
      link: plan.edges?.[index] === true ? offload(card) : card,
      clock: this.clock,
      random: seededRandom(plan.seed * 64 + index * 8 + this.#boots++),
      address: { cidr: `${this.address}/24` },
      tuning,
    });
  }

  /** Looks at each frame of a batch. What stands for many segments is looked at as those. */
  #forEachFrame(batch: Uint8Array, look: (frame: Uint8Array) => void): void {
    const lookAt = (records: Uint8Array): void => {
      forEachRecord(records, (at, bytes) => look(records.subarray(at, at + bytes)));
    };
    if ((this.#parts.plan.offload ?? 0) === 0) {
      lookAt(batch);
      return;
    }
    const splitter = this.#splitter ??= new Splitter({ from: OFFLOAD_ALL, to: 0 });
    splitter.load(batch);
    while (splitter.pending) lookAt(splitter.next(BATCH_BYTES));
  }

  #watchSent(batch: Uint8Array): void {
    this.#forEachFrame(batch, (frame) => {
      this.#parts.onFrame?.(this.#parts.index, true, frame);
      const broken = this.wire.sent(frame);
      this.#rules.onSent(frame);
      if (broken !== null) this.#parts.complain(`host ${this.#parts.index}: ${broken}`);
    });
  }

  #receive(batch: Uint8Array): void {
    if (this.#isAsleep || this.#sink === null) return;
    this.#forEachFrame(batch, (frame) => {
      this.wire.received(frame);
      this.#rules.onReceived(frame);
    });
    this.#sink.receive(batch);
  }
}

import { beforeEach, describe, expect, test } from "vitest";
import { writeBoot } from "../../src/core/boot.ts";
import { coreConfig, MIB } from "../../src/core/core_config.ts";
import {
  BOOT_CONTROL_PTR,
  BOOT_TCB_PTR,
  CONTROL_NOW_MS,
  FLAG_TIMER_LIFE,
  FLAG_USED,
  NONE,
  TCB_FLAGS,
  TCB_LIFE_AT,
  TCB_SIZE,
} from "../../src/layout/layout.gen.ts";
import { type Kernels, loadKernels } from "../kernels.ts";
import { type TestRandom, withSeed } from "../random.ts";

const CONNECTIONS = 300;
/** Turns that the wheel may need for one deadline: a level each, and more for what is beyond its reach. */
const TURNS_MAX = 50;
/** As many entries as the wheel looks at to know a slot's earliest one. */
const WALK_MAX = 32;

let kernels: Kernels;
let view: DataView;
let tcbs: number;
/** Where the time of the call is kept. */
let nowAt: number;
/** Deadlines by slot, the plain twin. */
let armed: Map<number, number>;

beforeEach(() => {
  kernels = loadKernels();
  const boot = kernels.bootAddress();
  const config = coreConfig({
    mac: new Uint8Array(6),
    mtu: 1500,
    memoryBytes: 16 * MIB,
    maxConnections: CONNECTIONS,
  });
  writeBoot(new Uint8Array(kernels.memory.buffer), boot, config, { fill: (key) => key.fill(7) });
  expect(kernels.initialize()).toBe(0);
  view = new DataView(kernels.memory.buffer);
  tcbs = view.getUint32(boot + BOOT_TCB_PTR, true);
  nowAt = view.getUint32(boot + BOOT_CONTROL_PTR, true) + CONTROL_NOW_MS;
  armed = new Map();
});

function flagsAt(slot: number): number {
  return tcbs + (slot * TCB_SIZE) + TCB_FLAGS;
}

function arm(slot: number, at: number): void {
  const flags = view.getUint32(flagsAt(slot), true);
  view.setUint32(flagsAt(slot), flags | FLAG_USED | FLAG_TIMER_LIFE, true);
  view.setUint32(tcbs + (slot * TCB_SIZE) + TCB_LIFE_AT, at, true);
  kernels.relinkDeadline(tcbs + (slot * TCB_SIZE));
  armed.set(slot, at);
}

function disarm(slot: number): void {
  kernels.unlinkDeadline(tcbs + (slot * TCB_SIZE));
  view.setUint32(flagsAt(slot), FLAG_USED, true);
  armed.delete(slot);
}

/** Turns to the earliest deadline, as expireDue() does. @returns The connection that is due then. */
function next(): { slot: number; at: number } {
  let last = -1;
  for (let turn = 0; turn < TURNS_MAX + armed.size; turn++) {
    const at = kernels.earliestOfAll() >>> 0;
    expect(at).toBeGreaterThanOrEqual(last);
    last = at;
    kernels.turnTo(at);
    view.setUint32(nowAt, at, true);
    const slot = kernels.dueNow() >>> 0;
    if (slot !== NONE) return { slot, at };
  }
  throw new Error("the wheel turns, and nothing is due");
}

/** From a few ms to days, the near ones more often. */
function delay(random: TestRandom): number {
  return random.below(2 ** (1 + random.below(26)));
}

function run(random: TestRandom, connections: number, steps: number): void {
  let now = 0;
  for (let step = 0; step < steps; step++) {
    const slot = random.below(connections);
    const what = random.below(10);
    if (what < 6) arm(slot, now + delay(random));
    else if (what < 8 && armed.has(slot)) disarm(slot);
    else if (armed.size > 0) {
      const earliest = Math.min(...armed.values());
      const said = kernels.earliestOfAll() >>> 0;
      expect(said).toBeLessThanOrEqual(earliest);
      const due = next();
      expect(due.at).toBe(earliest);
      expect(armed.get(due.slot)).toBe(earliest);
      now = earliest;
      disarm(due.slot);
    }
  }
  while (armed.size > 0) {
    const due = next();
    expect(armed.get(due.slot)).toBe(due.at);
    expect(due.at).toBe(Math.min(...armed.values()));
    disarm(due.slot);
  }
  expect(kernels.hasDeadlines()).toBe(0);
}

describe("timing wheel and its twin", () => {
  test.each([3, 30, 300])("every deadline is due at its time, in order, of %d", (connections) => {
    withSeed(64 + connections, (random) => run(random, connections, 3000));
  });

  test("the earliest of a few is known exactly, also when others have left", () => {
    for (let slot = 0; slot < WALK_MAX; slot++) arm(slot, 100_000 + slot);
    for (let slot = 0; slot < WALK_MAX - 1; slot++) {
      disarm(slot);
      expect(kernels.earliestOfAll()).toBe(100_001 + slot);
    }
  });

  test("the earliest of very many is not searched for: a time before it is told", () => {
    for (let slot = 0; slot < CONNECTIONS; slot++) arm(slot, 100_000 + slot);
    for (let slot = 0; slot < CONNECTIONS / 2; slot++) disarm(slot);
    expect(kernels.earliestOfAll()).toBe(100_000);
    expect(next()).toEqual({ slot: CONNECTIONS / 2, at: 100_000 + (CONNECTIONS / 2) });
  });
});

import { beforeEach, describe, expect, test } from "vitest";
import { writeBoot } from "../../src/core/boot.ts";
import { coreConfig, MIB } from "../../src/core/core_config.ts";
import {
  BOOT_TCB_PTR,
  BOOT_TIME_WAIT_PTR,
  NONE,
  TCB_LOCAL_ADDR_A,
  TCB_SIZE,
  TIME_WAIT_SIZE,
} from "../../src/layout/layout.gen.ts";
import { type Kernels, loadKernels } from "../kernels.ts";
import * as model from "../model/demux.ts";
import { type TestRandom, withSeed } from "../random.ts";

const CONNECTIONS = 400;
const TIME_WAITS = 600;
/** A slot that no tuple has: a record takes the place of a connection. */
const STAND_IN = CONNECTIONS - 1;
/** Records from this number on take the place of connections that are there for a while. */
const LATER_RECORDS = 200;
/** 1000 entries, at most ten a line on average, and a power of two. */
const LINES = 128n;
/** Set in references to TIME-WAIT records. */
const REF_TIME_WAIT = 1 << 23;
/** An IPv4 address as it lies in the second half of a mapped one. */
const MAPPED = 0xffff_0000n;
/** Fills lines many times over what they hold. */
const CROWDED_LINES = 3n;

let kernels: Kernels;
let view: DataView;
let tcbs: number;
let timeWaits: number;

beforeEach(() => {
  kernels = loadKernels();
  const boot = kernels.bootAddress();
  const config = coreConfig({
    mac: new Uint8Array(6),
    mtu: 1500,
    memoryBytes: 16 * MIB,
    maxConnections: CONNECTIONS,
    maxTimeWaits: TIME_WAITS,
  });
  writeBoot(new Uint8Array(kernels.memory.buffer), boot, config, { fill: (key) => key.fill(7) });
  expect(kernels.initialize()).toBe(0);
  view = new DataView(kernels.memory.buffer);
  tcbs = view.getUint32(boot + BOOT_TCB_PTR, true);
  timeWaits = view.getUint32(boot + BOOT_TIME_WAIT_PTR, true);
});

function address(random: TestRandom, isV6: boolean): readonly [bigint, bigint] {
  const word = (): bigint => (BigInt(random.next()) << 32n) | BigInt(random.next());
  return isV6 ? [word(), word()] : [0n, MAPPED | (BigInt(random.below(1000)) << 32n)];
}

function drawTuple(random: TestRandom, isV6: boolean): model.Tuple {
  const [localA, localB] = address(random, isV6);
  const [remoteA, remoteB] = address(random, isV6);
  const port = (): number => random.below(65_536);
  return { localA, localB, remoteA, remoteB, local: port(), remote: port() };
}

/** Which line a tuple of IPv4 belongs to, when all bytes of the key are 7. */
function lineOf(tuple: model.Tuple): bigint {
  const key = 0x0707_0707_0707_0707n;
  const high = 0xffff_ffff_0000_0000n;
  const word = (tuple.localB >> 32n) | (tuple.remoteB & high);
  const ports = tuple.local | (tuple.remote << 16);
  return BigInt.asUintN(64, kernels.sipHash12(key, key, word, ports)) % LINES;
}

/** Tuples of few lines, so that chains form. */
function crowded(random: TestRandom, many: number): model.Tuple[] {
  const tuples: model.Tuple[] = [];
  while (tuples.length < many) {
    const tuple = drawTuple(random, false);
    if (lineOf(tuple) < CROWDED_LINES) tuples.push(tuple);
  }
  return tuples;
}

function write(ref: number, tuple: model.Tuple): void {
  const isRecord = (ref & REF_TIME_WAIT) !== 0;
  const slot = ref & ~REF_TIME_WAIT;
  const block = isRecord ? timeWaits + (slot * TIME_WAIT_SIZE) : tcbs + (slot * TCB_SIZE);
  const at = block + TCB_LOCAL_ADDR_A;
  view.setBigUint64(at, tuple.localA, true);
  view.setBigUint64(at + 8, tuple.localB, true);
  view.setBigUint64(at + 16, tuple.remoteA, true);
  view.setBigUint64(at + 24, tuple.remoteB, true);
  view.setUint16(at + 32, tuple.local, true);
  view.setUint16(at + 34, tuple.remote, true);
}

/** Enters what was just looked for, as the stack does. */
function enter(ref: number, tuple: model.Tuple): void {
  expect(find(tuple)).toBeUndefined();
  const slot = (ref & REF_TIME_WAIT) === 0 ? ref : STAND_IN;
  write(slot, tuple);
  kernels.enterAsked(slot);
  if (slot !== ref) replace(slot, ref, tuple);
}

/** Puts a record where a connection stands. */
function replace(slot: number, ref: number, tuple: model.Tuple): void {
  write(ref, tuple);
  kernels.replaceByTimeWait(slot, ref & ~REF_TIME_WAIT);
}

function leave(ref: number): void {
  if ((ref & REF_TIME_WAIT) !== 0) kernels.leaveTimeWait(ref & ~REF_TIME_WAIT);
  else kernels.leaveTcb(ref);
}

function find(tuple: model.Tuple): number | undefined {
  const { localA, localB, remoteA, remoteB, local, remote } = tuple;
  const ref = kernels.findTuple(localA, localB, remoteA, remoteB, local, remote);
  return ref === NONE ? undefined : ref;
}

/** References and their tuples; each is entered or not. */
function run(random: TestRandom, tuples: readonly model.Tuple[], steps: number): void {
  const table: model.Table = new Map();
  const refs = tuples.map((_, i) => i % 3 === 0 ? REF_TIME_WAIT | Math.floor(i / 3) : i);
  for (let step = 0; step < steps; step++) {
    const i = random.below(tuples.length);
    const [tuple, ref] = [tuples[i], refs[i]];
    if (tuple === undefined || ref === undefined) throw new Error("no such tuple");
    expect(find(tuple)).toBe(model.find(table, tuple));
    const known = model.find(table, tuple);
    if (known === undefined) {
      enter(ref, tuple);
      model.enter(table, tuple, ref);
    } else if (random.below(100) < (Math.floor(step / 500) % 2 === 0 ? 10 : 90)) {
      leave(known);
      model.leave(table, tuple);
    } else if ((known & REF_TIME_WAIT) === 0) {
      const record = REF_TIME_WAIT | (LATER_RECORDS + i);
      replace(known, record, tuple);
      model.leave(table, tuple);
      model.enter(table, tuple, record);
    }
  }
  for (const tuple of tuples) expect(find(tuple)).toBe(model.find(table, tuple));
}

describe("demultiplexer and its twin", () => {
  test("agree over tuples of both families", () => {
    withSeed(4096, (random) => {
      const tuples = Array.from({ length: 390 }, (_, i) => drawTuple(random, i % 2 === 0));
      run(random, tuples, 6000);
    });
  });

  test("agree where lines overflow into their chains", () => {
    withSeed(4097, (random) => run(random, crowded(random, 200), 6000));
  });

  test("a tuple that differs in one value is another one", () => {
    withSeed(4098, (random) => {
      const tuple = drawTuple(random, true);
      enter(5, tuple);
      expect(find(tuple)).toBe(5);
      for (const key of ["localA", "localB", "remoteA", "remoteB"] as const) {
        expect(find({ ...tuple, [key]: tuple[key] ^ 1n })).toBeUndefined();
      }
      expect(find({ ...tuple, local: tuple.local ^ 1 })).toBeUndefined();
      expect(find({ ...tuple, remote: tuple.remote ^ 1 })).toBeUndefined();
    });
  });

  test("leaving twice traps", () => {
    withSeed(4099, (random) => {
      enter(5, drawTuple(random, false));
      leave(5);
      expect(() => leave(5)).toThrow(WebAssembly.RuntimeError);
    });
  });
});

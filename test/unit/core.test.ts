import { describe, expect, test } from "vitest";
import { readRegions } from "../../src/core/boot.ts";
import { Core } from "../../src/core/core.ts";
import { type CoreConfig, coreConfig, MIB } from "../../src/core/core_config.ts";
import { generationOf, slotOf } from "../../src/core/handle.ts";
import { coreModule } from "../../src/core/wasm_source.ts";
import { CoreFault } from "../../src/errors.ts";
import {
  EVENT_CLOSED,
  HANDLE_SLOTS,
  LAYOUT_HASH,
  REASON_ABORTED,
  STAT_NAMES,
  STATE_SYN_SENT,
  STATUS_BAD_ARGUMENT,
  STATUS_IN_USE,
  STATUS_STALE_HANDLE,
  TCB_STATE,
} from "../../src/layout/layout.gen.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { testModule } from "./pair.ts";

const MAC = new Uint8Array([2, 0, 0, 0, 0, 1]);
const LOCAL = { address: 0x0a00_0001, port: 4000 };
const REMOTE = { address: 0x0a00_0002, port: 80 };
const HOP = 1;

function start(given: Partial<CoreConfig> = {}): Core {
  const config = coreConfig({ mac: MAC, mtu: 1500, memoryBytes: 16 * MIB, ...given });
  return Core.start(testModule(), config, seededRandom(1));
}

/** A core with our address and one resolved next hop. */
function ready(): Core {
  const core = start();
  expect(core.setAddress(0, LOCAL.address, 0x0a00_00ff)).toBe(0);
  expect(core.setNextHop(HOP, new Uint8Array([2, 0, 0, 0, 0, 2]), 0)).toBe(0);
  return core;
}

/** Frames of a batch, without their record headers. */
function framesOf(batch: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
  for (let at = 0; at < batch.length; at += 4 + view.getUint32(at, true)) {
    frames.push(batch.slice(at + 14, at + 4 + view.getUint32(at, true)));
  }
  return frames;
}

describe("Core.start()", () => {
  test("grows memory once to the configured size", () => {
    expect(start().memoryBytes).toBe(16 * MIB);
    expect(start({ memoryBytes: 32 * MIB }).memoryBytes).toBe(32 * MIB);
  });

  test("refuses a module that is no core", () => {
    const empty = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
    const config = coreConfig({ mac: MAC, mtu: 1500 });
    expect(() => Core.start(empty, config, seededRandom(1))).toThrow(TypeError);
  });

  test("refuses a configuration that can not be", () => {
    expect(() => start({ mtu: 100 })).toThrow(RangeError);
    expect(() => start({ memoryBytes: 2 * MIB, maxConnections: 100_000 })).toThrow(/memory/);
  });

  test("draws other keys for another seed", () => {
    const issOf = (seed: number): string => {
      const config = coreConfig({ mac: MAC, mtu: 1500, memoryBytes: 16 * MIB });
      const core = Core.start(testModule(), config, seededRandom(seed));
      core.setAddress(0, LOCAL.address, 0);
      core.setNextHop(HOP, MAC, 0);
      core.connect(LOCAL, REMOTE, HOP, 0);
      return framesOf(core.flush(10_000, 0)).map((frame) => frame.slice(38, 42).join()).join();
    };
    expect(issOf(1)).toBe(issOf(1));
    expect(issOf(1)).not.toBe(issOf(2));
  });
});

describe("coreModule()", () => {
  test("takes bytes, a Response and a module; compiles the inlined one once", async () => {
    const inlined = await coreModule();
    expect(await coreModule()).toBe(inlined);
    expect(await coreModule(inlined)).toBe(inlined);
    const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
    expect(await coreModule(bytes)).toBeInstanceOf(WebAssembly.Module);
    expect(await coreModule(new Response(bytes))).toBeInstanceOf(WebAssembly.Module);
  });

  test("refuses what is no module", async () => {
    await expect(coreModule(new Uint8Array([1, 2, 3]))).rejects.toThrow(TypeError);
    await expect(coreModule("x" as unknown as URL)).rejects.toThrow(TypeError);
    await expect(coreModule(new Response("", { status: 404 }))).rejects.toThrow(/status 404/);
  });
});

describe("Core", () => {
  test("handles are split by division", () => {
    const handle = (0x1fff_ffff * HANDLE_SLOTS) + 0xff_fffe;
    expect(slotOf(handle)).toBe(0xff_fffe);
    expect(generationOf(handle)).toBe(0x1fff_ffff);
  });

  test("connect() makes a SYN, and the second of a pair of endpoints is in use", () => {
    const core = ready();
    const handle = core.connect(LOCAL, REMOTE, HOP, 0);
    expect(handle).toBeGreaterThanOrEqual(0);
    expect(core.connect(LOCAL, REMOTE, HOP, 0)).toBe(-STATUS_IN_USE);
    const info = core.info(handle);
    expect(info?.state).toBe(STATE_SYN_SENT);
    expect(info?.local).toEqual(LOCAL);
    expect(info?.remote).toEqual(REMOTE);
    expect(core.tcbs.handles()).toEqual([handle]);
    expect(core.tcbs.localPort(slotOf(handle))).toBe(LOCAL.port);
    const frames = framesOf(core.flush(10_000, 0));
    expect(frames).toHaveLength(1);
    expect(core.more).toBe(false);
    expect(core.nextDeadline()).toBe(1_000);
    expect([...(frames[0] ?? []).slice(0, 12)]).toEqual([2, 0, 0, 0, 0, 2, ...MAC]);
  });

  test("abort() is told as an event, and the handle is stale after release()", () => {
    const core = ready();
    const handle = core.connect(LOCAL, REMOTE, HOP, 0);
    core.takeEvents();
    core.abort(handle, 1);
    expect(core.takeEvents()).toBe(1);
    expect(core.eventHandle(0)).toBe(handle);
    expect(core.eventBits(0) & EVENT_CLOSED).toBe(EVENT_CLOSED);
    expect(core.eventDetail(0) & 0xff).toBe(REASON_ABORTED);
    expect(core.release(handle, 1)).toBe(0);
    expect(core.release(handle, 1)).toBe(-STATUS_STALE_HANDLE);
    expect(core.info(handle)).toBe(null);
    expect(core.readable(handle)).toBe(0);
    expect(core.send(handle, new Uint8Array(8), 1)).toBe(0);
    const again = core.connect(LOCAL, REMOTE, HOP, 2);
    expect(slotOf(again)).toBe(slotOf(handle));
    expect(generationOf(again)).not.toBe(generationOf(handle));
  });

  test("sendFrame() frames leave with the next flush", () => {
    const core = ready();
    const frame = new Uint8Array(43).fill(7);
    expect(core.sendFrame(frame)).toBe(true);
    expect(core.sendFrame(new Uint8Array(60).fill(8))).toBe(true);
    const frames = framesOf(core.flush(10_000, 0));
    expect(frames).toEqual([frame, new Uint8Array(60).fill(8)]);
    expect(core.flush(10_000, 0)).toHaveLength(0);
  });

  test("flush() stops at the room it is given", () => {
    const core = ready();
    for (let i = 0; i < 10; i++) core.sendFrame(new Uint8Array(100).fill(i));
    const first = core.flush(300, 0);
    expect(framesOf(first)).toHaveLength(2);
    expect(core.more).toBe(true);
    expect(framesOf(core.flush(100_000, 0))).toHaveLength(8);
    expect(core.more).toBe(false);
  });

  test("ingest() punts ARP, and counts a record with an impossible length", () => {
    const core = ready();
    const batch = new Uint8Array(4 + 10 + 42 + 4);
    const view = new DataView(batch.buffer);
    view.setUint32(0, 52, true);
    batch.fill(0xff, 14, 20);
    batch.set([0x08, 0x06], 26);
    view.setUint32(56, 9, true);
    expect(core.ingest(batch, 0)).toBe(batch.length);
    expect(core.puntCount).toBe(1);
    expect(core.puntFrame(0)).toEqual(batch.subarray(14, 56));
    expect(core.stats()["drop_record"]).toBe(1);
    expect(Object.keys(core.stats())).toHaveLength(STAT_NAMES.length);
  });

  test("fullHash() tells of every fixed block", () => {
    const core = ready();
    const view = new DataView(core.memory.buffer);
    const { rx, tx, events, punts, spans, param, info, stats, control } = readRegions(
      view,
      // The first word of Boot is the layout's hash, and nothing before it is.
      firstWord(view, LAYOUT_HASH),
    );
    for (const at of [rx, tx, events, punts, spans, param, info, stats, control]) {
      const before = core.fullHash();
      core.memory[at] = (core.memory[at] ?? 0) ^ 1;
      expect(core.fullHash()).not.toBe(before);
      core.memory[at] = (core.memory[at] ?? 0) ^ 1;
      expect(core.fullHash()).toBe(before);
    }
  });

  test("answers -STATUS for arguments out of range", () => {
    const core = ready();
    expect(core.setAddress(16, 1, 0)).toBe(-STATUS_BAD_ARGUMENT);
    expect(core.setNextHop(0, MAC, 0)).toBe(-STATUS_BAD_ARGUMENT);
    expect(core.unlisten(200, 0)).toBeLessThan(0);
  });

  test("a trap kills it: every call throws the same fault, told once", () => {
    const core = ready();
    const handle = core.connect(LOCAL, REMOTE, HOP, 0);
    const faults: CoreFault[] = [];
    core.onFault = (fault) => void faults.push(fault);
    // The only way to a trap from here: an impossible state, written over its head.
    core.memory[core.tcbs.ptr(slotOf(handle)) + TCB_STATE] = 99;
    const fault = faultOf(() => core.abort(handle, 1));
    expect(fault).toBeInstanceOf(CoreFault);
    expect(fault.message).toMatch(/^The core (asserted: .+ \(as\/.+:\d+\)|trapped: )/);
    expect(faultOf(() => core.nextDeadline())).toBe(fault);
    expect(faultOf(() => core.stateHash())).toBe(fault);
    expect(core.fault).toBe(fault);
    expect(faults).toEqual([fault]);
  });
});

function firstWord(view: DataView, word: number): number {
  let at = 0;
  while (view.getUint32(at, true) !== word) at += 4;
  return at;
}

function faultOf(call: () => unknown): CoreFault {
  try {
    call();
  } catch (error) {
    if (error instanceof CoreFault) return error;
    throw error;
  }
  return expect.fail("no fault");
}

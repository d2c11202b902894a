import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Core } from "../../src/core/core.ts";
import { coreConfig, MIB } from "../../src/core/core_config.ts";
import {
  BATCH_BYTES,
  FLAG_EXTRA,
  LINE_BYTES,
  STATE_ESTABLISHED,
  TCB_SIZE,
  WHEEL_LEVELS,
  WHEEL_SLOTS,
} from "../../src/layout/layout.gen.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";

const MILLION = 1_000_000;
const CONNECTIONS = 1_000;
/** What an idle endpoint may take, bytes. */
const IDLE_MAX_BYTES = 256;
/** Entries of a line of the demultiplexer on average, when every table is full. */
const LINE_LOAD = 10;
const HOP = 1;
const ADDRESS_A = 0x0a000001;
const ADDRESS_B = 0x0a000002;
const PORT = 80;

const module = new WebAssembly.Module(readFileSync("dist/core.wasm"));

function start(last: number): Core {
  const mac = new Uint8Array([2, 0, 0, 0, 0, last]);
  const core = Core.start(module, coreConfig({ mac, mtu: 1500 }), seededRandom(last));
  core.setAddress(0, last === 1 ? ADDRESS_A : ADDRESS_B, 0x0a0000ff);
  core.setNextHop(HOP, new Uint8Array([2, 0, 0, 0, 0, 3 - last]), 0);
  return core;
}

function move(from: Core, to: Core, now: number): void {
  do {
    const batch = from.flush(BATCH_BYTES, now);
    for (let at = 0; at < batch.length;) at = to.ingest(batch, now, at);
  } while (from.more);
}

/** Opens connections, sends a byte on each of them, reads it, and lets everything come to rest. */
function openIdle(a: Core, b: Core): void {
  const now = 1_000;
  const byte = new Uint8Array(1);
  b.listen({ address: 0, port: PORT }, CONNECTIONS, 0);
  const handles = Array.from({ length: CONNECTIONS }, (_, i) => {
    const local = { address: ADDRESS_A, port: 1_024 + i };
    return a.connect(local, { address: ADDRESS_B, port: PORT }, HOP, now);
  });
  move(a, b, now);
  move(b, a, now);
  for (const handle of handles) expect(a.send(handle, byte, now)).toBe(1);
  move(a, b, now);
  const events = b.takeEvents();
  for (let i = 0; i < events; i++) {
    b.accepted(b.eventHandle(i));
    expect(b.receive(b.eventHandle(i), byte, now)).toBe(1);
  }
  expect(events).toBe(CONNECTIONS);
  b.advance(now + 100);
  move(b, a, now + 100);
  move(a, b, now + 100);
  a.takeEvents();
}

describe("an established connection on which nothing happens", () => {
  test("holds its TCB and nothing else: no ring, no flight block, no Extra block, no timer", () => {
    const [a, b] = [start(1), start(2)];
    openIdle(a, b);
    for (const core of [a, b]) {
      const held = { connections: CONNECTIONS, flights: 0, ringPages: 0, timeWaits: 0 };
      expect(core.tcbs.live()).toEqual(held);
      expect(core.tcbs.slots).toBe(CONNECTIONS);
      expect(core.nextDeadline()).toBe(Infinity);
      for (let slot = 0; slot < CONNECTIONS; slot++) {
        expect(core.tcbs.state(slot)).toBe(STATE_ESTABLISHED);
        expect(core.tcbs.flags(slot) & FLAG_EXTRA).toBe(0);
      }
      expect(core.flush(BATCH_BYTES, 2_000)).toHaveLength(0);
    }
  });

  test("takes 224 bytes, and at most 13 in the demultiplexer", () => {
    expect(TCB_SIZE).toBe(224);
    // Lines are a power of two: full tables have half of the load at the least.
    const table = (2 * LINE_BYTES) / LINE_LOAD;
    expect(table).toBeLessThan(13);
    expect(TCB_SIZE + table).toBeLessThanOrEqual(IDLE_MAX_BYTES);
    // The wheel does not grow with the connections.
    expect(WHEEL_LEVELS * WHEEL_SLOTS).toBe(256);
  });
});

describe("how many connections a core can have", () => {
  test("a million, in 1 GiB", () => {
    const config = coreConfig({
      mac: new Uint8Array(6),
      mtu: 1500,
      maxConnections: MILLION,
      memoryBytes: 1024 * MIB,
    });
    expect(Core.start(module, config, seededRandom(1)).config.maxConnections).toBe(MILLION);
  });

  test.each([
    [
      "more than the memory holds",
      MILLION,
      512 * MIB,
      "Cannot start the core: 512 MiB of memory can not be had, or are too few for 1000000 connections",
    ],
    [
      "more than can be told apart",
      8_388_609,
      4096 * MIB,
      "8388609 connections (1 to 8388608)",
    ],
    ["none", 0, 64 * MIB, "0 connections (1 to 8388608)"],
  ])("the error says so, when they are %s", (_, maxConnections, memoryBytes, message) => {
    const config = coreConfig({ mac: new Uint8Array(6), mtu: 1500, maxConnections, memoryBytes });
    expect(() => Core.start(module, config, seededRandom(1))).toThrow(message);
  });
});

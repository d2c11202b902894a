import { beforeEach, describe, expect, test, vi } from "vitest";
import { Core } from "../../src/core/core.ts";
import { coreConfig, MIB } from "../../src/core/core_config.ts";
import { slotOf } from "../../src/core/handle.ts";
import { CoreFault } from "../../src/errors.ts";
import {
  BATCH_BYTES,
  OFFLOAD_TCP4,
  OFFLOAD_TCP6,
  OPTION_NO_DELAY,
  PUNT_ARP,
  STATE_CLOSED,
  STATE_SYN_SENT,
  TCB_STATE,
} from "../../src/layout/layout.gen.ts";
import { Loop } from "../../src/runtime/loop.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { packRecords, plainRecord, tcpFrame } from "../edge.ts";
import { LateClock, TestDevice } from "./loop_parts.ts";
import { testModule } from "./pair.ts";

const MAC = new Uint8Array([2, 0, 0, 0, 0, 1]);
const PEER_MAC = new Uint8Array([2, 0, 0, 0, 0, 2]);
const LOCAL = { address: 0x0a00_0001, port: 4000 };
const REMOTE = { address: 0x0a00_0002, port: 80 };

let clock: VirtualClock;
let core: Core;
let device: TestDevice;
let loop: Loop;

beforeEach(() => {
  clock = new VirtualClock();
  const config = coreConfig({ mac: MAC, mtu: 1500, memoryBytes: 16 * MIB });
  core = Core.start(testModule(), config, seededRandom(1));
  device = new TestDevice();
  loop = new Loop({ core, device, clock, random: seededRandom(2), mac: MAC });
  loop.start();
  loop.setAddress(0, LOCAL.address, 0);
  clock.advance(0);
  device.sent = [];
});

const RST_ACK = 0x14;
/** Where SEG.SEQ is in a record: behind the headers of record, Ethernet and IPv4. */
const RECORD_SEQ = 14 + 14 + 20 + 4;

/** An ARP request in a record: the core knows nothing of it and punts. */
function arpBatch(): Uint8Array {
  const batch = new Uint8Array(4 + 10 + 42);
  new DataView(batch.buffer).setUint32(0, 52, true);
  batch.fill(0xff, 14, 20);
  batch.set([0x08, 0x06], 26);
  return batch;
}

describe("Loop", () => {
  test("wake() flushes once, however often it is asked", () => {
    for (let i = 0; i < 10; i++) expect(loop.sendFrame(new Uint8Array(60).fill(i))).toBe(true);
    expect(device.sent).toHaveLength(0);
    clock.advance(0);
    expect(device.sent).toHaveLength(1);
    expect(device.sent[0]).toHaveLength(10 * 74);
  });

  test("poll() flushes at once", () => {
    loop.sendFrame(new Uint8Array(60));
    loop.poll();
    expect(device.sent).toHaveLength(1);
    clock.advance(0);
    expect(device.sent).toHaveLength(1);
  });

  test("receive() tells punts, and what they answer leaves in the same turn", () => {
    const kinds: number[] = [];
    loop.onPunt = (frame, kind) => {
      kinds.push(kind);
      expect(frame).toHaveLength(42);
      loop.sendFrame(new Uint8Array(60));
    };
    device.sink.receive(arpBatch());
    expect(kinds).toEqual([PUNT_ARP]);
    expect(device.sent).toHaveLength(1);
  });

  test("without room it waits for ready()", () => {
    device.space = 100;
    loop.sendFrame(new Uint8Array(60).fill(1));
    loop.sendFrame(new Uint8Array(60).fill(2));
    device.onSend = () => void (device.space = 0);
    clock.advance(10);
    expect(device.sent).toHaveLength(1);
    device.space = 1_000;
    clock.advance(10);
    expect(device.sent).toHaveLength(1);
    device.sink.ready();
    clock.advance(0);
    expect(device.sent).toHaveLength(2);
  });

  test("a device that delivers within send() is refused", () => {
    const errors: unknown[] = [];
    device.onSend = () => {
      try {
        device.sink.receive(arpBatch());
      } catch (error) {
        errors.push(error);
      }
    };
    loop.sendFrame(new Uint8Array(60));
    clock.advance(0);
    expect(errors).toEqual([expect.any(TypeError)]);
  });

  test("an error of a callback surfaces, and the loop goes on", () => {
    loop.onPunt = () => {
      throw new RangeError("mine");
    };
    device.sink.receive(arpBatch());
    expect(() => clock.advance(0)).toThrow("mine");
    loop.sendFrame(new Uint8Array(60));
    clock.advance(0);
    expect(device.sent).toHaveLength(1);
  });
});

describe("Loop and its turns", () => {
  const soon: (() => void)[] = [];
  const later: (() => void)[] = [];

  beforeEach(() => {
    soon.length = 0;
    later.length = 0;
    loop.close();
    device = new TestDevice();
    const defer = {
      soon: (callback: () => void) => void soon.push(callback),
      later: (callback: () => void) => void later.push(callback),
    };
    loop = new Loop({ core, device, clock, random: seededRandom(2), mac: MAC, defer });
    loop.start();
    for (const callback of soon.splice(0)) callback();
    device.sink.receive(arpBatch());
    device.sent = [];
  });

  function run(queue: (() => void)[]): void {
    for (const callback of queue.splice(0)) callback();
  }

  /** A connection of ours, and who writes at its other end. */
  function established(): [{ handle: number }, { segment(bytes: number): Uint8Array }] {
    const config = coreConfig({ mac: PEER_MAC, mtu: 1500, memoryBytes: 16 * MIB });
    const peer = Core.start(testModule(), config, seededRandom(3));
    peer.setAddress(0, REMOTE.address, 0);
    peer.setNextHop(1, MAC, loop.now());
    peer.listen({ address: 0, port: REMOTE.port }, 8, 0);
    loop.setNextHop(1, PEER_MAC);
    const handle = core.connect(LOCAL, REMOTE, 1, loop.now());
    loop.poll();
    peer.ingest(device.sent.at(-1) ?? new Uint8Array(0), loop.now());
    device.sink.receive(peer.flush(BATCH_BYTES, loop.now()).slice());
    loop.poll();
    peer.ingest(device.sent.at(-1) ?? new Uint8Array(0), loop.now());
    expect(peer.takeEvents()).toBe(1);
    const theirs = peer.eventHandle(0);
    peer.accepted(theirs);
    peer.setOption(theirs, OPTION_NO_DELAY, 1, loop.now());
    run(soon);
    run(later);
    device.sent = [];
    device.sink.receive(arpBatch());
    const segment = (bytes: number): Uint8Array => {
      expect(peer.send(theirs, new Uint8Array(bytes), loop.now())).toBe(bytes);
      return peer.flush(BATCH_BYTES, loop.now()).slice();
    };
    return [{ handle }, { segment }];
  }

  test("the first wake after something came is answered at once, those behind it by one task together", () => {
    loop.sendFrame(new Uint8Array(60));
    expect([soon.length, later.length]).toEqual([1, 0]);
    run(soon);
    for (let i = 0; i < 5; i++) loop.sendFrame(new Uint8Array(60));
    expect([soon.length, later.length]).toEqual([0, 1]);
    expect(device.sent.map(({ length }) => length)).toEqual([74]);
    run(later);
    expect(device.sent.map(({ length }) => length)).toEqual([74, 5 * 74]);
    device.sink.receive(arpBatch());
    loop.sendFrame(new Uint8Array(60));
    expect([soon.length, later.length]).toEqual([1, 0]);
  });

  test("what can wait waits for a task, and does not hold up what can not", () => {
    loop.wake(true);
    expect([soon.length, later.length]).toEqual([0, 1]);
    loop.sendFrame(new Uint8Array(60));
    expect([soon.length, later.length]).toEqual([1, 1]);
    run(soon);
    expect(device.sent).toHaveLength(1);
    run(later);
    expect(device.sent).toHaveLength(1);
  });

  test("what came and was told is acknowledged by a task, with what was read of it until then", () => {
    const [left, right] = established();
    const { handle } = left;
    let told = 0;
    loop.onEvent = () => void told++;
    device.sink.receive(right.segment(1_000));
    device.sink.receive(right.segment(1_000));
    expect([told, device.sent.length, soon.length, later.length]).toEqual([2, 0, 0, 1]);
    expect(core.receive(handle, new Uint8Array(4_000), loop.now())).toBe(2_000);
    run(later);
    expect(device.sent).toHaveLength(1);
  });

  test("and at once when more than a batch has come before that task", () => {
    const [, right] = established();
    // What is for another host fills the batch up.
    const other = new Uint8Array(40_000);
    new DataView(other.buffer).setUint32(0, other.length - 4, true);
    other[14] = 4;
    const sent: number[] = [];
    for (let i = 0; i < 9; i++) {
      const segment = right.segment(1_000);
      const batch = new Uint8Array(segment.length + other.length);
      batch.set(segment);
      batch.set(other, segment.length);
      device.sink.receive(batch);
      sent.push(device.sent.length);
    }
    expect(sent).toEqual([0, 0, 0, 1, 1, 1, 1, 2, 2]);
  });

  test("but at once if the callback has something to send", () => {
    const [left, right] = established();
    loop.onEvent = () => {
      core.send(left.handle, new Uint8Array(10), loop.now());
      loop.wake();
    };
    device.sink.receive(right.segment(1_000));
    expect([device.sent.length, soon.length, later.length]).toEqual([1, 0, 0]);
    // And what else is written in this task goes by the next one.
    core.send(left.handle, new Uint8Array(10), loop.now());
    loop.wake();
    expect([soon.length, later.length]).toEqual([0, 1]);
  });

  test("a turn sends one batch: others, and other connections, have theirs before the next", () => {
    const ports = [LOCAL.port, LOCAL.port + 1];
    const config = coreConfig({ mac: PEER_MAC, mtu: 1500, memoryBytes: 16 * MIB });
    const peer = Core.start(testModule(), config, seededRandom(3));
    peer.setAddress(0, REMOTE.address, 0);
    peer.setNextHop(1, MAC, loop.now());
    peer.listen({ address: 0, port: REMOTE.port }, 8, 0);
    loop.setNextHop(1, PEER_MAC);
    const exchange = (): void => {
      for (let i = 0; i < 50; i++) {
        for (const batch of device.sent.splice(0)) peer.ingest(batch, loop.now());
        device.sink.receive(peer.flush(BATCH_BYTES, loop.now()).slice());
        loop.poll();
        for (let left = peer.takeEvents(); left > 0; left--) {
          const into = new Uint8Array(1_000_000);
          peer.receive(peer.eventHandle(left - 1), into, loop.now());
        }
      }
    };
    const handles = ports.map((port) => {
      return core.connect({ address: LOCAL.address, port }, REMOTE, 1, loop.now());
    });
    exchange();
    // Until the windows are wide open.
    const bytes = new Uint8Array(1_000_000);
    for (let i = 0; i < 20; i++) {
      for (const handle of handles) core.send(handle, bytes, loop.now());
      exchange();
      clock.advance(1);
    }
    exchange();
    run(soon);
    run(later);
    device.sent = [];
    device.sink.receive(arpBatch());
    for (const handle of handles) expect(core.send(handle, bytes, loop.now())).toBe(bytes.length);
    loop.wake();
    run(soon);
    const turns: number[][] = [];
    while (later.length > 0) {
      turns.push(device.sent.map((batch) => batch.length));
      expect(later).toHaveLength(1);
      run(later);
    }
    expect(turns.length).toBeGreaterThan(2);
    expect(turns.map((sent) => sent.length)).toEqual(turns.map((_, i) => i + 1));
    // The source port of the first segment of each batch: they take turns.
    const from = device.sent.map((batch) => new DataView(batch.buffer).getUint16(48, false));
    expect(from.slice(0, 4)).toEqual([ports[0], ports[1], ports[0], ports[1]]);
  });

  test("without room nobody is served at once: ready() comes, and has a turn for all", () => {
    device.space = 0;
    loop.sendFrame(new Uint8Array(60));
    run(soon);
    loop.sendFrame(new Uint8Array(60));
    expect([device.sent.length, soon.length, later.length]).toEqual([0, 0, 1]);
    device.space = 1_000;
    device.sink.ready();
    expect([soon.length, later.length]).toEqual([0, 1]);
    run(later);
    expect(device.sent.map(({ length }) => length)).toEqual([2 * 74]);
  });

  test("what sets no timer has the time of the turn that is coming, and all else that of the clock", () => {
    expect(loop.now(true)).toBe(clock.now());
    clock.advance(1);
    expect(loop.now(true)).toBe(clock.now());
    const asked = clock.now();
    loop.wake();
    clock.advance(1);
    expect(loop.now(true)).toBe(asked);
    expect(loop.now()).toBe(asked + 1);
    expect(loop.now(true)).toBe(asked + 1);
    run(soon);
    clock.advance(1);
    expect(loop.now(true)).toBe(clock.now());
  });

  test("a turn with nothing to tell and nothing to send asks the core for neither", () => {
    const calls: string[] = [];
    const flush = core.flush.bind(core);
    const takeEvents = core.takeEvents.bind(core);
    core.flush = (...args) => (calls.push("flush"), flush(...args));
    core.takeEvents = (...args) => (calls.push("takeEvents"), takeEvents(...args));
    loop.wake();
    run(soon);
    expect(calls).toEqual([]);
    loop.sendFrame(new Uint8Array(60));
    run(later);
    expect(calls).toEqual(["flush"]);
  });
});

describe("Loop and time", () => {
  /** A SYN that nobody answers. */
  function connect(): number {
    loop.setNextHop(1, new Uint8Array([2, 0, 0, 0, 0, 2]));
    const handle = core.connect(LOCAL, REMOTE, 1, loop.now());
    loop.wake();
    clock.advance(0);
    expect(device.sent).toHaveLength(1);
    return handle;
  }

  test("one timer stands at the next deadline: a millisecond early nothing, then the SYN again", () => {
    connect();
    expect(clock.pending).toBe(1);
    clock.advance(999);
    expect(device.sent).toHaveLength(1);
    clock.advance(1);
    expect(device.sent).toHaveLength(2);
    clock.advance(1_999);
    expect(device.sent).toHaveLength(2);
    clock.advance(1);
    expect(device.sent).toHaveLength(3);
  });

  test("a gap of more than 2 s beyond the timer shifts all deadlines", () => {
    const late = new LateClock(clock, 3_600_000);
    loop.close();
    device = new TestDevice();
    loop = new Loop({ core, device, clock: late, random: seededRandom(2), mac: MAC });
    loop.start();
    const handle = connect();
    // The machine sleeps for an hour; R2 of a SYN is three minutes.
    late.sleeping = true;
    clock.advance(1_000);
    expect(device.sent).toHaveLength(2);
    expect(core.info(handle)?.state).toBe(STATE_SYN_SENT);
    clock.advance(2_000);
    expect(device.sent).toHaveLength(3);
    expect(core.info(handle)?.state).toBe(STATE_SYN_SENT);
  });

  test("a timer that comes late lets what came meanwhile go first", () => {
    const late = new LateClock(clock, 300);
    const tasks: (() => void)[] = [];
    const defer = {
      soon: (callback: () => void) => void clock.at(clock.now(), callback),
      later: (callback: () => void) => void tasks.push(callback),
    };
    loop.close();
    device = new TestDevice();
    loop = new Loop({ core, device, clock: late, random: seededRandom(2), mac: MAC, defer });
    loop.start();
    const handle = connect();
    // The process stands still while the SYN is refused.
    late.sleeping = true;
    clock.advance(1_000);
    expect([device.sent.length, tasks.length]).toEqual([1, 1]);
    tasks.shift()?.();
    const syn = new DataView(device.sent[0]?.buffer ?? new ArrayBuffer());
    const refusal = tcpFrame({
      ...{ source: 2, destination: 1, ports: [REMOTE.port, LOCAL.port], flags: RST_ACK },
      ...{ seq: 0, ack: syn.getUint32(RECORD_SEQ) + 1 },
    });
    device.sink.receive(packRecords([plainRecord(refusal)]));
    for (const task of tasks.splice(0)) task();
    clock.advance(10_000);
    expect(core.info(handle)?.state).toBe(STATE_CLOSED);
    expect(device.sent).toHaveLength(1);
  });

  test("a timer that comes late is taken, when nothing came", () => {
    const late = new LateClock(clock, 300);
    loop.close();
    device = new TestDevice();
    loop = new Loop({ core, device, clock: late, random: seededRandom(2), mac: MAC });
    loop.start();
    connect();
    late.sleeping = true;
    clock.advance(1_000);
    expect(device.sent).toHaveLength(2);
    clock.advance(1_999);
    expect(device.sent).toHaveLength(2);
    clock.advance(1);
    expect(device.sent).toHaveLength(3);
  });
});

describe("Loop at its end", () => {
  test("close() closes the device once and tells nothing any more", () => {
    let punts = 0;
    loop.onPunt = () => void punts++;
    loop.close();
    loop.close();
    expect(device.closed).toBe(1);
    device.sink.receive(arpBatch());
    expect(punts).toBe(0);
    expect(loop.sendFrame(new Uint8Array(60))).toBe(false);
    clock.advance(100_000);
    expect(clock.pending).toBe(0);
  });

  test("close() within a callback takes effect at the end of the turn", () => {
    loop.onPunt = () => {
      loop.sendFrame(new Uint8Array(60));
      loop.close();
      expect(device.closed).toBe(0);
    };
    device.sink.receive(arpBatch());
    expect(device.sent).toHaveLength(1);
    expect(device.closed).toBe(1);
  });

  test("a fault of the core is told once and closes the device", () => {
    const faults: CoreFault[] = [];
    loop.onFault = (fault) => void faults.push(fault);
    loop.setNextHop(1, new Uint8Array([2, 0, 0, 0, 0, 2]));
    const handle = core.connect(LOCAL, REMOTE, 1, 0);
    core.memory[core.tcbs.ptr(slotOf(handle)) + TCB_STATE] = 99;
    expect(() => core.abort(handle, 0)).toThrow(CoreFault);
    expect(faults).toEqual([core.fault]);
    expect(device.closed).toBe(1);
    device.sink.receive(arpBatch());
    loop.wake();
    clock.advance(10);
    expect(faults).toHaveLength(1);
  });
});

describe("what records may ask for", () => {
  test("is told to the core when the device is opened, before it is up", () => {
    const told = vi.spyOn(core, "setOffload");
    device.offload = OFFLOAD_TCP4;
    device.isUp = false;
    new Loop({ core, device, clock, random: seededRandom(3), mac: MAC }).start();
    expect(told.mock.calls).toEqual([[OFFLOAD_TCP4]]);
  });

  test("is told anew each time it comes up: it may talk with another", () => {
    const told = vi.spyOn(core, "setOffload");
    device.offload = OFFLOAD_TCP4 | OFFLOAD_TCP6;
    device.sink.up();
    device.offload = 0;
    device.sink.down("gone");
    device.sink.up();
    expect(told.mock.calls).toEqual([[OFFLOAD_TCP4 | OFFLOAD_TCP6], [0]]);
    loop.close();
    device.sink.up();
    expect(told).toHaveBeenCalledTimes(2);
  });
});

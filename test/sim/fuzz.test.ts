import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Core } from "../../src/core/core.ts";
import { coreConfig } from "../../src/core/core_config.ts";
import {
  BATCH_BYTES,
  EVENT_ACCEPTABLE,
  EVENT_CLOSED,
  FEATURE_FAST_OPEN_CLIENT,
  FEATURE_FAST_OPEN_SERVER,
  FEATURE_PMTU,
  FEATURE_SACK,
  FEATURE_TIMESTAMPS,
  FEATURE_WINDOW_SCALE,
  OFFLOAD_CHECKSUM,
  OFFLOAD_ECN,
  OFFLOAD_TCP4,
  OFFLOAD_TCP6,
  OPTION_FAST_OPEN,
  STAT_NAMES,
} from "../../src/layout/layout.gen.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { type TestRandom, testRandom } from "../random.ts";
import { hostileSegment, hostileVnet, type Numbers, numbersKey, rubbish } from "./hostile.ts";

const module = new WebAssembly.Module(readFileSync("dist/core.wasm"));
const MAC = new Uint8Array([2, 0, 0, 0, 0, 1]);
const PEER_MAC = new Uint8Array([2, 0, 0, 0, 0, 9]);
/** Kind and length of the timestamps option. RFC 7323 section 3.2. */
const STAMPS_HEADER = 0x080a;
const FRAMES = 60_000;
const SEEDS = [1, 2, 3, 4];
/** OFFLOAD bits that a link has beside hostile headers, and longest text. */
const LINKS: readonly [offload: number, textMax: number][] = [
  [0, 1460],
  [OFFLOAD_TCP4 | OFFLOAD_TCP6, 9000],
  [OFFLOAD_CHECKSUM | OFFLOAD_TCP4 | OFFLOAD_TCP6 | OFFLOAD_ECN, 9000],
  [OFFLOAD_CHECKSUM, 1460],
];
/** Handles that the user keeps, fewer than there are connections. */
const HANDLES_MAX = 40;
/** Where our segments stand in a record: 14 of header, 14 of Ethernet, 20 of IPv4 or 40 of IPv6. */
const TCP_AT = 48;
const TCP_AT_V6 = 68;
const ETHERTYPE_AT = 26;
const ETHERTYPE_IPV6 = 0x86dd;
const DOCUMENTATION = 0x2001_0db8n << 96n;

/** Where the segment stands in a record of the peer, behind a header of destination options if there is one. */
function tcpAt(record: Uint8Array): number {
  if (record[ETHERTYPE_AT] !== 0x86) return TCP_AT;
  const hasOptions = record[TCP_AT_V6 - 34] === 60;
  return TCP_AT_V6 + (hasOptions ? 8 * ((record[TCP_AT_V6 + 1] ?? 0) + 1) : 0);
}

/** A core with listeners, connections in all states, and a user who calls anything at any time. */
class Victim {
  readonly core: Core;
  readonly numbers = new Map<number, Numbers>();
  readonly #random: TestRandom;
  readonly #handles: number[] = [];
  readonly #buffer = new Uint8Array(5000);
  now = 0;
  answers = 0;

  constructor(random: TestRandom, seed: number) {
    this.#random = random;
    const common = FEATURE_FAST_OPEN_CLIENT | FEATURE_FAST_OPEN_SERVER | FEATURE_PMTU;
    const options = FEATURE_TIMESTAMPS | FEATURE_SACK | FEATURE_WINDOW_SCALE;
    const features = common | (seed % 2 === 0 ? 0 : options);
    const config = coreConfig({
      mac: MAC,
      mtu: 1500,
      memoryBytes: 8 << 20,
      maxConnections: 64,
      maxFlights: 8,
      features,
    });
    this.core = Core.start(module, config, seededRandom(seed));
    this.core.setAddress(0, 0x0a000001, 0x0a0000ff);
    this.core.setAddress(1, DOCUMENTATION | 1n, 0);
    this.core.setNextHop(1, PEER_MAC, 0);
    this.core.listen({ address: 0, port: 80 }, 3, 0);
    this.core.listen({ address: 0, port: 81 }, 3, 1);
    this.core.setListenerOption(0, OPTION_FAST_OPEN, 2);
  }

  ingest(record: Uint8Array): void {
    this.core.ingest(record, this.now);
    this.#takeEvents();
    this.#flush();
  }

  /** One call of the user's, of a live or a stale handle. */
  call(): void {
    const { core, now } = this;
    const handle = this.#handles[this.#random.below(this.#handles.length + 1)] ??
      this.#random.next();
    const calls = [
      () => core.send(handle, this.#buffer.subarray(0, this.#random.below(5000)), now),
      () => core.receive(handle, this.#buffer, now),
      () => core.closeWrite(handle, now),
      () => core.closeRead(handle, now),
      () => core.abort(handle, now),
      () => core.release(handle, now),
      () => core.accepted(handle),
      () => core.decide(handle, this.#random.below(4), now),
      () => core.info(handle),
      () => core.linkUp(now),
      () => this.#tooBig(),
      () => this.#connect(),
      () => this.#connect(),
    ];
    calls[this.#random.below(calls.length)]?.();
    this.#takeEvents();
    this.#flush();
  }

  advance(ms: number): void {
    this.now += ms;
    while (this.core.advance(this.now)) this.#flush();
    this.#takeEvents();
    this.#flush();
  }

  /** A router says of a segment that was sent last that it was too big: any MTU, IPv4. */
  #tooBig(): void {
    const [[key, { ack }] = [0, { ack: 0 }]] = [...this.numbers];
    const quoted = new DataView(new ArrayBuffer(28));
    quoted.setUint32(0, 0x4500_05dc);
    quoted.setUint8(9, 6);
    quoted.setUint32(12, 0x0a000001);
    quoted.setUint32(16, 0x0a000009);
    quoted.setUint16(20, key % 0x10000);
    quoted.setUint16(22, Math.floor(key / 0x10000) % 0x10000);
    quoted.setUint32(24, (ack - this.#random.below(3)) >>> 0);
    const mtu = this.#random.below(1600);
    this.core.icmpError(new Uint8Array(quoted.buffer), 3, 4, mtu, this.now);
  }

  #connect(): void {
    const isV6 = this.#random.below(3) === 0;
    const local = { address: isV6 ? DOCUMENTATION | 1n : 0x0a000001, port: 5000 };
    const port = 1000 + this.#random.below(4);
    const remote = { address: isV6 ? DOCUMENTATION | 9n : 0x0a000009, port };
    const handle = this.core.connect(local, remote, 1, this.now);
    if (handle < 0) return;
    this.#handles.push(handle);
    if (this.#random.below(2) === 0) return;
    const known = this.#random.below(2) === 0 ? null : { cookie: new Uint8Array(8), mss: 1000 };
    this.core.fastOpen.set(handle, known, this.now);
    this.core.send(handle, this.#buffer.subarray(0, this.#random.below(2000)), this.now);
  }

  #takeEvents(): void {
    const count = this.core.takeEvents();
    for (let i = 0; i < count; i++) {
      const handle = this.core.eventHandle(i);
      const bits = this.core.eventBits(i);
      if ((bits & EVENT_ACCEPTABLE) !== 0) this.#handles.push(handle);
      if ((bits & EVENT_CLOSED) !== 0 && this.#random.below(2) === 0) {
        this.core.release(handle, this.now);
      }
    }
    // A user that forgets handles without letting go of them fills the table, and then nothing opens any more.
    while (this.#handles.length > HANDLES_MAX) {
      this.core.release(this.#handles.shift() ?? 0, this.now);
    }
  }

  #flush(): void {
    do {
      const batch = this.core.flush(BATCH_BYTES, this.now);
      const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
      for (let at = 0; at < batch.length; at += 4 + view.getUint32(at, true)) {
        this.answers++;
        const isV6 = view.getUint16(at + ETHERTYPE_AT) === ETHERTYPE_IPV6;
        const tcp = at + (isV6 ? TCP_AT_V6 : TCP_AT);
        const key = numbersKey(view.getUint16(tcp + 2), view.getUint16(tcp), isV6);
        const numbers = { seq: view.getUint32(tcp + 8), ack: view.getUint32(tcp + 4) };
        this.numbers.set(key, { ...numbers, stamp: stampOf(view, tcp) });
      }
    } while (this.core.more);
  }
}

/** TSecr of a segment of ours, or null: timestamps stand after the MSS and SACK of a SYN, or after two NOPs. */
function stampOf(view: DataView, tcp: number): number | null {
  const optionBytes = ((view.getUint8(tcp + 12) >> 4) * 4) - 20;
  for (const [at, bytes] of [[26, 16], [22, 12]] as const) {
    if (optionBytes < bytes || view.getUint16(tcp + at) !== STAMPS_HEADER) continue;
    return view.getUint32(tcp + at + 6);
  }
  return null;
}

/** The peer falls silent: within the longest deadline everything that nobody holds is gone. */
function expectPeace(victim: Victim): void {
  expect(victim.core.fault).toBeNull();
  for (let i = 0; i < 64; i++) victim.call();
  for (const handle of victim.core.tcbs.handles()) victim.core.release(handle, victim.now);
  for (let i = 0; i < 60; i++) victim.advance(20_000);
  for (const handle of victim.core.tcbs.handles()) victim.core.release(handle, victim.now);
  for (let i = 0; i < 60; i++) victim.advance(20_000);
  expect(victim.core.tcbs.live()).toEqual({
    connections: 0,
    flights: 0,
    ringPages: 0,
    timeWaits: 0,
  });
}

describe("a hostile peer", () => {
  for (const seed of SEEDS) {
    test(`can not make the core trap, leak or talk without end, seed ${seed}`, () => {
      const random = testRandom(seed);
      const victim = new Victim(random, seed);
      for (let i = 0; i < FRAMES; i++) {
        const good = hostileSegment(random, MAC, victim.numbers);
        victim.ingest(random.below(5) === 0 ? rubbish(random, good) : good);
        if (random.below(4) === 0) victim.call();
        if (random.below(10) === 0) {
          victim.advance(random.below(random.below(50) === 0 ? 100_000 : 50));
        }
      }
      const stats = victim.core.stats();
      // Every state was met, else the fuzz is none.
      expect(stats["established"]).toBeGreaterThan(50);
      expect(Object.keys(stats).length).toBe(STAT_NAMES.length);
      expect(victim.answers).toBeLessThan(6 * FRAMES);
      expectPeace(victim);
    });
  }

  test.each(LINKS)("can not do so by what its headers ask for, offload %i", (offload, textMax) => {
    const seed = 11 + offload;
    const random = testRandom(seed);
    const victim = new Victim(random, 2 * seed + 1);
    victim.core.setOffload(offload);
    for (let i = 0; i < FRAMES; i++) {
      const record = hostileSegment(random, MAC, victim.numbers, textMax);
      if (random.below(2) === 0) hostileVnet(random, record);
      victim.ingest(random.below(20) === 0 ? rubbish(random, record) : record);
      if (random.below(4) === 0) victim.call();
      if (random.below(10) === 0) victim.advance(random.below(50));
    }
    const {
      established,
      drop_offload: dropped = 0,
      segments_in: segments = 0,
      frames_in: frames = 0,
    } = victim.core
      .stats();
    expect(established).toBeGreaterThan(50);
    expect(dropped).toBeGreaterThan(FRAMES / 20);
    // Some got through, else nothing behind the header was tried.
    if ((offload & OFFLOAD_TCP4) !== 0) expect(segments).toBeGreaterThan(frames);
    expectPeace(victim);
  });

  test("changes nothing with a frame whose checksum is wrong", () => {
    const random = testRandom(9);
    const victim = new Victim(random, 9);
    for (let i = 0; i < 3000; i++) victim.ingest(hostileSegment(random, MAC, victim.numbers));
    const before = victim.core.stateHash();
    for (let i = 0; i < 3000; i++) {
      const record = hostileSegment(random, MAC, victim.numbers);
      const tcp = tcpAt(record);
      const at = tcp + random.below(record.length - tcp);
      record[at] = (record[at] ?? 0) ^ (1 << random.below(8));
      victim.core.ingest(record, victim.now);
      expect(victim.core.flush(BATCH_BYTES, victim.now).length).toBe(0);
    }
    expect(victim.core.stateHash()).toBe(before);
  });
});

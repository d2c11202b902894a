/**
 * Header prediction decides nothing: a core that gets segments as they are, and takes most of them the short way, and one
 * whose packets have an IP header that is never predicted, are the same in every byte of their state, in what they send and
 * in what the user reads.
 */
import { describe, expect, test } from "vitest";
import { Core } from "../../src/core/core.ts";
import { coreConfig, MIB } from "../../src/core/core_config.ts";
import { BATCH_BYTES, EVENT_ACCEPTABLE, RECORD_HEADER_BYTES } from "../../src/layout/layout.gen.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { coreUnderTest } from "../core_under_test.ts";
import { type TestRandom, withSeed } from "../random.ts";
import {
  buildFrame,
  FLAG_ACK,
  FLAG_FIN,
  FLAG_PSH,
  FLAG_SYN,
  FLAG_URG,
  independentChecksum,
  OUR_MAC,
  readFrame,
  type WireSegment,
} from "../scenario/dsl/wire.ts";
import type { TcpOption } from "../scenario/dsl/syntax.ts";

const SEEDS = 8;
const STEPS = 150;
const PORT = 80;
const PEER_PORT = 5000;
const MSS = 1400;
/** Just below 2^32: the numbers wrap after 64 bytes. */
const PEER_ISS = 0xffff_ffc0;
/** Where the IP header of a frame begins, and how long it is. */
const IP_AT = 14;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const NOP = 1;
const DESTINATION_OPTIONS = 60;
const CE = 3;

/** What the two ends say they are. */
interface Ends {
  readonly isV6: boolean;
  readonly local: number | bigint;
  readonly remote: number | bigint;
}

const ENDS: readonly Ends[] = [
  { isV6: false, local: 0x0a00_0001, remote: 0x0a00_0002 },
  { isV6: true, local: (0x2001_0db8n << 96n) | 1n, remote: (0x2001_0db8n << 96n) | 2n },
];

/** Behind the IP header come 4 bytes of no-operations, or (IPv6) 8 bytes of destination options that say nothing. */
function byDetour(frame: Uint8Array, isV6: boolean): Uint8Array {
  const at = IP_AT + (isV6 ? IPV6_BYTES : IPV4_BYTES);
  const extra = isV6 ? [frame[IP_AT + 6] ?? 0, 0, 1, 4, 0, 0, 0, 0] : [NOP, NOP, NOP, NOP];
  const longer = new Uint8Array(frame.length + extra.length);
  longer.set(frame.subarray(0, at));
  longer.set(extra, at);
  longer.set(frame.subarray(at), at + extra.length);
  const view = new DataView(longer.buffer);
  if (isV6) {
    view.setUint16(IP_AT + 4, view.getUint16(IP_AT + 4) + extra.length);
    view.setUint8(IP_AT + 6, DESTINATION_OPTIONS);
    return longer;
  }
  view.setUint8(IP_AT, 0x46);
  view.setUint16(IP_AT + 2, view.getUint16(IP_AT + 2) + extra.length);
  view.setUint16(IP_AT + 10, 0);
  view.setUint16(IP_AT + 10, independentChecksum(longer.subarray(IP_AT, at + extra.length)));
  return longer;
}

function record(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER_BYTES + frame.length);
  new DataView(bytes.buffer).setUint32(0, bytes.length - 4, true);
  bytes.set(frame, RECORD_HEADER_BYTES);
  return bytes;
}

/** A core with a listener, and its user. */
class Receiver {
  readonly core: Core;
  handle = -1;
  readonly #isV6: boolean;
  readonly #isDetour: boolean;
  readonly #buffer = new Uint8Array(1 << 18);

  constructor(ends: Ends, isDetour: boolean) {
    const config = coreConfig({
      mac: OUR_MAC,
      mtu: 1500,
      memoryBytes: 16 * MIB,
      maxConnections: 8,
    });
    this.core = Core.start(coreUnderTest(), config, seededRandom(7));
    this.core.setAddress(0, ends.local, 0);
    this.core.listen({ address: 0, port: PORT }, 4, 0);
    this.#isV6 = ends.isV6;
    this.#isDetour = isDetour;
  }

  /** @returns What it sends, as the bytes of its records. */
  take(segment: WireSegment, isCorrupt: boolean, now: number): Uint8Array {
    const frame = buildFrame(segment, isCorrupt);
    this.core.ingest(record(this.#isDetour ? byDetour(frame, this.#isV6) : frame), now);
    return this.settle(now);
  }

  settle(now: number): Uint8Array {
    this.core.advance(now);
    const events = this.core.takeEvents();
    for (let i = 0; i < events; i++) {
      if ((this.core.eventBits(i) & EVENT_ACCEPTABLE) === 0) continue;
      this.handle = this.core.eventHandle(i);
      this.core.accepted(this.handle);
    }
    return this.core.flush(BATCH_BYTES, now).slice();
  }

  read(most: number, now: number): Uint8Array {
    const bytes = this.core.receive(this.handle, this.#buffer.subarray(0, most), now);
    return this.#buffer.slice(0, bytes);
  }
}

/** The peer: it knows what is expected of it next, and does that mostly. */
class Peer {
  seq = PEER_ISS;
  ack = 0;
  win = 8000;
  stamp = 5000;
  readonly #ends: Ends;
  readonly #hasStamps: boolean;

  constructor(ends: Ends, hasStamps: boolean) {
    this.#ends = ends;
    this.#hasStamps = hasStamps;
  }

  segment(flags: number, bytes = 0, over: Partial<WireSegment> = {}): WireSegment {
    const stamps: TcpOption[] = this.#hasStamps
      ? [{ kind: "nop" }, { kind: "nop" }, { kind: "TS", val: this.stamp, ecr: 0 }]
      : [];
    return {
      source: { address: this.#ends.remote, port: PEER_PORT },
      destination: { address: this.#ends.local, port: PORT },
      flags,
      ecn: 0,
      seq: this.seq,
      ack: this.ack,
      win: this.win,
      urg: 0,
      options: stamps,
      payload: Uint8Array.from({ length: bytes }, (_, i) => (this.seq + i) & 0xff),
      ...over,
    };
  }
}

/** The next segment of the peer, or one that is not expected; at times with a wrong checksum. */
function nextOf(peer: Peer, random: TestRandom): { segment: WireSegment; isCorrupt: boolean } {
  const bytes = 1 + random.below(MSS);
  const flags = FLAG_ACK | (random.below(4) === 0 ? FLAG_PSH : 0);
  const plain = peer.segment(flags, bytes);
  const change = random.below(24);
  const seqBy = (by: number): WireSegment =>
    peer.segment(flags, bytes, { seq: (peer.seq + by) >>> 0 });
  if (change === 0) return { segment: plain, isCorrupt: true };
  if (change === 1) return { segment: seqBy(-random.below(3000)), isCorrupt: false };
  if (change === 2) return { segment: seqBy(1 + random.below(3000)), isCorrupt: false };
  if (change === 3) {
    return { segment: peer.segment(flags | FLAG_URG, bytes, { urg: 1 }), isCorrupt: false };
  }
  if (change === 4) return { segment: peer.segment(flags, bytes, { ecn: CE }), isCorrupt: false };
  if (change === 5) peer.win = 100 + random.below(60_000);
  if (change === 6) {
    peer.stamp -= 50;
    const old = peer.segment(flags, bytes);
    peer.stamp += 50;
    return { segment: old, isCorrupt: false };
  }
  if (change === 7) return { segment: peer.segment(FLAG_ACK), isCorrupt: false };
  if (change === 8) {
    return { segment: peer.segment(flags, bytes, { options: [] }), isCorrupt: false };
  }
  if (change === 9) {
    return { segment: peer.segment(flags, bytes, { ack: (peer.ack - 1) >>> 0 }), isCorrupt: false };
  }
  peer.stamp += random.below(3);
  return { segment: peer.segment(flags, bytes), isCorrupt: false };
}

function isEqual(a: Uint8Array | number, b: Uint8Array | number): boolean {
  if (typeof a === "number" || typeof b === "number") return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** The last segment of some records. */
function lastOf(records: Uint8Array): WireSegment | null {
  let last: WireSegment | null = null;
  for (let at = 0; at < records.length;) {
    const length = new DataView(records.buffer, records.byteOffset + at).getUint32(0, true) + 4;
    const frame = records.subarray(at + RECORD_HEADER_BYTES, at + length);
    last = readFrame(frame, { ttl: 64, tos: 0 }).segment;
    at += length;
  }
  return last;
}

/** Both cores get the same, by the short way and by the detour. */
class Twins {
  readonly plain: Receiver;
  readonly detour: Receiver;
  now = 1000;

  constructor(ends: Ends) {
    this.plain = new Receiver(ends, false);
    this.detour = new Receiver(ends, true);
  }

  /** @returns The last segment that both send in answer, or null. */
  take(segment: WireSegment, isCorrupt = false): WireSegment | null {
    const said = this.plain.take(segment, isCorrupt, this.now);
    expect(isEqual(said, this.detour.take(segment, isCorrupt, this.now))).toBe(true);
    return lastOf(said);
  }

  user(act: (one: Receiver, now: number) => Uint8Array | number): WireSegment | null {
    const got = act(this.plain, this.now);
    expect(isEqual(got, act(this.detour, this.now))).toBe(true);
    const said = this.plain.settle(this.now);
    expect(isEqual(said, this.detour.settle(this.now))).toBe(true);
    expect(this.plain.core.stateHash()).toBe(this.detour.core.stateHash());
    return lastOf(said);
  }
}

function run(ends: Ends, hasStamps: boolean, random: TestRandom): Twins {
  const twins = new Twins(ends);
  const peer = new Peer(ends, hasStamps);
  const options = peer.segment(FLAG_SYN).options;
  const mss: TcpOption[] = [{ kind: "mss", value: MSS }, ...options];
  const answer = twins.take(peer.segment(FLAG_SYN, 0, { options: mss }));
  peer.seq = (peer.seq + 1) >>> 0;
  peer.ack = ((answer?.seq ?? 0) + 1) >>> 0;
  let sent = peer.ack;
  twins.take(peer.segment(FLAG_ACK));
  for (let step = 0; step < STEPS; step++) {
    const choice = random.below(16);
    twins.now += random.below(20);
    let said: WireSegment | null;
    if (choice === 0) said = twins.user((one, now) => one.read(200_000, now));
    else if (choice === 1) {
      said = twins.user((one, now) => one.core.send(one.handle, new Uint8Array(300), now));
    } else if (choice === 2) {
      peer.ack = sent;
      said = twins.take(peer.segment(FLAG_ACK));
    } else {
      for (let burst = random.below(6); burst > 0; burst--) {
        const bytes = 1 + random.below(MSS);
        twins.take(peer.segment(FLAG_ACK, bytes));
        peer.seq = (peer.seq + bytes) >>> 0;
      }
      const { segment, isCorrupt } = nextOf(peer, random);
      said = twins.take(segment, isCorrupt);
    }
    // What was taken in order is what it acknowledges, at the latest after the delay of its ACK.
    twins.now += 250;
    said = twins.user(() => 0) ?? said;
    if (said === null) continue;
    peer.seq = said.ack;
    sent = (said.seq + said.payload.length) >>> 0;
  }
  twins.take(peer.segment(FLAG_ACK | FLAG_FIN, 10));
  twins.user((one, now) => one.read(200_000, now));
  return twins;
}

describe("header prediction", () => {
  for (const ends of ENDS) {
    for (const hasStamps of [false, true]) {
      const name = `${ends.isV6 ? "IPv6" : "IPv4"} ${hasStamps ? "with" : "without"} timestamps`;
      test(`decides nothing that the long way would not: ${name}`, () => {
        let predicted = 0;
        for (let seed = 1; seed <= SEEDS; seed++) {
          withSeed(seed, (random) => {
            const { plain, detour } = run(ends, hasStamps, random);
            predicted += plain.core.stats().predicted ?? 0;
            expect(detour.core.stats().predicted).toBe(0);
            expect(plain.core.stats().bytes_in).toBe(detour.core.stats().bytes_in);
          });
        }
        expect(predicted).toBeGreaterThan(SEEDS * 20);
      });
    }
  }
});

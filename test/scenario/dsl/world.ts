/**
 * One core under virtual time and the peer's side of its cable. Nothing happens by itself: time passes when a script says
 * so, and then each deadline is met at its very ms. What the core emits is taken apart at once and waits to be expected.
 */
import { Core } from "../../../src/core/core.ts";
import { type CoreConfig, coreConfig, MIB } from "../../../src/core/core_config.ts";
import { BATCH_BYTES, RECORD_HEADER_BYTES } from "../../../src/layout/layout.gen.ts";
import type { IpAddress } from "../../../src/core/info_view.ts";
import { seededRandom } from "../../../src/runtime/seeded_random.ts";
import { coreUnderTest } from "../../core_under_test.ts";
import { cutRecord } from "./cut.ts";
import { add32, Flow } from "./flow.ts";
import { formatSegment, formatTime, type Shown } from "./format.ts";
import { pattern } from "./pattern.ts";
import type { PacketSpec } from "./syntax.ts";
import {
  buildFrame,
  type Endpoint,
  FLAG_ACK,
  FLAG_SYN,
  type IpFields,
  OUR_MAC,
  PEER_MAC,
  readFrame,
  type WireSegment,
} from "./wire.ts";

const MEMORY_BYTES = 32 * MIB;
const CONNECTIONS = 256;
const MTU = 1500;
/** Every world has the same keys, so that a probe of one tells the ISN of another. */
const KEYS_SEED = 7;
/** Slot of the next hop through which connect() goes. */
export const HOP = 1;

/** Our addresses: 192.168.0.1 and 192.168.0.2. */
export const LOCAL_ADDRESS = 0xc0a8_0001;
const LOCAL_ADDRESSES: readonly number[] = [LOCAL_ADDRESS, LOCAL_ADDRESS + 1];
const BROADCAST = 0xc0a8_ffff;

/** 2001:db8::/96, which stands before an IPv4 address to make one of IPv6. RFC 3849. */
const DOCUMENTATION_PREFIX = 0x2001_0db8n << 96n;
/** ff02::1, all nodes: what broadcast and multicast become. RFC 4291 section 2.7.1. */
const ALL_NODES = (0xff02n << 112n) | 1n;
const MULTICAST_FIRST = 0xe000_0000;
const LOOPBACK_NET = 127;
/** By how much an IPv6 header is longer, bytes: a world of IPv6 has so much more MTU, and so the same MSS. */
const LONGER_HEADER_BYTES = 20;

/** gsoType of TCP over IPv4, and its difference to that over IPv6. */
const GSO_TCPV4 = 1;
const GSO_V4_OR_V6 = 5;

/** ICMP type and code of a packet that was too big. RFC 792, RFC 4443 section 3.2. */
const TOO_BIG_V4 = [3, 4] as const;
const TOO_BIG_V6 = [2, 0] as const;

/** Families. */
export type Family = 4 | 6;

/** The address of IPv6 that stands for one of IPv4. */
function toIpv6(address: number): bigint {
  if (address === 0) return 0n;
  if (address >>> 24 === LOOPBACK_NET) return 1n;
  if (address >= MULTICAST_FIRST || address === BROADCAST) return ALL_NODES;
  return DOCUMENTATION_PREFIX | BigInt(address);
}

/** Just below 2^32: the peer's numbers wrap after 16 bytes. */
export const PEER_ISS = 0xffff_fff0;

/** Packets that a failure shows. */
const TRACE_MAX = 10;
/** More deadlines in one stretch of time than any script has; a core that never finds rest is found by it. */
const DEADLINES_MAX = 100_000;
const FLUSHES_MAX = 1_000;

/** A segment that the stack has sent. */
export interface Emission {
  /** Ms since the world was made. */
  readonly at: number;
  readonly flow: Flow;
  readonly wire: WireSegment;
  readonly shown: Shown;
}

/** The offload header of a record. Virtual I/O Device 1.2, 5.1.6. */
export interface Vnet {
  readonly flags: number;
  readonly type: number;
  readonly size: number;
  /** Where the checksum's sum begins, and where in it the checksum stands. */
  readonly start: number;
  readonly at: number;
}

/** A core and its peer. */
export class World {
  readonly core: Core;
  /** Time of the core when the world was made, ms. */
  readonly startMs: number;
  /** Sent and not yet expected, oldest first. */
  readonly emitted: Emission[] = [];
  readonly flows: Flow[] = [];
  /** Handles of connections that wait for accept(), oldest first. */
  readonly acceptable: number[] = [];
  readonly trace: string[] = [];
  /** Bytes of the frames of all records so far. */
  readonly records: number[] = [];
  /** What the IP headers of ours must say from now on. */
  ip: IpFields;
  /** Records that wait for `deliver()`, or null while each is delivered by itself. */
  #held: Uint8Array[] | null = null;
  /** Offload header of the next record. */
  #vnet: Vnet | null = null;
  #elapsed = 0;
  /** The last frame that the stack has sent. */
  #last: Uint8Array = new Uint8Array(0);
  readonly #remoteIss: number;
  readonly #family: Family;
  readonly #offload: number;

  /**
   * @param config What differs from the defaults.
   * @param startMs Time of the core at its start: it decides our ISNs and the timestamps.
   * @param remoteIss ISS of the peer.
   * @param family Of all addresses; scripts write those of IPv4.
   * @param offload OFFLOAD bits of the link: what it cuts is emitted as it cuts it.
   */
  constructor(
    config: Partial<CoreConfig>,
    startMs: number,
    remoteIss: number,
    family: Family = 4,
    offload = 0,
  ) {
    const { mtu = MTU } = config;
    const whole = coreConfig({
      mac: OUR_MAC,
      memoryBytes: MEMORY_BYTES,
      maxConnections: CONNECTIONS,
      ...config,
      mtu: family === 4 ? mtu : mtu + LONGER_HEADER_BYTES,
    });
    this.core = Core.start(coreUnderTest(), whole, seededRandom(KEYS_SEED));
    this.startMs = startMs;
    this.ip = { ttl: family === 4 ? whole.ttl : whole.ttlV6, tos: whole.tos };
    this.#remoteIss = remoteIss;
    this.#family = family;
    this.#offload = offload;
    this.core.setOffload(offload);
    LOCAL_ADDRESSES.forEach((address, i) => {
      this.core.setAddress(i, this.address(address), BROADCAST);
    });
    this.core.setNextHop(HOP, PEER_MAC, this.now);
  }

  /** Time of the core, ms. */
  get now(): number {
    return this.startMs + this.#elapsed;
  }

  /** Ms since the world was made. */
  get elapsed(): number {
    return this.#elapsed;
  }

  /** Its addresses are those of IPv6. */
  get isV6(): boolean {
    return this.#family === 6;
  }

  /** An address as this world has it. @param address One of IPv4, as scripts write them. */
  address(address: number): IpAddress {
    return this.#family === 4 ? address : toIpv6(address);
  }

  /** The connection with these ends; made if there is none. */
  flow(local: Endpoint, remote: Endpoint): Flow {
    const known = this.flows.find((flow) => flow.is(local, remote));
    if (known !== undefined) return known;
    const flow = new Flow(local, remote, this.#remoteIss);
    this.flows.push(flow);
    return flow;
  }

  // Time.

  /** Lets time pass up to a moment, its deadlines included. @param elapsed Ms since the world was made. */
  runTo(elapsed: number): void {
    const target = this.startMs + elapsed;
    for (let i = 0; i < DEADLINES_MAX; i++) {
      const next = this.core.nextDeadline();
      if (!(next <= target)) {
        this.#elapsed = Math.max(this.#elapsed, elapsed);
        return;
      }
      this.#elapsed = Math.max(this.#elapsed, next - this.startMs);
      while (this.core.advance(this.now)) { /* Bounded work was left over. */ }
      this.settle();
    }
    throw new Error(`The core has a deadline at ${this.core.nextDeadline()} that never passes`);
  }

  /** Goes on to the next deadline. @returns False if there is none. */
  runToNext(): boolean {
    const next = this.core.nextDeadline();
    if (next === Infinity) return false;
    this.runTo(next - this.startMs);
    return true;
  }

  /** The machine sleeps: time passes and nothing runs. @param shiftMs By how much all deadlines move. */
  suspend(ms: number, shiftMs: number): void {
    this.#elapsed += ms;
    this.core.advance(this.now, shiftMs);
    while (this.core.more) this.core.advance(this.now);
    this.settle();
  }

  // Frames.

  /** From now on what is injected waits, until `deliver()` makes one batch of it. */
  hold(): void {
    this.#held ??= [];
  }

  /** Delivers what was held. */
  deliver(): void {
    const held = this.#held ?? [];
    this.#held = null;
    this.#ingest(held);
  }

  /** The peer sends a segment. */
  inject(flow: Flow, packet: PacketSpec): void {
    const hasAck = (packet.flags & FLAG_ACK) !== 0 || packet.ack !== 0;
    // A SYN takes a number before its text.
    const first = packet.seq + ((packet.flags & FLAG_SYN) === 0 ? 0 : 1);
    const payload = pattern(packet.isJunk ? "out" : "in", first, packet.bytes);
    const frame = buildFrame({
      source: flow.remote,
      destination: flow.local,
      flags: packet.flags,
      ecn: packet.ecn,
      seq: add32(packet.seq, flow.remoteIsn),
      ack: hasAck ? add32(packet.ack, flow.localIsn ?? 0) : 0,
      win: packet.win ?? 0,
      urg: packet.urg,
      options: (packet.options ?? []).map((option) => flow.optionToWire(option)),
      payload,
    }, packet.isCorrupt);
    this.#note("<", flow, packet);
    this.injectFrame(frame);
  }

  /** The next frame of the peer has an offload header, in the measure of IPv4. */
  offer(vnet: Vnet): void {
    this.#vnet = vnet;
  }

  /** The peer sends a frame, whatever it is. */
  injectFrame(frame: Uint8Array): void {
    const record = new Uint8Array(RECORD_HEADER_BYTES + frame.length);
    const view = new DataView(record.buffer);
    view.setUint32(0, record.length - 4, true);
    if (this.#vnet !== null) {
      const { flags, type, size, start, at } = this.#vnet;
      const isV6 = this.#family === 6;
      view.setUint8(4, flags);
      view.setUint8(5, isV6 && (type & 7) === GSO_TCPV4 ? type ^ GSO_V4_OR_V6 : type);
      const from = isV6 && start !== 0 ? start + LONGER_HEADER_BYTES : start;
      [size, from, at].forEach((value, i) => view.setUint16(8 + (2 * i), value, true));
      this.#vnet = null;
    }
    record.set(frame, RECORD_HEADER_BYTES);
    if (this.#held === null) this.#ingest([record]);
    else this.#held.push(record);
  }

  /**
   * A router answers a segment of ours: it was too big.
   *
   * @param segment What the router quotes: relative sequence number and bytes of text.
   * @param mtu What it names, in the measure of IPv4; 0 = nothing.
   * @returns What the core says of it.
   */
  tooBig(flow: Flow, segment: { seq: number; bytes: number }, mtu: number): number {
    const frame = buildFrame({
      source: flow.local,
      destination: flow.remote,
      flags: FLAG_ACK,
      seq: add32(segment.seq, flow.localIsn ?? 0),
      ack: 0,
      win: 0,
      urg: 0,
      options: [],
      ecn: 0,
      payload: new Uint8Array(segment.bytes),
    }, false);
    const isV6 = this.#family === 6;
    const named = isV6 && mtu !== 0 ? mtu + LONGER_HEADER_BYTES : mtu;
    const [type, code] = isV6 ? TOO_BIG_V6 : TOO_BIG_V4;
    const status = this.core.icmpError(frame.subarray(14), type, code, named, this.now);
    this.settle();
    return status;
  }

  #ingest(records: readonly Uint8Array[]): void {
    const batch = new Uint8Array(records.reduce((bytes, record) => bytes + record.length, 0));
    let end = 0;
    for (const record of records) {
      batch.set(record, end);
      end += record.length;
    }
    for (let at = 0; at < end;) at = this.core.ingest(batch, this.now, at);
    this.settle();
  }

  /** Takes events and what is owed, as the loop does after each call. */
  settle(): void {
    const count = this.core.takeEvents();
    for (let i = 0; i < count; i++) {
      this.#tell(this.core.eventHandle(i), this.core.eventBits(i), this.core.eventDetail(i));
    }
    for (let i = 0; i < FLUSHES_MAX; i++) {
      this.#take(this.core.flush(BATCH_BYTES, this.now));
      if (!this.core.more) return;
    }
    throw new Error("The core has more to send, however much it sends");
  }

  #tell(handle: number, bits: number, detail: number): void {
    const info = this.core.info(handle);
    if (info === null) throw new Error("An event came for a handle that is stale");
    const flow = this.flow(info.local, info.remote);
    flow.handle = handle;
    flow.tell(bits, detail & 0xff);
    if (flow.told.includes("ACCEPTABLE") && !this.acceptable.includes(handle)) {
      this.acceptable.push(handle);
    }
  }

  #take(batch: Uint8Array): void {
    const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
    for (let at = 0; at < batch.length;) {
      const end = at + 4 + view.getUint32(at, true);
      const record = batch.subarray(at, end);
      this.records.push(record.length - RECORD_HEADER_BYTES);
      if (this.#offload !== 0) {
        for (const frame of cutRecord(record)) this.#emit(frame);
      } else if (record.subarray(4, RECORD_HEADER_BYTES).some((byte) => byte !== 0)) {
        throw new Error("A record asks for offload that was not negotiated");
      } else {
        this.#emit(record.slice(RECORD_HEADER_BYTES));
      }
      at = end;
    }
  }

  /**
   * A router complains of the last packet that the stack has sent.
   *
   * @param v4 Type and code of ICMP.
   * @param v6 Type and code of ICMPv6.
   * @returns What the core answers.
   */
  complain(v4: readonly [number, number], v6: readonly [number, number]): number {
    const [type, code] = this.#family === 4 ? v4 : v6;
    const result = this.core.icmpError(this.#last.subarray(14), type, code, 0, this.now);
    this.settle();
    return result;
  }

  #emit(frame: Uint8Array): void {
    this.#last = frame;
    const { segment, problems } = readFrame(frame, this.ip);
    const flow = this.flow(segment.source, segment.destination);
    if ((segment.flags & FLAG_SYN) !== 0) flow.localIsn ??= segment.seq;
    const stamp = segment.options.find((option) => option.kind === "TS");
    if (stamp !== undefined) flow.stampOffset ??= add32(stamp.val, -Math.floor(this.#elapsed));
    const hasAck = (segment.flags & FLAG_ACK) !== 0;
    const shown: Shown = {
      flags: segment.flags,
      seq: add32(segment.seq, -(flow.localIsn ?? 0)),
      bytes: segment.payload.length,
      ack: hasAck ? add32(segment.ack, -flow.remoteIsn) : 0,
      win: segment.win,
      urg: segment.urg,
      options: segment.options.map((option) => flow.optionToScript(option)),
    };
    this.#note(">", flow, shown);
    if (problems.length > 0) {
      throw new Error(
        `A segment of ours is wrong: ${problems.join("; ")}\n${this.trace.join("\n")}`,
      );
    }
    this.emitted.push({ at: this.#elapsed, flow, wire: segment, shown });
  }

  #note(direction: "<" | ">", flow: Flow, shown: Shown | PacketSpec): void {
    const ports = flow === this.flows[0] ? "" : `${flow.local.port}-${flow.remote.port} `;
    this.trace.push(`${formatTime(this.#elapsed)} ${direction} ${ports}${formatSegment(shown)}`);
    if (this.trace.length > TRACE_MAX) this.trace.shift();
  }
}

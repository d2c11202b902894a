/**
 * The core's side of a cell: one small core, one pair of sockets, and what can be seen of it from outside. Its memory is
 * all its state, so a standing is reached once and copied back before each cell.
 */
import { Core } from "../../../src/core/core.ts";
import { coreConfig, MIB } from "../../../src/core/core_config.ts";
import {
  BATCH_BYTES,
  EVENT_NAMES,
  FEATURE_TIMESTAMPS,
  REASON_NAMES,
  RECORD_HEADER_BYTES,
  STATE_NAMES,
  STATUS_IN_USE,
  STATUS_TIME_WAIT,
  TCB_ISS,
  TCB_RCV_NXT,
  TCB_RCV_USER,
  TCB_SND_NXT,
  TCB_SND_UNA,
  TCB_SND_WND,
} from "../../../src/layout/layout.gen.ts";
import { seededRandom } from "../../../src/runtime/seeded_random.ts";
import { coreUnderTest } from "../../core_under_test.ts";
import type { ModelSegment, Reply } from "../../model/tcp_block.ts";
import { firstWrong, pattern } from "../dsl/pattern.ts";
import type { TcpOption } from "../dsl/syntax.ts";
import {
  buildFrame,
  type Endpoint,
  FLAG_ACK,
  FLAG_FIN,
  FLAG_RST,
  FLAG_SYN,
  OUR_MAC,
  PEER_MAC,
  readFrame,
  type WireSegment,
} from "../dsl/wire.ts";

/** Enough for a receive ring of each connection: rings take an eighth of the pool at most. */
const MEMORY_BYTES = 2 * MIB;
const CONNECTIONS = 4;
const MTU = 1500;
const KEYS_SEED = 7;
const HOP = 1;
/** No retransmission falls into a cell, ms. */
const RTO_MS = 5_000;
/** RCV.BUFF: one segment fills it, bytes. */
export const RCV_BUFF = 1_000;
/** MSS that the peer offers, bytes. */
export const PEER_MSS = 1_000;
/** Ticks of the ISN clock per ms. RFC 9293 section 3.4.1. */
const ISN_TICKS_PER_MS = 250;
const TWO_POW_32 = 2 ** 32;
/** More deadlines than half a second has. */
const DEADLINES_MAX = 1_000;
/** A handle that was never given. */
const NO_HANDLE = 3;

/** Version of IP that carries a cell. */
export type Family = 4 | 6;

const BROADCAST = 0xc0a8_ffff;
const LOCAL_PORT = 36_000;
/** Ends of the connection; 2001:db8::/32 is for documentation. RFC 3849. */
const ENDS_OF: Readonly<Record<Family, { local: Endpoint; remote: Endpoint }>> = {
  4: {
    local: { address: 0xc0a8_0001, port: LOCAL_PORT },
    remote: { address: 0xc000_0201, port: 8_080 },
  },
  6: {
    local: { address: 0x2001_0db8_0000_0000_0000_0000_0000_0001n, port: LOCAL_PORT },
    remote: { address: 0x2001_0db8_0000_0000_0000_0000_0000_0009n, port: 8_080 },
  },
};

/** Letters of flags, in the model's order. PSH is left out: it says nothing to a receiver. */
const LETTERS: readonly (readonly [bit: number, letter: string])[] = [
  [FLAG_SYN, "S"],
  [FLAG_FIN, "F"],
  [FLAG_RST, "R"],
  [FLAG_ACK, "A"],
];

/** What the model calls the ends that the core names with a REASON. */
const ENDS: Readonly<Record<string, string>> = {
  NORMAL: "closed",
  RESET: "reset",
  REFUSED: "refused",
  ABORTED: "aborted",
  TIMED_OUT: "timed out",
};

/** What one event brought about. */
export interface CoreReaction {
  readonly sent: readonly Reply[];
  readonly told: readonly string[];
}

/** Everything a cell begins with. */
export interface Snapshot {
  readonly memory: Uint8Array;
  readonly nowMs: number;
  readonly handle: number | null;
  readonly listener: number | null;
}

function lettersOf(flags: number): string {
  return LETTERS.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter).join("");
}

function bitsOf(letters: string): number {
  return LETTERS.filter(([, letter]) => letters.includes(letter))
    .reduce((bits, [bit]) => bits | bit, 0);
}

function startCore(family: Family, isStamped: boolean): Core {
  const config = coreConfig({
    mac: OUR_MAC,
    mtu: MTU,
    memoryBytes: MEMORY_BYTES,
    maxConnections: CONNECTIONS,
    // SACK and loss probes have scenarios of their own; here is the protocol alone.
    features: isStamped ? FEATURE_TIMESTAMPS : 0,
    receiveBufferInitial: RCV_BUFF,
    receiveBufferMax: RCV_BUFF,
    rtoMinMs: RTO_MS,
  });
  const core = Core.start(coreUnderTest(), config, seededRandom(KEYS_SEED));
  core.setAddress(0, ENDS_OF[family].local.address, BROADCAST);
  core.setNextHop(HOP, PEER_MAC, 0);
  return core;
}

/** When the core's ISS lies just below 2^32: it differs by the time alone, because the keys are always the same. */
function startMs(family: Family): number {
  const side = new CoreSide(family, false, 0);
  side.open("active");
  const ticks = TWO_POW_32 - 1 - side.number(TCB_ISS);
  return Math.floor(ticks / ISN_TICKS_PER_MS);
}

/** One core and its pair of sockets. */
export class CoreSide {
  readonly #core: Core;
  readonly #local: Endpoint;
  readonly #remote: Endpoint;
  #nowMs: number;
  #handle: number | null = null;
  #listener: number | null = null;
  /** Acknowledgment and window of what was sent, for the model. */
  readonly windows: { ack: number; wnd: number }[] = [];

  /**
   * @param family Version of IP.
   * @param isStamped Whether it offers timestamps.
   * @param nowMs When it starts.
   */
  constructor(family: Family, isStamped: boolean, nowMs: number = startMs(family)) {
    this.#core = startCore(family, isStamped);
    this.#local = ENDS_OF[family].local;
    this.#remote = ENDS_OF[family].remote;
    this.#nowMs = nowMs;
    this.#core.advance(nowMs);
  }

  /** Copies what the core is. */
  save(): Snapshot {
    return {
      memory: this.#core.memory.slice(),
      nowMs: this.#nowMs,
      handle: this.#handle,
      listener: this.#listener,
    };
  }

  /** Makes it that again. */
  restore(snapshot: Snapshot): void {
    this.#core.memory.set(snapshot.memory);
    this.#nowMs = snapshot.nowMs;
    this.#handle = snapshot.handle;
    this.#listener = snapshot.listener;
    this.windows.length = 0;
  }

  // Seeing.

  /** Slot of the connection between these sockets, if the core has one that is not CLOSED. */
  get #slot(): number | null {
    const { tcbs } = this.#core;
    for (let slot = 0; slot < tcbs.slots; slot++) {
      if (tcbs.isUsed(slot) && tcbs.state(slot) !== 0) return slot;
    }
    return null;
  }

  /** State of RFC 9293. */
  get state(): string {
    const slot = this.#slot;
    if (slot !== null) {
      return (STATE_NAMES[this.#core.tcbs.state(slot)] ?? "").replaceAll("_", "-");
    }
    if (this.#core.timeWaits() > 0) return "TIME-WAIT";
    return this.#listener === null ? "CLOSED" : "LISTEN";
  }

  /** Whether there is a TCB to read numbers of. */
  get hasBlock(): boolean {
    return this.#slot !== null;
  }

  /** A field of the TCB. @param field TCB_… of the layout. */
  number(field: number): number {
    const { memory, tcbs } = this.#core;
    const view = new DataView(memory.buffer, memory.byteOffset);
    return view.getUint32(tcbs.ptr(this.#slot ?? 0) + field, true);
  }

  /** The numbers that the model has too. */
  get numbers(): Record<"una" | "nxt" | "wnd" | "rcvNxt", number> {
    return {
      una: this.number(TCB_SND_UNA),
      nxt: this.number(TCB_SND_NXT),
      wnd: this.number(TCB_SND_WND),
      rcvNxt: this.number(TCB_RCV_NXT),
    };
  }

  /** ISS of the connection at hand. */
  get iss(): number {
    return this.number(TCB_ISS);
  }

  /** Ms to the next deadline. */
  get msToDeadline(): number {
    return this.#core.nextDeadline() - this.#nowMs;
  }

  /** Bytes that wait for the user. */
  get unread(): number {
    return this.#handle === null ? 0 : this.#core.readable(this.#handle);
  }

  /** Reads all. @returns How many bytes, and whether each is the one that belongs there. */
  read(): { bytes: number; isRight: boolean } {
    if (this.#handle === null || !this.hasBlock) return { bytes: 0, isRight: true };
    const first = this.number(TCB_RCV_USER);
    const into = new Uint8Array(RCV_BUFF);
    const bytes = this.#core.receive(this.#handle, into, this.#nowMs);
    return { bytes, isRight: firstWrong("in", first, into.subarray(0, bytes)) < 0 };
  }

  // Events.

  /** OPEN. @returns "ok", or what the model calls the error. */
  open(kind: "active" | "passive"): string {
    const result = kind === "active"
      ? this.#core.connect(this.#local, this.#remote, HOP, this.#nowMs)
      : this.#core.listen({ address: 0, port: LOCAL_PORT }, 1, 0);
    if (result < 0) {
      return [STATUS_IN_USE, STATUS_TIME_WAIT].includes(-result) ? "already exists" : `${result}`;
    }
    if (kind === "active") this.#handle = result;
    else this.#listener = result;
    return "ok";
  }

  /** SEND. */
  send(bytes: number): string {
    const data = new Uint8Array(bytes);
    return `took ${this.#core.send(this.#handle ?? NO_HANDLE, data, this.#nowMs)}`;
  }

  /** RECEIVE. */
  receive(): string {
    return `got ${this.read().bytes}`;
  }

  /** CLOSE of the connection, or of the listener if there is no connection. */
  close(): void {
    if (this.state === "LISTEN") this.#unlisten();
    else this.#core.closeWrite(this.#handle ?? NO_HANDLE, this.#nowMs);
  }

  /** ABORT of the same. */
  abort(): void {
    if (this.state === "LISTEN") this.#unlisten();
    else this.#core.abort(this.#handle ?? NO_HANDLE, this.#nowMs);
  }

  #unlisten(): void {
    if (this.#listener !== null) this.#core.unlisten(this.#listener, this.#nowMs);
    this.#listener = null;
  }

  /** STATUS. */
  status(): string {
    const info = this.#handle === null ? null : this.#core.info(this.#handle);
    if (info === null || info.state === 0) return this.state;
    return (STATE_NAMES[info.state] ?? "").replaceAll("_", "-");
  }

  /** The user reads no more. */
  closeRead(): void {
    this.#core.closeRead(this.#handle ?? NO_HANDLE, this.#nowMs);
  }

  /** The user lets go. */
  letGo(): void {
    this.#core.release(this.#handle ?? NO_HANDLE, this.#nowMs);
    this.#handle = null;
  }

  /** The peer sends a segment. */
  arrive(segment: ModelSegment): void {
    const { flags, seq, ack, wnd, bytes, stamp } = segment;
    const options: TcpOption[] = flags.includes("S") ? [{ kind: "mss", value: PEER_MSS }] : [];
    if (stamp !== undefined) {
      options.push({ kind: "nop" }, { kind: "nop" }, { kind: "TS", val: stamp, ecr: 0 });
    }
    const frame = buildFrame({
      source: this.#remote,
      destination: this.#local,
      flags: bitsOf(flags),
      seq,
      ack,
      win: wnd,
      urg: 0,
      ecn: 0,
      options,
      // A SYN takes the first number.
      payload: pattern("in", flags.includes("S") ? seq + 1 : seq, bytes),
    }, false);
    const record = new Uint8Array(RECORD_HEADER_BYTES + frame.length);
    new DataView(record.buffer).setUint32(0, record.length - 4, true);
    record.set(frame, RECORD_HEADER_BYTES);
    this.#core.ingest(record, this.#nowMs);
  }

  /** Time passes, its deadlines included. */
  pass(ms: number): CoreReaction {
    const target = this.#nowMs + ms;
    const sent: Reply[] = [];
    const told: string[] = [];
    for (let i = 0; i < DEADLINES_MAX; i++) {
      const next = this.#core.nextDeadline();
      if (!(next <= target)) break;
      this.#nowMs = Math.max(this.#nowMs, next);
      this.#core.advance(this.#nowMs);
      const part = this.settle();
      sent.push(...part.sent);
      told.push(...part.told);
    }
    this.#nowMs = target;
    return { sent, told };
  }

  /** Time passes up to the next deadline, if there is one. */
  timeout(): void {
    const next = this.#core.nextDeadline();
    if (next === Infinity) return;
    this.#nowMs = Math.max(this.#nowMs, next);
    this.#core.advance(this.#nowMs);
  }

  /** Takes what the core has to tell and to send. */
  settle(): CoreReaction {
    const told: string[] = [];
    const count = this.#core.takeEvents();
    for (let i = 0; i < count; i++) told.push(...this.#tell(i));
    const batch = this.#core.flush(BATCH_BYTES, this.#nowMs);
    const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
    const sent: Reply[] = [];
    for (let at = 0; at < batch.length;) {
      const end = at + 4 + view.getUint32(at, true);
      sent.push(this.#read(batch.slice(at + RECORD_HEADER_BYTES, end)));
      at = end;
    }
    return { sent, told };
  }

  #tell(index: number): string[] {
    const handle = this.#core.eventHandle(index);
    const bits = this.#core.eventBits(index);
    const names = EVENT_NAMES.filter((_, bit) => (bits & (1 << bit)) !== 0);
    if (names.includes("ACCEPTABLE")) {
      this.#handle = handle;
      this.#core.accepted(handle);
    }
    const reason = REASON_NAMES[this.#core.eventDetail(index) & 0xff] ?? "";
    return names.flatMap((name) => {
      if (name === "CLOSED") return [ENDS[reason] ?? reason];
      return ["OPENED", "ACCEPTABLE", "END"].includes(name) ? [name.toLowerCase()] : [];
    });
  }

  #read(frame: Uint8Array): Reply {
    // Both versions of IP have the same hop limit.
    const { segment, problems } = readFrame(frame, this.#core.config);
    if (problems.length > 0) throw new Error(`A segment of ours is wrong: ${problems.join("; ")}`);
    this.#noteWindow(segment);
    const { seq, ack, payload } = segment;
    const flags = lettersOf(segment.flags);
    const stamp = segment.options.find((option) => option.kind === "TS");
    // Our SYN has nothing to echo yet.
    const echo = flags === "S" ? undefined : stamp?.ecr;
    return { flags, seq, ack, bytes: payload.length, echo };
  }

  #noteWindow({ flags, ack, win }: WireSegment): void {
    if ((flags & FLAG_RST) === 0) this.windows.push({ ack, wnd: win });
  }
}

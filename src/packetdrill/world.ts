/**
 * One core under virtual time, and the peer's end of its cable. Nothing happens by itself: time passes when the script says
 * so, and then each deadline is met at its very ms. The core is made when it is first needed, because until then commands
 * of the script may change its configuration.
 */
import { Core } from "../core/core.ts";
import type { CoreConfig } from "../core/core_config.ts";
import { BATCH_BYTES, PUNT_ICMP, PUNT_IPV6, RECORD_HEADER_BYTES } from "../layout/layout.gen.ts";
import { seededRandom } from "../runtime/seeded_random.ts";
import type { Host } from "./profile.ts";
import { type Address, type IcmpMessage, PEER_MAC, readFrame } from "./frame.ts";

/** Slot of the next hop through which connections are opened. */
export const HOP = 1;

/** Any: each run has the same keys, so that one tells the ISN of another. */
const KEYS_SEED = 7;
/** ICMPv6 packet too big: the MTU takes all 32 bits. RFC 4443 section 3.2. */
const PACKET_TOO_BIG = 2;
/** Of IPv4 in the addresses of a link, when it matters to nobody. */
const BROADCAST = 0xc0a8_ffff;
/** More deadlines in one stretch of time than any script has; a core that never finds rest is found by it. */
const DEADLINES_MAX = 1_000_000;
const FLUSHES_MAX = 10_000;

/** What a world tells. */
export interface WorldListener {
  /** The core has sent a frame. @param atMs Ms since the script began. */
  onFrame(frame: Uint8Array, atMs: number): void;
  /** The core tells something of a connection. @param detail REASON, STATE and listener. */
  onEvent(handle: number, bits: number, detail: number): void;
  /** All that follows of a call, an arrival or a deadline has happened. */
  onSettled(): void;
}

/** What a world is made of. */
export interface WorldSettings {
  readonly module: WebAssembly.Module;
  /** Our address. */
  readonly local: Address;
  readonly host: Host;
  /** Time of the core when the script begins, ms; asked for when the core is made. */
  startMs(config: CoreConfig): number;
}

/** A core and its peer's end of the cable. */
export class World {
  /** Changed until the core is made. */
  config: CoreConfig;
  /** What the script takes for granted beside it. */
  host: Host;
  readonly #settings: WorldSettings;
  readonly #listener: WorldListener;
  /** A call waits until then at most, ms since the script began. */
  alarmMs: number = Infinity;
  #core: Core | null = null;
  #startMs = 0;
  #elapsed = 0;

  constructor(settings: WorldSettings, config: CoreConfig, listener: WorldListener) {
    this.#settings = settings;
    this.config = config;
    this.host = settings.host;
    this.#listener = listener;
  }

  /** Whether our address is one of IPv6. */
  get isIpv6(): boolean {
    return typeof this.#settings.local === "bigint";
  }

  /** Whether the core was made: its configuration is what it is. */
  get isStarted(): boolean {
    return this.#core !== null;
  }

  /** The core. It is made now if there is none. */
  get core(): Core {
    return this.#core ?? this.#start();
  }

  /** Time of the core, ms. */
  get now(): number {
    return this.#startMs + this.#elapsed;
  }

  /** Ms since the script began. */
  get elapsed(): number {
    return this.#elapsed;
  }

  // Time.

  /** The next moment at which something happens by itself, ms since the script began; Infinity if there is none. */
  nextDeadline(): number {
    const core = this.#core === null ? Infinity : this.#core.nextDeadline() - this.#startMs;
    return Math.min(core, this.alarmMs);
  }

  /** Lets time pass up to a moment, its deadlines included. @param elapsed Ms since the script began. */
  runTo(elapsed: number): void {
    for (let i = 0; i < DEADLINES_MAX; i++) {
      const next = this.nextDeadline();
      if (!(next <= elapsed)) {
        this.#elapsed = Math.max(this.#elapsed, elapsed);
        return;
      }
      this.#meet(next);
    }
    throw new Error(`The core has a deadline at ${this.nextDeadline()} that never passes`);
  }

  /**
   * Lets time pass deadline by deadline until something holds or a moment has come.
   *
   * @returns Whether it holds; if not, it is `elapsed` now.
   */
  runUntil(holds: () => boolean, elapsed: number): boolean {
    for (let i = 0; i < DEADLINES_MAX; i++) {
      if (holds()) return true;
      const next = this.nextDeadline();
      if (!(next <= elapsed)) break;
      this.#meet(next);
    }
    this.#elapsed = Math.max(this.#elapsed, elapsed);
    return false;
  }

  #meet(deadline: number): void {
    this.#elapsed = Math.max(this.#elapsed, deadline);
    if (this.alarmMs <= this.#elapsed) this.alarmMs = Infinity;
    while (this.core.advance(this.now)) { /* Bounded work was left over. */ }
    this.settle();
  }

  // Frames.

  /** The peer sends frames; they arrive as one batch. */
  ingest(frames: readonly Uint8Array[]): void {
    const records = frames.map(recordOf);
    const batch = new Uint8Array(records.reduce((bytes, record) => bytes + record.length, 0));
    let end = 0;
    for (const record of records) {
      batch.set(record, end);
      end += record.length;
    }
    for (let at = 0; at < end;) {
      at = this.core.ingest(batch, this.now, at);
      this.#takePunts();
    }
    this.settle();
  }

  /** Takes events and what is owed, as the loop of a stack does after each call. */
  settle(): void {
    const core = this.core;
    const count = core.takeEvents();
    for (let i = 0; i < count; i++) {
      this.#listener.onEvent(core.eventHandle(i), core.eventBits(i), core.eventDetail(i));
    }
    for (let i = 0; i < FLUSHES_MAX; i++) {
      this.#take(core.flush(BATCH_BYTES, this.now));
      if (!core.more) {
        this.#listener.onSettled();
        return;
      }
    }
    throw new Error("The core has more to send, however much it sends");
  }

  #take(batch: Uint8Array): void {
    const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
    for (let at = 0; at < batch.length;) {
      const end = at + 4 + view.getUint32(at, true);
      this.#listener.onFrame(batch.slice(at + RECORD_HEADER_BYTES, end), this.#elapsed);
      at = end;
    }
  }

  /** ICMP errors go back to the core, as the host's part of a stack does it. */
  #takePunts(): void {
    const { core } = this;
    for (let i = 0; i < core.puntCount; i++) {
      const kind = core.puntKind(i);
      if (kind !== PUNT_ICMP && kind !== PUNT_IPV6) continue;
      const received = readFrame(core.puntFrame(i));
      if (received.kind !== "icmp") continue;
      const { type, code, body } = received.message;
      core.icmpError(body, type, code, mtuOf(received.message), this.now);
    }
  }

  #start(): Core {
    const { module, local } = this.#settings;
    this.#startMs = this.#settings.startMs(this.config);
    const core = startCore(module, this.config, local, this.now);
    this.#core = core;
    return core;
  }
}

/** The MTU that a message tells; 0 if none. RFC 1191 section 4: in ICMP it takes the low half. */
function mtuOf({ source, type, rest }: IcmpMessage): number {
  if (typeof source === "number") return rest & 0xffff;
  return type === PACKET_TOO_BIG ? rest : 0;
}

/**
 * A core that has its address and knows its next hop.
 *
 * @param now Time of the core, ms.
 */
export function startCore(
  module: WebAssembly.Module,
  config: CoreConfig,
  local: Address,
  now: number,
): Core {
  const core = Core.start(module, config, seededRandom(KEYS_SEED));
  core.setAddress(0, local, BROADCAST);
  core.setNextHop(HOP, PEER_MAC, now);
  return core;
}

/** A record around a frame, as a device delivers it. */
export function recordOf(frame: Uint8Array): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER_BYTES + frame.length);
  new DataView(record.buffer).setUint32(0, record.length - 4, true);
  record.set(frame, RECORD_HEADER_BYTES);
  return record;
}

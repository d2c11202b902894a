/**
 * THE loop: the only place where a device, a clock and the core meet. It decides nothing; it carries.
 *
 * **A received segment.** device → `receive()` here copies the batch to the Rx region, unless the device did →
 * `core.ingest` → `rx/ingest` → `wire/*` → `conn/demux` → `rx/segment_arrives` → `acceptance` → `rst_syn` → `ack` →
 * `text` → `reassembly` → `fin` → `owed`, `events` → back here: `takeEvents` → `tcp/manager` → `connection.readInto`
 * copies to the reader → `core.consumed` → `core.flush` → device.
 *
 * **A sent byte.** `connection.write` copies to the span of `reserveSend` → `core.written` → `owed` → `wake()` here →
 * `core.flush` → `tx/output` → `usable_window` → `receive_window` → `build_segment` (copy and sum) → Tx batch → `flush()`
 * here → device. Its return: `rx/ack` → `loss/*` → writable event → the stream pulls.
 *
 * A *turn* is one run through: something arrives or is due, events are told, what is owed is flushed, one timer is armed.
 * Turns never nest. Callbacks run between calls of the core, so they may call it.
 */
import type { Core } from "../core/core.ts";
import type { IpAddress } from "../core/info_view.ts";
import type { CoreFault } from "../errors.ts";
import { BATCH_BYTES, OFFLOAD_LOOPED, RECORD_HEADER_BYTES } from "../layout/layout.gen.ts";
import type { Device } from "../link/device.ts";
import { OFFLOAD_ALL } from "../link/records.ts";
import type { Clock, Timer } from "./clock.ts";
import type { Deferral } from "./deferral.ts";
import { LoopedRecords } from "./looped.ts";
import type { Random } from "./random.ts";

/** A gap this far beyond an armed deadline means that nothing ran: a frozen tab, a sleeping machine. Ms. */
const SUSPENSION_MS = 2_000;

/** So far beyond its deadline no timer fires that the platform called as soon as it could, ms. */
const LATE_MS = 10;

/** Batches in one turn: whoever takes it at the other end does so while it is in the processor's cache, and others work too. */
const FLUSHES_PER_TURN = 1;

/**
 * Bytes that may come while an answer waits for a task of its own. An event loop may deliver a whole window in one task; a
 * sender that hears of it only afterwards has had nothing to send meanwhile, and we have nothing to receive next.
 */
const ANSWER_AFTER_BYTES: number = BATCH_BYTES;

/** Rounds of events and flush in one turn: callbacks that make events without end wait for the next. */
const ROUNDS_PER_TURN = 16;

/** `advance()` calls in one turn; each does bounded work. */
const ADVANCES_PER_TURN = 64;

/** Below this room not even the smallest Ethernet frame fits, bytes. */
const SMALLEST_RECORD_BYTES: number = RECORD_HEADER_BYTES + 60;

/** What a loop joins. */
export interface LoopParts {
  readonly core: Core;
  /** Closed with the loop. */
  readonly device: Device;
  readonly clock: Clock;
  readonly random: Random;
  /** Our MAC address, 6 bytes. */
  readonly mac: Uint8Array;
  /** How a turn is put off. Default: the clock, which a repeatable run needs. */
  readonly defer?: Deferral;
}

/** The loop; also what the network services send and name next hops through (`FramePort`). */
export class Loop {
  readonly clock: Clock;
  readonly random: Random;
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** A frame for the host, from its destination MAC on; valid during the call. Kind is a PUNT. */
  onPunt: (frame: Uint8Array, kind: number) => void = ignore;
  /** Something happened to a connection. `bits` are EVENT bits; `detail` as in `core.eventDetail()`. */
  onEvent: (handle: number, bits: number, detail: number) => void = ignore;
  /** The core is dead. Called once. */
  onFault: (fault: CoreFault) => void = ignore;
  /** The link came up or went down. */
  onLink: (up: boolean, reason: string) => void = ignore;
  readonly #core: Core;
  readonly #device: Device;
  readonly #defer: Deferral;
  /** What is to be sent may wait until the task has read what has come. */
  readonly #canWait: boolean;
  readonly #onTimer = (): void => this.#timerFired();
  readonly #onOverdue = (): void => this.#overdue();
  readonly #onSoon = (): void => this.#wakened(true);
  readonly #onLater = (): void => this.#wakened(false);
  /** OFFLOAD bits of the device. */
  #offload = 0;
  #timer: Timer | null = null;
  /** Deadline that the timer is armed for, ms. */
  #timerAt = Infinity;
  /** Time of the running or last turn, ms: the core never sees time run backwards. */
  #now: number;
  #busy = false;
  readonly #looped: LoopedRecords;
  #isComingSoon = false;
  #isComingLater = false;
  /** A turn was asked for since something came: the next one that is asked for can wait for what follows it. */
  #hasWoken = false;
  #wanted = false;
  #isOwingLater = false;
  #workLeft = false;
  /** Bytes of records that came since something was sent. */
  #heardBytes = 0;
  #cameUp = false;
  #closing = false;
  #closed = false;

  /** @param parts What it joins; nothing happens before `start()`. */
  constructor(parts: LoopParts) {
    this.clock = parts.clock;
    this.random = parts.random;
    this.mac = parts.mac;
    this.#looped = new LoopedRecords(parts.mac);
    this.mtu = parts.device.mtu;
    this.#core = parts.core;
    this.#device = parts.device;
    const byClock = (callback: () => void) => void this.clock.at(this.clock.now(), callback);
    this.#defer = parts.defer ?? { soon: byClock, later: byClock };
    this.#canWait = parts.defer !== undefined;
    this.#now = parts.clock.now();
    this.#core.onFault = (fault) => this.#fail(fault);
  }

  /** Whether the loop is closed or its core dead. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Whether a turn is running: we are within a callback. */
  get isBusy(): boolean {
    return this.#busy;
  }

  /**
   * Time for calls of the core, ms: one moment for a whole turn.
   *
   * @param canBeOld What is done now sets no timer: if a turn is coming, the moment at which it was asked for will do. To read
   * the clock takes as long as a call of the core.
   */
  now(canBeOld = false): number {
    const isOldEnough = canBeOld && (this.#isComingSoon || this.#isComingLater);
    if (!this.#busy && !isOldEnough) this.#now = Math.max(this.#now, this.clock.now());
    return this.#now;
  }

  /** Opens the device. */
  start(): void {
    this.#device.open({
      landing: this.#core.landing,
      receive: (batch) => this.receive(batch),
      ready: () => this.wake(),
      up: () => this.#up(),
      down: (reason) => this.#tellLink(false, reason),
    });
    this.#heedOffload();
  }

  /**
   * Records arrived.
   *
   * @param batch Records end to end; copied before this returns.
   * @throws {TypeError} If a device delivers within one of our calls of it.
   */
  receive(batch: Uint8Array): void {
    if (this.#closed || batch.length === 0) return;
    this.#enter("receive records");
    this.#hasWoken = false;
    try {
      const lateMs = this.#now - this.#timerAt;
      if (lateMs > SUSPENSION_MS) this.#advance(lateMs);
      for (let at = 0; at < batch.length;) {
        at = this.#core.ingest(batch, this.#now, at);
        this.#tellPunts();
      }
      this.#heardBytes += batch.length;
      const isOverdue = this.#isComingLater && this.#heardBytes > ANSWER_AFTER_BYTES;
      this.#settle(this.#canWait && !isOverdue);
    } catch (error) {
      this.#caught(error);
    } finally {
      this.#leave();
    }
  }

  /**
   * Asks for one turn soon: a connection was written to, read from or closed. Cheap when one is coming anyway.
   *
   * The first one after something came is taken at once, so that an answer does not wait. Who goes on asking moves data in
   * bulk: those turns are taken by tasks of their own, each for all that was written and read until then.
   *
   * @param canWait Nobody waits for it, as when a window has opened: a task of its own will do. Within a turn of a stack in
   * real time it asks for nothing: what is owed is seen at its end.
   */
  wake(canWait = false): void {
    if (this.#busy) this.#wanted ||= !canWait || !this.#canWait;
    else if (this.#isComingSoon || this.#closed) return;
    else if (!canWait && !this.#hasWoken) {
      this.#hasWoken = true;
      this.#isComingSoon = true;
      this.#defer.soon(this.#onSoon);
    } else if (!this.#isComingLater) {
      this.#isComingLater = true;
      this.#defer.later(this.#onLater);
    }
  }

  /** Takes a turn at once: what is due, events, flush. For callers that must not wait, such as a close. */
  poll(): void {
    if (this.#closed) return;
    this.#enter("poll");
    this.#turn(this.#workLeft || this.#now >= this.#timerAt);
  }

  /** Stops: no callbacks any more, the device is closed; at the end of the turn if one is running. Idempotent. */
  close(): void {
    if (this.#closed) return;
    if (this.#busy) {
      this.#closing = true;
      return;
    }
    this.#stop();
    this.#device.close();
  }

  // What the network services need.

  /** Queues an Ethernet frame for the next flush. @returns False if there was no room for it. */
  sendFrame(frame: Uint8Array): boolean {
    if (this.#closed) return false;
    const isQueued = this.#core.sendFrame(frame);
    this.wake();
    return isQueued;
  }

  /** Gives the core a frame as if it had come by the link, in this turn or the next. */
  inject(frame: Uint8Array): void {
    if (this.#closed) return;
    this.#looped.inject(frame);
    this.wake();
  }

  /** Slots that connections send through. */
  usedHops(): ReadonlySet<number> {
    return this.#core.tcbs.usedHops();
  }

  /** Sets the largest packet of connections to come, bytes. */
  setMtu(bytes: number): void {
    if (!this.#closed) this.#core.setMtu(bytes);
  }

  /** Makes a next hop that is ourselves: what goes there comes back, and never reaches the device. */
  loopBack(slot: number): void {
    this.#looped.begin();
    this.setNextHop(slot, this.mac);
  }

  /** Runs a function in a task of its own, soon. */
  later(callback: () => void): void {
    this.#defer.later(callback);
  }

  /** Names the MAC of a next hop, or (with null) says that it is not known. */
  setNextHop(slot: number, mac: Uint8Array | null): void {
    if (this.#closed) return;
    this.#core.setNextHop(slot, mac, this.now());
    this.wake();
  }

  /** Makes an address ours, or (with null) frees the index. */
  setAddress(index: number, address: IpAddress | null, broadcast: number): void {
    if (this.#closed) return;
    this.#core.setAddress(index, address, broadcast);
  }

  /** Hands the quoted packet of an ICMP error to the core. */
  icmpError(type: number, code: number, mtu: number, quoted: Uint8Array): void {
    if (this.#closed) return;
    this.#core.icmpError(quoted, type, code, mtu, this.now());
    this.wake();
  }

  // Turns.

  #timerFired(): void {
    this.#timer = null;
    // Who stood still finds the timers first, and behind them what came meanwhile: what is acknowledged there was not lost.
    // One task lets a device look, the next one lets it deliver.
    const isLate = this.clock.now() - this.#timerAt > LATE_MS;
    if (isLate) this.#defer.later(() => this.#defer.later(this.#onOverdue));
    else this.#overdue();
  }

  #overdue(): void {
    // Where there is a timer again, what came has taken the turn.
    if (this.#closed || this.#timer !== null) return;
    this.#enter("take a timer");
    this.#hasWoken = false;
    this.#turn(true);
  }

  #wakened(isSoon: boolean): void {
    if (isSoon) this.#isComingSoon = false;
    else this.#isComingLater = false;
    if (this.#closed) return;
    this.#enter("wake");
    this.#turn(this.#workLeft);
  }

  /** Begins a turn. A second one inside of it would overwrite what the first one reads: a broken device is found here. */
  #enter(what: string): void {
    if (this.#busy) throw new TypeError(`Cannot ${what} within a turn of the loop`);
    this.now();
    this.#busy = true;
    this.#wanted = false;
  }

  #leave(): void {
    this.#busy = false;
    if (this.#closing) this.close();
    else if (this.#wanted) this.wake();
    else if (this.#isOwingLater) this.wake(true);
    this.#isOwingLater = false;
  }

  #turn(isDue: boolean): void {
    try {
      if (this.#cameUp) this.#core.linkUp(this.#now);
      this.#cameUp = false;
      if (isDue) {
        const lateMs = this.#now - this.#timerAt;
        this.#advance(lateMs > SUSPENSION_MS ? lateMs : 0);
      }
      this.#settle(false);
    } catch (error) {
      this.#caught(error);
    } finally {
      this.#leave();
    }
  }

  /** Does what is due. The timer has done its duty. */
  #advance(suspendedMs: number): void {
    this.#disarm();
    this.#workLeft = this.#core.advance(this.#now, suspendedMs);
    for (let i = 1; this.#workLeft && i < ADVANCES_PER_TURN; i++) {
      this.#workLeft = this.#core.advance(this.#now, 0);
    }
    if (this.#workLeft) this.#wanted = true;
  }

  /**
   * Tells events and flushes until both are quiet, then arms the timer.
   *
   * @param canWait Who was told of something reads it when this task goes on: the acknowledgment and the window that this
   * opens leave together, by a task of their own, unless a callback has something to send at once or much has come since.
   */
  #settle(canWait: boolean): void {
    for (let round = 0; round < ROUNDS_PER_TURN; round++) {
      this.#ingestLooped();
      const events = this.#tellEvents();
      if (this.#closed || (round > 0 && events === 0 && !this.#wanted)) break;
      if (canWait && events > 0 && !this.#wanted && !this.#workLeft) {
        this.#isOwingLater = this.#core.isOwing;
        break;
      }
      this.#wanted = this.#workLeft;
      const isLeft = this.#core.isOwing && this.#flush();
      if (isLeft || this.#workLeft) break;
    }
    if (!this.#closed) this.#arm();
  }

  /** Takes in what has not come by the link. */
  #ingestLooped(): void {
    if (!this.#looped.isWaiting) return;
    for (const record of this.#looped.takeInjected()) this.#ingestOwn(record);
    const own = this.#looped.takeOwn();
    if (own.length === 0) return;
    this.#core.setOffload(this.#offload | OFFLOAD_LOOPED);
    for (const records of own) this.#ingestOwn(records);
    this.#core.setOffload(this.#offload);
  }

  #ingestOwn(records: Uint8Array): void {
    this.#core.ingest(records, this.#now);
    this.#tellPunts();
  }

  #tellPunts(): void {
    const count = this.#core.puntCount;
    for (let i = 0; i < count && !this.#closed; i++) {
      try {
        this.onPunt(this.#core.puntFrame(i), this.#core.puntKind(i));
      } catch (error) {
        this.#caught(error);
      }
    }
  }

  #tellEvents(): number {
    const core = this.#core;
    if (!core.hasEvents) return 0;
    const count = core.takeEvents();
    for (let i = 0; i < count && !this.#closed; i++) {
      try {
        this.onEvent(core.eventHandle(i), core.eventBits(i), core.eventDetail(i));
      } catch (error) {
        this.#caught(error);
      }
    }
    return count;
  }

  /** Sends what is owed while the device has room; `ready()` goes on when it has not. @returns Whether more is for the next turn. */
  #flush(): boolean {
    for (let i = 0; i < FLUSHES_PER_TURN; i++) {
      const room = Math.min(this.#device.room(), BATCH_BYTES);
      if (room < SMALLEST_RECORD_BYTES) {
        // Until `ready()` another turn would come as far.
        this.#hasWoken = true;
        return false;
      }
      const batch = this.#core.flush(room, this.#now);
      if (batch.length > 0) {
        this.#heardBytes = 0;
        const leaving = this.#looped.divert(batch);
        if (leaving.length > 0) this.#device.send(leaving);
        if (this.#looped.isWaiting) this.#wanted = true;
        this.#hasWoken = true;
      }
      if (!this.#core.more || this.#closed) return false;
      // Nothing fits: a record may be as large as half a batch.
      if (batch.length === 0 && room < BATCH_BYTES) return false;
    }
    this.#wanted = true;
    return true;
  }

  /** One timer. A later deadline leaves the earlier timer alone: to fire once in vain is cheaper than to arm anew. */
  #arm(): void {
    const next = this.#core.nextDeadline();
    if (next >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = next;
    this.#timer = this.clock.at(next, this.#onTimer);
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerAt = Infinity;
  }

  #up(): void {
    this.#heedOffload();
    this.#cameUp = true;
    this.#tellLink(true, "");
    this.wake();
  }

  /** What records may ask for is the link's affair: with whom it talks may change. */
  #heedOffload(): void {
    this.#offload = (this.#device.offload ?? 0) & OFFLOAD_ALL;
    if (!this.#closed) this.#core.setOffload(this.#offload);
  }

  #tellLink(up: boolean, reason: string): void {
    if (this.#closed) return;
    try {
      this.onLink(up, reason);
    } catch (error) {
      this.#caught(error);
    }
  }

  /** A callback threw: the loop goes on, and the error surfaces as one of an event handler does. */
  #caught(error: unknown): void {
    if (error === this.#core.fault) return;
    this.clock.at(this.clock.now(), () => {
      throw error;
    });
  }

  #fail(fault: CoreFault): void {
    if (this.#closed) return;
    this.#stop();
    this.onFault(fault);
    this.#device.close();
  }

  #stop(): void {
    this.#closed = true;
    this.#disarm();
  }
}

function ignore(): void {}

/** Rules of one stack: those of its connections, a timer for everything that waits, and 2 MSL for everything that rests. */
import type { Core } from "../core/core.ts";
import {
  FLAG_TIMER_PERSIST,
  FLAG_TIMER_REORDER,
  FLAG_TIMER_RETRANSMIT,
  FLAG_TIMER_TAIL,
  STATE_CLOSE_WAIT,
  STATE_CLOSED,
  STATE_CLOSING,
  STATE_ESTABLISHED,
  STATE_FIN_WAIT_1,
  STATE_LAST_ACK,
  STATE_TIME_WAIT,
  TCB_OWED,
  TCB_REMOTE_ADDR_B,
  TCB_SND_END,
  TCB_SND_NXT,
  TCB_SND_UNA,
} from "../layout/layout.gen.ts";
import { FlowRules, type RuleSurroundings } from "./flow_rules.ts";
import { ahead, SegmentView } from "./segment.ts";

/** Where the last byte of an IPv4 address stands in the second half of a mapped one. */
const LAST_BYTE = 7;
/** Timers that send what is not acknowledged, or go on to one that does. */
const WATCHING: number = FLAG_TIMER_RETRANSMIT | FLAG_TIMER_PERSIST | FLAG_TIMER_TAIL |
  FLAG_TIMER_REORDER;

/** What the rules of a stack depend on. */
export interface HostRulesParts {
  readonly core: Core;
  readonly mac: Uint8Array;
  /** Nothing stops its clock: what takes time can be judged. */
  readonly isSteady: boolean;
  /** TIME-WAIT may be cut short: its records run out, or a tuple is used again. */
  readonly mayCutTimeWait: boolean;
  /** Smallest time to any other host and back, ms. */
  readonly pathMs: number;
  now(): number;
  /** A rule was broken. */
  complain(rule: string): void;
}

/** The watcher of one stack. */
export class HostRules {
  readonly #parts: HostRulesParts;
  readonly #on: RuleSurroundings;
  readonly #segment = new SegmentView();
  /** By the slot. */
  readonly #flows = new Map<number, FlowRules>();
  /** When the TIME-WAITs that there are began, oldest first. */
  readonly #timeWaits: number[] = [];
  #isTouched = false;

  /** @param parts What the rules depend on. */
  constructor(parts: HostRulesParts) {
    this.#parts = parts;
    const { tcbs, config } = parts.core;
    this.#on = { ...parts, tcbs, keepIdleMs: config.keepIdleMs, now: () => parts.now() };
  }

  /** Something of the stack runs: it is to be looked at after this step. */
  touch(): void {
    this.#isTouched = true;
  }

  /** A frame is about to be delivered. */
  onReceived(frame: Uint8Array): void {
    this.#isTouched = true;
    const segment = this.#segment;
    // What is damaged or meant for others the stack does not take.
    if (this.#parts.mac.some((byte, i) => frame[i] !== byte)) return;
    if (!segment.read(frame) || !segment.isSumGood) return;
    const { destinationPort, sourceAddress, sourcePort } = segment;
    this.#flow(destinationPort, sourceAddress & 0xff, sourcePort)?.onReceived(segment);
  }

  /** A frame leaves. */
  onSent(frame: Uint8Array): void {
    this.#isTouched = true;
    const segment = this.#segment;
    if (!segment.read(frame)) return;
    const { sourcePort, destinationAddress, destinationPort } = segment;
    this.#flow(sourcePort, destinationAddress & 0xff, destinationPort)?.onSent(segment);
  }

  /** A step of the world is over. */
  onStep(): void {
    if (!this.#isTouched) return;
    this.#isTouched = false;
    const { tcbs } = this.#parts.core;
    let resting = tcbs.live().timeWaits;
    const { slots } = tcbs;
    for (let slot = 0; slot < slots; slot++) {
      if (!tcbs.isUsed(slot)) continue;
      const state = tcbs.state(slot);
      if (state === STATE_TIME_WAIT) resting++;
      const isSynchronized = state >= STATE_ESTABLISHED && state !== STATE_TIME_WAIT;
      this.#flowAt(slot).onStep(isSynchronized);
      if (isSynchronized) this.#checkTimers(slot, state);
    }
    this.#checkTimeWaits(resting);
  }

  /** Something waits and nothing is owed or due: nobody would look at it again. RFC 6298 section 5.1, RFC 9293 section 3.8.6.1. */
  #checkTimers(slot: number, state: number): void {
    const { tcbs } = this.#parts.core;
    const sends = state === STATE_ESTABLISHED || state === STATE_CLOSE_WAIT ||
      state === STATE_FIN_WAIT_1 || state === STATE_CLOSING || state === STATE_LAST_ACK;
    if (!sends || tcbs.u8(slot, TCB_OWED) !== 0 || (tcbs.flags(slot) & WATCHING) !== 0) return;
    const next = tcbs.u32(slot, TCB_SND_NXT);
    const waits = tcbs.u32(slot, TCB_SND_UNA) !== next ||
      ahead(next, tcbs.u32(slot, TCB_SND_END)) > 0;
    if (waits) this.#parts.complain(`port ${tcbs.localPort(slot)}: text waits without a timer`);
  }

  /** RFC 9293 section 3.4.3 (MUST-13): 2 MSL at least. */
  #checkTimeWaits(count: number): void {
    const { core, isSteady, mayCutTimeWait, now, complain } = this.#parts;
    const begun = this.#timeWaits;
    while (begun.length < count) begun.push(now());
    while (begun.length > count) {
      const restedMs = now() - (begun.shift() ?? 0);
      if (!isSteady || mayCutTimeWait || restedMs >= (2 * core.config.mslMs) - 1) continue;
      complain(`TIME-WAIT has lasted for ${restedMs.toFixed(0)} ms (MUST-13)`);
    }
  }

  #flow(localPort: number, host: number, remotePort: number): FlowRules | null {
    const { tcbs } = this.#parts.core;
    const { slots } = tcbs;
    for (let slot = 0; slot < slots; slot++) {
      if (tcbs.localPort(slot) !== localPort || tcbs.remotePort(slot) !== remotePort) continue;
      if (!tcbs.isUsed(slot) || tcbs.u8(slot, TCB_REMOTE_ADDR_B + LAST_BYTE) !== host) continue;
      // One whose end its user has not seen may stand beside the one that is meant.
      if (tcbs.state(slot) !== STATE_CLOSED) return this.#flowAt(slot);
    }
    return null;
  }

  #flowAt(slot: number): FlowRules {
    const known = this.#flows.get(slot);
    if (known !== undefined && known.handle === this.#on.tcbs.handle(slot)) return known;
    const flow = new FlowRules(this.#on, slot);
    this.#flows.set(slot, flow);
    return flow;
  }
}

/**
 * Two cores and a wire between them that is a copy from one memory to the other: what bulk, churn and idle run over. No
 * stream, no promise, no clock but a number.
 */
import { Core } from "../core/core.ts";
import { type CoreConfig, coreConfig } from "../core/core_config.ts";
import { BATCH_BYTES } from "../layout/layout.gen.ts";
import type { Random } from "../runtime/random.ts";
import { seededRandom } from "../runtime/seeded_random.ts";
import { Unavailable } from "./bench_case.ts";

/** Largest IP packet of Ethernet, bytes. RFC 894. */
export const MTU = 1500;

/** 10.0.0.1 and 10.0.0.2. */
export const ADDRESS_A = 0x0a00_0001;
export const ADDRESS_B = 0x0a00_0002;

const BROADCAST = 0x0a00_00ff;

/** The one next hop that either core has. */
export const HOP = 1;

/** Where virtual time begins, ms. */
export const START_MS = 1_000;

/** OFFLOAD bits: super-segments of TCP over IPv4 and IPv6. */
export const OFFLOAD_TCP: number = 2 | 4;

/** OFFLOAD bit: checksums may stay partial. */
export const OFFLOAD_CHECKSUM = 1;

/** Bytes of a record's length field. */
const LENGTH_BYTES = 4;

/** What a core of the pair shall have beside the defaults. */
export type Given = Partial<CoreConfig>;

/** Loses frames on their way. @returns How many records from now on arrive before the next one is lost. */
export type LossRule = () => number;

/**
 * Loses 1 frame of so many, by the seed: the gap between two losses is drawn evenly around its mean.
 *
 * @param random Where from.
 * @param oneOf Mean of records per lost one.
 */
export function lossRule(random: Random, oneOf: number): LossRule {
  const range = (2 * oneOf) - 1;
  return () => random.next() % range;
}

/** Two cores that know each other. */
export class TwoCores {
  readonly a: Core;
  readonly b: Core;
  /** Virtual time, ms. */
  now: number = START_MS;
  /** Records that were lost from A to B. */
  lost = 0;
  readonly #rule: LossRule | null;
  #untilLoss = 0;

  /**
   * Starts them.
   *
   * @param module The compiled core.
   * @param given What differs from the defaults, of both.
   * @param offload OFFLOAD bits that the wire has; 0 = none.
   * @param rule Loses frames from A to B; null = loses none.
   */
  constructor(
    module: WebAssembly.Module,
    given: Given = {},
    offload = 0,
    rule: LossRule | null = null,
  ) {
    this.a = start(module, given, 1, ADDRESS_A, offload);
    this.b = start(module, given, 2, ADDRESS_B, offload);
    this.#rule = rule;
    if (rule !== null) this.#untilLoss = rule();
  }

  /** Moves what A owes to B, at most so many batches. @returns Whether there was anything. */
  toB(batches: number = Infinity): boolean {
    const rule = this.#rule;
    return rule === null ? move(this.a, this.b, this.now, batches) : this.#moveLossy(rule, batches);
  }

  /** Moves everything that B owes to A. @returns Whether there was anything. */
  toA(): boolean {
    return move(this.b, this.a, this.now, Infinity);
  }

  /** Lets time pass and does what is due. */
  pass(ms: number): void {
    this.now += ms;
    while (this.a.advance(this.now)) this.toB();
    while (this.b.advance(this.now)) this.toA();
  }

  /** Lets time pass until one of them has something to do. @throws {Error} If neither ever will. */
  passToDeadline(): void {
    const at = Math.min(this.a.nextDeadline(), this.b.nextDeadline());
    if (at === Infinity) throw new Error("Cannot go on: both cores wait for each other for ever");
    this.pass(Math.max(0, at - this.now));
  }

  #moveLossy(rule: LossRule, batches: number): boolean {
    let any = false;
    do {
      const batch = this.a.flush(BATCH_BYTES, this.now);
      if (batch.length === 0) return any;
      any = true;
      let from = 0;
      for (let at = 0; at < batch.length;) {
        const next = at + LENGTH_BYTES + lengthAt(batch, at);
        if (this.#untilLoss-- === 0) {
          this.#ingest(batch, from, at);
          this.#untilLoss = rule();
          this.lost++;
          from = next;
        }
        at = next;
      }
      this.#ingest(batch, from, batch.length);
    } while (this.a.more && --batches > 0);
    return any;
  }

  #ingest(batch: Uint8Array, from: number, to: number): void {
    if (from === to) return;
    const part = batch.subarray(from, to);
    for (let at = 0; at < part.length;) at = this.b.ingest(part, this.now, at);
  }
}

function lengthAt(batch: Uint8Array, at: number): number {
  return (batch[at] ?? 0) | ((batch[at + 1] ?? 0) << 8) | ((batch[at + 2] ?? 0) << 16);
}

function move(from: Core, to: Core, now: number, batches: number): boolean {
  let any = false;
  do {
    const batch = from.flush(BATCH_BYTES, now);
    if (batch.length === 0) return any;
    any = true;
    for (let at = 0; at < batch.length;) at = to.ingest(batch, now, at);
  } while (from.more && --batches > 0);
  return any;
}

/** A core that can take an offload; until the core itself has it, such a case says that it can not run. */
interface Offloading {
  setOffload(bits: number): unknown;
}

/** Whether this core knows super-segments at all. */
export function canOffload(core: object): core is Offloading {
  return "setOffload" in core;
}

function start(
  module: WebAssembly.Module,
  given: Given,
  number: number,
  address: number,
  offload: number,
): Core {
  const mac = macOf(number);
  const core = Core.start(module, coreConfig({ mac, mtu: MTU, ...given }), seededRandom(number));
  core.setAddress(0, address, BROADCAST);
  core.setNextHop(HOP, macOf(3 - number), START_MS);
  if (offload !== 0) {
    const link: object = core;
    if (!canOffload(link)) {
      throw new Unavailable("Cannot run over super-segments: this core has no setOffload()");
    }
    link.setOffload(offload);
  }
  return core;
}

/** A MAC address that nobody has registered. */
function macOf(number: number): Uint8Array {
  return new Uint8Array([2, 0, 0, 0, 0, number]);
}

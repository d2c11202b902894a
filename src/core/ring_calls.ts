/**
 * Bytes between the user's buffers and the rings: one copy each way, made here, because the core sees no memory but its own.
 * A ring lies in at most two pieces; a view is made only of a part that is not all there is.
 */
import {
  FEW_BYTES,
  PARAM_SIZE,
  SPANS_BYTES0,
  SPANS_BYTES1,
  SPANS_PTR0,
  SPANS_PTR1,
} from "../layout/layout.gen.ts";
import type { Regions } from "./boot.ts";
import type { CoreExports } from "./core_exports.ts";

/** Few bytes are copied one by one, without a view and without a call of the engine. */
function copyFew(to: Uint8Array, at: number, from: Uint8Array, start: number, bytes: number): void {
  for (let i = 0; i < bytes; i++) to[at + i] = from[start + i] ?? 0;
}

/** The data calls of one core. What traps here passes through. */
export class RingCalls {
  readonly #calls: CoreExports;
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  readonly #spans: number;
  readonly #scratch: number;

  /**
   * @param calls The core's exports.
   * @param memory All of linear memory.
   * @param view The same.
   * @param regions Where Spans and Param lie.
   */
  constructor(calls: CoreExports, memory: Uint8Array, view: DataView, regions: Regions) {
    this.#calls = calls;
    this.#memory = memory;
    this.#view = view;
    this.#spans = regions.spans;
    this.#scratch = regions.param + PARAM_SIZE;
  }

  /** Copies into the send ring. @returns Bytes taken. */
  send(slot: number, generation: number, data: Uint8Array, now: number): number {
    if (data.length <= FEW_BYTES) {
      copyFew(this.#memory, this.#scratch, data, 0, data.length);
      return this.#calls.sendFew(slot, generation, data.length, now);
    }
    const granted = this.#calls.reserveSend(slot, generation, data.length);
    if (granted <= 0) return 0;
    const first = Math.min(granted, this.#read(SPANS_BYTES0));
    const ptr0 = this.#read(SPANS_PTR0);
    this.#memory.set(first === data.length ? data : data.subarray(0, first), ptr0);
    if (granted > first) {
      this.#memory.set(data.subarray(first, granted), this.#read(SPANS_PTR1));
    }
    this.#calls.written(slot, generation, granted, now);
    return granted;
  }

  /** Copies out of the receive ring. @returns How many bytes. */
  receive(slot: number, generation: number, into: Uint8Array, now: number): number {
    const few = this.#calls.receiveFew(slot, generation, into.length, now);
    if (few >= 0) {
      copyFew(into, 0, this.#memory, this.#scratch, few);
      return few;
    }
    const wanted = Math.min(into.length, -few);
    const first = Math.min(wanted, this.#read(SPANS_BYTES0));
    const ptr0 = this.#read(SPANS_PTR0);
    into.set(this.#memory.subarray(ptr0, ptr0 + first), 0);
    if (wanted > first) {
      const second = Math.min(wanted - first, this.#read(SPANS_BYTES1));
      const ptr1 = this.#read(SPANS_PTR1);
      into.set(this.#memory.subarray(ptr1, ptr1 + second), first);
    }
    this.#calls.consumed(slot, generation, wanted, now);
    return wanted;
  }

  #read(offset: number): number {
    return this.#view.getUint32(this.#spans + offset, true);
  }
}

/** Frames from us to us: taken out of what a flush has built, and given back to the core instead of to the link. */
import { forEachRecord, frameBytesAt, RECORD_HEADER_BYTES, writeRecord } from "../link/records.ts";

/** Frames of the host's own that wait. Full: further ones are lost, as on a link. */
export const INJECTED_MAX = 256;

const MAC_BYTES = 6;

/** What waits to be given to the core. What a flush adds is at most a batch; the next round takes it. */
export class LoopedRecords {
  readonly #mac: Uint8Array;
  #isOn = false;
  #own: Uint8Array[] = [];
  #injected: Uint8Array[] = [];

  /** @param mac Our MAC address: frames to it never leave. */
  constructor(mac: Uint8Array) {
    this.#mac = mac;
  }

  /** Whether something waits. */
  get isWaiting(): boolean {
    return this.#own.length > 0 || this.#injected.length > 0;
  }

  /** From now on there may be frames from us to us; before, batches are not looked into. */
  begin(): void {
    this.#isOn = true;
  }

  /** Keeps a frame of the host's. */
  inject(frame: Uint8Array): void {
    if (this.#injected.length >= INJECTED_MAX) return;
    const record = new Uint8Array(RECORD_HEADER_BYTES + frame.length);
    writeRecord(record, 0, frame);
    this.#injected.push(record);
  }

  /** @returns Records that are as if they had come by the link. */
  takeInjected(): Uint8Array[] {
    return this.#injected.length === 0 ? this.#injected : this.#injected.splice(0);
  }

  /** @returns Records from us to us. */
  takeOwn(): Uint8Array[] {
    return this.#own.length === 0 ? this.#own : this.#own.splice(0);
  }

  /** Keeps what is for us. @param batch Records that were built. @returns The others. */
  divert(batch: Uint8Array): Uint8Array {
    if (!this.#isOn) return batch;
    let ownBytes = 0;
    forEachRecord(batch, (offset, bytes) => {
      if (this.#isOwn(batch, offset)) ownBytes += RECORD_HEADER_BYTES + bytes;
    });
    if (ownBytes === 0) return batch;
    const own = new Uint8Array(ownBytes);
    const others = new Uint8Array(batch.length - ownBytes);
    let ownAt = 0;
    let othersAt = 0;
    // What the core builds is well-formed, and each turn moves on by a record.
    for (let at = 0; at < batch.length;) {
      const end = at + RECORD_HEADER_BYTES + frameBytesAt(batch, at);
      const record = batch.subarray(at, end);
      if (this.#isOwn(batch, at + RECORD_HEADER_BYTES)) {
        own.set(record, ownAt);
        ownAt += record.length;
      } else {
        others.set(record, othersAt);
        othersAt += record.length;
      }
      at = end;
    }
    this.#own.push(own);
    return others;
  }

  #isOwn(batch: Uint8Array, frameAt: number): boolean {
    for (let at = 0; at < MAC_BYTES; at++) {
      if (batch[frameAt + at] !== this.#mac[at]) return false;
    }
    return true;
  }
}

/**
 * Where messages for a socket are built: one behind another in large buffers, which are used again once the socket has let
 * go of what was in them. So a message costs one copy, and neither an allocation nor work for the collector.
 */
import { BATCH_BYTES } from "./records.ts";

/** What a message may have beside a batch, bytes: the longest frame header of RFC 6455 section 5.2, rounded up. */
export const MESSAGE_EXTRA_BYTES = 16;

const MESSAGE_MAX_BYTES: number = BATCH_BYTES + MESSAGE_EXTRA_BYTES;

/** Bytes of a slab. */
const SLAB_BYTES: number = 4 * MESSAGE_MAX_BYTES;

/** Slabs that are kept for the next message, by all outboxes together. */
const SPARE_SLABS = 8;

/** Messages begin at multiples of this, bytes. */
const ALIGN_BYTES = 16;

/** A buffer of messages. */
interface Slab {
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** Messages that the socket still holds. */
  unsent: number;
  /** Whose current one it is; null = it is full, or nobody's any more. */
  owner: Outbox | null;
  /** Called for each message once the socket needs it no more. */
  readonly sent: () => void;
}

const spares: Slab[] = [];

function newSlab(): Slab {
  const slab: Slab = {
    buffer: new Uint8Array(SLAB_BYTES),
    unsent: 0,
    owner: null,
    sent: () => {
      slab.unsent--;
      if (slab.unsent > 0) return;
      if (slab.owner === null) spare(slab);
      else slab.owner.isEmpty(slab);
    },
  };
  return slab;
}

/** One whose messages the socket still holds is left to the collector. */
function spare(slab: Slab): void {
  if (slab.unsent === 0 && spares.length < SPARE_SLABS) spares.push(slab);
}

/** Messages of one socket. */
export class Outbox {
  /** Bytes of the message that is being built. */
  bytes = 0;
  #slab: Slab | null = null;
  #at = 0;

  /** Adds to the message that is being built, which is at most a batch and {@linkcode MESSAGE_EXTRA_BYTES} altogether. */
  put(bytes: Uint8Array): void {
    this.#current().buffer.set(bytes, this.#at + this.bytes);
    this.bytes += bytes.length;
  }

  /** Adds one byte. */
  putByte(byte: number): void {
    this.#current().buffer[this.#at + this.bytes] = byte;
    this.bytes++;
  }

  /** Forgets the message that is being built. */
  drop(): void {
    this.bytes = 0;
  }

  /** The message that is being built. */
  peek(): Uint8Array<ArrayBuffer> {
    return this.#current().buffer.subarray(this.#at, this.#at + this.bytes);
  }

  /**
   * Ends the message.
   *
   * @param send Gets it, and what to call once the socket needs it no more, also when it could not be sent.
   */
  take(send: (message: Uint8Array<ArrayBuffer>, sent: () => void) => void): void {
    const slab = this.#current();
    const message = this.peek();
    this.#at += Math.ceil(this.bytes / ALIGN_BYTES) * ALIGN_BYTES;
    this.bytes = 0;
    slab.unsent++;
    if (SLAB_BYTES - this.#at < MESSAGE_MAX_BYTES) this.#leave();
    send(message, slab.sent);
  }

  /** Lets go of everything; messages that were taken stay whole until they are sent. */
  close(): void {
    this.bytes = 0;
    const slab = this.#slab;
    this.#leave();
    if (slab !== null) spare(slab);
  }

  /** Nothing of the current slab is in use: the next message begins at its start, where the cache is warm. */
  isEmpty(slab: unknown): void {
    if (this.#slab === slab && this.bytes === 0) this.#at = 0;
  }

  #current(): Slab {
    if (this.#slab === null) {
      this.#slab = spares.pop() ?? newSlab();
      this.#slab.owner = this;
    }
    return this.#slab;
  }

  #leave(): void {
    if (this.#slab !== null) this.#slab.owner = null;
    this.#slab = null;
    this.#at = 0;
  }
}

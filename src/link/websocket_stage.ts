/**
 * Gathers what is sent within a turn of the event loop, so that it leaves as one message, or as several full ones: each
 * message costs its sender some 25 µs in Node and Deno and 60 µs in a tab, whatever is in it.
 */
import { immediate } from "../runtime/immediate.ts";
import { BATCH_BYTES } from "./records.ts";

/**
 * Bytes that may come while something waits: what is put then is an answer whose sender has waited for it long enough, as a
 * task may deliver a whole window.
 */
const ANSWER_AFTER_BYTES: number = BATCH_BYTES;

/** A batch that is being gathered. */
export class Stage {
  readonly #buffer: Uint8Array;
  readonly #leave: (bytes: number) => void;
  readonly #turn = (): void => {
    this.#isPending = false;
    this.flush();
  };
  #bytes = 0;
  #isPending = false;
  /** Bytes that came since something left. */
  #heardBytes = 0;

  /**
   * @param buffer Where it is gathered, BATCH_BYTES.
   * @param leave Sends the first bytes of the buffer.
   */
  constructor(buffer: Uint8Array, leave: (bytes: number) => void) {
    this.#buffer = buffer;
    this.#leave = leave;
  }

  /** Bytes that did not leave yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds records. @param batch At most a batch; copied. */
  put(batch: Uint8Array): void {
    if (this.#bytes + batch.length > BATCH_BYTES) this.flush();
    this.#buffer.set(batch, this.#bytes);
    this.#bytes += batch.length;
    if (this.#heardBytes > ANSWER_AFTER_BYTES) this.flush();
    else this.#nextTurn();
  }

  /** Something came in. */
  heard(bytes: number): void {
    this.#heardBytes += bytes;
  }

  /** Sends what is here at once. */
  flush(): void {
    const bytes = this.#bytes;
    this.#heardBytes = 0;
    this.#bytes = 0;
    if (bytes > 0) this.#leave(bytes);
  }

  /** Forgets what is here. */
  drop(): void {
    this.#bytes = 0;
  }

  #nextTurn(): void {
    if (this.#isPending) return;
    this.#isPending = true;
    immediate(this.#turn);
  }
}

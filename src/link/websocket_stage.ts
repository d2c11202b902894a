/**
 * Gathers what is sent within a turn of the event loop, so that it leaves as one message, or as several full ones: each
 * message costs its sender some 25 µs in Node and Deno and 60 µs in a tab, whatever is in it.
 */
import { immediate } from "../runtime/immediate.ts";
import { BATCH_BYTES } from "./records.ts";

/** What waits is taken for acknowledgments up to this, bytes, and waits for others up to so many turns. */
const ANSWER_MAX_BYTES = 1024;
const TURNS_MAX = 4;

/** A batch that is being gathered. */
export class Stage {
  readonly #buffer: Uint8Array;
  readonly #leave: (bytes: number) => void;
  readonly #turn = (): void => this.#endTurn();
  #bytes = 0;
  #isPending = false;
  /** Messages came since the last look. */
  #isHearing = false;
  /** Turns that what is here has waited. */
  #turns = 0;

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
    this.#nextTurn();
  }

  /** Messages come in: what answers them may wait for the next ones, as long as these are there already. */
  heard(): void {
    this.#isHearing = true;
  }

  /** Sends what is here at once. */
  flush(): void {
    const bytes = this.#bytes;
    this.#turns = 0;
    this.#bytes = 0;
    if (bytes > 0) this.#leave(bytes);
  }

  /** Forgets what is here. */
  drop(): void {
    this.#bytes = 0;
  }

  /** Small answers to a stream wait a few turns for each other, in which nothing sleeps; everything else leaves. */
  #endTurn(): void {
    this.#isPending = false;
    const isAnswer = this.#isHearing && this.#bytes <= ANSWER_MAX_BYTES;
    this.#isHearing = false;
    if (!isAnswer || this.#turns >= TURNS_MAX) return this.flush();
    this.#turns++;
    this.#nextTurn();
  }

  #nextTurn(): void {
    if (this.#isPending) return;
    this.#isPending = true;
    immediate(this.#turn);
  }
}

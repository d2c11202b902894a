/** Tells when nothing has happened for a while: `socket.setTimeout()`. */
import { unref } from "./later.ts";

/** A timer that activity puts off without being armed anew. */
export class Inactivity {
  readonly #isBusy: () => boolean;
  readonly #onTimeout: () => void;
  #timeoutMs = 0;
  #lastMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param isBusy Whether something happens all the same, such as a long write that advances.
   * @param onTimeout Called when nothing has happened for as long as was set.
   */
  constructor(isBusy: () => boolean, onTimeout: () => void) {
    this.#isBusy = isBusy;
    this.#onTimeout = onTimeout;
  }

  /** Sets how long, ms; 0 = never. */
  set(timeoutMs: number): void {
    this.stop();
    this.#timeoutMs = timeoutMs;
    this.touch();
  }

  /** Something has happened. */
  touch(): void {
    if (this.#timeoutMs === 0) return;
    this.#lastMs = performance.now();
    if (this.#timer === undefined) this.#arm(this.#timeoutMs);
  }

  /** Nothing is told any more until it is set again. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timeoutMs = 0;
  }

  #arm(delayMs: number): void {
    this.#timer = setTimeout(() => this.#fired(), delayMs);
    unref(this.#timer);
  }

  #fired(): void {
    this.#timer = undefined;
    if (this.#isBusy()) this.#lastMs = performance.now();
    const leftMs = this.#timeoutMs - (performance.now() - this.#lastMs);
    // Timers may be early by a part of a millisecond.
    if (leftMs >= 1) this.#arm(leftMs);
    else this.#onTimeout();
  }
}

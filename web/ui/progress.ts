/** A progress bar with its numbers: bytes, rate, time left. */
import { formatBytes, formatSeconds, setText } from "./dom.ts";

/** The rate is that of the last so many ms. */
const RATE_WINDOW_MS = 2_000;

/** The page is not painted more often than this, ms. */
const PAINT_MS = 100;

/** A moment, and how much there was. */
interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

/** Progress of one transfer. */
export class Progress {
  readonly #bar: HTMLProgressElement;
  readonly #text: HTMLElement;
  readonly #total: number | null;
  readonly #startMs: number = performance.now();
  /** Those of the last window, the oldest first; at most one in PAINT_MS. */
  #samples: Sample[] = [];
  #bytes = 0;
  #paintedMs = -Infinity;

  /**
   * @param bar The bar; it runs without end while the total is unknown.
   * @param text The numbers.
   * @param total Bytes to come, or null.
   */
  constructor(bar: HTMLProgressElement, text: HTMLElement, total: number | null) {
    this.#bar = bar;
    this.#text = text;
    this.#total = total;
    bar.hidden = false;
    // A bar of 0 bytes is full.
    bar.max = total === null || total === 0 ? 1 : total;
    if (total === null) bar.removeAttribute("value");
    else bar.value = total === 0 ? 1 : 0;
    this.#paint(performance.now());
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Some came. */
  add(bytes: number): void {
    this.#bytes += bytes;
    const nowMs = performance.now();
    if (nowMs - this.#paintedMs >= PAINT_MS) this.#paint(nowMs);
  }

  /** It is over: shows the rate of the whole. @returns Bytes and rate in words. */
  end(): string {
    const seconds = Math.max((performance.now() - this.#startMs) / 1000, 0.001);
    const rate = `${formatBytes(this.#bytes / seconds)}/s`;
    if (this.#total === null) {
      this.#bar.max = 1;
      this.#bar.value = 1;
    } else {
      this.#bar.value = this.#total === 0 ? 1 : this.#bytes;
    }
    setText(this.#text, `${formatBytes(this.#bytes)} · ${rate}`);
    return `${formatBytes(this.#bytes)} in ${formatSeconds(seconds)}, ${rate}`;
  }

  #paint(nowMs: number): void {
    this.#paintedMs = nowMs;
    this.#samples.push({ atMs: nowMs, bytes: this.#bytes });
    this.#samples = this.#samples.filter(({ atMs }) => nowMs - atMs <= RATE_WINDOW_MS);
    const first = this.#samples[0];
    const ms = first === undefined ? 0 : nowMs - first.atMs;
    const rate = first === undefined || ms === 0 ? 0 : ((this.#bytes - first.bytes) / ms) * 1000;
    const parts = [formatBytes(this.#bytes), `${formatBytes(rate)}/s`];
    if (this.#total !== null && this.#total > 0) {
      this.#bar.value = this.#bytes;
      parts[0] = `${formatBytes(this.#bytes)} of ${formatBytes(this.#total)}`;
      if (rate > 0) parts.push(`${formatSeconds((this.#total - this.#bytes) / rate)} left`);
    }
    setText(this.#text, parts.join(" · "));
  }
}

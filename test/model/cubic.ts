/** Slow twin of as/loss/cubic.ts, from the text of RFC 9438 alone; windows are segments, times are seconds. */

const C = 0.4;
const BETA_CUBIC = 0.7;
const ALPHA_CUBIC = (3 * (1 - BETA_CUBIC)) / (1 + BETA_CUBIC);

/** What section 4.9 says to keep and to bring back. */
interface Saved {
  readonly cwnd: number;
  readonly cwndPrior: number;
  readonly ssthresh: number;
  readonly wMax: number | null;
  readonly k: number;
  readonly epochStart: number | null;
  readonly wEst: number;
}

/** A sender's variables, section 4.1.2. */
export class Cubic {
  cwnd: number;
  ssthresh: number = Infinity;
  cwndPrior = 0;
  wMax: number | null = null;
  k = 0;
  /** null between two stages. */
  epochStart: number | null = null;
  wEst = 0;
  /** When the last ACK came: application-limited time is what passed since. */
  lastAck = 0;
  #saved: Saved | null = null;

  constructor(cwnd: number) {
    this.cwnd = cwnd;
  }

  #wCubic(t: number): number {
    return C * (t - this.k) ** 3 + (this.wMax ?? 0);
  }

  /** Section 4.2: a stage begins at the first ACK in congestion avoidance. */
  #begin(now: number): number {
    // Sections 4.8 and 4.10: after a timeout, or without loss, K is 0 and W_max is cwnd.
    this.wMax ??= this.cwnd;
    this.k = Math.cbrt((this.wMax - this.cwnd) / C);
    this.wEst = this.cwnd;
    this.epochStart = now;
    return now;
  }

  /** An ACK in congestion avoidance, the window in use. */
  ack(segments: number, rtt: number, now: number): void {
    this.lastAck = now;
    const start = this.epochStart ?? this.#begin(now);
    const t = now - start;
    const alpha = this.wEst >= this.cwndPrior ? 1 : ALPHA_CUBIC;
    this.wEst += (alpha * segments) / this.cwnd;
    if (this.#wCubic(t) < this.wEst) {
      this.cwnd = Math.max(this.cwnd, this.wEst);
      return;
    }
    const target = Math.min(Math.max(this.#wCubic(t + rtt), this.cwnd), 1.5 * this.cwnd);
    this.cwnd = Math.min(target, this.cwnd + ((target - this.cwnd) / this.cwnd) * segments);
  }

  /** An ACK while the application is the limit. Section 4.2: t does not include such periods. */
  limited(now: number): void {
    if (this.epochStart !== null) {
      this.epochStart += now - this.lastAck;
      this.lastAck = now;
    }
  }

  #reduce(flight: number): void {
    this.ssthresh = Math.max(flight * BETA_CUBIC, 2);
    this.cwndPrior = this.cwnd;
    this.epochStart = null;
  }

  /** Loss or ECE. Sections 4.6 and 4.7. */
  loss(flight: number): void {
    this.wMax = this.wMax !== null && this.cwnd < this.wMax
      ? (this.cwnd * (1 + BETA_CUBIC)) / 2
      : this.cwnd;
    this.#reduce(flight);
    this.cwnd = this.ssthresh;
  }

  /** Timeout. Section 4.8; cwnd is what slow start has made of it when congestion avoidance begins. */
  timeout(flight: number): void {
    this.wMax = null;
    this.#reduce(flight);
    this.cwnd = this.ssthresh;
  }

  /** Before a reduction. Section 4.9. */
  save(): void {
    const { cwnd, cwndPrior, ssthresh, wMax, k, epochStart, wEst } = this;
    this.#saved = { cwnd, cwndPrior, ssthresh, wMax, k, epochStart, wEst };
  }

  /** The reduction was spurious. Section 4.9. */
  undo(): void {
    const saved = this.#saved;
    if (saved === null || this.cwnd >= saved.cwnd) return;
    Object.assign(this, saved);
  }
}

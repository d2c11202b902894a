/**
 * RFC 9406: HyStart++. The scripts are made by a slow twin of section 4.2, which says after each ACK how large the window
 * is and what leaves because of it; every segment of a round is acknowledged at one time.
 */
import { describe } from "vitest";
import { FEATURE_HYSTART, FEATURE_WINDOW_SCALE } from "../../src/layout/layout.gen.ts";
import { type FixtureOptions, scenario } from "./dsl/scenario.ts";

const SMSS = 1000;
const QUEUE = 400_000;
const OPTIONS: FixtureOptions = {
  features: FEATURE_HYSTART | FEATURE_WINDOW_SCALE,
  rtoMs: 3000,
  syn: "mss 1000,nop,wscale 2",
  win: 65_000,
  sendBufferMax: 1 << 20,
};

/** A sender in slow start and the script that it makes. */
class Twin {
  readonly lines: string[] = [`+0 write ${QUEUE}`];
  cwnd: number = 10 * SMSS;
  ssthresh: number = Infinity;
  /** Conservative slow start. */
  isCss: boolean = false;
  #una = 1;
  #nxt = 1;
  #windowEnd = 0;
  #lastMin = Infinity;
  #currentMin = Infinity;
  #samples = 0;
  #baseline = Infinity;
  #rounds = 0;

  constructor() {
    this.#send();
    this.#windowEnd = this.#nxt;
  }

  #send(): void {
    for (; this.#nxt - this.#una + SMSS <= this.cwnd; this.#nxt += SMSS) {
      this.lines.push(`+0 > . ${this.#nxt}:${this.#nxt + SMSS}(${SMSS}) ack 1`);
    }
  }

  #sample(rttMs: number): void {
    this.#currentMin = Math.min(this.#currentMin, rttMs);
    this.#samples++;
    if (this.#samples < 8) return;
    if (this.isCss) {
      if (this.#currentMin < this.#baseline) this.isCss = false;
      return;
    }
    const threshold = Math.max(4, Math.min(this.#lastMin / 8, 16));
    if (!(this.#currentMin >= this.#lastMin + threshold)) return;
    this.isCss = true;
    this.#baseline = this.#currentMin;
    this.#rounds = 0;
  }

  #ack(rttMs: number, wait: number): void {
    const ending = this.#nxt;
    this.#una += SMSS;
    if (this.ssthresh === Infinity) this.#sample(rttMs);
    if (this.#una >= this.#windowEnd) {
      this.#windowEnd = ending;
      this.#lastMin = this.#currentMin;
      this.#currentMin = Infinity;
      this.#samples = 0;
      if (this.isCss && ++this.#rounds === 5) this.ssthresh = this.cwnd;
    }
    if (this.ssthresh === Infinity) this.cwnd += this.isCss ? SMSS / 4 : SMSS;
    this.lines.push(`+${wait / 1000} < . 1:1(0) ack ${this.#una} win 65000`);
    this.#send();
  }

  /** Everything that is in flight is acknowledged after a round trip. */
  round(rttMs: number): void {
    const many = (this.#nxt - this.#una) / SMSS;
    for (let i = 0; i < many && this.ssthresh === Infinity; i++) {
      this.#ack(rttMs, i === 0 ? rttMs : 0);
    }
    // After slow start the window is another algorithm's.
    if (this.ssthresh === Infinity) this.lines.push(`+0 info cwnd = ${this.cwnd}`);
  }
}

/** The script of rounds with those round-trip times. */
function rounds(...rttsMs: readonly number[]): Twin {
  const twin = new Twin();
  for (const rttMs of rttsMs) twin.round(rttMs);
  return twin;
}

describe("RFC 9406 section 4.2", () => {
  scenario("9406-1 the window doubles, while the delay stays", (on) => {
    const twin = rounds(50, 50);
    on.established(OPTIONS).script(`${twin.lines.join("\n")}\n+0 info cwnd = 40000`);
  });

  scenario(
    "9406-2 an eighth more delay makes growth conservative, from the eighth sample on",
    (on) => {
      const twin = rounds(50, 57);
      on.established(OPTIONS).script(`${twin.lines.join("\n")}\n+0 info cwnd = 30250`);
    },
  );

  scenario("9406-2 less than an eighth, 4 ms at least and 16 ms at most, does not", (on) => {
    on.established(OPTIONS).script(`${rounds(50, 56).lines.join("\n")}\n+0 info cwnd = 40000`);
    on.established(OPTIONS).script(`${rounds(10, 13).lines.join("\n")}\n+0 info cwnd = 40000`);
    on.established(OPTIONS).script(`${rounds(10, 14).lines.join("\n")}\n+0 info cwnd = 30250`);
    on.established(OPTIONS).script(`${rounds(400, 415).lines.join("\n")}\n+0 info cwnd = 40000`);
    on.established(OPTIONS).script(`${rounds(400, 416).lines.join("\n")}\n+0 info cwnd = 30250`);
  });

  scenario("9406-3 five conservative rounds end slow start: ssthresh is the window", (on) => {
    const twin = rounds(50, 60, 60, 60, 60, 60);
    on.established(OPTIONS).script(`
      ${twin.lines.join("\n")}
      +0 info ssthresh = ${twin.ssthresh}
    `);
  });

  scenario("9406-4 less delay than at the begin of it ends conservative growth", (on) => {
    const twin = rounds(50, 60, 50);
    on.established(OPTIONS).script(twin.lines.join("\n"));
  });

  scenario("9406-5 one ACK adds 8 segments at most", (on) => {
    const twin = new Twin();
    on.established({ ...OPTIONS, offload: 0 }).script(`
      ${twin.lines.join("\n").replace(String(QUEUE), "10000").replace("> . 9001", "> P. 9001")}
      +.05 < . 1:1(0) ack 10001 win 65000
      +0   info cwnd = 18000
    `);
  });
});

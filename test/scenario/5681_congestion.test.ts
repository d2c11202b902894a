/** RFC 5681 section 3.1: slow start, congestion avoidance and what a timeout does to them; NewReno is asked for. */
import { describe } from "vitest";
import { CONGESTION_NEW_RENO } from "../../src/layout/layout.gen.ts";
import { type FixtureOptions, PLAIN_SYN, scenario } from "./dsl/scenario.ts";

const RENO: FixtureOptions = {
  congestionControl: CONGESTION_NEW_RENO,
  features: 0,
  rtoMs: 1000,
  syn: PLAIN_SYN,
  win: 65_000,
};

/** Expects segments [from, to) of 1000 bytes; the last one pushes if it ends what was written. */
function segments(from: number, to: number, isAll: boolean): string {
  const lines: string[] = [];
  for (let seq = from; seq < to; seq += 1000) {
    const flags = isAll && seq + 1000 === to ? "P." : ".";
    lines.push(`+0 > ${flags} ${seq}:${seq + 1000}(1000) ack 1`);
  }
  return lines.join("\n");
}

describe("RFC 5681 section 3.1: growth", () => {
  scenario("5681-3 an ACK adds what it acknowledges, 8 segments at most (RFC 9406 4.3)", (on) => {
    on.established(RENO).script(`
      +0   write 10000
      ${segments(1, 10_001, true)}
      +.05 < . 1:1(0) ack 501 win 65000
      +0   info cwnd = 10500
      +0   < . 1:1(0) ack 2001 win 65000
      +0   info cwnd = 12000
      +0   < . 1:1(0) ack 10001 win 65000
      +0   info cwnd = 20000
    `);
    on.established({ ...RENO, offload: 0 }).script(`
      +0   write 10000
      ${segments(1, 10_001, true)}
      +.05 < . 1:1(0) ack 10001 win 65000
      +0   info cwnd = 18000
    `);
  });

  scenario("5681-3 slow start ends at ssthresh exactly", (on) => {
    on.established({ ...RENO, ssthreshInitial: 12_500 }).script(`
      +0   write 10000
      ${segments(1, 10_001, true)}
      +.05 < . 1:1(0) ack 4001 win 65000
      +0   info cwnd = 12500
    `);
  });

  scenario("5681-4 a window of ACKs adds one segment, above ssthresh", (on) => {
    on.established({ ...RENO, ssthreshInitial: 1000 }).script(`
      +0   write 40000
      ${segments(1, 10_001, false)}
      +.05 < . 1:1(0) ack 5001 win 65000
      +0   info cwnd = 10000
      ${segments(10_001, 15_001, false)}
      +0   < . 1:1(0) ack 9001 win 65000
      +0   info cwnd = 10000
      ${segments(15_001, 19_001, false)}
      +0   < . 1:1(0) ack 10001 win 65000
      +0   info cwnd = 11000
      ${segments(19_001, 21_001, false)}
    `);
  });

  scenario("the window does not grow beyond the configured limit", (on) => {
    on.established({ ...RENO, cwndMax: 12 }).script(`
      +0   write 10000
      ${segments(1, 10_001, true)}
      +.05 < . 1:1(0) ack 8001 win 65000
      +0   info cwnd = 12000
    `);
  });
});

describe("RFC 5681 section 3.1: timeout", () => {
  scenario("5681-5 ssthresh is half of what was in flight, not of cwnd", (on) => {
    on.established(RENO).script(`
      +0 write 6000
      ${segments(1, 6001, true)}
      +1 > . 1:1001(1000) ack 1
      +0 info cwnd = 1000
      +0 info ssthresh = 3000
    `);
  });

  scenario("5681-5 ssthresh is two segments at least", (on) => {
    on.established(RENO).script(`
      +0 write 1000
      ${segments(1, 1001, true)}
      +1 > P. 1:1001(1000) ack 1
      +0 info ssthresh = 2000
    `);
  });

  scenario("5681-6 ssthresh falls once, however often the same segment times out", (on) => {
    on.established(RENO).script(`
      +0 write 8000
      ${segments(1, 8001, true)}
      +1 > . 1:1001(1000) ack 1
      +0 info ssthresh = 4000
      +2 > . 1:1001(1000) ack 1
      +4 > . 1:1001(1000) ack 1
      +0 info ssthresh = 4000
      +0 info cwnd = 1000
    `);
  });
});

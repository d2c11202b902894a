/** RFC 9438 over a connection: what loss, timeouts and idle time do to its windows. Its curve: `test/property/cubic.test.ts`. */
import { describe } from "vitest";
import { CONGESTION_CUBIC } from "../../src/layout/layout.gen.ts";
import { type FixtureOptions, PLAIN_SYN, scenario } from "./dsl/scenario.ts";

const CUBIC: FixtureOptions = {
  congestionControl: CONGESTION_CUBIC,
  features: 0,
  rtoMs: 1000,
  syn: PLAIN_SYN,
  win: 65_000,
};

/** Expects segments [from, to) of 1000 bytes; the last one pushes if it ends what was written. */
function segments(from: number, to: number, isAll = true): string {
  const lines: string[] = [];
  for (let seq = from; seq < to; seq += 1000) {
    const flags = isAll && seq + 1000 === to ? "P." : ".";
    lines.push(`+0 > ${flags} ${seq}:${seq + 1000}(1000) ack 1`);
  }
  return lines.join("\n");
}

/** Ten segments, the first of them lost and sent again. */
const LOSS = `
  +0   write 10000
  ${segments(1, 10_001)}
  +.05 < . 1:1(0) ack 1 win 65000
  +0   < . 1:1(0) ack 1 win 65000
  +0   < . 1:1(0) ack 1 win 65000
  +0   > . 1:1001(1000) ack 1
`;

describe("RFC 9438 section 4.6: reduction", () => {
  scenario(
    "MAY-18 9438-2 ssthresh is seven tenths of what was in flight, and then the window",
    (on) => {
      on.established(CUBIC).script(`
      ${LOSS}
      +0   info ssthresh = 7000
      +.05 < . 1:1(0) ack 10001 win 65000
      +0   info cwnd = 7000
    `);
    },
  );

  scenario("9438-2 ssthresh is two segments at least", (on) => {
    on.established(CUBIC).script(`
      +0 write 1000
      ${segments(1, 1001)}
      +1 > P. 1:1001(1000) ack 1
      +0 info ssthresh = 2000
    `);
  });

  scenario("9438-6 after a timeout the window is a segment, and ssthresh seven tenths", (on) => {
    on.established(CUBIC).script(`
      +0 write 10000
      ${segments(1, 10_001)}
      +1 > . 1:1001(1000) ack 1
      +0 info ssthresh = 7000
      +0 info cwnd = 1000
      +2 > . 1:1001(1000) ack 1
      +0 info ssthresh = 7000
    `);
  });

  scenario("NewReno halves, where it is chosen for the connection", (on) => {
    on.established(CUBIC).script(`
      +0   option CONGESTION 0
      ${LOSS}
      +0   info ssthresh = 5000
    `);
  });
});

describe("RFC 9438 section 4.2: growth", () => {
  scenario("9438-3 the window grows as Reno's would, where the curve gives less", (on) => {
    // W_max is 10 segments and K 1.96 s: in 50 ms the curve gives 0.2 segments, Reno's alpha 0.53.
    on.established(CUBIC).script(`
      ${LOSS}
      +.05 < . 1:1(0) ack 10001 win 65000
      +0   write 7000
      ${segments(10_001, 17_001)}
      +.05 < . 1:1(0) ack 17001 win 65000
      +0   info cwnd = 7529
      +0   write 7000
      ${segments(17_001, 24_001)}
      +.05 < . 1:1(0) ack 24001 win 65000
      +0   info cwnd = 8021
    `);
  });

  scenario("9438-8 without a loss before it, growth begins where slow start has ended", (on) => {
    on.established({ ...CUBIC, ssthreshInitial: 10_000 }).script(`
      +0   write 10000
      ${segments(1, 10_001)}
      +.05 < . 1:1(0) ack 10001 win 65000
      +0   info cwnd = 11000
    `);
  });
});

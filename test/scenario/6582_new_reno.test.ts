/** Recovery without SACK: RFC 6582 section 3.2. */
import { describe } from "vitest";
import { CONGESTION_NEW_RENO } from "../../src/layout/layout.gen.ts";
import { acked, segments } from "./dsl/lines.ts";
import { PLAIN_SYN, scenario } from "./dsl/scenario.ts";

const PATH = { congestionControl: CONGESTION_NEW_RENO, rtoMs: 1000, syn: PLAIN_SYN, win: 65_000 };

/** Ten segments of which the first is sent again for three duplicates; cwnd is 8,000 then. */
const RECOVERY = `
  +0 write 10000
  ${segments(1, 10_001, true)}
  ${acked("+.01", 1)}
  ${acked("+0", 1)}
  ${acked("+0", 1)}
  +0 > . 1:1001(1000) ack 1
  +0 info cwnd = 8000
`;

describe("RFC 6582 section 3.2: partial acknowledgments", () => {
  scenario("6582-1 the next hole goes, and cwnd falls by what was acknowledged less one", (on) => {
    on.established(PATH).script(`
      ${RECOVERY}
      ${acked("+.01", 3001)}
      +0 > . 3001:4001(1000) ack 1
      +0 info cwnd = 6000
      ${acked("+.01", 5001)}
      +0 > . 5001:6001(1000) ack 1
      +0 info cwnd = 5000
      ${acked("+.01", 10_001)}
      +0 info cwnd = 5000
    `);
  });

  scenario("6582-1 cwnd falls by all of it, when it was less than a segment", (on) => {
    on.established(PATH).script(`
      ${RECOVERY}
      ${acked("+.01", 501)}
      +0 > . 501:1001(500) ack 1
      +0 info cwnd = 7500
    `);
  });
});

describe("RFC 6582 section 3.2: recover", () => {
  scenario("6582-2 duplicates of what recovery sent start no second one", (on) => {
    on.established(PATH).script(`
      +0 write 20000
      ${segments(1, 10_001, false)}
      ${acked("+.01", 1)}
      ${acked("+0", 1)}
      ${acked("+0", 1)}
      ${segments(10_001, 12_001, false)}
      +0 > . 1:1001(1000) ack 1
      ${acked("+.01", 12_001)}
      ${segments(12_001, 17_001, false)}
      ${acked("+.01", 12_001)}
      ${acked("+0", 12_001)}
      ${segments(17_001, 19_001, false)}
      ${acked("+0", 12_001)}
      ${acked("+0", 12_001)}
      +0 nothing
      +0 drops FAST_RETRANSMITS = 1
    `);
  });

  scenario("6582-2 nor do duplicates below what was sent, when the timer expired", (on) => {
    on.established(PATH).script(`
      +0 write 5000
      ${segments(1, 5001, true)}
      +1 > . 1:1001(1000) ack 1
      ${acked("+.01", 1)}
      ${acked("+0", 1)}
      ${acked("+0", 1)}
      ${acked("+0", 1)}
      +0 nothing
      +0 drops FAST_RETRANSMITS = 0
    `);
  });
});

describe("RFC 6582 section 3.2: the timer", () => {
  scenario("6582-3 only the first partial ACK starts it anew: the impatient variant", (on) => {
    on.established(PATH).script(`
      ${RECOVERY}
      ${acked("+.5", 3001)}
      +0    > . 3001:4001(1000) ack 1
      ${acked("+.5", 5001)}
      +0    > . 5001:6001(1000) ack 1
      +.499 nothing
      +.001 > . 5001:6001(1000) ack 1
      +0    info caState = 4
    `);
  });
});

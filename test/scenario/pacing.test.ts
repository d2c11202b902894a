/** Pacing: text is spread over the round trip, never faster than asked for, and nothing waits that need not. */
import { describe } from "vitest";
import { FEATURE_PACING } from "../../src/layout/layout.gen.ts";
import { PLAIN_SYN, scenario } from "./dsl/scenario.ts";

describe("pacing", () => {
  scenario("text leaves at the rate that the user allows, when there is one", (on) => {
    // 100,000 bytes per second: a segment of 1000 bytes every 10 ms.
    on.established({ features: 0, syn: PLAIN_SYN }).script(`
      +0   option MAX_PACING_RATE 100000
      +0   write 4000
      +0   > . 1:1001(1000) ack 1
      +.01 > . 1001:2001(1000) ack 1
      +.01 > . 2001:3001(1000) ack 1
      +.01 > P. 3001:4001(1000) ack 1
    `);
  });

  scenario("text leaves at once again, when the limit is lifted", (on) => {
    on.established({ features: 0, syn: PLAIN_SYN }).script(`
      +0   option MAX_PACING_RATE 100000
      +0   write 3000
      +0   > . 1:1001(1000) ack 1
      +.001 option MAX_PACING_RATE 0
      +0   > . 1001:2001(1000) ack 1
      +0   > P. 2001:3001(1000) ack 1
      +0   write 1000
      +0   > P. 3001:4001(1000) ack 1
    `);
  });

  scenario(
    "a window is spread over half a round trip in slow start, when the stack paces",
    (on) => {
      // cwnd 10,000 bytes, SRTT 100 ms: twice that is 200 bytes a ms, a segment every 5 ms.
      on.client({ features: FEATURE_PACING }).script(`
      +0   connect
      +0   > S 0:0(0)
      +.1  < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0   > . 1:1(0) ack 1
      +0   write 3000
      +0   > . 1:1001(1000) ack 1
      +.005 > . 1001:2001(1000) ack 1
      +.005 > P. 2001:3001(1000) ack 1
    `);
    },
  );

  scenario("retransmissions and acknowledgments do not wait", (on) => {
    on.established({ features: 0, syn: PLAIN_SYN }).script(`
      +0   option MAX_PACING_RATE 1000
      +0   write 1000
      +0   > P. 1:1001(1000) ack 1
      +.1  < P. 1:101(100) ack 1 win 20000
      +.04 > . 1001:1001(0) ack 101
    `);
  });
});

/** Recovery by the scoreboard alone: RFC 6675 sections 3 to 5, without RACK. */
import { describe } from "vitest";
import { CONGESTION_NEW_RENO } from "../../src/layout/layout.gen.ts";
import { acked, segments } from "./dsl/lines.ts";
import { NO_RACK, scenario } from "./dsl/scenario.ts";

const PATH = { ...NO_RACK, congestionControl: CONGESTION_NEW_RENO, rtoMs: 1000, win: 65_000 };

describe("RFC 6675 section 3: where recovery begins", () => {
  scenario("6675-1 one ACK is enough, when it reports more than two segments above", (on) => {
    on.established(PATH).script(`
      +0 write 5000
      ${segments(1, 5001, true)}
      ${acked("+.01", 1, "1001:3001")}
      +0 nothing
      ${acked("+.01", 1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
      +0 drops FAST_RETRANSMITS = 1
    `);
  });

  scenario("6675-1 three pieces are enough, when they are small", (on) => {
    on.established(PATH).script(`
      +0 write 8000
      ${segments(1, 8001, true)}
      ${acked("+.01", 1, "1001:1101")}
      ${acked("+.01", 1, "1201:1301 1001:1101")}
      +0 nothing
      ${acked("+.01", 1, "1401:1501 1201:1301 1001:1101")}
      +0 > . 1:1001(1000) ack 1
    `);
  });
});

describe("RFC 6675 section 4: pipe and NextSeg()", () => {
  scenario("6675-2 a loss beyond pipe waits, until cwnd has room for a segment", (on) => {
    // Four are lost and four held: pipe is 2,000 and becomes 3,000, ssthresh is 5,000, and PRR gives one for one.
    on.established(PATH).script(`
      +0 write 10000
      ${segments(1, 10_001, true)}
      ${acked("+.01", 1, "4001:5001")}
      ${acked("+.01", 1, "4001:6001")}
      ${acked("+.01", 1, "4001:7001")}
      +0 > . 1:1001(1000) ack 1
      +0 info lost = 3
      ${acked("+.01", 1, "4001:8001")}
      +0 > . 1001:2001(1000) ack 1
      ${acked("+.01", 1, "4001:9001")}
      +0 > . 2001:3001(1000) ack 1
    `);
  });

  scenario("6675-3 lost first, then new text, then holes not lost yet", (on) => {
    on.established(PATH).script(`
      +0 write 11000
      ${segments(1, 10_001, false)}
      ${acked("+.01", 1, "1001:2001")}
      +0 > P. 10001:11001(1000) ack 1
      ${acked("+.01", 1, "1001:3001")}
      ${acked("+.01", 1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
      ${acked("+.01", 1, "1001:7001")}
      +0 nothing
      ${acked("+.01", 1, "1001:7001 8001:9001")}
      +0 > . 7001:8001(1000) ack 1
    `);
  });

  scenario("6675-3 the tail goes once more for rescue, when nothing else may", (on) => {
    on.established(PATH).script(`
      +0 write 8000
      ${segments(1, 8001, true)}
      ${acked("+.01", 1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
      ${acked("+.01", 1, "1001:5001")}
      ${acked("+.01", 1, "1001:6001")}
      +0 > P. 7001:8001(1000) ack 1
      ${acked("+.01", 1, "1001:7001")}
      +0 nothing
    `);
  });
});

describe("RFC 6675 section 5: the window and the end", () => {
  scenario("6675-4 ssthresh is half of FlightSize, and falls once below RecoveryPoint", (on) => {
    on.established(PATH).script(`
      +0 write 10000
      ${segments(1, 10_001, true)}
      ${acked("+.01", 1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
      +0 info ssthresh = 5000
      ${acked("+.01", 4001, "5001:8001")}
      +0 > . 4001:5001(1000) ack 1
      +0 > P. 9001:10001(1000) ack 1
      +0 info ssthresh = 5000
      +0 drops FAST_RETRANSMITS = 1
    `);
  });

  scenario("6675-5 recovery goes on below RecoveryPoint, and ends at it", (on) => {
    on.established(PATH).script(`
      +0 write 10000
      ${segments(1, 10_001, true)}
      ${acked("+.01", 1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
      ${acked("+.01", 9001)}
      +0 > P. 9001:10001(1000) ack 1
      +0 info caState = 3
      ${acked("+.01", 10_001)}
      +0 info caState = 0
      +0 info cwnd = 5000
    `);
  });

  scenario("6675-6 no recovery begins below what was sent, when the timer expired", (on) => {
    on.established(PATH).script(`
      +0   write 10000
      ${segments(1, 10_001, true)}
      +1   > . 1:1001(1000) ack 1
      +0   info caState = 4
      ${acked("+.01", 1, "2001:5001")}
      +0   info caState = 4
      +0   drops FAST_RETRANSMITS = 0
      ${acked("+.01", 10_001)}
      +0   info caState = 0
    `);
  });
});

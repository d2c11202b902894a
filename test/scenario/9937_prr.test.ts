/** The window of fast recovery: RFC 9937. */
import { describe } from "vitest";
import { CONGESTION_NEW_RENO } from "../../src/layout/layout.gen.ts";
import { acked, segments } from "./dsl/lines.ts";
import { NO_RACK, scenario } from "./dsl/scenario.ts";

const PATH = { ...NO_RACK, congestionControl: CONGESTION_NEW_RENO, rtoMs: 1000, win: 65_000 };

describe("RFC 9937 section 6: proportional rate reduction", () => {
  scenario(
    "9937-1 9937-2 9937-5 one segment goes for two that arrive, when ssthresh is half",
    (on) => {
      // RecoverFS is 12,000 less the 2,000 held before; ssthresh half of FlightSize without limited transmit.
      on.established(PATH).script(`
      +0 write 30000
      ${segments(1, 10_001, false)}
      ${acked("+.01", 1, "1001:2001")}
      +0 > . 10001:11001(1000) ack 1
      ${acked("+.01", 1, "1001:3001")}
      +0 > . 11001:12001(1000) ack 1
      ${acked("+.01", 1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
      +0 info ssthresh = 5000
      ${acked("+.01", 1, "1001:5001")}
      +0 nothing
      ${acked("+.01", 1, "1001:6001")}
      +0 nothing
      ${acked("+.01", 1, "1001:7001")}
      +0 > . 12001:13001(1000) ack 1
      ${acked("+.01", 1, "1001:8001")}
      +0 nothing
    `);
    },
  );

  scenario(
    "6675-4 6675-5 9937-7 cwnd is ssthresh, when the recovery point is acknowledged",
    (on) => {
      on.established(PATH).script(`
      +0 write 10000
      ${segments(1, 10_001, true)}
      ${acked("+.01", 1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
      ${acked("+.01", 10_001)}
      +0 info cwnd = 5000
      +0 info ssthresh = 5000
    `);
    },
  );

  scenario("6675-2 9937-8 nothing goes, when an ACK delivers nothing", (on) => {
    on.established(PATH).script(`
      +0 write 20000
      ${segments(1, 10_001, false)}
      ${acked("+.01", 1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
      ${acked("+.01", 1, "1001:4001")}
      ${acked("+.01", 1, "1001:4001")}
      ${acked("+.01", 1, "1001:4001")}
      +0 nothing
    `);
  });
});

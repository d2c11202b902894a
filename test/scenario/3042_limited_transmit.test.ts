/** Limited transmit: RFC 3042, RFC 5681 section 3.2 step 1. */
import { describe } from "vitest";
import { acked, segments } from "./dsl/lines.ts";
import { NO_RACK, PLAIN_SYN, scenario } from "./dsl/scenario.ts";

const PATH = { ...NO_RACK, rtoMs: 1000, win: 65_000 };

describe("RFC 3042 section 2: limited transmit", () => {
  scenario("5681-8 two duplicates let two segments out, when cwnd is full", (on) => {
    on.established({ ...PATH, syn: PLAIN_SYN }).script(`
      +0 write 20000
      ${segments(1, 10_001, false)}
      ${acked("+.01", 1)}
      +0 > . 10001:11001(1000) ack 1
      ${acked("+.01", 1)}
      +0 > . 11001:12001(1000) ack 1
      +0 nothing
      +0 drops LIMITED_TRANSMITS = 2
    `);
  });

  scenario("5681-8 SACK lets them out, when it reports what has left", (on) => {
    on.established(PATH).script(`
      +0 write 20000
      ${segments(1, 10_001, false)}
      ${acked("+.01", 1, "1001:2001")}
      +0 > . 10001:11001(1000) ack 1
      ${acked("+.01", 1, "1001:3001")}
      +0 > . 11001:12001(1000) ack 1
      +0 drops LIMITED_TRANSMITS = 2
    `);
  });

  scenario("5681-8 nothing goes out, when the remote has no room", (on) => {
    on.established({ ...PATH, syn: PLAIN_SYN, win: 10_000 }).script(`
      +0 write 20000
      ${segments(1, 10_001, false)}
      +.01 < . 1:1(0) ack 1 win 10000
      +.01 < . 1:1(0) ack 1 win 10000
      +0 nothing
    `);
  });
});

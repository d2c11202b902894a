/** Timeouts that were a mistake: RFC 5682, and the Eifel detection of RFC 3522; what follows: RFC 4015. */
import { describe } from "vitest";
import { CONGESTION_NEW_RENO } from "../../src/layout/layout.gen.ts";
import { acked, segments } from "./dsl/lines.ts";
import { FULL_SYN, PLAIN_SYN, scenario } from "./dsl/scenario.ts";

const PATH = { congestionControl: CONGESTION_NEW_RENO, rtoMs: 1000, rtt: 0.1, win: 65_000 };

for (const [name, syn] of [["without SACK", PLAIN_SYN], ["with SACK", "mss 1000,nop,nop,sackOK"]]) {
  describe(`RFC 5682 ${name}`, () => {
    scenario("5682-1 5682-3 old text does not go again, when two ACKs advance", (on) => {
      on.established({ ...PATH, syn: syn ?? "" }).script(`
        +0 write 20000
        ${segments(1, 10_001, false)}
        +1 > . 1:1001(1000) ack 1
        ${acked("+.1", 1001)}
        ${segments(10_001, 12_001, false)}
        ${acked("+0", 2001)}
        +0 drops SPURIOUS_TIMEOUTS = 1
        +0 info ssthresh = 2147483647
        +0 info cwnd = 10000
        +0 nothing
      `);
    });

    scenario("5682-1 conventional recovery goes on, when there is no new text", (on) => {
      on.established({ ...PATH, syn: syn ?? "" }).script(`
        +0 write 4000
        ${segments(1, 4001, true)}
        +1 > . 1:1001(1000) ack 1
        ${acked("+.1", 1001)}
        +0 > . 1001:2001(1000) ack 1
        +0 > . 2001:3001(1000) ack 1
        +0 drops SPURIOUS_TIMEOUTS = 0
      `);
    });
  });
}

describe("RFC 5682 section 2.1: duplicates", () => {
  scenario("5682-2 conventional recovery goes on, when the second ACK is a duplicate", (on) => {
    on.established({ ...PATH, syn: PLAIN_SYN }).script(`
      +0 write 20000
      ${segments(1, 10_001, false)}
      +1 > . 1:1001(1000) ack 1
      ${acked("+.1", 1001)}
      ${segments(10_001, 12_001, false)}
      ${acked("+.1", 1001)}
      +0 > . 1001:2001(1000) ack 1
      +0 drops SPURIOUS_TIMEOUTS = 0
    `);
  });
});

describe("RFC 3522: the echo of an earlier time", () => {
  scenario("a timeout is taken back, when the ACK echoes the original", (on) => {
    on.established({ ...PATH, syn: FULL_SYN }).script(`
      +0 write 4000
      ${segments(1, 4001, true)}
      +1 > . 1:1001(1000) ack 1
      +.1 < . 1:1(0) ack 2001 win 65000 <nop,nop,TS val 6200 ecr 100>
      +0 drops SPURIOUS_TIMEOUTS = 1
      +0 nothing
    `);
  });
});

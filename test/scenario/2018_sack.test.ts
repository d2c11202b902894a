/** SACK of the sender, and when it is offered: RFC 2018. What a receiver reports: `3_10_segment_arrives.test.ts`. */
import { describe } from "vitest";
import { acked, segments } from "./dsl/lines.ts";
import { NO_RACK, PLAIN_SYN, scenario } from "./dsl/scenario.ts";

const PATH = { ...NO_RACK, rtoMs: 1000, win: 65_000 };

describe("RFC 2018 section 2: SACK-permitted", () => {
  scenario("2018-1 is offered on our SYN, and on no segment after it", (on) => {
    on.client().script(`
      +0   connect
      +0   > S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5>
      +.01 < S. 0:0(0) ack 1 win 20000 <mss 1000,nop,nop,sackOK>
      +0   > . 1:1(0) ack 1 <>
      +0   write 10
      +0   > P. 1:11(10) ack 1 <>
    `);
  });

  scenario("2018-1 is not on our SYN,ACK, when the peer did not offer it", (on) => {
    on.server().script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1 <mss 1460>
    `);
  });

  scenario("2018-7 nothing is reported, when the peer did not offer it", (on) => {
    on.established({ syn: PLAIN_SYN }).script(`
      +0 < P. 101:201(100) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <>
    `);
  });
});

describe("RFC 2018 section 8: what is held may be dropped", () => {
  scenario("2018-5 what was reported is sent again from our queue, when the peer reneged", (on) => {
    on.established(PATH).script(`
      +0   write 2000
      ${segments(1, 2001, true)}
      ${acked("+.1", 1, "1001:2001")}
      +0   info sendQueued = 2000
      +.9  > . 1:1001(1000) ack 1
      ${acked("+.1", 1001)}
      +0   drops SACK_RENEGED = 0
      +2   > P. 1001:2001(1000) ack 1
      +0   drops SACK_RENEGED = 1
    `);
  });
});

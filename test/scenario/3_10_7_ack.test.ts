/** The ACK field and the window check: RFC 9293 section 3.10.7.4, first and fifth, RFC 5961 section 5. */
import { describe } from "vitest";
import { PLAIN_SYN, scenario } from "./dsl/scenario.ts";
import { REACH, SYNCHRONIZED } from "./dsl/states.ts";

describe("fifth: the ACK field", () => {
  scenario("an ACK is sent and the segment dropped, when it acknowledges what was never sent", (on) => {
    on.established().script(`
      +0 < P. 1:11(10) ack 2 win 20000
      +0 > . 1:1(0) ack 1
      +0 drops ACK_UNSENT = 1
      +0 readable = 0
      +0 write 5
      +0 > P. 1:6(5) ack 1
      +0 < . 1:1(0) ack 7 win 20000
      +0 > . 6:6(0) ack 1
      +0 info inFlight = 5
    `);
  });

  scenario("an old ACK changes nothing but its text counts, when it is within the window", (on) => {
    on.established().script(`
      +0   write 500
      +0   > P. 1:501(500) ack 1
      +.01 < . 1:1(0) ack 501 win 20000
      +0   < P. 1:11(10) ack 1 win 20000
      +.04 > . 501:501(0) ack 11
      +0   read 10
      +0   info inFlight = 0
    `);
  });

  scenario("a challenge ACK is sent, when the ACK is older than any window (RFC 5961 5.2)", (on) => {
    on.established().script(`
      +0 < P. 1:11(10) ack -70000 win 20000
      +0 > . 1:1(0) ack 1
      +0 readable = 0
      +0 drops CHALLENGE_ACKS = 1
      +0 < P. 1:11(10) ack 0x80000002 win 20000
      +0 > . 1:1(0) ack 1
      +0 readable = 0
    `);
  });

  scenario("the window is not taken, when the ACK is older (SND.WL2)", (on) => {
    on.established().script(`
      +0   write 500
      +0   > P. 1:501(500) ack 1
      +.01 < . 1:1(0) ack 501 win 3000
      +0   info sndWnd = 3000
      +0   < . 1:1(0) ack 1 win 9000
      +0   info sndWnd = 3000
    `);
  });

  scenario("the window is not taken, when the segment is older (SND.WL1)", (on) => {
    on.established().script(`
      +0   < P. 1:101(100) ack 1 win 5000
      +.04 > . 1:1(0) ack 101
      +0   < . 101:101(0) ack 1 win 4000
      +0   info sndWnd = 4000
      +0   < P. 51:101(50) ack 1 win 9000
      +0   > . 1:1(0) ack 101
      +0   info sndWnd = 4000
    `);
  });

  for (const state of SYNCHRONIZED) {
    const { script, rcvNxt, sndNxt } = REACH[state];

    scenario(`${state} drops a segment in silence, when it has no ACK`, (on) => {
      on.established().script(script).script(`
        +0 < P ${rcvNxt}:${rcvNxt + 10}(10) win 20000
        +0 < F ${rcvNxt}:${rcvNxt}(0) win 20000
        +0 < - ${rcvNxt}:${rcvNxt}(0) win 20000
        +0 nothing
        +0 state ${state}
        +0 drops NO_ACK = 3
      `);
    });

    scenario(`${state} answers an ACK, when a segment is outside of the window`, (on) => {
      on.established().script(script).script(`
        +0 < P. ${rcvNxt + 65_535}:${rcvNxt + 65_545}(10) ack 1 win 20000
        +0 > . ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
        +0 < P. ${rcvNxt - 10}:${rcvNxt}(10) ack 1 win 20000
        +0 > . ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
        +0 < . ${rcvNxt - 1}:${rcvNxt - 1}(0) ack 1 win 20000
        +0 > . ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
        +0 state ${state}
      `);
    });
  }
});

describe("first: the window", () => {
  scenario("what lies beyond the window is cut off, when a segment reaches across its edge", (on) => {
    on.established({ receiveBufferInitial: 4096, receiveBufferMax: 4096 }).script(`
      +0 < . 1:1201(1200) ack 1 win 20000
      +0 < . 1201:2401(1200) ack 1 win 20000
      +0 > . 1:1(0) ack 2401 win 1696
      +0 < . 3201:4401(1200) ack 1 win 20000
      +0 > . 1:1(0) ack 2401 win 1696 <nop,nop,sack 3201:4097>
      +0 < . 2401:3201(800) ack 1 win 20000
      +0 > . 1:1(0) ack 4097 win 0 <>
      +0 read 5000 = 4096
      +0 > . 1:1(0) ack 4097 win 4096
    `);
  });

  scenario("FIN is not taken, when text before it lies beyond the window", (on) => {
    on.established({ receiveBufferInitial: 4096, receiveBufferMax: 4096 }).script(`
      +0   < . 1:2049(2048) ack 1 win 20000
      +0   < F. 2049:4098(2049) ack 1 win 20000
      +0   > . 1:1(0) ack 4097 win 0
      +0   state ESTABLISHED
      +0   read 4096
      +0   > . 1:1(0) ack 4097 win 4096
      +0   < FP. 4097:4098(1) ack 1 win 20000
      +0   > . 1:1(0) ack 4099
      +0   state CLOSE-WAIT
    `);
  });

  scenario("an ACK and a RST are heard, when our window is closed", (on) => {
    on.established({ syn: PLAIN_SYN, receiveBufferInitial: 4096, receiveBufferMax: 4096 }).script(`
      +0 write 500
      +0 > P. 1:501(500) ack 1
      +0 < . 1:2049(2048) ack 1 win 20000
      +0 < . 2049:4097(2048) ack 1 win 20000
      +0 > . 501:501(0) ack 4097 win 0
      +0 < . 4097:5097(1000) ack 501 win 700
      +0 > . 501:501(0) ack 4097 win 0
      +0 info inFlight = 0
      +0 info sndWnd = 700
      +0 < R 4097:4097(0) win 0
      +0 event CLOSED RESET
    `);
  });
});

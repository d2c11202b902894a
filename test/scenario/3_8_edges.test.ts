/**
 * Edges that other scenarios pass by: of windows, RFC 9293 sections 3.8.6 and 3.10.7.4, RFC 7323 section 2.2; of timeouts
 * that were no mistake, RFC 3522 section 3.2 and RFC 3708 section 2.
 */
import { describe } from "vitest";
import { acked, segments } from "./dsl/lines.ts";
import { FULL_SYN, scenario } from "./dsl/scenario.ts";

const SMALL = { receiveBufferInitial: 4096, receiveBufferMax: 4096 } as const;

describe("what the peer says of its window", () => {
  scenario("text flows on, when only the window is new", (on) => {
    on.established({ win: 2500 }).script(`
      +0  write 5000
      +0  > . 1:1001(1000) ack 1
      +0  > . 1001:2001(1000) ack 1
      +.1 < . 1:1(0) ack 1 win 4500
      +0  > . 2001:3001(1000) ack 1
      +0  > . 3001:4001(1000) ack 1
    `);
  });

  scenario("the newer segment's holds, when an older one comes behind it", (on) => {
    on.established().script(`
      +0   < . 101:201(100) ack 1 win 5000
      +0   > . 1:1(0) ack 1
      +0   < . 1:101(100) ack 1 win 1000
      +0   > . 1:1(0) ack 201
      +0   info sndWnd = 5000
    `);
  });

  scenario("it is scaled from the ACK of our SYN,ACK on", (on) => {
    on.passive({ syn: "mss 1000,nop,wscale 2", win: 5000 }).script("+0 info sndWnd = 20000");
  });

  scenario("cwnd stays, when an ACK is of what was never sent", (on) => {
    on.established().script(`
      +0 info cwnd = 10000
      +0 < . 1:1(0) ack 5001 win 20000
      +0 > . 1:1(0) ack 1
      +0 info cwnd = 10000
    `);
  });
});

describe("what we say of ours", () => {
  scenario("it stays closed in an answer, when the user has read one byte (MUST-39)", (on) => {
    on.established(SMALL).script(`
      +0 < . 1:2049(2048) ack 1 win 20000
      +0 < . 2049:4097(2048) ack 1 win 20000
      +0 > . 1:1(0) ack 4097 win 0
      +0 read 1
      +1 < . 4097:4098(1) ack 1 win 20000
      +0 > . 1:1(0) ack 4097 win 0
    `);
  });
});

describe("the ring grows under what waits in it", () => {
  scenario("no byte changes, when it doubles twice while the user reads nothing", (on) => {
    on.established().script(`
      +0 < . 1:4097(4096) ack 1 win 20000
      +0 < . 4097:8193(4096) ack 1 win 20000
      +0 > . 1:1(0) ack 8193
      +0 < . 8193:12289(4096) ack 1 win 20000
      +0 < . 12289:16385(4096) ack 1 win 20000
      +0 > . 1:1(0) ack 16385
      +0 < . 16385:20481(4096) ack 1 win 20000
      +0 read 30000 = 20480
      +0 > . 1:1(0) ack 20481 win 65535
    `);
  });
});

describe("a timeout that was no mistake stays", () => {
  scenario("what is lost goes again, when the ACK echoes the retransmission", (on) => {
    on.established({ rtoMs: 1000, rtt: 0.1, syn: FULL_SYN }).script(`
      +0 write 4000
      ${segments(1, 4001, true)}
      +1 > . 1:1001(1000) ack 1
      +.1 < . 1:1(0) ack 2001 win 65000 <nop,nop,TS val 6200 ecr 1100>
      +0 drops SPURIOUS_TIMEOUTS = 0
      +0 > . 2001:3001(1000) ack 1
      +0 > P. 3001:4001(1000) ack 1
    `);
  });

  scenario("what is lost goes again, when one of two retransmissions was a duplicate", (on) => {
    on.established({ rtoMs: 1000, rtt: 0.1 }).script(`
      +0 write 4000
      ${segments(1, 4001, true)}
      +1 > . 1:1001(1000) ack 1
      ${acked("+.1", 1001)}
      +0 > . 1001:2001(1000) ack 1
      +0 > . 2001:3001(1000) ack 1
      +.1 < . 1:1(0) ack 2001 win 20000 <nop,nop,sack 1:1001>
      +0 drops SPURIOUS_TIMEOUTS = 0
      +0 > P. 3001:4001(1000) ack 1
    `);
  });
});

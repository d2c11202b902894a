/** Received text: RFC 9293 section 3.10.7.4, seventh, with SACK (RFC 2018) and delayed ACKs (section 3.8.6.3). */
import { describe } from "vitest";
import { FULL_SYN, PLAIN_SYN, scenario } from "./dsl/scenario.ts";

describe("S50 RFC 9293 section 3.10.7.4: text in and out of order", () => {
  scenario("the ACK stays below a gap and jumps to the end, when the gap is filled", (on) => {
    on.established().script(`
      +0   < P. 1:537(536) ack 1 win 20000
      +.01 < P. 901:1001(100) ack 1 win 20000
      +0   > . 1:1(0) ack 537 <nop,nop,sack 901:1001>
      +0   readable = 536
      +.01 < P. 537:901(364) ack 1 win 20000
      +0   > . 1:1(0) ack 1001 <>
      +0   read 2000 = 1000
      +9   nothing
    `);
  });

  scenario("segments 0 1 2 4 5 6 7 are kept, when 3 comes last", (on) => {
    on.established().script(`
      +0   < . 1:1001(1000) ack 1 win 20000
      +0   < . 1001:2001(1000) ack 1 win 20000
      +0   > . 1:1(0) ack 2001 <>
      +0   < . 2001:3001(1000) ack 1 win 20000
      +0   < . 4001:5001(1000) ack 1 win 20000
      +0   > . 1:1(0) ack 3001 <nop,nop,sack 4001:5001>
      +0   < . 5001:6001(1000) ack 1 win 20000
      +0   > . 1:1(0) ack 3001 <nop,nop,sack 4001:6001>
      +0   < . 6001:7001(1000) ack 1 win 20000
      +0   > . 1:1(0) ack 3001 <nop,nop,sack 4001:7001>
      +0   < . 7001:8001(1000) ack 1 win 20000
      +0   > . 1:1(0) ack 3001 <nop,nop,sack 4001:8001>
      +0   < . 3001:4001(1000) ack 1 win 20000
      +0   > . 1:1(0) ack 8001 <>
      +0   read 9000 = 8000
      +0   > . 1:1(0) ack 8001 win 65535
    `);
  });

  scenario("the most recent block comes first, when there are several (RFC 2018 section 4)", (on) => {
    on.established().script(`
      +0 < . 2001:2501(500) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 2001:2501>
      +0 < . 6001:6501(500) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 6001:6501 2001:2501>
      +0 < . 4001:4501(500) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 4001:4501 6001:6501 2001:2501>
      +0 < . 8001:8501(500) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 8001:8501 4001:4501 6001:6501 2001:2501>
      +0 < . 10001:10501(500) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 10001:10501 8001:8501 4001:4501 6001:6501>
      +0 < . 2501:3001(500) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 2001:3001 10001:10501 8001:8501 4001:4501>
      +0 < . 1:2001(2000) ack 1 win 20000
      +0 > . 1:1(0) ack 3001 <nop,nop,sack 10001:10501 8001:8501 4001:4501 6001:6501>
    `);
  });

  scenario("three blocks fit, when timestamps are in use (RFC 2018 section 3)", (on) => {
    on.established({ syn: FULL_SYN }).script(`
      +0 < . 2001:2501(500) ack 1 win 20000 <nop,nop,TS val 5001 ecr 0>
      +0 > . 1:1(0) ack 1 <nop,nop,TS val 0 ecr 5000,nop,nop,sack 2001:2501>
      +0 < . 4001:4501(500) ack 1 win 20000
      +0 > . 1:1(0) ack 1
      +0 < . 6001:6501(500) ack 1 win 20000
      +0 > . 1:1(0) ack 1
      +0 < . 8001:8501(500) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,TS val 0 ecr 5000,nop,nop,sack 8001:8501 6001:6501 4001:4501>
    `);
  });

  scenario("no blocks are sent, when the peer did not permit SACK", (on) => {
    on.established({ syn: PLAIN_SYN }).script(`
      +0 < . 2001:2501(500) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <>
      +0 < . 1:2001(2000) ack 1 win 20000
      +0 > . 1:1(0) ack 2501 <>
      +0 read 3000 = 2500
      +0 > . 1:1(0) ack 2501 win 65535
    `);
  });

  scenario("blocks ride on text, when there is a hole", (on) => {
    on.established().script(`
      +0 < . 2001:2501(500) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 2001:2501>
      +0 write 1000
      +0 > . 1:989(988) ack 1 <nop,nop,sack 2001:2501>
      +0 option NO_DELAY 1
      +0 > P. 989:1001(12) ack 1 <nop,nop,sack 2001:2501>
    `);
  });

  scenario("an exact duplicate is acknowledged at once, when it comes again", (on) => {
    on.established().script(`
      +0   < P. 1:101(100) ack 1 win 20000
      +.04 > . 1:1(0) ack 101
      +0   < P. 1:101(100) ack 1 win 20000
      +0   > . 1:1(0) ack 101
      +0   read 200 = 100
    `);
  });

  scenario("only the new part is taken, when a segment overlaps", (on) => {
    on.established().script(`
      +0   < P. 1:101(100) ack 1 win 20000
      +.04 > . 1:1(0) ack 101
      +0   < P. 51:201(150) ack 1 win 20000
      +.04 > . 1:1(0) ack 201
      +0   read 300 = 200
    `);
  });

  scenario("the first bytes to arrive win, when later ones differ", (on) => {
    on.established().script(`
      +0 < P. 101:201(100) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 101:201>
      +0 < P. 101:201(100) ack 1 win 20000 junk
      +0 > . 1:1(0) ack 1 <nop,nop,sack 101:201>
      +0 < P. 1:101(100) ack 1 win 20000
      +0 > . 1:1(0) ack 201
      +0 < P. 1:201(200) ack 1 win 20000 junk
      +0 > . 1:1(0) ack 201
      +0 read 300 = 200
    `);
  });

  scenario("PSH, URG and unknown options change nothing, when text carries them", (on) => {
    on.established().script(`
      +0   < PU. 1:11(10) ack 1 win 20000 urg 5
      +.04 > . 1:1(0) ack 11
      +0   < U. 11:21(10) ack 1 win 20000 urg 65535
      +.04 > . 1:1(0) ack 21
      +0   < . 21:31(10) ack 1 win 20000 <kind 253 "f00d0102",kind 99,kind 30 "0000">
      +.04 > . 1:1(0) ack 31
      +0   < EWA. 31:41(10) ack 1 win 20000 <nop,nop,nop,eol>
      +.04 > . 1:1(0) ack 41
      +0   read 40
    `);
  });

  scenario("a segment is dropped, when an option's length can not be (MUST-7)", (on) => {
    on.established().script(`
      +0 < P. 1:11(10) ack 1 win 20000 <raw "05010000">
      +0 < P. 1:11(10) ack 1 win 20000 <raw "01010108">
      +0 < P. 1:11(10) ack 1 win 20000 <raw "fe090000">
      +9 nothing
      +0 drops TCP_OPTION = 3
      +0 readable = 0
    `);
  });
});

describe("S53 RFC 9293 section 3.8.6.3: delayed ACKs", () => {
  scenario("the ACK waits exactly 40 ms, when one segment came", (on) => {
    on.established().script(`
      +0    < P. 1:101(100) ack 1 win 20000
      +.039 nothing
      +.001 > . 1:1(0) ack 101
      +9    nothing
    `);
  });

  scenario("the ACK goes at once, when a second segment came", (on) => {
    on.established().script(`
      +0   < . 1:1001(1000) ack 1 win 20000
      +.03 < . 1001:2001(1000) ack 1 win 20000
      +0   > . 1:1(0) ack 2001
      +0   < . 2001:3001(1000) ack 1 win 20000
      +0   nothing
      +.04 > . 1:1(0) ack 3001
    `);
  });

  scenario("one ACK serves a batch, when many segments come together (MUST-58)", (on) => {
    on.established().script(`
      +0 hold
      +0 < . 1:1001(1000) ack 1 win 20000
      +0 < . 1001:2001(1000) ack 1 win 20000
      +0 < . 2001:3001(1000) ack 1 win 20000
      +0 < . 3001:4001(1000) ack 1 win 20000
      +0 deliver
      +0 > . 1:1(0) ack 4001
      +9 nothing
    `);
  });

  scenario("each second segment is acknowledged, when ackEvery is 2 (SHLD-19)", (on) => {
    on.established({ ackEvery: 2 }).script(`
      +0 hold
      +0 < . 1:1001(1000) ack 1 win 20000
      +0 < . 1001:2001(1000) ack 1 win 20000
      +0 < . 2001:3001(1000) ack 1 win 20000
      +0 < . 3001:4001(1000) ack 1 win 20000
      +0 deliver
      +0 > . 1:1(0) ack 2001
      +0 > . 1:1(0) ack 4001
      +9 nothing
    `);
  });

  scenario("the ACK rides on the echo, when the user answers within 40 ms", (on) => {
    on.established().script(`
      +0   < P. 1:2(1) ack 1 win 20000
      +.02 read 1
      +0   write 1
      +0   > P. 1:2(1) ack 2
      +.02 < . 2:2(0) ack 2 win 20000
      +9   nothing
    `);
  });

  scenario("SYN, text and FIN are processed, when one batch holds the whole conversation", (on) => {
    on.server().script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +0 hold
      +0 < . 1:1(0) ack 1 win 20000
      +0 < P. 1:101(100) ack 1 win 20000
      +0 < F. 101:101(0) ack 1 win 20000
      +0 deliver
      +0 > . 1:1(0) ack 102
      +0 accept
      +0 state CLOSE-WAIT
      +0 event END
      +0 read 200 = 100
    `);
  });
});

describe("RFC 7323 section 5: PAWS", () => {
  scenario("a segment is dropped and acknowledged, when its timestamp is old", (on) => {
    on.established({ syn: FULL_SYN }).script(`
      +0   < P. 1:11(10) ack 1 win 20000 <nop,nop,TS val 4999 ecr 0>
      +0   > . 1:1(0) ack 1 <nop,nop,TS val 0 ecr 5000>
      +0   drops PAWS = 1
      +0   readable = 0
      +0   < P. 1:11(10) ack 1 win 20000 <nop,nop,TS val 5000 ecr 0>
      +.04 > . 1:1(0) ack 11 <nop,nop,TS val 40 ecr 5000>
    `);
  });

  scenario("the echo is of the segment that advanced the window, when ACKs are delayed", (on) => {
    // RFC 7323 section 4.3: the earlier of two segments that one ACK covers.
    on.established({ syn: FULL_SYN }).script(`
      +.01 < . 1:1001(1000) ack 1 win 20000 <nop,nop,TS val 5010 ecr 0>
      +.01 < . 1001:2001(1000) ack 1 win 20000 <nop,nop,TS val 5020 ecr 0>
      +0   > . 1:1(0) ack 2001 <nop,nop,TS val 20 ecr 5010>
      +.01 < . 3001:4001(1000) ack 1 win 20000 <nop,nop,TS val 5030 ecr 0>
      +0   > . 1:1(0) ack 2001 <nop,nop,TS val 30 ecr 5010,nop,nop,sack 3001:4001>
      +.01 < . 2001:3001(1000) ack 1 win 20000 <nop,nop,TS val 5025 ecr 0>
      +0   > . 1:1(0) ack 4001 <nop,nop,TS val 40 ecr 5025>
    `);
  });

  scenario("timestamps wrap, when the peer's clock does", (on) => {
    on.established({ syn: "mss 1012,sackOK,TS val 0xfffffff0 ecr 0,nop,wscale 0" }).script(`
      +0   < P. 1:11(10) ack 1 win 20000 <nop,nop,TS val 5 ecr 0>
      +.04 > . 1:1(0) ack 11 <nop,nop,TS val 40 ecr 5>
      +0   < P. 11:21(10) ack 1 win 20000 <nop,nop,TS val 0xfffffff8 ecr 0>
      +0   > . 1:1(0) ack 11
      +0   drops PAWS = 1
    `);
  });
});

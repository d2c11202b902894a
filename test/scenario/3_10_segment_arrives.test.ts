/**
 * SEGMENT ARRIVES in the synchronized states: RFC 9293 section 3.10.7.4, first (the window), fifth (the ACK field) and seventh
 * (the text), with RFC 2018 (SACK), RFC 5961 section 5 and RFC 7323 section 5 (PAWS).
 */
import { describe } from "vitest";
import { FULL_SYN, PLAIN_SYN, scenario } from "./dsl/scenario.ts";
import { REACH, SYNCHRONIZED } from "./dsl/states.ts";

describe("fifth: the ACK field", () => {
  scenario(
    "9293-ACK-3 5961-3 an ACK is sent and the segment dropped, when it acknowledges what was never sent",
    (on) => {
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
    },
  );

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

  scenario(
    "5961-3 5961-5 MAY-12 a challenge ACK is sent, when the ACK is older than any window (RFC 5961 5.2)",
    (on) => {
      on.established().script(`
      +0 < P. 1:11(10) ack -70000 win 20000
      +0 > . 1:1(0) ack 1
      +0 readable = 0
      +0 drops CHALLENGE_ACKS = 1
      +0 < P. 1:11(10) ack 0x80000002 win 20000
      +0 > . 1:1(0) ack 1
      +0 readable = 0
    `);
    },
  );

  scenario("9293-ACK-4 the window is not taken, when the ACK is older (SND.WL2)", (on) => {
    on.established().script(`
      +0   write 500
      +0   > P. 1:501(500) ack 1
      +.01 < . 1:1(0) ack 501 win 3000
      +0   info sndWnd = 3000
      +0   < . 1:1(0) ack 1 win 9000
      +0   info sndWnd = 3000
    `);
  });

  scenario("9293-ACK-4 the window is not taken, when the segment is older (SND.WL1)", (on) => {
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

    scenario(`9293-ACK-1 ${state} drops a segment in silence, when it has no ACK`, (on) => {
      on.established().script(script).script(`
        +0 < P ${rcvNxt}:${rcvNxt + 10}(10) win 20000
        +0 < F ${rcvNxt}:${rcvNxt}(0) win 20000
        +0 < - ${rcvNxt}:${rcvNxt}(0) win 20000
        +0 nothing
        +0 state ${state}
        +0 drops NO_ACK = 3
      `);
    });

    scenario(
      `9293-ACCEPT-2 ${state} answers an ACK, when a segment is outside of the window`,
      (on) => {
        on.established().script(script).script(`
        +0 < P. ${rcvNxt + 65_535}:${rcvNxt + 65_545}(10) ack 1 win 20000
        +0 > . ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
        +0 < P. ${rcvNxt - 10}:${rcvNxt}(10) ack 1 win 20000
        +0 > . ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
        +0 < . ${rcvNxt - 1}:${rcvNxt - 1}(0) ack 1 win 20000
        +0 > . ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
        +0 state ${state}
      `);
      },
    );
  }
});

describe("RFC 9293 section 3.9.2.3: addresses", () => {
  scenario("nothing is answered, when the destination is a group (MUST-57)", (on) => {
    on.server().script(`
      +0 listen
      +0 < 36000 > 192.168.255.255:8080 S 0:0(0) win 20000 <mss 1000>
      +0 < 36000 > 224.0.0.1:8080 S 0:0(0) win 20000 <mss 1000>
      +0 < 36000 > 255.255.255.255:8080 S 0:0(0) win 20000 <mss 1000>
      +0 drops TCP_ADDRESS = 3
      +9 nothing
    `);
  });

  scenario("MUST-63 nothing is answered, when the source can not be one", (on) => {
    on.server().script(`
      +0 listen
      +0 < 127.0.0.1:36000 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0 < 224.0.0.1:36000 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0 < 255.255.255.255:36000 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0 drops IP_ADDRESS = 3
      +9 nothing
    `);
  });
});

describe("first: the window", () => {
  scenario(
    "9293-ACCEPT-4 what lies beyond the window is cut off, when a segment reaches across its edge",
    (on) => {
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
    },
  );

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

  scenario("FIN is taken, when our window is closed and it comes alone", (on) => {
    on.established({ syn: PLAIN_SYN, receiveBufferInitial: 4096, receiveBufferMax: 4096 }).script(`
      +0 < . 1:2049(2048) ack 1 win 20000
      +0 < . 2049:4097(2048) ack 1 win 20000
      +0 > . 1:1(0) ack 4097 win 0
      +0 < F. 4097:4107(10) ack 1 win 20000
      +0 > . 1:1(0) ack 4097 win 0
      +0 state ESTABLISHED
      +0 < F. 4097:4097(0) ack 1 win 20000
      +0 > . 1:1(0) ack 4098 win 0
      +0 state CLOSE-WAIT
      +0 event END
      +0 read 5000 = 4096
    `);
  });

  scenario("MUST-66 9293-ACCEPT-3 an ACK and a RST are heard, when our window is closed", (on) => {
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

describe("eighth: the FIN bit", () => {
  scenario("an old duplicate of the FIN does not prolong TIME-WAIT (RFC 7323 5.3)", (on) => {
    const stamps = "<nop,nop,TS val 5000 ecr 0>";
    on.established({ syn: FULL_SYN }).script(`
      +0  close
      +0  > F. 1:1(0) ack 1
      +0  < F. 1:1(0) ack 2 win 20000 ${stamps}
      +0  > . 2:2(0) ack 2
      +30 < F. 1:1(0) ack 2 win 20000 <nop,nop,TS val 4999 ecr 0>
      +0  > . 2:2(0) ack 2
      +30 timeWaits = 0
    `);
  });

  for (const state of ["CLOSE-WAIT", "LAST-ACK"] as const) {
    const { script, rcvNxt, sndNxt } = REACH[state];

    scenario(`a second FIN is acknowledged and not counted, when it comes in ${state}`, (on) => {
      on.established().script(script).script(`
        +0 < F. ${rcvNxt}:${rcvNxt}(0) ack 1 win 20000
        +0 > . ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
        +0 state ${state}
      `);
    });
  }

  scenario("a second FIN is ignored, when it comes in CLOSING without the ACK of ours", (on) => {
    on.established().script(REACH["CLOSING"].script).script(`
      +0 < F. 2:2(0) ack 1 win 20000
      +0 nothing
      +0 state CLOSING
      +0 < F. 2:2(0) ack 2 win 20000
      +0 > . 2:2(0) ack 2
      +0 state TIME-WAIT
    `);
  });
});

describe("S50 RFC 9293 section 3.10.7.4: text in and out of order", () => {
  scenario(
    "SHLD-31 MAY-13 2018-2 5681-7 the ACK stays below a gap and jumps to the end, when the gap is filled",
    (on) => {
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
    },
  );

  scenario("SHLD-31 segments 0 1 2 4 5 6 7 are kept, when 3 comes last", (on) => {
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

  scenario(
    "2018-2 2018-3 2018-4 the most recent block comes first, when there are several (RFC 2018 section 4)",
    (on) => {
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
    },
  );

  scenario("2018-4 three blocks fit, when timestamps are in use (RFC 2018 section 3)", (on) => {
    on.established({ syn: FULL_SYN }).script(`
      +0 < . 2001:2501(500) ack 1 win 20000 <nop,nop,TS val 5001 ecr 0>
      +0 > . 1:1(0) ack 1 <nop,nop,TS val 0 ecr 5000,nop,nop,sack 2001:2501>
      +0 < . 4001:4501(500) ack 1 win 20000 <nop,nop,TS val 5001 ecr 0>
      +0 > . 1:1(0) ack 1
      +0 < . 6001:6501(500) ack 1 win 20000 <nop,nop,TS val 5001 ecr 0>
      +0 > . 1:1(0) ack 1
      +0 < . 8001:8501(500) ack 1 win 20000 <nop,nop,TS val 5001 ecr 0>
      +0 > . 1:1(0) ack 1 <nop,nop,TS val 0 ecr 5000,nop,nop,sack 8001:8501 6001:6501 4001:4501>
    `);
  });

  scenario("2018-7 no blocks are sent, when the peer did not permit SACK", (on) => {
    on.established({ syn: PLAIN_SYN }).script(`
      +0 < . 2001:2501(500) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <>
      +0 < . 1:2001(2000) ack 1 win 20000
      +0 > . 1:1(0) ack 2501 <>
      +0 read 3000 = 2500
      +0 > . 1:1(0) ack 2501 win 65535
    `);
  });

  scenario("2018-2 blocks ride on text, when there is a hole", (on) => {
    on.established().script(`
      +0 < . 2001:2501(500) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 2001:2501>
      +0 write 1000
      +0 > . 1:989(988) ack 1 <nop,nop,sack 2001:2501>
      +0 option NO_DELAY 1
      +0 > P. 989:1001(12) ack 1 <nop,nop,sack 2001:2501>
    `);
  });

  scenario("5681-7 an exact duplicate is acknowledged at once, when it comes again", (on) => {
    on.established().script(`
      +0   < P. 1:101(100) ack 1 win 20000
      +.04 > . 1:1(0) ack 101
      +0   < P. 1:101(100) ack 1 win 20000
      +0   > . 1:1(0) ack 101
      +0   read 200 = 100
    `);
  });

  scenario("9293-ACCEPT-4 only the new part is taken, when a segment overlaps", (on) => {
    on.established().script(`
      +0   < P. 1:101(100) ack 1 win 20000
      +.04 > . 1:1(0) ack 101
      +0   < P. 51:201(150) ack 1 win 20000
      +.04 > . 1:1(0) ack 201 <nop,nop,sack 51:101>
      +0   read 300 = 200
    `);
  });

  scenario("the first bytes to arrive win, when later ones differ", (on) => {
    on.established().script(`
      +0 < P. 101:201(100) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 101:201>
      +0 < P. 101:201(100) ack 1 win 20000 junk
      +0 > . 1:1(0) ack 1 <nop,nop,sack 101:201 101:201>
      +0 < P. 1:101(100) ack 1 win 20000
      +0 > . 1:1(0) ack 201
      +0 < P. 1:201(200) ack 1 win 20000 junk
      +0 > . 1:1(0) ack 201 <nop,nop,sack 1:201>
      +0 read 300 = 200
    `);
  });

  scenario(
    "MUST-5 MUST-6 PSH, URG and unknown options change nothing, when text carries them",
    (on) => {
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
    },
  );

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

describe("RFC 7323 section 5: PAWS", () => {
  scenario("7323-13 a segment is dropped and acknowledged, when its timestamp is old", (on) => {
    on.established({ syn: FULL_SYN }).script(`
      +0   < P. 1:11(10) ack 1 win 20000 <nop,nop,TS val 4999 ecr 0>
      +0   > . 1:1(0) ack 1 <nop,nop,TS val 0 ecr 5000>
      +0   drops PAWS = 1
      +0   readable = 0
      +0   < P. 1:11(10) ack 1 win 20000 <nop,nop,TS val 5000 ecr 0>
      +.04 > . 1:1(0) ack 11 <nop,nop,TS val 40 ecr 5000>
    `);
  });

  scenario(
    "7323-11 the echo is of the segment that advanced the window, when ACKs are delayed",
    (on) => {
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
    },
  );

  scenario("7323-13 timestamps wrap, when the peer's clock does", (on) => {
    on.established({ syn: "mss 1012,sackOK,TS val 0xfffffff0 ecr 0,nop,wscale 0" }).script(`
      +0   < P. 1:11(10) ack 1 win 20000 <nop,nop,TS val 5 ecr 0>
      +.04 > . 1:1(0) ack 11 <nop,nop,TS val 40 ecr 5>
      +0   < P. 11:21(10) ack 1 win 20000 <nop,nop,TS val 0xfffffff8 ecr 0>
      +0   > . 1:1(0) ack 11
      +0   drops PAWS = 1
    `);
  });

  scenario(
    "7323-14 an old timestamp is taken, when 24 days have passed in silence (section 5.5)",
    (on) => {
      on.established({ syn: FULL_SYN }).script(`
      +2073000 < P. 1:11(10) ack 1 win 20000 <nop,nop,TS val 4999 ecr 0>
      +0       > . 1:1(0) ack 1
      +0       drops PAWS = 1
      +1000    < P. 1:11(10) ack 1 win 20000 <nop,nop,TS val 4999 ecr 0>
      +0       drops PAWS = 1
      +.04     > . 1:1(0) ack 11
      +0       readable = 10
    `);
    },
  );
});

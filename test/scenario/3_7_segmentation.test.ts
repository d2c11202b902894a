/** What a segment may hold: RFC 9293 sections 3.7.1 (MSS), 3.7.4 (Nagle) and 3.8.6.2.1 (silly windows of the sender). */
import { describe } from "vitest";
import { PLAIN_SYN, scenario, scenarioV4, scenarioV6 } from "./dsl/scenario.ts";

describe("RFC 9293 section 3.7.1: MSS", () => {
  scenarioV4("segments have 536 bytes, when the peer's SYN has no option (MUST-15)", (on) => {
    on.server().script(`
      +0 listen
      +0 < S 0:0(0) win 20000
      +0 > S. 0:0(0) ack 1 win 65535 <mss 1460>
      +0 < . 1:1(0) ack 1 win 20000
      +0 accept
      +0 write 1072
      +0 > . 1:537(536) ack 1 <>
      +0 > P. 537:1073(536) ack 1 <>
    `);
  });

  scenarioV6("segments have 1220 bytes, when the peer's SYN has no option (MUST-15)", (on) => {
    on.server().script(`
      +0 listen
      +0 < S 0:0(0) win 20000
      +0 > S. 0:0(0) ack 1 win 65535 <mss 1460>
      +0 < . 1:1(0) ack 1 win 20000
      +0 accept
      +0 write 2440
      +0 > . 1:1221(1220) ack 1 <>
      +0 > P. 1221:2441(1220) ack 1 <>
    `);
  });

  scenario(
    "MUST-14 SHLD-28 S08 segments have the peer's MSS, when it offers less than our link has",
    (on) => {
      on.established({ syn: "mss 700" }).script(`
      +0 write 1400
      +0 > . 1:701(700) ack 1
      +0 > P. 701:1401(700) ack 1
    `);
    },
  );

  scenario("S08 segments fit our link, when the peer offers more (MUST-16)", (on) => {
    on.established({ syn: "mss 9000" }).script(`
      +0 write 2920
      +0 > . 1:1461(1460) ack 1
      +0 > P. 1461:2921(1460) ack 1
    `);
  });

  scenario(
    "MAY-3 7323-6 MUST-67 SHLD-5 our MSS follows the link, when its MTU is small (SHLD-6)",
    (on) => {
      on.client({ mtu: 576 }).script(`
      +0 connect
      +0 > S 0:0(0) win 65535 <mss 536,sackOK,TS val 0 ecr 0,nop,wscale 5>
    `);
    },
  );

  scenario("MUST-16 options come off the text, when timestamps are in use", (on) => {
    on.established({ syn: "mss 1000,sackOK,TS val 9 ecr 0,nop,wscale 0" }).script(`
      +0 write 988
      +0 > P. 1:989(988) ack 1 <nop,nop,TS val 0 ecr 9>
    `);
  });
});

describe("S54, S55 RFC 9293 sections 3.7.4 and 3.8.6.2.1: small segments", () => {
  scenario(
    "SHLD-7 MAY-16 the first byte goes at once and the rest waits for its ACK, when Nagle is on",
    (on) => {
      on.established().script(`
      +0   write 1
      +0   > P. 1:2(1) ack 1
      +0   write 1
      +0   write 1
      +0   write 1
      +0   nothing
      +.01 < . 1:1(0) ack 2 win 20000
      +0   > P. 2:5(3) ack 1
    `);
    },
  );

  scenario("SHLD-28 a full segment goes, when Nagle is on", (on) => {
    on.established().script(`
      +0   write 1
      +0   > P. 1:2(1) ack 1
      +0   write 1500
      +0   > . 2:1002(1000) ack 1
      +.01 < . 1:1(0) ack 1002 win 20000
      +0   > P. 1002:1502(500) ack 1
    `);
  });

  scenario("each write goes at once, when noDelay is set (MUST-17)", (on) => {
    on.established().script(`
      +0 write 1
      +0 > P. 1:2(1) ack 1
      +0 write 1
      +0 nothing
      +0 option NO_DELAY 1
      +0 > P. 2:3(1) ack 1
      +0 write 1
      +0 > P. 3:4(1) ack 1
    `);
  });

  scenario(
    "MUST-38 a sliver of a window is not used, when it is below half of the largest",
    (on) => {
      on.established({ rtoMs: 1000, win: 2000, syn: PLAIN_SYN }).script(`
      +0   write 4000
      +0   > . 1:1001(1000) ack 1
      +0   > . 1001:2001(1000) ack 1
      +.01 < . 1:1(0) ack 1001 win 1300
      +0   nothing
      +.01 < . 1:1(0) ack 2001 win 1300
      +0   > . 2001:3001(1000) ack 1
      +0   nothing
      +.01 < . 1:1(0) ack 3001 win 1000
      +0   > P. 3001:4001(1000) ack 1
    `);
    },
  );

  scenario("MUST-38 half of the largest window is used, when it is below a segment", (on) => {
    on.established({ win: 800, syn: PLAIN_SYN }).script(`
      +0   write 1600
      +0   > . 1:801(800) ack 1
      +.01 < . 1:1(0) ack 801 win 400
      +0   > . 801:1201(400) ack 1
    `);
  });
});

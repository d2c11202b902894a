/** The retransmission timer: RFC 9293 sections 3.8.1 and 3.8.3, RFC 6298. */
import { describe } from "vitest";
import { CONGESTION_NEW_RENO } from "../../src/layout/layout.gen.ts";
import { FULL_SYN, PLAIN_SYN, scenario } from "./dsl/scenario.ts";

/** Where ssthresh is half of what is in flight. RFC 5681 section 3.1. */
const RENO = { congestionControl: CONGESTION_NEW_RENO };

describe("S58 RFC 6298 section 5: timeout", () => {
  scenario(
    "MUST-19 MUST-20 SHLD-11 6298-10 6298-5 6298-11 text is sent again with backoff and given up after R2, when nobody answers",
    (on) => {
      on.established({ rtoMs: 1000 }).script(`
      +0      write 5
      +0      > P. 1:6(5) ack 1
      +.999   nothing
      +.001   > P. 1:6(5) ack 1
      +1.999  nothing
      +.001   > P. 1:6(5) ack 1
      +3.999  nothing
      +.001   > P. 1:6(5) ack 1
      +7.999  nothing
      +.001   > P. 1:6(5) ack 1
      +15.999 nothing
      +.001   > P. 1:6(5) ack 1
      +31.999 nothing
      +.001   > P. 1:6(5) ack 1
      +59.999 nothing
      +0      state ESTABLISHED
      +.001   nothing
      +0      state CLOSED
      +0      event CLOSED TIMED_OUT
      +0      drops RETRANSMITS = 6
    `);
    },
  );

  scenario("6298-9 the timer starts anew, when an ACK leaves something outstanding (5.3)", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0    write 2000
      +0    > . 1:1001(1000) ack 1
      +0    > P. 1001:2001(1000) ack 1
      +.5   < . 1:1(0) ack 1001 win 20000
      +.999 nothing
      +.001 > P. 1001:2001(1000) ack 1
    `);
  });

  scenario("6298-7 the timer does not start anew, when more is sent (5.1)", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0    write 1000
      +0    > P. 1:1001(1000) ack 1
      +.5   write 1000
      +0    > P. 1001:2001(1000) ack 1
      +.499 nothing
      +.001 > . 1:1001(1000) ack 1
    `);
  });

  scenario("6298-8 the timer stops, when everything is acknowledged (5.2)", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0  write 5
      +0  > P. 1:6(5) ack 1
      +.5 < . 1:1(0) ack 6 win 20000
      +99 nothing
    `);
  });

  scenario(
    "MUST-18 6298-6 the backoff stays until a new sample, when the ACK is of a repetition (Karn)",
    (on) => {
      on.established({ rtoMs: 1000 }).script(`
      +0     write 5
      +0     > P. 1:6(5) ack 1
      +1     > P. 1:6(5) ack 1
      +.1    < . 1:1(0) ack 6 win 20000
      +0     write 5
      +0     > P. 6:11(5) ack 1
      +1.999 nothing
      +.001  > P. 6:11(5) ack 1
      +.1    < . 1:1(0) ack 11 win 20000
      +0     write 5
      +0     > P. 11:16(5) ack 1
      +.1    < . 1:1(0) ack 16 win 20000
      +0     write 5
      +0     > P. 16:21(5) ack 1
      +.999  nothing
      +.001  > P. 16:21(5) ack 1
    `);
    },
  );

  scenario("MUST-18 the backoff ends at once, when the repetition's timestamp comes back", (on) => {
    on.established({ rtoMs: 1000, syn: FULL_SYN }).script(`
      +0    write 5
      +0    > P. 1:6(5) ack 1 <nop,nop,TS val 0 ecr 5000>
      +1    > P. 1:6(5) ack 1 <nop,nop,TS val 1000 ecr 5000>
      +.1   < . 1:1(0) ack 6 win 20000 <nop,nop,TS val 5100 ecr 1000>
      +0    write 5
      +0    > P. 6:11(5) ack 1
      +.999 nothing
      +.001 > P. 6:11(5) ack 1
    `);
  });

  scenario("7323-12 an echo is no sample, when its ACK acknowledges nothing new", (on) => {
    on.established({ rtt: 0.08, syn: FULL_SYN }).script(`
      +0   info srttMs = 80
      +0   write 5
      +0   > P. 1:6(5) ack 1 <nop,nop,TS val 80 ecr 5000>
      +.08 < . 1:1(0) ack 1 win 20000 <nop,nop,TS val 5300 ecr 0>
      +0   info srttMs = 80
      +.08 < . 1:1(0) ack 6 win 20000 <nop,nop,TS val 5400 ecr 80>
      +0   info srttMs = 90
    `);
  });

  scenario("6298-10 the first bytes alone go again, when the timer expires over many", (on) => {
    on.established({ ...RENO, rtoMs: 1000, syn: PLAIN_SYN }).script(`
      +0  write 3000
      +0  > . 1:1001(1000) ack 1
      +0  > . 1001:2001(1000) ack 1
      +0  > P. 2001:3001(1000) ack 1
      +1  > . 1:1001(1000) ack 1
      +0  info cwnd = 1000
      +0  info ssthresh = 2000
      +.1 < . 1:1(0) ack 3001 win 20000
      +99 nothing
    `);
  });
});

describe("RFC 6298 section 2: the value", () => {
  scenario("MUST-18 6298-2 RTO is SRTT + 4 RTTVAR, when the handshake took 300 ms (2.2)", (on) => {
    on.established({ rtt: 0.3 }).script(`
      +0    write 5
      +0    > P. 1:6(5) ack 1
      +.899 nothing
      +.001 > P. 1:6(5) ack 1
    `);
  });

  scenario("6298-3 RTO follows later samples, when they differ (2.3)", (on) => {
    // RTTVAR = 3/4 * 150 + 1/4 * 200 = 162.5; SRTT = 7/8 * 300 + 1/8 * 100 = 275; RTO = 925.
    on.established({ rtt: 0.3 }).script(`
      +0    write 5
      +0    > P. 1:6(5) ack 1
      +.1   < . 1:1(0) ack 6 win 20000
      +0    write 5
      +0    > P. 6:11(5) ack 1
      +.924 nothing
      +.001 > P. 6:11(5) ack 1
    `);
  });

  scenario("6298-4 RTO is 200 ms, when the path is short", (on) => {
    on.established({ rtt: 0.001 }).script(`
      +0    write 5
      +0    > P. 1:6(5) ack 1
      +.199 nothing
      +.001 > P. 1:6(5) ack 1
    `);
  });

  scenario("RTO is sampled from the SYN,ACK too, when we listen", (on) => {
    on.passive({ rtt: 0.3 }).script(`
      +0    write 5
      +0    > P. 1:6(5) ack 1
      +.899 nothing
      +.001 > P. 1:6(5) ack 1
    `);
  });
});

describe("time that did not run", () => {
  scenario("deadlines move, when the machine slept", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0    write 5
      +0    > P. 1:6(5) ack 1
      +.4   suspended 3600
      +0    nothing
      +.599 nothing
      +.001 > P. 1:6(5) ack 1
      +0    state ESTABLISHED
    `);
  });

  scenario("what was due is done at the wake-up, when the sleep began before it", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0   write 5
      +0   > P. 1:6(5) ack 1
      +.4  suspended 3600 3599.4
      +0   > P. 1:6(5) ack 1
      +2   > P. 1:6(5) ack 1
      +0   state ESTABLISHED
    `);
  });

  scenario("TIME-WAIT and delayed ACKs move too, when the machine slept", (on) => {
    on.established().script(`
      +0      < P. 1:101(100) ack 1 win 20000
      +.01    suspended 100
      +.029   nothing
      +.001   > . 1:1(0) ack 101
      +0      read 100
      +0      close
      +0      > F. 1:1(0) ack 101
      +0      < F. 101:101(0) ack 2 win 20000
      +0      > . 2:2(0) ack 102
      +10     suspended 1000
      +49.999 timeWaits = 1
      +.001   timeWaits = 0
    `);
  });

  scenario("7323-15 the timestamp clock goes on, when the machine slept", (on) => {
    on.established({ syn: FULL_SYN }).script(`
      +0 suspended 100
      +0 write 5
      +0 > P. 1:6(5) ack 1 <nop,nop,TS val 100000 ecr 5000>
    `);
  });
});

describe("linkUp()", () => {
  scenario("an ACK goes at once and the text soon, when retransmission was backed off", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0    write 5
      +0    > P. 1:6(5) ack 1
      +1    > P. 1:6(5) ack 1
      +2    > P. 1:6(5) ack 1
      +4    > P. 1:6(5) ack 1
      +1    linkUp
      +0    > . 6:6(0) ack 1
      +.001 > P. 1:6(5) ack 1
      +1.999 nothing
      +.001 > P. 1:6(5) ack 1
    `);
  });

  scenario(
    "an ACK goes, when the connection is idle; the peer's RST tells that it is gone",
    (on) => {
      on.established().script(`
      +9  linkUp
      +0  > . 1:1(0) ack 1
      +.1 < R 1:1(0) win 0
      +0  event CLOSED RESET
    `);
    },
  );

  scenario("the SYN goes soon, when it was backed off", (on) => {
    on.client().script(`
      +0    connect
      +0    > S 0:0(0)
      +1    > S 0:0(0)
      +2    > S 0:0(0)
      +1    linkUp
      +0    nothing
      +.001 > S 0:0(0)
    `);
  });

  scenario("a probe goes soon, when the window is closed", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0    < . 1:1(0) ack 1 win 0
      +0    write 5
      +1    > . 1:2(1) ack 1
      +2    > . 1:2(1) ack 1
      +4    > . 1:2(1) ack 1
      +1    linkUp
      +0    > . 1:1(0) ack 1
      +.001 > . 1:2(1) ack 1
      +2    > . 1:2(1) ack 1
    `);
  });

  scenario("nothing is repeated, when the timer was not backed off", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0   write 5
      +0   > P. 1:6(5) ack 1
      +.5  linkUp
      +0   > . 6:6(0) ack 1
      +.5  > P. 1:6(5) ack 1
    `);
  });
});

/**
 * Opening: RFC 9293 section 3.5, what SYNs negotiate (RFC 7323, RFC 2018), and SYNs that nobody answers (section 3.8.3,
 * RFC 6298 sections 5.5 and 5.7).
 */
import { describe } from "vitest";
import { PLAIN_SYN, scenario } from "./dsl/scenario.ts";

describe("RFC 9293 section 3.5: three segments", () => {
  scenario("9293-SYNSENT-4 S01 connect() opens, when SYN,ACK comes", (on) => {
    on.client().script(`
      +0  connect
      +0  state SYN-SENT
      +0  > S 0:0(0) win 65535 <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5>
      +.1 < S. 0:0(0) ack 1 win 20000 <mss 1460,sackOK,TS val 700 ecr 0,nop,wscale 7>
      +0  > . 1:1(0) ack 1 win 2048 <nop,nop,TS val 100 ecr 700>
      +0  state ESTABLISHED
      +0  event OPENED
      +0  event WRITABLE
      +0  info mss = 1448
      +0  info sndWnd = 20000
      +500 nothing
    `);
  });

  scenario("9293-LISTEN-3 S01 listen() opens, when SYN and then its ACK come", (on) => {
    on.server().script(`
      +0  listen
      +0  < S 0:0(0) win 20000 <mss 1460,sackOK,TS val 700 ecr 0,nop,wscale 7>
      +0  > S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 0 ecr 700,nop,wscale 5>
      +0  state SYN-RECEIVED
      +0  accept = NONE
      +.1 < . 1:1(0) ack 1 win 160 <nop,nop,TS val 800 ecr 0>
      +0  nothing
      +0  state ESTABLISHED
      +0  accept 36000
      +0  info sndWnd = 20480
      +500 nothing
    `);
  });

  scenario("S01 the third segment's text is kept, when it carries some", (on) => {
    on.server().script(`
      +0   listen
      +0   < S 0:0(0) win 20000 <mss 1000>
      +0   > S. 0:0(0) ack 1 <mss 1460>
      +.1  < P. 1:101(100) ack 1 win 20000
      +0   accept
      +0   event READABLE
      +0   read 100
      +.04 > . 1:1(0) ack 101
    `);
  });

  scenario("S01 our text rides on the third segment, when it was written before", (on) => {
    on.client().script(`
      +0  connect
      +0  > S 0:0(0)
      +0  write 5
      +0  nothing
      +.1 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0  > P. 1:6(5) ack 1
      +0  < . 1:1(0) ack 6 win 20000
      +9  nothing
    `);
  });

  scenario("text on the SYN,ACK is taken, when we are in SYN-SENT", (on) => {
    on.client().script(`
      +0  connect
      +0  > S 0:0(0)
      +.1 < SP. 0:10(10) ack 1 win 20000 <mss 1000>
      +0  > . 1:1(0) ack 11
      +0  state ESTABLISHED
    `);
  });

  scenario("S03 an old duplicate SYN is undone by a RST, when the real one follows", (on) => {
    on.server().script(`
      +0  listen
      +0  < S -10:-10(0) win 20000 <mss 1000>
      +0  > S. 0:0(0) ack -9
      +.1 < R -9:-9(0) win 0
      +0  state GONE
      +0  reopen 0
      +.1 < S 0:0(0) win 20000 <mss 1000>
      +0  > S. 0:0(0) ack 1
      +.1 < . 1:1(0) ack 1 win 20000
      +0  accept
    `);
  });

  scenario(
    "MUST-11 9293-RST-1 S03 SYN-RECEIVED returns to LISTEN, when the real SYN comes before the RST",
    (on) => {
      // Section 3.10.7.4, fourth: "If the connection was initiated with a passive OPEN, then return to LISTEN".
      on.server().script(`
      +0  listen
      +0  < S -10:-10(0) win 20000 <mss 1000>
      +0  > S. 0:0(0) ack -9
      +.1 < S 0:0(0) win 20000 <mss 1000>
      +0  nothing
      +0  state GONE
      +.1 < R -9:-9(0) win 0
      +0  nothing
      +0  reopen 0
      +.8 < S 0:0(0) win 20000 <mss 1000>
      +0  > S. 0:0(0) ack 1
      +.1 < . 1:1(0) ack 1 win 20000
      +0  accept
    `);
    },
  );
});

describe("RFC 9293 section 3.5, figure 7: simultaneous open", () => {
  scenario(
    "9293-SYNSENT-5 S02 four segments open one connection, when SYNs cross (MUST-10)",
    (on) => {
      on.client().script(`
      +0   connect
      +0   > S 0:0(0) win 65535 <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5>
      +.01 < S 0:0(0) win 20000 <mss 1000,nop,nop,sackOK>
      +0   > S. 0:0(0) ack 1 win 65535 <mss 1460,nop,nop,sackOK>
      +0   state SYN-RECEIVED
      +.01 < S. 0:0(0) ack 1 win 20000 <mss 1000,nop,nop,sackOK>
      +0   nothing
      +0   state ESTABLISHED
      +0   event OPENED
      +0   write 10
      +0   > P. 1:11(10) ack 1
      +.01 < P. 1:11(10) ack 11 win 20000
      +0   read 10
      +.04 > . 11:11(0) ack 11
      +500 nothing
    `);
    },
  );

  scenario("S02 the initial window is not cut, because nothing was lost", (on) => {
    on.client().script(`
      +0   connect
      +0   > S 0:0(0)
      +.01 < S 0:0(0) win 20000 <mss 1000>
      +0   > S. 0:0(0) ack 1
      +.01 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0   write 3000
      +0   > . 1:1001(1000) ack 1
      +0   > . 1001:2001(1000) ack 1
      +0   > P. 2001:3001(1000) ack 1
    `);
  });

  scenario("S02 a bare ACK ends it too, when the peer's SYN,ACK was lost", (on) => {
    on.client().script(`
      +0   connect
      +0   > S 0:0(0)
      +.01 < S 0:0(0) win 20000 <mss 1000>
      +0   > S. 0:0(0) ack 1
      +.01 < . 1:1(0) ack 1 win 20000
      +0   nothing
      +0   state ESTABLISHED
    `);
  });

  scenario("S02 SYN,ACK is sent again with the same ISS, when it is not answered", (on) => {
    on.client().script(`
      +0    connect
      +0    > S 0:0(0)
      +.5   < S 0:0(0) win 20000 <mss 1000>
      +0    > S. 0:0(0) ack 1
      +.999 nothing
      +.001 > S. 0:0(0) ack 1
      +0    < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0    state ESTABLISHED
      +0    event OPENED
    `);
  });
});

describe("RFC 7323 and RFC 2018: what SYNs negotiate", () => {
  scenario(
    "7323-2 S09 windows are not scaled, when the peer's SYN,ACK has no window scale",
    (on) => {
      on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > . 1:1(0) ack 1 win 65535 <>
      +0 info sndWnd = 20000
      +0 < . 1:1(0) ack 1 win 300
      +0 info sndWnd = 300
    `);
    },
  );

  scenario(
    "7323-2 7323-3 S09 only later windows are scaled, when both SYNs have a window scale",
    (on) => {
      on.client().script(`
      +0 connect
      +0 > S 0:0(0) win 65535
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000,nop,wscale 2>
      +0 > . 1:1(0) ack 1 win 2048 <>
      +0 info sndWnd = 20000
      +0 < . 1:1(0) ack 1 win 20000
      +0 info sndWnd = 80000
    `);
    },
  );

  scenario("7323-4 S09 a shift of 14 is used, when the peer's is larger (section 2.3)", (on) => {
    on.established({ syn: "mss 1000,nop,wscale 15" }).script(`
      +0 < . 1:1(0) ack 1 win 2
      +0 info sndWnd = 32768
    `);
  });

  scenario("7323-1 S09 SYN,ACK has no window scale, when the SYN has none", (on) => {
    on.server().script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <mss 1000,sackOK,TS val 5 ecr 0>
      +0 > S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 0 ecr 5>
    `);
  });

  scenario("7323-8 2018-7 S10 segments have no timestamps, when the SYN had none", (on) => {
    on.passive({ syn: PLAIN_SYN }).script(`
      +0   write 5
      +0   > P. 1:6(5) ack 1 <>
      +0   < P. 1:6(5) ack 6 win 20000
      +.04 > . 6:6(0) ack 6 <>
    `);
  });

  scenario("S10 segments are dropped in silence, when they lack the agreed timestamps", (on) => {
    on.established({ syn: "mss 1000,sackOK,TS val 9 ecr 0,nop,wscale 0" }).script(`
      +0   < P. 1:6(5) ack 1 win 20000
      +9   nothing
      +0   drops TIMESTAMP_MISSING = 1
      +0   < R 1:1(0) win 0
      +0   event CLOSED RESET
    `);
  });

  scenario("nothing is offered, when the configuration says so", (on) => {
    on.client({ features: 0 }).script(`
      +0 connect
      +0 > S 0:0(0) win 65535 <mss 1460>
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000,sackOK,TS val 5 ecr 0,nop,wscale 3>
      +0 > . 1:1(0) ack 1 win 65535 <>
      +0 info sndWnd = 20000
    `);
  });

  scenario("every packet has the TTL of the configuration, when it is set (MUST-49)", (on) => {
    // The world refuses a packet whose TTL is not the configuration's.
    on.client({ ttl: 9 }).script("+0 connect\n+0 > S 0:0(0)");
  });

  scenario("our window is small from the start, when the buffer is", (on) => {
    on.client({ receiveBufferInitial: 4096, receiveBufferMax: 4096 }).script(`
      +0 connect
      +0 > S 0:0(0) win 4096 <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 0>
    `);
  });
});

describe("RFC 6298 section 5.5: SYN again", () => {
  scenario(
    "6298-5 MUST-22 MUST-23 6298-1 6298-11 S06 SYN is repeated with backoff up to 60 s, when nobody answers",
    (on) => {
      on.client().script(`
      +0       connect
      +0       > S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5>
      +.999    nothing
      +.001    > S 0:0(0) <mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 5>
      +1.999   nothing
      +.001    > S 0:0(0)
      +3.999   nothing
      +.001    > S 0:0(0)
      +7.999   nothing
      +.001    > S 0:0(0)
      +15.999  nothing
      +.001    > S 0:0(0)
      +31.999  nothing
      +.001    > S 0:0(0)
      +59.999  nothing
      +.001    > S 0:0(0)
      123      nothing
      179.999  nothing
      179.999  state SYN-SENT
      179.999  quiet CLOSED
      180      state CLOSED
      180      event CLOSED TIMED_OUT
      +500     nothing
      +0       close
      +0       state GONE
    `);
    },
  );

  scenario("S06 connect() fails after the user's time, when that is set", (on) => {
    on.client().script(`
      +0     connect
      +0     > S 0:0(0)
      +0     option CONNECT_TIMEOUT 1500
      +1     > S 0:0(0)
      +.499  state SYN-SENT
      +.001  event CLOSED TIMED_OUT
      +9     nothing
    `);
  });

  scenario("the connect timeout ends nothing, when the connection is open", (on) => {
    on.client().script(`
      +0   connect
      +0   > S 0:0(0)
      +0   option CONNECT_TIMEOUT 1500
      +1   > S 0:0(0)
      +.4  < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0   > . 1:1(0) ack 1
      +400 state ESTABLISHED
    `);
  });

  scenario("6928-2 the first window is one segment, when the SYN was repeated twice", (on) => {
    on.client().script(`
      +0  connect
      +0  > S 0:0(0)
      +1  > S 0:0(0)
      +2  > S 0:0(0)
      +.1 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0  > . 1:1(0) ack 1
      +0  info cwnd = 1000
      +0  write 2000
      +0  > . 1:1001(1000) ack 1
      +0  nothing
    `);
  });

  scenario(
    "6298-12 the first text waits 3 s for its ACK, when the SYN timed out (RFC 6298 5.7)",
    (on) => {
      on.client().script(`
      +0     connect
      +0     > S 0:0(0)
      +1     > S 0:0(0)
      +.1    < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0     > . 1:1(0) ack 1
      +0     write 5
      +0     > P. 1:6(5) ack 1
      +2.999 nothing
      +.001  > P. 1:6(5) ack 1
    `);
    },
  );

  scenario("the first window is ten segments, when the SYN was answered (RFC 6928)", (on) => {
    on.established().script(`
      +0  info cwnd = 10000
    `);
  });

  scenario("connect() ends without a segment, when the user closes first", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 close
      +0 state GONE
      +9 nothing
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > R 1:1(0) win 0 <>
    `);
  });
});

describe("SYN,ACK again", () => {
  scenario("SYN,ACK is repeated three times and then forgotten, when no ACK comes", (on) => {
    on.server().script(`
      +0      listen
      +0      < S 0:0(0) win 20000 <mss 1000>
      +0      > S. 0:0(0) ack 1 <mss 1460>
      +.999   nothing
      +.001   > S. 0:0(0) ack 1 <mss 1460>
      +1.999  nothing
      +.001   > S. 0:0(0) ack 1
      +3.999  nothing
      +.001   > S. 0:0(0) ack 1
      +7.999  nothing
      +0      state SYN-RECEIVED
      +.001   nothing
      +0      state GONE
      +0      accept = NONE
      +1      < . 1:1(0) ack 1 win 20000
      +0      > R 1:1(0)
    `);
  });

  scenario("SYN,ACK is repeated at once, when the SYN is", (on) => {
    on.server().script(`
      +0    listen
      +0    < S 0:0(0) win 20000 <mss 1000>
      +0    > S. 0:0(0) ack 1
      +.5   < S 0:0(0) win 20000 <mss 1000>
      +0    > S. 0:0(0) ack 1
      +.999 nothing
      +.001 > S. 0:0(0) ack 1
      +0    < . 1:1(0) ack 1 win 20000
      +0    accept
      +99   nothing
    `);
  });

  scenario("a second ACK is not needed, when our SYN,ACK comes twice to the peer", (on) => {
    on.passive().script(`
      +.1 < . 1:1(0) ack 1 win 20000
      +0  nothing
      +9  nothing
    `);
  });

  scenario("our ACK is repeated, when the peer's SYN,ACK comes again", (on) => {
    on.established().script(`
      +1  < S. 0:0(0) ack 1 win 20000 <mss 1000,nop,nop,sackOK>
      +0  > . 1:1(0) ack 1
      +0  state ESTABLISHED
    `);
  });
});

/** SYNs that nobody answers: RFC 9293 section 3.8.3 (R2), RFC 6298 sections 5.5 and 5.7. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

describe("RFC 6298 section 5.5: SYN again", () => {
  scenario("S06 SYN is repeated with backoff up to 60 s, when nobody answers", (on) => {
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
  });

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

  scenario("the first window is one segment, when the SYN was repeated (RFC 5681 3.1)", (on) => {
    on.client().script(`
      +0  connect
      +0  > S 0:0(0)
      +1  > S 0:0(0)
      +.1 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0  > . 1:1(0) ack 1
      +0  info cwnd = 1000
      +0  write 2000
      +0  > . 1:1001(1000) ack 1
      +0  nothing
    `);
  });

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

/** The header and its options: RFC 9293 sections 3.1 and 3.2. */
import { describe } from "vitest";
import { FULL_SYN, scenario } from "./dsl/scenario.ts";

describe("RFC 9293 section 3.1: the window", () => {
  scenario("MUST-1 65,535 is the largest one, not minus one", (on) => {
    on.established({ win: 65_535 }).script(`
      +0  info sndWnd = 65535
      +0  write 1000
      +0  > P. 1:1001(1000) ack 1
      +.1 < . 1:1(0) ack 1001 win 32768
      +0  info sndWnd = 32768
      +0  write 1000
      +0  > P. 1001:2001(1000) ack 1
    `);
  });

  scenario("REC-1 it is kept as 32 bits, when it is scaled", (on) => {
    on.established({ syn: "mss 1000,nop,wscale 14" }).script(`
      +0  < . 1:1(0) ack 1 win 65535
      +0  info sndWnd = 1073725440
      +0  write 1000
      +0  > P. 1:1001(1000) ack 1
    `);
  });
});

describe("RFC 9293 sections 3.1 and 3.2: options", () => {
  scenario(
    "MUST-4 MUST-64 they are understood at any offset, NOP and EOL as well",
    (on) => {
      on.server().script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <nop,mss 700,kind 99 "00",nop,nop,nop,eol>
      +0 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1 win 20000
      +0 accept
      +0 write 700
      +0 > P. 1:701(700) ack 1
    `);
    },
  );

  scenario("MUST-5 7323-2 those of SYNs change nothing, when they come later", (on) => {
    on.established().script(`
      +0   < . 1:11(10) ack 1 win 20000 <mss 100,sackOK,nop,nop,nop,wscale 3>
      +.04 > . 1:1(0) ack 11
      +0   info sndWnd = 20000
      +0   write 1000
      +0   > P. 1:1001(1000) ack 11
    `);
  });

  scenario(
    "MUST-65 2018-1 7323-1 7323-7 those of SYNs stand in SYNs alone, timestamps in all",
    (on) => {
      on.client().script(`
      +0  connect
      +0  > S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5>
      +0  < S. 0:0(0) ack 1 win 20000 <${FULL_SYN}>
      +0  > . 1:1(0) ack 1 <nop,nop,TS val 0 ecr 5000>
      +0  write 10
      +0  > P. 1:11(10) ack 1 <nop,nop,TS val 0 ecr 5000>
      +.2 > P. 1:11(10) ack 1 <nop,nop,TS val 200 ecr 5000>
      +0  < . 1:1(0) ack 11 win 20000 <nop,nop,TS val 5001 ecr 200>
      +0  closeWrite
      +0  > F. 11:11(0) ack 1 <nop,nop,TS val 200 ecr 5001>
    `);
    },
  );
});

describe("RFC 9293 section 3.9.1.2: PUSH", () => {
  scenario("MUST-60 MUST-61 SHLD-27 small writes fill segments, and the last one pushes", (on) => {
    on.established().script(`
      +0  write 600
      +0  > P. 1:601(600) ack 1
      +0  write 600
      +0  nothing
      +0  write 600
      +0  > . 601:1601(1000) ack 1
      +0  write 100
      +0  nothing
      +.1 < . 1:1(0) ack 1601 win 20000
      +0  > P. 1601:1901(300) ack 1
    `);
  });
});

describe("RFC 9293 section 3.10.7: what is dropped before a connection is", () => {
  scenario(
    "9293-SYNSENT-6 9293-FIN-5 SYN-SENT drops what has neither SYN nor RST, FIN too",
    (on) => {
      on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < P 1:11(10) win 20000
      +0 < F 1:1(0) win 20000
      +0 < F. 1:11(10) ack 1 win 20000
      +0 < . 1:1(0) ack 1 win 20000
      +0 nothing
      +0 state SYN-SENT
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > . 1:1(0) ack 1
      +0 state ESTABLISHED
    `);
    },
  );

  scenario("9293-FIN-5 LISTEN drops a FIN", (on) => {
    on.server().script(`
      +0 listen
      +0 < F 0:0(0) win 20000
      +0 nothing
      +0 accept = NONE
    `);
  });

  scenario("SHLD-2 RST counts, when it has text", (on) => {
    on.established().script(`
      +0 < R. 1:11(10) ack 1 win 0
      +0 nothing
      +0 state CLOSED
      +0 event CLOSED RESET
    `);
  });
});

describe("RFC 9293 section 3.9.1.1: LISTEN", () => {
  scenario("MUST-42 it works on a port that has half-open connections of both kinds", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 listen
      +0 < 40001 > 36000 S 0:0(0) win 20000 <mss 1000>
      +0 > 36000 > 40001 S. 0:0(0) ack 1
      +0 listen 36000 = IN_USE
      +0 < 40002 > 36000 S 0:0(0) win 20000 <mss 1000>
      +0 > 36000 > 40002 S. 0:0(0) ack 1
      +0 state SYN-SENT
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > . 1:1(0) ack 1
      +0 state ESTABLISHED
    `);
  });
});

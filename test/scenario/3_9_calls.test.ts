/** The user's calls and their options: RFC 9293 sections 3.9.1 and 3.9.2. */
import { describe } from "vitest";
import { MTU_PROBING_OFF } from "../../src/layout/layout.gen.ts";
import { scenario } from "./dsl/scenario.ts";

describe("RFC 9293 section 3.9.2: what IP carries", () => {
  scenario(
    "SHLD-21 SHLD-22 MUST-48 MUST-49 TTL and TOS are those of the option, in every segment",
    (on) => {
      on.client().script(`
      +0 ip 7 184
      +0 connect TTL 7 TOS 184
      +0 > S 0:0(0)
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > . 1:1(0) ack 1
      +0 write 10
      +0 > P. 1:11(10) ack 1
      +0 option TTL 64
      +0 option TOS 0
      +0 ip 64 0
      +0 write 1000
      +0 > P. 11:1011(1000) ack 1
      +0 optionOf TTL = 64
      +0 optionOf TOS = 0
    `);
    },
  );

  scenario("MUST-48 MUST-49 a listener's connections have its TTL and TOS", (on) => {
    on.server().script(`
      +0 listen
      +0 listenerOption TTL 9
      +0 listenerOption TOS 8
      +0 ip 9 8
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1 win 20000
      +0 accept
      +0 optionOf TTL = 9
      +0 optionOf TOS = 8
    `);
  });

  scenario("the stack's own TTL and TOS hold, when no option is set", (on) => {
    on.established({ ttl: 33, ttlV6: 33, tos: 4 }).script(`
      +0 write 10
      +0 > P. 1:11(10) ack 1
      +0 optionOf TTL = 33
      +0 optionOf TOS = 4
    `);
  });

  scenario("values that can not be are refused", (on) => {
    on.established().script(`
      +0 option TTL 0 = BAD_ARGUMENT
      +0 option TTL 256 = BAD_ARGUMENT
      +0 option TOS 3 = BAD_ARGUMENT
      +0 option TOS 256 = BAD_ARGUMENT
      +0 option NO_DELAY 2 = BAD_ARGUMENT
      +0 option KEEP_IDLE 0 = BAD_ARGUMENT
      +0 option KEEP_COUNT 256 = BAD_ARGUMENT
      +0 option CONGESTION 9 = BAD_ARGUMENT
      +0 option SEND_BUFFER 0 = BAD_ARGUMENT
      +0 option MTU_DISCOVERY 3 = BAD_ARGUMENT
      +0 option MAX_SEGMENT 500 = WRONG_STATE
      +0 option TIMESTAMPS 0 = WRONG_STATE
      +0 option ECN 1 = WRONG_STATE
      +0 option CONNECT_TIMEOUT 5 = WRONG_STATE
    `);
  });
});

describe("RFC 9293 section 3.7: segments and options", () => {
  scenario("MUST-14 the SYN offers the MSS of the option, and it is obeyed", (on) => {
    on.client().script(`
      +0 connect MAX_SEGMENT 600
      +0 > S 0:0(0) <mss 600,sackOK,TS val 0 ecr 0,nop,wscale 5>
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > . 1:1(0) ack 1
      +0 write 1000
      +0 > . 1:601(600) ack 1
      +0 < . 1:1(0) ack 601 win 20000
      +0 > P. 601:1001(400) ack 1
    `);
  });

  scenario("the SYN offers no timestamps, when they are off", (on) => {
    on.client().script(`
      +0 connect TIMESTAMPS 0
      +0 > S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 5>
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000,sackOK,TS val 1 ecr 0,nop,wscale 0>
      +0 > . 1:1(0) ack 1 <>
      +0 optionOf TIMESTAMPS = 0
    `);
  });

  scenario("a cork lets full segments go, and the rest after 200 ms", (on) => {
    on.established().script(`
      +0    option CORK 1
      +0    write 1500
      +0    > . 1:1001(1000) ack 1
      +.05  < . 1:1(0) ack 1001 win 20000
      +.149 nothing
      +.001 > P. 1001:1501(500) ack 1
      +0    < . 1:1(0) ack 1501 win 20000
      +0    write 100
      +.199 nothing
      +.001 > P. 1501:1601(100) ack 1
    `);
  });

  scenario("what a cork held goes at once, when it is taken off", (on) => {
    on.established().script(`
      +0  option CORK 1
      +0  write 500
      +.1 nothing
      +0  write 300
      +0  option CORK 0
      +0  > P. 1:801(800) ack 1
      +0  < . 1:1(0) ack 801 win 20000
      +9  nothing
    `);
  });

  scenario("what a cork held goes with the FIN, when the user closes", (on) => {
    on.established().script(`
      +0  option CORK 1
      +0  write 500
      +.1 closeWrite
      +0  > FP. 1:501(500) ack 1
    `);
  });

  scenario("a cork holds nothing back for longer, when keepalives are on too", (on) => {
    on.established().script(`
      +0  option KEEP_IDLE 1000
      +0  option KEEP_ALIVE 1
      +0  option CORK 1
      +.9 write 100
      +.1 nothing
      +.1 > P. 1:101(100) ack 1
      +0  < . 1:1(0) ack 101 win 20000
      +1  > . 100:100(0) ack 1
    `);
  });
});

describe("RFC 9293 section 3.8.3: R2 is the user's", () => {
  scenario("MUST-21 data is given up after the user timeout", (on) => {
    on.established({ rtoMs: 1000, features: 0 }).script(`
      +0 option USER_TIMEOUT 3000
      +0 write 1000
      +0 > P. 1:1001(1000) ack 1
      +1 > P. 1:1001(1000) ack 1
      +2 state CLOSED
      +0 event CLOSED USER_TIMEOUT
      +0 drops USER_TIMEOUTS = 1
    `);
  });

  scenario("MUST-21 data is never given up, when it is said to be never", (on) => {
    const config = { rtoMs: 1000, rtoMaxMs: 60_000, features: 0, mtuProbing: MTU_PROBING_OFF };
    on.established(config).script(`
      +0   option USER_TIMEOUT 4294967295
      +0   optionOf USER_TIMEOUT = 2147483647
      +0   write 1000
      +0   > P. 1:1001(1000) ack 1
      +1   > P. 1:1001(1000) ack 1
      +2   > P. 1:1001(1000) ack 1
      +4   > P. 1:1001(1000) ack 1
      +8   > P. 1:1001(1000) ack 1
      +16  > P. 1:1001(1000) ack 1
      +32  > P. 1:1001(1000) ack 1
      +60  > P. 1:1001(1000) ack 1
      +60  > P. 1:1001(1000) ack 1
      +0   state ESTABLISHED
    `);
  });
});

describe("RFC 9293 section 3.8.3: R1", () => {
  scenario("SHLD-9 SHLD-10 the user is told after three retransmissions, once", (on) => {
    on.established({ rtoMs: 1000, features: 0 }).script(`
      +0 write 1000
      +0 > P. 1:1001(1000) ack 1
      +1 > P. 1:1001(1000) ack 1
      +2 > P. 1:1001(1000) ack 1
      +0 quiet UNRESPONSIVE
      +4 > P. 1:1001(1000) ack 1
      +0 event UNRESPONSIVE
      +8 > P. 1:1001(1000) ack 1
      +0 quiet UNRESPONSIVE
    `);
  });
});

describe("RFC 9293 section 3.4.3: quiet time (seeds S25)", () => {
  scenario("S25 nothing is sent or heard before it is over", (on) => {
    on.client({ quietMs: 5000 }).script(`
      +0 connect
      +0 < S 0:0(0) win 1000 <mss 1000>
      +0 nothing
      +0 drops QUIET = 1
      +4.999 nothing
      +.001 > S 0:0(0)
      +.1 < S. 0:0(0) ack 1 win 1000 <mss 1000>
      +0 > . 1:1(0) ack 1
    `);
  });
});

describe("RFC 9293 section 3.10.6: STATUS", () => {
  scenario("bytes and segments are counted, SYN and FIN are no bytes", (on) => {
    on.established({ rtoMs: 1000, features: 0 }).script(`
      +0   info bytesAcked = 0
      +0   info bytesReceived = 0
      +0   write 1500
      +0   > . 1:1001(1000) ack 1
      +0   < P. 1:11(10) ack 1001 win 20000
      +0   > P. 1001:1501(500) ack 11
      +0   info bytesAcked = 1000
      +0   info unacked = 1
      +0   info bytesReceived = 10
      +1   > P. 1001:1501(500) ack 11
      +0   info retransmits = 1
      +0   info lastHeardMs = 1000
      +0   < F. 11:11(0) ack 1501 win 20000
      +0   > . 1501:1501(0) ack 12
      +0   info bytesReceived = 10
      +0   closeWrite
      +0   > F. 1501:1501(0) ack 12
      +0   < . 12:12(0) ack 1502 win 20000
      +0   info bytesAcked = 1500
      +0   info segmentsIn = 4
      +0   info segmentsOut = 7
    `);
  });
});

describe("RFC 9293 section 3.8.6: windows that the user bounds", () => {
  scenario("a clamp holds from the SYN on, and the window does not grow beyond it", (on) => {
    on.client().script(`
      +0 connect WINDOW_CLAMP 5000
      +0 > S 0:0(0) win 5000
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > . 1:1(0) ack 1 win 5000
      +0 option WINDOW_CLAMP 0
      +0 optionOf WINDOW_CLAMP = 0
    `);
  });

  scenario("the receive buffer that the user sets is the window, and does not grow", (on) => {
    on.client().script(`
      +0 connect RECEIVE_BUFFER 3000
      +0 > S 0:0(0) win 3000
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > . 1:1(0) ack 1 win 3000
      +0 < . 1:1001(1000) ack 1 win 20000
      +0 < . 1001:2001(1000) ack 1 win 20000
      +0 > . 1:1(0) ack 2001 win 1000
      +0 read 2000
      +0 > . 1:1(0) ack 2001 win 3000
      +0 < . 2001:3001(1000) ack 1 win 20000
      +0 < . 3001:4001(1000) ack 1 win 20000
      +0 > . 1:1(0) ack 4001 win 1000
      +0 read 2000
      +0 > . 1:1(0) ack 4001 win 3000
    `);
  });
});

describe("RFC 9293 section 3.8.6.3: quick ACKs", () => {
  scenario("ACKs go at once, when they are asked for, and wait, when they are not", (on) => {
    on.established().script(`
      +0   < P. 1:11(10) ack 1 win 20000
      +.04 > . 1:1(0) ack 11
      +0   option QUICK_ACK 1
      +0   < P. 11:21(10) ack 1 win 20000
      +0   > . 1:1(0) ack 21
      +0   option QUICK_ACK 0
      +0   < P. 21:31(10) ack 1 win 20000
      +.04 > . 1:1(0) ack 31
    `);
  });
});

describe("RFC 9293 section 3.10.4: lingering and FIN-WAIT-2", () => {
  scenario("the rest is reset, when the queue was not sent within LINGER", (on) => {
    on.established({ rtoMs: 60000, features: 0 }).script(`
      +0 option LINGER 5000
      +0 write 1000
      +0 > P. 1:1001(1000) ack 1
      +0 close
      +0 > F. 1001:1001(0) ack 1
      +5 > R. 1002:1002(0) ack 1
      +0 state GONE
    `);
  });

  scenario("a LINGER of 0 resets at once", (on) => {
    on.established().script(`
      +0 option LINGER 0
      +0 close
      +0 > R. 1:1(0) ack 1
      +0 state GONE
    `);
  });

  scenario(
    "S40 the rest is reset, when both directions are closed and the handle is held",
    (on) => {
      on.established({ rtoMs: 60000, features: 0 }).script(`
      +0 option LINGER 5000
      +0 write 1000
      +0 > P. 1:1001(1000) ack 1
      +0 closeWrite
      +0 > F. 1001:1001(0) ack 1
      +1 closeRead
      +4.999 state FIN-WAIT-1
      +.001 > R. 1002:1002(0) ack 1
      +0 event CLOSED ABORTED
    `);
    },
  );

  scenario("it lingers for nothing, when all was acknowledged", (on) => {
    on.established().script(`
      +0 option LINGER 5000
      +0 option FIN_WAIT_2 20000
      +0 close
      +0 > F. 1:1(0) ack 1
      +.1 < . 1:1(0) ack 2 win 20000
      +9 nothing
      +0 state FIN-WAIT-2
      +11 state GONE
      +0 nothing
    `);
  });
});

describe("RFC 9293 section 3.10.1: passive opens that name the remote (seeds S72)", () => {
  scenario("S72 the one that names the remote is preferred, others are refused by it", (on) => {
    on.server().script(`
      +0 listen
      +0 listen 192.168.0.1:8080
      +0 listen 192.168.0.1:8080 from 192.0.2.1:36000
      +0 listen 192.168.0.1:8080 from 192.0.2.1:36000 = IN_USE
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +0 listener = 2
    `);
    on.server().script(`
      +0 listen 192.168.0.1:8080 from 192.0.2.1:1
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > R. 0:0(0) ack 1
    `);
  });
});

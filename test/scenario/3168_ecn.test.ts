/** RFC 3168 section 6.1: Explicit Congestion Notification of TCP. */
import { describe } from "vitest";
import {
  CONGESTION_NEW_RENO,
  FEATURE_ECN,
  FEATURE_ECN_ACCEPT,
  FEATURE_SACK,
} from "../../src/layout/layout.gen.ts";
import { PLAIN_SYN, scenario } from "./dsl/scenario.ts";
import type { Fixtures } from "./dsl/scenario.ts";
import type { Session } from "./dsl/session.ts";

/** Nothing but ECN, so that what is shown comes of it. */
const ASKS = {
  features: FEATURE_ECN | FEATURE_SACK,
  congestionControl: CONGESTION_NEW_RENO,
  rtoInitialMs: 1000,
  rtoMinMs: 1000,
};
const ACCEPTS = { ...ASKS, features: FEATURE_ECN_ACCEPT };
const REFUSES = { ...ASKS, features: 0 };

/** A connection of ours with ECN, ESTABLISHED. */
function withEcn(on: Fixtures): Session {
  return on.client(ASKS).script(`
    +0 connect
    +0 > SEW 0:0(0)
    +0 < SE. 0:0(0) ack 1 win 60000 <${PLAIN_SYN}>
    +0 > . 1:1(0) ack 1
  `);
}

describe("RFC 3168 section 6.1.1: what SYNs agree on", () => {
  scenario(
    "SHLD-8 3168-1 our SYN has ECE and CWR, and text is ECT when the SYN,ACK has ECE",
    (on) => {
      withEcn(on).script(`
      +0 write 1000
      +0 > [ect0] P. 1:1001(1000) ack 1
      +0 event OPENED
      +0 event WRITABLE
    `);
    },
  );

  scenario("3168-1 our SYN,ACK has ECE alone, when the SYN has both", (on) => {
    on.server(ACCEPTS).script(`
      +0 listen
      +0 < SEW 0:0(0) win 60000 <${PLAIN_SYN}>
      +0 > SE. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1 win 60000
      +0 accept
      +0 write 1000
      +0 > [ect0] P. 1:1001(1000) ack 1
    `);
  });

  scenario("3168-1 one flag of a SYN, or both of a SYN,ACK, are no ECN setup", (on) => {
    on.server(ACCEPTS).script(`
      +0 listen
      +0 < SE 0:0(0) win 60000 <${PLAIN_SYN}>
      +0 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1 win 60000
      +0 accept
      +0 write 1000
      +0 > P. 1:1001(1000) ack 1
    `);
    on.client(ASKS).script(`
      +0 connect
      +0 > SEW 0:0(0)
      +0 < SEW. 0:0(0) ack 1 win 60000 <${PLAIN_SYN}>
      +0 > . 1:1(0) ack 1
      +0 write 1000
      +0 > P. 1:1001(1000) ack 1
    `);
  });

  scenario("3168-1 nothing is agreed, when the host does not want it", (on) => {
    on.server(REFUSES).script(`
      +0 listen
      +0 < SEW 0:0(0) win 60000 <${PLAIN_SYN}>
      +0 > S. 0:0(0) ack 1
    `);
    on.client(ACCEPTS).script(`
      +0 connect
      +0 > S 0:0(0)
    `);
  });

  scenario("3168-2 SYN and SYN,ACK are not ECT, nor when they are repeated", (on) => {
    on.server(ACCEPTS).script(`
      +0 listen
      +0 < SEW 0:0(0) win 60000 <${PLAIN_SYN}>
      +0 > SE. 0:0(0) ack 1
      +1 > SE. 0:0(0) ack 1
    `);
  });

  scenario(
    "3168-10 a SYN that was not answered is repeated without ECN, which then is off",
    (on) => {
      on.client(ASKS).script(`
      +0 connect
      +0 > SEW 0:0(0)
      +1 > S 0:0(0)
      +0 < SE. 0:0(0) ack 1 win 60000 <${PLAIN_SYN}>
      +0 > . 1:1(0) ack 1
      +0 write 1000
      +0 > P. 1:1001(1000) ack 1
    `);
    },
  );

  scenario("3168-10 a repeated SYN without ECN ends what the first one began", (on) => {
    on.server(ACCEPTS).script(`
      +0 listen
      +0 < SEW 0:0(0) win 60000 <${PLAIN_SYN}>
      +0 > SE. 0:0(0) ack 1
      +.5 < S 0:0(0) win 60000 <${PLAIN_SYN}>
      +0 > S. 0:0(0) ack 1
    `);
  });
});

describe("RFC 3168 section 6.1.3: the receiver", () => {
  scenario("3168-3 CE is echoed by every ACK until CWR comes", (on) => {
    withEcn(on).script(`
      +0   < [ce] . 1:1001(1000) ack 1 win 60000
      +.04 > E. 1:1(0) ack 1001
      +0   < [ect0] . 1001:2001(1000) ack 1 win 60000
      +.04 > E. 1:1(0) ack 2001
      +0   < [ect0] W. 2001:3001(1000) ack 1 win 60000
      +.04 > . 1:1(0) ack 3001
      +0   drops ECN_CE_IN = 1
    `);
  });

  scenario("3168-3 CWR ends the old echo and CE begins a new one, in one segment", (on) => {
    withEcn(on).script(`
      +0   < [ce] . 1:1001(1000) ack 1 win 60000
      +.04 > E. 1:1(0) ack 1001
      +0   < [ce] W. 1001:2001(1000) ack 1 win 60000
      +.04 > E. 1:1(0) ack 2001
    `);
  });

  scenario("3168-8 CE outside of the window, on no text, or without ECN is not echoed", (on) => {
    withEcn(on).script(`
      +0   < [ce] . 900001:901001(1000) ack 1 win 60000
      +0   > . 1:1(0) ack 1
      +0   < [ce] . 1:1(0) ack 1 win 60000
      +0   < [ect0] . 1:1001(1000) ack 1 win 60000
      +.04 > . 1:1(0) ack 1001
      +0   drops ECN_CE_IN = 0
    `);
    on.established({ ...REFUSES, syn: PLAIN_SYN }).script(`
      +0   < [ce] . 1:1001(1000) ack 1 win 60000
      +.04 > . 1:1(0) ack 1001
    `);
  });
});

describe("RFC 3168 sections 6.1.2 and 6.1.5: the sender", () => {
  scenario("3168-4 ECE halves the window once a window, and the next new text has CWR", (on) => {
    withEcn(on).script(`
      +0   write 10000
      +0   > [ect0] . 1:1001(1000) ack 1
      +0   > [ect0] . 1001:2001(1000) ack 1
      +0   > [ect0] . 2001:3001(1000) ack 1
      +0   > [ect0] . 3001:4001(1000) ack 1
      +0   > [ect0] . 4001:5001(1000) ack 1
      +0   > [ect0] . 5001:6001(1000) ack 1
      +0   > [ect0] . 6001:7001(1000) ack 1
      +0   > [ect0] . 7001:8001(1000) ack 1
      +0   > [ect0] . 8001:9001(1000) ack 1
      +0   > [ect0] P. 9001:10001(1000) ack 1
      +.05 < E. 1:1(0) ack 6001 win 60000
      +0   info ssthresh = 5000
      +0   drops ECN_REDUCTIONS = 1
      +.01 < E. 1:1(0) ack 8001 win 60000
      +.01 < E. 1:1(0) ack 10001 win 60000
      +0   info ssthresh = 5000
      +0   drops ECN_REDUCTIONS = 1
      +0   write 1000
      +0   > [ect0] PW. 10001:11001(1000) ack 1
      +.05 < . 1:1(0) ack 11001 win 60000
      +0   drops ECN_REDUCTIONS = 1
      +0   write 1000
      +0   > [ect0] P. 11001:12001(1000) ack 1
      +.05 < E. 1:1(0) ack 12001 win 60000
      +0   drops ECN_REDUCTIONS = 2
      +0   info ssthresh = 2000
    `);
  });

  scenario("3168-5 3168-4 what is sent again is not ECT, and new text after it has CWR", (on) => {
    withEcn(on).script(`
      +0 write 1000
      +0 > [ect0] P. 1:1001(1000) ack 1
      +1 > P. 1:1001(1000) ack 1
      +0 < . 1:1(0) ack 1001 win 60000
      +0 write 1000
      +0 > [ect0] PW. 1001:2001(1000) ack 1
    `);
  });

  scenario("3168-6 segments without text are not ECT: ACK and FIN", (on) => {
    withEcn(on).script(`
      +0   < [ect0] . 1:1001(1000) ack 1 win 60000
      +.04 > . 1:1(0) ack 1001
      +0   closeWrite
      +0   > F. 1:1(0) ack 1001
    `);
  });

  scenario("3168-7 a probe of a closed window is not ECT", (on) => {
    withEcn(on).script(`
      +0 < . 1:1(0) ack 1 win 0
      +0 write 1000
      +0 nothing
      +1 > . 1:2(1) ack 1
    `);
  });
});

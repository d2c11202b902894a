/** SYN cookies: RFC 4987 section 3.6. */
import { describe } from "vitest";
import {
  COOKIES_ALWAYS,
  COOKIES_NEVER,
  FEATURE_ECN_ACCEPT,
  FEATURE_SACK,
  FEATURE_TIMESTAMPS,
  FEATURE_WINDOW_SCALE,
} from "../../src/layout/layout.gen.ts";
import { scenario } from "./dsl/scenario.ts";

const ALWAYS = { synCookies: COOKIES_ALWAYS };
const FULL = {
  ...ALWAYS,
  features: FEATURE_TIMESTAMPS | FEATURE_SACK | FEATURE_WINDOW_SCALE | FEATURE_ECN_ACCEPT,
};

describe("4987-1 a flood of SYNs", () => {
  scenario("4987-1 takes no memory beyond the backlog, and who is real gets through", (on) => {
    const session = on.server().script("+0 listen backlog 2");
    for (const port of [50_001, 50_002]) {
      session.script(`
        +0 < ${port} > 8080 S 0:0(0) win 20000 <mss 1000>
        +0 > 8080 > ${port} S. 0:0(0) ack 1
      `);
    }
    session.script(`
      +0 < S 0:0(0) win 20000 <mss 1460>
      +0 > S. 0:0(0) ack 1 win 65535 <mss 1460>
      +0 drops COOKIES_OUT = 1
      +0 state GONE
      +0 < . 1:1(0) ack 1 win 20000
      +0 accept
      +0 state ESTABLISHED
      +0 drops COOKIES_IN = 1
      +0 write 1460
      +0 > P. 1:1461(1460) ack 1
    `);
  });

  scenario("4987-1 is dropped, when cookies are off", (on) => {
    on.server({ synCookies: COOKIES_NEVER }).script(`
      +0 listen backlog 1
      +0 < 50001 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0 > 8080 > 50001 S. 0:0(0) ack 1
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 nothing
      +0 drops BACKLOG = 1
    `);
  });

  scenario("4987-1 draws no cookies, when it is the user who does not accept", (on) => {
    on.server().script(`
      +0 listen backlog 1
      +0 < 50001 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0 > 8080 > 50001 S. 0:0(0) ack 1
      +0 < 50001 > 8080 . 1:1(0) ack 1 win 20000
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 nothing
      +0 drops COOKIES_OUT = 0
    `);
  });
});

describe("4987-2 an ACK that brings a cookie back", () => {
  scenario("4987-2 has the MSS in it, one of eight that is not above the offer", (on) => {
    on.server(ALWAYS).script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <mss 1300>
      +0 > S. 0:0(0) ack 1 win 65535 <mss 1460>
      +0 < . 1:1(0) ack 1 win 20000
      +0 accept
      +0 info mss = 1220
    `);
  });

  scenario("4987-2 may carry the first bytes", (on) => {
    on.server(ALWAYS).script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <mss 1300>
      +0 > S. 0:0(0) ack 1
      +0 < P. 1:101(100) ack 1 win 20000
      +0 accept
      +0 read 100
      +.04 > . 1:1(0) ack 101
    `);
  });

  scenario("4987-2 has SACK and window scale in the echoed timestamp", (on) => {
    on.server(FULL).script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <mss 1460,sackOK,TS val 5000 ecr 0,nop,wscale 7>
      +0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 0 ecr 5000,nop,wscale 5>
      +0 < . 1:1(0) ack 1 win 1000 <nop,nop,TS val 5001 ecr 0>
      +0 accept
      +0 info hasSack = true
      +0 info hasTimestamps = true
      +0 info sndWnd = 128000
      +0 info mss = 1448
    `);
  });

  scenario("4987-2 knows neither SACK nor scaling, when the SYN had no timestamps", (on) => {
    on.server(FULL).script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <mss 1460,sackOK,nop,wscale 7,nop,nop>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +0 < . 1:1(0) ack 1 win 1000
      +0 accept
      +0 info hasSack = false
      +0 info sndWnd = 1000
    `);
  });

  scenario("4987-2 agrees to ECN by the timestamp, too (RFC 3168)", (on) => {
    on.server(FULL).script(`
      +0 listen
      +0 < SEW 0:0(0) win 20000 <mss 1460,nop,nop,TS val 5000 ecr 0>
      +0 > SE. 0:0(0) ack 1 <mss 1460,nop,nop,TS val 0 ecr 5000>
      +0 < . 1:1(0) ack 1 win 1000 <nop,nop,TS val 5001 ecr 0>
      +0 accept
      +0 write 100
      +0 > [ect0] P. 1:101(100) ack 1
    `);
  });

  scenario("4987-2 is good for one tick of 64 s more, and no longer", (on) => {
    on.server(ALWAYS).script(`
      +0   listen
      +0   < S 0:0(0) win 20000 <mss 1460>
      +0   > S. 0:0(0) ack 1
      +63  < . 1:1(0) ack 1 win 20000
      +0   accept
    `);
    on.server(ALWAYS).script(`
      +0   listen
      +0   < S 0:0(0) win 20000 <mss 1460>
      +0   > S. 0:0(0) ack 1
      +129 < . 1:1(0) ack 1 win 20000
      +0   > R 1:1(0)
      +0   state GONE
    `);
  });

  for (const [what, seq, ack] of [["acknowledgment", 1, 2], ["sequence number", 2, 1]] as const) {
    scenario(`4987-2 is refused, when its ${what} is another one`, (on) => {
      on.server(ALWAYS).script(`
        +0 listen
        +0 < S 0:0(0) win 20000 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . ${seq}:${seq}(0) ack ${ack} win 20000
        +0 > R ${ack}:${ack}(0)
        +0 state GONE
        +0 drops COOKIES_FAILED = 1
      `);
    });
  }

  scenario("4987-2 is refused, when no cookie was sent", (on) => {
    on.server().script(`
      +0 listen
      +0 < . 1:1(0) ack 1 win 20000
      +0 > R 1:1(0)
      +0 drops COOKIES_FAILED = 0
    `);
  });
});

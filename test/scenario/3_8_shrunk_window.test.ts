/** A window that takes back what it gave: RFC 9293 section 3.8.6, RFC 7323 section 2.4. */
import { describe } from "vitest";
import { PLAIN_SYN, scenario } from "./dsl/scenario.ts";

describe("RFC 9293 section 3.8.6: the right edge has moved left", () => {
  scenario("SHLD-15 SHLD-16 MAY-7 new text waits, and old text goes again", (on) => {
    on.established({ rtoMs: 1000, syn: PLAIN_SYN }).script(`
      +0  write 4000
      +0  > . 1:1001(1000) ack 1
      +0  > . 1001:2001(1000) ack 1
      +0  > . 2001:3001(1000) ack 1
      +0  > P. 3001:4001(1000) ack 1
      +.1 < . 1:1(0) ack 1001 win 1500
      +0  write 1000
      +0  nothing
      +1  > . 1001:2001(1000) ack 1
      +.1 < . 1:1(0) ack 2001 win 500
      +0  > . 2001:3001(1000) ack 1
      +0  > . 3001:4001(1000) ack 1
      +0  drops RETRANSMITS = 3
    `);
  });

  scenario(
    "SHLD-17 it ends nothing, when it has left all that is in flight outside for long",
    (on) => {
      const session = on.established({ rtoMs: 1000, rtoMaxMs: 60_000 }).script(`
      +0  write 2000
      +0  > . 1:1001(1000) ack 1
      +0  > P. 1001:2001(1000) ack 1
      +0  < . 1:1(0) ack 1 win 0
    `);
      for (const delay of [1, 2, 4, 8, 16, 32, ...new Array(10).fill(60)]) {
        session.script(`
        +${delay} > . 1:2(1) ack 1
        +0        < . 1:1(0) ack 1 win 0
      `);
      }
      session.script(`
      +0 state ESTABLISHED
      +0 < . 1:1(0) ack 2001 win 20000
      +0 write 10
      +0 > P. 2001:2011(10) ack 1
    `);
    },
  );

  scenario("7323-5 what was in the window goes again, when rounding has left it outside", (on) => {
    on.established({ rtoMs: 1000, syn: "mss 1000,nop,wscale 8" }).script(`
      +0  < . 1:1(0) ack 1 win 12
      +0  write 3000
      +0  > . 1:1001(1000) ack 1
      +0  > . 1001:2001(1000) ack 1
      +0  > P. 2001:3001(1000) ack 1
      +.1 < . 1:1(0) ack 2001 win 3
      +0  info sndWnd = 768
      +1  > P. 2001:3001(1000) ack 1
      +.1 < . 1:1(0) ack 3001 win 12
    `);
  });
});

/** Keepalives: RFC 9293 section 3.8.4, seeds S24. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

const KEEP = `
  +0 option KEEP_IDLE 10000
  +0 option KEEP_INTERVAL 2000
  +0 option KEEP_COUNT 3
  +0 option KEEP_ALIVE 1
`;

describe("RFC 9293 section 3.8.4: keepalives", () => {
  scenario("MUST-24 MUST-25 an idle connection stays silent, when nobody asked for them", (on) => {
    on.established().script(`
      +0      optionOf KEEP_ALIVE = 0
      +100000 nothing
      +0      state ESTABLISHED
    `);
  });

  scenario("MUST-28 the first comes after two hours, when only KEEP_ALIVE is set", (on) => {
    on.established().script(`
      +0        optionOf KEEP_IDLE = 7200000
      +0        option KEEP_ALIVE 1
      +7199.999 nothing
      +.001     > . 0:0(0) ack 1
      +.1       < . 1:1(0) ack 1 win 20000
      +7199.999 nothing
      +.001     > . 0:0(0) ack 1
    `);
  });

  scenario("MUST-27 SHLD-12 it asks with SND.NXT - 1 and no text after the idle time", (on) => {
    on.established().script(`
      ${KEEP}
      +9.999  nothing
      +.001   > . 0:0(0) ack 1
      +.1     < . 1:1(0) ack 1 win 20000
      +9.999  nothing
      +.001   > . 0:0(0) ack 1
      +0      < . 1:1(0) ack 1 win 20000
      +0      drops KEEPALIVES = 2
    `);
  });

  scenario("MUST-29 three without answer end the connection, not one", (on) => {
    on.established().script(`
      ${KEEP}
      +10 > . 0:0(0) ack 1
      +2  > . 0:0(0) ack 1
      +2  > . 0:0(0) ack 1
      +1  state ESTABLISHED
      +1  > R. 1:1(0) ack 1
      +0  state CLOSED
      +0  event CLOSED KEEPALIVE
      +99 nothing
    `);
  });

  scenario("the count begins anew, when one of them is answered", (on) => {
    on.established().script(`
      ${KEEP}
      +10 > . 0:0(0) ack 1
      +2  > . 0:0(0) ack 1
      +2  > . 0:0(0) ack 1
      +.5 < . 1:1(0) ack 1 win 20000
      +10 > . 0:0(0) ack 1
      +2  > . 0:0(0) ack 1
      +2  > . 0:0(0) ack 1
      +2  > R. 1:1(0) ack 1
      +0  event CLOSED KEEPALIVE
    `);
  });

  scenario("MUST-26 none is sent, when text arrives in time", (on) => {
    on.established().script(`
      ${KEEP}
      +9   < P. 1:11(10) ack 1 win 20000
      +.04 > . 1:1(0) ack 11
      +9.9 nothing
      +.06 > . 0:0(0) ack 11
    `);
  });

  scenario("MUST-26 none is sent, when data is outstanding", (on) => {
    on.established({ rtoMs: 4000, features: 0 }).script(`
      ${KEEP}
      +9   write 1000
      +0   > P. 1:1001(1000) ack 1
      +4   > P. 1:1001(1000) ack 1
      +8   > P. 1:1001(1000) ack 1
      +0   < . 1:1(0) ack 1001 win 20000
      +9   nothing
      +1   > . 1000:1000(0) ack 1
    `);
  });

  scenario("it goes on after a half-close, when the peer is silent", (on) => {
    on.established().script(`
      ${KEEP}
      +0  closeWrite
      +0  > F. 1:1(0) ack 1
      +0  < . 1:1(0) ack 2 win 20000
      +10 > . 1:1(0) ack 1
      +2  > . 1:1(0) ack 1
    `);
  });

  scenario("MAY-5 it stops, when it is switched off", (on) => {
    on.established().script(`
      ${KEEP}
      +10 > . 0:0(0) ack 1
      +0  option KEEP_ALIVE 0
      +99 nothing
    `);
  });

  scenario("a listener hands it down to its connections", (on) => {
    on.server().script(`
      +0  listen
      +0  listenerOption KEEP_ALIVE 1
      +0  listenerOption KEEP_IDLE 10000
      +0  listenerOption KEEP_COUNT 1
      +0  listenerOption KEEP_INTERVAL 1000
      +0  < S 0:0(0) win 20000 <mss 1000>
      +0  > S. 0:0(0) ack 1
      +0  < . 1:1(0) ack 1 win 20000
      +0  accept
      +10 > . 0:0(0) ack 1
      +1  > R. 1:1(0) ack 1
      +0  event CLOSED KEEPALIVE
    `);
  });

  scenario("S24 we answer a keepalive of the peer's, with text or without", (on) => {
    on.established().script(`
      +0 < . 0:0(0) ack 1 win 20000
      +0 > . 1:1(0) ack 1
      +0 < . 0:1(1) ack 1 win 20000
      +0 > . 1:1(0) ack 1
      +0 readable = 0
    `);
  });
});

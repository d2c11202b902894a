/** When ACKs are sent: RFC 9293 section 3.8.6.3. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

describe("S53 RFC 9293 section 3.8.6.3: delayed ACKs", () => {
  scenario("MUST-40 SHLD-18 the ACK waits exactly 40 ms, when one segment came", (on) => {
    on.established().script(`
      +0    < P. 1:101(100) ack 1 win 20000
      +.039 nothing
      +.001 > . 1:1(0) ack 101
      +9    nothing
    `);
  });

  scenario("SHLD-19 the ACK goes at once, when a second segment came", (on) => {
    on.established().script(`
      +0   < . 1:1001(1000) ack 1 win 20000
      +.03 < . 1001:2001(1000) ack 1 win 20000
      +0   > . 1:1(0) ack 2001
      +0   < . 2001:3001(1000) ack 1 win 20000
      +0   nothing
      +.04 > . 1:1(0) ack 3001
    `);
  });

  scenario("one ACK serves a batch, when many segments come together (MUST-58)", (on) => {
    on.established().script(`
      +0 hold
      +0 < . 1:1001(1000) ack 1 win 20000
      +0 < . 1001:2001(1000) ack 1 win 20000
      +0 < . 2001:3001(1000) ack 1 win 20000
      +0 < . 3001:4001(1000) ack 1 win 20000
      +0 deliver
      +0 > . 1:1(0) ack 4001
      +9 nothing
    `);
  });

  scenario("each second segment is acknowledged, when ackEvery is 2 (SHLD-19)", (on) => {
    on.established({ ackEvery: 2 }).script(`
      +0 hold
      +0 < . 1:1001(1000) ack 1 win 20000
      +0 < . 1001:2001(1000) ack 1 win 20000
      +0 < . 2001:3001(1000) ack 1 win 20000
      +0 < . 3001:4001(1000) ack 1 win 20000
      +0 deliver
      +0 > . 1:1(0) ack 2001
      +0 > . 1:1(0) ack 4001
      +9 nothing
    `);
  });

  scenario("the ACK rides on the echo, when the user answers within 40 ms", (on) => {
    on.established().script(`
      +0   < P. 1:2(1) ack 1 win 20000
      +.02 read 1
      +0   write 1
      +0   > P. 1:2(1) ack 2
      +.02 < . 2:2(0) ack 2 win 20000
      +9   nothing
    `);
  });

  scenario(
    "MUST-59 SYN, text and FIN are processed, when one batch holds the whole conversation",
    (on) => {
      on.server().script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +0 hold
      +0 < . 1:1(0) ack 1 win 20000
      +0 < P. 1:101(100) ack 1 win 20000
      +0 < F. 101:101(0) ack 1 win 20000
      +0 deliver
      +0 > . 1:1(0) ack 102
      +0 accept
      +0 state CLOSE-WAIT
      +0 event END
      +0 read 200 = 100
    `);
    },
  );
});

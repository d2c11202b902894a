/** S58: what is not acknowledged is sent again at growing times, given up at last; a bad checksum is silence. RFC 6298. */
import { describe } from "vitest";
import { PLAIN_SYN, scenario } from "./dsl/scenario.ts";

describe("S58 a timeout", () => {
  scenario("repeats the segment after 1, 2, 4 … s, and gives up with timed out", (on) => {
    on.established({ rtoMs: 1000, features: 0, syn: PLAIN_SYN }).script(`
      +0   write 100
      +0   > P. 1:101(100) ack 1
      +1   > P. 1:101(100) ack 1
      +2   > P. 1:101(100) ack 1
      +4   > P. 1:101(100) ack 1
      +8   > P. 1:101(100) ack 1
      +16  > P. 1:101(100) ack 1
      +32  > P. 1:101(100) ack 1
      +59  state ESTABLISHED
      +1   event CLOSED TIMED_OUT
      +0   state CLOSED
      +500 nothing
    `);
  });

  scenario("is over with the ACK, and the time begins anew with the next segment", (on) => {
    on.established({ rtoMs: 1000, features: 0, syn: PLAIN_SYN }).script(`
      +0   write 100
      +0   > P. 1:101(100) ack 1
      +1   > P. 1:101(100) ack 1
      +.1  < . 1:1(0) ack 101 win 20000
      +500 nothing
    `);
  });

  scenario("is what a bad checksum leads to: the segment is counted and not answered", (on) => {
    on.established().script(`
      +0   < P. 1:101(100) ack 1 win 20000 badsum
      +9   nothing
      +0   readable = 0
      +0   drops TCP_CHECKSUM = 1
      +0   < P. 1:101(100) ack 1 win 20000
      +0   readable = 100
      +.04 > . 1:1(0) ack 101
    `);
  });
});

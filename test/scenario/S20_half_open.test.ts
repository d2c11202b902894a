/** S20: a host crashes, and connects again with the same ends: RFC 9293 section 3.5.1, figure 9; and with the RST lost. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

describe("S20 half-open connections", () => {
  scenario(
    "the one that crashed: SYN 400, ACK 100 of something else, RST 100, SYN 400 again",
    (on) => {
      // The numbers of the old connection are what the peer's ACK tells.
      on.client().script(`
      +0    connect
      +0    > S 0:0(0)
      +.01  < . 300:300(0) ack -300 win 4096
      +0    > R -300:-300(0) win 0 <>
      +0    state SYN-SENT
      +.99  > S 0:0(0)
      +.01  < S. 0:0(0) ack 1 win 4096 <mss 1024>
      +0    > . 1:1(0) ack 1
      +0    state ESTABLISHED
    `);
    },
  );

  scenario("the other: a SYN out of the window is told where we are, and its RST ends us", (on) => {
    on.passive().script(`
      +1   < S 400:400(0) win 4096 <mss 1024>
      +0   > . 1:1(0) ack 1
      +0   state ESTABLISHED
      +.01 < R 1:1(0) win 0
      +0   event CLOSED RESET
      +0   close
      +0   reopen 400
      +1   < S 0:0(0) win 4096 <mss 1024>
      +0   > S. 0:0(0) ack 1
      +.01 < . 1:1(0) ack 1 win 4096
      +0   accept
    `);
  });

  scenario("the RST is lost: we stay, and the next SYN goes the same way", (on) => {
    on.passive().script(`
      +1   < S 400:400(0) win 4096 <mss 1024>
      +0   > . 1:1(0) ack 1
      +1   < S 400:400(0) win 4096 <mss 1024>
      +0   > . 1:1(0) ack 1
      +0   state ESTABLISHED
      +.01 < R 1:1(0) win 0
      +0   event CLOSED RESET
    `);
  });
});

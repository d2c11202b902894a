/** S03: an old SYN (90) before the real one (100), in both orders of the RST and the real SYN. RFC 9293 section 3.5, figure 8. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

const ISN = 100;

describe("S03 an old duplicate SYN", () => {
  scenario("is undone by RST 91, we listen again, and SYN 100 opens with a new number", (on) => {
    on.server({ peerIss: ISN }).script(`
      +0   listen
      +0   < S -10:-10(0) win 4096 <mss 1024>
      +0   > S. 0:0(0) ack -9
      +0   state SYN-RECEIVED
      +.1  < R -9:-9(0) win 0
      +0   state GONE
      +0   reopen 0
      +.1  < S 0:0(0) win 4096 <mss 1024>
      +0   > S. 0:0(0) ack 1
      +.01 < . 1:1(0) ack 1 win 4096
      +0   state ESTABLISHED
      +0   accept
    `);
  });

  scenario(
    "and the real SYN before the RST costs one more second: the repeated SYN opens",
    (on) => {
      on.server({ peerIss: ISN }).script(`
      +0   listen
      +0   < S -10:-10(0) win 4096 <mss 1024>
      +0   > S. 0:0(0) ack -9
      +.1  < S 0:0(0) win 4096 <mss 1024>
      +0   state GONE
      +.1  < R -9:-9(0) win 0
      +0   nothing
      +0   reopen 0
      +.8  < S 0:0(0) win 4096 <mss 1024>
      +0   > S. 0:0(0) ack 1
      +.01 < . 1:1(0) ack 1 win 4096
      +0   accept
    `);
    },
  );

  scenario(
    "is refused by the side that sent the real one: RST of the number acknowledged",
    (on) => {
      on.client().script(`
      +0   connect
      +0   > S 0:0(0)
      +0   < S. 0:0(0) ack -9 win 4096 <mss 1024>
      +0   > R -9:-9(0) win 0 <>
      +0   state SYN-SENT
      +.1  < S. 100:100(0) ack 1 win 4096 <mss 1024>
      +0   > . 1:1(0) ack 101
      +0   state ESTABLISHED
    `);
    },
  );
});

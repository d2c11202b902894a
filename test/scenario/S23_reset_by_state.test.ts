/** S23: what a RST does, by the state: RFC 9293 sections 3.5.2, 3.5.3 and 3.10.7.4, second; RFC 5961 section 3.2. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";
import { REACH, SYNCHRONIZED } from "./dsl/states.ts";

describe("S23 a reset", () => {
  scenario("in SYN-RECEIVED after LISTEN brings LISTEN back, and nobody is told", (on) => {
    on.server().script(`
      +0 listen
      +0 < S 0:0(0) win 4096 <mss 1024>
      +0 > S. 0:0(0) ack 1
      +0 < R 1:1(0) win 0
      +0 state GONE
      +0 accept = NONE
      +0 reopen 1000
      +1 < S 0:0(0) win 4096 <mss 1024>
      +0 > S. 0:0(0) ack 1
    `);
  });

  scenario("in SYN-RECEIVED after an active open aborts, and its caller is refused", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < S 0:0(0) win 4096 <mss 1024>
      +0 > S. 0:0(0) ack 1
      +0 state SYN-RECEIVED
      +0 < R 1:1(0) win 0
      +0 event CLOSED REFUSED
      +0 state CLOSED
    `);
  });

  scenario("in SYN-SENT counts only if it acknowledges our SYN", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < R 0:0(0) win 0
      +0 < R. 0:0(0) ack 77 win 0
      +0 state SYN-SENT
      +0 < R. 0:0(0) ack 1 win 0
      +0 event CLOSED REFUSED
    `);
  });

  for (const state of SYNCHRONIZED) {
    const { script, rcvNxt, sndNxt } = REACH[state];
    scenario(
      `in ${state} aborts at RCV.NXT, is challenged in the window, ignored outside`,
      (on) => {
        on.established().script(script).script(`
        +0 < R ${rcvNxt + 100}:${rcvNxt + 100}(0) win 0
        +0 > . ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
        +0 < R ${rcvNxt - 1}:${rcvNxt - 1}(0) win 0
        +0 < R ${rcvNxt + 4_000_000}:${rcvNxt + 4_000_000}(0) win 0
        +0 nothing
        +0 state ${state}
        +0 < R ${rcvNxt}:${rcvNxt}(0) win 0
        +0 state CLOSED
      `);
      },
    );
  }
});

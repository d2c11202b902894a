/** One direction closed, and no order at all: RFC 9293 sections 3.6, 3.10.4 and 3.10.5 (ABORT). */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";
import { REACH } from "./dsl/states.ts";

describe("RFC 9293 section 3.6: half-close", () => {
  scenario("S32 we read on and acknowledge, when only our direction is closed", (on) => {
    on.established().script(`
      +0   closeWrite
      +0   > F. 1:1(0) ack 1
      +0   < . 1:1(0) ack 2 win 20000
      +9   < P. 1:101(100) ack 2 win 20000
      +0   read 100
      +.04 > . 2:2(0) ack 101
      +300 < FP. 101:201(100) ack 2 win 20000
      +0   > . 2:2(0) ack 202
      +0   read 200 = 100
      +0   event END
      +0   state TIME-WAIT
    `);
  });

  scenario("S32 text is taken in FIN-WAIT-1, when our FIN is not acknowledged yet", (on) => {
    on.established().script(`
      +0   closeWrite
      +0   > F. 1:1(0) ack 1
      +0   < P. 1:101(100) ack 1 win 20000
      +0   read 100
      +.04 > . 2:2(0) ack 101
      +0   state FIN-WAIT-1
    `);
  });

  scenario("S33 later text is acknowledged and dropped, when our reading is closed", (on) => {
    on.established().script(`
      +0   < P. 1:101(100) ack 1 win 20000
      +.04 > . 1:1(0) ack 101
      +0   closeRead
      +0   readable = 0
      +0   < P. 101:201(100) ack 1 win 20000
      +.04 > . 1:1(0) ack 201
      +0   readable = 0
      +0   drops AFTER_CLOSE = 1
      +0   write 5
      +0   > P. 1:6(5) ack 201
      +0   < F. 201:201(0) ack 6 win 20000
      +0   > . 6:6(0) ack 202
      +0   state CLOSE-WAIT
    `);
  });
});

describe("S33 reading is closed while text is missing", () => {
  scenario("what was reported as held is acknowledged, when the gap is filled", (on) => {
    on.established().script(`
      +0   < . 1001:2001(1000) ack 1 win 20000
      +0   > . 1:1(0) ack 1 <nop,nop,sack 1001:2001>
      +0   closeRead
      +0   < . 1:1001(1000) ack 1 win 20000
      +0   > . 1:1(0) ack 2001 <>
      +0   < F. 2001:2001(0) ack 1 win 20000
      +0   > . 1:1(0) ack 2002
      +0   state CLOSE-WAIT
    `);
  });
});

describe("S39 FIN-WAIT-2 after a full close", () => {
  scenario("it ends after 60 s and a late FIN draws RST, when the handle was released", (on) => {
    on.established().script(`
      +0      close
      +0      > F. 1:1(0) ack 1
      +0      < . 1:1(0) ack 2 win 20000
      +0      state FIN-WAIT-2
      +59.999 state FIN-WAIT-2
      +.001   state GONE
      +0      nothing
      +1      < F. 1:1(0) ack 2 win 20000
      +0      > R 2:2(0) win 0 <>
    `);
  });

  scenario("it ends after 60 s, when reading was closed too", (on) => {
    on.established().script(`
      +0      closeRead
      +0      closeWrite
      +0      > F. 1:1(0) ack 1
      +0      < . 1:1(0) ack 2 win 20000
      +59.999 state FIN-WAIT-2
      +.001   state CLOSED
      +0      event CLOSED
    `);
  });

  scenario("it begins at the release, when that comes after a half-close", (on) => {
    on.established().script(`
      +0      closeWrite
      +0      > F. 1:1(0) ack 1
      +0      < . 1:1(0) ack 2 win 20000
      +500    close
      +59.999 state FIN-WAIT-2
      +.001   state GONE
    `);
  });

  scenario("it does not end, when only our direction is closed", (on) => {
    on.established().script(`
      +0     closeWrite
      +0     > F. 1:1(0) ack 1
      +0     < . 1:1(0) ack 2 win 20000
      +86400 state FIN-WAIT-2
      +0     nothing
    `);
  });
});

describe("S40 RFC 9293 section 3.10.5: ABORT", () => {
  scenario("9293-CALL-2 RST is sent and queued text dropped, when the connection is open", (on) => {
    on.established({ win: 1000 }).script(`
      +0  write 3000
      +0  > . 1:1001(1000) ack 1
      +0  abort
      +0  > R. 1001:1001(0) ack 1 win 0
      +0  event CLOSED ABORTED
      +0  state CLOSED
      +99 nothing
    `);
  });

  for (const state of ["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT"] as const) {
    const { script, rcvNxt, sndNxt } = REACH[state];
    scenario(`9293-CALL-2 RST is sent, when the state is ${state}`, (on) => {
      on.established().script(script).script(`
        +0   abort
        +0   > R. ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
        +0   event CLOSED ABORTED
        +200 nothing
      `);
    });
  }

  for (const state of ["CLOSING", "LAST-ACK", "TIME-WAIT"] as const) {
    scenario(`nothing is sent, when the state is ${state}`, (on) => {
      on.established().script(REACH[state].script).script(`
        +0   abort
        +200 nothing
        +0   state CLOSED
        +0   timeWaits = 0
      `);
    });
  }

  scenario("9293-CALL-2 RST is sent, when the state is SYN-RECEIVED", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +0 abort
      +0 > R. 1:1(0) ack 1
      +0 event CLOSED ABORTED
    `);
  });

  scenario("nothing is sent, when the state is SYN-SENT", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 abort
      +9 nothing
      +0 event CLOSED ABORTED
    `);
  });
});

describe("RFC 9293 section 3.6.1 (SHLD-3): both directions were let go", () => {
  scenario("RST answers new text with a FIN too, when the connection was let go", (on) => {
    on.established().script(`
      +0 close
      +0 > F. 1:1(0) ack 1
      +0 < . 1:1(0) ack 2 win 20000
      +0 < FP. 1:101(100) ack 2 win 20000
      +0 > R 2:2(0) win 0 <>
      +0 state GONE
    `);
  });
});

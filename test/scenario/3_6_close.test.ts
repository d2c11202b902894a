/** Closing: RFC 9293 sections 3.6, 3.10.4 and 3.10.5. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

describe("RFC 9293 section 3.6, figure 12: normal close", () => {
  scenario("S30 we go FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, when we close first", (on) => {
    on.established().script(`
      +0  closeWrite
      +0  > F. 1:1(0) ack 1
      +0  state FIN-WAIT-1
      +.1 < . 1:1(0) ack 2 win 20000
      +0  nothing
      +0  state FIN-WAIT-2
      +.1 < F. 1:1(0) ack 2 win 20000
      +0  > . 2:2(0) ack 2
      +0  state TIME-WAIT
      +0  event END
      +0  event CLOSED NORMAL
      +60 nothing
      +0  state CLOSED
      +0  close
      +0  state GONE
    `);
  });

  scenario("S30 we go CLOSE-WAIT, LAST-ACK, CLOSED, when the peer closes first", (on) => {
    on.established().script(`
      +0  < F. 1:1(0) ack 1 win 20000
      +0  > . 1:1(0) ack 2
      +0  state CLOSE-WAIT
      +0  event END
      +0  quiet CLOSED
      +.1 closeWrite
      +0  > F. 1:1(0) ack 2
      +0  state LAST-ACK
      +.1 < . 2:2(0) ack 2 win 20000
      +0  state CLOSED
      +0  event CLOSED NORMAL
      +99 nothing
    `);
  });

  scenario("S30 three segments are enough, when the peer's FIN acknowledges ours", (on) => {
    on.established().script(`
      +0  closeWrite
      +0  > F. 1:1(0) ack 1
      +.1 < F. 1:1(0) ack 2 win 20000
      +0  > . 2:2(0) ack 2
      +0  state TIME-WAIT
      +0  event CLOSED NORMAL
    `);
  });

  scenario("S30 FIN rides on the last text, when both wait", (on) => {
    on.established().script(`
      +0  write 5
      +0  > P. 1:6(5) ack 1
      +0  write 5
      +0  nothing
      +0  closeWrite
      +0  > FP. 6:11(5) ack 1
      +.1 < . 1:1(0) ack 12 win 20000
      +0  state FIN-WAIT-2
    `);
  });

  scenario("S30 FIN is acknowledged at once and with the text before it, when it carries some", (on) => {
    on.established().script(`
      +0  < FP. 1:11(10) ack 1 win 20000
      +0  > . 1:1(0) ack 12
      +0  state CLOSE-WAIT
      +0  read 100 = 10
      +0  event END
    `);
  });

  scenario("FIN waits for the window, when text is queued before it", (on) => {
    on.established({ win: 1500 }).script(`
      +0  write 2500
      +0  > . 1:1001(1000) ack 1
      +0  closeWrite
      +0  state FIN-WAIT-1
      +0  nothing
      +.1 < . 1:1(0) ack 1001 win 1500
      +0  > . 1001:2001(1000) ack 1
      +0  > FP. 2001:2501(500) ack 1
      +.1 < . 1:1(0) ack 2502 win 1500
      +0  state FIN-WAIT-2
    `);
  });

  scenario("text is sent in CLOSE-WAIT, when the peer has closed", (on) => {
    on.established().script(`
      +0  < F. 1:1(0) ack 1 win 20000
      +0  > . 1:1(0) ack 2
      +0  write 1000
      +0  > P. 1:1001(1000) ack 2
      +.1 < . 2:2(0) ack 1001 win 20000
      +0  closeWrite
      +0  > F. 1001:1001(0) ack 2
    `);
  });

  scenario("FIN is sent again with backoff, when it is not acknowledged", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0    closeWrite
      +0    > F. 1:1(0) ack 1
      +.999 nothing
      +.001 > F. 1:1(0) ack 1
      +2    > F. 1:1(0) ack 1
      +0    < . 1:1(0) ack 2 win 20000
      +0    state FIN-WAIT-2
      +99   nothing
    `);
  });

  scenario("our FIN's acknowledgment ends it, when it was repeated in LAST-ACK", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0 < F. 1:1(0) ack 1 win 20000
      +0 > . 1:1(0) ack 2
      +0 closeWrite
      +0 > F. 1:1(0) ack 2
      +1 > F. 1:1(0) ack 2
      +0 < F. 1:1(0) ack 1 win 20000
      +0 > . 2:2(0) ack 2
      +0 state LAST-ACK
      +0 < . 2:2(0) ack 2 win 20000
      +0 event CLOSED NORMAL
    `);
  });

  scenario("FIN is held back, when the handshake is not complete (section 3.10.4)", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +0 closeWrite
      +0 nothing
      +0 < . 1:1(0) ack 1 win 20000
      +0 > F. 1:1(0) ack 1
      +0 state FIN-WAIT-1
    `);
  });

  scenario("FIN is not taken, when text before it is missing", (on) => {
    on.established().script(`
      +0   < F. 101:101(0) ack 1 win 20000
      +0   > . 1:1(0) ack 1
      +0   state ESTABLISHED
      +0   < P. 1:101(100) ack 1 win 20000
      +.04 > . 1:1(0) ack 101
      +0   < F. 101:101(0) ack 1 win 20000
      +0   > . 1:1(0) ack 102
      +0   state CLOSE-WAIT
    `);
  });

  scenario("closing twice changes nothing, when it was closed before", (on) => {
    on.established().script(`
      +0 closeWrite
      +0 > F. 1:1(0) ack 1
      +0 closeWrite
      +0 nothing
      +0 write 5 = 0
    `);
  });
});

describe("RFC 9293 section 3.6, figure 13: simultaneous close", () => {
  scenario("S31 we go FIN-WAIT-1, CLOSING, TIME-WAIT, when FINs cross", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0  closeWrite
      +0  > F. 1:1(0) ack 1
      +.1 < F. 1:1(0) ack 1 win 20000
      +0  > . 2:2(0) ack 2
      +0  state CLOSING
      +.1 < . 2:2(0) ack 2 win 20000
      +0  nothing
      +0  state TIME-WAIT
      +0  event CLOSED NORMAL
    `);
  });

  scenario("S31 our FIN is sent again in CLOSING, when it was lost", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0  closeWrite
      +0  > F. 1:1(0) ack 1
      +.1 < F. 1:1(0) ack 1 win 20000
      +0  > . 2:2(0) ack 2
      +.9 > F. 1:1(0) ack 2
      +0  < . 2:2(0) ack 2 win 20000
      +0  state TIME-WAIT
    `);
  });

  scenario("S31 nobody is asked any more, when the handle was released before", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0  close
      +0  > F. 1:1(0) ack 1
      +.1 < F. 1:1(0) ack 1 win 20000
      +0  > . 2:2(0) ack 2
      +0  state CLOSING
      +.1 < . 2:2(0) ack 2 win 20000
      +0  state GONE
      +0  timeWaits = 1
    `);
  });
});

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

describe("RFC 9293 section 3.6.1 (SHLD-3): nothing is lost in silence", () => {
  scenario("RST answers new text, when the connection was let go", (on) => {
    on.established().script(`
      +0 close
      +0 > F. 1:1(0) ack 1
      +0 < . 1:1(0) ack 2 win 20000
      +0 < P. 1:101(100) ack 2 win 20000
      +0 > R 2:2(0) win 0 <>
      +0 state GONE
    `);
  });

  scenario("RST is sent instead of FIN, when text is unread at the close", (on) => {
    on.established().script(`
      +0   < P. 1:101(100) ack 1 win 20000
      +.04 > . 1:1(0) ack 101
      +0   close
      +0   > R. 1:1(0) ack 101
      +0   state GONE
    `);
  });

  scenario("FIN is sent, when everything was read before the close", (on) => {
    on.established().script(`
      +0   < P. 1:101(100) ack 1 win 20000
      +0   read 100
      +.04 > . 1:1(0) ack 101
      +0   close
      +0   > F. 1:1(0) ack 101
    `);
  });

  scenario("queued text is delivered, when the connection is let go", (on) => {
    on.established({ win: 1000 }).script(`
      +0  write 2000
      +0  > . 1:1001(1000) ack 1
      +0  close
      +.1 < . 1:1(0) ack 1001 win 1000
      +0  > FP. 1001:2001(1000) ack 1
      +.1 < . 1:1(0) ack 2002 win 1000
      +0  state FIN-WAIT-2
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
  scenario("RST is sent and queued text dropped, when the connection is open", (on) => {
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

  const SENDS_RST = [
    ["SYN-RECEIVED", "+0 < S 0:0(0) win 20000 <mss 1000>\n+0 > S. 0:0(0) ack 1", "1:1(0) ack 1"],
  ] as const;

  for (const [state, script, mark] of SENDS_RST) {
    scenario(`RST is sent, when the state is ${state}`, (on) => {
      on.client().script("+0 connect\n+0 > S 0:0(0)").script(script).script(`
        +0 state ${state}
        +0 abort
        +0 > R. ${mark}
        +0 event CLOSED ABORTED
      `);
    });
  }

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

/** Closing: RFC 9293 sections 3.6, 3.6.1 and 3.10.4; TIME-WAIT with RFC 1337 and RFC 6191. */
import { describe, expect } from "vitest";
import { type Fixtures, FULL_SYN, scenario } from "./dsl/scenario.ts";
import type { Session } from "./dsl/session.ts";
import { REACH } from "./dsl/states.ts";

/** TIME-WAIT of a connection whose handle the user holds, and of one that it has let go. */
const HOLDERS: readonly (readonly [who: string, begin: (on: Fixtures) => Session])[] = [
  ["the user holds the handle", (on) => on.established().script(REACH["TIME-WAIT"].script)],
  ["the user has let go", (on) =>
    on.established().script(`
      +0 close
      +0 > F. 1:1(0) ack 1
      +0 < F. 1:1(0) ack 2 win 20000
      +0 > . 2:2(0) ack 2
      +0 timeWaits = 1
    `)],
];

/** A listener's connection in TIME-WAIT, let go. */
function listening(on: Fixtures, syn?: string): Session {
  const stamps = syn === undefined ? "" : "<nop,nop,TS val 5000 ecr 0>";
  return on.passive(syn === undefined ? {} : { syn }).script(`
    +0 close
    +0 > F. 1:1(0) ack 1
    +0 < F. 1:1(0) ack 2 win 20000 ${stamps}
    +0 > . 2:2(0) ack 2
    +0 timeWaits = 1
  `);
}

describe("RFC 9293 section 3.6, figure 12: normal close", () => {
  scenario(
    "9293-FIN-2 9293-FIN-3 S30 we go FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, when we close first",
    (on) => {
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
    },
  );

  scenario("9293-FIN-1 S30 CLOSE-WAIT, LAST-ACK, CLOSED, when the peer closes first", (on) => {
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

  scenario(
    "9293-FIN-2 S30 three segments are enough, when the peer's FIN acknowledges ours",
    (on) => {
      on.established().script(`
      +0  closeWrite
      +0  > F. 1:1(0) ack 1
      +.1 < F. 1:1(0) ack 2 win 20000
      +0  > . 2:2(0) ack 2
      +0  state TIME-WAIT
      +0  event CLOSED NORMAL
    `);
    },
  );

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

  scenario(
    "S30 FIN is acknowledged at once and with the text before it, when it carries some",
    (on) => {
      on.established().script(`
      +0  < FP. 1:11(10) ack 1 win 20000
      +0  > . 1:1(0) ack 12
      +0  state CLOSE-WAIT
      +0  read 100 = 10
      +0  event END
    `);
    },
  );

  scenario("9293-CALL-1 FIN waits for the window, when text is queued before it", (on) => {
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

  scenario("only FIN is sent again, when the text before it is acknowledged", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0  write 1000
      +0  > P. 1:1001(1000) ack 1
      +0  write 500
      +0  closeWrite
      +0  > FP. 1001:1501(500) ack 1
      +.1 < . 1:1(0) ack 1001 win 20000
      +1  > FP. 1001:1501(500) ack 1
      +.1 < . 1:1(0) ack 1501 win 20000
      +2  > F. 1501:1501(0) ack 1
      +.1 < . 1:1(0) ack 1502 win 20000
      +0  state FIN-WAIT-2
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

  scenario("9293-FIN-1 FIN is taken, when it comes with the ACK that ends the handshake", (on) => {
    on.server().script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +0 < R 2:2(0) win 0
      +0 > . 1:1(0) ack 1
      +0 < F. 1:1(0) ack 1 win 1000
      +0 > . 1:1(0) ack 2
      +0 state CLOSE-WAIT
      +0 accept
      +0 event END
    `);
  });

  scenario("9293-FIN-6 FIN is held until the text before it is here", (on) => {
    on.established().script(`
      +0   < F. 101:101(0) ack 1 win 20000
      +0   > . 1:1(0) ack 1
      +0   state ESTABLISHED
      +0   < P. 1:101(100) ack 1 win 20000
      +0   > . 1:1(0) ack 102
      +0   state CLOSE-WAIT
      +0   event END
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
  scenario("9293-FIN-2 S31 we go FIN-WAIT-1, CLOSING, TIME-WAIT, when FINs cross", (on) => {
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

describe("RFC 9293 section 3.6.1 (SHLD-3): nothing is lost in silence", () => {
  scenario("MAY-1 RST answers new text, when the connection was let go", (on) => {
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

describe("S36 2 MSL", () => {
  for (const [who, begin] of HOLDERS) {
    scenario(`MUST-13 its tuple is free after 60 s and not before, when ${who}`, (on) => {
      const session = begin(on);
      // Only records refuse as TIME_WAIT; a TCB is in use.
      const refusal = session.state === "GONE" ? "TIME_WAIT" : "IN_USE";
      session.script(`
        +59.999 connect = ${refusal}
        +.001   reopen 0
        +0      connect
        +0      > S 0:0(0)
        +0      timeWaits = 0
      `);
    });

    scenario(`9293-FIN-4 a repeated FIN is acknowledged and starts it anew, when ${who}`, (on) => {
      const session = begin(on).script(`
        +30 < F. 1:1(0) ack 2 win 20000
        +0  > . 2:2(0) ack 2
      `);
      const refusal = session.state === "GONE" ? "TIME_WAIT" : "IN_USE";
      session.script(`
        +59.999 connect = ${refusal}
        +.001   reopen 0
        +0      connect
        +0      > S 0:0(0)
      `);
    });

    scenario(`a FIN that is not the old one does not start it anew, when ${who}`, (on) => {
      const session = begin(on).script(`
        +30 < F 1:1(0) win 20000
        +0  > . 2:2(0) ack 2
        +0  < F. 0:0(0) ack 2 win 20000
        +0  > . 2:2(0) ack 2
        +0  < F. 100000:100000(0) ack 2 win 20000
        +0  > . 2:2(0) ack 2
        +30 reopen 0
        +0  connect
        +0  > S 0:0(0)
      `);
      session.finish();
    });

    scenario(`1337-1 a RST does not end it, when ${who} (RFC 1337)`, (on) => {
      const session = begin(on);
      const state = session.state;
      session.script(`
        +0  < R 2:2(0) win 0
        +0  < R 3:3(0) win 0
        +0  nothing
        +0  state ${state}
      `);
      const refusal = state === "GONE" ? "TIME_WAIT" : "IN_USE";
      session.script(`+59.999 connect = ${refusal}`);
    });

    scenario(`a stray with old text is acknowledged and nothing else, when ${who}`, (on) => {
      begin(on).script(`
        +1 < P. -9:1(10) ack 2 win 20000
        +0 > . 2:2(0) ack 2
      `);
    });

    scenario(`a pure ACK is not answered, when ${who}`, (on) => {
      begin(on).script(`
        +1 < . 2:2(0) ack 2 win 20000
        +0 nothing
      `);
    });

    scenario(`an old duplicate SYN is answered by an ACK, when ${who} (S38)`, (on) => {
      begin(on).script(`
        +1 < S 0:0(0) win 20000 <mss 1000>
        +0 > . 2:2(0) ack 2
      `);
    });
  }

  scenario("the MSL is an option, when it is set", (on) => {
    on.established({ mslMs: 1000 }).script(REACH["TIME-WAIT"].script).script(`
      +1.999 state TIME-WAIT
      +.001  state CLOSED
    `);
  });

  scenario("it is longer than the timing wheel reaches, when the MSL is four hours", (on) => {
    on.established({ mslMs: 14_400_000 }).script(REACH["TIME-WAIT"].script).script(`
      +28799.999 state TIME-WAIT
      +.001      state CLOSED
    `);
  });

  scenario("only the side that closed first waits, when the peer closed first", (on) => {
    on.established().script(REACH["LAST-ACK"].script).script(`
      +0 < . 2:2(0) ack 2 win 20000
      +0 state CLOSED
      +0 timeWaits = 0
    `);
  });

  scenario("its ACK's timestamp echoes the FIN's, when timestamps are in use", (on) => {
    listening(on, FULL_SYN).script(`
      +1 < F. 1:1(0) ack 2 win 20000 <nop,nop,TS val 6000 ecr 0>
      +0 > . 2:2(0) ack 2 <nop,nop,TS val 1000 ecr 5000>
    `);
  });
});

describe("S38 a new SYN (RFC 9293 MAY-2, RFC 6191)", () => {
  scenario("6191-2 it opens anew beyond the old numbers, when its ISN is later", (on) => {
    const session = listening(on);
    const before = session.iss;
    session.script(`
      +1  reopen 100000
      +0  < S 0:0(0) win 20000 <mss 1000>
      +0  > S. 0:0(0) ack 1
      +0  timeWaits = 0
      +.1 < . 1:1(0) ack 1 win 20000
      +0  accept
    `);
    const ahead = (session.iss - before) >>> 0;
    expect(ahead).toBeGreaterThan(65_536);
    expect(ahead).toBeLessThan(0x8000_0000);
  });

  scenario("6191-2 it is refused by an ACK, when its ISN is not later", (on) => {
    listening(on).script(`
      +1 < S 2:2(0) win 20000 <mss 1000>
      +0 > . 2:2(0) ack 2
      +0 timeWaits = 1
      +0 < S -100000:-100000(0) win 20000 <mss 1000>
      +0 > . 2:2(0) ack 2
      +0 timeWaits = 1
    `);
  });

  scenario("SHLD-4 6191-1 it opens anew, when its ISN is earlier but its timestamp later", (on) => {
    listening(on, FULL_SYN).script(`
      +1 reopen -100000
      +0 < S 0:0(0) win 20000 <mss 1000,sackOK,TS val 5001 ecr 0,nop,wscale 0>
      +0 > S. 0:0(0) ack 1
      +0 timeWaits = 0
    `);
  });

  scenario("6191-1 7323-13 it is refused by an ACK, when its timestamp is earlier", (on) => {
    listening(on, FULL_SYN).script(`
      +1 < S 100000:100000(0) win 20000 <mss 1000,sackOK,TS val 4999 ecr 0,nop,wscale 0>
      +0 > . 2:2(0) ack 2
      +0 timeWaits = 1
    `);
  });

  scenario("MAY-2 it gets a TCB of its own, when the user still holds the old handle", (on) => {
    on.passive().script(REACH["TIME-WAIT"].script).script(`
      +1 < S 1:1(0) win 20000 <mss 1000>
      +0 > . 2:2(0) ack 2
      +0 state TIME-WAIT
      +0 reopen 100000
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
    `);
  });

  scenario("TIME-WAIT stays, when nobody listens for the new SYN", (on) => {
    on.established().script(`
      +0 close
      +0 > F. 1:1(0) ack 1
      +0 < F. 1:1(0) ack 2 win 20000
      +0 > . 2:2(0) ack 2
      +1 < S 100000:100000(0) win 20000 <mss 1000>
      +0 > . 2:2(0) ack 2
      +0 timeWaits = 1
    `);
  });
});

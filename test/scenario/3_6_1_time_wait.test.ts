/** TIME-WAIT: RFC 9293 sections 3.6.1 and 3.10.7.4, RFC 1337, RFC 6191. */
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

/** A listener's connection in TIME-WAIT, let go; the listener still listens. */
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

describe("S36 2 MSL", () => {
  for (const [who, begin] of HOLDERS) {
    scenario(`its tuple is free after 60 s and not before, when ${who}`, (on) => {
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

    scenario(`a repeated FIN is acknowledged and starts it anew, when ${who}`, (on) => {
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

    scenario(`a RST does not end it, when ${who} (RFC 1337)`, (on) => {
      const session = begin(on);
      const state = session.state;
      session.script(`
        +0  < R 2:2(0) win 0
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
  scenario("it opens anew beyond the old numbers, when its ISN is later", (on) => {
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

  scenario("it is refused by an ACK, when its ISN is not later", (on) => {
    listening(on).script(`
      +1 < S 2:2(0) win 20000 <mss 1000>
      +0 > . 2:2(0) ack 2
      +0 timeWaits = 1
      +0 < S -100000:-100000(0) win 20000 <mss 1000>
      +0 > . 2:2(0) ack 2
      +0 timeWaits = 1
    `);
  });

  scenario("it opens anew, when its ISN is earlier but its timestamp later", (on) => {
    listening(on, FULL_SYN).script(`
      +1 reopen -100000
      +0 < S 0:0(0) win 20000 <mss 1000,sackOK,TS val 5001 ecr 0,nop,wscale 0>
      +0 > S. 0:0(0) ack 1
      +0 timeWaits = 0
    `);
  });

  scenario("it is refused by an ACK, when its timestamp is earlier", (on) => {
    listening(on, FULL_SYN).script(`
      +1 < S 100000:100000(0) win 20000 <mss 1000,sackOK,TS val 4999 ecr 0,nop,wscale 0>
      +0 > . 2:2(0) ack 2
      +0 timeWaits = 1
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

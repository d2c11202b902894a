/** What TIME-WAIT must outlive: RFC 1337 sections 2 and 3, fix F1; RFC 9293 section 3.10.7.4 is left there (docs/rfc.md). */
import { describe } from "vitest";
import { type Fixtures, scenario } from "./dsl/scenario.ts";
import type { Session } from "./dsl/session.ts";
import { REACH } from "./dsl/states.ts";

/** TIME-WAIT as a TCB, and as a record. */
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

describe("RFC 1337 section 3: TIME-WAIT assassination", () => {
  for (const [who, begin] of HOLDERS) {
    const refusal = who === "the user has let go" ? "TIME_WAIT" : "IN_USE";

    scenario(`1337-1 a RST does not end it, wherever it lies, when ${who}`, (on) => {
      begin(on).script(`
        +0  < R 2:2(0) win 0
        +0  < R. 2:2(0) ack 2 win 0
        +0  < R 3:3(0) win 0
        +0  < R 1:1(0) win 0
        +0  nothing
        +59.999 connect = ${refusal}
        +.001   reopen 0
        +0      connect
        +0      > S 0:0(0)
      `);
    });

    scenario(
      `1337-1 figure 1: an old segment draws an ACK, and its RST is ignored, when ${who}`,
      (on) => {
        begin(on).script(`
        +1 < P. -99:1(100) ack 1 win 20000
        +0 > . 2:2(0) ack 2
        +0 < R 2:2(0) win 0
        +0 nothing
        +0 connect = ${refusal}
      `);
      },
    );

    scenario(
      `1337-1 a stray ACK is not answered, or two ends would go on for ever, when ${who}`,
      (on) => {
        begin(on).script(`
        +1 < . 2:2(0) ack 1 win 20000
        +0 < . 2:2(0) ack 2 win 20000
        +0 nothing
        +0 connect = ${refusal}
      `);
      },
    );
  }
});

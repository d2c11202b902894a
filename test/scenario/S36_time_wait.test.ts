/** S36: TIME-WAIT lasts two MSL, whichever of the documents' lifetimes is set. RFC 9293 sections 3.4.2 and 3.6.1 (MUST-13). */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";
import { REACH } from "./dsl/states.ts";

const REST = REACH["TIME-WAIT"].script;

describe("S36 TIME-WAIT", () => {
  for (
    const [name, mslMs, restS] of [["30 s", 30_000, 60], ["1 min", 60_000, 120], [
      "2 min",
      120_000,
      240,
    ]] as const
  ) {
    scenario(`lasts ${restS} s, when the MSL is ${name}`, (on) => {
      on.established({ mslMs }).script(REST).script(`
        +0         close
        +0         timeWaits = 1
        +${restS - 0.001} timeWaits = 1
        +.001      timeWaits = 0
      `);
    });
  }

  scenario("acknowledges a FIN that comes again, and begins anew with it", (on) => {
    on.established().script(REST).script(`
      +0  close
      +59 < F. 1:1(0) ack 2 win 4096
      +0  > . 2:2(0) ack 2
      +59 timeWaits = 1
      +1  timeWaits = 0
    `);
  });

  scenario("drops strays: old data gets where we are, a pure ACK and a RST nothing", (on) => {
    on.established().script(REST).script(`
      +0 close
      +1 < P. 1:11(10) ack 1 win 4096
      +0 > . 2:2(0) ack 2
      +1 < . 2:2(0) ack 2 win 4096
      +1 < R 2:2(0) win 0
      +0 nothing
      +0 timeWaits = 1
    `);
  });

  scenario("is for the side alone that closed first", (on) => {
    on.established().script(REACH["LAST-ACK"].script).script(`
      +0 < . 2:2(0) ack 2 win 4096
      +0 state CLOSED
      +0 timeWaits = 0
    `);
  });
});

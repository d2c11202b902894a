/** A new SYN in TIME-WAIT: RFC 6191 section 2, cell by cell of its table; RFC 9293 SHLD-4, MAY-2. */
import { describe } from "vitest";
import { type Fixtures, FULL_SYN, scenario } from "./dsl/scenario.ts";
import type { Session } from "./dsl/session.ts";

/** TIME-WAIT of a listener's connection, whose last number was 1 and last timestamp 5000; the listener still listens. */
function waiting(on: Fixtures, hasStamps: boolean): Session {
  const stamps = hasStamps ? "<nop,nop,TS val 5000 ecr 0>" : "";
  return on.passive(hasStamps ? { syn: FULL_SYN } : {}).script(`
    +0 close
    +0 > F. 1:1(0) ack 1
    +0 < F. 1:1(0) ack 2 win 20000 ${stamps}
    +0 > . 2:2(0) ack 2
    +0 timeWaits = 1
  `);
}

/** @param val TSval of the new SYN; null = none. */
function syn(val: number | null): string {
  return val === null ? "<mss 1000>" : `<mss 1000,sackOK,TS val ${val} ecr 0,nop,wscale 0>`;
}

/** What the old connection had, the new SYN's number from its end and its timestamp, and whether it opens. */
const CELLS: readonly (readonly [
  id: string,
  had: boolean,
  ahead: number,
  val: number | null,
  opens: boolean,
])[] = [
  ["6191-1 SHLD-4", true, -100_000, 5001, true],
  ["6191-1 SHLD-4", true, 100_000, 5001, true],
  ["6191-1", true, 100_000, 5000, true],
  ["6191-1", true, -100_000, 5000, false],
  ["6191-1", true, 100_000, 4999, false],
  ["6191-1", true, -100_000, 4999, false],
  ["6191-2", true, 100_000, null, true],
  ["6191-2", true, -100_000, null, false],
  ["6191-2", false, 100_000, null, true],
  ["6191-2", false, -100_000, null, false],
  ["6191-2", false, 100_000, 1, true],
  ["6191-2", false, -100_000, 9000, false],
];

describe("RFC 6191 section 2: which SYNs end TIME-WAIT", () => {
  for (const [id, had, ahead, val, opens] of CELLS) {
    const stamps = `${had ? "with" : "without"} timestamps before and ${val ?? "none"} now`;
    const name = `${id} ${opens ? "opens" : "is refused"}, ${ahead} on, ${stamps}`;
    scenario(name, (on) => {
      const session = waiting(on, had);
      if (opens) {
        session.script(`
          +1 reopen ${ahead}
          +0 < S 0:0(0) win 20000 ${syn(val)}
          +0 > S. 0:0(0) ack 1
          +0 timeWaits = 0
        `);
      } else {
        session.script(`
          +1 < S ${ahead}:${ahead}(0) win 20000 ${syn(val)}
          +0 > . 2:2(0) ack 2
          +0 timeWaits = 1
        `);
      }
    });
  }

  scenario("6191-2 a SYN at the last number is no later than it", (on) => {
    waiting(on, false).script(`
      +1 < S 2:2(0) win 20000 <mss 1000>
      +0 > . 2:2(0) ack 2
      +0 timeWaits = 1
      +0 reopen 3
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +0 timeWaits = 0
    `);
  });
});

/** S52: a window of 0: probes with backoff, a lost update, FIN and RST through it. RFC 9293 section 3.8.6.1. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

const SECOND = { rtoMs: 1000 } as const;

describe("S52 a closed window", () => {
  scenario(
    "is probed with one byte, at twice the time before, and each answer is looked at",
    (on) => {
      on.established(SECOND).script(`
      +0   < . 1:1(0) ack 1 win 0
      +0   write 2048
      +1   > . 1:2(1) ack 1
      +0   < . 1:1(0) ack 1 win 0
      +2   > . 1:2(1) ack 1
      +0   < . 1:1(0) ack 1 win 0
      +4   > . 1:2(1) ack 1
      +0   < . 1:1(0) ack 1 win 0
      +8   > . 1:2(1) ack 1
    `);
    },
  );

  scenario("is found open by the next probe, when the update was lost", (on) => {
    // The peer has opened its window and said so; that segment never came.
    on.established(SECOND).script(`
      +0   < . 1:1(0) ack 1 win 0
      +0   write 1000
      +1   > . 1:2(1) ack 1
      +.01 < . 1:1(0) ack 2 win 4096
      +0   > P. 2:1001(999) ack 1
      +.01 < . 1:1(0) ack 1001 win 4096
      +99  nothing
    `);
  });

  scenario("is not the end, as long as probes are answered: an hour later all is well", (on) => {
    const session = on.established({ ...SECOND, rtoMaxMs: 60_000 }).script(`
      +0 < . 1:1(0) ack 1 win 0
      +0 write 5
    `);
    for (const delay of [1, 2, 4, 8, 16, 32, ...new Array<number>(60).fill(60)]) {
      session.script(`+${delay} > . 1:2(1) ack 1\n+0 < . 1:1(0) ack 1 win 0`);
    }
    session.script(`
      +0 < . 1:1(0) ack 1 win 4096
      +0 > . 1:2(1) ack 1
      +0 < . 1:1(0) ack 2 win 4096
      +0 > P. 2:6(4) ack 1
      +0 state ESTABLISHED
    `);
  });

  scenario("lets pass what takes no room: our ACKs, our FIN and our RST", (on) => {
    on.established(SECOND).script(`
      +0   < . 1:1(0) ack 1 win 0
      +0   < P. 1:11(10) ack 1 win 0
      +.04 > . 1:1(0) ack 11
      +0   read 10
      +0   closeWrite
      +0   > F. 1:1(0) ack 11
      +0   < . 11:11(0) ack 2 win 0
      +0   abort
      +0   > R. 2:2(0) ack 11
    `);
  });
});

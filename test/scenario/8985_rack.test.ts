/** Loss found by time: RFC 8985 section 6. The round trip takes 100 ms, so the reordering window is 25 ms. */
import { describe } from "vitest";
import { CONGESTION_NEW_RENO } from "../../src/layout/layout.gen.ts";
import { acked, segments } from "./dsl/lines.ts";
import { PLAIN_SYN, scenario } from "./dsl/scenario.ts";

const PATH = { congestionControl: CONGESTION_NEW_RENO, rtoMs: 2000, rtt: 0.1, win: 65_000 };

describe("RFC 8985 section 6: RACK", () => {
  scenario("8985-4 8985-7 a segment is lost, when the reordering window has passed", (on) => {
    on.established(PATH).script(`
      +0    write 2000
      ${segments(1, 2001, true)}
      ${acked("+.1", 1, "1001:2001")}
      +.024 nothing
      +.001 > . 1:1001(1000) ack 1
      +0    drops FAST_RETRANSMITS = 1
      ${acked("+.1", 2001)}
      +99   nothing
    `);
  });

  scenario("8985-7 the RTO is armed again, when the reordering window ends without loss", (on) => {
    on.established(PATH).script(`
      +0     write 2000
      ${segments(1, 2001, true)}
      ${acked("+.1", 1, "1001:2001")}
      ${acked("+.01", 2001)}
      +0     write 1000
      +0     > P. 2001:3001(1000) ack 1
      +1.999 nothing
      +.001  > P. 2001:3001(1000) ack 1
    `);
  });

  scenario("8985-5 it is lost at once, when DupThresh segments are held above it", (on) => {
    on.established(PATH).script(`
      +0 write 4000
      ${segments(1, 4001, true)}
      ${acked("+.1", 1, "1001:2001")}
      ${acked("+0", 1, "1001:3001")}
      +0 nothing
      ${acked("+0", 1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
    `);
  });

  scenario("8985-5 a second hole is lost at once, when recovery is under way", (on) => {
    on.established(PATH).script(`
      +0 write 8000
      ${segments(1, 8001, true)}
      ${acked("+.1", 1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
      ${acked("+0", 1, "5001:6001 1001:4001")}
      +0 > . 4001:5001(1000) ack 1
    `);
  });

  scenario("8985-5 the window is kept, when reordering was seen", (on) => {
    on.established(PATH).script(`
      +0    write 8000
      ${segments(1, 8001, true)}
      ${acked("+.1", 1, "1001:2001")}
      ${acked("+.01", 2001)}
      ${acked("+0", 2001, "3001:7001")}
      +.024 nothing
      +.001 > . 2001:3001(1000) ack 1
    `);
  });

  scenario("8985-6 the window is twice as long, when a duplicate was reported", (on) => {
    on.established(PATH).script(`
      +0    write 8000
      ${segments(1, 8001, true)}
      ${acked("+.1", 1, "1001:2001")}
      ${acked("+.01", 2001)}
      ${acked("+0", 2001, "1:1001")}
      ${acked("+0", 2001, "3001:7001")}
      +.049 nothing
      +.001 > . 2001:3001(1000) ack 1
      +0    drops DSACKS_IN = 1
    `);
  });

  scenario("8985-1 a retransmission is lost again, when something sent later arrives", (on) => {
    on.established(PATH).script(`
      +0 write 20000
      ${segments(1, 10_001, false)}
      ${acked("+.1", 1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
      ${acked("+0", 1, "1001:6001")}
      ${acked("+0", 1, "1001:8001")}
      ${segments(10_001, 12_001, false)}
      ${acked("+.1", 1, "10001:11001 1001:8001")}
      +0 > . 1:1001(1000) ack 1
      +0 > . 8001:9001(1000) ack 1
      +0 > . 9001:10001(1000) ack 1
      +0 > . 12001:13001(1000) ack 1
    `);
  });

  scenario("8985-2 an answer to a retransmission says nothing, when it is early", (on) => {
    on.established(PATH).script(`
      +0    write 3000
      ${segments(1, 3001, true)}
      ${acked("+.1", 1, "1001:2001")}
      +.025 > . 1:1001(1000) ack 1
      ${acked("+.01", 2001)}
      +.1   nothing
    `);
  });

  scenario(
    "8985-1 SACK is heeded, when there are more times of sending than the table has",
    (on) => {
      const session = on.established(PATH).script("+0 option NO_DELAY 1");
      for (let seq = 1; seq < 7001; seq += 100) {
        session.script(`
        +.001 write 100
        +0    > P. ${seq}:${seq + 100}(100) ack 1
      `);
      }
      session.script(`
      ${acked("+.03", 1, "101:4001")}
      +0 > . 1:101(100) ack 1
      ${acked("+.001", 1, "4101:7001 101:4001")}
      +0 > . 4001:4101(100) ack 1
      +0 drops FAST_RETRANSMITS = 1
    `);
    },
  );

  scenario("8985-1 duplicates are counted instead, when there is no SACK", (on) => {
    on.established({ ...PATH, syn: PLAIN_SYN }).script(`
      +0 write 5000
      ${segments(1, 5001, true)}
      ${acked("+.1", 1)}
      ${acked("+0", 1)}
      +.1 nothing
      ${acked("+0", 1)}
      +0 > . 1:1001(1000) ack 1
    `);
  });

  scenario("8985-3 the smallest round trip is forgotten after five minutes", (on) => {
    const session = on.established({ ...PATH, rtoMs: 4000 }).script(`
      +0 write 1000
      ${segments(1, 1001, true)}
    `);
    // From now on it takes a second, and something is always in flight.
    for (let seq = 1; seq < 302_000; seq += 1000) {
      session.script(`
        +.5 write 1000
        ${segments(seq + 1000, seq + 2000, true)}
        ${acked("+.5", seq + 1000)}
      `);
    }
    session.script(`
      ${acked("+.5", 303_001)}
      +0    write 2000
      ${segments(303_001, 305_001, true)}
      ${acked("+1", 303_001, "304001:305001")}
      +.249 nothing
      +.001 > . 303001:304001(1000) ack 1
    `);
  });
});

/** Tail loss probes: RFC 8985 section 7. The round trip takes 100 ms. */
import { describe } from "vitest";
import { CONGESTION_NEW_RENO } from "../../src/layout/layout.gen.ts";
import { acked, segments } from "./dsl/lines.ts";
import { PROBES, scenario } from "./dsl/scenario.ts";

const PATH = {
  ...PROBES,
  congestionControl: CONGESTION_NEW_RENO,
  rtoMs: 1000,
  rtt: 0.1,
  win: 65_000,
};

describe("RFC 8985 section 7: tail loss probes", () => {
  scenario(
    "8985-8 8985-9 the highest segment goes again, when two round trips are silent",
    (on) => {
      on.established(PATH).script(`
      +0    write 2000
      ${segments(1, 2001, true)}
      +.199 nothing
      +.001 > P. 1001:2001(1000) ack 1
      +0    drops TAIL_PROBES = 1
      ${acked("+.1", 1, "1001:2001")}
      +0    > . 1:1001(1000) ack 1
    `);
    },
  );

  scenario("8985-8 a delayed ACK is waited for, when one segment is in flight", (on) => {
    on.established(PATH).script(`
      +0    write 1000
      +0    > P. 1:1001(1000) ack 1
      +.399 nothing
      +.001 > P. 1:1001(1000) ack 1
    `);
  });

  scenario("8985-8 the probe goes at the RTO, when it would be later", (on) => {
    on.established({ ...PATH, rtoMs: 300 }).script(`
      +0    write 1000
      +0    > P. 1:1001(1000) ack 1
      +.299 nothing
      +.001 > P. 1:1001(1000) ack 1
      +0    drops TIMEOUTS = 0
      +.3   > P. 1:1001(1000) ack 1
      +0    drops TIMEOUTS = 1
    `);
  });

  scenario("8985-12 the RTO starts anew and no probe follows, when one was sent", (on) => {
    on.established(PATH).script(`
      +0    write 2000
      ${segments(1, 2001, true)}
      +.2   > P. 1001:2001(1000) ack 1
      +.999 nothing
      +.001 > . 1:1001(1000) ack 1
      +0    drops TIMEOUTS = 1
      +1.999 nothing
      +.001 > . 1:1001(1000) ack 1
      +0    drops TAIL_PROBES = 1
    `);
  });

  scenario("8985-9 8985-10 new text goes, when cwnd is full and the remote has room", (on) => {
    on.established(PATH).script(`
      +0  write 11000
      ${segments(1, 10_001, false)}
      +.2 > P. 10001:11001(1000) ack 1
    `);
  });

  scenario("8985-10 old text goes, when the remote has no room", (on) => {
    on.established({ ...PATH, win: 10_000 }).script(`
      +0  write 11000
      ${segments(1, 10_001, false)}
      +.2 > . 9001:10001(1000) ack 1
    `);
  });

  scenario("8985-11 the window falls once, when the probe has repaired a loss", (on) => {
    on.established(PATH).script(`
      +0  write 2000
      ${segments(1, 2001, true)}
      +.2 > P. 1001:2001(1000) ack 1
      ${acked("+.1", 2001)}
      +0  info cwnd = 10000
      +0  write 1000
      +0  > P. 2001:3001(1000) ack 1
      ${acked("+.1", 3001)}
      +0  drops TAIL_RECOVERIES = 1
      +0  info ssthresh = 2000
      +0  write 1000
      +0  > P. 3001:4001(1000) ack 1
      ${acked("+.1", 4001)}
      +0  drops TAIL_RECOVERIES = 1
    `);
  });

  scenario("8985-11 the window stays, when the probe is reported as a duplicate", (on) => {
    on.established(PATH).script(`
      +0  write 2000
      ${segments(1, 2001, true)}
      +.2 > P. 1001:2001(1000) ack 1
      ${acked("+.01", 2001)}
      ${acked("+.1", 2001, "1001:2001")}
      +0  write 1000
      +0  > P. 2001:3001(1000) ack 1
      ${acked("+.1", 3001)}
      +0  drops TAIL_RECOVERIES = 0
    `);
  });

  scenario("8985-11 the window stays, when the probe draws a bare duplicate ACK", (on) => {
    on.established(PATH).script(`
      +0  write 2000
      ${segments(1, 2001, true)}
      +.2 > P. 1001:2001(1000) ack 1
      ${acked("+.01", 2001)}
      ${acked("+.1", 2001)}
      +0  write 1000
      +0  > P. 2001:3001(1000) ack 1
      ${acked("+.1", 3001)}
      +0  drops TAIL_RECOVERIES = 0
    `);
  });
});

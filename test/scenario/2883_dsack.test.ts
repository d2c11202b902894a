/** Duplicates are reported once, in the first block: RFC 2883 section 4; SACK's own rules: RFC 2018 section 4. */
import { describe } from "vitest";
import { DEFAULT_FEATURES } from "../../src/core/core_config.ts";
import { CONGESTION_NEW_RENO, FEATURE_DSACK } from "../../src/layout/layout.gen.ts";
import { acked, segments } from "./dsl/lines.ts";
import { NO_RACK, PLAIN_SYN, scenario } from "./dsl/scenario.ts";

describe("RFC 2883 section 4: D-SACK of the receiver", () => {
  scenario("2883-1 a duplicate is reported once, when it lies below the ACK", (on) => {
    on.established().script(`
      +0   < P. 1:101(100) ack 1 win 20000
      +.04 > . 1:1(0) ack 101
      +0   < P. 1:101(100) ack 1 win 20000
      +0   > . 1:1(0) ack 101 <nop,nop,sack 1:101>
      +0   < P. 201:301(100) ack 1 win 20000
      +0   > . 1:1(0) ack 101 <nop,nop,sack 201:301>
      +0   drops DSACKS_OUT = 1
    `);
  });

  scenario("2883-2 the block that holds it follows, when it was held out of order", (on) => {
    on.established().script(`
      +0 < P. 501:701(200) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 501:701>
      +0 < P. 201:301(100) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 201:301 501:701>
      +0 < P. 501:601(100) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 501:601 501:701 201:301>
    `);
  });

  scenario("2883-1 2018-7 nothing is reported, when it is off or SACK was not agreed", (on) => {
    const features = DEFAULT_FEATURES & ~FEATURE_DSACK;
    for (const options of [{ features }, { syn: PLAIN_SYN }]) {
      on.established(options).script(`
        +0   < P. 1:101(100) ack 1 win 20000
        +.04 > . 1:1(0) ack 101
        +0   < P. 1:101(100) ack 1 win 20000
        +0   > . 1:1(0) ack 101 <>
      `);
    }
  });
});

describe("RFC 2883 section 5, RFC 3708: D-SACK of the remote", () => {
  const path = { ...NO_RACK, congestionControl: CONGESTION_NEW_RENO, rtoMs: 1000, win: 65_000 };

  scenario(
    "2883-3 the window comes back, when what was sent again is reported as duplicate",
    (on) => {
      on.established(path).script(`
      +0 write 10000
      ${segments(1, 10_001, true)}
      ${acked("+.01", 1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
      +0 info ssthresh = 5000
      ${acked("+.01", 4_001, "1:1001")}
      +0 drops SPURIOUS_RECOVERIES = 1
      +0 info cwnd = 10000
      +0 nothing
    `);
    },
  );

  scenario("2883-3 a duplicate of what is not in flight is no news", (on) => {
    on.established(path).script(`
      +0  write 3000
      ${segments(1, 3_001, true)}
      ${acked("+.01", 1_001)}
      ${acked("+.01", 1_001, "1:1001")}
      ${acked("+.01", 1_001, "1:1001")}
      ${acked("+.01", 1_001, "1:1001")}
      ${acked("+.01", 1_001, "1:1001")}
      +.5 nothing
      +0  drops FAST_RETRANSMITS = 0
    `);
  });
});

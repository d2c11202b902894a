/** S10: timestamps are negotiated as window scales are, laid out as in figure 18.20, and used for RTT and PAWS. RFC 7323. */
import { describe } from "vitest";
import { FEATURE_TIMESTAMPS } from "../../src/layout/layout.gen.ts";
import { scenario } from "./dsl/scenario.ts";

const ONLY_STAMPS = { features: FEATURE_TIMESTAMPS } as const;
const SYN = "mss 1012,nop,nop,TS val 5000 ecr 0";

describe("S10 timestamps", () => {
  scenario("stand behind two NOPs in every segment, if both SYNs have them", (on) => {
    on.client(ONLY_STAMPS).script(`
      +0  connect
      +0  > S 0:0(0) <mss 1460,nop,nop,TS val 0 ecr 0>
      +.1 < S. 0:0(0) ack 1 win 4096 <${SYN}>
      +0  > . 1:1(0) ack 1 <nop,nop,TS val 100 ecr 5000>
      +.1 write 5
      +0  > P. 1:6(5) ack 1 <nop,nop,TS val 200 ecr 5000>
    `);
  });

  scenario("stand in none, if either SYN lacks them", (on) => {
    on.client(ONLY_STAMPS).script(`
      +0 connect
      +0 > S 0:0(0) <mss 1460,nop,nop,TS val 0 ecr 0>
      +0 < S. 0:0(0) ack 1 win 4096 <mss 1000>
      +0 > . 1:1(0) ack 1 <>
    `);
    on.client({ features: 0 }).script(`
      +0 connect
      +0 > S 0:0(0) <mss 1460>
      +0 < S. 0:0(0) ack 1 win 4096 <${SYN}>
      +0 > . 1:1(0) ack 1 <>
    `);
  });

  scenario("measure the round trip of a segment that was sent twice (section 4)", (on) => {
    on.established({ ...ONLY_STAMPS, syn: SYN, rtoMs: 1000 }).script(`
      +0   write 5
      +0   > P. 1:6(5) ack 1
      +1   > P. 1:6(5) ack 1
      +.25 < . 1:1(0) ack 6 win 4096 <nop,nop,TS val 6000 ecr 1000>
      +0   info retries = 0
    `);
  });

  scenario(
    "find old segments: what is older than the last is acknowledged and dropped (PAWS)",
    (on) => {
      on.established({ ...ONLY_STAMPS, syn: SYN }).script(`
      +0   < P. 1:6(5) ack 1 win 4096 <nop,nop,TS val 6000 ecr 0>
      +0   read 5
      +.04 > . 1:1(0) ack 6 <nop,nop,TS val 40 ecr 6000>
      +0   < P. 6:11(5) ack 1 win 4096 <nop,nop,TS val 5999 ecr 0>
      +0   > . 1:1(0) ack 6 <nop,nop,TS val 40 ecr 6000>
      +0   readable = 0
      +0   < P. 6:11(5) ack 1 win 4096 <nop,nop,TS val 6000 ecr 0>
      +0   readable = 5
      +.04 > . 1:1(0) ack 11
    `);
    },
  );
});

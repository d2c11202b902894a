/** Timestamps: RFC 7323 sections 3 to 5 and 7.1. */
import { describe, expect } from "vitest";
import { FULL_SYN, scenario } from "./dsl/scenario.ts";

/** 24 days and the unit in which ages are kept, s. RFC 7323 section 5.5. */
const STALE_S = 24 * 86_400 + 131;

describe("RFC 7323 section 3.2: once agreed, every segment has them", () => {
  scenario("7323-9 one without is dropped in silence, text, FIN and ACK alike", (on) => {
    on.established({ syn: FULL_SYN, rtoMs: 60_000, features: 7 }).script(`
      +0 write 10
      +0 > P. 1:11(10) ack 1
      +0 < P. 1:11(10) ack 11 win 20000
      +0 < F. 1:1(0) ack 11 win 20000
      +0 < . 1:1(0) ack 11 win 20000
      +9 nothing
      +0 drops TIMESTAMP_MISSING = 3
      +0 info inFlight = 10
      +0 readable = 0
    `);
  });

  scenario("7323-9 RST is heard without", (on) => {
    on.established({ syn: FULL_SYN }).script(`
      +0 < R. 1:1(0) ack 1 win 0
      +0 event CLOSED RESET
    `);
  });

  scenario(
    "5961-2 SYN draws its challenge ACK without, so that a crashed peer can come back",
    (on) => {
      on.established({ syn: FULL_SYN }).script(`
      +0 < S 77:77(0) win 1000 <mss 1000>
      +0 > . 1:1(0) ack 1
      +0 < R 1:1(0) win 0
      +0 event CLOSED RESET
    `);
    },
  );

  scenario("they may come unasked, when they were not agreed", (on) => {
    on.established().script(`
      +0   < P. 1:11(10) ack 1 win 20000 <nop,nop,TS val 1 ecr 0>
      +.04 > . 1:1(0) ack 11 <>
    `);
  });
});

describe("RFC 7323 section 4.3: TS.Recent", () => {
  scenario("7323-11 a delayed ACK echoes the first segment that it acknowledges", (on) => {
    on.established({ syn: FULL_SYN }).script(`
      +0 hold
      +0 < . 1:501(500) ack 1 win 20000 <nop,nop,TS val 5010 ecr 0>
      +0 < . 501:1001(500) ack 1 win 20000 <nop,nop,TS val 5020 ecr 0>
      +0 deliver
      +0 > . 1:1(0) ack 1001 <nop,nop,TS val 0 ecr 5010>
    `);
  });

  scenario("7323-11 what fills a hole is echoed, what came before it is not", (on) => {
    on.established({ syn: FULL_SYN }).script(`
      +0 < . 501:1001(500) ack 1 win 20000 <nop,nop,TS val 5020 ecr 0>
      +0 > . 1:1(0) ack 1 <nop,nop,TS val 0 ecr 5000,nop,nop,sack 501:1001>
      +0 < . 1:501(500) ack 1 win 20000 <nop,nop,TS val 5030 ecr 0>
      +0 > . 1:1(0) ack 1001 <nop,nop,TS val 0 ecr 5030>
    `);
  });

  scenario("7323-10 an older one does not replace it, and its segment is answered", (on) => {
    on.established({ syn: FULL_SYN }).script(`
      +0 < P. 1:11(10) ack 1 win 20000 <nop,nop,TS val 4999 ecr 0>
      +0 > . 1:1(0) ack 1 <nop,nop,TS val 0 ecr 5000>
      +0 drops PAWS = 1
      +0 readable = 0
    `);
  });

  scenario("7323-14 it says nothing any more after 24 days", (on) => {
    on.established({ syn: FULL_SYN }).script(`
      +${STALE_S} < P. 1:11(10) ack 1 win 20000 <nop,nop,TS val 4000 ecr 0>
      +.04 > . 1:1(0) ack 11
      +0 drops PAWS = 0
    `);
  });
});

describe("RFC 7323 section 7.1: the offset", () => {
  scenario(
    "7323-16 each pair of ends has a clock of its own, and it goes on in TIME-WAIT",
    (on) => {
      const session = on.established({ syn: FULL_SYN, rtoMs: 60_000 }).script(`
      +0 close
      +0 > F. 1:1(0) ack 1 <nop,nop,TS val 0 ecr 5000>
      +1 < F. 1:1(0) ack 2 win 20000 <nop,nop,TS val 6000 ecr 0>
      +0 > . 2:2(0) ack 2 <nop,nop,TS val 1000 ecr 6000>
      +1 < F. 1:1(0) ack 2 win 20000 <nop,nop,TS val 6000 ecr 0>
      +0 > . 2:2(0) ack 2 <nop,nop,TS val 2000 ecr 6000>
    `);
      const { world } = session;
      const other = on.server().world;
      const [remote] = world.flows.map((flow) => flow.remote);
      if (remote === undefined) throw new Error("No connection was made");
      other.core.connect(session.flow.local, { ...remote, port: remote.port + 1 }, 1, other.now);
      other.settle();
      const offset = other.flows.at(-1)?.stampOffset;
      expect(offset).not.toBe(session.flow.stampOffset);
      other.emitted.length = 0;
    },
  );
});

/**
 * Super-segments: records that stand for many segments, which the link cuts or has joined. docs/adr/0019. What is sent is
 * shown as the link cuts it; `texts()` tells how it left.
 */
import { describe, expect } from "vitest";
import {
  CONGESTION_NEW_RENO,
  FEATURE_ECN,
  FEATURE_RACK,
  FEATURE_SACK,
  OFFLOAD_CHECKSUM,
  OFFLOAD_ECN,
  OFFLOAD_TCP4,
  OFFLOAD_TCP6,
} from "../../src/layout/layout.gen.ts";
import { acked, segments } from "./dsl/lines.ts";
import {
  type FixtureOptions,
  type Fixtures,
  FULL_SYN,
  PLAIN_SYN,
  PROBES,
  scenario,
  scenarioV4,
  scenarioV6,
} from "./dsl/scenario.ts";
import type { Session } from "./dsl/session.ts";

const CUTS = OFFLOAD_TCP4 | OFFLOAD_TCP6;
/** A link that cuts super-segments and knows nothing else. */
const LINK: FixtureOptions = { offload: CUTS, win: 60_000, rtoMs: 1000 };
const TRUSTED: FixtureOptions = { ...LINK, offload: CUTS | OFFLOAD_CHECKSUM };

/** Text of each record since this was last asked; headers are those of a segment without options. */
function texts(session: Session): number[] {
  const headers = session.world.isV6 ? 74 : 54;
  return session.world.records.splice(0).map((bytes) => bytes - headers);
}

/** A connection from which texts() begins. */
function opened(on: Fixtures, options: FixtureOptions = LINK): Session {
  const session = on.established(options);
  texts(session);
  return session;
}

describe("what is sent", () => {
  scenario("is one record, when a window of full segments may go", (on) => {
    const session = opened(on).script(`
      +0   write 20000
      ${segments(1, 10_001, false)}
    `);
    expect(texts(session)).toEqual([10_000]);
    session.script(`
      ${acked("+.05", 10_001)}
      ${segments(10_001, 20_001, true)}
      +0   info segmentsOut = 22
      +0   drops FRAMES_OUT = 4
    `);
    expect(texts(session)).toEqual([10_000]);
  });

  scenario("ends with the last full segment, when Nagle holds the tail", (on) => {
    const session = opened(on).script(`
      +0   write 2500
      ${segments(1, 2001, false)}
      ${acked("+.05", 2001)}
      +0   > P. 2001:2501(500) ack 1
    `);
    expect(texts(session)).toEqual([2000, 500]);
  });

  scenario("has the tail and PSH at its end, when Nagle is off", (on) => {
    const session = opened(on).script(`
      +0   option NO_DELAY 1
      +0   write 2500
      ${segments(1, 2001, false)}
      +0   > P. 2001:2501(500) ack 1
    `);
    expect(texts(session)).toEqual([2500]);
  });

  scenario("holds the tail back, when it is corked", (on) => {
    const session = opened(on).script(`
      +0   option NO_DELAY 1
      +0   option CORK 1
      +0   write 2500
      ${segments(1, 2001, false)}
      +.2  > P. 2001:2501(500) ack 1
    `);
    expect(texts(session)).toEqual([2000, 500]);
  });

  scenario("has FIN and PSH with the last segment, when the user closes", (on) => {
    const session = opened(on).script(`
      +0   write 12500
      ${segments(1, 10_001, false)}
      +0   closeWrite
      ${acked("+.05", 10_001)}
      ${segments(10_001, 12_001, false)}
      +0   > FP. 12001:12501(500) ack 1
      +.05 < . 1:1(0) ack 12502 win 65000
      +0   state FIN-WAIT-2
    `);
    expect(texts(session)).toEqual([10_000, 2500]);
  });

  scenario("has segments of the peer's MSS, when that is 536", (on) => {
    const session = opened(on, { ...LINK, syn: "mss 536" }).script(`
      +0   write 2000
      +0   > . 1:537(536) ack 1
      +0   > . 537:1073(536) ack 1
      +0   > . 1073:1609(536) ack 1
      ${acked("+.05", 1609)}
      +0   > P. 1609:2001(392) ack 1
    `);
    expect(texts(session)).toEqual([1608, 392]);
  });

  scenario("has the timestamps of all in one header", (on) => {
    const session = opened(on, { ...LINK, syn: FULL_SYN }).script(`
      +0   write 3000
      +0   > . 1:1001(1000) ack 1
      +0   > . 1001:2001(1000) ack 1
      +0   > P. 2001:3001(1000) ack 1
    `);
    // The header is longer by 12 bytes of timestamps.
    expect(texts(session)).toEqual([3012]);
  });

  scenario("is what the remote's window takes, when that is less", (on) => {
    const session = opened(on, { ...LINK, win: 3700 }).script(`
      +0   write 10000
      ${segments(1, 3001, false)}
      +.05 < . 1:1(0) ack 1001 win 3700
      +0   > . 3001:4001(1000) ack 1
      +0   < . 1:1(0) ack 4001 win 5000
      ${segments(4001, 9001, false)}
    `);
    expect(texts(session)).toEqual([3000, 1000, 5000]);
  });

  scenario("is what the congestion window takes, when that is less", (on) => {
    const session = opened(on, { ...LINK, initialWindowSegments: 3 }).script(`
      +0   write 10000
      ${segments(1, 3001, false)}
      ${acked("+.05", 1001)}
      ${segments(3001, 5001, false)}
    `);
    expect(texts(session)).toEqual([3000, 2000]);
  });

  scenario("is no longer than an IP packet", (on) => {
    const session = opened(on, {
      ...LINK,
      syn: "mss 1000,nop,nop,sackOK,nop,wscale 7",
      win: 60_000,
      initialWindowSegments: 100,
      sendBufferMax: 200_000,
    }).script(`
      +0   < . 1:1(0) ack 1 win 1000
      +0   write 90000
      +0   take 90
    `);
    expect(texts(session)).toEqual([65_000, 25_000]);
  });

  scenario("is what the link has room for, and full segments, when that is less", (on) => {
    const session = opened(on);
    const { world } = session;
    world.core.send(session.handle, new Uint8Array(9000), world.now);
    const few = world.core.flush(5000, world.now);
    // 128 bytes are kept for the longest headers.
    expect(few.length).toBe(14 + (world.isV6 ? 74 : 54) + 4000);
    expect(world.core.more).toBe(true);
    expect(world.core.flush(1100, world.now).length).toBe(0);
    const rest = world.core.flush(131_072, world.now);
    expect(rest.length).toBe(14 + (world.isV6 ? 74 : 54) + 5000);
    expect(world.core.more).toBe(false);
  });

  scenario(
    "goes one by one, when it is urgent: the pointer counts from each segment (MUST-31)",
    (on) => {
      const session = opened(on).script(`
      +0   urgent 3000
      +0   > U. 1:1001(1000) ack 1 urg 3000
      +0   > U. 1001:2001(1000) ack 1 urg 2000
      +0   > PU. 2001:3001(1000) ack 1 urg 1000
      +0   write 4000
      ${segments(3001, 7001, true)}
    `);
      expect(texts(session)).toEqual([1000, 1000, 1000, 4000]);
    },
  );

  scenario("lets slow start count a super-segment an ACK, not 8 segments (RFC 9406 4.3)", (on) => {
    opened(on, { ...LINK, syn: PLAIN_SYN, initialWindowSegments: 20 }).script(`
      +0   write 20000
      ${segments(1, 20_001, true)}
      +.05 < . 1:1(0) ack 20001 win 60000
      +0   info cwnd = 40000
    `);
  });

  scenario(
    "does not change slow start, when the link completes checksums and cuts nothing",
    (on) => {
      const LEFT = {
        ...LINK,
        offload: OFFLOAD_CHECKSUM,
        syn: PLAIN_SYN,
        initialWindowSegments: 20,
      };
      opened(on, LEFT).script(`
      +0   write 20000
      ${segments(1, 20_001, true)}
      +.05 < . 1:1(0) ack 20001 win 60000
      +0   info cwnd = 28000
    `);
    },
  );

  scenario("has its checksum left to the link, when that completes it", (on) => {
    const session = opened(on, TRUSTED).script(`
      +0   write 3001
      ${segments(1, 3001, false)}
      ${acked("+.05", 3001)}
      +0   > P. 3001:3002(1) ack 1
    `);
    expect(texts(session)).toEqual([3000, 1]);
  });

  scenarioV4("is a segment each, when the link cuts only those of the other family", (on) => {
    const session = opened(on, { ...LINK, offload: OFFLOAD_TCP6 }).script(`
      +0   write 3000
      ${segments(1, 3001, true)}
    `);
    expect(texts(session)).toEqual([1000, 1000, 1000]);
  });

  scenarioV6("is a segment each, when the link cuts only those of the other family", (on) => {
    const session = opened(on, { ...LINK, offload: OFFLOAD_TCP4 }).script(`
      +0   write 3000
      ${segments(1, 3001, true)}
    `);
    expect(texts(session)).toEqual([1000, 1000, 1000]);
  });
});

describe("what is lost of it", () => {
  scenario("is cut at segments and goes again alone, when SACK tells of the rest", (on) => {
    const session = opened(on).script(`
      +0   write 10000
      ${segments(1, 10_001, true)}
      ${acked("+.05", 4001)}
      ${acked("+0", 4001, "6001:7001")}
      ${acked("+0", 4001, "6001:8001")}
      ${acked("+0", 4001, "6001:9001")}
      +0   > . 4001:5001(1000) ack 1
      +0   > . 5001:6001(1000) ack 1
      ${acked("+.05", 10_001)}
      +0   info retransmits = 2
    `);
    expect(texts(session)).toEqual([10_000, 1000, 1000]);
  });

  scenario("begins where the remote has stopped, when an ACK ends within a segment", (on) => {
    opened(on, { ...LINK, syn: PLAIN_SYN }).script(`
      +0   write 4000
      ${segments(1, 4001, true)}
      ${acked("+.05", 1501)}
      +1   > . 1501:2501(1000) ack 1
      ${acked("+.05", 2501)}
      +0   > . 2501:3501(1000) ack 1
      +0   > P. 3501:4001(500) ack 1
    `);
  });

  scenario("begins with one segment, when a timeout tells of it", (on) => {
    const session = opened(on).script(`
      +0   write 10000
      ${segments(1, 10_001, true)}
      +1   > . 1:1001(1000) ack 1
      +2   > . 1:1001(1000) ack 1
      ${acked("+.05", 1001)}
      +0   > . 1001:2001(1000) ack 1
      +0   > . 2001:3001(1000) ack 1
    `);
    expect(texts(session)).toEqual([10_000, 1000, 1000, 1000, 1000]);
  });

  scenario("is asked for by one segment, when its tail is silent (RFC 8985 7.3)", (on) => {
    const session = opened(on, { ...PROBES, ...LINK, rtt: 0.1 }).script(`
      +0   write 4000
      ${segments(1, 4001, true)}
      +.2  > P. 3001:4001(1000) ack 1
    `);
    expect(texts(session)).toEqual([4000, 1000]);
  });

  scenario(
    "is followed by single segments, when limited transmit lets them out (RFC 3042)",
    (on) => {
      const session = opened(on, { ...LINK, syn: PLAIN_SYN, initialWindowSegments: 4 }).script(`
      +0   write 10000
      ${segments(1, 4001, false)}
      +.05 < . 1:1(0) ack 1 win 60000
      +0   > . 4001:5001(1000) ack 1
      +0   < . 1:1(0) ack 1 win 60000
      +0   > . 5001:6001(1000) ack 1
      +0   drops LIMITED_TRANSMITS = 2
    `);
      expect(texts(session)).toEqual([4000, 1000, 1000]);
    },
  );

  scenario("is cut anew, when a router says that its segments are too big", (on) => {
    const session = opened(on, { ...LINK, syn: "mss 1460,nop,nop,sackOK" }).script(`
      +0   write 8760
      ${
      [0, 1, 2, 3, 4].map((n) => `+0 > . ${1 + 1460 * n}:${1461 + 1460 * n}(1460) ack 1`).join("\n")
    }
      +0   > P. 7301:8761(1460) ack 1
      +.01 tooBig 1461 1460 1300
      +0   take 7
      +0   info mss = 1260
      +.05 < . 1:1(0) ack 8761 win 60000
      +0   write 5040
      +0   take 4
    `);
    expect(texts(session)).toEqual([8760, 1260, 1260, 1260, 1260, 1260, 1260, 1200, 5040]);
  });

  scenarioV4("is cut anew, when a router quotes all of it and names no MTU (RFC 1191 5)", (on) => {
    opened(on, { ...LINK, syn: "mss 1460,nop,nop,sackOK" }).script(`
      +0   write 14600
      +0   take 10
      +.01 tooBig 1 14600 0
      +0   info mss = 1452
      +0   take 10
    `);
  });
});

/** ECN is asked for, and no other feature is on. */
const ECN: FixtureOptions = {
  features: FEATURE_ECN | FEATURE_SACK | FEATURE_RACK,
  congestionControl: CONGESTION_NEW_RENO,
  rtoMs: 1000,
};

/** A connection with ECN whose window was just reduced, and text that waits. */
function reduced(on: Fixtures, offload: number): Session {
  const session = on.client({ ...ECN, offload }).script(`
    +0   connect
    +0   > SEW 0:0(0)
    +0   < SE. 0:0(0) ack 1 win 60000 <mss 1000>
    +0   > . 1:1(0) ack 1
    +0   write 10000
    +0   take 10
    +.05 < E. 1:1(0) ack 10001 win 60000
  `);
  texts(session);
  return session;
}

const CWR_FIRST = `
  +0 > [ect0] W. 10001:11001(1000) ack 1
  +0 > [ect0] . 11001:12001(1000) ack 1
  +0 > [ect0] P. 12001:13001(1000) ack 1
`;

describe("RFC 3168 section 6.1.2: CWR", () => {
  scenario("stands in the first segment, when the link knows how", (on) => {
    const session = reduced(on, CUTS | OFFLOAD_ECN).script(`+0 write 3000\n${CWR_FIRST}`);
    expect(texts(session)).toEqual([3000]);
  });

  scenario("goes alone, when the link does not", (on) => {
    const session = reduced(on, CUTS).script(`+0 write 3000\n${CWR_FIRST}`);
    expect(texts(session)).toEqual([1000, 2000]);
  });
});

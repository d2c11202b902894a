/** Super-segments that arrive: one segment each to all that follows, once their header is believed. docs/adr/0019. */
import { describe, expect } from "vitest";
import {
  OFFLOAD_CHECKSUM,
  OFFLOAD_ECN,
  OFFLOAD_TCP4,
  OFFLOAD_TCP6,
  PUNT_UDP,
} from "../../src/layout/layout.gen.ts";
import { segments } from "./dsl/lines.ts";
import { type FixtureOptions, type Fixtures, scenario, scenarioV4 } from "./dsl/scenario.ts";
import type { Session } from "./dsl/session.ts";
import { independentChecksum, OUR_MAC, PEER_MAC } from "./dsl/wire.ts";

const CUTS = OFFLOAD_TCP4 | OFFLOAD_TCP6;
/** A link that joins segments and knows nothing else. */
const LINK: FixtureOptions = { offload: CUTS };
const ECN_LINK: FixtureOptions = { offload: CUTS | OFFLOAD_ECN };
const TRUSTED: FixtureOptions = { offload: CUTS | OFFLOAD_CHECKSUM };

describe("what arrives", () => {
  scenario("is acknowledged at once, when it stands for two segments and more (SHLD-19)", (on) => {
    on.established(LINK).script(`
      +0 option KEEP_ALIVE 1
      +0 vnet 0 1 1000
      +0 < P. 1:2501(2500) ack 1 win 20000
      +0 > . 1:1(0) ack 2501
      +0 event READABLE
      +0 read 2500
      +0 > . 1:1(0) ack 2501
      +0 info rcvMss = 1000
      +0 info segmentsIn = 4
      +9 nothing
    `);
  });

  scenario("waits for the delayed ACK, when it stands for one (SHLD-18)", (on) => {
    on.established(LINK).script(`
      +0   vnet 0 1 1000
      +0   < P. 1:1001(1000) ack 1 win 20000
      +.04 > . 1:1(0) ack 1001
    `);
  });

  scenario("is acknowledged each, when ackEvery is 2", (on) => {
    on.established({ ...LINK, ackEvery: 2 }).script(`
      +0 hold
      +0 vnet 0 1 1000
      +0 < . 1:3001(3000) ack 1 win 20000
      +0 vnet 0 1 1000
      +0 < . 3001:6001(3000) ack 1 win 20000
      +0 deliver
      +0 > . 1:1(0) ack 3001
      +0 > . 1:1(0) ack 6001
    `);
  });

  scenario("is cut off at the window's edge", (on) => {
    on.established({ ...LINK, receiveBufferInitial: 4000, receiveBufferMax: 4000 }).script(`
      +0 vnet 0 1 1000
      +0 < P. 1:6001(6000) ack 1 win 20000
      +0 > . 1:1(0) ack 4001 win 0
      +0 read 4000
      +0 > . 1:1(0) ack 4001 win 4000
    `);
  });

  scenario("is taken from RCV.NXT on, when the first of it came before", (on) => {
    on.established(LINK).script(`
      +0 < . 1:1001(1000) ack 1 win 20000
      +0 vnet 0 1 1000
      +0 < P. 1:4001(4000) ack 1 win 20000
      +0 > . 1:1(0) ack 4001 <nop,nop,sack 1:1001>
      +0 readable = 4000
    `);
  });

  scenario("is one SACK block, when it comes out of order, and fills a hole of any size", (on) => {
    on.established(LINK).script(`
      +0 vnet 0 1 1000
      +0 < . 5001:9001(4000) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 5001:9001>
      +0 vnet 0 1 1000
      +0 < . 1:5001(5000) ack 1 win 20000
      +0 > . 1:1(0) ack 9001
      +0 readable = 9000
    `);
  });

  scenario("brings the FIN of its last segment", (on) => {
    on.established(LINK).script(`
      +0 vnet 0 1 1000
      +0 < FP. 1:2001(2000) ack 1 win 20000
      +0 > . 1:1(0) ack 2002
      +0 state CLOSE-WAIT
    `);
  });

  scenario("acknowledges what we have sent, and opens our window", (on) => {
    on.established({ ...LINK, initialWindowSegments: 2 }).script(`
      +0 write 3000
      ${segments(1, 2001, false)}
      +0 vnet 0 1 1000
      +0 < P. 1:2001(2000) ack 2001 win 20000
      +0 > P. 2001:3001(1000) ack 2001
    `);
  });

  scenario("is dropped whole, when its checksum is wrong", (on) => {
    on.established(LINK).script(`
      +0 vnet 0 1 1000
      +0 < P. 1:2001(2000) ack 1 win 20000 badsum
      +9 nothing
      +0 drops TCP_CHECKSUM = 1
    `);
  });

  scenario("is believed, when a trusted link has verified it or leaves its checksum open", (on) => {
    on.established(TRUSTED).script(`
      +0 vnet 2 1 1000
      +0 < P. 1:2001(2000) ack 1 win 20000 badsum
      +0 > . 1:1(0) ack 2001
      +0 vnet 1 1 1000 34 16
      +0 < P. 2001:4001(2000) ack 1 win 20000 badsum
      +0 > . 1:1(0) ack 4001
      +0 vnet 1 0 0 34 16
      +0 < P. 4001:4002(1) ack 1 win 20000 badsum
      +.04 > . 1:1(0) ack 4002
      +0 < P. 4002:4003(1) ack 1 win 20000 badsum
      +9 nothing
      +0 drops TCP_CHECKSUM = 1
    `);
  });

  scenario("may have CWR and its bit, when the link knows ECN", (on) => {
    on.established(ECN_LINK).script(`
      +0 vnet 0 129 1000
      +0 < PW. 1:2001(2000) ack 1 win 20000
      +0 > . 1:1(0) ack 2001
    `);
  });
});

/** Headers that are no good on a link that cuts, and what packet they stand before. */
const BAD: readonly [why: string, vnet: string, packet: string][] = [
  ["ECN was not negotiated", "0 129 1000", "P. 1:2001(2000)"],
  ["its kind is not TCP's", "0 3 1000", "P. 1:2001(2000)"],
  ["nobody knows its kind", "0 2 1000", "P. 1:2001(2000)"],
  ["nobody knows its flags", "4 1 1000", "P. 1:2001(2000)"],
  ["its segments would be nearly all header", "0 1 47", "P. 1:2001(2000)"],
  ["its segments would be longer than its text", "0 1 2001", "P. 1:2001(2000)"],
  ["it has no text", "0 1 1000", ". 1:1(0)"],
  ["it has SYN", "0 1 1000", "S. 0:2000(2000)"],
  ["it has RST", "0 1 1000", "R. 1:2001(2000)"],
  ["it has a size and no kind", "0 0 1000", "P. 1:2001(2000)"],
  ["a checksum is left where that was not negotiated", "1 1 1000 34 16", "P. 1:2001(2000)"],
  ["a checksum is vouched for where that was not negotiated", "2 1 1000", "P. 1:2001(2000)"],
  ["it says where a checksum is that is not left", "0 1 1000 34 16", "P. 1:2001(2000)"],
  ["the same of one segment", "0 0 0 34 16", "P. 1:1001(1000)"],
];

/** The same where checksums may be left. */
const BAD_TRUSTED: readonly [why: string, vnet: string][] = [
  ["its sum does not begin at the TCP header", "1 1 1000 38 16"],
  ["its sum begins beyond the frame", "1 1 1000 65535 16"],
  ["its checksum is elsewhere", "1 1 1000 34 18"],
  ["its checksum is beyond the frame", "1 1 1000 34 65535"],
];

describe("what no link may ask for is dropped and counted", () => {
  for (const [why, vnet, packet] of BAD) {
    scenario(`when ${why}`, (on) => {
      on.established(LINK).script(`
        +0 vnet ${vnet}
        +0 < ${packet} ack 1 win 20000
        +9 nothing
        +0 drops OFFLOAD = 1
        +0 state ESTABLISHED
      `);
    });
  }

  for (const [why, vnet] of BAD_TRUSTED) {
    scenario(`when ${why}, where checksums may be left`, (on) => {
      on.established(TRUSTED).script(`
        +0 vnet ${vnet}
        +0 < P. 1:2001(2000) ack 1 win 20000
        +9 nothing
        +0 drops OFFLOAD = 1
      `);
    });
  }

  scenario("when nothing was negotiated", (on) => {
    on.established({ offload: 0 }).script(`
      +0 vnet 0 1 1000
      +0 < P. 1:2001(2000) ack 1 win 20000
      +0 vnet 1 0 0 34 16
      +0 < P. 1:2001(2000) ack 1 win 20000
      +9 nothing
      +0 drops OFFLOAD = 2
    `);
  });

  scenarioV4("when it says that it is of the other family", (on) => {
    on.established(LINK).script(`
      +0 vnet 0 4 1000
      +0 < P. 1:2001(2000) ack 1 win 20000
      +9 nothing
      +0 drops OFFLOAD = 1
    `);
  });

  scenarioV4("when the other family was negotiated", (on) => {
    on.established({ offload: OFFLOAD_TCP6 }).script(`
      +0 vnet 0 1 1000
      +0 < P. 1:2001(2000) ack 1 win 20000
      +9 nothing
      +0 drops OFFLOAD = 1
    `);
  });
});

/** A datagram of IPv4 to us whose checksum is left: the pseudo header's sum stands there. */
function datagram(): Uint8Array {
  const bytes = new Uint8Array(14 + 20 + 8 + 5);
  bytes.set(OUR_MAC);
  bytes.set(PEER_MAC, 6);
  bytes.set([8, 0, 0x45, 0, 0, 33, 0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 168, 0, 1], 12);
  new DataView(bytes.buffer).setUint16(24, independentChecksum(bytes.subarray(14, 34)));
  bytes.set([0, 53, 0, 99, 0, 13], 34);
  bytes.set([1, 2, 3, 4, 5], 42);
  const pseudo = Uint8Array.of(...bytes.subarray(26, 34), 0, 17, 0, 13);
  new DataView(bytes.buffer).setUint16(40, 0xffff - independentChecksum(pseudo));
  return bytes;
}

/** A world that is sent a datagram with an offload header. */
function told(on: Fixtures, vnet: string, offload: number): Session {
  const session = on.server({ offload }).script(`+0 vnet ${vnet}`);
  session.world.injectFrame(datagram());
  return session;
}

describe("a frame for the host", () => {
  scenarioV4("has its checksum completed, when that was left", (on) => {
    const { core } = told(on, "1 0 0 34 6", OFFLOAD_CHECKSUM).world;
    expect(core.puntCount).toBe(1);
    expect(core.puntKind(0)).toBe(PUNT_UDP);
    const frame = core.puntFrame(0);
    const pseudo = Uint8Array.of(...frame.subarray(26, 34), 0, 17, 0, 13);
    expect(independentChecksum(pseudo, frame.subarray(34))).toBe(0);
  });

  scenarioV4("is dropped, when its checksum would be beyond it, or it is to be cut", (on) => {
    for (const vnet of ["1 0 0 34 12", "1 0 0 46 0", "1 0 0 65535 6", "0 1 48", "0 3 48"]) {
      const session = told(on, vnet, CUTS | OFFLOAD_CHECKSUM);
      expect(session.world.core.puntCount, vnet).toBe(0);
      session.script("+0 drops OFFLOAD = 1");
    }
  });
});

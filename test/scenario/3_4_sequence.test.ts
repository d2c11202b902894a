/** Initial sequence numbers: RFC 9293 section 3.4.1, RFC 6528; and numbers that wrap. */
import { describe, expect } from "vitest";
import { type Fixtures, scenario } from "./dsl/scenario.ts";
import { Session } from "./dsl/session.ts";

/** ISS of a connection that is opened now and given up at once. */
function issNow(session: Session): number {
  session.script(`
    +0 reopen 0
    +0 connect
    +0 > S 0:0(0)
    +0 close
    +0 state GONE
  `);
  return session.iss;
}

/** A connection at hand in the same world with other ends. */
function beside(session: Session, localPort: number, remotePort: number): Session {
  const { local, remote } = session.flow;
  return new Session(
    session.world,
    { address: local.address, port: localPort },
    { address: remote.address, port: remotePort },
  );
}

describe("S05 RFC 9293 section 3.4.1: the ISN", () => {
  scenario(
    "it grows by one each 4 µs, when the same tuple opens again (MUST-8)",
    (on: Fixtures) => {
      const session = on.client();
      const first = issNow(session);
      session.script("+1 nothing");
      expect((issNow(session) - first) >>> 0).toBe(250_000);
      session.script("+.001 nothing");
      expect((issNow(session) - first) >>> 0).toBe(250_250);
      session.script("+10000 nothing");
      expect((issNow(session) - first) >>> 0).toBe((250_250 + 2_500_000_000) >>> 0);
    },
  );

  scenario(
    "MUST-9 6528-1 6528-2 it tells nothing of another tuple's, when both open at one time (SHLD-1)",
    (on) => {
      const session = on.client();
      const seen = new Set<number>();
      for (let port = 40_000; port < 40_008; port++) {
        seen.add(issNow(beside(session, port, 8080)));
        seen.add(issNow(beside(session, 36_000, port)));
      }
      const sorted = [...seen].sort((a, b) => a - b);
      expect(sorted).toHaveLength(16);
      // Neighbouring ports would be near each other if the hash were no hash.
      const gaps = sorted.slice(1).map((iss, i) => iss - (sorted[i] ?? 0));
      expect(Math.max(...gaps)).toBeGreaterThan(0x0400_0000);
    },
  );

  scenario(
    "it lies just below 2^32 in the worlds that are named so, and the peer's in all",
    (on) => {
      const session = on.established();
      if (on.start === "our ISS wraps") expect(session.iss).toBeGreaterThanOrEqual(0xffff_ff00);
      expect(session.flow.remoteIsn).toBe(0xffff_fff0);
    },
  );
});

describe("RFC 9293 section 3.4: numbers wrap", () => {
  scenario("text flows both ways, when both numbers pass 2^32 in the middle of a segment", (on) => {
    on.established().script(`
      +0   write 1000
      +0   > P. 1:1001(1000) ack 1
      +.01 < . 1:1001(1000) ack 1001 win 20000
      +0   < . 1001:2001(1000) ack 1001 win 20000
      +0   > . 1001:1001(0) ack 2001
      +0   read 3000 = 2000
      +0   > . 1001:1001(0) ack 2001 win 65535
    `);
  });

  scenario("a SACK block spans 2^32, when a hole lies before it", (on) => {
    on.established().script(`
      +0 < . 6:106(100) ack 1 win 20000
      +0 > . 1:1(0) ack 1 <nop,nop,sack 6:106>
      +0 < . 1:6(5) ack 1 win 20000
      +0 > . 1:1(0) ack 106 <>
      +0 read 200 = 105
    `);
  });

  scenario("our hole is sent again, when it spans 2^32", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0   write 4000
      +0   > . 1:1001(1000) ack 1
      +0   > . 1001:2001(1000) ack 1
      +0   > . 2001:3001(1000) ack 1
      +0   > P. 3001:4001(1000) ack 1
      +.01 < . 1:1(0) ack 1 win 20000 <nop,nop,sack 1001:4001>
      +0   > . 1:1001(1000) ack 1
      +.01 < . 1:1(0) ack 4001 win 20000
    `);
  });
});

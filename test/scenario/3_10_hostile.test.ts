/**
 * What nobody sends who means well: the kamikaze packet of RFC 1025, and every combination of flags in every state. The
 * core may drop, count or answer; it never traps and never answers more than once.
 */
import { describe, expect, test } from "vitest";
import { Fixtures, scenario } from "./dsl/scenario.ts";
import type { Session } from "./dsl/session.ts";
import { REACH } from "./dsl/states.ts";
import type { PacketSpec } from "./dsl/syntax.ts";

/** Every state that a connection or its absence can have, and how it is reached. */
const STATES: readonly (readonly [state: string, begin: (on: Fixtures) => Session])[] = [
  ["CLOSED", (on) => on.server()],
  ["LISTEN", (on) => on.server().script("+0 listen")],
  ["LISTEN, parked", (on) => on.server().script("+0 listen decide\n+0 < S 0:0(0) win 20000")],
  ["SYN-SENT", (on) => on.client().script("+0 connect\n+0 > S 0:0(0)")],
  ["SYN-RECEIVED, passive", (on) =>
    on.server().script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1`)],
  ["SYN-RECEIVED, active", (on) =>
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1`)],
  ...Object.entries(REACH).map(([state, { script }]) =>
    [state, (on: Fixtures) => on.established().script(script)] as const
  ),
  [
    "TIME-WAIT, released",
    (on) => on.established().script(`${REACH["TIME-WAIT"].script}\n+0 close\n+0 timeWaits = 1`),
  ],
  [
    "FIN-WAIT-2, released",
    (on) =>
      on.established().script("+0 close\n+0 > F. 1:1(0) ack 1\n+0 < . 1:1(0) ack 2 win 20000"),
  ],
];

/** Every set of FIN, SYN, RST and ACK, without PSH and URG and with both. */
const FLAG_SETS: readonly number[] = Array.from({ length: 16 }, (_, bits) => bits)
  .map((bits) => (bits & 7) | ((bits & 8) << 1))
  .flatMap((flags) => [flags, flags | 0x28]);

/** What each hostile segment has besides. */
const SEGMENT: PacketSpec = {
  source: null,
  destination: null,
  flags: 0,
  ecn: 0,
  seq: 0,
  bytes: 0,
  ack: 0,
  win: 500,
  urg: 1,
  options: null,
  isJunk: false,
  isCorrupt: false,
};

/** SYN, FIN, PSH and URG; the same with ACK; the same with RST too. */
const KAMIKAZES = [0x2b, 0x3b, 0x3f] as const;

const SEQUENCES = [0, 1, 2, 3, 100, -1, 65_535, 0x8000_0001] as const;
const ACKS = [0, 1, 2, 3, -70_000] as const;

/** Flags as letters, all of them in a segment of the peer's. @returns How many segments answered. */
function provoke(session: Session, flags: number, seq: number, bytes: number, ack: number): number {
  const { world, flow } = session;
  world.runTo(session.elapsed + 1);
  world.emitted.length = 0;
  world.inject(flow, { ...SEGMENT, flags, seq, bytes, ack });
  return world.emitted.splice(0).length;
}

describe("RFC 1025: the kamikaze packet (S59)", () => {
  scenario("it opens a connection, when we listen; its text and FIN are kept", (on) => {
    on.server().script(`
      +0 listen
      +0 < FSPU 0:1(1) win 20000 urg 1
      +0 > S. 0:0(0) ack 3
      +0 < . 3:3(0) ack 1 win 20000
      +0 accept
      +0 event READABLE
      +0 event END
      +0 read 1
      +0 state CLOSE-WAIT
    `);
  });

  scenario("it is refused whole, when nobody listens", (on) => {
    on.server().script(`
      +0 < FSPU 0:1(1) win 20000 urg 1
      +0 > R. 0:0(0) ack 3 win 0
    `);
  });

  scenario("it opens, delivers and closes, when it acknowledges our SYN", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < FSPU. 0:1(1) ack 1 win 20000 urg 1
      +0 > . 1:1(0) ack 3
      +0 state CLOSE-WAIT
      +0 event END
    `);
  });

  scenario("it draws a challenge, when the connection is open", (on) => {
    on.established().script(`
      +0 < FSPU. 1:2(1) ack 1 win 20000 urg 1
      +0 > . 1:1(0) ack 1
      +0 state ESTABLISHED
      +0 readable = 0
    `);
  });

  for (const [state, begin] of STATES) {
    scenario(`at most one answer comes and the core lives, when the state is ${state}`, (on) => {
      for (const flags of KAMIKAZES) {
        const session = begin(on);
        for (const number of [0, 1, 2]) {
          expect(provoke(session, flags, number, 1, number)).toBeLessThanOrEqual(1);
        }
      }
    });
  }
});

/** Sends each flag set with every number and length to one connection, and lets all its timers run out. */
function provokeAll(session: Session, flags: number): void {
  for (const seq of SEQUENCES) {
    for (const ack of ACKS) {
      for (const bytes of [0, 1, 1400]) {
        const answers = provoke(session, flags, seq, bytes, ack);
        if (answers > 1) throw new Error(`flags ${flags} ${seq}(${bytes}) ack ${ack}: ${answers}`);
      }
    }
  }
  session.world.runTo(session.elapsed + 600_000);
}

describe("every combination of flags", () => {
  test.each(STATES)("the core drops or answers once, when the state is %s", (_, begin) => {
    for (const flags of FLAG_SETS) {
      const session = begin(new Fixtures("our ISS wraps"));
      provokeAll(session, flags);
      expect(session.world.core.fault).toBeNull();
    }
  });
});

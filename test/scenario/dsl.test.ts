/** The script language itself: what is wrong in one field must fail, and say in which. */
import { describe, expect, test } from "vitest";
import { independentChecksum } from "./dsl/wire.ts";
import { parseScript } from "./dsl/parser.ts";
import { Fixtures, FULL_SYN } from "./dsl/scenario.ts";
import type { Session } from "./dsl/session.ts";

/** A connection that has sent 5 bytes at 0.1 s. */
function talking(): Session {
  return new Fixtures("our ISS wraps").established({ rtoMs: 1000 });
}

const RIGHT = "> P. 1:6(5) ack 1 win 65535 <>";

/** A script that is right, but for what its last line expects. */
function scriptWith(expectation: string): string {
  return `+.1 write 5\n+0 ${expectation}`;
}

/** One wrong field each, and the word that must say so. */
const WRONG: readonly (readonly [field: string, line: string])[] = [
  ["flags", "> . 1:6(5) ack 1 win 65535 <>"],
  ["flags", "> FP. 1:6(5) ack 1 win 65535 <>"],
  ["seq", "> P. 2:7(5) ack 1 win 65535 <>"],
  ["length", "> P. 1:5(4) ack 1 win 65535 <>"],
  ["ack", "> P. 1:6(5) ack 2 win 65535 <>"],
  ["win", "> P. 1:6(5) ack 1 win 65534 <>"],
  ["urg", "> P. 1:6(5) ack 1 win 65535 urg 1 <>"],
  ["options", "> P. 1:6(5) ack 1 win 65535 <nop,nop,nop,nop>"],
  ["ends", "> 36001 > 8080 P. 1:6(5) ack 1 win 65535 <>"],
];

describe("an expected segment", () => {
  test("script() passes, when every field is right", () => {
    talking().script(scriptWith(RIGHT));
    talking().script(scriptWith("> P. 1:6(5) ack 1"));
    talking().script(scriptWith("> P. 1:6(5) ack 1 <...>"));
  });

  test.each(WRONG)("script() fails and names the %s, when it is %j", (field, line) => {
    expect(() => talking().script(scriptWith(line))).toThrow(new RegExp(`^ {10}${field}: `, "m"));
  });

  test("script() fails, when a segment comes a ms early", () => {
    const session = talking().script(`+0 write 5\n+0 ${RIGHT}`);
    expect(() => session.script("+1.001 > P. 1:6(5) ack 1"))
      .toThrow("time: expected 1.001000, actual 1.000000");
  });

  test("script() fails and says so, when a segment comes a ms late", () => {
    const session = talking().script(`+0 write 5\n+0 ${RIGHT}`);
    expect(() => session.script("+.999 > P. 1:6(5) ack 1"))
      .toThrow("nothing; the next is 1.000000 > P. 1:6(5) ack 1 win 65535");
  });

  test("script() fails, when a segment is missing", () => {
    expect(() => talking().script("+0 > . 1:1(0) ack 1")).toThrow(/^actual {4}nothing$/m);
  });

  test.each([
    ["the next segment", "+0 > P. 6:11(5) ack 1"],
    ["nothing", "+0 nothing"],
    ["the end of the script", ""],
  ])("script() fails, when an extra segment comes before %s", (_, rest) => {
    expect(() => talking().script(`+0 write 5\n${rest}`)).toThrow("> P. 1:6(5) ack 1");
  });

  test("finish() fails, when something was emitted after the last script", () => {
    const session = talking();
    session.world.core.send(session.handle, new Uint8Array(5), session.world.now);
    session.world.settle();
    expect(() => session.finish()).toThrow("End of the script");
  });

  test("script() fails, when the payload is not the pattern's", () => {
    const session = talking();
    session.world.core.send(session.handle, new Uint8Array(5), session.world.now);
    session.world.settle();
    expect(() => session.script("+0 > P. 1:6(5) ack 1")).toThrow("payload: byte 0");
  });

  test("script() fails, when the payload stands one byte off its place", () => {
    const session = talking();
    session.flow.writeAt = 2;
    expect(() => session.script("+0 write 5\n+0 > P. 1:6(5) ack 1")).toThrow("payload: byte");
  });
});

/** What an established connection answers to two segments out of order. */
const OPTIONS: readonly (readonly [what: string, options: string])[] = [
  ["kind", "<nop,nop,TS val 0 ecr 0>"],
  ["value", "<nop,nop,sack 2002:3001 1001:1501>"],
  ["order of blocks", "<nop,nop,sack 1001:1501 2001:3001>"],
  ["order of options", "<sack 2001:3001 1001:1501,nop,nop>"],
  ["number", "<nop,nop,sack 2001:3001>"],
  ["absence", "<>"],
];

describe("options", () => {
  const holes = `
    +0 < . 1001:1501(500) ack 1 win 20000
    +0 > . 1:1(0) ack 1 <nop,nop,sack 1001:1501>
    +0 < . 2001:3001(1000) ack 1 win 20000`;

  test("script() passes, when kind, value and order are right", () => {
    talking().script(`${holes}\n+0 > . 1:1(0) ack 1 <nop,nop,sack 2001:3001 1001:1501>`);
  });

  test.each(OPTIONS)("script() fails, when they differ in %s", (_, options) => {
    expect(() => talking().script(`${holes}\n+0 > . 1:1(0) ack 1 ${options}`))
      .toThrow("options: expected");
  });

  test("script() compares timestamps to the ms, when the world began anywhere", () => {
    for (const start of ["at 0", "our ISS wraps", "the clock wraps"] as const) {
      const session = new Fixtures(start).established({ syn: FULL_SYN }).script(`
        +.150 write 5
        +0    > P. 1:6(5) ack 1 <nop,nop,TS val 150 ecr 5000>`);
      expect(() =>
        session.script(`
          +.001 < . 1:1(0) ack 6 win 20000 <nop,nop,TS val 5001 ecr 150>
          +.001 write 5
          +0    > P. 6:11(5) ack 1 <nop,nop,TS val 153 ecr 5001>`)
      ).toThrow("options: expected");
    }
  });
});

/** Scripts whose words come out otherwise, and what the failure says. */
const OUTCOMES: readonly (readonly [line: string, message: string])[] = [
  ["state CLOSING", "ESTABLISHED"],
  ["event END", "not told"],
  ["write 5 = 4", "actual    5"],
  ["read 5", "actual    0"],
  ["drops TCP_CHECKSUM = 1", "actual    0"],
  ["info mss = 999", "actual    1000"],
  ["timeWaits = 1", "actual    0"],
  ["connect", "IN_USE"],
  ["accept", "NONE"],
  ["foresee", "one of listen, "],
];

describe("words", () => {
  test.each(OUTCOMES)("script() fails, when %j comes out otherwise", (line, message) => {
    expect(() => talking().script(`+0 ${line}`)).toThrow(message);
  });

  test("read fails, when the peer's bytes are not the pattern's", () => {
    const session = talking().script(`
      +0   < P. 1:101(100) ack 1 win 20000 junk
      +.04 > . 1:1(0) ack 101`);
    expect(() => session.script("+0 read 100")).toThrow("a wrong byte at 0");
  });

  test("quiet fails, when the event was told", () => {
    const session = talking().script("+0 abort\n+0 > R. 1:1(0) ack 1");
    expect(() => session.script("+0 quiet CLOSED")).toThrow("told");
    expect(() => session.script("+0 event CLOSED RESET")).toThrow("CLOSED ABORTED");
  });

  test("script() fails, when an absolute time has passed", () => {
    talking().script("+.5 nothing\n.5 nothing\n0.75 nothing");
    expect(() => talking().script("+.5 nothing\n.4 nothing")).toThrow("a time from 0.500000 on");
  });
});

describe("failures", () => {
  test("a failure shows the line, the difference and the last ten packets", () => {
    const session = talking();
    for (let i = 0; i < 6; i++) {
      session.script(`
        +.01 < P. ${1 + (10 * i)}:${11 + (10 * i)}(10) ack 1 win 20000
        +.04 > . 1:1(0) ack ${11 + (10 * i)}`);
    }
    let message = "";
    try {
      session.script("+0 nothing\n+0 write 5\n+0 > . 1:6(5) ack 61");
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain("Line 3: +0 > . 1:6(5) ack 61");
    expect(message).toContain("expected  0.300000 > . 1:6(5) ack 61");
    expect(message).toContain("actual    0.300000 > P. 1:6(5) ack 61 win 65475");
    expect(message.match(/^ {2}\d+\.\d{6} [<>] /gm)).toHaveLength(10);
  });
});

/** What is no script, and what is said of it. */
const NO_SCRIPTS: readonly (readonly [text: string, message: string])[] = [
  ["+0 < S 0:1(0) win 5", "does not add up"],
  ["+0 < S 0:0 win 5", '"win" stands where "("'],
  ["+0 < X 0:0(0)", '"X" stands where flags'],
  ["+0 < S 0:0(0) win 5 <mss 1,nop>", "the options have 5 bytes"],
  ["+0 < S 0:0(0) win 5 <mss>", "where a number"],
  ['+0 < S 0:0(0) win 5 <kind 9 "0g">', "bytes in hex"],
  ["+0 = 5", 'where "<", ">" or a word'],
  ["+-1 nothing", "a time is negative"],
  ["\n\nnothing", "Line 3"],
  ["+0 write ;", "begins nothing"],
];

describe("parser", () => {
  test.each(NO_SCRIPTS)("parseScript() refuses, when the script is %j", (text, message) => {
    expect(() => parseScript(text)).toThrow(message);
  });

  test("parseScript() takes every form, when it is one", () => {
    const events = parseScript(`
      // A comment.
      /* And one
         of two lines. */
      +.1 < 192.168.0.2:80 > 90 FPU. -1:4(5) ack 0x10 win 7 urg 3
          <mss 5,wscale 2,sackOK,TS val 1 ecr 2,sack 1:2 3:4,eol,nop,nop,kind 9 "01ff",kind 8,raw "0809">
          junk badsum
      0.25 - 0:0(0)`.replace("0.25 -", "0.25 > -"));
    expect(events.map(({ when }) => when)).toEqual([
      { from: "previous", ms: 100 },
      { from: "start", ms: 250 },
    ]);
    expect(events[0]?.event).toMatchObject({
      kind: "inject",
      packet: {
        source: { address: 0xc0a80002, port: 80 },
        destination: { address: null, port: 90 },
        flags: 0x39,
        seq: -1,
        bytes: 5,
        ack: 16,
        win: 7,
        urg: 3,
        isJunk: true,
        isCorrupt: true,
      },
    });
    expect(events[1]?.event).toMatchObject({ kind: "expect", packet: { flags: 0, options: null } });
  });
});

describe("independentChecksum()", () => {
  test("it is that of RFC 1071, when the bytes are those of its section 3", () => {
    const bytes = Uint8Array.from([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
    expect(independentChecksum(bytes)).toBe(0xffff - 0xddf2);
  });
});

/** S55: the silly window, from both sides: Clark's rule for the reader, half of the largest window for the writer. */
import { describe, expect, test } from "vitest";
import { scenario } from "./dsl/scenario.ts";
import { accepted, Hosts } from "./hosts.ts";

const BUFFER = { receiveBufferInitial: 4096, receiveBufferMax: 4096 } as const;
const MSS = 1448;

describe("S55 the silly window", () => {
  scenario("the reader of single bytes opens nothing before a segment fits (MUST-39)", (on) => {
    const session = on.established(BUFFER).script(`
      +0 < . 1:2049(2048) ack 1 win 20000
      +0 < . 2049:4097(2048) ack 1 win 20000
      +0 > . 1:1(0) ack 4097 win 0
    `);
    for (let bytes = 0; bytes < 999; bytes++) session.script("+0 read 1\n+0 nothing");
    session.script("+0 read 1\n+0 > . 1:1(0) ack 4097 win 1000\n+9 nothing");
  });

  scenario(
    "the writer does not use a sliver of a window, below half of the largest (MUST-38)",
    (on) => {
      on.established({ win: 2000, rtoMs: 1000 }).script(`
      +0  write 4000
      +0  > . 1:1001(1000) ack 1
      +0  > . 1001:2001(1000) ack 1
      +.1 < . 1:1(0) ack 2001 win 999
      +0  nothing
      +.1 < . 1:1(0) ack 2001 win 1000
      +0  > . 2001:3001(1000) ack 1
    `);
    },
  );

  test("a byte-at-a-time reader over a full buffer is sent no tiny segments", () => {
    const hosts = new Hosts({ receiveBufferBytes: 4 * MSS });
    const listener = hosts.listen("B", 9);
    const writer = hosts.connect("A", "B", 9);
    const reader = accepted(listener);
    writer.setNoDelay(true);
    const data = new Uint8Array(20_000);
    let at = writer.write(data);
    writer.onEvent = () => {
      if (at < data.length) at += writer.write(data.subarray(at));
    };
    hosts.pass(100);
    hosts.segments();
    const one = new Uint8Array(1);
    // Faster than the time after which a writer may send what it has (RFC 9293 section 3.8.6.2.1).
    for (let read = 0; read < 12_000; read++) {
      expect(reader.readInto(one)).toBe(1);
      if (read % 100 === 0) hosts.pass(1);
    }
    const sizes = hosts.segments().flatMap((line) => {
      const bytes = /^A.*\((\d+)\)/.exec(line)?.[1];
      return bytes === undefined ? [] : [Number(bytes)];
    });
    expect(sizes.length).toBeGreaterThan(4);
    expect(sizes).toEqual(sizes.map(() => MSS));
  });
});

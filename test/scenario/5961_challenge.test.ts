/** Blind attacks: RFC 5961 sections 3 to 5 and 10. */
import { describe, expect } from "vitest";
import { parseScript } from "./dsl/parser.ts";
import { scenario } from "./dsl/scenario.ts";
import { REACH, SYNCHRONIZED } from "./dsl/states.ts";

describe("RFC 5961 sections 3 and 4 in every synchronized state", () => {
  for (const name of SYNCHRONIZED) {
    const { script, rcvNxt, sndNxt } = REACH[name];

    scenario(
      `5961-1 ${name}: RST elsewhere in the window is challenged, outside it is dropped`,
      (on) => {
        const at = rcvNxt + 1;
        const out = rcvNxt + 100_000;
        on.established().script(script).script(`
        +0 < R ${at}:${at}(0) win 0
        +0 > . ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
        +0 state ${name}
        +0 < R ${out}:${out}(0) win 0
        +0 nothing
        +0 state ${name}
        +0 < R ${rcvNxt}:${rcvNxt}(0) win 0
        +0 state CLOSED
      `);
      },
    );

    scenario(`5961-2 ${name}: a SYN is challenged, whatever its number`, (on) => {
      on.established().script(script).script(`
        +0 < S ${rcvNxt}:${rcvNxt}(0) win 100
        +0 > . ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
        +0 < S. 900000:900000(0) ack 1 win 100
        +0 > . ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
        +0 state ${name}
      `);
    });
  }

  scenario("5961-1 RST with text resets too, when it is at RCV.NXT", (on) => {
    on.established().script(`
      +0 < R. 1:11(10) ack 1 win 0
      +0 event CLOSED RESET
    `);
  });

  scenario("5961-1 RST at RCV.NXT resets, when our window is closed", (on) => {
    on.established({ receiveBufferInitial: 4000, receiveBufferMax: 4000 }).script(`
      +0   < P. 1:4001(4000) ack 1 win 20000
      +.04 > . 1:1(0) ack 4001 win 0
      +0   < R 4001:4001(0) win 0
      +0   event CLOSED RESET
    `);
  });
});

describe("RFC 5961 section 5: old and new acknowledgments", () => {
  scenario(
    "5961-3 5961-5 an ACK behind SND.UNA - MAX.SND.WND is challenged and its text dropped",
    (on) => {
      on.established().script(`
      +0 < P. 1:11(10) ack -65535 win 20000
      +0 > . 1:1(0) ack 1
      +0 readable = 0
      +0 < P. 1:11(10) ack -65000 win 20000
      +.04 > . 1:1(0) ack 11
      +0 readable = 10
    `);
    },
  );

  scenario("5961-3 an ACK of what was never sent is challenged and its text dropped", (on) => {
    on.established().script(`
      +0 < P. 1:11(10) ack 2 win 20000
      +0 > . 1:1(0) ack 1
      +0 readable = 0
      +0 drops ACK_UNSENT = 1
    `);
  });
});

describe("RFC 5961 section 10: the limit tells nothing", () => {
  scenario("5961-4 each second has another number of challenge ACKs, up to the limit", (on) => {
    const session = on.established({ challengeAcksPerSecond: 8 });
    const [reset] = parseScript("+0 < R 5:5(0) win 0");
    if (reset?.event.kind !== "inject") throw new Error("The script injects nothing");
    const counts: number[] = [];
    for (let second = 0; second < 12; second++) {
      session.world.runTo(session.elapsed + 1000);
      for (let i = 0; i < 10; i++) session.world.inject(session.flow, reset.event.packet);
      let count = 0;
      while (session.take() !== null) count++;
      counts.push(count);
    }
    expect(Math.max(...counts)).toBeLessThanOrEqual(8);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(4);
    expect(new Set(counts).size).toBeGreaterThan(1);
  });
});

/** S24: how one end finds out that the other is gone: off unless asked for, after two hours unless told. RFC 9293 section 3.8.4. */
import { describe, expect, test } from "vitest";
import { scenario } from "./dsl/scenario.ts";
import { accepted, Hosts } from "./hosts.ts";

const TWO_HOURS_MS = 7_200_000;

describe("S24 keepalives", () => {
  scenario(
    "are not sent, unless they are asked for: the half-open connection lasts for ever",
    (on) => {
      on.established().script("+864000 nothing\n+0 state ESTABLISHED");
    },
  );

  scenario(
    "ask after the idle time with the number before the next, and an answer is enough",
    (on) => {
      on.established().script(`
      +0     option KEEP_ALIVE 1
      +7199  nothing
      +1     > . 0:0(0) ack 1
      +.1    < . 1:1(0) ack 1 win 20000
      +7199  nothing
      +1     > . 0:0(0) ack 1
      +0     < . 1:1(0) ack 1 win 20000
      +0     state ESTABLISHED
    `);
    },
  );

  scenario("find a peer that is gone after as many questions as are set", (on) => {
    on.established().script(`
      +0    option KEEP_IDLE 60000
      +0    option KEEP_INTERVAL 10000
      +0    option KEEP_COUNT 3
      +0    option KEEP_ALIVE 1
      +60   > . 0:0(0) ack 1
      +10   > . 0:0(0) ack 1
      +10   > . 0:0(0) ack 1
      +9.9  state ESTABLISHED
      +.1   > R. 1:1(0) ack 1
      +0    event CLOSED KEEPALIVE
      +0    state CLOSED
    `);
  });

  scenario("find a peer that has started anew by its RST", (on) => {
    on.established().script(`
      +0    option KEEP_IDLE 60000
      +0    option KEEP_ALIVE 1
      +60   > . 0:0(0) ack 1
      +.01  < R 1:1(0) win 0
      +0    event CLOSED RESET
    `);
  });

  test("the server of a client whose machine was switched off is told, if it asks", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", 23);
    hosts.connect("A", "B", 23);
    const server = accepted(listener);
    server.setOptions({ keepAlive: true });
    // Nothing of A's reaches anybody any more.
    hosts.keep(/^A/);
    hosts.pass(TWO_HOURS_MS - 1000);
    expect(server.error).toBeNull();
    hosts.pass(TWO_HOURS_MS);
    expect(server.error?.code).toBe("ETIMEDOUT");
  });
});

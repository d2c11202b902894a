/**
 * S25: the quiet time of RFC 9293 section 3.4.3, an option of the stack. It is off by default, because numbers that are
 * driven by a clock and keyed anew at each start (RFC 6528) do not run into those of an earlier life but by chance.
 */
import { describe, expect, test } from "vitest";
import { scenario } from "./dsl/scenario.ts";
import { Hosts } from "./hosts.ts";

const MSL_MS = 30_000;

describe("S25 quiet time", () => {
  scenario(
    "for one MSL nothing is sent and nothing heard; what was asked for goes out then",
    (on) => {
      on.client({ quietMs: MSL_MS }).script(`
      +0      connect
      +0      < S 0:0(0) win 4096 <mss 1024>
      +0      nothing
      +0      drops QUIET = 1
      +29.999 nothing
      +.001   > S 0:0(0)
      +.01    < S. 0:0(0) ack 1 win 4096 <mss 1024>
      +0      > . 1:1(0) ack 1
      +0      state ESTABLISHED
    `);
    },
  );

  scenario("is off, unless it is set", (on) => {
    on.client().script("+0 connect\n+0 > S 0:0(0)\n+0 drops QUIET = 0");
  });

  test("is an option of the stack", () => {
    const hosts = new Hosts({ quietMs: MSL_MS });
    hosts.listen("B", 9);
    hosts.segments();
    const client = hosts.connect("A", "B", 9);
    hosts.pass(MSL_MS - 1000);
    expect([client.isOpened, hosts.segments()]).toEqual([false, []]);
    hosts.pass(2000);
    expect(client.isOpened).toBe(true);
  });
});

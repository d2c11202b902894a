/** S11: TCP Fast Open happens only where both users have asked for it. RFC 7413; its scenarios stand in 7413_fast_open. */
import { describe } from "vitest";
import { FEATURE_FAST_OPEN_CLIENT, FEATURE_FAST_OPEN_SERVER } from "../../src/layout/layout.gen.ts";
import { scenario } from "./dsl/scenario.ts";

const BOTH = { features: FEATURE_FAST_OPEN_CLIENT | FEATURE_FAST_OPEN_SERVER };

describe("S11 Fast Open", () => {
  scenario("S11 is not asked for by a client that did not say so", (on) => {
    on.client(BOTH).script(`
      +0 connect
      +0 > S 0:0(0) <mss 1460>
    `);
  });

  scenario("S11 can not be asked for, when the stack has switched it off", (on) => {
    on.client({ features: 0 }).script(`
      +0 fastOpen 0 = UNSUPPORTED
      +0 > S 0:0(0) <mss 1460>
    `);
  });

  scenario(
    "S11 7413-2 is not served by a listener that did not say so: no cookie, no text",
    (on) => {
      on.server(BOTH).script(`
      +0 listen
      +0 < S 0:100(100) win 20000 <mss 1000,kind 34,nop,nop>
      +0 > S. 0:0(0) ack 1 <mss 1460>
    `);
    },
  );

  scenario("S11 7413-6 is served no more, when the listener says so", (on) => {
    on.server(BOTH).script(`
      +0 listen
      +0 listenerOption FAST_OPEN 2
      +0 listenerOption FAST_OPEN 0
      +0 < S 0:0(0) win 20000 <mss 1000,kind 34,nop,nop>
      +0 > S. 0:0(0) ack 1 <mss 1460>
    `);
  });
});

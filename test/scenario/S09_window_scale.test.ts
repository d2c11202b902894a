/** S09: the window scale of 0 to 14 bits, as the documents tell its rules. RFC 7323 section 2. */
import { describe } from "vitest";
import { FEATURE_WINDOW_SCALE } from "../../src/layout/layout.gen.ts";
import { scenario } from "./dsl/scenario.ts";

const KIB = 1024;
const MIB = KIB * KIB;
const ONLY_SCALE = { features: FEATURE_WINDOW_SCALE } as const;

describe("S09 the window scale", () => {
  scenario("is in force if both SYNs carry it, from the first segment after them", (on) => {
    on.client(ONLY_SCALE).script(`
      +0 connect
      +0 > S 0:0(0) win 65535 <mss 1460,nop,wscale 5>
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000,nop,wscale 2>
      +0 info sndWnd = 20000
      +0 > . 1:1(0) ack 1 win 2048
      +0 < . 1:1(0) ack 1 win 20000
      +0 info sndWnd = 80000
    `);
  });

  scenario("is not, if either lacks it", (on) => {
    on.client(ONLY_SCALE).script(`
      +0 connect
      +0 > S 0:0(0) win 65535 <mss 1460,nop,wscale 5>
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > . 1:1(0) ack 1 win 65535
      +0 < . 1:1(0) ack 1 win 20000
      +0 info sndWnd = 20000
    `);
    on.server(ONLY_SCALE).script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1 win 65535 <mss 1460>
    `);
  });

  scenario("can be switched off", (on) => {
    on.client({ features: 0 }).script(`
      +0 connect
      +0 > S 0:0(0) win 65535 <mss 1460>
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000,nop,wscale 7>
      +0 > . 1:1(0) ack 1 win 65535
      +0 info sndWnd = 20000
    `);
  });

  for (const [bytes, shift] of [[65_535, 0], [128 * KIB, 2], [MIB, 5]] as const) {
    scenario(`is ${shift} bits, if the buffer may have ${bytes} bytes`, (on) => {
      on.client({ ...ONLY_SCALE, receiveBufferMax: bytes }).script(`
        +0 connect
        +0 > S 0:0(0) win 65535 <mss 1460,nop,wscale ${shift}>
      `);
    });
  }

  scenario(
    "of 14 bits makes the largest window nearly 1 GiB, and one of 15 no more than that",
    (on) => {
      for (const shift of [14, 15]) {
        on.established({ ...ONLY_SCALE, syn: `mss 1000,nop,wscale ${shift}` }).script(`
        +0 < . 1:1(0) ack 1 win 65535
        +0 info sndWnd = ${65_535 * 2 ** 14}
      `);
      }
    },
  );
});

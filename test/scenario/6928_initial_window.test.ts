/** RFC 6928 section 2 and RFC 5681 sections 3.1 and 4.1: the window at the beginning, and after idle time. */
import { describe } from "vitest";
import { FEATURE_IDLE_RESTART } from "../../src/layout/layout.gen.ts";
import { PLAIN_SYN, scenario } from "./dsl/scenario.ts";

/** Nothing but the options of SYNs differs; each of these is the bound of one part of the formula. */
const WINDOWS: readonly (readonly [mss: number, mtu: number, cwnd: number])[] = [
  [536, 1500, 5360],
  [1000, 1500, 10_000],
  [1460, 1500, 14_600],
  // 14600 bytes are less than ten of these, and more than two.
  [4000, 9000, 14_600],
  // Two of these are more than 14600 bytes.
  [8960, 9000, 17_920],
];

describe("RFC 6928 section 2: the initial window", () => {
  for (const [mss, mtu, cwnd] of WINDOWS) {
    scenario(`6928-1 5681-1 it is ${cwnd} bytes, when the MSS is ${mss}`, (on) => {
      on.established({ mtu, features: 0, syn: `mss ${mss}` }).script(`+0 info cwnd = ${cwnd}`);
    });
  }

  scenario("6928-1 a smaller number of segments is obeyed", (on) => {
    on.established({ initialWindowSegments: 1, syn: PLAIN_SYN }).script("+0 info cwnd = 1000");
    on.established({ initialWindowSegments: 3, syn: PLAIN_SYN }).script("+0 info cwnd = 3000");
  });

  scenario("6928-2 it stays, when the SYN was repeated once", (on) => {
    on.client().script(`
      +0  connect
      +0  > S 0:0(0)
      +1  > S 0:0(0)
      +.1 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0  > . 1:1(0) ack 1
      +0  info cwnd = 10000
    `);
  });

  scenario("6928-2 5681-2 it is one segment, when the SYN,ACK was repeated twice", (on) => {
    on.server({ features: 0 }).script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +1 > S. 0:0(0) ack 1
      +2 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1 win 20000
      +0 accept
      +0 info cwnd = 1000
    `);
  });
});

/** A window of 20 segments, then silence. */
const GROWN = `
  +0   write 10000
  +0   > . 1:1001(1000) ack 1
  +0   > . 1001:2001(1000) ack 1
  +0   > . 2001:3001(1000) ack 1
  +0   > . 3001:4001(1000) ack 1
  +0   > . 4001:5001(1000) ack 1
  +0   > . 5001:6001(1000) ack 1
  +0   > . 6001:7001(1000) ack 1
  +0   > . 7001:8001(1000) ack 1
  +0   > . 8001:9001(1000) ack 1
  +0   > P. 9001:10001(1000) ack 1
  +.05 < . 1:1(0) ack 8001 win 60000
  +0   info cwnd = 18000
  +0   < . 1:1(0) ack 10001 win 60000
`;

describe("RFC 5681 section 4.1: after idle time", () => {
  scenario(
    "5681-10 6928-3 the window is the initial one, when nothing was sent for an RTO",
    (on) => {
      on.established({ features: FEATURE_IDLE_RESTART, rtoMs: 1000, syn: PLAIN_SYN, win: 60_000 })
        .script(`
      ${GROWN}
      +1.1 write 1000
      +0   > P. 10001:11001(1000) ack 1
      +0   info cwnd = 10000
    `);
    },
  );

  scenario("5681-10 it stays, when the pause was shorter, or restarts are off", (on) => {
    on.established({ features: FEATURE_IDLE_RESTART, rtoMs: 1000, syn: PLAIN_SYN, win: 60_000 })
      .script(`
      ${GROWN}
      +.8  write 1000
      +0   > P. 10001:11001(1000) ack 1
      +0   info cwnd = 20000
    `);
    on.established({ features: 0, rtoMs: 1000, syn: PLAIN_SYN, win: 60_000 }).script(`
      ${GROWN}
      +99  write 1000
      +0   > P. 10001:11001(1000) ack 1
      +0   info cwnd = 20000
    `);
  });
});

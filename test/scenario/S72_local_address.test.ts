/**
 * S72: what a listener is bound to decides who reaches it: figures 18.21 and 18.22 of the documents. RFC 9293 sections 3.5.2
 * and 3.9.1 (MUST-41, MUST-42).
 */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

describe("S72 listeners of one address", () => {
  scenario(
    "figure 18.21: a SYN to another address of ours is refused by R 0:0 ack ISN + 1",
    (on) => {
      on.server({ peerIss: 3_657_920_001 }).script(`
      +0 listen 192.168.0.2:8888
      +0 < 1026 > 192.168.0.1:8888 S 0:0(0) win 4096 <mss 1024>
      +0 > 192.168.0.1:8888 > 1026 R. 0:0(0) ack 1 win 0 <>
      +0 accept = NONE
      +0 < 1026 > 192.168.0.2:8888 S 0:0(0) win 4096 <mss 1024>
      +0 > 192.168.0.2:8888 > 1026 S. 0:0(0) ack 1
    `);
    },
  );

  scenario("figure 18.22: local and foreign address first, then local alone, then any", (on) => {
    const all = on.server().script(`
      +0 listen
      +0 listen 192.168.0.1:8080
      +0 listen 192.168.0.1:8080 from 192.0.2.1:36000
      +0 < S 0:0(0) win 4096 <mss 1024>
      +0 > S. 0:0(0) ack 1
      +0 listener = 2
    `);
    // Another foreign port: not the first row of the figure.
    all.script(`
      +0 use 36001
      +0 < 36001 > 8080 S 0:0(0) win 4096 <mss 1024>
      +0 > S. 0:0(0) ack 1
      +0 listener = 1
    `);
    on.server().script(`
      +0 listen
      +0 listen 192.168.0.2:8080
      +0 < S 0:0(0) win 4096 <mss 1024>
      +0 > S. 0:0(0) ack 1
      +0 listener = 0
    `);
  });

  scenario("any address of one family: a SYN of the other one is refused", (on) => {
    const session = on.server();
    const [own, other] = session.world.isV6 ? ["ipv6", "ipv4"] : ["ipv4", "ipv6"];
    session.script(`
      +0 listen ${other}
      +0 < S 0:0(0) win 4096 <mss 1024>
      +0 > R. 0:0(0) ack 1 win 0 <>
      +0 listen ${own}
      +0 < S 0:0(0) win 4096 <mss 1024>
      +0 > S. 0:0(0) ack 1
      +0 listener = 1
    `);
  });

  scenario("a fully specified listener alone refuses everybody else", (on) => {
    on.server().script(`
      +0 listen 192.168.0.1:8080 from 192.0.2.1:36000
      +0 < 36001 > 8080 S 0:0(0) win 4096 <mss 1024>
      +0 > 8080 > 36001 R. 0:0(0) ack 1 win 0 <>
      +0 < S 0:0(0) win 4096 <mss 1024>
      +0 > S. 0:0(0) ack 1
    `);
  });
});

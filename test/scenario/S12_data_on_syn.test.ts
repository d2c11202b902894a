/** S12: data on a SYN, without Fast Open: kept, and delivered once the connection is ESTABLISHED. RFC 9293 section 3.10.7.2. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

describe("S12 data on the SYN", () => {
  scenario("is acknowledged with it, and told after the handshake and not before", (on) => {
    on.server().script(`
      +0   listen
      +0   < SP 0:13(13) win 4096 <mss 1024>
      +0   > S. 0:0(0) ack 14
      +0   accept = NONE
      +0   quiet READABLE
      +.01 < . 14:14(0) ack 1 win 4096
      +0   accept
      +0   event READABLE
      +0   read 13
      +0   < P. 14:24(10) ack 1 win 4096
      +0   read 10
      +.04 > . 1:1(0) ack 24
    `);
  });

  scenario("of an old duplicate is never delivered: its RST comes instead of the ACK", (on) => {
    on.server().script(`
      +0   listen
      +0   < SP -10:3(13) win 4096 <mss 1024>
      +0   > S. 0:0(0) ack 4
      +.01 < R 4:4(0) win 0
      +0   accept = NONE
      +0   state GONE
      +0   reopen 0
      +1   < S 0:0(0) win 4096 <mss 1024>
      +0   > S. 0:0(0) ack 1
      +.01 < . 1:1(0) ack 1 win 4096
      +0   accept
      +0   readable = 0
    `);
  });

  scenario("on the SYN,ACK is taken, and acknowledged with it", (on) => {
    on.client().script(`
      +0   connect
      +0   > S 0:0(0)
      +.01 < SP. 0:13(13) ack 1 win 4096 <mss 1024>
      +0   > . 1:1(0) ack 14
      +0   event OPENED
      +0   read 13
    `);
  });
});

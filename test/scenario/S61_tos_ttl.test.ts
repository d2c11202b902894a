/** S61: type of service and time to live, per connection, as the documents' Telnet client asks for minimum delay. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

/** The type of service of figure 18.6: minimum delay. RFC 1349 section 4. */
const MINIMUM_DELAY = 0x10;

describe("S61 type of service and time to live", () => {
  scenario("are in every packet of the connection, its SYN included", (on) => {
    on.client().script(`
      +0 ip 30 ${MINIMUM_DELAY}
      +0 connect TOS ${MINIMUM_DELAY} TTL 30
      +0 > S 0:0(0)
      +0 < S. 0:0(0) ack 1 win 4096 <mss 1024>
      +0 > . 1:1(0) ack 1
      +0 write 10
      +0 > P. 1:11(10) ack 1
      +0 closeWrite
      +0 > F. 11:11(0) ack 1
    `);
  });

  scenario("change from the next packet on, when they are set again", (on) => {
    on.established().script(`
      +0 write 10
      +0 > P. 1:11(10) ack 1
      +0 ip 64 ${MINIMUM_DELAY}
      +0 option TOS ${MINIMUM_DELAY}
      +0 write 1000
      +0 > P. 11:1011(1000) ack 1
    `);
  });

  scenario("are a listener's too, and the SYN,ACK has them", (on) => {
    on.server().script(`
      +0 listen
      +0 listenerOption TOS ${MINIMUM_DELAY}
      +0 listenerOption TTL 5
      +0 ip 5 ${MINIMUM_DELAY}
      +0 < S 0:0(0) win 4096 <mss 1024>
      +0 > S. 0:0(0) ack 1
    `);
  });
});

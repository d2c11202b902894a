/** S59: the urgent pointer, PSH, and the packet that has every flag: RFC 9293 section 3.8.5, RFC 6093, RFC 1025. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";
import { REACH } from "./dsl/states.ts";

describe("S59 urgent data", () => {
  scenario("is marked up to the byte after it, and what follows is not", (on) => {
    on.established().script(`
      +0   urgent 5
      +0   > PU. 1:6(5) ack 1 urg 5
      +.01 < . 1:1(0) ack 6 win 20000
      +0   write 5
      +0   > P. 6:11(5) ack 1
    `);
  });

  scenario("is told of, with how much of it is to be read, and stays in line", (on) => {
    on.established().script(`
      +0   < P. 1:6(5) ack 1 win 20000
      +0   quiet URGENT
      +0   < PU. 6:11(5) ack 1 win 20000 urg 5
      +0   > . 1:1(0) ack 11
      +0   event URGENT
      +0   info urgentBytes = 10
      +0   read 10
      +0   info urgentBytes = 0
    `);
  });

  scenario("is announced at once, while the peer's window is closed (S52)", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0 < . 1:1(0) ack 1 win 0
      +0 urgent 5
      +0 > U. 1:1(0) ack 1 urg 5
    `);
  });
});

describe("S59 PSH", () => {
  scenario("stands in the last segment of what was written, and in no other (MUST-61)", (on) => {
    on.established().script(`
      +0 write 2500
      +0 > . 1:1001(1000) ack 1
      +0 > . 1001:2001(1000) ack 1
      +0 < . 1:1(0) ack 2001 win 20000
      +0 > P. 2001:2501(500) ack 1
    `);
  });

  scenario("need not be there for bytes to be read", (on) => {
    on.established().script(
      "+0 < . 1:6(5) ack 1 win 20000\n+0 event READABLE\n+.04 > . 1:1(0) ack 6",
    );
  });
});

describe("S59 the kamikaze packet: SYN, URG, PSH, FIN and one byte", () => {
  scenario("is refused where nobody listens: ISN + 1 + 1 + 1 is acknowledged", (on) => {
    on.server().script("+0 < FSPU 0:1(1) win 4096 urg 1\n+0 > R. 0:0(0) ack 3 win 0 <>");
  });

  scenario("opens a connection that ends at once, where one does", (on) => {
    on.server().script(`
      +0 listen
      +0 < FSPU 0:1(1) win 4096 urg 1
      +0 > S. 0:0(0) ack 3
      +0 < . 3:3(0) ack 1 win 4096
      +0 accept
      +0 read 1
      +0 event END
      +0 state CLOSE-WAIT
    `);
  });

  scenario("crosses with our SYN as any SYN does", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < FSPU 0:1(1) win 4096 urg 1
      +0 > S. 0:0(0) ack 3
      +0 state SYN-RECEIVED
    `);
  });

  for (const [state, { script, rcvNxt, sndNxt }] of Object.entries(REACH)) {
    if (state === "TIME-WAIT") continue;
    scenario(`is challenged in ${state}, and changes nothing (RFC 5961 section 4)`, (on) => {
      on.established().script(script).script(`
        +0 < FSPU ${rcvNxt}:${rcvNxt + 1}(1) win 4096 urg 1
        +0 > . ${sndNxt}:${sndNxt}(0) ack ${rcvNxt}
        +0 state ${state}
        +0 quiet URGENT
      `);
    });
  }

  scenario("is answered by where we are in TIME-WAIT, if nobody listens", (on) => {
    on.established().script(REACH["TIME-WAIT"].script).script(`
      +0 < FSPU 1:2(1) win 4096 urg 1
      +0 > . 2:2(0) ack 2
      +0 state TIME-WAIT
    `);
  });
});

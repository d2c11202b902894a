/** S30: four segments end a connection: figures 18.4 and 18.13 of the documents, and shorter ways. RFC 9293 section 3.6. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

describe("S30 normal close", () => {
  scenario("figure 18.13: the active side, FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT", (on) => {
    on.established().script(`
      +0     closeWrite
      +0     > F. 1:1(0) ack 1
      +0     state FIN-WAIT-1
      +.0013 < . 1:1(0) ack 2 win 4096
      +0     state FIN-WAIT-2
      +.0014 < F. 1:1(0) ack 2 win 4096
      +0     > . 2:2(0) ack 2
      +0     state TIME-WAIT
      +0     close
      +61    timeWaits = 0
    `);
  });

  scenario("figure 18.13: the passive side, CLOSE-WAIT, LAST-ACK, CLOSED", (on) => {
    on.passive().script(`
      +4.1482 < F. 1:1(0) ack 1 win 4096
      +0      > . 1:1(0) ack 2
      +0      state CLOSE-WAIT
      +0      event END
      +.0014  closeWrite
      +0      > F. 1:1(0) ack 2
      +0      state LAST-ACK
      +.0225  < . 2:2(0) ack 2 win 4096
      +0      state CLOSED
      +0      event CLOSED NORMAL
    `);
  });

  scenario("the documents' ninth exercise: 256 bytes, FIN behind them, one ACK of both", (on) => {
    on.passive({ rtoMs: 1000 }).script(`
      +.4167 < P. 1:257(256) ack 1 win 9216
      +.0299 < F. 257:257(0) ack 1 win 9216
      +0     > . 1:1(0) ack 258
      +.0126 closeWrite
      +0     > F. 1:1(0) ack 258
      +.2555 < . 258:258(0) ack 2 win 9216
      +0     state CLOSED
    `);
  });

  scenario("FIN rides on the last data, both ways", (on) => {
    on.established({ win: 1000 }).script(`
      +0 write 1000
      +0 > P. 1:1001(1000) ack 1
      +0 write 500
      +0 closeWrite
      +0 nothing
      +0 < . 1:1(0) ack 1001 win 1000
      +0 > FP. 1001:1501(500) ack 1
      +0 < FP. 1:11(10) ack 1502 win 1000
      +0 > . 1502:1502(0) ack 12
      +0 state TIME-WAIT
      +0 read 10
    `);
  });

  scenario("three segments: the peer's FIN acknowledges ours", (on) => {
    on.established().script(`
      +0 closeWrite
      +0 > F. 1:1(0) ack 1
      +0 < F. 1:1(0) ack 2 win 4096
      +0 > . 2:2(0) ack 2
      +0 state TIME-WAIT
    `);
  });
});

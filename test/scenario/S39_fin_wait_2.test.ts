/** S39: FIN-WAIT-2 ends by itself after a full close, and lasts after a half-close: exercise 6 of the documents. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

const CLOSED = "+0 > F. 1:1(0) ack 1\n+.01 < . 1:1(0) ack 2 win 4096\n+0 state FIN-WAIT-2";

describe("S39 FIN-WAIT-2", () => {
  scenario("ends after 60 s, when the connection was closed both ways", (on) => {
    on.established().script(`
      +0      close
      ${CLOSED}
      +59.999 state FIN-WAIT-2
      +.001   state GONE
      +99     nothing
    `);
  });

  scenario("exercise 6: with 10 minutes and 75 s, a FIN after 12 minutes draws RST", (on) => {
    on.established().script(`
      +0       option FIN_WAIT_2 675000
      +0       close
      ${CLOSED}
      +674.999 state FIN-WAIT-2
      +.001    state GONE
      +45      < F. 1:1(0) ack 2 win 4096
      +0       > R 2:2(0) win 0 <>
    `);
  });

  scenario("and a FIN before that is answered as any, and TIME-WAIT follows", (on) => {
    on.established({ finWait2Ms: 675_000 }).script(`
      +0   close
      ${CLOSED}
      +660 < F. 1:1(0) ack 2 win 4096
      +0   > . 2:2(0) ack 2
      +0   timeWaits = 1
    `);
  });

  scenario("does not end after a half-close: text of the peer's comes a day later", (on) => {
    on.established().script(`
      +0     closeWrite
      ${CLOSED}
      +86400 < P. 1:101(100) ack 2 win 4096
      +.04   > . 2:2(0) ack 101
      +0     read 100
      +0     state FIN-WAIT-2
    `);
  });
});

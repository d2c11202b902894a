/** S38: a SYN for a pair of endpoints that rests in TIME-WAIT. RFC 9293 section 3.10.7.4 (MAY-2), RFC 6191, RFC 1337. */
import { describe } from "vitest";
import { PLAIN_SYN, scenario } from "./dsl/scenario.ts";
import type { Fixtures } from "./dsl/scenario.ts";
import type { Session } from "./dsl/session.ts";
import { REACH } from "./dsl/states.ts";

/** The server has closed first and rests; it listens still, as with -A in the documents. */
function resting(on: Fixtures, syn = PLAIN_SYN): Session {
  const stamps = syn.includes("TS") ? "<nop,nop,TS val 5000 ecr 0>" : "";
  const words = REACH["TIME-WAIT"].script.replace(/win 20000/g, `win 20000 ${stamps}`);
  return on.passive({ syn }).script(words).script("+0 close");
}

describe("S38 a SYN in TIME-WAIT", () => {
  scenario(
    "opens anew, if its number is beyond the old ones: the documents' client of port 1098",
    (on) => {
      resting(on).script(`
      +0 timeWaits = 1
      +0 reopen 128000
      +1 < S 0:0(0) win 4096 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +0 timeWaits = 0
      +0 < . 1:1(0) ack 1 win 4096
      +0 accept
    `);
    },
  );

  scenario("draws an ACK, if its number is an old one, and the rest goes on", (on) => {
    resting(on).script(`
      +1 < S 0:0(0) win 4096 <mss 1000>
      +0 > . 2:2(0) ack 2
      +0 timeWaits = 1
    `);
  });

  scenario("opens anew with an old number, if its timestamp is newer (RFC 6191)", (on) => {
    resting(on, "mss 1012,sackOK,TS val 5000 ecr 0,nop,wscale 0").script(`
      +1 reopen -5
      +0 < S 0:0(0) win 4096 <mss 1012,sackOK,TS val 9000 ecr 0,nop,wscale 0>
      +0 > S. 0:0(0) ack 1
    `);
  });

  scenario("RFC 1337: neither old data nor an old RST ends the rest", (on) => {
    resting(on).script(`
      +1 < P. 1:11(10) ack 1 win 4096
      +0 > . 2:2(0) ack 2
      +1 < R 2:2(0) win 0
      +0 nothing
      +0 timeWaits = 1
      +1 < . 2:2(0) ack 1 win 4096
      +0 timeWaits = 1
    `);
  });
});

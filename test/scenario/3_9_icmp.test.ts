/** ICMP errors: RFC 9293 section 3.9.2.2; RFC 5461, RFC 5927. */
import { describe } from "vitest";
import { REASON_NAMES } from "../../src/layout/layout.gen.ts";
import { scenario } from "./dsl/scenario.ts";

/** A complaint and what the user is told of it. */
const SOFT: readonly (readonly [name: string, reason: string])[] = [
  ["net", "NET_UNREACHABLE"],
  ["host", "HOST_UNREACHABLE"],
  ["port", "PORT_UNREACHABLE"],
  ["exceeded", "TIME_EXCEEDED"],
  ["parameter", "PARAMETER_PROBLEM"],
];

describe("RFC 9293 section 3.9.2.2: soft errors", () => {
  for (const [name, reason] of SOFT) {
    scenario(`MUST-54 MUST-47 MUST-56 SHLD-25 "${name}" is told and ends nothing`, (on) => {
      on.established().script(`
        +0 write 10
        +0 > P. 1:11(10) ack 1
        +0 icmp ${name}
        +0 event SOFT_ERROR
        +0 info softReason = ${REASON_NAMES.indexOf(reason)}
        +0 state ESTABLISHED
        +0 < . 1:1(0) ack 11 win 20000
      `);
    });
  }

  scenario("MUST-56 time exceeded does not end an open either", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 icmp exceeded
      +0 event SOFT_ERROR
      +0 state SYN-SENT
    `);
  });

  scenario("unreachable ends an open (deviation: RFC 5461 section 4.1)", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 icmp host
      +0 event CLOSED HOST_UNREACHABLE
    `);
  });

  scenario("SHLD-20 they are not told, when the user wants none", (on) => {
    on.established().script(`
      +0 option SOFT_ERRORS 0
      +0 write 10
      +0 > P. 1:11(10) ack 1
      +0 icmp host
      +0 quiet SOFT_ERROR
      +0 info softReason = 0
      +0 < . 1:1(0) ack 11 win 20000
    `);
  });

  scenario("MUST-55 source quench says nothing", (on) => {
    on.established().script(`
      +0 write 10
      +0 > P. 1:11(10) ack 1
      +0 icmp quench = UNSUPPORTED
      +0 quiet SOFT_ERROR
      +0 < . 1:1(0) ack 11 win 20000
    `);
  });

  scenario("MUST-54 RFC 5927 section 4: what is not in flight is not ours to hear of", (on) => {
    on.established().script(`
      +0 write 10
      +0 > P. 1:11(10) ack 1
      +0 < . 1:1(0) ack 11 win 20000
      +0 icmp host = STALE_HANDLE
      +0 quiet SOFT_ERROR
    `);
  });
});

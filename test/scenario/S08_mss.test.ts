/** S08: the MSS in the SYN comes from the MTU; each side obeys the smaller of the peer's and its own path; TCP_MAXSEG. */
import { describe } from "vitest";
import { scenario, scenarioV4, scenarioV6 } from "./dsl/scenario.ts";

describe("S08 MSS", () => {
  scenario("S08 1460 is announced on Ethernet", (on) => {
    on.client({ features: 0 }).script(`
      +0 connect
      +0 > S 0:0(0) win 65535 <mss 1460>
    `);
  });

  scenarioV6("S08 by IPv6 it is 40 and 20 bytes less than the MTU", (on) => {
    // The DSL makes the MTU of an IPv6 world larger by 20: 1480 here is 1500 there.
    on.client({ features: 0, mtu: 1480 }).script(`
      +0 connect
      +0 > S 0:0(0) win 65535 <mss 1440>
    `);
  });

  scenario("S08 the smaller one is obeyed: the peer's", (on) => {
    on.established({ syn: "mss 700" }).script(`
      +0 write 1400
      +0 > . 1:701(700) ack 1
      +0 > P. 701:1401(700) ack 1
    `);
  });

  scenario("S08 the smaller one is obeyed: our link's", (on) => {
    on.established({ syn: "mss 9000" }).script(`
      +0 write 1460
      +0 > P. 1:1461(1460) ack 1
      +0 info mss = 1460
    `);
  });

  for (const [family, mss] of [[scenarioV4, 536], [scenarioV6, 1220]] as const) {
    family(`S08 without an option it is ${mss}`, (on) => {
      on.established({ syn: "nop,nop,nop,nop" }).script(`
        +0 write ${mss}
        +0 > P. 1:${1 + mss}(${mss}) ack 1
      `);
    });
  }

  scenario("S08 TCP_MAXSEG lowers what is announced and obeyed", (on) => {
    on.client().script(`
      +0 connect MAX_SEGMENT 800
      +0 > S 0:0(0) win 65535 <mss 800,sackOK,TS val 0 ecr 0,nop,wscale 5>
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > . 1:1(0) ack 1
      +0 optionOf MAX_SEGMENT = 800
      +0 write 800
      +0 > P. 1:801(800) ack 1
    `);
  });
});

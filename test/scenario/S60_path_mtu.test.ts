/** S60: path MTU. Don't Fragment is set on everything (the DSL checks it); a router's word, or its silence, lowers the MSS. */
import { describe } from "vitest";
import { scenario, scenarioV4 } from "./dsl/scenario.ts";

const CONFIG = { syn: "mss 1460", win: 60_000, rtoMs: 1000 };

describe("S60 a path with a small link", () => {
  scenario("S60 1191-1 is found by ICMP, and the transfer goes on", (on) => {
    on.established(CONFIG).script(`
      +0   write 1460
      +0   > P. 1:1461(1460) ack 1
      +.05 tooBig 1 1460 1400
      +0   > . 1:1361(1360) ack 1
      +0   > P. 1361:1461(100) ack 1
      +.05 < . 1:1(0) ack 1461 win 60000
      +0   info sendQueued = 0
    `);
  });

  scenarioV4("S60 8899-2 is found without ICMP: the hanging connection goes on", (on) => {
    on.established({ ...CONFIG, features: 0 }).script(`
      +0   write 1460
      +0   > P. 1:1461(1460) ack 1
      +1   > P. 1:1461(1460) ack 1
      +2   > P. 1:1461(1460) ack 1
      +4   > . 1:1025(1024) ack 1
      +.05 < . 1:1(0) ack 1025 win 60000
      +0   > P. 1025:1461(436) ack 1
      +.05 < . 1:1(0) ack 1461 win 60000
      +0   info sendQueued = 0
    `);
  });
});

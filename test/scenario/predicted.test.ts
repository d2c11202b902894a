/** The short way in and out: header prediction, rings that grow and remember their size, segments made from a template. */
import { describe } from "vitest";
import { segments } from "./dsl/lines.ts";
import { scenario } from "./dsl/scenario.ts";

describe("header prediction (RFC 9293 section 3.10.7.4 by the short way)", () => {
  scenario("the second segment is taken the short way, and a wrong checksum by neither", (on) => {
    on.established().script(`
      +0 < . 1:1001(1000) ack 1 win 65000
      +0 < . 1001:2001(1000) ack 1 win 65000
      +0 > . 1:1(0) ack 2001
      +0 drops PREDICTED = 1
      +0 < . 2001:3001(1000) ack 1 win 65000 badsum
      +0 drops PREDICTED = 1
      +0 drops TCP_CHECKSUM = 1
      +0 < P. 2001:3001(1000) ack 1 win 65000
      +0 drops PREDICTED = 2
      +0 read 4000 = 3000
      +0 > . 1:1(0) ack 3001
    `);
  });
});

describe("rings", () => {
  scenario("every byte keeps its place when a ring grows, also what waits out of order", (on) => {
    on.established().script(`
      +0 < . 1:1001(1000) ack 1 win 65000
      +0 read 700 = 700
      +0 < . 3001:4001(1000) ack 1 win 65000
      +0 > . 1:1(0) ack 1001 <nop,nop,sack 3001:4001>
      +0 < . 9001:10001(1000) ack 1 win 65000
      +0 > . 1:1(0) ack 1001 <nop,nop,sack 9001:10001 3001:4001>
      +0 < . 20001:21001(1000) ack 1 win 65000
      +0 > . 1:1(0) ack 1001 <nop,nop,sack 20001:21001 9001:10001 3001:4001>
      +0 < . 1001:3001(2000) ack 1 win 65000
      +0 > . 1:1(0) ack 4001 <nop,nop,sack 20001:21001 9001:10001>
      +0 < . 4001:9001(5000) ack 1 win 65000
      +0 > . 1:1(0) ack 10001 <nop,nop,sack 20001:21001>
      +0 < . 10001:20001(10000) ack 1 win 65000
      +0 > . 1:1(0) ack 21001
      +0 read 30000 = 20300
      +0 > . 1:1(0) ack 21001
    `);
  });

  scenario("what was written is sent unharmed while the send ring grows around its end", (on) => {
    on.established({ win: 2000 }).script(`
      +0 write 3000
      +0 > . 1:1001(1000) ack 1
      +0 > . 1001:2001(1000) ack 1
      +.01 < . 1:1(0) ack 2001 win 1000
      +0 > P. 2001:3001(1000) ack 1
      +0 write 3000
      +0 write 9000
      +.01 < . 1:1(0) ack 3001 win 65000
      +0 > . 3001:4001(1000) ack 1
      +0 > . 4001:5001(1000) ack 1
      +0 > . 5001:6001(1000) ack 1
      ${segments(6001, 13001, false)}
      +.01 < . 1:1(0) ack 13001 win 65000
      ${segments(13001, 15001, true)}
    `);
  });
});

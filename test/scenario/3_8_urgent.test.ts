/** Urgent data: RFC 9293 sections 3.8.5 and 3.10.7.4, sixth; RFC 6093; seeds S59. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

describe("RFC 9293 section 3.8.5: what the remote says is urgent", () => {
  scenario("MUST-32 MUST-33 the user is told when it begins, and how much is left", (on) => {
    on.established().script(`
      +0   < PU. 1:11(10) ack 1 win 20000 urg 10
      +.04 > . 1:1(0) ack 11
      +0   event URGENT
      +0   info urgentBytes = 10
      +0   read 4
      +0   info urgentBytes = 6
      +0   read 6
      +0   info urgentBytes = 0
      +0   drops URGENT_IN = 1
    `);
  });

  scenario("MUST-30 RFC 6093 urgent data stays in line", (on) => {
    on.established().script(`
      +0 < P. 1:6(5) ack 1 win 20000
      +0 < PU. 6:9(3) ack 1 win 20000 urg 3
      +0 > . 1:1(0) ack 9
      +0 < P. 9:11(2) ack 1 win 20000
      +0 info urgentBytes = 8
      +0 read 10
      +.04 > . 1:1(0) ack 11
    `);
  });

  scenario("MUST-32 the user is told again, when it advances, and only then", (on) => {
    on.established().script(`
      +0   < PU. 1:6(5) ack 1 win 20000 urg 5
      +0   event URGENT
      +0   < PU. 6:11(5) ack 1 win 20000 urg 5
      +0   > . 1:1(0) ack 11
      +0   event URGENT
      +0   < PU. 11:16(5) ack 1 win 20000 urg 0
      +0   quiet URGENT
      +.04 > . 1:1(0) ack 16
      +0   info urgentBytes = 10
    `);
  });

  scenario("MUST-62 it may point beyond the segment, to bytes that have not come", (on) => {
    on.established().script(`
      +0   < U. 1:1(0) ack 1 win 20000 urg 100
      +0   event URGENT
      +0   info urgentBytes = 100
      +0   < P. 1:101(100) ack 1 win 20000
      +.04 > . 1:1(0) ack 101
      +0   read 100
      +0   info urgentBytes = 0
    `);
  });

  scenario("a pointer that says nothing new is ignored", (on) => {
    on.established().script(`
      +0   < P. 1:11(10) ack 1 win 20000
      +0   read 10
      +0   < U. 11:11(0) ack 1 win 20000 urg 0
      +0   quiet URGENT
      +.04 > . 1:1(0) ack 11
      +0   info urgentBytes = 0
    `);
  });

  scenario("it is heard, when our window is closed", (on) => {
    on.established({ receiveBufferInitial: 4000, receiveBufferMax: 4000 }).script(`
      +0 < P. 1:4001(4000) ack 1 win 20000
      +.04 > . 1:1(0) ack 4001 win 0
      +0 < U. 4001:4001(0) ack 1 win 20000 urg 8
      +0 event URGENT
      +0 info urgentBytes = 4008
      +0 < PU. 4001:4002(1) ack 1 win 20000 urg 9
      +0 > . 1:1(0) ack 4001 win 0
      +0 event URGENT
    `);
  });

  scenario("it ends with the FIN, whatever the pointer says", (on) => {
    on.established().script(`
      +0 < FPU. 1:6(5) ack 1 win 20000 urg 500
      +0 > . 1:1(0) ack 7
      +0 event URGENT
      +0 info urgentBytes = 5
      +0 read 5
      +0 info urgentBytes = 0
    `);
  });

  scenario("nobody is told, who reads no more", (on) => {
    on.established().script(`
      +0   closeRead
      +0   < PU. 1:6(5) ack 1 win 20000 urg 5
      +0   quiet URGENT
      +.04 > . 1:1(0) ack 6
    `);
  });
});

describe("RFC 9293 section 3.8.5: what we say is urgent", () => {
  scenario(
    "MUST-30 MUST-62 the pointer points after the urgent data, until it is acknowledged",
    (on) => {
      on.established({ rtoMs: 1000, features: 0 }).script(`
      +0  urgent 5
      +0  > PU. 1:6(5) ack 1 urg 5
      +1  > PU. 1:6(5) ack 1 urg 5
      +.1 < . 1:1(0) ack 6 win 20000
      +0  write 5
      +0  > P. 6:11(5) ack 1
    `);
    },
  );

  scenario("MUST-31 urgent data may be longer than the pointer reaches", (on) => {
    on.established({ syn: "mss 1000,nop,wscale 2", win: 40000 }).script(`
      +0 < . 1:1(0) ack 1 win 40000
      +0 urgent 67000
      +0 > U. 1:1001(1000) ack 1 urg 65535
      +0 > U. 1001:2001(1000) ack 1 urg 65535
      +0 > U. 2001:3001(1000) ack 1 urg 65000
      +0 > U. 3001:4001(1000) ack 1 urg 64000
      +0 > U. 4001:5001(1000) ack 1 urg 63000
      +0 > U. 5001:6001(1000) ack 1 urg 62000
      +0 > U. 6001:7001(1000) ack 1 urg 61000
      +0 > U. 7001:8001(1000) ack 1 urg 60000
      +0 > U. 8001:9001(1000) ack 1 urg 59000
      +0 > U. 9001:10001(1000) ack 1 urg 58000
    `);
  });

  scenario("MUST-30 the word goes out at once, when the remote's window is closed", (on) => {
    on.established({ rtoMs: 1000, features: 0 }).script(`
      +0 < . 1:1(0) ack 1 win 0
      +0 urgent 5
      +0 > U. 1:1(0) ack 1 urg 5
      +0 nothing
      +1 > U. 1:2(1) ack 1 urg 5
    `);
  });

  scenario("it goes out at once, when Nagle's algorithm holds the text back", (on) => {
    on.established().script(`
      +0 write 5
      +0 > P. 1:6(5) ack 1
      +0 urgent 5
      +0 > U. 6:6(0) ack 1 urg 5
      +0 < . 1:1(0) ack 6 win 20000
      +0 > PU. 6:11(5) ack 1 urg 5
    `);
  });

  scenario("what was written before is urgent too, what comes after is not", (on) => {
    on.established({ win: 500 }).script(`
      +0 urgent 600
      +0 > U. 1:501(500) ack 1 urg 600
      +0 write 300
      +0 < . 1:1(0) ack 501 win 2000
      +0 > PU. 501:901(400) ack 1 urg 100
      +0 write 1000
      +0 < . 1:1(0) ack 901 win 2000
      +0 > P. 901:1901(1000) ack 1
    `);
  });

  scenario("there is nothing to mark, when nothing was written or all is acknowledged", (on) => {
    on.established().script(`
      +0 urgent 0 = WRONG_STATE
      +0 write 5
      +0 > P. 1:6(5) ack 1
      +0 < . 1:1(0) ack 6 win 20000
      +0 urgent 0 = WRONG_STATE
    `);
  });
});

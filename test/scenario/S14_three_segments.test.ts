/**
 * S14: SYN, data and FIN in the first segment each way: a whole connection in three segments, or in four if both begin at
 * once. The documents' numbers: 13 bytes, so that the last ACK is of ISN + 13 + 1 + 1.
 */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

const ISN = 6969;

describe("S14 first segments that carry everything", () => {
  scenario("the peer's three is its first, our SYN,ACK, and its ACK; then ours ends too", (on) => {
    on.server({ peerIss: ISN }).script(`
      +0   listen
      +0   < FSP 0:13(13) win 4096 <mss 1024>
      +0   > S. 0:0(0) ack 15
      +.01 < . 15:15(0) ack 1 win 4096
      +0   accept
      +0   state CLOSE-WAIT
      +0   event READABLE
      +0   event END
      +0   read 100 = 13
      +0   write 3
      +0   > P. 1:4(3) ack 15
      +0   closeWrite
      +0   > F. 4:4(0) ack 15
      +.01 < . 15:15(0) ack 5 win 4096
      +0   event CLOSED NORMAL
      +0   timeWaits = 0
    `);
  });

  scenario("we take a SYN,ACK with data and FIN: its ACK is the third segment", (on) => {
    on.client({ peerIss: ISN }).script(`
      +0   connect
      +0   > S 0:0(0)
      +.01 < FSP. 0:13(13) ack 1 win 4096 <mss 1024>
      +0   > . 1:1(0) ack 15
      +0   state CLOSE-WAIT
      +0   read 100 = 13
      +0   event END
    `);
  });

  scenario("if both begin at once there are four, and data and FIN of the first are kept", (on) => {
    on.client({ peerIss: ISN }).script(`
      +0   connect
      +0   > S 0:0(0)
      +.01 < FSP 0:13(13) win 4096 <mss 1024>
      +0   > S. 0:0(0) ack 15
      +0   readable = 0
      +.01 < S. 0:0(0) ack 1 win 4096 <mss 1024>
      +0   event OPENED
      +0   state CLOSE-WAIT
      +0   read 100 = 13
      +0   event END
    `);
  });

  scenario("what is kept of it has a bound: more than a segment is not acknowledged", (on) => {
    on.server({ mtu: 576 }).script(`
      +0 listen
      +0 < FSP 0:600(600) win 4096 <mss 1024>
      +0 > S. 0:0(0) ack 1
    `);
  });
});

/** S51: the window is what is left of the buffer: the documents' 4096 bytes, of which 2048 arrive twice. */
import { describe } from "vitest";
import { scenario } from "./dsl/scenario.ts";

const BUFFER = { receiveBufferInitial: 4096, receiveBufferMax: 4096 } as const;

describe("S51 the receive window", () => {
  scenario("4096 free, 2048, none; and the reader's 2048 open it again", (on) => {
    on.client(BUFFER).script(`
      +0   connect
      +0   > S 0:0(0) win 4096
      +0   < S. 0:0(0) ack 1 win 4096 <mss 2048>
      +0   > . 1:1(0) ack 1 win 4096
      +.1  < P. 1:2049(2048) ack 1 win 4096
      +.04 > . 1:1(0) ack 2049 win 2048
      +.1  < P. 2049:4097(2048) ack 1 win 4096
      +.04 > . 1:1(0) ack 4097 win 0
      +1   read 2048
      +0   > . 1:1(0) ack 4097 win 2048
      +9   nothing
    `);
  });

  scenario("what is sent beyond it is dropped and answered by where we are", (on) => {
    on.established(BUFFER).script(`
      +0 < . 1:2049(2048) ack 1 win 4096
      +0 < . 2049:4097(2048) ack 1 win 4096
      +0 > . 1:1(0) ack 4097 win 0
      +0 < P. 4097:4197(100) ack 1 win 4096
      +0 > . 1:1(0) ack 4097 win 0
      +0 readable = 4096
    `);
  });
});

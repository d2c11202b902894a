/** Windows: RFC 9293 sections 3.8.6 (flow control), 3.8.6.1 (probes) and 3.8.6.2.2 (silly windows of the receiver). */
import { describe } from "vitest";
import { PLAIN_SYN, scenario } from "./dsl/scenario.ts";

const SMALL = { receiveBufferInitial: 4096, receiveBufferMax: 4096 } as const;

describe("S51 the window follows the buffer", () => {
  scenario(
    "it shrinks as text comes, closes, and its opening is told, when the user reads",
    (on) => {
      on.established(SMALL).script(`
      +0   < . 1:1025(1024) ack 1 win 20000
      +0   < . 1025:2049(1024) ack 1 win 20000
      +0   > . 1:1(0) ack 2049 win 2048
      +0   < . 2049:3073(1024) ack 1 win 20000
      +0   < . 3073:4097(1024) ack 1 win 20000
      +0   > . 1:1(0) ack 4097 win 0
      +1   read 2048
      +0   > . 1:1(0) ack 4097 win 2048
      +1   read 2048
      +0   > . 1:1(0) ack 4097 win 4096
      +9   nothing
    `);
    },
  );

  scenario(
    "MUST-39 S55 it opens by a segment at least, when the user reads byte by byte (Clark)",
    (on) => {
      on.established(SMALL).script(`
      +0 < . 1:2049(2048) ack 1 win 20000
      +0 < . 2049:4097(2048) ack 1 win 20000
      +0 > . 1:1(0) ack 4097 win 0
      +0 read 1
      +0 read 998
      +0 nothing
      +0 read 1
      +0 > . 1:1(0) ack 4097 win 1000
      +0 read 1
      +9 nothing
    `);
    },
  );

  scenario("its right edge never moves left, when the buffer option shrinks (SHLD-14)", (on) => {
    on.established().script(`
      +0   option RECEIVE_BUFFER 4096
      +0   < P. 1:1001(1000) ack 1 win 20000
      +.04 > . 1:1(0) ack 1001 win 64535
      +0   < P. 1001:2001(1000) ack 1 win 20000
      +.04 > . 1:1(0) ack 2001 win 63535
    `);
  });

  scenario(
    "MAY-8 a probe is answered at once with the closed window, when the peer probes",
    (on) => {
      on.established(SMALL).script(`
      +0 < . 1:2049(2048) ack 1 win 20000
      +0 < . 2049:4097(2048) ack 1 win 20000
      +0 > . 1:1(0) ack 4097 win 0
      +1 < . 4097:4098(1) ack 1 win 20000
      +0 > . 1:1(0) ack 4097 win 0
      +1 < . 4096:4096(0) ack 1 win 20000
      +0 > . 1:1(0) ack 4097 win 0
      +0 read 4096
      +0 > . 1:1(0) ack 4097 win 4096
    `);
    },
  );
});

describe("we heed the peer's window", () => {
  scenario("text waits, when the window is full", (on) => {
    on.established({ win: 2500 }).script(`
      +0  write 5000
      +0  > . 1:1001(1000) ack 1
      +0  > . 1001:2001(1000) ack 1
      +0  nothing
      +.1 < . 1:1(0) ack 2001 win 2500
      +0  > . 2001:3001(1000) ack 1
      +0  > . 3001:4001(1000) ack 1
      +.1 < . 1:1(0) ack 4001 win 2500
      +0  > P. 4001:5001(1000) ack 1
    `);
  });

  scenario(
    "SHLD-15 nothing is lost, when the window shrinks over what is in flight (MUST-34)",
    (on) => {
      on.established({ rtoMs: 1000, syn: PLAIN_SYN }).script(`
      +0  write 3000
      +0  > . 1:1001(1000) ack 1
      +0  > . 1001:2001(1000) ack 1
      +0  > P. 2001:3001(1000) ack 1
      +.1 < . 1:1(0) ack 1001 win 500
      +0  nothing
      +.1 < . 1:1(0) ack 3001 win 500
      +0  write 500
      +0  > P. 3001:3501(500) ack 1
    `);
    },
  );
});

describe("S52 RFC 9293 section 3.8.6.1: a closed window is probed", () => {
  scenario(
    "SHLD-29 SHLD-30 one byte probes with backoff, when the window stays closed (MUST-36)",
    (on) => {
      on.established({ rtoMs: 1000 }).script(`
      +0     < . 1:1(0) ack 1 win 0
      +0     write 5
      +.999  nothing
      +.001  > . 1:2(1) ack 1
      +.1    < . 1:1(0) ack 1 win 0
      +1.899 nothing
      +.001  > . 1:2(1) ack 1
      +.1    < . 1:1(0) ack 1 win 0
      +3.899 nothing
      +.001  > . 1:2(1) ack 1
      +8     > . 1:2(1) ack 1
      +16    > . 1:2(1) ack 1
      +0     drops ZERO_WINDOW_PROBES = 5
    `);
    },
  );

  scenario("the connection lives on, when probes are answered (MUST-37)", (on) => {
    const session = on.established({ rtoMs: 1000, rtoMaxMs: 60_000 }).script(`
      +0 < . 1:1(0) ack 1 win 0
      +0 write 5
    `);
    for (const delay of [1, 2, 4, 8, 16, 32, ...new Array(20).fill(60)]) {
      session.script(`
        +${delay} > . 1:2(1) ack 1
        +0        < . 1:1(0) ack 1 win 0
      `);
    }
    session.script("+0 state ESTABLISHED");
  });

  scenario("the connection ends, when probes are not answered for R2", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0  < . 1:1(0) ack 1 win 0
      +0  write 5
      +1  > . 1:2(1) ack 1
      +2  > . 1:2(1) ack 1
      +4  > . 1:2(1) ack 1
      +8  > . 1:2(1) ack 1
      +16 > . 1:2(1) ack 1
      +32 > . 1:2(1) ack 1
      +59.999 state ESTABLISHED
      +.001 event CLOSED TIMED_OUT
      +0  state CLOSED
    `);
  });

  scenario("text flows on, when the probe's byte was taken", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0   < . 1:1(0) ack 1 win 0
      +0   write 5
      +1   > . 1:2(1) ack 1
      +.01 < . 1:1(0) ack 2 win 1000
      +0   > P. 2:6(4) ack 1
      +.01 < . 1:1(0) ack 6 win 1000
      +99  nothing
    `);
  });

  scenario("the probe's byte is sent again, when the window opens without it", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0   < . 1:1(0) ack 1 win 0
      +0   write 2001
      +1   > . 1:2(1) ack 1
      +.01 < . 1:1(0) ack 1 win 0
      +.5  < . 1:1(0) ack 1 win 5000
      +0   > . 1:2(1) ack 1
      +0   > . 2:1002(1000) ack 1
      +0   > P. 1002:2002(1000) ack 1
      +.01 < . 1:1(0) ack 2002 win 5000
      +99  nothing
    `);
  });

  scenario("no probe is sent, when the window opens before it", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0    < . 1:1(0) ack 1 win 0
      +0    write 5
      +.999 < . 1:1(0) ack 1 win 1000
      +0    > P. 1:6(5) ack 1
      +.01  < . 1:1(0) ack 6 win 1000
      +99   nothing
    `);
  });

  scenario("what is in flight is not lost, when the window closes over it (MUST-35)", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0   write 2000
      +0   > . 1:1001(1000) ack 1
      +0   > P. 1001:2001(1000) ack 1
      +.1  < . 1:1(0) ack 1001 win 0
      +1   > . 1001:1002(1) ack 1
      +.1  < . 1:1(0) ack 1001 win 0
      +1.9 > . 1001:1002(1) ack 1
      +.1  < . 1:1(0) ack 2001 win 5000
      +99  nothing
    `);
  });

  scenario("FIN follows the text, when the window opens over both", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0  < . 1:1(0) ack 1 win 0
      +0  write 5
      +0  closeWrite
      +0  nothing
      +1  > . 1:2(1) ack 1
      +.1 < . 1:1(0) ack 2 win 100
      +0  > FP. 2:6(4) ack 1
      +.1 < . 1:1(0) ack 7 win 100
      +0  state FIN-WAIT-2
    `);
  });

  scenario("FIN goes out, when the window is closed and nothing is queued", (on) => {
    on.established({ rtoMs: 1000 }).script(`
      +0 < . 1:1(0) ack 1 win 0
      +0 closeWrite
      +0 > F. 1:1(0) ack 1
      +0 < . 1:1(0) ack 2 win 0
      +0 state FIN-WAIT-2
    `);
  });
});

describe("RFC 9293 section 3.8.6.2.1: the sender waits for half of the largest window", () => {
  scenario("MUST-38 also of one seen before everything was acknowledged", (on) => {
    on.established({ win: 2000, syn: PLAIN_SYN, rtoMs: 1000 }).script(`
      +0  write 4000
      +0  > . 1:1001(1000) ack 1
      +0  > . 1001:2001(1000) ack 1
      +.1 < . 1:1(0) ack 2001 win 300
      +0  nothing
      +.1 < . 1:1(0) ack 2001 win 1000
      +0  > . 2001:3001(1000) ack 1
    `);
  });
});

/** Loss found without the timer: RFC 5681 section 3.2, RFC 6582, RFC 6675, and the window that follows (section 3.1). */
import { describe } from "vitest";
import { CONGESTION_NEW_RENO } from "../../src/layout/layout.gen.ts";
import { NO_RACK, PLAIN_SYN, scenario } from "./dsl/scenario.ts";

/** Where the windows of RFC 5681 are what is shown. */
const RENO = { congestionControl: CONGESTION_NEW_RENO };

/** Expects full segments [from, to) of 1000 bytes; the last one pushes if it ends what was written. */
function segments(from: number, to: number, isAll: boolean): string {
  const lines: string[] = [];
  for (let seq = from; seq < to; seq += 1000) {
    const flags = isAll && seq + 1000 === to ? "P." : ".";
    lines.push(`+0 > ${flags} ${seq}:${seq + 1000}(1000) ack 1`);
  }
  return lines.join("\n");
}

/** A duplicate ACK of the peer, with SACK blocks if there are any. */
function duplicate(ack: number, blocks = ""): string {
  const options = blocks === "" ? "" : `<nop,nop,sack ${blocks}>`;
  return `+.01 < . 1:1(0) ack ${ack} win 65000 ${options}`;
}

describe("S57 fast retransmit with SACK (RFC 6675)", () => {
  scenario(
    "6675-1 6675-5 5681-9 the hole is sent again and nothing else, when three segments above it are held",
    (on) => {
      on.established({ ...RENO, ...NO_RACK, rtoMs: 1000, win: 65_000 }).script(`
      +0 write 5000
      ${segments(1, 5001, true)}
      ${duplicate(1, "1001:2001")}
      ${duplicate(1, "1001:3001")}
      +0 nothing
      ${duplicate(1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
      ${duplicate(1, "1001:5001")}
      +0 nothing
      ${duplicate(5001)}
      +0 info cwnd = 2500
      +0 info ssthresh = 2500
      +0 drops FAST_RETRANSMITS = 1
      +99 nothing
    `);
    },
  );

  scenario(
    "6675-3 each hole is sent again once enough is held above it, when there are two",
    (on) => {
      on.established({ ...RENO, ...NO_RACK, rtoMs: 1000, win: 65_000 }).script(`
      +0 write 8000
      ${segments(1, 8001, true)}
      ${duplicate(1, "1001:2001")}
      ${duplicate(1, "1001:3001")}
      ${duplicate(1, "4001:5001 1001:3001")}
      +0 > . 1:1001(1000) ack 1
      ${duplicate(1, "4001:6001 1001:3001")}
      +0 nothing
      ${duplicate(1, "4001:7001 1001:3001")}
      +0 > . 3001:4001(1000) ack 1
      +0 > P. 7001:8001(1000) ack 1
      ${duplicate(1, "4001:8001 1001:3001")}
      ${duplicate(3001, "4001:8001")}
      +0 nothing
      ${duplicate(8001)}
      +0 info cwnd = 4000
      +99 nothing
    `);
    },
  );

  scenario("6675-1 nothing is sent again, when duplicate ACKs hold no news", (on) => {
    on.established({ ...NO_RACK, rtoMs: 1000, win: 65_000 }).script(`
      +0 write 5000
      ${segments(1, 5001, true)}
      ${duplicate(1)}
      ${duplicate(1)}
      ${duplicate(1)}
      ${duplicate(1)}
      +0 nothing
    `);
  });

  scenario(
    "6675-1 blocks are ignored, when they hold what was never sent or is acknowledged",
    (on) => {
      on.established({ ...NO_RACK, rtoMs: 1000, win: 65_000 }).script(`
      +0 write 5000
      ${segments(1, 5001, true)}
      ${duplicate(1, "6001:7001 -500:1 4001:3001")}
      ${duplicate(1, "4001:5002 2000:2000")}
      ${duplicate(1, "-2000000000:2001")}
      +0 nothing
      +.97 > . 1:1001(1000) ack 1
    `);
    },
  );

  scenario("5681-8 new text goes out, when SACK shows that segments have left (RFC 3042)", (on) => {
    on.established({ ...RENO, ...NO_RACK, rtoMs: 1000, win: 65_000 }).script(`
      +0 write 20000
      ${segments(1, 10_001, false)}
      ${duplicate(1, "1001:2001")}
      +0 > . 10001:11001(1000) ack 1
      ${duplicate(1, "1001:3001")}
      +0 > . 11001:12001(1000) ack 1
      ${duplicate(1, "1001:4001")}
      +0 > . 1:1001(1000) ack 1
      +0 info ssthresh = 5000
      +0 nothing
    `);
  });
});

describe("S57 fast retransmit without SACK (RFC 6582)", () => {
  scenario(
    "6582-2 5681-9 the first segment is sent again, when the third duplicate ACK comes",
    (on) => {
      on.established({ ...RENO, rtoMs: 1000, syn: PLAIN_SYN, win: 65_000 }).script(`
      +0 write 5000
      ${segments(1, 5001, true)}
      ${duplicate(1)}
      ${duplicate(1)}
      +0 nothing
      ${duplicate(1)}
      +0 > . 1:1001(1000) ack 1
      ${duplicate(1)}
      +0 nothing
      ${duplicate(5001)}
      +0 info cwnd = 2500
      +99 nothing
    `);
    },
  );

  scenario("6582-3 the timer starts anew at the first partial ACK, not at the next", (on) => {
    on.established({ ...RENO, rtoMs: 1000, win: 65_000, syn: PLAIN_SYN }).script(`
      +0   write 6000
      ${segments(1, 6001, true)}
      ${duplicate(1)}
      ${duplicate(1)}
      ${duplicate(1)}
      +0   > . 1:1001(1000) ack 1
      +.5  < . 1:1(0) ack 1001 win 65000
      +0   > . 1001:2001(1000) ack 1
      +.6  < . 1:1(0) ack 2001 win 65000
      +0   > . 2001:3001(1000) ack 1
      +.399 nothing
      +.001 > . 2001:3001(1000) ack 1
    `);
  });

  scenario("6582-1 the next hole is sent at once, when an ACK is partial", (on) => {
    on.established({ ...RENO, rtoMs: 1000, syn: PLAIN_SYN, win: 65_000 }).script(`
      +0 write 6000
      ${segments(1, 6001, true)}
      ${duplicate(1)}
      ${duplicate(1)}
      ${duplicate(1)}
      +0 > . 1:1001(1000) ack 1
      ${duplicate(1)}
      ${duplicate(2001)}
      +0 > . 2001:3001(1000) ack 1
      +0 nothing
      ${duplicate(6001)}
      +0 info cwnd = 3000
      +99 nothing
    `);
  });

  scenario(
    "cwnd is ssthresh and three segments, when it begins; one more for each further (3.2)",
    (on) => {
      on.established({ ...RENO, rtoMs: 1000, syn: PLAIN_SYN, win: 65_000 }).script(`
      +0 write 20000
      ${segments(1, 10_001, false)}
      ${duplicate(1)}
      +0 > . 10001:11001(1000) ack 1
      ${duplicate(1)}
      +0 > . 11001:12001(1000) ack 1
      ${duplicate(1)}
      +0 > . 1:1001(1000) ack 1
      +0 info ssthresh = 5000
      +0 info cwnd = 8000
      ${duplicate(1)}
      ${duplicate(1)}
      ${duplicate(1)}
      ${duplicate(1)}
      +0 info cwnd = 12000
      +0 nothing
      ${duplicate(1)}
      +0 > . 12001:13001(1000) ack 1
    `);
    },
  );

  scenario(
    "5681-9 an ACK is no duplicate, when it has text or another window (RFC 5681 section 2)",
    (on) => {
      on.established({ ...RENO, rtoMs: 1000, syn: PLAIN_SYN, win: 65_000 }).script(`
      +0   write 5000
      ${segments(1, 5001, true)}
      +.01 < . 1:1(0) ack 1 win 64000
      +.01 < . 1:1(0) ack 1 win 63000
      +.01 < . 1:1(0) ack 1 win 62000
      +0   nothing
      +0   < P. 1:11(10) ack 1 win 62000
      +0   < P. 11:21(10) ack 1 win 62000
      +0   > . 5001:5001(0) ack 21
      +0   < P. 21:31(10) ack 1 win 62000
      +.04 > . 5001:5001(0) ack 31
    `);
    },
  );

  scenario("nothing is sent again, when nothing is outstanding", (on) => {
    on.established({ rtoMs: 1000, syn: PLAIN_SYN }).script(`
      ${duplicate(1)}
      ${duplicate(1)}
      ${duplicate(1)}
      ${duplicate(1)}
      +9 nothing
    `);
  });
});

describe("S57 no go-back-N", () => {
  scenario(
    "2018-5 6675-6 only holes are sent again, when the timer expires and SACK told of others",
    (on) => {
      on.established({ ...NO_RACK, rtoMs: 1000, win: 65_000 }).script(`
      +0   write 5000
      ${segments(1, 5001, true)}
      ${duplicate(1, "2001:3001")}
      +.99 > . 1:1001(1000) ack 1
      ${duplicate(1001, "2001:3001")}
      +0   > . 1001:2001(1000) ack 1
      +0   > . 3001:4001(1000) ack 1
      +0   nothing
      ${duplicate(4001)}
      +0   > P. 4001:5001(1000) ack 1
      ${duplicate(5001)}
      +99  nothing
    `);
    },
  );

  scenario("what is acknowledged is not sent again, when the timer expired without SACK", (on) => {
    on.established({ rtoMs: 1000, syn: PLAIN_SYN, win: 65_000 }).script(`
      +0 write 5000
      ${segments(1, 5001, true)}
      +1 > . 1:1001(1000) ack 1
      ${duplicate(4001)}
      +0 > P. 4001:5001(1000) ack 1
      ${duplicate(5001)}
      +99 nothing
    `);
  });

  scenario(
    "2018-6 held bytes are sent again, when the peer has reneged (RFC 2018 section 8)",
    (on) => {
      on.established({ ...NO_RACK, rtoMs: 1000, win: 65_000 }).script(`
      +0   write 3000
      ${segments(1, 3001, true)}
      ${duplicate(1, "1001:2001")}
      +.99 > . 1:1001(1000) ack 1
      ${duplicate(1001)}
      +0   > P. 2001:3001(1000) ack 1
      +2   > . 1001:2001(1000) ack 1
    `);
    },
  );
});

describe("S56 RFC 5681 section 3.1: slow start and congestion avoidance", () => {
  scenario("MUST-19 cwnd grows by what is acknowledged, when it is below ssthresh", (on) => {
    on.established({ win: 65_000 }).script(`
      +0   write 30000
      ${segments(1, 10_001, false)}
      +.05 < . 1:1(0) ack 2001 win 65000
      +0   info cwnd = 12000
      ${segments(10_001, 14_001, false)}
      +0   nothing
    `);
  });

  scenario("cwnd grows by a segment a round trip, when it is above ssthresh", (on) => {
    on.established({ ...RENO, rtoMs: 1000, win: 65_000 }).script(`
      +0   write 2000
      ${segments(1, 2001, true)}
      +1   > . 1:1001(1000) ack 1
      +0   info ssthresh = 2000
      +0   info cwnd = 1000
      +.01 < . 1:1(0) ack 2001 win 65000
      +0   info cwnd = 1000
      +0   write 10000
      +0   > . 2001:3001(1000) ack 1
      +.01 < . 1:1(0) ack 3001 win 65000
      +0   info cwnd = 2000
      ${segments(3001, 5001, false)}
      +.01 < . 1:1(0) ack 5001 win 65000
      +0   info cwnd = 3000
      ${segments(5001, 8001, false)}
      +.01 < . 1:1(0) ack 6001 win 65000
      +0   info cwnd = 3000
      ${segments(8001, 9001, false)}
      +.01 < . 1:1(0) ack 8001 win 65000
      +0   info cwnd = 4000
      ${segments(9001, 12_001, true)}
    `);
  });

  scenario("cwnd does not grow, when it was not used (RFC 7661)", (on) => {
    on.established({ win: 65_000 }).script(`
      +0   write 1000
      +0   > P. 1:1001(1000) ack 1
      +.05 < . 1:1(0) ack 1001 win 65000
      +0   info cwnd = 10000
    `);
  });
});

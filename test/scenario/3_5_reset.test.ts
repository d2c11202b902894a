/** Half-open connections and resets: RFC 9293 sections 3.5.1 to 3.5.3, RFC 5961 sections 3, 4 and 10. */
import { describe } from "vitest";
import { FULL_SYN, scenario } from "./dsl/scenario.ts";
import { REACH, SYNCHRONIZED } from "./dsl/states.ts";

describe("RFC 9293 section 3.10.7.1: nobody listens", () => {
  scenario("9293-CLOSED-1 S07 RST acknowledges the SYN, when nobody listens", (on) => {
    on.server().script(`
      +0 < S 0:0(0) win 1000 <mss 1000>
      +0 > R. 0:0(0) ack 1 win 0 <>
      +0 < S 0:100(100) win 1000 <mss 1000>
      +0 > R. 0:0(0) ack 101 win 0 <>
      +0 < FP 1:11(10) win 1000
      +0 > R. 0:0(0) ack 12 win 0 <>
      +0 drops RESETS_OUT = 3
    `);
  });

  scenario(
    "9293-CLOSED-2 S21 RST has the number that was acknowledged, when nobody listens",
    (on) => {
      on.server().script(`
      +0 < P. 1:101(100) ack 77 win 1000
      +0 > R 77:77(0) win 0 <>
      +0 < S. 0:0(0) ack 4294967295 win 1000 <mss 1000>
      +0 > R 4294967295:4294967295(0) win 0 <>
    `);
    },
  );

  scenario("9293-CLOSED-3 S40 RST is not answered, when nobody listens", (on) => {
    on.server().script(`
      +0 < R 1:1(0) win 0
      +0 < R. 1:1(0) ack 1 win 0
      +0 < SR 1:1(0) win 0
      +9 nothing
    `);
  });

  scenario("resets are limited, when many segments find nobody", (on) => {
    on.server({ resetsPerSecond: 2 }).script(`
      +0 < S 0:0(0) win 1000
      +0 > R. 0:0(0) ack 1
      +0 < S 0:0(0) win 1000
      +0 > R. 0:0(0) ack 1
      +0 < S 0:0(0) win 1000
      +0 nothing
      +0 drops RESETS_LIMITED = 1
      +1 < S 0:0(0) win 1000
      +0 > R. 0:0(0) ack 1
    `);
  });

  scenario("MUST-3 a segment with a wrong checksum is silence and a counter (S58)", (on) => {
    on.established().script(`
      +0 < P. 1:101(100) ack 1 win 20000 badsum
      +9 nothing
      +0 drops TCP_CHECKSUM = 1
      +0 readable = 0
    `);
  });
});

describe("RFC 9293 section 3.10.7.3: SYN-SENT", () => {
  scenario(
    "9293-SYNSENT-2 S07 connect() is refused at once, when RST acknowledges our SYN",
    (on) => {
      on.client().script(`
      +0  connect
      +0  > S 0:0(0)
      +.1 < R. 0:0(0) ack 1 win 0
      +0  state CLOSED
      +0  event CLOSED REFUSED
      +0  quiet OPENED
      +9  nothing
    `);
    },
  );

  scenario("9293-SYNSENT-3 RST is ignored, when it does not acknowledge our SYN", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < R 1:1(0) win 0
      +0 < R. 1:1(0) ack 0 win 0
      +0 < R. 1:1(0) ack 2 win 0
      +0 nothing
      +0 state SYN-SENT
    `);
  });

  scenario("9293-SYNSENT-1 RST answers an ACK of something else, when we are in SYN-SENT", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < . 1:1(0) ack 2 win 1000
      +0 > R 2:2(0) win 0 <>
      +0 < S. 0:0(0) ack 0 win 1000 <mss 1000>
      +0 > R 0:0(0) win 0 <>
      +0 state SYN-SENT
      +0 < . 1:1(0) ack 1 win 1000
      +0 < F 1:1(0) win 1000
      +0 nothing
      +0 state SYN-SENT
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > . 1:1(0) ack 1
    `);
  });
});

describe("RFC 9293 section 3.5.1: half-open connections", () => {
  scenario(
    "S20 the old connection dies by its challenge, when the peer crashed and opens anew",
    (on) => {
      on.passive().script(`
      +1  < S 400:400(0) win 20000 <mss 1000,nop,nop,sackOK>
      +0  > . 1:1(0) ack 1 win 65535 <>
      +0  state ESTABLISHED
      +0  < R 1:1(0) win 0
      +0  nothing
      +0  event CLOSED RESET
      +0  reopen 400
      +1  < S 0:0(0) win 20000 <mss 1000,nop,nop,sackOK>
      +0  > S. 0:0(0) ack 1
      +.1 < . 1:1(0) ack 1 win 20000
      +0  accept
      +0  state ESTABLISHED
    `);
    },
  );

  scenario("S20 the next SYN draws the next challenge, when the RST was lost", (on) => {
    on.passive().script(`
      +1  < S 400:400(0) win 20000 <mss 1000>
      +0  > . 1:1(0) ack 1
      +1  < S 400:400(0) win 20000 <mss 1000>
      +0  > . 1:1(0) ack 1
      +0  < R 1:1(0) win 0
      +0  event CLOSED RESET
    `);
  });

  scenario("MUST-12 S21 the writer learns of it, when RST answers its text", (on) => {
    on.established().script(`
      +0  write 100
      +0  > P. 1:101(100) ack 1
      +.1 < R 1:1(0) win 0
      +0  event CLOSED RESET
      +0  state CLOSED
      +0  write 100 = 0
      +0  read 100 = 0
      +9  nothing
    `);
  });

  scenario(
    "5961-2 S22 a delayed duplicate SYN draws one ACK and changes nothing (RFC 5961 4.2)",
    (on) => {
      on.established().script(`
      +0 < S 0:0(0) win 100 <mss 500>
      +0 > . 1:1(0) ack 1 win 65535 <>
      +0 < S 1:1(0) win 100 <mss 500>
      +0 > . 1:1(0) ack 1
      +0 < S 70000:70000(0) win 100 <mss 500>
      +0 > . 1:1(0) ack 1
      +0 < S. 30000:30000(0) ack 1 win 100 <mss 500>
      +0 > . 1:1(0) ack 1
      +0 state ESTABLISHED
      +0 info mss = 1000
      +0 info sndWnd = 20000
    `);
    },
  );
});

describe("S23 RFC 9293 section 3.10.7.4, second: RST", () => {
  scenario(
    "MUST-11 9293-RST-1 SYN-RECEIVED returns to LISTEN, when a passive open is reset",
    (on) => {
      on.server().script(`
      +0 listen backlog 1
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +0 < R 1:1(0) win 0
      +0 nothing
      +0 state GONE
      +0 reopen 5000
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
    `);
    },
  );

  scenario("MUST-11 9293-RST-2 SYN-RECEIVED is refused, when an active open is reset", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +0 < R 1:1(0) win 0
      +0 event CLOSED REFUSED
      +0 state CLOSED
      +9 nothing
    `);
  });

  scenario("9293-ACK-2 SYN-RECEIVED answers RST, when the ACK is not of our SYN", (on) => {
    on.server().script(`
      +0 listen
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 100 win 20000
      +0 > R 100:100(0) win 0 <>
      +0 < . 1:1(0) ack 0 win 20000
      +0 > R 0:0(0) win 0 <>
      +0 state SYN-RECEIVED
      +0 < . 1:1(0) ack 1 win 20000
      +0 accept
    `);
  });

  for (const state of SYNCHRONIZED) {
    const { script, rcvNxt, sndNxt } = REACH[state];
    const reason = ["CLOSING", "LAST-ACK"].includes(state) ? "NORMAL" : "RESET";
    const mark = `${sndNxt}:${sndNxt}(0) ack ${rcvNxt}`;

    scenario(`9293-RST-3 9293-RST-4 5961-1 ${state} ends, when RST is exactly at RCV.NXT`, (on) => {
      on.established().script(script).script(`
        +0 < R ${rcvNxt}:${rcvNxt}(0) win 0
        +0 nothing
        +0 state CLOSED
        +0 event CLOSED ${reason}
        +200 nothing
      `);
    });

    scenario(
      `5961-1 ${state} answers a challenge ACK, when RST is elsewhere in the window`,
      (on) => {
        on.established().script(script).script(`
        +0 < R ${rcvNxt + 1}:${rcvNxt + 1}(0) win 0
        +0 > . ${mark}
        +0 < R ${rcvNxt + 65_000}:${rcvNxt + 65_000}(0) win 0
        +0 > . ${mark}
        +0 state ${state}
        +0 drops CHALLENGE_ACKS = 2
      `);
      },
    );

    scenario(`5961-1 ${state} is silent, when RST is outside of the window`, (on) => {
      on.established().script(script).script(`
        +0 < R ${rcvNxt - 1}:${rcvNxt - 1}(0) win 0
        +0 < R ${rcvNxt + 65_536}:${rcvNxt + 65_536}(0) win 0
        +0 < R ${rcvNxt + 0x7fff_ffff}:${rcvNxt + 0x7fff_ffff}(0) win 0
        +0 nothing
        +0 state ${state}
      `);
    });

    scenario(`${state} is silent, when only the text of a RST reaches into the window`, (on) => {
      on.established().script(script).script(`
        +0 < R ${rcvNxt - 1}:${rcvNxt + 9}(10) win 0
        +0 nothing
        +0 state ${state}
      `);
    });

    scenario(`5961-2 ${state} answers a challenge ACK, when SYN is in the window`, (on) => {
      on.established().script(script).script(`
        +0 < S ${rcvNxt + 50}:${rcvNxt + 50}(0) win 5000 <mss 1000>
        +0 > . ${mark}
        +0 state ${state}
      `);
    });
  }

  scenario(
    "7323-13 an old timestamp does not matter, when the segment is RST (RFC 7323 5.2)",
    (on) => {
      on.established({ syn: FULL_SYN }).script(`
      +0 < R 1:1(0) win 0 <nop,nop,TS val 1 ecr 0>
      +0 event CLOSED RESET
    `);
    },
  );
});

describe("RFC 5961 section 10: limits", () => {
  scenario("5961-4 challenge ACKs are limited, when RSTs are many", (on) => {
    on.established({ challengeAcksPerSecond: 1 }).script(`
      +1 < R 5:5(0) win 0
      +0 > . 1:1(0) ack 1
      +0 < R 5:5(0) win 0
      +0 < S 5:5(0) win 100
      +0 nothing
      +0 drops CHALLENGE_LIMITED = 2
      +1 < R 5:5(0) win 0
      +0 > . 1:1(0) ack 1
    `);
  });

  scenario("ordinary ACKs are not limited, when challenge ACKs are", (on) => {
    on.established({ challengeAcksPerSecond: 0 }).script(`
      +0 < R 5:5(0) win 0
      +0 nothing
      +0 < P. 1:11(10) ack 1 win 20000
      +0 < P. 1:11(10) ack 1 win 20000
      +0 > . 1:1(0) ack 11
    `);
  });
});

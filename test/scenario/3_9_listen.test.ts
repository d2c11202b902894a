/** Listening and demultiplexing: RFC 9293 sections 3.9.1, 3.10.1 and 3.10.7.2. */
import { describe } from "vitest";
import { COOKIES_NEVER } from "../../src/layout/layout.gen.ts";
import { FULL_SYN, scenario } from "./dsl/scenario.ts";
import type { Session } from "./dsl/session.ts";

/** A client on a port opens, to our port 8080 or to another end, and becomes the connection at hand. */
function open(port: number, local = ""): string {
  const to = local === "" ? "8080" : local;
  return `
    +0 use ${port}
    +0 < ${port} > ${to} S 0:0(0) win 20000 <mss 1000>
    +0 > ${to} > ${port} S. 0:0(0) ack 1
    +0 < ${port} > ${to} . 1:1(0) ack 1 win 20000
  `;
}

describe("S73 the backlog", () => {
  scenario("a SYN is ignored and the repeated one answered, when the queue was full", (on) => {
    on.server().script(`
      +0 listen backlog 1
      ${open(40_001)}
      +0 < 40002 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0 nothing
      +0 drops BACKLOG = 1
      +0 accept 40001
      +1 < 40002 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0 > 8080 > 40002 S. 0:0(0) ack 1
      +0 < 40002 > 8080 . 1:1(0) ack 1 win 20000
      +0 accept 40002
    `);
  });

  scenario("half-open connections count, when the queue is short and cookies are off", (on) => {
    on.server({ synCookies: COOKIES_NEVER }).script(`
      +0  listen backlog 2
      +0  < 40001 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0  > 8080 > 40001 S. 0:0(0) ack 1
      +0  < 40002 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0  > 8080 > 40002 S. 0:0(0) ack 1
      +0  < 40003 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0  nothing
      +0  < 40001 > 8080 R 1:1(0) win 0
      +.5 < 40003 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0  > 8080 > 40003 S. 0:0(0) ack 1
    `);
  });

  scenario("connections are accepted in the order of their completion, when several wait", (on) => {
    on.server().script(`
      +0 listen
      +0 < 40001 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0 > 8080 > 40001 S. 0:0(0) ack 1
      ${open(40_002)}
      +0 < 40001 > 8080 . 1:1(0) ack 1 win 20000
      ${open(40_003)}
      +0 accept 40002
      +0 accept 40001
      +0 accept 40003
      +0 accept = NONE
    `);
  });

  scenario("text is kept, when it comes before accept()", (on) => {
    on.server().script(`
      +0   listen
      ${open(36_000)}
      +0   < P. 1:101(100) ack 1 win 20000
      +.04 > . 1:1(0) ack 101
      +9   accept
      +0   event READABLE
      +0   read 100
    `);
  });

  scenario("what waits is reset, when the listener goes away", (on) => {
    on.server().script(`
      +0 listen
      ${open(40_001)}
      +0 < 40002 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0 > 8080 > 40002 S. 0:0(0) ack 1
      +0 unlisten
      +0 > 8080 > 40001 R. 1:1(0) ack 1
      +0 > 8080 > 40002 R. 1:1(0) ack 1
      +0 < 40003 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0 > 8080 > 40003 R. 0:0(0) ack 1
    `);
  });

  scenario("an accepted connection stays, when the listener goes away", (on) => {
    on.passive().script(`
      +0 unlisten
      +0 nothing
      +0 state ESTABLISHED
      +0 write 5
      +0 > P. 1:6(5) ack 1
    `);
  });
});

describe("RFC 9293 section 3.10.7.2: LISTEN", () => {
  scenario(
    "9293-LISTEN-1 9293-LISTEN-2 9293-LISTEN-4 RST is ignored, an ACK reset, and what is neither dropped, when we listen",
    (on) => {
      on.server().script(`
      +0 listen
      +0 < R 0:0(0) win 0
      +0 < SR 0:0(0) win 0
      +0 < R. 0:0(0) ack 5 win 0
      +0 nothing
      +0 < . 0:0(0) ack 5 win 100
      +0 > R 5:5(0) win 0 <>
      +0 < S. 0:0(0) ack 5 win 100
      +0 > R 5:5(0) win 0 <>
      +0 < P 0:10(10) win 100
      +0 < F 0:0(0) win 100
      +0 < - 0:0(0) win 100
      +0 nothing
      +0 state GONE
    `);
    },
  );

  scenario("S12 text on the SYN is kept and delivered after ESTABLISHED", (on) => {
    on.server().script(`
      +0 listen
      +0 < SP 0:10(10) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 11
      +0 quiet READABLE
      +0 < . 11:11(0) ack 1 win 20000
      +0 accept
      +0 event READABLE
      +0 read 10
      +0 < P. 11:21(10) ack 1 win 20000
      +.04 > . 1:1(0) ack 21
      +0 read 10
    `);
  });

  scenario("S12 text on the SYN is not acknowledged, when it is longer than a segment", (on) => {
    on.server({ mtu: 576 }).script(`
      +0 listen
      +0 < SP 0:600(600) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1
      +0 < P. 1:11(10) ack 1 win 20000
      +0 accept
      +0 read 10
      +.04 > . 1:1(0) ack 11
    `);
  });

  scenario("S14 SYN, text and FIN make a connection in three segments", (on) => {
    on.server().script(`
      +0 listen
      +0 < FSP 0:10(10) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 12
      +0 < . 12:12(0) ack 1 win 20000
      +0 accept
      +0 state CLOSE-WAIT
      +0 event READABLE
      +0 event END
      +0 read 100 = 10
      +0 closeWrite
      +0 > F. 1:1(0) ack 12
      +0 < . 12:12(0) ack 2 win 20000
      +0 event CLOSED NORMAL
    `);
  });

  scenario("S14 both sides send text and FIN with SYNs that cross", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < FSP 0:10(10) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 12
      +0 readable = 0
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 state CLOSE-WAIT
      +0 event OPENED
      +0 read 100 = 10
      +0 event END
    `);
  });

  scenario("S12 nothing of it is delivered, when the handshake fails", (on) => {
    on.client().script(`
      +0 connect
      +0 > S 0:0(0)
      +0 < SP 0:10(10) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 11
      +0 < R. 11:11(0) ack 1 win 0
      +0 event CLOSED REFUSED
      +0 readable = 0
    `);
  });
});

describe("S71 a connection is found by all four values", () => {
  scenario(
    "two clients of one host and the listener are told apart, when the port is the same",
    (on) => {
      const session: Session = on.server().script(`
      +0 listen
      ${open(40_001)}
      +0 accept 40001
      ${open(40_002)}
      +0 accept 40002
      +0   < 40001 > 8080 P. 1:11(10) ack 1 win 20000
      +.01 < 40002 > 8080 P. 1:21(20) ack 1 win 20000
      +.03 > 8080 > 40001 . 1:1(0) ack 11
      +.01 > 8080 > 40002 . 1:1(0) ack 21
      +0 use 40001
      +0 read 100 = 10
      +0 use 40002
      +0 read 100 = 20
      +0 < 40001 > 8080 R 11:11(0) win 0
      +0 state ESTABLISHED
      +0 use 40001
      +0 event CLOSED RESET
    `);
      session.script(open(40_003));
    },
  );

  scenario(
    "MUST-43 MUST-45 two local addresses are told apart, when the ports are the same",
    (on) => {
      on.server().script(`
      +0 listen
      +0 < 36000 > 192.168.0.1:8080 S 0:0(0) win 20000 <mss 1000>
      +0 > 192.168.0.1:8080 > 36000 S. 0:0(0) ack 1
      +0 < 36000 > 192.168.0.2:8080 S 0:0(0) win 20000 <mss 1000>
      +0 > 192.168.0.2:8080 > 36000 S. 0:0(0) ack 1
      +0 < 36000 > 192.168.0.2:8080 . 1:1(0) ack 1 win 20000
      +0 accept
      +0 write 5
      +0 > 192.168.0.2:8080 > 36000 P. 1:6(5) ack 1
    `);
    },
  );

  scenario("nothing is answered, when the destination is not ours", (on) => {
    on.server().script(`
      +0 listen
      +0 < 36000 > 192.168.0.3:8080 S 0:0(0) win 20000 <mss 1000>
      +0 drops NOT_OUR_IP = 1
      +9 nothing
    `);
  });

  scenario("a second open of the same four values is refused, when the first lives", (on) => {
    on.established().script(`
      +0 connect = IN_USE
      +0 nothing
    `);
  });
});

describe("S72 listeners", () => {
  scenario("RST is answered, when the listener has another local address", (on) => {
    on.server().script(`
      +0 listen 192.168.0.2:8080
      +0 < 36000 > 192.168.0.1:8080 S 0:0(0) win 20000 <mss 1000>
      +0 > 192.168.0.1:8080 > 36000 R. 0:0(0) ack 1
      +0 < 36000 > 192.168.0.2:8080 S 0:0(0) win 20000 <mss 1000>
      +0 > 192.168.0.2:8080 > 36000 S. 0:0(0) ack 1
    `);
  });

  scenario("the most specific one is chosen, when several fit", (on) => {
    on.server().script(`
      +0 listen 0
      +0 listen 8080
      +0 listen 192.168.0.1:8080
      +0 listen 192.168.0.2:0
      ${open(40_001)}
      +0 accept
      +0 listener = 2
      ${open(40_002, "192.168.0.2:8080")}
      +0 accept
      +0 listener = 1
      ${open(40_003, "192.168.0.2:9")}
      +0 accept
      +0 listener = 3
      ${open(40_004, "192.168.0.1:9")}
      +0 accept
      +0 listener = 0
    `);
  });

  scenario("MUST-41 the same one is refused, when it exists", (on) => {
    on.server().script(`
      +0 listen 8080
      +0 listen 8080 = IN_USE
      +0 listen 192.168.0.1:8080
      +0 listen 8081
      +0 unlisten
      +0 listen 8081
    `);
  });
});

describe("S74 the host decides over SYNs", () => {
  scenario("a SYN waits in silence and SYN,ACK follows, when the host accepts", (on) => {
    on.server().script(`
      +0  listen decide
      +0  < S 0:0(0) win 20000 <mss 1460,sackOK,TS val 700 ecr 0,nop,wscale 7>
      +0  event ASKED
      +0  state LISTEN
      +1  < S 0:0(0) win 20000 <mss 1460,sackOK,TS val 700 ecr 0,nop,wscale 7>
      +1  nothing
      +0  quiet ASKED
      +0  decide ACCEPT
      +0  > S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 2000 ecr 700,nop,wscale 5>
      +0  state SYN-RECEIVED
      +.1 < . 1:1(0) ack 1 win 160 <nop,nop,TS val 2800 ecr 2000>
      +0  accept
      +0  state ESTABLISHED
      +99 nothing
    `);
  });

  scenario("SYN,ACK is repeated, when the accepted SYN's ACK does not come", (on) => {
    on.server().script(`
      +0    listen decide
      +0    < S 0:0(0) win 20000 <mss 1000>
      +9    decide ACCEPT
      +0    > S. 0:0(0) ack 1
      +.999 nothing
      +.001 > S. 0:0(0) ack 1
    `);
  });

  scenario("RST acknowledges the SYN, when the host refuses", (on) => {
    on.server().script(`
      +0 listen decide
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 decide REFUSE
      +0 > R. 0:0(0) ack 1 win 0
      +0 state GONE
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 event ASKED
    `);
  });

  scenario("nothing is sent, when the host ignores", (on) => {
    on.server().script(`
      +0 listen decide
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 decide IGNORE
      +9 nothing
      +0 state GONE
      +0 decide ACCEPT = STALE_HANDLE
    `);
  });

  scenario("a SYN is forgotten after exactly 75 s, when the host does not decide", (on) => {
    on.server().script(`
      +0      listen decide
      +0      < S 0:0(0) win 20000 <mss 1000>
      +74.999 state LISTEN
      +.001   event CLOSED TIMED_OUT
      +0      nothing
      +0      decide ACCEPT = WRONG_STATE
      +0      close
      +0      state GONE
    `);
  });

  scenario("text, ACKs and resets change nothing, when the SYN waits", (on) => {
    on.server().script(`
      +0 listen decide
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 < P. 1:11(10) ack 1 win 20000
      +0 < F. 11:11(0) ack 1 win 20000
      +0 < R 1:1(0) win 0
      +0 nothing
      +0 state LISTEN
      +0 decide ACCEPT
      +0 > S. 0:0(0) ack 1
    `);
  });

  scenario("a SYN is dropped in silence, when too many wait", (on) => {
    on.server({ maxParked: 1 }).script(`
      +0 listen decide
      +0 < 40001 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0 < 40002 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0 nothing
      +0 drops PARKED = 1
      +0 use 40001
      +0 decide IGNORE
      +1 < 40002 > 8080 S 0:0(0) win 20000 <mss 1000>
      +0 use 40002
      +0 event ASKED
    `);
  });

  scenario("the host is told, when the accepted SYN is reset before its ACK", (on) => {
    on.server().script(`
      +0 listen decide
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 event ASKED
      +0 decide ACCEPT
      +0 > S. 0:0(0) ack 1
      +0 < R 1:1(0) win 0
      +0 event CLOSED RESET
      +0 quiet ACCEPTABLE
      +0 close
      +0 state GONE
    `);
  });

  scenario("the decision comes too late, when it was made before", (on) => {
    on.server().script(`
      +0 listen decide
      +0 < S 0:0(0) win 20000 <${FULL_SYN}>
      +0 decide ACCEPT
      +0 > S. 0:0(0) ack 1
      +0 decide REFUSE = WRONG_STATE
      +0 < . 1:1(0) ack 1 win 100 <nop,nop,TS val 5000 ecr 0>
      +0 decide REFUSE = WRONG_STATE
      +0 accept
    `);
  });
});

/** TCP Fast Open: RFC 7413. A server's cookie is its own secret, so the scenarios of the server ask for one first. */
import { describe, expect } from "vitest";
import { FEATURE_FAST_OPEN_CLIENT, FEATURE_FAST_OPEN_SERVER } from "../../src/layout/layout.gen.ts";
import { type FixtureOptions, type Fixtures, scenario } from "./dsl/scenario.ts";
import type { Session } from "./dsl/session.ts";

/** Nothing but Fast Open, so that options are short. */
const PLAIN: FixtureOptions = { features: FEATURE_FAST_OPEN_CLIENT | FEATURE_FAST_OPEN_SERVER };
const COOKIE = "c1c2c3c4c5c6c7c8";

/** A SYN from a port asks for a cookie and is then reset. @returns The cookie, as hex. */
function ask(session: Session, port: number): string {
  session.script(`+0 < ${port} > 8080 S 0:0(0) win 20000 <mss 1000,kind 34,nop,nop>\n+0 take 1`);
  const option = session.seen?.wire.options.find((given) =>
    given.kind === "other" && given.number === 34
  );
  session.script(`+0 < ${port} > 8080 R 1:1(0) win 0`);
  return option?.kind === "other"
    ? Array.from(option.data, (byte) => byte.toString(16).padStart(2, "0")).join("")
    : "none";
}

function asked(on: Fixtures, options: FixtureOptions = {}): [session: Session, cookie: string] {
  const session = on.server({ ...PLAIN, ...options }).script(`
    +0 listen
    +0 listenerOption FAST_OPEN 2
  `);
  return [session, ask(session, 40_000)];
}

describe("7413-1 a client without a cookie", () => {
  scenario(
    "7413-1 7413-4 asks for one by an empty option, sends no text, and keeps what comes",
    (on) => {
      on.client(PLAIN).script(`
      +0 fastOpen 100
      +0 > S 0:0(0) <mss 1460,kind 34,nop,nop>
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000,kind 34 "${COOKIE}",nop,nop>
      +0 > P. 1:101(100) ack 1
      +0 cookie ${COOKIE}
    `);
    },
  );

  scenario("7413-1 has none, when the server does not know the option", (on) => {
    on.client(PLAIN).script(`
      +0 fastOpen 0
      +0 > S 0:0(0) <mss 1460,kind 34,nop,nop>
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > . 1:1(0) ack 1
      +0 cookie NONE
    `);
  });

  for (const cookie of ["010203", "01020304050607", "0102030405060708090a0b0c0d0e0f101112"]) {
    scenario(`7413-1 ignores a cookie of ${cookie.length / 2} bytes`, (on) => {
      const padding = ",nop".repeat((4 - ((2 + (cookie.length / 2)) % 4)) % 4);
      on.client(PLAIN).script(`
        +0 fastOpen 0
        +0 > S 0:0(0)
        +0 < S. 0:0(0) ack 1 win 20000 <mss 1000,kind 34 "${cookie}"${padding}>
        +0 > . 1:1(0) ack 1
        +0 cookie NONE
      `);
    });
  }
});

describe("7413-4 a client with a cookie", () => {
  scenario("7413-4 sends text with its SYN, and goes on behind what is acknowledged", (on) => {
    on.client(PLAIN).script(`
      +0 fastOpen 100 ${COOKIE} 1000
      +0 > S 0:100(100) <mss 1460,kind 34 "${COOKIE}",nop,nop>
      +0 < S. 0:0(0) ack 101 win 20000 <mss 1000>
      +0 > . 101:101(0) ack 1
      +0 event OPENED
      +0 write 50
      +0 > P. 101:151(50) ack 1
    `);
  });

  scenario(
    "7413-4 sends no more text than the MSS that it has kept leaves beside 40 bytes of options",
    (on) => {
      on.client(PLAIN).script(`
      +0 fastOpen 1000 ${COOKIE} 540
      +0 > S 0:500(500) <mss 1460,kind 34 "${COOKIE}",nop,nop>
      +0 < S. 0:0(0) ack 501 win 20000 <mss 540>
      +0 > P. 501:1001(500) ack 1
    `);
    },
  );

  scenario(
    "7413-5 sends the text again right behind the handshake, when only the SYN was taken",
    (on) => {
      on.client(PLAIN).script(`
      +0 fastOpen 100 ${COOKIE} 1000
      +0 > S 0:100(100)
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > P. 1:101(100) ack 1
    `);
    },
  );

  scenario("7413-5 repeats the SYN without text and option, when nothing comes", (on) => {
    on.client({ ...PLAIN, rtoMs: 1000 }).script(`
      +0 fastOpen 100 ${COOKIE} 1000
      +0 > S 0:100(100)
      +1 > S 0:0(0) <mss 1460>
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > P. 1:101(100) ack 1
    `);
  });

  scenario("7413-5 believes an answer to the first SYN after that, too", (on) => {
    on.client({ ...PLAIN, rtoMs: 1000 }).script(`
      +0 fastOpen 100 ${COOKIE} 1000
      +0 > S 0:100(100)
      +1 > S 0:0(0) <mss 1460>
      +0 < S. 0:0(0) ack 101 win 20000 <mss 1000>
      +0 > . 101:101(0) ack 1
    `);
  });

  scenario(
    "RFC 9293 section 3.10.7.3 answers by RST what acknowledges more than the SYN had",
    (on) => {
      on.client(PLAIN).script(`
      +0 fastOpen 100 ${COOKIE} 1000
      +0 > S 0:100(100)
      +0 < S. 0:0(0) ack 102 win 20000 <mss 1000>
      +0 > R 102:102(0)
      +0 state SYN-SENT
    `);
    },
  );
});

describe("7413-2 a server", () => {
  scenario("7413-7 gives the cookie of the address to who asks, the same each time", (on) => {
    const [session, cookie] = asked(on);
    const again = ask(session, 40_001);
    expect(cookie).toHaveLength(16);
    expect(again).toBe(cookie);
  });

  scenario("7413-2 7413-3 takes the text with a good cookie before the handshake, once", (on) => {
    const [session, cookie] = asked(on);
    session.script(`
      +0 < S 0:100(100) win 20000 <mss 1000,kind 34 "${cookie}",nop,nop>
      +0 > S. 0:0(0) ack 101 <mss 1460>
      +0 accept
      +0 state SYN-RECEIVED
      +0 read 100
      +0 < S 0:100(100) win 20000 <mss 1000,kind 34 "${cookie}",nop,nop>
      +0 > S. 0:0(0) ack 101 <mss 1460>
      +0 readable = 0
      +0 < . 101:101(0) ack 1 win 20000
      +0 state ESTABLISHED
      +0 quiet ACCEPTABLE
      +0 drops FAST_OPENS_IN = 1
      +0 write 10
      +0 > P. 1:11(10) ack 101
    `);
  });

  scenario("7413-3 sends what was written meanwhile as soon as the handshake is complete", (on) => {
    const [session, cookie] = asked(on);
    session.script(`
      +0 < S 0:100(100) win 20000 <mss 1000,kind 34 "${cookie}",nop,nop>
      +0 > S. 0:0(0) ack 101
      +0 accept
      +0 write 10
      +0 nothing
      +0 < . 101:101(0) ack 1 win 20000
      +0 > P. 1:11(10) ack 101
    `);
  });

  scenario(
    "7413-2 acknowledges the SYN alone, when the cookie is another one, and gives the right one",
    (on) => {
      const [session, cookie] = asked(on);
      session.script(`
      +0 < S 0:100(100) win 20000 <mss 1000,kind 34 "${COOKIE}",nop,nop>
      +0 > S. 0:0(0) ack 1 <mss 1460,kind 34 "${cookie}",nop,nop>
      +0 < P. 1:101(100) ack 1 win 20000
      +0 accept
      +0 read 100
      +.04 > . 1:1(0) ack 101
      +0 drops FAST_OPEN_REFUSED = 1
    `);
    },
  );

  scenario("7413-2 acknowledges the SYN alone, when the listener does not serve it", (on) => {
    on.server(PLAIN).script(`
      +0 listen
      +0 < S 0:100(100) win 20000 <mss 1000,kind 34,nop,nop>
      +0 > S. 0:0(0) ack 1 <mss 1460>
    `);
  });

  scenario("7413-6 falls back to the handshake, when as many wait as may", (on) => {
    const [session, cookie] = asked(on);
    for (const port of [40_001, 40_002]) {
      session.script(`
        +0 < ${port} > 8080 S 0:10(10) win 20000 <mss 1000,kind 34 "${cookie}",nop,nop>
        +0 > 8080 > ${port} S. 0:0(0) ack 11
      `);
    }
    session.script(`
      +0 < S 0:100(100) win 20000 <mss 1000,kind 34 "${cookie}",nop,nop>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +0 < 40001 > 8080 . 11:11(0) ack 1 win 20000
      +0 < 40003 > 8080 S 0:10(10) win 20000 <mss 1000,kind 34 "${cookie}",nop,nop>
      +0 > 8080 > 40003 S. 0:0(0) ack 11
    `);
  });

  scenario(
    "7413-7 takes cookies of the key before, and gives new ones; those before it are void",
    (on) => {
      const [session, cookie] = asked(on);
      session.world.core.fastOpen.rotateKey(new Uint8Array(16).fill(1));
      const fresh = ask(session, 40_001);
      expect(fresh).not.toBe(cookie);
      session.script(`
      +0 < S 0:10(10) win 20000 <mss 1000,kind 34 "${cookie}",nop,nop>
      +0 > S. 0:0(0) ack 11 <mss 1460,kind 34 "${fresh}",nop,nop>
    `);
      session.world.core.fastOpen.rotateKey(new Uint8Array(16).fill(2));
      session.script(`
      +0 < 40002 > 8080 S 0:10(10) win 20000 <mss 1000,kind 34 "${cookie}",nop,nop>
      +0 > 8080 > 40002 S. 0:0(0) ack 1
    `);
    },
  );

  scenario("7413-3 tells the user, when the handshake is never completed", (on) => {
    const [session, cookie] = asked(on, { rtoMs: 1000 });
    session.script(`
      +0 < S 0:10(10) win 20000 <mss 1000,kind 34 "${cookie}",nop,nop>
      +0 > S. 0:0(0) ack 11
      +0 accept
      +0 < R 11:11(0) win 0
      +0 event CLOSED RESET
    `);
  });
});

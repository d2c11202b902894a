/** The user timeout option: RFC 5482. `kind 28 "HEX"` is the option: granularity bit and 15 bits. */
import { describe } from "vitest";
import { FEATURE_SACK, FEATURE_TIMESTAMPS, MTU_PROBING_OFF } from "../../src/layout/layout.gen.ts";
import { scenario } from "./dsl/scenario.ts";

/** R2 of 100 s, so that what the remote may make of it shows. */
const SHORT = { rtoMs: 1000, rtoMaxMs: 10_000, dataR2Ms: 100_000, features: 0 };
const STAMPED = "mss 1012,sackOK,TS val 5000 ecr 0";
const PLAIN = { ...SHORT, mtuProbing: MTU_PROBING_OFF };

describe("RFC 5482 section 3.1: telling the remote", () => {
  scenario("5482-2 the SYN and the first segment after it carry it, and no other", (on) => {
    on.client(PLAIN).script(`
      +0 connect SEND_USER_TIMEOUT 1
      +0 > S 0:0(0) <mss 1460,kind 28 "0064">
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000>
      +0 > . 1:1(0) ack 1 <kind 28 "0064">
      +0 write 100
      +0 > P. 1:101(100) ack 1 <>
    `);
  });

  scenario("5482-2 a listener tells it with SYN,ACK and with the first text", (on) => {
    on.server(PLAIN).script(`
      +0 listen
      +0 listenerOption SEND_USER_TIMEOUT 1
      +0 listenerOption USER_TIMEOUT 200500
      +0 < S 0:0(0) win 20000 <mss 1000>
      +0 > S. 0:0(0) ack 1 <mss 1460,kind 28 "00c9">
      +0 < . 1:1(0) ack 1 win 20000
      +0 accept
      +0 write 1000
      +0 > . 1:997(996) ack 1 <kind 28 "00c9">
    `);
  });

  scenario("5482-2 it is told with an ACK, when it is switched on or changed later", (on) => {
    on.established(PLAIN).script(`
      +0 option SEND_USER_TIMEOUT 1
      +0 > . 1:1(0) ack 1 <kind 28 "0064">
      +0 option USER_TIMEOUT 3600000
      +0 > . 1:1(0) ack 1 <kind 28 "0e10">
      +0 option SEND_USER_TIMEOUT 0
      +0 option USER_TIMEOUT 3000
      +9 nothing
    `);
  });

  scenario(
    "5482-2 what seconds can not hold is told in minutes, and never as the longest",
    (on) => {
      on.established(PLAIN).script(`
      +0 option SEND_USER_TIMEOUT 1
      +0 > . 1:1(0) ack 1 <kind 28 "0064">
      +0 option USER_TIMEOUT 32767000
      +0 > . 1:1(0) ack 1 <kind 28 "7fff">
      +0 option USER_TIMEOUT 32767001
      +0 > . 1:1(0) ack 1 <kind 28 "8223">
      +0 option USER_TIMEOUT 4294967295
      +0 > . 1:1(0) ack 1 <kind 28 "ffff">
      +0 option USER_TIMEOUT 1
      +0 > . 1:1(0) ack 1 <kind 28 "0001">
    `);
    },
  );

  scenario("5482-2 it waits, when SACK blocks leave no room for it", (on) => {
    on.established({ features: FEATURE_TIMESTAMPS | FEATURE_SACK, syn: STAMPED }).script(`
      +0 < P. 101:111(10) ack 1 win 20000 <nop,nop,TS val 5001 ecr 0>
      +0 > . 1:1(0) ack 1
      +0 < P. 201:211(10) ack 1 win 20000 <nop,nop,TS val 5002 ecr 0>
      +0 > . 1:1(0) ack 1
      +0 < P. 301:311(10) ack 1 win 20000 <nop,nop,TS val 5003 ecr 0>
      +0 > . 1:1(0) ack 1
      +0 option SEND_USER_TIMEOUT 1
      +0 > . 1:1(0) ack 1 <nop,nop,TS val 0 ecr 5000,nop,nop,sack 301:311 201:211 101:111>
      +0 < P. 1:101(100) ack 1 win 20000 <nop,nop,TS val 5004 ecr 0>
      +0 > . 1:1(0) ack 111 <nop,nop,TS val 0 ecr 5004,kind 28 "0078",nop,nop,sack 301:311 201:211>
    `);
  });
});

describe("RFC 5482 section 3.1: what the remote asks for", () => {
  scenario("5482-1 a longer timeout is taken over", (on) => {
    on.established(PLAIN).script(`
      +0 option SEND_USER_TIMEOUT 1
      +0 > . 1:1(0) ack 1 <kind 28 "0064">
      +0 < . 1:1(0) ack 1 win 20000 <kind 28 "012c">
      +0 optionOf USER_TIMEOUT = 300000
      +0 < . 1:1(0) ack 1 win 20000 <kind 28 "8006">
      +0 optionOf USER_TIMEOUT = 360000
    `);
  });

  scenario("5482-1 it stays within our limits, and one that is 0 is ignored", (on) => {
    on.established(PLAIN).script(`
      +0 option SEND_USER_TIMEOUT 1
      +0 > . 1:1(0) ack 1 <kind 28 "0064">
      +0 < . 1:1(0) ack 1 win 20000 <kind 28 "0001">
      +0 optionOf USER_TIMEOUT = 100000
      +0 < . 1:1(0) ack 1 win 20000 <kind 28 "ffff">
      +0 optionOf USER_TIMEOUT = 3600000
      +0 < . 1:1(0) ack 1 win 20000 <kind 28 "8000">
      +0 optionOf USER_TIMEOUT = 3600000
    `);
  });

  scenario("5482-1 it is never so short that no retransmission fits in", (on) => {
    on.established({ ...PLAIN, rtoMaxMs: 120_000 }).script(`
      +0 option SEND_USER_TIMEOUT 1
      +0 > . 1:1(0) ack 1 <kind 28 "0064">
      +0 < . 1:1(0) ack 1 win 20000 <kind 28 "0001">
      +0 optionOf USER_TIMEOUT = 240000
    `);
  });

  scenario("5482-1 what the user has said stays", (on) => {
    on.established(PLAIN).script(`
      +0 option USER_TIMEOUT 150000
      +0 option SEND_USER_TIMEOUT 1
      +0 > . 1:1(0) ack 1 <kind 28 "0096">
      +0 < . 1:1(0) ack 1 win 20000 <kind 28 "012c">
      +0 optionOf USER_TIMEOUT = 150000
    `);
  });

  scenario("5482-1 it is heard on the SYN and on SYN,ACK too", (on) => {
    on.client(PLAIN).script(`
      +0 connect SEND_USER_TIMEOUT 1
      +0 > S 0:0(0) <mss 1460,kind 28 "0064">
      +0 < S. 0:0(0) ack 1 win 20000 <mss 1000,kind 28 "012c">
      +0 > . 1:1(0) ack 1 <kind 28 "0064">
      +0 optionOf USER_TIMEOUT = 300000
    `);
    on.server(PLAIN).script(`
      +0 listen
      +0 listenerOption SEND_USER_TIMEOUT 1
      +0 < S 0:0(0) win 20000 <mss 1000,kind 28 "012c">
      +0 > S. 0:0(0) ack 1 <mss 1460,kind 28 "0064">
      +0 < . 1:1(0) ack 1 win 20000
      +0 accept
      +0 optionOf USER_TIMEOUT = 300000
    `);
  });

  scenario("5482-3 unsolicited, or of a length that can not be, it changes nothing", (on) => {
    on.established(PLAIN).script(`
      +0 < P. 1:11(10) ack 1 win 20000 <kind 28 "0001">
      +.04 > . 1:1(0) ack 11
      +0 optionOf USER_TIMEOUT = 100000
      +0 option SEND_USER_TIMEOUT 1
      +0 > . 1:1(0) ack 11 <kind 28 "0064">
      +0 < P. 11:21(10) ack 1 win 20000 <kind 28 "01",nop>
      +.04 > . 1:1(0) ack 21 <>
      +0 < P. 21:31(10) ack 1 win 20000 <kind 28 "012c0000",nop,nop>
      +.04 > . 1:1(0) ack 31
      +0 optionOf USER_TIMEOUT = 100000
      +0 state ESTABLISHED
    `);
  });
});

/** Path MTU discovery by ICMP: RFC 1191 (IPv4), RFC 8201 (IPv6), RFC 5927 (what is believed). S60. */
import { describe } from "vitest";
import { scenario, scenarioV4, scenarioV6 } from "./dsl/scenario.ts";

/** An MSS as large as the link's: 1460. */
const SYN = "mss 1460,nop,nop,sackOK";
const CONFIG = { syn: SYN, win: 60_000, rtoMs: 1000 };

describe("1191-1 a router that can not send a segment on", () => {
  scenario("1191-1 8201-1 lowers the MSS, and what was in flight is sent again at once", (on) => {
    on.established(CONFIG).script(`
      +0   write 4380
      +0   > . 1:1461(1460) ack 1
      +0   > . 1461:2921(1460) ack 1
      +0   > P. 2921:4381(1460) ack 1
      +.01 tooBig 1 1460 1300
      +0   > . 1:1261(1260) ack 1
      +0   > . 1261:2521(1260) ack 1
      +0   > . 2521:3781(1260) ack 1
      +0   > P. 3781:4381(600) ack 1
      +0   drops MTU_REDUCED = 1
      +.01 < . 1:1(0) ack 4381 win 60000
      +0   write 2520
      +0   > . 4381:5641(1260) ack 1
      +0   > P. 5641:6901(1260) ack 1
    `);
  });

  scenario("8201-3 is no congestion: neither cwnd nor ssthresh falls", (on) => {
    on.established(CONFIG).script(`
      +0   write 2920
      +0   > . 1:1461(1460) ack 1
      +0   > P. 1461:2921(1460) ack 1
      +0   info cwnd = 14600
      +.01 tooBig 1 1460 1300
      +0   > . 1:1261(1260) ack 1
      +0   > . 1261:2521(1260) ack 1
      +0   > P. 2521:2921(400) ack 1
      +0   info cwnd = 14600
      +0   info ssthresh = 2147483647
    `);
  });

  scenario("1191-1 is heard once: what else it says of the same flight changes nothing", (on) => {
    on.established(CONFIG).script(`
      +0   write 2920
      +0   > . 1:1461(1460) ack 1
      +0   > P. 1461:2921(1460) ack 1
      +.01 tooBig 1 1460 1300
      +0   > . 1:1261(1260) ack 1
      +0   > . 1261:2521(1260) ack 1
      +0   > P. 2521:2921(400) ack 1
      +0   tooBig 1461 1460 1300 = WRONG_STATE
      +0   nothing
    `);
  });

  scenario("1191-1 the timestamps' bytes come off, too", (on) => {
    on.established({ ...CONFIG, syn: "mss 1460,sackOK,TS val 9 ecr 0,nop,wscale 0" }).script(`
      +0   write 1448
      +0   > P. 1:1449(1448) ack 1
      +.01 tooBig 1 1460 1300
      +0   > . 1:1249(1248) ack 1
      +0   > P. 1249:1449(200) ack 1
    `);
  });
});

describe("RFC 5927 section 4: what is not believed", () => {
  scenario("8201-2 a segment that is not in flight", (on) => {
    on.established(CONFIG).script(`
      +0   write 1460
      +0   > P. 1:1461(1460) ack 1
      +0   tooBig 1461 1460 1300 = STALE_HANDLE
      +0   tooBig -1000 1460 1300 = STALE_HANDLE
      +0   drops ICMP_IGNORED = 2
      +.01 < . 1:1(0) ack 1461 win 60000
      +0   tooBig 1 1460 1300 = STALE_HANDLE
      +0   nothing
    `);
  });

  scenario("1191-2 an MTU that would have let the packet pass, or a larger one than ours", (on) => {
    on.established(CONFIG).script(`
      +0 write 1460
      +0 > P. 1:1461(1460) ack 1
      +0 tooBig 1 1460 1500 = WRONG_STATE
      +0 tooBig 1 1460 9000 = WRONG_STATE
      +0 tooBig 1 100 1300 = WRONG_STATE
      +0 nothing
    `);
  });

  scenarioV4("1191-2 an MTU below 68", (on) => {
    on.established(CONFIG).script(`
      +0 write 1460
      +0 > P. 1:1461(1460) ack 1
      +0 tooBig 1 1460 67 = WRONG_STATE
      +0 nothing
    `);
  });

  scenarioV6("8201-1 an MTU below 1280 (1279 here)", (on) => {
    on.established(CONFIG).script(`
      +0 write 1460
      +0 > P. 1:1461(1460) ack 1
      +0 tooBig 1 1460 1259 = WRONG_STATE
      +0 nothing
      +0 tooBig 1 1460 1260
      +0 > . 1:1221(1220) ack 1
      +0 > P. 1221:1461(240) ack 1
    `);
  });

  scenario("1191-1 anything, when discovery is off", (on) => {
    on.established({ ...CONFIG, features: 0 }).script(`
      +0 write 1460
      +0 > P. 1:1461(1460) ack 1
      +0 tooBig 1 1460 1300 = WRONG_STATE
      +0 nothing
    `);
  });
});

describe("RFC 1191 section 5: routers that do not tell their MTU", () => {
  scenarioV4("1191-1 are taken to have the next likely one: 1492, then 1006", (on) => {
    on.established(CONFIG).script(`
      +0   write 1460
      +0   > P. 1:1461(1460) ack 1
      +.01 tooBig 1 1460 0
      +0   > . 1:1453(1452) ack 1
      +0   > P. 1453:1461(8) ack 1
      +.01 tooBig 1 1452 0
      +0   > . 1:967(966) ack 1
      +0   > . 967:1453(486) ack 1
      +0   > P. 1453:1461(8) ack 1
    `);
  });
});

describe("a path of less than 552 bytes", () => {
  scenarioV4("1191-2 may fragment: what we send says Don't Fragment no longer", (on) => {
    const session = on.established(CONFIG).script(`
      +0   write 1460
      +0   > P. 1:1461(1460) ack 1
    `);
    session.world.ip = { ...session.world.ip, mayFragment: true };
    session.script(`
      +.01 tooBig 1 1460 296
      +0   > . 1:513(512) ack 1
      +0   > . 513:1025(512) ack 1
      +0   > P. 1025:1461(436) ack 1
    `);
  });

  scenarioV4("1191-1 nor does it, when the user has switched discovery off", (on) => {
    const session = on.established(CONFIG);
    session.world.ip = { ...session.world.ip, mayFragment: true };
    session.script(`
      +0 option MTU_DISCOVERY 0
      +0 write 1460
      +0 > P. 1:1461(1460) ack 1
      +0 tooBig 1 1460 1300 = WRONG_STATE
      +0 nothing
    `);
  });
});

describe("1191-3 raising", () => {
  const lowered = `
      +0    write 1460
      +0    > P. 1:1461(1460) ack 1
      +.01  tooBig 1 1460 1300
      +0    > . 1:1261(1260) ack 1
      +0    > P. 1261:1461(200) ack 1
      +.01  < . 1:1(0) ack 1461 win 60000
  `;

  scenario("1191-3 is not tried within ten minutes", (on) => {
    on.established(CONFIG).script(`
      ${lowered}
      +599  write 6300
      +0    > . 1461:2721(1260) ack 1
      +0    > . 2721:3981(1260) ack 1
      +0    > . 3981:5241(1260) ack 1
      +0    > . 5241:6501(1260) ack 1
      +0    > P. 6501:7761(1260) ack 1
    `);
  });

  scenario("1191-3 is tried by one larger segment then, and kept when that arrives", (on) => {
    on.established(CONFIG).script(`
      ${lowered}
      +600  write 7760
      +0    > . 1461:2921(1460) ack 1
      +0    > . 2921:4181(1260) ack 1
      +0    > . 4181:5441(1260) ack 1
      +0    > . 5441:6701(1260) ack 1
      +0    > . 6701:7961(1260) ack 1
      +0    > P. 7961:9221(1260) ack 1
      +.01  < . 1:1(0) ack 9221 win 60000
      +0    drops MTU_RAISED = 1
      +0    write 2920
      +0    > . 9221:10681(1460) ack 1
      +0    > P. 10681:12141(1460) ack 1
    `);
  });
});

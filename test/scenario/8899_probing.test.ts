/** Path MTU discovery without ICMP: RFC 8899 in the form that TCP has, RFC 4821. S60. */
import { describe } from "vitest";
import { MTU_PROBING_ALWAYS, MTU_PROBING_OFF } from "../../src/layout/layout.gen.ts";
import { scenario, scenarioV4 } from "./dsl/scenario.ts";

/** A remote that takes segments as large as our link's. */
const CONFIG = { syn: "mss 1460,nop,nop,sackOK", win: 60_000, rtoMs: 1000 };
const ALWAYS = { ...CONFIG, mtuProbing: MTU_PROBING_ALWAYS };

describe("8899-1 probes", () => {
  scenarioV4("8899-1 begin at the base and try the largest packet first", (on) => {
    on.established(ALWAYS).script(`
      +0   info mss = 1024
      +0   write 6580
      +0   > . 1:1461(1460) ack 1
      +0   > . 1461:2485(1024) ack 1
      +0   > . 2485:3509(1024) ack 1
      +0   > . 3509:4533(1024) ack 1
      +0   > . 4533:5557(1024) ack 1
      +0   > P. 5557:6581(1024) ack 1
      +.01 < . 1:1(0) ack 6581 win 60000
      +0   info mss = 1460
      +0   drops MTU_PROBES = 1
      +0   drops MTU_RAISED = 1
    `);
  });

  scenarioV4("8899-1 wait until enough follows to tell at once that they are lost", (on) => {
    on.established(ALWAYS).script(`
      +0 write 4096
      +0 > . 1:1025(1024) ack 1
      +0 > . 1025:2049(1024) ack 1
      +0 > . 2049:3073(1024) ack 1
      +0 > P. 3073:4097(1024) ack 1
      +0 drops MTU_PROBES = 0
    `);
  });

  const lost = `
      +0   write 6580
      +0   > . 1:1461(1460) ack 1
      +0   > . 1461:2485(1024) ack 1
      +0   > . 2485:3509(1024) ack 1
      +0   > . 3509:4533(1024) ack 1
      +0   > . 4533:5557(1024) ack 1
      +0   > P. 5557:6581(1024) ack 1
  `;

  scenarioV4(
    "8899-1 that are lost alone are sent again in smaller segments, without congestion",
    (on) => {
      on.established(ALWAYS).script(`
      ${lost}
      +0   info cwnd = 10240
      +.1  < . 1:1(0) ack 1 win 60000 <nop,nop,sack 1461:2485>
      +0   < . 1:1(0) ack 1 win 60000 <nop,nop,sack 1461:3509>
      +0   < . 1:1(0) ack 1 win 60000 <nop,nop,sack 1461:4533>
      +0   > . 1:1025(1024) ack 1
      +0   > . 1025:1461(436) ack 1
      +0   < . 1:1(0) ack 1 win 60000 <nop,nop,sack 1461:5557>
      +0   < . 1:1(0) ack 1 win 60000 <nop,nop,sack 1461:6581>
      +0   nothing
      +.1  < . 1:1(0) ack 6581 win 60000
      +0   info mss = 1024
      +0   info ssthresh = 2147483647
      +0   drops FAST_RETRANSMITS = 0
    `);
    },
  );

  scenarioV4("8899-1 that are lost three times make the search go on between", (on) => {
    const session = on.established(ALWAYS);
    for (let at = 1; at < 3 * 6580; at += 6580) {
      session.script("+0 write 6580\n+0 take 6");
      const [hole, end] = [at + 1460, at + 6580];
      session.script(`
        +.1  < . 1:1(0) ack ${at} win 60000 <nop,nop,sack ${hole}:${hole + 1024}>
        +0   < . 1:1(0) ack ${at} win 60000 <nop,nop,sack ${hole}:${hole + 2048}>
        +0   < . 1:1(0) ack ${at} win 60000 <nop,nop,sack ${hole}:${hole + 3072}>
        +0   > . ${at}:${at + 1024}(1024) ack 1
        +0   > . ${at + 1024}:${hole}(436) ack 1
        +.1  < . 1:1(0) ack ${end} win 60000
      `);
    }
    // Between 1064 and 1500 bytes: 1282, which is 1242 of text.
    session.script(`
      +0   write 6000
      +0   > . 19741:20983(1242) ack 1
      +0   take 4
      +.1  < . 1:1(0) ack 24841 win 60000
      +0   info mss = 1242
    `);
  });

  scenario("8899-1 are not sent on a link whose MTU is in use already", (on) => {
    on.established(CONFIG).script(`
      +0 write 14600
      +0 > . 1:1461(1460) ack 1
      +0 take 9
      +0 drops MTU_PROBES = 0
    `);
  });
});

describe("8899-2 a router's word on a probe", () => {
  scenarioV4("8899-2 is the next size to try, and no reason to lower what passes", (on) => {
    on.established(ALWAYS).script(`
      +0   write 6580
      +0   > . 1:1461(1460) ack 1
      +0   > . 1461:2485(1024) ack 1
      +0   > . 2485:3509(1024) ack 1
      +0   > . 3509:4533(1024) ack 1
      +0   > . 4533:5557(1024) ack 1
      +0   > P. 5557:6581(1024) ack 1
      +.01 tooBig 1 1460 1400
      +0   info mss = 1024
      +0   info ssthresh = 2147483647
      +0   take 7
      +.01 < . 1:1(0) ack 6581 win 60000
      +0   write 6000
      +0   > . 6581:7941(1360) ack 1
      +0   take 4
    `);
  });
});

describe("8899-2 S60 a black hole", () => {
  const silence = `
      +0   write 2920
      +0   > . 1:1461(1460) ack 1
      +0   > P. 1461:2921(1460) ack 1
      +1   > . 1:1461(1460) ack 1
      +2   > . 1:1461(1460) ack 1
  `;
  const PLAIN = { ...CONFIG, syn: "mss 1460" };

  scenarioV4("8899-2 S60 is found after three timeouts: the MSS falls to the base", (on) => {
    on.established({ ...PLAIN, features: 0 }).script(`
      ${silence}
      +4   > . 1:1025(1024) ack 1
      +0   drops MTU_BLACK_HOLES = 1
      +.01 < . 1:1(0) ack 1025 win 60000
      +0   > . 1025:1461(436) ack 1
      +0   > . 1461:2485(1024) ack 1
    `);
  });

  scenarioV4("8899-2 is deeper, when the base vanishes as well: 512", (on) => {
    on.established({ ...PLAIN, features: 0 }).script(`
      ${silence}
      +4   > . 1:1025(1024) ack 1
      +8   > . 1:1025(1024) ack 1
      +16  > . 1:1025(1024) ack 1
      +32  nothing
    `.replace("+32  nothing", "")).script(`
      +32  > . 1:1025(1024) ack 1
    `);
  });

  scenario("8899-2 is not looked for, when it is switched off", (on) => {
    on.established({ ...PLAIN, features: 0, mtuProbing: MTU_PROBING_OFF }).script(`
      ${silence}
      +4   > . 1:1461(1460) ack 1
      +8   > . 1:1461(1460) ack 1
    `);
  });

  scenario("8899-2 is not suspected, when small segments vanish, too", (on) => {
    on.established({ ...PLAIN, features: 0 }).script(`
      +0   write 100
      +0   > P. 1:101(100) ack 1
      +1   > P. 1:101(100) ack 1
      +2   > P. 1:101(100) ack 1
      +4   > P. 1:101(100) ack 1
      +0   drops MTU_BLACK_HOLES = 0
      +0   info mss = 1460
    `);
  });
});

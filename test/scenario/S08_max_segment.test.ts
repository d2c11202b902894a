/** S08: the largest segment, with the documents' Ethernet and SLIP: figures 18.8 and 18.9. RFC 9293 section 3.7.1. */
import { describe, expect, test } from "vitest";
import { FEATURE_ANY_ADDRESS } from "../../src/layout/layout.gen.ts";
import { StreamConnection } from "../../src/api/tcp_connection.ts";
import { scenario, scenarioV4, scenarioV6 } from "./dsl/scenario.ts";
import { Hosts } from "./hosts.ts";

/** No options in the SYN but the MSS. */
const PLAIN = { features: FEATURE_ANY_ADDRESS } as const;

describe("S08 the maximum segment size", () => {
  scenario(
    "figure 18.9: Ethernet announces 1460, SLIP 256, and neither sends more than 256",
    (on) => {
      on.client(PLAIN).script(`
      +0  connect
      +0  > S 0:0(0) <mss 1460>
      +.1 < S. 0:0(0) ack 1 win 4096 <mss 256>
      +0  > . 1:1(0) ack 1
      +0  write 512
      +0  > . 1:257(256) ack 1
      +0  > P. 257:513(256) ack 1
    `);
      on.server({ ...PLAIN, mtu: 296 }).script(`
      +0  listen
      +0  < S 0:0(0) win 4096 <mss 1460>
      +0  > S. 0:0(0) ack 1 <mss 256>
      +.1 < . 1:1(0) ack 1 win 4096
      +0  accept
      +0  write 512
      +0  > . 1:257(256) ack 1
      +0  > P. 257:513(256) ack 1
    `);
    },
  );

  scenarioV4("is 536, if the peer announces none", (on) => {
    on.established({ ...PLAIN, syn: "nop,nop,nop,nop" }).script(`
      +0 info mss = 536
      +0 write 536
      +0 > P. 1:537(536) ack 1
    `);
  });

  scenarioV6("is 1220 over IPv6, if the peer announces none", (on) => {
    on.established({ ...PLAIN, syn: "nop,nop,nop,nop" }).script(`
      +0 info mss = 1220
      +0 write 1220
      +0 > P. 1:1221(1220) ack 1
    `);
  });

  scenario("can be set for one connection, and is announced so", (on) => {
    on.client(PLAIN).script(`
      +0 connect MAX_SEGMENT 512
      +0 > S 0:0(0) <mss 512>
      +0 < S. 0:0(0) ack 1 win 4096 <mss 1460>
      +0 > . 1:1(0) ack 1
      +0 optionOf MAX_SEGMENT = 512
      +0 write 1024
      +0 > . 1:513(512) ack 1
      +0 > P. 513:1025(512) ack 1
    `);
  });

  test("can be asked for, as TCP_MAXSEG", async () => {
    const hosts = new Hosts({ timestamps: false });
    hosts.listen("B", 9);
    const connection = new StreamConnection(hosts.connect("A", "B", 9));
    expect(connection.info().mssBytes).toBe(1460);
    expect((await connection.getOptions()).maxSegmentBytes).toBe(1460);
  });
});

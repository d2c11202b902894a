/** S08: the largest segment, with the documents' Ethernet and SLIP: figures 18.8 and 18.9. RFC 9293 section 3.7.1. */
import { describe, expect, test } from "vitest";
import { FEATURE_ANY_ADDRESS } from "../../src/layout/layout.gen.ts";
import { StreamConnection } from "../../src/api/tcp_connection.ts";
import { scenario } from "./dsl/scenario.ts";
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

  test("can be asked for, as TCP_MAXSEG", async () => {
    const hosts = new Hosts({ timestamps: false });
    hosts.listen("B", 9);
    const connection = new StreamConnection(hosts.connect("A", "B", 9));
    expect(connection.info().mssBytes).toBe(1460);
    expect((await connection.getOptions()).maxSegmentBytes).toBe(1460);
  });
});

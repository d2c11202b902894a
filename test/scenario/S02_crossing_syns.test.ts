/** S02: both open at once: figures 18.17 and 18.18 of the documents, seen from each end and from the cable. */
import { describe, expect, test } from "vitest";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { scenario } from "./dsl/scenario.ts";
import { addressOf, type HostName, Hosts, readText, writeText } from "./hosts.ts";
import type { Connection } from "../../src/tcp/connection.ts";

function connect(
  hosts: Hosts,
  from: HostName,
  to: HostName,
  localPort: number,
  port: number,
): Connection {
  const remote = { address: parseIpv4(addressOf(to)), port };
  return hosts.at(from).manager.connect({ remote, localPort });
}

describe("S02 simultaneous open", () => {
  test("figure 18.18: two SYNs, two SYN,ACKs of the same numbers, one connection, data both ways", () => {
    const hosts = new Hosts();
    // Both know the other's MAC, so that nothing but the SYNs is on the way.
    hosts.connect("A", "B", 1);
    hosts.connect("B", "A", 1);
    hosts.absolute();
    hosts.segments();
    const bsdi = connect(hosts, "A", "B", 8888, 7777);
    const vangogh = connect(hosts, "B", "A", 7777, 8888);
    hosts.pass();
    expect(hosts.segments().sort()).toEqual([
      "A.8888 > B.7777: S",
      "A.8888 > B.7777: S ack",
      "B.7777 > A.8888: S",
      "B.7777 > A.8888: S ack",
    ]);
    const isns = hosts.absolute().map((line) => /^(.).* S (\d+):/.exec(line)?.slice(1).join(" "));
    // Each answers with the number of its own SYN.
    expect(new Set(isns).size).toBe(2);
    expect(bsdi.isOpened && vangogh.isOpened).toBe(true);
    writeText(bsdi, "hello, world\n");
    hosts.pass(100);
    writeText(vangogh, "and hi there\n");
    hosts.pass(100);
    expect([readText(vangogh).text, readText(bsdi).text]).toEqual([
      "hello, world\n",
      "and hi there\n",
    ]);
    vangogh.close();
    hosts.pass();
    bsdi.close();
    hosts.pass();
    const lines = hosts.segments().map((line) => line.split(": ")[1]);
    expect(lines).toEqual([
      "P 1:14(13) ack 1",
      ". ack 14",
      "P 1:14(13) ack 14",
      ". ack 14",
      "F 14:14(0) ack 14",
      ". ack 15",
      "F 14:14(0) ack 15",
      ". ack 15",
    ]);
  });

  scenario("figure 18.17: SYN-SENT, SYN-RECEIVED, ESTABLISHED", (on) => {
    on.client({ peerIss: 1_058_199_041 }).script(`
      +0     connect
      +0     > S 0:0(0)
      +0     state SYN-SENT
      +.2138 < S 0:0(0) win 8192 <mss 512>
      +0     > S. 0:0(0) ack 1
      +0     state SYN-RECEIVED
      +.1266 < S. 0:0(0) ack 1 win 8192 <mss 512>
      +0     state ESTABLISHED
      +0     event OPENED
      +0     nothing
    `);
  });
});

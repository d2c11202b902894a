/** A lease of dnsmasq's, from the first question to the release, in a network namespace. */
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { whatDnsmasqMisses } from "./dnsmasq.ts";
import { Namespace, whatIsMissing } from "./namespace.ts";
import { PeerProgram } from "./peer_program.ts";

const missing = whatIsMissing() ?? whatDnsmasqMisses();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`DHCP can not be tested against dnsmasq: ${missing}`);
}

describe.skipIf(missing !== null)("DHCP and dnsmasq", () => {
  let peer: PeerProgram;

  beforeAll(async () => {
    peer = await PeerProgram.build("dhcp_peer");
  });

  afterAll(() => peer?.delete());

  test("a lease brings routes, domains and an MTU, and goes back at the end", async () => {
    await using namespace = new Namespace({ bare: true });
    expect(await peer.report(namespace, namespace.tap, peer.folder)).toEqual({
      isInRange: true,
      gateway: "10.97.0.1",
      mtu: 1_400,
      leaseSeconds: 120,
      search: ["lab.example", "home.example"],
      hop: "10.97.0.7",
      isLeased: true,
      received: 1,
      leases: "",
    });
  }, 60_000);
});

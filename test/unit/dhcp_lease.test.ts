/** What of a server's offer is believed, and what makes it none: RFC 2131 sections 4.3.1 and 4.4.5, RFC 2132. */
import { describe, expect, test } from "vitest";
import { parseIpv4 } from "../../src/net/addresses.ts";
import {
  type Lease,
  LEASE_MAX_SECONDS,
  LEASE_MIN_SECONDS,
  readLease,
} from "../../src/net/dhcp_lease.ts";
import {
  buildDhcp,
  option16,
  option32,
  OPTION_DNS,
  OPTION_DOMAIN,
  OPTION_LEASE_SECONDS,
  OPTION_MTU,
  OPTION_ROUTER,
  OPTION_ROUTES,
  OPTION_SERVER_ID,
  OPTION_SUBNET_MASK,
  OPTION_T1_SECONDS,
  OPTION_T2_SECONDS,
  parseDhcp,
} from "../../src/wire/dhcp.ts";

const ip = parseIpv4;
const OURS = "10.0.2.15";
const GATEWAY = ip("10.0.2.2");
const LINK_MTU = 1_500;

/** Reads an ACK with some options in the place of the usual ones. */
function lease(
  options: readonly (readonly [number, Uint8Array])[],
  address = OURS,
): Lease | null {
  const message = parseDhcp(buildDhcp({
    ...{ op: 2, type: 5, xid: 1, secs: 0, broadcast: false, ciaddr: 0, giaddr: 0 },
    yiaddr: ip(address),
    chaddr: new Uint8Array(6),
    options: new Map<number, Uint8Array>([
      [OPTION_SUBNET_MASK, option32(0xffff_ff00)],
      [OPTION_SERVER_ID, option32(GATEWAY)],
      [OPTION_ROUTER, option32(GATEWAY)],
      ...options,
    ]),
  }));
  if (typeof message === "string") throw new Error(message);
  return readLease(message, LINK_MTU);
}

const addresses = (...texts: string[]): Uint8Array =>
  Uint8Array.from(texts.flatMap((text) => text.split(".").map(Number)));

describe("an offer", () => {
  test.each(
    [
      ["whose server is a group", [[OPTION_SERVER_ID, addresses("224.0.0.1")]], OURS],
      ["whose server is everybody", [[OPTION_SERVER_ID, addresses("255.255.255.255")]], OURS],
      ["of the server's own address", [], "10.0.2.2"],
      ["of a router's address", [[OPTION_ROUTER, addresses("10.0.2.1", OURS)]], OURS],
      ["of a network's address", [], "10.0.2.0"],
      ["of a network's broadcast address", [], "10.0.2.255"],
      ["of a network larger than class A", [[OPTION_SUBNET_MASK, option32(0xfe00_0000)]], OURS],
      ["with a mask that is none", [[OPTION_SUBNET_MASK, option32(0xff00_ff00)]], OURS],
    ] as const,
  )("%s is none", (_, options, address) => {
    expect(lease(options, address)).toBeNull();
  });

  test("of a network of class A is one", () => {
    expect(lease([[OPTION_SUBNET_MASK, option32(0xff00_0000)]])?.prefixLength).toBe(8);
  });

  test("names the first router that is on our network", () => {
    const routers = addresses("224.0.0.1", "192.0.2.1", "10.0.2.7", "10.0.2.8");
    expect(lease([[OPTION_ROUTER, routers]])?.gateway).toBe(ip("10.0.2.7"));
    // RFC 3442 has the same of its routes, and its default route is the gateway and no route.
    const routes = Uint8Array.from([
      ...[24, 192, 0, 2, ...addresses(OURS)],
      ...[24, 192, 0, 3, ...addresses("10.0.2.9")],
      ...[0, ...addresses("10.0.2.8")],
    ]);
    expect(lease([[OPTION_ROUTES, routes]])).toMatchObject({
      gateway: ip("10.0.2.8"),
      routes: [{ network: ip("192.0.3.0"), prefixLength: 24, gateway: ip("10.0.2.9") }],
    });
  });

  test("of a network of one address takes its router from anywhere", () => {
    const options = [
      [OPTION_SUBNET_MASK, option32(0xffff_ffff)],
      [OPTION_ROUTER, addresses("192.0.2.1")],
    ] as const;
    expect(lease(options)?.gateway).toBe(ip("192.0.2.1"));
  });

  test("names hosts as name servers, three of them at most", () => {
    const servers = addresses("224.0.0.1", "192.0.2.1", "192.0.2.2", "192.0.2.3");
    expect(lease([[OPTION_DNS, servers]])?.dns).toEqual([ip("192.0.2.1"), ip("192.0.2.2")]);
  });

  test("completes names with a domain, unless it is none", () => {
    const domain = (text: string): Uint8Array => new TextEncoder().encode(text);
    expect(lease([[OPTION_DOMAIN, domain("Example.ORG.")]])?.search).toEqual(["example.org"]);
    expect(lease([[OPTION_DOMAIN, domain("not a name")]])?.search).toEqual([]);
    expect(lease([])?.search).toEqual([]);
  });
});

describe("numbers of an offer", () => {
  test.each([[67, LINK_MTU], [68, 68], [1_400, 1_400], [1_501, LINK_MTU]])(
    "an MTU of %i bytes is %i",
    (asked, mtu) => {
      expect(lease([[OPTION_MTU, option16(asked)]])?.mtu).toBe(mtu);
    },
  );

  test.each([
    [0, LEASE_MIN_SECONDS],
    [59, LEASE_MIN_SECONDS],
    [60, 60],
    [0xffff_ffff, LEASE_MAX_SECONDS],
  ])("a lease of %i s is one of %i s", (asked, seconds) => {
    expect(lease([[OPTION_LEASE_SECONDS, option32(asked)]])?.leaseSeconds).toBe(seconds);
  });

  test.each([
    ["in order", 30, 50, [30, 50]],
    ["where the first is too soon", 29, 50, [50, 87.5]],
    ["where the first is the second", 50, 50, [50, 87.5]],
    ["where the second is the end", 40, 100, [50, 87.5]],
  ])("times of renewal %s", (_, t1, t2, times) => {
    const read = lease([
      [OPTION_LEASE_SECONDS, option32(100)],
      [OPTION_T1_SECONDS, option32(t1)],
      [OPTION_T2_SECONDS, option32(t2)],
    ]);
    expect([read?.t1Seconds, read?.t2Seconds]).toEqual(times);
  });
});

/** Addresses and routers of IPv6, as the wire shows them: RFC 4862, RFC 7217, RFC 4861 section 6, RFC 8106. */
import { describe, expect, test } from "vitest";
import { ADDRESS_RETRIES } from "../../src/net/slaac.ts";
import { ADVERTISEMENTS_PER_SECOND, ROUTERS_MAX } from "../../src/net/router_advertisements.ts";
import { solicitedNode } from "../../src/net/neighbor_discovery.ts";
import { IPV6_ADDRESSES_MAX } from "../../src/net/ipv6_addresses.ts";
import { formatIp } from "../../src/net/addresses.ts";
import { readIpv6 } from "../../src/wire/address_bytes.ts";
import { NEIGHBOR_SOLICITATION, REDIRECT, ROUTER_SOLICITATION } from "../../src/wire/icmpv6.ts";
import { NA_OVERRIDE, neighborAdvertisement, neighborSolicitation } from "../../src/wire/ndp.ts";
import { macOf, station } from "../fake_port.ts";
import {
  addressesOf,
  advance,
  advertise,
  advertisement,
  ALL_NODES,
  config,
  dnsOption,
  ip6,
  linkLocalOf,
  macOption,
  madeOf,
  mtuOption,
  NEIGHBOR,
  NEIGHBOR_MAC,
  PREFIX,
  prefixOption,
  ROUTER,
  ROUTER_MAC,
  say,
  searchOption,
  staticStation,
  station6,
  takeMessages,
  takePackets,
} from "../ipv6_net.ts";

describe("RFC 4862: addresses", () => {
  test("4862-1 a link-local address is tried from ::, and is ours when nobody answers", () => {
    const host = station(1);
    host.iface.ipv6.start(config());
    const [tried] = takeMessages(host, NEIGHBOR_SOLICITATION);
    const own = linkLocalOf(host);
    expect(formatIp(own)).toMatch(/^fe80::/);
    expect(tried).toMatchObject({ source: 0n, destination: solicitedNode(own), ttl: 255 });
    expect(readIpv6(tried?.body ?? new Uint8Array(16), 0)).toBe(own);
    expect(tried?.body).toHaveLength(16);
    advance(host, 999);
    expect(host.iface.isLocal(own)).toBe(false);
    advance(host, 1);
    expect(host.iface.isLocal(own)).toBe(true);
    expect([...host.port.addresses.values()].map(({ address }) => address)).toEqual([own]);
  });

  test("4861-3 7559-1 routers are asked at once, and again after 4, 8, 16 s … until one answers (RFC 7559)", () => {
    const host = station(1);
    host.iface.ipv6.start(config());
    const [first] = takeMessages(host, ROUTER_SOLICITATION);
    expect(first).toMatchObject({ source: 0n, destination: ip6("ff02::2"), ttl: 255 });
    expect(first?.body).toHaveLength(0);
    const gaps: number[] = [];
    let lastMs = 0;
    for (let ms = 0; ms < 60_000; ms += 100) {
      advance(host, 100);
      const [asked] = takeMessages(host, ROUTER_SOLICITATION);
      if (asked === undefined) continue;
      // By now there is an address, and with it our MAC is told.
      expect(asked).toMatchObject({ source: linkLocalOf(host) });
      expect(asked.body).toEqual(macOption(host.port.mac));
      gaps.push(ms - lastMs);
      lastMs = ms;
    }
    expect(gaps).toHaveLength(3);
    gaps.forEach((gap, i) => expect(Math.abs((gap / (4_000 * (2 ** i))) - 1)).toBeLessThan(0.25));
    expect(host.iface.ipv6.isSettled).toBe(true);
    advertise(host, []);
    advance(host, 200_000);
    expect(takeMessages(host, ROUTER_SOLICITATION)).toEqual([]);
  });

  test("4862-5 an address is made of an announced prefix, tried, and goes at the end of its life", () => {
    const host = station6(1);
    takePackets(host);
    advertise(host, [prefixOption(PREFIX, { valid: 3_600, preferred: 1_800 })]);
    const made = madeOf(host);
    expect(made >> 64n).toBe(PREFIX >> 64n);
    expect(takeMessages(host, NEIGHBOR_SOLICITATION)[0]).toMatchObject({ source: 0n });
    expect(addressesOf(host)[1]).toBe(`slaac ${formatIp(made)} tentative`);
    const lost: bigint[] = [];
    host.iface.ipv6.onAddressLost = (address) => void lost.push(address);
    advance(host, 1_000);
    expect(host.iface.isConfigured).toBe(true);
    advance(host, 1_799_000);
    expect(addressesOf(host)[1]).toBe(`slaac ${formatIp(made)} deprecated`);
    advance(host, 1_800_000);
    expect(addressesOf(host)).toHaveLength(1);
    expect(lost).toEqual([made]);
  });

  test("7217-1 the same key gives the same address the next time, another one another (RFC 7217)", () => {
    const made = [config(), config(), config({ key: new Uint8Array(16).fill(8) })].map((parts) => {
      const host = station6(1, parts);
      advertise(host, [prefixOption(PREFIX)]);
      return madeOf(host);
    });
    expect(made[1]).toBe(made[0]);
    expect(made[2]).not.toBe(made[0]);
    expect(formatIp(made[0] ?? 0)).not.toContain("ff:fe");
  });

  test("4862-3 a prefix is ignored that is link-local, too short, not autonomous or lives less than it is preferred", () => {
    const host = station6(1);
    advertise(host, [
      prefixOption(ip6("fe80::")),
      prefixOption(PREFIX, { length: 48 }),
      prefixOption(PREFIX, { flags: 0x80 }),
      prefixOption(PREFIX, { valid: 10, preferred: 11 }),
      prefixOption(ip6("ff05::")),
      prefixOption(PREFIX, { valid: 0, preferred: 0 }),
    ]);
    expect(addressesOf(host)).toHaveLength(1);
  });

  test("4862-4 two hours are left of an address, whatever one message says (section 5.5.3)", () => {
    const host = station6(1);
    advertise(host, [prefixOption(PREFIX, { valid: 86_400, preferred: 86_400 })]);
    advance(host, 1_000);
    advertise(host, [prefixOption(PREFIX, { valid: 5, preferred: 5 })]);
    advance(host, 7_190_000);
    expect(addressesOf(host)).toHaveLength(2);
    // The rest is not lengthened by saying it again.
    advertise(host, [prefixOption(PREFIX, { valid: 5, preferred: 5 })]);
    advance(host, 11_000);
    expect(addressesOf(host)).toHaveLength(1);
  });

  test("a renewed prefix keeps its address", () => {
    const host = station6(1);
    for (let hour = 0; hour < 5; hour++) {
      advertise(host, [prefixOption(PREFIX, { valid: 7_300, preferred: 3_700 })]);
      advance(host, 3_600_000);
    }
    expect(addressesOf(host)[1]).toBe(`slaac ${formatIp(madeOf(host))}`);
  });

  test.each([
    ["an answer", (target: bigint) => neighborAdvertisement(target, NA_OVERRIDE, NEIGHBOR_MAC)],
    ["another who tries it", (target: bigint) => neighborSolicitation(target, null)],
  ])("4862-2 7217-2 %s makes an address a duplicate: the next one is tried", (_, message) => {
    const host = station6(1);
    advertise(host, [prefixOption(PREFIX)]);
    const tried = new Set<bigint>();
    for (let attempt = 0; attempt <= ADDRESS_RETRIES; attempt++) {
      const made = madeOf(host);
      tried.add(made);
      const isAsking = message(made).type === NEIGHBOR_SOLICITATION;
      const destination = isAsking ? solicitedNode(made) : ALL_NODES;
      say(host, message(made), { source: isAsking ? 0n : ROUTER, destination });
      expect(host.iface.groups.has(solicitedNode(made))).toBe(false);
      advance(host, 1_000);
    }
    expect(tried.size).toBe(ADDRESS_RETRIES + 1);
    advance(host, 60_000);
    expect(addressesOf(host)).toHaveLength(1);
    expect(host.iface.counters).toMatchObject({ ND_DUPLICATE: 4, ND_DUPLICATES: 1 });
    // Nor is there one left once the prefix has ended and comes back, least of all its first address (RFC 4291 section 2.6.1).
    advance(host, 86_400_000);
    advertise(host, [prefixOption(PREFIX)]);
    expect(addressesOf(host)).toHaveLength(1);
  });

  test("who resolves a tentative address is not answered, and is no duplicate", () => {
    const host = station6(1);
    advertise(host, [prefixOption(PREFIX)]);
    takePackets(host);
    const made = madeOf(host);
    say(host, neighborSolicitation(made, ROUTER_MAC), { destination: solicitedNode(made) });
    expect(takePackets(host)).toEqual([]);
    advance(host, 1_000);
    expect(host.iface.isLocal(made)).toBe(true);
  });

  test("a hostile router makes as many addresses as there is room for", () => {
    const host = station6(1);
    for (let i = 1n; i <= 100n; i++) {
      advertise(host, [prefixOption(PREFIX | (i << 64n))]);
      advance(host, 100);
    }
    expect(host.iface.ipv6.addresses.all.length).toBeLessThanOrEqual(IPV6_ADDRESSES_MAX);
    expect(host.iface.counters["ND_PREFIXES_FULL"]).toBeGreaterThan(0);
    expect(host.port.addresses.size).toBeLessThanOrEqual(16);
  });

  test("stop() takes everything away, start() begins anew", () => {
    const host = station6(1);
    advertise(host, [prefixOption(PREFIX)]);
    advance(host, 1_000);
    host.iface.ipv6.stop();
    const groups = host.iface.groups.all.filter((group) => typeof group === "bigint");
    expect([host.port.addresses.size, groups]).toEqual([0, []]);
    expect(host.iface.isConfigured).toBe(false);
    host.iface.ipv6.start(config());
    advance(host, 1_000);
    expect(addressesOf(host)).toHaveLength(1);
  });
});

describe("RFC 4861 section 6: routers", () => {
  test("8106-1 name servers, domains, MTU and times are taken, for their time", () => {
    const host = station6(1);
    const { routers } = host.iface.ipv6;
    const server = ip6("2001:db8::53");
    advertise(host, [
      mtuOption(1_400),
      dnsOption(60, server),
      searchOption(60, "example.org"),
    ], { lifetime: 120, reachable: 10_000, retrans: 500 });
    expect(host.iface.nameServers).toEqual([server]);
    expect(routers.search).toEqual(["example.org"]);
    expect([host.iface.ipv6.mtu, routers.reachableMs, routers.retransMs]).toEqual([
      1_400,
      10_000,
      500,
    ]);
    expect(routers.routers).toEqual([ROUTER]);
    advance(host, 60_000);
    expect([host.iface.nameServers, routers.search]).toEqual([[], []]);
    advance(host, 60_000);
    expect(routers.routers).toEqual([]);
  });

  test("4861-2 a lifetime of zero takes a router and a server away at once", () => {
    const host = station6(1);
    advertise(host, [dnsOption(60, NEIGHBOR)]);
    advertise(host, [dnsOption(0, NEIGHBOR)], { lifetime: 0 });
    expect(host.iface.ipv6.routers.routers).toEqual([]);
    expect(host.iface.nameServers).toEqual([]);
  });

  test("8200-9 an MTU that IPv4 was told can not go below what IPv6 needs (RFC 8200 section 5)", () => {
    const host = station6(1);
    const ipv4 = { address: 0x0a000002, prefixLength: 24, gateway: null, dns: [] };
    host.iface.configure({ ...ipv4, mtu: 576 });
    expect(host.iface.mtu).toBe(576);
    expect(host.iface.ipv6.mtu).toBe(1_280);
    host.iface.configure({ ...ipv4, mtu: 1_400 });
    expect(host.iface.ipv6.mtu).toBe(1_400);
  });

  test("an MTU below 1,280 bytes or above the link's is not believed, nor times beyond reason", () => {
    const host = station6(1);
    advertise(host, [mtuOption(1_279)], { reachable: 3_600_001, retrans: 1 });
    advertise(host, [mtuOption(9_000)]);
    expect(host.iface.ipv6.mtu).toBe(1_500);
    expect(host.iface.counters).toMatchObject({
      ND_MTU: 2,
      ND_REACHABLE_TIME: 1,
      ND_RETRANS_TIMER: 1,
    });
  });

  test.each([
    ["a hop limit below 255", { destination: ALL_NODES, ttl: 254 }, "ND_HOP_LIMIT"],
    ["a source beyond the link", { source: NEIGHBOR, destination: ALL_NODES }, "ND_SOURCE"],
  ])("4861-1 an advertisement with %s is dropped", (_, sent, reason) => {
    const host = station6(1);
    say(host, advertisement([prefixOption(PREFIX)]), sent);
    expect(host.iface.counters[reason]).toBe(1);
    expect(addressesOf(host)).toHaveLength(1);
  });

  test("advertisements are not heeded with a static configuration", () => {
    const host = staticStation();
    advertise(host, [prefixOption(PREFIX)]);
    expect(host.iface.ipv6.routers.routers).toEqual([]);
    expect(addressesOf(host)).toHaveLength(2);
  });

  test("a flood of advertisements is counted and dropped, and routers have a limit", () => {
    const host = station6(1);
    for (let i = 1n; i <= 50n; i++) {
      say(host, advertisement([]), { source: ROUTER + i, destination: ALL_NODES });
    }
    expect(host.iface.ipv6.routers.routers).toHaveLength(ROUTERS_MAX);
    const { ND_ADVERTISEMENT_LIMIT, ND_ROUTERS_FULL } = host.iface.counters;
    expect([ND_ADVERTISEMENT_LIMIT, ND_ROUTERS_FULL]).toEqual([
      50 - ADVERTISEMENTS_PER_SECOND,
      ADVERTISEMENTS_PER_SECOND - ROUTERS_MAX,
    ]);
  });

  test("4191-1 a preferred router goes first, a silent one last (RFC 4191 section 3.2)", () => {
    const host = station6(1);
    const other = ip6("fe80::2");
    advertise(host, [prefixOption(PREFIX, { flags: 0x40 }), macOption(ROUTER_MAC)]);
    const liked = advertisement([], { preference: 1 });
    say(host, liked, { source: other, destination: ALL_NODES, mac: macOf(2) });
    advance(host, 1_000);
    const far = ip6("2001:db8:ffff::1");
    expect(host.iface.ipv6.lookup(far)?.nextHop).toBe(other);
    host.iface.ipv6.neighbors.cache.hop(other);
    advance(host, 4_000);
    expect(host.iface.ipv6.lookup(far)?.nextHop).toBe(ROUTER);
  });

  test("5942-1 without the on-link flag even our own prefix is behind the router (RFC 5942)", () => {
    const host = station6(1);
    advertise(host, [prefixOption(PREFIX, { flags: 0x40 })]);
    advance(host, 1_000);
    expect(host.iface.ipv6.lookup(PREFIX | 5n)).toEqual({ source: madeOf(host), nextHop: ROUTER });
    advertise(host, [prefixOption(PREFIX)]);
    expect(host.iface.ipv6.lookup(PREFIX | 5n)?.nextHop).toBe(PREFIX | 5n);
    expect(host.iface.ipv6.lookup(ip6("fe80::9"))?.source).toBe(linkLocalOf(host));
  });

  test("no way leads from a link-local address beyond the link, nor anywhere without a router", () => {
    const host = station6(1);
    expect(host.iface.ipv6.lookup(ip6("2001:db8::1"))).toBeNull();
    advertise(host, []);
    expect(host.iface.ipv6.lookup(ip6("2001:db8::1"))).toBeNull();
    expect(host.iface.ipv6.lookup(ip6("ff02::1"))).toBeNull();
    expect(host.iface.ipv6.lookup(linkLocalOf(host))).toBeNull();
  });

  test("a redirect is counted and not heeded", () => {
    const host = station6(1);
    const body = new Uint8Array(32);
    say(host, { type: REDIRECT, code: 0, rest: 0, body }, { destination: linkLocalOf(host) });
    expect(host.iface.counters["ND_REDIRECT"]).toBe(1);
  });
});

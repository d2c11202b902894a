/** How far routers are believed, and what is left when it ends: RFC 4861 section 6.3, RFC 4862 section 5.5.3, RFC 7559, RFC 8106. */
import { describe, expect, test } from "vitest";
import { NoBuffers } from "../../src/errors.ts";
import { IPV6_ADDRESSES_MAX, isPossibleAddress } from "../../src/net/ipv6_addresses.ts";
import { solicitedNode } from "../../src/net/neighbor_discovery.ts";
import { DNS_MAX, PREFIXES_MAX } from "../../src/net/router_advertisements.ts";
import { SLAAC_PREFIXES_MAX } from "../../src/net/slaac.ts";
import { NEIGHBOR_SOLICITATION, ROUTER_SOLICITATION } from "../../src/wire/icmpv6.ts";
import { NA_OVERRIDE, neighborAdvertisement } from "../../src/wire/ndp.ts";
import { macOf, type Station, station } from "../fake_port.ts";
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
  PREFIX,
  prefixOption,
  ROUTER,
  ROUTER_MAC,
  say,
  searchOption,
  station6,
  takeMessages,
  takePackets,
} from "../ipv6_net.ts";

const FOREVER_SECONDS = 0xffff_ffff;
const ON_LINK = 0x80;

/** Another /64 for each number. */
const prefixOf = (number: number): bigint => PREFIX | (BigInt(number) << 64n);

const slaacOf = (host: Station): string[] =>
  addressesOf(host).filter((text) => text.startsWith("slaac"));

describe("what routers may say", () => {
  test("the smallest MTU of IPv6 and the link's own are believed", () => {
    const host = station6(1);
    for (const mtu of [1_280, 1_500, 1_281]) {
      advertise(host, [mtuOption(mtu)]);
      expect(host.iface.ipv6.mtu).toBe(mtu);
    }
    expect(host.iface.counters["ND_MTU"]).toBeUndefined();
  });

  test("of what a router and others say of the MTU the least is kept to", () => {
    const host = station6(1);
    const v4 = { address: 0x0a000002, prefixLength: 24, gateway: null, dns: [] };
    advertise(host, [mtuOption(1_400)]);
    host.iface.configure({ ...v4, mtu: 1_450 });
    expect(host.iface.ipv6.mtu).toBe(1_400);
    host.iface.configure({ ...v4, mtu: 1_300 });
    expect(host.iface.ipv6.mtu).toBe(1_300);
  });

  test("a router is asked for its MAC as soon as there is an address to ask from", () => {
    const host = station(1);
    host.iface.ipv6.start(config());
    advertise(host, []);
    expect(takeMessages(host, NEIGHBOR_SOLICITATION).filter(({ source }) => source !== 0n)).toEqual(
      [],
    );
    advance(host, 1_000);
    expect(takeMessages(host, NEIGHBOR_SOLICITATION)).toMatchObject([
      { source: linkLocalOf(host), destination: solicitedNode(ROUTER) },
    ]);
  });

  test("times are believed up to an hour and from 100 ms to 10 s, and 0 says nothing", () => {
    const host = station6(1);
    const { routers } = host.iface.ipv6;
    const times = (reachable: number, retrans: number): [number, number] => {
      advertise(host, [], { reachable, retrans });
      return [routers.reachableMs, routers.retransMs];
    };
    expect(times(3_600_000, 10_000)).toEqual([3_600_000, 10_000]);
    expect(times(1, 100)).toEqual([1, 100]);
    expect(times(0, 0)).toEqual([1, 100]);
    expect(host.iface.counters["ND_RETRANS_TIMER"]).toBeUndefined();
    expect(times(3_600_001, 99)).toEqual([1, 100]);
    expect(times(3_600_001, 10_001)).toEqual([1, 100]);
    expect(host.iface.counters).toMatchObject({ ND_REACHABLE_TIME: 2, ND_RETRANS_TIMER: 2 });
  });

  test("no group and nobody is a name server", () => {
    const host = station6(1);
    advertise(host, [dnsOption(60, ALL_NODES, 0n, ROUTER)]);
    expect(host.iface.nameServers).toEqual([ROUTER]);
    expect(host.iface.counters["ND_DNS"]).toBe(2);
  });

  test("name servers, domains and prefixes have limits; what is known is renewed all the same", () => {
    const host = station6(1);
    const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
    const servers = numbers(DNS_MAX + 1).map((i) => PREFIX | BigInt(i));
    const names = numbers(DNS_MAX + 1).map((i) => `d${i}.example`);
    const prefixes = numbers(PREFIXES_MAX + 1).map((i) =>
      prefixOption(prefixOf(i), { flags: ON_LINK, valid: 60, preferred: 60 })
    );
    const all = [dnsOption(60, ...servers), searchOption(60, ...names), ...prefixes];
    advertise(host, all);
    const { routers } = host.iface.ipv6;
    expect(routers.dns).toEqual(servers.slice(0, DNS_MAX));
    expect(routers.search).toEqual(names.slice(0, DNS_MAX));
    const onLink = (): number =>
      numbers(PREFIXES_MAX + 1).filter((i) => routers.isOnLink(prefixOf(i) | 1n)).length;
    expect(onLink()).toBe(PREFIXES_MAX);
    const full = { ND_DNS_FULL: 1, ND_SEARCH_FULL: 1, ND_PREFIXES_FULL: 1 };
    expect(host.iface.counters).toMatchObject(full);
    advance(host, 30_000);
    advertise(host, all);
    advance(host, 59_000);
    expect([routers.dns.length, routers.search.length, onLink()])
      .toEqual([DNS_MAX, DNS_MAX, PREFIXES_MAX]);
    advance(host, 1_000);
    expect([routers.dns, routers.search, onLink()]).toEqual([[], [], 0]);
  });

  test("the longest lifetime never ends, one second less does", () => {
    const host = station6(1);
    advertise(host, [
      dnsOption(FOREVER_SECONDS, ROUTER),
      searchOption(FOREVER_SECONDS - 1, "example.org"),
    ]);
    const { routers } = host.iface.ipv6;
    advance(host, (FOREVER_SECONDS - 1) * 1_000);
    expect([routers.dns, routers.search]).toEqual([[ROUTER], []]);
    advance(host, 2_000);
    expect(routers.dns).toEqual([ROUTER]);
  });

  test("4862-3 prefixes of the link and of groups are ignored in silence, that of nobody is counted", () => {
    const host = station6(1);
    advertise(host, [prefixOption(ip6("fe80::")), prefixOption(ip6("ff05::"))]);
    expect(host.iface.counters["ND_PREFIX"]).toBeUndefined();
    advertise(host, [prefixOption(0n)]);
    expect(host.iface.counters["ND_PREFIX"]).toBe(1);
    expect(slaacOf(host)).toEqual([]);
  });

  test("the MAC that a router tells is used, and its owner asked soon", () => {
    const host = station6(1);
    advertise(host, [macOption(ROUTER_MAC)]);
    takePackets(host);
    host.iface.ipv6.neighbors.cache.hop(ROUTER);
    expect(takePackets(host)).toEqual([]);
    advance(host, 5_000);
    expect(takeMessages(host, NEIGHBOR_SOLICITATION)).toMatchObject([{ destination: ROUTER }]);
  });

  test("silent routers take turns", () => {
    const host = station6(1);
    const other = ip6("fe80::2");
    advertise(host, [prefixOption(PREFIX)]);
    say(host, advertisement([]), { source: other, destination: ALL_NODES, mac: macOf(2) });
    advance(host, 1_000);
    for (const router of [ROUTER, other]) host.iface.ipv6.neighbors.cache.hop(router);
    advance(host, 4_000);
    const far = ip6("2001:db8:ffff::1");
    const chosen = [1, 2, 3, 4].map(() => host.iface.ipv6.lookup(far)?.nextHop);
    expect(new Set(chosen)).toEqual(new Set([ROUTER, other]));
    expect(chosen.slice(2)).toEqual(chosen.slice(0, 2));
  });
});

describe("RFC 7559: asking", () => {
  test("7559-1 goes on while those who answer are no default routers", () => {
    const host = station6(1);
    takePackets(host);
    advertise(host, [], { lifetime: 0 });
    advance(host, 60_000);
    expect(takeMessages(host, ROUTER_SOLICITATION).length).toBeGreaterThan(1);
    advertise(host, []);
    advance(host, 10 * 3_600_000);
    expect(takeMessages(host, ROUTER_SOLICITATION)).toEqual([]);
  });

  test("7559-1 never waits for longer than an hour, give or take a tenth", () => {
    const host = station6(1);
    advance(host, 3 * 3_600_000);
    takePackets(host);
    for (let round = 0; round < 10; round++) {
      advance(host, 1.1 * 3_600_000);
      expect(takeMessages(host, ROUTER_SOLICITATION).length).toBeGreaterThan(0);
    }
  });

  test("no router is expected any more once three have been asked for in vain", () => {
    const host = station6(1);
    advance(host, 20_000);
    expect(host.iface.ipv6.isSettled).toBe(false);
    advance(host, 11_000);
    expect(host.iface.ipv6.isSettled).toBe(true);
  });

  test("begins anew when the link comes back, with the short waits of the beginning", () => {
    const host = station6(1);
    advance(host, 3_600_000);
    advertise(host, []);
    expect(host.iface.ipv6.isSettled).toBe(true);
    host.iface.ipv6.linkUp();
    expect(host.iface.ipv6.isSettled).toBe(false);
    takePackets(host);
    advance(host, 4_400);
    expect(takeMessages(host, ROUTER_SOLICITATION)).toHaveLength(1);
  });

  test("stop() ends it, and forgets what was said", () => {
    const host = station6(1);
    const said = [
      mtuOption(1_400),
      dnsOption(600, ROUTER),
      searchOption(600, "example.org"),
      prefixOption(PREFIX, { flags: ON_LINK }),
    ];
    advertise(host, said, { lifetime: 0, reachable: 5_000, retrans: 500 });
    const { ipv6 } = host.iface;
    const known = (): unknown[] => [
      ...[ipv6.mtu, ipv6.routers.dns, ipv6.routers.search, ipv6.routers.isOnLink(PREFIX | 1n)],
      ...[ipv6.routers.reachableMs, ipv6.routers.retransMs],
    ];
    expect(known()).toEqual([1_400, [ROUTER], ["example.org"], true, 5_000, 500]);
    ipv6.stop();
    expect(known()).toEqual([1_500, [], [], false, 30_000, 1_000]);
    takePackets(host);
    advance(host, 3_600_000);
    expect(takeMessages(host, ROUTER_SOLICITATION)).toEqual([]);
    expect(host.port.clock.pending).toBe(0);
  });
});

describe("RFC 4862 section 5.5.3: lifetimes", () => {
  const life = (valid: number): Uint8Array[] => [prefixOption(PREFIX, { valid, preferred: 5 })];

  test.each([
    ["less than two hours, but more than is left: lengthened", 3_600, 5_000, 5_000],
    ["more than two hours, but less than is left: shortened", 86_400, 7_300, 7_300],
    ["less than two hours of more: two hours are left", 86_400, 7_100, 7_200],
    ["less than is left of less than two hours: as before", 3_600, 3_000, 3_600],
    ["less than two hours of eternity: two hours are left", FOREVER_SECONDS, 5, 7_200],
  ])("4862-4 %s", (_, first, second, leftSeconds) => {
    const host = station6(1);
    advertise(host, life(first));
    advance(host, 1_000);
    const address = madeOf(host);
    // The address was ready, and its end awaited, before the second message.
    advertise(host, life(second));
    const untilMs = (leftSeconds * 1_000) - (leftSeconds === first ? 1_000 : 0);
    advance(host, untilMs - 1);
    expect(host.iface.isLocal(address)).toBe(true);
    advance(host, 1);
    expect(host.iface.isLocal(address)).toBe(false);
  });

  test("a prefix that has ended is not tried again for no time at all", () => {
    const host = station6(1);
    advertise(host, life(7_201));
    advance(host, 7_201_000);
    advertise(host, [prefixOption(PREFIX, { valid: 0, preferred: 0 })]);
    expect(slaacOf(host)).toEqual([]);
  });

  test("prefixes have a limit of their own, and make room when they have ended", () => {
    const host = station6(1);
    const options = Array.from(
      { length: SLAAC_PREFIXES_MAX + 1 },
      (_, i) => prefixOption(prefixOf(i), { valid: 7_201, preferred: 7_201 }),
    );
    advertise(host, options);
    expect(slaacOf(host)).toHaveLength(SLAAC_PREFIXES_MAX);
    expect(host.iface.counters["ND_PREFIXES_FULL"]).toBe(1);
    advance(host, 7_201_000);
    expect(slaacOf(host)).toEqual([]);
    advertise(host, [prefixOption(prefixOf(77))]);
    expect(slaacOf(host)).toHaveLength(1);
    expect(host.iface.counters["ND_PREFIXES_FULL"]).toBe(1);
  });
});

describe("addresses that can not be", () => {
  const claim = (host: Station, address: bigint): void =>
    say(host, neighborAdvertisement(address, NA_OVERRIDE, macOf(9)), { destination: ALL_NODES });

  test("a duplicate is not told as lost, and its successor is kept for the prefix's next life", () => {
    const host = station6(1);
    const lost: bigint[] = [];
    host.iface.ipv6.onAddressLost = (address) => void lost.push(address);
    advertise(host, [prefixOption(PREFIX, { valid: 7_201, preferred: 5 })]);
    const taken = madeOf(host);
    claim(host, taken);
    advance(host, 2_000);
    const next = madeOf(host);
    expect(next).not.toBe(taken);
    expect(lost).toEqual([]);
    advance(host, 7_201_000);
    expect(lost).toEqual([next]);
    advertise(host, [prefixOption(PREFIX)]);
    expect(madeOf(host)).toBe(next);
  });

  test("stop() ends the wait for the next one", () => {
    const host = station6(1);
    advertise(host, [prefixOption(PREFIX)]);
    claim(host, madeOf(host));
    host.iface.ipv6.stop();
    takePackets(host);
    advance(host, 60_000);
    expect([addressesOf(host), takeMessages(host, NEIGHBOR_SOLICITATION)]).toEqual([[], []]);
  });

  test("without room for its group there is no address", () => {
    const host = station6(1);
    const fill = (): void => {
      for (let i = 1n; i < 1_000n; i++) host.iface.groups.join(ip6("ff05::") | i);
    };
    expect(fill).toThrow(NoBuffers);
    advertise(host, [prefixOption(PREFIX)]);
    advance(host, 2_000);
    expect(slaacOf(host)).toEqual([]);
    expect(host.iface.counters["GROUPS_FULL"]).toBe(1);
  });

  test("without room in the core it is gone when it would be ready", () => {
    const host = station6(1);
    host.iface.configure({ address: 0x0a000002, prefixLength: 24, gateway: null, dns: [] });
    const fill = (): void => {
      for (let i = 3; i < 99; i++) host.iface.addAddress(0x0a000000 + i);
    };
    expect(fill).toThrow(NoBuffers);
    advertise(host, [prefixOption(PREFIX)]);
    const made = madeOf(host);
    expect(slaacOf(host)).toHaveLength(1);
    advance(host, 1_000);
    expect([slaacOf(host), host.iface.isLocal(made)]).toEqual([[], false]);
    expect(host.iface.groups.has(solicitedNode(made))).toBe(false);
    expect(host.iface.counters["IPV6_ADDRESSES_FULL"]).toBe(1);
  });

  test("addresses by hand have the limit of all", () => {
    const addresses = Array.from({ length: IPV6_ADDRESSES_MAX + 1 }, (_, i) => (
      { address: prefixOf(1) | BigInt(i + 1), prefixLength: 64 }
    ));
    const host = station6(1, { addresses, autoconfigure: false });
    expect(addressesOf(host)).toHaveLength(IPV6_ADDRESSES_MAX);
    expect(host.iface.counters["IPV6_ADDRESSES_FULL"]).toBe(2);
  });

  test("an address by hand is one of unicast, outside of what is reserved", () => {
    const texts = ["2001:db8::1", "fd00::1", "fe80::1", "2000::1", "1fff::1", "::5", "::1", "::"];
    const possible = [...texts, "ff02::1"].filter((text) => isPossibleAddress(ip6(text)));
    expect(possible).toEqual(["2001:db8::1", "fd00::1", "fe80::1", "2000::1"]);
  });
});

/** Neighbours of IPv6, as the wire shows them: RFC 4861 section 7; and what hostile frames can not do. */
import { describe, expect, test } from "vitest";
import { solicitedNode } from "../../src/net/neighbor_discovery.ts";
import { formatMac } from "../../src/net/addresses.ts";
import {
  MLD_V2_REPORT,
  NEIGHBOR_ADVERTISEMENT,
  NEIGHBOR_SOLICITATION,
  ROUTER_SOLICITATION,
} from "../../src/wire/icmpv6.ts";
import { buildIpv6Packet } from "../../src/wire/ipv6.ts";
import type { IcmpMessage } from "../../src/wire/icmp.ts";
import {
  NA_OVERRIDE,
  neighborAdvertisement,
  neighborSolicitation,
  parseNeighborMessage,
} from "../../src/wire/ndp.ts";
import { deliver, macOf, mutate, type Station, station } from "../fake_port.ts";
import {
  advance,
  advertise,
  advertisement,
  ALL_NODES,
  config,
  frameOf,
  frameWith,
  ip6,
  linkLocalOf,
  macOption,
  NEIGHBOR,
  NEIGHBOR_MAC,
  OURS,
  PREFIX,
  prefixOption,
  ROUTER_MAC,
  say,
  SOLICITED,
  staticStation,
  station6,
  takeMessages,
  takePackets,
} from "../ipv6_net.ts";

const NEIGHBOR_LOCAL = ip6("fe80::9");

describe("RFC 4861 section 7: neighbours", () => {
  function ask(host: Station): void {
    host.iface.udp.send(Uint8Array.of(1), { address: NEIGHBOR, port: 7, localPort: 7 });
  }

  test("4861-4 a neighbour is asked for in its group, three times a second apart, then it has failed", () => {
    const host = staticStation();
    const failed: bigint[] = [];
    host.iface.ipv6.neighbors.cache.onFailed((_, address) => void failed.push(address));
    expect(host.iface.ipv6.neighbors.cache.hop(NEIGHBOR)).toBe(512);
    const [asked] = takeMessages(host, NEIGHBOR_SOLICITATION);
    expect(asked).toMatchObject({ source: OURS, destination: solicitedNode(NEIGHBOR), ttl: 255 });
    expect(asked?.body.subarray(16)).toEqual(macOption(host.port.mac));
    advance(host, 2_000);
    expect(takeMessages(host, NEIGHBOR_SOLICITATION)).toHaveLength(2);
    advance(host, 1_000);
    expect(failed).toEqual([NEIGHBOR]);
    expect(host.port.hops.get(512)).toBeNull();
  });

  test("an answer is learned, and what waited is sent", () => {
    const host = staticStation();
    ask(host);
    takePackets(host);
    const answer = neighborAdvertisement(NEIGHBOR, SOLICITED, NEIGHBOR_MAC);
    say(host, answer, { source: NEIGHBOR, destination: OURS, mac: NEIGHBOR_MAC });
    expect(takePackets(host)).toMatchObject([{ destination: NEIGHBOR, protocol: 17 }]);
    expect(host.iface.ipv6.neighbors.cache.macOf(NEIGHBOR)).toEqual(NEIGHBOR_MAC);
  });

  test("what nobody asked for is not learned", () => {
    const host = staticStation();
    const answer = neighborAdvertisement(NEIGHBOR, SOLICITED, NEIGHBOR_MAC);
    say(host, answer, { source: NEIGHBOR, destination: OURS });
    ask(host);
    say(host, neighborAdvertisement(NEIGHBOR, NA_OVERRIDE, NEIGHBOR_MAC), {
      source: NEIGHBOR,
      destination: ALL_NODES,
    });
    expect(host.iface.ipv6.neighbors.cache.macOf(NEIGHBOR)).toBeNull();
    expect(host.iface.counters["ND_UNSOLICITED"]).toBe(2);
  });

  test("a claim with another MAC makes us ask the owner that we know; who is silent loses it", () => {
    const host = staticStation();
    ask(host);
    const tell = (mac: Uint8Array, flags: number, destination: bigint): void =>
      say(host, neighborAdvertisement(NEIGHBOR, flags, mac), { source: NEIGHBOR, destination });
    tell(NEIGHBOR_MAC, SOLICITED, OURS);
    advance(host, 6_000);
    takePackets(host);
    const { cache } = host.iface.ipv6.neighbors;
    tell(macOf(66), NA_OVERRIDE, ALL_NODES);
    expect(cache.macOf(NEIGHBOR)).toEqual(NEIGHBOR_MAC);
    expect(takeMessages(host, NEIGHBOR_SOLICITATION)[0]).toMatchObject({ destination: NEIGHBOR });
    advance(host, 3_000);
    tell(macOf(66), SOLICITED, OURS);
    expect(cache.macOf(NEIGHBOR)).toEqual(macOf(66));
  });

  test("4861-7 a stale neighbour is used, and asked after five seconds of use (DELAY, PROBE)", () => {
    const host = staticStation();
    ask(host);
    const answer = neighborAdvertisement(NEIGHBOR, SOLICITED, NEIGHBOR_MAC);
    say(host, answer, { source: NEIGHBOR, destination: OURS });
    advance(host, 50_000);
    takePackets(host);
    ask(host);
    expect(takePackets(host)).toMatchObject([{ protocol: 17 }]);
    advance(host, 4_999);
    expect(takePackets(host)).toEqual([]);
    advance(host, 1);
    expect(takeMessages(host, NEIGHBOR_SOLICITATION)).toMatchObject([{ destination: NEIGHBOR }]);
  });

  /** As Linux answers what it was asked by unicast: without its MAC. RFC 4861 section 7.2.4. */
  const bare = (flags: number): IcmpMessage => {
    const { body, ...message } = neighborAdvertisement(NEIGHBOR, flags, NEIGHBOR_MAC);
    return { ...message, body: body.subarray(0, 16) };
  };

  test("4861-7 an owner that was asked by unicast need not name its MAC, and keeps it (section 7.2.4)", () => {
    const host = staticStation();
    ask(host);
    const answer = { source: NEIGHBOR, destination: OURS };
    // Nothing is known yet: such an answer says nothing.
    say(host, bare(SOLICITED), answer);
    const { cache } = host.iface.ipv6.neighbors;
    expect(cache.macOf(NEIGHBOR)).toBeNull();
    say(host, neighborAdvertisement(NEIGHBOR, SOLICITED, NEIGHBOR_MAC), answer);
    advance(host, 50_000);
    ask(host);
    advance(host, 5_000);
    takePackets(host);
    say(host, bare(SOLICITED), answer);
    advance(host, 4_000);
    expect(takeMessages(host, NEIGHBOR_SOLICITATION)).toEqual([]);
    expect(cache.isAsked(NEIGHBOR)).toBe(false);
    // It has answered, so nobody else takes its place.
    say(host, neighborAdvertisement(NEIGHBOR, SOLICITED, macOf(66)), answer);
    expect(cache.macOf(NEIGHBOR)).toEqual(NEIGHBOR_MAC);
  });

  test("a router that answers as a host is one no longer (section 7.3.3), unless it was set by hand", () => {
    const made = station6(1);
    const router = { destination: ALL_NODES, source: NEIGHBOR_LOCAL, mac: NEIGHBOR_MAC };
    say(made, advertisement([prefixOption(PREFIX)]), router);
    const given = station6(2, { gateway: NEIGHBOR_LOCAL, autoconfigure: false });
    for (const host of [made, given]) {
      const { ipv6 } = host.iface;
      expect(ipv6.gateways).toEqual([NEIGHBOR_LOCAL]);
      ipv6.neighbors.cache.hop(NEIGHBOR_LOCAL);
      const destination = ipv6.addresses.ready[0]?.address ?? 0n;
      const tell = (flags: number): void =>
        say(host, neighborAdvertisement(NEIGHBOR_LOCAL, flags >>> 0, NEIGHBOR_MAC), {
          source: NEIGHBOR_LOCAL,
          destination,
        });
      // What nobody asked for takes no router away.
      tell(NA_OVERRIDE);
      expect(ipv6.gateways).toEqual([NEIGHBOR_LOCAL]);
      tell(SOLICITED);
    }
    expect(made.iface.ipv6.gateways).toEqual([]);
    expect(given.iface.ipv6.gateways).toEqual([NEIGHBOR_LOCAL]);
  });

  test("4861-7 it is asked once for that, however often it is used meanwhile", () => {
    const host = staticStation();
    ask(host);
    const answer = neighborAdvertisement(NEIGHBOR, SOLICITED, NEIGHBOR_MAC);
    say(host, answer, { source: NEIGHBOR, destination: OURS });
    advance(host, 50_000);
    takePackets(host);
    for (let second = 0; second < 5; second++) {
      ask(host);
      advance(host, 1_000);
    }
    expect(takeMessages(host, NEIGHBOR_SOLICITATION)).toHaveLength(1);
    say(host, answer, { source: NEIGHBOR, destination: OURS });
    advance(host, 10_000);
    expect(takePackets(host)).toEqual([]);
  });

  test("a neighbour counts as reachable for half to one and a half of the time that routers tell", () => {
    const host = staticStation();
    const asked = new Set<boolean>();
    for (let round = 0; round < 32; round++) {
      const answer = neighborAdvertisement(NEIGHBOR, SOLICITED, NEIGHBOR_MAC);
      host.iface.ipv6.neighbors.cache.clear();
      ask(host);
      say(host, answer, { source: NEIGHBOR, destination: OURS });
      advance(host, 14_000);
      ask(host);
      advance(host, 5_000);
      takePackets(host);
      advance(host, 6_000);
      ask(host);
      takePackets(host);
      advance(host, 5_000);
      asked.add(takeMessages(host, NEIGHBOR_SOLICITATION).length > 0);
    }
    // 25 s is more than half of 30 s and less than one and a half of it: by chance either.
    expect(asked.size).toBe(2);
  });

  test("4861-5 who was learned by its own question is asked when it is used, who is reachable is not", () => {
    const host = staticStation();
    const asking = neighborSolicitation(OURS, NEIGHBOR_MAC);
    const meet = (): void =>
      say(host, asking, { source: NEIGHBOR, destination: solicitedNode(OURS), mac: NEIGHBOR_MAC });
    const asked = (): number => {
      ask(host);
      takePackets(host);
      advance(host, 5_000);
      return takeMessages(host, NEIGHBOR_SOLICITATION).length;
    };
    meet();
    expect(asked()).toBe(1);
    const answer = neighborAdvertisement(NEIGHBOR, SOLICITED, NEIGHBOR_MAC);
    say(host, answer, { source: NEIGHBOR, destination: OURS });
    meet();
    expect(asked()).toBe(0);
  });

  test("who is not on the link is answered and not learned", () => {
    const host = staticStation();
    const far = ip6("2001:db8:ffff::1");
    const asking = neighborSolicitation(OURS, NEIGHBOR_MAC);
    say(host, asking, { source: far, destination: solicitedNode(OURS), mac: NEIGHBOR_MAC });
    expect(takeMessages(host, NEIGHBOR_ADVERTISEMENT)).toMatchObject([{ destination: far }]);
    expect(host.iface.ipv6.neighbors.cache.macOf(far)).toBeNull();
  });

  test("nobody is asked for before there is an address of ours to ask from", () => {
    const host = station(1);
    host.iface.ipv6.start(config());
    takePackets(host);
    const near = ip6("fe80::9");
    host.iface.ipv6.neighbors.cache.hop(near);
    expect(takeMessages(host, NEIGHBOR_SOLICITATION)).toEqual([]);
    advance(host, 1_000);
    expect(takeMessages(host, NEIGHBOR_SOLICITATION)).toMatchObject([
      { source: linkLocalOf(host), destination: solicitedNode(near) },
    ]);
  });

  test("4861-5 a solicitation for us is answered, and its sender learned as stale", () => {
    const host = staticStation();
    const asking = neighborSolicitation(OURS, NEIGHBOR_MAC);
    const destination = solicitedNode(OURS);
    say(host, asking, { source: NEIGHBOR, destination, mac: NEIGHBOR_MAC });
    const [answer] = takeMessages(host, NEIGHBOR_ADVERTISEMENT);
    expect(answer).toMatchObject({ source: OURS, destination: NEIGHBOR, ttl: 255 });
    if (answer === undefined) throw new Error("no answer");
    expect(parseNeighborMessage(answer)).toMatchObject({ target: OURS, flags: SOLICITED });
    expect(host.iface.ipv6.neighbors.cache.macOf(NEIGHBOR)).toEqual(NEIGHBOR_MAC);
  });

  test("who tries our address is told so by everyone's group", () => {
    const host = staticStation();
    say(host, neighborSolicitation(OURS, null), { source: 0n, destination: solicitedNode(OURS) });
    const [answer] = takeMessages(host, NEIGHBOR_ADVERTISEMENT);
    expect(answer).toMatchObject({ source: OURS, destination: ALL_NODES });
    expect(answer?.rest).toBe(NA_OVERRIDE);
  });

  test.each([
    [
      "a group as its target",
      neighborSolicitation(ip6("ff02::5"), null),
      0n,
      solicitedNode(5n),
      "ND_TARGET",
    ],
    [
      "a MAC from nobody",
      neighborSolicitation(OURS, NEIGHBOR_MAC),
      0n,
      solicitedNode(OURS),
      "ND_SOURCE",
    ],
    [
      "the MAC of a group",
      neighborSolicitation(OURS, Uint8Array.of(0x33, 0x33, 0, 0, 0, 1)),
      NEIGHBOR,
      solicitedNode(OURS),
      "ND_OPTION",
    ],
    [
      "a MAC of zeros",
      neighborAdvertisement(NEIGHBOR, SOLICITED, new Uint8Array(6)),
      NEIGHBOR,
      OURS,
      "ND_OPTION",
    ],
    ["the wrong group", neighborSolicitation(OURS, null), 0n, ALL_NODES, "ND_SOURCE"],
    [
      "an answer to all",
      neighborAdvertisement(NEIGHBOR, SOLICITED, NEIGHBOR_MAC),
      NEIGHBOR,
      ALL_NODES,
      "ND_SOURCE",
    ],
  ])(
    "4861-6 a message with %s is dropped (section 7.1)",
    (_, message, source, destination, reason) => {
      const host = staticStation();
      host.iface.groups.join(solicitedNode(5n));
      say(host, message, { source, destination });
      expect(host.iface.counters[reason]).toBe(1);
      expect(takeMessages(host, NEIGHBOR_ADVERTISEMENT)).toEqual([]);
    },
  );

  test("a flood of solicitations is answered 200 times a second, and fills no table", () => {
    const host = staticStation();
    for (let i = 1n; i <= 1_000n; i++) {
      const source = NEIGHBOR + (i << 16n);
      say(host, neighborSolicitation(OURS, NEIGHBOR_MAC), {
        source,
        destination: solicitedNode(OURS),
      });
    }
    expect(takeMessages(host, NEIGHBOR_ADVERTISEMENT)).toHaveLength(200);
    expect(host.iface.counters["ND_SOLICITATION_LIMIT"]).toBe(800);
    expect(host.iface.ipv6.neighbors.cache.size).toBeLessThanOrEqual(512);
  });

  test("a flood of strangers does not keep the answer from whom we know", () => {
    const host = staticStation();
    const asking = neighborSolicitation(OURS, NEIGHBOR_MAC);
    const destination = solicitedNode(OURS);
    say(host, asking, { source: NEIGHBOR, destination, mac: NEIGHBOR_MAC });
    for (let i = 1n; i <= 300n; i++) {
      const stranger = neighborSolicitation(OURS, null);
      say(host, stranger, { source: NEIGHBOR + (i << 16n), destination, mac: macOf(66) });
    }
    // Nor does it help a stranger to take the address alone.
    say(host, asking, { source: NEIGHBOR, destination, mac: macOf(66) });
    takePackets(host);
    say(host, asking, { source: NEIGHBOR, destination, mac: NEIGHBOR_MAC });
    expect(takeMessages(host, NEIGHBOR_ADVERTISEMENT)).toMatchObject([{ destination: NEIGHBOR }]);
    expect(host.iface.counters["ND_SOLICITATION_LIMIT"]).toBe(102);
  });

  test("our own address in another's mouth is counted, and the link hears us", () => {
    const host = staticStation();
    const claim = neighborAdvertisement(OURS, NA_OVERRIDE, NEIGHBOR_MAC);
    say(host, claim, { source: OURS, destination: ALL_NODES });
    expect(host.iface.counters["IP_SOURCE"]).toBe(1);
    say(host, claim, { source: NEIGHBOR, destination: ALL_NODES });
    say(host, claim, { source: NEIGHBOR, destination: ALL_NODES });
    expect(host.iface.counters["ND_CONFLICT"]).toBe(2);
    expect(takeMessages(host, NEIGHBOR_ADVERTISEMENT)).toHaveLength(1);
  });

  test("the link's return announces us, and asks routers anew", () => {
    const host = station6(1);
    advertise(host, []);
    takePackets(host);
    host.iface.ipv6.linkUp();
    const types = takeMessages(host).map(({ type }) => type);
    expect(types).toContain(NEIGHBOR_ADVERTISEMENT);
    expect(types).toContain(ROUTER_SOLICITATION);
    expect(types).toContain(MLD_V2_REPORT);
  });

  test("6980-1 discovery in fragments is dropped (RFC 6980)", () => {
    const host = staticStation();
    const whole = frameOf(neighborSolicitation(OURS, NEIGHBOR_MAC), {
      source: NEIGHBOR,
      destination: solicitedNode(OURS),
    }, host).subarray(54);
    const piece = (at: number, more: number, bytes: Uint8Array): Uint8Array => {
      const header = [58, 0, at >> 5, ((at << 3) & 0xff) | more, 0, 0, 0, 1];
      return buildIpv6Packet(
        { source: NEIGHBOR, destination: solicitedNode(OURS), protocol: 44, ttl: 255 },
        Uint8Array.of(...header, ...bytes),
      );
    };
    const group = solicitedNode(OURS);
    deliver(host.iface, frameWith(piece(0, 1, whole.subarray(0, 16)), group, NEIGHBOR_MAC, host));
    deliver(host.iface, frameWith(piece(2, 0, whole.subarray(16)), group, NEIGHBOR_MAC, host));
    expect(host.iface.counters["ND_FRAGMENT"]).toBe(1);
    expect(takeMessages(host, NEIGHBOR_ADVERTISEMENT)).toEqual([]);
  });
});

describe("hostile frames", () => {
  test("no bytes make a host throw, and its addresses stay", () => {
    const host = staticStation();
    const frames = [
      frameOf(advertisement([prefixOption(PREFIX), macOption(ROUTER_MAC)]), {
        destination: ALL_NODES,
      }, host),
      frameOf(neighborSolicitation(OURS, NEIGHBOR_MAC), {
        source: NEIGHBOR,
        destination: solicitedNode(OURS),
      }, host),
      frameOf(neighborAdvertisement(NEIGHBOR, SOLICITED, NEIGHBOR_MAC), {
        source: NEIGHBOR,
        destination: OURS,
      }, host),
    ];
    for (const [seed, frame] of frames.entries()) {
      mutate(frame, seed, (bytes) => deliver(host.iface, bytes));
    }
    expect(host.iface.isLocal(OURS)).toBe(true);
    expect(formatMac(host.port.mac)).toBe("02:00:00:00:00:02");
  });

  test("what our own MAC sends back is dropped", () => {
    const host = staticStation();
    const looped = neighborSolicitation(OURS, null);
    say(host, looped, { source: 0n, destination: solicitedNode(OURS), mac: host.port.mac });
    expect(host.iface.counters["IP_OWN"]).toBe(1);
  });

  test("a group in a unicast packet's frame, a stranger's address: dropped", () => {
    const host = staticStation();
    say(host, neighborSolicitation(OURS, null), { source: NEIGHBOR, destination: NEIGHBOR });
    expect(host.iface.counters["IP_DESTINATION"]).toBe(1);
  });
});

/** Packets and messages of IPv6: RFC 8200, RFC 4443, RFC 4861, RFC 8106; and the identifiers of RFC 7217. */
import { describe, expect, test } from "vitest";
import { isReservedId, sipHash, stableInterfaceId } from "../../src/net/stable_id.ts";
import {
  NA_OVERRIDE,
  neighborAdvertisement,
  neighborSolicitation,
  parseNdOptions,
  parseNeighborMessage,
  parseRouterAdvertisement,
} from "../../src/wire/ndp.ts";
import {
  buildIcmpv6,
  ICMPV6_ECHO_REQUEST,
  isIcmpv6Error,
  parseIcmpv6,
} from "../../src/wire/icmpv6.ts";
import {
  buildIpv6Packet,
  ipv6MulticastMac,
  type Ipv6Packet,
  parseIpv6Packet,
  parseQuotedIpv6,
  PROTOCOL_ICMPV6,
} from "../../src/wire/ipv6.ts";
import { buildUdp, parseUdp } from "../../src/wire/udp.ts";
import { macOf, mutate } from "../fake_port.ts";
import {
  advertisement,
  dnsOption,
  ip6,
  macOption,
  mtuOption,
  PREFIX,
  prefixOption,
  searchOption,
} from "../ipv6_net.ts";

const A = ip6("2001:db8::a");
const B = ip6("2001:db8::b");
const SEED = 0x8200;
const UDP = 17;

/** A packet with extension headers, given as kind and bytes behind the next header. */
function withHeaders(
  protocol: number,
  payload: readonly number[],
  ...headers: (readonly [kind: number, ...rest: number[]])[]
): Uint8Array {
  const kinds = [...headers.map(([kind]) => kind), protocol];
  const bytes = headers.flatMap(([, ...rest], i) => [kinds[i + 1] ?? 0, ...rest]);
  const fields = { source: A, destination: B, protocol: kinds[0] ?? 0 };
  return buildIpv6Packet(fields, Uint8Array.from([...bytes, ...payload]));
}

function parsed(bytes: Uint8Array): Ipv6Packet {
  const packet = parseIpv6Packet(bytes);
  if (typeof packet === "string") throw new Error(packet);
  return packet;
}

const PAD = [1, 4, 0, 0, 0, 0] as const;

describe("RFC 8200: packets", () => {
  test("parse() is the inverse of build()", () => {
    const payload = Uint8Array.of(1, 2, 3);
    const bytes = buildIpv6Packet({ source: A, destination: B, protocol: UDP, ttl: 9 }, payload);
    const packet = parsed(Uint8Array.of(...bytes, 0xaa, 0xbb));
    expect(packet).toMatchObject({ source: A, destination: B, protocol: UDP, ttl: 9 });
    expect(packet).toMatchObject({ headerBytes: 40, totalBytes: 43, problem: null });
    expect(Array.from(packet.payload)).toEqual([1, 2, 3]);
    expect(packet.isFragment).toBe(false);
  });

  test("refuses another version and lengths that can not be", () => {
    const bytes = buildIpv6Packet({ source: A, destination: B, protocol: UDP }, new Uint8Array(8));
    expect(parseIpv6Packet(bytes.subarray(0, 39))).toBe("IP_SHORT");
    expect(parseIpv6Packet(bytes.subarray(0, 47))).toBe("IP_SHORT");
    bytes[0] = 0x45;
    expect(parseIpv6Packet(bytes)).toBe("IP_HEADER");
    const fields = { source: A, destination: B, protocol: UDP };
    expect(() => buildIpv6Packet(fields, new Uint8Array(65_536))).toThrow(RangeError);
  });

  test("skips extension headers that are known, and tells where the payload's kind was named", () => {
    const bytes = withHeaders(UDP, [7], [0, 0, ...PAD], [43, 0, 0, 0, 0, 0, 0, 0], [60, 0, ...PAD]);
    expect(parsed(bytes)).toMatchObject({ protocol: UDP, headerBytes: 64, protocolAt: 56 });
    expect(Array.from(parsed(bytes).payload)).toEqual([7]);
  });

  test("hop-by-hop options stand first or are no header that is known", () => {
    const bytes = withHeaders(UDP, [], [60, 0, ...PAD], [0, 0, ...PAD]);
    expect(parsed(bytes)).toMatchObject({ protocol: 0, headerBytes: 48 });
  });

  test("a router alert is seen", () => {
    const fields = { source: A, destination: B, protocol: PROTOCOL_ICMPV6, routerAlert: true };
    const packet = parsed(buildIpv6Packet(fields, Uint8Array.of(1)));
    expect(packet).toMatchObject({ hasRouterAlert: true, protocol: 58, headerBytes: 48 });
    // Elsewhere no router looks for it: RFC 2711 section 2.1.
    const hidden = withHeaders(UDP, [], [60, 0, 5, 2, 0, 0, 1, 0]);
    expect(parsed(hidden)).toMatchObject({ hasRouterAlert: false, headerBytes: 48 });
  });

  test("what stands behind the header of a fragment is its payload", () => {
    const bytes = withHeaders(60, [UDP, 0, ...PAD], [44, 0, 0, 1, 0, 0, 0, 5]);
    expect(parsed(bytes)).toMatchObject({ isFragment: true, protocol: 60, headerBytes: 48 });
    expect(parsed(bytes).payload).toHaveLength(8);
  });

  test("unknown options do what their two high bits say (section 4.2)", () => {
    const of = (kind: number) =>
      parseIpv6Packet(withHeaders(UDP, [], [60, 0, kind, 4, 0, 0, 0, 0]));
    expect(of(0x1e)).toMatchObject({ problem: null, protocol: UDP });
    expect(of(0x5e)).toBe("IP_EXTENSION");
    expect(of(0x9e)).toMatchObject({ problem: { code: 2, pointer: 42, evenToGroups: true } });
    expect(of(0xde)).toMatchObject({ problem: { code: 2, pointer: 42, evenToGroups: false } });
  });

  test("a routing header with segments left is a problem (section 4.4)", () => {
    const packet = parsed(withHeaders(UDP, [], [43, 0, 5, 1, 0, 0, 0, 0]));
    expect(packet.problem).toEqual({ code: 0, pointer: 42, evenToGroups: false });
  });

  test("headers that run over the end drop the packet", () => {
    expect(parseIpv6Packet(withHeaders(UDP, [], [60, 9, ...PAD]))).toBe("IP_EXTENSION");
    expect(parseIpv6Packet(withHeaders(UDP, [], [60, 0, 1, 9, 0, 0, 0, 0]))).toBe("IP_EXTENSION");
    expect(parseIpv6Packet(withHeaders(60, [17, 0]))).toBe("IP_EXTENSION");
  });

  test("fragments are told, one that is the whole too (RFC 6946)", () => {
    const fragment = parsed(withHeaders(UDP, [9], [44, 0, 0x01, 0x91, 0, 0, 0, 5]));
    expect(fragment).toMatchObject({ isFragment: true, fragmentOffset: 50, moreFragments: true });
    expect(fragment).toMatchObject({ identification: 5, protocol: UDP, headerBytes: 48 });
    const atomic = parsed(withHeaders(UDP, [9], [44, 0, 0, 0, 0, 0, 0, 5]));
    expect(atomic).toMatchObject({ isFragment: true, fragmentOffset: 0, moreFragments: false });
  });

  test("no bytes make the parser throw", () => {
    const headers = [[0, 0, 5, 2, 0, 0, 1, 0], [43, 0, 0, 0, 0, 0, 0, 0], [
      44,
      0,
      0,
      1,
      0,
      0,
      0,
      9,
    ]];
    const bytes = withHeaders(
      PROTOCOL_ICMPV6,
      [128, 0, 0, 0],
      ...headers as [number, ...number[]][],
    );
    mutate(bytes, SEED, (changed) => {
      for (const parse of [parseIpv6Packet, parseQuotedIpv6]) {
        const packet = parse(changed);
        if (typeof packet === "string") continue;
        expect(packet.headerBytes + packet.payload.length).toBeLessThanOrEqual(changed.length);
      }
    });
  });
});

describe("RFC 4443: messages", () => {
  const message = { type: ICMPV6_ECHO_REQUEST, code: 0, rest: 0x00010002, body: Uint8Array.of(5) };

  test("the checksum covers the addresses", () => {
    const payload = buildIcmpv6(message, A, B);
    expect(parseIcmpv6({ source: A, destination: B, payload })).toEqual(message);
    expect(parseIcmpv6({ source: A, destination: A, payload })).toBe("ICMPV6_CHECKSUM");
    expect(parseIcmpv6({ source: A, destination: B, payload: payload.subarray(0, 7) }))
      .toBe("ICMPV6_SHORT");
  });

  test("types below 128 are errors", () => {
    expect([0, 1, 4, 127, 128, 135, 255].map(isIcmpv6Error))
      .toEqual([true, true, true, true, false, false, false]);
  });
});

describe("RFC 8200 section 8.1: UDP", () => {
  test("8200-8 whose sum comes out as zero is sent with all ones, and with zero is dropped", () => {
    const ports = { sourcePort: 7, destinationPort: 9 };
    const plain = buildUdp({ ...ports, payload: new Uint8Array(2) }, A, B);
    // The checksum of the plain one as its payload makes up for everything else.
    const bytes = buildUdp({ ...ports, payload: plain.slice(6, 8) }, A, B);
    expect(Array.from(bytes.subarray(6, 8))).toEqual([0xff, 0xff]);
    expect(parseUdp(bytes, A, B)).toMatchObject(ports);
    bytes.fill(0, 6, 8);
    expect(parseUdp(bytes, A, B)).toBe("UDP_CHECKSUM");
  });

  test("has a checksum, and without one is dropped", () => {
    const datagram = { sourcePort: 1, destinationPort: 2, payload: Uint8Array.of(1, 2, 3) };
    const bytes = buildUdp(datagram, A, B);
    expect(parseUdp(bytes, A, B)).toEqual(datagram);
    expect(parseUdp(bytes, A, A)).toBe("UDP_CHECKSUM");
    bytes.fill(0, 6, 8);
    expect(parseUdp(bytes, A, B)).toBe("UDP_CHECKSUM");
  });
});

describe("RFC 4861: neighbor discovery", () => {
  test("a router advertisement is read with its options", () => {
    const message = advertisement([
      macOption(macOf(9)),
      mtuOption(1_400),
      prefixOption(PREFIX | 5n, { valid: 100, preferred: 50 }),
      dnsOption(60, A, B),
      searchOption(70, "example.org", "Corp.example"),
      Uint8Array.of(99, 1, 0, 0, 0, 0, 0, 0),
    ], { lifetime: 900, reachable: 20_000, retrans: 500, preference: 1 });
    const read = parseRouterAdvertisement(message);
    if (typeof read === "string") throw new Error(read);
    expect(read).toMatchObject({ lifetimeSeconds: 900, preference: 1 });
    expect(read).toMatchObject({ reachableMs: 20_000, retransMs: 500 });
    expect(read.options.mtu).toBe(1_400);
    expect(read.options.sourceMac).toEqual(macOf(9));
    expect(read.options.prefixes).toEqual([{
      prefix: PREFIX,
      prefixLength: 64,
      isOnLink: true,
      isAutonomous: true,
      validSeconds: 100,
      preferredSeconds: 50,
    }]);
    expect(read.options.dns).toEqual([{ lifetimeSeconds: 60, values: [A, B] }]);
    const search = { lifetimeSeconds: 70, values: ["example.org", "corp.example"] };
    expect(read.options.search).toEqual([search]);
  });

  test("an option without length discards the message (section 4.6)", () => {
    expect(parseNdOptions(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0))).toBeNull();
    expect(parseNdOptions(Uint8Array.of(1, 2, 0, 0, 0, 0, 0, 0))).toBeNull();
    expect(parseNdOptions(Uint8Array.of(1))).toBeNull();
    const message = advertisement([Uint8Array.of(5, 0, 0, 0, 0, 0, 0, 0)]);
    expect(parseRouterAdvertisement(message)).toBe("ND_OPTION");
    expect(parseRouterAdvertisement({ ...message, body: new Uint8Array(7) })).toBe("ND_SHORT");
  });

  test("options of a wrong length, names that can be none: ignored", () => {
    const wrong = [
      Uint8Array.of(3, 1, 64, 0xc0, 0, 0, 0, 0),
      Uint8Array.of(25, 1, 0, 0, 0, 0, 0, 60),
      Uint8Array.of(25, 2, ...new Array<number>(14).fill(0)),
      Uint8Array.of(31, 2, 0, 0, 0, 0, 0, 60, 3, 0x2e, 0x2e, 0x2e, 0, 0, 0, 0),
      Uint8Array.of(31, 2, 0, 0, 0, 0, 0, 60, 0xc0, 1, 0, 0, 0, 0, 0, 0),
      prefixOption(PREFIX, { length: 129 }),
    ];
    const options = parseNdOptions(Uint8Array.from(wrong.flatMap((option) => [...option])));
    expect(options?.prefixes).toEqual([]);
    expect(options?.dns).toEqual([]);
    expect(options?.search.flatMap(({ values }) => values)).toEqual([]);
  });

  test("of several options of a kind that stands alone the first one counts, of 64 options in all", () => {
    const read = (...options: Uint8Array[]): ReturnType<typeof parseNdOptions> =>
      parseNdOptions(Uint8Array.from(options.flatMap((option) => [...option])));
    const [first, second] = [macOf(1), macOf(2)];
    const both = read(macOption(first), macOption(second), mtuOption(1_400), mtuOption(1_300));
    expect(both).toMatchObject({ sourceMac: first, mtu: 1_400 });
    const unknown = Uint8Array.of(200, 1, 0, 0, 0, 0, 0, 0);
    const behind = (count: number): number | null | undefined =>
      read(...new Array<Uint8Array>(count).fill(unknown), mtuOption(1_400))?.mtu;
    expect([behind(63), behind(64)]).toEqual([1_400, null]);
    // RFC 2464 section 6: a MAC of Ethernet has 6 bytes, and its option 8.
    expect(read(Uint8Array.of(1, 2, ...new Array<number>(14).fill(7)))?.sourceMac).toBeNull();
  });

  test("a domain is no longer than a name may be, nor its labels than labels", () => {
    const label = "a".repeat(63);
    const long = `${label}.${label}.${label}.${"a".repeat(61)}`;
    const names = (name: string): unknown =>
      parseNdOptions(searchOption(60, name))?.search.map(({ values }) => values);
    expect(names(long)).toEqual([[long]]);
    expect(names(`${long}a`)).toEqual([[]]);
    expect(names(`${label}a`)).toEqual([[]]);
  });

  test("a reserved preference is medium (RFC 4191 section 2.2)", () => {
    const preferences = [0, 1, 2, 3].map((preference) => {
      const read = parseRouterAdvertisement(advertisement([], { preference }));
      return typeof read === "string" ? read : read.preference;
    });
    expect(preferences).toEqual([0, 1, 0, -1]);
  });

  test("solicitations and advertisements are read as they were built", () => {
    const asked = parseNeighborMessage(neighborSolicitation(A, macOf(1)));
    expect(asked).toMatchObject({ target: A, options: { sourceMac: macOf(1) } });
    const told = parseNeighborMessage(neighborAdvertisement(B, NA_OVERRIDE, macOf(2)));
    expect(told).toMatchObject({ target: B, flags: NA_OVERRIDE, options: { targetMac: macOf(2) } });
    expect(parseNeighborMessage({ ...neighborSolicitation(A, null), body: new Uint8Array(15) }))
      .toBe("ND_SHORT");
  });

  test("no bytes make the parsers throw", () => {
    const { body } = advertisement([
      macOption(macOf(9)),
      prefixOption(PREFIX),
      dnsOption(60, A),
      searchOption(70, "example.org"),
    ]);
    mutate(body, SEED, (changed) => {
      const message = { type: 134, code: 0, rest: 0, body: changed };
      parseRouterAdvertisement(message);
      parseNeighborMessage(message);
    });
  });

  test("a group's MAC address has its last four bytes (RFC 2464 section 7)", () => {
    expect(Array.from(ipv6MulticastMac(ip6("ff02::1:ff00:1234")))).toEqual([
      ...[0x33, 0x33, 0xff, 0x00, 0x12, 0x34],
    ]);
  });
});

describe("RFC 7217: identifiers", () => {
  test("sipHash() gives the authors' vector", () => {
    const key = Uint8Array.from({ length: 16 }, (_, i) => i);
    const message = Uint8Array.from({ length: 15 }, (_, i) => i);
    expect(sipHash(key, message)).toBe(0xa129ca6149be45e5n);
  });

  test("differ by key, prefix, interface and attempt, and by nothing behind the prefix", () => {
    const key = new Uint8Array(16);
    const parts = { prefix: PREFIX, mac: macOf(1), dadCounter: 0 };
    const ids = [
      stableInterfaceId(key, parts),
      stableInterfaceId(new Uint8Array(16).fill(1), parts),
      stableInterfaceId(key, { ...parts, prefix: ip6("2001:db8:2::") }),
      stableInterfaceId(key, { ...parts, mac: macOf(2) }),
      stableInterfaceId(key, { ...parts, dadCounter: 1 }),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(stableInterfaceId(key, { ...parts, prefix: PREFIX | 99n })).toBe(ids[0]);
  });

  test("reserved ones are known (RFC 5453)", () => {
    const ids = [0n, 1n, 0x0200_5eff_fe00_5212n, 0xfdff_ffff_ffff_ff80n, 0xfdff_ffff_ffff_ff7fn];
    expect(ids.map(isReservedId)).toEqual([true, false, true, true, false]);
  });
});

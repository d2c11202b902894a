/** What a host takes of what comes in by IPv6, and what it drops and for which reason: RFC 8200, RFC 4443, RFC 4861 section 7.1. */
import { describe, expect, test } from "vitest";
import { solicitedNode } from "../../src/net/neighbor_discovery.ts";
import { buildEthernet, ETHERTYPE_IPV6, parseEthernet } from "../../src/wire/ethernet.ts";
import { splitIpv6 } from "../../src/wire/fragments.ts";
import {
  buildIcmpv6,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_PARAMETER_PROBLEM,
  ICMPV6_TOO_BIG,
  ICMPV6_UNREACHABLE,
  NEIGHBOR_ADVERTISEMENT,
  NEIGHBOR_SOLICITATION,
  REDIRECT,
  ROUTER_ADVERTISEMENT,
  ROUTER_SOLICITATION,
} from "../../src/wire/icmpv6.ts";
import {
  buildIpv6Packet,
  ipv6MulticastMac,
  PROTOCOL_ICMPV6,
  PROTOCOL_NONE,
} from "../../src/wire/ipv6.ts";
import { neighborAdvertisement, neighborSolicitation } from "../../src/wire/ndp.ts";
import { buildUdp } from "../../src/wire/udp.ts";
import { deliver, type Station } from "../fake_port.ts";
import {
  ALL_NODES,
  frameWith,
  ip6,
  NEIGHBOR,
  NEIGHBOR_MAC,
  OURS,
  ROUTER,
  say,
  SOLICITED,
  staticStation,
  takeMessages,
  takePackets,
} from "../ipv6_net.ts";

const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;
const echo = { type: ICMPV6_ECHO_REQUEST, code: 0, rest: 1, body: Uint8Array.of(1, 2, 3) };

/** A host that knows its neighbour, so that whatever it wants to say is said at once. */
function known(): Station {
  const host = staticStation();
  const asking = neighborSolicitation(OURS, NEIGHBOR_MAC);
  say(host, asking, { source: NEIGHBOR, destination: solicitedNode(OURS) });
  takePackets(host);
  return host;
}

function send(to: Station, source: bigint, destination: bigint, rest: {
  readonly protocol: number;
  readonly payload: Uint8Array;
}): void {
  const { protocol, payload } = rest;
  const packet = buildIpv6Packet({ source, destination, protocol }, payload);
  deliver(to.iface, frameWith(packet, destination, NEIGHBOR_MAC, to));
}

describe("addresses", () => {
  test.each([
    ["from a group", ip6("ff05::9"), OURS, "IP_SOURCE"],
    ["from the loopback", 1n, OURS, "IP_SOURCE"],
    ["to a group that nobody has joined", NEIGHBOR, ip6("ff05::99"), "IP_MULTICAST"],
    ["to a stranger", NEIGHBOR, ip6("fd00::77"), "IP_DESTINATION"],
    ["from nobody", 0n, OURS, "ICMPV6_ECHO_ADDRESS"],
  ])("an echo request %s is dropped", (_, source, destination, reason) => {
    const host = known();
    say(host, echo, { source, destination, ttl: 64 });
    expect(takePackets(host)).toEqual([]);
    expect(host.iface.counters[reason]).toBe(1);
  });

  test("a packet for us alone in a frame for many is dropped", () => {
    const host = known();
    const bytes = buildIcmpv6(echo, NEIGHBOR, OURS);
    const fields = { source: NEIGHBOR, destination: OURS, protocol: PROTOCOL_ICMPV6 };
    const packet = buildIpv6Packet(fields, bytes);
    const mac = ipv6MulticastMac(ALL_NODES);
    deliver(host.iface, buildEthernet(mac, NEIGHBOR_MAC, ETHERTYPE_IPV6, packet));
    expect(takePackets(host)).toEqual([]);
    expect(host.iface.counters["IP_GROUP_FRAME"]).toBe(1);
  });

  test("a datagram from nobody reaches no socket", () => {
    const host = known();
    const heard: number[] = [];
    host.iface.udp.bind({ port: 7 }).onMessage = ({ port }) => void heard.push(port);
    for (const source of [0n, NEIGHBOR]) {
      const ports = { sourcePort: 9, destinationPort: 7, payload: Uint8Array.of(1) };
      send(host, source, OURS, {
        protocol: PROTOCOL_UDP,
        payload: buildUdp(ports, source, OURS),
      });
    }
    expect(heard).toEqual([9]);
    expect(host.iface.counters["IP_SOURCE"]).toBe(1);
  });

  test("a packet without a next header says nothing, and is told nothing", () => {
    const host = known();
    send(host, NEIGHBOR, OURS, { protocol: PROTOCOL_NONE, payload: new Uint8Array(8) });
    expect(takePackets(host)).toEqual([]);
    expect(host.iface.counters["IP_PROTOCOL"]).toBe(1);
  });
});

describe("RFC 4861 section 7.1: neighbor discovery", () => {
  const solicitation = neighborSolicitation(OURS, NEIGHBOR_MAC);
  const answer = neighborAdvertisement(NEIGHBOR, SOLICITED, NEIGHBOR_MAC);

  test.each([
    ["solicitation", solicitation, solicitedNode(OURS)],
    ["advertisement", answer, OURS],
  ])("4861-6 a %s that came through a router, or has a code, is not believed", (_, message, to) => {
    const host = staticStation();
    host.iface.udp.send(Uint8Array.of(1), { address: NEIGHBOR, port: 7, localPort: 7 });
    takePackets(host);
    say(host, message, { source: NEIGHBOR, destination: to, ttl: 254 });
    say(host, { ...message, code: 1 }, { source: NEIGHBOR, destination: to });
    expect(host.iface.counters).toMatchObject({ ND_HOP_LIMIT: 1, ND_CODE: 1 });
    expect(takePackets(host)).toEqual([]);
    expect(host.iface.ipv6.neighbors.cache.macOf(NEIGHBOR)).toBeNull();
    say(host, message, { source: NEIGHBOR, destination: to });
    expect(host.iface.ipv6.neighbors.cache.macOf(NEIGHBOR)).toEqual(NEIGHBOR_MAC);
  });

  test("who asks us for another's address gets no answer, and is not learned", () => {
    const host = staticStation();
    const asking = neighborSolicitation(ip6("fd00::77"), NEIGHBOR_MAC);
    say(host, asking, { source: NEIGHBOR, destination: OURS });
    expect(takePackets(host)).toEqual([]);
    expect(host.iface.ipv6.neighbors.cache.macOf(NEIGHBOR)).toBeNull();
  });

  test.each([
    [ROUTER_SOLICITATION],
    [ROUTER_ADVERTISEMENT],
    [NEIGHBOR_SOLICITATION],
    [NEIGHBOR_ADVERTISEMENT],
    [REDIRECT],
  ])("6980-1 a message of type %i in fragments is dropped (RFC 6980 section 5)", (type) => {
    const host = known();
    const body = new Uint8Array(2_000);
    const bytes = buildIcmpv6({ type, code: 0, rest: 0, body }, NEIGHBOR, OURS);
    const fields = { source: NEIGHBOR, destination: OURS, protocol: PROTOCOL_ICMPV6, ttl: 255 };
    for (const piece of splitIpv6(buildIpv6Packet(fields, bytes), 1_280, 5)) {
      deliver(host.iface, frameWith(piece, OURS, NEIGHBOR_MAC, host));
    }
    expect(host.iface.counters).toMatchObject({ REASSEMBLED: 1, ND_FRAGMENT: 1 });
    expect(Object.keys(host.iface.counters).filter((reason) => reason.startsWith("ND_")))
      .toEqual(["ND_FRAGMENT"]);
  });
});

describe("fragments", () => {
  /** Sends a packet in two fragments. */
  function sendCut(to: Station, protocol: number, payload: Uint8Array): Uint8Array {
    const whole = buildIpv6Packet({ source: NEIGHBOR, destination: OURS, protocol }, payload);
    for (const piece of splitIpv6(whole, 1_280, 5)) {
      deliver(to.iface, frameWith(piece, OURS, NEIGHBOR_MAC, to));
    }
    return whole;
  }

  test("an echo request in fragments is answered", () => {
    const host = known();
    const asked = { ...echo, body: new Uint8Array(2_000) };
    sendCut(host, PROTOCOL_ICMPV6, buildIcmpv6(asked, NEIGHBOR, OURS));
    expect(takePackets(host).map(({ isFragment, protocol }) => [isFragment, protocol])).toEqual([
      [true, PROTOCOL_ICMPV6],
      [true, PROTOCOL_ICMPV6],
    ]);
    expect(host.port.injected).toEqual([]);
  });

  test("a segment that is whole is given to the core", () => {
    const host = known();
    const whole = sendCut(host, PROTOCOL_TCP, new Uint8Array(2_000).fill(7));
    expect(host.port.injected).toHaveLength(1);
    const frame = parseEthernet(host.port.injected[0] ?? new Uint8Array(0));
    expect(frame).toMatchObject({ source: NEIGHBOR_MAC, destination: host.port.mac });
    expect(typeof frame === "string" ? frame : frame.payload).toEqual(whole);
    expect(takePackets(host)).toEqual([]);
  });
});

describe("RFC 4443 section 2.4: errors", () => {
  function quote(protocol: number, payload: Uint8Array, destination = NEIGHBOR): Uint8Array {
    return buildIpv6Packet({ source: OURS, destination, protocol }, payload);
  }

  test("4443-2 an error that was sent to a group is not believed", () => {
    const host = known();
    const error = { type: ICMPV6_UNREACHABLE, code: 0, rest: 0 };
    const body = quote(PROTOCOL_TCP, new Uint8Array(20));
    say(host, { ...error, body }, { destination: ALL_NODES, ttl: 64 });
    expect(host.port.icmpErrors).toEqual([]);
    expect(host.iface.counters["ICMPV6_GROUP"]).toBe(1);
  });

  test("what is quoted has to name its ports, and to be the first fragment", () => {
    const host = known();
    const tell = (body: Uint8Array): void =>
      say(host, { type: ICMPV6_UNREACHABLE, code: 0, rest: 0, body }, { destination: OURS });
    tell(quote(PROTOCOL_TCP, new Uint8Array(20)).slice(0, 47));
    const whole = quote(PROTOCOL_TCP, new Uint8Array(2_000));
    const [first, second] = splitIpv6(whole, 1_280, 1);
    tell(second ?? whole);
    expect(host.port.icmpErrors).toEqual([]);
    expect(host.iface.counters["ICMPV6_QUOTED"]).toBe(2);
    tell(quote(PROTOCOL_TCP, new Uint8Array(20)).slice(0, 48));
    tell((first ?? whole).slice(0, 100));
    expect(host.port.icmpErrors).toHaveLength(2);
  });

  test("8201-9 the smallest MTU is believed, one byte less is not (RFC 8201 section 4)", () => {
    const host = known();
    const body = quote(PROTOCOL_TCP, new Uint8Array(20));
    for (const rest of [1_280, 1_279]) {
      say(host, { type: ICMPV6_TOO_BIG, code: 0, rest, body }, {
        source: ROUTER,
        destination: OURS,
      });
    }
    expect(host.port.icmpErrors.map(({ mtu }) => mtu)).toEqual([1_280]);
    expect(host.iface.counters["ICMPV6_MTU"]).toBe(1);
  });

  /** An echo request of ours on its way, and what became of it. */
  function probing(host: Station): { sent: Uint8Array; outcomes: (string | null | undefined)[] } {
    const outcomes: (string | null | undefined)[] = [];
    const probe = { address: NEIGHBOR, bytes: 1_400, timeoutMs: 1_000, options: {} };
    host.iface.probes.send(probe, (outcome) => void outcomes.push(outcome?.reason));
    const [asked] = takeMessages(host, ICMPV6_ECHO_REQUEST);
    return { sent: asked?.packet.slice() ?? new Uint8Array(0), outcomes };
  }

  test("an error about an echo request of ours reaches who sent it, one about a reply does not", () => {
    const host = known();
    const { sent, outcomes } = probing(host);
    const reply = sent.slice(0, 200);
    reply[40] = ICMPV6_ECHO_REPLY;
    const error = { type: ICMPV6_UNREACHABLE, code: 3, rest: 0 };
    say(host, { ...error, body: reply }, { source: ROUTER, destination: OURS });
    expect(outcomes).toEqual([]);
    say(host, { ...error, body: sent.slice(0, 200) }, { source: ROUTER, destination: OURS });
    expect(outcomes).toEqual(["HOST_UNREACHABLE"]);
  });

  test("8201-2 packet too big about an echo request of ours narrows the path, another one does not", () => {
    const host = known();
    const { sent, outcomes } = probing(host);
    const tell = (quoted: Uint8Array): void => {
      const body = quoted.slice(0, 200);
      const error = { type: ICMPV6_TOO_BIG, code: 0, rest: 1_300, body };
      say(host, error, { source: ROUTER, destination: OURS, ttl: 64 });
    };
    const forged = sent.slice();
    forged[47] = (forged[47] ?? 0) ^ 1;
    tell(forged);
    const unheard = { sourcePort: 5, destinationPort: 6, payload: new Uint8Array(1_400) };
    tell(quote(PROTOCOL_UDP, buildUdp(unheard, OURS, NEIGHBOR)));
    expect([host.iface.ipv6.pathMtu(NEIGHBOR), outcomes]).toEqual([1_500, []]);
    tell(sent);
    expect([host.iface.ipv6.pathMtu(NEIGHBOR), outcomes]).toEqual([1_300, ["TOO_BIG"]]);
  });

  test.each([
    ["from nobody", 0n, Uint8Array.of(ICMPV6_ECHO_REQUEST, 0, 0, 0)],
    ["about an error", NEIGHBOR, Uint8Array.of(ICMPV6_UNREACHABLE, 0, 0, 0)],
    ["about a redirect", NEIGHBOR, Uint8Array.of(REDIRECT, 0, 0, 0)],
    ["about what does not say what it is", NEIGHBOR, new Uint8Array(0)],
  ])("4443-3 a problem of a packet %s is not told", (_, source, message) => {
    const host = known();
    const options = [PROTOCOL_ICMPV6, 0, 0x9e, 4, 0, 0, 0, 0];
    const problem = (bytes: Uint8Array, from: bigint): void =>
      send(host, from, OURS, { protocol: 60, payload: Uint8Array.of(...options, ...bytes) });
    problem(message, source);
    expect(takePackets(host)).toEqual([]);
    expect(host.iface.counters["ICMPV6_WITHHELD"]).toBe(1);
    problem(Uint8Array.of(ICMPV6_ECHO_REQUEST, 0, 0, 0), NEIGHBOR);
    expect(takeMessages(host, ICMPV6_PARAMETER_PROBLEM)).toHaveLength(1);
  });
});

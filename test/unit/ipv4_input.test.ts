/** What a host takes of what comes in by IPv4, and of what is quoted: RFC 1122 sections 3.2.1.3 and 3.2.2, RFC 768. */
import { describe, expect, test } from "vitest";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { Routes } from "../../src/net/routes.ts";
import { ARP_REPLY, buildArp } from "../../src/wire/arp.ts";
import { buildEthernet, ETHERTYPE_ARP, ETHERTYPE_IPV4 } from "../../src/wire/ethernet.ts";
import { splitIpv4 } from "../../src/wire/fragments.ts";
import { buildIcmp } from "../../src/wire/icmp.ts";
import { buildIpv4Packet } from "../../src/wire/ipv4.ts";
import { buildUdp, parseUdp } from "../../src/wire/udp.ts";
import { deliver, macOf, type Station, station } from "../fake_port.ts";

const ip = parseIpv4;
const OURS = ip("10.0.0.2");
const PEER = ip("10.0.0.9");
const ICMP = 1;
const UDP = 17;
const X = Uint8Array.of(1);

function host(): Station {
  const made = station(2);
  made.iface.configure({ address: OURS, prefixLength: 24, gateway: null, dns: [] });
  made.port.take();
  return made;
}

function hear(made: Station, packet: Uint8Array): void {
  deliver(made.iface, buildEthernet(macOf(2), macOf(9), ETHERTYPE_IPV4, packet));
}

describe("addresses", () => {
  test.each([
    ["to our own loopback", PEER, ip("127.0.0.1"), "IP_DESTINATION"],
    ["from our own loopback", ip("127.0.0.1"), OURS, "IP_SOURCE"],
    ["from us", OURS, OURS, "IP_SOURCE"],
    ["from a group", ip("239.1.1.1"), OURS, "IP_SOURCE"],
    ["from everybody", ip("10.0.0.255"), OURS, "IP_SOURCE"],
    ["to a group that nobody has joined", PEER, ip("239.1.1.1"), "IP_MULTICAST"],
    ["to a stranger", PEER, ip("10.0.0.77"), "IP_DESTINATION"],
  ])("1122-3 a datagram %s reaches nobody", (_, source, destination, reason) => {
    const made = host();
    const heard: number[] = [];
    made.iface.udp.bind({ port: 7 }).onMessage = ({ port }) => void heard.push(port);
    const datagram = { sourcePort: 9, destinationPort: 7, payload: X };
    const bytes = buildUdp(datagram, source, destination);
    hear(made, buildIpv4Packet({ source, destination, protocol: UDP }, bytes));
    expect([heard, made.iface.counters[reason]]).toEqual([[], 1]);
    expect(made.port.take()).toEqual([]);
  });

  test("of nested networks the smaller one's is ours to send from", () => {
    const routes = new Routes();
    routes.configure(ip("10.0.0.2"), 8, null);
    routes.addNetwork(ip("10.5.0.2"), 16);
    expect(routes.lookup(ip("10.5.0.9"))?.source).toBe(ip("10.5.0.2"));
    expect(routes.lookup(ip("10.6.0.9"))?.source).toBe(ip("10.0.0.2"));
  });

  test("an ARP reply that was meant for another station is not learned", () => {
    const made = host();
    made.iface.neighbors.hop(PEER);
    const reply = (to: number): void => {
      const arp = {
        ...{ operation: ARP_REPLY, senderMac: macOf(9), senderAddress: PEER },
        ...{ targetMac: macOf(to), targetAddress: OURS },
      } as const;
      deliver(made.iface, buildEthernet(macOf(2), macOf(9), ETHERTYPE_ARP, buildArp(arp)));
    };
    reply(3);
    expect(made.iface.neighbors.macOf(PEER)).toBeNull();
    expect(made.iface.counters["ARP_UNSOLICITED"]).toBe(1);
    reply(2);
    expect(made.iface.neighbors.macOf(PEER)).toEqual(macOf(9));
  });
});

describe("errors", () => {
  /** A router tells of a packet of ours. */
  function tell(made: Station, quoted: Uint8Array): void {
    const error = buildIcmp({ type: 3, code: 1, rest: 0, body: quoted });
    hear(made, buildIpv4Packet({ source: PEER, destination: OURS, protocol: ICMP }, error));
  }

  test("about a fragment behind the first find no socket: no ports are quoted", () => {
    const made = host();
    const told: number[] = [];
    made.iface.udp.bind({ port: 7 }).onError = ({ port }) => void told.push(port);
    // Each piece begins with what would be the ports.
    const ports = [0, 7, 0, 9, 0, 0, 0, 0];
    const payload = Uint8Array.from([...ports, ...ports]);
    const packet = buildIpv4Packet({ source: OURS, destination: PEER, protocol: UDP }, payload);
    const [first, second] = splitIpv4(packet, 28, 1);
    tell(made, second ?? packet);
    expect([told, made.iface.counters["ICMP_QUOTED"]]).toEqual([[], 1]);
    tell(made, first ?? packet);
    expect(told).toEqual([9]);
  });

  test("about a fragment behind the first find no echo request either", () => {
    const made = host();
    const outcomes: unknown[] = [];
    const probe = { address: PEER, bytes: 0, timeoutMs: 1_000, options: {} };
    made.iface.neighbors.hop(PEER);
    made.iface.probes.send(probe, (outcome) => void outcomes.push(outcome?.reason));
    const arp = { operation: ARP_REPLY, senderMac: macOf(9), senderAddress: PEER } as const;
    const reply = buildArp({ ...arp, targetMac: macOf(2), targetAddress: OURS });
    deliver(made.iface, buildEthernet(macOf(2), macOf(9), ETHERTYPE_ARP, reply));
    const sent = made.port.sent.at(-1)?.subarray(14) ?? X;
    const request = sent.slice(20);
    const fields = { source: OURS, destination: PEER, protocol: ICMP };
    const twice = buildIpv4Packet(fields, Uint8Array.from([...request, ...request]));
    const [, second] = splitIpv4(twice, 28, 1);
    tell(made, second ?? twice);
    expect(outcomes).toEqual([]);
    tell(made, sent);
    expect(outcomes).toEqual(["HOST_UNREACHABLE"]);
  });

  test("are not sent about fragments behind the first, nor about ICMP that does not say what it is", () => {
    const made = host();
    const packet = (protocol: number, bytes: number): Uint8Array => {
      const payload = new Uint8Array(bytes);
      payload[0] = 8;
      return buildIpv4Packet({ source: PEER, destination: OURS, protocol }, payload);
    };
    const told = (bytes: Uint8Array): boolean => made.iface.icmp.sendUnreachable(3, bytes);
    const [first = X, second = X] = splitIpv4(packet(UDP, 16), 28, 1);
    expect([told(first), told(second)]).toEqual([true, false]);
    expect([told(packet(ICMP, 8)), told(packet(ICMP, 7))]).toEqual([true, false]);
    expect(made.iface.counters["ICMP_WITHHELD"]).toBe(2);
  });
});

describe("RFC 768: datagrams", () => {
  test.each([[7, "UDP_LENGTH"], [10, "UDP_LENGTH"]])(
    "whose length is %i of 9 bytes are dropped",
    (length, reason) => {
      const bytes = buildUdp({ sourcePort: 9, destinationPort: 7, payload: X }, PEER, OURS);
      // Without a checksum, so that only the length can tell.
      bytes.set([0, length, 0, 0], 4);
      expect(parseUdp(bytes, PEER, OURS)).toBe(reason);
      bytes.set([0, 8], 4);
      expect(parseUdp(bytes, PEER, OURS)).toMatchObject({ payload: { length: 0 } });
    },
  );

  test("never say that they have no checksum", () => {
    const payload = new Uint8Array(2);
    let ones = 0;
    for (let word = 0; word < 0x1_0000; word++) {
      payload.set([word >> 8, word & 0xff]);
      const bytes = buildUdp({ sourcePort: 9, destinationPort: 7, payload }, PEER, OURS);
      const checksum = ((bytes[6] ?? 0) << 8) | (bytes[7] ?? 0);
      if (checksum === 0) throw new Error(`${word} has none`);
      if (checksum === 0xffff) ones++;
    }
    // The zero that was computed is sent as all ones.
    expect(ones).toBeGreaterThan(0);
  });
});

test("another address forgets what was heard of the old network", () => {
  const made = host();
  made.iface.neighbors.hop(PEER);
  const socket = made.iface.udp.bind({ port: 7 });
  const datagram = buildUdp({ sourcePort: 7, destinationPort: 9, payload: X }, OURS, PEER);
  const body = buildIpv4Packet({ source: OURS, destination: PEER, protocol: UDP }, datagram);
  const error = buildIcmp({ type: 3, code: 4, rest: 600, body });
  hear(made, buildIpv4Packet({ source: PEER, destination: OURS, protocol: ICMP }, error));
  const isTold = (): boolean =>
    !socket.send(new Uint8Array(1_000), PEER, 9, { dontFragment: true }) &&
    made.iface.lastDrop === "TOO_BIG";
  expect(isTold()).toBe(true);
  const whole = buildIpv4Packet(
    { source: PEER, destination: OURS, protocol: UDP },
    new Uint8Array(64),
  );
  hear(made, splitIpv4(whole, 48, 1)[0] ?? whole);
  made.iface.configure({ address: ip("10.0.0.3"), prefixLength: 24, gateway: null, dns: [] });
  expect(isTold()).toBe(false);
  made.port.clock.advance(100_000);
  expect(made.iface.counters["FRAGMENT_TIME"]).toBeUndefined();
});

import { describe, expect, test } from "vitest";
import { PUNT_ICMP } from "../../src/layout/layout.gen.ts";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { ECHO_REPLIES_PER_SECOND, ICMP_ERRORS_PER_SECOND } from "../../src/net/icmp.ts";
import type { UdpError } from "../../src/net/udp.ts";
import { ARP_REQUEST, buildArp } from "../../src/wire/arp.ts";
import {
  broadcastMac,
  buildEthernet,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
} from "../../src/wire/ethernet.ts";
import { buildIcmp } from "../../src/wire/icmp.ts";
import { buildIpv4Packet } from "../../src/wire/ipv4.ts";
import { buildUdp } from "../../src/wire/udp.ts";
import { deliver, macOf, mutate, type Station, station } from "../fake_port.ts";

const ip = parseIpv4;
const OURS = ip("10.0.0.2");
const PEER = ip("10.0.0.9");

/** A configured station that knows its peer's MAC. */
function ready(anyAddress: boolean = false): Station {
  const made = station(2, undefined, { anyAddress });
  made.iface.configure({ address: OURS, prefixLength: 24, gateway: null, dns: [] });
  const request = buildArp({
    operation: ARP_REQUEST,
    senderMac: macOf(9),
    senderAddress: PEER,
    targetMac: new Uint8Array(6),
    targetAddress: OURS,
  });
  deliver(made.iface, buildEthernet(macOf(2), macOf(9), ETHERTYPE_ARP, request));
  made.port.take();
  return made;
}

function frame(
  protocol: number,
  payload: Uint8Array,
  source: number,
  destination: number,
): Uint8Array {
  const packet = buildIpv4Packet({ source, destination, protocol }, payload);
  return buildEthernet(macOf(2), macOf(9), ETHERTYPE_IPV4, packet);
}

function echo(source: number = PEER, destination: number = OURS, bytes: number = 3): Uint8Array {
  const body = new Uint8Array(bytes).fill(7);
  const message = buildIcmp({ type: 8, code: 0, rest: 0x00050006, body });
  return frame(1, message, source, destination);
}

/** An error from a peer about a packet that we are said to have sent. */
function errorAbout(packet: Uint8Array, type: number, code: number, rest: number = 0): Uint8Array {
  return frame(1, buildIcmp({ type, code, rest, body: packet }), PEER, OURS);
}

describe("echo", () => {
  test("is answered with the same data, as long as the request", () => {
    const made = ready();
    deliver(made.iface, echo());
    expect(made.port.sent[0]?.length).toBe(echo().length);
    expect(made.port.take()).toEqual(["10.0.0.2 > 10.0.0.9 ICMP echo reply id 5 seq 6 length 3"]);
  });

  test("is answered 100 times per second", () => {
    const made = ready();
    for (let index = 0; index < 300; index++) deliver(made.iface, echo());
    expect(made.port.take().length).toBe(ECHO_REPLIES_PER_SECOND);
    made.port.clock.advance(9);
    deliver(made.iface, echo());
    expect(made.port.take().length).toBe(0);
    made.port.clock.advance(1);
    deliver(made.iface, echo());
    deliver(made.iface, echo());
    expect(made.port.take().length).toBe(1);
    expect(made.iface.counters["ICMP_ECHO_LIMIT"]).toBe(202);
  });

  test("is never answered to or from a group, or anybody that is no host (N18)", () => {
    const made = ready();
    const sources = ["255.255.255.255", "10.0.0.255", "224.0.0.1", "127.0.0.1", "0.0.0.0"];
    for (const source of [...sources, "10.0.0.2"]) deliver(made.iface, echo(ip(source)));
    for (const destination of ["255.255.255.255", "10.0.0.255", "224.0.0.5", "10.0.0.3"]) {
      deliver(made.iface, echo(PEER, ip(destination)));
    }
    const group = echo();
    group.set(broadcastMac(), 0);
    deliver(made.iface, group);
    expect(made.port.take()).toEqual([]);
    expect(made.iface.counters).toMatchObject({
      IP_SOURCE: 6,
      ICMP_GROUP: 2,
      IP_MULTICAST: 1,
      IP_DESTINATION: 1,
      IP_GROUP_FRAME: 1,
    });
  });

  test("for a foreign address is not answered by a gateway in its name", () => {
    const made = ready(true);
    deliver(made.iface, echo(PEER, ip("192.0.2.1")));
    expect(made.port.take()).toEqual([]);
    expect(made.iface.counters["ICMP_ECHO_ADDRESS"]).toBe(1);
  });
});

describe("errors that arrive", () => {
  const segment = new Uint8Array(20).fill(1);
  const tcp = buildIpv4Packet({ source: OURS, destination: PEER, protocol: 6 }, segment);

  test("about TCP go to the core, with the MTU where one is told", () => {
    const made = ready();
    deliver(made.iface, errorAbout(tcp.slice(0, 28), 3, 4, 1_280));
    deliver(made.iface, errorAbout(tcp.slice(0, 28), 11, 0, 1_280));
    expect(made.port.icmpErrors.map(({ type, code, mtu }) => [type, code, mtu])).toEqual([
      [3, 4, 1_280],
      [11, 0, 0],
    ]);
    expect(made.port.icmpErrors[0]?.quoted).toEqual(tcp.slice(0, 28));
  });

  test("that quote too little, or a packet of others, go nowhere", () => {
    const made = ready();
    for (let size = 0; size < 28; size++) deliver(made.iface, errorAbout(tcp.slice(0, size), 3, 1));
    const foreign = buildIpv4Packet({ source: PEER, destination: OURS, protocol: 6 }, segment);
    deliver(made.iface, errorAbout(foreign, 3, 1));
    expect(made.port.icmpErrors).toEqual([]);
    expect(made.iface.counters["ICMP_QUOTED"]).toBe(29);
  });

  test("redirects change no route (N08)", () => {
    const made = ready();
    deliver(made.iface, errorAbout(tcp, 5, 1, PEER));
    expect(made.iface.routes.lookup(ip("192.0.2.1"))).toBeNull();
    expect(made.iface.counters["ICMP_REDIRECT"]).toBe(1);
  });

  test("about a datagram go to its socket", () => {
    const made = ready();
    const socket = made.iface.udp.bind({ port: 5_000 });
    const errors: UdpError[] = [];
    socket.onError = (error): void => void errors.push(error);
    const datagram = { sourcePort: 5_000, destinationPort: 53, payload: segment };
    const packet = buildIpv4Packet(
      { source: OURS, destination: PEER, protocol: 17 },
      buildUdp(datagram, OURS, PEER),
    );
    deliver(made.iface, errorAbout(packet.slice(0, 28), 3, 3));
    expect(errors).toEqual([{ type: 3, code: 3, mtu: 0, address: PEER, port: 53 }]);
    socket.close();
    deliver(made.iface, errorAbout(packet.slice(0, 28), 3, 3));
    expect(errors.length).toBe(1);
  });

  test.each(["127.0.0.1", "10.0.0.2"])(
    "from the link say nothing of what we send to %s",
    (text) => {
      const made = ready();
      const self = ip(text);
      const socket = made.iface.udp.bind({ port: 5_000 });
      const errors: UdpError[] = [];
      socket.onError = (error): void => void errors.push(error);
      const datagram = { sourcePort: 5_000, destinationPort: 53, payload: segment };
      const packet = buildIpv4Packet(
        { source: self, destination: self, protocol: 17 },
        buildUdp(datagram, self, self),
      );
      deliver(made.iface, errorAbout(packet.slice(0, 28), 3, 3));
      expect(errors).toEqual([]);
      expect(made.iface.counters["ICMP_QUOTED"]).toBe(1);
      // We may say so ourselves.
      socket.send(segment, self, 53);
      made.port.clock.advance(10);
      expect(errors).toMatchObject([{ type: 3, code: 3, address: self, port: 53 }]);
    },
  );

  test("changed or cut anyhow throw nothing and answer nothing", () => {
    const made = ready();
    mutate(errorAbout(tcp, 3, 3), 5, (bytes) => made.iface.receive(bytes, PUNT_ICMP));
    expect(made.port.take()).toEqual([]);
  });
});

describe("sendUnreachable()", () => {
  const datagram = { sourcePort: 1, destinationPort: 2, payload: new Uint8Array(400) };
  const offending = (source: number, destination: number): Uint8Array =>
    buildIpv4Packet(
      { source, destination, protocol: 17 },
      buildUdp(datagram, source, destination),
    );

  test("quotes header and 8 bytes, and is limited", () => {
    const made = ready(true);
    const packet = offending(PEER, ip("192.0.2.1"));
    expect(made.iface.icmp.sendUnreachable(13, packet)).toBe(true);
    expect(made.port.sent[0]?.length).toBe(14 + 20 + 8 + 28);
    expect(made.port.take()).toEqual([
      "10.0.0.2 > 10.0.0.9 ICMP type 3 code 13 for protocol 17 10.0.0.9:1 > 192.0.2.1:2",
    ]);
    for (let index = 1; index < 300; index++) made.iface.icmp.sendUnreachable(13, packet);
    expect(made.port.take().length).toBeLessThan(ICMP_ERRORS_PER_SECOND);
  });

  test("is limited to a number that nobody can count on", () => {
    const made = ready(true);
    const packet = offending(PEER, ip("192.0.2.1"));
    const bursts = new Set<number>();
    for (let second = 0; second < 20; second++) {
      for (let index = 0; index < 200; index++) made.iface.icmp.sendUnreachable(13, packet);
      bursts.add(made.port.take().length);
      made.port.clock.advance(1_000);
    }
    // One error more or less is lost among these.
    expect(bursts.size).toBeGreaterThan(5);
    expect(Math.min(...bursts)).toBeGreaterThan(ICMP_ERRORS_PER_SECOND / 3);
    expect(Math.max(...bursts)).toBeLessThanOrEqual(ICMP_ERRORS_PER_SECOND);
  });

  test("is withheld about groups, ICMP errors and nonsense. RFC 1122 section 3.2.2", () => {
    const made = ready();
    const about = (packet: Uint8Array): boolean => made.iface.icmp.sendUnreachable(3, packet);
    expect(about(offending(PEER, ip("10.0.0.255")))).toBe(false);
    expect(about(offending(PEER, ip("224.0.0.1")))).toBe(false);
    expect(about(offending(ip("10.0.0.255"), OURS))).toBe(false);
    expect(about(offending(0, OURS))).toBe(false);
    const error = buildIcmp({ type: 3, code: 3, rest: 0, body: offending(OURS, PEER) });
    expect(about(buildIpv4Packet({ source: PEER, destination: OURS, protocol: 1 }, error))).toBe(
      false,
    );
    expect(about(new Uint8Array(5))).toBe(false);
    expect(made.port.take()).toEqual([]);
  });
});

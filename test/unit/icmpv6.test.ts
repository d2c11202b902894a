/** ICMPv6 and MLD of a host, as the wire shows them: RFC 4443, RFC 3810. */
import { describe, expect, test } from "vitest";
import { solicitedNode } from "../../src/net/neighbor_discovery.ts";
import { formatIp } from "../../src/net/addresses.ts";
import { readIpv6, writeIpv6 } from "../../src/wire/address_bytes.ts";
import {
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_PARAMETER_PROBLEM,
  ICMPV6_TOO_BIG,
  ICMPV6_UNREACHABLE,
  MLD_QUERY,
  MLD_V1_REPORT,
  MLD_V2_REPORT,
} from "../../src/wire/icmpv6.ts";
import { buildIpv6Packet } from "../../src/wire/ipv6.ts";
import { neighborSolicitation } from "../../src/wire/ndp.ts";
import { buildUdp } from "../../src/wire/udp.ts";
import { deliver, type Station, station } from "../fake_port.ts";
import {
  advance,
  ALL_NODES,
  config,
  frameWith,
  ip6,
  linkLocalOf,
  NEIGHBOR,
  NEIGHBOR_MAC,
  OURS,
  ROUTER,
  say,
  staticStation,
  takeMessages,
  takePackets,
} from "../ipv6_net.ts";

describe("RFC 4443: ICMPv6", () => {
  const echo = {
    type: ICMPV6_ECHO_REQUEST,
    code: 0,
    rest: 0x12340001,
    body: Uint8Array.of(1, 2, 3),
  };

  function known(): Station {
    const host = staticStation();
    const asking = neighborSolicitation(OURS, NEIGHBOR_MAC);
    say(host, asking, { source: NEIGHBOR, destination: solicitedNode(OURS) });
    takePackets(host);
    return host;
  }

  test("4443-1 an echo comes back byte for byte, that of a group from our own address", () => {
    const host = known();
    for (const destination of [OURS, ALL_NODES]) {
      say(host, echo, { source: NEIGHBOR, destination, ttl: 64 });
      const [reply] = takeMessages(host, ICMPV6_ECHO_REPLY);
      expect(reply).toMatchObject({
        source: OURS,
        destination: NEIGHBOR,
        rest: echo.rest,
        ttl: 64,
      });
      expect(reply?.body).toEqual(echo.body);
    }
  });

  test("echoes have a limit of 100 per second", () => {
    const host = known();
    for (let i = 0; i < 150; i++) say(host, echo, { source: NEIGHBOR, destination: OURS, ttl: 64 });
    expect(takeMessages(host, ICMPV6_ECHO_REPLY)).toHaveLength(100);
    expect(host.iface.counters["ICMPV6_ECHO_LIMIT"]).toBe(50);
  });

  test("4443-2 8201-9 errors about segments go to the core with what they quote, those about strangers' nowhere", () => {
    const host = known();
    const error = (source: bigint, type: number, rest: number): void => {
      const quoted = buildIpv6Packet(
        { source, destination: NEIGHBOR, protocol: 6 },
        new Uint8Array(20),
      );
      say(host, { type, code: 0, rest, body: quoted }, {
        source: ROUTER,
        destination: OURS,
        ttl: 60,
      });
    };
    error(OURS, ICMPV6_UNREACHABLE, 0);
    error(OURS, ICMPV6_TOO_BIG, 1_400);
    error(NEIGHBOR, ICMPV6_UNREACHABLE, 0);
    error(OURS, ICMPV6_TOO_BIG, 600);
    expect(host.port.icmpErrors.map(({ type, mtu }) => [type, mtu])).toEqual([[1, 0], [2, 1_400]]);
    expect(host.iface.counters).toMatchObject({ ICMPV6_QUOTED: 1, ICMPV6_MTU: 1 });
  });

  test("packet too big cuts later datagrams, and is told to their socket", () => {
    const host = known();
    const socket = host.iface.udp.bind({ port: 7 });
    const errors: number[] = [];
    socket.onError = ({ type, mtu }) => void errors.push(type, mtu);
    socket.send(new Uint8Array(1_400), NEIGHBOR, 9);
    const [sent] = takePackets(host);
    expect(sent).toMatchObject({ totalBytes: 1_448, isFragment: false });
    const body = sent?.packet.slice(0, 1_200) ?? new Uint8Array(0);
    say(host, { type: ICMPV6_TOO_BIG, code: 0, rest: 1_300, body }, { destination: OURS, ttl: 60 });
    expect(errors).toEqual([ICMPV6_TOO_BIG, 1_300]);
    socket.send(new Uint8Array(1_400), NEIGHBOR, 9);
    const pieces = takePackets(host);
    expect(pieces.map(({ isFragment, totalBytes }) => isFragment && totalBytes <= 1_300)).toEqual([
      true,
      true,
    ]);
    expect(socket.send(new Uint8Array(1_400), NEIGHBOR, 9, { dontFragment: true })).toBe(false);
  });

  test.each([1n, OURS])(
    "an error from the link says nothing of what we send to ourselves (%s)",
    (self) => {
      const host = known();
      const socket = host.iface.udp.bind({ port: 7 });
      const errors: number[] = [];
      socket.onError = ({ code }) => void errors.push(code);
      const ports = { sourcePort: 7, destinationPort: 9, payload: new Uint8Array(4) };
      const quoted = { source: self, destination: self, protocol: 17 };
      const body = buildIpv6Packet(quoted, buildUdp(ports, self, self));
      say(host, { type: ICMPV6_UNREACHABLE, code: 4, rest: 0, body }, {
        destination: OURS,
        ttl: 60,
      });
      expect(errors).toEqual([]);
      // We may say so ourselves.
      socket.send(new Uint8Array(4), self, 9);
      advance(host, 10);
      expect(errors).toEqual([4]);
    },
  );

  test("8201-10 packet too big about what we have not sent cuts nothing, about an echo request it does", () => {
    const host = known();
    const { ipv6, probes } = host.iface;
    const tell = (quoted: Uint8Array): void =>
      say(host, { type: ICMPV6_TOO_BIG, code: 0, rest: 1_300, body: quoted }, {
        destination: OURS,
        ttl: 60,
      });
    host.iface.udp.bind({ port: 7 });
    const ports = { sourcePort: 8, destinationPort: 9, payload: new Uint8Array(4) };
    const quote = (protocol: number, bytes: Uint8Array): Uint8Array =>
      buildIpv6Packet({ source: OURS, destination: NEIGHBOR, protocol }, bytes);
    tell(quote(17, buildUdp(ports, OURS, NEIGHBOR)));
    tell(quote(58, Uint8Array.of(ICMPV6_ECHO_REQUEST, 0, 0, 0, 1, 2, 3, 4)));
    tell(quote(200, new Uint8Array(8)));
    expect(ipv6.pathMtu(NEIGHBOR)).toBe(1_500);
    expect(host.iface.counters["ICMPV6_QUOTED"]).toBe(1);
    expect(host.iface.counters["ICMP_QUOTED"]).toBe(2);
    let told = "";
    probes.send({ address: NEIGHBOR, bytes: 1_400, timeoutMs: 1_000, options: {} }, (outcome) => {
      told = outcome?.reason ?? "";
    });
    tell(takePackets(host)[0]?.packet.slice(0, 1_200) ?? new Uint8Array(0));
    expect(told).toBe("TOO_BIG");
    expect(ipv6.pathMtu(NEIGHBOR)).toBe(1_300);
  });

  test("4443-4 a datagram that nobody takes is told to its sender, 100 times a second at most, to groups never", () => {
    const host = known();
    const datagram = (destination: bigint): Uint8Array => {
      const ports = { sourcePort: 5, destinationPort: 6, payload: new Uint8Array(2_000) };
      const bytes = buildUdp(ports, NEIGHBOR, destination);
      const packet = { source: NEIGHBOR, destination, protocol: 17 };
      return frameWith(buildIpv6Packet(packet, bytes), destination, NEIGHBOR_MAC, host);
    };
    deliver(host.iface, datagram(ALL_NODES));
    expect(takePackets(host)).toEqual([]);
    for (let i = 0; i < 120; i++) deliver(host.iface, datagram(OURS));
    const errors = takeMessages(host, ICMPV6_UNREACHABLE);
    expect(errors.length).toBeGreaterThan(33);
    expect(errors.length).toBeLessThanOrEqual(100);
    expect(errors[0]).toMatchObject({ code: 4, destination: NEIGHBOR, totalBytes: 1_280 });
    expect(host.iface.counters["ICMPV6_ERROR_LIMIT"]).toBe(120 - errors.length);
  });

  test("8200-6 an unknown next header and an unknown option are problems, told with their place", () => {
    const host = known();
    const send = (destination: bigint, protocol: number, payload: Uint8Array): void => {
      const packet = buildIpv6Packet({ source: NEIGHBOR, destination, protocol }, payload);
      deliver(host.iface, frameWith(packet, destination, NEIGHBOR_MAC, host));
    };
    send(OURS, 200, new Uint8Array(8));
    send(ALL_NODES, 60, Uint8Array.of(59, 0, 0x9e, 4, 0, 0, 0, 0));
    send(ALL_NODES, 60, Uint8Array.of(59, 0, 0xde, 4, 0, 0, 0, 0));
    const told = takeMessages(host, ICMPV6_PARAMETER_PROBLEM);
    expect(told.map(({ code, rest, source }) => [code, rest, source])).toEqual([
      [1, 6, OURS],
      [2, 42, OURS],
    ]);
  });

  test("4443-3 errors about errors are not sent, nor to nobody", () => {
    const host = known();
    const problem = Uint8Array.of(58, 0, 0xde, 4, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0, 0, 0);
    const error = buildIpv6Packet({ source: NEIGHBOR, destination: OURS, protocol: 60 }, problem);
    deliver(host.iface, frameWith(error, OURS, NEIGHBOR_MAC, host));
    const unset = buildIpv6Packet({ source: 0n, destination: OURS, protocol: 200 }, problem);
    deliver(host.iface, frameWith(unset, OURS, NEIGHBOR_MAC, host));
    expect(takePackets(host).filter(({ destination }) => destination === 0n)).toEqual([]);
    expect(host.iface.counters["ICMPV6_WITHHELD"]).toBeGreaterThan(0);
  });
});

describe("RFC 3810: groups", () => {
  const reportOf = ({ body }: { readonly body: Uint8Array }): [number, string][] => {
    const records: [number, string][] = [];
    for (let at = 0; at < body.length; at += 20) {
      records.push([body[at] ?? 0, formatIp(readIpv6(body, at + 4))]);
    }
    return records;
  };

  test("3810-1 each address joins its group: told twice, with hop limit 1 and Router Alert", () => {
    const host = station(1);
    host.iface.ipv6.start(config());
    advance(host, 3_000);
    const reports = takeMessages(host, MLD_V2_REPORT);
    const group = formatIp(solicitedNode(linkLocalOf(host)));
    expect(reports.map(reportOf)).toEqual([[[4, group]], [[4, group]]]);
    expect(reports[0]).toMatchObject({
      destination: ip6("ff02::16"),
      ttl: 1,
      hasRouterAlert: true,
    });
  });

  test("a group that is left is told as included from nobody", () => {
    const host = staticStation();
    advance(host, 3_000);
    takePackets(host);
    host.iface.groups.join(ip6("ff05::7"));
    host.iface.groups.leave(ip6("ff05::7"));
    advance(host, 3_000);
    const told = takeMessages(host, MLD_V2_REPORT).map(reportOf);
    expect(told[0]).toEqual([[4, "ff05::7"]]);
    expect(told.slice(1).every((records) => records[0]?.[0] === 3)).toBe(true);
    expect(told.length).toBeGreaterThan(1);
  });

  test("3810-2 a query is answered within its time, for all groups or for the one it names", () => {
    const host = staticStation();
    advance(host, 3_000);
    takePackets(host);
    const query = (group: bigint): void => {
      const body = new Uint8Array(20);
      writeIpv6(body, 0, group);
      const message = { type: MLD_QUERY, code: 0, rest: 1_000 << 16, body };
      say(host, message, { destination: ALL_NODES, ttl: 1, routerAlert: true });
    };
    query(0n);
    expect(takePackets(host)).toEqual([]);
    advance(host, 1_000);
    const groups = takeMessages(host, MLD_V2_REPORT).flatMap(reportOf);
    expect(groups).toContainEqual([2, formatIp(solicitedNode(OURS))]);
    expect(groups).toHaveLength(2);
    query(solicitedNode(OURS));
    query(ip6("ff05::7"));
    advance(host, 1_000);
    expect(takeMessages(host, MLD_V2_REPORT).flatMap(reportOf)).toHaveLength(1);
  });

  test("3810-3 a querier of version 1 is answered in version 1", () => {
    const host = staticStation();
    advance(host, 3_000);
    takePackets(host);
    const message = { type: MLD_QUERY, code: 0, rest: 500 << 16, body: new Uint8Array(16) };
    say(host, message, { destination: ALL_NODES, ttl: 1, routerAlert: true });
    advance(host, 500);
    const reports = takeMessages(host, MLD_V1_REPORT);
    expect(reports).toHaveLength(2);
    for (const { destination, body } of reports) expect(readIpv6(body, 0)).toBe(destination);
  });

  test.each([
    ["from beyond the link", {
      source: NEIGHBOR,
      destination: ALL_NODES,
      ttl: 1,
      routerAlert: true,
    }],
    ["with another hop limit", { destination: ALL_NODES, ttl: 64, routerAlert: true }],
    ["without Router Alert", { destination: ALL_NODES, ttl: 1 }],
  ])("a query %s is dropped", (_, sent) => {
    const host = staticStation();
    say(host, { type: MLD_QUERY, code: 0, rest: 0, body: new Uint8Array(20) }, sent);
    expect(host.iface.counters["MLD_QUERY"]).toBe(1);
  });
});

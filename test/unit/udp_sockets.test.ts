/** Which of several sockets hears a datagram or an error, and what is left when one goes: RFC 768, RFC 1122 section 4.1.3. */
import { describe, expect, test } from "vitest";
import { AddressInUse, ConnectionRefused } from "../../src/errors.ts";
import { parseIp, parseIpv4 } from "../../src/net/addresses.ts";
import { UDP_SOCKETS_MAX, type UdpSocket } from "../../src/net/udp.ts";
import { buildEthernet, ETHERTYPE_IPV4 } from "../../src/wire/ethernet.ts";
import { buildIcmp } from "../../src/wire/icmp.ts";
import { buildIpv4Packet } from "../../src/wire/ipv4.ts";
import { buildUdp } from "../../src/wire/udp.ts";
import { deliver, macOf, type Station, station } from "../fake_port.ts";
import { config } from "../ipv6_net.ts";

const A = parseIpv4("10.0.0.1");
const B = parseIpv4("10.0.0.2");
const GROUP = parseIpv4("239.1.2.3");
const V6 = parseIp("fd00::1");
const PROTOCOL_ICMP = 1;
const PROTOCOL_UDP = 17;
const X = Uint8Array.of(1);

/** A station with addresses of both families. */
function host(): Station {
  const made = station(1);
  made.iface.configure({ address: A, prefixLength: 24, gateway: null, dns: [] });
  const addresses = [{ address: BigInt(V6), prefixLength: 64 }];
  made.iface.ipv6.start(config({ autoconfigure: false, addresses }));
  made.port.clock.advance(2_000);
  return made;
}

/** A datagram from B. */
function hear(made: Station, destinationPort: number, sourcePort = 9, destination = A): void {
  const datagram = { sourcePort, destinationPort, payload: X };
  const packet = buildIpv4Packet(
    { source: B, destination, protocol: PROTOCOL_UDP },
    buildUdp(datagram, B, destination),
  );
  deliver(made.iface, buildEthernet(macOf(1), macOf(2), ETHERTYPE_IPV4, packet));
}

/** An error about a datagram of ours. */
function fail(made: Station, error: { type: number; code: number; rest?: number }, about: {
  from: number;
  to: number;
  destination?: number;
}): void {
  const { from, to, destination = B } = about;
  const bytes = buildUdp({ sourcePort: from, destinationPort: to, payload: X }, A, destination);
  const quoted = buildIpv4Packet({ source: A, destination, protocol: PROTOCOL_UDP }, bytes);
  const packet = buildIpv4Packet(
    { source: B, destination: A, protocol: PROTOCOL_ICMP },
    buildIcmp({ rest: 0, ...error, body: quoted }),
  );
  deliver(made.iface, buildEthernet(macOf(1), macOf(2), ETHERTYPE_IPV4, packet));
}

/** Notes a name whenever a socket hears something. */
function named(into: string[], name: string, socket: UdpSocket): UdpSocket {
  socket.onMessage = (): void => void into.push(name);
  return socket;
}

describe("a datagram", () => {
  test("goes to the connected socket first, then to the exact address, then to the last one bound", () => {
    const made = host();
    const { udp } = made.iface;
    const got: string[] = [];
    const bind = (name: string, address?: number): UdpSocket => {
      const place = address === undefined ? {} : { address };
      return named(got, name, udp.bind({ port: 7, isShared: true, ...place }));
    };
    bind("first");
    bind("second");
    hear(made, 7);
    const exact = bind("exact", A);
    bind("third");
    hear(made, 7);
    const connected = bind("connected");
    connected.connect(B, 9);
    hear(made, 7);
    // One that is connected to another end fits least, were it bound to the very address.
    exact.connect(B, 10);
    connected.close();
    hear(made, 7);
    expect(got).toEqual(["second", "exact", "connected", "third"]);
  });

  test("is heard by sockets of its family alone, and both may have the port", () => {
    const made = host();
    const { udp } = made.iface;
    const got: string[] = [];
    named(got, "six", udp.bind({ port: 7, family: 6 }));
    hear(made, 7);
    expect([got, made.iface.counters["UDP_PORT"]]).toEqual([[], 1]);
    named(got, "four", udp.bind({ port: 7, family: 4 }));
    hear(made, 7);
    expect(got).toEqual(["four"]);
    expect(() => udp.bind({ port: 7 })).toThrow(AddressInUse);
    expect(() => udp.bind({ port: 7, family: 6 })).toThrow(AddressInUse);
  });

  test.each([
    ["a group", GROUP],
    ["everybody", parseIpv4("10.0.0.255")],
  ])("to %s is not told to one that another hearer has closed", (_, destination) => {
    const made = host();
    const { udp } = made.iface;
    const got: string[] = [];
    const sockets = [1, 2].map(() => udp.bind({ port: 7, isShared: true }));
    for (const socket of sockets) {
      socket.join(GROUP);
      socket.onMessage = (): void => {
        got.push("one");
        for (const other of sockets) if (other !== socket) other.close();
      };
    }
    hear(made, 7, 9, destination);
    expect(got).toEqual(["one"]);
    expect(made.iface.counters["UDP_UNHEARD"]).toBeUndefined();
  });

  test("to a group of IPv6 is heard by members here, unless the sender does not want it", () => {
    const made = host();
    const group = parseIp("ff05::7");
    const got: number[] = [];
    const socket = made.iface.udp.bind({ port: 7 });
    socket.join(group);
    socket.onMessage = ({ data }) => void got.push(data.length);
    socket.send(new Uint8Array(1), group, 7);
    socket.send(new Uint8Array(2), group, 7, { loopback: false });
    made.port.clock.advance(0);
    expect(got).toEqual([1]);
  });

  test("does not leave from an address of the other family", () => {
    const made = host();
    const socket = made.iface.udp.bind({ port: 7, address: A });
    expect(socket.send(X, parseIp("fd00::9"), 9)).toBe(false);
    expect(made.iface.lastDrop).toBe("NO_ROUTE");
  });
});

describe("an error", () => {
  const UNREACHABLE = { type: 3, code: 3 };

  test("fails the next datagram to the peer that a socket is connected to, once, and no other", () => {
    const made = host();
    const socket = made.iface.udp.bind({ port: 7 });
    socket.connect(B, 9);
    fail(made, UNREACHABLE, { from: 7, to: 10 });
    expect(() => socket.send(X, B, 9)).not.toThrow();
    fail(made, UNREACHABLE, { from: 7, to: 9 });
    expect(() => socket.send(X, B, 10)).not.toThrow();
    expect(() => socket.send(X, B, 9)).toThrow(ConnectionRefused);
    expect(() => socket.send(X, B, 9)).not.toThrow();
    // RFC 1122 section 3.2.2.1: the protocol's code says as much.
    fail(made, { type: 3, code: 2 }, { from: 7, to: 9 });
    expect(() => socket.send(X, B, 9)).toThrow(ConnectionRefused);
    for (const code of [0, 1, 13]) fail(made, { type: 3, code }, { from: 7, to: 9 });
    expect(() => socket.send(X, B, 9)).not.toThrow();
    fail(made, UNREACHABLE, { from: 7, to: 9 });
    socket.disconnect();
    expect(socket.takeError()).toBeNull();
    fail(made, UNREACHABLE, { from: 7, to: 9 });
    socket.connect(B, 9);
    expect(socket.takeError()).toBeNull();
  });

  test("about a datagram to a group, or of no socket, is nobody's", () => {
    const made = host();
    const told: number[] = [];
    made.iface.udp.bind({ port: 7 }).onError = ({ port }) => void told.push(port);
    fail(made, UNREACHABLE, { from: 7, to: 9, destination: GROUP });
    fail(made, UNREACHABLE, { from: 8, to: 9 });
    expect([told, made.iface.counters["ICMP_QUOTED"]]).toEqual([[], 2]);
    fail(made, UNREACHABLE, { from: 7, to: 9 });
    expect(told).toEqual([9]);
  });

  test("too big narrows the path of a socket's datagrams, and nobody else's do", () => {
    const made = host();
    made.iface.neighbors.hop(B);
    const socket = made.iface.udp.bind({ port: 7 });
    const pass = (): boolean => socket.send(new Uint8Array(1_000), B, 9, { dontFragment: true });
    const tooBig = { type: 3, code: 4, rest: 600 };
    fail(made, tooBig, { from: 8, to: 9 });
    expect(pass()).toBe(true);
    fail(made, tooBig, { from: 7, to: 9 });
    expect([pass(), made.iface.lastDrop]).toEqual([false, "TOO_BIG"]);
  });
});

test("a socket that is closed leaves its place, its port and its groups", () => {
  const made = host();
  const { udp, groups } = made.iface;
  for (let round = 0; round < UDP_SOCKETS_MAX + 1; round++) {
    const socket = udp.bind({ port: 7 });
    if (round === 0) {
      expect([socket.join(GROUP), socket.join(GROUP), groups.has(GROUP)]).toEqual([
        true,
        false,
        true,
      ]);
    }
    socket.close();
  }
  expect(groups.has(GROUP)).toBe(false);
});

import { describe, expect, test } from "vitest";
import { bindUdp } from "../../src/api/udp_socket.ts";
import { AddressInUse, AddressNotAvailable, BadResource, NoBuffers } from "../../src/errors.ts";
import { PUNT_IPV6, PUNT_UDP } from "../../src/layout/layout.gen.ts";
import { parseIpv4 } from "../../src/net/addresses.ts";
import {
  EPHEMERAL_FIRST,
  UDP_SOCKETS_MAX,
  type UdpMessage,
  type UnclaimedMessage,
} from "../../src/net/udp.ts";
import { buildEthernet, ETHERTYPE_IPV4 } from "../../src/wire/ethernet.ts";
import { buildIpv4Packet } from "../../src/wire/ipv4.ts";
import { buildUdp } from "../../src/wire/udp.ts";
import { connect, deliver, macOf, mutate, type Station, station } from "../fake_port.ts";

const ip = parseIpv4;
const A = ip("10.0.0.1");
const B = ip("10.0.0.2");

/** Two stations on a cable that know each other. */
function pair(anyAddress: boolean = false): { a: Station; b: Station; pass: () => void } {
  const a = station(1, undefined, { anyAddress });
  const b = station(2, a.port.clock);
  connect([a, b]);
  a.iface.configure({ address: A, prefixLength: 24, gateway: null, dns: [] });
  b.iface.configure({ address: B, prefixLength: 24, gateway: A, dns: [] });
  const pass = (): void => a.port.clock.advance(10);
  pass();
  return { a, b, pass };
}

/** A signal that knows how many listen to it. */
function watched(): { signal: AbortSignal & { listeners: number }; abort: () => void } {
  const controller = new AbortController();
  const signal = Object.assign(controller.signal, { listeners: 0 });
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>): void => {
    signal.listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>): void => {
    signal.listeners--;
    remove(...args);
  };
  return { signal, abort: () => controller.abort() };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Notes messages as text; what is lent is overwritten afterwards, so it has to be read at once. */
function note(into: string[]): (message: UdpMessage) => void {
  return ({ data, address, port, localAddress }) => {
    into.push(`${new TextDecoder().decode(data)} ${address} ${port} ${localAddress}`);
  };
}

describe("UdpSocket", () => {
  test("send() and onMessage carry datagrams both ways", () => {
    const { a, b, pass } = pair();
    const got: string[] = [];
    const server = a.iface.udp.bind({ port: 7 });
    server.onMessage = (message): void => {
      note(got)(message);
      server.send(message.data, message.address, message.port);
    };
    const client = b.iface.udp.bind({ port: 0 });
    client.onMessage = note(got);
    expect(client.send(bytes("hello"), A, 7)).toBe(true);
    pass();
    expect(got).toEqual([`hello ${B} ${client.port} ${A}`, `hello ${A} 7 ${B}`]);
    client.close();
    client.close();
    expect(() => client.send(bytes("x"), A, 7)).toThrow(BadResource);
  });

  test("an exact address goes before any address; broadcasts reach any address", () => {
    const { a, b, pass } = pair();
    const got: string[] = [];
    const any = a.iface.udp.bind({ port: 7, isShared: true });
    const exact = a.iface.udp.bind({ port: 7, address: A, isShared: true });
    any.onMessage = (): void => void got.push("any");
    exact.onMessage = (): void => void got.push("exact");
    const client = b.iface.udp.bind({ port: 0 });
    client.send(bytes("x"), A, 7);
    client.send(bytes("x"), ip("10.0.0.255"), 7);
    client.send(bytes("x"), ip("255.255.255.255"), 7);
    pass();
    expect(got).toEqual(["exact", "any", "any"]);
  });

  test("1122-1 1122-2 a port without a socket answers port unreachable, which the sender's socket hears", () => {
    const { a, b, pass } = pair();
    const client = b.iface.udp.bind({ port: 0 });
    const errors: string[] = [];
    client.onError = ({ type, code, address, port }): void => {
      errors.push(`${type}/${code} ${address} ${port}`);
    };
    client.send(bytes("x"), A, 9);
    client.send(bytes("x"), ip("10.0.0.255"), 9);
    pass();
    expect(errors).toEqual([`3/3 ${A} 9`]);
    expect(a.iface.counters["UDP_PORT"]).toBe(2);
  });
});

describe("bind()", () => {
  test("refuses what is out of range, taken, or not ours", () => {
    const { a } = pair();
    for (const port of [-1, 65_536, 1.5]) {
      expect(() => a.iface.udp.bind({ port })).toThrow(RangeError);
    }
    a.iface.udp.bind({ port: 7 });
    expect(() => a.iface.udp.bind({ port: 7 })).toThrow(AddressInUse);
    expect(() => a.iface.udp.bind({ port: 8, address: B })).toThrow(AddressNotAvailable);
  });

  test("gives ephemeral ports that spread over the range, each once, up to the limit", () => {
    const { a } = pair();
    const ports = new Set<number>();
    for (let count = 0; count < UDP_SOCKETS_MAX; count++) {
      ports.add(a.iface.udp.bind({ port: 0 }).port);
    }
    expect(ports.size).toBe(UDP_SOCKETS_MAX);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(EPHEMERAL_FIRST);
    expect(new Set([...ports].map((port) => port >> 10)).size).toBe(32);
    expect(() => a.iface.udp.bind({ port: 0 })).toThrow(NoBuffers);
  });
});

describe("a gateway", () => {
  test("onUnclaimed takes datagrams for any address, and answers in that address's name", () => {
    const { a, b, pass } = pair(true);
    const got: string[] = [];
    a.iface.udp.bind({ port: 53 }).onMessage = (): void => void got.push("socket");
    a.iface.udp.onUnclaimed = (message: UnclaimedMessage): boolean => {
      note(got)(message);
      const { address, port, localAddress, localPort } = message;
      return a.iface.udp.send(bytes("back"), { address, port, localPort }, {
        source: Number(localAddress),
      });
    };
    const client = b.iface.udp.bind({ port: 0 });
    client.onMessage = note(got);
    const far = ip("192.0.2.1");
    client.send(bytes("out"), far, 53);
    pass();
    expect(got).toEqual([`out ${B} ${client.port} ${far}`, `back ${far} 53 ${B}`]);
  });

  test("a datagram that it does not take, for a foreign address, is not answered", () => {
    const { a, b, pass } = pair(true);
    const client = b.iface.udp.bind({ port: 0 });
    client.onError = (): void => expect.unreachable();
    client.send(bytes("out"), ip("192.0.2.1"), 53);
    pass();
    expect(a.iface.counters["UDP_PORT"]).toBe(1);
  });
});

describe("what arrives broken", () => {
  const datagram = buildUdp({ sourcePort: 9, destinationPort: 7, payload: bytes("abc") }, B, A);
  const packet = buildIpv4Packet({ source: B, destination: A, protocol: 17 }, datagram);
  const frame = buildEthernet(macOf(1), macOf(2), ETHERTYPE_IPV4, packet);

  test("only datagrams equal to a valid one get through, whatever is changed", () => {
    const { a } = pair();
    const got = new Set<string>();
    a.iface.udp.bind({ port: 7 }).onMessage = ({ data }): void => {
      got.add(new TextDecoder().decode(data));
    };
    mutate(frame, 3, (changed) => a.iface.receive(changed, PUNT_UDP));
    expect([...got].every((text) => text === "abc")).toBe(true);
  });

  test("IPv6 and unknown kinds are counted", () => {
    const { a } = pair();
    a.iface.receive(frame, PUNT_IPV6);
    a.iface.receive(frame, 99);
    expect(a.iface.counters).toMatchObject({ IPV6: 1, PUNT_KIND: 1 });
  });

  test("a port whose socket is connected is closed to strangers, and says so to them", () => {
    const { a, b, pass } = pair();
    const got: string[] = [];
    const server = a.iface.udp.bind({ port: 7 });
    server.onMessage = note(got);
    server.connect(B, 1_000);
    const friend = b.iface.udp.bind({ port: 1_000 });
    const stranger = b.iface.udp.bind({ port: 1_001 });
    const told: number[] = [];
    stranger.onError = ({ code }) => void told.push(code);
    friend.send(bytes("friend"), A, 7);
    stranger.send(bytes("stranger"), A, 7);
    pass();
    expect(got).toEqual([`friend ${B} 1000 ${A}`]);
    expect(told).toEqual([3]);
    // One that is not connected takes what the other one does not.
    server.close();
    const shared = a.iface.udp.bind({ port: 7, isShared: true });
    shared.connect(B, 1_000);
    a.iface.udp.bind({ port: 7, isShared: true }).onMessage = note(got);
    stranger.send(bytes("stranger"), A, 7);
    pass();
    expect(got.slice(1)).toEqual([`stranger ${B} 1001 ${A}`]);
  });

  test("nothing is sent from an address that is ours no more", () => {
    const { a, b, pass } = pair();
    b.iface.addAddress(ip("10.0.0.3"));
    const got: string[] = [];
    a.iface.udp.bind({ port: 7 }).onMessage = note(got);
    const socket = b.iface.udp.bind({ port: 1_000, address: ip("10.0.0.3") });
    expect(socket.send(bytes("x"), A, 7)).toBe(true);
    b.iface.removeAddress(ip("10.0.0.3"));
    expect(socket.send(bytes("y"), A, 7)).toBe(false);
    expect(b.iface.lastDrop).toBe("ADDRESS_GONE");
    pass();
    expect(got).toHaveLength(1);
  });

  test("bindUdp() ends with its signal, and lets go one that outlives it", () => {
    const { a } = pair();
    const surroundings = {
      interface: a.iface,
      resolve: () => Promise.resolve([]),
      whenConfigured: () => Promise.resolve(),
    };
    const { signal, abort } = watched();
    bindUdp(surroundings, { port: 7, signal });
    expect(signal.listeners).toBe(1);
    expect(() => a.iface.udp.bind({ port: 7 })).toThrow(AddressInUse);
    abort();
    a.iface.udp.bind({ port: 7 }).close();
    const long = watched();
    for (let index = 0; index < 3; index++) {
      bindUdp(surroundings, { port: 7, signal: long.signal }).close();
    }
    expect(long.signal.listeners).toBe(0);
  });

  test("a socket without a listener counts; a datagram too large is not sent", () => {
    const { a, b, pass } = pair();
    a.iface.udp.bind({ port: 7 });
    deliver(a.iface, frame);
    expect(a.iface.counters["UDP_UNHEARD"]).toBe(1);
    const client = b.iface.udp.bind({ port: 0 });
    expect(client.send(new Uint8Array(1_472), A, 7)).toBe(true);
    expect(client.send(new Uint8Array(1_473), A, 7, { dontFragment: true })).toBe(false);
    expect(client.send(new Uint8Array(65_508), A, 7)).toBe(false);
    expect(b.iface.counters["TOO_BIG"]).toBe(2);
    pass();
  });
});

import { describe, expect, test } from "vitest";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { Identifications, IDENTIFIED_MAX } from "../../src/net/identifications.ts";
import {
  REASSEMBLY_BYTES_MAX,
  REASSEMBLY_MS,
  REASSEMBLY_PER_SOURCE_MAX,
} from "../../src/net/reassembly.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { buildEthernet, ETHERTYPE_IPV4, parseEthernet } from "../../src/wire/ethernet.ts";
import { joinIpv4, joinIpv6, splitIpv4, splitIpv6 } from "../../src/wire/fragments.ts";
import { buildIpv4Packet, parseIpv4Packet, PROTOCOL_TCP } from "../../src/wire/ipv4.ts";
import { buildUdp } from "../../src/wire/udp.ts";
import { connect, deliver, macOf, mutate, type Station, station } from "../fake_port.ts";

const ip = parseIpv4;
const A = ip("10.0.0.1");
const B = ip("10.0.0.2");
const MTU = 1_500;

function bytesOf(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  seededRandom(seed).fill(bytes);
  return bytes;
}

/** A station that hears datagrams on port 7. */
function listening(): { made: Station; got: Uint8Array[] } {
  const made = station(1);
  made.iface.configure({ address: A, prefixLength: 24, gateway: null, dns: [] });
  const got: Uint8Array[] = [];
  made.iface.udp.bind({ port: 7 }).onMessage = ({ data }) => void got.push(data.slice());
  made.port.take();
  return { made, got };
}

/** Frames of a datagram from B, cut. */
function framesOf(data: Uint8Array, id: number, source = B, mtu = MTU): Uint8Array[] {
  const datagram = buildUdp({ sourcePort: 9, destinationPort: 7, payload: data }, source, A);
  const packet = buildIpv4Packet({ source, destination: A, protocol: 17 }, datagram);
  return splitIpv4(packet, mtu, id).map(framed);
}

function framed(packet: Uint8Array): Uint8Array {
  return buildEthernet(macOf(1), macOf(2), ETHERTYPE_IPV4, packet);
}

/** A fragment with any place and length. */
function fragment(at: number, data: Uint8Array, more: boolean, id = 5): Uint8Array {
  const packet = buildIpv4Packet({ source: B, destination: A, protocol: 17 }, data);
  const [made] = splitIpv4(packet, 65_535, id);
  if (made === undefined) throw new Error("No fragment");
  const word = (at / 8) | (more ? 0x2000 : 0);
  made[6] = word >> 8;
  made[7] = word & 0xff;
  made.set([0, 0], 10);
  const joined = joinIpv4(made, made.subarray(20), 0);
  if (joined === null) throw new Error("No packet");
  // joinIpv4() has cleared the place; put it back with its part of the checksum.
  joined[6] = word >> 8;
  joined[7] = word & 0xff;
  const sum = 0xffff - (((joined[10] ?? 0) << 8) | (joined[11] ?? 0)) + word;
  const check = 0xffff - ((sum & 0xffff) + (sum >>> 16));
  joined[10] = check >> 8;
  joined[11] = check & 0xff;
  return framed(joined);
}

describe("splitIpv4() and joinIpv4()", () => {
  test("give the packet back, whatever the MTU", () => {
    const random = seededRandom(3);
    for (let round = 0; round < 40; round++) {
      const data = bytesOf(1 + random.below(9_000), round);
      const mtu = 68 + random.below(1_500);
      const packet = buildIpv4Packet({ source: B, destination: A, protocol: 17 }, data);
      const fragments = splitIpv4(packet, mtu, 77);
      expect(fragments.every((one) => one.length <= mtu)).toBe(true);
      const parsed = fragments.map((one) => parseIpv4Packet(one));
      const whole = new Uint8Array(data.length);
      for (const part of parsed) {
        if (typeof part === "string") throw new Error(part);
        expect(part.identification).toBe(77);
        whole.set(part.payload, part.fragmentOffset * 8);
      }
      expect(whole).toEqual(data);
      const joined = joinIpv4(fragments[0] ?? new Uint8Array(20), whole, 0);
      expect(joined === null ? "" : parseIpv4Packet(joined)).toMatchObject({ isFragment: false });
    }
  });
});

describe("splitIpv6() and joinIpv6()", () => {
  test("give the packet back", () => {
    const packet = bytesOf(40 + 5_000);
    packet.set([0x60, 0, 0, 0, 5_000 >> 8, 5_000 & 0xff, 17, 64]);
    const fragments = splitIpv6(packet, 1_280, 0x1234_5678);
    expect(fragments.map((one) => one.length)).toEqual([1_280, 1_280, 1_280, 1_280, 120]);
    expect(fragments.map((one) => one[6])).toEqual([44, 44, 44, 44, 44]);
    const payload = new Uint8Array(5_000);
    for (const one of fragments) {
      const at = ((one[42] ?? 0) << 8) | ((one[43] ?? 0) & 0xf8);
      payload.set(one.subarray(48), at);
    }
    expect(joinIpv6(fragments[0] ?? packet, 48, payload, 0)).toEqual(packet);
  });
});

describe("an interface with fragments", () => {
  test("6864-1 sends what is larger than the MTU in fragments, and takes it", () => {
    const { made, got } = listening();
    const b = station(2, made.port.clock);
    connect([made, b]);
    b.iface.configure({ address: B, prefixLength: 24, gateway: null, dns: [] });
    const client = b.iface.udp.bind({ port: 9 });
    for (const size of [1_472, 1_473, 2_000, 65_507]) {
      expect(client.send(bytesOf(size), A, 7)).toBe(true);
      made.port.clock.advance(10);
      expect(got.pop()).toEqual(bytesOf(size));
    }
    expect(made.iface.counters["REASSEMBLED"]).toBe(3);
  });

  test("6864-1 tells one host nothing of the identifications that others get", () => {
    const { made } = listening();
    const client = made.iface.udp.bind({ port: 9 });
    const idsTo = (host: number): number[] => {
      made.port.sent.length = 0;
      client.send(bytesOf(2_000), host, 7, { mac: macOf(2) });
      return made.port.sent.map((frame) => ((frame[18] ?? 0) << 8) | (frame[19] ?? 0));
    };
    const C = ip("10.0.0.3");
    const [first, again] = idsTo(B);
    expect(again).toBe(first);
    const [other = 0] = idsTo(C);
    const [second = 0] = idsTo(B);
    const step = (second - (first ?? 0)) & 0xffff;
    expect(step).toBeGreaterThan(0);
    expect(step).toBeLessThan(9);
    // Far from those of the other host: they begin anywhere.
    expect(Math.abs(other - second)).toBeGreaterThan(100);
  });

  test("remembers the identifications of so many hosts alone", () => {
    const all = new Identifications(seededRandom(1));
    const first = all.next(1);
    for (let host = 2; host <= IDENTIFIED_MAX; host++) all.next(host);
    const second = all.next(1);
    expect((second - first) & 0xffff).toBeLessThan(9);
    for (let host = 0; host < IDENTIFIED_MAX; host++) all.next(10_000 + host);
    expect((all.next(1) - second) & 0xffff).toBeGreaterThan(100);
  });

  test("791-1 takes fragments in any order, with duplicates", () => {
    const { made, got } = listening();
    const frames = framesOf(bytesOf(6_000), 1);
    for (const index of [3, 1, 1, 4, 0, 3, 2]) deliver(made.iface, frames[index] ?? frames[0]!);
    expect(got).toEqual([bytesOf(6_000)]);
    expect(made.iface.counters).toMatchObject({ FRAGMENT_DUPLICATE: 2, REASSEMBLED: 1 });
  });

  test("5722-1 drops the whole packet and the rest of it, if fragments overlap", () => {
    const { made, got } = listening();
    const frames = framesOf(bytesOf(4_000), 5);
    deliver(made.iface, frames[0]!);
    deliver(made.iface, fragment(1_472, bytesOf(16), true));
    for (const frame of frames) deliver(made.iface, frame);
    expect(got).toEqual([]);
    expect(made.iface.counters["FRAGMENT_OVERLAP"]).toBe(1 + frames.length);
    // Only until its time is up.
    made.port.clock.advance(REASSEMBLY_MS);
    for (const frame of frames) deliver(made.iface, frame);
    expect(got).toEqual([bytesOf(4_000)]);
  });

  test("drops fragments that can not be", () => {
    const { made, got } = listening();
    deliver(made.iface, fragment(0, bytesOf(15), true));
    deliver(made.iface, fragment(65_528, bytesOf(16), false));
    expect(made.iface.counters["FRAGMENT_LENGTH"]).toBe(2);
    // Two ends, and something behind the end.
    deliver(made.iface, fragment(64, bytesOf(8), false, 1));
    deliver(made.iface, fragment(80, bytesOf(8), false, 1));
    deliver(made.iface, fragment(64, bytesOf(8), false, 2));
    deliver(made.iface, fragment(72, bytesOf(8), true, 2));
    expect(made.iface.counters["FRAGMENT_OVERLAP"]).toBe(2);
    expect(got).toEqual([]);
  });

  test("1122-4 tells the sender when time is up, if it has the first fragment", () => {
    const { made } = listening();
    deliver(made.iface, framesOf(bytesOf(4_000), 1)[1]!);
    deliver(made.iface, framesOf(bytesOf(4_000), 2)[0]!);
    made.port.clock.advance(REASSEMBLY_MS - 1);
    expect(made.port.take()).toEqual([]);
    made.port.clock.advance(1);
    expect(made.port.take()).toEqual(["ARP who-has 10.0.0.2 tell 10.0.0.1"]);
    expect(made.iface.counters["FRAGMENT_TIME"]).toBe(2);
  });

  test("gives a flood the room of its own source alone", () => {
    const { made, got } = listening();
    const honest = framesOf(bytesOf(3_000), 9, ip("10.0.0.3"));
    deliver(made.iface, honest[0]!);
    for (let id = 0; id < 1_000; id++) deliver(made.iface, framesOf(bytesOf(3_000), id)[0]!);
    for (const frame of honest.slice(1)) deliver(made.iface, frame);
    expect(got).toEqual([bytesOf(3_000)]);
    expect(made.iface.counters["FRAGMENT_LIMIT"]).toBe(1_000 - REASSEMBLY_PER_SOURCE_MAX);
  });

  test("holds no more than so many bytes of all", () => {
    const { made } = listening();
    const perPacket = 60_000;
    const packets = Math.ceil(REASSEMBLY_BYTES_MAX / perPacket) + 10;
    for (let id = 0; id < packets; id++) {
      const source = ip(`10.0.0.${3 + (id % 60)}`);
      for (const frame of framesOf(bytesOf(perPacket), id, source).slice(1)) {
        deliver(made.iface, frame);
      }
    }
    expect(made.iface.counters["FRAGMENT_LIMIT"]).toBeGreaterThan(0);
  });

  test("gives a whole segment back to the core", () => {
    const { made } = listening();
    const packet = buildIpv4Packet(
      { source: B, destination: A, protocol: PROTOCOL_TCP },
      bytesOf(3_000),
    );
    for (const one of splitIpv4(packet, MTU, 3)) deliver(made.iface, framed(one));
    const [frame] = made.port.injected;
    const ethernet = frame === undefined ? "" : parseEthernet(frame);
    if (typeof ethernet === "string") throw new Error("Nothing was injected");
    expect(parseIpv4Packet(ethernet.payload)).toMatchObject({
      protocol: PROTOCOL_TCP,
      isFragment: false,
      payload: bytesOf(3_000),
    });
  });

  test("bears whatever is changed in a fragment", () => {
    const { made, got } = listening();
    const frames = framesOf(bytesOf(100), 1, B, 68);
    mutate(frames[0]!, 4, (changed) => deliver(made.iface, changed));
    made.iface.unconfigure();
    expect(got.every((data) => data.length <= 100)).toBe(true);
  });
});

describe("a path with a smaller MTU", () => {
  test("is told by ICMP, and datagrams are cut for it from then on", () => {
    const { made } = listening();
    const b = station(2, made.port.clock);
    connect([made, b]);
    b.iface.configure({ address: B, prefixLength: 24, gateway: A, dns: [] });
    const far = ip("192.0.2.1");
    const client = b.iface.udp.bind({ port: 9 });
    client.send(bytesOf(1_000), far, 7);
    made.port.clock.advance(10);
    const sent = b.port.sent.find((frame) => frame[12] === 8 && frame[13] === 0) ??
      new Uint8Array(0);
    expect((sent[20] ?? 0) & 0x40).toBe(0x40);
    const quoted = sent.slice(14, 14 + 28);
    b.port.sent.length = 0;
    const body = Uint8Array.of(3, 4, 0, 0, 0, 0, 2, 88, ...quoted);
    const sum = [...body].reduce((all, byte, at) => all + (at % 2 === 0 ? byte << 8 : byte), 0);
    const check = 0xffff - (((sum & 0xffff) + (sum >>> 16)) & 0xffff);
    body[2] = check >> 8;
    body[3] = check & 0xff;
    deliver(
      b.iface,
      buildEthernet(
        macOf(2),
        macOf(1),
        ETHERTYPE_IPV4,
        buildIpv4Packet({ source: A, destination: B, protocol: 1 }, body),
      ),
    );
    client.send(bytesOf(1_000), far, 7);
    expect(b.port.sent.map((frame) => frame.length - 14)).toEqual([596, 452]);
    expect(client.send(bytesOf(1_000), far, 7, { dontFragment: true })).toBe(false);
  });
});

import { describe, expect, test } from "vitest";
import { NoBuffers } from "../../src/errors.ts";
import { formatIpv4, parseIpv4 } from "../../src/net/addresses.ts";
import { OLDER_QUERIER_MS } from "../../src/net/igmp.ts";
import { GROUPS_MAX, MulticastGroups } from "../../src/net/multicast_groups.ts";
import { read16, read32 } from "../../src/wire/bytes.ts";
import { internetChecksum } from "../../src/wire/checksum.ts";
import { buildEthernet, ETHERTYPE_IPV4, multicastMac } from "../../src/wire/ethernet.ts";
import { buildIgmp, buildIgmpPacket, parseIgmp } from "../../src/wire/igmp.ts";
import { parseIpv4Packet } from "../../src/wire/ipv4.ts";
import { connect, deliver, macOf, mutate, type Station, station } from "../fake_port.ts";

const ip = parseIpv4;
const ALL = ip("224.0.0.1");
const GROUP = ip("239.1.2.3");
const OTHER = ip("239.1.2.4");
const ROUTER = ip("10.0.0.1");

function host(): Station {
  const made = station(2);
  made.iface.configure({ address: ip("10.0.0.2"), prefixLength: 24, gateway: null, dns: [] });
  made.port.take();
  return made;
}

/** What was sent of IGMP, as `to: type group …`. */
function sent(made: Station): string[] {
  return made.port.sent.splice(0).flatMap((frame) => {
    const packet = parseIpv4Packet(frame.subarray(14));
    if (typeof packet === "string" || packet.protocol !== 2) return [];
    expect(packet.ttl).toBe(1);
    // Router Alert.
    expect(read32(packet.packet, 20)).toBe(0x9404_0000);
    expect([...frame.subarray(0, 6)]).toEqual([...multicastMac(packet.destination)]);
    return [`${formatIpv4(packet.destination)}: ${reportText(packet.payload)}`];
  });
}

function reportText(message: Uint8Array): string {
  expect(internetChecksum(message)).toBe(0);
  const type = (message[0] ?? 0).toString(16);
  if (message[0] !== 0x22) return `${type} ${formatIpv4(read32(message, 4))}`;
  const records = [];
  for (let at = 8; at < message.length; at += 8) {
    records.push(`${message[at]} ${formatIpv4(read32(message, at + 4))}`);
  }
  expect(records).toHaveLength(read16(message, 6));
  return `${type} ${records.join(", ")}`;
}

/** A router asks. @param bytes What stands behind the group; 4 bytes = version 3. */
function query(made: Station, code: number, group = 0, bytes = 4, ttl = 1): void {
  const message = new Uint8Array(8 + bytes);
  message.set(buildIgmp(0x11, group));
  message[1] = code;
  message.set([0, 0], 2);
  const sum = internetChecksum(message);
  message.set([sum >> 8, sum & 0xff], 2);
  const to = group === 0 ? ALL : group;
  const packet = buildIgmpPacket(ROUTER, to, message);
  packet[8] = ttl;
  packet.set([0, 0], 10);
  const headerSum = internetChecksum(packet.subarray(0, 24));
  packet.set([headerSum >> 8, headerSum & 0xff], 10);
  deliver(made.iface, buildEthernet(multicastMac(to), macOf(1), ETHERTYPE_IPV4, packet));
}

describe("joining and leaving", () => {
  test("3376-1 is told twice to all routers of IGMPv3, for the first and the last socket", () => {
    const made = host();
    const first = made.iface.udp.bind({ port: 5_353, isShared: true });
    const second = made.iface.udp.bind({ port: 5_353, isShared: true });
    expect(first.join(GROUP)).toBe(true);
    expect(first.join(GROUP)).toBe(false);
    second.join(GROUP);
    expect(sent(made)).toEqual(["224.0.0.22: 22 4 239.1.2.3"]);
    made.port.clock.advance(1_000);
    expect(sent(made)).toEqual(["224.0.0.22: 22 4 239.1.2.3"]);
    first.close();
    made.port.clock.advance(5_000);
    expect(sent(made)).toEqual([]);
    expect(second.leave(GROUP)).toBe(true);
    expect(second.leave(GROUP)).toBe(false);
    made.port.clock.advance(1_000);
    expect(sent(made)).toEqual(["224.0.0.22: 22 3 239.1.2.3", "224.0.0.22: 22 3 239.1.2.3"]);
    made.port.clock.advance(60_000);
    expect(sent(made)).toEqual([]);
  });

  test("is told again when the address changes and when the link comes back", () => {
    const made = host();
    made.iface.udp.bind({ port: 7 }).join(GROUP);
    made.port.clock.advance(1_000);
    sent(made);
    made.iface.configure({ address: ip("10.0.0.3"), prefixLength: 24, gateway: null, dns: [] });
    expect(sent(made)).toEqual(["224.0.0.22: 22 4 239.1.2.3"]);
    made.port.clock.advance(1_000);
    sent(made);
    made.iface.announce();
    expect(sent(made)).toEqual(["224.0.0.22: 22 4 239.1.2.3"]);
  });

  test("a table takes so many groups", () => {
    const groups = new MulticastGroups();
    for (let index = 0; index < GROUPS_MAX; index++) groups.join(GROUP + index);
    groups.join(GROUP);
    expect(() => groups.join(ALL)).toThrow(NoBuffers);
    expect(() => groups.join(ROUTER)).toThrow(RangeError);
    groups.leave(ALL);
    groups.leave(GROUP);
    expect(groups.has(GROUP)).toBe(true);
    groups.leave(GROUP);
    expect(groups.has(GROUP)).toBe(false);
    expect(groups.all).toHaveLength(GROUPS_MAX - 1);
  });
});

describe("a query", () => {
  test("3376-2 about everything is answered once, within its time", () => {
    const made = host();
    const socket = made.iface.udp.bind({ port: 7 });
    socket.join(GROUP);
    socket.join(OTHER);
    made.port.clock.advance(2_000);
    sent(made);
    query(made, 100);
    query(made, 100);
    query(made, 100, GROUP);
    expect(sent(made)).toEqual([]);
    made.port.clock.advance(10_000);
    expect(sent(made)).toEqual(["224.0.0.22: 22 2 239.1.2.3, 2 239.1.2.4"]);
  });

  test("about many groups is answered by reports that fit in every packet", () => {
    const made = host();
    const socket = made.iface.udp.bind({ port: 7 });
    for (let index = 0; index < 100; index++) socket.join(GROUP + index);
    made.port.clock.advance(2_000);
    sent(made);
    query(made, 10);
    made.port.clock.advance(1_000);
    expect(made.port.sent.every((frame) => frame.length - 14 <= 576)).toBe(true);
    const told = sent(made).join(" ").match(/2 239/g);
    expect(told).toHaveLength(100);
  });

  test("that a router has passed on is not heeded", () => {
    const made = host();
    made.iface.udp.bind({ port: 7 }).join(GROUP);
    made.port.clock.advance(2_000);
    sent(made);
    query(made, 10, 0, 4, 2);
    made.port.clock.advance(1_000);
    expect(sent(made)).toEqual([]);
    expect(made.iface.counters["IGMP_TTL"]).toBe(1);
  });

  test("about a group is answered by its members alone", () => {
    const made = host();
    made.iface.udp.bind({ port: 7 }).join(GROUP);
    made.port.clock.advance(2_000);
    sent(made);
    query(made, 10, OTHER);
    query(made, 10, GROUP);
    made.port.clock.advance(1_000);
    expect(sent(made)).toEqual(["224.0.0.22: 22 2 239.1.2.3"]);
    // Nobody says that he is one of all hosts.
    query(made, 10, ALL, 0);
    made.port.clock.advance(1_000);
    expect(sent(made).filter((text) => text.startsWith("224.0.0.1:"))).toEqual([]);
  });

  test.each([
    ["3", 4, "224.0.0.22: 22 2 239.1.2.3"],
    ["2", 0, "239.1.2.3: 16 239.1.2.3"],
  ])(
    "of version %s is answered within its time, though another one left more",
    (_, bytes, report) => {
      const made = host();
      made.iface.udp.bind({ port: 7 }).join(GROUP);
      made.port.clock.advance(2_000);
      for (let round = 0; round < 8; round++) {
        sent(made);
        query(made, 100, 0, bytes);
        query(made, 1, GROUP, bytes);
        made.port.clock.advance(100);
        expect(sent(made)).toEqual([report]);
        made.port.clock.advance(10_000);
        expect(sent(made)).toEqual([]);
      }
    },
  );

  test("about a group that is left meanwhile is not answered as by a member", () => {
    const made = host();
    const socket = made.iface.udp.bind({ port: 7 });
    socket.join(GROUP);
    made.port.clock.advance(2_000);
    query(made, 10, GROUP);
    sent(made);
    socket.leave(GROUP);
    made.port.clock.advance(2_000);
    expect(new Set(sent(made))).toEqual(new Set(["224.0.0.22: 22 3 239.1.2.3"]));
  });

  test("about all hosts changes nothing, not even the version that is spoken", () => {
    const made = host();
    query(made, 10, ALL, 4);
    query(made, 10, ALL, 0);
    made.port.clock.advance(1_000);
    expect(sent(made)).toEqual([]);
    made.iface.udp.bind({ port: 7 }).join(GROUP);
    expect(sent(made)).toEqual(["224.0.0.22: 22 4 239.1.2.3"]);
  });

  test("of version 3 is answered although another member was faster", () => {
    const made = host();
    made.iface.udp.bind({ port: 7 }).join(GROUP);
    made.port.clock.advance(2_000);
    sent(made);
    query(made, 100, GROUP);
    const report = buildIgmpPacket(ROUTER, GROUP, buildIgmp(0x16, GROUP));
    deliver(made.iface, buildEthernet(multicastMac(GROUP), macOf(1), ETHERTYPE_IPV4, report));
    made.port.clock.advance(10_000);
    expect(sent(made)).toEqual(["224.0.0.22: 22 2 239.1.2.3"]);
  });

  test("leaves no timer behind when the interface closes", () => {
    const made = host();
    made.iface.udp.bind({ port: 7 }).join(GROUP);
    query(made, 100);
    expect(made.port.clock.pending).toBeGreaterThan(1);
    made.iface.close();
    made.port.clock.advance(2_000);
    sent(made);
    expect(made.port.clock.pending).toBe(0);
  });

  test("3376-3 of version 2 is answered so, and farewells go to all routers, until it is forgotten", () => {
    const made = host();
    const socket = made.iface.udp.bind({ port: 7 });
    socket.join(GROUP);
    made.port.clock.advance(2_000);
    sent(made);
    query(made, 10, 0, 0);
    made.port.clock.advance(1_000);
    expect(sent(made)).toEqual(["239.1.2.3: 16 239.1.2.3"]);
    socket.leave(GROUP);
    made.port.clock.advance(1_000);
    expect(sent(made)).toEqual(["224.0.0.2: 17 239.1.2.3", "224.0.0.2: 17 239.1.2.3"]);
    made.port.clock.advance(OLDER_QUERIER_MS);
    socket.join(OTHER);
    expect(sent(made)).toEqual(["224.0.0.22: 22 4 239.1.2.4"]);
  });

  test("of version 1 is answered so, and nobody says farewell", () => {
    const made = host();
    const socket = made.iface.udp.bind({ port: 7 });
    query(made, 0, 0, 0);
    socket.join(GROUP);
    expect(sent(made)).toEqual(["239.1.2.3: 12 239.1.2.3"]);
    made.port.clock.advance(1_000);
    sent(made);
    socket.leave(GROUP);
    made.port.clock.advance(1_000);
    expect(sent(made)).toEqual([]);
    made.port.clock.advance(OLDER_QUERIER_MS);
    socket.join(OTHER);
    expect(sent(made)).toEqual(["224.0.0.22: 22 4 239.1.2.4"]);
  });

  test("of version 2 is not answered if another member was faster", () => {
    const made = host();
    made.iface.udp.bind({ port: 7 }).join(GROUP);
    made.port.clock.advance(2_000);
    sent(made);
    query(made, 100, 0, 0);
    const report = buildIgmpPacket(ROUTER, GROUP, buildIgmp(0x16, GROUP));
    deliver(made.iface, buildEthernet(multicastMac(GROUP), macOf(1), ETHERTYPE_IPV4, report));
    made.port.clock.advance(10_000);
    expect(sent(made)).toEqual([]);
  });

  test("parseIgmp() bears whatever is changed", () => {
    mutate(buildIgmp(0x11, GROUP), 5, (changed) => void parseIgmp(changed));
    expect(parseIgmp(new Uint8Array(7))).toBe("IGMP_SHORT");
    expect(parseIgmp(buildIgmp(0x99, 0))).toBe("IGMP_TYPE");
    const long = new Uint8Array(12);
    long.set([0x11, 0xff]);
    const sum = internetChecksum(long);
    long.set([sum >> 8, sum & 0xff], 2);
    expect(parseIgmp(long)).toEqual({ version: 3, responseMs: 31 * 1_024 * 100, group: 0 });
  });
});

describe("datagrams to a group", () => {
  test("1112-1 reach the sockets that have joined it", () => {
    const a = host();
    const b = station(3, a.port.clock);
    connect([a, b]);
    b.iface.configure({ address: ip("10.0.0.3"), prefixLength: 24, gateway: null, dns: [] });
    const got: string[] = [];
    const member = a.iface.udp.bind({ port: 7, isShared: true });
    member.onMessage = ({ localAddress }): void => void got.push(`member ${localAddress}`);
    a.iface.udp.bind({ port: 7, isShared: true }).onMessage = (): void => void got.push("other");
    a.iface.udp.bind({ port: 7, isShared: true, address: GROUP }).onMessage = (): void =>
      void got.push("bound");
    const sender = b.iface.udp.bind({ port: 0 });
    sender.send(Uint8Array.of(1), GROUP, 7);
    a.port.clock.advance(10);
    expect(got).toEqual([]);
    member.join(GROUP);
    b.port.sent.length = 0;
    sender.send(Uint8Array.of(1), GROUP, 7);
    // Time to live of what leaves.
    expect(b.port.sent[0]?.[14 + 8]).toBe(1);
    a.port.clock.advance(10);
    expect(got).toEqual([`member ${GROUP}`, "bound"]);
    expect(a.iface.counters["IP_MULTICAST"]).toBe(1);
  });
});

/** Paths that datagrams have to be smaller on, and what is said of those that are narrower than we cut to. */
import { describe, expect, test } from "vitest";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { PATH_MTU_MS, PathMtus, PATHS_MAX } from "../../src/net/path_mtus.ts";
import { ARP_REQUEST, buildArp } from "../../src/wire/arp.ts";
import { buildEthernet, ETHERTYPE_ARP, ETHERTYPE_IPV4 } from "../../src/wire/ethernet.ts";
import { buildIcmp } from "../../src/wire/icmp.ts";
import { buildIpv4Packet } from "../../src/wire/ipv4.ts";
import { deliver, macOf, type Station, station } from "../fake_port.ts";
import { ip6 } from "../ipv6_net.ts";

const OURS = parseIpv4("10.0.0.2");
const PEER = parseIpv4("10.0.0.9");
const PEER_V6 = ip6("2001:db8::9");
const NEVER = null;

describe("PathMtus", () => {
  test("remembers so many paths and no more; the oldest is forgotten first", () => {
    const paths = new PathMtus();
    for (let i = 0; i <= PATHS_MAX; i++) paths.lower(PEER + i, 1_400, 0);
    expect([paths.of(PEER, 0), paths.of(PEER + 1, 0), paths.of(PEER + PATHS_MAX, 0)])
      .toEqual([null, 1_400, 1_400]);
  });

  test.each([
    ["what a router told", PEER, [1_400], 1_400, false],
    ["the smallest of several", PEER, [1_400, 600, 1_300], 600, false],
    ["552 of IPv4 at least, from which routers cut", PEER, [551], 552, true],
    ["68, the least of IPv4, as narrow", PEER, [68], 552, true],
    ["552 itself as wide enough", PEER, [552], 552, false],
    ["less than 552 after 552", PEER, [552, 300], 552, true],
    ["narrow for as long as it is remembered", PEER, [300, 600], 552, true],
    ["576 where a router does not tell", PEER, [0], 576, false],
    ["less than 576 where it does so again", PEER, [0, 0], 552, true],
    ["1280 of IPv6 at least, which all paths take", PEER_V6, [500], 1_280, false],
  ])("believes %s", (_, destination, reports, mtu, isNarrow) => {
    const paths = new PathMtus();
    for (const report of reports) paths.lower(destination, report, 0);
    expect(paths.of(destination, 1)).toBe(mtu);
    expect(paths.isNarrow(destination, 1)).toBe(isNarrow);
    expect(paths.of(destination, PATH_MTU_MS)).toBe(NEVER);
    expect(paths.isNarrow(destination, PATH_MTU_MS)).toBe(false);
  });
});

/** A station that knows its peer's MAC, and a socket of it that has sent to the peer. */
function sender(): Station & { send(bytes: number, dontFragment?: boolean): DataView[] } {
  const made = station(2);
  made.iface.configure({ address: OURS, prefixLength: 24, gateway: null, dns: [] });
  const [senderMac, targetMac] = [macOf(9), new Uint8Array(6)];
  const asked = { senderMac, senderAddress: PEER, targetMac, targetAddress: OURS };
  const request = buildArp({ operation: ARP_REQUEST, ...asked });
  deliver(made.iface, buildEthernet(macOf(2), macOf(9), ETHERTYPE_ARP, request));
  const socket = made.iface.udp.bind({ port: 7 });
  const send = (bytes: number, dontFragment = false): DataView[] => {
    made.port.take();
    socket.send(new Uint8Array(bytes), PEER, 9, { dontFragment });
    const frames = made.port.sent.splice(0);
    // What follows the Ethernet header.
    return frames.map((frame) => new DataView(frame.slice(14).buffer));
  };
  return { ...made, send };
}

/** A router says that a packet of ours was too big, or by another code something else. */
function sayTooBig(to: Station, packet: DataView, mtu: number, code = 4): void {
  const body = new Uint8Array(packet.buffer, packet.byteOffset, packet.byteLength).slice(0, 28);
  const message = buildIcmp({ type: 3, code, rest: mtu, body });
  const error = buildIpv4Packet({ source: PEER, destination: OURS, protocol: 1 }, message);
  deliver(to.iface, buildEthernet(macOf(2), macOf(9), ETHERTYPE_IPV4, error));
}

describe("datagrams on a path of less than 552 bytes", () => {
  test("go in pieces of 552, and smaller ones whole, which routers may cut", () => {
    const from = sender();
    const [whole] = from.send(1_000);
    expect([whole?.getUint16(2), whole?.getUint16(6)]).toEqual([1_028, 0x4000]);
    sayTooBig(from, whole as DataView, 400);
    const pieces = from.send(1_000);
    expect(pieces.map((packet) => packet.getUint16(2))).toEqual([548, 500]);
    expect(pieces.map((packet) => packet.getUint16(6))).toEqual([0x2000, 66]);
    // 500 bytes would be dropped for ever, if Don't Fragment was set.
    const [small, ...others] = from.send(472);
    expect(others).toEqual([]);
    expect([small?.getUint16(2), small?.getUint16(6)]).toEqual([500, 0]);
    const identifications = [...pieces, small].map((packet) => packet?.getUint16(4));
    expect(identifications[0]).toBe(identifications[1]);
    expect(identifications[2]).not.toBe(identifications[0]);
  });

  test("keep Don't Fragment where the socket wants it", () => {
    const from = sender();
    const [whole] = from.send(1_000);
    sayTooBig(from, whole as DataView, 400);
    const [small] = from.send(472, true);
    expect(small?.getUint16(6)).toBe(0x4000);
    expect(from.send(1_000, true)).toEqual([]);
  });

  test("of 552 and more are sent as before", () => {
    const from = sender();
    const [whole] = from.send(1_000);
    sayTooBig(from, whole as DataView, 552);
    const [small] = from.send(472);
    expect([small?.getUint16(2), small?.getUint16(6)]).toEqual([500, 0x4000]);
  });
});

describe("echo requests on a path that is narrower than the link", () => {
  const BYTES = 1_000;
  /** Asks once. @returns Length, flags and offset of each packet, and what is told. */
  const asking = (from: Station, dontFragment = false): { packets: DataView[]; told: string[] } => {
    from.port.take();
    const told: string[] = [];
    const probe = { address: PEER, bytes: BYTES, timeoutMs: 1_000, options: { dontFragment } };
    from.iface.probes.send(probe, (outcome) => told.push(outcome?.reason ?? ""));
    const packets = from.port.sent.splice(0).map((frame) => new DataView(frame.slice(14).buffer));
    return { packets, told };
  };
  const forms = (packets: readonly DataView[]): number[][] =>
    packets.map((packet) => [packet.getUint16(2), packet.getUint16(6)]);

  test("are told, and the next goes in pieces. RFC 1191 section 3", () => {
    const from = sender();
    const { packets, told } = asking(from);
    expect(forms(packets)).toEqual([[BYTES + 28, 0x4000]]);
    sayTooBig(from, packets[0] as DataView, 600);
    expect(told).toEqual(["TOO_BIG"]);
    expect(forms(asking(from).packets)).toEqual([[596, 0x2000], [452, 72]]);
    // Who wants to know what fits is not helped by pieces.
    expect(asking(from, true).packets).toEqual([]);
    expect(from.iface.lastDrop).toBe("TOO_BIG");
  });

  test("teach nothing, if they are none of ours or it is said something else", () => {
    const from = sender();
    const { packets: [packet] } = asking(from);
    const other = new DataView((packet as DataView).buffer.slice(0));
    other.setUint16(24, other.getUint16(24) ^ 1);
    sayTooBig(from, other, 600);
    expect(from.iface.counters["ICMP_QUOTED"]).toBe(1);
    sayTooBig(from, packet as DataView, 600, 1);
    expect(forms(asking(from).packets)).toEqual([[BYTES + 28, 0x4000]]);
  });
});

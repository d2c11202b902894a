/** Fragments of IPv6, and what may hide in them: RFC 8200 section 4.5, RFC 6946, RFC 6980, RFC 7112. */
import { describe, expect, test } from "vitest";
import { solicitedNode } from "../../src/net/neighbor_discovery.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../../src/wire/ipv4.ts";
import {
  buildIcmpv6,
  ICMPV6_PARAMETER_PROBLEM,
  NEIGHBOR_ADVERTISEMENT,
} from "../../src/wire/icmpv6.ts";
import { parseEthernet } from "../../src/wire/ethernet.ts";
import { buildIpv6Packet, parseIpv6Packet, PROTOCOL_ICMPV6 } from "../../src/wire/ipv6.ts";
import { neighborSolicitation } from "../../src/wire/ndp.ts";
import { buildUdp } from "../../src/wire/udp.ts";
import { deliver, type Station } from "../fake_port.ts";
import {
  frameWith,
  NEIGHBOR,
  NEIGHBOR_MAC,
  OURS,
  say,
  staticStation,
  takeMessages,
  takePackets,
} from "../ipv6_net.ts";

const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;
const ROUTING = 43;
const PAD = [1, 4, 0, 0, 0, 0] as const;

/** A station that knows its neighbour, and keeps what comes to port 7. */
function listening(): { host: Station; got: number[] } {
  const host = staticStation();
  const asking = neighborSolicitation(OURS, NEIGHBOR_MAC);
  say(host, asking, { source: NEIGHBOR, destination: solicitedNode(OURS) });
  takePackets(host);
  const got: number[] = [];
  host.iface.udp.bind({ port: 7 }).onMessage = ({ data }) => void got.push(data.length);
  return { host, got };
}

interface Piece {
  /** What the fragment header says is behind it. */
  readonly next: number;
  /** In units of 8 bytes. */
  readonly at?: number;
  readonly more?: boolean;
  readonly id?: number;
  readonly destination?: bigint;
}

/** Sends a fragment to the station. */
function tell(host: Station, piece: Piece, bytes: readonly number[] | Uint8Array): void {
  const { next, at = 0, more = false, id = 1, destination = OURS } = piece;
  const word = (at << 3) | (more ? 1 : 0);
  const packet = buildIpv6Packet(
    { source: NEIGHBOR, destination, protocol: FRAGMENT, ttl: 255 },
    Uint8Array.of(next, 0, word >> 8, word & 0xff, 0, 0, 0, id, ...bytes),
  );
  deliver(host.iface, frameWith(packet, destination, NEIGHBOR_MAC, host));
}

function datagram(size: number): Uint8Array {
  const ports = { sourcePort: 9, destinationPort: 7, payload: new Uint8Array(size) };
  return buildUdp(ports, NEIGHBOR, OURS);
}

function problems(host: Station): [code: number, pointer: number][] {
  return takeMessages(host, ICMPV6_PARAMETER_PROBLEM).map(({ code, rest }) => [code, rest]);
}

describe("a fragment that is the whole (RFC 6946)", () => {
  test("6946-1 is taken by itself, whatever waits under its identification", () => {
    const { host, got } = listening();
    tell(host, { next: PROTOCOL_UDP, more: true }, datagram(24).subarray(0, 16));
    tell(host, { next: PROTOCOL_UDP }, datagram(3));
    expect(got).toEqual([3]);
    tell(host, { next: PROTOCOL_UDP, at: 2 }, datagram(24).subarray(16));
    expect(got).toEqual([3, 24]);
  });

  test("goes to the core without its header, if it is a segment", () => {
    const { host } = listening();
    tell(host, { next: PROTOCOL_TCP }, new Uint8Array(20));
    const [frame = new Uint8Array(0)] = host.port.injected;
    const ethernet = parseEthernet(frame);
    if (typeof ethernet === "string") throw new Error(ethernet);
    expect(parseIpv6Packet(ethernet.payload)).toMatchObject({
      protocol: PROTOCOL_TCP,
      headerBytes: 40,
      totalBytes: 60,
    });
    expect(problems(host)).toEqual([]);
  });

  test("6980-1 is no way in for discovery", () => {
    const { host } = listening();
    const destination = solicitedNode(OURS);
    const bytes = buildIcmpv6(neighborSolicitation(OURS, NEIGHBOR_MAC), NEIGHBOR, destination);
    tell(host, { next: PROTOCOL_ICMPV6, destination }, bytes);
    expect(host.iface.counters["ND_FRAGMENT"]).toBe(1);
    expect(takeMessages(host, NEIGHBOR_ADVERTISEMENT)).toEqual([]);
  });
});

describe("what stands behind a fragment header", () => {
  const split = (host: Station, next: number, bytes: readonly number[]): void => {
    tell(host, { next, more: true }, bytes.slice(0, 16));
    tell(host, { next, at: 2 }, bytes.slice(16));
  };

  test("8200-5 is checked as if it had come whole", () => {
    const { host, got } = listening();
    split(host, DESTINATION_OPTIONS, [PROTOCOL_UDP, 0, 0x9e, 4, 0, 0, 0, 0, ...datagram(24)]);
    expect(got).toEqual([]);
    expect(problems(host)).toEqual([[2, 42]]);
  });

  test("a routing header with segments left is told of too", () => {
    const { host, got } = listening();
    split(host, ROUTING, [PROTOCOL_UDP, 0, 0, 1, 0, 0, 0, 0, ...datagram(24)]);
    expect(got).toEqual([]);
    expect(problems(host)).toEqual([[0, 42]]);
  });

  test("may be options that can be skipped", () => {
    const { host, got } = listening();
    split(host, DESTINATION_OPTIONS, [PROTOCOL_UDP, 0, ...PAD, ...datagram(24)]);
    expect(got).toEqual([24]);
  });

  test("is not another one", () => {
    const { host, got } = listening();
    const inner = [PROTOCOL_UDP, 0, 0, 0, 0, 0, 0, 9, ...datagram(24)];
    split(host, FRAGMENT, inner);
    expect(got).toEqual([]);
    expect(host.iface.counters["FRAGMENT_NESTED"]).toBe(1);
  });

  test.each([
    ["options that go on in the next one", DESTINATION_OPTIONS, [PROTOCOL_UDP, 2, ...PAD]],
    ["options and no more", DESTINATION_OPTIONS, [PROTOCOL_UDP, 0, ...PAD]],
    ["half a TCP header", PROTOCOL_TCP, new Array<number>(16).fill(0)],
  ])("8200-7 a first fragment with %s is refused with code 3 (RFC 7112)", (_, next, bytes) => {
    const { host } = listening();
    tell(host, { next, more: true }, bytes);
    expect(problems(host)).toEqual([[3, 0]]);
    expect(host.iface.counters["IP_PROBLEM"]).toBe(1);
  });

  test("8200-7 a later fragment need hold no header", () => {
    const { host, got } = listening();
    const bytes = datagram(24);
    tell(host, { next: PROTOCOL_UDP, at: 1 }, bytes.subarray(8));
    tell(host, { next: PROTOCOL_UDP, more: true }, bytes.subarray(0, 8));
    expect(got).toEqual([24]);
    expect(problems(host)).toEqual([]);
  });
});

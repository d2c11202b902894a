/** What clients of the relay may send by IPv6: RFC 6105 (RA guard), RFC 7113, RFC 6620. */
import { describe, expect, test } from "vitest";
import {
  IPV6_SOURCES_MAX,
  Ipv6Filter,
  type Ipv6FilterDrop,
  Ipv6Owners,
} from "../../src/relay/ipv6_filter.ts";
import { remembered } from "../../src/relay/remembered.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import type { IcmpMessage } from "../../src/wire/icmp.ts";
import { buildIcmpv6, ICMPV6_ECHO_REQUEST, MLD_QUERY, REDIRECT } from "../../src/wire/icmpv6.ts";
import { buildIpv6Packet, PROTOCOL_ICMPV6 } from "../../src/wire/ipv6.ts";
import {
  NA_OVERRIDE,
  neighborAdvertisement,
  neighborSolicitation,
  routerSolicitation,
} from "../../src/wire/ndp.ts";
import { buildUdp } from "../../src/wire/udp.ts";
import { macOf, mutate } from "../fake_port.ts";
import { advertisement, ALL_NODES, ip6, prefixOption } from "../ipv6_net.ts";

const OURS = ip6("fd00::a");
const THEIRS = ip6("fd00::b");
const PEER = ip6("fd00::1");
const MAC = macOf(10);
const TCP = 6;
const UDP = 17;

function filter(): Ipv6Filter {
  return new Ipv6Filter({ mac: MAC, claim: (address) => address !== THEIRS });
}

function drop(packet: Uint8Array, made = filter()): Ipv6FilterDrop | null {
  // Within a batch, and with padding behind it.
  const batch = Uint8Array.of(...new Array<number>(7).fill(0xff), ...packet, 0xee, 0xee);
  return made.check(batch, 7, packet.length + 2);
}

function said(message: IcmpMessage, source = OURS, destination = ALL_NODES): Uint8Array {
  const bytes = buildIcmpv6(message, source, destination);
  return buildIpv6Packet({ source, destination, protocol: PROTOCOL_ICMPV6, ttl: 255 }, bytes);
}

function packet(
  source: bigint,
  protocol: number,
  payload: Uint8Array = new Uint8Array(20),
): Uint8Array {
  return buildIpv6Packet({ source, destination: PEER, protocol }, payload);
}

/** A packet with an extension header of 8 bytes before a message. */
function hidden(kind: number, rest: readonly number[], message: IcmpMessage): Uint8Array {
  const bytes = buildIcmpv6(message, OURS, ALL_NODES);
  const header = [PROTOCOL_ICMPV6, ...rest];
  const payload = Uint8Array.of(...header, ...bytes);
  return buildIpv6Packet(
    { source: OURS, destination: ALL_NODES, protocol: kind, ttl: 255 },
    payload,
  );
}

/** A fragment with destination options in it. */
function inFragment(more: number, behind: Uint8Array): Uint8Array {
  return buildIpv6Packet(
    { source: OURS, destination: ALL_NODES, protocol: 44, ttl: 255 },
    Uint8Array.of(60, 0, 0, more, 0, 0, 0, 1, ...behind),
  );
}

function behindOptions(message: IcmpMessage): Uint8Array {
  return Uint8Array.of(
    PROTOCOL_ICMPV6,
    ...PAD,
    ...buildIcmpv6(message, OURS, ALL_NODES),
  );
}

const PAD = [0, 1, 4, 0, 0, 0, 0] as const;
const RA = advertisement([prefixOption(ip6("2001:db8::"))]);

describe("Ipv6Filter", () => {
  test("lets through what a host says", () => {
    const made = filter();
    const echo = { type: ICMPV6_ECHO_REQUEST, code: 0, rest: 0, body: new Uint8Array(8) };
    const all = [
      packet(OURS, TCP),
      packet(OURS, UDP),
      packet(OURS, TCP),
      said(echo),
      said(neighborSolicitation(PEER, MAC)),
      said(neighborSolicitation(OURS, null), 0n),
      said(routerSolicitation(null), 0n),
      said(routerSolicitation(MAC)),
      said(neighborAdvertisement(OURS, NA_OVERRIDE, MAC)),
      hidden(60, PAD, echo),
    ];
    expect(all.map((one) => drop(one, made))).toEqual(all.map(() => null));
  });

  test.each([
    ["another's address", "SPOOFED_IP", packet(THEIRS, TCP)],
    ["another's address, by UDP", "SPOOFED_IP", packet(THEIRS, UDP)],
    ["a segment from nobody", "SPOOFED_IP", packet(0n, TCP)],
    ["a datagram from nobody", "SPOOFED_IP", packet(0n, UDP)],
    ["an advertisement of a router", "ROGUE_ROUTER", said(RA)],
    ["a redirect", "ROGUE_ROUTER", said({ ...RA, type: REDIRECT })],
    ["a question for listeners", "ROGUE_ROUTER", said({ ...RA, type: MLD_QUERY })],
    ["one behind options", "ROGUE_ROUTER", hidden(60, PAD, RA)],
    ["one in a fragment", "ROGUE_ROUTER", hidden(44, [0, 0, 1, 0, 0, 0, 1], RA)],
    ["one behind options in a fragment", "ROGUE_ROUTER", inFragment(1, behindOptions(RA))],
    ["one behind options in the only fragment", "ROGUE_ROUTER", inFragment(0, behindOptions(RA))],
    [
      "a fragment that ends with options",
      "IP_FORM",
      inFragment(1, behindOptions(RA)).subarray(0, 56),
    ],
    ["another's MAC", "SPOOFED_ND", said(neighborSolicitation(PEER, macOf(11)))],
    ["another's address in an answer", "SPOOFED_ND", said(neighborAdvertisement(THEIRS, 0, MAC))],
    ["a MAC that is not its own", "SPOOFED_ND", said(neighborAdvertisement(OURS, 0, macOf(11)))],
    [
      "a DHCPv6 server",
      "DHCP_SERVER",
      packet(
        OURS,
        UDP,
        buildUdp(
          { sourcePort: 547, destinationPort: 546, payload: new Uint8Array(4) },
          OURS,
          PEER,
        ),
      ),
    ],
    ["a header that is cut", "IP_FORM", packet(OURS, TCP).subarray(0, 30)],
    [
      "a fragment that hides its kind",
      "IP_FORM",
      hidden(44, [0, 0, 1, 0, 0, 0, 1], RA).subarray(0, 52),
    ],
  ])("drops %s as %s", (_, reason, bytes) => {
    expect(drop(bytes)).toBe(reason);
  });

  test("no bytes make it throw", () => {
    const made = filter();
    for (const [seed, one] of [said(RA), hidden(60, PAD, RA), packet(OURS, UDP)].entries()) {
      mutate(one, seed, (bytes) => void made.check(bytes, 0, bytes.length));
    }
    expect(drop(packet(OURS, TCP), made)).toBeNull();
  });
});

describe("Ipv6Owners", () => {
  test("gives an address to whoever comes first, until they go", () => {
    const owners = new Ipv6Owners<string>((address) => address === PEER);
    expect(owners.claim(OURS, "a")).toBe(true);
    expect(owners.claim(OURS, "a")).toBe(true);
    expect(owners.claim(OURS, "b")).toBe(false);
    expect(owners.claim(PEER, "a")).toBe(false);
    owners.release("a");
    expect(owners.claim(OURS, "b")).toBe(true);
  });

  test("gives no more than 16 to each", () => {
    const owners = new Ipv6Owners<string>(() => false);
    const taken = Array.from({ length: 20 }, (_, i) => owners.claim(BigInt(i), "a"));
    expect(taken.filter(Boolean)).toHaveLength(IPV6_SOURCES_MAX);
    expect(owners.claim(5n, "a")).toBe(true);
    expect(owners.claim(19n, "b")).toBe(true);
  });

  test("asks nothing dear for who has all there is to have", () => {
    let asked = 0;
    const owners = new Ipv6Owners<string>(() => {
      asked++;
      return false;
    });
    for (let i = 0; i < 1_000; i++) owners.claim(BigInt(i), "a");
    expect(asked).toBe(IPV6_SOURCES_MAX);
    owners.release("a");
    expect(owners.claim(999n, "a")).toBe(true);
  });
});

describe("remembered()", () => {
  test("asks again only once an answer is old", () => {
    const clock = new VirtualClock();
    let asked = 0;
    const answer = remembered(clock, 1_000, () => ++asked);
    for (let i = 0; i < 2_000; i++) answer();
    expect(asked).toBe(1);
    clock.advance(999);
    expect(answer()).toBe(1);
    clock.advance(1);
    expect([answer(), answer()]).toEqual([2, 2]);
  });
});

import { describe, expect, test } from "vitest";
import { ping, traceroute } from "../../src/api/probing.ts";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { PROBES_MAX } from "../../src/net/echo_probes.ts";
import { internetChecksum } from "../../src/wire/checksum.ts";
import { buildEthernet, ETHERTYPE_IPV4, parseEthernet } from "../../src/wire/ethernet.ts";
import { buildIcmp, ICMP_ECHO_REPLY, parseIcmp } from "../../src/wire/icmp.ts";
import { buildIpv4Packet, type Ipv4Packet, parseIpv4Packet } from "../../src/wire/ipv4.ts";
import { connect, deliver, macOf, type Station, station } from "../fake_port.ts";

const ip = parseIpv4;
const US = ip("10.0.0.2");
const FAR = ip("192.0.2.9");

/** What a router or host says to an echo request that came so far; null = nothing. */
type Answer = { readonly from: string; readonly type: number; readonly code: number } | null;

/** A station behind a gateway on a way of our making. @param answer By time to live. */
function onTheWay(answer: (ttl: number) => Answer): Station {
  const made = station(2);
  const gateway = station(1, made.port.clock);
  connect([made, gateway]);
  gateway.iface.configure({ address: ip("10.0.0.1"), prefixLength: 24, gateway: null, dns: [] });
  made.iface.configure({ address: US, prefixLength: 24, gateway: ip("10.0.0.1"), dns: [] });
  made.port.clock.advance(10);
  made.port.onFrame = (frame) => {
    const ethernet = parseEthernet(frame);
    const packet = typeof ethernet === "string" ? "" : parseIpv4Packet(ethernet.payload);
    if (typeof packet === "string") return;
    const said = answer(packet.ttl);
    if (said === null) return;
    made.port.clock.at(made.port.clock.now() + packet.ttl, () => reply(made, packet, said));
  };
  return made;
}

function reply(made: Station, packet: Ipv4Packet, said: NonNullable<Answer>): void {
  const request = parseIcmp(packet.payload);
  if (typeof request === "string") throw new Error(request);
  const { type, code } = said;
  const message = type === ICMP_ECHO_REPLY
    ? { ...request, type, code }
    : { type, code, rest: 0, body: packet.packet.slice(0, 28) };
  const bytes = buildIpv4Packet(
    { source: ip(said.from), destination: US, protocol: 1, ttl: 60 },
    buildIcmp(message),
  );
  deliver(made.iface, buildEthernet(macOf(2), macOf(1), ETHERTYPE_IPV4, bytes));
}

/** Bytes with their checksum made right: of a message, or of a header of so many bytes. */
function sound(bytes: Uint8Array, headerBytes = 0): Uint8Array {
  const at = headerBytes === 0 ? 2 : 10;
  bytes.set([0, 0], at);
  const sum = internetChecksum(headerBytes === 0 ? bytes : bytes.subarray(0, headerBytes));
  bytes.set([sum >> 8, sum & 0xff], at);
  return bytes;
}

/** Lets a promise settle while virtual time goes by. */
async function settled<T>(made: Station, promise: Promise<T>): Promise<T> {
  let isDone = false;
  promise.then(() => (isDone = true), () => (isDone = true));
  for (let step = 0; step < 10_000 && !isDone; step++) {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    made.port.clock.advance(10);
  }
  return await promise;
}

describe("traceroute()", () => {
  test("names every router up to the goal", async () => {
    const made = onTheWay((ttl) => {
      if (ttl === 2) return null;
      return ttl < 4
        ? { from: `198.51.100.${ttl}`, type: 11, code: 0 }
        : { from: "192.0.2.9", type: ICMP_ECHO_REPLY, code: 0 };
    });
    const result = await settled(made, traceroute(made.iface, FAR, { queries: 2 }));
    expect(result).toEqual({
      address: "192.0.2.9",
      isReached: true,
      hops: [
        { ttl: 1, address: "198.51.100.1", timesMs: [1, 1], error: null },
        { ttl: 2, address: null, timesMs: [null, null], error: null },
        { ttl: 3, address: "198.51.100.3", timesMs: [3, 3], error: null },
        { ttl: 4, address: "192.0.2.9", timesMs: [4, 4], error: null },
      ],
    });
  });

  test("ends where a router says that it goes no further", async () => {
    const made = onTheWay((ttl) =>
      ttl === 1
        ? { from: "198.51.100.1", type: 11, code: 0 }
        : { from: "198.51.100.2", type: 3, code: 13 }
    );
    const result = await settled(made, traceroute(made.iface, FAR, { queries: 1 }));
    expect(result.isReached).toBe(false);
    expect(result.hops.at(-1)).toEqual({
      ttl: 2,
      address: "198.51.100.2",
      timesMs: [2],
      error: "PROHIBITED",
    });
    expect(result.hops).toHaveLength(2);
  });

  test("gives up after so many hops", async () => {
    const made = onTheWay(() => ({ from: "198.51.100.1", type: 11, code: 0 }));
    const asked = traceroute(made.iface, FAR, { queries: 1, maxHops: 5 });
    expect((await settled(made, asked)).hops).toHaveLength(5);
  });
});

describe("ping()", () => {
  test("waits between requests, and tells what routers say", async () => {
    const made = onTheWay(() => ({ from: "198.51.100.1", type: 3, code: 1 }));
    const startMs = made.port.clock.now();
    const result = await settled(made, ping(made.iface, FAR, { count: 3 }));
    expect(made.port.clock.now() - startMs).toBeGreaterThan(2_000);
    expect(result).toMatchObject({ sent: 3, received: 0, averageMs: null });
    expect(result.replies[0]).toMatchObject({
      address: "198.51.100.1",
      error: "HOST_UNREACHABLE",
      timeMs: null,
    });
  });

  test("says so itself, if the next hop is silent", async () => {
    const made = station(2);
    made.iface.configure({ address: US, prefixLength: 24, gateway: null, dns: [] });
    const result = await settled(made, ping(made.iface, ip("10.0.0.9"), { count: 5 }));
    expect(result.replies[0]?.error).toBe(null);
    expect(result.replies[4]).toMatchObject({ error: "HOST_UNREACHABLE", address: "10.0.0.2" });
  });

  test("believes no reply that has other data, or comes from elsewhere", async () => {
    const liar = onTheWay(() => ({ from: "192.0.2.8", type: ICMP_ECHO_REPLY, code: 0 }));
    const asked = ping(liar.iface, FAR, { count: 1 });
    expect((await settled(liar, asked)).received).toBe(0);
    expect(liar.iface.counters["ICMP_TYPE"]).toBe(1);
  });

  test("believes nothing that was said without having seen the request", () => {
    const made = onTheWay(() => null);
    const outcomes: unknown[] = [];
    const requests: Ipv4Packet[] = [];
    made.port.onFrame = (frame): void => {
      const packet = parseIpv4Packet(frame.subarray(14));
      if (typeof packet !== "string") requests.push(packet);
    };
    const probe = { address: FAR, bytes: 16, timeoutMs: 1_000, options: {} };
    for (let round = 0; round < 2; round++) {
      made.iface.probes.send(probe, (outcome) => void outcomes.push(outcome?.reason));
    }
    const [first, second] = requests;
    if (first === undefined || second === undefined) throw new Error("nothing was sent");
    expect(first.payload.slice(8)).not.toEqual(second.payload.slice(8));
    expect(first.payload.slice(8).some((byte) => byte !== 0)).toBe(true);
    const right = { from: "192.0.2.9", type: ICMP_ECHO_REPLY, code: 0 };
    const changed = first.payload.slice();
    changed[23] = (changed[23] ?? 0) ^ 1;
    reply(made, { ...first, payload: sound(changed) }, right);
    const elsewhere = first.packet.slice();
    elsewhere[19] = 77;
    reply(made, { ...first, packet: sound(elsewhere, 20) }, { from: "10.0.0.1", type: 3, code: 1 });
    expect(outcomes).toEqual([]);
    expect(made.iface.counters).toMatchObject({ ICMP_TYPE: 1, ICMP_QUOTED: 1 });
    reply(made, first, right);
    reply(made, second, { from: "10.0.0.1", type: 3, code: 1 });
    expect(outcomes).toEqual([null, "HOST_UNREACHABLE"]);
    // Whoever was answered waits no longer.
    expect(made.port.clock.pending).toBe(0);
  });

  test("what could not be sent is told by that alone", () => {
    const made = station(2);
    const told: unknown[] = [];
    const probe = { address: FAR, bytes: 8, timeoutMs: 10, options: {} };
    expect(made.iface.probes.send(probe, (outcome) => void told.push(outcome))).toBeNull();
    made.port.clock.advance(1_000);
    made.iface.close();
    expect(told).toEqual([]);
  });

  test("bears that a request waits until the sequence numbers begin again", () => {
    const made = onTheWay(() => null);
    const probe = { address: FAR, bytes: 8, timeoutMs: 10, options: {} };
    const told: string[] = [];
    made.iface.probes.send({ ...probe, timeoutMs: 86_400_000 }, () => void told.push("patient"));
    for (let index = 0; index < 65_535; index++) made.iface.probes.send(probe, () => {})?.();
    made.iface.probes.send(probe, () => void told.push("new"));
    made.port.clock.advance(10);
    expect(told).toEqual(["new"]);
    made.port.clock.advance(86_400_000);
    expect(told).toEqual(["new", "patient"]);
  });

  test("asks for so much at once and no more", () => {
    const made = onTheWay(() => null);
    const probe = { address: FAR, bytes: 8, timeoutMs: 10, options: {} };
    for (let index = 0; index < PROBES_MAX; index++) {
      expect(made.iface.probes.send(probe, () => {})).not.toBe(null);
    }
    expect(made.iface.probes.send(probe, () => {})).toBe(null);
    made.port.clock.advance(10);
    expect(made.iface.probes.send(probe, () => {})).not.toBe(null);
    let told: unknown = "nothing";
    made.iface.probes.send(probe, (outcome) => (told = outcome));
    made.iface.close();
    expect(told).toBe(null);
  });
});

import { describe, expect, test } from "vitest";
import { PUNT_ARP } from "../../src/layout/layout.gen.ts";
import { formatMac, parseIpv4 } from "../../src/net/addresses.ts";
import { PROBE_INTERVAL_MS } from "../../src/net/address_probes.ts";
import {
  INCOMPLETE_MAX,
  NEGATIVE_MS,
  NEIGHBORS_MAX,
  QUEUE_MAX,
  STALE_MS,
} from "../../src/net/neighbors.ts";
import { ARP_REPLY, ARP_REQUEST, buildArp } from "../../src/wire/arp.ts";
import { broadcastMac, buildEthernet, ETHERTYPE_ARP } from "../../src/wire/ethernet.ts";
import { connect, deliver, macOf, mutate, type Station, station } from "../fake_port.ts";

const ip = parseIpv4;
const OURS = ip("10.0.0.2");
const PEER = ip("10.0.0.9");
const ASK_PEER = "ARP who-has 10.0.0.9 tell 10.0.0.2";

function configured(prefixLength: number = 24): Station {
  const made = station(2);
  made.iface.configure({ address: OURS, prefixLength, gateway: null, dns: [] });
  made.port.take();
  return made;
}

/** An ARP frame from a station of a certain number. */
function arpFrom(
  number: number,
  operation: number,
  sender: string,
  target: string,
  ethernetSource: Uint8Array = macOf(number),
): Uint8Array {
  const arp = buildArp({
    operation,
    senderMac: macOf(number),
    senderAddress: ip(sender),
    targetMac: operation === ARP_REPLY ? macOf(2) : new Uint8Array(6),
    targetAddress: ip(target),
  });
  return buildEthernet(macOf(2), ethernetSource, ETHERTYPE_ARP, arp);
}

const replyFrom = (number: number): Uint8Array =>
  arpFrom(number, ARP_REPLY, "10.0.0.9", "10.0.0.2");
const requestFrom = (number: number): Uint8Array =>
  arpFrom(number, ARP_REQUEST, "10.0.0.9", "10.0.0.2");

function macText(made: Station, slot: number): string | null {
  const mac = made.port.hops.get(slot);
  return mac === null || mac === undefined ? null : formatMac(mac);
}

describe("hop()", () => {
  test("asks, and tells the core the MAC that answers", () => {
    const made = configured();
    const slot = made.iface.neighbors.hop(PEER);
    expect(slot).toBe(1);
    expect(macText(made, slot)).toBeNull();
    expect(made.port.take()).toEqual([ASK_PEER]);
    deliver(made.iface, replyFrom(9));
    expect(macText(made, slot)).toBe("02:00:00:00:00:09");
    expect(made.iface.neighbors.hop(PEER)).toBe(slot);
    expect(made.port.take()).toEqual([]);
    expect(made.port.clock.pending).toBe(0);
  });

  test("asks three times, a second apart, then fails", () => {
    const made = configured();
    const failed: string[] = [];
    made.iface.neighbors.onFailed((slot, address) => failed.push(`${slot} ${address === PEER}`));
    made.iface.neighbors.hop(PEER);
    expect(made.port.take()).toEqual([ASK_PEER]);
    for (let round = 0; round < 2; round++) {
      made.port.clock.advance(999);
      expect(made.port.take()).toEqual([]);
      made.port.clock.advance(1);
      expect(made.port.take()).toEqual([ASK_PEER]);
    }
    made.port.clock.advance(999);
    expect(failed).toEqual([]);
    made.port.clock.advance(1);
    expect(failed).toEqual(["1 true"]);
    expect(made.port.take()).toEqual([]);
  });

  test("tells a known failure again without asking, until NEGATIVE_MS later", () => {
    const made = configured();
    let failures = 0;
    made.iface.neighbors.onFailed(() => failures++);
    made.iface.neighbors.hop(PEER);
    made.port.clock.advance(3_000);
    made.port.take();
    made.port.clock.advance(NEGATIVE_MS - 1);
    expect(made.iface.neighbors.hop(PEER)).toBe(1);
    expect(failures).toBe(1);
    made.port.clock.advance(0);
    expect(failures).toBe(2);
    expect(made.port.take()).toEqual([]);
    made.port.clock.advance(1);
    expect(made.iface.neighbors.hop(PEER)).toBe(1);
    expect(made.port.take()).toEqual([ASK_PEER]);
    deliver(made.iface, replyFrom(9));
    expect(macText(made, 1)).toBe("02:00:00:00:00:09");
  });

  test("a failed neighbour is back as soon as it asks for us", () => {
    const made = configured();
    made.iface.neighbors.hop(PEER);
    made.port.clock.advance(3_000);
    deliver(made.iface, requestFrom(9));
    expect(macText(made, 1)).toBe("02:00:00:00:00:09");
  });

  test("is 0 when too many wait, and the others go on", () => {
    const made = configured(16);
    for (let host = 0; host < INCOMPLETE_MAX; host++) {
      expect(made.iface.neighbors.hop(ip("10.0.1.1") + host)).toBe(host + 1);
    }
    expect(made.iface.neighbors.hop(PEER)).toBe(0);
    expect(made.iface.neighbors.size).toBe(INCOMPLETE_MAX);
    deliver(made.iface, arpFrom(7, ARP_REPLY, "10.0.1.1", "10.0.0.2"));
    expect(made.iface.neighbors.hop(PEER)).toBe(INCOMPLETE_MAX + 1);
  });
});

describe("stale entries", () => {
  function known(): Station {
    const made = configured();
    made.iface.neighbors.hop(PEER);
    deliver(made.iface, replyFrom(9));
    made.port.take();
    return made;
  }

  test("are asked by unicast when looked up after 60 s, and kept meanwhile", () => {
    const made = known();
    made.port.clock.advance(STALE_MS - 1);
    made.iface.neighbors.hop(PEER);
    expect(made.port.sent.length).toBe(0);
    made.port.clock.advance(1);
    made.iface.neighbors.hop(PEER);
    expect(formatMac(made.port.sent[0]?.subarray(0, 6) ?? macOf(0))).toBe("02:00:00:00:00:09");
    expect(made.port.take()).toEqual([ASK_PEER]);
    expect(macText(made, 1)).toBe("02:00:00:00:00:09");
    deliver(made.iface, replyFrom(9));
    made.port.clock.advance(STALE_MS - 1);
    expect(made.port.take()).toEqual([]);
  });

  test("are asked by broadcast after three silent seconds, then fail", () => {
    const made = known();
    let failures = 0;
    made.iface.neighbors.onFailed(() => failures++);
    made.port.clock.advance(STALE_MS);
    made.iface.neighbors.hop(PEER);
    made.port.clock.advance(2_999);
    const isBroadcast = (): boolean[] => made.port.sent.map((frame) => frame[0] === 0xff);
    expect(isBroadcast()).toEqual([false, false, false]);
    made.port.clock.advance(1);
    expect(isBroadcast()).toEqual([false, false, false, true]);
    made.port.clock.advance(2_999);
    expect(failures).toBe(0);
    expect(macText(made, 1)).toBe("02:00:00:00:00:09");
    made.port.clock.advance(1);
    expect(failures).toBe(1);
    expect(macText(made, 1)).toBeNull();
  });

  test("take another MAC only when their owner is silent", () => {
    const made = known();
    made.port.clock.advance(STALE_MS);
    made.iface.neighbors.hop(PEER);
    deliver(made.iface, replyFrom(8));
    expect(macText(made, 1)).toBe("02:00:00:00:00:09");
    made.port.clock.advance(3_000);
    deliver(made.iface, replyFrom(8));
    expect(macText(made, 1)).toBe("02:00:00:00:00:08");
  });

  test("a live entry does not change while its owner answers, whatever others claim (N01)", () => {
    const made = known();
    made.port.clock.advance(10_000);
    let asked = 0;
    made.port.onFrame = (): void => {
      asked++;
      deliver(made.iface, replyFrom(9));
    };
    for (let round = 0; round < 1_000; round++) {
      deliver(made.iface, replyFrom(8));
      made.iface.receive(requestFrom(8), PUNT_ARP);
      expect(macText(made, 1)).toBe("02:00:00:00:00:09");
      made.port.clock.advance(10);
    }
    expect(made.iface.counters["ARP_CONFLICT"]).toBe(1_000);
    // Each request is answered; besides, its owner is asked at most once in 5 s.
    expect(asked).toBeLessThanOrEqual(1_000 + 3);
  });
});

describe("what is not believed", () => {
  test("replies that nobody asked for, announcements, requests for others", () => {
    const made = configured();
    deliver(made.iface, replyFrom(9));
    deliver(made.iface, arpFrom(9, ARP_REQUEST, "10.0.0.9", "10.0.0.9"));
    deliver(made.iface, arpFrom(9, ARP_REQUEST, "10.0.0.9", "10.0.0.77"));
    deliver(made.iface, arpFrom(9, ARP_REQUEST, "192.0.2.9", "10.0.0.2"));
    expect(made.iface.neighbors.size).toBe(0);
    expect(made.port.take()).toEqual(["ARP 10.0.0.2 is-at 02:00:00:00:00:02"]);
    expect(made.iface.counters["ARP_UNSOLICITED"]).toBe(1);
  });

  test("a sender MAC that differs from the frame's", () => {
    const made = configured();
    made.iface.neighbors.hop(PEER);
    deliver(made.iface, arpFrom(9, ARP_REPLY, "10.0.0.9", "10.0.0.2", macOf(8)));
    expect(macText(made, 1)).toBeNull();
    expect(made.iface.counters["ARP_SOURCE"]).toBe(1);
  });

  test("any changed or shortened frame: nothing throws, nothing new is learned of a bad form", () => {
    const made = configured();
    mutate(replyFrom(9), 77, (frame) => made.iface.receive(frame, PUNT_ARP));
    expect(made.iface.neighbors.size).toBeLessThan(NEIGHBORS_MAX);
  });
});

describe("requests for us", () => {
  test("are answered by unicast, and teach who asked", () => {
    const made = configured();
    deliver(made.iface, requestFrom(9));
    expect(made.port.sent[0]?.subarray(0, 6)).toEqual(macOf(9));
    expect(made.port.take()).toEqual(["ARP 10.0.0.2 is-at 02:00:00:00:00:02"]);
    made.iface.neighbors.hop(PEER);
    expect(macText(made, 1)).toBe("02:00:00:00:00:09");
    expect(made.port.take()).toEqual([]);
  });

  test("probes are answered and teach nothing; proxy addresses are answered too", () => {
    const made = configured();
    deliver(made.iface, arpFrom(9, ARP_REQUEST, "0.0.0.0", "10.0.0.2"));
    expect(made.port.take().length).toBe(1);
    expect(made.iface.neighbors.size).toBe(0);
    made.iface.neighbors.addProxy(ip("10.0.0.3"));
    deliver(made.iface, arpFrom(9, ARP_REQUEST, "10.0.0.9", "10.0.0.3"));
    expect(made.port.take()).toEqual(["ARP 10.0.0.3 is-at 02:00:00:00:00:02"]);
    made.iface.neighbors.removeProxy(ip("10.0.0.3"));
    deliver(made.iface, arpFrom(9, ARP_REQUEST, "10.0.0.9", "10.0.0.3"));
    expect(made.port.take()).toEqual([]);
  });

  test("a flood of them keeps the table's limit, and what connections use (N02)", () => {
    const made = configured(8);
    const slot = made.iface.neighbors.hop(PEER);
    deliver(made.iface, replyFrom(9));
    for (let host = 0; host < 65_536; host++) {
      const sender = `10.9.${host >> 8}.${host & 0xff}`;
      made.iface.receive(arpFrom(7, ARP_REQUEST, sender, "10.0.0.2"), PUNT_ARP);
      made.port.sent.length = 0;
    }
    expect(made.iface.neighbors.size).toBe(NEIGHBORS_MAX);
    expect(made.iface.neighbors.hop(PEER)).toBe(slot);
    expect(macText(made, slot)).toBe("02:00:00:00:00:09");
  });

  test("our address in another's mouth is a conflict: told, and defended every 10 s", () => {
    const made = configured();
    const told: string[] = [];
    made.iface.neighbors.onConflict = (address, mac): void => {
      told.push(`${address === OURS} ${formatMac(mac)}`);
    };
    const claim = arpFrom(9, ARP_REQUEST, "10.0.0.2", "10.0.0.2");
    deliver(made.iface, claim);
    deliver(made.iface, claim);
    expect(told).toEqual(["true 02:00:00:00:00:09", "true 02:00:00:00:00:09"]);
    expect(made.port.take()).toEqual(["ARP who-has 10.0.0.2 tell 10.0.0.2"]);
    made.port.clock.advance(9_999);
    deliver(made.iface, claim);
    expect(made.port.take()).toEqual([]);
    made.port.clock.advance(1);
    deliver(made.iface, claim);
    expect(made.port.take().length).toBe(1);
  });
});

describe("send()", () => {
  test("keeps the last packets for a neighbour that is asked for", () => {
    const made = configured();
    for (let index = 0; index < QUEUE_MAX + 2; index++) {
      expect(made.iface.sendIpv4(PEER, 99, Uint8Array.of(index))).toBe(true);
    }
    expect(made.iface.counters["NEIGHBOR_QUEUE"]).toBe(2);
    made.port.sent.length = 0;
    deliver(made.iface, replyFrom(9));
    const kept = Array.from({ length: QUEUE_MAX }, (_, index) => index + 2);
    expect(made.port.sent.map((frame) => frame.at(-1))).toEqual(kept);
    expect(made.port.sent.every((frame) => frame[5] === 9)).toBe(true);
  });

  test("drops them when nobody answers, and drops at once what comes soon after", () => {
    const made = configured();
    made.iface.sendIpv4(PEER, 99, Uint8Array.of(1));
    made.port.clock.advance(3_000);
    expect(made.iface.counters["NEIGHBOR_FAILED"]).toBe(1);
    expect(made.iface.sendIpv4(PEER, 99, Uint8Array.of(1))).toBe(false);
    made.port.clock.advance(NEGATIVE_MS);
    expect(made.iface.sendIpv4(PEER, 99, Uint8Array.of(1))).toBe(true);
  });
});

describe("what is kept", () => {
  const sender = (host: number): string => `10.9.${host >> 8}.${host & 0xff}`;

  /** So many hosts ask for us, and are learned. */
  function meet(made: Station, count: number): void {
    for (let host = 0; host < count; host++) {
      deliver(made.iface, arpFrom(7, ARP_REQUEST, sender(host), "10.0.0.2"));
    }
    made.port.sent.length = 0;
  }

  test("who waits for an answer is not forgotten for those who ask", () => {
    const made = configured(8);
    made.iface.sendIpv4(PEER, 99, Uint8Array.of(1));
    meet(made, 2 * NEIGHBORS_MAX);
    deliver(made.iface, replyFrom(9));
    expect(made.port.sent.map((frame) => frame.at(-1))).toEqual([1]);
    expect(made.iface.neighbors.size).toBe(NEIGHBORS_MAX);
  });

  test("who was used last is forgotten last", () => {
    const made = configured(8);
    meet(made, NEIGHBORS_MAX);
    made.iface.sendIpv4(ip(sender(0)), 99, Uint8Array.of(1));
    deliver(made.iface, arpFrom(8, ARP_REQUEST, "10.8.0.1", "10.0.0.2"));
    const { neighbors } = made.iface;
    expect(neighbors.macOf(ip(sender(0)))).toEqual(macOf(7));
    expect(neighbors.macOf(ip(sender(1)))).toBeNull();
    expect(neighbors.macOf(ip("10.8.0.1"))).toEqual(macOf(8));
  });

  test("what waited is sent once", () => {
    const made = configured();
    made.iface.sendIpv4(PEER, 99, Uint8Array.of(1));
    deliver(made.iface, replyFrom(9));
    made.port.sent.length = 0;
    deliver(made.iface, requestFrom(9));
    expect(made.port.take()).toEqual(["ARP 10.0.0.2 is-at 02:00:00:00:00:02"]);
  });

  test("nothing of a neighbour that has failed: it is asked for as if it had never been there", () => {
    const made = configured();
    made.iface.sendIpv4(PEER, 99, Uint8Array.of(1));
    deliver(made.iface, replyFrom(9));
    made.port.clock.advance(STALE_MS);
    made.iface.sendIpv4(PEER, 99, Uint8Array.of(2));
    made.port.clock.advance(6_000);
    expect(made.iface.neighbors.macOf(PEER)).toBeNull();
    made.port.clock.advance(NEGATIVE_MS);
    made.port.take();
    made.iface.sendIpv4(PEER, 99, Uint8Array.of(3));
    expect(made.port.take()).toEqual([ASK_PEER]);
  });

  test("a failure that is known is told once for each moment, however often it is asked", () => {
    const made = configured();
    const failed: number[] = [];
    made.iface.neighbors.onFailed((slot) => void failed.push(slot));
    const slot = made.iface.neighbors.hop(PEER);
    made.port.clock.advance(3_000);
    for (let count = 0; count < 3; count++) made.iface.neighbors.hop(PEER);
    made.port.clock.advance(0);
    expect(failed).toEqual([slot, slot]);
    expect(made.port.clock.pending).toBe(0);
  });

  test("clear() makes room for as many questions as ever", () => {
    const made = configured(16);
    for (let round = 0; round < 2; round++) {
      for (let host = 0; host < INCOMPLETE_MAX; host++) {
        expect(made.iface.neighbors.hop(ip("10.0.1.1") + host)).toBe(host + 1);
      }
      expect(made.iface.neighbors.hop(PEER)).toBe(0);
      made.iface.neighbors.clear();
      expect(made.iface.neighbors.size).toBe(0);
    }
  });
});

describe("a full table of next hops", () => {
  /** Names so many dead neighbours, as connections to them are opened. @returns Slots that were given. */
  function dead(made: Station, from: number, count: number): number[] {
    const slots: number[] = [];
    for (let host = from; host < from + count; host++) {
      slots.push(made.iface.neighbors.hop(ip(`10.7.${host >> 8}.${host & 0xff}`)));
      made.port.clock.advance(100);
    }
    made.port.clock.advance(10_000);
    return slots;
  }

  test("takes back what no connection sends through, and nothing else", () => {
    const made = configured(8);
    const slot = made.iface.neighbors.hop(PEER);
    deliver(made.iface, replyFrom(9));
    const first = dead(made, 0, NEIGHBORS_MAX);
    expect(first.filter((given) => given === 0).length).toBeGreaterThan(0);
    for (const given of first) made.port.idleHops.add(given);
    const second = dead(made, 1_000, NEIGHBORS_MAX - 2);
    expect(second).not.toContain(0);
    expect(second).not.toContain(slot);
    expect(new Set(second).size).toBe(second.length);
    expect(made.iface.neighbors.hop(PEER)).toBe(slot);
    expect(macText(made, slot)).toBe("02:00:00:00:00:09");
    expect(made.iface.neighbors.size).toBeLessThanOrEqual(NEIGHBORS_MAX);
  });

  test("of which all are in use is looked through once a second", () => {
    const made = configured(8);
    dead(made, 0, NEIGHBORS_MAX - 1);
    let looks = 0;
    const used = made.port.usedHops.bind(made.port);
    made.port.usedHops = (): ReadonlySet<number> => {
      looks++;
      return used();
    };
    const all = (): number[] => Array.from({ length: 10 }, () => made.iface.neighbors.hop(PEER));
    expect([all(), looks]).toEqual([new Array(10).fill(0), 1]);
    made.port.clock.advance(999);
    expect([all(), looks]).toEqual([new Array(10).fill(0), 1]);
    made.port.clock.advance(1);
    expect([all(), looks]).toEqual([new Array(10).fill(0), 2]);
  });
});

describe("probe()", () => {
  test("hears the owner", async () => {
    const a = configured();
    const b = station(9, a.port.clock);
    connect([a, b]);
    b.iface.configure({ address: PEER, prefixLength: 24, gateway: null, dns: [] });
    a.port.clock.advance(5);
    const answer = a.iface.neighbors.probe(PEER);
    expect(a.port.take()).toEqual(["ARP who-has 10.0.0.9 tell 0.0.0.0"]);
    a.port.clock.advance(2);
    expect(await answer).toBe(true);
    expect(a.iface.neighbors.size).toBe(0);
  });

  test("takes silence for no, after two probes; a rival's probe for yes", () => {
    const made = configured();
    const answers: boolean[] = [];
    const note = (inUse: boolean): void => void answers.push(inUse);
    made.iface.neighbors.probeWith(PEER, note);
    made.port.clock.advance((2 * PROBE_INTERVAL_MS) - 1);
    expect(answers).toEqual([]);
    made.port.clock.advance(1);
    expect(answers).toEqual([false]);
    expect(made.port.take().length).toBe(2);
    made.iface.neighbors.probeWith(PEER, note);
    deliver(made.iface, arpFrom(8, ARP_REQUEST, "0.0.0.0", "10.0.0.9"));
    expect(answers).toEqual([false, true]);
    made.iface.neighbors.probeWith(PEER, note).cancel();
    made.port.clock.advance(10_000);
    expect(answers).toEqual([false, true]);
    expect(made.port.clock.pending).toBe(0);
  });
});

test("our own frames, reflected, are nobody's claim", () => {
  const made = configured();
  const claim = arpFrom(2, ARP_REQUEST, "10.0.0.2", "10.0.0.2");
  deliver(made.iface, buildEthernet(broadcastMac(), macOf(2), ETHERTYPE_ARP, claim.subarray(14)));
  expect(made.iface.counters).toEqual({ ARP_OWN: 1 });
});

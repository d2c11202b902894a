/** What a forger of answers has to get right, how long answers are kept, and what is bounded: RFC 5452, RFC 2308, RFC 2181. */
import { describe, expect, test } from "vitest";
import { DNS_CACHE_MAX, DnsCache } from "../../src/net/dns_cache.ts";
import { SERVERS_MAX, WAITERS_MAX } from "../../src/net/dns_client.ts";
import type { DnsStream } from "../../src/net/dns_exchange.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { buildEthernet, ETHERTYPE_IPV4 } from "../../src/wire/ethernet.ts";
import { buildIcmp } from "../../src/wire/icmp.ts";
import { buildIpv4Packet } from "../../src/wire/ipv4.ts";
import { buildUdp } from "../../src/wire/udp.ts";
import { a, alias, ask, askFor, at53, ip, type Net, net, SECOND, SERVER, soa } from "../dns_net.ts";
import { answerTo, questionOf, type WireAnswer } from "../dns_wire.ts";
import { deliver, macOf } from "../fake_port.ts";

const NAME = "www.example";
const WWW: WireAnswer = { answers: [a(NAME, "192.0.2.1")] };
const FOUND = [ip("192.0.2.1")];
const CLIENT = ip("10.0.0.2");
const PROTOCOL_ICMP = 1;
const PROTOCOL_UDP = 17;

/** A packet reaches the client, from wherever it says. */
function forge(made: Net, source: number, protocol: number, payload: Uint8Array): void {
  const packet = buildIpv4Packet({ source, destination: CLIENT, protocol }, payload);
  deliver(made.client.iface, buildEthernet(macOf(2), macOf(1), ETHERTYPE_IPV4, packet));
}

/** A datagram reaches the client. */
function forgeUdp(
  made: Net,
  sourcePort: number,
  destinationPort: number,
  payload: Uint8Array,
): void {
  const datagram = { sourcePort, destinationPort, payload };
  forge(made, SERVER, PROTOCOL_UDP, buildUdp(datagram, SERVER, CLIENT));
}

/** Addresses of the servers that were asked, since the last call. */
function askedOf(made: Net): unknown[] {
  return made.queries.splice(0).map(({ localAddress }) => localAddress);
}

describe("RFC 5452: a forger", () => {
  /** A question that nobody has answered, and its datagram. */
  function waiting(): { made: Net; query: Uint8Array; port: number; outcome: () => unknown } {
    const made = net();
    let outcome: unknown = null;
    made.dns.ask(NAME, "A", (result) => (outcome = result));
    made.advance(10);
    const [sent] = made.queries;
    if (sent === undefined) throw new Error("nothing was asked");
    return { made, query: sent.data, port: sent.port, outcome: () => outcome };
  }

  test("5452-1 has to know the server's port", () => {
    const { made, query, port, outcome } = waiting();
    forgeUdp(made, 54, port, answerTo(query, WWW));
    expect([outcome(), made.client.iface.counters["UDP_PORT"]]).toEqual([null, 1]);
    forgeUdp(made, 53, port, answerTo(query, WWW));
    expect(outcome()).toMatchObject({ data: FOUND });
  });

  test.each([["type", 26], ["class", 28]])(
    "5452-1 has to repeat the %s of the question",
    (_, at) => {
      const { made, query, port, outcome } = waiting();
      const answer = answerTo(query, WWW);
      answer[at] = 3;
      forgeUdp(made, 53, port, answer);
      expect([outcome(), made.client.iface.counters["DNS_MISMATCH"]]).toEqual([null, 1]);
    },
  );

  test("ends no question by errors about datagrams to others", () => {
    const { made, query, port, outcome } = waiting();
    const fail = (destination: number, destinationPort: number): void => {
      const sent = { sourcePort: port, destinationPort, payload: query };
      const quoted = buildIpv4Packet(
        { source: CLIENT, destination, protocol: PROTOCOL_UDP },
        buildUdp(sent, CLIENT, destination),
      );
      forge(made, SERVER, PROTOCOL_ICMP, buildIcmp({ type: 3, code: 3, rest: 0, body: quoted }));
    };
    fail(SECOND, 53);
    fail(SERVER, 54);
    made.advance(10);
    expect([outcome(), made.queries.length]).toEqual([null, 1]);
    fail(SERVER, 53);
    made.advance(10);
    expect(made.queries.length).toBe(2);
  });

  test("is not heard by datagram once the question has gone to TCP", () => {
    const { made, query, port, outcome } = waiting();
    made.dial = (): DnsStream => ({
      ...{ onEvent: null, error: null },
      ...{ write: () => 0, readInto: () => -1, abort: () => {}, release: () => {} },
    });
    forgeUdp(made, 53, port, answerTo(query, { truncated: true }));
    forgeUdp(made, 53, port, answerTo(query, WWW));
    expect([outcome(), made.client.iface.counters["UDP_PORT"]]).toEqual([null, 1]);
  });
});

describe("an answer is kept", () => {
  /** How many questions went out for this one. */
  function asks(made: Net, name: string, type: "A" | "MX" = "A"): number {
    const before = made.queries.length;
    askFor(made, name, type);
    return made.queries.length - before;
  }

  test("as long as the shortest of its records, whole seconds of which are told", () => {
    const made = net();
    made.zone[NAME] = { answers: [a(NAME, "192.0.2.1", 60), a(NAME, "192.0.2.2", 5)] };
    expect(askFor(made, NAME, "A")).toMatchObject({ ttlSeconds: 5 });
    made.advance(1_500);
    expect(askFor(made, NAME, "A")).toMatchObject({ ttlSeconds: 3 });
    expect(made.queries.length).toBe(1);
  });

  test("2308-1 for the alias and its type alone, when it is the alias's name that does not exist", () => {
    const made = net();
    const answers = [alias(NAME, "gone.example")];
    made.zone[NAME] = { answers, rcode: 3, authority: [soa("example", 60)] };
    expect(askFor(made, NAME, "A")).toMatchObject({ code: "ENOTFOUND" });
    expect([asks(made, NAME), asks(made, NAME, "MX")]).toEqual([0, 1]);
  });

  test("no longer than the alias that led to it, in the same answer or in one before", () => {
    const made = net();
    const nothing = { authority: [soa("", 60)] };
    made.zone["one.x"] = { answers: [alias("one.x", "none.x", 5)], ...nothing };
    made.zone["two.x"] = { answers: [alias("two.x", "none.y", 5)] };
    made.zone["none.y"] = nothing;
    expect([asks(made, "one.x"), asks(made, "two.x")]).toEqual([1, 2]);
    made.advance(4_900);
    expect([asks(made, "one.x"), asks(made, "two.x")]).toEqual([0, 0]);
    made.advance(100);
    expect([asks(made, "one.x"), asks(made, "two.x")]).toEqual([1, 2]);
  });

  test("beside all others, when it is kept anew", () => {
    const cache = new DnsCache(new VirtualClock());
    const known = { data: [1], absence: null };
    for (let i = 0; i < DNS_CACHE_MAX; i++) cache.set(`${i}`, known, 60);
    cache.set("7", known, 60);
    expect([cache.size, cache.get("0")?.data]).toEqual([DNS_CACHE_MAX, [1]]);
    // It is the youngest now: seven others go before it would have gone, and it stays.
    for (let i = 0; i < 8; i++) cache.set(`new ${i}`, known, 60);
    expect([cache.get("6"), cache.get("7")?.data, cache.get("8")]).toEqual([null, [1], null]);
  });
});

describe("a server that was silent", () => {
  /** Only the second server answers. */
  function halfSilent(): Net {
    const made = net([SERVER, SECOND]);
    made.script = (query, server): void => {
      if (server.address === SERVER) return;
      const { name } = questionOf(query.data);
      const bytes = answerTo(query.data, { answers: [a(name, "192.0.2.1")] });
      server.send(bytes, query.address, query.port);
    };
    ask(made, "a.x", 2_010);
    expect(askedOf(made)).toEqual([SERVER, SECOND]);
    return made;
  }

  test("is asked first again once it has answered", () => {
    const made = halfSilent();
    const { script } = made;
    made.script = (query, server): void => {
      server.send(answerTo(query.data, { rcode: 3 }), query.address, query.port);
    };
    made.dns.ask("b.x", "A", () => {}, { server: at53(SERVER) });
    made.advance(10);
    made.script = script;
    ask(made, "c.x", 2_010);
    expect(askedOf(made)).toEqual([SERVER, SERVER, SECOND]);
  });

  test("is asked first again on another network", () => {
    const made = halfSilent();
    made.dns.clearCache();
    ask(made, "b.x", 2_010);
    expect(askedOf(made)).toEqual([SERVER, SECOND]);
  });

  test("is not remembered when too many have been", () => {
    const made = halfSilent();
    for (let i = 0; i < 64; i++) {
      made.dns.ask("b.x", "A", () => {}, { server: at53(ip("10.0.0.100") + i) });
    }
    made.advance(5_000);
    ask(made, "c.x", 2_010);
    expect(askedOf(made)).toEqual([SERVER, SECOND]);
  });
});

describe("limits", () => {
  test("so many wait for one answer and no more", () => {
    const made = net();
    const outcomes: unknown[] = [];
    for (let i = 0; i <= WAITERS_MAX; i++) made.dns.ask(NAME, "A", (end) => outcomes.push(end));
    expect(outcomes).toMatchObject([{ code: "ENOBUFS" }]);
    made.zone[NAME] = WWW;
    made.advance(2_010);
    expect(outcomes).toHaveLength(WAITERS_MAX + 1);
  });

  test("so many servers are asked and no more", () => {
    const servers = Array.from({ length: SERVERS_MAX + 1 }, (_, i) => ip("10.0.0.100") + i);
    const outcome = String(ask(net(servers), NAME, 60_000));
    expect(outcome).toContain("10.0.0.107");
    expect(outcome).not.toContain("10.0.0.108");
  });

  test("who is forgotten by another one's callback is not told", () => {
    const made = net();
    made.zone[NAME] = WWW;
    const told: number[] = [];
    const cancels = [0, 1].map((index) =>
      made.dns.ask(NAME, "A", () => {
        told.push(index);
        for (const cancel of cancels) cancel();
      })
    );
    made.advance(10);
    expect(told).toEqual([0]);
  });
});

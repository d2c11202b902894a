import { describe, expect, test } from "vitest";
import { NameNotFound, NoBuffers, StackError, TimedOut } from "../../src/errors.ts";
import { DNS_CACHE_MAX, DnsCache } from "../../src/net/dns_cache.ts";
import { QUERIES_MAX } from "../../src/net/dns_client.ts";
import { MISMATCHES_MAX } from "../../src/net/dns_exchange.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { a, alias, ask, CLOSED, ip, net, SECOND, SERVER, soa } from "../dns_net.ts";
import { answerTo, type WireAnswer, type WireRecord } from "../dns_wire.ts";
import { mutate } from "../fake_port.ts";

const WWW: WireAnswer = { answers: [a("www.example", "192.0.2.1")] };

describe("ask()", () => {
  test("gives the addresses that the server names", () => {
    const made = net();
    const answers = ["192.0.2.1", "192.0.2.2"].map((address) => a("www.example", address));
    made.zone["www.example"] = { answers };
    expect(ask(made, "WWW.example.")).toEqual([ip("192.0.2.1"), ip("192.0.2.2")]);
    expect(made.queries.length).toBe(1);
    expect(made.client.port.clock.pending).toBe(0);
  });

  test("asks once for callers that ask at one time", () => {
    const made = net();
    made.zone["www.example"] = WWW;
    const got: unknown[] = [];
    made.dns.ask("www.example", "A", (outcome) => got.push(outcome));
    made.dns.ask("www.example", "A", (outcome) => got.push(outcome));
    made.advance(10);
    const answer = { data: [ip("192.0.2.1")], ttlSeconds: 60 };
    expect(got).toEqual([answer, answer]);
    expect(made.queries.length).toBe(1);
  });

  test("refuses names when there is no server, and what is no name", () => {
    const made = net([]);
    expect(String(ask(made, "www.example"))).toContain("no name server is configured");
    expect(ask(made, "www.example")).toBeInstanceOf(NameNotFound);
    expect(() => ask(made, "a..b")).toThrow(RangeError);
  });

  test("5452-2 every query has another identifier and another port (N13)", () => {
    const made = net();
    for (let index = 0; index < 300; index++) {
      made.zone[`n${index}.example`] = { answers: [a(`n${index}.example`, "192.0.2.1")] };
      ask(made, `n${index}.example`);
    }
    expect(new Set(made.queries.map(({ port }) => port)).size).toBeGreaterThan(290);
    const ids = made.queries.map(({ data }) => ((data[0] ?? 0) << 8) | (data[1] ?? 0));
    expect(new Set(ids).size).toBeGreaterThan(290);
  });
});

describe("aliases", () => {
  const chain = (length: number): WireRecord[] => [
    ...Array.from({ length }, (_, index) => alias(`a${index}.x`, `a${index + 1}.x`)),
    a(`a${length}.x`, "192.0.2.9"),
  ];

  test("are followed up to eight times, in any order of records", () => {
    const made = net();
    made.zone["a0.x"] = { answers: chain(8).reverse() };
    expect(ask(made, "a0.x")).toEqual([ip("192.0.2.9")]);
    made.dns.clearCache();
    made.zone["a0.x"] = { answers: chain(9) };
    expect(String(ask(made, "a0.x"))).toContain("more than 8 times");
  });

  test("in a circle end", () => {
    const made = net();
    made.zone["a.x"] = { answers: [alias("a.x", "b.x"), alias("b.x", "a.x")] };
    expect(ask(made, "a.x")).toBeInstanceOf(NameNotFound);
  });

  test("records of other names are neither used nor kept (N14)", () => {
    const made = net();
    made.zone["www.example"] = {
      answers: [...WWW.answers ?? [], a("bank.x", "192.0.2.66")],
    };
    made.zone["bank.x"] = { answers: [a("www.example", "192.0.2.66")] };
    expect(ask(made, "www.example")).toEqual([ip("192.0.2.1")]);
    expect(ask(made, "bank.x")).toBeInstanceOf(NameNotFound);
    expect(made.queries.length).toBe(2);
  });
});

describe("servers that do not help", () => {
  test("are asked twice, 2 s each, then it is over on the millisecond", () => {
    const made = net();
    let outcome: unknown = null;
    made.dns.ask("www.example", "A", (result) => {
      outcome = result;
    });
    made.advance(1_999);
    expect(made.queries.length).toBe(1);
    made.advance(10);
    expect(made.queries.length).toBe(2);
    made.advance(3_999 - 2_009);
    expect(outcome).toBeNull();
    made.advance(1);
    expect(outcome).toBeInstanceOf(TimedOut);
    expect(String(outcome)).toContain("no answer from 10.0.0.1");
  });

  test("take turns; an error leads to the next at once", () => {
    const made = net([SERVER, SECOND]);
    made.script = (query, server): void => {
      const answer = server.address === SERVER ? { rcode: 2 } : WWW;
      server.send(answerTo(query.data, answer), query.address, query.port);
    };
    expect(ask(made, "www.example")).toEqual([ip("192.0.2.1")]);
    expect(made.queries.map(({ localAddress }) => localAddress)).toEqual([SERVER, SECOND]);
  });

  test("that all complain end it with their complaint", () => {
    const made = net();
    made.zone["www.example"] = { rcode: 5 };
    expect(ask(made, "www.example")).toMatchObject({ code: "EREFUSED" });
    expect(made.queries.length).toBe(2);
  });

  test("a closed port is no reason to wait", () => {
    const made = net([CLOSED]);
    expect(String(ask(made, "www.example"))).toContain("10.0.0.4 can not be reached");
    expect(made.queries).toEqual([]);
  });
});

describe("answers that are not ours", () => {
  test("5452-1 are dropped; ten of them move the query to another port", () => {
    const made = net();
    made.script = (query, server): void => {
      if (made.queries.length > 1) {
        server.send(answerTo(query.data, WWW), query.address, query.port);
        return;
      }
      const id = ((query.data[0] ?? 0) << 8) | (query.data[1] ?? 0);
      for (let count = 0; count < MISMATCHES_MAX - 1; count++) {
        server.send(answerTo(query.data, { ...WWW, id: id ^ 1 }), query.address, query.port);
      }
      server.send(answerTo(query.data, { ...WWW, question: "bank.x" }), query.address, query.port);
    };
    expect(ask(made, "www.example")).toEqual([ip("192.0.2.1")]);
    expect(made.queries.length).toBe(2);
    expect(made.queries[0]?.port).not.toBe(made.queries[1]?.port);
    expect(made.client.iface.counters["DNS_MISMATCH"]).toBe(MISMATCHES_MAX);
  });

  test("5452-1 from another address or port find a closed port, though all else is right", () => {
    const made = net();
    made.script = (query, server): void => {
      if (server.address !== SERVER) return;
      const bytes = answerTo(query.data, { answers: [a("www.example", "192.0.2.66")] });
      server.send(bytes, query.address, query.port, { source: SECOND });
    };
    expect(ask(made, "www.example", 1_000)).toBeNull();
    // As any other port of ours: whoever is not asked can not find out where we wait for an answer.
    expect(made.client.iface.counters).toMatchObject({ UDP_PORT: 1 });
    expect(made.client.iface.counters["UDP_UNHEARD"]).toBeUndefined();
  });

  test("changed and cut answers throw nothing and give no address but the right one's", () => {
    const made = net();
    made.script = (query, server): void => {
      const right = answerTo(query.data, WWW);
      mutate(right.slice(0, -4), 21, (bytes) => {
        server.send(Uint8Array.from([...bytes, 192, 0, 2, 1]), query.address, query.port);
      });
    };
    const outcome = ask(made, "www.example", 100);
    if (Array.isArray(outcome)) expect(outcome).toEqual([ip("192.0.2.1")]);
    else expect(outcome).toBeInstanceOf(StackError);
  });
});

describe("the cache", () => {
  test("keeps an answer for its TTL, at least a second and at most a day", () => {
    const made = net();
    for (const [ttl, keptMs] of [[0, 1_000], [60, 60_000], [0x7fffffff, 86_400_000]] as const) {
      made.dns.clearCache();
      made.zone["www.example"] = { answers: [a("www.example", "192.0.2.1", ttl)] };
      ask(made, "www.example", 0);
      // Two milliseconds on the cable: out and back.
      made.advance(2);
      made.queries.length = 0;
      made.advance(keptMs - 1);
      expect(ask(made, "www.example", 0), `TTL ${ttl}`).toEqual([ip("192.0.2.1")]);
      made.advance(1);
      ask(made, "www.example", 10);
      expect(made.queries.length, `TTL ${ttl}`).toBe(1);
    }
  });

  test("keeps a negative answer for what the SOA says, at most five minutes", () => {
    const made = net();
    made.zone["no.example"] = { rcode: 3, authority: [soa("example", 9_000, 9_000)] };
    expect(String(ask(made, "no.example", 2))).toContain("the name does not exist");
    made.advance(299_999);
    expect(ask(made, "no.example", 0)).toBeInstanceOf(NameNotFound);
    expect(made.queries.length).toBe(1);
    made.advance(1);
    ask(made, "no.example");
    expect(made.queries.length).toBe(2);
  });

  test("2308-2 does not keep a negative answer without SOA", () => {
    const made = net();
    made.zone["no.example"] = { rcode: 0 };
    expect(String(ask(made, "no.example"))).toContain("no A record");
    ask(made, "no.example");
    expect(made.queries.length).toBe(2);
  });

  test("holds 1,024 names; the first stored goes first (N15)", () => {
    const clock = new VirtualClock();
    const cache = new DnsCache(clock);
    for (let index = 0; index < 5_000; index++) {
      cache.set(`n${index}`, { data: [index], absence: null }, 60);
    }
    expect(cache.size).toBe(DNS_CACHE_MAX);
    expect(cache.get(`n${5_000 - DNS_CACHE_MAX - 1}`)).toBeNull();
    expect(cache.get(`n${5_000 - DNS_CACHE_MAX}`)?.data).toEqual([5_000 - DNS_CACHE_MAX]);
  });
});

test("queries have a limit, and close() ends them all", () => {
  const made = net();
  const outcomes: unknown[] = [];
  for (let index = 0; index <= QUERIES_MAX; index++) {
    made.dns.ask(`n${index}.example`, "A", (outcome) => outcomes.push(outcome));
  }
  expect(outcomes.length).toBe(1);
  expect(outcomes[0]).toBeInstanceOf(NoBuffers);
  made.dns.close();
  expect(outcomes.length).toBe(QUERIES_MAX + 1);
  expect(ask(made, "www.example")).toMatchObject({ code: "EBADF" });
  made.advance(10_000);
  expect(made.client.port.clock.pending).toBe(0);
});

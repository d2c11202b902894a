import { describe, expect, test } from "vitest";
import { NameNotFound, NoBuffers, StackError, TimedOut } from "../../src/errors.ts";
import { parseIpv4 } from "../../src/net/addresses.ts";
import { DNS_CACHE_MAX, DnsCache } from "../../src/net/dns_cache.ts";
import { DnsClient, MISMATCHES_MAX, QUERIES_MAX } from "../../src/net/dns_client.ts";
import type { UdpMessage, UdpSocket } from "../../src/net/udp.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { write16, write32 } from "../../src/wire/bytes.ts";
import { connect, mutate, type Station, station } from "../fake_port.ts";

const ip = parseIpv4;
const SERVER = ip("10.0.0.1");
const SECOND = ip("10.0.0.3");
/** An address of the server where nobody listens. */
const CLOSED = ip("10.0.0.4");

/** A record of an answer: an address, an alias, or the zone's SOA. */
interface TestRecord {
  readonly name: string;
  readonly address?: string;
  readonly alias?: string;
  readonly soaMinimum?: number;
  readonly ttl?: number;
  readonly type?: number;
}

interface Answer {
  readonly rcode?: number;
  readonly truncated?: boolean;
  readonly records?: readonly TestRecord[];
  readonly id?: number;
  readonly question?: string;
}

function encodeName(name: string): number[] {
  const labels = name === "" ? [] : name.split(".");
  return [...labels.flatMap((label) => [label.length, ...new TextEncoder().encode(label)]), 0];
}

function encodeRecord(record: TestRecord): number[] {
  const { name, address, alias, soaMinimum, ttl = 60 } = record;
  const four = (value: number): number[] => {
    const bytes = new Uint8Array(4);
    write32(bytes, 0, value);
    return [...bytes];
  };
  let type = record.type ?? 1;
  let data = four(ip(address ?? "0.0.0.0"));
  if (alias !== undefined) {
    type = 5;
    data = encodeName(alias);
  } else if (soaMinimum !== undefined) {
    type = 6;
    data = [0, 0, ...four(1), ...four(2), ...four(3), ...four(4), ...four(soaMinimum)];
  }
  return [
    ...encodeName(name),
    0,
    type,
    0,
    1,
    ...four(ttl),
    data.length >> 8,
    data.length & 255,
    ...data,
  ];
}

/** Builds the answer to a query. */
function respond(query: Uint8Array, answer: Answer): Uint8Array {
  const records = answer.records ?? [];
  const authority = records.filter((record) => record.soaMinimum !== undefined);
  const answers = records.filter((record) => record.soaMinimum === undefined);
  const question = answer.question === undefined
    ? [...query.subarray(12)]
    : [...encodeName(answer.question), 0, 1, 0, 1];
  const header = query.slice(0, 12);
  if (answer.id !== undefined) write16(header, 0, answer.id);
  write16(header, 2, 0x8180 | (answer.rcode ?? 0) | (answer.truncated === true ? 0x200 : 0));
  write16(header, 6, answers.length);
  write16(header, 8, authority.length);
  const encoded = [...answers, ...authority].flatMap(encodeRecord);
  return Uint8Array.from([...header, ...question, ...encoded]);
}

function questionOf(query: Uint8Array): string {
  const labels: string[] = [];
  for (let at = 12; (query[at] ?? 0) !== 0; at += (query[at] ?? 0) + 1) {
    labels.push(new TextDecoder().decode(query.subarray(at + 1, at + 1 + (query[at] ?? 0))));
  }
  return labels.join(".");
}

interface Net {
  readonly client: Station;
  readonly dns: DnsClient;
  /** What the server got. */
  readonly queries: UdpMessage[];
  /** Answers by hand; by default what `zone` says. */
  script: (query: UdpMessage, server: UdpSocket) => void;
  zone: Record<string, Answer>;
  advance(ms: number): void;
}

/** A client and a server with two addresses on a cable. */
function net(servers: readonly number[] = [SERVER]): Net {
  const client = station(2);
  const host = station(1, client.port.clock);
  connect([client, host]);
  host.iface.configure({ address: SERVER, prefixLength: 24, gateway: null, dns: [] });
  host.iface.addAddress(SECOND);
  host.iface.addAddress(CLOSED);
  client.iface.configure({
    address: ip("10.0.0.2"),
    prefixLength: 24,
    gateway: null,
    dns: servers,
  });
  const made: Net = {
    client,
    dns: new DnsClient(client.iface),
    queries: [],
    zone: {},
    script: (query, server) => {
      const answer = made.zone[questionOf(query.data)];
      if (answer !== undefined) server.send(respond(query.data, answer), query.address, query.port);
    },
    advance: (ms) => client.port.clock.advance(ms),
  };
  for (const address of [SERVER, SECOND]) {
    const socket = host.iface.udp.bind({ port: 53, address });
    socket.onMessage = (message): void => {
      const query = { ...message, data: message.data.slice() };
      made.queries.push(query);
      made.script(query, socket);
    };
  }
  for (const address of [SERVER, SECOND, CLOSED]) client.iface.neighbors.hop(address);
  made.advance(10);
  return made;
}

/** Resolves with a callback and lets a little time pass. */
function ask(made: Net, name: string, ms: number = 10): readonly number[] | StackError | null {
  let outcome: readonly number[] | StackError | null = null;
  made.dns.resolveWith(name, (result) => {
    outcome = result;
  });
  made.advance(ms);
  return outcome;
}

const WWW: Answer = { records: [{ name: "www.example", address: "192.0.2.1" }] };

describe("resolve()", () => {
  test("gives the addresses that the server names", async () => {
    const made = net();
    const records = ["192.0.2.1", "192.0.2.2"].map((address) => ({ name: "www.example", address }));
    made.zone["www.example"] = { records };
    const promise = made.dns.resolve("WWW.example.");
    made.advance(10);
    expect(await promise).toEqual([ip("192.0.2.1"), ip("192.0.2.2")]);
    expect(made.queries.length).toBe(1);
    expect(made.client.port.clock.pending).toBe(0);
  });

  test("takes an address as its own answer", () => {
    const made = net();
    expect(ask(made, "192.0.2.7")).toEqual([ip("192.0.2.7")]);
    expect(made.queries).toEqual([]);
  });

  test("asks once for callers that ask at one time", () => {
    const made = net();
    made.zone["www.example"] = WWW;
    const got: unknown[] = [];
    made.dns.resolveWith("www.example", (outcome) => got.push(outcome));
    made.dns.resolveWith("www.example", (outcome) => got.push(outcome));
    made.advance(10);
    expect(got).toEqual([[ip("192.0.2.1")], [ip("192.0.2.1")]]);
    expect(made.queries.length).toBe(1);
  });

  test("refuses localhost, and says why; and names without any server", async () => {
    const made = net([]);
    for (const name of ["localhost", "a.localhost."]) {
      await expect(made.dns.resolve(name)).rejects.toThrow("this stack has no loopback interface");
    }
    await expect(made.dns.resolve("www.example")).rejects.toThrow("no name server is configured");
    await expect(made.dns.resolve("www.example")).rejects.toBeInstanceOf(NameNotFound);
    await expect(made.dns.resolve("a..b")).rejects.toBeInstanceOf(RangeError);
  });

  test("every query has another identifier and another port (N13)", () => {
    const made = net();
    for (let index = 0; index < 300; index++) {
      made.zone[`n${index}.example`] = {
        records: [{ name: `n${index}.example`, address: "192.0.2.1" }],
      };
      ask(made, `n${index}.example`);
    }
    expect(new Set(made.queries.map(({ port }) => port)).size).toBeGreaterThan(290);
    const ids = made.queries.map(({ data }) => ((data[0] ?? 0) << 8) | (data[1] ?? 0));
    expect(new Set(ids).size).toBeGreaterThan(290);
  });
});

describe("aliases", () => {
  const chain = (length: number): TestRecord[] => [
    ...Array.from({ length }, (_, index) => ({ name: `a${index}.x`, alias: `a${index + 1}.x` })),
    { name: `a${length}.x`, address: "192.0.2.9" },
  ];

  test("are followed up to eight times, in any order of records", () => {
    const made = net();
    made.zone["a0.x"] = { records: chain(8).reverse() };
    expect(ask(made, "a0.x")).toEqual([ip("192.0.2.9")]);
    made.dns.clearCache();
    made.zone["a0.x"] = { records: chain(9) };
    expect(String(ask(made, "a0.x"))).toContain("more than 8 times");
  });

  test("in a circle end", () => {
    const made = net();
    made.zone["a.x"] = { records: [{ name: "a.x", alias: "b.x" }, { name: "b.x", alias: "a.x" }] };
    expect(ask(made, "a.x")).toBeInstanceOf(NameNotFound);
  });

  test("records of other names are neither used nor kept (N14)", () => {
    const made = net();
    made.zone["www.example"] = {
      records: [...WWW.records ?? [], { name: "bank.x", address: "192.0.2.66" }],
    };
    made.zone["bank.x"] = { records: [{ name: "www.example", address: "192.0.2.66" }] };
    expect(ask(made, "www.example")).toEqual([ip("192.0.2.1")]);
    expect(ask(made, "bank.x")).toBeInstanceOf(NameNotFound);
    expect(made.queries.length).toBe(2);
  });
});

describe("servers that do not help", () => {
  test("are asked twice, 2 s each, then it is over on the millisecond", () => {
    const made = net();
    let outcome: unknown = null;
    made.dns.resolveWith("www.example", (result) => {
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
      server.send(respond(query.data, answer), query.address, query.port);
    };
    expect(ask(made, "www.example")).toEqual([ip("192.0.2.1")]);
    expect(made.queries.map(({ localAddress }) => localAddress)).toEqual([SERVER, SECOND]);
  });

  test("that all complain end it with their complaint", () => {
    const made = net();
    made.zone["www.example"] = { rcode: 5 };
    expect(ask(made, "www.example")).toMatchObject({ code: "EPROTO" });
    expect(made.queries.length).toBe(2);
  });

  test("a closed port is no reason to wait", () => {
    const made = net([CLOSED]);
    expect(String(ask(made, "www.example"))).toContain("10.0.0.4 can not be reached");
    expect(made.queries).toEqual([]);
  });

  test("a cut answer is named as such", () => {
    const made = net();
    made.zone["www.example"] = { ...WWW, truncated: true };
    expect(String(ask(made, "www.example"))).toContain("cut its answer (TC)");
  });
});

describe("answers that are not ours", () => {
  test("are dropped; ten of them move the query to another port", () => {
    const made = net();
    made.script = (query, server): void => {
      if (made.queries.length > 1) {
        server.send(respond(query.data, WWW), query.address, query.port);
        return;
      }
      const id = ((query.data[0] ?? 0) << 8) | (query.data[1] ?? 0);
      for (let count = 0; count < MISMATCHES_MAX - 1; count++) {
        server.send(respond(query.data, { ...WWW, id: id ^ 1 }), query.address, query.port);
      }
      server.send(respond(query.data, { ...WWW, question: "bank.x" }), query.address, query.port);
    };
    expect(ask(made, "www.example")).toEqual([ip("192.0.2.1")]);
    expect(made.queries.length).toBe(2);
    expect(made.queries[0]?.port).not.toBe(made.queries[1]?.port);
    expect(made.client.iface.counters["DNS_MISMATCH"]).toBe(MISMATCHES_MAX);
  });

  test("from another address or port are dropped, though all else is right", () => {
    const made = net();
    made.script = (query, server): void => {
      if (server.address !== SERVER) return;
      const bytes = respond(query.data, {
        records: [{ name: "www.example", address: "192.0.2.66" }],
      });
      server.send(bytes, query.address, query.port, { source: SECOND });
    };
    expect(ask(made, "www.example", 1_000)).toBeNull();
    expect(made.client.iface.counters["DNS_SERVER"]).toBe(1);
  });

  test("changed and cut answers throw nothing and give no address but the right one's", () => {
    const made = net();
    made.script = (query, server): void => {
      const right = respond(query.data, WWW);
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
      made.zone["www.example"] = { records: [{ name: "www.example", address: "192.0.2.1", ttl }] };
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
    const records = [{ name: "example", soaMinimum: 9_000, ttl: 9_000 }];
    made.zone["no.example"] = { rcode: 3, records };
    expect(String(ask(made, "no.example", 2))).toContain("the name does not exist");
    made.advance(299_999);
    expect(ask(made, "no.example", 0)).toBeInstanceOf(NameNotFound);
    expect(made.queries.length).toBe(1);
    made.advance(1);
    ask(made, "no.example");
    expect(made.queries.length).toBe(2);
  });

  test("does not keep a negative answer without SOA", () => {
    const made = net();
    made.zone["no.example"] = { rcode: 0 };
    expect(String(ask(made, "no.example"))).toContain("no IPv4 address");
    ask(made, "no.example");
    expect(made.queries.length).toBe(2);
  });

  test("holds 1,024 names; the first stored goes first (N15)", () => {
    const clock = new VirtualClock();
    const cache = new DnsCache(clock);
    for (let index = 0; index < 5_000; index++) {
      cache.set(`n${index}`, { addresses: [index], reason: "" }, 60);
    }
    expect(cache.size).toBe(DNS_CACHE_MAX);
    expect(cache.get(`n${5_000 - DNS_CACHE_MAX - 1}`)).toBeNull();
    expect(cache.get(`n${5_000 - DNS_CACHE_MAX}`)?.addresses).toEqual([5_000 - DNS_CACHE_MAX]);
  });
});

test("queries have a limit, and close() ends them all", () => {
  const made = net();
  const outcomes: unknown[] = [];
  for (let index = 0; index <= QUERIES_MAX; index++) {
    made.dns.resolveWith(`n${index}.example`, (outcome) => outcomes.push(outcome));
  }
  expect(outcomes.length).toBe(1);
  expect(outcomes[0]).toBeInstanceOf(NoBuffers);
  made.dns.close();
  expect(outcomes.length).toBe(QUERIES_MAX + 1);
  expect(ask(made, "www.example")).toMatchObject({ code: "EBADF" });
  made.advance(10_000);
  expect(made.client.port.clock.pending).toBe(0);
});

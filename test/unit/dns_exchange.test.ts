import { describe, expect, test } from "vitest";
import { ConnectionReset, type StackError } from "../../src/errors.ts";
import { SILENT_MS } from "../../src/net/dns_client.ts";
import type { DnsStream } from "../../src/net/dns_exchange.ts";
import {
  EVENT_CLOSED,
  EVENT_END,
  EVENT_OPENED,
  EVENT_READABLE,
} from "../../src/layout/layout.gen.ts";
import { a, alias, ask, askFor, ip, type Net, net, SECOND, SERVER, soa } from "../dns_net.ts";
import { answerTo, questionOf, type WireAnswer } from "../dns_wire.ts";

const WWW: WireAnswer = { answers: [a("www.example", "192.0.2.1")] };
const FOUND = [ip("192.0.2.1")];

/** A connection whose other end is the test. */
class FakeStream implements DnsStream {
  onEvent: ((bits: number) => void) | null = null;
  error: StackError | null = null;
  readonly written: number[] = [];
  readonly #incoming: number[] = [];
  log: string[] = [];

  write(view: Uint8Array): number {
    this.written.push(...view);
    return view.length;
  }

  readInto(view: Uint8Array): number {
    const bytes = this.#incoming.splice(0, view.length);
    if (bytes.length === 0 && this.error !== null) throw this.error;
    view.set(bytes);
    return bytes.length === 0 ? -1 : bytes.length;
  }

  abort(): void {
    this.log.push("abort");
  }

  release(): void {
    this.log.push("release");
  }

  /** The question as it was written. */
  get query(): Uint8Array {
    return Uint8Array.from(this.written.slice(2));
  }

  open(): void {
    this.onEvent?.(EVENT_OPENED);
  }

  receive(bytes: Iterable<number>): void {
    this.#incoming.push(...bytes);
    this.onEvent?.(EVENT_READABLE);
  }

  answer(answer: WireAnswer): Uint8Array {
    const bytes = answerTo(this.query, answer);
    return Uint8Array.from([bytes.length >> 8, bytes.length & 0xff, ...bytes]);
  }

  end(error: StackError | null = null): void {
    this.error = error;
    this.onEvent?.(error === null ? EVENT_END : EVENT_CLOSED);
  }
}

/** A net whose server cuts its answers, and the connections that were made of it. */
function cutting(): Net & { readonly streams: FakeStream[] } {
  const streams: FakeStream[] = [];
  const made = Object.assign(net(), { streams });
  made.zone["www.example"] = { truncated: true };
  made.dial = (): DnsStream => {
    const stream = new FakeStream();
    streams.push(stream);
    return stream;
  };
  return made;
}

describe("EDNS", () => {
  test("asks for 1,232 bytes, less where the link has less (RFC 6891)", () => {
    const made = net();
    made.zone["www.example"] = WWW;
    ask(made, "www.example");
    made.client.iface.configure({
      ...{ address: ip("10.0.0.2"), prefixLength: 24, gateway: null, dns: [SERVER], mtu: 600 },
    });
    made.dns.clearCache();
    ask(made, "www.example");
    expect(made.queries.map(({ data }) => questionOf(data).payloadBytes)).toEqual([1_232, 552]);
  });

  test("6891-1 is left out at once, when the server does not understand it", () => {
    for (
      const refusal of [
        { rcode: 1 },
        { rcode: 4 },
        { rcode: 1, question: null },
        { additional: [{ name: "", type: 41, data: new Uint8Array(), ttl: 1 << 24 }] },
      ]
    ) {
      const made = net();
      made.script = (query, server): void => {
        const isPlain = questionOf(query.data).payloadBytes === null;
        server.send(answerTo(query.data, isPlain ? WWW : refusal), query.address, query.port);
      };
      expect(ask(made, "www.example"), JSON.stringify(refusal)).toEqual(FOUND);
      expect(made.queries.length).toBe(2);
    }
  });

  test("an answer without question is none to a plain query", () => {
    const made = net();
    made.script = (query, server): void => {
      server.send(answerTo(query.data, { rcode: 1, question: null }), query.address, query.port);
    };
    expect(ask(made, "www.example")).toBeNull();
    expect(made.queries.length).toBe(2);
  });
});

describe("TCP", () => {
  test("7766-1 2181-1 is used when the answer was cut, in pieces as they come", () => {
    const made = cutting();
    let outcome: unknown = null;
    made.dns.ask("www.example", "A", (result) => (outcome = result));
    made.advance(10);
    const stream = made.streams[0];
    stream?.open();
    expect(questionOf(stream?.query ?? new Uint8Array()).name).toBe("www.example");
    for (const byte of stream?.answer(WWW) ?? []) {
      expect(outcome).toBeNull();
      stream?.receive([byte]);
    }
    expect(outcome).toEqual({ data: FOUND, ttlSeconds: 60 });
    expect(stream?.log).toEqual(["abort", "release"]);
    expect(made.client.port.clock.pending).toBe(0);
  });

  test("has 4 s, to the millisecond; then the question goes on", () => {
    const made = cutting();
    ask(made, "www.example", 2);
    made.streams[0]?.open();
    made.advance(3_999);
    expect(made.queries.length).toBe(1);
    made.advance(2);
    expect(made.queries.length).toBe(2);
    expect(made.streams[0]?.log).toEqual(["abort", "release"]);
  });

  test("that fails is told with its reason", () => {
    for (
      const [fail, reason] of [
        [(stream: FakeStream) => stream.end(), "the connection ended"],
        [(stream: FakeStream) => stream.end(new ConnectionReset("reset")), "over TCP: reset"],
        [(stream: FakeStream) => stream.receive([0, 0]), "gave none that is right"],
        [
          (stream: FakeStream) => stream.receive(stream.answer({ ...WWW, id: 1 })),
          "gave none that is right",
        ],
        [
          (stream: FakeStream) => stream.receive(stream.answer({ truncated: true })),
          "gave none that is right",
        ],
      ] as const
    ) {
      const made = cutting();
      let outcome: unknown = null;
      made.dns.ask("www.example", "A", (result) => (outcome = result));
      for (let round = 0; round < 2; round++) {
        made.advance(10);
        made.streams[round]?.open();
        fail(made.streams[round] ?? new FakeStream());
      }
      expect(String(outcome)).toContain(reason);
      expect(outcome).toMatchObject({ code: "EPROTO" });
      expect(made.client.port.clock.pending).toBe(0);
    }
  });

  test("that can not begin is told with its reason", () => {
    const made = net();
    made.zone["www.example"] = { truncated: true };
    expect(String(ask(made, "www.example"))).toContain("nobody listens for TCP here");
  });
});

describe("servers", () => {
  test("one that was silent is asked last for half a minute", () => {
    const made = net([SERVER, SECOND]);
    made.script = (query, server): void => {
      if (server.address === SERVER) return;
      const { name } = questionOf(query.data);
      const answer = { answers: [a(name, "192.0.2.1")] };
      server.send(answerTo(query.data, answer), query.address, query.port);
    };
    expect(ask(made, "a.example", 2_010)).toEqual(FOUND);
    made.queries.length = 0;
    expect(ask(made, "b.example")).toEqual(FOUND);
    expect(made.queries.map(({ localAddress }) => localAddress)).toEqual([SECOND]);
    made.advance(SILENT_MS);
    ask(made, "c.example", 2_010);
    expect(made.queries.map(({ localAddress }) => localAddress)).toEqual([SECOND, SERVER, SECOND]);
  });

  test("one without a route is no reason to wait", () => {
    const made = net([ip("192.0.2.53"), SERVER]);
    made.zone["www.example"] = WWW;
    expect(ask(made, "www.example", 2)).toEqual(FOUND);
  });

  test("another one is asked instead, when the caller names it, and its answers are kept apart", () => {
    const made = net();
    made.zone["www.example"] = WWW;
    ask(made, "www.example");
    const server = { address: SECOND, port: 53 };
    made.dns.ask("www.example", "A", () => {}, { server });
    made.advance(10);
    expect(made.queries.map(({ localAddress }) => localAddress)).toEqual([SERVER, SECOND]);
  });

  test("their failures have codes", () => {
    const made = net();
    for (const [rcode, code] of [[2, "ESERVFAIL"], [5, "EREFUSED"], [9, "EPROTO"]] as const) {
      made.zone["www.example"] = { rcode };
      expect(ask(made, "www.example")).toMatchObject({ code });
    }
  });
});

describe("aliases without an end", () => {
  test("are asked for, when the server says no more", () => {
    const made = net();
    made.zone["a.x"] = { answers: [alias("a.x", "b.y", 30)] };
    made.zone["b.y"] = { answers: [alias("b.y", "c.z")] };
    made.zone["c.z"] = { answers: [a("c.z", "192.0.2.1")] };
    expect(askFor(made, "a.x", "A")).toEqual({ data: FOUND, ttlSeconds: 30 });
    expect(made.queries.map(({ data }) => questionOf(data).name)).toEqual(["a.x", "b.y", "c.z"]);
    made.queries.length = 0;
    ask(made, "a.x");
    expect(made.queries).toEqual([]);
  });

  test("in a circle over several answers end", () => {
    const made = net();
    made.zone["a.x"] = { answers: [alias("a.x", "b.x")] };
    made.zone["b.x"] = { answers: [alias("b.x", "a.x")] };
    expect(String(ask(made, "a.x", 100))).toContain("more than 8 times");
    expect(made.queries.length).toBeLessThanOrEqual(9);
  });

  test("are not followed, when the alias itself is asked for", () => {
    const made = net();
    made.zone["a.x"] = { answers: [alias("a.x", "b.x")] };
    expect(askFor(made, "a.x", "CNAME")).toMatchObject({ data: ["b.x"] });
    expect(made.queries.length).toBe(1);
  });
});

describe("what is not there (RFC 2308)", () => {
  test("2308-1 a name that does not exist has no records of other types either", () => {
    const made = net();
    made.zone["no.example"] = { rcode: 3, authority: [soa("example", 60)] };
    expect(askFor(made, "no.example", "A")).toMatchObject({ code: "ENOTFOUND" });
    expect(askFor(made, "no.example", "MX")).toMatchObject({ code: "ENOTFOUND" });
    expect(made.queries.length).toBe(1);
  });

  test("2308-1 a type that a name has not is kept for that type alone", () => {
    const made = net();
    made.zone["www.example A"] = { authority: [soa("example", 60)] };
    made.zone["www.example AAAA"] = {
      answers: [{ name: "www.example", type: "AAAA", data: "2001:db8::1" }],
    };
    expect(ask(made, "www.example")).toMatchObject({ code: "ENODATA" });
    expect(askFor(made, "www.example", "AAAA")).toMatchObject({
      data: [(0x20010db8n << 96n) | 1n],
    });
    ask(made, "www.example");
    expect(made.queries.length).toBe(2);
  });

  test("is not kept when another zone says so", () => {
    const made = net();
    made.zone["no.example"] = { rcode: 3, authority: [soa("bank.x", 60)] };
    ask(made, "no.example");
    ask(made, "no.example");
    expect(made.queries.length).toBe(2);
  });
});

test("who asks last and forgets ends the question", () => {
  const made = net();
  let told = 0;
  const cancels = [1, 2].map(() => made.dns.ask("www.example", "A", () => told++));
  cancels[0]?.();
  cancels[0]?.();
  expect(made.dns.pending).toBe(1);
  cancels[1]?.();
  expect(made.dns.pending).toBe(0);
  // The question is on the cable.
  made.advance(10);
  expect(made.client.port.clock.pending).toBe(0);
  expect(told).toBe(0);
});

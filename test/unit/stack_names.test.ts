import { afterEach, describe, expect, test } from "vitest";
import { nodeModules } from "../../src/api/node/mod.ts";
import { ATTEMPT_DELAY_MS } from "../../src/api/happy_eyeballs.ts";
import { createStack, type InProcessStack } from "../../src/api/network_stack.ts";
import { StackError } from "../../src/errors.ts";
import type { Device } from "../../src/link/device.ts";
import { pipe } from "../../src/link/pipe.ts";
import type { StaticAddress, TcpConnection, Tuning } from "../../src/options.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { createWorkerStack } from "../../src/worker/client.ts";
import { serveWorker } from "../../src/worker/host.ts";
import { type PublishingLink, serveStack } from "../../src/worker/build_stack.ts";
import { answerTo, questionOf, type WireAnswer, type WireRecord } from "../dns_wire.ts";

const CLIENT = "10.0.0.1";
const SERVER = "10.0.0.2";
const SERVER_V6 = "2001:db8::2";
/** Nobody has it. */
const NOBODY = "10.0.0.77";
const PORT = 7;

const TUNING: Tuning = { memoryMiB: 8, maxConnections: 64, mslMs: 20 };

type Zone = Record<string, WireAnswer>;

const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const a = (name: string, ...addresses: string[]): WireAnswer => ({
  answers: addresses.map((data) => ({ name, type: "A", data })),
});

/** A stack that answers for names at port 53, over UDP and TCP, and what it was asked, by the way it was asked. */
async function server(
  link: Device,
  zone: Zone,
  address: StaticAddress = IPV4.right,
  clock: Clock = systemClock(),
): Promise<{
  stack: InProcessStack;
  asked: string[];
}> {
  const stack = await createStack({ link, address, clock, tuning: TUNING });
  ends.push(() => stack.close());
  const asked: string[] = [];
  const socket = stack.interface.udp.bind({ port: 53 });
  socket.onMessage = ({ data, address, port }): void => {
    const { name } = questionOf(data);
    asked.push(`udp ${name}`);
    const answer = answerTo(data, zone[name] ?? { rcode: 3 });
    const isTooLong = answer.length > 1_232;
    socket.send(isTooLong ? answerTo(data, { truncated: true }) : answer, address, port);
  };
  const listener = await stack.listen({ port: 53 });
  void (async () => {
    for await (const connection of listener) {
      const query = await firstMessage(connection);
      const { name } = questionOf(query);
      asked.push(`tcp ${name}`);
      const answer = answerTo(query, zone[name] ?? { rcode: 3 });
      const writer = connection.writable.getWriter();
      await writer.write(Uint8Array.of(answer.length >> 8, answer.length & 255, ...answer));
      await connection.closed.catch(() => {});
    }
  })();
  return { stack, asked };
}

async function firstMessage(connection: TcpConnection): Promise<Uint8Array> {
  const reader = connection.readable.getReader();
  let bytes: number[] = [];
  while (bytes.length < 2 || bytes.length < 2 + ((bytes[0] ?? 0) << 8) + (bytes[1] ?? 0)) {
    const { value } = await reader.read();
    if (value === undefined) break;
    bytes = [...bytes, ...value];
  }
  reader.releaseLock();
  return Uint8Array.from(bytes.slice(2));
}

const aaaa = (name: string, data: string): WireRecord => ({ name, type: "AAAA", data });

const both: WireAnswer = {
  answers: [aaaa("db.test", SERVER_V6), { name: "db.test", type: "A", data: SERVER }],
};

/** What both ends have. */
interface Ends {
  readonly left: StaticAddress;
  readonly right: StaticAddress;
}

const IPV4: Ends = {
  left: { cidr: `${CLIENT}/24`, dns: [SERVER] },
  right: { cidr: `${SERVER}/24` },
};

/** Both families, and a name server over IPv6. */
const TWO_FAMILIES: Ends = {
  left: { cidr: [`${CLIENT}/24`, "2001:db8::1/64"], dns: [SERVER_V6] },
  right: { cidr: [`${SERVER}/24`, `${SERVER_V6}/64`] },
};

async function pair(zone: Zone, addresses: Ends = IPV4, clock: Clock = systemClock()): Promise<{
  left: InProcessStack;
  right: InProcessStack;
  asked: string[];
}> {
  const [near, far] = pipe({ clock });
  const { stack: right, asked } = await server(far, zone, addresses.right, clock);
  const left = await createStack({
    link: near,
    clock,
    address: addresses.left,
    tuning: TUNING,
    names: { search: ["test"], hosts: { "fixed.test": SERVER } },
  });
  ends.push(() => left.close());
  // An IPv6 address is used once nobody else has claimed it.
  await Promise.all([left.ready, right.ready]);
  return { left, right, asked };
}

/** Lets virtual time pass until a promise is settled; in each ms, all that waits for no time is done. */
async function inTime<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settle = (): void => void (isSettled = true);
  promise.then(settle, settle);
  while (!isSettled) {
    clock.advance(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return await promise;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => null, (reason) => reason);
  return error instanceof StackError ? error.code : String(error);
}

describe("names over a stack of one's own", () => {
  test("an answer that does not fit is fetched over TCP", async () => {
    const addresses = Array.from({ length: 200 }, (_, index) => `10.1.0.${index}`);
    const { left, asked } = await pair({ "many.test": a("many.test", ...addresses) });
    expect(await left.resolve("many.test", { family: 4 })).toEqual(addresses);
    expect(asked).toEqual(["udp many.test", "tcp many.test"]);
    expect(await left.resolveRecords("many.test", "A")).toEqual(addresses);
    expect(asked).toHaveLength(2);
  });

  test("records have the shapes of the API, and a server may be named", async () => {
    const soa = { mname: "ns.test", rname: "root.test", serial: 1, refresh: 2, retry: 3 };
    const { left } = await pair({
      "mail.test": {
        answers: [{ name: "mail.test", type: "MX", data: { preference: 10, exchange: "mx.test" } }],
      },
      "text.test": { answers: [{ name: "text.test", type: "TXT", data: ["a", "b c"] }] },
      "six.test": { answers: [{ name: "six.test", type: "AAAA", data: "2001:DB8::6" }] },
      test: {
        answers: [{ name: "test", type: "SOA", data: { ...soa, expire: 4, minimum: 5 } }],
      },
      "2.0.0.10.in-addr.arpa": {
        answers: [{ name: "2.0.0.10.in-addr.arpa", type: "PTR", data: "right.test" }],
      },
    });
    const options = { nameServer: { ipAddr: SERVER } };
    expect(await left.resolveRecords("mail.test", "MX", options)).toEqual([
      { preference: 10, exchange: "mx.test" },
    ]);
    expect(await left.resolveAnswer("text.test", "TXT")).toEqual({
      records: [["a", "b c"]],
      ttlSeconds: 60,
    });
    expect(await left.resolveRecords("text.test", "TXT")).toEqual([["a", "b c"]]);
    expect(await left.resolveRecords("six.test", "AAAA")).toEqual(["2001:db8::6"]);
    expect(await left.resolveRecords("test", "SOA")).toEqual([{ ...soa, expire: 4, minimum: 5 }]);
    expect(await left.resolveRecords("10.0.0.2", "PTR")).toEqual(["right.test"]);
    expect(await left.resolve("fixed.test")).toEqual([SERVER]);
    expect(await codeOf(left.resolveRecords("nothing.test", "CAA"))).toBe("ENOTFOUND");
    expect(await codeOf(left.resolveRecords("mail.test", "CAA"))).toBe("ENODATA");
  });
});

test("dns.resolve4() of Node tells for how long an address holds", async () => {
  const { left } = await pair({ "db.test": a("db.test", SERVER) });
  const { promises } = nodeModules(left).dns;
  const found = await promises.resolve4("db.test", { ttl: true });
  expect(found).toEqual([{ address: SERVER, ttl: 60 }]);
  expect(await promises.resolve4("db.test")).toEqual([SERVER]);
});

describe("connect() by name", () => {
  test("goes on to the next address, when the first one is silent (RFC 8305)", async () => {
    const clock = new VirtualClock();
    const zone = { "db.test": a("db.test", NOBODY, SERVER) };
    const { left, right } = await inTime(clock, pair(zone, IPV4, clock));
    const listener = await right.listen({ port: PORT });
    const startMs = clock.now();
    // The short name is completed.
    const connection = await inTime(clock, left.connect({ hostname: "db", port: PORT }));
    expect(clock.now() - startMs).toBeGreaterThanOrEqual(ATTEMPT_DELAY_MS);
    expect(connection.remoteAddress).toEqual({ hostname: SERVER, port: PORT });
    // The loser is gone.
    expect((await left.connections()).map(({ remoteAddress }) => remoteAddress.hostname))
      .toEqual([SERVER]);
    connection.abort();
    listener.close();
  });

  test("fails as the address did, when there is one alone", async () => {
    const { left } = await pair({ "db.test": a("db.test", SERVER) });
    expect(await codeOf(left.connect({ hostname: "db.test", port: PORT }))).toBe("ECONNREFUSED");
    expect(await left.connections()).toEqual([]);
  });

  test("ends in time and at a signal, and leaves nothing behind", async () => {
    const clock = new VirtualClock();
    const zone = { "db.test": a("db.test", NOBODY) };
    const { left } = await inTime(clock, pair(zone, IPV4, clock));
    const options = { hostname: "db.test", port: PORT };
    const startMs = clock.now();
    const late = inTime(clock, left.connect({ ...options, connectTimeoutMs: 100 }));
    await expect(late).rejects.toMatchObject({ code: "ETIMEDOUT" });
    await expect(late).rejects.toThrow("db.test:7: not within 100 ms");
    expect(clock.now() - startMs).toBe(100);
    const controller = new AbortController();
    const aborted = left.connect({ ...options, signal: controller.signal });
    controller.abort("enough");
    await expect(aborted).rejects.toBe("enough");
    expect(await left.connections()).toEqual([]);
    expect(left.stack.resolver.client.pending).toBe(0);
    await expect(left.connect({ ...options, hostname: "a b" })).rejects.toBeInstanceOf(RangeError);
    const unknown = inTime(clock, left.connect({ ...options, hostname: "no.test" }));
    expect(await codeOf(unknown)).toBe("ENOTFOUND");
  });

  test("8305-2 prefers IPv6, and asks name servers over it, when both ends have it", async () => {
    const clock = new VirtualClock();
    const made = pair({ "db.test": both }, TWO_FAMILIES, clock);
    const { left, right, asked } = await inTime(clock, made);
    const listener = await right.listen({ port: PORT });
    const connection = await inTime(clock, left.connect({ hostname: "db.test", port: PORT }));
    expect(connection.remoteAddress).toEqual({ hostname: SERVER_V6, port: PORT });
    expect(asked).toEqual(["udp db.test", "udp db.test"]);
    expect(await inTime(clock, left.resolve("db.test"))).toEqual([SERVER_V6, SERVER]);
    connection.abort();
    const options = { hostname: "db.test", port: PORT, localAddress: CLIENT };
    const fromIpv4 = await inTime(clock, left.connect(options));
    expect(fromIpv4.remoteAddress.hostname).toBe(SERVER);
    fromIpv4.abort();
    listener.close();
  });

  test("goes on to IPv4, when IPv6 is silent", async () => {
    const answers = [aaaa("db.test", "2001:db8::77"), ...a("db.test", SERVER).answers ?? []];
    const clock = new VirtualClock();
    const made = pair({ "db.test": { answers } }, TWO_FAMILIES, clock);
    const { left, right } = await inTime(clock, made);
    const listener = await right.listen({ port: PORT });
    const connection = await inTime(clock, left.connect({ hostname: "db.test", port: PORT }));
    expect(connection.remoteAddress.hostname).toBe(SERVER);
    connection.abort();
    listener.close();
  });

  test("works over IPv6 alone, TCP for names included", async () => {
    const many = Array.from(
      { length: 100 },
      (_, index) => aaaa("many.test", `2001:db8::1:${index}`),
    );
    const { left, asked } = await pair({ "db.test": both, "many.test": { answers: many } }, {
      left: { cidr: "2001:db8::1/64", dns: [SERVER_V6] },
      right: { cidr: `${SERVER_V6}/64` },
    });
    expect(await codeOf(left.connect({ hostname: "db.test", port: PORT }))).toBe("ECONNREFUSED");
    // Nobody asks for a family that cannot be used.
    expect(asked).toEqual(["udp db.test"]);
    expect(await left.resolve("many.test", { family: 6 })).toHaveLength(100);
    expect(asked.at(-1)).toBe("tcp many.test");
  });

  test("tells all failures through the worker's protocol too", async () => {
    const [near, far] = pipe({ clock: systemClock() });
    await server(far, { "db.test": a("db.test", "192.0.2.1", SERVER) });
    const channel = new MessageChannel();
    ends.push(() => channel.port1.close());
    const link: PublishingLink = Object.assign(near, {
      publish: ({ port }: { port: number }) => Promise.resolve({ port, hostPort: port }),
      unpublish: () => Promise.resolve(),
    });
    serveWorker(channel.port1, {
      build: (description, news) => serveStack(description, news, link),
    });
    const left = await createWorkerStack({
      worker: channel.port2,
      link: { kind: "websocket", url: "ws://relay.example/tunnel", token: "t" },
      address: { cidr: `${CLIENT}/24` },
      tuning: TUNING,
      names: { servers: [SERVER] },
    });
    ends.push(() => left.close());
    const error = await left.connect({ hostname: "db.test", port: PORT }).catch((reason) => reason);
    expect(error).toMatchObject({ name: "ConnectionRefused", code: "ECONNREFUSED" });
    expect(error.cause).toBeInstanceOf(AggregateError);
    expect(error.cause.errors.map(({ name }: Error) => name)).toEqual([
      // RFC 6724 section 6, rule 1: what can not be reached comes last.
      "ConnectionRefused",
      "NetworkUnreachable",
    ]);
  });
});

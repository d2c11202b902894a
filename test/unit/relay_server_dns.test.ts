import { createSocket, type Socket } from "node:dgram";
import { afterEach, describe, expect, test } from "vitest";
import type { UdpMessage, UdpSocket } from "../../src/net/udp.ts";
import {
  buildAnswer,
  DnsProxy,
  LOOKUPS_MAX,
  PENDING_MAX,
  questionOf,
} from "../../src/relay/dns_proxy.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { read16 } from "../../src/wire/bytes.ts";
import { buildDnsQuery, parseDnsResponse } from "../../src/wire/dns.ts";

const CLIENT = 0x0a00_020f;
const sockets: Socket[] = [];
const proxies: DnsProxy[] = [];

afterEach(() => {
  for (const proxy of proxies.splice(0)) proxy.close();
  for (const socket of sockets.splice(0)) socket.close();
});

/** Stands for the gateway's socket. */
class FakeUdp {
  onMessage: ((message: UdpMessage) => void) | null = null;
  readonly #answers: Uint8Array[] = [];
  #wake: (() => void) | null = null;

  send(data: Uint8Array): boolean {
    this.#answers.push(Uint8Array.from(data));
    this.#wake?.();
    return true;
  }

  close(): void {}

  ask(data: Uint8Array): void {
    const address = { address: CLIENT, port: 4_000, localAddress: 0x0a00_0203 };
    this.onMessage?.({ data, ...address });
  }

  async answer(): Promise<Uint8Array> {
    for (;;) {
      const answer = this.#answers.shift();
      if (answer !== undefined) return answer;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** A name server; `answer` makes its datagrams. */
async function nameServer(
  answer: (query: Uint8Array) => Uint8Array | readonly Uint8Array[] | null,
): Promise<string> {
  const socket = createSocket("udp4");
  sockets.push(socket);
  socket.on("message", (query, { port, address }) => {
    const answers = answer(query) ?? [];
    for (const bytes of answers instanceof Uint8Array ? [answers] : answers) {
      socket.send(bytes, port, address);
    }
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return `127.0.0.1:${socket.address().port}`;
}

function proxyOf(servers: readonly string[], clock: Clock = systemClock()): [DnsProxy, FakeUdp] {
  const udp = new FakeUdp();
  const proxy = new DnsProxy({
    socket: udp as unknown as UdpSocket,
    clock,
    random: seededRandom(1),
    payloadMax: 1_472,
    servers,
  });
  proxies.push(proxy);
  return [proxy, udp];
}

function answered(query: Uint8Array, addresses: readonly number[]): Uint8Array {
  const question = questionOf(query);
  if (question === null) throw new Error("no question");
  return buildAnswer(query, question, 0, addresses);
}

describe("DnsProxy", () => {
  test("forwards a question, and the answer with the client's id", async () => {
    const ids: number[] = [];
    const server = await nameServer((query) => {
      ids.push(read16(query, 0));
      return answered(query, [0x0102_0304]);
    });
    const [proxy, udp] = proxyOf([server]);
    udp.ask(buildDnsQuery(77, "a.example"));
    const response = parseDnsResponse(await udp.answer());
    expect(response).toMatchObject({ id: 77 });
    expect(ids).not.toEqual([77]);
    expect(proxy.pending).toBe(0);
  });

  test("asks the next server, when one does not answer or has nobody there", async () => {
    const silent = await nameServer(() => null);
    const gone = await nameServer(() => null);
    sockets.pop()?.close();
    const good = await nameServer((query) => answered(query, [1]));
    const [, udp] = proxyOf([gone, silent, good]);
    udp.ask(buildDnsQuery(5, "a.example"));
    expect(read16(await udp.answer(), 0)).toBe(5);
  });

  test("does not ask for localhost", async () => {
    const [, udp] = proxyOf([]);
    for (const name of ["localhost", "LocalHost", "a.localhost"]) {
      udp.ask(buildDnsQuery(1, name));
      expect((await udp.answer())[3]! & 0x0f).toBe(3);
    }
  });

  test("cuts an answer that the link can not carry, and says so", async () => {
    const server = await nameServer((query) => {
      const long = new Uint8Array(2_000);
      long.set(answered(query, []));
      return long;
    });
    const [, udp] = proxyOf([server]);
    const query = buildDnsQuery(9, "a.example");
    udp.ask(query);
    const answer = await udp.answer();
    expect(answer.length).toBeLessThanOrEqual(query.length);
    expect(read16(answer, 2) & 0x0200).toBe(0x0200);
  });

  test("takes no answer to another question, and goes on waiting for its own", async () => {
    const server = await nameServer((query) => {
      const other = buildDnsQuery(read16(query, 0), "b.example");
      return [answered(other, [1]), answered(query, [2])];
    });
    const [proxy, udp] = proxyOf([server], new VirtualClock());
    const query = buildDnsQuery(9, "a.example");
    udp.ask(query);
    // What comes is the second: the first, which came before it, was not taken.
    expect(await udp.answer()).toEqual(new Uint8Array(answered(query, [2])));
    expect([proxy.pending, proxy.counters.answers]).toEqual([0, 1]);
  });

  test("forgets a question after five seconds, and has room for so many", async () => {
    const clock = new VirtualClock();
    const server = await nameServer(() => null);
    const [proxy, udp] = proxyOf([server, server, server], clock);
    for (let i = 0; i < PENDING_MAX + 10; i++) udp.ask(buildDnsQuery(i, "a.example"));
    expect(proxy.pending).toBe(PENDING_MAX);
    expect(proxy.counters.dropped).toBe(10);
    clock.advance(4_400);
    expect(proxy.pending).toBe(PENDING_MAX);
    clock.advance(600);
    expect(proxy.pending).toBe(0);
  });

  test("has the host's resolver look up a few names at a time", async () => {
    const [proxy, udp] = proxyOf([]);
    // Names that look like addresses: nobody outside is asked for them.
    for (let i = 0; i < 100; i++) udp.ask(buildDnsQuery(i, `192.0.2.${i}`));
    expect(proxy.counters).toMatchObject({ lookups: LOOKUPS_MAX, dropped: 100 - LOOKUPS_MAX });
    for (let i = 0; i < LOOKUPS_MAX; i++) await udp.answer();
    udp.ask(buildDnsQuery(7, "192.0.2.200"));
    expect(read16(await udp.answer(), 0)).toBe(7);
    expect(proxy.counters.dropped).toBe(100 - LOOKUPS_MAX);
  });

  test("drops what is no question", () => {
    const [proxy, udp] = proxyOf([]);
    const query = buildDnsQuery(1, "a.example");
    for (let length = 0; length < query.length; length++) udp.ask(query.subarray(0, length));
    const answer = Uint8Array.from(query);
    answer[2] = 0x80;
    udp.ask(answer);
    const pointer = Uint8Array.from(query);
    pointer[12] = 0xc0;
    udp.ask(pointer);
    udp.ask(new Uint8Array(2_000));
    expect(proxy.counters.dropped).toBe(query.length + 3);
    expect(proxy.pending).toBe(0);
  });
});

/** Name servers by IPv6 at the doors of the faces: `nameServer` of Deno and `setServers()` of Node, by UDP and by TCP. */
import * as platform from "node:dns";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { denoNamespace } from "../../src/api/deno/mod.ts";
import { createStack, type InProcessStack } from "../../src/api/network_stack.ts";
import { type DnsModule, dnsOf } from "../../src/api/node/dns.ts";
import { pipe } from "../../src/link/pipe.ts";
import type { TcpConnection } from "../../src/options.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { answerTo, questionOf, type WireAnswer } from "../dns_wire.ts";

const CLIENT = "2001:db8::2";
const SERVER = "2001:db8::53";
/** A port that nobody expects a name server on. */
const OTHER_PORT = 5_353;
const TUNING = { memoryMiB: 8, maxConnections: 64 };

const MANY = Array.from({ length: 200 }, (_, index) => `2001:db8::1:${(index + 1).toString(16)}`);

const ZONE: Readonly<Record<string, WireAnswer>> = {
  "many.example": {
    answers: MANY.map((data) => ({ name: "many.example", type: "AAAA", data })),
  },
  "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": {
    answers: [{
      name: "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
      type: "PTR",
      data: "host.example",
    }],
  },
};

let client: InProcessStack;
let server: InProcessStack;
/** What was asked, with the port and by which transport. */
let asked: string[] = [];
let names = 0;

/** A name that no cache has. */
function freshName(): string {
  names++;
  return `n${names}.a.example`;
}

function answer(query: Uint8Array, how: string): Uint8Array<ArrayBuffer> {
  const { name } = questionOf(query);
  asked.push(`${how} ${name}`);
  const known = name.endsWith(".a.example")
    ? { answers: [{ name, type: "A", data: "192.0.2.1" }] } as const
    : ZONE[name.toLowerCase()] ?? { rcode: 3 };
  const isCut = how.startsWith("udp") && (known.answers?.length ?? 0) > 100;
  return Uint8Array.from(answerTo(query, isCut ? { truncated: true } : known));
}

/** Answers one question over TCP. RFC 1035 section 4.2.2: two bytes of length before each message. */
async function answerByTcp(connection: TcpConnection, port: number): Promise<void> {
  const reader = connection.readable.getReader();
  let got = new Uint8Array(0);
  while (got.length < 2 || got.length < 2 + new DataView(got.buffer).getUint16(0)) {
    const { value, done } = await reader.read();
    if (done) return;
    got = Uint8Array.from([...got, ...value]);
  }
  const message = answer(got.subarray(2), `tcp ${port}`);
  const writer = connection.writable.getWriter();
  await writer.write(Uint8Array.from([message.length >> 8, message.length & 0xff, ...message]));
  await connection.close();
}

async function serve(stack: InProcessStack, port: number): Promise<void> {
  const socket = await stack.bindUdp({ port });
  const listener = await stack.listen({ port });
  void (async () => {
    for await (const { data, address } of socket) {
      await socket.send(answer(data, `udp ${port}`), address);
    }
  })();
  void (async () => {
    for await (const connection of listener) answerByTcp(connection, port).catch(() => {});
  })();
}

beforeAll(async () => {
  const clock = systemClock();
  const [near, far] = pipe({ clock });
  client = await createStack({ link: near, address: { cidr: `${CLIENT}/64` }, tuning: TUNING });
  server = await createStack({ link: far, address: { cidr: `${SERVER}/64` }, tuning: TUNING });
  await Promise.all([client.ready, server.ready]);
  for (const port of [53, OTHER_PORT]) await serve(server, port);
  await serve(client, OTHER_PORT);
});

afterAll(async () => {
  await client.close();
  await server.close();
});

describe("Deno.resolveDns() by IPv6", () => {
  test.each([
    ["a server", { ipAddr: SERVER }, 53],
    ["its address in another spelling", { ipAddr: "2001:DB8:0:0:0:0:0:53" }, 53],
    ["its other port", { ipAddr: SERVER, port: OTHER_PORT }, OTHER_PORT],
    ["this host", { ipAddr: "::1", port: OTHER_PORT }, OTHER_PORT],
    ["an own address", { ipAddr: CLIENT, port: OTHER_PORT }, OTHER_PORT],
  ])("asks %s", async (_, nameServer, port) => {
    asked = [];
    const name = freshName();
    const { resolveDns } = denoNamespace(client);
    expect(await resolveDns(name, "A", { nameServer })).toEqual(["192.0.2.1"]);
    expect(asked).toEqual([`udp ${port} ${name}`]);
  });

  test("asks by TCP what does not fit, and for names of addresses", async () => {
    const { resolveDns } = denoNamespace(client);
    const nameServer = { ipAddr: SERVER, port: OTHER_PORT };
    asked = [];
    expect(await resolveDns("many.example", "AAAA", { nameServer })).toEqual(MANY);
    expect(asked).toEqual([`udp ${OTHER_PORT} many.example`, `tcp ${OTHER_PORT} many.example`]);
    expect(await resolveDns("2001:db8::1", "PTR", { nameServer })).toEqual(["host.example."]);
    await expect(resolveDns("nx.example", "A", { nameServer }))
      .rejects.toMatchObject({ name: "NotFound" });
  });

  test.each([`[${SERVER}]`, "2001:db8::53%1", "2001:db8::53::", "::g"])(
    "refuses %s",
    async (ipAddr) => {
      const asking = denoNamespace(client).resolveDns("a.example", "A", { nameServer: { ipAddr } });
      await expect(asking).rejects.toMatchObject({ message: "invalid IP address syntax" });
    },
  );
});

describe("dns of Node by IPv6", () => {
  const SERVERS: readonly (readonly [string, number])[] = [
    [SERVER, 53],
    [`[${SERVER}]`, 53],
    [`[${SERVER}]:53`, 53],
    [`[${SERVER}]:${OTHER_PORT}`, OTHER_PORT],
    [`[${SERVER}]:0`, 53],
    ["2001:DB8:0::53", 53],
    [`[::1]:${OTHER_PORT}`, OTHER_PORT],
  ];

  test.each(SERVERS)("setServers(%j) is told and asked", async (text, port) => {
    const dns = dnsOf(client);
    const real = new (platform as unknown as DnsModule).Resolver();
    real.setServers([text]);
    dns["setServers"]([text]);
    expect(dns["getServers"]()).toEqual(real.getServers());
    const [called, promised] = [freshName(), freshName()];
    asked = [];
    const found = new Promise((resolve) =>
      dns["resolve4"](called, (...all: unknown[]) => resolve(all))
    );
    expect(await found).toEqual([null, ["192.0.2.1"]]);
    const resolver = new dns.promises.Resolver();
    resolver.setServers([text]);
    expect(await resolver["resolve4"](promised)).toEqual(["192.0.2.1"]);
    expect(asked).toEqual([called, promised].map((name) => `udp ${port} ${name}`));
  });

  test("asks by TCP what does not fit, and for names of addresses", async () => {
    const resolver = new (dnsOf(client)).promises.Resolver();
    resolver.setServers([`[${SERVER}]:${OTHER_PORT}`]);
    expect(await resolver["resolve6"]("many.example")).toEqual(MANY);
    expect(await resolver.reverse("2001:db8::1")).toEqual(["host.example"]);
    await expect(resolver["resolve4"]("nx.example")).rejects.toMatchObject({ code: "ENOTFOUND" });
  });

  test.each([`[${SERVER}`, `${SERVER}]:53`, "[x]:53", "[]:53", "[10.0.0.1]:53"])(
    "setServers(%j) says what the platform says",
    (text) => {
      const thrown = (call: () => void): unknown => {
        try {
          call();
          return null;
        } catch (error) {
          const { name, message, code } = error as Error & { code: string };
          return { name, message, code };
        }
      };
      const real = new (platform as unknown as DnsModule).Resolver();
      const wanted = thrown(() => real.setServers([text]));
      const resolver = new (dnsOf(client)).Resolver();
      expect(thrown(() => resolver.setServers([text]))).toEqual(wanted);
      expect(resolver.getServers()).toEqual(wanted === null ? real.getServers() : []);
    },
  );

  test("setServers() refuses ports that are none, which the platform takes for others", () => {
    const resolver = new (dnsOf(client)).Resolver();
    for (const server of [`[${SERVER}]:70000`, "10.0.0.1:70000"]) {
      const refused = { name: "RangeError", code: "ERR_SOCKET_BAD_PORT" };
      expect(() => resolver.setServers([server])).toThrow(expect.objectContaining(refused));
    }
    const refused = { name: "TypeError", code: "ERR_INVALID_IP_ADDRESS" };
    expect(() => resolver.setServers([`[${SERVER}]:x`])).toThrow(expect.objectContaining(refused));
  });
});

import * as platformDgram from "node:dgram";
import * as platform from "node:dns";
import { describe, expect, test } from "vitest";
import { type DnsModule, dnsOf } from "../../src/api/node/dns.ts";
import { nodeModules } from "../../src/api/node/mod.ts";
import { answerQuery, askEverything, checkArguments } from "../conformance/dns_conformance.ts";
import { inProcessPair } from "./stack_pairs.ts";

const real = platform as unknown as DnsModule;

/** What the platform's resolver says. */
async function askThePlatform(): Promise<string[]> {
  const socket = platformDgram.createSocket("udp4");
  socket.on("message", (query, { address, port }) => {
    socket.send(answerQuery(query), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  try {
    return await askEverything(real, `127.0.0.1:${socket.address().port}`);
  } finally {
    socket.close();
  }
}

/** What ours says. */
async function askOurs(): Promise<string[]> {
  const { left, right, rightAddress } = await inProcessPair();
  const server = await right.bindUdp({ port: 53 });
  const serving = (async () => {
    for await (const { data, address } of server) await server.send(answerQuery(data), address);
  })();
  try {
    return await askEverything(dnsOf(left), rightAddress);
  } finally {
    server.close();
    await serving;
    await left.close();
    await right.close();
  }
}

describe("dns as node:dns", () => {
  test("records and errors have the platform's shapes", async () => {
    expect(await askOurs()).toEqual(await askThePlatform());
  });

  test("arguments that can not be meant are refused as the platform refuses them", async () => {
    const { left, right } = await inProcessPair();
    try {
      expect(await checkArguments(dnsOf(left))).toEqual(await checkArguments(real));
    } finally {
      await left.close();
      await right.close();
    }
  });

  test("a question that is cancelled fails with ECANCELLED", async () => {
    const { left, right, nobody } = await inProcessPair();
    try {
      const resolver = new (dnsOf(left).Resolver)();
      resolver.setServers([nobody]);
      expect(resolver.getServers()).toEqual([nobody]);
      const asked = new Promise((resolve) => resolver["resolve4"]("a.example", resolve));
      resolver.cancel();
      expect(await asked).toMatchObject({ code: "ECANCELLED", syscall: "queryA" });
    } finally {
      await left.close();
      await right.close();
    }
  });

  test("lookup() finds what the stack's table of hosts has, and says what it does not", async () => {
    const { left, right } = await inProcessPair();
    try {
      const { promises } = dnsOf(left);
      expect(await promises.lookup("localhost", { family: 4 })).toMatchObject({ family: 4 });
      const missing = promises.lookup("missing.invalid");
      await expect(missing).rejects.toMatchObject({
        syscall: "getaddrinfo",
        hostname: "missing.invalid",
      });
    } finally {
      await left.close();
      await right.close();
    }
  });

  test("tls says that it is not there, and how to get it", async () => {
    const { left, right } = await inProcessPair();
    const { tls } = nodeModules(left);
    await left.close();
    await right.close();
    for (const use of [() => tls.connect(), () => tls.createServer(), () => new tls.TLSSocket()]) {
      expect(use).toThrow(/TLS is not there yet.*tls\.connect\(\{ socket \}\)/);
    }
  });
});

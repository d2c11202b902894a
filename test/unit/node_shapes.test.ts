/** Modules of Node have all their members. */
import * as platformDgram from "node:dgram";
import * as platformDns from "node:dns";
import * as platformDnsPromises from "node:dns/promises";
import * as platformNet from "node:net";
import * as platformTls from "node:tls";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import * as dgram from "../../src/api/node/dgram.ts";
import * as dns from "../../src/api/node/dns.ts";
import * as dnsPromises from "../../src/api/node/dns_promises.ts";
import { nodeModules } from "../../src/api/node/mod.ts";
import * as net from "../../src/api/node/net.ts";
import * as tls from "../../src/api/node/tls.ts";
import { inProcessPair } from "./stack_pairs.ts";

const MODULES: readonly (readonly [string, object, object])[] = [
  ["net", net, platformNet],
  ["dgram", dgram, platformDgram],
  ["dns", dns, platformDns],
  ["dns/promises", dnsPromises, platformDnsPromises],
  ["tls", tls, platformTls],
];

type Class = abstract new (...args: never[]) => object;

const CLASSES: readonly (readonly [string, Class, Class])[] = [
  ["net.Socket", net.Socket, platformNet.Socket],
  ["net.Server", net.Server, platformNet.Server],
  ["net.BlockList", net.BlockList, platformNet.BlockList],
  ["net.SocketAddress", net.SocketAddress, platformNet.SocketAddress],
  ["dgram.Socket", dgram.Socket, platformDgram.Socket],
];

/** Names that are there for programs: not those of Node's own, which begin with a line or are deprecated and not documented. */
function publicNames(names: readonly string[]): string[] {
  return names.filter((name) => !name.startsWith("_") && name !== "sendto");
}

function isIn(value: object): (name: string) => boolean {
  return (name) => name in value;
}

describe("modules of Node", () => {
  test.each(MODULES)("%s has all members, by name and as its default", (_, ours, real) => {
    const names = publicNames(Object.keys(real));
    expect(names.length).toBeGreaterThan(1);
    expect(names.filter((name) => !isIn(ours)(name))).toEqual([]);
    const byDefault: unknown = Reflect.get(ours, "default");
    const members = names.filter((name) => name !== "default" && name !== "promises");
    expect(members.filter((name) => !isIn(Object(byDefault))(name))).toEqual([]);
  });

  test.each(CLASSES)("%s has all members", (_, ours, real) => {
    const names = publicNames(Object.getOwnPropertyNames(real.prototype));
    expect(names.length).toBeGreaterThan(1);
    const has = isIn(ours.prototype);
    // Some of Node's accessors are fields of ours.
    const made = ours === dgram.Socket ? has : isIn(Reflect.construct(ours, []));
    expect(names.filter((name) => !has(name) && !made(name))).toEqual([]);
  });

  test("promisify() gives both results of a lookup as one object", async () => {
    const { left, right } = await inProcessPair();
    try {
      const { dns } = nodeModules(left);
      const found = await promisify(dns.lookup)("192.0.2.1");
      expect(found).toEqual(await promisify(platformDns.lookup)("192.0.2.1"));
      expect(found).toEqual({ address: "192.0.2.1", family: 4 });
    } finally {
      await left.close();
      await right.close();
    }
  });

  test("what TLS would need says that it is not there, when it is used", () => {
    const uses: readonly (() => unknown)[] = [
      () => tls.connect(443),
      () => tls.createServer(),
      () => tls.createSecureContext(),
      () => tls.checkServerIdentity("host.example", {}),
      () => tls.createSecurePair(),
      () => tls.convertALPNProtocols([], {}),
      () => new tls.Server(),
      () => new tls.SecureContext(),
      () => new tls.TLSSocket(),
    ];
    for (const use of uses) expect(use, String(use)).toThrow(/TLS is not there yet/);
  });
});

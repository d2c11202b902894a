import { describe, expect, test } from "vitest";
import { BadResource, NameNotFound, StackError, TimedOut } from "../../src/errors.ts";
import type { NameOptions } from "../../src/name_options.ts";
import { formatIp, type Ip, parseIp } from "../../src/net/addresses.ts";
import {
  candidatesOf,
  normalizeAnyName,
  normalizeHostName,
  reverseName,
} from "../../src/net/host_names.ts";
import { readNameOptions } from "../../src/net/name_settings.ts";
import { type Family, Resolver } from "../../src/net/resolver.ts";
import { a, type Net, net, soa } from "../dns_net.ts";
import { questionOf } from "../dns_wire.ts";

interface Made extends Net {
  readonly resolver: Resolver;
}

function make(names: NameOptions = {}, servers?: readonly number[]): Made {
  const made = net(servers);
  const resolver = new Resolver({
    iface: made.client.iface,
    settings: readNameOptions(names),
    dial: made.dial,
  });
  return Object.assign(made, { resolver });
}

/** What is told of a host, as lines. */
function find(made: Made, hostname: string, families?: readonly Family[]): string[] {
  const log: string[] = [];
  made.resolver.find(hostname, {
    found: (family, addresses) => log.push(`${family}: ${addresses.map(formatIp).join(" ")}`),
    done: (error) => log.push(error === null ? "done" : error.message),
  }, families === undefined ? {} : { families });
  made.advance(10);
  return log;
}

function resolve(made: Made, hostname: string, ms = 10): string[] | StackError | null {
  let outcome: readonly Ip[] | StackError | null = null;
  made.resolver.resolve(hostname, (result) => (outcome = result));
  made.advance(ms);
  const got = outcome as readonly Ip[] | StackError | null;
  return got === null || got instanceof StackError ? got : got.map(formatIp);
}

const asked = (made: Made): string[] => made.queries.map(({ data }) => questionOf(data).name);

const aaaa = (name: string, address: string) => ({ name, type: "AAAA" as const, data: address });

const NOTHING = { rcode: 3, authority: [soa("", 60)] };

describe("find()", () => {
  test("asks for both families at once, AAAA first, and tells each as it comes (RFC 8305)", () => {
    const made = make();
    made.zone["www.x AAAA"] = { answers: [aaaa("www.x", "2001:db8::1")] };
    made.zone["www.x A"] = { answers: [a("www.x", "192.0.2.1"), a("www.x", "192.0.2.2")] };
    expect(find(made, "www.x")).toEqual(["6: 2001:db8::1", "4: 192.0.2.1 192.0.2.2", "done"]);
    expect(made.queries.map(({ data }) => questionOf(data).type)).toEqual([28, 1]);
    expect(find(made, "www.x", [4])).toEqual(["4: 192.0.2.1 192.0.2.2", "done"]);
  });

  test("tells that a family has none once the other one has some", () => {
    const made = make();
    made.zone["www.x AAAA"] = { authority: [soa("x", 60)] };
    made.zone["www.x A"] = { answers: [a("www.x", "192.0.2.1")] };
    expect(find(made, "www.x")).toEqual(["4: 192.0.2.1", "6: ", "done"]);
    made.zone["v6.x AAAA"] = { answers: [aaaa("v6.x", "2001:db8::1")] };
    made.zone["v6.x A"] = { authority: [soa("x", 60)] };
    expect(find(made, "v6.x")).toEqual(["6: 2001:db8::1", "4: ", "done"]);
  });

  test("tells nothing more once it is forgotten, and leaves nothing behind", () => {
    const made = make();
    const log: string[] = [];
    const forget = made.resolver.find("www.x", {
      found: () => log.push("found"),
      done: () => log.push("done"),
    });
    made.advance(1);
    forget();
    made.advance(10_000);
    expect(log).toEqual([]);
    expect(made.resolver.client.pending).toBe(0);
  });

  test("takes an address as its own answer", () => {
    const made = make();
    expect(find(made, "192.0.2.7")).toEqual(["6: ", "4: 192.0.2.7", "done"]);
    expect(find(made, "2001:DB8::7")).toEqual(["6: 2001:db8::7", "4: ", "done"]);
    expect(find(made, "192.0.2.7", [6]).at(-1)).toContain("it is 192.0.2.7, no IPv6 address");
    expect(made.queries).toEqual([]);
  });
});

describe("names that no server is asked for", () => {
  test("6761-1 localhost is this host", () => {
    const made = make();
    for (const name of ["localhost", "LocalHost.", "a.localhost"]) {
      expect(resolve(made, name)).toEqual(["::1", "127.0.0.1"]);
    }
    expect(made.queries).toEqual([]);
  });

  test("others are in no server's hands, or look like addresses", () => {
    const made = make();
    for (const name of ["a.invalid", "abc.onion", "10.0.0.256", "10.1", "0x7f.1", "1.2.3.4.5"]) {
      expect(resolve(made, name), name).toBeInstanceOf(NameNotFound);
    }
    expect(made.queries).toEqual([]);
  });

  test("the table of hosts is looked at first, in any case of letters", () => {
    const made = make({ hosts: { "DB.internal.": ["10.0.0.5", "fd00::5"], "x.y": "10.0.0.6" } });
    expect(resolve(made, "db.INTERNAL")).toEqual(["10.0.0.5", "fd00::5"]);
    expect(resolve(made, "x.y.")).toEqual(["10.0.0.6"]);
    expect(made.queries).toEqual([]);
  });

  test("what can not be a host's name throws", () => {
    const made = make();
    for (
      const name of ["", "a b", "a/b", "user@a", "a..b", ".", "[::1]", "a\\.b", "fe80::1%eth0"]
    ) {
      expect(() => make().resolver.find(name, { found() {}, done() {} }), name).toThrow(RangeError);
    }
    expect(() => resolve(made, "2001:db8::g")).toThrow("expected one such as");
    expect(() => resolve(made, "fe80::1%1")).toThrow("it names a zone");
    expect(() => resolve(made, 7 as unknown as string)).toThrow(TypeError);
  });
});

describe("the search list", () => {
  const search = ["a.test", "b.test"];

  test("completes short names, and is left alone by complete ones", () => {
    const rules = { search, ndots: 1 };
    expect(candidatesOf("db", rules)).toEqual(["db.a.test", "db.b.test", "db"]);
    expect(candidatesOf("db.x", rules)).toEqual(["db.x", "db.x.a.test", "db.x.b.test"]);
    expect(candidatesOf("db.x", { search, ndots: 2 })).toEqual([
      ...["db.x.a.test", "db.x.b.test", "db.x"],
    ]);
    expect(candidatesOf("db.", rules)).toEqual(["db"]);
    expect(candidatesOf("b".repeat(63), { search: [`${"c".repeat(60)}.`.repeat(4)], ndots: 1 }))
      .toEqual(["b".repeat(63)]);
  });

  test("is gone through until a name has an address of either family", () => {
    const made = make({ search });
    made.zone["db.a.test"] = NOTHING;
    made.zone["db.b.test A"] = { authority: [soa("test", 60)] };
    made.zone["db.b.test AAAA"] = { answers: [aaaa("db.b.test", "2001:db8::2")] };
    expect(find(made, "db")).toEqual(["6: 2001:db8::2", "4: ", "done"]);
    expect([...new Set(asked(made))]).toEqual(["db.a.test", "db.b.test"]);
  });

  test("is that of the network, unless the options have one", () => {
    for (const [names, name] of [[{}, "db.net.test"], [{ search }, "db.a.test"]] as const) {
      const made = make(names);
      const { config } = made.client.iface;
      if (config !== null) made.client.iface.configure({ ...config, search: ["net.test"] });
      made.zone[name] = { answers: [a(name, "192.0.2.1")] };
      expect(resolve(made, "db")).toEqual(["192.0.2.1"]);
      expect(asked(made)).toEqual([name, name]);
    }
  });

  test("ends at a server that can not tell", () => {
    const made = make({ search });
    made.zone["db.a.test"] = { rcode: 2 };
    expect(resolve(made, "db")).toMatchObject({ code: "ESERVFAIL" });
    expect(new Set(asked(made))).toEqual(new Set(["db.a.test"]));
  });

  test("nothing in all of it is one error, the most telling one", () => {
    const made = make({ search });
    for (const name of ["db.a.test", "db"]) made.zone[name] = NOTHING;
    made.zone["db.b.test"] = { authority: [soa("test", 60)] };
    const error = resolve(made, "db");
    expect(error).toMatchObject({ code: "ENOTFOUND" });
    expect(String(error)).toContain("the name has no IPv6 or IPv4 address");
  });
});

describe("resolve()", () => {
  test("gives what it has, when one family's servers fail", () => {
    const made = make();
    made.zone["www.x A"] = { answers: [a("www.x", "192.0.2.1")] };
    made.zone["www.x AAAA"] = { rcode: 2 };
    expect(resolve(made, "www.x")).toEqual(["192.0.2.1"]);
    made.zone["slow.x A"] = { answers: [a("slow.x", "192.0.2.1")] };
    expect(resolve(made, "slow.x", 3_999)).toBeNull();
    expect(resolve(made, "slow.x", 10_000)).toEqual(["192.0.2.1"]);
  });

  test("fails as the servers do, when no family has an address", () => {
    const made = make();
    expect(resolve(made, "silent.x", 4_000)).toBeInstanceOf(TimedOut);
    made.zone["half.x A"] = { authority: [soa("x", 60)] };
    made.zone["half.x AAAA"] = { rcode: 2 };
    expect(resolve(made, "half.x")).toMatchObject({ code: "ESERVFAIL" });
    made.resolver.close();
    expect(resolve(made, "silent.x")).toBeInstanceOf(BadResource);
  });

  test("asks the servers of the options, not those of the network", () => {
    const made = make({ servers: [{ ipAddr: "10.0.0.3" }, "10.0.0.1"] });
    made.zone["www.x"] = { answers: [a("www.x", "192.0.2.1")] };
    resolve(made, "www.x");
    expect(made.queries.map(({ localAddress }) => formatIp(localAddress))).toEqual([
      "10.0.0.3",
      "10.0.0.3",
    ]);
  });
});

describe("names", () => {
  test("international ones get their ASCII form from the platform", () => {
    expect(normalizeHostName("Bücher.example")).toBe("xn--bcher-kva.example");
    expect(normalizeHostName("bücher.example.")).toBe("xn--bcher-kva.example.");
    expect(normalizeAnyName("_sip._tcp.bücher.example")).toBe("_sip._tcp.xn--bcher-kva.example");
    for (const name of ["bü/cher", "bü@b", "bü#", "ü:80", "ü b", "\u{FFFE}ü"]) {
      expect(() => normalizeHostName(name), name).toThrow(TypeError);
    }
  });

  test("an address has a name for its PTR record", () => {
    expect(reverseName(parseIp("192.0.2.1"))).toBe("1.2.0.192.in-addr.arpa");
    expect(reverseName(parseIp("2001:db8::567:89ab"))).toBe(
      "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
    );
  });
});

describe("readNameOptions()", () => {
  test("refuses what can not be meant", () => {
    for (
      const [options, Class] of [
        [{ ndots: 16 }, RangeError],
        [{ ndots: -1 }, RangeError],
        [{ servers: "10.0.0.1" }, TypeError],
        [{ servers: ["ns.example"] }, RangeError],
        [{ servers: [{ ipAddr: "10.0.0.1", port: 0 }] }, RangeError],
        [{ servers: [7] }, TypeError],
        [{ search: "a.test" }, TypeError],
        [{ search: ["a..test"] }, RangeError],
        [{ hosts: { a: [] } }, RangeError],
        [{ hosts: { a: "b" } }, RangeError],
        [{ hosts: { "a b": "10.0.0.1" } }, RangeError],
        [{ hosts: 7 }, TypeError],
        [7, TypeError],
      ] as const
    ) {
      const text = JSON.stringify(options);
      expect(() => readNameOptions(options as unknown as NameOptions), text).toThrow(Class);
    }
  });
});

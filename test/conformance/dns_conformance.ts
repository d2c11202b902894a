/** What programs see of `node:dns`, told as lines: the same questions to the platform's resolver and to ours. */
import type { DnsModule } from "../../src/api/node/dns.ts";
import { answerTo, questionOf, type WireAnswer } from "../dns_wire.ts";

/** What a name server of the tests knows, by name and type. */
const ZONE: Readonly<Record<string, WireAnswer>> = {
  "a.example A": {
    answers: [
      { name: "a.example", type: "A", data: "192.0.2.1" },
      { name: "a.example", type: "A", data: "192.0.2.2" },
    ],
  },
  "a.example AAAA": { answers: [{ name: "a.example", type: "AAAA", data: "2001:db8::1" }] },
  "a.example MX": {
    answers: [{ name: "a.example", type: "MX", data: { preference: 10, exchange: "m.example" } }],
  },
  "a.example NS": { answers: [{ name: "a.example", type: "NS", data: "ns.example" }] },
  "a.example TXT": { answers: [{ name: "a.example", type: "TXT", data: ["one", "two"] }] },
  "www.example CNAME": { answers: [{ name: "www.example", type: "CNAME", data: "a.example" }] },
  "a.example SRV": {
    answers: [{
      name: "a.example",
      type: "SRV",
      data: { priority: 1, weight: 2, port: 3, target: "s.example" },
    }],
  },
  "a.example SOA": {
    answers: [{
      name: "a.example",
      type: "SOA",
      data: {
        mname: "ns.example",
        rname: "me.example",
        ...{ serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 5 },
      },
    }],
  },
  "a.example CAA": {
    answers: [{
      name: "a.example",
      type: "CAA",
      data: { critical: false, tag: "issue", value: "ca.example" },
    }],
  },
  "a.example NAPTR": {
    answers: [{
      name: "a.example",
      type: "NAPTR",
      data: {
        ...{ order: 1, preference: 2, flags: "u", services: "sip" },
        ...{ regexp: "!a!b!", replacement: "" },
      },
    }],
  },
  "1.2.0.192.in-addr.arpa PTR": {
    answers: [{ name: "1.2.0.192.in-addr.arpa", type: "PTR", data: "a.example" }],
  },
  "empty.example A": { answers: [] },
  "broken.example A": { rcode: 2 },
  "refused.example A": { rcode: 5 },
};

/** Numbers of the types that are asked for. */
const TYPES: Readonly<Record<number, string>> = {
  1: "A",
  2: "NS",
  5: "CNAME",
  6: "SOA",
  12: "PTR",
  15: "MX",
  16: "TXT",
  28: "AAAA",
  33: "SRV",
  35: "NAPTR",
  257: "CAA",
};

const NO_SUCH_NAME = 3;

/** What the name server of the tests answers to a query. */
export function answerQuery(query: Uint8Array): Uint8Array<ArrayBuffer> {
  const { name, type } = questionOf(query);
  const known = ZONE[`${name.toLowerCase()} ${TYPES[Number(type)] ?? type}`];
  return Uint8Array.from(answerTo(query, known ?? { rcode: NO_SUCH_NAME }));
}

/** What is asked, and how. */
const QUESTIONS: readonly (readonly [method: string, ...args: unknown[]])[] = [
  ["resolve", "a.example"],
  ["resolve", "a.example", "MX"],
  ["resolve4", "a.example"],
  ["resolve6", "a.example"],
  ["resolveMx", "a.example"],
  ["resolveNs", "a.example"],
  ["resolveTxt", "a.example"],
  ["resolveCname", "www.example"],
  ["resolveSrv", "a.example"],
  ["resolveSoa", "a.example"],
  ["resolveCaa", "a.example"],
  ["resolveNaptr", "a.example"],
  ["resolvePtr", "1.2.0.192.in-addr.arpa"],
  ["reverse", "192.0.2.1"],
  ["resolve4", "missing.example"],
  ["resolveMx", "missing.example"],
  ["resolve4", "empty.example"],
  ["resolve4", "broken.example"],
  ["resolve4", "refused.example"],
  ["reverse", "192.0.2.9"],
];

function told(value: unknown): string {
  if (!(value instanceof Error)) return JSON.stringify(sorted(value));
  const { message, name } = value;
  return `${name}: ${message} ${Reflect.get(value, "code")} ${Reflect.get(value, "syscall")} ${
    Reflect.get(value, "hostname")
  }`;
}

/** With members in one order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1);
  return Object.fromEntries(entries.map(([name, field]) => [name, sorted(field)]));
}

/** What can not be meant is no mistake to the compiler here. */
// deno-lint-ignore no-explicit-any -- that is what it is for
type Untyped = any;

/** Asks everything by callbacks and by promises. @param server `address:port` of the name server. */
export async function askEverything(dns: DnsModule, server: string): Promise<string[]> {
  const lines: string[] = [];
  const resolver: Untyped = new dns.Resolver();
  resolver.setServers([server]);
  const promising: Untyped = new dns.promises.Resolver();
  promising.setServers([server]);
  for (const [method, ...args] of QUESTIONS) {
    const called = await new Promise<string>((resolve) => {
      resolver[method](
        ...args,
        (error: Error | null, found: unknown) => resolve(told(error ?? found)),
      );
    });
    const promised = await promising[method](...args).then(told, told);
    lines.push(`${method} ${args.join(" ")}: ${called}`, `promised: ${promised === called}`);
  }
  return lines;
}

/** What a call throws. */
function thrown(call: () => unknown): string {
  try {
    call();
    return "nothing";
  } catch (error) {
    if (!(error instanceof Error)) return String(error);
    return `${error.name} ${String(Reflect.get(error, "code"))} ${error.message}`;
  }
}

/** Arguments that can not be meant, and addresses that need no question. */
export async function checkArguments(module: DnsModule): Promise<string[]> {
  const dns: Untyped = module;
  const ignore = (): void => {};
  const calls: readonly (() => unknown)[] = [
    () => dns.lookup("a", undefined),
    () => dns.lookup(5, ignore),
    () => dns.lookup("a", { family: 9 }, ignore),
    () => dns.lookup("a", { hints: 9999 }, ignore),
    () => dns.lookup("a", { order: "x" }, ignore),
    () => dns.resolve("a", "X", ignore),
    () => dns.resolve4("a"),
    () => dns.resolve(5, ignore),
    () => dns.setServers("x"),
    () => dns.setServers(["x"]),
    () => dns.lookupService("x", 1, ignore),
    () => dns.lookupService("1.1.1.1", 70_000, ignore),
    () => dns.setDefaultResultOrder("x"),
    ...["x", true, 5, -1, 6.5, "IPv4"].map((options) => () =>
      dns.lookup("192.0.2.7", options, ignore)
    ),
    ...["4", -1, 5, true, {}].map((family) => () => dns.lookup("192.0.2.7", { family }, ignore)),
    ...["4", -1, 1, 1.5].map((hints) => () => dns.lookup("192.0.2.7", { hints }, ignore)),
    ...["x", 5, 0].flatMap((flag) => [
      () => dns.lookup("192.0.2.7", { all: flag }, ignore),
      () => dns.lookup("192.0.2.7", { verbatim: flag }, ignore),
    ]),
    ...[undefined, null, 5, "x"].map((callback) => () => dns.resolve4("a", callback)),
    ...[5, null, {}, "", "::g"].map((address) => () => dns.lookupService(address, 1, ignore)),
    ...[-1, 1.5, NaN, "x", null].map((port) => () => dns.lookupService("127.0.0.1", port, ignore)),
    ...[5, undefined, null, {}].flatMap((name) => [
      () => dns.reverse(name, ignore),
      () => dns.resolveMx(name, ignore),
      () => dns.promises.resolve6(name),
    ]),
    ...["x", "", "1.1.1"].map((address) => () => dns.reverse(address, ignore)),
    ...[undefined, null, "x", [5], ["a.example"], [":53"]].map((servers) => () =>
      new dns.Resolver().setServers(servers)
    ),
    ...[{ timeout: "x" }, { timeout: -2 }, { timeout: 1.5 }, { tries: 0 }].flatMap((options) => [
      () => new dns.Resolver(options),
      () => new dns.promises.Resolver(options),
    ]),
    ...[[], ["x"], [5], ["1.1.1.1", "x"], ["::1", "::1"], ["1.1.1.1", 5]].map((given) => () =>
      new dns.Resolver().setLocalAddress(...given)
    ),
  ];
  const reversed = (address: string): Promise<string> =>
    dns.promises.reverse(address).catch((error: Error) =>
      `${error} ${JSON.stringify(Object.entries(error).sort())}`
    );
  const lookup = (name: string, options: object): Promise<string> =>
    new Promise((resolve) =>
      dns.lookup(name, options, (...args: unknown[]) => resolve(JSON.stringify(args)))
    );
  return [
    ...calls.map((call) => `${call}: ${thrown(call)}`),
    await reversed("x"),
    await reversed(""),
    await lookup("192.0.2.7", { family: null, hints: null, all: null, order: null }),
    await lookup("192.0.2.7", {}),
    await lookup("192.0.2.7", { all: true }),
    await lookup("::1", { family: 4 }),
    JSON.stringify(await dns.promises.lookup("::1")),
    [dns.NOTFOUND, dns.CANCELLED, dns.ADDRCONFIG, dns.getDefaultResultOrder()].join(
      " ",
    ),
  ];
}

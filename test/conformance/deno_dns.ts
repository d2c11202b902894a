/** What `Deno.resolveDns()` makes of what a server says; see `deno_tcp.ts`. The server is part of each case. */
import type { DnsRecords } from "../../src/api/deno/mod.ts";
import { failure, same } from "./checks.ts";
import type { DenoCase, DenoSetting } from "./deno_tcp.ts";

/** RFC 1035 section 3.2.2, RFC 3596, RFC 2782, RFC 3403, RFC 8659. */
const TYPES: Readonly<Record<string, number>> = {
  ...{ A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33, NAPTR: 35 },
  ...{ CAA: 257 },
};

/** Code of the answer that a name does not exist. */
const NAME_ERROR = 3;

function name(text: string): number[] {
  return [...text.split(".").filter((label) => label !== "").flatMap(characters), 0];
}

function characters(text: string): number[] {
  return [text.length, ...octets(text)];
}

function octets(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}

function u16(value: number): number[] {
  return [value >> 8, value & 0xff];
}

function u32(value: number): number[] {
  return [...u16(value >>> 16), ...u16(value & 0xffff)];
}

/** Data of the records that the server has. */
const RECORDS: Readonly<Record<string, readonly (readonly number[])[]>> = {
  A: [[10, 0, 0, 8], [10, 0, 0, 9]],
  AAAA: [[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
  CNAME: [name("target.example")],
  NS: [name("ns1.example")],
  PTR: [name("ptr.example")],
  MX: [[...u16(10), ...name("mail.example")]],
  TXT: [[...characters("one"), ...characters("two")]],
  SRV: [[...u16(1), ...u16(2), ...u16(8_080), ...name("srv.example")]],
  SOA: [[...name("ns.example"), ...name("admin.example"), ...[1, 2, 3, 4, 5].flatMap(u32)]],
  CAA: [[0, ...characters("issue"), ...octets("ca.example")]],
  NAPTR: [[
    ...[...u16(1), ...u16(2), ...characters("s"), ...characters("E2U+sip")],
    ...[...characters("!^.*$!sip:a@b!"), ...name("")],
  ]],
};

/** Answers with the records of the type that is asked for; names that begin with "nx" do not exist. */
function answerTo(query: Uint8Array): Uint8Array {
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) at += length + 1;
  const type = ((query[at + 1] ?? 0) << 8) | (query[at + 2] ?? 0);
  const found = Object.entries(TYPES).find(([, number]) => number === type)?.[0] ?? "";
  const isNone = query[13] === 0x6e && query[14] === 0x78;
  const records = isNone ? [] : RECORDS[found] ?? [];
  const head = [...query.subarray(0, 2), 0x81, 0x80 | (isNone ? NAME_ERROR : 0)];
  const counts = [...u16(1), ...u16(records.length), ...u16(0), ...u16(0)];
  const answers = records.flatMap((data) => [
    // The name of the question, class IN, 60 s.
    ...[0xc0, 12, ...u16(type), ...u16(1), ...u32(60), ...u16(data.length), ...data],
  ]);
  return new Uint8Array([...head, ...counts, ...query.subarray(12, at + 5), ...answers]);
}

/** Runs a case with a server beside it. */
async function withServer(
  { client, server, hostname }: DenoSetting,
  run: (
    ask: <K extends keyof DnsRecords>(name: string, type: K) => Promise<DnsRecords[K][]>,
  ) => Promise<void>,
): Promise<void> {
  const socket = server.listenDatagram({ hostname, port: 0, transport: "udp" });
  const serving = (async () => {
    for await (const [query, from] of socket) await socket.send(answerTo(query), from);
  })();
  const nameServer = { ipAddr: hostname, port: socket.addr.port };
  try {
    await run((name, type) => client.resolveDns(name, type, { nameServer }));
  } finally {
    socket.close();
    await serving;
  }
}

/** What each type gives, field by field in alphabetic order. */
const EXPECTED: Readonly<Record<string, unknown>> = {
  A: ["10.0.0.8", "10.0.0.9"],
  AAAA: ["2001:db8::1"],
  CNAME: ["target.example."],
  NS: ["ns1.example."],
  PTR: ["ptr.example."],
  MX: [{ exchange: "mail.example.", preference: 10 }],
  TXT: [["one", "two"]],
  SRV: [{ port: 8_080, priority: 1, target: "srv.example.", weight: 2 }],
  SOA: [{
    ...{ expire: 4, minimum: 5, mname: "ns.example.", refresh: 2, retry: 3 },
    ...{ rname: "admin.example.", serial: 1 },
  }],
  CAA: [{ critical: false, tag: "issue", value: "ca.example" }],
  NAPTR: [{
    ...{ flags: "s", order: 1, preference: 2, regexp: "!^.*$!sip:a@b!", replacement: "." },
    ...{ services: "E2U+sip" },
  }],
};

function sorted(record: unknown): unknown {
  if (typeof record !== "object" || record === null || Array.isArray(record)) return record;
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => a < b ? -1 : 1));
}

/** All cases by name. */
export const DENO_DNS_CASES: Readonly<Record<string, DenoCase>> = {
  "records have their shapes, and names their dots": (setting) =>
    withServer(setting, async (ask) => {
      for (const [type, expected] of Object.entries(EXPECTED)) {
        const records = await ask("a.example", type as keyof DnsRecords);
        same(records.map(sorted), expected);
      }
    }),
  "PTR takes an address": (setting) =>
    withServer(setting, async (ask) => same(await ask("10.0.0.1", "PTR"), ["ptr.example."])),
  "what does not exist is not found": (setting) =>
    withServer(setting, async (ask) => {
      const error = await failure(() => ask("nx.example", "A"));
      same([error instanceof setting.client.errors.NotFound, error.name], [true, "NotFound"]);
      same((await failure(() => ask("a.example", "ANAME"))).name, "NotFound");
    }),
  "types that are none are refused": (setting) =>
    withServer(setting, async (ask) => {
      const none: unknown = "a";
      same((await failure(() => ask("a.example", none as "A"))).name, "TypeError");
    }),
  "a question that was aborted before rejects with the reason": async ({ client }) => {
    const signal = AbortSignal.abort(new RangeError("mine"));
    const error = await failure(() => client.resolveDns("a.example", "A", { signal }));
    same(error.message, "mine");
  },
  "a name server that is no address is refused": async ({ client }) => {
    const nameServer = { ipAddr: "a.example" };
    const error = await failure(() => client.resolveDns("a.example", "A", { nameServer }));
    same([error.name, error.message], ["Error", "invalid IP address syntax"]);
  },
  "options that can not be meant are refused": async ({ client, hostname }) => {
    const ask = async (options: unknown) => {
      const error = await failure(() => client.resolveDns("a.example", "A", options as object));
      return error.name;
    };
    for (const options of [5, "x", { nameServer: 5 }, { nameServer: "x" }, { signal: {} }]) {
      same([options, await ask(options)], [options, "TypeError"]);
    }
    for (const port of ["53", "x", null, true, {}]) {
      same([port, await ask({ nameServer: { ipAddr: hostname, port } })], [port, "TypeError"]);
    }
    for (const ipAddr of ["", "x", "[::1]", "::g", "fe80::1%1"]) {
      same([ipAddr, await ask({ nameServer: { ipAddr } })], [ipAddr, "Error"]);
    }
  },
  "names that can be none are refused": (setting) =>
    withServer(setting, async (ask) => {
      const long = "a".repeat(64);
      for (const name of ["a..b", `${long}.example`, `${"a".repeat(60)}.`.repeat(5)]) {
        same([name, (await failure(() => ask(name, "A"))).name], [name, "Error"]);
      }
    }),
};

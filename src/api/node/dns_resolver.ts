/** Names as `node:dns` has them: questions to the stack's resolver, answers and errors in Node's shape. */
import { StackError } from "../../errors.ts";
import { formatIp, tryParseIp } from "../../net/addresses.ts";
import type { NameRecords, NameServerAddress, RecordType } from "../../name_options.ts";
import type { NetworkStack } from "../../options.ts";
import { invalidAddress } from "./connect_args.ts";
import { familyOfText } from "./lookup.ts";
import { argumentType, argumentValue, checkPort, nameError } from "./node_error.ts";

/** Port of name servers. RFC 1035 section 4.2. */
const DNS_PORT = 53;

/** What Node calls the kinds of answers. */
export type RecordName = RecordType | "ANY";

/** Codes of c-ares for what the stack says. */
const ARES_CODES: Readonly<Record<string, string>> = {
  ENOTFOUND: "ENOTFOUND",
  ENODATA: "ENODATA",
  ESERVFAIL: "ESERVFAIL",
  EREFUSED: "EREFUSED",
  ETIMEDOUT: "ETIMEOUT",
  ECONNREFUSED: "ECONNREFUSED",
  EPROTO: "EBADRESP",
};

/** What `dns.resolveAny()` asks for: servers answer ANY with as little as they like (RFC 8482). */
const ANY_TYPES: readonly RecordType[] = ["A", "AAAA", "CNAME", "MX", "NS", "SOA", "TXT", "CAA"];

/** The names of Node's calls: `queryMx`. */
function callOf(type: RecordName): string {
  return type === "AAAA" ? "queryAaaa" : `query${type.charAt(0)}${type.slice(1).toLowerCase()}`;
}

/** One record as Node has it. */
type Shape<K extends RecordType> = (record: NameRecords[K]) => unknown;

const SHAPES: { readonly [K in RecordType]: Shape<K> } = {
  A: (address) => address,
  AAAA: (address) => address,
  CNAME: (name) => name,
  NS: (name) => name,
  PTR: (name) => name,
  TXT: (strings) => [...strings],
  MX: ({ exchange, preference }) => ({ exchange, priority: preference }),
  SRV: ({ target, port, priority, weight }) => ({ name: target, port, priority, weight }),
  CAA: ({ critical, tag, value }) => ({ critical: critical ? 128 : 0, [tag]: value }),
  NAPTR: ({ flags, services, regexp, replacement, order, preference }) => ({
    flags,
    service: services,
    regexp,
    replacement,
    order,
    preference,
  }),
  SOA: ({ mname, rname, serial, refresh, retry, expire, minimum }) => ({
    nsname: mname,
    hostmaster: rname,
    serial,
    refresh,
    retry,
    expire,
    minttl: minimum,
  }),
};

/** Whether Node knows a kind of record. */
export function checkRecordName(value: unknown): RecordName {
  if (typeof value !== "string") throw argumentType("rrtype", "string", value);
  if (value === "ANY" || Object.hasOwn(SHAPES, value)) return value as RecordName;
  throw argumentValue("rrtype", value);
}

/** An address whose names can be asked for. @throws `getHostByAddr EINVAL` if it is none. */
export function readReversible(address: string): string {
  const ip = familyOfText(address) === 0 ? null : tryParseIp(address);
  if (ip === null) throw nameError("getHostByAddr", "EINVAL", address);
  return formatIp(ip);
}

/** A resolver with servers and questions of its own. */
export class NameResolver {
  readonly #stack: () => NetworkStack;
  #servers: readonly string[] | null = null;
  #running = new AbortController();

  /** @param stack Whose resolver is asked. */
  constructor(stack: () => NetworkStack) {
    this.#stack = stack;
  }

  /** Forgets all questions: they fail with `ECANCELLED`. */
  cancel(): void {
    this.#running.abort();
    this.#running = new AbortController();
  }

  /** The servers that were set, as text. */
  getServers(): string[] {
    return [...this.#servers ?? []];
  }

  /** Asks these servers instead of those of the network. */
  setServers(servers: readonly string[]): void {
    if (!Array.isArray(servers)) throw argumentType("servers", "an instance of Array", servers);
    this.#servers = servers.map((server) => serverText(parseServer(server)));
  }

  /** Records of a name. Rejects as Node does: `queryMx ENOTFOUND example.com`. */
  async query(name: string, type: RecordName): Promise<unknown> {
    if (type === "ANY") return await this.#any(name);
    const records = await this.#ask(name, type, callOf(type));
    return type === "SOA" ? records[0] : records;
  }

  /** Names of an address. */
  async reverse(address: string): Promise<string[]> {
    return await this.#ask(readReversible(address), "PTR", "getHostByAddr") as string[];
  }

  /** Addresses of a name, each with its time to live, s. */
  async queryWithTtl(name: string, type: "A" | "AAAA"): Promise<unknown[]> {
    const { found, ttl } = await this.#answer(name, type, callOf(type));
    return found.map((address) => ({ address, ttl }));
  }

  async #ask<K extends RecordType>(name: string, type: K, syscall: string): Promise<unknown[]> {
    return (await this.#answer(name, type, syscall)).found;
  }

  async #answer<K extends RecordType>(
    name: string,
    type: K,
    syscall: string,
  ): Promise<{ found: unknown[]; ttl: number }> {
    const [server] = this.#servers ?? [];
    const { signal } = this.#running;
    const options = server === undefined ? {} : { nameServer: parseServer(server) };
    try {
      const stack = this.#stack();
      const { records, ttlSeconds } = await stack.resolveAnswer(name, type, { ...options, signal });
      return { found: records.map((record) => SHAPES[type](record)), ttl: ttlSeconds };
    } catch (error) {
      throw this.#errorOf(error, signal, syscall, name);
    }
  }

  async #any(name: string): Promise<unknown[]> {
    const answers = await Promise.allSettled(ANY_TYPES.map(async (type) => {
      const { found, ttl } = await this.#answer(name, type, callOf("ANY"));
      return found.map((record) => ({ ...anyRecord(type, record, ttl), type }));
    }));
    const found = answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
    const failed = answers.find((answer) => answer.status === "rejected");
    if (found.length === 0 && failed !== undefined) throw failed.reason;
    return found;
  }

  #errorOf(error: unknown, signal: AbortSignal, syscall: string, name: string): unknown {
    if (signal.aborted) return nameError(syscall, "ECANCELLED", name);
    if (error instanceof StackError) {
      return nameError(syscall, ARES_CODES[error.code] ?? "EBADRESP", name, error);
    }
    // What is no name at all never reaches a server.
    if (error instanceof RangeError) return nameError(syscall, "EBADNAME", name, error);
    return error;
  }
}

function anyRecord(type: RecordType, record: unknown, ttl: number): object {
  if (type === "TXT") return { entries: record };
  if (type === "A" || type === "AAAA") return { address: record, ttl };
  return typeof record === "object" && record !== null ? record : { value: record };
}

/** `10.0.0.1`, `10.0.0.1:53`, `[::1]:53`. */
function parseServer(server: unknown): NameServerAddress {
  if (typeof server !== "string") throw argumentType("servers[0]", "string", server);
  if (familyOfText(server) !== 0) return { ipAddr: server };
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(server);
  const ipAddr = match?.[1] ?? match?.[2] ?? "";
  if (familyOfText(ipAddr) === 0) throw invalidAddress(server);
  // Port 0 means the usual one, to Node too.
  return { ipAddr, port: checkPort("Port", match?.[3] ?? 0) || DNS_PORT };
}

/** As it is told: IPv6 in the one spelling that it has (RFC 5952). */
function serverText({ ipAddr, port = DNS_PORT }: NameServerAddress): string {
  const ip = tryParseIp(ipAddr);
  const text = typeof ip === "bigint" ? formatIp(ip) : ipAddr;
  if (port === DNS_PORT) return text;
  return familyOfText(text) === 6 ? `[${text}]:${port}` : `${text}:${port}`;
}

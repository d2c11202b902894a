/**
 * Asks name servers for the IPv4 addresses of a name. Source: RFC 1035 section 7, RFC 5452 for what a forger has to
 * guess: identifier and source port, both random per query.
 */
import { BadResource, NameNotFound, NoBuffers, StackError, TimedOut } from "../errors.ts";
import type { Timer } from "../runtime/clock.ts";
import {
  buildDnsQuery,
  DNS_CLASS_IN,
  DNS_PORT,
  DNS_TYPE_A,
  DNS_TYPE_CNAME,
  type DnsResponse,
  normalizeName,
  parseDnsResponse,
  RCODE_NAME_ERROR,
  RCODE_OK,
} from "../wire/dns.ts";
import { formatIpv4, isIpv4, parseIpv4 } from "./addresses.ts";
import { type CachedName, DnsCache } from "./dns_cache.ts";
import type { NetworkInterface } from "./interface.ts";
import type { UdpMessage, UdpSocket } from "./udp.ts";

/** How long a server may take, ms. */
export const QUERY_TIMEOUT_MS = 2_000;
/** How often each server is asked. */
export const TRIES_PER_SERVER = 2;
/** Longest chain of aliases. */
export const ALIASES_MAX = 8;
/** Queries under way. Full: `resolve()` rejects with `ENOBUFS`. */
export const QUERIES_MAX = 256;
/** Callers that wait for one name. Full: `resolve()` rejects with `ENOBUFS`. */
export const WAITERS_MAX = 1_024;
/** Answers that do not match before the query moves to another port: somebody is guessing. */
export const MISMATCHES_MAX = 10;

const SERVERS_MAX = 8;
const ID_MASK = 0xffff;

/** The outcome of a query: addresses (u32), or the error. */
type Outcome = readonly number[] | StackError;
type Waiter = (outcome: Outcome) => void;

/** One name that is being asked for. */
interface Query {
  readonly name: string;
  readonly servers: readonly number[];
  readonly waiters: Waiter[];
  /** Attempts begun; the servers take turns. */
  attempts: number;
  id: number;
  mismatches: number;
  socket: UdpSocket | null;
  timer: Timer | null;
  /** What the last server that did answer said; null = none has. */
  complaint: string | null;
}

/** Where to ask. */
export interface DnsClientOptions {
  /** Name servers, u32, asked for at each query. Default: those of the interface's configuration. */
  readonly servers?: () => readonly number[];
}

/** The resolver of one interface. */
export class DnsClient {
  readonly #iface: NetworkInterface;
  readonly #servers: () => readonly number[];
  readonly #cache: DnsCache;
  readonly #queries: Map<string, Query> = new Map();
  #closed = false;

  constructor(iface: NetworkInterface, options: DnsClientOptions = {}) {
    this.#iface = iface;
    this.#servers = options.servers ?? ((): readonly number[] => iface.config?.dns ?? []);
    this.#cache = new DnsCache(iface.port.clock);
  }

  /**
   * Finds the addresses of a name.
   *
   * @param name Host name, or an address in text form, which is its own answer.
   * @returns At least one address, u32, in the server's order.
   * @throws NameNotFound if it has none, TimedOut if no server answered, StackError if all of them complained.
   */
  resolve(name: string): Promise<number[]> {
    return new Promise((resolve, reject) => {
      this.resolveWith(name, (outcome) => {
        if (outcome instanceof StackError) reject(outcome);
        else resolve([...outcome]);
      });
    });
  }

  /**
   * The same by callback, for those who may not depend on the order of promises. It may be called within this call.
   *
   * @throws TypeError, RangeError if the name can not be one.
   */
  resolveWith(name: string, callback: (outcome: readonly number[] | StackError) => void): void {
    if (isIpv4(name)) return callback([parseIpv4(name)]);
    const normal = normalizeName(name);
    const local = this.#refusal(normal);
    if (local !== null) return callback(local);
    const known = this.#cache.get(normal);
    if (known !== null) return callback(outcomeOf(normal, known));
    const open = this.#queries.get(normal);
    if (open !== undefined && open.waiters.length < WAITERS_MAX) {
      open.waiters.push(callback);
      return;
    }
    if (open !== undefined || this.#queries.size >= QUERIES_MAX) {
      return callback(new NoBuffers(`Cannot resolve "${normal}": too many queries are under way`));
    }
    const query: Query = {
      name: normal,
      servers: this.#servers().slice(0, SERVERS_MAX),
      waiters: [callback],
      attempts: 0,
      id: 0,
      mismatches: 0,
      socket: null,
      timer: null,
      complaint: null,
    };
    this.#queries.set(normal, query);
    this.#attempt(query);
  }

  /** Forgets all answers: another network may know other names. */
  clearCache(): void {
    this.#cache.clear();
  }

  /** Rejects all queries. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const query of [...this.#queries.values()]) {
      this.#finish(query, new BadResource(`Cannot resolve "${query.name}": the stack is closed`));
    }
    this.#cache.clear();
  }

  /** Names that no server is asked for. */
  #refusal(name: string): StackError | null {
    if (this.#closed) {
      return new BadResource(`Cannot resolve "${name}": the stack is closed`);
    }
    // RFC 6761 section 6.3: such names never go to a server; and this stack has no loopback of its own.
    if (name === "localhost" || name.endsWith(".localhost")) {
      return new NameNotFound(
        `Cannot resolve "${name}": it names this host itself, and this stack has no loopback interface`,
      );
    }
    if (this.#servers().length === 0) {
      return new NameNotFound(`Cannot resolve "${name}": no name server is configured`);
    }
    return null;
  }

  /** Asks the next server, from a new port with a new identifier. RFC 5452 section 9.2. */
  #attempt(query: Query): void {
    this.#release(query);
    if (query.attempts >= TRIES_PER_SERVER * query.servers.length) return this.#giveUp(query);
    const server = query.servers[query.attempts % query.servers.length] ?? 0;
    query.attempts++;
    const { random, clock } = this.#iface.port;
    query.id = random.next() & ID_MASK;
    query.mismatches = 0;
    query.timer = clock.at(clock.now() + QUERY_TIMEOUT_MS, () => this.#attempt(query));
    try {
      query.socket = this.#iface.udp.bind({ port: 0 });
    } catch (error) {
      if (error instanceof StackError) return this.#finish(query, error);
      throw error;
    }
    query.socket.onMessage = (message) => this.#receive(query, server, message);
    query.socket.onError = (error) => {
      if (error.address !== server || error.port !== DNS_PORT) return;
      query.complaint = `${formatIpv4(server)} can not be reached`;
      this.#attempt(query);
    };
    const isSent = query.socket.send(buildDnsQuery(query.id, query.name), server, DNS_PORT);
    if (!isSent) query.complaint = `${formatIpv4(server)} can not be reached`;
  }

  #release(query: Query): void {
    query.timer?.cancel();
    query.timer = null;
    query.socket?.close();
    query.socket = null;
  }

  #receive(query: Query, server: number, message: UdpMessage): void {
    const response = message.address === server && message.port === DNS_PORT
      ? parseDnsResponse(message.data)
      : "DNS_SERVER";
    if (typeof response === "string" || !isAnswerTo(query, response)) {
      this.#iface.count(typeof response === "string" ? response : "DNS_MISMATCH");
      query.mismatches++;
      if (query.mismatches >= MISMATCHES_MAX) this.#attempt(query);
      return;
    }
    if (response.truncated) {
      return this.#finish(
        query,
        new StackError(
          "EPROTO",
          `Cannot resolve "${query.name}": ${formatIpv4(server)} cut its answer (TC), ` +
            "and this version does not ask again over TCP",
        ),
      );
    }
    if (response.rcode !== RCODE_OK && response.rcode !== RCODE_NAME_ERROR) {
      query.complaint = `${formatIpv4(server)} answered with error ${response.rcode}`;
      return this.#attempt(query);
    }
    this.#conclude(query, response);
  }

  #conclude(query: Query, response: DnsResponse): void {
    const found = followAliases(query.name, response);
    const known: CachedName = found.addresses.length > 0
      ? { addresses: found.addresses, reason: "" }
      : { addresses: [], reason: found.reason };
    // RFC 2308 section 5: a negative answer without SOA says nothing about its life, and is not kept.
    const ttlSeconds = found.addresses.length > 0 ? found.ttlSeconds : response.negativeTtlSeconds;
    if (ttlSeconds !== null) this.#cache.set(query.name, known, ttlSeconds);
    this.#finish(query, outcomeOf(query.name, known));
  }

  #giveUp(query: Query): void {
    const what = `Cannot resolve "${query.name}"`;
    this.#finish(
      query,
      query.complaint === null
        ? new TimedOut(`${what}: no answer from ${query.servers.map(formatIpv4).join(", ")}`)
        : new StackError("EPROTO", `${what}: ${query.complaint}`),
    );
  }

  #finish(query: Query, outcome: Outcome): void {
    this.#release(query);
    this.#queries.delete(query.name);
    for (const waiter of query.waiters.splice(0)) waiter(outcome);
  }
}

function outcomeOf(name: string, known: CachedName): Outcome {
  if (known.addresses.length > 0) return known.addresses;
  return new NameNotFound(`Cannot resolve "${name}": ${known.reason}`);
}

/** RFC 5452 section 9.1: identifier and question have to be ours; address and ports have been compared already. */
function isAnswerTo(query: Query, response: DnsResponse): boolean {
  return response.id === query.id && response.question.name === query.name &&
    response.question.type === DNS_TYPE_A && response.question.class === DNS_CLASS_IN;
}

interface Found {
  readonly addresses: readonly number[];
  /** The least of the chain, s. */
  readonly ttlSeconds: number;
  /** Why there are none. */
  readonly reason: string;
}

/** Uses only records of the asked name and of the aliases it leads to; all others are as if they were not there. */
function followAliases(asked: string, response: DnsResponse): Found {
  let name = asked;
  let ttlSeconds = Infinity;
  for (let aliases = 0; aliases <= ALIASES_MAX; aliases++) {
    const own = response.answers.filter((record) => record.name === name);
    const records = own.filter((record) => record.type === DNS_TYPE_A);
    if (records.length > 0) {
      for (const record of records) ttlSeconds = Math.min(ttlSeconds, record.ttlSeconds);
      return { addresses: records.map((record) => record.address), ttlSeconds, reason: "" };
    }
    const alias = own.find((record) => record.type === DNS_TYPE_CNAME);
    if (alias === undefined) {
      const reason = response.rcode === RCODE_NAME_ERROR
        ? "the name does not exist"
        : "the name has no IPv4 address";
      return { addresses: [], ttlSeconds, reason };
    }
    ttlSeconds = Math.min(ttlSeconds, alias.ttlSeconds);
    name = alias.target;
  }
  const reason = `it is an alias of an alias, more than ${ALIASES_MAX} times`;
  return { addresses: [], ttlSeconds, reason };
}

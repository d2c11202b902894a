/**
 * Asks name servers for the records of a name: one question at a time goes to one server after the other, answers are kept
 * for as long as they hold. Source: RFC 1034 section 5.3, RFC 1035 section 7, RFC 2308.
 */
import {
  BadResource,
  NameNotFound,
  NoBuffers,
  NoSuchRecord,
  StackError,
  TimedOut,
} from "../errors.ts";
import {
  type DnsResponse,
  type DnsTypeName,
  RCODE_BAD_VERSION,
  RCODE_FORMAT,
  RCODE_NAME_ERROR,
  RCODE_NOT_IMPLEMENTED,
  RCODE_OK,
  RCODE_REFUSED,
  RCODE_SERVER_FAILURE,
  type RecordData,
} from "../wire/dns.ts";
import { ALIASES_MAX, type Found, readAnswer } from "./dns_answer.ts";
import { type CachedAnswer, type DnsAbsence, DnsCache, type KeptAnswer } from "./dns_cache.ts";
import {
  DnsExchange,
  type ExchangeFailure,
  type ExchangeParts,
  type NameServer,
  serverText,
} from "./dns_exchange.ts";
import { normalizeAnyName } from "./host_names.ts";

/** How often each server is asked. */
export const TRIES_PER_SERVER = 2;
/** Queries under way. Full: a question fails with `ENOBUFS`. */
export const QUERIES_MAX = 256;
/** Callers that wait for one answer. Full: a question fails with `ENOBUFS`. */
export const WAITERS_MAX = 1_024;
/** Servers that are asked; further ones are not. */
export const SERVERS_MAX = 8;
/** How long a server that did not answer is asked after the others, ms. */
export const SILENT_MS = 30_000;

/** Silences that are remembered. Full: all are forgotten. */
const SILENCES_MAX = 64;
const MS_PER_SECOND = 1_000;

/** Records that were found. */
export interface DnsAnswer<K extends DnsTypeName = DnsTypeName> {
  /** At least one. */
  readonly data: readonly RecordData[K][];
  /** How long they hold, s. */
  readonly ttlSeconds: number;
}

/** How a question ends. */
export type DnsOutcome<K extends DnsTypeName = DnsTypeName> = DnsAnswer<K> | StackError;

/** One question that is being asked. */
interface Query {
  readonly key: string;
  /** As it was asked. */
  readonly name: string;
  readonly type: DnsTypeName;
  /** In the order in which they are asked. */
  readonly servers: readonly NameServer[];
  readonly waiters: Set<(outcome: DnsOutcome) => void>;
  /** What is asked now: `name`, or the alias that the answers so far lead to. */
  current: string;
  aliases: number;
  ttlSeconds: number;
  /** Attempts begun; the servers take turns. */
  attempts: number;
  /** False once a server did not understand it. RFC 6891 section 6.2.2. */
  edns: boolean;
  exchange: DnsExchange | null;
  /** What the last server that did answer said; null = none has. */
  complaint: StackError | null;
}

/** What a client stands on, and where it asks. */
export interface DnsClientParts extends ExchangeParts {
  /** Name servers, asked for at each question. */
  readonly servers: () => readonly NameServer[];
}

/** How a question is asked. */
export interface AskOptions {
  /** Whom to ask instead of the configured servers. */
  readonly server?: NameServer | undefined;
}

/** The questions of one interface. */
export class DnsClient {
  readonly #parts: DnsClientParts;
  readonly #cache: DnsCache;
  readonly #queries: Map<string, Query> = new Map();
  /** Until when servers are asked last, ms. */
  readonly #silentUntil: Map<string, number> = new Map();
  #closed = false;

  constructor(parts: DnsClientParts) {
    this.#parts = parts;
    this.#cache = new DnsCache(parts.iface.port.clock);
  }

  /** Questions under way. */
  get pending(): number {
    return this.#queries.size;
  }

  /**
   * Asks. The callback may be called within this call; it is called once, and not after the returned function was.
   *
   * @param name A complete name; no search list is heeded.
   * @param type What is asked for.
   * @returns The way to forget it. Who asks last and forgets ends the question.
   * @throws TypeError, RangeError if the name can not be one.
   */
  ask<K extends DnsTypeName>(
    name: string,
    type: K,
    callback: (outcome: DnsOutcome<K>) => void,
    options: AskOptions = {},
  ): () => void {
    const normal = normalizeAnyName(name);
    const { server } = options;
    const servers = (server === undefined ? this.#parts.servers() : [server]).slice(0, SERVERS_MAX);
    const refusal = this.#refusal(normal, servers);
    if (refusal !== null) return told(callback, refusal);
    const scope = server === undefined ? "" : serverText(server);
    const key = `${scope} ${type} ${normal}`;
    // RFC 2308 section 5: that there is no such name holds for all types.
    const known = this.#cache.get(key) ?? this.#cache.get(nameKey(scope, normal));
    if (known !== null) return told(callback, this.#recall<K>(normal, type, known));
    // What is told under this key is of this type.
    const waiter = callback as (outcome: DnsOutcome) => void;
    const make = (): Query => newQuery(key, normal, type, this.#inOrder(servers));
    return this.#join(key, waiter, make, scope);
  }

  /** Forgets all answers: another network may know other names. */
  clearCache(): void {
    this.#cache.clear();
    this.#silentUntil.clear();
  }

  /** Ends all questions. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const query of [...this.#queries.values()]) {
      this.#finish(query, new BadResource(`Cannot resolve "${query.name}": the stack is closed`));
    }
    this.clearCache();
  }

  #refusal(name: string, servers: readonly NameServer[]): StackError | null {
    if (this.#closed) {
      return new BadResource(`Cannot resolve "${name}": the stack is closed`);
    }
    if (servers.length === 0) {
      return new NameNotFound(`Cannot resolve "${name}": no name server is configured`);
    }
    return null;
  }

  #recall<K extends DnsTypeName>(name: string, type: K, known: KeptAnswer): DnsOutcome<K> {
    const leftMs = known.endMs - this.#parts.iface.port.clock.now();
    return outcomeOf<K>(name, type, known, Math.floor(leftMs / MS_PER_SECOND));
  }

  #join(
    key: string,
    waiter: (outcome: DnsOutcome) => void,
    make: () => Query,
    scope: string,
  ): () => void {
    const open = this.#queries.get(key);
    if (open !== undefined ? open.waiters.size >= WAITERS_MAX : this.#queries.size >= QUERIES_MAX) {
      const { name } = make();
      return told(
        waiter,
        new NoBuffers(`Cannot resolve "${name}": too many queries are under way`),
      );
    }
    const query = open ?? make();
    // A function of its own: the same callback may wait twice.
    const own = (outcome: DnsOutcome): void => waiter(outcome);
    query.waiters.add(own);
    if (open === undefined) {
      this.#queries.set(key, query);
      this.#attempt(query, scope);
    }
    return () => {
      if (!query.waiters.delete(own) || query.waiters.size > 0) return;
      this.#release(query);
    };
  }

  /** Asks the next server. */
  #attempt(query: Query, scope: string): void {
    const { servers } = query;
    if (query.attempts >= TRIES_PER_SERVER * servers.length) return this.#giveUp(query);
    const server = servers[query.attempts % servers.length];
    if (server === undefined) return this.#giveUp(query);
    query.attempts++;
    this.#exchange(query, server, scope);
  }

  /** Those that were silent lately come last; else the order of the configuration. */
  #inOrder(servers: readonly NameServer[]): readonly NameServer[] {
    if (this.#silentUntil.size === 0) return servers;
    const now = this.#parts.iface.port.clock.now();
    const isSilent = (server: NameServer): boolean =>
      (this.#silentUntil.get(serverText(server)) ?? 0) > now;
    return [...servers.filter((server) => !isSilent(server)), ...servers.filter(isSilent)];
  }

  #exchange(query: Query, server: NameServer, scope: string): void {
    const { current: name, type, edns } = query;
    const request = { server, name, type, edns };
    const exchange = new DnsExchange(this.#parts, request, (end) => {
      query.exchange = null;
      if ("complaint" in end) this.#onSilence(query, server, scope, end);
      else this.#onResponse(query, server, scope, end);
    });
    query.exchange = exchange;
    try {
      exchange.start();
    } catch (error) {
      if (!(error instanceof StackError)) throw error;
      this.#finish(query, error);
    }
  }

  #onSilence(query: Query, server: NameServer, scope: string, end: ExchangeFailure): void {
    if (this.#silentUntil.size >= SILENCES_MAX) this.#silentUntil.clear();
    const { clock } = this.#parts.iface.port;
    this.#silentUntil.set(serverText(server), clock.now() + SILENT_MS);
    if (end.complaint !== null) {
      query.complaint = new StackError("EPROTO", `${failing(query)}: ${end.complaint}`);
    }
    this.#attempt(query, scope);
  }

  #onResponse(query: Query, server: NameServer, scope: string, response: DnsResponse): void {
    this.#silentUntil.delete(serverText(server));
    const { rcode } = response;
    if (rcode === RCODE_OK || rcode === RCODE_NAME_ERROR) {
      return this.#conclude(query, scope, response);
    }
    if (query.edns && isAboutEdns(rcode)) {
      // RFC 6891 section 6.2.2: the same question in the old manner. It happens once.
      query.edns = false;
      return this.#exchange(query, server, scope);
    }
    query.complaint = complaintOf(query, server, rcode);
    this.#attempt(query, scope);
  }

  #conclude(query: Query, scope: string, response: DnsResponse): void {
    const { current, type, name } = query;
    const found = readAnswer(current, type, response, ALIASES_MAX - query.aliases);
    query.aliases += found.aliases;
    query.ttlSeconds = Math.min(query.ttlSeconds, found.ttlSeconds);
    if (found.data.length === 0 && found.absence === null && query.aliases < ALIASES_MAX) {
      // The answer ends with an alias: RFC 1034 section 5.3.3, step 4 c. There are at most ALIASES_MAX of them.
      query.current = found.name;
      query.attempts = 0;
      return this.#attempt(query, scope);
    }
    const absence = found.data.length > 0 ? null : found.absence ?? "ALIASES";
    const known = { data: found.data, absence };
    this.#keep(query, scope, known, found);
    this.#finish(query, outcomeOf(name, type, known, query.ttlSeconds));
  }

  #keep(query: Query, scope: string, known: CachedAnswer, found: Found): void {
    const { key, name, aliases, ttlSeconds } = query;
    if (known.absence === null) return this.#cache.set(key, known, ttlSeconds);
    if (found.absentSeconds === null) return;
    const isOfName = known.absence === "NO_NAME" && aliases === 0;
    const absentSeconds = Math.min(found.absentSeconds, ttlSeconds);
    this.#cache.set(isOfName ? nameKey(scope, name) : key, known, absentSeconds);
  }

  #giveUp(query: Query): void {
    const silent = query.servers.map(serverText).join(", ");
    this.#finish(
      query,
      query.complaint ?? new TimedOut(`${failing(query)}: no answer from ${silent}`),
    );
  }

  #release(query: Query): void {
    query.exchange?.cancel();
    query.exchange = null;
    this.#queries.delete(query.key);
  }

  #finish(query: Query, outcome: DnsOutcome): void {
    this.#release(query);
    const waiters = [...query.waiters];
    for (const waiter of waiters) {
      // One of them may have made another forget.
      if (query.waiters.delete(waiter)) waiter(outcome);
    }
  }
}

function newQuery(
  key: string,
  name: string,
  type: DnsTypeName,
  servers: readonly NameServer[],
): Query {
  return {
    key,
    name,
    type,
    servers,
    waiters: new Set(),
    current: name,
    aliases: 0,
    ttlSeconds: Infinity,
    attempts: 0,
    edns: true,
    exchange: null,
    complaint: null,
  };
}

/** Where it is kept that a name does not exist. */
function nameKey(scope: string, name: string): string {
  return `${scope} * ${name}`;
}

function told<T>(callback: (outcome: T) => void, outcome: T): () => void {
  callback(outcome);
  return () => {};
}

function failing({ name }: Query): string {
  return `Cannot resolve "${name}"`;
}

function isAboutEdns(rcode: number): boolean {
  return rcode === RCODE_FORMAT || rcode === RCODE_NOT_IMPLEMENTED || rcode === RCODE_BAD_VERSION;
}

function complaintOf(query: Query, server: NameServer, rcode: number): StackError {
  const what = `${failing(query)}: ${serverText(server)}`;
  if (rcode === RCODE_SERVER_FAILURE) {
    return new StackError("ESERVFAIL", `${what} could not find out (SERVFAIL)`);
  }
  if (rcode === RCODE_REFUSED) {
    return new StackError("EREFUSED", `${what} does not want to say (REFUSED)`);
  }
  return new StackError("EPROTO", `${what} answered with error ${rcode}`);
}

function outcomeOf<K extends DnsTypeName>(
  name: string,
  type: K,
  known: CachedAnswer,
  ttlSeconds: number,
): DnsOutcome<K> {
  // What is kept for a type was read as that type.
  const data = known.data as readonly RecordData[K][];
  return known.absence === null ? { data, ttlSeconds } : absenceError(name, type, known.absence);
}

function absenceError(name: string, type: DnsTypeName, absence: DnsAbsence): StackError {
  const what = `Cannot resolve "${name}"`;
  switch (absence) {
    case "NO_NAME":
      return new NameNotFound(`${what}: the name does not exist`);
    case "NO_DATA":
      return new NoSuchRecord(`${what}: the name has no ${type} record`);
    case "ALIASES":
      return new NameNotFound(
        `${what}: it is an alias of an alias, more than ${ALIASES_MAX} times`,
      );
  }
}

/**
 * Finds the addresses of a host: of text that is one, of names that mean this host, of the table of hosts, and of name
 * servers, with the search list. Both families are asked for at once, and what is found is told as it comes, so that a
 * connection need not wait for the slower one (RFC 8305 section 3).
 */
import { BadResource, NameNotFound, StackError } from "../errors.ts";
import { DNS_PORT } from "../wire/dns.ts";
import { formatIp, type Ip, isIpv4Number, tryParseIp } from "./addresses.ts";
import { type AskOptions, DnsClient, type DnsOutcome } from "./dns_client.ts";
import type { ExchangeParts, NameServer } from "./dns_exchange.ts";
import type { NetworkInterface } from "./interface.ts";
import { answerLocally, candidatesOf, normalizeHostName, type SearchRules } from "./host_names.ts";
import type { NameSettings } from "./name_settings.ts";

/** A family of addresses. */
export type Family = 4 | 6;

/** Both, in the order in which they are asked for: RFC 8305 section 3. */
export const BOTH_FAMILIES: readonly Family[] = [6, 4];

/** Who wants to know. Everything may be called within `find()`. */
export interface AddressSink {
  /** A family is answered for: its addresses, or none. At most once for each. */
  found(family: Family, addresses: readonly Ip[]): void;
  /** Nothing more comes; an error if no address was found at all. */
  done(error: StackError | null): void;
}

/** How a host is looked for. */
export interface FindOptions extends AskOptions {
  /** Which families. Default: both. */
  readonly families?: readonly Family[];
}

/** What a resolver stands on. */
export interface ResolverParts extends ExchangeParts {
  readonly settings: NameSettings;
}

/** The resolver of a stack. */
export class Resolver {
  /** Asks for records. */
  readonly client: DnsClient;
  readonly #parts: ResolverParts;
  #closed = false;

  constructor(parts: ResolverParts) {
    this.#parts = parts;
    this.client = new DnsClient({ ...parts, servers: () => this.#servers() });
  }

  /** Those of the options, else those of the network. */
  #servers(): readonly NameServer[] {
    const { iface, settings } = this.#parts;
    if (settings.servers !== null) return settings.servers;
    return iface.nameServers.map((address) => ({ address, port: DNS_PORT }));
  }

  /** Whether there is a way to one of the servers, or to the given one. */
  canAsk(server?: NameServer): boolean {
    const servers = server === undefined ? this.#servers() : [server];
    return servers.some(({ address }) => this.#parts.iface.sourceFor(address) !== null);
  }

  #rules(): SearchRules {
    const { iface, settings } = this.#parts;
    const { search, ndots } = settings;
    return { search: search ?? networkSearch(iface), ndots };
  }

  /**
   * Looks for the addresses of a host.
   *
   * @param hostname Name, or an address in text form, which is its own answer.
   * @param sink Whom to tell; nothing is told after the returned function was called.
   * @returns The way to forget it.
   * @throws TypeError, RangeError if the name can not be one.
   */
  find(hostname: string, sink: AddressSink, options: FindOptions = {}): () => void {
    const { families = BOTH_FAMILIES } = options;
    if (this.#closed) {
      sink.done(new BadResource(`Cannot resolve "${hostname}": the stack is closed`));
      return () => {};
    }
    const literal = tryParseIp(hostname);
    if (literal !== null) return tell(hostname, [literal], families, sink);
    const name = normalizeHostName(hostname);
    const bare = name.endsWith(".") ? name.slice(0, -1) : name;
    const own = this.#parts.settings.hosts.get(bare) ?? answerLocally(bare);
    if (own instanceof StackError) {
      sink.done(own);
      return () => {};
    }
    if (own !== null) return tell(hostname, own, families, sink);
    const candidates = candidatesOf(name, this.#rules());
    const search = new Search(this.client, { ...options, families }, bare, candidates, sink);
    search.next();
    return () => search.cancel();
  }

  /**
   * Finds all addresses of a host.
   *
   * @param callback Called once, maybe within this call: at least one address, in the order of RFC 6724, or the error.
   * @returns The way to forget it.
   * @throws TypeError, RangeError if the name can not be one.
   */
  resolve(
    hostname: string,
    callback: (outcome: readonly Ip[] | StackError) => void,
    options: FindOptions = {},
  ): () => void {
    const found: Ip[] = [];
    return this.find(hostname, {
      found: (_family, addresses) => void found.push(...addresses),
      done: (error) => callback(error ?? this.#parts.iface.sortDestinations(found)),
    }, options);
  }

  /** Forgets all answers: another network may know other names. */
  clearCache(): void {
    this.client.clearCache();
  }

  /** Ends all questions. Idempotent. */
  close(): void {
    this.#closed = true;
    this.client.close();
  }
}

/** Domains that the network names: those of DHCP, then those of routers (RFC 8106 section 5.2). */
function networkSearch(iface: NetworkInterface): readonly string[] {
  return [...iface.config?.search ?? [], ...iface.ipv6.routers.search];
}

/** Tells what is known without asking. @returns The way to forget it, when there is nothing to forget any more. */
function tell(
  hostname: string,
  addresses: readonly Ip[],
  families: readonly Family[],
  sink: AddressSink,
): () => void {
  let count = 0;
  for (const family of families) {
    const own = addresses.filter((address) => familyOf(address) === family);
    count += own.length;
    sink.found(family, own);
  }
  const wanted = families.map((family) => `IPv${family}`).join(" or ");
  const text = addresses.map(formatIp).join(", ");
  sink.done(
    count > 0
      ? null
      : new NameNotFound(`Cannot resolve "${hostname}": it is ${text}, no ${wanted} address`),
  );
  return () => {};
}

/** @returns The family of an address. */
export function familyOf(address: Ip): Family {
  return isIpv4Number(address) ? 4 : 6;
}

/** The candidates of one host's name, one after the other; each in all families at once. */
class Search {
  readonly #client: DnsClient;
  readonly #options: FindOptions & { readonly families: readonly Family[] };
  readonly #hostname: string;
  readonly #candidates: string[];
  readonly #sink: AddressSink;
  /** Of this candidate: who has not answered. */
  #pending = 0;
  /** Of this candidate: families that have no address, told only once another one has. */
  #empty: Family[] = [];
  #hasFound = false;
  /** The most telling reason for there being nothing. */
  #error: StackError | null = null;
  #cancels: (() => void)[] = [];
  #ended = false;

  constructor(
    client: DnsClient,
    options: FindOptions & { readonly families: readonly Family[] },
    hostname: string,
    candidates: string[],
    sink: AddressSink,
  ) {
    this.#client = client;
    this.#options = options;
    this.#hostname = hostname;
    this.#candidates = candidates;
    this.#sink = sink;
  }

  /** Asks for the next candidate. */
  next(): void {
    const name = this.#candidates.shift();
    if (name === undefined) return this.#fail();
    const { families } = this.#options;
    this.#pending = families.length;
    this.#empty = [];
    this.#cancels = [];
    for (const family of families) {
      if (!this.#ended) this.#ask(name, family);
    }
  }

  cancel(): void {
    this.#ended = true;
    for (const cancel of this.#cancels.splice(0)) cancel();
  }

  #ask(name: string, family: Family): void {
    const take = (outcome: DnsOutcome<"A" | "AAAA">): void => this.#take(family, outcome);
    const { server } = this.#options;
    const cancel = family === 4
      ? this.#client.ask(name, "A", take, { server })
      : this.#client.ask(name, "AAAA", take, { server });
    if (this.#ended) cancel();
    else this.#cancels.push(cancel);
  }

  #take(family: Family, outcome: DnsOutcome<"A" | "AAAA">): void {
    if (this.#ended) return;
    this.#pending--;
    if (outcome instanceof StackError) this.#lack(family, outcome);
    else {
      this.#hasFound = true;
      this.#sink.found(family, outcome.data);
      for (const empty of this.#empty.splice(0)) this.#sink.found(empty, []);
    }
    if (this.#pending > 0 || this.#ended) return;
    if (this.#hasFound) this.#end(null);
    // A server that fails would fail for the other candidates too, and each would take its time.
    else if (this.#error instanceof NameNotFound) this.next();
    else this.#fail();
  }

  #lack(family: Family, error: StackError): void {
    if (this.#hasFound) this.#sink.found(family, []);
    else this.#empty.push(family);
    const isFirst = this.#error === null;
    // That there is no such record says less than that nobody could tell, and more than that there is no such name.
    const isWorse = this.#error instanceof NameNotFound &&
      (error.code === "ENODATA" || !(error instanceof NameNotFound));
    if (isFirst || isWorse) this.#error = error;
  }

  #fail(): void {
    const error = this.#error;
    if (error !== null && error.code !== "ENODATA") return this.#end(error);
    const what = this.#options.families.map((family) => `IPv${family}`).join(" or ");
    this.#end(
      new NameNotFound(`Cannot resolve "${this.#hostname}": the name has no ${what} address`),
    );
  }

  #end(error: StackError | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#sink.done(error);
  }
}

/**
 * `node:dns/promises` over a stack; its members use the stack of `setDefaultStack()`.
 *
 * @module
 */
import type * as node from "node:dns/promises";
import type { NetworkStack } from "../../options.ts";
import {
  ADDRCONFIG,
  ALL,
  checkLocalAddresses,
  checkOrder,
  checkResolverOptions,
  readLookupOptions,
  V4MAPPED,
} from "./dns_arguments.ts";
import * as codes from "./dns_codes.ts";
import { checkRecordName, NameResolver, type RecordName } from "./dns_resolver.ts";
import { familyOfText, type LookupAddress, lookupAll, type LookupOptions } from "./lookup.ts";
import { defaultStack } from "./net_defaults.ts";
import { argumentType, argumentValue, checkPort, nameError } from "./node_error.ts";

export * from "./dns_codes.ts";

/** In which order addresses of both families come. */
export type ResultOrder = "ipv4first" | "ipv6first" | "verbatim";

export { ADDRCONFIG, ALL, V4MAPPED };

/** Services by port that `lookupService()` knows: others are numbers. */
const SERVICES: Readonly<Record<number, string>> = {
  21: "ftp",
  22: "ssh",
  23: "telnet",
  25: "smtp",
  53: "domain",
  80: "http",
  110: "pop3",
  143: "imap2",
  443: "https",
  5432: "postgresql",
};

let defaultOrder: ResultOrder = "verbatim";

/** In which order addresses come by default. */
export function getDefaultResultOrder(): ResultOrder {
  return defaultOrder;
}

/** Changes it. */
export function setDefaultResultOrder(order: ResultOrder): void {
  checkOrder("dnsOrder", order);
  defaultOrder = order;
}

/** Refuses options of `lookup()` that can not be meant. @returns Them, as an object. */
export function lookupOptions(hostname: unknown, options: unknown): LookupOptions {
  return { order: defaultOrder, ...readLookupOptions(hostname, options) };
}

/** What `lookup()` of a name that is no name, or of an address, gives; null = the stack has to be asked. */
export function lookupNow(hostname: string, { all }: LookupOptions): unknown {
  const family = hostname ? familyOfText(hostname) : 4;
  if (family === 0) return null;
  const found = hostname ? [{ address: hostname, family }] : [];
  return all === true ? found : found[0] ?? { address: null, family };
}

/** Members that ask for records of one kind. */
export type RecordMember =
  | "resolve4"
  | "resolve6"
  | "resolveAny"
  | "resolveCaa"
  | "resolveCname"
  | "resolveMx"
  | "resolveNaptr"
  | "resolveNs"
  | "resolvePtr"
  | "resolveSoa"
  | "resolveSrv"
  | "resolveTxt";

/** What a stack's `dns/promises` has: members of Node's, with Node's own types. */
export type DnsPromisesModule =
  & typeof codes
  & Pick<
    typeof node,
    | RecordMember
    | "Resolver"
    | "getDefaultResultOrder"
    | "getServers"
    | "lookup"
    | "lookupService"
    | "resolve"
    | "reverse"
    | "setDefaultResultOrder"
    | "setServers"
  >;

/** A function of a module, whatever it asks for. */
export type Asker = (...args: unknown[]) => Promise<unknown>;

/** Methods by the kind of record that they ask for. */
const KINDS: Readonly<Record<RecordMember, RecordName>> = {
  resolve4: "A",
  resolve6: "AAAA",
  resolveAny: "ANY",
  resolveCaa: "CAA",
  resolveCname: "CNAME",
  resolveMx: "MX",
  resolveNaptr: "NAPTR",
  resolveNs: "NS",
  resolvePtr: "PTR",
  resolveSoa: "SOA",
  resolveSrv: "SRV",
  resolveTxt: "TXT",
};

/** Names of the methods that ask for one kind of record. */
export const RESOLVE_METHODS: readonly RecordMember[] = Object.keys(KINDS) as RecordMember[];

/** Asks with promises: what is behind {@linkcode Resolver}, whose type is Node's. */
export class RecordResolver {
  readonly #names: NameResolver;
  /** Other members by name. */
  // deno-lint-ignore no-explicit-any -- `resolveMx` and its like
  readonly [method: string]: any;

  /** Times and tries of the options are checked and have no effect: the stack has its own. */
  constructor(options?: unknown) {
    checkResolverOptions(options);
    this.#names = new NameResolver(() => this.stackOf());
    for (const [method, type] of Object.entries(KINDS)) {
      Object.defineProperty(this, method, {
        value: (name: unknown, options?: unknown) => this.#query(name, type, options),
        enumerable: false,
      });
    }
  }

  /** The stack that is asked. */
  protected stackOf(): NetworkStack {
    return defaultStack();
  }

  /** Forgets all questions: they fail with `ECANCELLED`. */
  cancel(): void {
    this.#names.cancel();
  }

  /** The servers that were set; empty = those of the network. */
  getServers(): string[] {
    return this.#names.getServers();
  }

  /** Asks these servers. */
  setServers(servers: readonly string[]): void {
    this.#names.setServers(servers);
  }

  /** Changes nothing: the stack chooses its address. */
  setLocalAddress(ipv4: string, ipv6?: string): void {
    checkLocalAddresses(ipv4, ipv6);
  }

  /** Records of a name, by default its IPv4 addresses. */
  // deno-lint-ignore no-explicit-any -- records have a shape per type
  resolve(name: string, rrtype: string = "A"): Promise<any> {
    return this.#query(name, checkRecordName(rrtype));
  }

  /** Names of an address. */
  reverse(ip: string): Promise<string[]> {
    if (typeof ip !== "string") throw argumentType("name", "string", ip);
    return this.#names.reverse(ip);
  }

  #query(name: unknown, type: RecordName, options?: unknown): Promise<unknown> {
    if (typeof name !== "string") throw argumentType("name", "string", name);
    const hasTtl = typeof options === "object" && options !== null && "ttl" in options &&
      Boolean(options.ttl);
    const isAddress = type === "A" || type === "AAAA";
    return hasTtl && isAddress
      ? this.#names.queryWithTtl(name, type)
      : this.#names.query(name, type);
  }
}

/** The module of one stack. */
export function dnsPromisesOf(stack: NetworkStack): DnsPromisesModule {
  return makeModule(() => stack);
}

function makeModule(stack: () => NetworkStack): DnsPromisesModule {
  class StackResolver extends RecordResolver {
    protected override stackOf(): NetworkStack {
      return stack();
    }
  }
  // Who looks at names sees that of Node.
  Object.defineProperty(StackResolver, "name", { value: "Resolver" });
  const shared = new StackResolver();
  const methods = ["resolve", "reverse", "getServers", "setServers", ...RESOLVE_METHODS];
  const bound = methods.map((name) => [name, shared[name].bind(shared)]);
  const made = {
    ...codes,
    ...Object.fromEntries(bound),
    Resolver: StackResolver,
    lookup: (hostname: string, options?: LookupOptions | number) => {
      return lookupBy(stack, hostname, options);
    },
    lookupService: (address: string, port: number) => lookupServiceBy(shared, address, port),
    getDefaultResultOrder,
    setDefaultResultOrder,
  };
  // What each kind of record looks like is compared with Node's by tests, and not known to the compiler.
  return made as unknown as DnsPromisesModule;
}

async function lookupBy(
  stack: () => NetworkStack,
  hostname: string,
  given: LookupOptions | number | undefined,
): Promise<LookupAddress | LookupAddress[]> {
  const options = lookupOptions(hostname, given);
  const now = lookupNow(hostname, options);
  if (now !== null) return now as LookupAddress | LookupAddress[];
  const found = await lookupAll(stack(), hostname, options);
  const [first] = found;
  if (first === undefined) throw nameError("getaddrinfo", "ENOTFOUND", hostname);
  return options.all === true ? found : first;
}

function lookupServiceBy(
  resolver: RecordResolver,
  address: string,
  port: number,
): Promise<{ hostname: string; service: string }> {
  if (typeof address !== "string" || familyOfText(address) === 0) {
    throw argumentValue("address", address);
  }
  const checked = checkPort("Port", port);
  const service = SERVICES[checked] ?? String(checked);
  return resolver.reverse(address).then(
    ([hostname = address]) => ({ hostname, service }),
    // getnameinfo gives the address itself if nobody knows a name.
    () => ({ hostname: address, service }),
  );
}

/** The module, over the stack of `setDefaultStack()`. */
const dnsPromises: DnsPromisesModule = makeModule(defaultStack);

/** Asks name servers of its own. */
export const Resolver: typeof node.Resolver = dnsPromises.Resolver;
/** Asks name servers of its own. */
export type Resolver = node.Resolver;
/** An address of a host. */
export const lookup: typeof node.lookup = dnsPromises.lookup;
/** The names of an address and a port. */
export const lookupService: typeof node.lookupService = dnsPromises.lookupService;
/** Records of a name. */
export const resolve: typeof node.resolve = dnsPromises.resolve;
/** IPv4 addresses. */
export const resolve4: typeof node.resolve4 = dnsPromises.resolve4;
/** IPv6 addresses. */
export const resolve6: typeof node.resolve6 = dnsPromises.resolve6;
/** Whatever there is. */
export const resolveAny: typeof node.resolveAny = dnsPromises.resolveAny;
/** Who may certify. */
export const resolveCaa: typeof node.resolveCaa = dnsPromises.resolveCaa;
/** Another name. */
export const resolveCname: typeof node.resolveCname = dnsPromises.resolveCname;
/** Who takes mail. */
export const resolveMx: typeof node.resolveMx = dnsPromises.resolveMx;
/** Rules for names of services. */
export const resolveNaptr: typeof node.resolveNaptr = dnsPromises.resolveNaptr;
/** Name servers. */
export const resolveNs: typeof node.resolveNs = dnsPromises.resolveNs;
/** What a name points to. */
export const resolvePtr: typeof node.resolvePtr = dnsPromises.resolvePtr;
/** Where a zone begins. */
export const resolveSoa: typeof node.resolveSoa = dnsPromises.resolveSoa;
/** Where a service is. */
export const resolveSrv: typeof node.resolveSrv = dnsPromises.resolveSrv;
/** Texts. */
export const resolveTxt: typeof node.resolveTxt = dnsPromises.resolveTxt;
/** Names of an address. */
export const reverse: typeof node.reverse = dnsPromises.reverse;
/** The servers that were set. */
export const getServers: typeof node.getServers = dnsPromises.getServers;
/** Asks these servers. */
export const setServers: typeof node.setServers = dnsPromises.setServers;

export default dnsPromises;

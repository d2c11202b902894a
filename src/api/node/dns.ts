/**
 * `node:dns` over a stack; its members use the stack of `setDefaultStack()`, so that a bundler's alias is all that a
 * program needs.
 *
 * @module
 */
import type * as node from "node:dns";
import type { NetworkStack } from "../../options.ts";
import * as codes from "./dns_codes.ts";
import dnsPromises, {
  ADDRCONFIG,
  ALL,
  type Asker,
  type DnsPromisesModule,
  dnsPromisesOf,
  getDefaultResultOrder,
  lookupNow,
  lookupOptions,
  type RecordMember,
  RecordResolver as PromisesResolver,
  RESOLVE_METHODS,
  setDefaultResultOrder,
  V4MAPPED,
} from "./dns_promises.ts";
import { readReversible } from "./dns_resolver.ts";
import { soon } from "./later.ts";
import type { LookupAddress, LookupCallback, LookupOptions } from "./lookup.ts";
import { defaultStack } from "./net_defaults.ts";
import { checkFunction } from "./node_error.ts";

export * from "./dns_codes.ts";
export type { LookupAddress, LookupCallback, LookupOptions };
export { ADDRCONFIG, ALL, getDefaultResultOrder, setDefaultResultOrder, V4MAPPED };

/** What `node:dns` has: members of Node's, with Node's own types. */
export type DnsModule =
  & typeof codes
  & { readonly promises: DnsPromisesModule }
  & Pick<
    typeof node,
    | RecordMember
    | "ADDRCONFIG"
    | "ALL"
    | "Resolver"
    | "V4MAPPED"
    | "getDefaultResultOrder"
    | "getServers"
    | "lookup"
    | "lookupService"
    | "resolve"
    | "reverse"
    | "setDefaultResultOrder"
    | "setServers"
  >;

/** A callback of Node's: an error, or null and what was asked for. */
type Callback = (error: Error | null, ...results: unknown[]) => void;

/** What `util.promisify()` takes instead of the function, wherever it comes from. */
const PROMISIFIED: unique symbol = Symbol.for("nodejs.util.promisify.custom") as never;

/** Gives a promise's outcome to a callback, which throws where nobody catches it. */
function answer<T>(promise: Promise<T>, callback: Callback, spread: (value: T) => unknown[]): void {
  promise.then(
    (value) => soon(() => callback(null, ...spread(value))),
    (error) => soon(() => callback(error)),
  );
}

function one(value: unknown): unknown[] {
  return [value];
}

/** A method with a callback behind its other arguments. */
function withCallback(
  method: string,
  call: (...args: unknown[]) => Promise<unknown>,
): (...args: unknown[]) => void {
  return (...args) => {
    const callback = args.length > 1 ? args.pop() : undefined;
    checkFunction("callback", callback);
    // Of all that is wrong with names this alone is thrown.
    if (method === "reverse" && typeof args[0] === "string") readReversible(args[0]);
    answer(call(...args), callback as Callback, one);
  };
}

/** Asks with callbacks. */
class CallbackResolver {
  readonly #resolver: PromisesResolver;
  /** Other members by name. */
  // deno-lint-ignore no-explicit-any -- `resolveMx` and its like
  readonly [method: string]: any;

  /** Times and tries of the options are checked and have no effect: the stack has its own. */
  constructor(options?: unknown) {
    const stackOf = (): NetworkStack => this.stackOf();
    class StackResolver extends PromisesResolver {
      protected override stackOf(): NetworkStack {
        return stackOf();
      }
    }
    const resolver = new StackResolver(options);
    this.#resolver = resolver;
    for (const method of ["resolve", "reverse", ...RESOLVE_METHODS]) {
      Object.defineProperty(this, method, {
        value: withCallback(method, (...args) => resolver[method](...args)),
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
    this.#resolver.cancel();
  }

  /** The servers that were set; empty = those of the network. */
  getServers(): string[] {
    return this.#resolver.getServers();
  }

  /** Asks these servers. */
  setServers(servers: readonly string[]): void {
    this.#resolver.setServers(servers);
  }

  /** Changes nothing: the stack chooses its address. */
  setLocalAddress(ipv4: string, ipv6?: string): void {
    this.#resolver.setLocalAddress(ipv4, ipv6);
  }
}

/** The module of one stack. */
export function dnsOf(stack: NetworkStack): DnsModule {
  return makeModule(dnsPromisesOf(stack), () => stack);
}

function makeModule(promises: DnsPromisesModule, stack: () => NetworkStack): DnsModule {
  class StackResolver extends CallbackResolver {
    protected override stackOf(): NetworkStack {
      return stack();
    }
  }
  // Who looks at names sees that of Node.
  Object.defineProperty(StackResolver, "name", { value: "Resolver" });
  const methods = (["resolve", "reverse", ...RESOLVE_METHODS] as const).map((name) => [
    name,
    withCallback(name, promises[name] as Asker),
  ]);
  const lookup = (
    hostname: string,
    options: LookupOptions | number | LookupCallback,
    ...rest: unknown[]
  ): void => lookupWith(promises, hostname, options, rest);
  const lookupService = (address: string, port: number, callback: Callback): void => {
    checkFunction("callback", callback);
    answer(
      promises.lookupService(address, port),
      callback,
      ({ hostname, service }) => [hostname, service],
    );
  };
  // Both have two results, which a promise gives as one object.
  Object.defineProperty(lookup, PROMISIFIED, { value: promises.lookup });
  Object.defineProperty(lookupService, PROMISIFIED, { value: promises.lookupService });
  const made = {
    ...promises,
    ...Object.fromEntries(methods),
    ADDRCONFIG,
    ALL,
    V4MAPPED,
    promises,
    Resolver: StackResolver,
    lookup,
    lookupService,
  };
  // What each kind of record looks like is compared with Node's by tests, and not known to the compiler.
  return made as unknown as DnsModule;
}

function lookupWith(
  promises: DnsPromisesModule,
  hostname: string,
  given: LookupOptions | number | LookupCallback,
  rest: readonly unknown[],
): void {
  const callback = typeof given === "function" ? given : rest[0];
  checkFunction("callback", callback);
  const options = lookupOptions(hostname, typeof given === "function" ? {} : given);
  const spread = (found: unknown): unknown[] => {
    if (Array.isArray(found)) return [found];
    const { address, family } = found as LookupAddress;
    return [address, family];
  };
  const now = lookupNow(hostname, options);
  if (now !== null) return soon(() => (callback as Callback)(null, ...spread(now)));
  answer<unknown>(promises.lookup(hostname, options), callback as Callback, spread);
}

/** The module, over the stack of `setDefaultStack()`. */
const dns: DnsModule = makeModule(dnsPromises, defaultStack);

/** Asks name servers of its own. */
export const Resolver: typeof node.Resolver = dns.Resolver;
/** Asks name servers of its own. */
export type Resolver = node.Resolver;
/** As `node:dns/promises`. */
export const promises: DnsPromisesModule = dnsPromises;
/** An address of a host. */
export const lookup: typeof node.lookup = dns.lookup;
/** The names of an address and a port. */
export const lookupService: typeof node.lookupService = dns.lookupService;
/** Records of a name. */
export const resolve: typeof node.resolve = dns.resolve;
/** IPv4 addresses. */
export const resolve4: typeof node.resolve4 = dns.resolve4;
/** IPv6 addresses. */
export const resolve6: typeof node.resolve6 = dns.resolve6;
/** Whatever there is. */
export const resolveAny: typeof node.resolveAny = dns.resolveAny;
/** Who may certify. */
export const resolveCaa: typeof node.resolveCaa = dns.resolveCaa;
/** Another name. */
export const resolveCname: typeof node.resolveCname = dns.resolveCname;
/** Who takes mail. */
export const resolveMx: typeof node.resolveMx = dns.resolveMx;
/** Rules for names of services. */
export const resolveNaptr: typeof node.resolveNaptr = dns.resolveNaptr;
/** Name servers. */
export const resolveNs: typeof node.resolveNs = dns.resolveNs;
/** What a name points to. */
export const resolvePtr: typeof node.resolvePtr = dns.resolvePtr;
/** Where a zone begins. */
export const resolveSoa: typeof node.resolveSoa = dns.resolveSoa;
/** Where a service is. */
export const resolveSrv: typeof node.resolveSrv = dns.resolveSrv;
/** Texts. */
export const resolveTxt: typeof node.resolveTxt = dns.resolveTxt;
/** Names of an address. */
export const reverse: typeof node.reverse = dns.reverse;
/** The servers that were set. */
export const getServers: typeof node.getServers = dns.getServers;
/** Asks these servers. */
export const setServers: typeof node.setServers = dns.setServers;

export default dns;

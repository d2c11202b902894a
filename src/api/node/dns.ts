/**
 * `node:dns` over a stack; its members use the stack of `setDefaultStack()`, so that a bundler's alias is all that a
 * program needs.
 *
 * @module
 */
import type { NetworkStack } from "../../options.ts";
import dnsPromises, {
  ADDRCONFIG,
  ALL,
  type DnsPromisesModule,
  dnsPromisesOf,
  getDefaultResultOrder,
  lookupNow,
  lookupOptions,
  RESOLVE_METHODS,
  Resolver as PromisesResolver,
  setDefaultResultOrder,
  V4MAPPED,
} from "./dns_promises.ts";
import { soon } from "./later.ts";
import type { LookupAddress, LookupCallback, LookupOptions } from "./lookup.ts";
import { defaultStack } from "./net_defaults.ts";
import { checkFunction } from "./node_error.ts";

export type { LookupAddress, LookupCallback, LookupOptions };
export { ADDRCONFIG, ALL, getDefaultResultOrder, setDefaultResultOrder, V4MAPPED };

/** A callback of Node's: an error, or null and what was asked for. */
// deno-lint-ignore no-explicit-any -- each call has results of its own
export type Callback = (error: Error | null, ...results: any[]) => void;

/** What `node:dns` has. */
export interface DnsModule {
  /** The same by promises. */
  readonly promises: DnsPromisesModule;
  /** Asks name servers of its own. */
  readonly Resolver: new () => Resolver;
  /** Finds the addresses of a name. */
  lookup(
    hostname: string,
    options: LookupOptions | number | LookupCallback,
    ...rest: unknown[]
  ): void;
  /** Finds the name of an address. */
  lookupService(address: string, port: number, callback: Callback): void;
  /** Other members by name. */
  // deno-lint-ignore no-explicit-any -- codes and calls by name
  readonly [member: string]: any;
}

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
  call: (...args: unknown[]) => Promise<unknown>,
): (...args: unknown[]) => void {
  return (...args) => {
    const callback = args.length > 1 ? args.pop() : undefined;
    checkFunction("callback", callback);
    answer(call(...args), callback as Callback, one);
  };
}

/** Asks with callbacks. */
export class Resolver {
  readonly #resolver: PromisesResolver;
  /** Other members by name. */
  // deno-lint-ignore no-explicit-any -- `resolveMx` and its like
  readonly [method: string]: any;

  constructor() {
    const stackOf = (): NetworkStack => this.stackOf();
    class StackResolver extends PromisesResolver {
      protected override stackOf(): NetworkStack {
        return stackOf();
      }
    }
    const resolver = new StackResolver();
    this.#resolver = resolver;
    for (const method of ["resolve", "reverse", ...RESOLVE_METHODS]) {
      Object.defineProperty(this, method, {
        value: withCallback((...args) => resolver[method](...args)),
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

  /** Does nothing: the stack chooses its address. */
  setLocalAddress(): void {}
}

/** The module of one stack. */
export function dnsOf(stack: NetworkStack): DnsModule {
  return makeModule(dnsPromisesOf(stack), () => stack);
}

function makeModule(promises: DnsPromisesModule, stack: () => NetworkStack): DnsModule {
  class StackResolver extends Resolver {
    protected override stackOf(): NetworkStack {
      return stack();
    }
  }
  const methods = ["resolve", "reverse", ...RESOLVE_METHODS].map((name) => [
    name,
    withCallback((...args) => promises[name](...args)),
  ]);
  return {
    ...promises,
    ...Object.fromEntries(methods),
    ADDRCONFIG,
    ALL,
    V4MAPPED,
    promises,
    Resolver: StackResolver,
    lookup: (hostname, options, ...rest) => lookupWith(promises, hostname, options, rest),
    lookupService: (address, port, callback) => {
      checkFunction("callback", callback);
      answer(
        promises.lookupService(address, port),
        callback,
        ({ hostname, service }) => [hostname, service],
      );
    },
  };
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

/** As `node:dns/promises`. */
export const promises: DnsPromisesModule = dnsPromises;
/** An address of a host. */
export const lookup: DnsModule["lookup"] = dns.lookup;
/** The names of an address and a port. */
export const lookupService: DnsModule["lookupService"] = dns.lookupService;
/** Records of a name. */
export const resolve: (...args: unknown[]) => void = dns["resolve"];
/** IPv4 addresses. */
export const resolve4: (...args: unknown[]) => void = dns["resolve4"];
/** IPv6 addresses. */
export const resolve6: (...args: unknown[]) => void = dns["resolve6"];
/** Where a service is. */
export const resolveSrv: (...args: unknown[]) => void = dns["resolveSrv"];
/** Texts. */
export const resolveTxt: (...args: unknown[]) => void = dns["resolveTxt"];
/** Who takes mail. */
export const resolveMx: (...args: unknown[]) => void = dns["resolveMx"];
/** Names of an address. */
export const reverse: (...args: unknown[]) => void = dns["reverse"];
/** The servers that were set. */
export const getServers: () => string[] = dns["getServers"];
/** Asks these servers. */
export const setServers: (servers: readonly string[]) => void = dns["setServers"];

export default dns;

/** Arguments of `connect()` and `listen()`, which come in many orders. */
import { argumentType, argumentValue, checkFunction, checkPort, codedError } from "./node_error.ts";
import { familyOfText, type LookupFunction, type LookupOptions } from "./lookup.ts";

/** Where to connect, and how. */
export interface SocketConnectOptions {
  /** The port. */
  port?: number | string | undefined;
  /** Name or address; default `localhost`. */
  host?: string | undefined;
  /** Our address. */
  localAddress?: string | undefined;
  /** Our port. */
  localPort?: number | undefined;
  /** 4 or 6. */
  family?: LookupOptions["family"];
  /** Taken and not heeded. */
  hints?: number | undefined;
  /** Finds the addresses of a name. */
  lookup?: LookupFunction | undefined;
  /** Whether the addresses of a name are tried in turn, by RFC 8305. */
  autoSelectFamily?: boolean | undefined;
  /** How long an address has before the next is tried too, ms. */
  autoSelectFamilyAttemptTimeout?: number | undefined;
  /** Pipes of the system are not a network's: it fails with `EAFNOSUPPORT`. */
  path?: string | undefined;
}

/** What a callback looks like whose arguments are of no interest here. */
// deno-lint-ignore no-explicit-any -- listeners of events have arguments of their own
export type Listener = (...args: any[]) => void;

/** Flags that getaddrinfo knows on Linux: ADDRCONFIG, ALL, V4MAPPED. */
const HINTS_ALL = 0x20 | 0x10 | 0x08;

/** The options and the callback that arguments mean. */
export function normalizeArgs<T extends object>(
  args: readonly unknown[],
): [options: T, callback: Listener | null] {
  const [first, second] = args;
  const last = args.at(-1);
  const callback = typeof last === "function" ? last as Listener : null;
  // deno-lint-ignore no-explicit-any -- what it holds is checked by who reads it
  const options: any = {};
  if (args.length === 0) return [options, null];
  if (typeof first === "object" && first !== null) return [first as T, callback];
  if (isPath(first)) options.path = first;
  else {
    options.port = first;
    if (args.length > 1 && typeof second === "string") options.host = second;
  }
  return [options, callback];
}

/** Whether a first argument names a pipe: a text that is no number. */
function isPath(value: unknown): value is string {
  return typeof value === "string" && !(Number(value) >= 0);
}

/** Refuses options of `connect()` that can not be meant. @returns The port. */
export function checkConnectOptions(options: SocketConnectOptions): number {
  const { port, path, localAddress, localPort, lookup, hints } = options;
  if (port === undefined && path === undefined) {
    const message = 'The "options" or "port" or "path" argument must be specified';
    throw codedError(TypeError, "ERR_MISSING_ARGS", message);
  }
  if (path !== undefined) {
    if (typeof path !== "string") throw argumentType("options.path", "string", path);
    return 0;
  }
  if (localAddress !== undefined && familyOfText(localAddress) === 0) {
    throw invalidAddress(localAddress);
  }
  if (localPort !== undefined && typeof localPort !== "number") {
    throw argumentType("options.localPort", "number", localPort);
  }
  if (typeof port !== "number" && typeof port !== "string") {
    throw argumentType("options.port", "one of type number or string", port);
  }
  const checked = checkPort("Port", port);
  if (hints !== undefined && (hints & ~HINTS_ALL) !== 0) throw argumentValue("hints", hints);
  if (lookup !== undefined) checkFunction("options.lookup", lookup);
  return checked;
}

/** What is no address where one has to be. */
export function invalidAddress(text: unknown): Error {
  return codedError(TypeError, "ERR_INVALID_IP_ADDRESS", `Invalid IP address: ${String(text)}`);
}

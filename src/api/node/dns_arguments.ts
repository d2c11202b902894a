/** Refuses what a caller of `node:dns` can not mean, in Node's words. */
import { familyOfText, type LookupOptions } from "./lookup.ts";
import { argumentType, argumentValue, checkIntegerRange, codedError } from "./node_error.ts";

/** Flags of getaddrinfo on Linux. */
export const ADDRCONFIG = 0x20;
/** Addresses of both families, with V4MAPPED. */
export const ALL = 0x10;
/** IPv4 addresses within IPv6. */
export const V4MAPPED = 0x08;

const ORDERS: readonly string[] = ["verbatim", "ipv4first", "ipv6first"];
const FAMILIES: readonly unknown[] = [0, 4, 6];
const FAMILY_WORDS = "must be one of: 0, 4, 6";
const INT32_MAX = 0x7fff_ffff;

/** Reads what `lookup()` was given beside a callback. */
export function readLookupOptions(hostname: unknown, options: unknown): LookupOptions {
  if (typeof hostname !== "string" && hostname) throw argumentType("hostname", "string", hostname);
  if (typeof options === "number") {
    if (!FAMILIES.includes(options)) throw argumentValue("family", options, FAMILY_WORDS);
    return { family: options };
  }
  if (options === undefined || options === null) return {};
  if (typeof options !== "object") throw argumentType("options", "object or integer", options);
  const { family, hints, all, verbatim, order } = options as Record<string, unknown>;
  const isNamed = family === "IPv4" || family === "IPv6";
  if (!isAbsent(family) && !isNamed && !FAMILIES.includes(family)) {
    throw argumentValue("options.family", family, FAMILY_WORDS);
  }
  if (!isAbsent(hints)) checkHints(hints);
  for (const [name, value] of Object.entries({ all, verbatim })) {
    if (isAbsent(value) || typeof value === "boolean") continue;
    throw argumentType(`options.${name}`, "boolean", value);
  }
  if (!isAbsent(order)) checkOrder("options.order", order);
  const given = Object.entries(options).filter(([, value]) => !isAbsent(value));
  return Object.fromEntries(given);
}

/** In which order addresses come. */
export function checkOrder(name: string, order: unknown): void {
  if (typeof order === "string" && ORDERS.includes(order)) return;
  const allowed = ORDERS.map((one) => `'${one}'`).join(", ");
  throw argumentValue(name, order, `must be one of: ${allowed}`);
}

/** Options of a resolver. Both are checked alone: the stack has times of its own. */
export function checkResolverOptions(options: unknown): void {
  if (typeof options !== "object" || options === null) return;
  const { timeout, tries } = options as Record<string, unknown>;
  if (timeout !== undefined) checkIntegerRange("options.timeout", timeout, -1, INT32_MAX);
  if (tries !== undefined) checkIntegerRange("options.tries", tries, 1, INT32_MAX);
}

/** Our addresses by family, one or one of each. */
export function checkLocalAddresses(first: unknown, second: unknown): void {
  if (typeof first !== "string") throw argumentType("ipv4", "string", first);
  if (second !== undefined && typeof second !== "string") {
    throw argumentType("ipv6", "string", second);
  }
  const families = [first, ...second === undefined ? [] : [second]].map(familyOfText);
  if (families.includes(0)) throw addressError("Invalid IP address.");
  const [family, other] = families;
  if (family !== other) return;
  throw addressError(`Cannot specify two IPv${family} addresses.`);
}

function addressError(message: string): Error {
  return codedError(TypeError, "ERR_INVALID_ARG_VALUE", message);
}

function checkHints(value: unknown): void {
  if (typeof value !== "number") throw argumentType("options.hints", "number", value);
  const hints = value >>> 0;
  if ((hints & ~(ADDRCONFIG | ALL | V4MAPPED)) !== 0) throw argumentValue("hints", hints);
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

/** `dns.lookup()` over a stack: what sockets ask before they connect. */
import { isIp } from "../../net/addresses.ts";
import type { NetworkStack } from "../../options.ts";
import { StackError } from "../../errors.ts";
import { soon } from "./later.ts";
import { nameError, type NodeError } from "./node_error.ts";

/** One address of a name. */
export interface LookupAddress {
  /** The IP address. */
  address: string;
  /** 4 or 6. */
  family: number;
}

/** What a lookup is asked for. */
export interface LookupOptions {
  /** 4, 6, or 0 for both. */
  family?: number | "IPv4" | "IPv6" | undefined;
  /** Flags of getaddrinfo; accepted, and of no effect. */
  hints?: number | undefined;
  /** All addresses instead of the first. */
  all?: boolean | undefined;
  /** As `order: "verbatim"` or `"ipv4first"`. */
  verbatim?: boolean | undefined;
  /** Which addresses come first. */
  order?: "ipv4first" | "ipv6first" | "verbatim" | undefined;
}

/** How a lookup answers: an address and its family, or with `all` the list of them. */
export type LookupCallback = (
  error: NodeError | null,
  address?: string | LookupAddress[],
  family?: number,
) => void;

/** What looks a name up: a stack's, or the program's own. */
export type LookupFunction = (
  hostname: string,
  options: LookupOptions,
  callback: LookupCallback,
) => void;

/** 4, 6 or 0. */
export function familyOf(family: LookupOptions["family"]): number {
  if (family === "IPv4") return 4;
  if (family === "IPv6") return 6;
  return family ?? 0;
}

/** An address and its family without a zone, or 0: `fe80::1%eth0` is one too. */
export function familyOfText(text: string): 0 | 4 | 6 {
  const zone = text.indexOf("%");
  // IPv4 within IPv6 is IPv6 to Node.
  if (zone < 0) return isIp(text) !== 0 && text.includes(":") ? 6 : isIp(text);
  const family = zone === text.length - 1 ? 0 : isIp(text.slice(0, zone));
  return family === 6 ? 6 : 0;
}

/** All addresses of a name in the order asked for. Rejects with `getaddrinfo ENOTFOUND`. */
export async function lookupAll(
  stack: NetworkStack,
  hostname: string,
  options: LookupOptions,
): Promise<LookupAddress[]> {
  const wanted = familyOf(options.family);
  let texts: string[];
  try {
    texts = familyOfText(hostname) === 0 ? await stack.resolve(hostname) : [hostname];
  } catch (error) {
    // Names that are no names, and names that nobody answered for, are "not found" and "again" to getaddrinfo.
    const isLate = error instanceof StackError && error.code !== "ENOTFOUND";
    throw nameError("getaddrinfo", isLate ? "EAI_AGAIN" : "ENOTFOUND", hostname, error);
  }
  const found = texts.map((address) => ({ address, family: familyOfText(address) }))
    .filter(({ family }) => wanted === 0 || family === wanted);
  if (found.length === 0) throw nameError("getaddrinfo", "ENOTFOUND", hostname);
  const first = options.order === "ipv4first" || options.verbatim === false
    ? 4
    : options.order === "ipv6first"
    ? 6
    : 0;
  if (first === 0) return found;
  return [
    ...found.filter(({ family }) => family === first),
    ...found.filter(({ family }) => family !== first),
  ];
}

/** The lookup that sockets of a stack use by default. */
export function lookupOf(stack: () => NetworkStack): LookupFunction {
  return (hostname, options, callback) => {
    lookupAll(stack(), hostname, options).then(
      (found) => soon(() => answer(found, options, callback)),
      (error) => soon(() => callback(error)),
    );
  };
}

function answer(found: LookupAddress[], options: LookupOptions, callback: LookupCallback): void {
  const [first] = found;
  if (options.all === true) callback(null, found);
  else callback(null, first?.address, first?.family);
}

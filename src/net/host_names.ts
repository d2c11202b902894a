/** Which names are asked for when somebody names a host. */
import { NameNotFound, type StackError } from "../errors.ts";
import { normalizeName } from "../wire/dns_name.ts";
import { formatIp, type Ip, isIpv4Number, parseIp } from "./addresses.ts";

/** ::1. RFC 4291 section 2.5.3. */
const LOOPBACK_V6 = 1n;
/** 127.0.0.1. RFC 1122 section 3.2.1.3 (g). */
const LOOPBACK_V4 = 0x7f000001;

/** Dots that make a name worth asking for as it is before the search list. As resolv.conf(5) has it. */
export const NDOTS_DEFAULT = 1;
/** Largest `ndots`. As resolv.conf(5) has it. */
export const NDOTS_MAX = 15;
/** Domains of a search list; further ones are not looked at. */
export const SEARCH_MAX = 8;

/** How names are completed. */
export interface SearchRules {
  /** Domains, from `normalizeName()`. */
  readonly search: readonly string[];
  readonly ndots: number;
}

/**
 * Brings the name of a host into the form in which it is asked for.
 *
 * @param hostname A name of letters, digits and what else people use; an international one is converted (RFC 5891) by the
 * platform's URL parser. A dot at the end says that it is complete, and stays.
 * @throws TypeError if it is no string, or holds what can not be converted. RangeError if it can not be a name.
 */
export function normalizeHostName(hostname: string): string {
  if (typeof hostname !== "string") {
    throw new TypeError(`Cannot resolve a ${typeof hostname}: expected a host name`);
  }
  const ascii = toAscii(hostname);
  // What looks like an address and is none gets the message that says why.
  if (ascii.includes(":") || ascii.includes("%")) parseIp(ascii);
  if (!/^[\x21-\x7e]+$/.test(ascii) || /[\\/@?#[\]%]/.test(ascii)) {
    throw new RangeError(
      `Cannot resolve "${hostname}": expected a host name of letters, digits, hyphens and dots`,
    );
  }
  const normal = normalizeName(ascii);
  if (normal === "") throw new RangeError('Cannot resolve ".": expected the name of a host');
  return ascii.endsWith(".") ? `${normal}.` : normal;
}

/**
 * The same for names of all kinds, whose labels may hold whatever is escaped; without a dot at its end.
 *
 * @throws TypeError if it is no string, or holds what can not be converted. RangeError if it can not be a name.
 */
export function normalizeAnyName(name: string): string {
  return normalizeName(typeof name === "string" ? toAscii(name) : name);
}

/** @returns The name under which an address has its PTR record. RFC 1035 section 3.5, RFC 3596 section 2.5. */
export function reverseName(address: Ip): string {
  if (isIpv4Number(address)) {
    return `${formatIp(address).split(".").reverse().join(".")}.in-addr.arpa`;
  }
  const digits = address.toString(16).padStart(32, "0");
  return `${[...digits].reverse().join(".")}.ip6.arpa`;
}

/** The xn-- form of an international name. */
function toAscii(hostname: string): string {
  // deno-lint-ignore no-control-regex -- exactly what ASCII is
  if (/^[\x00-\x7f]*$/.test(hostname)) return hostname;
  const refusal = new TypeError(
    `Cannot resolve "${hostname}": it has no ASCII form, expected letters that names may have`,
  );
  // What would end the host's part of an URL must not come near its parser.
  if (/[\s/\\?#@:[\]%<>^|]/.test(hostname)) throw refusal;
  try {
    return new URL(`http://${hostname}/`).hostname;
  } catch {
    throw refusal;
  }
}

/**
 * Knows the names that no server is asked for.
 *
 * @param name From {@linkcode normalizeHostName}, without a dot at its end.
 * @returns Addresses, or why there are none; null if servers have to be asked.
 */
export function answerLocally(name: string): readonly Ip[] | StackError | null {
  const last = name.slice(name.lastIndexOf(".") + 1);
  // RFC 6761 section 6.3: such names mean this host itself, whatever servers say.
  if (last === "localhost") return [LOOPBACK_V6, LOOPBACK_V4];
  // RFC 6761 section 6.4, RFC 7686 section 2: these are in no server's hands.
  if (last === "invalid" || last === "onion") {
    return new NameNotFound(`Cannot resolve "${name}": names under "${last}" are never there`);
  }
  // RFC 1123 section 2.1: the last label of a name is not a number.
  if (/^(\d+|0x[0-9a-f]*)$/.test(last)) {
    return new NameNotFound(
      `Cannot resolve "${name}": it looks like an IPv4 address and is none, expected four numbers of 0 to 255`,
    );
  }
  return null;
}

/**
 * The names that a host's name may stand for, in the order in which they are asked for. As resolv.conf(5) has it.
 *
 * @param hostname From {@linkcode normalizeHostName}.
 * @returns At least one, without dots at their ends.
 */
export function candidatesOf(hostname: string, { search, ndots }: SearchRules): string[] {
  if (hostname.endsWith(".")) return [hostname.slice(0, -1)];
  const dots = hostname.split(".").length - 1;
  const completed = search.slice(0, SEARCH_MAX).map((domain) =>
    domain === "" ? hostname : `${hostname}.${domain}`
  ).filter(isName);
  return dots >= ndots ? [hostname, ...completed] : [...completed, hostname];
}

/** A long name and a long domain may be too much together. */
function isName(name: string): boolean {
  try {
    normalizeName(name);
    return true;
  } catch {
    return false;
  }
}

/** What a DHCP server offers, read with suspicion. Source: RFC 2131 section 4.3.1, RFC 2132. */
import {
  addressesOption,
  type DhcpMessage,
  namesOption,
  OPTION_DNS,
  OPTION_DOMAIN,
  OPTION_LEASE_SECONDS,
  OPTION_MTU,
  OPTION_ROUTER,
  OPTION_SEARCH,
  OPTION_SERVER_ID,
  OPTION_SUBNET_MASK,
  OPTION_T1_SECONDS,
  OPTION_T2_SECONDS,
  read16Option,
  read32Option,
  routesOption,
  textOption,
} from "../wire/dhcp.ts";
import type { StaticRoute } from "./interface_config.ts";
import { inSameNetwork, isHostAddress, isUnicast, maskPrefix } from "./addresses.ts";
import { normalizeHostName } from "./host_names.ts";

/** Shortest lease, s: a shorter one would make us ask all the time. */
export const LEASE_MIN_SECONDS = 60;
/** Longest lease, s: ten years, also for an infinite one. */
export const LEASE_MAX_SECONDS = 315_360_000;
/** RFC 2131 section 4.4.5: T1 defaults to 0.5 of the lease. */
const T1_FRACTION = 0.5;
/** RFC 2131 section 4.4.5: T2 defaults to 0.875 of the lease. */
const T2_FRACTION = 0.875;
/** Name servers kept. */
const DNS_MAX = 3;
/** Domains kept. */
const SEARCH_MAX = 6;
/** Routes kept. */
const ROUTES_MAX = 32;
/** Routers looked at. */
const ROUTERS_MAX = 8;
/** Smallest MTU of IPv4, bytes. RFC 2132 section 5.1. */
const MTU_MIN_BYTES = 68;
/** No network on a link is larger than a class A one. */
const PREFIX_MIN = 8;

/** A lease. Addresses are u32. */
export interface Lease {
  readonly address: number;
  readonly prefixLength: number;
  /** Null = none given, or none that could be one. */
  readonly gateway: number | null;
  readonly dns: readonly number[];
  readonly domain: string | null;
  /** Domains that complete short names, from `normalizeName()`: those of option 119, else the domain. */
  readonly search: readonly string[];
  /** Networks behind other routers than the gateway. */
  readonly routes: readonly StaticRoute[];
  /** Largest packet, bytes: the server's wish within what the link carries. */
  readonly mtu: number;
  /** 60 to 315,360,000. */
  readonly leaseSeconds: number;
  /** When to ask the server again, s. */
  readonly t1Seconds: number;
  /** When to ask everyone, s. */
  readonly t2Seconds: number;
  /** The server's identifier. */
  readonly server: number;
}

/**
 * Reads an OFFER or ACK.
 *
 * @param linkMtu Largest packet of the link, bytes.
 * @returns Null if it names no server, or an address that can not be ours.
 */
export function readLease(message: DhcpMessage, linkMtu: number): Lease | null {
  const address = message.yiaddr;
  const server = read32Option(message, OPTION_SERVER_ID);
  const prefixLength = readPrefix(message);
  if (server === null || prefixLength === null || !isUnicast(server)) return null;
  const routers = addressesOption(message, OPTION_ROUTER, ROUTERS_MAX);
  // An address that is the server's or a router's would cut us off from just these.
  const isTaken = address === server || routers.includes(address);
  if (isTaken || !isHostAddress(address, prefixLength)) return null;
  const isNear = (router: number): boolean =>
    isUnicast(router) && router !== address &&
    (prefixLength === 32 || inSameNetwork(router, address, prefixLength));
  // RFC 3442: where there are classless routes, the router option is not looked at.
  const classless = routesOption(message, ROUTES_MAX);
  const usable = classless?.filter(({ gateway }) => gateway === 0 || isNear(gateway)) ?? [];
  const gateway = classless === null
    ? routers.find(isNear)
    : usable.find((route) => route.prefixLength === 0 && route.gateway !== 0)?.gateway;
  const dns = addressesOption(message, OPTION_DNS, DNS_MAX).filter(isUnicast);
  return {
    address,
    prefixLength,
    gateway: gateway ?? null,
    dns,
    domain: textOption(message, OPTION_DOMAIN),
    search: readSearch(message),
    routes: usable.filter((route) => route.prefixLength > 0),
    mtu: readMtu(message, linkMtu),
    ...readTimes(message),
    server,
  };
}

/** @returns The prefix length; null if the mask is none. */
function readPrefix(message: DhcpMessage): number | null {
  const mask = read32Option(message, OPTION_SUBNET_MASK);
  if (mask === null) return message.options.has(OPTION_SUBNET_MASK) ? null : classPrefix(message);
  const prefixLength = maskPrefix(mask);
  return prefixLength !== null && prefixLength >= PREFIX_MIN ? prefixLength : null;
}

/** Without a mask the class of the address tells. Source: RFC 791 section 3.2. */
function classPrefix(message: DhcpMessage): number {
  const top = message.yiaddr >>> 24;
  if (top < 128) return 8;
  return top < 192 ? 16 : 24;
}

/** RFC 3397 section 3: a list goes before the domain. */
function readSearch(message: DhcpMessage): string[] {
  const names = namesOption(message, OPTION_SEARCH, SEARCH_MAX);
  const domain = textOption(message, OPTION_DOMAIN);
  if (names.length > 0 || domain === null) return names;
  try {
    return [normalizeHostName(domain).replace(/\.$/, "")];
  } catch {
    // Some servers send what is no name; it is of no use, and no reason to do without an address.
    return [];
  }
}

function readMtu(message: DhcpMessage, linkMtu: number): number {
  const mtu = read16Option(message, OPTION_MTU);
  return mtu === null || mtu < MTU_MIN_BYTES ? linkMtu : Math.min(mtu, linkMtu);
}

/** Clamps the lease; T1 and T2 that are not in order are replaced by their defaults. */
function readTimes(
  message: DhcpMessage,
): { leaseSeconds: number; t1Seconds: number; t2Seconds: number } {
  const asked = read32Option(message, OPTION_LEASE_SECONDS) ?? LEASE_MIN_SECONDS;
  const leaseSeconds = Math.min(LEASE_MAX_SECONDS, Math.max(LEASE_MIN_SECONDS, asked));
  const t1Seconds = read32Option(message, OPTION_T1_SECONDS) ?? leaseSeconds * T1_FRACTION;
  const t2Seconds = read32Option(message, OPTION_T2_SECONDS) ?? leaseSeconds * T2_FRACTION;
  const isOrdered = t1Seconds >= LEASE_MIN_SECONDS * T1_FRACTION && t1Seconds < t2Seconds &&
    t2Seconds < leaseSeconds;
  if (isOrdered) return { leaseSeconds, t1Seconds, t2Seconds };
  return {
    leaseSeconds,
    t1Seconds: leaseSeconds * T1_FRACTION,
    t2Seconds: leaseSeconds * T2_FRACTION,
  };
}

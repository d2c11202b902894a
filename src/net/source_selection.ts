/**
 * Which of our addresses a packet is sent from, and which of a host's addresses is tried first. Source: RFC 6724. Rules 4, 5 and
 * 7 of section 5 and 4 and 7 of section 6 are about mobile nodes, several interfaces, temporary addresses and tunnels, of which we
 * have none.
 */
import {
  commonPrefixBits,
  type Ip,
  isIpv4Number,
  isLinkLocalIp,
  isLoopbackIp,
  isMulticastIp,
} from "./addresses.ts";

/** Scopes of RFC 4291 section 2.7, of unicast addresses by RFC 6724 section 3.1. */
const SCOPE_LINK_LOCAL = 0x2;
const SCOPE_SITE_LOCAL = 0x5;
const SCOPE_GLOBAL = 0xe;
/** Upper bits of an IPv4-mapped address. */
const MAPPED = 0xffffn << 32n;
/** Bits that an address is compared to: the prefix of a source, at most. RFC 6724 section 2.2. */
const PREFIX_BITS = 64;

/** One of our addresses that may be a source. */
export interface SourceCandidate<A extends Ip = Ip> {
  readonly address: A;
  /** 0 to 32, or 0 to 128. */
  readonly prefixLength: number;
  /** It should not be used for new connections any more. RFC 4862 section 5.5.4. */
  readonly isDeprecated: boolean;
}

/** A row of the policy table. RFC 6724 section 2.1. */
export interface Policy {
  /** An IPv4 address stands for its mapped one. */
  readonly prefix: bigint;
  readonly prefixLength: number;
  readonly precedence: number;
  readonly label: number;
}

/** The default policy table, longest prefixes first. RFC 6724 section 2.1. */
export const POLICIES: readonly Policy[] = [
  { prefix: 1n, prefixLength: 128, precedence: 50, label: 0 },
  { prefix: MAPPED, prefixLength: 96, precedence: 35, label: 4 },
  { prefix: 0n, prefixLength: 96, precedence: 1, label: 3 },
  { prefix: 0x2001n << 112n, prefixLength: 32, precedence: 5, label: 5 },
  { prefix: 0x2002n << 112n, prefixLength: 16, precedence: 30, label: 2 },
  { prefix: 0x3ffen << 112n, prefixLength: 16, precedence: 1, label: 12 },
  { prefix: 0xfec0n << 112n, prefixLength: 10, precedence: 1, label: 11 },
  { prefix: 0xfc00n << 112n, prefixLength: 7, precedence: 3, label: 13 },
  { prefix: 0n, prefixLength: 0, precedence: 40, label: 1 },
];

const FALLBACK: Policy = { prefix: 0n, prefixLength: 0, precedence: 40, label: 1 };

/** The row of the table for an address. */
export function policyOf(address: Ip): Policy {
  const wide = isIpv4Number(address) ? MAPPED | BigInt(address) : address;
  return POLICIES.find(({ prefix, prefixLength }) => {
    const hostBits = BigInt(128 - prefixLength);
    return (wide >> hostBits) === (prefix >> hostBits);
  }) ?? FALLBACK;
}

/** Scope of an address: how far it means anything. RFC 6724 sections 3.1 and 3.2. */
export function scopeOf(address: Ip): number {
  // Loopback counts as link-local; private addresses of IPv4 are global (section 3.2).
  if (isLinkLocalIp(address) || isLoopbackIp(address)) return SCOPE_LINK_LOCAL;
  if (isIpv4Number(address)) return SCOPE_GLOBAL;
  if (isMulticastIp(address)) return Number((address >> 112n) & 0xfn);
  return (address >> 118n) === 0x3fbn ? SCOPE_SITE_LOCAL : SCOPE_GLOBAL;
}

/**
 * Chooses the source for a destination.
 *
 * @param candidates Our addresses; only those of the destination's family are looked at.
 * @returns Null if there is none. Source: RFC 6724 section 5.
 */
export function selectSource<A extends Ip>(
  destination: A,
  candidates: readonly SourceCandidate<A>[],
): SourceCandidate<A> | null {
  let best: SourceCandidate<A> | null = null;
  for (const candidate of candidates) {
    if (typeof candidate.address !== typeof destination) continue;
    if (best === null || compareSources(candidate, best, destination) < 0) best = candidate;
  }
  return best;
}

/** Below 0 if `a` is the better one. */
function compareSources(a: SourceCandidate, b: SourceCandidate, destination: Ip): number {
  // Rule 1: the same address.
  if (a.address === destination || b.address === destination) {
    return a.address === destination ? -1 : 1;
  }
  // Rule 2: appropriate scope. The smaller one, if it reaches far enough.
  const [scopeA, scopeB, scope] = [scopeOf(a.address), scopeOf(b.address), scopeOf(destination)];
  if (scopeA !== scopeB) {
    const isSmallerBetter = Math.min(scopeA, scopeB) >= scope;
    return (scopeA < scopeB) === isSmallerBetter ? -1 : 1;
  }
  // Rule 3: no deprecated addresses.
  if (a.isDeprecated !== b.isDeprecated) return a.isDeprecated ? 1 : -1;
  // Rule 6: the destination's label.
  const { label } = policyOf(destination);
  const [fitsA, fitsB] = [policyOf(a.address).label === label, policyOf(b.address).label === label];
  if (fitsA !== fitsB) return fitsA ? -1 : 1;
  // Rule 8: the longest matching prefix.
  return matchingBits(b, destination) - matchingBits(a, destination);
}

function matchingBits({ address, prefixLength }: SourceCandidate, destination: Ip): number {
  return Math.min(prefixLength, commonPrefixBits(address, destination));
}

/**
 * Orders the addresses of a host, the one to be tried first at the front. Happy eyeballs (RFC 8305 section 4) begins with this.
 *
 * @param destinations In the order in which they were given, which decides in the end (rule 10).
 * @param sourceFor The source that would be used; null if there is no way to the destination.
 * @returns A new array. Source: RFC 6724 section 6.
 */
export function sortDestinations(
  destinations: readonly Ip[],
  sourceFor: (destination: Ip) => SourceCandidate | null,
): Ip[] {
  const ways = destinations.map((destination) => ({ destination, source: sourceFor(destination) }));
  return ways.sort(compareDestinations).map(({ destination }) => destination);
}

interface Way {
  readonly destination: Ip;
  readonly source: SourceCandidate | null;
}

/** Below 0 if `a` is the better one. */
function compareDestinations(a: Way, b: Way): number {
  // Rule 1: no unusable destinations.
  if (a.source === null || b.source === null) {
    return (a.source === null ? 1 : 0) - (b.source === null ? 1 : 0);
  }
  const [scopeA, scopeB] = [scopeOf(a.destination), scopeOf(b.destination)];
  // Rule 2: matching scope.
  const isMatchA = scopeA === scopeOf(a.source.address);
  const isMatchB = scopeB === scopeOf(b.source.address);
  if (isMatchA !== isMatchB) return isMatchA ? -1 : 1;
  // Rule 3: no deprecated sources.
  if (a.source.isDeprecated !== b.source.isDeprecated) return a.source.isDeprecated ? 1 : -1;
  // Rule 5: matching label.
  const [policyA, policyB] = [policyOf(a.destination), policyOf(b.destination)];
  const fitsA = policyA.label === policyOf(a.source.address).label;
  const fitsB = policyB.label === policyOf(b.source.address).label;
  if (fitsA !== fitsB) return fitsA ? -1 : 1;
  // Rule 6: higher precedence. Rule 8: smaller scope.
  if (policyA.precedence !== policyB.precedence) return policyB.precedence - policyA.precedence;
  if (scopeA !== scopeB) return scopeA - scopeB;
  // Rule 9: the longest matching prefix, of IPv6: the prefixes of IPv4 say nothing of distance.
  if (isIpv4Number(a.destination) || isIpv4Number(b.destination)) return 0;
  return Math.min(PREFIX_BITS, matchingBits(b.source, b.destination)) -
    Math.min(PREFIX_BITS, matchingBits(a.source, a.destination));
}

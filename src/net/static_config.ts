/** Reads static addresses as people write them. */
import type { StaticAddress } from "../address_options.ts";
import { formatIp, type Ip, type IpCidr, isIpv4Number, parseIp, parseIpCidr } from "./addresses.ts";
import type { InterfaceConfig } from "./interface.ts";
import type { Ipv6Config } from "./ipv6.ts";
import { IPV6_ADDRESSES_MAX, isPossibleAddress } from "./ipv6_addresses.ts";

/** A static configuration, by family; null = the family is not spoken. */
export interface StaticConfig {
  readonly ipv4: InterfaceConfig | null;
  /** Further addresses of IPv4. */
  readonly more: readonly { readonly address: number; readonly prefixLength: number }[];
  readonly ipv6: Omit<Ipv6Config, "key"> | null;
}

/**
 * Reads a static configuration.
 *
 * @throws {TypeError} If a part is not a string.
 * @throws {RangeError} If a part is not an address, or does not fit the others.
 */
export function readStatic(address: StaticAddress): StaticConfig {
  const { dns = [] } = address;
  const all = listOf(address.cidr).map(parseIpCidr);
  if (all.length === 0) throw new RangeError("Cannot configure no address: expected one at least");
  const gateways = listOf(address.gateway ?? []).map(parseIp);
  const servers = dns.map(parseIp);
  const ipv4 = all.filter(isIpv4Cidr);
  const ipv6 = all.filter(isIpv6Cidr);
  const [gateway4, gateway6] = [onlyOf(gateways, isIpv4Number), onlyOf(gateways, isIpv6)];
  assertFits(gateway4, ipv4.length);
  assertFits(gateway6, ipv6.length);
  for (const cidr of ipv6) assertPossible(cidr);
  // The link-local address takes one place.
  if (ipv6.length >= IPV6_ADDRESSES_MAX) {
    throw new RangeError(
      `Cannot configure ${ipv6.length} IPv6 addresses: expected at most ${IPV6_ADDRESSES_MAX - 1}`,
    );
  }
  const [first, ...more] = ipv4;
  // A server is asked over its own family; it is kept with the family that is there.
  const servers4 = servers.filter(isIpv4Number);
  return {
    ipv4: first === undefined ? null : { ...first, gateway: gateway4, dns: servers4 },
    more,
    ipv6: ipv6.length === 0 ? null : {
      addresses: ipv6,
      gateway: gateway6,
      dns: servers.filter(isIpv6),
      autoconfigure: false,
    },
  };
}

function listOf<T>(one: T | readonly T[]): readonly T[] {
  return Array.isArray(one) ? one : [one as T];
}

function isIpv6(address: Ip): address is bigint {
  return !isIpv4Number(address);
}

function isIpv4Cidr(cidr: IpCidr): cidr is { address: number; prefixLength: number } {
  return isIpv4Number(cidr.address);
}

function isIpv6Cidr(cidr: IpCidr): cidr is { address: bigint; prefixLength: number } {
  return isIpv6(cidr.address);
}

function onlyOf<A extends Ip>(all: readonly Ip[], isOne: (address: Ip) => address is A): A | null {
  const [first, second] = all.filter(isOne);
  if (first !== undefined && second !== undefined) {
    throw new RangeError(
      `Cannot configure the gateways ${formatIp(first)} and ${
        formatIp(second)
      }: expected one of each family`,
    );
  }
  return first ?? null;
}

function assertFits(gateway: Ip | null, addresses: number): void {
  if (gateway === null || addresses > 0) return;
  throw new RangeError(
    `Cannot configure gateway ${formatIp(gateway)}: there is no address of its family`,
  );
}

function assertPossible(
  { address, prefixLength }: { address: bigint; prefixLength: number },
): void {
  if (isPossibleAddress(address)) return;
  throw new RangeError(
    `Cannot configure ${formatIp(address)}/${prefixLength}: it can not be the address of one host`,
  );
}

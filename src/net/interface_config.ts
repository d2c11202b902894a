/** The IPv4 configuration of an interface. */
import { formatIpv4, isHostAddress, isUnicast } from "./addresses.ts";

/** Smallest MTU of IPv4, bytes. RFC 791 section 3.2. */
export const MTU_MIN_BYTES = 68;

/** The way to a network. Addresses are u32. */
export interface StaticRoute {
  /** Its first address. */
  readonly network: number;
  /** 0 to 32. */
  readonly prefixLength: number;
  /** Router, on the link; 0 = the network is on the link itself. */
  readonly gateway: number;
}

/** What makes an interface usable. Addresses are u32. */
export interface InterfaceConfig {
  /** Ours. */
  readonly address: number;
  /** 0 to 32. */
  readonly prefixLength: number;
  /** Null = nothing beyond the link. */
  readonly gateway: number | null;
  /** Name servers, in order. */
  readonly dns: readonly number[];
  /** Domains that complete short names, from `normalizeName()`. */
  readonly search?: readonly string[];
  /** Networks that are not behind the gateway. Default none. */
  readonly routes?: readonly StaticRoute[];
  /** Largest packet, 68 bytes to the link's. Default: the link's. */
  readonly mtu?: number;
}

/** @throws RangeError if the values can not be a host's. */
export function checkConfig(config: InterfaceConfig, linkMtu: number): void {
  const { address, prefixLength, gateway, mtu = linkMtu } = config;
  const text = `${formatIpv4(address)}/${prefixLength}`;
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > 32) {
    throw new RangeError(`Cannot configure ${text}: expected a prefix length of 0 to 32`);
  }
  if (!isHostAddress(address, prefixLength)) {
    throw new RangeError(`Cannot configure ${text}: it can not be the address of one host`);
  }
  if (gateway !== null && (!isUnicast(gateway) || gateway === address)) {
    throw new RangeError(
      `Cannot configure ${text}: gateway ${formatIpv4(gateway)} can not be another host`,
    );
  }
  if (!Number.isInteger(mtu) || mtu < MTU_MIN_BYTES || mtu > linkMtu) {
    throw new RangeError(`Cannot configure an MTU of ${mtu} bytes: expected 68 to ${linkMtu}`);
  }
}

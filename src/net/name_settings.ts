/** Reads how names are to be resolved. */
import type { NameOptions, NameServerAddress } from "../name_options.ts";
import { DNS_PORT } from "../wire/dns.ts";
import { type Ip, parseIp } from "./addresses.ts";
import type { NameServer } from "./dns_exchange.ts";
import { NDOTS_DEFAULT, NDOTS_MAX, normalizeHostName } from "./host_names.ts";

const PORT_MAX = 65_535;

/** Options in the form in which they are used; null = as the network says. */
export interface NameSettings {
  readonly servers: readonly NameServer[] | null;
  readonly search: readonly string[] | null;
  readonly ndots: number;
  readonly hosts: ReadonlyMap<string, readonly Ip[]>;
}

/**
 * Reads options.
 *
 * @throws TypeError if a value is not of its type, RangeError if one is out of range.
 */
export function readNameOptions(options: NameOptions = {}): NameSettings {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot take names "${String(options)}": expected an object`);
  }
  const { servers, search, ndots = NDOTS_DEFAULT, hosts = {} } = options;
  if (!Number.isInteger(ndots) || ndots < 0 || ndots > NDOTS_MAX) {
    throw new RangeError(`Cannot take ndots ${ndots}: expected 0 to ${NDOTS_MAX}`);
  }
  return {
    servers: servers === undefined ? null : listOf("names.servers", servers).map(readServer),
    search: search === undefined ? null : listOf("names.search", search).map(readDomain),
    ndots,
    hosts: readHosts(hosts),
  };
}

/**
 * Reads a name server.
 *
 * @throws TypeError if a value is not of its type, RangeError if one is out of range.
 */
export function readServer(server: string | NameServerAddress): NameServer {
  if (typeof server === "string") return { address: parseIp(server), port: DNS_PORT };
  if (typeof server !== "object" || server === null) {
    throw new TypeError(`Cannot ask name server "${String(server)}": expected an address`);
  }
  const { ipAddr, port = DNS_PORT } = server;
  if (!Number.isInteger(port) || port < 1 || port > PORT_MAX) {
    throw new RangeError(`Cannot ask a name server on port ${port}: expected 1 to ${PORT_MAX}`);
  }
  return { address: parseIp(ipAddr), port };
}

function listOf<T>(what: string, list: readonly T[]): readonly T[] {
  if (Array.isArray(list)) return list;
  throw new TypeError(`Cannot take ${what} "${String(list)}": expected an array`);
}

function readDomain(domain: string): string {
  const name = normalizeHostName(domain);
  return name.endsWith(".") ? name.slice(0, -1) : name;
}

function readHosts(hosts: NonNullable<NameOptions["hosts"]>): ReadonlyMap<string, readonly Ip[]> {
  if (typeof hosts !== "object" || hosts === null) {
    throw new TypeError(`Cannot take names.hosts "${String(hosts)}": expected an object`);
  }
  const read = new Map<string, readonly Ip[]>();
  for (const [name, text] of Object.entries(hosts)) {
    const addresses = typeof text === "string" ? [text] : listOf(`names.hosts of "${name}"`, text);
    if (addresses.length === 0) {
      throw new RangeError(`Cannot take names.hosts of "${name}": expected an address at least`);
    }
    read.set(readDomain(name), addresses.map(parseIp));
  }
  return read;
}

/**
 * Which destinations a client of the user mode may reach: a pure function over numbers, with a table for a test.
 *
 * What a name resolved to does not matter here: the address that is checked is the one that is dialled.
 */
import { type Cidr, inSameNetwork, parseCidr, parseIpv4 } from "../net/addresses.ts";

/** Address of the gateway on every client's network; stands for the loopback of the relay's host. */
export const GATEWAY_ADDRESS: number = parseIpv4("10.0.2.2");

/** Address of the name server on every client's network. */
export const DNS_ADDRESS: number = parseIpv4("10.0.2.3");

/** Where the gateway's own address leads. */
const HOST_LOOPBACK: number = parseIpv4("127.0.0.1");

const PORT_SMTP = 25;
const PORT_MAX = 65_535;

/** Never dialled, whatever the rules say: there is no single host behind them. */
const IMPOSSIBLE: readonly (readonly [string, string])[] = [
  ["0.0.0.0/8", "this network"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved or broadcast"],
];

/** Closed unless a rule opens them. Source: the IANA registry of special-purpose IPv4 addresses (RFC 6890). */
const SPECIAL: readonly (readonly [string, string])[] = [
  ["127.0.0.0/8", "loopback"],
  ["10.0.0.0/8", "private (RFC 1918)"],
  ["172.16.0.0/12", "private (RFC 1918)"],
  ["192.168.0.0/16", "private (RFC 1918)"],
  ["169.254.0.0/16", "link-local"],
  ["100.64.0.0/10", "shared by carriers (RFC 6598)"],
  ["192.0.0.0/24", "special-purpose"],
  ["192.0.2.0/24", "documentation"],
  ["192.88.99.0/24", "6to4 relays"],
  ["198.18.0.0/15", "benchmarks"],
  ["198.51.100.0/24", "documentation"],
  ["203.0.113.0/24", "documentation"],
];

/** A network whose description is the reason for a denial. */
interface Range {
  readonly cidr: Cidr;
  readonly reason: string;
}

const toRanges = (table: readonly (readonly [string, string])[]): Range[] =>
  table.map(([text, reason]) => ({ cidr: parseCidr(text), reason }));

const IMPOSSIBLE_RANGES: readonly Range[] = toRanges(IMPOSSIBLE);
const SPECIAL_RANGES: readonly Range[] = toRanges(SPECIAL);

/** Opens a network that is closed by default. */
export interface EgressRule {
  readonly cidr: Cidr;
  /** 0 = all ports. */
  readonly port: number;
}

/** What may be reached. */
export interface EgressPolicy {
  /** Rules of `--allow`. */
  readonly rules: readonly EgressRule[];
  /** Ports of the host's loopback that the gateway's own address leads to. */
  readonly hostPorts: ReadonlySet<number>;
  /** The host's own addresses, u32: closed like loopback. */
  readonly ownAddresses: ReadonlySet<number>;
}

/** The verdict about a destination. */
export type Egress =
  | { readonly allowed: true; readonly address: number; readonly port: number }
  | { readonly allowed: false; readonly reason: string };

/**
 * Decides over a destination.
 *
 * @param policy What may be reached.
 * @param address Destination, u32.
 * @param port 1 to 65535.
 * @returns What to dial, or why not.
 */
export function decideEgress(policy: EgressPolicy, address: number, port: number): Egress {
  if (!Number.isInteger(port) || port < 1 || port > PORT_MAX) return denied("no port");
  if (address === GATEWAY_ADDRESS) {
    return policy.hostPorts.has(port)
      ? { allowed: true, address: HOST_LOOPBACK, port }
      : denied("a port of the host that is not opened");
  }
  const impossible = find(IMPOSSIBLE_RANGES, address);
  if (impossible !== null) return denied(impossible);
  if (policy.rules.some((rule) => matches(rule, address, port))) {
    return { allowed: true, address, port };
  }
  const special = find(SPECIAL_RANGES, address);
  if (special !== null) return denied(special);
  if (policy.ownAddresses.has(address)) return denied("an address of the host itself");
  if (port === PORT_SMTP) return denied("mail (port 25)");
  return { allowed: true, address, port };
}

function denied(reason: string): Egress {
  return { allowed: false, reason };
}

function find(ranges: readonly Range[], address: number): string | null {
  const range = ranges.find(({ cidr }) => inSameNetwork(address, cidr.address, cidr.prefixLength));
  return range?.reason ?? null;
}

function matches(rule: EgressRule, address: number, port: number): boolean {
  const { cidr } = rule;
  return inSameNetwork(address, cidr.address, cidr.prefixLength) &&
    (rule.port === 0 || rule.port === port);
}

/**
 * Reads a rule.
 *
 * @param text `"192.168.1.0/24"`, `"192.168.1.7:5432"`, `"192.168.1.0/24:80"`.
 * @throws RangeError if it is no rule.
 */
export function parseEgressRule(text: string): EgressRule {
  const [network = "", portText, ...rest] = text.split(":");
  const port = portText === undefined ? 0 : Number(portText);
  const isPort = portText === undefined || (/^\d{1,5}$/.test(portText) && port >= 1);
  if (rest.length > 0 || !isPort || port > PORT_MAX) {
    throw new RangeError(
      `Cannot read "${text}" as a rule: expected a network with or without a port, "192.168.1.0/24:80"`,
    );
  }
  const cidr = parseCidr(network.includes("/") ? network : `${network}/32`);
  return { cidr, port };
}

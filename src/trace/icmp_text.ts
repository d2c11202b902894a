/** ICMP messages of both versions as tcpdump's classic form shows them. */
import { read16, read32, read8 } from "../wire/bytes.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { viewPacket } from "./packet_view.ts";

const HEADER_BYTES = 8;
const PORTS_BYTES = 4;

/** Codes of "unreachable", by version; what is missing is shown by its number. RFC 1812 section 5.2.7.1, RFC 4443. */
const UNREACHABLE: Readonly<Record<4 | 6, readonly string[]>> = {
  4: ["net", "host", "protocol", "port", "frag", "route", "net unknown", "host unknown"],
  6: ["route", "prohibited", "scope", "address", "port"],
};
const CODE_PORT: Readonly<Record<4 | 6, number>> = { 4: 3, 6: 4 };
const CODE_FRAGMENTATION_NEEDED = 4;
const CODE_FILTERED = 13;

/** What is the same in both, by its type in each. */
type Meaning =
  | "unreachable"
  | "too big"
  | "time exceeded"
  | "parameter problem"
  | "echo request"
  | "echo reply";

const MEANINGS: Readonly<Record<4 | 6, ReadonlyMap<number, Meaning>>> = {
  4: new Map([
    [0, "echo reply"],
    [3, "unreachable"],
    [8, "echo request"],
    [11, "time exceeded"],
    [12, "parameter problem"],
  ]),
  6: new Map([
    [1, "unreachable"],
    [2, "too big"],
    [3, "time exceeded"],
    [4, "parameter problem"],
    [128, "echo request"],
    [129, "echo reply"],
  ]),
};

/** Messages that have no more than a name. RFC 792, RFC 4861. */
const NAMES: Readonly<Record<4 | 6, ReadonlyMap<number, string>>> = {
  4: new Map([[4, "source quench"], [5, "redirect"], [9, "router advertisement"], [
    10,
    "router solicitation",
  ]]),
  6: new Map([
    [133, "router solicitation"],
    [134, "router advertisement"],
    [135, "neighbor solicitation"],
    [136, "neighbor advertisement"],
    [137, "redirect"],
  ]),
};

/**
 * Describes an ICMP message.
 *
 * @param version Of IP.
 * @param message From the ICMP header on; any bytes at all.
 * @returns Such as `icmp: 192.0.2.2 tcp port 80 unreachable`.
 */
export function formatIcmp(version: 4 | 6, message: Uint8Array): string {
  const head = version === 4 ? "icmp:" : "icmp6:";
  if (message.length < HEADER_BYTES) return `${head} [truncated]`;
  const type = read8(message, 0);
  const code = read8(message, 1);
  const meaning = MEANINGS[version].get(type);
  const quoted = message.subarray(HEADER_BYTES);
  switch (meaning) {
    case "echo request":
    case "echo reply":
      return `${head} ${meaning} id ${read16(message, 4)} seq ${read16(message, 6)}`;
    case "unreachable":
      return `${head} ${formatUnreachable(version, code, read16(message, 6), quoted)}`;
    case "too big":
      return `${head} ${quotedEnds(quoted)} too big (mtu ${read32(message, 4)})`;
    case "time exceeded":
      return `${head} time exceeded ${code === 0 ? "in-transit" : "in reassembly"} ${
        quotedEnds(quoted)
      }`;
    case "parameter problem":
      return `${head} parameter problem code ${code}`;
    default:
      return `${head} ${NAMES[version].get(type) ?? `type-#${type} code ${code}`}`;
  }
}

function formatUnreachable(version: 4 | 6, code: number, mtu: number, quoted: Uint8Array): string {
  const view = viewPacket(quoted);
  if (typeof view === "string") return `unreachable code ${code} [${view}]`;
  const { destination, protocol, payload } = view;
  if (version === 4 && code === CODE_FRAGMENTATION_NEEDED) {
    return `${destination} unreachable - need to frag${mtu === 0 ? "" : ` (mtu ${mtu})`}`;
  }
  if (version === 4 && code === CODE_FILTERED) {
    return `${destination} unreachable - admin prohibited`;
  }
  if (code === CODE_PORT[version] && payload.length >= PORTS_BYTES) {
    return `${destination} ${protocolName(protocol)} port ${read16(payload, 2)} unreachable`;
  }
  return `${UNREACHABLE[version][code] ?? `code ${code}`} ${destination} unreachable`;
}

function protocolName(protocol: number): string {
  if (protocol === PROTOCOL_TCP) return "tcp";
  return protocol === PROTOCOL_UDP ? "udp" : `protocol ${protocol}`;
}

/** The packet that an error is about, by its ends. */
function quotedEnds(quoted: Uint8Array): string {
  const view = viewPacket(quoted);
  return typeof view === "string" ? `[${view}]` : `[${view.source} > ${view.destination}]`;
}

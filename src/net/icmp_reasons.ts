/** What ICMP errors say, in words, whichever family they are of. Source: RFC 792, RFC 1812 section 5.2.7, RFC 4443. */
import {
  ICMP_PARAMETER_PROBLEM,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  UNREACHABLE_PORT,
  UNREACHABLE_PROTOCOL,
  UNREACHABLE_TOO_BIG,
} from "../wire/icmp.ts";

/** What an error means for the one who sent the packet. */
export type IcmpReason =
  | "NET_UNREACHABLE"
  | "HOST_UNREACHABLE"
  | "PROTOCOL_UNREACHABLE"
  | "PORT_UNREACHABLE"
  | "TOO_BIG"
  | "PROHIBITED"
  | "TIME_EXCEEDED"
  | "PARAMETER_PROBLEM"
  | "UNREACHABLE";

/** By code of type 3. RFC 792; RFC 1122 section 3.2.2.1; RFC 1812 section 5.2.7.1. */
const UNREACHABLE_REASONS: Readonly<Record<number, IcmpReason>> = {
  0: "NET_UNREACHABLE",
  1: "HOST_UNREACHABLE",
  [UNREACHABLE_PROTOCOL]: "PROTOCOL_UNREACHABLE",
  [UNREACHABLE_PORT]: "PORT_UNREACHABLE",
  [UNREACHABLE_TOO_BIG]: "TOO_BIG",
  6: "NET_UNREACHABLE",
  7: "HOST_UNREACHABLE",
  9: "PROHIBITED",
  10: "PROHIBITED",
  11: "NET_UNREACHABLE",
  12: "HOST_UNREACHABLE",
  13: "PROHIBITED",
};

/** By code of ICMPv6's type 1. RFC 4443 section 3.1. */
const UNREACHABLE_REASONS_V6: Readonly<Record<number, IcmpReason>> = {
  0: "NET_UNREACHABLE",
  1: "PROHIBITED",
  2: "HOST_UNREACHABLE",
  3: "HOST_UNREACHABLE",
  4: "PORT_UNREACHABLE",
  5: "PROHIBITED",
  6: "PROHIBITED",
};

/** Types of ICMPv6 errors. RFC 4443 section 2.1. */
const V6_UNREACHABLE = 1;
const V6_TOO_BIG = 2;
const V6_TIME_EXCEEDED = 3;
const V6_PARAMETER_PROBLEM = 4;
/** Code of {@linkcode V6_PARAMETER_PROBLEM}: the host does not know the next header. RFC 4443 section 3.4. */
const V6_NEXT_HEADER = 1;

/**
 * Names an error.
 *
 * @param family Of the packet that it is about.
 * @param type Of the message, as on the wire.
 * @param code The same.
 */
export function icmpReason(family: 4 | 6, type: number, code: number): IcmpReason {
  return family === 4 ? reasonOfV4(type, code) : reasonOfV6(type, code);
}

function reasonOfV4(type: number, code: number): IcmpReason {
  if (type === ICMP_UNREACHABLE) return UNREACHABLE_REASONS[code] ?? "UNREACHABLE";
  if (type === ICMP_TIME_EXCEEDED) return "TIME_EXCEEDED";
  return type === ICMP_PARAMETER_PROBLEM ? "PARAMETER_PROBLEM" : "UNREACHABLE";
}

function reasonOfV6(type: number, code: number): IcmpReason {
  switch (type) {
    case V6_UNREACHABLE:
      return UNREACHABLE_REASONS_V6[code] ?? "UNREACHABLE";
    case V6_TOO_BIG:
      return "TOO_BIG";
    case V6_TIME_EXCEEDED:
      return "TIME_EXCEEDED";
    case V6_PARAMETER_PROBLEM:
      return code === V6_NEXT_HEADER ? "PROTOCOL_UNREACHABLE" : "PARAMETER_PROBLEM";
    default:
      return "UNREACHABLE";
  }
}

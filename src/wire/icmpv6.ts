/** ICMPv6 messages. Source: RFC 4443. */
import { read32, read8, write16, write32 } from "./bytes.ts";
import { internetChecksum } from "./checksum.ts";
import { ICMP_BYTES, type IcmpMessage } from "./icmp.ts";
import { type Ipv6Packet, ipv6PseudoHeaderSum, PROTOCOL_ICMPV6 } from "./ipv6.ts";

/** Destination unreachable. RFC 4443 section 3.1. */
export const ICMPV6_UNREACHABLE = 1;
/** Packet too big; the rest holds the MTU. RFC 4443 section 3.2. */
export const ICMPV6_TOO_BIG = 2;
/** Time exceeded. RFC 4443 section 3.3. */
export const ICMPV6_TIME_EXCEEDED = 3;
/** Parameter problem; the rest points to it. RFC 4443 section 3.4. */
export const ICMPV6_PARAMETER_PROBLEM = 4;
/** Echo. RFC 4443 section 4. */
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;
/** Multicast listener discovery. RFC 2710, RFC 3810. */
export const MLD_QUERY = 130;
export const MLD_V1_REPORT = 131;
export const MLD_V1_DONE = 132;
export const MLD_V2_REPORT = 143;
/** Neighbor discovery. RFC 4861 section 4. */
export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOR_SOLICITATION = 135;
export const NEIGHBOR_ADVERTISEMENT = 136;
export const REDIRECT = 137;
/** Code of {@linkcode ICMPV6_UNREACHABLE}: no route. */
export const ICMPV6_NO_ROUTE = 0;
/** Code of {@linkcode ICMPV6_UNREACHABLE}: communication administratively prohibited. */
export const ICMPV6_PROHIBITED = 1;
/** Code of {@linkcode ICMPV6_UNREACHABLE}: no such host. */
export const ICMPV6_ADDRESS_UNREACHABLE = 3;
/** Code of {@linkcode ICMPV6_UNREACHABLE}: nobody listens on the port. */
export const ICMPV6_PORT_UNREACHABLE = 4;

/** First type that is no error. RFC 4443 section 2.1. */
const INFORMATIONAL_FIRST = 128;

/** Why an ICMPv6 message is dropped. */
export type Icmpv6Drop = "ICMPV6_SHORT" | "ICMPV6_CHECKSUM";

/** @param packet A whole packet of ICMPv6. @returns The message, its body a view; or why it is dropped. */
export function parseIcmpv6(
  packet: Pick<Ipv6Packet, "source" | "destination" | "payload">,
): IcmpMessage | Icmpv6Drop {
  const { source, destination, payload } = packet;
  if (payload.length < ICMP_BYTES) return "ICMPV6_SHORT";
  const sum = ipv6PseudoHeaderSum(source, destination, PROTOCOL_ICMPV6, payload.length);
  if (internetChecksum(payload, sum) !== 0) return "ICMPV6_CHECKSUM";
  return {
    type: read8(payload, 0),
    code: read8(payload, 1),
    rest: read32(payload, 4),
    body: payload.subarray(ICMP_BYTES),
  };
}

/** @returns A message with its checksum, which covers the addresses. */
export function buildIcmpv6(
  message: IcmpMessage,
  source: bigint,
  destination: bigint,
): Uint8Array {
  const bytes = new Uint8Array(ICMP_BYTES + message.body.length);
  bytes[0] = message.type;
  bytes[1] = message.code;
  write32(bytes, 4, message.rest);
  bytes.set(message.body, ICMP_BYTES);
  const sum = ipv6PseudoHeaderSum(source, destination, PROTOCOL_ICMPV6, bytes.length);
  write16(bytes, 2, internetChecksum(bytes, sum));
  return bytes;
}

/** @returns True if the message reports an error about a packet that it quotes. RFC 4443 section 2.1. */
export function isIcmpv6Error(type: number): boolean {
  return type < INFORMATIONAL_FIRST;
}

/** ICMPv6 for a host: answers echoes, passes errors to their owner, tells others about theirs. Source: RFC 4443. */
import { IPV6_HEADER_BYTES } from "../layout/layout.gen.ts";
import { read32 } from "../wire/bytes.ts";
import { ICMP_BYTES, type IcmpMessage } from "../wire/icmp.ts";
import {
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_TOO_BIG,
  isIcmpv6Error,
  REDIRECT,
} from "../wire/icmpv6.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import {
  IPV6_MTU_MIN_BYTES,
  type Ipv6Packet,
  parseQuotedIpv6,
  PROTOCOL_ICMPV6,
  upperLayerOf,
} from "../wire/ipv6.ts";
import { isMulticastIp, isUnspecified } from "./addresses.ts";
import type { EchoProbes } from "./echo_probes.ts";
import { icmpReason } from "./icmp_reasons.ts";
import { ECHO_REPLIES_PER_SECOND, ICMP_ERRORS_PER_SECOND, type IcmpError } from "./icmp.ts";
import { RateLimit } from "./ip_layer.ts";
import type { FramePort } from "./frame_port.ts";

/** Bytes behind the headers that have to be quoted for its owner to be found: ports, and TCP's sequence number. */
const QUOTED_BYTES = 8;
/** Largest error: it has to reach the sender in one packet. RFC 4443 section 2.4 (c). */
const ERROR_MAX_BYTES: number = IPV6_MTU_MIN_BYTES - IPV6_HEADER_BYTES;

/** Takes an error about a packet of ours, from what is quoted of it. */
export type QuotedHandler = (error: IcmpError, quoted: Ipv6Packet) => void;

/** What ICMPv6 needs of its interface. */
export interface Icmpv6Options {
  readonly port: FramePort;
  /** Is it one of our addresses? */
  readonly isLocal: (address: bigint) => boolean;
  /** Sends, from our address for the destination if no source is named. @returns False if it was dropped, counted. */
  readonly send: (message: IcmpMessage, destination: bigint, source?: bigint) => boolean;
  /** Our own echo requests. */
  readonly probes: EchoProbes;
  /** Takes errors about datagrams. */
  readonly onUdpError: QuotedHandler;
  /** A path does not carry echo requests of this size. */
  readonly onTooBig: (destination: bigint, mtu: number) => void;
  readonly count: (reason: string) => void;
}

/** ICMPv6 of an interface, without neighbor discovery and MLD. */
export class Icmpv6 {
  readonly #options: Icmpv6Options;
  readonly #echoes: RateLimit = new RateLimit(ECHO_REPLIES_PER_SECOND);
  readonly #errors: RateLimit;

  constructor(options: Icmpv6Options) {
    this.#options = options;
    this.#errors = new RateLimit(ICMP_ERRORS_PER_SECOND, options.port.random);
  }

  /** Answers an echo; one that was sent to a group too, from an address of one host. RFC 4443 section 4.2. */
  answerEcho(message: IcmpMessage, packet: Ipv6Packet): void {
    const { port, count, send } = this.#options;
    if (isUnspecified(packet.source)) return count("ICMPV6_ECHO_ADDRESS");
    if (!this.#echoes.take(port.clock.now())) return count("ICMPV6_ECHO_LIMIT");
    const source = isMulticastIp(packet.destination) ? undefined : packet.destination;
    send({ ...message, type: ICMPV6_ECHO_REPLY, code: 0 }, packet.source, source);
  }

  /** An echo reply came to an address of ours. */
  heardEcho({ rest, body }: IcmpMessage, { source, ttl }: Ipv6Packet): void {
    this.#options.probes.receiveReply({ from: source, ttl, rest }, body);
  }

  /** An error that came to an address of ours. RFC 4443 section 2.4 (d): it goes to the protocol of the quoted packet. */
  passError(message: IcmpMessage, packet: Ipv6Packet): void {
    const { port, count, isLocal } = this.#options;
    const quoted = parseQuotedIpv6(message.body);
    if (typeof quoted === "string" || quoted.payload.length < QUOTED_BYTES) {
      return count("ICMPV6_QUOTED");
    }
    if (!isLocal(quoted.source) || quoted.fragmentOffset !== 0) return count("ICMPV6_QUOTED");
    // What is from us to us leaves by no link, so nobody there has seen it.
    if (isLocal(quoted.destination) && !isLocal(packet.source)) return count("ICMPV6_QUOTED");
    const { type, code } = message;
    const mtu = type === ICMPV6_TOO_BIG ? message.rest : 0;
    // RFC 8201 section 4: no path is narrower than the smallest MTU; such a message is discarded.
    if (type === ICMPV6_TOO_BIG && mtu < IPV6_MTU_MIN_BYTES) return count("ICMPV6_MTU");
    if (quoted.protocol === PROTOCOL_TCP) {
      return port.icmpError(type, code, mtu, message.body);
    }
    if (quoted.protocol === PROTOCOL_UDP) {
      return this.#options.onUdpError({ type, code, mtu }, quoted);
    }
    if (quoted.protocol !== PROTOCOL_ICMPV6 || quoted.payload[0] !== ICMPV6_ECHO_REQUEST) {
      return count("ICMPV6_QUOTED");
    }
    const answer = { from: packet.source, ttl: packet.ttl, rest: read32(quoted.payload, 4) };
    const reason = icmpReason(6, type, code);
    const isOurs = this.#options.probes.receiveError(answer, reason, quoted.destination);
    // RFC 8201 section 4: only what was really sent tells of its path. UDP and TCP see to that themselves.
    if (isOurs && type === ICMPV6_TOO_BIG) this.#options.onTooBig(quoted.destination, mtu);
  }

  /**
   * Tells a sender about its packet, if that is allowed and the limit leaves room. RFC 4443 section 2.4 (e) and (f).
   *
   * @param rest Pointer of a parameter problem, MTU of packet too big, otherwise 0.
   * @param packet What it is about; as much of it is quoted as fits.
   * @returns False if nothing was sent.
   */
  sendError(type: number, code: number, rest: number, packet: Ipv6Packet): boolean {
    const { port, count, isLocal, send } = this.#options;
    if (!mayReport(packet)) {
      count("ICMPV6_WITHHELD");
      return false;
    }
    if (!this.#errors.take(port.clock.now())) {
      count("ICMPV6_ERROR_LIMIT");
      return false;
    }
    const body = packet.packet.slice(0, ERROR_MAX_BYTES - ICMP_BYTES);
    const source = isLocal(packet.destination) ? packet.destination : undefined;
    return send({ type, code, rest, body }, packet.source, source);
  }
}

/** RFC 4443 section 2.4 (e): not about errors and redirects, nor to groups, nor to what no single host has sent. */
function mayReport(packet: Ipv6Packet): boolean {
  if (isMulticastIp(packet.source) || isUnspecified(packet.source)) return false;
  // A host never says that a packet is too big, the other error that goes to groups.
  if (isMulticastIp(packet.destination) && packet.problem?.evenToGroups !== true) return false;
  const upper = packet.isFragment ? upperLayerOf(packet) : packet;
  if (typeof upper === "string" || upper.protocol !== PROTOCOL_ICMPV6) return true;
  const [kind = 0] = upper.payload;
  return upper.payload.length > 0 && !isIcmpv6Error(kind) && kind !== REDIRECT;
}

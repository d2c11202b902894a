/** ICMP for a host: answers echoes, passes errors on, tells others about theirs. Source: RFC 1122 section 3.2.2. */
import {
  buildIcmp,
  ICMP_BYTES,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_PARAMETER_PROBLEM,
  ICMP_REDIRECT,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  type IcmpMessage,
  isIcmpError,
  parseIcmp,
  TIME_EXCEEDED_REASSEMBLY,
  UNREACHABLE_TOO_BIG,
} from "../wire/icmp.ts";
import {
  type Ipv4Packet,
  parseQuotedIpv4,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from "../wire/ipv4.ts";
import { read32 } from "../wire/bytes.ts";
import { isLoopback, isUnicast } from "./addresses.ts";
import type { EchoProbes } from "./echo_probes.ts";
import { icmpReason } from "./icmp_reasons.ts";
import { type IpLayer, RateLimit } from "./ip_layer.ts";

/** Echo replies per second; more are dropped and counted. */
export const ECHO_REPLIES_PER_SECOND = 100;
/**
 * Errors sent per second at most; more are withheld and counted. RFC 1122 section 3.2.2 leaves the number to us. How many exactly is
 * left to chance: a limit that can be counted tells strangers which ports are open to a name server alone (K. Man et al., "DNS Cache
 * Poisoning Attack Reloaded", 2020).
 */
export const ICMP_ERRORS_PER_SECOND = 100;
/** Bytes behind the IP header that an error quotes. RFC 792: 64 bits. More would make the answer the larger packet. */
const QUOTED_BYTES = 8;

/** An ICMP error about a packet of ours. */
export interface IcmpError {
  /** ICMP type: unreachable, time exceeded or parameter problem. */
  readonly type: number;
  readonly code: number;
  /** MTU that the next hop told, bytes; 0 = not told. */
  readonly mtu: number;
}

/** Takes an error about a datagram of ours, from its quoted packet. */
export type QuotedUdpHandler = (error: IcmpError, quoted: Ipv4Packet) => void;

/** Takes the MTU of a path, bytes; 0 = not told. */
export type TooBigHandler = (destination: number, mtu: number) => void;

/** ICMP of an interface. */
export class Icmp {
  readonly #ip: IpLayer;
  readonly #onUdpError: QuotedUdpHandler;
  readonly #probes: EchoProbes;
  readonly #onTooBig: TooBigHandler;
  readonly #anyAddress: boolean;
  readonly #echoes: RateLimit = new RateLimit(ECHO_REPLIES_PER_SECOND);
  readonly #errors: RateLimit;

  /**
   * @param ip Sends.
   * @param onUdpError Takes errors about datagrams.
   * @param probes Takes what comes back for our echo requests.
   * @param onTooBig Takes the MTU that one of those was too big for.
   * @param anyAddress True if packets of ours may have foreign source addresses: a gateway.
   */
  constructor(
    ip: IpLayer,
    onUdpError: QuotedUdpHandler,
    probes: EchoProbes,
    onTooBig: TooBigHandler,
    anyAddress: boolean,
  ) {
    this.#ip = ip;
    this.#errors = new RateLimit(ICMP_ERRORS_PER_SECOND, ip.port.random);
    this.#onUdpError = onUdpError;
    this.#probes = probes;
    this.#onTooBig = onTooBig;
    this.#anyAddress = anyAddress;
  }

  /** Takes a packet whose addresses have been checked; its views are valid only during the call. */
  receive(packet: Ipv4Packet): void {
    const message = parseIcmp(packet.payload);
    if (typeof message === "string") return this.#ip.count(message);
    // RFC 1122 sections 3.2.2 and 3.2.2.6: nothing that was sent to a group is answered or believed.
    if (this.#ip.isGroup(packet.destination)) return this.#ip.count("ICMP_GROUP");
    if (message.type === ICMP_ECHO_REQUEST) return this.#answerEcho(packet, message);
    if (message.type === ICMP_ECHO_REPLY) {
      const { source: from, ttl } = packet;
      return this.#probes.receiveReply({ from, ttl, rest: message.rest }, message.body);
    }
    const isHeeded = message.type === ICMP_UNREACHABLE || message.type === ICMP_TIME_EXCEEDED ||
      message.type === ICMP_PARAMETER_PROBLEM;
    if (isHeeded) return this.#passError(packet, message);
    // Redirects would let any neighbour take over our routes.
    this.#ip.count(message.type === ICMP_REDIRECT ? "ICMP_REDIRECT" : "ICMP_TYPE");
  }

  #answerEcho(packet: Ipv4Packet, message: IcmpMessage): void {
    if (!this.#ip.isLocal(packet.destination) || !isHost(packet.source)) {
      return this.#ip.count("ICMP_ECHO_ADDRESS");
    }
    if (!this.#echoes.take(this.#ip.port.clock.now())) return this.#ip.count("ICMP_ECHO_LIMIT");
    // RFC 792: the data of the request comes back, byte for byte, so the reply is never longer.
    const reply = buildIcmp({ ...message, type: ICMP_ECHO_REPLY, code: 0 });
    this.#ip.sendIpv4(packet.source, PROTOCOL_ICMP, reply, { source: packet.destination });
  }

  #passError(packet: Ipv4Packet, message: IcmpMessage): void {
    const quoted = parseQuotedIpv4(message.body);
    if (typeof quoted === "string" || quoted.payload.length < QUOTED_BYTES) {
      return this.#ip.count("ICMP_QUOTED");
    }
    if (!this.#anyAddress && !this.#ip.isLocal(quoted.source)) {
      return this.#ip.count("ICMP_QUOTED");
    }
    // What is from us to us leaves by no link, so nobody there has seen it.
    if (this.#ip.isLocal(quoted.destination) && !this.#ip.isLocal(packet.source)) {
      return this.#ip.count("ICMP_QUOTED");
    }
    const isTooBig = message.type === ICMP_UNREACHABLE && message.code === UNREACHABLE_TOO_BIG;
    // RFC 1191 section 4: the MTU stands in the low half, 0 from routers that do not know better.
    const mtu = isTooBig ? message.rest & 0xffff : 0;
    if (quoted.protocol === PROTOCOL_TCP) {
      this.#ip.port.icmpError(message.type, message.code, mtu, message.body);
    } else if (quoted.protocol === PROTOCOL_UDP && quoted.fragmentOffset === 0) {
      this.#onUdpError({ type: message.type, code: message.code, mtu }, quoted);
    } else if (quoted.protocol === PROTOCOL_ICMP && isEchoRequest(quoted)) {
      const answer = { from: packet.source, ttl: packet.ttl, rest: read32(quoted.payload, 4) };
      const reason = icmpReason(4, message.type, message.code);
      const isOurs = this.#probes.receiveError(answer, reason, quoted.destination);
      // RFC 1191 section 3: the estimate MUST be reduced, as each that fits has Don't Fragment set. UDP and TCP do so themselves.
      if (isOurs && isTooBig) this.#onTooBig(quoted.destination, mtu);
    } else {
      this.#ip.count("ICMP_QUOTED");
    }
  }

  /** Tells a sender that not all fragments of its packet have come in time. RFC 792; RFC 1122 section 3.3.2. */
  sendTimeExceeded(packet: Uint8Array): boolean {
    return this.#sendError(ICMP_TIME_EXCEEDED, TIME_EXCEEDED_REASSEMBLY, packet);
  }

  /**
   * Tells a sender that its packet can not be delivered, if that is allowed and the limit leaves room.
   *
   * @param code 3 = no such port, 13 = prohibited …
   * @param packet The packet from its IP header on.
   * @param source Who says so, u32. Default: our own address.
   * @returns False if nothing was sent.
   */
  sendUnreachable(code: number, packet: Uint8Array, source?: number): boolean {
    return this.#sendError(ICMP_UNREACHABLE, code, packet, source);
  }

  #sendError(type: number, code: number, packet: Uint8Array, source?: number): boolean {
    const offending = parseQuotedIpv4(packet);
    if (typeof offending === "string" || !this.#mayReport(offending)) {
      this.#ip.count("ICMP_WITHHELD");
      return false;
    }
    if (!this.#errors.take(this.#ip.port.clock.now())) {
      this.#ip.count("ICMP_ERROR_LIMIT");
      return false;
    }
    const body = packet.subarray(0, offending.headerBytes + QUOTED_BYTES);
    const bytes = buildIcmp({ type, code, rest: 0, body });
    const options = source === undefined ? {} : { source };
    return this.#ip.sendIpv4(offending.source, PROTOCOL_ICMP, bytes, options);
  }

  /** RFC 1122 section 3.2.2: not about errors, groups, later fragments, or what no single host has sent. */
  #mayReport(offending: Ipv4Packet): boolean {
    const isAboutError = offending.protocol === PROTOCOL_ICMP &&
      (offending.payload.length < ICMP_BYTES || isIcmpError(offending.payload[0] ?? 0));
    return !isAboutError && offending.fragmentOffset === 0 && isHost(offending.source) &&
      isHost(offending.destination) && !this.#ip.isGroup(offending.source) &&
      !this.#ip.isGroup(offending.destination);
  }
}

/** Is it an echo request, as far as it is quoted? */
function isEchoRequest(quoted: Ipv4Packet): boolean {
  return quoted.fragmentOffset === 0 && quoted.payload[0] === ICMP_ECHO_REQUEST;
}

/** Is it one host's address, our own loopback's too? What came by the link has none such. */
function isHost(address: number): boolean {
  return isUnicast(address) || isLoopback(address);
}

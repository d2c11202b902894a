/**
 * ICMP errors about our segments. The quoted packet names the connection, and its sequence number must be one that we have
 * in flight: who is not on the path can hardly guess it. RFC 5927 section 4.
 */
import { scratchBase } from "../config.ts";
import {
  CAUSE_UNREACHABLE,
  EVENT_SOFT_ERROR,
  EXTRA_FLAG_QUIET_ERRORS,
  FLAG_ACTIVE,
  IPV4_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  NONE,
  REASON_HOST_UNREACHABLE,
  REASON_NET_UNREACHABLE,
  REASON_NONE,
  REASON_PARAMETER_PROBLEM,
  REASON_PORT_UNREACHABLE,
  REASON_TIME_EXCEEDED,
  SCRATCH_BYTES,
  STAT_ICMP_IGNORED,
  STATE_SYN_RECEIVED,
  STATE_SYN_SENT,
  STATUS_OK,
  STATUS_STALE_HANDLE,
  STATUS_UNSUPPORTED,
  STATUS_WRONG_STATE,
  Tcb,
} from "../layout.gen.ts";
import { load16, load32 } from "../bytes.ts";
import { findTuple, REF_TIME_WAIT } from "../conn/demux.ts";
import { hasExtra } from "../conn/options.ts";
import { endConnection } from "../conn/tcb.ts";
import { raise } from "../events.ts";
import { heedTooBig } from "../loss/path_mtu.ts";
import { needExtra, tcbAt } from "../pool.ts";
import { before } from "../seq.ts";
import { count } from "../stats.ts";
import { isIpv4 } from "../wire/ip.ts";
import { mappedB } from "../wire/ipv4.ts";

/** Destination unreachable. RFC 792; RFC 4443 section 3.1. */
const ICMP_UNREACHABLE: u32 = 3;
const ICMP6_UNREACHABLE: u32 = 1;
/** Soft errors. RFC 792; RFC 4443 sections 3.3 and 3.4. */
const ICMP_TIME_EXCEEDED: u32 = 11;
const ICMP_PARAMETER_PROBLEM: u32 = 12;
const ICMP6_TIME_EXCEEDED: u32 = 3;
const ICMP6_PARAMETER_PROBLEM: u32 = 4;
/** Packet too big. RFC 4443 section 3.2. */
const ICMP6_TOO_BIG: u32 = 2;
/** Codes that RFC 9293 section 3.9.2.2 (SHLD-26) calls hard; code 4 is path MTU discovery's. */
const ICMP_PROTOCOL_UNREACHABLE: u32 = 2;
const ICMP_PORT_UNREACHABLE: u32 = 3;
const ICMP_FRAGMENTATION_NEEDED: u32 = 4;
const ICMP6_PORT_UNREACHABLE: u32 = 4;
/** Codes that mean the network rather than the host. RFC 792, RFC 1122 section 3.2.2.1; RFC 4443 section 3.1. */
const ICMP_NET_UNREACHABLE: u32 = 0;
const ICMP_NET_UNKNOWN: u32 = 6;
const ICMP6_NO_ROUTE: u32 = 0;
/** Ports and sequence number of the quoted header. RFC 792. */
const QUOTED_TCP_BYTES: u32 = 8;
const IPV4_TOTAL_AT: usize = 2;
const IPV4_SOURCE_AT: usize = 12;
const IPV4_DESTINATION_AT: usize = 16;
const IPV6_PAYLOAD_AT: usize = 4;
const IPV6_NEXT_HEADER_AT: usize = 6;
const IPV6_SOURCE_AT: usize = 8;
const IPV6_DESTINATION_AT: usize = 24;
const SECOND_HALF: usize = 8;
const PROTOCOL_TCP: u8 = 6;
const VERSION_6: u32 = 6;

/** The connection of a quoted segment, if its sequence number is one that is in flight. */
function inFlightOf(lA: u64, lB: u64, rA: u64, rB: u64, tcp: usize): Tcb | null {
  const ref = findTuple(lA, lB, rA, rB, load16(tcp), load16(tcp + 2));
  if (ref === NONE || (ref & REF_TIME_WAIT) !== 0) return null;
  const tcb = tcbAt(ref);
  const seq = load32(tcp + 4);
  if (before(seq, tcb.sndUna) || !before(seq, tcb.sndNxt)) return null;
  return tcb;
}

/** The connection that a quoted packet of ours belongs to. We send no extension headers, so none are looked for. */
function quotedConnection(bytes: u32): Tcb | null {
  if (bytes < IPV4_HEADER_BYTES + QUOTED_TCP_BYTES || bytes > SCRATCH_BYTES) return null;
  if ((u32(load<u8>(scratchBase)) >> 4) === VERSION_6) {
    if (bytes < IPV6_HEADER_BYTES + QUOTED_TCP_BYTES) return null;
    if (load<u8>(scratchBase, IPV6_NEXT_HEADER_AT) !== PROTOCOL_TCP) return null;
    return inFlightOf(
      load<u64>(scratchBase, IPV6_SOURCE_AT),
      load<u64>(scratchBase, IPV6_SOURCE_AT + SECOND_HALF),
      load<u64>(scratchBase, IPV6_DESTINATION_AT),
      load<u64>(scratchBase, IPV6_DESTINATION_AT + SECOND_HALF),
      scratchBase + IPV6_HEADER_BYTES,
    );
  }
  const headerBytes = u32(load<u8>(scratchBase) & 15) << 2;
  if (headerBytes < IPV4_HEADER_BYTES || headerBytes + QUOTED_TCP_BYTES > bytes) return null;
  const localB = mappedB(load<u32>(scratchBase, IPV4_SOURCE_AT));
  const remoteB = mappedB(load<u32>(scratchBase, IPV4_DESTINATION_AT));
  return inFlightOf(0, localB, 0, remoteB, scratchBase + headerBytes);
}

/** How long the quoted packet was as a whole, bytes. */
function quotedBytes(isV4: bool): u32 {
  if (isV4) return load16(scratchBase + IPV4_TOTAL_AT);
  return IPV6_HEADER_BYTES + load16(scratchBase + IPV6_PAYLOAD_AT);
}

/** What the user is told of an unreachable destination. */
function reasonOf(isV4: bool, code: u32): u32 {
  if (isV4) {
    if (code === ICMP_PROTOCOL_UNREACHABLE || code === ICMP_PORT_UNREACHABLE) {
      return REASON_PORT_UNREACHABLE;
    }
    return code === ICMP_NET_UNREACHABLE || code === ICMP_NET_UNKNOWN
      ? REASON_NET_UNREACHABLE
      : REASON_HOST_UNREACHABLE;
  }
  if (code === ICMP6_PORT_UNREACHABLE) return REASON_PORT_UNREACHABLE;
  return code === ICMP6_NO_ROUTE ? REASON_NET_UNREACHABLE : REASON_HOST_UNREACHABLE;
}

/** What never ends a connection: time exceeded and parameter problem. RFC 9293 section 3.9.2.2 (MUST-56). */
function softReasonOf(isV4: bool, type: u32): u32 {
  if (type === (isV4 ? ICMP_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED)) return REASON_TIME_EXCEEDED;
  if (type === (isV4 ? ICMP_PARAMETER_PROBLEM : ICMP6_PARAMETER_PROBLEM)) {
    return REASON_PARAMETER_PROBLEM;
  }
  return REASON_NONE;
}

/** "SHOULD make the information available to the application" (SHLD-25), asynchronously (MUST-47), unless it asked for none (SHLD-20). */
export function tellSoftError(tcb: Tcb, reason: u32): void {
  if (hasExtra(tcb, EXTRA_FLAG_QUIET_ERRORS)) return;
  needExtra(tcb).softReason = reason;
  raise(tcb, EVENT_SOFT_ERROR);
}

/**
 * An ICMP error. While the connection opens, unreachable ends it; once it is open none does: hard errors too are treated
 * as soft, because they are cheaply forged. Deviation from RFC 9293 SHLD-26 with RFC 5461 and RFC 5927 section 5.2.
 *
 * @param bytes Of the quoted packet, in the scratch area.
 * @param type Of ICMP or ICMPv6, by the family of the quoted packet.
 * @param mtu What fragmentation needed or packet too big names, bytes.
 */
export function heedIcmp(bytes: u32, type: u32, code: u32, mtu: u32): i32 {
  const tcb = quotedConnection(bytes);
  if (tcb === null) {
    count(STAT_ICMP_IGNORED);
    return -STATUS_STALE_HANDLE;
  }
  const isV4 = isIpv4(tcb.remoteAddrA, tcb.remoteAddrB);
  const isTooBig = isV4
    ? type === ICMP_UNREACHABLE && code === ICMP_FRAGMENTATION_NEEDED
    : type === ICMP6_TOO_BIG;
  if (isTooBig) return heedTooBig(tcb, mtu, quotedBytes(isV4)) ? STATUS_OK : -STATUS_WRONG_STATE;
  if (type !== (isV4 ? ICMP_UNREACHABLE : ICMP6_UNREACHABLE)) {
    const soft = softReasonOf(isV4, type);
    // Source quench "MUST [be] silently discarded" (MUST-55), and so is what we do not know.
    if (soft === REASON_NONE) return -STATUS_UNSUPPORTED;
    tellSoftError(tcb, soft);
    return STATUS_OK;
  }
  const opening = tcb.state === STATE_SYN_SENT ||
    (tcb.state === STATE_SYN_RECEIVED && (tcb.flags & FLAG_ACTIVE) !== 0);
  if (!opening) {
    tellSoftError(tcb, reasonOf(isV4, code));
    return STATUS_OK;
  }
  endConnection(tcb, CAUSE_UNREACHABLE, reasonOf(isV4, code));
  return STATUS_OK;
}

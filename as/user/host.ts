/** What the host tells of the network around: addresses, next hops, ICMP errors, the link's return. */
import { control, param, scratchBase } from "../config.ts";
import {
  ADDRESSES_MAX,
  CAUSE_UNREACHABLE,
  FLAG_ACTIVE,
  FLAG_TIMER_PERSIST,
  FLAG_TIMER_RETRANSMIT,
  FLAG_USED,
  HOPS_MAX,
  IPV4_HEADER_BYTES,
  NONE,
  OWED_ACK,
  REASON_HOST_UNREACHABLE,
  REASON_NET_UNREACHABLE,
  REASON_PORT_UNREACHABLE,
  SCRATCH_BYTES,
  STATE_SYN_RECEIVED,
  STATE_SYN_SENT,
  STATUS_BAD_ARGUMENT,
  STATUS_OK,
  STATUS_STALE_HANDLE,
  STATUS_UNSUPPORTED,
  STATUS_WRONG_STATE,
  Tcb,
} from "../layout.gen.ts";
import { load16, load32 } from "../bytes.ts";
import { findTuple, REF_TIME_WAIT } from "../conn/demux.ts";
import { addressAt } from "../conn/listener.ts";
import { isSynchronized } from "../conn/state.ts";
import { endConnection } from "../conn/tcb.ts";
import { armPersist, armRetransmit } from "../deadline/deadline.ts";
import { computeRto } from "../loss/rtt.ts";
import { enlist, owe } from "../owed.ts";
import { tcbAt } from "../pool.ts";
import { before } from "../seq.ts";
import { hopAt } from "../tx/build_segment.ts";
import { mappedB } from "../wire/ipv4.ts";

/** ICMP destination unreachable. RFC 792. */
const ICMP_UNREACHABLE: u32 = 3;
/** Its codes that RFC 9293 section 3.9.2.2 (SHLD-26) calls hard; code 4 is path MTU discovery's. */
const ICMP_PROTOCOL_UNREACHABLE: u32 = 2;
const ICMP_PORT_UNREACHABLE: u32 = 3;
const ICMP_FRAGMENTATION_NEEDED: u32 = 4;
/** Codes that mean the network rather than the host. RFC 792, RFC 1122 section 3.2.2.1. */
const ICMP_NET_UNREACHABLE: u32 = 0;
const ICMP_NET_UNKNOWN: u32 = 6;
/** Ports and sequence number of the quoted header. RFC 792. */
const QUOTED_TCP_BYTES: u32 = 8;
const IPV4_SOURCE_AT: usize = 12;
const IPV4_DESTINATION_AT: usize = 16;
/** Soonest a timer fires after the link has come back, ms. */
const LINK_UP_RTO_MS: u32 = 1;

/** Makes Param's local address ours, or frees the index. */
export function putAddress(index: u32, used: u32): i32 {
  if (index >= ADDRESSES_MAX) return -STATUS_BAD_ARGUMENT;
  const address = addressAt(index);
  address.addrA = param.localAddrA;
  address.addrB = param.localAddrB;
  address.broadcast = param.broadcast;
  address.used = used === 0 ? 0 : 1;
  return STATUS_OK;
}

/** Names a next hop's MAC; every connection that waited for it goes on. */
export function putNextHop(slot: u32, resolved: u32): i32 {
  if (slot === 0 || slot >= HOPS_MAX) return -STATUS_BAD_ARGUMENT;
  const hop = hopAt(slot);
  hop.macA = param.macA;
  hop.macB = param.macB;
  hop.resolved = resolved === 0 ? 0 : 1;
  if (resolved === 0) return STATUS_OK;
  for (let i: u32 = 0; i < control.tcbHigh; i++) {
    const tcb = tcbAt(i);
    if ((tcb.flags & FLAG_USED) !== 0 && u32(tcb.nextHop) === slot && tcb.owed !== 0) enlist(tcb);
  }
  return STATUS_OK;
}

/** The connection that a quoted packet belongs to, if its sequence number is one we have in flight. RFC 5927 section 4. */
function quotedConnection(bytes: u32): Tcb | null {
  if (bytes < IPV4_HEADER_BYTES + QUOTED_TCP_BYTES || bytes > SCRATCH_BYTES) return null;
  const headerBytes = u32(load<u8>(scratchBase) & 15) << 2;
  if (headerBytes < IPV4_HEADER_BYTES || headerBytes + QUOTED_TCP_BYTES > bytes) return null;
  const tcp = scratchBase + headerBytes;
  const localB = mappedB(load<u32>(scratchBase, IPV4_SOURCE_AT));
  const remoteB = mappedB(load<u32>(scratchBase, IPV4_DESTINATION_AT));
  const ref = findTuple(0, localB, 0, remoteB, load16(tcp), load16(tcp + 2));
  if (ref === NONE || (ref & REF_TIME_WAIT) !== 0) return null;
  const tcb = tcbAt(ref);
  const seq = load32(tcp + 4);
  if (before(seq, tcb.sndUna) || !before(seq, tcb.sndNxt)) return null;
  return tcb;
}

function reasonOf(code: u32): u32 {
  if (code === ICMP_PROTOCOL_UNREACHABLE || code === ICMP_PORT_UNREACHABLE) {
    return REASON_PORT_UNREACHABLE;
  }
  return code === ICMP_NET_UNREACHABLE || code === ICMP_NET_UNKNOWN
    ? REASON_NET_UNREACHABLE
    : REASON_HOST_UNREACHABLE;
}

/**
 * An ICMP error. While the connection opens, unreachable ends it; once it is open none does: hard errors too are treated
 * as soft, because they are cheaply forged. Deviation from RFC 9293 SHLD-26 with RFC 5461 and RFC 5927 section 5.2.
 */
export function heedIcmp(bytes: u32, type: u32, code: u32): i32 {
  const tcb = quotedConnection(bytes);
  if (tcb === null) return -STATUS_STALE_HANDLE;
  if (type !== ICMP_UNREACHABLE || code === ICMP_FRAGMENTATION_NEEDED) return -STATUS_UNSUPPORTED;
  const opening = tcb.state === STATE_SYN_SENT ||
    (tcb.state === STATE_SYN_RECEIVED && (tcb.flags & FLAG_ACTIVE) !== 0);
  if (!opening) return -STATUS_WRONG_STATE;
  endConnection(tcb, CAUSE_UNREACHABLE, reasonOf(code));
  return STATUS_OK;
}

/**
 * The link works again: what was backed off is tried at once, and each synchronized connection owes one ACK, so that a
 * peer that has lost its state answers RST now and not when somebody writes.
 */
export function heedLinkUp(): void {
  for (let slot: u32 = 0; slot < control.tcbHigh; slot++) {
    const tcb = tcbAt(slot);
    if ((tcb.flags & FLAG_USED) === 0) continue;
    if ((tcb.flags & FLAG_TIMER_RETRANSMIT) !== 0 && tcb.retries > 0) {
      tcb.rtoMs = computeRto(tcb);
      armRetransmit(tcb, LINK_UP_RTO_MS);
    } else if ((tcb.flags & FLAG_TIMER_PERSIST) !== 0) {
      tcb.rtoMs = computeRto(tcb);
      armPersist(tcb, LINK_UP_RTO_MS);
    }
    if (isSynchronized(tcb.state)) owe(tcb, OWED_ACK);
  }
}

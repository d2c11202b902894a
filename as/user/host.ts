/** What the host tells of the network around: addresses, next hops, the link's return. */
import { control, param } from "../config.ts";
import {
  ADDRESSES_MAX,
  FLAG_TIMER_PERSIST,
  FLAG_TIMER_RETRANSMIT,
  FLAG_USED,
  HOPS_MAX,
  OWED_ACK,
  STATUS_BAD_ARGUMENT,
  STATUS_OK,
} from "../layout.gen.ts";
import { addressAt } from "../conn/listener.ts";
import { isSynchronized } from "../conn/state.ts";
import { armPersist, armRetransmit } from "../deadline/deadline.ts";
import { computeRto } from "../loss/rtt.ts";
import { enlist, owe } from "../owed.ts";
import { tcbAt } from "../pool.ts";
import { hopAt } from "../tx/build_segment.ts";

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
  if (index >= control.addressHigh) control.addressHigh = index + 1;
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
